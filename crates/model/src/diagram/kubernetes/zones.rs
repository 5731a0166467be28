//! Zones of a cluster: its control plane, its nodes, and each namespace, in which a container that is equal to root on
//! its node lies apart.

use seaworthy_core::component::Component;
use seaworthy_core::diagram::Zone;
use seaworthy_core::schema::{Kind, kubernetes as k8s};
use seaworthy_core::value::Value;

use super::super::scope::{Ids, Scope, cut};
use super::super::zones::{
    CLUSTER, CONTROL_PLANE, INTERNET, LOCAL_NETWORK, Layout, NAMESPACE, NODES, PODS_OPEN, Zones,
};

/// Adds the zones of a cluster and says for each of its components where it lies.
pub(in super::super) fn lay_out(scope: &mut Scope<'_>, zones: &mut Vec<Zone>, ids: &mut Ids) {
    let mut layout = Layout::new(scope, zones, ids);
    let internet = layout.root(INTERNET, "Internet", "what routers and packet filters before the nodes let through");
    let local_network =
        layout.root(LOCAL_NETWORK, "Local network", "what listens on the nodes' addresses, and their packet filters");
    let name = format!("Cluster {}", cut(&layout.scope.target.name));
    let cluster = layout.root(CLUSTER, &name, "the API server's authentication, authorization and admission");
    let of = (0..layout.scope.target.components.len()).map(|at| place(&mut layout, at, cluster)).collect();
    scope.zones = Zones { internet, local_network, users: cluster, of };
}

fn place(layout: &mut Layout<'_, '_>, at: usize, cluster: usize) -> usize {
    let component = layout.scope.component(at);
    let is = |kinds: &[&'static Kind]| kinds.iter().any(|k| std::ptr::eq(*k, component.kind));
    if is(&[&k8s::CLUSTER, &k8s::APISERVER, &k8s::ETCD, &k8s::CONTROLLER_MANAGER, &k8s::SCHEDULER]) {
        let boundary = "certificates of its components, and who reaches the machines that it runs on";
        return layout.make(CONTROL_PLANE, "", ("Control plane", boundary), Some(cluster), vec![]);
    }
    if is(&[&k8s::NODE, &k8s::KUBELET, &k8s::PROXY, &k8s::FILE]) {
        let boundary = "the kernel between its pods and itself, and the kubelet's authentication";
        return layout.make(NODES, "", ("Nodes", boundary), Some(cluster), vec![]);
    }
    let Some(namespace) = namespace(component) else { return cluster };
    let boundary = "rights that hold in it alone, and the network policies that select its pods";
    let name = format!("Namespace {}", cut(namespace));
    let zone = layout.make(NAMESPACE, namespace, (&name, boundary), Some(cluster), vec![]);
    if is(&[&k8s::CONTAINER]) && component.value("equal_to_root").as_list().is_some_and(|why| !why.is_empty()) {
        let facts = vec![layout.scope.cite(at, "equal_to_root")];
        let name = format!("Pods of {} equal to root on their node", cut(namespace));
        let boundary = "nothing in effect: their code can become root on the node";
        return layout.make(PODS_OPEN, namespace, (&name, boundary), Some(zone), facts);
    }
    zone
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
