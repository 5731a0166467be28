//! Pods and workloads as they come, and what becomes of them.

use std::sync::Arc;

use proptest::prelude::*;
use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::{CONTAINER, POD};
use seaworthy_core::snapshot::Target;
use serde_json::{Value as Json, json};

use super::super::gather::{Gather, Resource};
use super::super::object::{Object, Place, Positions};
use super::Pods;
use crate::redact::Redactor;

struct Lines;

impl Positions for Lines {
    fn of(&self, field: &str) -> Option<(usize, usize)> {
        Some((field.len(), 3))
    }
}

fn resource(kind: &str) -> Resource {
    *Pods::default().resources().iter().find(|resource| resource.kind == kind).expect("a resource")
}

fn gathered(objects: &[Json], file: bool, unread: &[&str]) -> Target {
    let mut pods = Box::new(Pods::default());
    let redactor = Redactor::new();
    for object in objects {
        let mut place = Place::of_server(format!("{} {}", object["kind"], object["metadata"]["name"]));
        place.positions = file.then(|| Arc::new(Lines) as Arc<dyn Positions>);
        pods.add(Object { json: object, place: &place }, &redactor);
    }
    for kind in unread {
        pods.unread(&resource(kind), "denied");
    }
    let mut target = Target::new("t", "kubernetes", "t");
    pods.finish(&mut target);
    target
}

fn ids(target: &Target) -> Vec<&str> {
    let mut ids: Vec<&str> = target.of(&POD).map(|pod| &*pod.id).collect();
    ids.sort_unstable();
    ids
}

fn one<'t>(target: &'t Target, id: &str) -> &'t Component {
    let mut found = target.components.iter().filter(|component| &*component.id == id);
    found.next().unwrap_or_else(|| panic!("no {id} among {:?}", ids(target)))
}

fn text(component: &Component, fact: &str) -> String {
    component.value(fact).to_string()
}

fn owned(name: &str, kind: &str, owner: &str, spec: Json) -> Json {
    let api = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": "web", "pod-template-hash": "abc"},
            "ownerReferences": [{"apiVersion": api, "kind": kind, "name": owner, "controller": true}]},
        "spec": spec,
        "status": {"phase": "Running"},
    })
}

fn spec(node: &str) -> Json {
    json!({"nodeName": node, "containers": [{"name": "app", "image": "shop/web:1"}]})
}

fn workload(api: &str, kind: &str, name: &str, owner: Option<(&str, &str)>) -> Json {
    let references = owner.map(|(kind, name)| {
        let api = if kind == "CronJob" { "batch/v1" } else { "apps/v1" };
        json!([{"apiVersion": api, "kind": kind, "name": name, "controller": true}])
    });
    json!({
        "apiVersion": api, "kind": kind, "metadata": {"namespace": "shop", "name": name, "ownerReferences": references},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec("")}},
    })
}

#[test]
fn pods_of_one_owner_that_are_alike_are_one_by_the_name_of_the_owner() {
    let mut other = spec("n3");
    other["hostPID"] = true.into();
    let target = gathered(
        &[
            owned("web-abc-1", "ReplicaSet", "web-abc", spec("n1")),
            owned("web-abc-2", "ReplicaSet", "web-abc", spec("n2")),
            owned("web-old-1", "ReplicaSet", "web-old", spec("n1")),
            owned("web-old-2", "ReplicaSet", "web-old", other),
            workload("apps/v1", "ReplicaSet", "web-abc", Some(("Deployment", "web"))),
            workload("apps/v1", "ReplicaSet", "web-old", Some(("Deployment", "web"))),
            workload("apps/v1", "Deployment", "web", None),
            workload("apps/v1", "Deployment", "idle", None),
            owned("nightly-1-x", "Job", "nightly-1", spec("n1")),
            workload("batch/v1", "Job", "nightly-1", Some(("CronJob", "nightly"))),
        ],
        false,
        &[],
    );
    assert_eq!(
        ids(&target),
        ["CronJob/shop/nightly", "Deployment/shop/idle", "Deployment/shop/web", "Deployment/shop/web~2"]
    );
    let web = one(&target, "Deployment/shop/web");
    assert_eq!((text(web, "instances"), text(web, "nodes")), ("3".into(), "[n1, n2]".into()));
    assert_eq!(text(web, "owner_kinds"), "[ReplicaSet, Deployment]");
    assert_eq!(text(web, "labels"), "[app=web, pod-template-hash=abc]");
    assert_eq!((text(web, "replicas"), text(web, "node_pinned")), ("3".into(), "false".into()));
    assert_eq!(text(one(&target, "Deployment/shop/web~2"), "host_pid"), "true");
    let idle = one(&target, "Deployment/shop/idle");
    assert_eq!(
        (text(idle, "live"), text(idle, "running"), text(idle, "instances")),
        ("false".into(), "false".into(), "0".into())
    );
    let container = one(&target, "Deployment/shop/web/app");
    assert_eq!((&*container.name, text(container, "pod")), ("shop/web/app", "Deployment/shop/web".into()));
    assert_eq!(text(container, "image"), "shop/web:1");
}

#[test]
fn owners_that_could_not_be_listed_are_unknown_and_say_so() {
    let target = gathered(&[owned("web-abc-1", "ReplicaSet", "web-abc", spec("n1"))], false, &["ReplicaSet", "Pod"]);
    let pod = one(&target, "ReplicaSet/shop/web");
    assert!(pod.value("workload").is_unknown() && pod.value("workload_kind").is_unknown());
    assert!(target.incomplete.contains_key(POD.name) && target.incomplete.contains_key(CONTAINER.name));
    assert_eq!(target.gaps.len(), 2);
    let circle = gathered(
        &[
            owned("a-1", "ReplicaSet", "a", spec("n1")),
            workload("apps/v1", "ReplicaSet", "a", Some(("ReplicaSet", "b"))),
            workload("apps/v1", "ReplicaSet", "b", Some(("ReplicaSet", "a"))),
        ],
        false,
        &[],
    );
    assert!(text(one(&circle, "ReplicaSet/shop/a"), "workload").contains("circle"));
}

#[test]
fn naked_pods_static_pods_and_files_are_told_apart() {
    let mut naked = owned("b", "ReplicaSet", "x", spec("n1"));
    naked["metadata"]["ownerReferences"] = Json::Null;
    let mut twin = naked.clone();
    twin["metadata"]["name"] = "a".into();
    let mut mirror = naked.clone();
    mirror["metadata"]["name"] = "etcd-n1".into();
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    mirror["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Node", "name": "n1", "controller": true}]);
    let target = gathered(&[naked.clone(), twin, mirror], false, &[]);
    assert_eq!(ids(&target), ["Pod/shop/a", "Pod/shop/etcd-n1"]);
    let a = one(&target, "Pod/shop/a");
    assert_eq!(
        (text(a, "instances"), text(a, "naked"), text(a, "workload")),
        ("2".into(), "true".into(), "Pod/a".into())
    );
    assert!(a.value("node_pinned").is_unknown());
    let etcd = one(&target, "Pod/shop/etcd-n1");
    assert_eq!(
        (text(etcd, "naked"), text(etcd, "static_pod"), text(etcd, "node_pinned")),
        ("false".into(), "true".into(), "true".into())
    );
    naked.as_object_mut().expect("an object").remove("status");
    naked["metadata"].as_object_mut().expect("an object").remove("namespace");
    let target = gathered(&[naked], true, &[]);
    let pod = one(&target, "Pod/default/b");
    assert_eq!((text(pod, "live"), text(pod, "node_pinned")), ("false".into(), "true".into()));
    assert!(pod.value("in_default_namespace").is_unknown(), "a file without a namespace goes wherever it is applied");
    assert_eq!(pod.fact("host_pid").source.to_string(), "\"Pod\" \"b\": 12:3 spec.hostPID");
    let container = one(&target, "Pod/default/b/app");
    assert_eq!(
        container.fact("privileged").source.to_string(),
        "\"Pod\" \"b\": 45:3 spec.containers[0].securityContext.privileged"
    );
}

#[test]
fn what_a_specification_leaves_out_is_what_the_api_server_makes_of_it() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}, "spec": {
        "serviceAccount": "old", "hostNetwork": true, "securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [{"name": "i", "restartPolicy": "Always", "image": "a"}],
        "containers": [{"name": "c", "image": "a:1", "ports": [{"containerPort": 80}],
            "securityContext": {"privileged": true, "runAsUser": 5},
            "resources": {"limits": {"memory": "64Mi", "cpu": "100m"}},
            "env": [{"name": "A", "value": "x"}, {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "DB_PASSWORD", "value": "hunter2-and-more"}],
            "envFrom": [{"configMapRef": {"name": "m"}}],
            "livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}, "readinessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}},
            "command": ["mysqld", "--password", "hunter2-and-more"]}],
        "ephemeralContainers": [{"name": "debug", "image": "b@sha256:0", "targetContainerName": "c"}],
    }});
    let target = gathered(&[object], false, &[]);
    let pod = one(&target, "Pod/shop/p");
    for (fact, expected) in [
        ("service_account", "old"),
        ("restart_policy", "Always"),
        ("dns_policy", "ClusterFirst"),
        ("automount", "none"),
        ("host_users", "none"),
        ("secrets", "[s]"),
        ("config_maps", "[m]"),
        ("containers", "[i, c, debug]"),
        ("ephemeral_containers", "[debug]"),
    ] {
        assert_eq!(text(pod, fact), expected, "{fact}");
    }
    let c = one(&target, "Pod/shop/p/c");
    for (fact, expected) in [
        ("kind", "regular"),
        ("pull_policy", "IfNotPresent"),
        ("seccomp_set", "RuntimeDefault"),
        ("capabilities", "[ALL]"),
        ("run_as_user", "5"),
        ("root_user", "false"),
        ("memory_request", "67108864"),
        ("cpu_limit", "100"),
        ("ephemeral_storage_limit", "none"),
        ("ports", "[{name: \"\", container_port: 80, host_port: 80, host_ip: \"\", protocol: TCP}]"),
        ("env_names", "[A, A, DB_PASSWORD]"),
        ("env_duplicates", "[A]"),
        ("env_secret_refs", "[{variable: A, name: s, key: k}]"),
        ("same_probes", "true"),
        ("probe_hosts", "[livenessProbe.httpGet.host=10.0.0.1, readinessProbe.httpGet.host=10.0.0.1]"),
    ] {
        assert_eq!(text(c, fact), expected, "{fact}");
    }
    assert_eq!(text(c, "env_secrets"), "[{name: DB_PASSWORD, class: password, length: 16-31}]");
    assert!(c.value("config_secrets").as_list().is_some_and(|found| found.len() == 1));
    assert_eq!(text(one(&target, "Pod/shop/p/i"), "kind"), "sidecar");
    assert_eq!(text(one(&target, "Pod/shop/p/i"), "root_user"), "true");
    assert_eq!(text(one(&target, "Pod/shop/p/debug"), "target"), "c");
    for component in &target.components {
        for (name, fact) in component.facts() {
            assert!(!fact.value.to_string().contains("hunter2"), "{name}");
        }
    }
}

#[test]
fn every_kind_of_workload_gives_its_template() {
    let template = json!({"metadata": {}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}});
    let target = gathered(
        &[
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": {"template": template}}),
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {"template": template}}),
            json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": {"name": "e"}, "spec": {"template": template}}),
            json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "r"}, "spec": {"template": template}}),
            json!({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t"}, "template": template}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
                "spec": {"template": template, "ttlSecondsAfterFinished": 60}}),
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"},
                "spec": {"jobTemplate": {"spec": {"template": template, "activeDeadlineSeconds": 9}}}}),
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "broken"}, "spec": {"jobTemplate": null}}),
        ],
        true,
        &[],
    );
    let expected = [
        "CronJob/default/broken",
        "CronJob/default/c",
        "DaemonSet/default/d",
        "Deployment/default/e",
        "Job/default/j",
        "PodTemplate/default/t",
        "ReplicationController/default/r",
        "StatefulSet/default/s",
    ];
    assert_eq!(ids(&target), expected);
    assert!(one(&target, "CronJob/default/broken").value("host_pid").is_unknown(), "nothing is known of it");
    let c = one(&target, "CronJob/default/c");
    assert_eq!((text(c, "active_deadline"), text(c, "replicas")), ("9".into(), "none".into()));
    assert_eq!(c.fact("host_pid").source.field, "43:3 spec.jobTemplate.spec.template.spec.hostPID");
    let j = one(&target, "Job/default/j");
    assert_eq!((text(j, "ttl_after_finished"), text(j, "replicas")), ("60".into(), "1".into()));
    assert_eq!(target.of(&CONTAINER).count(), 7);
}

/// What a hostile or broken object may hold anywhere.
fn odd() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        Just(json!(1e300)),
        "[ -~]{0,12}".prop_map(Json::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[null], {"name": {}}, 7])),
        Just(json!({"": {"": []}})),
    ]
}

/// Every place in an object, as JSON pointers.
fn places(json: &Json, at: String, out: &mut Vec<String>) {
    match json {
        Json::Object(map) => map
            .iter()
            .for_each(|(key, value)| places(value, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out)),
        Json::Array(items) => items.iter().enumerate().for_each(|(i, value)| places(value, format!("{at}/{i}"), out)),
        _ => {}
    }
    out.push(at);
}

fn full() -> Json {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"},
        "annotations": {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "p", "controller": true}]},
        "spec": {"hostPID": true, "os": {"name": "linux"}, "tolerations": [{"key": "k", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}]}}},
            "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["h"]}],
            "securityContext": {"sysctls": [{"name": "x", "value": "1"}], "seLinuxOptions": {"type": "t"},
                "seccompProfile": {"type": "Unconfined"}, "supplementalGroups": [1]},
            "volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
                {"name": "h", "hostPath": {"path": "/"}}, {"name": "e", "emptyDir": {"sizeLimit": "1Gi"}}],
            "containers": [{"name": "c", "image": "a:1", "command": ["a"], "args": ["b"],
                "securityContext": {"privileged": true, "capabilities": {"add": ["A"], "drop": ["B"]}},
                "env": [{"name": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "envFrom": [{"secretRef": {"name": "s"}}], "ports": [{"containerPort": 1, "hostPort": 2}],
                "volumeMounts": [{"name": "h", "mountPath": "/h", "subPath": "x"}],
                "livenessProbe": {"exec": {"command": ["x"]}}, "lifecycle": {"preStop": {"httpGet": {"port": 1, "host": "h"}}},
                "resources": {"limits": {"cpu": "1", "nvidia.com/gpu": 1}, "claims": [{"name": "q"}]}}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "c", "imageID": "i"}]}})
}

#[test]
fn a_pod_brings_along_claims_that_are_called_as_it_and_its_volume() {
    let template = json!({"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}});
    let mut spec = spec("n1");
    spec["volumes"] = json!([{"name": "tmp", "ephemeral": template},
        {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}, {"name": "none", "ephemeral": null}]);
    let pods = ["web-1", "web-2"].map(|name| owned(name, "ReplicaSet", "web", spec.clone()));
    let target = gathered(&pods, false, &[]);
    let pod = target.of(&POD).next().expect("one, of both");
    assert_eq!(text(pod, "claims"), "[shared, web-1-tmp, web-2-tmp]");
    assert_eq!(text(pod, "instances"), "2");
}

#[test]
fn a_limit_of_nothing_is_none_and_containers_share_what_their_pod_says() {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}, "spec": {
        "resources": {"limits": {"memory": "1Gi", "cpu": 0}, "requests": {"cpu": "250m"}},
        "containers": [
            {"name": "zero", "image": "app:${TAG}", "resources": {
                "limits": {"memory": "0", "cpu": "0m", "ephemeral-storage": 0}, "requests": {"cpu": 0}},
                "env": [{"name": "A", "value": "x"}, {"name": "A", "value": true}]},
            {"name": "silent", "image": "a b", "volumeMounts": [
                {"name": "h", "mountPath": "/h", "subPathExpr": "$(POD)"}, {"name": "h", "mountPath": "/i", "subPathExpr": "logs"}]},
        ], "volumes": [{"name": "h", "hostPath": {"path": "/var"}}]}});
    let target = gathered(&[object], false, &[]);
    for (container, facts) in [
        ("zero", ["none", "1073741824", "none", "none", "none"]),
        ("silent", ["none", "1073741824", "none", "250", "1073741824"]),
    ] {
        let component = one(&target, &format!("Pod/shop/p/{container}"));
        let names = ["cpu_limit", "memory_limit", "ephemeral_storage_limit", "cpu_request", "memory_request"];
        assert_eq!(names.map(|name| text(component, name)), facts, "{container}");
    }
    let (zero, silent) = (one(&target, "Pod/shop/p/zero"), one(&target, "Pod/shop/p/silent"));
    assert!(zero.value("image_reference").is_unknown(), "somebody fills the tag in");
    assert_eq!(text(silent, "image_reference"), "invalid");
    assert!(text(zero, "env_duplicates").contains("unknown"), "one that could not be read may be one more");
    let mounts = silent.value("mounts").as_list().expect("a list");
    assert!(mounts[0].field("sub_path").is_some_and(|sub| sub.is_unknown()));
    assert_eq!(mounts[1].field("sub_path"), Some(&"logs".into()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_stands_anywhere_in_an_object_ends_the_reading(
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd()), 1..4),
        kind in prop::sample::select(vec!["Pod", "Deployment", "CronJob", "PodTemplate", "ReplicaSet"]),
    ) {
        let mut object = full();
        if kind != "Pod" {
            let template = json!({"metadata": object["metadata"], "spec": object["spec"]});
            object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"}, "template": template,
                "spec": {"template": template, "jobTemplate": {"spec": {"template": template}}}});
        }
        for (place, odd) in changes {
            let mut all = Vec::new();
            places(&object, String::new(), &mut all);
            let at = place.get(&all);
            if !matches!(at.as_str(), "" | "/kind") {
                *object.pointer_mut(at).expect("a place") = odd;
            }
        }
        // Facts of another type than the schema's would end it in this build.
        let target = gathered(&[object.clone(), object], false, &[]);
        prop_assert!(target.of(&POD).count() <= 2);
        for pod in target.of(&POD) {
            prop_assert!(pod.facts().count() + 12 > POD.facts.len());
            prop_assert!(!pod.id.is_empty());
        }
    }
}
