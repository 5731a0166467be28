//! Faults of a whole machine: clocks that are set, a start limit that is reached, an engine that is down, files that are frozen.

use std::time::Duration;

use serde_json::{Value, json};

use crate::careless::{Careless, ENGINE, LONG, SAFE};

impl Careless {
    fn clock(&self, by: &str) {
        self.machine.must(&["date", "--set", by]);
    }

    /// `chattr +i` or `-i`; the machine has no chattr.
    fn immutable(&self, path: &str, on: bool) {
        let script = "open my $f, '<', $ARGV[0] or die $!; my $b = pack('q', 0); ioctl($f, 0x80086601, $b) or die $!; \
                      my $v = unpack('q', $b); $v = $ARGV[1] ? $v | 16 : $v & ~16; \
                      ioctl($f, 0x40086602, pack('q', $v)) or die $!;";
        self.machine.must(&["perl", "-e", script, path, if on { "1" } else { "" }]);
    }

    /// What becomes of the newest transaction, with its code.
    fn newest(&self) -> (i32, String, String) {
        let (code, status) = self.status();
        let last = status["transactions"].as_array().and_then(|all| all.last()).cloned().unwrap_or(Value::Null);
        let text = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
        (code, text("transaction"), text("state"))
    }
}

#[test]
fn a_clock_that_is_set_neither_confirms_nor_takes_back_and_a_frozen_file_is_refused() {
    let Some(host) = Careless::start() else { return };
    let machine = &host.machine;
    let before = host.state();
    host.plan(SAFE);

    // The clock is set a day on and two back, as by hand or by a time server: nothing is taken back early, and nothing
    // is confirmed; the time that is left is told by a clock that nobody can set.
    assert_eq!(host.apply("150s").0, 0);
    let after = host.state();
    assert_ne!(after, before);
    for by in ["+1 day", "-2 days"] {
        host.clock(by);
        let (code, status) = host.status();
        let line = status["transactions"][0]["line"].as_str().unwrap_or_default().to_owned();
        assert!(code == 7 && line.starts_with("awaits confirmation for "), "{by}: {status}");
        let told = machine.must(&["date", "-u", "+%H:%M"]);
        let hour = |text: &str| text.trim().split(':').next().unwrap_or_default().parse::<i32>().unwrap_or(-99);
        let by_clock = line.split(", by ").nth(1).map(hour).unwrap_or(-99);
        assert!((by_clock - hour(&told)).rem_euclid(24) <= 1, "{by}: it is {told}: {line}");
        assert_eq!(host.state(), after, "{by}");
    }
    // And it is taken back when its time is over, while the clock says that it is two days before.
    for _ in 0..600 {
        if host.status().0 != 7 {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(host.settled().0, 0);
    assert_eq!((host.newest().2.as_str(), host.state()), ("rolled-back", before.clone()));
    host.clock("+1 day");

    // A file that somebody has frozen.
    host.immutable("/etc/docker/daemon.json", true);
    let (code, _, err) = host.apply("0");
    assert!(code == 4 && err.contains("chattr -i") && err.trim().lines().count() == 1, "{code}: {err}");
    host.immutable("/etc/docker/daemon.json", false);
    assert_eq!(host.state(), before);
}

#[test]
fn a_limit_of_starts_and_an_engine_that_is_down_are_no_obstacle() {
    let Some(host) = Careless::start() else { return };
    let machine = &host.machine;
    // The unit's limit of starts is reached (the packaged one is three in a minute, which an emulated machine cannot), and
    // used up by people just before: neither the restart nor its way back falls over it.
    host.plan(ENGINE);
    machine.must(&["mkdir", "-p", "/run/systemd/system/docker.service.d"]);
    let limit = b"[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1\n";
    machine.put("/run/systemd/system/docker.service.d/limit.conf", limit, 0o644);
    machine.must(&["systemctl", "daemon-reload"]);
    machine.must(&["systemctl", "reset-failed", "docker.service", "docker.socket"]);
    let restart = || machine.command(&["systemctl", "restart", "docker.service"]).limit(LONG).run().status;
    assert_eq!(restart(), 0);
    assert_ne!(restart(), 0, "the limit is not reached");
    machine.run(&["systemctl", "reset-failed", "docker.service", "docker.socket"]);
    assert_eq!(restart(), 0);
    machine.must(&["chmod", "666", "/run/docker.sock"]);
    let (code, out, err) = host.apply("0");
    assert_eq!(code, 0, "{out}\n{err}");
    let done = host.verdicts(ENGINE);
    assert!(!done.contains("fail") && !done.contains("unknown"), "{done}");
    let (_, id, _) = host.newest();
    let (code, out, err) = host.sea(&["harden", "rollback", &id]);
    assert_eq!(code, 0, "{out}\n{err}");
    assert_eq!(host.verdicts(ENGINE), "fail 3");

    // The engine is down when it is to be undone: the settings are put back, and with them it is started.
    let (code, out, err) = host.apply("0");
    assert_eq!(code, 0, "{out}\n{err}");
    let (_, id, _) = host.newest();
    machine.must(&["systemctl", "stop", "docker.service", "docker.socket"]);
    let (code, out, err) = host.sea(&["harden", "rollback", &id]);
    println!("undone while the engine is down: {code}\n{out}\n{err}");
    let text = String::from_utf8(machine.get("/etc/docker/daemon.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({ "log-driver": "json-file" }));
    machine.command(&["systemctl", "start", "docker.service"]).limit(LONG).run();
    let (code, status) = host.settled();
    assert_eq!((code, host.newest().2.as_str()), (0, "rolled-back"), "{status}");
    assert_eq!(host.verdicts(ENGINE), "fail 3");
}

#[test]
fn a_late_rollback_that_loses_power_is_finished_at_the_next_start() {
    let Some(host) = Careless::start() else { return };
    let before = host.state();
    host.plan(SAFE);
    assert_eq!(host.apply("0").0, 0);
    let (_, id, _) = host.newest();
    host.machine.must(&["sync"]);
    let running = host.machine.command(&["/usr/local/bin/seaworthy", "harden", "rollback", &id]).limit(LONG).start();
    // As soon as it is written that it is taken back.
    let journal = format!("/var/lib/seaworthy/tx/{id}/journal");
    let began = |host: &Careless| host.machine.run(&["grep", "-q", "\"event\":\"undone\"", &journal]).status == 0;
    for _ in 0..6000 {
        if began(&host) || running.is_over() {
            break;
        }
    }
    host.machine.power_cut();
    drop(running);
    host.machine.boot();
    host.machine.wait_for_boot();
    // By the units, before anybody asks.
    let text = String::from_utf8(host.machine.get(&journal)).unwrap();
    println!("{text}");
    assert!(text.contains("\"event\":\"rolled-back\""), "{text}");
    assert_eq!(host.settled().0, 0);
    host.machine.must(&["chmod", "666", "/run/docker.sock"]);
    assert_eq!(host.state(), before);
}
