//! Reloads: seen to be taken, undone without a restart, refused where they would do harm.

use std::fs;
use std::path::PathBuf;

use seaworthy_bed::Version;
use seaworthy_core::plan::Activation;
use seaworthy_harden::act::{Effect, Refusal, Undone, act};
use serde_json::Value;

use crate::ship::{Ship, policy, ship_less};

#[test]
fn a_reload_is_seen_to_be_taken_and_undone_without_a_restart() {
    for version in [Version::V20, Version::V29] {
        let old = r#"{ "debug": true }"#;
        let Some(ship) = Ship::launch(version, old) else { return };
        let id = ship.run("web", policy("no"));
        let (engine, container) = (ship.pid(), ship.state(&id)["Pid"].clone());
        let action = ship.action(Activation::Reload, false);
        let action = act(&action).unwrap();
        let new = r#"{"debug":false,"live-restore":true,"insecure-registries":["10.0.0.0/8"],"shutdown-timeout":77}"#;
        let (undo, applied) = ship.change(action.as_ref(), new);
        applied.unwrap();
        let insecure =
            |info: &Value| info["RegistryConfig"]["InsecureRegistryCIDRs"].to_string().contains("10.0.0.0/8");
        let info = ship.info();
        assert!(info["LiveRestoreEnabled"] == true && info["Debug"] == false && insecure(&info), "{info}");
        assert_eq!(action.verify(&ship.host(), &undo).unwrap(), Effect::InEffect);

        assert_eq!(ship.undo(action.as_ref(), &undo, old), Undone::Restored);
        let info = ship.info();
        assert!(info["LiveRestoreEnabled"] == false && info["Debug"] == true && !insecure(&info), "{info}");
        assert_eq!(fs::read_to_string(ship.bed.daemon_json()).unwrap(), old);
        assert_eq!((ship.pid(), ship.state(&id)["Pid"].clone()), (engine, container), "nothing was interrupted");
        assert_eq!(left_aside(&ship), Vec::<PathBuf>::new());
        // Undone when there is no file: none is there afterwards either. The bed names its file by a flag, without which
        // a missing one would be no error; so it is put there as empty braces first.
        assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Restored);
        assert_eq!(fs::read_to_string(ship.bed.daemon_json()).unwrap(), "{}");
    }
}

fn left_aside(ship: &Ship) -> Vec<PathBuf> {
    let entries = fs::read_dir(ship.bed.dir()).unwrap().flatten().map(|e| e.path());
    entries.filter(|p| p.to_string_lossy().contains("seaworthy")).collect()
}

#[test]
fn a_reload_that_the_engine_does_not_take_is_a_failure_with_its_cause() {
    let Some(ship) = Ship::launch(Version::V29, "{}") else { return };
    let action = ship.action(Activation::Reload, false);
    let action = act(&action).unwrap();
    let (undo, applied) = ship.change(action.as_ref(), r#"{"sea-worthy":true}"#);
    let why = applied.unwrap_err();
    assert!(why.contains("does not take it") && why.contains("sea-worthy"), "{why}");
    assert_eq!(ship.undo(action.as_ref(), &undo, "{}"), Undone::Nothing);
}

#[test]
fn a_reload_is_refused_where_it_could_switch_authorization_off() {
    let Some(ship) = Ship::launch(Version::V20, "{}") else { return };
    let action = ship.action(Activation::Reload, false);
    let action = act(&action).unwrap();
    action.check(&ship.host()).unwrap();
    fs::write(ship.bed.daemon_json(), r#"{"authorization-plugins":["none"]}"#).unwrap();
    let Err(Refusal::Refused(why)) = action.check(&ship.host()) else { panic!("it is not refused") };
    assert!(why.contains("authorization plugins in its configuration file"), "{why}");
    // Also when the change itself brings them.
    fs::write(ship.bed.daemon_json(), "{}").unwrap();
    let (_, applied) = ship.change(action.as_ref(), r#"{"authorization-plugins":["none"]}"#);
    assert!(applied.unwrap_err().contains("authorization plugins"));
    assert_eq!(ship.info()["Plugins"]["Authorization"], Value::Null);
}

#[test]
fn a_crash_while_a_reload_is_undone_leaves_no_foreign_file() {
    let old = r#"{ "debug": true }"#;
    let Some(ship) = Ship::launch(Version::V20, old) else { return };
    let action = ship.action(Activation::Reload, false);
    let action = act(&action).unwrap();
    let (undo, applied) = ship.change(action.as_ref(), r#"{"debug":true,"live-restore":true}"#);
    applied.unwrap();
    // As a crash leaves it: the old file under its second name, the explicit one in its place.
    let (path, held) = (ship.bed.daemon_json(), ship.bed.dir().join(".daemon.json.seaworthy-held"));
    let explicit = "{\n  \"debug\": true,\n  \"live-restore\": false\n}";
    let crash = |in_place: &str| {
        fs::write(&held, old).unwrap();
        fs::write(&path, in_place).unwrap();
        action.undo(&ship_less(), &ship.keep(), &undo).unwrap()
    };
    for in_place in [explicit, old] {
        assert_eq!(crash(in_place), Undone::Restored);
        assert_eq!(fs::read_to_string(&path).unwrap(), old);
        assert_eq!((ship.info()["LiveRestoreEnabled"].clone(), left_aside(&ship).len()), (false.into(), 0));
    }
    // Someone else has changed what lay in its place: that stays, and is named.
    let theirs = r#"{"debug":false}"#;
    assert!(matches!(crash(theirs), Undone::Drifted(files) if files.len() == 1 && files[0].ends_with("daemon.json")));
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), left_aside(&ship).len()), (theirs, 0));
}
