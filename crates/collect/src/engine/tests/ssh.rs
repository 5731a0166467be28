//! `ssh://` with a program that stands in for `ssh`: the test has no other host to log in to.

use std::fs;

use super::*;

/// A directory with an executable `ssh` of the given shell script, as `PATH`.
fn fake_ssh(script: &str) -> (TempDir, Environment) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("ssh");
    seaworthy_bed::write_program(&program, format!("#!/bin/sh\n{script}\n").as_bytes());
    let environment = Environment { path: dir.path().into(), ..Environment::default() };
    (dir, environment)
}

fn over_ssh(host: &str, environment: &Environment) -> Endpoint {
    let wanted = Wanted { host: Some(host.into()), context: None };
    let resolved = resolve(&wanted, environment).unwrap();
    assert!(!resolved.is_local);
    resolved.endpoint
}

/// Answers `/version`, then every other request with the arguments that `ssh` was given.
const ENGINE: &str = r#"
args=$(printf '%s|' "$@")
answer() { printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' "${#1}" "$1"; }
while IFS= read -r line; do
    case "$line" in
        "GET /version "*) reply='{"ApiVersion":"1.44"}' ;;
        "GET "*) reply="\"$args\"" ;;
        "$(printf '\r')") answer "$reply" ;;
    esac
done
"#;

#[tokio::test]
async fn speaks_http_through_ssh() {
    let (_dir, environment) = fake_ssh(ENGINE);
    let endpoint = over_ssh("ssh://me@engine.example:2222/run/a%20b.sock", &environment);
    let engine = Engine::connect(&endpoint, small()).await.unwrap();
    assert_eq!(
        engine.get("/x").await.unwrap(),
        json!(
            "-l|me|-p|2222|-o|ConnectTimeout=30|-o|BatchMode=yes|-T|--|engine.example|docker '--host=unix:///run/a b.sock' system dial-stdio|"
        )
    );
}

#[tokio::test]
async fn what_ssh_complains_of_is_the_reason() {
    let (_dir, environment) = fake_ssh(
        "printf 'some banner\\n\\n\\033[31mme@h: Permission denied (publickey).\\n' >&2; yes x | head -c 100000 >&2; echo end >&2; exit 255",
    );
    let failure = Engine::connect(&over_ssh("ssh://me@h", &environment), small()).await.unwrap_err();
    let line = failure.to_string();
    assert!(matches!(failure, Failure::Ssh { .. }) && line.ends_with("x; end"), "{line}");
    let (_dir, environment) = fake_ssh("printf '\\033[31mPermission denied (publickey).\\n' >&2; exit 255");
    let line = Engine::connect(&over_ssh("ssh://me@h", &environment), small()).await.unwrap_err().to_string();
    assert!(line.contains("\\u{1b}[31mPermission denied (publickey)."), "{line}");
    assert!(!line.contains(char::is_control), "{line}");
}

#[tokio::test]
async fn a_silent_end_of_ssh_ended_early() {
    let (_dir, environment) = fake_ssh("exit 0");
    let failure = Engine::connect(&over_ssh("ssh://h", &environment), small()).await.unwrap_err();
    assert!(matches!(failure, Failure::EndedEarly { .. }), "{failure}");
}

#[tokio::test]
async fn without_an_ssh_program_that_is_told() {
    let failure = Engine::connect(&over_ssh("ssh://h", &Environment::default()), small()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Ssh { why, .. } if why.contains("PATH")), "{failure}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ssh"), "not executable").unwrap();
    let environment = Environment { path: dir.path().into(), ..Environment::default() };
    let failure = Engine::connect(&over_ssh("ssh://h", &environment), small()).await.unwrap_err();
    assert!(matches!(failure, Failure::Ssh { .. }), "{failure}");
}

#[tokio::test]
async fn ssh_ends_with_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let (_dir, environment) = fake_ssh(&format!("echo $$ > {}\n{ENGINE}", pid_file.display()));
    let engine = Engine::connect(&over_ssh("ssh://h", &environment), small()).await.unwrap();
    let pid = fs::read_to_string(&pid_file).unwrap().trim().to_owned();
    let alive = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"));
    assert!(alive());
    drop(engine);
    for _ in 0..500 {
        if !alive() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("ssh {pid} still runs");
}
