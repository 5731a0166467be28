//! Restarts and reloads of real engines, and the way back.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use seaworthy_bed::{Daemon, Spec, Version};
use seaworthy_core::plan::{Action, Activate, Activation, ContainerRef};
use seaworthy_harden::act::{Act, Effect, Refusal, Undone, act};
use seaworthy_harden::engine::Engine;
use seaworthy_harden::files::Keep;
use seaworthy_harden::host::{Daemon as Running, Host};
use serde_json::{Value, json};

/// An engine with what a transaction has for it.
struct Ship {
    bed: Daemon,
    keep: tempfile::TempDir,
}

impl Ship {
    fn launch(version: Version, json: &str) -> Option<Self> {
        let spec = Spec { daemon_json: Some(json.into()), ..Spec::default() };
        let bed = Daemon::require(version, spec)?;
        bed.import_busybox("busybox:test");
        Some(Self { bed, keep: tempfile::tempdir().unwrap() })
    }

    /// The engine's process by its own word; the bed knows only the one that it started.
    fn pid(&self) -> u32 {
        fs::read_to_string(self.bed.dir().join("docker.pid")).unwrap().trim().parse().unwrap()
    }

    fn host(&self) -> Host {
        let engine = Some(Engine::at(&self.bed.socket()).unwrap());
        Host { root: "/".into(), engine, daemon: Some(Running { pid: self.pid() }), transaction: "0123456789ab".into() }
    }

    fn keep(&self) -> Keep {
        Keep::at(self.keep.path())
    }

    fn action(&self, how: Activation, stop_all: bool) -> Action {
        let (_, listed) = self.bed.request("GET", "/containers/json", None);
        let all = listed.as_array().unwrap().iter().map(|c| ContainerRef {
            id: c["Id"].as_str().unwrap().to_owned(),
            name: c["Names"][0].as_str().unwrap().trim_start_matches('/').to_owned(),
        });
        Action::Activate(Activate { how, returns: Vec::new(), started_again: all.collect(), stop_all })
    }

    /// The file is changed, as another action does it, and then the engine takes it.
    fn change(&self, action: &dyn Act, json: &str) -> (Value, Result<(), String>) {
        action.check(&self.host()).unwrap();
        fs::write(self.bed.daemon_json(), json).unwrap();
        let undo = action.prepare(&self.host(), &mut self.keep()).unwrap();
        let applied = action.apply(&self.host(), &undo).map_err(|f| f.0);
        (undo, applied)
    }

    /// The file is put back, as its own action does it, and then this one is undone.
    fn undo(&self, action: &dyn Act, undo: &Value, json: &str) -> Undone {
        fs::write(self.bed.daemon_json(), json).unwrap();
        // The engine may be down: nothing but the journal and the keep is there.
        let host = Host { root: "/".into(), engine: None, daemon: None, transaction: "0123456789ab".into() };
        action.undo(&host, &self.keep(), undo).unwrap()
    }

    fn run(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "Image": "busybox:test", "Cmd": ["sleep", "36000"], "StopSignal": "SIGKILL" });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.bed.run(name, &body)
    }

    fn state(&self, id: &str) -> Value {
        self.bed.inspect(id)["State"].clone()
    }

    fn info(&self) -> Value {
        self.bed.request("GET", "/info", None).1
    }

    /// Whether containers on the default bridge may talk, as the engine made it.
    fn icc(&self) -> bool {
        let (_, bridge) = self.bed.request("GET", "/networks/bridge", None);
        bridge["Options"]["com.docker.network.bridge.enable_icc"] == "true"
    }
}

impl Drop for Ship {
    /// The bed ends the engine that it started itself; the one that came after it is ours to end.
    fn drop(&mut self) {
        let number = fs::read_to_string(self.bed.dir().join("docker.pid")).unwrap_or_default();
        let number = number.trim();
        let there = || !number.is_empty() && fs::read(format!("/proc/{number}/cmdline")).is_ok_and(|l| !l.is_empty());
        if there() {
            let _ = Command::new("kill").args(["-TERM", number]).status();
        }
        for _ in 0..600 {
            if !there() {
                break;
            }
            sleep(Duration::from_millis(50));
        }
    }
}

fn policy(name: &str) -> Value {
    json!({ "HostConfig": { "RestartPolicy": { "Name": name } } })
}

fn every(version: Version) -> Option<(Ship, Vec<String>)> {
    let ship = Ship::launch(version, "{}")?;
    let obeys = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    let mut ids: Vec<String> = ["no", "always", "unless-stopped"].map(|name| ship.run(name, policy(name))).into();
    let cleanly = json!({ "Cmd": ["sh", "-c", obeys], "StopSignal": "SIGTERM",
        "HostConfig": { "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 5 } } });
    ids.push(ship.run("on-failure", cleanly));
    ids.push(ship.run("host", json!({ "HostConfig": { "NetworkMode": "host" } })));
    // Named to come before what it needs, in every order but the right one.
    let needed = ship.run("zz-needed", policy("no"));
    ids.push(ship.run("aa-needs", json!({ "HostConfig": { "NetworkMode": format!("container:{needed}") } })));
    ids.push(ship.run("ab-linked", json!({ "HostConfig": { "Links": ["zz-needed:n"] } })));
    ids.push(needed);
    let check =
        json!({ "Test": ["CMD", "true"], "Interval": 1_000_000_000, "Timeout": 20_000_000_000_u64, "Retries": 2 });
    ids.push(ship.run("healthy", json!({ "Healthcheck": check })));
    let paused = ship.run("paused", policy("always"));
    let (status, _) = ship.bed.request("POST", &format!("/containers/{paused}/pause"), None);
    assert_eq!(status, 204);
    ids.push(paused);
    let healthy = &ids[8];
    wait_for(|| ship.state(healthy)["Health"]["Status"] == "healthy");
    Some((ship, ids))
}

fn wait_for(mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("it never came");
}

fn all_are_back(ship: &Ship, ids: &[String]) {
    for id in ids {
        let about = ship.bed.inspect(id);
        let (name, state) = (&about["Name"], &about["State"]);
        assert!(state["Running"] == true && state["Restarting"] == false, "{name}: {state}");
        assert_eq!(state["Paused"] == true, name == "/paused", "{name}: {state}");
        assert!(state["Health"].is_null() || state["Health"]["Status"] == "healthy", "{name}: {state}");
    }
    let policies: Vec<String> = ids[..4]
        .iter()
        .map(|id| ship.bed.inspect(id)["HostConfig"]["RestartPolicy"]["Name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(policies, ["no", "always", "unless-stopped", "on-failure"]);
}

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

fn ship_less() -> Host {
    Host { root: "/".into(), engine: None, daemon: None, transaction: "0123456789ab".into() }
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
                .args(["--exact", "apply_and_be_killed"])
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
