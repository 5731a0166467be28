//! An engine of one's own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::find::{Binaries, Version, find, skip};
use crate::http::Connection;
use crate::{clear, lock};

/// How long an engine may take to answer, or to end; far beyond what a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(90);

/// Whether the engine makes its default bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bridge {
    /// `docker0`, in the engine's own network namespace.
    #[default]
    Own,
    /// `--bridge none`: containers without a network of their own get none.
    None,
}

/// Where the engine's network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Net {
    /// In a namespace of its own with a loopback device: nothing reaches the machine, and no TCP port is reachable from it.
    #[default]
    Own,
    /// In the test's: for engines that must be reached over TCP on 127.0.0.1. Comes without bridge and firewall rules.
    Machine,
}

/// How to start an engine. `{dir}` in arguments, hosts, environment and daemon.json stands for the bed's folder.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Arguments after the bed's own.
    pub args: Vec<String>,
    /// The content of `daemon.json`; `{}` where none is given. It must not name `hosts`: the bed gives `-H`.
    pub daemon_json: Option<String>,
    /// The default bridge.
    pub bridge: Bridge,
    /// The network namespace.
    pub net: Net,
    /// Environment variables for the engine.
    pub env: Vec<(String, String)>,
    /// Where to listen besides the bed's own socket: `tcp://127.0.0.1:2376`.
    pub hosts: Vec<String>,
    /// Files to write before the start: path inside the bed's folder, content.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Why there is no engine.
#[derive(Debug)]
pub enum StartError {
    /// This machine cannot have this engine: a reason to skip.
    Missing(String),
    /// It should have started and did not: a failure. Ends with the last lines of its log.
    Failed(String),
}

/// A running engine that ends when dropped.
#[derive(Debug)]
pub struct Daemon {
    version: Version,
    dir: PathBuf,
    binaries: Binaries,
    spec: Spec,
    dockerd: Option<Child>,
    containerd: Option<Child>,
    /// Says to [`crate::sweep`] that the folder is in use.
    _owned: File,
    /// Says to other test processes that an engine runs.
    shared: Option<File>,
}

impl Daemon {
    /// Starts an engine and waits until it answers.
    ///
    /// # Errors
    /// [`StartError::Missing`] where the machine lacks what it needs, [`StartError::Failed`] where it did not come up.
    pub fn start(version: Version, spec: Spec) -> Result<Self, StartError> {
        let binaries = find(version).map_err(StartError::Missing)?;
        clear::sweep();
        let shared = lock::shared();
        let failed = |error: io::Error| StartError::Failed(format!("prepare a bed: {error}"));
        let (dir, owned) = make_dir().map_err(failed)?;
        let mut daemon =
            Self { version, dir, binaries, spec, dockerd: None, containerd: None, _owned: owned, shared: Some(shared) };
        daemon.write_files().map_err(failed)?;
        daemon.launch().map_err(StartError::Failed)?;
        Ok(daemon)
    }

    /// Starts an engine, or says on stderr that the running test is skipped for want of it and returns none.
    ///
    /// # Panics
    /// Where the engine is there and does not start, and where `SEAWORTHY_BEDS_REQUIRED` is set and it is not there.
    pub fn require(version: Version, spec: Spec) -> Option<Self> {
        match Self::start(version, spec) {
            Ok(daemon) => Some(daemon),
            Err(StartError::Missing(why)) => {
                skip(version.name(), &why);
                None
            }
            Err(StartError::Failed(why)) => panic!("{}: {why}", version.name()),
        }
    }

    /// The engine's version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The engine's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// The socket as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The engine's process.
    ///
    /// # Panics
    /// While the engine is stopped.
    pub fn pid(&self) -> u32 {
        self.dockerd.as_ref().expect("the engine is stopped").id()
    }

    /// The bed's folder: `daemon.json`, `data`, `exec`, `docker.pid`, `log`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The engine's configuration file; a test may rewrite it while the engine runs.
    pub fn daemon_json(&self) -> PathBuf {
        self.dir.join("daemon.json")
    }

    /// Sends a request and returns status and body: JSON; several values of a stream as an array; else text.
    ///
    /// # Panics
    /// Where the engine does not answer in HTTP.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string);
        self.send(method, path, body.as_ref().map(|body| ("application/json", body.as_bytes())))
    }

    /// As [`Daemon::request`], with a body of any kind.
    ///
    /// # Panics
    /// Where the engine does not answer in HTTP.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> (u16, Value) {
        let (status, body) = Connection::open(&self.socket())
            .and_then(|mut engine| engine.request(method, path, body))
            .unwrap_or_else(|error| panic!("{method} {path}: {error}\n{}", self.log_tail()));
        (status, value(&body))
    }

    /// Creates a container from a body of `POST /containers/create`; returns its id.
    ///
    /// # Panics
    /// Where the engine refuses.
    pub fn create(&self, name: &str, body: &Value) -> String {
        let (status, answer) = self.request("POST", &format!("/containers/create?name={name}"), Some(body));
        assert_eq!(status, 201, "create {name}: {answer}");
        answer["Id"].as_str().unwrap_or_default().to_owned()
    }

    /// Starts a container.
    ///
    /// # Panics
    /// Where the engine refuses.
    pub fn start_container(&self, id: &str) {
        let (status, answer) = self.request("POST", &format!("/containers/{id}/start"), None);
        assert!(matches!(status, 204 | 304), "start {id}: {status} {answer}");
    }

    /// Creates and starts a container; returns its id.
    ///
    /// # Panics
    /// Where the engine refuses.
    pub fn run(&self, name: &str, body: &Value) -> String {
        let id = self.create(name, body);
        self.start_container(&id);
        id
    }

    /// What `GET /containers/ID/json` says.
    ///
    /// # Panics
    /// Where there is no such container.
    pub fn inspect(&self, id: &str) -> Value {
        let (status, answer) = self.request("GET", &format!("/containers/{id}/json"), None);
        assert_eq!(status, 200, "inspect {id}: {answer}");
        answer
    }

    /// Stops the engine and starts it with the arguments it had and the `daemon.json` of now.
    ///
    /// # Errors
    /// The last lines of the log, where it does not come up.
    pub fn restart(&mut self) -> Result<(), String> {
        self.stop_dockerd();
        self.launch()
    }

    /// Stops the engine and, whatever `live-restore` says, its containers; the folder stays. [`Daemon::restart`] starts it again.
    pub fn stop(&mut self) {
        self.stop_dockerd();
    }

    pub(crate) fn busybox(&self) -> &Path {
        &self.binaries.busybox
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{dir}", &self.dir.display().to_string())
    }

    fn write_files(&self) -> io::Result<()> {
        let json = self.spec.daemon_json.as_deref().unwrap_or("{}");
        fs::write(self.daemon_json(), self.fill(json))?;
        for (path, content) in &self.spec.files {
            let path = self.dir.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(())
    }

    fn launch(&mut self) -> Result<(), String> {
        if let (Some(program), None) = (self.binaries.containerd.clone(), &self.containerd) {
            self.launch_containerd(&program)?;
        }
        let mut command = self.in_network(&self.binaries.dockerd.clone());
        command.args(self.arguments());
        for (name, value) in &self.spec.env {
            command.env(name, self.fill(value));
        }
        self.dockerd = Some(self.spawn(command, "log")?);
        let socket = self.socket();
        let ready = wait_for(&mut self.dockerd, || {
            let pong = Connection::open(&socket).and_then(|mut engine| engine.request("GET", "/_ping", None));
            pong.is_ok_and(|(status, _)| status == 200)
        });
        ready.map_err(|why| format!("dockerd {why}\n{}", self.log_tail()))
    }

    fn arguments(&self) -> Vec<String> {
        let dir = self.dir.display();
        let mut args = vec![
            format!("--config-file={dir}/daemon.json"),
            format!("--data-root={dir}/data"),
            format!("--exec-root={dir}/exec"),
            format!("--pidfile={dir}/docker.pid"),
            format!("--host={}", self.host()),
        ];
        args.extend(self.spec.hosts.iter().map(|host| format!("--host={}", self.fill(host))));
        if self.binaries.containerd.is_some() {
            args.push(format!("--containerd={dir}/containerd/c.sock"));
        }
        if self.spec.bridge == Bridge::None || self.spec.net == Net::Machine {
            args.push("--bridge=none".into());
        }
        if self.spec.net == Net::Machine {
            args.extend(["--iptables=false", "--ip-forward=false"].map(String::from));
            if self.version == Version::V29 {
                args.push("--ip6tables=false".into());
            }
        }
        args.extend(self.spec.args.iter().map(|arg| self.fill(arg)));
        args
    }

    fn launch_containerd(&mut self, program: &Path) -> Result<(), String> {
        let dir = self.dir.join("containerd");
        let at = dir.display();
        let config = format!(
            "version = 2\nroot = \"{at}/root\"\nstate = \"{at}/state\"\ntemp = \"\"\n\
             disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{at}/c.sock\"\n\
             [plugins.\"io.containerd.internal.v1.opt\"]\npath = \"{at}/opt\"\n"
        );
        let written = fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join("config.toml"), config));
        written.map_err(|error| format!("{at}: {error}"))?;
        let mut command = self.in_network(program);
        command.arg("--config").arg(dir.join("config.toml"));
        self.containerd = Some(self.spawn(command, "containerd.log")?);
        let socket = dir.join("c.sock");
        let ready = wait_for(&mut self.containerd, || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        ready.map_err(|why| format!("containerd {why} ({}/containerd.log)", self.dir.display()))
    }

    /// The program in the bed's network namespace: a new one, or the one that its containerd already has.
    fn in_network(&self, program: &Path) -> Command {
        if self.spec.net == Net::Machine {
            return Command::new(program);
        }
        if let Some(containerd) = &self.containerd {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/proc/{}/ns/net", containerd.id())).arg(program);
            return command;
        }
        // busybox brings its own ip; iproute2 may not be there. Both steps exec, so the child's id is the program's.
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "\"$0\" ip link set lo up; exec \"$@\""]);
        command.arg(&self.binaries.busybox).arg(program);
        command
    }

    fn spawn(&self, mut command: Command, log: &str) -> Result<Child, String> {
        let log = File::options().create(true).append(true).open(self.dir.join(log));
        let log = log.and_then(|log| Ok((log.try_clone()?, log))).map_err(|error| format!("log: {error}"))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let own = self.binaries.path.as_ref().map(|dir| format!("{}:", dir.display())).unwrap_or_default();
        command.env("PATH", format!("{own}{path}:/usr/sbin:/sbin"));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "DOCKER_HOST", "NOTIFY_SOCKET"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        command.spawn().map_err(|error| format!("{:?}: {error}", command.get_program()))
    }

    fn log_tail(&self) -> String {
        let log = fs::read(self.dir.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    fn stop_dockerd(&mut self) {
        let dir = self.dir.clone();
        // An engine waits ten seconds for a container that ignores SIGTERM, as a shell or sleep that is process 1 does.
        end(&mut self.dockerd, || clear::kill_containers(&dir));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop_dockerd();
        end(&mut self.containerd, || {});
        clear::clear(&self.dir);
        self.shared = None;
        clear::tidy_machine();
    }
}

/// A folder under the temporary one, with its lock taken before its name says that it is a bed.
pub(crate) fn make_dir() -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}{}-{}", clear::PREFIX, std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let (hidden, dir) = (clear::base().join(format!(".{name}")), clear::base().join(name));
    fs::create_dir(&hidden)?;
    let owned = lock::own(&hidden).ok_or_else(|| io::Error::other(format!("{}: cannot lock", hidden.display())))?;
    fs::rename(&hidden, &dir)?;
    Ok((dir, owned))
}

fn wait_for(child: &mut Option<Child>, ready: impl Fn() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    let Some(child) = child else { return Err("was not started".into()) };
    while !ready() {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("ended with {status}"));
        }
        if Instant::now() > deadline {
            return Err(format!("does not answer after {} s", PATIENCE.as_secs()));
        }
        sleep(Duration::from_millis(25));
    }
    Ok(())
}

fn end(child: &mut Option<Child>, meanwhile: impl Fn()) {
    let Some(mut child) = child.take() else { return };
    if let Some(pid) = Pid::from_raw(child.id() as i32) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let deadline = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        meanwhile();
        sleep(Duration::from_millis(25));
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn value(body: &[u8]) -> Value {
    let all: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(body).into_iter().collect();
    match all {
        Ok(mut all) if all.len() == 1 => all.remove(0),
        Ok(all) if !all.is_empty() => Value::Array(all),
        _ => Value::String(String::from_utf8_lossy(body).into_owned()),
    }
}
