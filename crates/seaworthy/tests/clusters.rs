//! Clusters on the command line: what is named, what is refused, what is said where there is none.

mod common;

use common::Sea;
use serde_json::json;

fn kubeconfig(port: u16) -> String {
    json!({"current-context": "prod", "clusters": [{"name": "c", "cluster": {"server": format!("https://127.0.0.1:{port}")}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": ""}}, {"name": "test", "context": {"cluster": "c", "user": ""}}]})
    .to_string()
}

/// A port on which nobody listens.
fn closed() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_names_no_cluster_is_one_line() {
    let sea = Sea::new();
    sea.run(&["assess", "--context", "prod"]).failed_with("no cluster is named");
    sea.run(&["assess", "--kubeconfig", "absent"]).failed_with("absent: cannot be read");
    sea.write("k", kubeconfig(closed()));
    sea.run(&["assess", "--kubeconfig", "k", "--context", "other"])
        .failed_with("has no context other; choose one with --context NAME (there are: prod, test)");
    sea.run(&["assess", "--kubeconfig", "k"]).failed_with("no cluster could be read: https://127.0.0.1:");
    sea.run(&["assess", "--kubeconfig", "k"]).failed_with("connection refused");
    sea.run(&["assess", "--only", "docker", "--kubeconfig", "k"])
        .failed_with("--only docker cannot be used with --kubeconfig");
    sea.run(&["assess", "--only", "kubernetes", "--docker", "unix:///x"])
        .failed_with("--only kubernetes cannot be used with --docker");
    // The home's own kubeconfig, and KUBECONFIG before it.
    sea.write(".kube/config", kubeconfig(closed()));
    sea.run(&["audit", "--context", "test"]).failed_with("connection refused");
    let mut command = sea.command(&["audit", "--context", "prod"]);
    command.env("KUBECONFIG", "nowhere:nothing");
    common::run(command).failed_with("KUBECONFIG: none of its files is there");
}

#[test]
fn the_least_role_is_printed() {
    let sea = Sea::new();
    let role = sea.run(&["access"]);
    role.ended(0);
    assert!(role.out.contains("kind: ClusterRole") && role.out.contains("resources: [pods]"), "{}", role.out);
    assert!(!role.out.contains("[secrets]") && !role.out.contains("nodes/proxy"), "{}", role.out);
    assert!(sea.run(&["access", "--secrets"]).out.contains("resources: [secrets]"));
}

#[test]
fn snapshots_of_one_cluster_are_joined() {
    let sea = Sea::new();
    let target = |name: &str, components: serde_json::Value| {
        json!({"schema": 1, "tool": "0.1.0", "collected_at": 1_700_000_000, "targets": [{"name": name, "platform": "kubernetes", "address": name,
            "about": "", "took_ms": 1, "incomplete": {}, "gaps": [], "places": ["test"], "components": components}]})
        .to_string()
    };
    let node =
        |facts: serde_json::Value| json!({"kind": "kubernetes.node", "id": "Node/n1", "name": "n1", "facts": facts});
    let cluster = json!({"kind": "kubernetes.cluster", "id": "cluster", "name": "prod", "facts": {"server": ["https://api", 0, ""]}});
    sea.write(
        "api.json",
        target(
            "prod",
            json!([cluster, node(json!({"name": ["n1", 0, ""], "machine": ["m1", 0, ""], "ready": [true, 0, ""]}))]),
        ),
    );
    sea.write(
        "node.json",
        target("n1", json!([node(json!({"name": ["n1", 0, ""], "machine": ["m1", 0, ""], "kernel": ["6.1", 0, ""]}))])),
    );
    sea.run(&["collect", "--join", "api.json", "node.json", "-o", "both.json"]).ended(0);
    let both = std::fs::read_to_string(sea.dir().join("both.json")).unwrap();
    assert_eq!(both.matches("\"platform\":\"kubernetes\"").count(), 1, "{both}");
    assert_eq!(both.matches("\"id\":\"Node/n1\"").count(), 1, "{both}");
    assert!(both.contains("6.1"), "{both}");
}
