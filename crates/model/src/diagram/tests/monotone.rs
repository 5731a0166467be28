//! What is not known is drawn where it may be: hiding a fact never takes a flow away.

use std::collections::BTreeSet;

use super::*;

/// The ends of every flow, by kind and names.
fn ends(diagram: &Diagram) -> BTreeSet<(FlowKind, String, String)> {
    let name = |at: usize| {
        let element = &diagram.elements[at];
        if element.component.is_some() { element.name.clone() } else { element.kind.to_owned() }
    };
    diagram.flows.iter().map(|f| (f.kind, name(f.from), name(f.to))).collect()
}

fn busy() -> Host {
    let listeners = Value::List(vec![
        listener("unix:///run/docker.sock", "none", true, "api"),
        listener("tcp://0.0.0.0:2375", "none", false, "api"),
        listener("tcp://0.0.0.0:9323", "none", false, "metrics"),
        listener("tcp://0.0.0.0:2377", "mutual", false, "swarm"),
    ]);
    let sshd = Value::Object(vec![
        ("address", "0.0.0.0:22".into()),
        ("process", Value::unknown("not looked for")),
        ("loopback", false.into()),
    ]);
    let client = [("user", "alice".into()), ("plain_credentials", strings(&["docker.io"])), ("contexts", none())];
    let image = [("registries", strings(&["docker.io"])), ("digests", strings(&["shop/web@sha256:1"]))];
    let mounts = Value::List(vec![mount("bind", "/run", "", true), mount("volume", "/v/data", "data", true)]);
    Host::new()
        .host("socket_group_members", strings(&["alice"]))
        .host("sshd_installed", true)
        .host("listeners", Value::List(vec![sshd]))
        .daemon("version", "27.0.0")
        .daemon("listeners", listeners)
        .daemon("swarm", "active")
        .daemon("metrics_address", "0.0.0.0:9323")
        .daemon("registry_mirrors", none())
        .socket("mode", Value::Int(0o666))
        .with(component(&docker::CLIENT, "alice", "alice", &client))
        .with(component(&docker::IMAGE, "sha256:1", "shop/web:1", &image))
        .with(component(&docker::VOLUME, "data", "data", &[("driver", "local".into())]))
        .with(network("lan", &[("driver", "macvlan".into())]))
        .web(&[
            ("ports", Value::List(vec![port("0.0.0.0", 80, 80), port("127.0.0.1", 81, 81)])),
            ("networks", strings(&["shop", "lan"])),
            ("mounts", mounts),
            ("host_pid", true.into()),
            ("log_driver", "json-file".into()),
        ])
        .with(container("agent", &[("host_network", true.into()), ("networks", strings(&["host"]))]))
        .with(container("local", &[("ports", Value::List(vec![port("127.0.0.1", 82, 82)]))]))
}

#[test]
fn hiding_a_fact_takes_no_flow_away() {
    let mut bare = busy();
    bare.derived = false;
    let snapshot = bare.snapshot();
    let drawn = |mut snapshot: Snapshot| {
        derive(&mut snapshot, &FlawTable::default());
        let diagram = diagram(&snapshot, None);
        check(&snapshot, &diagram);
        ends(&diagram)
    };
    let known = drawn(snapshot.clone());
    assert!(known.len() > 20, "{known:?}");
    let mut lost = Vec::new();
    for (at, component) in snapshot.targets[0].components.iter().enumerate() {
        for fact in component.kind.facts.iter().filter(|f| !f.derived) {
            // What files and clients are is always known, and so are the names of registries.
            if matches!(fact.name, "role" | "path" | "user") {
                continue;
            }
            let mut hidden = snapshot.clone();
            hidden.targets[0].components[at].set_unknown(fact.name, "hidden", Source::place("test"));
            let gone: Vec<_> = known.difference(&drawn(hidden)).cloned().collect();
            // A registry that nobody names any more is no element either; the kind is incomplete instead.
            let gone: Vec<_> = gone.iter().filter(|(_, a, b)| a != "docker.io" && b != "docker.io").collect();
            if !gone.is_empty() {
                lost.push(format!("hiding {}.{} took {gone:?} away", component.kind.name, fact.name));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}
