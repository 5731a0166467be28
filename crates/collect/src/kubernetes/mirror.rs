//! The control plane as static pods, by the copies that the API keeps of them: their arguments are those that run.
//!
//! Whoever may create pods may make one that looks like such a copy. The kubelet that it names would take it away again
//! and never run it, and nobody else may write a pod's status: only a copy whose containers a kubelet says to run counts,
//! and only in kube-system.

use seaworthy_core::component::Component;
use seaworthy_core::schema::Kind;
use seaworthy_core::schema::kubernetes::{APISERVER, CLUSTER, CONTROLLER_MANAGER, ETCD, FILE, SCHEDULER};
use seaworthy_core::snapshot::Target;
use serde_json::Value as Json;

use super::command;
use super::field::list;
use super::gather::{Gather, PODS, Resource};
use super::node::{ToldPod, from_argv};
use super::object::Object;
use crate::redact::Redactor;

/// The mark of a static pod's copy.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Gathers what runs the control plane.
#[derive(Default)]
pub(super) struct Mirrors {
    components: Vec<Component>,
    unread: Option<String>,
}

impl Gather for Mirrors {
    fn resources(&self) -> &'static [Resource] {
        &[PODS]
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        let Some(node) = node_of(&object) else { return };
        for container in list(object.json, "spec.containers").unwrap_or_default() {
            if let Some(component) = component(&object, node, container, redactor) {
                self.components.push(component);
            }
        }
    }

    fn unread(&mut self, _: &Resource, reason: &str) {
        self.unread = Some(reason.to_owned());
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        self.components.sort_by(|a, b| a.id.cmp(&b.id));
        // A second copy of the same id tells of the same process.
        self.components.dedup_by(|a, b| a.id == b.id && std::ptr::eq(a.kind, b.kind));
        if target.platform != "kubernetes" {
            return;
        }
        let alive = target.of(&CLUSTER).next().and_then(|c| c.value("apiservers").as_int());
        let servers = count(&self.components, &APISERVER);
        for (kind, what) in [
            (&APISERVER, "kube-apiserver"),
            (&ETCD, "etcd"),
            (&CONTROLLER_MANAGER, "kube-controller-manager"),
            (&SCHEDULER, "kube-scheduler"),
        ] {
            let why = match (&self.unread, count(&self.components, kind), alive) {
                (Some(why), ..) => why.clone(),
                (None, 0, _) => format!(
                    "no {what} runs as a static pod of the API: a provider runs it, or a process of a node; run `seaworthy collect` on the node and join it"
                ),
                (None, _, None) => {
                    "how many there are is not told by the API; run `seaworthy collect` on the nodes and join it"
                        .to_owned()
                }
                (None, found, Some(alive)) if found == alive && servers == alive => continue,
                (None, found, Some(alive)) => format!(
                    "{found} static pods of {what} are seen, and {alive} API servers are alive; run `seaworthy collect` on the nodes and join it"
                ),
            };
            target.incomplete(kind, why);
        }
        target.incomplete(&FILE, "only a node tells of its files: run `seaworthy collect` on it and join it");
        target.components.append(&mut self.components);
    }
}

fn count(components: &[Component], kind: &'static Kind) -> i64 {
    i64::try_from(components.iter().filter(|c| std::ptr::eq(c.kind, kind)).count()).unwrap_or(i64::MAX)
}

/// The node whose static pod this is a copy of; none where it is another pod.
fn node_of<'a>(object: &Object<'a>) -> Option<&'a str> {
    let json = object.json;
    if object.namespace() != "kube-system" || !json["metadata"]["annotations"][MIRROR].is_string() {
        return None;
    }
    let node = json["spec"]["nodeName"].as_str().filter(|node| !node.is_empty())?;
    let owners = list(json, "metadata.ownerReferences").ok()?;
    let is_owned = owners.iter().any(|o| o["kind"] == "Node" && o["apiVersion"] == "v1" && o["name"] == node);
    (is_owned && json["status"]["phase"] == "Running").then_some(node)
}

fn component(object: &Object<'_>, node: &str, container: &Json, redactor: &Redactor) -> Option<Component> {
    let running = command::running(object.json, container)?;
    let command = command::of(object.json, container)?;
    let pod = ToldPod {
        node,
        nth: 1,
        found_by: "mirror-pod",
        argv: &command.argv,
        image: running.image,
        variables: &command.variables,
        place: &object.place.name,
        uid: running.uid,
        files: &[],
    };
    from_argv(&pod, redactor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::object::Place;

    fn pod() -> Json {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": "kube-system", "name": "kube-apiserver-cp", "annotations": {MIRROR: "abc"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "cp", "controller": true}]},
            "spec": {"nodeName": "cp", "containers": [{"name": "kube-apiserver", "image": "registry.k8s.io/kube-apiserver:v1.35.4",
                "command": ["kube-apiserver", "--anonymous-auth=false", "--profiling=false"]}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "kube-apiserver", "state": {"running": {}}}]},
        })
    }

    fn gathered(pods: &[Json], alive: Option<i64>) -> Target {
        let mut mirrors = Box::new(Mirrors::default());
        for json in pods {
            mirrors.add(Object { json, place: &Place::of_server("pod kube-system/x") }, &Redactor::new());
        }
        let mut target = Target::new("t", "kubernetes", "");
        let mut cluster = Component::new(&CLUSTER, "cluster", "t");
        if let Some(alive) = alive {
            cluster.set("apiservers", alive, seaworthy_core::fact::Source::place("test"));
        }
        target.components.push(cluster);
        mirrors.finish(&mut target);
        target
    }

    #[test]
    fn an_api_server_is_read_by_its_copy() {
        let target = gathered(&[pod()], Some(1));
        let server = target.of(&APISERVER).next().unwrap();
        assert_eq!(server.value("anonymous_auth").as_bool(), Some(false));
        assert_eq!(server.value("found_by").as_str(), Some("mirror-pod"));
        assert!(!target.incomplete.contains_key(APISERVER.name));
        assert!(target.incomplete.contains_key(ETCD.name) && target.incomplete.contains_key(FILE.name));
        // Two are alive, one is seen; or nobody says how many.
        assert!(gathered(&[pod()], Some(2)).incomplete.contains_key(APISERVER.name));
        assert!(gathered(&[pod()], None).incomplete.contains_key(APISERVER.name));
    }

    #[test]
    fn a_look_alike_is_none() {
        let change = |path: &str, value: Json| {
            let mut pod = pod();
            *pod.pointer_mut(path).unwrap() = value;
            pod
        };
        for pod in [
            change("/metadata/namespace", "default".into()),
            change("/metadata/annotations", Json::Null),
            change("/metadata/ownerReferences", Json::Null),
            change("/metadata/ownerReferences/0/kind", "ReplicaSet".into()),
            change("/metadata/ownerReferences/0/name", "other".into()),
            change("/status/phase", "Pending".into()),
            change("/status/containerStatuses", Json::Null),
            change("/spec/containers/0/command", 7.into()),
        ] {
            assert!(gathered(std::slice::from_ref(&pod), Some(1)).of(&APISERVER).next().is_none(), "{pod}");
        }
    }
}
