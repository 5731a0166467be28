//! Zones: by what separates in effect.

use super::*;

fn zone(host: Host) -> String {
    host.diagram().zone_of("web").to_owned()
}

#[test]
fn containers_lie_by_what_separates_them() {
    assert_eq!(zone(Host::new().web(&[])), "containers");
    assert_eq!(zone(Host::new().web(&[("root_on_host", false.into())])), "containers-mapped");
    assert_eq!(zone(Host::new().web(&[("privileged", true.into())])), "containers-open");
    assert_eq!(zone(Host::new().web(&[("privileged", Value::unknown("denied"))])), "containers-unknown");
    assert!(zone(Host::new().web(&[("sandboxed", true.into())])).starts_with("sandbox/"));
    let socket = Value::List(vec![mount("bind", "/run/docker.sock", "", true)]);
    assert_eq!(zone(Host::new().web(&[("sandboxed", true.into()), ("mounts", socket)])), "containers-open");
}

#[test]
fn a_rootless_engine_is_a_zone_in_the_host() {
    let drawn = Host::new().daemon("rootless", true).web(&[("root_on_host", false.into())]).diagram();
    assert_eq!(drawn.zone_of("daemon"), "rootless-engine");
    assert_eq!(drawn.zone_of("web"), "containers", "the same user as the engine");
    let zone = drawn.0.zones.iter().find(|z| z.id == "local/containers").unwrap();
    assert_eq!(drawn.0.zones[zone.parent.unwrap()].id, "local/rootless-engine");
    assert_eq!(Host::new().diagram().zone_of("daemon"), "host");
}

#[test]
fn an_internal_network_is_a_zone_of_its_own() {
    let host = || Host::new().with(network("back", &[("internal", true.into())]));
    let drawn = host()
        .web(&[("networks", strings(&["shop", "back"]))])
        .with(container("db", &[("networks", strings(&["back"]))]))
        .with(container("side", &[("networks", none()), ("joins", strings(&["network:db"]))]))
        .diagram();
    assert_eq!(drawn.zone_of("db"), "internal-network/shared/back");
    assert_eq!(drawn.zone_of("side"), "internal-network/shared/back");
    assert_eq!(drawn.zone_of("back"), "internal-network/shared/back");
    assert_eq!(drawn.zone_of("web"), "containers");
    assert!(drawn.flows(FlowKind::ContainerNetwork, "web", "back")[0].crosses);
    assert!(!drawn.flows(FlowKind::ContainerNetwork, "db", "back")[0].crosses);
    let unsure = [("networks", strings(&["back"])), ("host_network", Value::unknown("denied"))];
    assert_eq!(zone(host().web(&unsure)), "containers");
}

#[test]
fn everything_else_has_its_place() {
    let client = |user: &str| component(&docker::CLIENT, user, user, &[("user", user.into())]);
    let image = component(&docker::IMAGE, "1", "img", &[("registries", strings(&["docker.io", "localhost:5000"]))]);
    let node = component(&docker::NODE, "n", "node-1", &[]);
    let lan = network("lan", &[("driver", "macvlan".into())]);
    let host = Host::new().with(client("root")).with(client("alice")).with(image).with(node).with(lan).web(&[]);
    let snapshot = host.snapshot();
    let drawn = Drawn(diagram(&snapshot, None));
    check(&snapshot, &drawn.0);
    for (name, zone) in [
        ("root", "host"),
        ("alice", "users"),
        ("img", "host"),
        ("docker.io", "registries"),
        ("localhost:5000", "host"),
        ("node-1", "swarm"),
        ("lan", "local-network"),
        ("shop", "containers"),
        ("/run/docker.sock", "host"),
    ] {
        assert_eq!(drawn.zone_of(name), zone, "{name}");
    }
}

#[test]
fn every_zone_is_of_a_kind() {
    let drawn = Host::new().with(network("back", &[("internal", true.into())])).web(&[]).diagram();
    for zone in &drawn.0.zones {
        let name = zone.id.split('/').nth(1).unwrap();
        let kind = ZONE_KINDS.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(kind.trust, zone.trust);
    }
}
