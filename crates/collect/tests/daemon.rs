//! The daemon behind a real engine's socket, and what of its configuration is in effect.

use seaworthy_bed::{Daemon as Bed, Spec, Version};
use seaworthy_collect::daemon::effective::{Effective, Inputs, Settings, major, settings};
use seaworthy_collect::daemon::file::{self, State};
use seaworthy_collect::daemon::find::{Endpoint, Found, find};
use seaworthy_collect::host::process::Proc;
use seaworthy_collect::host::root::Root;
use serde_json::{Value, json};

fn decide(bed: &Bed) -> Settings {
    let get = |path: &str| bed.request("GET", path, None);
    let (version, info, bridge) = (get("/version").1, get("/info").1, get("/networks/bridge"));
    let root = Root::open("/".as_ref()).unwrap();
    let proc = Proc::open(&root).unwrap();
    let daemon = find(&root, &proc, &Endpoint::Unix(bed.socket())).unwrap();
    assert_eq!((daemon.pid, &daemon.found), (bed.pid(), &Found::Peer));
    assert!(daemon.gaps.is_empty(), "{:?}", daemon.gaps);
    let listeners = daemon.listeners.clone().unwrap();
    assert!(listeners.unix.iter().any(|l| Some(l.as_str()) == bed.socket().to_str()), "{listeners:?}");
    let file = file::read(&daemon, major(Some(&version)));
    assert!(matches!(file.state, State::Read(_)), "{file:?}");
    settings(Inputs {
        version: Some(&version),
        info: Some(&info),
        bridge: Ok((bridge.0 == 200).then_some(&bridge.1)),
        daemon: Ok(&daemon),
        file: Some(&file),
        reloaded: None,
    })
}

fn known(settings: &Settings, name: &str) -> Value {
    match &settings.get(name).unwrap().value {
        Effective::Known(value) => value.clone(),
        Effective::Unknown(why) => panic!("{name}: {why}"),
    }
}

fn on(version: Version) {
    let config = json!({
        "icc": false, "no-new-privileges": true, "log-level": "warn", "x": {"userland-proxy": false},
        "log-opts": {"max-size": "10m", "tag": "t"}, "insecure-registries": ["registry.test:5000"], "live-restore": true,
        "registry-mirrors": ["https://mirror.test"], "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 64, "Hard": 64}},
    });
    let spec = Spec {
        args: vec!["--ip-masq=f".into(), "-D".into()],
        daemon_json: Some(config.to_string()),
        ..Spec::default()
    };
    let Some(bed) = Bed::require(version, spec) else { return };
    let before = decide(&bed);
    for (name, value) in [
        ("icc", json!(false)),
        ("no-new-privileges", json!(true)),
        ("userland-proxy", json!(false)),
        ("live-restore", json!(true)),
        ("ip-masq", json!(false)),
        ("iptables", json!(true)),
        ("debug", json!(true)),
        ("log-level", json!("debug")),
        ("insecure-registries", json!(["registry.test:5000"])),
        ("registry-mirrors", json!(["https://mirror.test/"])),
        ("log-opts", json!({"max-size": "10m", "tag": "t"})),
        ("default-ulimits", json!({"nofile": {"Name": "nofile", "Soft": 64, "Hard": 64}})),
        ("tls", json!(false)),
        ("userns-remap", json!(false)),
    ] {
        assert_eq!(known(&before, name), value, "{name}");
        assert_ne!(before.get(name).unwrap().active_differs, Some(true), "{name}");
    }
    assert_eq!(before.refuses_start, None);

    std::fs::write(bed.daemon_json(), r#"{"icc":true,"iptables":false,"debug":true,"live-restore":false}"#).unwrap();
    let after = decide(&bed);
    assert_eq!(known(&after, "icc"), false);
    assert_eq!(after.get("icc").unwrap().active_differs, Some(true));
    assert_eq!(known(&after, "live-restore"), true);
    assert_eq!(known(&after, "ip-masq"), false);
    for name in ["iptables", "log-opts", "default-ulimits", "tls"] {
        let setting = after.get(name).unwrap();
        assert!(matches!(&setting.value, Effective::Unknown(why) if why.contains("changed")), "{name}: {setting:?}");
    }
    assert_eq!(after.get("iptables").unwrap().configured, Some(json!(false)));
    assert!(after.refuses_start.unwrap().contains("debug"));
}

#[test]
fn engine_20() {
    on(Version::V20);
}

#[test]
fn engine_29() {
    on(Version::V29);
}
