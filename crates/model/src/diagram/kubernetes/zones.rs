//! Zones of a cluster: its control plane, its nodes, and each namespace, in which a container that is equal to root on
//! its node lies apart.

use std::collections::BTreeMap;

use seaworthy_core::component::Component;
use seaworthy_core::diagram::{FactRef, Zone};
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::super::scope::{Ids, Scope, cut, short};
use super::super::zones::{
    CLUSTER, CONTROL_PLANE, INTERNET, LOCAL_NETWORK, NAMESPACE, NODES, PODS_OPEN, ZoneKind, Zones,
};

/// Adds the zones of a cluster and says for each of its components where it lies.
pub(in super::super) fn lay_out(scope: &mut Scope<'_>, zones: &mut Vec<Zone>, ids: &mut Ids) {
    let mut work = Layout { scope, zones, ids, made: BTreeMap::new() };
    let placed = work.run();
    scope.zones = placed;
}

struct Layout<'s, 'a> {
    scope: &'s Scope<'a>,
    zones: &'s mut Vec<Zone>,
    ids: &'s mut Ids,
    /// Zones by what their ids end with.
    made: BTreeMap<String, usize>,
}

impl Layout<'_, '_> {
    fn run(&mut self) -> Zones {
        let internet =
            self.make(INTERNET, "", "Internet", "what routers and packet filters before the nodes let through", None);
        let local_network = self.make(
            LOCAL_NETWORK,
            "",
            "Local network",
            "what listens on the nodes' addresses, and their packet filters",
            None,
        );
        let name = format!("Cluster {}", cut(&self.scope.target.name));
        let boundary = "the API server's authentication, authorization and admission";
        let cluster = self.make(CLUSTER, "", &name, boundary, None);
        let of = (0..self.scope.target.components.len()).map(|at| self.place(at, cluster)).collect();
        Zones { internet, local_network, users: cluster, of }
    }

    fn place(&mut self, at: usize, cluster: usize) -> usize {
        let component = self.scope.component(at);
        let is =
            |kinds: &[&'static seaworthy_core::schema::Kind]| kinds.iter().any(|k| std::ptr::eq(*k, component.kind));
        if is(&[&k8s::CLUSTER, &k8s::APISERVER, &k8s::ETCD, &k8s::CONTROLLER_MANAGER, &k8s::SCHEDULER]) {
            let boundary = "certificates of its components, and who reaches the machines that it runs on";
            return self.make(CONTROL_PLANE, "", "Control plane", boundary, Some(cluster));
        }
        if is(&[&k8s::NODE, &k8s::KUBELET, &k8s::PROXY, &k8s::FILE]) {
            let boundary = "the kernel between its pods and itself, and the kubelet's authentication";
            return self.make(NODES, "", "Nodes", boundary, Some(cluster));
        }
        let Some(namespace) = namespace(component) else { return cluster };
        let boundary = "rights that hold in it alone, and the network policies that select its pods";
        let name = format!("Namespace {}", cut(namespace));
        let zone = self.make(NAMESPACE, namespace, &name, boundary, Some(cluster));
        if is(&[&k8s::CONTAINER]) && component.value("equal_to_root").as_list().is_some_and(|why| !why.is_empty()) {
            let facts = self.scope.cite(at, "equal_to_root").into_iter().collect();
            let name = format!("Pods of {} equal to root on their node", cut(namespace));
            let boundary = "nothing in effect: their code can become root on the node";
            return self.with((PODS_OPEN, namespace), (&name, boundary), Some(zone), facts);
        }
        zone
    }

    fn make(&mut self, kind: ZoneKind, which: &str, name: &str, boundary: &str, parent: Option<usize>) -> usize {
        self.with((kind, which), (name, boundary), parent, Vec::new())
    }

    fn with(
        &mut self,
        (kind, which): (ZoneKind, &str),
        (name, boundary): (&str, &str),
        parent: Option<usize>,
        facts: Vec<FactRef>,
    ) -> usize {
        let key = if which.is_empty() { kind.name.to_owned() } else { format!("{}/{}", kind.name, short(which)) };
        if let Some(at) = self.made.get(&key) {
            return *at;
        }
        self.zones.push(Zone {
            id: self.ids.unique(format!("{}/{key}", self.scope.prefix)),
            name: name.to_owned(),
            parent,
            boundary: boundary.to_owned(),
            trust: kind.trust,
            facts,
        });
        self.made.insert(key, self.zones.len() - 1);
        self.zones.len() - 1
    }
}

/// The namespace in which a component lies, which one is itself; none for what belongs to the whole cluster.
fn namespace(component: &Component) -> Option<&str> {
    if std::ptr::eq(component.kind, &k8s::NAMESPACE) {
        return Some(&component.name);
    }
    component.kind.index("namespace")?;
    match component.value("namespace") {
        Value::Str(name) if !name.is_empty() => Some(name),
        _ => None,
    }
}
