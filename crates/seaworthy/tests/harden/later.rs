//! What others do with containers meanwhile is theirs: while something is applied, and before it is taken back long after.

use serde_json::json;

use seaworthy_bed::{Spec, Version};

use crate::bed::{Bed, chmod, is};

fn newest(bed: &Bed) -> String {
    let (_, status) = bed.status();
    status["transactions"][0]["transaction"].as_str().unwrap().to_owned()
}

fn runs(bed: &Bed, name: &str) -> bool {
    bed.daemon.inspect(name)["State"]["Running"] == true
}

fn done(bed: &Bed, method: &str, path: &str) {
    let (status, answer) = bed.daemon.request(method, path, None);
    assert_eq!(status, 204, "{path}: {answer}");
}

#[test]
fn containers_that_others_removed_or_stopped_since_are_not_missed_when_a_restart_is_taken_back() {
    for version in [Version::V20, Version::V29] {
        let Some(bed) = Bed::start(version, Spec::default()) else { continue };
        let quick = json!({ "StopSignal": "SIGKILL" });
        for name in ["removed", "stopped", "stays"] {
            bed.run_container(name, quick.clone());
        }
        let plan = bed.plan("plan.json", &["--check", "daemon/no-new-privileges"]);
        bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
        assert!(["removed", "stopped", "stays"].iter().all(|name| runs(&bed, name)));
        done(&bed, "DELETE", "/containers/removed?force=1");
        done(&bed, "POST", "/containers/stopped/stop");
        bed.run_container("came", quick);
        let id = newest(&bed);
        let back = bed.harden(&["rollback", &id]);
        assert!(back.ended(0).out.contains("everything is as it was before"), "{back:?}");
        assert_eq!(std::fs::read_to_string(bed.daemon.daemon_json()).unwrap(), "{}");
        assert_eq!(["stopped", "stays", "came"].map(|name| runs(&bed, name)), [false, true, true], "{version:?}");
        assert_eq!(bed.verdict("daemon/no-new-privileges", ""), "fail");
        // As often as one likes, and others can be begun.
        bed.harden(&["rollback", &id]).ended(0);
        let again = bed.plan("again.json", &["--check", "daemon/no-new-privileges"]);
        bed.apply(&again, &["--confirm-within", "0"]).ended(0);
        bed.harden(&["rollback", &newest(&bed)]).ended(0);
    }
}

#[test]
fn an_engine_that_others_restarted_since_is_not_given_containers_of_long_ago() {
    let Some(mut bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let quick = json!({ "StopSignal": "SIGKILL" });
    bed.run_container("removed", quick.clone());
    bed.run_container("down", quick);
    // A reload: nothing stops.
    let plan = bed.plan("plan.json", &["--check", "daemon/live-restore"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    done(&bed, "DELETE", "/containers/removed?force=1");
    bed.daemon.restart().unwrap();
    assert!(!runs(&bed, "down"), "nobody started it again");
    let back = bed.harden(&["rollback", &newest(&bed)]);
    assert!(back.ended(0).out.contains("everything is as it was before"), "{back:?}");
    assert!(!runs(&bed, "down"));
    assert_eq!(bed.verdict("daemon/live-restore", ""), "fail");
}

#[test]
fn what_a_rollback_that_was_cut_short_has_stopped_is_started_by_the_next() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    bed.run_container("web", json!({ "StopSignal": "SIGKILL" }));
    let plan = bed.plan("plan.json", &["--check", "daemon/no-new-privileges"]);
    bed.apply(&plan, &["--confirm-within", "0"]).ended(0);
    let (id, pid) = (newest(&bed), bed.daemon.dir().join("docker.pid"));
    let engine = || std::fs::read_to_string(&pid).ok();
    let old = engine();
    let mut command = bed.command(&["rollback", &id]);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    let mut victim = command.spawn().unwrap();
    // The engine has ended: its containers have as well.
    bed.until("the engine ends", || engine() != old);
    victim.kill().unwrap();
    victim.wait().unwrap();
    bed.until("the next command takes it back", || bed.states() == ["rolled-back"]);
    assert!(runs(&bed, "web"));
    assert_eq!(bed.verdict("daemon/no-new-privileges", ""), "fail");
}

#[test]
fn a_job_that_ends_while_something_else_is_changed_takes_nothing_back() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    bed.run_container("web", json!({}));
    bed.run_container("job", json!({ "HostConfig": { "AutoRemove": true } }));
    chmod(&bed.daemon.daemon_json(), 0o666);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    let arguments = ["apply", plan.to_str().unwrap(), "--confirm-within", "0"];
    // Each line of the journal takes a while, so that there is one in which the job ends.
    let mut command = bed.command_under("fdatasync:delay_exit=500000", &arguments);
    command.stdin(std::process::Stdio::null());
    let running = std::thread::spawn(move || crate::common::run(command));
    let is_begun = || {
        let all = std::fs::read_dir(bed.state.join("tx")).into_iter().flatten().flatten();
        let mut journals = all.filter_map(|e| std::fs::read_to_string(e.path().join("journal")).ok());
        journals.any(|text| text.contains("\"event\":\"intent\""))
    };
    bed.until("it is begun", || is_begun() || running.is_finished());
    let (status, answer) = bed.daemon.request("DELETE", "/containers/job?force=1", None);
    assert_eq!(status, 204, "{answer}");
    let run = running.join().unwrap();
    assert!(run.ended(0).out.contains("the container that ran runs"), "{run:?}");
    assert_eq!(is(&bed.daemon.daemon_json()).unwrap().2, 0o644);
}
