//! A whole machine on which everything is wrong that can be made right without a new container.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use seaworthy_bed::{Machine, MachineSpec};
use serde_json::Value;

/// Emulated, everything takes its time.
pub const LONG: Duration = Duration::from_secs(420);

/// Checks of files' rights and of audit rules that the machine, as Debian sets it up and a careless person leaves it, fails.
pub const SAFE: &str = "daemon-json-mode,daemon-json-owner,docker-socket-mode,etc-docker-mode,etc-docker-audited,\
    daemon-json-audited,docker-service-audited,docker-socket-unit-audited,default-docker-audited";
/// Settings of the engine.
pub const ENGINE: &str = "icc-off,daemon/no-new-privileges,no-userland-proxy";
/// Limits of a container.
pub const LIMITS: &str = "memory-limited,restart-bounded";

/// Such a machine.
pub struct Careless {
    /// The machine itself.
    pub machine: Machine,
}

impl Careless {
    /// A machine on which everything is wrong that can be made right without a new container.
    pub fn start() -> Option<Self> {
        let machine = Machine::require(MachineSpec::default())?;
        machine.wait_for_boot();
        machine.install_program(&without_symbols());
        machine.put("/etc/docker/daemon.json", b"{\n    \"log-driver\": \"json-file\"\n}\n", 0o666);
        machine.must(&["chown", "alice:alice", "/etc/docker/daemon.json"]);
        machine.must(&["chmod", "777", "/etc/docker"]);
        machine.must(&["systemctl", "reset-failed", "docker.service", "docker.socket"]);
        machine.must(&["systemctl", "restart", "docker.service"]);
        machine.must(&["chmod", "666", "/run/docker.sock"]);
        let run = ["docker", "run", "-d", "--name", "web", "--restart", "always", "busybox:test", "sleep", "36000"];
        machine.must(&run);
        machine.must(&["sync"]);
        Some(Self { machine })
    }

    /// Runs the program inside: exit code, output, complaints.
    pub fn sea(&self, arguments: &[&str]) -> (i32, String, String) {
        let whole = [&["/usr/local/bin/seaworthy"], arguments].concat();
        let output = self.machine.command(&whole).limit(LONG).run();
        (output.status, output.stdout, output.stderr)
    }

    /// The output of a run that ends well.
    #[track_caller]
    pub fn well(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.sea(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}\n{err}");
        out
    }

    /// Plans, into `/root/plan.json`.
    #[track_caller]
    pub fn plan(&self, checks: &str) {
        let set: &[&str] = if checks.contains("memory-limited") { &["--set", "web:memory=64m"] } else { &[] };
        self.well(&[&["harden", "plan", "--check", checks, "-o", "/root/plan.json"][..], set].concat());
        let plan: Value = serde_json::from_slice(&self.machine.get("/root/plan.json")).unwrap();
        assert_eq!(plan["left_out"], serde_json::json!([]), "something could not be planned");
    }

    /// Applies that plan.
    pub fn apply(&self, within: &str) -> (i32, String, String) {
        self.sea(&["harden", "apply", "/root/plan.json", "--allow-disruptive", "--confirm-within", within])
    }

    /// How many of the findings of these checks have a verdict, as `fail 3, pass 7`.
    pub fn verdicts(&self, checks: &str) -> String {
        let out = self.well(&["audit", "--all", "-f", "json", "--check", checks]);
        let report: Value = serde_json::from_str(&out).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        for finding in report["findings"].as_array().unwrap() {
            let verdict = finding["verdict"].as_str().unwrap().to_owned();
            *counts.entry(verdict).or_insert(0) += 1;
        }
        counts.iter().map(|(verdict, n)| format!("{verdict} {n}")).collect::<Vec<_>>().join(", ")
    }

    /// Everything that the plan touches, as the system has it: files, kernel, engine, control group.
    pub fn state(&self) -> String {
        let script = "stat -c '%n %U:%G %a' /etc/docker /etc/docker/daemon.json /run/docker.sock; cat /etc/docker/daemon.json; \
            auditctl -l | sort; cat /etc/audit/rules.d/*.rules | grep -v '^#' | sort; \
            systemctl show docker.socket -p SocketMode; docker network inspect bridge -f '{{json .Options}}'; \
            pgrep -c docker-proxy; docker inspect web -f '{{.HostConfig.RestartPolicy}} {{.State.Running}}'; \
            cat /sys/fs/cgroup/system.slice/docker-$(docker inspect web -f '{{.Id}}').scope/memory.max; ls /etc/systemd/system";
        self.machine.command(&["sh", "-c", script]).limit(LONG).run().stdout
    }

    /// What `status` says, and with which code.
    pub fn status(&self) -> (i32, Value) {
        let (code, out, err) = self.sea(&["harden", "status", "-f", "json"]);
        let last = out.lines().last().unwrap_or_default();
        (code, serde_json::from_str(last).unwrap_or_else(|why| panic!("{why}: {out} {err}")))
    }

    /// Waits until nothing is at work.
    #[track_caller]
    pub fn settled(&self) -> (i32, Value) {
        for _ in 0..240 {
            let (code, status) = self.status();
            let all = status["transactions"].as_array().cloned().unwrap_or_default();
            if !all.iter().any(|t| matches!(t["state"].as_str(), Some("working" | "interrupted"))) {
                return (code, status);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("it is never settled: {:?}", self.status());
    }
}

/// The program as it is delivered, where that can be made: each apply copies it, and what is emulated copies slowly.
fn without_symbols() -> PathBuf {
    let whole = Path::new(env!("CARGO_BIN_EXE_seaworthy"));
    let bare = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare/seaworthy");
    std::fs::create_dir_all(bare.parent().unwrap()).unwrap();
    // Made beside it and renamed: another test may be reading it.
    let made = bare.with_extension(std::process::id().to_string());
    let done = Command::new("strip").arg("-o").arg(&made).arg(whole).status().is_ok_and(|status| status.success());
    if done && std::fs::rename(&made, &bare).is_ok() { bare } else { whole.to_owned() }
}
