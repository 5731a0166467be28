//! Objects of the cluster.

use serde_json::{Value, json};

use crate::beds::IMAGE;

/// A service account.
pub fn account(namespace: &str, name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "namespace": namespace, "name": name } })
}

/// A role in a namespace, given to an account of it.
pub fn may(namespace: &str, account: &str, resources: &[&str], verbs: &[&str]) -> [Value; 2] {
    let meta = json!({ "namespace": namespace, "name": account });
    let api = "rbac.authorization.k8s.io";
    [
        json!({ "apiVersion": format!("{api}/v1"), "kind": "Role", "metadata": meta,
            "rules": [{ "apiGroups": [""], "resources": resources, "verbs": verbs }] }),
        json!({ "apiVersion": format!("{api}/v1"), "kind": "RoleBinding", "metadata": meta,
            "roleRef": { "apiGroup": api, "kind": "Role", "name": account },
            "subjects": [{ "kind": "ServiceAccount", "namespace": namespace, "name": account }] }),
    ]
}

/// A pod of an account, with more in its specification.
pub fn pod(namespace: &str, name: &str, account: &str, more: &Value) -> Value {
    let mut spec = json!({ "serviceAccountName": account, "terminationGracePeriodSeconds": 0,
        "containers": [{ "name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"] }] });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": namespace, "name": name }, "spec": spec })
}

/// A pod that is root on its node.
pub fn rooted(namespace: &str, name: &str, account: &str) -> Value {
    let container = json!({ "name": "app", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "36000"],
        "securityContext": { "privileged": true }, "volumeMounts": [{ "name": "node", "mountPath": "/node" }] });
    let more = json!({ "volumes": [{ "name": "node", "hostPath": { "path": "/" } }], "containers": [container] });
    pod(namespace, name, account, &more)
}
