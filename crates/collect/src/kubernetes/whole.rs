//! What a cluster is as a whole, as far as its objects tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes::CLUSTER;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::field::{at, bounded, other_type, shown, text};
use super::gather::{Gather, Resource};
use super::nodes::{NODES, is_control_plane};
use super::object::Object;
use crate::redact::Redactor;

const NAMESPACES: Resource = Resource {
    group: "",
    versions: &["v1"],
    plural: "namespaces",
    kind: "Namespace",
    namespaced: false,
    optional: false,
};

const CUSTOM: Resource = Resource {
    group: "apiextensions.k8s.io",
    versions: &["v1"],
    plural: "customresourcedefinitions",
    kind: "CustomResourceDefinition",
    namespaced: false,
    optional: false,
};

const RUNTIMES: Resource = Resource {
    group: "node.k8s.io",
    versions: &["v1"],
    plural: "runtimeclasses",
    kind: "RuntimeClass",
    namespaced: false,
    optional: false,
};

const STORAGE: Resource = Resource {
    group: "storage.k8s.io",
    versions: &["v1"],
    plural: "storageclasses",
    kind: "StorageClass",
    namespaced: false,
    optional: false,
};

/// The most custom resource definitions that are named.
const MOST_CUSTOM: usize = 4096;

/// Gathers what is told of the cluster as a whole.
pub(super) struct Whole {
    nodes: i64,
    control_planes: Result<i64, Arc<str>>,
    hints: BTreeSet<&'static str>,
    uid: Option<String>,
    custom: BTreeSet<String>,
    runtimes: Vec<Value>,
    storage: Vec<Value>,
    unread: Vec<(&'static str, Arc<str>)>,
}

impl Default for Whole {
    fn default() -> Self {
        Self {
            nodes: 0,
            control_planes: Ok(0),
            hints: BTreeSet::new(),
            uid: None,
            custom: BTreeSet::new(),
            runtimes: Vec::new(),
            storage: Vec::new(),
            unread: Vec::new(),
        }
    }
}

impl Gather for Whole {
    fn resources(&self) -> &'static [Resource] {
        &[NODES, NAMESPACES, CUSTOM, RUNTIMES, STORAGE]
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        match object.kind() {
            "Node" => self.node(object.json),
            "Namespace" if object.name() == "kube-system" => {
                self.uid = object.json["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()).map(str::to_owned);
            }
            "CustomResourceDefinition" if self.custom.len() < MOST_CUSTOM => {
                self.custom.insert(object.name().to_owned());
            }
            "RuntimeClass" => {
                let handler = text(object.json, "handler").map(|h| shown(h.unwrap_or_default(), redactor));
                let handler = handler.unwrap_or_else(Value::Unknown);
                self.runtimes.push(Value::Object(vec![("name", object.name().into()), ("handler", handler)]));
            }
            "StorageClass" => self.storage.push(storage_class(object, redactor)),
            _ => {}
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        self.unread.push((resource.kind, reason.into()));
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        // Files tell of some objects of a cluster, never of all of them.
        if target.platform == "files" {
            return;
        }
        let Some(at) = target.components.iter().position(|c| std::ptr::eq(c.kind, &CLUSTER)) else { return };
        let mut cluster = target.components.swap_remove(at);
        self.put(&mut cluster);
        target.components.insert(0, cluster);
    }
}

impl Whole {
    fn node(&mut self, json: &Json) {
        self.nodes += 1;
        match (is_control_plane(json), &mut self.control_planes) {
            (Ok(true), Ok(count)) => *count += 1,
            (Ok(false), _) | (_, Err(_)) => {}
            (Err(why), known) => *known = Err(why),
        }
        self.hints.extend(hints(json));
    }

    fn why_not(&self, kind: &str) -> Option<Arc<str>> {
        self.unread.iter().find(|(unread, _)| *unread == kind).map(|(_, why)| Arc::clone(why))
    }

    fn put(&mut self, cluster: &mut Component) {
        // Whatever an API server lists it serves.
        cluster.set("removed_apis", Value::List(Vec::new()), Source::place("objects that the API server lists"));
        let nodes = self.why_not("Node");
        let mut set = |fact: &str, why: Option<Arc<str>>, value: Value, place: &'static str| match why {
            Some(why) => cluster.set_unknown(fact, why, Source::place(place)),
            None => cluster.set(fact, value, Source::place(place)),
        };
        set("nodes", nodes.clone(), self.nodes.into(), "nodes");
        let planes = self.control_planes.clone().map_or_else(Value::Unknown, Value::from);
        set("control_plane_nodes", nodes.clone(), planes, "labels of nodes");
        let uid = self
            .uid
            .take()
            .map_or_else(|| Value::unknown("namespace kube-system was not among those listed"), Value::from);
        set("uid", self.why_not("Namespace"), uid, "namespace kube-system");
        set(
            "custom_resources",
            self.why_not("CustomResourceDefinition"),
            Value::strings(std::mem::take(&mut self.custom)),
            "customresourcedefinitions",
        );
        let sorted = |mut list: Vec<Value>| {
            list.sort_by(|a, b| a.field("name").and_then(Value::as_str).cmp(&b.field("name").and_then(Value::as_str)));
            bounded(list.into_iter())
        };
        set(
            "runtime_classes",
            self.why_not("RuntimeClass"),
            sorted(std::mem::take(&mut self.runtimes)),
            "runtimeclasses",
        );
        set(
            "storage_classes",
            self.why_not("StorageClass"),
            sorted(std::mem::take(&mut self.storage)),
            "storageclasses",
        );
        self.distribution(cluster, nodes);
    }

    /// The API server's own version says it first; nodes say it where they agree.
    fn distribution(&self, cluster: &mut Component, nodes: Option<Arc<str>>) {
        let by_version = cluster.value("version").as_str().and_then(of_version);
        let hint = match (self.hints.len(), self.hints.first()) {
            (1, Some(hint)) => Some(*hint),
            _ => None,
        };
        let source = if by_version.is_some() { "GET /version" } else { "versions and labels of nodes" };
        match (by_version.or(hint), nodes) {
            (Some(name), _) => {
                cluster.set("distribution", name, Source::place(source));
                cluster.set("managed", matches!(name, "eks" | "gke" | "aks"), Source::place(source));
            }
            (None, Some(why)) => {
                cluster.set_unknown("distribution", Arc::clone(&why), Source::place(source));
                cluster.set_unknown("managed", why, Source::place(source));
            }
            (None, None) if self.hints.len() > 1 => {
                let why: Arc<str> =
                    format!("nodes name several: {}", self.hints.iter().copied().collect::<Vec<_>>().join(", ")).into();
                cluster.set_unknown("distribution", Arc::clone(&why), Source::place(source));
                cluster.set_unknown("managed", why, Source::place(source));
            }
            (None, None) => {
                cluster.set("distribution", "other", Source::place(source));
                match (&self.control_planes, self.nodes) {
                    // Nobody can say of a cluster of an unknown kind without a control plane of its own who runs it.
                    (Ok(planes), 1..) if *planes > 0 => cluster.set("managed", false, Source::place(source)),
                    _ => cluster.set_unknown(
                        "managed",
                        "no node carries the control plane, and nothing says who runs it",
                        Source::place(source),
                    ),
                }
            }
        }
    }
}

/// What a version's suffix says: `1.31.2-eks-7f9249a`, `1.33.1+k3s1`.
fn of_version(version: &str) -> Option<&'static str> {
    [("-eks-", "eks"), ("-gke.", "gke"), ("+k3s", "k3s"), ("+rke2", "rke2")]
        .into_iter()
        .find_map(|(part, name)| version.contains(part).then_some(name))
}

fn hints(node: &Json) -> Vec<&'static str> {
    let meta = &node["metadata"];
    let mut found = Vec::new();
    if let Some(name) = node["status"]["nodeInfo"]["kubeletVersion"].as_str().and_then(of_version) {
        found.push(name);
    }
    let labels = [
        ("eks.amazonaws.com/nodegroup", "eks"),
        ("cloud.google.com/gke-nodepool", "gke"),
        ("kubernetes.azure.com/cluster", "aks"),
        ("node.openshift.io/os_id", "openshift"),
        ("microk8s.io/cluster", "microk8s"),
    ];
    found.extend(labels.into_iter().filter(|(label, _)| meta["labels"][*label].is_string()).map(|(_, name)| name));
    if found.is_empty() && node["spec"]["providerID"].as_str().is_some_and(|id| id.starts_with("kind://")) {
        found.push("kind");
    }
    // kind, and others, are made by kubeadm too: it counts only where nothing else does.
    if found.is_empty() && meta["annotations"]["kubeadm.alpha.kubernetes.io/cri-socket"].is_string() {
        found.push("kubeadm");
    }
    found
}

fn storage_class(object: Object<'_>, redactor: &Redactor) -> Value {
    let json = object.json;
    let said = |path: &str, absent: &str| match text(json, path) {
        Ok(text) => shown(text.unwrap_or(absent), redactor),
        Err(why) => Value::Unknown(why),
    };
    let marks = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let default = match at(json, "metadata.annotations") {
        Ok(Json::Null) => Value::Bool(false),
        Ok(Json::Object(annotations)) => {
            Value::Bool(marks.iter().any(|mark| annotations.get(*mark).is_some_and(|value| value == "true")))
        }
        Ok(_) => Value::Unknown(other_type()),
        Err(why) => Value::Unknown(why),
    };
    Value::Object(vec![
        ("name", object.name().into()),
        ("provisioner", said("provisioner", "")),
        ("default", default),
        ("reclaim_policy", said("reclaimPolicy", "Delete")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::object::Place;

    fn cluster(nodes: &[Json], version: &str) -> Component {
        let mut whole = Box::new(Whole::default());
        let place = Place::of_server("x");
        for json in nodes {
            whole.add(Object { json, place: &place }, &Redactor::new());
        }
        let mut target = Target::new("t", "kubernetes", "");
        let mut c = Component::new(&CLUSTER, "cluster", "t");
        c.set("version", version, Source::place("test"));
        target.components.push(c);
        whole.finish(&mut target);
        target.components.remove(0)
    }

    #[test]
    fn the_distribution_is_told_or_unknown() {
        let node = |version: &str, label: &str| {
            serde_json::json!({"kind": "Node", "metadata": {"name": "n", "labels": {label: "x"}},
            "status": {"nodeInfo": {"kubeletVersion": version}}})
        };
        let c = cluster(&[node("v1.31.2-eks-7f9249a", "a")], "1.31.2-eks-7f9249a");
        assert_eq!((c.value("distribution").as_str(), c.value("managed").as_bool()), (Some("eks"), Some(true)));
        let c = cluster(&[node("v1.31.2", "kubernetes.azure.com/cluster")], "1.31.2");
        assert_eq!(c.value("distribution").as_str(), Some("aks"));
        let c = cluster(&[node("v1.31.2", "kubernetes.azure.com/cluster"), node("v1.31.2+k3s1", "a")], "1.31.2");
        assert!(c.value("distribution").is_unknown() && c.value("managed").is_unknown());
        // Nothing says it, and no control plane is seen: who runs it is not known.
        let c = cluster(&[node("v1.31.2", "a")], "1.31.2");
        assert_eq!(c.value("distribution").as_str(), Some("other"));
        assert!(c.value("managed").is_unknown());
        assert_eq!(c.value("nodes"), &Value::Int(1));
        assert!(c.value("uid").is_unknown());
    }
}
