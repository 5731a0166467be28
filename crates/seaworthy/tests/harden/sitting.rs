//! One sitting: planned, applied, confirmed or not, taken back.

use serde_json::json;

use seaworthy_bed::{Spec, Version};

use crate::bed::{Bed, chmod, is};

#[test]
fn what_is_not_confirmed_is_taken_back_and_what_is_stays() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let path = bed.daemon.daemon_json();
    chmod(&path, 0o666);
    let before = is(&path);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    assert_eq!(bed.verdict("daemon-json-mode", ""), "fail");

    let applied = bed.apply(&plan, &["--confirm-within", "2s"]);
    assert!(applied.ended(0).out.contains("seaworthy harden confirm"), "{applied:?}");
    bed.until("the guard takes it back", || bed.states() == ["rolled-back"]);
    assert_eq!(is(&path), before);
    assert_eq!(bed.verdict("daemon-json-mode", ""), "fail");

    bed.apply(&plan, &["--confirm-within", "1h"]).ended(0);
    assert_eq!(bed.verdict("daemon-json-mode", ""), "pass");
    let second = bed.apply(&plan, &[]);
    assert_eq!(second.code, Some(4), "{second:?}");
    assert!(second.err.contains("awaits confirmation"), "{second:?}");
    let (code, status) = bed.status();
    assert_eq!((code, &status["transactions"][0]["state"]), (Some(7), &json!("awaiting")));
    bed.harden(&["confirm"]).ended(0);
    bed.until("the guard goes", || bed.guards().is_empty());
    assert_eq!(bed.status().0, Some(0));
    assert_eq!(bed.verdict("daemon-json-mode", ""), "pass");

    // A month later: by its id, and as often as one likes.
    let id = status["transactions"][0]["transaction"].as_str().unwrap();
    for _ in 0..2 {
        bed.harden(&["rollback", id]).ended(0);
        assert_eq!(is(&path), before);
    }
    let nothing = bed.harden(&["confirm", id]);
    assert_eq!(nothing.code, Some(2), "{nothing:?}");
    let history = bed.harden(&["history"]);
    assert_eq!(history.ended(0).out.matches("taken back").count(), 2, "{history:?}");
    bed.harden(&["history", "--prune", id]).ended(0);
    assert_eq!(bed.harden(&["rollback", id]).code, Some(2));
}

#[test]
fn a_plan_that_came_to_the_engine_by_a_context_is_proven_on_it() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    chmod(&bed.daemon.daemon_json(), 0o666);
    let before = is(&bed.daemon.daemon_json());
    let context =
        json!({ "Name": "harbour", "Metadata": {}, "Endpoints": { "docker": { "Host": bed.daemon.host() } } });
    // The docker CLI files a context under the SHA-256 of its name.
    let place = ".docker/contexts/meta/aa74f6fd03bf68be7e0f4bd06cae61a72ab8025b50d00888f3e1068f22067463";
    std::fs::create_dir_all(bed.sea.dir().join(place)).unwrap();
    bed.sea.write(&format!("{place}/meta.json"), context.to_string());
    let plan = bed.sea.dir().join("plan.json");
    let file = plan.to_str().unwrap();
    let arguments = ["harden", "plan", "--docker-context", "harbour", "--check", "daemon-json-mode", "-o", file];
    bed.sea.run(&arguments).ended(0);
    assert_eq!(bed.read(&plan)["target"]["name"], "harbour");
    let applied = bed.apply(&plan, &["--confirm-within", "0"]);
    assert!(applied.ended(0).out.contains("1 of 1 check passes in effect"), "{applied:?}");
    let (_, status) = bed.status();
    let id = status["transactions"][0]["transaction"].as_str().unwrap();
    let back = bed.harden(&["rollback", id]);
    assert!(back.ended(0).out.contains("in effect now: docker/file/daemon-json-mode"), "{back:?}");
    assert!(!back.out.contains("not found any more"), "{back:?}");
    assert_eq!(is(&bed.daemon.daemon_json()), before);
}

#[test]
fn a_plan_that_is_stale_or_not_for_this_host_is_refused_and_nothing_is_written() {
    let Some(bed) = Bed::start(Version::V20, Spec::default()) else { return };
    let path = bed.daemon.daemon_json();
    chmod(&path, 0o666);
    let plan = bed.plan("plan.json", &["--check", "daemon-json-mode"]);
    chmod(&path, 0o662);
    let stale = bed.apply(&plan, &[]);
    assert_eq!(stale.code, Some(4), "{stale:?}");
    assert!(stale.err.contains("stale") && stale.err.contains("daemon.json"), "{stale:?}");
    assert_eq!(is(&path).unwrap().2, 0o662);
    assert!(std::fs::read_dir(bed.state.join("tx")).unwrap().next().is_none(), "nothing is written");

    chmod(&path, 0o666);
    let text = std::fs::read_to_string(&plan).unwrap();
    for (what, edited) in
        [("changed after", text.replace("420", "511")), ("shape 2", text.replace("\"schema\": 1", "\"schema\": 2"))]
    {
        assert_ne!(text, edited);
        let refused = bed.apply(&bed.sea.write("edited.json", edited), &[]);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.err.contains(what) && refused.err.trim_end().lines().count() == 1, "{refused:?}");
    }
    let cut = bed.apply(&bed.sea.write("cut.json", &text[..text.len() / 2]), &[]);
    assert_eq!(cut.code, Some(4), "{cut:?}");

    let demo = bed.sea.dir().join("demo.json");
    bed.sea.run(&["harden", "plan", "--demo", "--safe", "-o", demo.to_str().unwrap()]).ended(0);
    let refused = bed.apply(&demo, &[]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("demonstration"), "{refused:?}");

    let Some(other) = Bed::start(Version::V20, Spec::default()) else { return };
    chmod(&other.daemon.daemon_json(), 0o666);
    let elsewhere = other.plan("plan.json", &["--check", "daemon-json-mode"]);
    let text = std::fs::read_to_string(&elsewhere).unwrap();
    let foreign = text.replace(&other.daemon.host(), &bed.daemon.host());
    let refused = bed.apply(&bed.sea.write("foreign.json", foreign), &[]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert_eq!(is(&path).unwrap().2, 0o666);
}
