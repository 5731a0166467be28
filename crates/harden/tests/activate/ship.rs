//! An engine with what a transaction has for it, and containers of every kind on it.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use seaworthy_bed::{Daemon, Spec, Version};
use seaworthy_core::plan::{Action, Activate, Activation, ContainerRef};
use seaworthy_harden::act::{Act, Undone};
use seaworthy_harden::engine::Engine;
use seaworthy_harden::files::Keep;
use seaworthy_harden::host::{Daemon as Running, Host};
use serde_json::{Value, json};

/// An engine with what a transaction has for it.
pub struct Ship {
    pub bed: Daemon,
    keep: tempfile::TempDir,
}

impl Ship {
    pub fn launch(version: Version, json: &str) -> Option<Self> {
        let spec = Spec { daemon_json: Some(json.into()), ..Spec::default() };
        let bed = Daemon::require(version, spec)?;
        bed.import_busybox("busybox:test");
        Some(Self { bed, keep: tempfile::tempdir().unwrap() })
    }

    /// The engine's process by its own word; the bed knows only the one that it started.
    pub fn pid(&self) -> u32 {
        fs::read_to_string(self.bed.dir().join("docker.pid")).unwrap().trim().parse().unwrap()
    }

    pub fn host(&self) -> Host {
        let engine = Some(Engine::at(&self.bed.socket()).unwrap());
        Host { root: "/".into(), engine, daemon: Some(Running { pid: self.pid() }), transaction: "0123456789ab".into() }
    }

    pub fn keep(&self) -> Keep {
        Keep::at(self.keep.path())
    }

    pub fn action(&self, how: Activation, stop_all: bool) -> Action {
        let (_, listed) = self.bed.request("GET", "/containers/json", None);
        let all = listed.as_array().unwrap().iter().map(|c| ContainerRef {
            id: c["Id"].as_str().unwrap().to_owned(),
            name: c["Names"][0].as_str().unwrap().trim_start_matches('/').to_owned(),
        });
        Action::Activate(Activate { how, returns: Vec::new(), started_again: all.collect(), stop_all })
    }

    /// The file is changed, as another action does it, and then the engine takes it.
    pub fn change(&self, action: &dyn Act, json: &str) -> (Value, Result<(), String>) {
        action.check(&self.host()).unwrap();
        fs::write(self.bed.daemon_json(), json).unwrap();
        let undo = action.prepare(&self.host(), &mut self.keep()).unwrap();
        let applied = action.apply(&self.host(), &undo).map_err(|f| f.0);
        (undo, applied)
    }

    /// The file is put back, as its own action does it, and then this one is undone.
    pub fn undo(&self, action: &dyn Act, undo: &Value, json: &str) -> Undone {
        fs::write(self.bed.daemon_json(), json).unwrap();
        // The engine may be down: nothing but the journal and the keep is there.
        let host = Host { root: "/".into(), engine: None, daemon: None, transaction: "0123456789ab".into() };
        action.undo(&host, &self.keep(), undo).unwrap()
    }

    pub fn run(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "Image": "busybox:test", "Cmd": ["sleep", "36000"], "StopSignal": "SIGKILL" });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        self.bed.run(name, &body)
    }

    pub fn state(&self, id: &str) -> Value {
        self.bed.inspect(id)["State"].clone()
    }

    pub fn info(&self) -> Value {
        self.bed.request("GET", "/info", None).1
    }

    /// Whether containers on the default bridge may talk, as the engine made it.
    pub fn icc(&self) -> bool {
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

pub fn policy(name: &str) -> Value {
    json!({ "HostConfig": { "RestartPolicy": { "Name": name } } })
}

pub fn every(version: Version) -> Option<(Ship, Vec<String>)> {
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

pub fn wait_for(mut done: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if done() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("it never came");
}

pub fn all_are_back(ship: &Ship, ids: &[String]) {
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

pub fn ship_less() -> Host {
    Host { root: "/".into(), engine: None, daemon: None, transaction: "0123456789ab".into() }
}
