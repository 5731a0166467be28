//! Dockerfiles given as paths, with the program itself: no engine is asked, each says where, and none stops the others.

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{FORMATS, Fake, Run, Sea, small_engine};
use serde_json::{Value, json};

const GOOD: &str = "FROM golang:1.27@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa AS build
RUN --mount=type=secret,id=token go build -o /app ./...
FROM scratch
COPY --from=build /app /app
HEALTHCHECK CMD [\"/app\", \"health\"]
USER 10001:10001
";

const BAD: &str = "# syntax=example.com/frontend:1
FROM alpine
ARG NPM_TOKEN
ADD https://example.com/tool /usr/bin/tool
ADD . /app
RUN apk update
RUN curl -k https://example.com/install | sh
ENV DB_PASSWORD=hunter2hunter2
EXPOSE 22
HEALTHCHECK NONE
USER 0
";

/// Every check of Dockerfiles with its verdict on one of them.
fn verdicts(run: &Run, file: &str) -> Vec<(String, String)> {
    let findings = run.json()["findings"].as_array().cloned().unwrap_or_default();
    let of_file = findings.iter().filter(|f| f["component"]["name"] == file);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = of_file.map(|f| (text(&f["check"]), text(&f["verdict"]))).collect();
    found.sort();
    found
}

fn wrong(found: &[(String, String)], expected: &str) -> Vec<String> {
    assert!(found.len() >= 14, "{found:?}");
    found
        .iter()
        .filter(|(_, verdict)| verdict != expected)
        .map(|(check, verdict)| format!("{check} {verdict}"))
        .collect()
}

/// Files of one mode in a folder of one mode, whatever the umask.
fn place(sea: &Sea, name: &str, text: &str, mode: u32) {
    let path = sea.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode & 0o666)).unwrap();
    std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_good_file_passes_and_a_bad_one_fails_every_check() {
    let sea = Sea::new();
    place(&sea, "good/Dockerfile", GOOD, 0o755);
    sea.write("good/.dockerignore", ".git\n");
    place(&sea, "bad/Dockerfile", BAD, 0o777);
    let run = sea.run(&["audit", "good", "./bad/Dockerfile", "-f", "json", "--all"]);
    run.ended(0);
    assert_eq!(wrong(&verdicts(&run, "good/Dockerfile"), "pass"), Vec::<String>::new(), "{run:?}");
    assert_eq!(wrong(&verdicts(&run, "bad/Dockerfile"), "fail"), Vec::<String>::new(), "{run:?}");
    assert!(!run.out.contains("hunter2"));
    let targets = run.json()["targets"].clone();
    let names: Vec<_> =
        targets.as_array().unwrap().iter().map(|t| (t["platform"].clone(), t["name"].clone())).collect();
    assert_eq!(names, [(json!("files"), json!("good")), (json!("files"), json!("bad/Dockerfile"))]);
    sea.run(&["audit", "good", "--fail-on", "low"]).ended(0);
    sea.run(&["audit", "good", "bad", "--fail-on", "high"]).ended(1);
}

#[test]
fn sarif_shows_file_line_and_column() {
    let sea = Sea::new();
    place(&sea, "app/Dockerfile", BAD, 0o755);
    let run = sea.run(&["audit", "app", "-f", "sarif"]);
    run.ended(0);
    let log = run.json();
    let of = |check: &str| {
        let results = log["runs"][0]["results"].as_array().unwrap();
        let result = results.iter().find(|r| r["ruleId"] == check).unwrap_or_else(|| panic!("no {check}"));
        result["locations"][0]["physicalLocation"].clone()
    };
    for (check, line) in [
        ("docker/dockerfile/base-pinned", 2),
        ("docker/dockerfile/no-secrets", 3),
        ("docker/dockerfile/no-remote-add", 4),
        ("docker/dockerfile/copy-not-add", 5),
        ("docker/dockerfile/no-piped-scripts", 7),
        ("docker/dockerfile/no-ssh-port", 9),
    ] {
        let expected =
            json!({"artifactLocation": {"uri": "app/Dockerfile"}, "region": {"startLine": line, "startColumn": 1}});
        assert_eq!(of(check), expected, "{check}");
    }
}

#[test]
fn no_engine_is_asked_unless_it_is_named() {
    let (sea, engine) = (Sea::new(), Fake::of(small_engine()));
    sea.write("Dockerfile", GOOD);
    let platforms = |arguments: &[&str]| {
        let mut command = sea.command(arguments);
        // Whoever asked the default engine would find this one.
        command.env("DOCKER_HOST", engine.host());
        let run = common::run(command);
        run.ended(0);
        let targets = run.json()["targets"].as_array().cloned().unwrap_or_default();
        targets.iter().map(|t| t["platform"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(platforms(&["audit", ".", "-f", "json"]), ["files"]);
    assert_eq!(platforms(&["audit", "--only", "docker", "-f", "json"]), ["docker"]);
    assert_eq!(platforms(&["audit", "Dockerfile", "--docker", &engine.host(), "-f", "json"]), ["docker", "files"]);
    assert_eq!(platforms(&["audit", "--demo", "Dockerfile", "-f", "json"]), ["docker", "files"]);
    sea.run(&["collect", ".", "-o", "s.json"]).ended(0);
    assert_eq!(platforms(&["assess", "--from", "s.json", "-f", "json"]), ["files"]);
}

#[test]
fn what_is_no_dockerfile_is_unknown_in_every_format_and_the_others_go_on() {
    let sea = Sea::new();
    sea.write("Dockerfile", GOOD);
    sea.write("Dockerfile.binary", b"\x7fELF\0\0");
    sea.write("Dockerfile.huge", vec![b'#'; (1 << 20) + 1]);
    sea.write("Dockerfile.open", "FROM a\nRUN <<EOF\nsecret=hunter2hunter2\n");
    sea.write("Dockerfile.utf16", b"\xff\xfeF\0R\0O\0M\0");
    sea.write("Dockerfile.latin", b"FROM a\nRUN \xe9\n");
    sea.write("Dockerfile.\u{1b}[31m\nx", "FROM a\nUSER 1\n");
    let run = sea.run(&["audit", ".", "-f", "json", "--all"]);
    run.ended(0);
    for (file, words) in [
        ("Dockerfile.binary", "it is binary"),
        ("Dockerfile.huge", "larger than 1048576 bytes"),
        ("Dockerfile.open", "the here-document of line 2 does not end"),
        ("Dockerfile.utf16", "it is UTF-16"),
        ("Dockerfile.latin", "it is not UTF-8 in line 2"),
    ] {
        let found = verdicts(&run, file);
        for check in ["non-root-user", "no-secrets", "base-pinned", "no-unverified-fetches"] {
            let id = format!("docker/dockerfile/{check}");
            assert!(found.contains(&(id.clone(), "unknown".to_owned())), "{file} {id}: {found:?}");
        }
        assert!(run.out.contains(words), "{words}");
    }
    assert!(verdicts(&run, "Dockerfile").contains(&("docker/dockerfile/non-root-user".into(), "pass".into())));
    for format in FORMATS {
        let run = sea.run(&["audit", ".", "-f", format, "--gaps", "--all"]);
        run.ended(0);
        assert!(!run.out.contains("hunter2") && !run.out.contains('\u{1b}'), "{format}");
    }
    sea.run(&["audit", ".", "--fail-on", "high"]).ended(3);
}

#[test]
fn a_path_at_which_there_is_nothing_is_an_error_of_usage() {
    let sea = Sea::new();
    std::fs::create_dir(sea.dir().join("empty")).unwrap();
    sea.run(&["audit", "nothing"]).failed_with("nothing: not there");
    sea.run(&["assess", "empty"]).failed_with("empty: no Dockerfile is in it");
}
