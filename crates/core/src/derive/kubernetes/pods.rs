//! What follows of pods and their containers: paths of the node, tokens, Pod Security, and whose root they are.

mod paths;
mod root;
mod security;
#[cfg(test)]
mod tests;
mod tokens;

pub(super) use root::decides;

use std::collections::HashMap;
use std::sync::Arc;

use crate::component::Component;
use crate::schema::kubernetes::{CONTAINER, POD};
use crate::snapshot::Target;
use crate::value::Value;

/// The positions of pods and of their containers.
struct Pods {
    all: Vec<usize>,
    containers: HashMap<Box<str>, Vec<usize>>,
}

impl Pods {
    fn of(target: &Target) -> Self {
        let mut out = Self { all: Vec::new(), containers: HashMap::new() };
        for (i, component) in target.components.iter().enumerate() {
            if std::ptr::eq(component.kind, &POD) {
                out.all.push(i);
            } else if std::ptr::eq(component.kind, &CONTAINER)
                && let Some(pod) = component.value("pod").as_str()
            {
                out.containers.entry(pod.into()).or_default().push(i);
            }
        }
        out
    }

    fn containers_of(&self, pod: &Component) -> &[usize] {
        self.containers.get(&*pod.id).map_or(&[], Vec::as_slice)
    }
}

/// Why a pod may have more containers than are known.
fn more_containers(pod: &Component) -> Option<Arc<str>> {
    let names = pod.value("containers");
    names.reason().or_else(|| names.as_list().and_then(|list| list.iter().find_map(Value::reason))).cloned()
}

pub(super) fn derive(target: &mut Target) {
    let pods = Pods::of(target);
    if pods.all.is_empty() {
        return;
    }
    paths::derive(target, &pods);
    tokens::derive(target, &pods);
    security::seccomp(target, &pods);
    security::derive(target, &pods);
    root::derive(target, &pods);
}
