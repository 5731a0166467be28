//! A swarm of one node on real engines.

use std::path::Path;

use seaworthy_bed::{Bridge, Daemon, Spec, Version};
use seaworthy_core::plan::{Action, Swarm};
use seaworthy_harden::act::{Effect, Refusal, Undone, act};
use seaworthy_harden::engine::Engine;
use seaworthy_harden::files::Keep;
use seaworthy_harden::host::Host;
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000_000_000;

fn change(before: i64, after: i64) -> Action {
    Action::Swarm(Swarm { set: vec![("cert-expiry".into(), json!(before), json!(after))] })
}

fn expiry(daemon: &Daemon) -> Value {
    daemon.request("GET", "/swarm", None).1["Spec"]["CAConfig"]["NodeCertExpiry"].clone()
}

/// What `docker swarm update` does.
fn by_hand(daemon: &Daemon, hours: i64) {
    let mut swarm = daemon.request("GET", "/swarm", None).1;
    swarm["Spec"]["CAConfig"]["NodeCertExpiry"] = json!(hours * HOUR);
    let path = format!("/swarm/update?version={}", swarm["Version"]["Index"]);
    assert_eq!(daemon.request("POST", &path, Some(&swarm["Spec"])).0, 200);
}

#[test]
fn the_time_of_node_certificates_is_set_and_given_back() {
    for version in [Version::V20, Version::V29] {
        let Some(daemon) = Daemon::require(version, Spec { bridge: Bridge::None, ..Spec::default() }) else { continue };
        let engine = Some(Engine::at(&daemon.socket()).unwrap());
        let host = Host { root: "/".into(), engine, daemon: None, transaction: "0".into() };
        let mut keep = Keep::at(Path::new("/nowhere"));
        let action = change(4320 * HOUR, 720 * HOUR);
        let swarm = act(&action).unwrap();
        assert!(matches!(swarm.check(&host), Err(Refusal::Stale(_))), "no swarm");
        let init = json!({ "ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1" });
        let (status, answer) = daemon.request("POST", "/swarm/init", Some(&init));
        assert_eq!(status, 200, "{answer}");
        assert!(matches!(swarm.check(&host), Err(Refusal::Stale(line)) if line.contains("2160 h now")));
        by_hand(&daemon, 4320);
        swarm.check(&host).unwrap();
        let undo = swarm.prepare(&host, &mut keep).unwrap();
        assert!(!undo.to_string().contains("SWMTKN"), "a token to join");
        assert!(swarm.verify(&host, &undo).is_err());
        assert_eq!(swarm.undo(&host, &keep, &undo).unwrap(), Undone::Nothing);
        swarm.apply(&host, &undo).unwrap();
        swarm.apply(&host, &undo).unwrap();
        assert_eq!(swarm.verify(&host, &undo).unwrap(), Effect::InEffect);
        assert_eq!(expiry(&daemon), json!(720 * HOUR));
        assert_eq!(swarm.undo(&host, &keep, &undo).unwrap(), Undone::Restored);
        assert_eq!(expiry(&daemon), json!(4320 * HOUR));
        swarm.apply(&host, &undo).unwrap();
        by_hand(&daemon, 100);
        assert_eq!(
            swarm.undo(&host, &keep, &undo).unwrap(),
            Undone::Drifted(vec!["certificates of the swarm's nodes last 100 h now".into()])
        );
        assert_eq!(expiry(&daemon), json!(100 * HOUR));
        for (action, words) in [
            (Action::Swarm(Swarm { set: vec![("autolock".into(), json!(false), json!(true))] }), "--autolock=true"),
            (change(100 * HOUR, HOUR / 2), "cannot last"),
        ] {
            let refusal = act(&action).unwrap().check(&host).unwrap_err();
            assert!(matches!(&refusal, Refusal::Refused(line) if line.contains(words)), "{refusal}");
        }
        assert_eq!(daemon.request("POST", "/swarm/leave?force=1", None).0, 200);
        assert!(matches!(swarm.undo(&host, &keep, &undo).unwrap(), Undone::Drifted(_)));
    }
}
