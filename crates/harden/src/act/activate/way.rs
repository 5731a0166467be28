//! How the engine is run, and so how it is stopped and started.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hand::Hand;
use super::unit::{self, Unit};
use crate::files::Keep;
use crate::process::{self, Process};
use crate::{Failure, Host};

/// How the engine is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Way {
    /// As the main process of a unit of systemd.
    Unit(Unit),
    /// By hand: it is started again as it was.
    Hand(Box<Hand>),
}

/// Programs that start again, by themselves or at their next look, what ends beneath them.
const SUPERVISORS: [&str; 16] = [
    "runsv",
    "s6-supervise",
    "s6-svscan",
    "supervise",
    "supervisord",
    "supervise-daemon",
    "supervise-daemo",
    "monit",
    "circusd",
    "procd",
    "tini",
    "docker-init",
    "dumb-init",
    "catatonit",
    "podman-init",
    "conmon",
];

impl Way {
    /// How the engine's process is run, or why it is not for us to restart.
    pub(super) fn of(host: &Host, process: &Process) -> Result<Self, Failure> {
        let program = process.program()?;
        if program.file_name().and_then(|n| n.to_str()) != Some("dockerd") {
            return Err(Failure(format!("{} is not dockerd", program.display())));
        }
        if program.starts_with("/snap") {
            return Err(by_its_own("snap", "snap restart docker"));
        }
        let slice = process.slice().unwrap_or_default();
        if slice.contains("/user@") {
            return Err(by_its_own("a user's own systemd", "systemctl --user restart docker"));
        }
        if host.has_systemd()
            && let Some(unit) = unit::of(process, &slice)?
        {
            return Ok(Self::Unit(unit));
        }
        own_rights(process)?;
        unmanaged(process)?;
        Ok(Self::Hand(Box::new(Hand::of(process, program)?)))
    }

    /// Keeps what is secret of it, and is needed to start it again, out of the journal.
    pub(super) fn keep(&mut self, process: &Process, keep: &mut Keep) -> Result<(), Failure> {
        if let Self::Hand(hand) = self {
            hand.environment = Some(keep.save(&process.at("environ"))?);
        }
        Ok(())
    }

    /// The engine's process now; none where there is none.
    pub(super) fn process(&self) -> Result<Option<Process>, Failure> {
        match self {
            Self::Unit(unit) => unit.process(),
            Self::Hand(hand) => Ok(hand.process()),
        }
    }

    /// Stops the engine, which may take `end`, and starts it; or starts it where it is down. It need not answer yet.
    pub(super) fn restart(&self, old: Option<&Process>, keep: Option<&Keep>, end: Duration) -> Result<(), Failure> {
        match (self, old) {
            (Self::Unit(unit), _) => unit.restart(old, end),
            (Self::Hand(hand), Some(old)) => hand.restart(old, end),
            (Self::Hand(hand), None) => hand.start(keep),
        }
    }

    /// What the engine logs from now on.
    pub(super) fn log(&self, process: Option<&Process>) -> Log {
        match self {
            Self::Unit(unit) => Log::Journal(unit.clone()),
            Self::Hand(hand) => match hand.log(process) {
                Some(path) => Log::File(path.clone(), fs::metadata(&path).map_or(0, |m| m.len())),
                None => Log::Nowhere,
            },
        }
    }
}

/// Where the engine logs, and from where on it is of interest.
pub(super) enum Log {
    Journal(Unit),
    File(std::path::PathBuf, u64),
    Nowhere,
}

impl Log {
    /// The cause that the log gives for a failure, as the end of a sentence.
    pub(super) fn cause(&self) -> String {
        let text = match self {
            Self::Journal(unit) => unit.journal(),
            Self::File(path, from) => tail(path, *from),
            Self::Nowhere => String::new(),
        };
        crate::shadow::cause(&text).map(|line| format!(": {line}")).unwrap_or_default()
    }
}

fn tail(path: &Path, from: u64) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};
    const MOST: u64 = 256 << 10;
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.min(length).max(length.saturating_sub(MOST))))?;
        file.take(MOST).read_to_end(&mut bytes)
    });
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn by_its_own(manager: &str, how: &str) -> Failure {
    Failure(format!("dockerd is run by {manager}, which is not driven from here: make the change and run `{how}`"))
}

/// Whoever starts it again gives it what he has himself.
fn own_rights(process: &Process) -> Result<(), Failure> {
    let own = Process::of(std::process::id()).ok_or_else(|| Failure::new("/proc cannot be read"))?;
    for name in ["user", "pid", "time"] {
        if process.namespace(name) != own.namespace(name) {
            return Err(Failure(format!(
                "dockerd has a {name} namespace of its own (rootless, in a container): run this inside, or restart it there"
            )));
        }
    }
    if process::rights(process) != process::rights(&own) {
        return Err(Failure::new(
            "dockerd has other rights than this process (capabilities, seccomp filter): restart it as it was started",
        ));
    }
    Ok(())
}

/// Refuses where something else watches over it.
fn unmanaged(process: &Process) -> Result<(), Failure> {
    if process.pid == 1 {
        return Err(Failure::new("dockerd is the first process here: what holds it ends with it"));
    }
    let (parent, name) = process.parent().unwrap_or((0, String::new()));
    if SUPERVISORS.contains(&name.as_str()) {
        return Err(by_its_own(&format!("{name} (process {parent})"), "its own command for a restart"));
    }
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    let by_script = ["/run/docker-ssd.pid", "/var/run/docker-ssd.pid"].into_iter().find_map(number);
    if by_script == Some(process.pid) {
        return Err(by_its_own("/etc/init.d/docker", "service docker restart"));
    }
    if Path::new("/run/openrc/started/docker").exists() {
        return Err(by_its_own("OpenRC", "rc-service docker restart"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// What is said of a program that somebody of this name has started.
    fn told(name: &str) -> Result<(), Failure> {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join(name);
        fs::copy("/bin/sh", &program).unwrap();
        let mut parent = Command::new(&program)
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid: u32 = line.trim().parse().unwrap();
        let said = unmanaged(&Process::of(pid).unwrap());
        for pid in [pid, parent.id()] {
            let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        parent.wait().unwrap();
        said
    }

    #[test]
    fn whoever_starts_the_engine_again_by_himself_is_named_and_left_to_it() {
        for name in SUPERVISORS {
            let why = told(name).unwrap_err().0;
            // The kernel keeps fifteen characters.
            let known = &name[..name.len().min(15)];
            assert!(why.starts_with(&format!("dockerd is run by {known} (process ")), "{why}");
            assert!(why.contains("make the change and run") && !why.contains('\n'), "{why}");
        }
        assert_eq!(told("some-shell"), Ok(()));
    }
}
