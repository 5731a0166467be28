//! The hardest cases, walked as somebody new would: which paths there are, what is proposed first, and that re-creating
//! by hand without the fault takes away the paths that were said to be cut.

#[path = "../threats/machine.rs"]
mod machine;
mod walk;

use serde_json::json;
use walk::{Walk, hard, over};

#[test]
fn dump() {
    let Some(walk) = Walk::start(&[]) else { return };
    // harmless
    walk.run("app", &hard(&walk.image));
    walk.assess().dump("harmless");
    // run
    walk.run("app", &over(&hard(&walk.image), &json!({ "User": "0:0", "HostConfig": { "Binds": ["/run:/host-run"] } })));
    walk.assess().dump("run");
    walk.remove(&["app"]);
    // pid
    let root = json!({ "User": "0:0", "HostConfig": { "CapDrop": null } });
    let root = over(&hard(&walk.image), &root);
    walk.run("vault", &over(&root, &json!({ "Env": ["DB_PASSWORD=hunter2hunter2"] })));
    walk.run("peeker", &over(&root, &json!({ "HostConfig": { "PidMode": "container:vault" } })));
    walk.assess().dump("pid");
    println!("{}", walk.exec("peeker", "cat /proc/1/environ; ls /proc/1/root; id; ps"));
    walk.remove(&["peeker", "vault"]);
    walk.run("power", &over(&root, &json!({ "HostConfig": { "CapAdd": ["SYS_ADMIN"], "SecurityOpt": ["seccomp=unconfined"] } })));
    walk.run("peeker", &over(&root, &json!({ "HostConfig": { "PidMode": "container:power" } })));
    walk.assess().dump("power");
    println!("{}", walk.exec("peeker", "cat /proc/1/environ; ls /proc/1/root; id; ps"));
    walk.remove(&["peeker", "power"]);
    // volume
    walk.run("store", &over(&hard(&walk.image), &json!({ "Env": ["DB_PASSWORD=hunter2hunter2"], "HostConfig": { "Binds": ["shared:/data"] } })));
    let front = json!({ "ExposedPorts": { "80/tcp": {} }, "HostConfig": { "NetworkMode": "quiet", "Binds": ["shared:/data"],
        "PortBindings": { "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8080" }] } } });
    walk.run("front", &over(&hard(&walk.image), &front));
    walk.assess().dump("volume");
    walk.remove(&["front", "store"]);
}
