//! ^C, a signal to end and a terminal that closes, at every line of the journal: what was changed is taken back before the
//! program ends, and it says so.

use serde_json::json;

use seaworthy_bed::{Spec, Version};

use crate::bed::{Bed, chmod, is};

#[test]
fn whoever_stops_an_apply_sees_it_taken_back() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let path = bed.daemon.daemon_json();
    chmod(&path, 0o666);
    bed.run_container("web", json!({}));
    let limit = || bed.memory("web");
    let before = (is(&path), limit());
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode,memory-limited", "--set", "web:memory=64m"]);
    let arguments = ["apply", plan.to_str().unwrap(), "--allow-disruptive", "--confirm-within", "1h"];
    let signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    let (mut refused, mut taken_back) = (0, 0);
    for n in 1.. {
        assert!(n < 60, "it is never through");
        let run = bed.under(&format!("fdatasync:signal={}:when={n}", signals[n % 3]), &arguments);
        match run.code {
            // Before anything was changed.
            Some(4) => {
                assert!(run.err.contains("nothing was changed"), "line {n}: {run:?}");
                refused += 1;
            }
            Some(5) => {
                assert!(run.out.contains("told to stop") && run.out.contains("Taken back ("), "line {n}: {run:?}");
                taken_back += 1;
            }
            // At the last line it was done already.
            Some(0) => {
                assert!(run.out.contains("seaworthy harden confirm"), "line {n}: {run:?}");
                bed.harden(&["rollback"]).ended(0);
                break;
            }
            _ => panic!("line {n}: {run:?}"),
        }
        assert_eq!((is(&path), limit()), before, "line {n}: {run:?}");
        assert_eq!(bed.status().0, Some(0), "line {n}");
    }
    assert!(taken_back >= 5, "{refused} refused, {taken_back} taken back");
    assert_eq!((is(&path), limit()), before);
    bed.until("the guards are gone", || bed.guards().is_empty());
}

#[test]
fn whoever_does_not_wait_for_that_ends_it_and_the_guard_takes_back() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let path = bed.daemon.daemon_json();
    chmod(&path, 0o666);
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    let arguments = ["apply", plan.to_str().unwrap(), "--confirm-within", "1h"];
    // At the announcement of the change, and at every line after it.
    let run = bed.under("fdatasync:signal=SIGINT:when=5+", &arguments);
    assert!(matches!(run.code, None | Some(130)), "{run:?}");
    bed.until("the guard takes it back", || bed.states() == ["rolled-back"]);
    assert_eq!((is(&path), bed.status().0), (before, Some(0)));
}

#[test]
fn what_its_caller_has_it_ignore_is_ignored() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    chmod(&bed.daemon.daemon_json(), 0o666);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    // As `nohup` leaves it.
    let mut command = std::process::Command::new("sh");
    let script = "trap '' HUP; strace -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:signal=SIGHUP \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_seaworthy"), "harden", "apply"]);
    command.arg(&plan).args(["--confirm-within", "0", "--state"]).arg(&bed.state);
    command.env("HOME", bed.sea.dir());
    let run = crate::common::run(command);
    assert!(run.ended(0).out.contains("Done, and it stays"), "{run:?}");
    assert_eq!(bed.verdict("daemon-json-mode", ""), "pass");
}
