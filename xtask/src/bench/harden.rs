//! What hardening costs above doing it by hand: how long a restart interrupts, and how long thirty edits take.
//!
//! By hand and by `harden apply` in turn, on one private engine, so that a ratio holds on whatever machine it was measured.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use seaworthy_bed::{Connection, Daemon, Spec, StartError, Version};
use seaworthy_core::plan::{Action, Change, Forecast, Interruption, Owned, Plan, Rights};
use seaworthy_core::remedy::Safety;
use serde_json::{Value, json};

use super::median;

/// Edits of the second measurement.
const EDITS: usize = 30;

/// Between two questions to the engine or the container.
const PAUSE: Duration = Duration::from_millis(5);

/// What does not come back for so long does not come back.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where the container answers, in the engine's own network.
const SERVICE: &str = "127.0.0.1:8080";

/// Times both.
///
/// # Errors
/// Where there is no engine, the program is not there, or something does not come back.
pub(super) fn run(binary: &Path, version: Version, quick: bool) -> Result<()> {
    if !binary.is_file() {
        bail!("{} is not there: cargo build --release, or --binary PATH", binary.display());
    }
    let daemon = match Daemon::start(version, Spec::default()) {
        Ok(daemon) => daemon,
        Err(StartError::Missing(why) | StartError::Failed(why)) => bail!("{}: {why}", version.name()),
    };
    daemon.import_busybox("busybox:test");
    let serve = "mkdir -p /www && echo up > /www/index.html && exec busybox httpd -f -p 80 -h /www";
    daemon.run(
        "web",
        &json!({ "Image": "busybox:test", "Cmd": ["sh", "-c", serve], "StopSignal": "SIGKILL",
            "ExposedPorts": { "80/tcp": {} },
            "HostConfig": { "RestartPolicy": { "Name": "always" },
                "PortBindings": { "80/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "8080" }] } } }),
    );
    let (_, about) = daemon.request("GET", "/version", None);
    let rounds = if quick { 3 } else { 7 };
    println!("engine {}, medians of {rounds} rounds in turn", about["Version"].as_str().unwrap_or("?"));
    let ship = Ship { daemon, binary: binary.to_owned(), dir: Scratch::make()? };
    let plan = ship.plan()?;
    interruption(&ship, &plan, rounds)?;
    edits(&ship, &plan, rounds)
}

fn interruption(ship: &Ship, plan: &Path, rounds: usize) -> Result<()> {
    let mut gaps = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        let bare = ship.watched(|| ship.restart())?;
        let apply = ship.watched(|| ship.apply(plan).map(drop))?;
        ship.harden(&["rollback", &ship.newest()?])?;
        for (all, gap) in gaps.iter_mut().zip([bare.engine, apply.engine, bare.service, apply.service]) {
            all.push(gap);
        }
    }
    println!("{:<34} {:>9} {:>9} {:>6}", "without an answer, ms", "restart", "apply", "ratio");
    let [mut engine, mut engine_apply, mut service, mut service_apply] = gaps;
    row("the engine", &mut engine, &mut engine_apply);
    row("a container's published port", &mut service, &mut service_apply);
    Ok(())
}

fn row(what: &str, by_hand: &mut [Duration], apply: &mut [Duration]) {
    let (by_hand, apply) = (median(by_hand).unwrap_or(0.0), median(apply).unwrap_or(0.0));
    println!("{what:<34} {by_hand:>9.1} {apply:>9.1} {:>6.2}", apply / by_hand);
}

fn edits(ship: &Ship, like: &Path, rounds: usize) -> Result<()> {
    let files: Vec<PathBuf> = (0..EDITS).map(|n| ship.dir.0.join(format!("edited-{n}"))).collect();
    let plan = ship.dir.0.join("edits.json");
    let open = || files.iter().try_for_each(|file| fs::set_permissions(file, fs::Permissions::from_mode(0o666)));
    for file in &files {
        fs::write(file, "a setting\n")?;
    }
    open()?;
    let like = Plan::parse(&fs::read(like)?).map_err(anyhow::Error::msg)?;
    fs::write(&plan, serde_json::to_vec(&plan_of(&like, &files))?)?;
    let (mut scripts, mut phases, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let script = "for file do chmod 644 \"$file\" && sync \"$file\" || exit 1; done";
        let status = Command::new("sh").args(["-c", script, "sh"]).args(&files).status()?;
        scripts.push(began.elapsed());
        if !status.success() {
            bail!("the script: {status}");
        }
        open()?;
        let began = Instant::now();
        ship.apply(&plan)?;
        wholes.push(began.elapsed());
        phases.push(ship.edit_phase()?);
        open()?;
    }
    println!("{:<34} {:>9} {:>9} {:>6}", format!("{EDITS} edits, made and synced, ms"), "script", "apply", "ratio");
    row("the edits", &mut scripts, &mut phases);
    println!("all of apply, both looks at the host in it: {:.0} ms", median(&mut wholes).unwrap_or(0.0));
    Ok(())
}

/// A plan for the same host that makes each file less open.
fn plan_of(like: &Plan, files: &[PathBuf]) -> Plan {
    let owned = |mode| Owned { uid: 0, gid: 0, mode };
    let change = |file: &PathBuf| Change {
        title: format!("Mode of {}", file.display()),
        safety: Safety::Safe,
        action: Action::Rights(Rights {
            path: file.display().to_string(),
            what: "file".into(),
            before: owned(0o666),
            after: owned(0o644),
        }),
        closes: Vec::new(),
        breaks: Vec::new(),
        lasting: Vec::new(),
    };
    let changes = files.iter().map(change).collect();
    let (expects, interruption) = (Vec::new(), Interruption::default());
    Plan { changes, expects, interruption, forecast: None::<Forecast>, ..like.clone() }.sealed()
}

/// How long nobody answered.
struct Gaps {
    engine: Duration,
    service: Duration,
}

/// An engine with what is tried on it.
struct Ship {
    daemon: Daemon,
    binary: PathBuf,
    dir: Scratch,
}

impl Ship {
    /// The engine's process by its own word: others have started it since.
    fn pid(&self) -> Result<u32> {
        let path = self.daemon.dir().join("docker.pid");
        Ok(fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().parse()?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("harden").args(arguments).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT");
        command.stdin(Stdio::null());
        command
    }

    fn harden(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(arguments);
        let output = command.arg("--state").arg(self.state()).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "harden {}: {}: {said}{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(said)
    }

    fn state(&self) -> PathBuf {
        self.dir.0.join("state")
    }

    /// A plan that restarts the engine.
    fn plan(&self) -> Result<PathBuf> {
        let path = self.dir.0.join("plan.json");
        let host = self.daemon.host();
        let checks = "docker/daemon/no-new-privileges";
        let mut command = self.command(&["plan", "--docker", &host, "--check", checks, "-o"]);
        let status = command.arg(&path).stdout(Stdio::null()).status()?;
        if !status.success() {
            bail!("harden plan: {status}");
        }
        Ok(path)
    }

    fn apply(&self, plan: &Path) -> Result<String> {
        let plan = plan.display().to_string();
        self.harden(&["apply", &plan, "--allow-disruptive", "--confirm-within", "0"])
    }

    fn newest(&self) -> Result<String> {
        let said = self.harden(&["history", "-f", "json"])?;
        let history: Value = serde_json::from_str(said.trim())?;
        let all = history["transactions"].as_array().context("no history")?;
        let newest = all.iter().max_by_key(|t| t["begun"].as_i64()).context("no transaction")?;
        Ok(newest["transaction"].as_str().unwrap_or_default().to_owned())
    }

    /// From the moment when all is ready to the last edit, as the newest journal has it.
    fn edit_phase(&self) -> Result<Duration> {
        let mut journals: Vec<PathBuf> = Vec::new();
        find(&self.state(), &mut journals)?;
        let modified = |path: &PathBuf| fs::metadata(path).and_then(|m| m.modified()).ok();
        let newest = journals.iter().max_by_key(|path| modified(path)).context("no journal")?;
        let text = fs::read_to_string(newest)?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let at = |line: Option<&Value>| line.and_then(|l| l["at"].as_u64()).context("the journal is not whole");
        let begin = at(lines.iter().find(|l| l["event"] == "armed"))?;
        let end = at(lines.iter().rfind(|l| l["event"] == "done"))?;
        Ok(Duration::from_millis(end.saturating_sub(begin)))
    }

    /// Restarts the engine with the same arguments, and no more: as `systemctl restart` would.
    fn restart(&self) -> Result<()> {
        let pid = self.pid()?;
        let proc = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let words = |name: &str| -> Result<Vec<String>> {
            let text = String::from_utf8(fs::read(proc(name))?)?;
            Ok(text.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect())
        };
        let (arguments, environment, program) = (words("cmdline")?, words("environ")?, fs::read_link(proc("exe"))?);
        // Held: it may end with the engine.
        let network = File::open(proc("ns/net"))?;
        let ended = || fs::read(proc("cmdline")).map_or(true, |line| line.is_empty());
        kill_process(Pid::from_raw(i32::try_from(pid)?).context("no process")?, Signal::TERM)?;
        until("the engine ends", ended)?;
        let log = File::options().append(true).open(self.daemon.dir().join("log"))?;
        let mut command = Command::new("setsid");
        let network = format!("--net=/proc/{}/fd/{}", std::process::id(), network.as_raw_fd());
        command.args(["--fork", "nsenter", &network]).arg(program).args(arguments.get(1..).unwrap_or_default());
        command.env_clear().envs(environment.iter().filter_map(|pair| pair.split_once('=')));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let status = command.status()?;
        if !status.success() {
            bail!("restart the engine: {status}");
        }
        let socket = self.daemon.socket();
        until("the engine answers", || answers(&socket))
    }

    /// Does something, and asks engine and container meanwhile.
    fn watched(&self, act: impl FnOnce() -> Result<()>) -> Result<Gaps> {
        let network = File::open(format!("/proc/{}/ns/net", self.pid()?))?;
        let (socket, over) = (self.daemon.socket(), AtomicBool::new(false));
        let counts = [const { AtomicUsize::new(0) }; 2];
        thread::scope(|scope| {
            let engine = scope.spawn(|| longest(&over, &counts[0], || answers(&socket)));
            let service = scope.spawn(|| {
                // This thread alone.
                rustix::thread::move_into_link_name_space(network.as_fd(), None)?;
                Ok::<_, anyhow::Error>(longest(&over, &counts[1], serves))
            });
            // Each has answered before, and again afterwards.
            let some_more = |what: &str| {
                let had = [0, 1].map(|n| counts[n].load(Ordering::Relaxed));
                until(what, || (0..2).all(|n| counts[n].load(Ordering::Relaxed) > had[n] + 3))
            };
            let done = some_more("engine and container answer").and_then(|()| act());
            let done = done.and_then(|()| some_more("engine and container answer again"));
            over.store(true, Ordering::Relaxed);
            let gone = || anyhow::anyhow!("a thread is gone");
            let (engine, service) = (engine.join().map_err(|_| gone())?, service.join().map_err(|_| gone())??);
            done.map(|()| Gaps { engine, service })
        })
    }
}

impl Drop for Ship {
    /// The bed ends the engine that it started; the one that came after it is ours to end.
    fn drop(&mut self) {
        let Ok(pid) = self.pid() else { return };
        let there = || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw).filter(|_| there()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = until("the engine ends", || !there());
    }
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("seaworthy-bench-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > PATIENCE {
            bail!("it never came: {what}");
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// The longest time between two answers.
fn longest(over: &AtomicBool, count: &AtomicUsize, answers: impl Fn() -> bool) -> Duration {
    let (mut last, mut longest) = (None::<Instant>, Duration::ZERO);
    while !over.load(Ordering::Relaxed) {
        if answers() {
            let now = Instant::now();
            longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
            last = Some(now);
            count.fetch_add(1, Ordering::Relaxed);
        }
        sleep(PAUSE);
    }
    longest
}

fn answers(socket: &Path) -> bool {
    let asked = Connection::open(socket).and_then(|mut engine| engine.request("GET", "/_ping", None));
    asked.is_ok_and(|(status, _)| status == 200)
}

/// Whether the container serves its page: an open port alone may be the engine's proxy.
fn serves() -> bool {
    let ask = || -> std::io::Result<bool> {
        let address: SocketAddr = SERVICE.parse().map_err(std::io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer)?;
        Ok(answer.ends_with("up\n"))
    };
    ask().unwrap_or(false)
}

/// The journals beneath a folder.
fn find(dir: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            find(&path, into)?;
        } else if path.file_name().is_some_and(|name| name == "journal") {
            into.push(path);
        }
    }
    Ok(())
}
