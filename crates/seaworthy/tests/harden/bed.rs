//! An engine of one's own, hardened by the program as a user would.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use seaworthy_bed::{Daemon, Spec, Version};
use serde_json::{Value, json};

use crate::common::{Run, Sea, run};

/// What hangs for so long hangs for ever; far beyond what a loaded machine needs.
const HUNG: Duration = Duration::from_secs(240);

/// An engine with the folder in which its transactions are kept.
pub struct Bed {
    /// The engine.
    pub daemon: Daemon,
    /// The program's home.
    pub sea: Sea,
    /// Where transactions are kept.
    pub state: PathBuf,
}

impl Bed {
    /// Starts an engine; none where there is none.
    pub fn start(version: Version, spec: Spec) -> Option<Self> {
        let daemon = Daemon::require(version, spec)?;
        daemon.import_busybox("busybox:test");
        let sea = Sea::new();
        let state = sea.dir().join("state");
        Some(Self { daemon, sea, state })
    }

    /// Plans; the plan's file.
    #[track_caller]
    pub fn plan(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.sea.dir().join(name);
        let host = self.daemon.host();
        let begin = ["harden", "plan", "--docker", &host, "-o", path.to_str().unwrap()];
        self.sea.run(&[&begin[..], arguments].concat()).ended(0);
        path
    }

    /// A plan that was made, as JSON.
    pub fn read(&self, plan: &Path) -> Value {
        serde_json::from_slice(&fs::read(plan).unwrap()).unwrap()
    }

    /// A command of `harden` with the bed's state.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sea.command(&["harden"]);
        command.args(arguments).arg("--state").arg(&self.state);
        command
    }

    /// Runs it.
    pub fn harden(&self, arguments: &[&str]) -> Run {
        run(self.command(arguments))
    }

    /// Applies a plan.
    pub fn apply(&self, plan: &Path, arguments: &[&str]) -> Run {
        let begin = ["apply", plan.to_str().unwrap(), "--allow-disruptive"];
        self.harden(&[&begin[..], arguments].concat())
    }

    /// Runs it under a fault: the system call that is injected, in strace's words. Only the program's own thread is held.
    pub fn under(&self, fault: &str, arguments: &[&str]) -> Run {
        run(self.command_under(fault, arguments))
    }

    /// The command of it.
    pub fn command_under(&self, fault: &str, arguments: &[&str]) -> Command {
        // Whoever runs the tests in the background may have signals ignored.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,TERM,HUP", "strace"]);
        let call = fault.split(':').next().unwrap();
        command.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &format!("inject={fault}")]);
        command.arg(env!("CARGO_BIN_EXE_seaworthy")).arg("harden").args(arguments).arg("--state").arg(&self.state);
        command.env_clear().current_dir(self.sea.dir()).env("HOME", self.sea.dir());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// What `status` says, and with which code.
    pub fn status(&self) -> (Option<i32>, Value) {
        let run = self.harden(&["status", "-f", "json"]);
        let last = run.out.lines().last().unwrap_or_default();
        let value = serde_json::from_str(last).unwrap_or_else(|why| panic!("{why}: {run:?}"));
        (run.code, value)
    }

    /// The guards of this bed that live, by their processes.
    pub fn guards(&self) -> Vec<u32> {
        let state = self.state.display().to_string();
        let of = |pid: u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let words: Vec<&str> = line.split(|b| *b == 0).filter_map(|w| std::str::from_utf8(w).ok()).collect();
            (words.contains(&"guard") && words.contains(&state.as_str())).then_some(pid)
        };
        let all = fs::read_dir("/proc").unwrap().filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok());
        all.filter_map(of).collect()
    }

    /// Kills the guards of this bed.
    pub fn kill_guards(&self) {
        for pid in self.guards() {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        self.until("the guards are gone", || self.guards().is_empty());
    }

    /// Waits for something.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < HUNG, "it never came: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The transactions by state.
    pub fn states(&self) -> Vec<String> {
        let (_, value) = self.status();
        let all = value["transactions"].as_array().cloned().unwrap_or_default();
        all.iter().map(|t| t["state"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A running container.
    pub fn run_container(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "Image": "busybox:test", "Cmd": ["sleep", "36000"] });
        merge(&mut body, more);
        self.daemon.run(name, &body)
    }

    /// The memory limit of a container as the kernel holds it: the engine's own word for none is not always the same.
    pub fn memory(&self, name: &str) -> String {
        let id = self.daemon.inspect(name)["Id"].as_str().unwrap_or_default().to_owned();
        let limit = fs::read_to_string(format!("/sys/fs/cgroup/memory/docker/{id}/memory.limit_in_bytes"));
        limit.unwrap_or_default().trim().to_owned()
    }

    /// The verdict of a check on a component, as the program has it now.
    #[track_caller]
    pub fn verdict(&self, check: &str, component: &str) -> String {
        let run = self.sea.run(&["audit", "--docker", &self.daemon.host(), "--all", "-f", "json", "--check", check]);
        let report = run.ended(0).json();
        let findings = report["findings"].as_array().cloned().unwrap_or_default();
        let is = |f: &&Value| component.is_empty() || f["component"]["name"] == component;
        let found: Vec<&Value> = findings.iter().filter(is).collect();
        assert_eq!(found.len(), 1, "{check} on {component}: {findings:?}");
        found[0]["verdict"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for pid in self.guards() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Owner, group, mode and content of a file.
pub fn is(path: &Path) -> Option<(u32, u32, u32, Vec<u8>)> {
    let meta = fs::symlink_metadata(path).ok()?;
    let content = if meta.is_file() { fs::read(path).ok()? } else { Vec::new() };
    Some((meta.uid(), meta.gid(), meta.mode() & 0o7777, content))
}

/// Sets a mode.
pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
