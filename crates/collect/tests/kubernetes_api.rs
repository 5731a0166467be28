//! Clusters through a real API server: what is read with every right, with the least role, and with less.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes};
use seaworthy_collect::kubernetes::api::{Options, Right, cluster_role, collect, rights};
use seaworthy_collect::kubernetes::node;
use seaworthy_collect::redact::Redactor;
use seaworthy_core::join::join;
use seaworthy_core::schema::kubernetes::{
    API_SERVICE, APISERVER, CLUSTER, CONFIG_MAP, ETCD, FILE, KUBELET, NODE, SECRET, VOLUME,
};
use seaworthy_core::snapshot::{Snapshot, Target};
use serde_json::{Value as Json, json};

fn options(kubeconfig: PathBuf) -> Options {
    Options {
        kubeconfig: Some(kubeconfig),
        context: None,
        namespaces: vec![],
        secrets: false,
        timeout: Duration::from_secs(60),
    }
}

fn target(options: &Options) -> Target {
    collect(options).unwrap().targets.remove(0)
}

/// Kinds of machines, of which an API tells only in part.
fn is_of_machines(kind: &str) -> bool {
    ["apiserver", "etcd", "controller-manager", "scheduler", "kubelet", "proxy", "file"]
        .iter()
        .any(|part| kind == format!("kubernetes.{part}"))
}

fn incomplete(target: &Target) -> BTreeSet<&'static str> {
    target.incomplete.keys().copied().filter(|kind| !is_of_machines(kind)).collect()
}

fn fill(cluster: &Cluster) {
    cluster.create_namespace("shop");
    cluster.apply(&[
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop", "annotations": {"note": "hunter2-Correct-9"}},
            "stringData": {"password": "hunter2-Correct-9", "user": "jack"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"},
            "data": {"DB_PASSWORD": "hunter2-Correct-9", "color": "blue"}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pki"}, "spec": {"capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/etc/kubernetes/pki"}}}),
        json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.down.example"}, "spec": {
            "group": "down.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"namespace": "shop", "name": "gone"}}}),
    ]);
}

#[test]
fn a_cluster_is_read_with_the_least_role_and_with_less() {
    let Some(cluster) = Cluster::require(Kubernetes::V135, ClusterSpec::default()) else { return };
    fill(&cluster);
    with_every_right(&cluster);
    secrets(&cluster);
    refused(&cluster);
    least(&cluster);
}

fn with_every_right(cluster: &Cluster) {
    let read = target(&options(cluster.kubeconfig()));
    // The API that is down is its own gap, if anybody asks for one of its resources; here nobody does.
    assert_eq!(read.gaps, [], "{:?}", read.incomplete);
    assert_eq!(incomplete(&read), BTreeSet::from([SECRET.name]));
    let whole = read.of(&CLUSTER).next().unwrap();
    assert_eq!(whole.value("version").as_str(), Some("1.35.4"));
    assert_eq!(whole.value("apiservers").as_int(), Some(1));
    assert_eq!(whole.value("collected_as_masters").as_bool(), Some(false));
    assert!(whole.value("uid").as_str().is_some() && whole.value("ca_fingerprint").as_str().is_some());
    assert_eq!(whole.value("server").as_str(), Some(cluster.url().as_str()));
    let map = read.of(&CONFIG_MAP).find(|c| &*c.name == "shop/settings").unwrap();
    assert!(map.value("secrets").to_string().contains("DB_PASSWORD"), "{map:?}");
    let volume = read.of(&VOLUME).next().unwrap();
    assert_eq!(volume.value("path").as_str(), Some("/etc/kubernetes/pki"));
    let api = read.of(&API_SERVICE).find(|c| &*c.name == "v1.down.example").unwrap();
    assert_eq!((api.value("insecure").as_bool(), api.value("service").as_str()), (Some(true), Some("shop/gone")));
    assert!(!format!("{read:?}").contains("hunter2"));
}

fn secrets(cluster: &Cluster) {
    let read = target(&Options { secrets: true, namespaces: vec!["shop".into()], ..options(cluster.kubeconfig()) });
    let secret = read.of(&SECRET).find(|c| &*c.name == "shop/db").unwrap();
    assert_eq!(secret.value("type").as_str(), Some("Opaque"));
    assert_eq!((secret.value("entries").as_int(), secret.value("age_days").as_int()), (Some(2), Some(0)));
    assert!(!format!("{read:?}").contains("hunter2"));
    assert!(!read.incomplete.contains_key(SECRET.name), "{:?}", read.incomplete);
}

/// Credentials that are none, and authorities that are others': one line each.
fn refused(cluster: &Cluster) {
    let why = |kubeconfig: PathBuf| {
        let read = target(&options(kubeconfig));
        assert!(read.components.is_empty() && read.gaps.len() == 1, "{read:?}");
        assert!(!read.gaps[0].reason.contains('\n'));
        read.gaps[0].reason.clone()
    };
    let expired = why(cluster.expired_kubeconfig_for("jack", &["crew"]));
    assert!(expired.contains("the client certificate in") && expired.contains("ended at"), "{expired}");
    let opaque = why(cluster.kubeconfig_with_token("no such token"));
    assert!(opaque.contains("the token in") && opaque.contains("is not accepted"), "{opaque}");
    let old = cluster.token_for("shop", "default");
    cluster.delete("/api/v1/namespaces/shop/serviceaccounts/default");
    let gone = why(cluster.kubeconfig_with_token(&old));
    assert!(gone.contains("the token in"), "{gone}");
    // The same server with another's authority.
    let text = std::fs::read_to_string(cluster.kubeconfig()).unwrap();
    let mut other = rcgen::CertificateParams::default();
    other.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other = other.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    let file = cluster.dir().join("wrong-ca.conf");
    let authority = cluster.dir().join("wrong-ca.crt");
    std::fs::write(&authority, other).unwrap();
    let lines = text.lines().map(|line| match line.split_once("certificate-authority") {
        Some((before, _)) => format!("{before}certificate-authority: {}", authority.display()),
        None => line.to_owned(),
    });
    std::fs::write(&file, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let wrong = why(file);
    assert!(wrong.contains("TLS: the API server's certificate is not signed by the authority"), "{wrong}");
}

fn role(rights: &[Right]) -> Json {
    let rules: Vec<Json> =
        rights.iter().map(|r| json!({"apiGroups": [r.group], "resources": [r.resource], "verbs": [r.verb]})).collect();
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "seaworthy"}, "rules": rules})
}

/// Waits until the API server holds to what a role says now.
fn wait_for(cluster: &Cluster, right: &Right, may: bool) {
    let (resource, sub) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    let attributes = json!({"group": right.group, "resource": resource, "subresource": sub, "verb": right.verb});
    let until = Instant::now() + Duration::from_secs(60);
    while cluster.subject_access_review("reader", &["system:authenticated"], &attributes) != may {
        assert!(Instant::now() < until, "{right:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// With the role that is printed there is no gap; without one of its rights exactly that one is missing.
fn least(cluster: &Cluster) {
    cluster.apply_text(&cluster_role(false));
    cluster.apply(&[json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "seaworthy"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "seaworthy"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}]})]);
    let all = rights(false);
    all.iter().for_each(|right| wait_for(cluster, right, true));
    let asking = options(cluster.kubeconfig_for("reader", &[]));
    let read = target(&asking);
    assert_eq!(read.gaps, []);
    assert_eq!(incomplete(&read), BTreeSet::from([SECRET.name]));
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/seaworthy";
    for (at, right) in all.iter().enumerate() {
        // Nothing of the cluster is asked for where it has none of it.
        let group = if right.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}", right.group) };
        if cluster.get(&group).0 != 200 || right.resource == "nodes/configz" {
            continue;
        }
        let mut fewer = all.clone();
        fewer.remove(at);
        let (status, answer) = cluster.put(path, &role(&fewer));
        assert_eq!(status, 200, "{answer}");
        wait_for(cluster, right, false);
        if at > 0 {
            wait_for(cluster, &all[at - 1], true);
        }
        let less = target(&asking);
        let name = if right.group.is_empty() {
            right.resource.to_owned()
        } else {
            format!("{}.{}", right.resource, right.group)
        };
        let sources: Vec<&str> = less.gaps.iter().map(|gap| gap.source.as_str()).collect();
        if sources.is_empty() && right.optional {
            continue;
        }
        assert_eq!(sources, [name.as_str()], "{right:?}");
        assert!(less.gaps[0].reason.contains(&format!("verb list, resource {}", right.resource)), "{:?}", less.gaps);
    }
}

/// Through the API alone a node tells of its kubelet and of what runs as static pods; joined with what was read on the
/// node, one cluster knows both.
#[test]
fn a_node_is_read_through_the_api_and_joined_with_itself() {
    let spec = ClusterSpec { static_control_plane: true, ..ClusterSpec::with_node() };
    let Some(cluster) = Cluster::require(Kubernetes::V135, spec) else { return };
    let name = cluster.node_name().to_owned();
    let until = Instant::now() + Duration::from_secs(120);
    let read = loop {
        let read = target(&options(cluster.kubeconfig()));
        if [&APISERVER, &ETCD, &KUBELET].iter().all(|kind| read.of(kind).count() == 1) {
            break read;
        }
        assert!(Instant::now() < until, "{:?} {:?}", read.gaps, read.incomplete);
        std::thread::sleep(Duration::from_millis(500));
    };
    let one = |target: &Target, kind| target.of(kind).next().unwrap().clone();
    let server = one(&read, &APISERVER);
    assert_eq!(server.value("found_by").as_str(), Some("mirror-pod"));
    assert_eq!(server.value("node").as_str(), Some(name.as_str()));
    assert!(!server.value("anonymous_auth").is_unknown());
    let kubelet = one(&read, &KUBELET);
    assert_eq!(kubelet.value("found_by").as_str(), Some("configz"));
    assert_eq!(kubelet.value("anonymous_auth").as_bool(), Some(false), "{kubelet:?}");
    assert!(!read.incomplete.contains_key(KUBELET.name), "{:?}", read.incomplete);
    assert!(!read.incomplete.contains_key(APISERVER.name), "{:?}", read.incomplete);
    assert!(read.incomplete.contains_key(FILE.name));
    let whole = one(&read, &CLUSTER);
    assert_eq!(
        (whole.value("nodes").as_int(), whole.value("control_plane_nodes").as_int()),
        (Some(1), whole.value("control_plane_nodes").as_int())
    );
    // Somebody without a right on kubelets learns nothing of them, and no credential of his went to a stranger.
    let reader = target(&options(cluster.kubeconfig_for("jack", &["crew"])));
    assert!(reader.of(&KUBELET).next().is_none() && reader.incomplete.contains_key(KUBELET.name));

    let pids: BTreeSet<u32> = cluster.pids().into_values().collect();
    let mut on_node = node::collect_of(Path::new("/"), &Redactor::new(), 0, &|pid| pids.contains(&pid));
    assert_eq!(on_node.len(), 1);
    let mut both = Snapshot { tool: String::new(), collected_at: 0, targets: vec![on_node.remove(0), read] };
    join(&mut both);
    assert_eq!(both.targets.len(), 1, "{:?}", both.targets.iter().map(|t| &t.name).collect::<Vec<_>>());
    let both = &both.targets[0];
    assert_eq!(both.of(&NODE).count(), 1);
    // Where something is missing still, it is by the node's word: a process of somebody else that came and went.
    assert!(
        both.incomplete.get(FILE.name).is_none_or(|why| why.starts_with(&format!("{name}: "))),
        "{:?}",
        both.incomplete
    );
    let kubelet = one(both, &KUBELET);
    assert_eq!((both.of(&KUBELET).count(), kubelet.value("found_by").as_str()), (1, Some("joined")));
    assert!(kubelet.value("pid").as_int().is_some());
}
