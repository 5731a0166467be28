//! What reaches what in a cluster: the network plugin, what policies select, services and ingresses to the outside, and
//! what admits.

mod admission;
mod claims;
mod cni;
mod endpoints;
mod guards;
mod ingresses;
mod namespaces;
mod pods;
mod policies;
mod quotas;
mod services;

use std::collections::HashMap;
use std::sync::Arc;

use crate::component::Component;
use crate::fact::Source;
use crate::kubernetes::reach::{ClassId, Network};
use crate::kubernetes::selector::{Labels, Selector};
use crate::schema::Kind;
use crate::schema::kubernetes as k8s;
use crate::snapshot::Target;
use crate::value::Value;

/// What is to be set: the component by its position, the fact, its value.
type Settings = Vec<(usize, &'static str, Value)>;

pub(super) fn derive(target: &mut Target) {
    let any = |kind: &'static Kind| target.of(kind).next().is_some();
    if ![&k8s::NETWORK_POLICY, &k8s::SERVICE, &k8s::INGRESS, &k8s::NAMESPACE, &k8s::POD, &k8s::ADMISSION, &k8s::CLUSTER]
        .into_iter()
        .any(any)
    {
        return;
    }
    let cni = cni::facts(target);
    set(target, cni, "pods that run on the nodes");
    let network = Network::of(target);
    let view = View::new(target, &network);
    let policies = policies::facts(&view);
    let mut services = services::facts(&view);
    services.extend(endpoints::facts(&view));
    let ingresses = ingresses::facts(&view);
    let admission = admission::facts(&view);
    set(target, policies, "policies, and labels of pods and namespaces");
    set(target, services, "services, ingresses and labels of pods");
    set(target, ingresses, "routes and services");
    set(target, admission, "rules and selectors, namespaces and services");
    let view = View::new(target, &network);
    let namespaces = namespaces::facts(&view);
    let pods = pods::facts(&view);
    set(target, namespaces, "pods, policies and what admits");
    set(target, pods, "policies, services and ingresses");
}

fn set(target: &mut Target, settings: Settings, place: &str) {
    let place: Arc<str> = place.into();
    for (at, fact, value) in settings {
        target.components[at].set(fact, value, Source::place(Arc::clone(&place)));
    }
}

/// A target with its network, and its pods by namespace.
struct View<'a> {
    target: &'a Target,
    network: &'a Network,
    /// The positions of components by the names of their kinds: some are asked for again for each namespace.
    kinds: HashMap<&'static str, Vec<usize>>,
    /// Pods by their namespaces: the positions of their components.
    pods: HashMap<&'a str, Vec<usize>>,
    /// Services by namespace/name.
    services: HashMap<&'a str, &'a Component>,
    /// Containers by their ids.
    containers: HashMap<&'a str, &'a Component>,
}

impl<'a> View<'a> {
    fn new(target: &'a Target, network: &'a Network) -> Self {
        let mut pods: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut kinds: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (at, component) in target.components.iter().enumerate() {
            kinds.entry(component.kind.name).or_default().push(at);
            if std::ptr::eq(component.kind, &k8s::POD) {
                pods.entry(component.value("namespace").as_str().unwrap_or_default()).or_default().push(at);
            }
        }
        let services = target.of(&k8s::SERVICE).map(|s| (&*s.name, s)).collect();
        let containers = target.of(&k8s::CONTAINER).map(|c| (&*c.id, c)).collect();
        Self { target, network, kinds, pods, services, containers }
    }

    /// A container of a pod.
    fn container(&self, pod: &str, name: &str) -> Option<&'a Component> {
        self.containers.get(&*format!("{pod}/{name}")).copied()
    }

    /// The components of a kind with their positions.
    fn positions(&self, kind: &'static Kind) -> impl Iterator<Item = (usize, &'a Component)> {
        let target = self.target;
        self.kinds.get(kind.name).into_iter().flatten().map(move |at| (*at, &target.components[*at]))
    }

    /// The components of a kind.
    fn of(&self, kind: &'static Kind) -> impl Iterator<Item = &'a Component> {
        self.positions(kind).map(|(_, component)| component)
    }

    fn component(&self, at: usize) -> &'a Component {
        &self.target.components[at]
    }

    /// Why there may be more of a kind than the target holds: from files, others may be in the cluster.
    fn partial(&self, kind: &'static Kind) -> Option<Arc<str>> {
        let listed = self.target.incomplete.get(kind.name).map(|reason| reason.as_str().into());
        listed.or_else(|| {
            (self.target.platform == "files").then(|| "the files may not hold all that the cluster has".into())
        })
    }

    /// The class of a pod.
    fn class(&self, pod: usize) -> Option<ClassId> {
        self.network.class_of(pod)
    }

    /// The pods of a namespace that a selector surely takes, and whether it may take others of them.
    fn selected(&self, namespace: &str, selector: &Selector) -> (Vec<usize>, bool) {
        let (mut surely, mut perhaps) = (Vec::new(), false);
        for at in self.pods.get(namespace).into_iter().flatten() {
            match selector.matches(&Labels::of(self.component(*at).value("labels"))) {
                Some(true) => surely.push(*at),
                Some(false) => {}
                None => perhaps = true,
            }
        }
        (surely, perhaps)
    }
}

/// A truth value; where it is unknown, the reason.
fn truth(known: Option<bool>, reason: impl Into<Arc<str>>) -> Value {
    known.map_or_else(|| Value::Unknown(reason.into()), Value::Bool)
}

/// The most entries of one derived list that are named.
const MOST: usize = super::super::MOST_NAMED;
