//! Nodes, as the API tells of them.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::NODE;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::field::{MOST, Read, at, bounded, list, other_type, put, shown, text, texts, thousandths, truth};
use super::gather::{Gather, OneByOne, Resource};
use super::object::Object;
use crate::redact::Redactor;

/// Nodes.
pub(super) const NODES: Resource =
    Resource { group: "", versions: &["v1"], plural: "nodes", kind: "Node", namespaced: false, optional: false };

/// Gathers nodes.
#[derive(Default)]
pub(super) struct Nodes(OneByOne);

impl Gather for Nodes {
    fn resources(&self) -> &'static [Resource] {
        &[NODES]
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        self.0.push(node(object, redactor));
    }

    fn unread(&mut self, _: &Resource, reason: &str) {
        self.0.unread(&NODE, reason);
    }

    fn finish(self: Box<Self>, target: &mut Target) {
        self.0.finish(target);
    }
}

/// Whether labels say that a node carries a control plane.
pub(super) fn is_control_plane(json: &Json) -> Read<bool> {
    let labels = at(json, "metadata.labels")?;
    match labels {
        Json::Null => Ok(false),
        Json::Object(labels) => {
            let roles = [
                "node-role.kubernetes.io/control-plane",
                "node-role.kubernetes.io/master",
                "node-role.kubernetes.io/controlplane",
            ];
            // Some distributions write false into the label.
            Ok(roles.iter().any(|role| labels.get(*role).is_some_and(|value| value != "false")))
        }
        _ => Err(other_type()),
    }
}

fn node(object: Object<'_>, redactor: &Redactor) -> Component {
    let (json, place) = (object.json, object.place);
    let name = object.name();
    let mut c = Component::new(&NODE, format!("Node/{name}"), name);
    c.set("name", name, place.source("metadata.name"));
    put(&mut c, "control_plane", is_control_plane(json), place, "metadata.labels");
    put(&mut c, "labels", labels(json, redactor), place, "metadata.labels");
    put(&mut c, "taints", taints(json, redactor), place, "spec.taints");
    put(&mut c, "unschedulable", truth(json, "spec.unschedulable", false), place, "spec.unschedulable");
    put(&mut c, "ready", ready(json), place, "status.conditions");
    put(&mut c, "addresses", addresses(json, redactor), place, "status.addresses");
    put(
        &mut c,
        "kubelet_port",
        whole(json, "status.daemonEndpoints.kubeletEndpoint.Port"),
        place,
        "status.daemonEndpoints",
    );
    put(&mut c, "pod_cidrs", texts(json, "spec.podCIDRs", redactor), place, "spec.podCIDRs");
    info(&mut c, object, redactor);
    put(&mut c, "provider", provider(json, redactor), place, "spec.providerID");
    let zone = at(json, "metadata.labels").and_then(|labels| match labels {
        Json::Null => Ok(Value::Null),
        Json::Object(labels) => match labels.get("topology.kubernetes.io/zone") {
            None | Some(Json::Null) => Ok(Value::Null),
            Some(Json::String(zone)) if zone.is_empty() => Ok(Value::Null),
            Some(Json::String(zone)) => Ok(shown(zone, redactor)),
            Some(_) => Err(other_type()),
        },
        _ => Err(other_type()),
    });
    put(&mut c, "zone", zone, place, "metadata.labels");
    put(&mut c, "cpu_allocatable", quantity(json, "cpu", 1), place, "status.allocatable.cpu");
    put(&mut c, "memory_allocatable", quantity(json, "memory", 1000), place, "status.allocatable.memory");
    put(&mut c, "pods_allocatable", quantity(json, "pods", 1000), place, "status.allocatable.pods");
    c
}

/// What the kubelet tells of itself and the system.
fn info(c: &mut Component, object: Object<'_>, redactor: &Redactor) {
    let (json, place) = (object.json, object.place);
    let told = |field: &str| -> Read<&str> {
        text(json, &format!("status.nodeInfo.{field}"))?.ok_or_else(|| "the kubelet has not told it yet".into())
    };
    let version = told("kubeletVersion").map(|v| v.trim_start_matches('v'));
    put(c, "kubelet_version", version.clone().map(|v| shown(v, redactor)), place, "status.nodeInfo.kubeletVersion");
    let minor = version.and_then(|v| {
        v.split('.').nth(1).and_then(|m| m.parse::<i64>().ok()).ok_or_else(|| "its version has no minor number".into())
    });
    put(c, "kubelet_minor", minor, place, "status.nodeInfo.kubeletVersion");
    let runtime = told("containerRuntimeVersion").map(|v| v.split_once("://").unwrap_or((v, "")));
    let field = "status.nodeInfo.containerRuntimeVersion";
    put(c, "container_runtime", runtime.clone().map(|(name, _)| shown(name, redactor)), place, field);
    let version = runtime.and_then(|(_, version)| match version {
        "" | "Unknown" => Err("the runtime does not say".into()),
        version => Ok(shown(version.trim_start_matches('v'), redactor)),
    });
    put(c, "container_runtime_version", version, place, field);
    for (fact, name, field) in [
        ("kernel", "kernelVersion", "status.nodeInfo.kernelVersion"),
        ("os", "operatingSystem", "status.nodeInfo.operatingSystem"),
        ("os_image", "osImage", "status.nodeInfo.osImage"),
        ("architecture", "architecture", "status.nodeInfo.architecture"),
    ] {
        put(c, fact, told(name).map(|v| shown(v, redactor)), place, field);
    }
    let machine = text(json, "status.nodeInfo.machineID").map(|id| id.map(machine));
    put(c, "machine", machine, place, "status.nodeInfo.machineID");
}

/// The fingerprint of a machine's id, as that of a host's `/etc/machine-id`.
fn machine(id: &str) -> String {
    crate::fingerprint(&[b"seaworthy machine\0", id.trim().as_bytes()])
}

fn whole(json: &Json, path: &str) -> Read<i64> {
    match at(json, path)? {
        Json::Null => Ok(0),
        Json::Number(number) => number.as_i64().ok_or_else(other_type),
        _ => Err(other_type()),
    }
}

fn labels(json: &Json, redactor: &Redactor) -> Read<Value> {
    match at(json, "metadata.labels")? {
        Json::Null => Ok(Value::List(Vec::new())),
        Json::Object(labels) => {
            let mut all: Vec<Value> = Vec::with_capacity(labels.len().min(MOST));
            for (name, value) in labels {
                all.push(match value.as_str() {
                    Some(_) if redactor.classify(name, value.as_str().unwrap_or_default()).is_some() => {
                        Value::from(format!("{}=[redacted]", redactor.text(name)))
                    }
                    Some(value) => Value::from(&*redactor.text(&format!("{name}={value}"))),
                    None => Value::Unknown(other_type()),
                });
            }
            all.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            Ok(bounded(all.into_iter()))
        }
        _ => Err(other_type()),
    }
}

fn taints(json: &Json, redactor: &Redactor) -> Read<Value> {
    let taints = list(json, "spec.taints")?.iter().map(|taint| {
        let part = |field: &str| match text(taint, field) {
            Ok(text) => shown(text.unwrap_or_default(), redactor),
            Err(why) => Value::Unknown(why),
        };
        Value::Object(vec![("key", part("key")), ("value", part("value")), ("effect", part("effect"))])
    });
    Ok(bounded(taints))
}

fn addresses(json: &Json, redactor: &Redactor) -> Read<Value> {
    let addresses = list(json, "status.addresses")?.iter().map(|address| {
        let part = |field: &str| match text(address, field) {
            Ok(text) => shown(text.unwrap_or_default(), redactor),
            Err(why) => Value::Unknown(why),
        };
        Value::Object(vec![("type", part("type")), ("address", part("address"))])
    });
    Ok(bounded(addresses))
}

fn ready(json: &Json) -> Read<bool> {
    let conditions = list(json, "status.conditions")?;
    let ready = conditions.iter().find(|c| c["type"] == "Ready").ok_or("the kubelet has not told it yet")?;
    match ready["status"].as_str() {
        Some("True") => Ok(true),
        Some("False" | "Unknown") => Ok(false),
        _ => Err(other_type()),
    }
}

fn provider(json: &Json, redactor: &Redactor) -> Read<Value> {
    let Some(id) = text(json, "spec.providerID")? else { return Ok(Value::Null) };
    match id.split_once("://") {
        Some((scheme, _)) if !scheme.is_empty() => Ok(shown(scheme, redactor)),
        _ => Err("its provider's id has no scheme".into()),
    }
}

/// A quantity of what is allocatable; `per` thousandths of a unit.
fn quantity(json: &Json, name: &str, per: i64) -> Read<i64> {
    let quantity = match at(json, "status.allocatable")? {
        Json::Object(map) => map.get(name).unwrap_or(&Json::Null),
        Json::Null => &Json::Null,
        _ => return Err(other_type()),
    };
    let number = quantity.as_i64().map(|n| n.to_string());
    let text = match (quantity, &number) {
        (Json::Null, _) => return Err("the kubelet has not told it yet".into()),
        (Json::String(text), _) => text.as_str(),
        (_, Some(number)) => number.as_str(),
        _ => return Err(other_type()),
    };
    thousandths(text).map(|t| t / per).ok_or_else(|| "it is no quantity".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::object::Place;

    fn read(json: &Json) -> Component {
        node(Object { json, place: &Place::of_server("node n1") }, &Redactor::new())
    }

    #[test]
    fn a_node_is_read() {
        let json = serde_json::json!({
            "metadata": {"name": "n1", "labels": {"node-role.kubernetes.io/control-plane": "", "topology.kubernetes.io/zone": "a"}},
            "spec": {"providerID": "kind://docker/kind/n1", "podCIDRs": ["10.244.0.0/24"],
                     "taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "allocatable": {"cpu": "1500m", "memory": "16326064Ki", "pods": "110"},
                "addresses": [{"type": "InternalIP", "address": "10.0.0.4"}],
                "nodeInfo": {"kubeletVersion": "v1.35.4", "containerRuntimeVersion": "containerd://2.1.4", "machineID": "abc",
                             "kernelVersion": "6.1", "operatingSystem": "linux", "osImage": "Debian", "architecture": "amd64"},
            },
        });
        let c = read(&json);
        assert_eq!(c.value("control_plane"), &Value::Bool(true));
        assert_eq!(c.value("kubelet_minor"), &Value::Int(35));
        assert_eq!(c.value("container_runtime").as_str(), Some("containerd"));
        assert_eq!(c.value("provider").as_str(), Some("kind"));
        assert_eq!(c.value("cpu_allocatable"), &Value::Int(1500));
        assert_eq!(c.value("memory_allocatable"), &Value::Int(16_326_064 * 1024));
        assert_eq!(c.value("pods_allocatable"), &Value::Int(110));
        assert_eq!(c.value("machine").as_str(), Some(&*machine("abc")));
        let unset: Vec<&str> = NODE.facts.iter().map(|f| f.name).filter(|f| c.value(f).is_unknown()).collect();
        // Both are derived.
        assert_eq!(unset, ["control_plane_by", "audit_log", "audit_log_since", "host"]);
    }

    #[test]
    fn nothing_is_made_up_of_wrong_types() {
        let json = serde_json::json!({
            "metadata": {"name": "n1", "labels": 7},
            "spec": {"taints": "x", "unschedulable": "no", "podCIDRs": null},
            "status": {"conditions": [{"type": "Ready", "status": 1}], "nodeInfo": [], "allocatable": {"cpu": []}},
        });
        let c = read(&json);
        for fact in [
            "control_plane",
            "labels",
            "taints",
            "unschedulable",
            "ready",
            "kubelet_version",
            "machine",
            "cpu_allocatable",
            "zone",
        ] {
            assert!(c.value(fact).is_unknown(), "{fact}");
        }
        assert_eq!(c.value("pod_cidrs"), &Value::List(vec![]));
    }
}
