//! Restarts: every container comes back, and the engine as it was started.

use std::fs;

use seaworthy_bed::Version;
use seaworthy_core::plan::Activation;
use seaworthy_harden::Host;
use seaworthy_harden::act::{Effect, Refusal, Undone, act};
use serde_json::json;

use crate::ship::{Ship, all_are_back, every, policy, ship_less, wait_for};

fn restarts(version: Version, stop_all: bool) {
    let Some((ship, ids)) = every(version) else { return };
    let stopped = ship.bed.create("never-started", &json!({ "Image": "busybox:test" }));
    let old = ship.pid();
    assert!(ship.icc());
    let action = ship.action(Activation::Restart, stop_all);
    let action = act(&action).unwrap();
    let (undo, applied) = ship.change(action.as_ref(), r#"{"icc":false}"#);
    applied.unwrap();
    assert_eq!(action.verify(&ship.host(), &undo).unwrap(), Effect::InEffect);
    assert_ne!(ship.pid(), old);
    assert!(!ship.icc());
    all_are_back(&ship, &ids);
    assert_eq!(ship.state(&stopped)["Status"], "created");
    // What its environment held is in the keep, and not in the journal.
    assert!(!undo.to_string().contains("PATH="));

    let second = ship.pid();
    assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Restored);
    assert!(ship.icc() && ship.pid() != second);
    all_are_back(&ship, &ids);
    let third = ship.pid();
    let again = action.undo(&ship.host(), &ship.keep(), &undo).unwrap();
    assert_eq!((again, ship.pid()), (Undone::Nothing, third));
}

#[test]
fn a_restart_brings_every_container_back_on_20() {
    restarts(Version::V20, false);
}

#[test]
fn a_restart_brings_every_container_back_on_29() {
    restarts(Version::V29, false);
}

#[test]
fn stopping_all_first_brings_every_container_back() {
    restarts(Version::V20, true);
    restarts(Version::V29, true);
}

#[test]
fn the_engine_is_started_again_as_it_was() {
    let about = |ship: &Ship| {
        let pid = ship.pid();
        let read = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap();
        let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
        let links = ["exe", "cwd", "root", "fd/0", "fd/1", "fd/2", "ns/net", "ns/mnt", "ns/ipc", "ns/uts"].map(link);
        let status = String::from_utf8(read("status")).unwrap();
        let status: Vec<String> =
            status.lines().filter(|l| l.starts_with("Cap") || l.starts_with("Umask")).map(str::to_owned).collect();
        let limits = String::from_utf8(read("limits")).unwrap();
        // Their order says nothing.
        let environ = read("environ");
        let mut environ: Vec<Vec<u8>> = environ.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
        environ.sort();
        (read("cmdline"), environ, links, status, limits, read("oom_score_adj"), read("cgroup"))
    };
    let Some(ship) = Ship::launch(Version::V20, "{}") else { return };
    let before = about(&ship);
    let action = ship.action(Activation::Restart, false);
    let action = act(&action).unwrap();
    let (undo, applied) = ship.change(action.as_ref(), "{}");
    applied.unwrap();
    assert!(before == about(&ship), "it is not as it was");
    // Its log goes on where it was: nothing was cut off.
    let log = fs::read_to_string(ship.bed.dir().join("log")).unwrap();
    assert!(log.matches("API listen on").count() >= 2, "{log}");
    assert_eq!(action.verify(&ship.host(), &undo).unwrap(), Effect::InEffect);
}

#[test]
fn an_engine_that_does_not_start_is_told_and_comes_back_when_the_file_does() {
    for version in [Version::V20, Version::V29] {
        let Some(ship) = Ship::launch(version, "{}") else { return };
        let id = ship.run("web", policy("no"));
        let action = ship.action(Activation::Restart, false);
        let action = act(&action).unwrap();
        let (undo, applied) = ship.change(action.as_ref(), r#"{"seccomp-profile":"/none/profile.json"}"#);
        let why = applied.unwrap_err();
        assert!(why.contains("/none/profile.json") && !why.contains('\n'), "{why}");
        assert!(action.verify(&Host { engine: None, ..ship_less() }, &undo).is_err());
        if version == Version::V20 {
            // Its network namespace ended with it, and nobody can bring that back: said, with what to do. What the engine
            // had started may take a moment longer to end; until then it would be found through that.
            let dir = ship.bed.dir().display().to_string();
            wait_for(|| !command_lines().any(|line| line.contains(&dir)));
            fs::write(ship.bed.daemon_json(), "{}").unwrap();
            let why = action.undo(&ship_less(), &ship.keep(), &undo).unwrap_err();
            assert!(why.0.contains("net namespace has ended with it"), "{why}");
            continue;
        }
        assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Restored);
        assert_eq!(ship.state(&id)["Running"], true);
        assert_eq!(action.undo(&ship_less(), &ship.keep(), &undo).unwrap(), Undone::Nothing);
    }
}

/// The arguments of every process.
fn command_lines() -> impl Iterator<Item = String> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| Some(String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).ok()?).into_owned()))
}

#[test]
fn a_container_that_does_not_come_back_is_named() {
    let Some(ship) = Ship::launch(Version::V20, "{}") else { return };
    // It starts once.
    let once = "test ! -e /once || exit 3; touch /once; exec sleep 36000";
    ship.run("comes-once", json!({ "Cmd": ["sh", "-c", once] }));
    let action = ship.action(Activation::Restart, false);
    let action = act(&action).unwrap();
    let (undo, applied) = ship.change(action.as_ref(), "{}");
    let why = applied.unwrap_err();
    assert!(why.contains("comes-once does not run"), "{why}");
    assert!(action.verify(&ship.host(), &undo).unwrap_err().0.contains("comes-once"));
}

#[test]
fn nothing_is_undone_where_nothing_was_done() {
    let Some(ship) = Ship::launch(Version::V20, "{}") else { return };
    let id = ship.run("web", policy("no"));
    for how in [Activation::Restart, Activation::Reload] {
        let action = ship.action(how, true);
        let action = act(&action).unwrap();
        action.check(&ship.host()).unwrap();
        let old = ship.pid();
        let undo = action.prepare(&ship.host(), &mut ship.keep()).unwrap();
        assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Nothing);
        assert_eq!(ship.pid(), old);
        if how == Activation::Restart {
            // Killed when the containers had been stopped, and the engine not yet.
            let (status, _) = ship.bed.request("POST", &format!("/containers/{id}/stop"), None);
            assert_eq!(status, 204);
            assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Restored);
            assert_eq!((ship.state(&id)["Running"].clone(), ship.pid()), (true.into(), old));
        }
    }
}

#[test]
fn containers_that_the_engine_would_remove_are_refused() {
    let Some(ship) = Ship::launch(Version::V20, "{}") else { return };
    let rm = json!({ "HostConfig": { "AutoRemove": true } });
    ship.run("temporary", rm.clone());
    let refused = |ship: &Ship, stop_all| {
        let action = ship.action(Activation::Restart, stop_all);
        match act(&action).unwrap().check(&ship.host()) {
            Err(Refusal::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(&ship, false).contains("container temporary was started with --rm"));
    // Under live-restore it is kept, unless all are stopped.
    let Some(ship) = Ship::launch(Version::V20, r#"{"live-restore":true}"#) else { return };
    ship.run("temporary", rm);
    let action = ship.action(Activation::Restart, false);
    act(&action).unwrap().check(&ship.host()).unwrap();
    assert!(refused(&ship, true).contains("--rm"));
    // And not when the next start has no live-restore: seen before anything is stopped.
    let action = act(&action).unwrap();
    let (_, applied) = ship.change(action.as_ref(), "{}");
    assert!(applied.unwrap_err().contains("--rm"));
    assert_eq!(ship.pid(), ship.bed.pid());
    // One that never started is removed under live-restore too.
    let body = json!({ "Image": "busybox:test", "HostConfig": { "AutoRemove": true } });
    ship.bed.create("never-started", &body);
    assert!(refused(&ship, false).contains("container never-started"));
}

#[test]
fn a_container_that_the_plan_does_not_know_makes_it_stale() {
    let Some(ship) = Ship::launch(Version::V20, "{}") else { return };
    let action = ship.action(Activation::Restart, false);
    let action = act(&action).unwrap();
    action.check(&ship.host()).unwrap();
    ship.run("late\u{7}comer".replace('\u{7}', "-").as_str(), policy("no"));
    let Err(Refusal::Stale(why)) = action.check(&ship.host()) else { panic!("it is not stale") };
    assert!(why.contains("late-comer"), "{why}");
}

#[test]
fn live_restore_keeps_processes_and_freezes_the_bridge() {
    for version in [Version::V20, Version::V29] {
        let Some(ship) = Ship::launch(version, r#"{"live-restore":true}"#) else { return };
        let id = ship.run("web", policy("no"));
        let pid = ship.state(&id)["Pid"].clone();
        let new = r#"{"live-restore":true,"icc":false}"#;
        let kept = ship.action(Activation::Restart, false);
        let kept = act(&kept).unwrap();
        let (undo, applied) = ship.change(kept.as_ref(), new);
        applied.unwrap();
        assert_eq!(ship.state(&id)["Pid"], pid, "it ran on");
        assert_eq!(kept.verify(&ship.host(), &undo).unwrap(), Effect::InEffect);
        assert!(ship.icc(), "the bridge is as it was, whatever the file says");
        let stopped = ship.action(Activation::Restart, true);
        let stopped = act(&stopped).unwrap();
        let (_, applied) = ship.change(stopped.as_ref(), new);
        applied.unwrap();
        assert!(!ship.icc());
        assert_eq!(ship.state(&id)["Running"], true);
    }
}
