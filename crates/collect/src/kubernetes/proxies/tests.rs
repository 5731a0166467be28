use super::*;
use crate::kubernetes::object::Place;
use seaworthy_core::value::Value;
use serde_json::json;

fn pod(node: &str, words: &[&str]) -> Json {
    let command = [&["/usr/local/bin/kube-proxy"], words].concat();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": SYSTEM, "name": format!("kube-proxy-{node}"),
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "kube-proxy", "controller": true}]},
        "spec": {"nodeName": node,
            "containers": [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.35.4",
                "command": command,
                "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                "volumeMounts": [{"name": "kube-proxy", "mountPath": "/var/lib/kube-proxy"}, {"name": "lib", "mountPath": "/lib"}]}],
            "volumes": [{"name": "kube-proxy", "configMap": {"name": "kube-proxy"}}, {"name": "lib", "hostPath": {"path": "/lib"}}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "kube-proxy", "state": {"running": {"startedAt": "2026-11-02T10:00:00Z"}}}]},
    })
}

const BY_FILE: &[&str] = &["--config=/var/lib/kube-proxy/config.conf", "--hostname-override=$(NODE_NAME)"];

fn map(address: &str, changed: &str) -> Json {
    let text = format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmetricsBindAddress: \"{address}\"\nmode: nftables\n"
    );
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": SYSTEM, "name": "kube-proxy", "managedFields": [{"manager": "kubeadm", "time": changed}]},
        "data": {"config.conf": text, "kubeconfig.conf": "kind: Config"}})
}

const BEFORE: &str = "2026-11-02T09:00:00Z";

fn gathered(objects: &[Json], nodes: &[&str]) -> Target {
    let mut proxies = Box::new(Proxies::default());
    for json in objects {
        proxies.add(Object { json, place: &Place::of_server("pod kube-system/x") }, &Redactor::new());
    }
    let mut target = Target::new("t", "kubernetes", "");
    for node in nodes {
        target.components.push(Component::new(&NODE, format!("Node/{node}"), *node));
    }
    proxies.finish(&mut target);
    target
}

fn metrics(target: &Target) -> Value {
    target.of(&PROXY).next().expect("a kube-proxy").value("metrics_loopback").clone()
}

#[test]
fn a_config_map_is_the_file_that_the_pods_name() {
    for (address, loopback) in [("", true), ("127.0.0.1:10249", true), ("0.0.0.0:10249", false), ("0.0.0.0", false)] {
        let target = gathered(&[map(address, BEFORE), pod("n1", BY_FILE)], &["n1"]);
        assert_eq!(metrics(&target), Value::Bool(loopback), "{address}");
        assert!(!target.incomplete.contains_key(PROXY.name));
    }
    let target = gathered(&[pod("n1", BY_FILE), map("", BEFORE)], &["n1"]);
    let proxy = target.of(&PROXY).next().unwrap();
    assert_eq!(proxy.value("mode").as_str(), Some("nftables"));
    assert_eq!(proxy.value("hostname_override").as_str(), Some("n1"));
    assert_eq!(proxy.value("found_by").as_str(), Some("pod"));
    assert!(proxy.fact("mode").source.to_string().starts_with("configmap kube-system/kube-proxy"));
    // What flags say counts where no file is named, and only there.
    let flags = ["--metrics-bind-address=0.0.0.0:10249"];
    assert_eq!(metrics(&gathered(&[map("", BEFORE), pod("n1", &flags)], &["n1"])), Value::Bool(false));
    let both = [BY_FILE, &flags].concat();
    assert_eq!(metrics(&gathered(&[map("", BEFORE), pod("n1", &both)], &["n1"])), Value::Bool(true));
}

#[test]
fn what_was_changed_moved_or_not_read_is_unknown() {
    let change = |of: Json, path: &str, value: Json| {
        let mut of = of;
        *of.pointer_mut(path).expect(path) = value;
        of
    };
    let unknown = |objects: &[Json]| metrics(&gathered(objects, &["n1"])).is_unknown();
    assert!(unknown(&[map("", "2026-11-02T10:00:01Z"), pod("n1", BY_FILE)]));
    assert!(unknown(&[change(map("", BEFORE), "/metadata/managedFields", Json::Null), pod("n1", BY_FILE)]));
    assert!(unknown(&[pod("n1", BY_FILE)]));
    assert!(unknown(&[map("", BEFORE), pod("n1", &["--config=/etc/kube-proxy.conf"])]));
    assert!(unknown(&[map("", BEFORE), pod("n1", &["--config=/lib/config.conf"])]));
    let items = json!({"name": "kube-proxy", "items": [{"key": "kubeconfig.conf", "path": "config.conf"}]});
    assert!(unknown(&[map("", BEFORE), change(pod("n1", BY_FILE), "/spec/volumes/0/configMap", items)]));
    let items = json!({"name": "kube-proxy", "items": [{"key": "config.conf", "path": "config.conf"}]});
    assert!(!unknown(&[map("", BEFORE), change(pod("n1", BY_FILE), "/spec/volumes/0/configMap", items)]));
}

#[test]
fn each_node_must_have_one_and_others_are_none() {
    let incomplete = |objects: &[Json], nodes: &[&str]| gathered(objects, nodes).incomplete.contains_key(PROXY.name);
    let both = [map("", BEFORE), pod("n1", BY_FILE), pod("n2", BY_FILE)];
    assert!(!incomplete(&both, &["n1", "n2"]));
    assert!(incomplete(&both, &["n1", "n2", "n3"]));
    assert!(incomplete(&both, &[]));
    for (path, value) in [
        ("/metadata/namespace", json!("shop")),
        ("/metadata/ownerReferences", Json::Null),
        ("/status/phase", json!("Pending")),
        ("/status/containerStatuses/0/state", json!({"waiting": {}})),
        ("/spec/containers/0/command", json!(["/bin/sh", "-c", "exec kube-proxy"])),
    ] {
        let mut other = pod("n1", BY_FILE);
        *other.pointer_mut(path).unwrap() = value;
        assert!(gathered(&[map("", BEFORE), other], &["n1"]).of(&PROXY).next().is_none(), "{path}");
    }
}
