//! SIGKILL at every line of the journal: the host is wholly as it was, or wholly as it was planned, and status says which.

use std::path::PathBuf;

use seaworthy_bed::{Spec, Version};
use serde_json::{Value, json};

use crate::bed::{Bed, chmod, is};

/// What a plan touches, as it is now.
#[derive(Clone, Debug, PartialEq)]
struct Host {
    daemon_json: Option<(u32, u32, u32, Vec<u8>)>,
    debug: Value,
    memory: Value,
    running: Value,
}

struct Case {
    bed: Bed,
    plan: PathBuf,
    before: Host,
}

impl Case {
    /// A host with a careless file, a reloadable setting and an unlimited container.
    fn start() -> Option<Self> {
        let spec = Spec { daemon_json: Some("{\n  \"debug\": true\n}\n".into()), ..Spec::default() };
        let bed = Bed::start(Version::V20, spec)?;
        chmod(&bed.daemon.daemon_json(), 0o666);
        bed.run_container("web", json!({}));
        let checks = "daemon-json-mode,debug-off,memory-limited";
        let plan = bed.plan("plan.json", &["--check", checks, "--set", "web:memory=64m"]);
        assert_eq!(bed.read(&plan)["left_out"], json!([]));
        let before = Self::host(&bed);
        Some(Self { bed, plan, before })
    }

    fn host(bed: &Bed) -> Host {
        let (_, info) = bed.daemon.request("GET", "/info", None);
        let web = bed.daemon.inspect("web");
        Host {
            daemon_json: is(&bed.daemon.daemon_json()),
            debug: info["Debug"].clone(),
            memory: json!(bed.memory("web")),
            running: web["State"]["Running"].clone(),
        }
    }

    fn now(&self) -> Host {
        Self::host(&self.bed)
    }
}

/// Ends a run of `harden` at the n-th line that it has put on disk.
fn killed_at(case: &Case, n: usize, arguments: &[&str]) -> bool {
    let run = case.bed.under(&format!("fdatasync:signal=SIGKILL:when={n}"), arguments);
    run.code.is_none() || run.code == Some(137)
}

#[test]
fn an_apply_that_is_killed_anywhere_is_taken_back_as_a_whole() {
    let Some(case) = Case::start() else { return };
    let plan = case.plan.display().to_string();
    let arguments = ["apply", &plan, "--allow-disruptive", "--confirm-within", "1h"];
    let mut kills = 0;
    for n in 1.. {
        assert!(n < 60, "it is never through");
        let is_killed = killed_at(&case, n, &arguments);
        if !is_killed {
            break;
        }
        kills += 1;
        // By turns its guard takes it back, or the guard dies too and the next command does.
        if n % 2 == 0 {
            case.bed.kill_guards();
        }
        case.bed.until("it is settled", || !case.bed.states().iter().any(|s| s == "working" || s == "interrupted"));
        let (code, status) = case.bed.status();
        if code == Some(7) {
            // Killed behind the last line: it is wholly done, and awaits confirmation.
            assert_ne!(case.now(), case.before, "killed at line {n}: {status}");
            case.bed.harden(&["rollback"]).ended(0);
        }
        assert_eq!(case.now(), case.before, "killed at line {n}: {status}");
        assert_eq!(case.bed.status().0, Some(0), "killed at line {n}: {status}");
    }
    assert!(kills >= 9, "only {kills} lines were written");
    // The last one was not killed.
    assert_eq!(case.bed.status().0, Some(7));
    let after = case.now();
    assert_ne!(after, case.before);

    // Confirming that is killed has confirmed, or has not: never half.
    for n in 1.. {
        if !killed_at(&case, n, &["confirm"]) {
            break;
        }
        assert!(n < 10, "it is never through");
        case.bed.kill_guards();
        assert_eq!(case.now(), after, "killed at line {n}");
        if case.bed.status().0 == Some(0) {
            break;
        }
    }
    assert_eq!(case.bed.status().0, Some(0));
    assert_eq!(case.now(), after);

    // A rollback that is killed goes on where it was.
    let (_, status) = case.bed.status();
    let id = status["transactions"][0]["transaction"].as_str().unwrap().to_owned();
    for n in 1.. {
        assert!(n < 60, "it is never through");
        if !killed_at(&case, n, &["rollback", &id]) {
            break;
        }
        case.bed.until("it is settled", || case.bed.status().0 == Some(0));
        assert_eq!(case.now(), case.before, "killed at line {n}");
    }
    assert_eq!(case.now(), case.before);
}

#[test]
fn recovery_that_is_killed_is_recovered() {
    let Some(case) = Case::start() else { return };
    let plan = case.plan.display().to_string();
    let arguments = ["apply", &plan, "--allow-disruptive", "--confirm-within", "1h"];
    for n in 1.. {
        assert!(n < 60, "it is never through");
        // Half-way: after the second change was announced.
        assert!(killed_at(&case, 7, &arguments), "the apply was not killed");
        case.bed.kill_guards();
        let is_killed = killed_at(&case, n, &["status"]);
        case.bed.until("it is settled", || case.bed.status().0 == Some(0));
        assert_eq!(case.now(), case.before, "killed at line {n}");
        if !is_killed {
            break;
        }
    }
}
