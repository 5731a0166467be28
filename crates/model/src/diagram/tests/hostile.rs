//! Sizes, names and unknowns that are made to break a diagram.

use super::*;

fn many(count: usize, networks: &[&str]) -> Host {
    let mut host =
        Host::new().daemon("listeners", Value::List(vec![listener("tcp://0.0.0.0:2375", "none", false, "api")]));
    for i in 0..count {
        let facts = [
            ("networks", strings(networks)),
            ("log_driver", "json-file".into()),
            ("ports", Value::List(vec![port("0.0.0.0", i64::try_from(1000 + i).unwrap(), 80)])),
        ];
        host = host.with(container(&format!("c{i}"), &facts));
    }
    host
}

#[test]
fn flows_grow_with_the_containers_and_no_faster() {
    let count = |n: usize| diagram(&many(n, &["shop"]).snapshot(), None).flows.len();
    let (small, large) = (count(50), count(100));
    assert_eq!(count(150) - large, large - small);
    // A network, a log, the API, and a port from two actors.
    assert_eq!(large - small, 50 * 5);
}

#[test]
fn five_thousand_containers_on_one_network() {
    let snapshot = many(5000, &["shop"]).snapshot();
    let drawn = diagram(&snapshot, None);
    check(&snapshot, &drawn);
    assert!(drawn.flows.len() < 5 * 5000 + 20, "{}", drawn.flows.len());
    assert!(drawn.zones.len() < 10);
}

#[test]
fn an_empty_host_and_one_of_unknowns_are_drawn() {
    let bare = |kinds: &[&'static Kind]| {
        let mut target = Target::new("", "docker", "");
        target.components.extend(kinds.iter().map(|k| Component::new(k, "x", "x")));
        for kind in seaworthy_core::schema::kinds() {
            target.incomplete(kind, "denied");
        }
        Snapshot { tool: "0".into(), collected_at: 0, targets: vec![target.clone(), target] }
    };
    for kinds in [&[][..], seaworthy_core::schema::kinds()] {
        let mut snapshot = bare(kinds);
        check(&snapshot, &diagram(&snapshot, None));
        derive(&mut snapshot, &FlawTable::default());
        let drawn = diagram(&snapshot, None);
        check(&snapshot, &drawn);
        assert!(drawn.flows.iter().filter(|f| f.kind != FlowKind::Login).all(|f| !f.certainty.is_proven()));
    }
}

#[test]
fn hostile_names_neither_grow_nor_collide() {
    let long = "x".repeat(100_000);
    let evil = [
        "</script>",
        "\u{202e}evil",
        "a\"b",
        "a\nb",
        "local/actor.internet",
        long.as_str(),
        "",
        "#2",
        "ü".repeat(500).leak(),
    ];
    let mut host = Host::new();
    for name in evil.iter().chain(&evil) {
        let mounts = Value::List(vec![mount("bind", name, "", true), mount("bind", name, "", false)]);
        let joins = strings(&[&format!("network:{name}"), "pid", ":"]);
        let facts = [
            ("mounts", mounts),
            ("joins", joins),
            ("ports", Value::List(vec![port(name, 1, 1)])),
            ("networks", strings(&[name])),
        ];
        host = host.with(container(name, &facts)).with(network(name, &[]));
    }
    let snapshot = host.snapshot();
    let drawn = diagram(&snapshot, None);
    check(&snapshot, &drawn);
    for text in drawn.elements.iter().flat_map(|e| [&e.id, &e.name]).chain(drawn.zones.iter().map(|z| &z.id)) {
        assert!(text.chars().count() < 400, "{text}");
    }
}

#[test]
fn circles_of_joins_end() {
    let joined = |name: &str, other: &str| {
        container(name, &[("joins", strings(&[&format!("network:{other}")])), ("networks", none())])
    };
    let host = Host::new().with(joined("a", "b")).with(joined("b", "a")).with(joined("c", "c"));
    let snapshot = host.snapshot();
    check(&snapshot, &diagram(&snapshot, None));
}

#[test]
fn a_list_without_end_is_told_in_one_flow() {
    let ports: Vec<Value> = (1..500).map(|i| port("0.0.0.0", i, i)).collect();
    let mounts: Vec<Value> = (1..500).map(|i| mount("bind", &format!("/srv/{i}"), "", true)).collect();
    let drawn = Host::new().web(&[("ports", Value::List(ports)), ("mounts", Value::List(mounts))]).diagram();
    let flows = drawn.flows(FlowKind::PublishedPort, "actor.local-network", "web");
    assert_eq!(flows.len(), 65);
    assert!(flows.iter().any(|f| f.label == "435 more ports" && f.certainty.is_proven()));
    assert_eq!(drawn.flows(FlowKind::BindMount, "web", "docker.host").len(), 65);
}

#[test]
fn ids_survive_a_re_creation() {
    let drawn = |id: &str, hardened: bool| {
        let mut web = container(
            "web",
            &[("ports", Value::List(vec![port("0.0.0.0", 80, 80)])), ("log_driver", "json-file".into())],
        );
        web.id = id.into();
        let tls = if hardened { "mutual" } else { "none" };
        let host =
            Host::new().daemon("listeners", Value::List(vec![listener("tcp://0.0.0.0:2376", tls, false, "api")]));
        let diagram = host.with(web).diagram().0;
        let ids = diagram.flows.iter().filter(|f| !f.label.starts_with("tcp://") || f.from < 3).map(|f| f.id.clone());
        (diagram.elements.iter().map(|e| e.id.clone()).collect::<Vec<_>>(), ids.collect::<Vec<_>>())
    };
    assert_eq!(drawn("1", false), drawn("2", true));
}
