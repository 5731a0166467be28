//! What cannot be re-created is refused before anything is done.

use seaworthy_bed::{Daemon, Version};
use seaworthy_core::plan::Recreate;
use seaworthy_harden::act::{Act, Refusal};
use serde_json::{Value, json};

use crate::fixture::{action, carry_out, engine, host, set};

fn recreate(id: &str, name: &str) -> Recreate {
    action(id, name, vec![set("cap-drop", &[], &["ALL"])])
}

fn said(daemon: &Daemon, action: &Recreate) -> String {
    let (_, before) = daemon.request("GET", "/containers/json?all=1", None);
    let refusal = action.check(&host(daemon)).unwrap_err().to_string();
    let (_, after) = daemon.request("GET", "/containers/json?all=1", None);
    let ids = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|c| json!([c["Id"], c["Names"], c["State"]])).collect()
    };
    assert_eq!(ids(&before), ids(&after));
    assert!(!refusal.contains('\n'), "{refusal}");
    refusal
}

fn refuses(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let busybox = |host: Value| json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "HostConfig": host });

    let gone = daemon.run("gone", &busybox(json!({ "AutoRemove": true })));
    assert!(said(&daemon, &recreate(&gone, "gone")).contains("--rm"));

    let db = daemon.run("db", &busybox(json!({})));
    let needs = [
        ("joiner", json!({ "NetworkMode": "container:db" }), "its network"),
        ("watcher", json!({ "PidMode": "container:db" }), "its processes"),
        ("linked", json!({ "Links": ["db:database"] }), "a link"),
        ("reader", json!({ "VolumesFrom": ["db:ro"] }), "its volumes"),
    ];
    for (name, body, what) in needs {
        daemon.create(name, &busybox(body));
        let refusal = said(&daemon, &recreate(&db, "db"));
        assert!(refusal.contains(&format!("{name} ({what})")), "{refusal}");
        assert_eq!(daemon.request("DELETE", &format!("/containers/{name}"), None).0, 204);
    }

    assert_eq!(daemon.request("POST", "/containers/db/pause", None).0, 204);
    assert!(said(&daemon, &recreate(&db, "db")).contains("it is paused"));
    assert_eq!(daemon.request("POST", "/containers/db/unpause", None).0, 204);

    let stale = recreate(&db, "other").check(&host(&daemon));
    assert!(matches!(stale, Err(Refusal::Stale(_))), "{stale:?}");
    let stale = recreate(&"0".repeat(64), "db").check(&host(&daemon));
    assert!(matches!(stale, Err(Refusal::Stale(_))), "{stale:?}");

    let mut task = busybox(json!({}));
    task["Labels"] = json!({ "com.docker.swarm.task.id": "x" });
    let task = daemon.create("task", &task);
    assert!(said(&daemon, &recreate(&task, "task")).contains("swarm"));

    let stray = daemon.create("stray", &busybox(json!({})));
    let body = json!({ "Container": stray, "Force": true });
    assert_eq!(daemon.request("POST", "/networks/bridge/disconnect", Some(&body)).0, 200);
    assert!(said(&daemon, &recreate(&stray, "stray")).contains("all its networks"));
}

#[test]
fn engine20_refuses_what_would_be_lost_or_break_others() {
    refuses(Version::V20);
}

#[test]
fn engine29_refuses_what_would_be_lost_or_break_others() {
    refuses(Version::V29);
}

fn layer(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let writes = "mkdir -p /var/lib/app /run/app; echo x > /var/lib/app/state; echo x > /run/app/pid; echo x > /tmp/t; sleep 3600";
    let body = json!({ "Image": "busybox:test", "Cmd": ["sh", "-c", writes], "StopSignal": "SIGKILL" });
    let id = daemon.run("app", &body);
    let wrote = || daemon.request("GET", &format!("/containers/{id}/changes"), None).1.to_string().contains("/tmp/t");
    while !wrote() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut recreate = recreate(&id, "app");
    let refusal = said(&daemon, &recreate);
    assert!(refusal.contains("wrote 1 path ") && refusal.contains("(/var/lib/app/state)"), "{refusal}");
    recreate.accept_lost_changes = true;
    carry_out(&host(&daemon), &recreate);
}

#[test]
fn engine20_a_written_layer_needs_a_yes() {
    layer(Version::V20);
}

#[test]
fn engine29_a_written_layer_needs_a_yes() {
    layer(Version::V29);
}
