//! The hardest cases, walked as somebody new would: which paths there are, what is proposed first, and that re-creating
//! by hand without the fault takes away the paths that were said to be cut.

#[path = "../threats/machine.rs"]
mod machine;
mod walk;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use walk::{Told, Walk, hard, machine as machine_of, over, set};

const ENGINE: &str = "the engine's API";
const HOST: &str = "root on the host";

/// That a proposal is among the first three, and that the paths it was to cut are gone from a later report.
#[track_caller]
fn cut(before: &Told, remedy: &str, on: &str, after: &Told) {
    let first = before.first(3);
    assert!(first.iter().any(|remedies| remedies.contains(&remedy)), "{remedy} is not in {first:?}{}", before.show());
    let cuts = before.cut_by(remedy, on);
    assert!(!cuts.is_empty(), "{remedy} cuts nothing{}", before.show());
    let left = after.fingerprints();
    let still: BTreeSet<_> = cuts.intersection(&left).collect();
    assert!(still.is_empty(), "still there: {still:?}{}\n{}", before.show(), after.show());
}

#[test]
fn run_is_mounted() {
    let socket = format!("/run/seaworthy-walk-{}.sock", std::process::id());
    let Some(walk) = Walk::start(&[&format!("unix://{socket}")]) else { return };
    let root = over(&hard(&walk.image), &json!({ "User": "0:0" }));
    walk.run("agent", &over(&root, &json!({ "HostConfig": { "Binds": ["/run:/host-run"] } })));
    let before = walk.assess();
    assert_eq!(before.certainties("code in agent", ENGINE), ["proven"].into(), "{}", before.show());
    assert!(before.known_to(&[HOST]).contains("code in agent"), "{}", before.show());
    let steps = before.steps("code in agent", ENGINE);
    assert!(
        steps.iter().any(|(step, facts)| *step == "mounted-socket" && facts.contains(&"runtime_sockets")),
        "{steps:?}"
    );
    let first = before.first(3);
    assert!(first.iter().any(|all| all.contains(&"container/no-runtime-socket")), "{first:?}{}", before.show());
    // As another user, but with the directory: root alone opens what lies there.
    let mounted = json!({ "User": "1000:1000", "HostConfig": { "Binds": ["/run:/host-run"] } });
    walk.run("agent", &over(&root, &mounted));
    cut(&before, "container/non-root-user", "agent", &walk.assess());
    walk.run("agent", &root);
    let after = walk.assess();
    assert!(after.certainties("code in agent", ENGINE).is_empty(), "{}", after.show());
    assert!(!after.known_to(&[HOST]).contains("code in agent"), "{}", after.show());
    drop(walk);
    drop(std::fs::remove_file(socket));
}

#[test]
fn the_socket_is_mounted_for_a_user_in_its_group() {
    let Some(walk) = Walk::start(&[]) else { return };
    // By its number, as everybody gives it: inside the group has no name.
    let socket = walk.daemon.socket();
    std::os::unix::fs::chown(&socket, Some(0), Some(990)).expect("chown");
    let mounted = json!({ "HostConfig": { "Binds": [format!("{}:/engine.sock", socket.display())] } });
    let mounted = over(&hard(&walk.image), &mounted);
    walk.run("added", &over(&mounted, &json!({ "HostConfig": { "GroupAdd": ["990"] } })));
    walk.run("primary", &over(&mounted, &json!({ "User": "1000:990" })));
    walk.run("stranger", &mounted);
    let opens = |name: &str| walk.exec(name, "test -w /engine.sock && echo it opens").contains("it opens");
    assert_eq!(["added", "primary", "stranger"].map(opens), [true, true, false]);
    let before = walk.assess();
    let to_engine = before.known_to(&[ENGINE]);
    // The two are equal to every step, and one stands for both.
    assert!(to_engine.contains("code in added") || to_engine.contains("code in primary"), "{}", before.show());
    assert!(!to_engine.contains("code in stranger"), "{}", before.show());
    assert_eq!(before.first(1), [["container/no-powerful-groups"]], "{}", before.show());
    for name in ["added", "primary"] {
        walk.run(name, &hard(&walk.image));
    }
    cut(&before, "container/no-powerful-groups", "", &walk.assess());
}

/// A root with the capabilities that engines give.
fn usual(walk: &Walk) -> Value {
    over(&hard(&walk.image), &json!({ "User": "0:0", "HostConfig": { "CapDrop": null } }))
}

#[test]
fn a_pid_namespace_is_shared_with_one_that_holds_secrets_or_power() {
    let Some(walk) = Walk::start(&[]) else { return };
    let usual = usual(&walk);
    let secret = json!({ "Env": ["DB_PASSWORD=hunter2hunter2"] });
    walk.run("vault", &over(&usual, &secret));
    walk.run("peeker", &over(&usual, &json!({ "HostConfig": { "PidMode": "container:vault" } })));
    let looks = |name: &str| walk.exec(name, "tr '\\0' '\\n' < /proc/1/environ").contains("hunter2hunter2");
    assert!(looks("peeker"), "what the path says is not so");
    let before = walk.assess();
    let data = "the data and secrets of vault";
    assert_eq!(before.certainties("code in peeker", data), ["proven"].into(), "{}", before.show());
    let first = before.first(3);
    assert!(first[0].contains(&"container/own-namespaces"), "{first:?}{}", before.show());
    // A secret in a file is read by the same code: it is proposed, and said to cut nothing.
    assert!(before.cut_by("container/no-env-secrets", "vault").is_empty(), "{}", before.show());
    walk.run("peeker", &usual);
    let after = walk.assess();
    cut(&before, "container/own-namespaces", "peeker", &after);
    assert!(after.certainties("code in peeker", data).is_empty(), "{}", after.show());

    // Who has fewer capabilities than the other is refused by the kernel; who has SYS_PTRACE is not.
    walk.remove(&["peeker", "vault"]);
    let power = json!({ "HostConfig": { "CapAdd": ["SYS_ADMIN"] } });
    walk.run("power", &over(&over(&usual, &secret), &power));
    let joins = over(&usual, &json!({ "HostConfig": { "PidMode": "container:power" } }));
    walk.run("peeker", &joins);
    walk.run("tracer", &over(&joins, &json!({ "HostConfig": { "CapAdd": ["SYS_PTRACE"] } })));
    assert_eq!((looks("peeker"), looks("tracer")), (false, true));
    let told = walk.assess();
    let data = "the data and secrets of power";
    assert_eq!(told.certainties("code in peeker", data), BTreeSet::new(), "{}", told.show());
    assert_eq!(told.certainties("code in tracer", data), ["proven"].into(), "{}", told.show());
    let to_host = told.known_to(&[HOST]);
    assert!(to_host.contains("code in tracer") && !to_host.contains("code in peeker"), "{to_host:?}{}", told.show());
}

#[test]
fn a_volume_is_shared_between_an_exposed_and_a_secret_holding_container() {
    let Some(walk) = Walk::start(&[]) else { return };
    let own = |volume: &str| json!({ "HostConfig": { "Binds": [format!("{volume}:/data")] } });
    walk.run(
        "store",
        &over(&over(&hard(&walk.image), &own("shared")), &json!({ "Env": ["DB_PASSWORD=hunter2hunter2"] })),
    );
    let front = json!({
        "ExposedPorts": { "80/tcp": {} },
        "HostConfig": {
            "NetworkMode": "quiet", "PortBindings": { "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": "8080" }] },
        },
    });
    let front = over(&hard(&walk.image), &front);
    walk.run("front", &over(&front, &own("shared")));
    let before = walk.assess();
    let data = "the data and secrets of store";
    assert_eq!(before.certainties("code in front", data), ["proven"].into(), "{}", before.show());
    let network = before.known_to(&[data]);
    assert!(network.contains("anybody on the host's networks"), "{network:?}{}", before.show());
    // The engine keeps the port for the container by listening on it: that is no API.
    assert!(!before.known_to(&[ENGINE, HOST]).contains("anybody on the host's networks"), "{}", before.show());
    walk.run("front", &over(&front, &own("other")));
    let after = walk.assess();
    assert!(after.certainties("code in front", data).is_empty(), "{}", after.show());
    assert!(!after.known_to(&[data]).contains("anybody on the host's networks"), "{}", after.show());
    // Which volumes belong together no check can know: it is proposed for a person to decide.
    cut(&before, "volume/one-writer", "shared", &after);
}

#[test]
fn the_api_listens_for_containers() {
    let Some(walk) = Walk::start(&["tcp://0.0.0.0:2375"]) else { return };
    walk.run("app", &over(&hard(&walk.image), &json!({ "HostConfig": { "NetworkMode": "quiet" } })));
    let before = walk.assess();
    assert_eq!(before.certainties("code in app", ENGINE), ["proven"].into(), "{}", before.show());
    assert_eq!(before.first(1), [["daemon/tls-mutual"]], "{}", before.show());
    // An address of a bridge is there only once the engine runs: from a snapshot in which it listens there.
    let bound = |address: &'static str| {
        walk.assess_edited(|components| {
            let daemons = components.as_array_mut().into_iter().flatten().filter(|c| c["kind"] == "docker.daemon");
            for daemon in daemons {
                let listeners = daemon["facts"]["listeners"][0].as_array_mut().expect("listeners");
                let tcp = listeners.iter_mut().find(|l| l["transport"] == "tcp").expect("a TCP listener");
                tcp["address"] = json!(address);
                tcp["loopback"] = json!(address.starts_with("tcp://127."));
            }
        })
    };
    let gateway = bound("tcp://172.17.0.1:2375");
    assert_eq!(gateway.certainties("code in app", ENGINE), ["proven"].into(), "{}", gateway.show());
    assert!(gateway.known_to(&[HOST]).contains("code in app"), "{}", gateway.show());
    assert_eq!(gateway.first(1), [["daemon/tls-mutual"]], "{}", gateway.show());
    assert!(!gateway.certainties("anybody on the internet", ENGINE).contains("proven"), "{}", gateway.show());
    let loopback = bound("tcp://127.0.0.1:2375");
    assert_eq!(loopback.certainties("code in app", ENGINE), BTreeSet::new(), "{}", loopback.show());
    drop(walk);
    let Some(walk) = Walk::start(&[]) else { return };
    walk.run("app", &over(&hard(&walk.image), &json!({ "HostConfig": { "NetworkMode": "quiet" } })));
    cut(&before, "daemon/tls-mutual", "only", &walk.assess());
}

#[test]
fn a_user_is_a_member_of_docker_by_his_primary_group() {
    let Some(mut walk) = Walk::start(&[]) else { return };
    walk.machine = machine_of(&walk.daemon, "carol:x:1002:{gid}::/home/carol:/bin/bash\n");
    let before = walk.assess();
    let member = "Members of group docker: carol, who may open the engine's socket";
    assert!(before.known_to(&[ENGINE]).contains(member), "{}", before.show());
    assert!(before.known_to(&[HOST]).contains(member), "{}", before.show());
    assert_eq!(before.first(1), [["host/socket-group-trusted"]], "{}", before.show());
    walk.machine = machine_of(&walk.daemon, "carol:x:1002:1002::/home/carol:/bin/bash\n");
    let after = walk.assess();
    cut(&before, "host/socket-group-trusted", "", &after);
    assert!(after.known_to(&[ENGINE, HOST]).is_empty(), "{}", after.show());
}

#[test]
fn a_harmless_host() {
    let Some(walk) = Walk::start(&[]) else { return };
    // What nobody hardened: no limits, no no-new-privileges, and (the walk's host) no audit rules.
    let ordinary =
        json!({ "HostConfig": { "Memory": 0, "MemorySwap": 0, "CpuShares": 0, "PidsLimit": 0, "SecurityOpt": null } });
    walk.run("app", &over(&hard(&walk.image), &ordinary));
    let told = walk.assess();
    let root = "the account of root, taken over";
    assert!(told.known_to(&[HOST, ENGINE]).is_subset(&[root].into()), "{}", told.show());
    // This machine has no security module: with one in force, as distributions ship it.
    let told = walk.assess_edited(|components| {
        for (kind, value) in [
            ("docker.host", json!(true)),
            ("docker.daemon", json!(true)),
            ("docker.container", json!("docker-default")),
        ] {
            set(components, kind, "apparmor", &value);
        }
    });
    let first = told.first(3);
    assert!(first.iter().any(|all| all.contains(&"container/no-new-privileges")), "{first:?}{}", told.show());
    assert!(first.iter().any(|all| all.contains(&"container/memory-limited")), "{first:?}{}", told.show());
    assert!(told.known_to(&[HOST, ENGINE]).is_subset(&[root].into()), "{}", told.show());
    let hardened = hard(&walk.image);
    walk.run("app", &hardened);
    let after = walk.assess();
    cut(&told, "container/no-new-privileges", "app", &after);
    cut(&told, "container/memory-limited", "app", &after);
}
