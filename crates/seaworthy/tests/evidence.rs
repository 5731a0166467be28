//! Evidence from others with the program itself: matched by digest, dated, stored, and never a pass without it.

mod common;

use common::{Fake, Run, Sea, small_engine};
use serde_json::{Value, json};

/// The fixtures' image, in an engine that knows it.
fn engine() -> Fake {
    let id = format!("sha256:{}", "1".repeat(64));
    let digest = format!("registry.example.com/app@sha256:{}", "2".repeat(64));
    let inspect = json!({"Id": id, "RepoTags": ["app:1"], "RepoDigests": [digest], "Size": 1, "Os": "linux",
        "Architecture": "amd64", "Config": {"User": "", "Env": [], "Labels": {}}, "Created": "2023-11-14T22:13:20Z"});
    let listed =
        json!([{"Id": id, "RepoTags": ["app:1"], "RepoDigests": [digest], "Created": 1_700_000_000, "Size": 1}]);
    let mut table: Vec<(&'static str, Value)> = small_engine();
    table.retain(|(path, _)| !path.starts_with("/images"));
    table.push(("/images/json", listed));
    let path = format!("/images/{id}/json");
    // The table lives as long as the test.
    table.push((path.leak(), inspect));
    Fake::of(table)
}

fn fixture(name: &str) -> String {
    let path = format!("{}/../collect/fixtures/evidence/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A report of now, since the engine is asked now.
fn fresh(text: &str) -> String {
    let mut report: Value = serde_json::from_str(text).unwrap();
    report["CreatedAt"] = json!(jiff::Timestamp::now().to_string());
    report.to_string()
}

fn verdict(run: &Run, check: &str) -> (String, String) {
    let findings = run.json()["findings"].as_array().cloned().unwrap_or_default();
    let finding = findings.iter().find(|f| f["check"] == check).unwrap_or_else(|| panic!("no {check}: {run:?}"));
    (finding["verdict"].as_str().unwrap().to_owned(), finding.to_string())
}

#[test]
fn without_evidence_nothing_passes_and_with_it_the_report_decides() {
    let (sea, engine) = (Sea::new(), engine());
    let audit = |more: &[&str]| {
        let host = engine.host();
        let mut arguments = vec![
            "audit",
            "--docker",
            &host,
            "-f",
            "json",
            "--all",
            "--check",
            "docker/image/scanned,docker/image/signed",
        ];
        arguments.extend(more);
        let run = sea.run(&arguments);
        run.ended(0);
        run
    };
    let run = audit(&[]);
    for check in ["docker/image/scanned", "docker/image/signed"] {
        let (verdict, finding) = verdict(&run, check);
        assert_eq!(verdict, "unknown");
        assert!(finding.contains("--evidence FILE"), "{finding}");
    }
    sea.write("trivy.json", fresh(&fixture("trivy.json")));
    sea.write("signed.json", fixture("cosign.json"));
    let run = audit(&["--evidence", "trivy.json", "--evidence", "signed.json"]);
    let (scanned, finding) = verdict(&run, "docker/image/scanned");
    assert_eq!(scanned, "fail");
    assert!(finding.contains("evidence trivy.json"), "{finding}");
    assert_eq!(verdict(&run, "docker/image/signed").0, "pass");
    let clean = fresh(&fixture("trivy.json")).replace("3.0.17-1~deb12u2", "");
    sea.write("trivy.json", clean);
    assert_eq!(verdict(&audit(&["--evidence", "trivy.json"]), "docker/image/scanned").0, "pass");
    sea.write("old.json", fixture("trivy.json").replace("2026-11-10", "2020-01-01"));
    let (scanned, finding) = verdict(&audit(&["--evidence", "old.json"]), "docker/image/scanned");
    assert_eq!(scanned, "unknown");
    assert!(finding.contains("old.json is of 2020-01-01") && finding.contains("stale"), "{finding}");
    sea.write(
        "other.json",
        fresh(&fixture("trivy.json"))
            .replace(&"1".repeat(64), &"8".repeat(64))
            .replace(&"2".repeat(64), &"9".repeat(64)),
    );
    let run = audit(&["--evidence", "other.json"]);
    assert_eq!(verdict(&run, "docker/image/scanned").0, "unknown");
    assert!(run.out.contains("evidence other.json") && run.out.contains("no image here has the digest"), "{run:?}");
}

#[test]
fn evidence_is_stored_by_collect_and_taken_by_from() {
    let (sea, engine) = (Sea::new(), engine());
    sea.write("trivy.json", fresh(&fixture("trivy.json")));
    sea.run(&["collect", "--docker", &engine.host(), "-o", "plain.json"]).ended(0);
    sea.run(&["collect", "--docker", &engine.host(), "--evidence", "trivy.json", "-o", "with.json"]).ended(0);
    let audit = |more: &[&str]| {
        let mut arguments = vec!["audit", "-f", "json", "--all", "--check", "docker/image/scanned", "--from"];
        arguments.extend(more);
        let run = sea.run(&arguments);
        run.ended(0);
        verdict(&run, "docker/image/scanned").0
    };
    assert_eq!(audit(&["plain.json"]), "unknown");
    assert_eq!(audit(&["plain.json", "--evidence", "trivy.json"]), "fail");
    assert_eq!(audit(&["with.json"]), "fail");
    sea.run(&["assess", "--demo", "--evidence", "trivy.json"]).ended(0);
}

#[test]
fn what_is_no_evidence_is_an_error_of_usage() {
    let sea = Sea::new();
    sea.write("text.json", "not a report");
    sea.write("sarif.json", "{\"version\": \"2.1.0\", \"runs\": []}");
    for (file, words) in [
        ("text.json", "evidence text.json: not JSON"),
        ("sarif.json", "evidence sarif.json: neither"),
        ("missing.json", "evidence missing.json: "),
        (".", "evidence .: is a directory"),
    ] {
        for command in ["audit", "assess", "collect"] {
            sea.run(&[command, "--demo", "--evidence", file]).failed_with(words);
        }
    }
}
