//! What others did since is theirs; what fails is undone; what is no longer needed is pruned.

use seaworthy_bed::{Daemon, Version};
use seaworthy_core::plan::Recreate;
use seaworthy_harden::Host;
use seaworthy_harden::act::recreate::prune;
use seaworthy_harden::act::{Act, Undone};
use serde_json::{Value, json};

use crate::fixture::{action, carry_out, engine, host, keep, set};

struct Bed {
    daemon: Daemon,
    host: Host,
    recreate: Recreate,
    id: String,
}

fn sleeper() -> Value {
    json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "StopSignal": "SIGKILL" })
}

impl Bed {
    fn of(version: Version, body: &Value, changes: Vec<seaworthy_core::plan::SpecChange>) -> Option<Self> {
        let daemon = engine(version)?;
        let id = daemon.run("it", body);
        let (host, recreate) = (host(&daemon), action(&id, "it", changes));
        Some(Self { daemon, host, recreate, id })
    }

    fn new(version: Version) -> Option<Self> {
        Self::of(version, &sleeper(), vec![set("cap-drop", &[], &["ALL"])])
    }

    fn ask(&self, method: &str, path: &str) {
        let (status, answer) = self.daemon.request(method, path, None);
        assert!(status < 300, "{method} {path}: {answer}");
    }

    fn undo(&self, undo: &Value) -> Undone {
        self.recreate.undo(&self.host, &keep(), undo).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let (_, all) = self.daemon.request("GET", "/containers/json?all=1", None);
        let mut names: Vec<String> =
            all.as_array().unwrap().iter().map(|c| format!("{} {}", c["Names"][0], c["State"])).collect();
        names.sort();
        names
    }
}

fn drifted(undone: Undone) -> String {
    let Undone::Drifted(lines) = undone else { panic!("{undone:?}") };
    lines.join("\n")
}

#[test]
fn a_container_of_others_under_the_name_is_left() {
    let Some(bed) = Bed::new(Version::V20) else { return };
    let undo = carry_out(&bed.host, &bed.recreate);
    bed.ask("DELETE", "/containers/it?force=1");
    let theirs = bed.daemon.run("it", &sleeper());
    let before = bed.names();
    assert!(drifted(bed.undo(&undo)).contains("another container now"));
    assert_eq!((bed.names(), bed.daemon.inspect("it")["Id"].as_str()), (before, Some(theirs.as_str())));
}

#[test]
fn renamed_removed_and_needed_ones_are_left() {
    let Some(bed) = Bed::new(Version::V29) else { return };
    let undo = carry_out(&bed.host, &bed.recreate);
    bed.ask("POST", "/containers/it/rename?name=elsewhere");
    let before = bed.names();
    assert!(drifted(bed.undo(&undo)).contains("renamed to elsewhere"));
    assert_eq!(bed.names(), before);
    bed.ask("POST", "/containers/elsewhere/rename?name=it");

    let mut joiner = sleeper();
    joiner["HostConfig"] = json!({ "NetworkMode": "container:it" });
    bed.daemon.run("joiner", &joiner);
    let before = bed.names();
    assert!(drifted(bed.undo(&undo)).contains("joiner (its network)"));
    assert_eq!(bed.names(), before);
    bed.ask("DELETE", "/containers/joiner?force=1");

    assert_eq!(prune(&bed.host, &undo).unwrap().len(), 1);
    assert_eq!(bed.names(), [r#""/it" "running""#]);
    assert!(drifted(bed.undo(&undo)).contains("was removed since"));
    assert_eq!(prune(&bed.host, &undo).unwrap(), Vec::<String>::new());
    assert_eq!(bed.names(), [r#""/it" "running""#]);
}

fn later_updates(version: Version) {
    let Some(bed) = Bed::new(version) else { return };
    let undo = carry_out(&bed.host, &bed.recreate);
    let body =
        json!({ "Memory": 1 << 27, "MemorySwap": 1 << 27, "PidsLimit": 77, "RestartPolicy": { "Name": "always" } });
    assert_eq!(bed.daemon.request("POST", "/containers/it/update", Some(&body)).0, 200);
    assert_eq!(bed.undo(&undo), Undone::Restored);
    let now = bed.daemon.inspect("it");
    assert_eq!(now["Id"], bed.id.as_str());
    let limits = ["Memory", "MemorySwap", "PidsLimit"].map(|k| now["HostConfig"][k].as_i64());
    assert_eq!(limits, [Some(1 << 27), Some(1 << 27), Some(77)]);
    assert_eq!(now["HostConfig"]["RestartPolicy"]["Name"], "always");
    assert_eq!(bed.names(), [r#""/it" "running""#]);
}

#[test]
fn engine20_limits_that_others_set_since_go_along() {
    later_updates(Version::V20);
}

#[test]
fn engine29_limits_that_others_set_since_go_along() {
    later_updates(Version::V29);
}

#[test]
fn what_the_new_one_wrote_where_the_old_one_wrote_nothing_is_kept() {
    let program = "test $HOSTNAME; until test -e /data/go; do sleep 0.1; done; echo x > /written; sleep 3600";
    let mut body = sleeper();
    body["Cmd"] = json!(["sh", "-c", program]);
    body["HostConfig"] = json!({ "Binds": ["go:/data"] });
    let Some(bed) = Bed::of(Version::V20, &body, vec![set("cap-drop", &[], &["ALL"])]) else { return };
    let undo = carry_out(&bed.host, &bed.recreate);
    let data = bed.daemon.inspect("it")["Mounts"][0]["Source"].as_str().unwrap().to_owned();
    std::fs::write(format!("{data}/go"), "").unwrap();
    while !bed.daemon.request("GET", "/containers/it/changes", None).1.to_string().contains("/written") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::fs::remove_file(format!("{data}/go")).unwrap();
    let line = drifted(bed.undo(&undo));
    assert!(line.contains("wrote 1 path (/written)"), "{line}");
    assert_eq!(bed.daemon.inspect("it")["Id"], bed.id.as_str());
    let names = bed.names();
    assert!(names.len() == 2 && names[1].contains("exited") && names[0] == r#""/it" "running""#, "{names:?}");
    assert_eq!(prune(&bed.host, &undo).unwrap().len(), 1);
    assert_eq!(bed.names(), [r#""/it" "running""#]);
}

/// The new one fails: it is seen, and the old one comes back.
fn fails(version: Version, body: &Value, changes: Vec<seaworthy_core::plan::SpecChange>, why: &str) {
    let Some(bed) = Bed::of(version, body, changes) else { return };
    bed.recreate.check(&bed.host).unwrap();
    let undo = bed.recreate.prepare(&bed.host, &mut keep()).unwrap();
    let failed = bed.recreate.apply(&bed.host, &undo).err();
    let failed = failed.unwrap_or_else(|| bed.recreate.verify(&bed.host, &undo).unwrap_err());
    assert!(failed.0.contains(why) && !failed.0.contains('\n'), "{failed}");
    assert_eq!(bed.undo(&undo), Undone::Restored);
    assert_eq!(bed.daemon.inspect("it")["Id"], bed.id.as_str());
    assert_eq!(bed.names(), [r#""/it" "running""#]);
}

#[test]
fn engine20_one_that_cannot_start_is_undone() {
    fails(Version::V20, &sleeper(), vec![set("user", &[], &["nobody-knows-him"])], "refuses to start it");
}

#[test]
fn engine29_one_that_ends_is_undone() {
    let mut body = sleeper();
    body["Cmd"] = json!(["sh", "-c", "echo x > /tmp/x || exit 3; sleep 3600"]);
    fails(Version::V29, &body, vec![set("read-only", &[], &["true"])], "does not run on");
}

#[test]
fn engine29_one_that_restarts_again_and_again_is_undone() {
    let mut body = sleeper();
    body["Cmd"] = json!(["sh", "-c", "echo x > /tmp/x || exit 3; sleep 3600"]);
    body["HostConfig"] = json!({ "RestartPolicy": { "Name": "always" } });
    fails(Version::V29, &body, vec![set("read-only", &[], &["true"])], "does not run on");
}

#[test]
fn engine20_one_that_is_not_healthy_is_undone() {
    let mut body = sleeper();
    body["Healthcheck"] = json!({ "Test": ["CMD", "true"], "Interval": 1_000_000_000_i64, "Retries": 1 });
    fails(Version::V20, &body, vec![set("health-cmd", &[], &["false"])], "is not healthy");
}

#[test]
fn one_that_did_not_run_is_not_started() {
    let Some(daemon) = engine(Version::V20) else { return };
    let id = daemon.create("it", &sleeper());
    let (host, recreate) = (host(&daemon), action(&id, "it", vec![set("cap-drop", &[], &["ALL"])]));
    let undo = carry_out(&host, &recreate);
    assert_eq!(daemon.inspect("it")["State"]["Status"], "created");
    // Somebody starts it since: the service runs on after undoing.
    daemon.start_container("it");
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    let now = daemon.inspect("it");
    assert_eq!((now["Id"].as_str(), &now["State"]["Running"]), (Some(id.as_str()), &json!(true)));
}

/// Every container that should come back with its policy has, once this one is up.
fn runs(bed: &Bed) {
    for _ in 0..600 {
        if bed.daemon.inspect("it")["State"]["Running"] == true {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("it did not come back: {:?}", bed.names());
}

fn engine_restarts(version: Version) {
    let mut body = sleeper();
    body["HostConfig"] = json!({ "RestartPolicy": { "Name": "always" } });
    let Some(mut bed) = Bed::of(version, &body, vec![set("cap-drop", &[], &["ALL"])]) else { return };
    let undo = carry_out(&bed.host, &bed.recreate);
    bed.daemon.restart().unwrap();
    runs(&bed);
    let names = bed.names();
    assert!(names.len() == 2 && names[0] == r#""/it" "running""# && names[1].ends_with(r#""exited""#), "{names:?}");
    assert_ne!(bed.daemon.inspect("it")["Id"], bed.id.as_str());
    assert_eq!(bed.undo(&undo), Undone::Restored);
    bed.daemon.restart().unwrap();
    runs(&bed);
    assert_eq!(bed.daemon.inspect("it")["Id"], bed.id.as_str());
    assert_eq!(bed.names(), [r#""/it" "running""#]);
}

#[test]
fn engine20_a_start_of_the_engine_brings_back_the_one_that_is_in_place() {
    engine_restarts(Version::V20);
}

#[test]
fn engine29_a_start_of_the_engine_brings_back_the_one_that_is_in_place() {
    engine_restarts(Version::V29);
}
