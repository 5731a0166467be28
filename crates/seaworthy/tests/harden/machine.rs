//! Hardening a whole machine: systemd, control groups v2, AppArmor, the kernel's audit, reboots and power cuts.

use std::path::Path;
use std::time::{Duration, Instant};

use seaworthy_bed::{Machine, MachineSpec};
use serde_json::Value;

/// How many power cuts there are; more are asked for by this variable: `SEAWORTHY_POWER_CUTS=50`.
const CUTS: &str = "SEAWORTHY_POWER_CUTS";
/// Emulated, everything takes its time.
const LONG: Duration = Duration::from_secs(420);

/// Checks of files' rights and of audit rules that the machine, as Debian sets it up and a careless person leaves it, fails.
const SAFE: &str = "daemon-json-mode,daemon-json-owner,docker-socket-mode,etc-docker-mode,etc-docker-audited,\
    daemon-json-audited,docker-service-audited,docker-socket-unit-audited,default-docker-audited";
/// Settings of the engine.
const ENGINE: &str = "icc-off,daemon/no-new-privileges,no-userland-proxy";
/// Limits of a container.
const LIMITS: &str = "memory-limited,restart-bounded";

struct Careless {
    machine: Machine,
}

impl Careless {
    /// A machine on which everything is wrong that can be made right without a new container.
    fn start() -> Option<Self> {
        let machine = Machine::require(MachineSpec::default())?;
        machine.wait_for_boot();
        machine.install_program(Path::new(env!("CARGO_BIN_EXE_seaworthy")));
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

    fn sea(&self, arguments: &[&str]) -> (i32, String, String) {
        let whole = [&["/usr/local/bin/seaworthy"], arguments].concat();
        let output = self.machine.command(&whole).limit(LONG).run();
        (output.status, output.stdout, output.stderr)
    }

    #[track_caller]
    fn well(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.sea(arguments);
        assert_eq!(code, 0, "{arguments:?}: {out}\n{err}");
        out
    }

    #[track_caller]
    fn plan(&self, checks: &str) {
        let set: &[&str] = if checks.contains("memory-limited") { &["--set", "web:memory=64m"] } else { &[] };
        self.well(&[&["harden", "plan", "--check", checks, "-o", "/root/plan.json"][..], set].concat());
        let plan: Value = serde_json::from_slice(&self.machine.get("/root/plan.json")).unwrap();
        assert_eq!(plan["left_out"], serde_json::json!([]), "something could not be planned");
    }

    fn apply(&self, within: &str) -> (i32, String, String) {
        self.sea(&["harden", "apply", "/root/plan.json", "--allow-disruptive", "--confirm-within", within])
    }

    /// How many of the findings of these checks have a verdict, as `fail 3, pass 7`.
    fn verdicts(&self, checks: &str) -> String {
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
    fn state(&self) -> String {
        let script = "stat -c '%n %U:%G %a' /etc/docker /etc/docker/daemon.json /run/docker.sock; cat /etc/docker/daemon.json; \
            auditctl -l | sort; cat /etc/audit/rules.d/*.rules | grep -v '^#' | sort; \
            systemctl show docker.socket -p SocketMode; docker network inspect bridge -f '{{json .Options}}'; \
            pgrep -c docker-proxy; docker inspect web -f '{{.HostConfig.RestartPolicy}} {{.State.Running}}'; \
            cat /sys/fs/cgroup/system.slice/docker-$(docker inspect web -f '{{.Id}}').scope/memory.max; ls /etc/systemd/system";
        self.machine.command(&["sh", "-c", script]).limit(LONG).run().stdout
    }

    fn status(&self) -> (i32, Value) {
        let (code, out, err) = self.sea(&["harden", "status", "-f", "json"]);
        let last = out.lines().last().unwrap_or_default();
        (code, serde_json::from_str(last).unwrap_or_else(|why| panic!("{why}: {out} {err}")))
    }

    /// How many transactions there were.
    fn begun(&self) -> usize {
        let out = self.well(&["harden", "history", "-f", "json"]);
        let history: Value = serde_json::from_str(&out).unwrap();
        history["transactions"].as_array().unwrap().len()
    }

    /// Waits until nothing is at work.
    #[track_caller]
    fn settled(&self) -> (i32, Value) {
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

#[test]
fn what_was_asked_for_is_found_applied_kept_over_a_reboot_and_undone() {
    let Some(host) = Careless::start() else { return };
    let all = format!("{SAFE},{ENGINE},{LIMITS}");
    let before = host.state();
    let found = host.verdicts(&all);
    assert!(!found.contains("pass") && !found.contains("unknown"), "{found}");
    host.well(&["collect", "-o", "/root/before.json"]);
    host.plan(&all);
    println!("{}", host.well(&["harden", "show", "/root/plan.json"]));
    let (code, out, err) = host.apply("30m");
    assert_eq!(code, 0, "{out}\n{err}");
    // Emulated and under load the shadow's containerd may need longer than the engine gives it: that is said.
    assert!(out.contains("rehearsed"), "{out}");
    let done = host.verdicts(&all);
    assert!(!done.contains("fail") && !done.contains("unknown"), "{done}\n{out}");
    assert_eq!(host.status().0, 7);
    println!("{out}\n{}", host.well(&["harden", "confirm"]));
    assert_eq!(host.status().0, 0);
    host.well(&["collect", "-o", "/root/after.json"]);
    let differs = host.well(&["diff", "/root/before.json", "/root/after.json"]);
    println!("{differs}");
    assert!(differs.contains("answered"), "{differs}");

    host.machine.reboot();
    let kept = host.verdicts(&all);
    assert!(!kept.contains("fail") && !kept.contains("unknown"), "{kept}");
    // A restart is where a mode that was only changed on the live socket would come back.
    host.machine.must(&["systemctl", "reset-failed", "docker.service", "docker.socket"]);
    host.machine.must(&["systemctl", "stop", "docker.service", "docker.socket"]);
    host.machine.must(&["systemctl", "start", "docker.service"]);
    assert_eq!(host.verdicts("docker-socket-mode"), "pass 1");

    let (_, status) = host.status();
    let id = status["transactions"][0]["transaction"].as_str().unwrap();
    host.well(&["harden", "rollback", id]);
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
    let undone = host.verdicts(&all);
    assert!(!undone.contains("pass") && !undone.contains("unknown"), "{undone}");
}

#[test]
fn the_guard_takes_back_what_is_not_confirmed_also_when_it_is_killed_and_over_a_reboot() {
    let Some(host) = Careless::start() else { return };
    let before = host.state();
    host.plan(SAFE);

    // In time: by the guard, which systemd starts again when it is killed.
    let (code, out, err) = host.apply("40s");
    assert_eq!(code, 0, "{out}\n{err}");
    assert!(out.contains("by systemd"), "{out}");
    assert_ne!(host.state(), before);
    host.machine.must(&["pkill", "-KILL", "-f", "harden guard"]);
    for _ in 0..240 {
        if host.status().0 != 7 {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let (code, status) = host.settled();
    assert_eq!((code, status["transactions"][0]["state"].as_str()), (0, Some("rolled-back")), "{status}");
    assert_eq!(host.state(), before);

    // Over a reboot: before anything has read the files.
    assert_eq!(host.apply("30m").0, 0);
    host.machine.reboot();
    let (code, status) = host.settled();
    assert_eq!((code, status["transactions"][0]["state"].as_str()), (0, Some("rolled-back")), "{status}");
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
    let units = host.machine.must(&["sh", "-c", "ls /etc/systemd/system | grep -c seaworthy || true"]);
    assert_eq!(units.trim(), "0");
}

#[test]
fn after_a_power_cut_the_host_is_wholly_before_or_wholly_after() {
    let Some(host) = Careless::start() else { return };
    let cuts: u64 = std::env::var(CUTS).ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let all = format!("{SAFE},{LIMITS}");
    let before = host.state();
    host.plan(&all);
    // How long it takes when nobody cuts the power: the cuts are spread over that.
    let began = Instant::now();
    let (code, out, err) = host.apply("30m");
    let took = began.elapsed();
    assert_eq!(code, 0, "{out}\n{err}");
    host.well(&["harden", "rollback"]);
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
    host.machine.must(&["sync"]);
    let begun = host.begun();
    let mut ended = std::collections::BTreeMap::new();
    for cut in 0..cuts {
        let arguments = [
            "/usr/local/bin/seaworthy",
            "harden",
            "apply",
            "/root/plan.json",
            "--allow-disruptive",
            "--confirm-within",
            "30m",
        ];
        let running = host.machine.command(&arguments).limit(LONG).start();
        // From nearly half of the way on, since before that it looks, to a little after its end; however many there are,
        // they are spread evenly (by the golden ratio).
        let part = 0.45 + 0.6 * (cut as f64 * 0.618_034).fract();
        std::thread::sleep(took.mul_f64(part));
        let is_over = running.is_over();
        host.machine.power_cut();
        drop(running);
        host.machine.boot();
        host.machine.wait_for_boot();
        let (code, status) = host.settled();
        let state = status["transactions"][0]["state"].as_str().unwrap_or("none").to_owned();
        let changes = status["transactions"][0]["changes"].as_array().cloned().unwrap_or_default();
        let counted = |what: &str| changes.iter().filter(|c| c[what] == true).count();
        let (done, undone, all) = (counted("done"), counted("undone"), changes.len());
        let over = if is_over { "over" } else { "under way" };
        // Each by itself, as it comes: a long run may be given up.
        println!(
            "cut {cut} at {:.0} %: apply {over}, {} transactions, {done} of {all} changes done, {undone} undone: {state}",
            part * 100.0,
            host.begun() - begun
        );
        host.machine.must(&["chmod", "666", "/run/docker.sock"]);
        // Not confirmed: whatever was done is taken back, and what was not begun left nothing.
        assert_eq!(host.state(), before, "cut {cut}: {status}");
        assert_eq!(code, 0, "cut {cut}: {status}");
        *ended.entry(format!("{state}, {done} of {all} changes done, apply {over}")).or_insert(0) += 1;
    }
    println!("after {cuts} power cuts: {ended:?}");
    assert!(host.begun() > begun, "no cut met a transaction: {ended:?}");
}
