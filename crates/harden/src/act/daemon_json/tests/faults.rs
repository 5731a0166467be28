//! What a user sees of each fault.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::super::*;
use super::{PATH, change, with};
use crate::bench::{Bench, Flagged, Mounted, root};
use crate::host::Daemon;

#[test]
fn a_file_that_engines_read_differently_or_not_at_all_is_refused() {
    let deep = format!("{{\"builder\":{}{}}}", "[".repeat(500), "]".repeat(500));
    for (text, why) in [
        ("", "it is empty, which engines before 23.0 refuse: write {} into it, or remove it"),
        (" \r\n\t", "it is empty"),
        ("null", "it holds no JSON object"),
        ("[]", "it holds no JSON object"),
        ("\u{feff}{}", "it begins with a byte order mark, which engines before 23.0 refuse: save it without"),
        ("{\"icc\": true, \"icc\": false}", "it holds \"icc\" twice (line 1): take one away"),
        ("{\"icc\": true,\n\"i\\u0063c\": false}", "it holds \"icc\" twice (line 2)"),
        ("{\"log-opts\": {\"a\": \"1\", \"a\": \"2\"}}", "it holds \"a\" twice"),
        (
            "{\"x\": {\"icc\": true}}",
            "it holds \"icc\" inside of \"x\", where engines take it for a setting: take it out",
        ),
        ("{\"proxies\": {\"icc\": true}}", "it holds \"icc\" inside of \"proxies\""),
        ("{\"x\": {\"a b\\n\": 1}}", "it holds a strange name inside of \"x\""),
        ("{} garbage", "something follows its JSON (line 1), which engines from 23.0 on refuse"),
        ("{}\n{}", "something follows its JSON (line 2)"),
        ("{\"icc\": tru}", "it is not valid JSON (line 1, column"),
        ("{\"icc\": true,}", "it is not valid JSON (line 1, column"),
        ("{\n  // off\n  \"icc\": true\n}", "column 3): comments are no JSON, and engines refuse them"),
        ("{\n  # off\n  \"icc\": true\n}", "comments are no JSON"),
        ("{'icc': true}", "it is not valid JSON"),
        ("{\"ICC\": true}", "it holds \"ICC\", which is not how \"icc\" is written: correct it"),
        (&deep, "it is not valid JSON"),
    ] {
        let bench = with(text);
        let line = bench.check(&change(&bench, &[("icc", json!(false))])).unwrap_err();
        assert!(
            line.starts_with(&format!("{PATH}: ")) && line.contains(why) && !line.contains('\n'),
            "{text:?}: {line}"
        );
        assert_eq!(bench.read(PATH), text);
    }
    let bench = with("");
    fs::write(bench.path(PATH), b"{\"a\": \"\xff\"}").unwrap();
    let line = bench.check(&change(&bench, &[("icc", json!(false))])).unwrap_err();
    assert!(line.contains("byte 7 is not valid UTF-8"), "{line}");
    let bench = with("{\"log-opts\": \"x\"}");
    let line = bench.check(&change(&bench, &[("log-opts", json!({"max-size": "1m"}))])).unwrap_err();
    assert!(line.contains("log-opts holds no object"), "{line}");
    let line = bench.check(&DaemonJson { path: "daemon.json".into(), digest: None, set: vec![] }).unwrap_err();
    assert!(line.contains("no absolute path"), "{line}");
}

#[test]
fn values_of_the_file_are_never_repeated() {
    for text in ["{\"log-opts\": {\"splunk-token\": \"hunter2\"} hunter2", "{\"hunter2 x\": {\"hunter2 y\": 1}}"] {
        let bench = with(text);
        let line = bench.check(&change(&bench, &[("icc", json!(false))])).unwrap_err();
        assert!(!line.contains("hunter2"), "{line}");
    }
    let mut bench = with("{\"log-opts\": {\"splunk-token\": \"hunter2\"}}");
    let undo = bench.apply(&change(&bench, &[("log-opts", json!({"splunk-url": "x"}))]));
    assert!(!undo.to_string().contains("hunter2"));
}

#[test]
fn whatever_changed_between_plan_and_apply_is_named_and_nothing_is_written() {
    let bench = with("{}");
    let act = change(&bench, &[("icc", json!(false))]);
    bench.write(PATH, "{ }");
    assert_eq!(bench.stale(&act), format!("{PATH}: it has changed since the plan was made; plan again"));
    let mut keep = bench.keep.clone();
    assert!(act.prepare(&bench.host, &mut keep).unwrap_err().0.contains("it has changed since the plan"));
    fs::remove_file(bench.path(PATH)).unwrap();
    assert_eq!(bench.stale(&act), format!("{PATH}: it is gone; plan again"));
    symlink(bench.write("/srv/daemon.json", "{}"), bench.path(PATH)).unwrap();
    assert_eq!(bench.stale(&act), format!("{PATH}: it is a link now; plan again"));
    let none = DaemonJson { digest: None, ..act };
    fs::remove_file(bench.path(PATH)).unwrap();
    bench.write(PATH, "{}");
    assert_eq!(bench.stale(&none), format!("{PATH}: there is one now and was none; plan again"));
}

#[test]
fn whatever_changes_between_prepare_and_apply_is_left() {
    let mut bench = with("{}");
    let act = change(&bench, &[("icc", json!(false))]);
    let undo = act.prepare(&bench.host, &mut bench.keep).unwrap();
    bench.write(PATH, "{\"debug\": true}");
    assert!(act.apply(&bench.host, &undo).is_err());
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    assert_eq!(bench.read(PATH), "{\"debug\": true}");

    let victim = bench.write("/srv/victim", "{}");
    fs::remove_file(bench.path(PATH)).unwrap();
    symlink(&victim, bench.path(PATH)).unwrap();
    assert!(act.apply(&bench.host, &undo).unwrap_err().0.contains("it is a link"));
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Drifted(vec![format!("{PATH} is a link now")]));
    assert_eq!(fs::read(&victim).unwrap(), b"{}");
}

#[test]
fn what_a_crash_leaves_at_any_point_is_cleared() {
    let mut bench = with("{}");
    let act = change(&bench, &[("icc", json!(false))]);
    let undo = act.prepare(&bench.host, &mut bench.keep).unwrap();
    let made = undo["own"]["made"].as_str().unwrap();
    let left = format!("/etc/docker/.daemon.json.seaworthy-{made}");
    bench.write(&left, "{\n  \"ic");
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    assert!(!bench.path(&left).exists());
    // Killed after the rename, before it was told; then on the way back, before the rename.
    act.apply(&bench.host, &undo).unwrap();
    act.apply(&bench.host, &undo).unwrap();
    let back = format!("/etc/docker/.daemon.json.seaworthy-{}", files::digest(b"{}"));
    bench.write(&back, "{");
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert!(!bench.path(&back).exists());
    assert_eq!(bench.read(PATH), "{}");
}

#[test]
fn a_place_that_cannot_be_written_is_refused() {
    if !root() {
        return;
    }
    let bench = with("{}");
    let act = change(&bench, &[("icc", json!(false))]);
    let refused = |why: &str| {
        let line = bench.check(&act).unwrap_err();
        assert!(line.contains(PATH) && line.contains(why) && !line.contains('\n'), "{line}");
    };
    if let Some(_flag) = Flagged::new(&bench.path(PATH), rustix::fs::IFlags::IMMUTABLE) {
        refused("it may not be changed (chattr +i)");
    }
    let source = bench.write("/srv/daemon.json", "{}");
    if let Some(_mounted) = Mounted::bind(&source, &bench.path(PATH)) {
        refused("it is mounted there by itself (a bind mount)");
    }
    fs::hard_link(bench.path(PATH), bench.path("/srv/other")).unwrap();
    refused("it has 2 names (hard links)");
    fs::remove_file(bench.path("/srv/other")).unwrap();
    let Some(memory) = Mounted::memory(&bench.path("/etc/docker"), c"size=64k") else { return };
    bench.write(PATH, "{}");
    memory.read_only(true);
    refused("its file system is read-only");
    memory.read_only(false);
    assert_eq!(bench.check(&act), Ok(()));
}

#[test]
fn an_engine_accepts_what_is_written() {
    let engine = match seaworthy_bed::find(seaworthy_bed::Version::V29) {
        Ok(engine) => engine.dockerd,
        Err(why) => return seaworthy_bed::skip("engine 29", &why),
    };
    let validate = |bench: &Bench| {
        let file = bench.path(PATH);
        let command = [engine.to_str().unwrap(), "--validate", "--config-file", file.to_str().unwrap()];
        crate::program::run(&command, std::time::Duration::from_secs(60)).unwrap()
    };
    let set = [
        ("icc", json!(false)),
        ("log-opts", json!({"max-size": "10m"})),
        ("default-ulimits", json!({"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}})),
        ("labels", json!(["a=b"])),
    ];
    for text in ["{}", "{\"debug\":true}", "{\r\n\t\"log-opts\": {\"tag\": \"x\"}\r\n}"] {
        let mut bench = with(text);
        let act = change(&bench, &set);
        bench.apply(&act);
        let ended = validate(&bench);
        assert!(ended.is_good(), "{} {ended:?}", bench.read(PATH));
    }
    // Why these are refused here: the engine takes them, and differently from what they seem to say.
    for text in ["{\"x\":{\"icc\":false}}", "{\"icc\":true,\"icc\":false}", "\u{feff}{}", ""] {
        let bench = with(text);
        assert!(validate(&bench).is_good(), "{text:?}");
        assert!(bench.check(&change(&bench, &set)).is_err(), "{text:?}");
    }
}

#[test]
fn a_setting_on_the_command_line_is_refused() {
    let mut bench = with("{}");
    bench.host.daemon = Some(Daemon { pid: 7 });
    let line = bench.check(&change(&bench, &[("icc", json!(false))])).unwrap_err();
    assert!(line.contains("read the engine's command line"), "{line}");
    bench.write("/proc/7/cmdline", "dockerd\0-H\0fd://\0--icc=true\0--log-opt\0a=b\0");
    let line = bench.check(&change(&bench, &[("icc", json!(false))])).unwrap_err();
    assert!(
        line.contains("the engine has --icc on its command line and would not start with icc in the file"),
        "{line}"
    );
    assert!(bench.check(&change(&bench, &[("log-opts", json!({"a": "b"}))])).unwrap_err().contains("--log-opt "));
    assert_eq!(bench.check(&change(&bench, &[("icc", Value::Null), ("debug", json!(true))])), Ok(()));
}

#[test]
fn a_full_disk_leaves_the_old_file_at_every_write() {
    if !root() {
        return;
    }
    let mut ends = (0, 0, 0);
    for free in 0..12u64 {
        let mut bench = Bench::under(tempfile::tempdir().unwrap(), |dir| dir.join("m/root"));
        let Some(_memory) = Mounted::memory(&bench.dir.path().join("m"), c"size=256k,nr_inodes=64") else { return };
        fs::create_dir(bench.dir.path().join("m/keep")).unwrap();
        bench.write(PATH, format!("{{\"labels\": [\"{}\"]}}", "x".repeat(9000)));
        let before = bench.read(PATH);
        let room = rustix::fs::statvfs(bench.path("/")).unwrap();
        bench.write("/full", vec![0; ((room.f_bavail - free) * room.f_frsize) as usize]);
        let act = change(&bench, &[("icc", json!(false))]);
        let done = act.prepare(&bench.host, &mut bench.keep).map(|undo| (act.apply(&bench.host, &undo), undo));
        match done {
            Err(line) => {
                ends.0 += 1;
                assert!(line.0.contains("no space is left"), "{line}");
                assert_eq!(bench.read(PATH), before);
            }
            Ok((Err(line), undo)) => {
                ends.1 += 1;
                assert!(line.0.contains("no space is left"), "{line}");
                assert_eq!(bench.read(PATH), before);
                assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
            }
            Ok((Ok(()), undo)) => {
                ends.2 += 1;
                // With what was reserved for it given back, the way back is sure.
                fs::remove_file(bench.path("/full")).unwrap();
                assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
                assert_eq!(bench.read(PATH), before);
            }
        }
    }
    assert!(ends.0 > 0 && ends.1 > 0 && ends.2 > 0, "{ends:?}");
}
