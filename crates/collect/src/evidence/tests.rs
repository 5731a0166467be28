//! Real-shaped documents of each tool, and what they must not prove.

use seaworthy_core::schema::docker::DAEMON;
use serde_json::{Value as Json, json};

use super::*;

const TRIVY: &str = include_str!("../../fixtures/evidence/trivy.json");
const GRYPE: &str = include_str!("../../fixtures/evidence/grype.json");
const BOM: &str = include_str!("../../fixtures/evidence/cyclonedx.json");
const COSIGN: &str = include_str!("../../fixtures/evidence/cosign.json");

/// 2026-11-20.
const NOW: i64 = 1_795_132_800;

fn hex(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

/// The image that the fixtures are about, and one of the same name.
fn snapshot() -> Snapshot {
    let image = |id: &str, tags: &[&str], digests: &[String]| {
        let mut image = Component::new(&IMAGE, id, tags.first().copied().unwrap_or("none"));
        image.set("tags", Value::strings(tags.to_vec()), Source::place("test"));
        image.set("digests", Value::strings(digests.iter().map(String::as_str)), Source::place("test"));
        image.set("platform", "linux/amd64", Source::place("test"));
        none(&mut image);
        image
    };
    let mut target = Target::new("local", "docker", "unix:///run/docker.sock");
    target.components = vec![
        Component::new(&DAEMON, "engine", "engine"),
        image(&hex('1'), &["old:1"], &[format!("registry.example.com/app@{}", hex('2'))]),
        image(&hex('5'), &["registry.example.com/app:1"], &[]),
        image(&hex('6'), &["other:1"], &[]),
    ];
    Snapshot { tool: "0".into(), collected_at: NOW, targets: vec![target] }
}

fn applied(files: &[(&str, String)]) -> Snapshot {
    let evidence: Vec<Evidence> =
        files.iter().map(|(name, text)| parse(name, text.as_bytes()).expect("a document")).collect();
    let mut snapshot = snapshot();
    apply(&mut snapshot, &evidence);
    snapshot
}

fn fact(snapshot: &Snapshot, image: usize, name: &str) -> String {
    snapshot.targets[0].components[image].value(name).to_string()
}

/// A fixture with one place of it changed.
fn changed(text: &str, pointer: &str, value: Json) -> String {
    let mut json: Json = serde_json::from_str(text).expect("a fixture");
    *json.pointer_mut(pointer).expect("a place in the fixture") = value;
    json.to_string()
}

#[test]
fn every_tool_says_the_same_of_the_image_with_its_digest() {
    for (tool, text, scanner, unfixed) in [
        ("trivy", TRIVY, "Trivy 0.69.1", 1),
        ("grype", GRYPE, "Grype 0.104.0", 1),
        ("bom", BOM, "trivy 0.69.1 (CycloneDX)", 0),
    ] {
        let snapshot = applied(&[("report.json", text.to_owned())]);
        assert_eq!(fact(&snapshot, 1, "vulnerabilities_critical"), (1 + unfixed).to_string(), "{tool}");
        assert_eq!(fact(&snapshot, 1, "vulnerabilities_high"), "0", "{tool}");
        assert_eq!(fact(&snapshot, 1, "vulnerabilities_fixable"), "1", "{tool}");
        assert_eq!(fact(&snapshot, 1, "scanner"), scanner);
        let list = fact(&snapshot, 1, "vulnerabilities");
        let first = "[{id: CVE-2026-0001, severity: critical, package: ";
        assert!(
            list.starts_with(first) && list.contains("openssl 3.0.15-1~deb12u1, fixed: 3.0.17-1~deb12u2}"),
            "{list}"
        );
        let days = if tool == "grype" { "10" } else { "9" };
        assert_eq!(fact(&snapshot, 1, "scanned_days"), days, "{tool}: by the database, where that is older");
        let source = snapshot.targets[0].components[1].fact("vulnerabilities").source.to_string();
        let date = if tool == "grype" { "2026-11-09" } else { "2026-11-10" };
        assert_eq!(source, format!("evidence report.json: {date}"));
        assert!(snapshot.targets[0].gaps.is_empty());
        // A name is said and proves nothing.
        let other = fact(&snapshot, 2, "vulnerabilities_fixable");
        assert!(other.contains("report.json is about another digest of this name: sha256:"), "{other}");
        assert!(fact(&snapshot, 3, "vulnerabilities").contains("no vulnerability report was given"));
        assert!(fact(&snapshot, 1, "signature_verified").contains("no verified signature was given"));
    }
    assert_eq!(fact(&applied(&[("t", TRIVY.into())]), 1, "os_ended"), "false");
    assert_eq!(fact(&applied(&[("g", GRYPE.into())]), 1, "os_ended"), "none");
    let ended = changed(TRIVY, "/Metadata/OS", json!({"Family": "debian", "Name": "9", "EOSL": true}));
    assert_eq!(fact(&applied(&[("t", ended)]), 1, "os_ended"), "true");
}

#[test]
fn a_signature_counts_for_its_digest_without_a_date() {
    let snapshot = applied(&[("signed.json", COSIGN.to_owned())]);
    assert_eq!(fact(&snapshot, 1, "signature_verified"), "true");
    assert!(
        fact(&snapshot, 1, "signed_by").starts_with("[https://github.com/example/app/.github/workflows/release.yml")
    );
    assert!(fact(&snapshot, 2, "signature_verified").contains("signed.json is about another digest of this name"));
    // As cosign prints them for several images, and with a key.
    let key = COSIGN.replace("\"optional\":{", "\"optional\":null,\"was\":{").replace(&hex('2'), &hex('6'));
    let snapshot = applied(&[("signed.json", format!("\n{COSIGN}\n{key}\n"))]);
    assert_eq!(fact(&snapshot, 1, "signature_verified"), "true");
    assert_eq!(fact(&snapshot, 3, "signature_verified"), "true", "containerd's store has manifests as ids");
    assert_eq!(fact(&snapshot, 3, "signed_by"), "[a key that the record does not name]");
}

#[test]
fn what_is_old_undated_or_of_another_platform_proves_nothing() {
    for (place, value, expected) in [
        (
            "/CreatedAt",
            json!("2026-10-01T00:00:00Z"),
            "is of 2026-10-01, 50 days old; after 30 it is stale: scan again",
        ),
        ("/CreatedAt", json!("2027-06-01T00:00:00Z"), "193 days after this snapshot: collect again"),
        ("/CreatedAt", json!("yesterday"), "does not say when it was made"),
        ("/CreatedAt", json!(7), "does not say when it was made"),
        ("/Metadata/ImageConfig/architecture", json!("arm64"), "is about this image for linux/arm64"),
        ("/Metadata/ImageID", json!(hex('7')), "another digest of this name: sha256:7777"),
        ("/Results", json!(null), "it holds no result of a scan of packages"),
        ("/Results/0/Class", json!("lang-pkgs"), "it leaves out the packages of the distribution"),
        ("/Results", json!([{"Class": "secret", "Target": "/key"}]), "it holds no result of a scan of packages"),
    ] {
        let snapshot = applied(&[("t.json", changed(TRIVY, place, value))]);
        for name in ["vulnerabilities", "vulnerabilities_critical", "vulnerabilities_high", "vulnerabilities_fixable"] {
            let found = fact(&snapshot, 1, name);
            assert!(found.starts_with("unknown (t.json") && found.contains(expected), "{place}: {found}");
        }
    }
    let snapshot = applied(&[("t.json", changed(TRIVY, "/CreatedAt", json!("2026-10-01T00:00:00Z")))]);
    assert_eq!(fact(&snapshot, 1, "scanned_days"), "50", "its age is known all the same");
    let old_database = changed(GRYPE, "/descriptor/db/status/built", json!("2026-01-01T00:00:00Z"));
    assert!(fact(&applied(&[("g", old_database)]), 1, "vulnerabilities_fixable").contains("stale"));
    let only = changed(GRYPE, "/descriptor/configuration/only-notfixed", json!(true));
    assert!(fact(&applied(&[("g", only)]), 1, "vulnerabilities_fixable").contains("leaves out what has a fix"));
    // An SBOM that nobody scanned has an empty list, or none.
    let bom = changed(BOM, "/vulnerabilities", json!([]));
    assert!(
        fact(&applied(&[("b", bom)]), 1, "vulnerabilities_fixable")
            .contains("nothing in it says that any were looked for")
    );
    let clean = changed(TRIVY, "/Results/0/Vulnerabilities", json!(null));
    assert_eq!(fact(&applied(&[("t", clean)]), 1, "vulnerabilities_fixable"), "0");
}

#[test]
fn several_reports_add_up_and_the_newest_of_a_tool_counts() {
    let stale = changed(TRIVY, "/CreatedAt", json!("2026-10-01T00:00:00Z"));
    let clean = changed(TRIVY, "/Results/0/Vulnerabilities", json!([]));
    let older = changed(TRIVY, "/CreatedAt", json!("2026-11-01T00:00:00Z"));
    let files = [("stale", stale.clone()), ("older", older), ("clean", clean)];
    for files in [files.clone(), [files[2].clone(), files[0].clone(), files[1].clone()]] {
        let snapshot = applied(&files);
        assert_eq!(fact(&snapshot, 1, "vulnerabilities_fixable"), "0", "fixed meanwhile, by a newer database");
        assert_eq!(fact(&snapshot, 1, "scanner"), "Trivy 0.69.1");
    }
    let both = applied(&[("stale", stale), ("g", GRYPE.to_owned()), ("c", COSIGN.to_owned())]);
    assert_eq!(fact(&both, 1, "scanner"), "Grype 0.104.0");
    assert_eq!(fact(&both, 1, "signature_verified"), "true");
    let both = applied(&[("t", TRIVY.to_owned()), ("g", GRYPE.to_owned())]);
    assert_eq!(fact(&both, 1, "scanner"), "Trivy 0.69.1, Grype 0.104.0");
    assert_eq!(fact(&both, 1, "vulnerabilities_critical"), "2", "each once");
}

#[test]
fn what_a_snapshot_holds_stays_where_nothing_is_given() {
    let mut snapshot = applied(&[("t.json", TRIVY.to_owned()), ("c.json", COSIGN.to_owned())]);
    let written = |snapshot: &Snapshot| {
        let mut bytes = Vec::new();
        seaworthy_core::snapshot_json::write(snapshot, &mut bytes).expect("written");
        String::from_utf8(bytes).expect("text")
    };
    let before = written(&snapshot);
    apply(&mut snapshot, &[]);
    assert_eq!(before, written(&snapshot));
    assert!(fact(&snapshot, 2, "vulnerabilities").contains("t.json is about another digest"));
    // What was collected before there was evidence says so all the same.
    let mut image = Component::new(&IMAGE, "sha256:x", "x");
    image.set("tags", Value::List(Vec::new()), Source::place("test"));
    snapshot.targets[0].components = vec![image];
    apply(&mut snapshot, &[]);
    assert!(fact(&snapshot, 0, "vulnerabilities_fixable").contains("--evidence FILE"));
}

#[test]
fn what_is_about_no_image_is_a_gap_that_names_its_file() {
    let elsewhere = TRIVY.replace(&hex('1'), &hex('8')).replace(&hex('2'), &hex('9'));
    let nameless = changed(&changed(TRIVY, "/Metadata", json!({})), "/ArtifactName", json!("."));
    let snapshot = applied(&[("a.json", elsewhere), ("b.json", nameless), ("c.json", COSIGN.to_owned())]);
    let gaps: Vec<String> = snapshot.targets[0].gaps.iter().map(|g| format!("{}: {}", g.source, g.reason)).collect();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert!(gaps[0].starts_with("evidence a.json: no image here has the digest that it is about (sha256:"), "{gaps:?}");
    assert!(gaps[1].starts_with("evidence b.json: it names no digest of an image"), "{gaps:?}");
}

#[test]
fn what_is_no_evidence_is_refused_in_one_line() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for (text, words) in [
        ("", "it is empty"),
        ("hello S3CRET", "not JSON (line 1"),
        (&TRIVY[..TRIVY.len() / 2], "it ends at line"),
        ("{}", "neither a JSON report"),
        ("[]", "an empty list"),
        ("[{}]", "neither a JSON report"),
        ("[1, null, \"S3CRET\"]", "neither a JSON report"),
        ("7", "not as Trivy"),
        ("\"S3CRET\"", "not as Trivy"),
        (r#"{"spdxVersion": "SPDX-2.3"}"#, "neither a JSON report"),
        (r#"{"version": "2.1.0", "runs": []}"#, "neither a JSON report"),
        (r#"{"SchemaVersion": 1, "ArtifactName": "x"}"#, "a report of Trivy with schema 1"),
        (r#"{"SchemaVersion": 2, "Results": "S3CRET"}"#, "not as Trivy"),
        (r#"{"SchemaVersion": 2, "Results": [{"Vulnerabilities": [7]}]}"#, "not as Trivy"),
        (r#"{"SchemaVersion": 2, "SchemaVersion": 2}"#, "not as Trivy"),
        (r#"{"bomFormat": "CycloneDX", "specVersion": "1.3"}"#, "CycloneDX 1.3; 1.4, 1.5 and 1.6 are read"),
        (r#"{"critical": {"image": {"docker-manifest-digest": "latest"}}}"#, "neither a JSON report"),
        (r#"{"matches": [], "descriptor": {"name": "other"}}"#, "neither a JSON report"),
        (&deep, "neither a JSON report"),
    ] {
        let error = parse("f.json", text.as_bytes()).expect_err(text);
        assert!(error.starts_with("evidence f.json: ") && error.contains(words), "{text:.60}: {error}");
        assert!(!error.contains("S3CRET") && !error.contains('\n'), "{error}");
    }
    assert!(parse("f", &b"\xff\xfe{\0}\0"[..]).is_err());
    assert!(parse("f", &[0u8; 4096][..]).is_err());
    let error = read(Path::new("/")).expect_err("a directory");
    assert!(error.starts_with("evidence /: ") && error.contains("directory"), "{error}");
    assert!(read(Path::new("/no/such")).is_err());
}

#[test]
fn a_huge_report_is_counted_and_kept_small() {
    let one = |n: usize| {
        format!(
            r#"{{"VulnerabilityID":"CVE-{n}","PkgName":"p{}","Severity":"HIGH","Title":"{}"}}"#,
            "x".repeat(1000),
            "y".repeat(200)
        )
    };
    let all: Vec<String> = (0..3000).map(one).collect();
    let text = changed(TRIVY, "/Results", json!([])).replace(
        "\"Results\":[]",
        &format!("\"Results\":[{{\"Class\":\"os-pkgs\",\"Vulnerabilities\":[{}]}}]", all.join(",")),
    );
    let snapshot = applied(&[("t", text)]);
    assert_eq!(fact(&snapshot, 1, "vulnerabilities_high"), "3000");
    let list = snapshot.targets[0].components[1].value("vulnerabilities").as_list().expect("a list");
    assert_eq!(list.len(), 200);
    assert!(list.iter().all(|v| v.field("package").and_then(Value::as_str).is_some_and(|p| p.len() <= 256)));
    // Beyond the limit nothing is read, however it goes on.
    for endless in [b' ', b'[', b'7'] {
        let error = parse_within(std::io::repeat(endless), 1 << 20).expect_err("endless");
        assert!(error.contains("larger than 1 MiB"), "{error}");
    }
    assert!(parse_within(COSIGN.as_bytes(), COSIGN.len() as u64).is_ok());
    assert!(parse_within(COSIGN.as_bytes(), COSIGN.len() as u64 - 1).is_err());
}

#[test]
fn tokens_in_a_report_go_no_further() {
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let text = changed(TRIVY, "/Results/0/Vulnerabilities/0/PkgName", json!(token));
    let text = changed(&text, "/Trivy/Version", json!(token));
    let snapshot = applied(&[("t", text)]);
    assert!(!format!("{snapshot:?}").contains(&token));
}
