//! Clusters: what a test may rely on, with the releases that the machine can have.

use std::path::Path;

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes, pod_security_cases};
use serde_json::{Value, json};

fn answers(version: Kubernetes) {
    let Some(cluster) = Cluster::require(version, ClusterSpec::default()) else { return };
    let (status, about) = cluster.get("/version");
    assert_eq!(
        (status, about["gitVersion"].as_str()),
        (200, Some(format!("v{}", version.release()).as_str())),
        "{about}"
    );
    assert_eq!(cluster.anonymous().get("/api/v1/secrets").0, 403);
    assert_eq!(cluster.client_with_token("no such token").get("/api/v1/secrets").0, 401);

    cluster.create_namespace("blue");
    cluster.apply(&[
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": { "name": "reader", "namespace": "blue" },
            "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["one"] }] }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "readers", "namespace": "blue" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
            "subjects": [
                { "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "crew" },
                { "kind": "ServiceAccount", "name": "default", "namespace": "blue" }
            ] }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "one", "namespace": "blue" },
            "stringData": { "a": "b" } }),
    ]);
    let attributes = |name: &str| json!({ "namespace": "blue", "verb": "get", "resource": "secrets", "name": name });
    let may = |groups: &[&str], attributes: &Value| cluster.subject_access_review("jack", groups, attributes);
    assert!(may(&["crew", "others", "more"], &attributes("one")));
    assert!(!may(&["crew"], &attributes("two")));
    assert!(!may(&["passengers"], &attributes("one")));
    assert!(may(&["system:masters"], &json!({ "path": "/metrics", "verb": "get" })));
    assert!(!may(&["crew"], &json!({ "path": "/metrics", "verb": "get" })));

    // What a review says is what happens, for certificates and for tokens.
    let (one, two) = ("/api/v1/namespaces/blue/secrets/one", "/api/v1/namespaces/blue/secrets/two");
    let token = cluster.client_with_token(&cluster.token_for("blue", "default"));
    for client in [cluster.client_for("jack", &["passengers", "crew"]), token] {
        assert_eq!((client.get(one).0, client.get(two).0), (200, 403));
    }

    cluster.apply_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\ndata:\n  a: b\n");
    assert_eq!(cluster.get("/api/v1/namespaces/default/configmaps/two").1["data"]["a"], "b");
    let who = |kubeconfig: &Path| cluster.kubectl_as(kubeconfig, &["auth", "whoami", "-o", "json"], b"");
    let jack = who(&cluster.kubeconfig_for("jack", &["crew"]));
    let about: Value = serde_json::from_str(&jack.stdout).unwrap_or_else(|_| panic!("{}", jack.stderr));
    assert_eq!(about["status"]["userInfo"]["groups"], json!(["crew", "system:authenticated"]));
    let late = who(&cluster.expired_kubeconfig_for("jack", &["crew"]));
    assert!(late.status != 0, "{}", late.stdout);
    let admin = who(&cluster.kubeconfig());
    assert!(admin.stdout.contains("kubernetes-admin"), "{}", admin.stderr);
}

#[test]
fn kubernetes_135_answers() {
    answers(Kubernetes::V135);
}

#[test]
fn kubernetes_132_answers() {
    answers(Kubernetes::V132);
}

#[test]
fn the_cases_of_pod_security_are_whole() {
    let Some(cases) = pod_security_cases() else { return };
    let mut folders = vec![cases];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            files += usize::from(path.extension().is_some_and(|ending| ending == "yaml"));
            folders.extend(path.is_dir().then_some(path));
        }
    }
    assert_eq!(files, 4537);
}

fn runs_pods(version: Kubernetes) {
    let Some(cluster) = Cluster::require(version, ClusterSpec::with_node()) else { return };
    let begun = std::time::Instant::now();
    cluster.apply(&[json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" },
        "spec": { "terminationGracePeriodSeconds": 0, "containers": [{ "name": "main", "image": "busybox:test",
            "imagePullPolicy": "Never", "command": ["sleep", "3600"] }] } })]);
    let pod = cluster.wait_for_pod_running("default", "web");
    eprintln!("pod {:?}", begun.elapsed());
    assert_eq!(pod["spec"]["nodeName"], cluster.node_name());
    let output = cluster.exec("default", "web", "main", &["cat", "/etc/hostname"]);
    assert_eq!(output.stdout.trim(), "web", "{}", output.stderr);
}

#[test]
fn kubernetes_135_runs_pods() {
    runs_pods(Kubernetes::V135);
}
