//! Re-creation on real engines.

mod drift;
mod fixture;
mod options;
mod proxy;
mod random;
mod refusals;
mod survive;

use fixture::{SECRET, Web, action, carry_out, engine, host, host_at, keep, networks, set};
use proxy::{Cut, Proxy};
use seaworthy_bed::Version;
use seaworthy_core::plan::Recreate;
use seaworthy_harden::act::recreate::prune;
use seaworthy_harden::act::{Act, Undone};
use serde_json::{Value, json};

fn remedy(id: &str) -> Recreate {
    let changes = vec![
        set("cap-drop", &[], &["ALL"]),
        set("cap-add", &[], &["CHOWN"]),
        set("security-opt", &[], &["no-new-privileges", "seccomp=builtin"]),
        set("env", &["PASSWORD"], &[]),
        set("read-only", &[], &["true"]),
        set("tmpfs", &[], &["/tmp:size=1m"]),
    ];
    action(id, "web", changes)
}

fn keeps_everything(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let (host, web) = (host(&daemon), Web::run(&daemon));
    let recreate = remedy(&web.id);
    let undo = carry_out(&host, &recreate);
    web.data_are_whole();

    let new = daemon.inspect("web");
    assert_ne!(new["Id"], web.before["Id"]);
    assert_eq!(networks(&new), networks(&web.before));
    assert_eq!(new["Image"], web.before["Image"]);
    let mut config = web.before["Config"].clone();
    config["Env"].as_array_mut().unwrap().retain(|e| !e.as_str().unwrap().contains(SECRET));
    assert_eq!(new["Config"], config);
    for kept in ["RestartPolicy", "Binds", "PortBindings", "Sysctls", "Ulimits", "Devices", "LogConfig", "Init", "Dns"]
    {
        assert_eq!(new["HostConfig"][kept], web.before["HostConfig"][kept], "{kept}");
    }
    let old = daemon.inspect(&web.id);
    assert_eq!((&old["State"]["Running"], &old["HostConfig"]["RestartPolicy"]["Name"]), (&json!(false), &json!("no")));

    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    web.is_as_before(&daemon, "undone");
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Nothing);
    web.is_as_before(&daemon, "undone again");
    assert_eq!(prune(&host, &undo).unwrap(), Vec::<String>::new());
}

#[test]
fn engine20_keeps_everything_and_gives_it_back() {
    keeps_everything(Version::V20);
}

#[test]
fn engine29_keeps_everything_and_gives_it_back() {
    keeps_everything(Version::V29);
}

/// Breaks the connection at each request that changes something, before, during and after it; then undoes.
fn survives_a_kill(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let web = Web::run(&daemon);
    let recreate = remedy(&web.id);
    for cut in [Cut::Before, Cut::During, Cut::After] {
        let mut steps = Vec::new();
        for at in 1.. {
            let proxy = Proxy::start(&daemon.socket(), at, cut);
            let victim = host_at(&proxy.socket);
            let undo = recreate.prepare(&victim, &mut keep()).unwrap();
            let applied = recreate.apply(&victim, &undo);
            assert_eq!(applied.is_err(), proxy.is_cut(), "{applied:?}");
            let host = host(&daemon);
            recreate.undo(&host, &keep(), &undo).unwrap();
            let when = format!("{cut:?} {:?}", proxy.said().last());
            web.is_as_before(&daemon, &when);
            assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Nothing, "{when}");
            if !proxy.is_cut() {
                break;
            }
            steps.push(when);
        }
        assert!(steps.len() >= 6, "{steps:?}");
    }
}

#[test]
fn engine20_a_kill_at_each_step_leaves_the_old_one_running() {
    survives_a_kill(Version::V20);
}

#[test]
fn engine29_a_kill_at_each_step_leaves_the_old_one_running() {
    survives_a_kill(Version::V29);
}

/// As above, where undoing is what is killed.
fn survives_a_kill_of_undoing(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let web = Web::run(&daemon);
    let recreate = remedy(&web.id);
    for cut in [Cut::Before, Cut::During, Cut::After] {
        let mut steps = Vec::new();
        for at in 1.. {
            let host = host(&daemon);
            let undo = recreate.prepare(&host, &mut keep()).unwrap();
            recreate.apply(&host, &undo).unwrap();
            let proxy = Proxy::start(&daemon.socket(), at, cut);
            let undone = recreate.undo(&host_at(&proxy.socket), &keep(), &undo);
            assert_eq!(undone.is_err(), proxy.is_cut(), "{undone:?}");
            let when = format!("{cut:?} {:?}", proxy.said().last());
            recreate.undo(&host, &keep(), &undo).unwrap();
            web.is_as_before(&daemon, &when);
            if !proxy.is_cut() {
                break;
            }
            steps.push(when);
        }
        assert!(steps.len() >= 7, "{steps:?}");
    }
}

#[test]
fn engine20_a_kill_while_undoing_leaves_the_old_one_running() {
    survives_a_kill_of_undoing(Version::V20);
}

#[test]
fn engine29_a_kill_while_undoing_leaves_the_old_one_running() {
    survives_a_kill_of_undoing(Version::V29);
}

/// A proof that what is compared is not empty.
#[test]
fn the_fixture_has_what_could_be_lost() {
    let Some(daemon) = engine(Version::V20) else { return };
    let web = Web::run(&daemon);
    let told = networks(&web.before);
    assert_eq!(told["front"]["address"], "172.30.1.77");
    assert_eq!(told["rear"]["links"], json!(["db:database"]));
    assert_eq!(told.as_object().map(serde_json::Map::len), Some(3));
    assert!(web.before["Config"]["Env"].as_array().is_some_and(|e: &Vec<Value>| e.len() >= 3));
}
