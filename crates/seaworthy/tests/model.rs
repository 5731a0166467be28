//! The commands of the threat model, over the recorded demonstration and what becomes of it.

mod common;

use std::io::Read as _;
use std::path::PathBuf;

use common::Sea;
use serde_json::{Value, json};

/// The demonstration as JSON, changed.
fn recorded(sea: &Sea, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut text = String::new();
    let packed: &[u8] = include_bytes!("../demo/snapshot.json.gz");
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let mut snapshot: Value = serde_json::from_str(&text).unwrap();
    change(&mut snapshot);
    sea.write(name, snapshot.to_string())
}

/// The facts of a component of the snapshot.
fn facts<'v>(snapshot: &'v mut Value, kind: &str, name: &str) -> &'v mut Value {
    let components = snapshot["targets"][0]["components"].as_array_mut().unwrap();
    let found = components.iter_mut().find(|c| c["kind"] == kind && c["name"] == name);
    &mut found.unwrap_or_else(|| panic!("no {kind} {name}"))["facts"]
}

/// The demonstration after `ci` was re-created without the engine's socket.
fn mended(sea: &Sea) -> PathBuf {
    recorded(sea, "mended.json", |snapshot| {
        facts(snapshot, "docker.container", "ci")["mounts"][0] = json!([]);
    })
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_format_tells_the_demonstration() {
    let sea = Sea::new();
    for (format, begins) in [
        ("text", "docker  local"),
        ("json", "{"),
        ("sarif", "{"),
        ("junit", "<?xml"),
        ("markdown", "# Threat model and hardening record"),
        ("csv", ""),
        ("html", "<!doctype html>"),
        ("svg", "<svg"),
        ("mermaid", "flowchart"),
        ("otm", "{"),
        ("threat-dragon", "{"),
        ("tm-bom", "{"),
        ("navigator", "{"),
    ] {
        let run = sea.run(&["assess", "--demo", "-f", format]);
        run.ended(0);
        assert!(run.out.to_lowercase().starts_with(&begins.to_lowercase()), "{format}: {run:?}");
        if begins == "{" {
            run.json();
        }
        let again = sea.run(&["assess", "--demo", "-f", format]);
        assert_eq!(run.out, again.out, "{format} differs from itself");
    }
    sea.run(&["audit", "--demo", "-f", "html"]).failed_with("seaworthy assess -f html");
}

#[test]
fn the_first_proposals_for_the_demonstration_are_what_an_engineer_would_name() {
    let sea = Sea::new();
    let report = sea.run(&["assess", "--demo", "-f", "json"]).json();
    let first: Vec<(&str, &str)> = report["priorities"].as_array().unwrap()[..2]
        .iter()
        .map(|p| (p["remedy"][0].as_str().unwrap(), p["closes"][0]["component"].as_str().unwrap()))
        .collect();
    assert_eq!(first, [("docker/container/no-runtime-socket", "backup"), ("docker/container/no-runtime-socket", "ci")]);
    let all: Vec<&Value> = report["threats"].as_array().unwrap().iter().collect();
    for letter in ["spoofing", "tampering", "repudiation", "information-disclosure", "denial-of-service"] {
        let open = all.iter().filter(|t| t["status"] == "open");
        let has = |t: &&&Value| t["stride"].as_array().unwrap().iter().any(|s| s == letter);
        assert!(open.filter(has).count() > 0, "no open threat of {letter}");
    }
}

#[test]
fn paths_are_asked_for_by_entry_and_jewel() {
    let sea = Sea::new();
    let run = sea.run(&["paths", "--demo", "--from", "ci", "--to", "host-root"]);
    run.ended(0);
    assert!(run.out.contains("code in ci → root on the host") && run.out.contains("/run/docker.sock"), "{run:?}");
    assert!(!run.out.contains("code in backup →"), "{run:?}");
    let snapshot = recorded(&sea, "s.json", |_| ());
    let of_file = sea.run(&["paths", "--from", path(&snapshot), "--from", "ci", "--to", "host-root"]);
    assert_eq!(of_file.ended(0).out, run.out);
    sea.run(&["paths", "--demo", "--from", "backpu"]).failed_with("near it are `backup`");
    // What can only mean a file is told to be none, not looked for among the entries of an engine.
    sea.run(&["paths", "--from", "missing.json", "--to", "host-root"]).failed_with("missing.json");
    sea.run(&["paths", "--demo", "--to", "the-moon"]).failed_with("no jewel `the-moon`");
    sea.run(&["paths", "--demo", "--from", "ci", "--to", "host-root", "--fail-on", "critical"]).ended(1);
}

#[test]
fn what_is_mended_is_told_by_diff() {
    let sea = Sea::new();
    let (before, after) = (recorded(&sea, "before.json", |_| ()), mended(&sea));
    let told = sea.run(&["diff", path(&before), path(&after)]);
    told.ended(0);
    assert!(told.out.contains("A container that holds an engine's socket"), "{told:?}");
    sea.run(&["diff", path(&before), path(&after), "--fail-on", "new-threats"]).ended(0);
    sea.run(&["diff", path(&after), path(&before), "--fail-on", "new-threats"]).ended(1);
    let report = sea.run(&["assess", "--from", path(&before), "-f", "json"]).ended(0).out.clone();
    let report = sea.write("report.json", report);
    sea.run(&["diff", path(&report), path(&after), "--fail-on", "new-threats"]).ended(0);
    let nothing = sea.run(&["diff", path(&report), path(&before), "-f", "json"]).json();
    assert!(nothing["threats"].as_array().is_none_or(Vec::is_empty), "{nothing}");
    sea.run(&["diff", path(&before), "nowhere.json"]).failed_with("nowhere.json");
}

#[test]
fn a_renamed_container_made_anew_is_no_difference() {
    let sea = Sea::new();
    let before = recorded(&sea, "before.json", |_| ());
    let after = recorded(&sea, "after.json", |snapshot| {
        let components = snapshot["targets"][0]["components"].as_array_mut().unwrap();
        let worker = components.iter_mut().find(|c| c["name"] == "worker").unwrap();
        worker["name"] = "renamed".into();
        worker["id"] = "0123456789abcdef".into();
    });
    let changed = sea.run(&["diff", path(&before), path(&after), "-f", "json", "--fail-on", "new-threats"]);
    changed.ended(0);
    for section in ["threats", "components"] {
        let list = changed.json()[section].clone();
        assert!(list.as_array().is_none_or(Vec::is_empty), "{section}: {list}");
    }
}

#[test]
fn a_gate_on_new_threats_lets_old_ones_pass() {
    let sea = Sea::new();
    let (worse, better) = (recorded(&sea, "worse.json", |_| ()), mended(&sea));
    let gate = |of: &PathBuf, since: &PathBuf| {
        sea.run(&["assess", "--from", path(of), "--since", path(since), "--fail-on", "new-threats"])
    };
    gate(&worse, &worse).ended(0);
    gate(&better, &worse).ended(0);
    gate(&worse, &better).ended(1);
    sea.run(&["assess", "--demo", "--fail-on", "new-threats"]).failed_with("new against what?");
    let known = sea.run(&["threats", "--from", path(&worse), "-f", "json"]).ended(0).out.clone();
    let known = sea.write("known.json", known);
    let of_baseline = ["threats", "--from", path(&worse), "--baseline", path(&known), "--fail-on", "new-threats"];
    sea.run(&of_baseline).ended(0);
}

#[test]
fn the_record_tells_before_and_after() {
    let sea = Sea::new();
    let (before, after) = (recorded(&sea, "before.json", |_| ()), mended(&sea));
    let record = sea.run(&["assess", "--from", path(&after), "--since", path(&before), "-f", "markdown"]);
    record.ended(0);
    for section in [
        "## Attack surfaces",
        "## Threats by surface",
        "## Elements by letter",
        "## Attack paths",
        "## Benchmark: CIS Docker Benchmark 1.8.0",
        "## Findings chosen for hardening",
        "## Before and after",
        "## What could not be read",
    ] {
        assert!(record.out.contains(&format!("\n{section}\n")), "{section}");
    }
    let row = record.out.lines().find(|l| l.starts_with("| `docker/container/no-runtime-socket` |")).unwrap();
    assert!(row.contains("`ci`") && row.contains("| fail | pass |"), "{row}");
}

#[test]
fn what_is_unknown_is_never_answered() {
    let sea = Sea::new();
    let hidden = recorded(&sea, "hidden.json", |snapshot| {
        for component in snapshot["targets"][0]["components"].as_array_mut().unwrap() {
            for (_, fact) in component["facts"].as_object_mut().unwrap() {
                fact[0] = json!({ "unknown": "hidden by the test" });
            }
        }
    });
    let report = sea.run(&["threats", "--from", path(&hidden), "-f", "json"]).json();
    let threats = report["threats"].as_array().unwrap();
    assert!(!threats.is_empty());
    for threat in threats {
        assert_eq!(threat["status"], "undetermined", "{} on {}", threat["threat"], threat["component"]["name"]);
    }
    for way in report["paths"].as_array().unwrap() {
        assert_eq!(way["certainty"], "possible");
    }
}
