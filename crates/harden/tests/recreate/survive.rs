//! What a specification does not say in plain sight survives too.

use seaworthy_bed::{Daemon, Version};
use seaworthy_harden::act::{Act, Undone};
use serde_json::{Value, json};

use crate::fixture::{action, carry_out, engine, host, keep, networks, set};

fn sleeper(host: Value) -> Value {
    json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"], "StopSignal": "SIGKILL", "HostConfig": host })
}

fn mounts(inspect: &Value) -> Value {
    let mut mounts: Vec<Value> = inspect["Mounts"].as_array().unwrap().clone();
    // Mode shows how a mount was asked for, and Engine 29 leaves out some names; what is mounted is its source.
    for mount in &mut mounts {
        assert_ne!(mount["Source"], "", "{mount}");
        (mount["Mode"], mount["Name"]) = (Value::Null, Value::Null);
    }
    mounts.sort_by_key(|m| m["Destination"].to_string());
    mounts.into()
}

fn volumes(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let image = "FROM busybox:test\nVOLUME /of-image\nENTRYPOINT [\"sh\", \"-c\", \"exit 7\"]";
    daemon.build("volumes:test", image, &[]);
    let source = sleeper(json!({ "Binds": ["shared:/shared"] }));
    daemon.create("source", &source);
    let body = json!({
        "Image": "volumes:test",
        // The image's program is taken away by an empty one, which inspect shows as none.
        "Entrypoint": [""],
        "Cmd": ["sleep", "3600"],
        "StopSignal": "SIGKILL",
        "HostConfig": {
            "Binds": ["/bare"],
            "Mounts": [{ "Type": "volume", "Target": "/mounted" }],
            "VolumesFrom": ["source:ro"],
        },
    });
    let id = daemon.run("it", &body);
    let before = daemon.inspect(&id);
    assert!(before["Mounts"].as_array().unwrap().len() >= 4, "{}", before["Mounts"]);
    let (host, recreate) = (host(&daemon), action(&id, "it", vec![set("cap-drop", &[], &["ALL"])]));
    let undo = carry_out(&host, &recreate);
    assert_eq!(mounts(&daemon.inspect("it")), mounts(&before));
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    assert_eq!(mounts(&daemon.inspect("it")), mounts(&before));

    // Where the other container is gone, its volumes stay; and one of them can be taken away.
    assert_eq!(daemon.request("DELETE", "/containers/source?force=1", None).0, 204);
    let undo = carry_out(&host, &recreate);
    assert_eq!(mounts(&daemon.inspect("it")), mounts(&before));
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    let recreate = action(&id, "it", vec![set("volume", &["/shared"], &[])]);
    carry_out(&host, &recreate);
    let left = mounts(&daemon.inspect("it")).to_string();
    assert!(!left.contains("/shared") && left.contains("/of-image"), "{left}");
}

#[test]
fn engine20_volumes_of_every_kind_survive() {
    volumes(Version::V20);
}

#[test]
fn engine29_volumes_of_every_kind_survive() {
    volumes(Version::V29);
}

fn moved_tag(version: Version) {
    let Some(daemon) = engine(version) else { return };
    daemon.build("moved:test", "FROM busybox:test\nENV VERSION=1", &[]);
    let mut body = sleeper(json!({}));
    body["Image"] = "moved:test".into();
    let id = daemon.run("it", &body);
    let before = daemon.inspect(&id);
    daemon.build("moved:test", "FROM busybox:test\nENV VERSION=2", &[]);
    let (host, recreate) = (host(&daemon), action(&id, "it", vec![set("cap-drop", &[], &["ALL"])]));
    let undo = carry_out(&host, &recreate);
    assert!(undo["notes"].to_string().contains("moved:test"), "{undo}");
    let new = daemon.inspect("it");
    assert_eq!((&new["Image"], &new["Config"]["Env"]), (&before["Image"], &before["Config"]["Env"]));
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
}

#[test]
fn engine20_the_same_image_runs_after_its_tag_moved() {
    moved_tag(Version::V20);
}

#[test]
fn engine29_the_same_image_runs_after_its_tag_moved() {
    moved_tag(Version::V29);
}

fn network(daemon: &Daemon, name: &str, subnet: &str) {
    let body = json!({ "Name": name, "IPAM": { "Config": [{ "Subnet": subnet }] } });
    assert_eq!(daemon.request("POST", "/networks/create", Some(&body)).0, 201);
}

fn connect(daemon: &Daemon, network: &str, id: &str, endpoint: Value) {
    let body = json!({ "Container": id, "EndpointConfig": endpoint });
    let (status, answer) = daemon.request("POST", &format!("/networks/{network}/connect"), Some(&body));
    assert_eq!(status, 200, "{answer}");
}

/// Links of the default bridge, a network joined and the first one left, a network whose name is hostile, a long name.
fn places(version: Version) {
    let Some(daemon) = engine(version) else { return };
    let host = host(&daemon);
    let drop_all = || vec![set("cap-drop", &[], &["ALL"])];
    daemon.run("db", &sleeper(json!({})));

    let linked = daemon.run("linked", &sleeper(json!({ "Links": ["db:database"] })));
    let before = daemon.inspect(&linked);
    let recreate = action(&linked, "linked", drop_all());
    let undo = carry_out(&host, &recreate);
    assert_eq!(daemon.inspect("linked")["HostConfig"]["Links"], before["HostConfig"]["Links"]);
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    assert_eq!(daemon.inspect("linked")["HostConfig"]["Links"], before["HostConfig"]["Links"]);

    network(&daemon, "odd $(x)", "172.31.1.0/24");
    let name = "n".repeat(190);
    let id = daemon.run(&name, &sleeper(json!({})));
    connect(&daemon, "odd%20%24%28x%29", &id, json!({ "IPAMConfig": { "IPv4Address": "172.31.1.9" } }));
    let body = json!({ "Container": id });
    assert_eq!(daemon.request("POST", "/networks/bridge/disconnect", Some(&body)).0, 200);
    let before = networks(&daemon.inspect(&id));
    let recreate = action(&id, &name, drop_all());
    let undo = carry_out(&host, &recreate);
    assert_eq!(networks(&daemon.inspect(&name)), before);
    assert_eq!(recreate.undo(&host, &keep(), &undo).unwrap(), Undone::Restored);
    assert_eq!(networks(&daemon.inspect(&name)), before);
}

#[test]
fn engine20_links_and_networks_survive_wherever_it_is() {
    places(Version::V20);
}

#[test]
fn engine29_links_and_networks_survive_wherever_it_is() {
    places(Version::V29);
}

#[test]
fn engine20_a_configured_hardware_address_survives() {
    let Some(daemon) = engine(Version::V20) else { return };
    let mut body = sleeper(json!({}));
    body["MacAddress"] = "02:42:ac:11:00:99".into();
    let id = daemon.run("it", &body);
    carry_out(&host(&daemon), &action(&id, "it", vec![set("cap-drop", &[], &["ALL"])]));
    assert_eq!(daemon.inspect("it")["NetworkSettings"]["Networks"]["bridge"]["MacAddress"], "02:42:ac:11:00:99");
}

#[test]
fn engine29_a_configured_hardware_address_survives_on_each_network_and_no_other_is_pinned() {
    let Some(daemon) = engine(Version::V29) else { return };
    for (name, subnet) in [("one", "172.31.1.0/24"), ("two", "172.31.2.0/24"), ("three", "172.31.3.0/24")] {
        network(&daemon, name, subnet);
    }
    let mut body = sleeper(json!({ "NetworkMode": "one" }));
    body["NetworkingConfig"] = json!({ "EndpointsConfig": {
        "one": { "MacAddress": "02:42:ac:11:00:91" }, "two": { "MacAddress": "02:42:ac:11:00:92" }, "three": {},
    } });
    let id = daemon.run("it", &body);
    let mac =
        |of: &str, network: &str| daemon.inspect(of)["NetworkSettings"]["Networks"][network]["MacAddress"].clone();
    let made_up = mac("it", "three");
    carry_out(&host(&daemon), &action(&id, "it", vec![set("cap-drop", &[], &["ALL"])]));
    assert_eq!((mac("it", "one"), mac("it", "two")), (json!("02:42:ac:11:00:91"), json!("02:42:ac:11:00:92")));
    assert_ne!(mac("it", "three"), made_up);
}
