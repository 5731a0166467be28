//! Killed half-way, and engines that hang or are down.

use std::fs;
use std::process::{Command, Stdio};

use seaworthy_bed::Version;
use seaworthy_core::plan::{Action, Activation};
use seaworthy_harden::act::{Undone, act};
use seaworthy_harden::files::Keep;
use serde_json::Value;

use crate::ship::{Ship, policy, ship_less, wait_for};

/// Where this is set, [`apply_and_be_killed`] carries out what lies in the folder that it names.
const VICTIM: &str = "SEAWORTHY_TEST_APPLIES";

#[test]
fn apply_and_be_killed() {
    let Ok(dir) = std::env::var(VICTIM) else { return };
    let read = |name: &str| serde_json::from_slice(&fs::read(format!("{dir}/{name}")).unwrap()).unwrap();
    let action: Action = serde_json::from_value(read("action")).unwrap();
    let undo: Value = read("undo");
    let _ = act(&action).unwrap().apply(&ship_less(), &undo);
}

#[test]
fn an_apply_that_is_killed_is_undone_whatever_it_had_come_to() {
    for (version, moments) in [(Version::V20, 3), (Version::V29, 3)] {
        let Some(ship) = Ship::launch(version, "{}") else { return };
        let ids = vec![ship.run("no", policy("no")), ship.run("always", policy("always"))];
        for moment in 0..moments {
            let action = ship.action(Activation::Restart, true);
            let acts = act(&action).unwrap();
            acts.check(&ship.host()).unwrap();
            fs::write(ship.bed.daemon_json(), r#"{"icc":false}"#).unwrap();
            let keep = tempfile::tempdir().unwrap();
            let undo = acts.prepare(&ship.host(), &mut Keep::at(keep.path())).unwrap();
            fs::write(keep.path().join("action"), serde_json::to_vec(&action).unwrap()).unwrap();
            fs::write(keep.path().join("undo"), undo.to_string()).unwrap();
            let old = ship.pid();
            let mut victim = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "crash::apply_and_be_killed"])
                .env(VICTIM, keep.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            let ended = || fs::read(format!("/proc/{old}/cmdline")).map_or(true, |line| line.is_empty());
            match moment {
                // At once; when the containers are stopped; when the engine has ended.
                0 => {}
                1 => wait_for(|| ship.state(&ids[0])["Running"] == false),
                _ => wait_for(ended),
            }
            victim.kill().unwrap();
            victim.wait().unwrap();
            fs::write(ship.bed.daemon_json(), "{}").unwrap();
            acts.undo(&ship_less(), &Keep::at(keep.path()), &undo).unwrap();
            assert!(ship.icc());
            for id in &ids {
                assert_eq!(ship.state(id)["Running"], true, "{version:?}, moment {moment}");
            }
        }
    }
}

#[test]
fn an_engine_that_hangs_is_killed_and_its_containers_come_back() {
    let Some(ship) = Ship::launch(Version::V29, "{}") else { return };
    let id = ship.run("web", policy("no"));
    let action = ship.action(Activation::Restart, false);
    let action = act(&action).unwrap();
    let (undo, applied) = ship.change(action.as_ref(), r#"{"icc":false}"#);
    applied.unwrap();
    let hung = ship.pid();
    assert!(Command::new("kill").args(["-STOP", &hung.to_string()]).status().unwrap().success());
    assert!(action.verify(&ship_less(), &undo).unwrap_err().0.contains("does not answer"));
    assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Restored);
    assert!(ship.pid() != hung && ship.icc());
    assert_eq!(ship.state(&id)["Running"], true);
}

#[test]
fn an_engine_that_is_down_is_started_again() {
    for version in [Version::V20, Version::V29] {
        let Some(ship) = Ship::launch(version, "{}") else { return };
        let id = ship.run("web", policy("no"));
        let action = ship.action(Activation::Restart, false);
        let action = act(&action).unwrap();
        let (undo, applied) = ship.change(action.as_ref(), r#"{"icc":false}"#);
        applied.unwrap();
        let pid = ship.pid();
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
        // The container runs on and holds the network namespace.
        assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Restored);
        assert!(ship.icc());
        assert_eq!(ship.state(&id)["Running"], true);
    }
}
