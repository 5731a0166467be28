//! What a power really needs, tried out.

use seaworthy_bed::{Client, Cluster};
use serde_json::{Value as Json, json};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

/// Each power that rests on a rule of the API server which is easily got wrong, tried out as somebody who has just that.
pub fn are_what_they_say(cluster: &Cluster) {
    let admin = cluster.admin();
    let secret = json!({ "metadata": { "name": "db" }, "stringData": { "word": "harbour" } });
    assert_eq!(admin.post("/api/v1/namespaces/lab/secrets", &secret).0, 201);
    let role = json!({ "metadata": { "name": "target" }, "rules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }] });
    assert_eq!(admin.post(&format!("{RBAC}/namespaces/lab/roles"), &role).0, 201);

    binding_needs_both(cluster);
    escalating_needs_both(cluster);
    names_do_not_create(cluster);
    patching_shows(cluster);
    deleting_shows(cluster);
    a_namespace_is_in_itself(cluster);
    deleting_all_shows_all(cluster);
}

/// Somebody new who is bound to these rules, in the namespace `lab` or in the cluster.
fn somebody(cluster: &Cluster, name: &str, in_cluster: bool, rules: Json) -> Client {
    let admin = cluster.admin();
    let role = json!({ "metadata": { "name": name }, "rules": rules });
    let binding = json!({ "metadata": { "name": name }, "roleRef": { "apiGroup": GROUP, "kind": "ClusterRole", "name": name },
        "subjects": [{ "apiGroup": GROUP, "kind": "User", "name": name }] });
    assert_eq!(admin.post(&format!("{RBAC}/clusterroles"), &role).0, 201);
    let path =
        if in_cluster { format!("{RBAC}/clusterrolebindings") } else { format!("{RBAC}/namespaces/lab/rolebindings") };
    assert_eq!(admin.post(&path, &binding).0, 201);
    cluster.client_for(name, &[])
}

/// The status of an answer once what was just granted is known to the API server, which takes moments.
fn status(expected: u16, mut ask: impl FnMut() -> (u16, Json)) -> Json {
    let mut last = (0, Json::Null);
    for _ in 0..100 {
        last = ask();
        if last.0 == expected {
            return last.1;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{expected} expected: {last:?}");
}

fn rule(verbs: &[&str], group: &str, resources: &[&str], names: &[&str]) -> Json {
    json!({ "verbs": verbs, "apiGroups": [group], "resources": resources, "resourceNames": names })
}

fn bind(client: &Client, name: &str) -> (u16, Json) {
    let binding = json!({ "metadata": { "name": name }, "roleRef": { "apiGroup": GROUP, "kind": "Role", "name": "target" },
        "subjects": [{ "apiGroup": GROUP, "kind": "User", "name": "whoever" }] });
    client.post(&format!("{RBAC}/namespaces/lab/rolebindings"), &binding)
}

fn binding_needs_both(cluster: &Cluster) {
    let creates = somebody(cluster, "creates-only", false, json!([rule(&["create"], GROUP, &["rolebindings"], &[])]));
    let binds = somebody(cluster, "binds-only", false, json!([rule(&["bind"], GROUP, &["roles"], &[])]));
    let both =
        json!([rule(&["create"], GROUP, &["rolebindings"], &[]), rule(&["bind"], GROUP, &["roles"], &["target"])]);
    let both = somebody(cluster, "binds-both", false, both);
    status(201, || bind(&both, "by-both"));
    assert_eq!(bind(&creates, "by-create").0, 403, "it does not have the role's rights itself");
    assert_eq!(bind(&binds, "by-bind").0, 403, "it cannot create bindings");
}

fn escalating_needs_both(cluster: &Cluster) {
    let more = json!({ "rules": [{ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"] }] });
    let path = format!("{RBAC}/namespaces/lab/roles/target");
    let patches = somebody(cluster, "patches-only", false, json!([rule(&["patch"], GROUP, &["roles"], &[])]));
    let escalates = somebody(cluster, "escalates-only", false, json!([rule(&["escalate"], GROUP, &["roles"], &[])]));
    let both = somebody(
        cluster,
        "escalates-both",
        false,
        json!([rule(&["patch", "escalate"], GROUP, &["roles"], &["target"])]),
    );
    status(200, || both.patch(&path, &more));
    assert_eq!(
        patches.patch(&path, &json!({ "rules": [{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }] })).0,
        403
    );
    assert_eq!(escalates.patch(&path, &more).0, 403);
    let named = json!([rule(&["create"], GROUP, &["roles"], &[]), rule(&["escalate"], GROUP, &["roles"], &["fresh"])]);
    let named = somebody(cluster, "escalates-by-name", false, named);
    let fresh = json!({ "metadata": { "name": "fresh" }, "rules": [{ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"] }] });
    let own = json!({ "metadata": { "name": "empty" }, "rules": [] });
    status(201, || named.post(&format!("{RBAC}/namespaces/lab/roles"), &own));
    assert_eq!(named.post(&format!("{RBAC}/namespaces/lab/roles"), &fresh).0, 403, "what is created has no name yet");
}

fn names_do_not_create(cluster: &Cluster) {
    let map = |name: &str| json!({ "metadata": { "name": name } });
    let path = "/api/v1/namespaces/lab/configmaps";
    let named =
        somebody(cluster, "creates-by-name", false, json!([rule(&["create", "list"], "", &["configmaps"], &["mine"])]));
    let empty =
        somebody(cluster, "creates-by-empty-name", false, json!([rule(&["create"], "", &["configmaps"], &[""])]));
    status(200, || named.get(&format!("{path}?fieldSelector=metadata.name%3Dmine")));
    assert_eq!(named.post(path, &map("mine")).0, 403);
    assert_eq!(named.get(path).0, 403);
    status(201, || empty.post(path, &map("theirs")));
}

fn patching_shows(cluster: &Cluster) {
    let patches = somebody(cluster, "patches-secrets", false, json!([rule(&["patch"], "", &["secrets"], &["db"])]));
    let shown = status(200, || patches.patch("/api/v1/namespaces/lab/secrets/db", &json!({})));
    assert!(shown["data"]["word"].is_string(), "the answer is the secret: {shown}");
    assert_eq!(patches.get("/api/v1/namespaces/lab/secrets/db").0, 403);
}

fn deleting_shows(cluster: &Cluster) {
    let deletes = somebody(cluster, "deletes-a-secret", false, json!([rule(&["delete"], "", &["secrets"], &["db"])]));
    let path = "/api/v1/namespaces/lab/secrets/db?propagationPolicy=Foreground&dryRun=All";
    let shown = status(200, || deletes.delete(path));
    assert!(shown["data"]["word"].is_string(), "the answer is the secret, also where nothing was deleted: {shown}");
    assert_eq!(cluster.get("/api/v1/namespaces/lab/secrets/db").0, 200);
}

fn a_namespace_is_in_itself(cluster: &Cluster) {
    let labels = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "privileged" } } });
    let local = somebody(cluster, "labels-lab", false, json!([rule(&["patch"], "", &["namespaces"], &[])]));
    status(200, || local.patch("/api/v1/namespaces/lab", &labels));
    assert_eq!(local.patch("/api/v1/namespaces/shop", &labels).0, 403);
}

fn deleting_all_shows_all(cluster: &Cluster) {
    let deletes =
        somebody(cluster, "deletes-secrets", false, json!([rule(&["deletecollection"], "", &["secrets"], &[])]));
    let path = "/api/v1/namespaces/lab/secrets?dryRun=All";
    let shown = status(200, || deletes.delete(path));
    let words = shown["items"].as_array().is_some_and(|all| all.iter().any(|one| one["data"]["word"].is_string()));
    assert!(words, "the answer is what was deleted, also where nothing was: {shown}");
}
