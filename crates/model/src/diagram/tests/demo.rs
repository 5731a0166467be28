//! The demonstration's snapshot.

use std::io::Read as _;

use super::*;

fn snapshot() -> Snapshot {
    let packed = include_bytes!("../../../../seaworthy/demo/snapshot.json.gz");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    let mut snapshot = seaworthy_core::snapshot_json::read(&bytes).unwrap();
    derive(&mut snapshot, &FlawTable::default());
    snapshot
}

#[test]
fn the_demonstration_is_drawn() {
    let snapshot = snapshot();
    let drawn = Drawn(diagram(&snapshot, None));
    check(&snapshot, &drawn.0);
    if std::env::var_os("SEAWORTHY_SHOW").is_some() {
        for f in &drawn.0.flows {
            let name = |at: usize| &drawn.0.elements[at].name;
            println!(
                "{} {} -> {}: {} [{}] crosses {}",
                f.kind,
                name(f.from),
                name(f.to),
                f.label,
                f.certainty.word(),
                f.crosses
            );
        }
        for z in &drawn.0.zones {
            println!("{} in {:?}: {}", z.id, z.parent, z.boundary);
        }
    }
    use FlowKind as K;
    for (kind, from, to, word) in [
        (K::PublishedPort, "actor.local-network", "web", "proven"),
        (K::PublishedPort, "actor.internet", "web", "possible"),
        // Engine 20.10.
        (K::PublishedPort, "actor.local-network", "proxy", "proven"),
        (K::PublishedPort, "actor.internet", "proxy", "absent"),
        (K::PublishedPort, "actor.local-network", "cache", "absent"),
        (K::SocketMount, "ci", "docker.daemon", "proven"),
        (K::BindMount, "backup", "docker.host", "proven"),
        (K::BindMount, "ci", "docker.host", "absent"),
        (K::VolumeMount, "db", "dbdata", "proven"),
        (K::VolumeMount, "backup", "dbdata", "proven"),
        (K::Namespace, "api-metrics", "api", "proven"),
        (K::Namespace, "node-metrics", "docker.host", "proven"),
        (K::ContainerNetwork, "api-metrics", "shop", "proven"),
        (K::ContainerNetwork, "import-job", "bridge", "possible"),
        (K::Ssh, "actor.local-network", "docker.host", "absent"),
        (K::ApiRemote, "actor.local-network", "docker.daemon", "absent"),
        (K::ApiLocal, "actor.local-user", "docker.daemon", "absent"),
        (K::ApiLocal, "root", "docker.daemon", "proven"),
        (K::Control, "docker.daemon", "docker.host", "proven"),
    ] {
        assert_eq!(drawn.word(kind, from, to), word, "{kind} {from} {to}");
    }
    assert_eq!(drawn.zone_of("ci"), "containers-open");
    assert_eq!(drawn.zone_of("worker"), "containers");
}

#[test]
fn the_same_snapshot_gives_the_same_diagram() {
    assert_eq!(diagram(&snapshot(), None), diagram(&snapshot(), None));
}
