//! Objects that may be in one cluster together.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::kubernetes::{ONLY_A_CLUSTER, is_outside_files};
use seaworthy_core::schema::kubernetes as schema;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::Version;
use super::object::Identity;
use crate::kubernetes::gather::{Gather, gatherers};
use crate::kubernetes::object::{Object, Place};
use crate::redact::Redactor;

/// Kind and name of an object.
type Id = (&'static str, &'static str, String, String);

pub(super) struct Set {
    gatherers: Vec<Box<dyn Gather>>,
    /// The content of each object that is in.
    known: HashMap<Id, u64>,
    /// Kinds of which there is one.
    seen: HashSet<(&'static str, &'static str)>,
}

impl Set {
    pub fn new() -> Self {
        Self { gatherers: gatherers(), known: HashMap::new(), seen: HashSet::new() }
    }

    /// Takes an object, unless another has its name. One that is there already, as it is, is taken for the same.
    pub fn add(&mut self, identity: &Identity, json: &Json, place: &Place, redactor: &Redactor) -> bool {
        let resource = identity.resource;
        if let Some((namespace, name)) = &identity.name {
            let id = (resource.group, resource.kind, namespace.clone(), name.clone());
            match self.known.get(&id) {
                Some(hash) => return *hash == identity.hash,
                None => self.known.insert(id, identity.hash),
            };
        }
        self.seen.insert((resource.group, resource.kind));
        for gatherer in &mut self.gatherers {
            let wants = gatherer.resources().iter().any(|r| r.group == resource.group && r.kind == resource.kind);
            if wants {
                gatherer.add(Object { json, place }, redactor);
            }
        }
        true
    }

    /// Puts the components into a target. `unread` says of a kind why an object of it may be missing.
    pub fn finish<'u>(
        mut self,
        target: &mut Target,
        version: Option<&Version>,
        removed: Value,
        unread: impl Fn(&'static str, &'static str) -> Option<&'u str>,
    ) {
        // First, since what a field means when it is absent depends on the version.
        target.components.push(cluster(version, removed));
        for gatherer in &mut self.gatherers {
            for resource in gatherer.resources() {
                match unread(resource.group, resource.kind) {
                    Some(reason) => gatherer.unread(resource, reason),
                    None if self.seen.contains(&(resource.group, resource.kind)) => {}
                    None => gatherer.unread(resource, ONLY_A_CLUSTER),
                }
            }
        }
        for gatherer in self.gatherers {
            gatherer.finish(target);
        }
        if let Some(version) = version {
            user_namespaces(target, version.minor);
        }
        // Which lists no file holds is told once, by kind; it is no failure to read one.
        target.gaps.retain(|gap| !is_outside_files(&gap.reason));
        let (why, nobody) = (Arc::from(ONLY_A_CLUSTER), Source::place("files"));
        for cluster in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &schema::CLUSTER)) {
            cluster.rest_unknown(&why, &nobody);
        }
        for kind in [
            &schema::NODE,
            &schema::APISERVER,
            &schema::ETCD,
            &schema::CONTROLLER_MANAGER,
            &schema::SCHEDULER,
            &schema::KUBELET,
            &schema::PROXY,
            &schema::FILE,
        ] {
            target.incomplete(kind, ONLY_A_CLUSTER);
        }
    }
}

/// The first minor version whose API server keeps `hostUsers` unless it is told otherwise; others drop the field.
const USER_NAMESPACES: u16 = 33;

/// What no file says: whether an older cluster heeds that a pod asks for users of its own.
fn user_namespaces(target: &mut Target, minor: u16) {
    if minor >= USER_NAMESPACES {
        return;
    }
    let asks = |kind, value: &Value| {
        (std::ptr::eq(kind, &schema::POD) && value == &Value::Bool(false))
            || (std::ptr::eq(kind, &schema::CONTAINER) && value == &Value::Bool(true))
    };
    for component in &mut target.components {
        let name = if std::ptr::eq(component.kind, &schema::POD) { "host_users" } else { "user_namespace" };
        let fact = component.kind.index(name).map(|i| component.fact_at(i).clone());
        if let Some(fact) = fact.filter(|fact| asks(component.kind, &fact.value)) {
            let why = format!("before 1.{USER_NAMESPACES} it counts only where UserNamespacesSupport was switched on");
            component.set_unknown(name, why, fact.source);
        }
    }
}

fn cluster(version: Option<&Version>, removed: Value) -> Component {
    let mut cluster = Component::new(&schema::CLUSTER, "cluster", "cluster");
    let source = || Source::place("--kubernetes-version");
    cluster.set("removed_apis", removed, Source::place("apiVersion and kind of the objects"));
    match version {
        Some(version) => {
            cluster.set("version", version.text.as_str(), source());
            cluster.set("minor", i64::from(version.minor), source());
        }
        None => {
            let why: Arc<str> = "files do not say it: --kubernetes-version does".into();
            cluster.set_unknown("version", Arc::clone(&why), source());
            cluster.set_unknown("minor", why, source());
        }
    }
    cluster
}
