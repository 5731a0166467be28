//! The server itself: what it says of its configuration, and how it takes a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::{At as _, Failure, Host, files, program};

/// Host keys on a slow disk, a name service that does not answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a unit may take from one state to another.
const SETTLING: Duration = Duration::from_secs(20);
const SERVERS: [&str; 4] = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"];
const CONFIGS: [&str; 2] = ["/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config"];
/// Where distributions keep the arguments that sshd is started with, and under which name.
const ARGUMENTS: [(&str, &str); 3] =
    [("/etc/default/ssh", "SSHD_OPTS"), ("/etc/sysconfig/sshd", "OPTIONS"), ("/etc/sysconfig/ssh", "SSHD_OPTS")];
const UNITS: [&str; 2] = ["ssh.service", "sshd.service"];

/// The installed server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// The program, as the host has it.
    pub(super) program: String,
    /// The configuration's main file, as the host has it.
    pub(super) main: String,
    /// The options of its start that bear on the configuration.
    options: Vec<String>,
}

/// Settings in effect by their keywords in lower case; lists have several.
pub(super) type Settings = BTreeMap<String, Vec<String>>;

/// A connection as `sshd -T -C` wants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection {
    /// Who.
    pub(super) user: String,
    /// Whence.
    pub(super) address: String,
}

/// A server that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    /// Its process.
    pub(super) pid: i32,
    /// The unit that runs it; none where it was started otherwise.
    pub(super) unit: Option<String>,
    /// The machine's start that it belongs to.
    pub(super) boot: String,
}

impl Server {
    /// The server that is installed; none where there is none.
    pub(super) fn find(host: &Host) -> Result<Option<Self>, Failure> {
        let Some(program) = SERVERS.into_iter().find(|path| host.path(path).is_file()) else { return Ok(None) };
        let mut options = Vec::new();
        let mut main = None;
        let mut words = arguments(host)?.into_iter();
        while let Some(word) = words.next() {
            let (flag, rest) = word.split_at(word.len().min(2));
            if !matches!(flag, "-f" | "-o") || !word.is_ascii() {
                continue;
            }
            let value = if rest.is_empty() { words.next().unwrap_or_default() } else { rest.to_owned() };
            if flag == "-f" {
                main = Some(value.clone());
            }
            options.extend([flag.to_owned(), value]);
        }
        let usual = || CONFIGS.into_iter().find(|path| host.path(path).exists()).map(str::to_owned);
        let main = main.or_else(usual).ok_or_else(|| Failure::new("/etc/ssh/sshd_config: it is not there"))?;
        Ok(Some(Self { program: program.to_owned(), main, options }))
    }

    /// Whether the command line sets one of the keywords: it comes before every file.
    pub(super) fn is_set_at_start(&self, keyword: &str) -> bool {
        let pairs = self.options.chunks(2).filter(|pair| pair[0] == "-o");
        let mut names = pairs.filter_map(|pair| pair[1].split(['=', ' ']).next().map(seaworthy_core::sshd::canonical));
        names.any(|name| name == seaworthy_core::sshd::canonical(keyword))
    }

    /// Has sshd read its configuration, with settings before it, and starts nothing.
    pub(super) fn test(&self, set: &[(String, String)]) -> Result<(), Failure> {
        self.ask("-t", set, None).map(|_| ())
    }

    /// What would be in effect with settings before everything else: for everybody, or for one connection.
    pub(super) fn effective(&self, set: &[(String, String)], of: Option<&Connection>) -> Result<Settings, Failure> {
        let mut settings = Settings::new();
        for line in self.ask("-T", set, of)?.lines() {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            settings.entry(keyword.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        Ok(settings)
    }

    fn ask(&self, how: &str, set: &[(String, String)], of: Option<&Connection>) -> Result<String, Failure> {
        make_run_directory()?;
        let mut command = vec![self.program.clone(), how.to_owned()];
        command.extend(self.options.iter().cloned());
        command.extend(set.iter().flat_map(|(keyword, value)| ["-o".to_owned(), format!("{keyword}={value}")]));
        if let Some(Connection { user, address }) = of {
            command.push("-C".into());
            command.push(format!("user={user},host={address},addr={address},laddr=127.0.0.1,lport=22"));
        }
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let ended = program::run(&command, PATIENCE)?;
        if ended.is_good() {
            return Ok(ended.stdout);
        }
        // The line that names the fault comes before the one that counts them.
        let told: Vec<&str> = ended.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
        let told: String = told.join("; ").chars().filter(|c| !c.is_control()).take(400).collect();
        Err(Failure(format!("{} {how}: {}", self.program, if told.is_empty() { ended.complaint() } else { &told })))
    }

    /// The server that runs, by systemd, else by the file with its number.
    pub(super) fn running(&self, host: &Host) -> Result<Option<Running>, Failure> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        if host.has_systemd() {
            for unit in UNITS {
                let told = program::run(&["systemctl", "show", "-p", "ActiveState,MainPID", unit], PATIENCE)?;
                let pid = told.stdout.lines().find_map(|l| l.strip_prefix("MainPID=")?.parse::<i32>().ok());
                if told.stdout.lines().any(|line| line == "ActiveState=active")
                    && let Some(pid) = pid.filter(|pid| is_sshd(*pid))
                {
                    return Ok(Some(Running { pid, unit: Some(unit.to_owned()), boot }));
                }
            }
        }
        let pid = self.number_file()?.and_then(|file| number(host, &file));
        Ok(pid.filter(|pid| is_sshd(*pid)).map(|pid| Running { pid, unit: None, boot }))
    }

    /// The file in which a server writes its number once it listens.
    fn number_file(&self) -> Result<Option<String>, Failure> {
        let file = self.effective(&[], None)?.remove("pidfile").and_then(|mut all| all.pop());
        Ok(Some(file.unwrap_or_else(|| "/run/sshd.pid".to_owned())).filter(|file| file != "none"))
    }

    /// Has the running server read its configuration again, and waits until it has begun anew; sessions stay.
    pub(super) fn reload(&self, host: &Host) -> Result<(), Failure> {
        let Some(running) = self.running(host)? else { return Ok(()) };
        let pid = running.pid;
        let before = image(pid);
        // Asked now: where it ends, its service takes away the directory without which nothing is answered.
        let file = self.number_file()?;
        match &running.unit {
            Some(unit) => {
                let told = program::run(&["systemctl", "reload", unit], PATIENCE)?;
                // One that ends at once fails the unit's job, too, perhaps before it is gone.
                let began = Instant::now();
                while !told.is_good() && is_sshd(pid) && began.elapsed() < Duration::from_secs(2) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                if !told.is_good() && is_sshd(pid) {
                    return Err(Failure(format!("systemctl reload {unit}: {}", told.complaint())));
                }
            }
            None => {
                let doing = || format!("reload sshd ({pid})");
                let process = Pid::from_raw(pid).ok_or_else(|| Failure(format!("{}: it is gone", doing())))?;
                let held = pidfd_open(process, PidfdFlags::empty()).at(doing)?;
                // Held first and looked at then: the number cannot have passed to another program in between.
                if !is_sshd(pid) {
                    return Err(Failure(format!("{}: the process is another", doing())));
                }
                pidfd_send_signal(&held, Signal::HUP).at(doing)?;
            }
        }
        // It executes itself anew, in a place of memory of its own; without randomization that cannot be seen. Then it
        // listens, writes its number, and lives; or it cannot, and ends.
        let is_random =
            fs::read_to_string("/proc/sys/kernel/randomize_va_space").is_ok_and(|level| level.trim() != "0");
        let listens = || file.as_ref().is_none_or(|file| number(host, file) == Some(pid));
        let began = Instant::now();
        while (is_random && image(pid) == before) || (is_sshd(pid) && !listens()) {
            if began.elapsed() > PATIENCE {
                let why = "it did not begin anew; look at its log";
                return Err(Failure(format!("reload sshd ({pid}): {why}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if is_sshd(pid) {
            return Ok(());
        }
        Err(Failure(format!("reload sshd ({pid}): it has ended; look at its log")))
    }

    /// Starts the server again where it ran, in this start of the machine, and has failed since. Without systemd nobody
    /// can tell that from one that somebody stopped: it is started where it has ended `just_now`.
    pub(super) fn revive(&self, host: &Host, was: &Running, just_now: bool) -> Result<(), Failure> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        if boot.trim() != was.boot {
            return Ok(());
        }
        // systemd takes a moment to see that it has ended.
        let began = Instant::now();
        while was.unit.as_ref().is_some_and(|unit| !is_settled(unit)) && began.elapsed() < SETTLING {
            std::thread::sleep(Duration::from_millis(50));
        }
        if self.running(host)?.is_some() {
            return Ok(());
        }
        match &was.unit {
            // One that somebody stopped stays so.
            Some(unit) if program::run(&["systemctl", "is-failed", "--quiet", unit], PATIENCE)?.is_good() => {
                program::run(&["systemctl", "reset-failed", unit], PATIENCE)?;
                program::run_well(&["systemctl", "start", "--no-block", unit], PATIENCE).map(|_| ())
            }
            None if just_now => {
                let command = std::iter::once(&self.program).chain(&self.options).map(String::as_str);
                program::run_well(&command.collect::<Vec<_>>(), PATIENCE).map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

/// The words of the arguments that sshd is started with.
fn arguments(host: &Host) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    for (path, name) in ARGUMENTS {
        let Some(content) = files::read(&host.path(path))? else { continue };
        let text = String::from_utf8_lossy(&content.bytes).into_owned();
        let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        // The last assignment counts.
        if let Some(value) = lines.next_back() {
            words.extend(seaworthy_core::sshd::words(value.trim().trim_matches(['"', '\''])));
        }
    }
    Ok(words)
}

/// sshd checks nothing without its empty directory, which its service makes at its start: where sshd is started by a
/// socket, that may not have been yet. It is made as the service makes it, and stays, as a server may start meanwhile.
fn make_run_directory() -> Result<(), Failure> {
    const PATH: &str = "/run/sshd";
    let doing = || format!("create {PATH}");
    match fs::DirBuilder::new().mode(0o755).create(PATH) {
        Ok(()) => fs::set_permissions(PATH, fs::Permissions::from_mode(0o755)).at(doing),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).at(doing),
    }
}

/// Whether a unit runs, with a process that lives, or does not, and is not on the way to either.
fn is_settled(unit: &str) -> bool {
    let Ok(told) = program::run(&["systemctl", "show", "-p", "ActiveState,MainPID", unit], PATIENCE) else {
        return true;
    };
    let of = |name: &str| told.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    match of("ActiveState=") {
        "active" => of("MainPID=").parse().is_ok_and(is_sshd),
        state => !matches!(state, "activating" | "deactivating" | "reloading"),
    }
}

/// The number in a file.
fn number(host: &Host, file: &str) -> Option<i32> {
    let content = files::read(&host.path(file)).ok()??;
    String::from_utf8_lossy(&content.bytes).trim().parse().ok().filter(|pid| *pid > 1)
}

/// Whether a process is an sshd that lives: one that has ended and that nobody has asked for yet is not.
fn is_sshd(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let told = stat.rsplit_once(") ").and_then(|(head, tail)| Some((head.split_once('(')?.1, tail)));
    told.is_some_and(|(name, tail)| name == "sshd" && !tail.starts_with(['Z', 'X']))
}

/// Whether some sshd lives.
pub(super) fn lives() -> bool {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).any(is_sshd)
}

/// What differs between two programs that one process executes: where they lie in memory.
fn image(pid: i32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/auxv")).ok()
}

/// The addresses that the server listens on, as it can be reached from the host itself.
pub(super) fn listeners(settings: &Settings) -> Vec<std::net::SocketAddr> {
    let all = settings.get("listenaddress").into_iter().flatten();
    let all: BTreeSet<std::net::SocketAddr> = all.filter_map(|address| address.parse().ok()).collect();
    let local = |mut address: std::net::SocketAddr| {
        if address.ip().is_unspecified() {
            let loopback: std::net::IpAddr = match address {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(loopback);
        }
        address
    };
    let mut all: Vec<_> = all.into_iter().map(local).collect();
    // The older family first: a host may have the newer one off.
    all.sort_by_key(std::net::SocketAddr::is_ipv6);
    all
}
