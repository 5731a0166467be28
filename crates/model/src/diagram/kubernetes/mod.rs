//! The flows of a cluster: who reaches its pods and its API, what its pods hold, what their accounts may do, and where
//! they run.

pub(super) mod zones;

mod limits;
mod objects;
mod outside;
mod pods;
mod policies;
mod rights;
mod tokens;

use seaworthy_core::diagram::FlowKind;
use seaworthy_core::join::COPIES;
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::Exposure;
use super::draft::{Draft, Drafts};
use super::scope::{Scope, truth};

/// Draws the flows of a cluster.
pub(super) fn draw(scope: &Scope<'_>, exposure: &Exposure, drafts: &mut Drafts) {
    outside::draw(scope, exposure, drafts);
    pods::draw(scope, drafts);
    policies::draw(scope, drafts);
    rights::draw(scope, drafts);
    machines(scope, drafts);
}

/// The element of the cluster, which stands for its API server.
fn cluster(scope: &Scope<'_>) -> Option<usize> {
    scope.all_of(&k8s::CLUSTER).first().map(|at| scope.element[*at])
}

/// Kubelets to their nodes, the API server to kubelets, etcd and what admits.
fn machines(scope: &Scope<'_>, drafts: &mut Drafts) {
    let nodes = scope.all_of(&k8s::NODE);
    for kubelet in scope.all_of(&k8s::KUBELET).iter().copied() {
        let name = scope.value(kubelet, "node").as_str().unwrap_or(&scope.component(kubelet).name);
        let node = scope.named(&k8s::NODE, name).or_else(|| nodes.first().copied().filter(|_| nodes.len() == 1));
        if let Some(node) = node {
            let draft = Draft::new(FlowKind::Control, scope.element[kubelet], scope.element[node], "its pods");
            drafts.add(draft.key("control"));
        }
        if let Some(cluster) = cluster(scope) {
            let draft =
                Draft::new(FlowKind::Kubelet, cluster, scope.element[kubelet], "commands, logs and measurements");
            drafts.add(draft.key("kubelet"));
        }
    }
    let servers = scope.all_of(&k8s::APISERVER);
    for etcd in scope.all_of(&k8s::ETCD).iter().copied() {
        let from: Vec<usize> = match servers {
            [] => cluster(scope).into_iter().collect(),
            servers => servers.iter().map(|at| scope.element[*at]).collect(),
        };
        for from in from {
            drafts
                .add(Draft::new(FlowKind::Etcd, from, scope.element[etcd], "every object of the cluster").key("etcd"));
        }
    }
    let Some(cluster) = cluster(scope) else { return };
    for admission in scope.all_of(&k8s::ADMISSION).iter().copied() {
        let draft =
            Draft::new(FlowKind::Admission, cluster, scope.element[admission], "objects before they are stored");
        let draft = draft.key("admission").facts([scope.cite(admission, "enforces")]);
        match truth(scope.value(admission, "enforces")) {
            Ok(true) => drafts.add(draft),
            Ok(false) => {}
            Err(reason) => drafts.add(draft.maybe(&reason)),
        }
    }
}

/// Draws what ties targets: a Docker host that is the machine of a node.
pub(super) fn draw_bridges(scopes: &[Scope<'_>], drafts: &mut Drafts) {
    for cluster in scopes.iter().filter(|scope| scope.is_cluster()) {
        let ids: Vec<&Value> = cluster.all_of(&k8s::NODE).iter().map(|node| cluster.value(*node, "machine")).collect();
        for node in cluster.all_of(&k8s::NODE).iter().copied() {
            let Value::Str(machine) = cluster.value(node, "machine") else { continue };
            for other in scopes.iter().filter(|scope| !scope.is_cluster()) {
                let Some(host) = other.host else { continue };
                if other.value(host, "machine").as_str() != Some(machine) {
                    continue;
                }
                let (from, to) = (other.element[host], cluster.element[node]);
                let draft = Draft::new(FlowKind::SameMachine, from, to, "the same machine");
                let facts = [other.cite(host, "machine"), cluster.cite(node, "machine")];
                let draft = draft.key("machine").facts(facts);
                drafts.add(match ids.iter().filter(|id| id.as_str() == Some(machine)).count() {
                    1 => draft,
                    _ => draft.maybe(&COPIES.into()),
                });
            }
        }
    }
}
