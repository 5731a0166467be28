//! The program under test, and engines that misbehave.

// Each test binary uses its own part of this.
#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Every format of a report.
pub const FORMATS: [&str; 6] = ["text", "json", "sarif", "junit", "markdown", "csv"];

/// What hangs for so long hangs for ever; far beyond what a loaded machine needs.
const HUNG: Duration = Duration::from_secs(240);

/// What a run of the program left.
pub struct Run {
    /// The exit code; none where it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = |text: &str| text.chars().take(600).collect::<String>();
        write!(f, "exit {:?}, out {:?}, err {:?}", self.code, begin(&self.out), begin(&self.err))
    }
}

impl Run {
    /// That it failed with one line that begins as every failure does and holds these words.
    #[track_caller]
    pub fn failed_with(&self, words: &str) -> &Self {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert!(self.err.starts_with("seaworthy: ") && self.err.contains(words), "`{words}` is not in: {}", self.err);
        assert_eq!(self.err.trim_end().lines().count(), 1, "{}", self.err);
        assert!(!self.err.trim_end().contains(char::is_control), "{:?}", self.err);
        self
    }

    /// That it ended with this code and complained of nothing.
    #[track_caller]
    pub fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

/// The program, in an empty folder, with an environment of its own and nobody's configuration.
pub struct Sea {
    home: tempfile::TempDir,
}

impl Sea {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// Its home and working directory.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A command to be changed before it runs.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
        command.args(arguments).env_clear().current_dir(self.dir()).env("HOME", self.dir());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        run(self.command(arguments))
    }

    /// A snapshot of a small engine that answers everything, for what needs no engine.
    pub fn snapshot(&self) -> PathBuf {
        let engine = Fake::of(small_engine());
        let path = self.dir().join("small.json");
        self.run(&["collect", "--docker", &engine.host(), "-o", path.to_str().unwrap()]).ended(0);
        path
    }
}

/// Runs a command to its end, and kills it where it hangs.
pub fn run(mut command: Command) -> Run {
    command.stdin(Stdio::null());
    let output = bounded(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn bounded(command: &mut Command) -> Output {
    let mut child = command.spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let (out, err) = (read(Box::new(out)), read(Box::new(err)));
    let status = wait(&mut child);
    Output { status, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
}

/// Waits for a child, and fails where it hangs.
pub fn wait(child: &mut std::process::Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if began.elapsed() > HUNG {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What an engine answers to a path without its `/v1.41`; false: it closes the connection.
type Answer = dyn Fn(&str, &mut UnixStream) -> bool + Send + Sync;

/// A socket with somebody behind it. Where a real engine can be had, the real one is tested; this is for those that
/// misbehave.
pub struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    pub fn new(answer: impl Fn(&str, &mut UnixStream) -> bool + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, &*answer));
            }
        });
        Self { dir }
    }

    /// An engine that answers from a table of paths; 404 for what is not in it.
    pub fn of(table: Vec<(&'static str, Value)>) -> Self {
        Self::new(move |path, stream| {
            match table.iter().find(|(known, _)| *known == path) {
                Some((_, value)) => reply(stream, 200, value.to_string().as_bytes()),
                None => reply(stream, 404, b"{\"message\":\"no such thing\"}"),
            }
            true
        })
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }
}

fn serve(mut stream: UnixStream, answer: &Answer) {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        let path = text.split(' ').nth(1).unwrap_or("/");
        let path = match path.strip_prefix("/v1.") {
            Some(rest) => rest.find('/').map_or("/", |i| &rest[i..]),
            None => path,
        };
        if !answer(path, &mut stream) {
            return;
        }
        head.clear();
    }
}

/// Writes an answer; a client that went away is no matter here.
pub fn reply(stream: &mut UnixStream, status: u16, body: &[u8]) {
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

pub fn version() -> Value {
    json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64",
           "KernelVersion": "6.1.0", "Platform": {"Name": ""}})
}

/// An engine with one container and one image.
pub fn small_engine() -> Vec<(&'static str, Value)> {
    vec![
        ("/version", version()),
        (
            "/info",
            json!({"ID": "X", "Name": "host", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker",
            "SecurityOptions": ["name=seccomp,profile=default"], "Swarm": {"LocalNodeState": "inactive"},
            "LiveRestoreEnabled": false, "CgroupVersion": "2", "DriverStatus": []}),
        ),
        (
            "/containers/json?all=1",
            json!([{"Id": "c1", "Names": ["/web"], "Image": "app:1", "ImageID": "sha256:i1", "State": "exited",
                    "Labels": {}, "Mounts": [], "Ports": []}]),
        ),
        ("/containers/c1/json", container("web", "")),
        (
            "/images/json",
            json!([{"Id": "sha256:i1", "RepoTags": ["app:1"], "RepoDigests": [], "Created": 1_700_000_000, "Size": 1}]),
        ),
        (
            "/images/sha256:i1/json",
            json!({"Id": "sha256:i1", "RepoTags": ["app:1"], "Config": {"User": "", "Env": [], "Labels": {}},
                   "Created": "2023-11-14T22:13:20Z", "Os": "linux", "Architecture": "amd64"}),
        ),
        ("/images/sha256:i1/history", json!([{"Id": "x", "Created": 1_700_000_000, "CreatedBy": "CMD", "Size": 0}])),
        ("/networks", json!([])),
        ("/volumes", json!({"Volumes": [], "Warnings": null})),
        ("/plugins", json!([])),
    ]
}

/// The inspect of a privileged container that does not run, with a text in the fields where people put texts.
pub fn container(name: &str, text: &str) -> Value {
    json!({"Id": "c1", "Name": format!("/{name}"), "Image": "sha256:i1", "Created": "2023-11-14T22:13:20Z",
        "State": {"Status": "exited", "Running": false, "Paused": false, "Pid": 0},
        "Path": "app", "Args": [text], "Platform": "linux", "ExecIDs": null, "Mounts": [], "AppArmorProfile": "",
        "HostConfig": {"Privileged": true, "NetworkMode": "none", "PidMode": "", "IpcMode": "private", "Binds": null,
            "CapAdd": null, "CapDrop": null, "SecurityOpt": null, "RestartPolicy": {"Name": "no"}, "Memory": 0,
            "LogConfig": {"Type": "json-file", "Config": {"tag": text}}},
        "Config": {"User": text, "Env": [format!("A={text}")], "Cmd": [text], "Entrypoint": null, "Image": "app:1",
            "Labels": {"note": text, (text): "x"}, "Healthcheck": {"Test": ["CMD", text]}},
        "NetworkSettings": {"Networks": {}, "Ports": {}}})
}
