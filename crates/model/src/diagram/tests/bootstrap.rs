//! Tokens by which nodes join: whoever reads the secrets of the system may be of their groups.

use super::*;
use seaworthy_core::schema::kubernetes;

/// The groups that a secret of a type in a namespace may lead to, with how certain that is.
fn groups(namespace: &str, secret_type: &str) -> Vec<(String, &'static str)> {
    let mut cluster = Target::new("prod", "kubernetes", "https://api");
    let mut add = |kind, id: &str, facts: Change<'_>| cluster.components.push(component(kind, id, id, facts));
    add(&kubernetes::CLUSTER, "cluster", &[]);
    add(&kubernetes::NAMESPACE, "kube-system", &[("name", "kube-system".into())]);
    add(&kubernetes::NAMESPACE, "shop", &[("name", "shop".into())]);
    let secret = [("namespace", namespace.into()), ("name", "token".into()), ("type", secret_type.into())];
    add(&kubernetes::SECRET, "token", &secret);
    for (kind, name) in [
        ("Group", "system:bootstrappers"),
        ("Group", "system:bootstrappers:kubeadm:default-node-token"),
        ("Group", "system:bootstrappersx"),
        ("Group", "system:nodes"),
        ("User", "system:bootstrappers:user"),
    ] {
        add(&kubernetes::SUBJECT, name, &[("kind", kind.into()), ("name", name.into()), ("powers", none())]);
    }
    let snapshot = Snapshot { tool: String::new(), collected_at: 0, targets: vec![cluster] };
    let drawn = diagram(&snapshot, None);
    let tokens = drawn.flows.iter().filter(|flow| flow.kind == FlowKind::Token);
    tokens.map(|flow| (drawn.elements[flow.to].name.clone(), flow.certainty.word())).collect()
}

#[test]
fn a_bootstrap_token_may_be_of_each_group_of_such_tokens() {
    let both = ["system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token"];
    let found = groups("kube-system", "bootstrap.kubernetes.io/token");
    assert_eq!(found, both.map(|name| (name.to_owned(), "possible")));
    // The API server looks for them in its own namespace alone.
    assert_eq!(groups("shop", "bootstrap.kubernetes.io/token"), []);
    assert_eq!(groups("kube-system", "Opaque"), []);
}
