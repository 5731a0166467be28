//! What makes a container's code root of its node.

use std::collections::HashMap;
use std::sync::Arc;

use super::Pods;
use crate::component::Component;
use crate::derive::only;
use crate::derive::root::is_decisive;
use crate::fact::Source;
use crate::predicate::path_is_under;
use crate::schema::kubernetes::{CLUSTER, KUBELET};
use crate::snapshot::Target;
use crate::value::Value;

/// Capabilities that take the node when user 0 inside is user 0 outside.
const TAKING: [&str; 6] = ["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"];

/// What a node runs of: who writes there is root of it, sooner or later.
const DECISIVE: [&str; 5] = ["/etc/kubernetes", "/etc/cni", "/etc/containerd", "/etc/rancher", "/var/lib/rancher"];

/// Runtimes that give a pod a kernel of its own, by what their handlers are called.
const SANDBOXES: [&str; 4] = ["kata", "runsc", "gvisor", "firecracker"];

/// Whether writing beneath a path of a node makes one root of it.
pub(in crate::derive::kubernetes) fn decides(path: &str) -> bool {
    is_decisive(path) || DECISIVE.iter().any(|d| path_is_under(path, d) || path_is_under(d, path))
}

#[derive(Default)]
struct Reasons {
    found: Vec<String>,
    unknown: Option<Arc<str>>,
}

impl Reasons {
    fn note(&mut self, reason: &Arc<str>) {
        self.unknown.get_or_insert_with(|| Arc::clone(reason));
    }

    /// Adds a reason where a condition holds, else why it cannot be told.
    fn when(&mut self, condition: &Value, reason: impl FnOnce() -> String) {
        match condition {
            Value::Bool(true) => self.found.push(reason()),
            Value::Unknown(why) => self.note(why),
            _ => {}
        }
    }
}

pub(super) fn derive(target: &mut Target, pods: &Pods) {
    let classes = only(target, &CLUSTER, "runtime_classes").clone();
    let manifests = manifests(target, pods);
    let source = Source::place("its other facts");
    for &i in pods.containers.values().flatten() {
        let container = &mut target.components[i];
        let own = container.value("pod").as_str().and_then(|pod| manifests.get(pod));
        let Reasons { found, unknown } = reasons(container, &classes, own.map_or(&[], Vec::as_slice));
        match unknown {
            Some(reason) if found.is_empty() => container.set_unknown("equal_to_root", reason, source.clone()),
            _ => container.set("equal_to_root", Value::strings(found), source.clone()),
        }
    }
}

/// Where the kubelets of the nodes that pods run on take static pods from, by the id of the pod: what is written there runs.
fn manifests(target: &Target, pods: &Pods) -> HashMap<Box<str>, Vec<String>> {
    let of_node: HashMap<&str, &str> = target
        .of(&KUBELET)
        .filter_map(|kubelet| Some((kubelet.value("node").as_str()?, kubelet.value("static_pod_path").as_str()?)))
        .collect();
    let mut out = HashMap::new();
    if of_node.is_empty() {
        return out;
    }
    for pod in pods.all.iter().map(|at| &target.components[*at]) {
        let nodes = pod.value("nodes").as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        let mut paths: Vec<String> = nodes.filter_map(|node| of_node.get(node)).map(|p| (*p).to_owned()).collect();
        paths.sort_unstable();
        paths.dedup();
        if !paths.is_empty() {
            out.insert(Box::from(&*pod.id), paths);
        }
    }
    out
}

fn reasons(c: &Component, classes: &Value, manifests: &[String]) -> Reasons {
    let mut out = Reasons::default();
    out.when(c.value("windows_host_process"), || "a process of the Windows node itself".into());
    let (sandboxed, mapped) = (sandboxed(c, classes), c.value("user_namespace"));
    paths(c, &sandboxed, manifests, &mut out);
    if sandboxed == Value::Bool(true) || mapped == &Value::Bool(true) {
        return out;
    }
    let mut own = Reasons::default();
    privileges(c, &mut own);
    match [&sandboxed, mapped].into_iter().find_map(Value::reason) {
        // Whether these reach the node depends on what could not be told.
        Some(reason) if !own.found.is_empty() => out.note(reason),
        _ => out.found.append(&mut own.found),
    }
    if let Some(reason) = &own.unknown {
        out.note(reason);
    }
    out
}

/// Whether the pod has a kernel of its own.
fn sandboxed(c: &Component, classes: &Value) -> Value {
    let name = match c.value("runtime_class") {
        Value::Str(name) => name,
        Value::Unknown(reason) => return Value::Unknown(Arc::clone(reason)),
        _ => return Value::Bool(false),
    };
    let of = |class: &&Value| class.field("name").and_then(Value::as_str) == Some(name);
    let handler = classes.as_list().and_then(|all| all.iter().find(of)).and_then(|class| class.field("handler"));
    match handler.and_then(Value::as_str) {
        Some(handler) => Value::Bool(SANDBOXES.iter().any(|sandbox| handler.contains(sandbox))),
        None => Value::unknown(format!("what the runtime class {name} runs is not known")),
    }
}

fn privileges(c: &Component, out: &mut Reasons) {
    out.when(c.value("privileged"), || "privileged".into());
    if c.value("privileged") == &Value::Bool(true) {
        return;
    }
    let held = match c.value("capabilities") {
        Value::List(held) => held,
        Value::Unknown(reason) => return out.note(reason),
        _ => return,
    };
    let holds = |name: &str| held.iter().any(|held| held.as_str() == Some(name));
    let taking: Vec<&str> = TAKING.into_iter().filter(|name| holds(name)).collect();
    // Whoever is not root has none of them at hand.
    if !taking.is_empty() {
        out.when(c.value("root_user"), || format!("capability {}", taking.join(", ")));
    }
    if holds("SYS_PTRACE") && c.value("host_pid") != &Value::Bool(false) {
        match c.value("root_user") {
            Value::Bool(false) => {}
            Value::Unknown(reason) => out.note(reason),
            _ => out.when(c.value("host_pid"), || "SYS_PTRACE among the node's processes".into()),
        }
    }
}

fn paths(c: &Component, sandboxed: &Value, manifests: &[String], out: &mut Reasons) {
    let root = c.value("root_user");
    match c.value("runtime_sockets") {
        Value::List(sockets) => {
            let paths: Vec<&str> = sockets.iter().filter_map(|s| s.field("reaches").and_then(Value::as_str)).collect();
            match sandboxed {
                _ if paths.is_empty() => {}
                Value::Bool(false) => out.when(root, || format!("holds {}", paths.join(", "))),
                Value::Unknown(reason) => out.note(reason),
                _ => out.note(&"whether its sandbox connects it with a socket of the node is not known".into()),
            }
        }
        Value::Unknown(reason) => out.note(reason),
        _ => {}
    }
    for fact in ["host_paths", "claim_paths"] {
        let found = match c.value(fact) {
            Value::List(found) => found,
            Value::Unknown(reason) if fact == "host_paths" => {
                out.note(reason);
                continue;
            }
            _ => continue,
        };
        for one in found {
            if let (Some(reason), "host_paths") = (one.reason(), fact) {
                out.note(reason);
            }
            let path = one.field("path").and_then(Value::as_str).unwrap_or_default();
            let around = |d: &str| path_is_under(path, d) || path_is_under(d, path);
            if !path.is_empty() && (decides(path) || manifests.iter().any(|d| around(d))) {
                match one.field("rw") {
                    Some(Value::Bool(true)) => out.when(root, || format!("writes to {path}")),
                    Some(Value::Unknown(reason)) => out.note(reason),
                    _ => {}
                }
            }
        }
    }
}
