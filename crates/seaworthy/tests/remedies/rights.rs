//! What fails the checks of rights.

use serde_json::{Value, json};

use super::cases::{Case, NAMESPACE, meta, object, workload};

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn binding(name: &str, role: &str, subjects: Value) -> Value {
    meta(
        RBAC,
        "ClusterRoleBinding",
        "",
        name,
        &json!({ "subjects": subjects,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role } }),
    )
}

fn user(name: &str) -> Value {
    json!({ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name })
}

fn group(name: &str) -> Value {
    json!({ "kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name })
}

fn account(namespace: &str, name: &str) -> Value {
    json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace })
}

/// A name that a shell must not read.
const HOSTILE: &str = "-x'$(touch owned)`\"\n";

pub fn rights() -> Vec<Case> {
    let anonymous = json!([group("system:unauthenticated"), user("jane")]);
    let made = |name: &str| meta("v1", "ServiceAccount", NAMESPACE, name, &json!({}));
    let mut out = vec![
        object("binding/no-anonymous", "open", vec![binding("open", "view", anonymous)]),
        object("binding/no-cluster-admin", HOSTILE, vec![binding(HOSTILE, "cluster-admin", json!([user("jack")]))]),
        object(
            "binding/no-default-accounts",
            "defaults",
            vec![binding("defaults", "view", json!([account(NAMESPACE, "default"), user("jane")]))],
        ),
        object(
            "binding/no-foreign-accounts",
            "remedies/foreign",
            vec![meta(
                RBAC,
                "RoleBinding",
                NAMESPACE,
                "foreign",
                &json!({
            "subjects": [account("other", "robot"), user("jane")],
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" } }),
            )],
        ),
        object(
            "binding/no-masters",
            "masters",
            vec![binding("masters", "view", json!([group("system:masters"), user("jane")]))],
        ),
        object(
            "binding/no-power-for-everybody",
            "everybody",
            vec![binding("everybody", "admin", json!([group("system:authenticated")]))],
        ),
        object("binding/role-exists", "hanging", vec![binding("hanging", "gone", json!([user("jane")]))]),
        object(
            "binding/subjects-exist",
            "nobody",
            vec![binding("nobody", "view", json!([account(NAMESPACE, "gone"), user("jane")]))],
        ),
        object(
            "service-account/default-without-rights",
            "given/default",
            vec![binding("given", "view", json!([account("given", "default")]))],
        ),
        object("service-account/default-not-mounted", "remedies/default", vec![]),
        object(
            "service-account/token-where-needed",
            "remedies/idle",
            vec![made("idle"), workload("idle", &json!({ "serviceAccountName": "idle" }), &json!({}))],
        ),
    ];
    // Everything at once: by one binding with somebody else in it, and by one of its own.
    let everything = meta(
        RBAC,
        "ClusterRole",
        "",
        "everything",
        &json!({ "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }] }),
    );
    let shared = binding("shared", "everything", json!([user("kim"), user("eve"), user("jane")]));
    let robots = binding("robots", "everything", json!([account(NAMESPACE, "robot"), user("jane")]));
    let own = binding("own", "everything", json!([user("eve")]));
    out.push(object("subject/not-all-powerful", "eve", vec![everything, made("robot"), shared, robots, own]));
    for check in POWERS {
        let known = out.iter().any(|case| case.check == *check);
        if !known {
            let name = if check.starts_with("subject/") { "eve" } else { "remedies/robot" };
            out.push(object(check, name, vec![]));
        }
    }
    out
}

const POWERS: &[&str] = &[
    "service-account/approves-no-certificates",
    "service-account/cannot-escalate",
    "service-account/creates-no-volumes",
    "service-account/edits-no-admission",
    "service-account/edits-no-api",
    "service-account/edits-no-cluster-configuration",
    "service-account/keeps-events",
    "service-account/labels-no-namespaces",
    "service-account/mints-no-tokens",
    "service-account/no-node-proxy",
    "service-account/no-shell-into-pods",
    "service-account/not-all-powerful",
    "service-account/reads-no-secrets",
    "service-account/redirects-no-traffic",
    "service-account/starts-no-pods",
    "service-account/writes-no-nodes",
    "subject/approves-no-certificates",
    "subject/cannot-escalate",
    "subject/creates-no-volumes",
    "subject/edits-no-admission",
    "subject/edits-no-api",
    "subject/edits-no-cluster-configuration",
    "subject/keeps-events",
    "subject/labels-no-namespaces",
    "subject/mints-no-tokens",
    "subject/no-node-proxy",
    "subject/no-shell-into-pods",
    "subject/not-all-powerful",
    "subject/reads-no-secrets",
    "subject/redirects-no-traffic",
    "subject/starts-no-pods",
    "subject/writes-no-nodes",
];
