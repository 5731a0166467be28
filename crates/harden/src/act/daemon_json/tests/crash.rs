//! Killed, or failed by the disk, at each system call that changes something: by `strace`, in a process of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::super::*;
use super::{PATH, change, with};
use crate::bench::Bench;

/// The calls by which a change is made, its own temporary file aside. `strace` counts each of them by itself.
const CALLS: [&str; 7] = ["mkdirat", "fchown", "fchmod", "fsync", "renameat", "renameat2", "unlinkat"];

/// Where the process that is to be killed finds its work: a directory, and what it is to do.
const WORK: &str = "SEAWORTHY_TEST_CRASH";

/// The process that is to be killed. By itself it has nothing to do.
#[test]
fn victim() {
    let Some(work) = std::env::var_os(WORK) else { return };
    let work = Path::new(&work);
    let read = |name: &str| serde_json::from_slice::<Value>(&fs::read(work.join(name)).unwrap()).unwrap();
    let act: DaemonJson = serde_json::from_value(read("act")).unwrap();
    let host = Host { root: work.join("root"), engine: None, daemon: None, transaction: "0123456789ab".into() };
    let done = match read("do").as_str() {
        Some("apply") => act.apply(&host, &read("undo")).is_ok(),
        _ => act.undo(&host, &Keep::at(&work.join("keep")), &read("undo")).is_ok(),
    };
    assert!(done);
}

/// Whether there is an `strace` that may trace here; else the test is skipped aloud.
fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    let why = match tried {
        Ok(status) if status.success() => return true,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    seaworthy_bed::skip("strace", &why);
    false
}

/// Has the victim do it, with a fault at the n-th of a call; whether it came through.
fn comes_through(bench: &Bench, what: &str, call: &str, fault: &str, n: usize) -> bool {
    fs::write(bench.dir.path().join("do"), json!(what).to_string()).unwrap();
    let ended = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:{fault}:when={n}")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "act::daemon_json::tests::crash::victim", "--test-threads=1"])
        .env(WORK, bench.dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ended.unwrap().success()
}

fn names(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path).into_iter().flatten();
    names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// The file's text; none where there is none.
fn text(bench: &Bench) -> Option<String> {
    read(&bench.path(PATH)).unwrap().map(|c| String::from_utf8(c.bytes).unwrap())
}

/// A change that is prepared, or done, for the victim to go on with.
fn scene(before: Option<&str>, done: bool) -> (Bench, DaemonJson, Value) {
    let mut bench = before.map_or_else(Bench::new, with);
    fs::create_dir_all(bench.path("/etc")).unwrap();
    let act = change(&bench, &[("icc", json!(false))]);
    let undo = act.prepare(&bench.host, &mut bench.keep).unwrap();
    if done {
        act.apply(&bench.host, &undo).unwrap();
    }
    for (name, value) in [("act", &serde_json::to_value(&act).unwrap()), ("undo", &undo)] {
        fs::write(bench.dir.path().join(name), value.to_string()).unwrap();
    }
    (bench, act, undo)
}

#[test]
fn old_or_new_and_never_a_half_whatever_fails() {
    if !can_trace() {
        return;
    }
    // Its directory is missing; or there it is.
    for (before, after) in [(None, "{\n  \"icc\": false\n}\n"), (Some("{\"mtu\":1}"), "{\"mtu\":1,\"icc\":false}")] {
        for (what, done) in [("apply", false), ("undo", true)] {
            let mut faults = 0;
            for (call, fault) in CALLS.iter().flat_map(|call| [(call, "signal=KILL"), (call, "error=EIO")]) {
                for n in 1.. {
                    let (bench, act, undo) = scene(before, done);
                    let through = comes_through(&bench, what, call, fault, n);
                    let now = text(&bench);
                    let place = format!("{what}, {fault} at {call} {n}: {now:?}");
                    assert!(now.as_deref() == before || now.as_deref() == Some(after), "{place}");
                    assert!(!through || (now.as_deref() == before) == done, "{place}");
                    // Whatever happened: it can be taken back, wholly, and then again.
                    assert!(!matches!(bench.undo(&act, &undo).unwrap(), Undone::Drifted(_)), "{place}");
                    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing, "{place}");
                    assert_eq!(text(&bench).as_deref(), before, "{place}");
                    let left: &[&str] = if before.is_some() { &["daemon.json"] } else { &[] };
                    assert_eq!(names(&bench.path("/etc/docker")), left, "{place}");
                    assert_eq!(bench.path("/etc/docker").exists(), before.is_some(), "{place}");
                    if through {
                        break;
                    }
                    assert!(n < 20, "{place}: it never comes through");
                    faults += 1;
                }
            }
            assert!(faults >= 6, "{what}: only {faults} faults were made");
        }
    }
}
