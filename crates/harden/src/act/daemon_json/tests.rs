//! What settings become, and what comes back.

mod crash;
mod faults;
mod property;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use seaworthy_core::plan::SetKey;
use serde_json::json;

use super::*;
use crate::bench::Bench;

const PATH: &str = "/etc/docker/daemon.json";

fn key(key: &str, after: Value) -> SetKey {
    SetKey { key: key.into(), before: None, after: (!after.is_null()).then_some(after) }
}

/// A change of the file as it is now.
fn change(bench: &Bench, set: &[(&str, Value)]) -> DaemonJson {
    let now = read(&bench.path(PATH)).unwrap();
    let set = set.iter().map(|(name, after)| key(name, after.clone())).collect();
    DaemonJson { path: PATH.into(), digest: now.map(|n| n.digest()), set }
}

fn with(text: &str) -> Bench {
    let bench = Bench::new();
    bench.write(PATH, text);
    bench
}

/// Applies to a text, and takes it back; returns what it became.
fn becomes(text: &str, set: &[(&str, Value)]) -> String {
    let mut bench = with(text);
    let act = change(&bench, set);
    let undo = bench.apply(&act);
    let made = bench.read(PATH);
    let ends = if made == text { Undone::Nothing } else { Undone::Restored };
    assert_eq!(bench.undo(&act, &undo).unwrap(), ends);
    assert_eq!(bench.read(PATH), text);
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);
    made
}

#[test]
fn edits_keep_order_indent_line_ends_and_everything_else() {
    let icc = [("icc", json!(false))];
    for (text, made) in [
        ("{}", "{\n  \"icc\": false\n}"),
        ("{}\n", "{\n  \"icc\": false\n}\n"),
        ("{\n}\n", "{\n  \"icc\": false\n}\n"),
        ("{\n    \"debug\": true\n}\n", "{\n    \"debug\": true,\n    \"icc\": false\n}\n"),
        ("{\r\n\t\"debug\": true\r\n}", "{\r\n\t\"debug\": true,\r\n\t\"icc\": false\r\n}"),
        ("{\"debug\":true}", "{\"debug\":true,\"icc\":false}"),
        ("{ \"debug\": true }", "{ \"debug\": true, \"icc\": false }"),
        ("{\"debug\" :true, \"mtu\" :1}", "{\"debug\" :true, \"mtu\" :1, \"icc\" :false}"),
        ("{\n\n  \"debug\": true\n\n}", "{\n\n  \"debug\": true,\n  \"icc\": false\n\n}"),
        ("{\"icc\": true,\n \"mtu\": 1}", "{\"icc\": false,\n \"mtu\": 1}"),
        ("{\"icc\":null}", "{\"icc\":false}"),
        ("{\"a\\u0062\":\"ü\\u00fc\",\"i\\u0063c\": true}", "{\"a\\u0062\":\"ü\\u00fc\",\"i\\u0063c\": false}"),
        (" { \"mtu\": 1e3 } \n\n", " { \"mtu\": 1e3, \"icc\": false } \n\n"),
        ("{\"icc\": false}", "{\"icc\": false}"),
    ] {
        assert_eq!(becomes(text, &icc), made, "{text}");
    }
}

#[test]
fn objects_are_merged_and_lists_replaced() {
    let opts = ("log-opts", json!({"max-size": "10m", "max-file": "3"}));
    assert_eq!(
        becomes(
            "{\n  \"log-opts\": {\n    \"tag\": \"x\", \"max-file\": \"1\"\n  },\n  \"mtu\": 1\n}\n",
            std::slice::from_ref(&opts)
        ),
        "{\n  \"log-opts\": {\n    \"tag\": \"x\", \"max-file\": \"3\", \"max-size\": \"10m\"\n  },\n  \"mtu\": 1\n}\n"
    );
    assert_eq!(
        becomes("{\n    \"log-opts\": {}\n}", std::slice::from_ref(&opts)),
        "{\n    \"log-opts\": {\n        \"max-size\": \"10m\",\n        \"max-file\": \"3\"\n    }\n}"
    );
    assert_eq!(becomes("{\"log-opts\":null}", &[opts]), "{\"log-opts\":{\"max-size\":\"10m\",\"max-file\":\"3\"}}");
    let ulimits = json!({"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 64000}});
    assert_eq!(
        becomes("{\n  \"mtu\": 1\n}\n", &[("default-ulimits", ulimits), ("labels", json!(["a=b", "c=d"]))]),
        concat!(
            "{\n  \"mtu\": 1,\n  \"default-ulimits\": {\n    \"nofile\": {\n      \"Name\": \"nofile\",\n      ",
            "\"Hard\": 64000,\n      \"Soft\": 64000\n    }\n  },\n  \"labels\": [\"a=b\", \"c=d\"]\n}\n"
        )
    );
}

#[test]
fn settings_are_taken_away() {
    let gone = [("icc", Value::Null), ("mtu", Value::Null), ("absent", Value::Null)];
    for (text, made) in [
        ("{\n  \"icc\": true,\n  \"debug\": true,\n  \"mtu\": 1\n}\n", "{\n  \"debug\": true\n}\n"),
        ("{\"icc\":true}", "{}"),
        ("{ \"debug\": true, \"icc\": true }", "{ \"debug\": true }"),
    ] {
        assert_eq!(becomes(text, &gone), made, "{text}");
    }
}

#[test]
fn a_missing_file_and_directory_are_made_and_taken_away_again() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.path("/etc")).unwrap();
    let act = change(&bench, &[("icc", json!(false)), ("no-new-privileges", json!(true))]);
    let undo = bench.apply(&act);
    assert_eq!(bench.read(PATH), "{\n  \"icc\": false,\n  \"no-new-privileges\": true\n}\n");
    let meta = fs::metadata(bench.path(PATH)).unwrap();
    let me = rustix::process::geteuid().as_raw();
    assert_eq!((meta.mode() & 0o7777, meta.uid()), (0o644, me));
    assert_eq!(fs::metadata(bench.path("/etc/docker")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert!(!bench.path("/etc/docker").exists() && bench.path("/etc").exists());
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Nothing);

    // Others wrote into what was made: theirs stays, in a file that stays.
    let undo = bench.apply(&act);
    bench.write(PATH, "{\"icc\": false, \"debug\": true, \"no-new-privileges\": true}");
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert_eq!(bench.read(PATH), "{\"debug\": true}");
    fs::remove_dir_all(bench.path("/etc/docker")).unwrap();

    // Others only wrote it differently: nothing of theirs is in it.
    let undo = bench.apply(&act);
    bench.write(PATH, "{\"no-new-privileges\": true, \"icc\": false}");
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert!(!bench.path("/etc/docker").exists());
}

#[test]
fn only_its_own_settings_are_taken_back_from_what_others_edited_since() {
    let before = "{\n  \"icc\": true,\n  \"labels\": [\"a\",\n    \"b\"],\n  \"log-opts\": {\"tag\": \"t\"}\n}\n";
    let set = [
        ("icc", json!(false)),
        ("labels", Value::Null),
        ("userland-proxy", json!(false)),
        ("log-opts", json!({"max-size": "1m", "max-file": "2"})),
    ];
    let mut bench = with(before);
    let act = change(&bench, &set);
    let undo = bench.apply(&act);
    let made = bench.read(PATH);

    // They add, and write one of ours otherwise.
    bench.write(PATH, made.replace("\"max-file\": \"2\"", "\"max-file\": \"9\", \"mode\": \"x\"").replace('}', "} "));
    let drifted = vec![format!("{PATH}: log-opts.max-file")];
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Drifted(drifted.clone()));
    let left = concat!(
        "{\n  \"icc\": true,\n  \"log-opts\": {\"tag\": \"t\", \"max-file\": \"9\", \"mode\": \"x\"} ,\n",
        "  \"labels\": [\"a\",\n    \"b\"]\n} \n"
    );
    assert_eq!(bench.read(PATH), left);
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Drifted(drifted), "again, with the same end");
    assert_eq!(bench.read(PATH), left);

    // They make it unreadable, or take it away with what was in it before.
    bench.write(PATH, "{\"icc\": false");
    let Undone::Drifted(names) = bench.undo(&act, &undo).unwrap() else { panic!() };
    assert!(names[0].starts_with(&format!("{PATH} was edited since and is left: it is not valid JSON")), "{names:?}");
    fs::remove_file(bench.path(PATH)).unwrap();
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Drifted(vec![format!("{PATH} was removed since")]));
}

#[test]
fn two_changes_are_undone_in_either_order() {
    for text in [None, Some("{\n  \"mtu\": 1\n}\n"), Some("{\"mtu\":1,\"log-opts\":{\"tag\":\"t\"}}")] {
        for first in [0, 1] {
            let mut bench = text.map_or_else(Bench::new, with);
            fs::create_dir_all(bench.path("/etc")).unwrap();
            let a = change(&bench, &[("icc", json!(false)), ("log-opts", json!({"max-size": "1m"}))]);
            let undo_a = bench.apply(&a);
            let b = change(&bench, &[("live-restore", json!(true)), ("log-opts", json!({"max-file": "2"}))]);
            let undo_b = bench.apply(&b);
            let mut both = [(&a, &undo_a, "icc"), (&b, &undo_b, "live-restore")];
            both.rotate_left(first);
            let [(one, undo_one, _), (other, undo_other, stays)] = both;
            assert_eq!(bench.undo(one, undo_one).unwrap(), Undone::Restored);
            assert!(bench.read(PATH).contains(stays));
            assert_eq!(other.verify(&bench.host, undo_other).unwrap(), Effect::InEffect);
            assert_eq!(bench.undo(other, undo_other).unwrap(), Undone::Restored);
            match text {
                Some(text) => assert_eq!(bench.read(PATH), text),
                // The one that made the file does not know it any more where another was in it.
                None if first == 0 => assert_eq!(bench.read(PATH), "{}\n"),
                None => assert!(!bench.path(PATH).exists()),
            }
            assert_eq!(bench.undo(one, undo_one).unwrap(), Undone::Nothing);
            assert_eq!(bench.undo(other, undo_other).unwrap(), Undone::Nothing);
        }
    }
}

#[test]
fn rights_that_others_set_since_stay() {
    let mut bench = with("{}");
    let act = change(&bench, &[("icc", json!(false))]);
    let undo = bench.apply(&act);
    fs::set_permissions(bench.path(PATH), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(bench.undo(&act, &undo).unwrap(), Undone::Restored);
    assert_eq!(fs::metadata(bench.path(PATH)).unwrap().mode() & 0o777, 0o600);
}
