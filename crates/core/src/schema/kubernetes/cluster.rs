//! The cluster itself, its nodes and its namespaces.

use super::{INT, META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A cluster, as its API tells of it.
    CLUSTER = "kubernetes.cluster", "a cluster, as its API tells of it", &[
    fact("version", STR, "the API server's version: 1.35.4", "GET /version, or --kubernetes-version", "neither was there"),
    fact("minor", INT, "the minor version: 35", "GET /version, or --kubernetes-version", "neither was there"),
    fact("distribution", STR, "kubeadm, k3s, rke2, microk8s, kind, eks, gke, aks, openshift or other", "versions and labels of nodes", "no node was read"),
]
}

kind! {
    /// A node.
    NODE = "kubernetes.node", "a node", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A namespace.
    NAMESPACE = "kubernetes.namespace", "a namespace", &[
    fact("name", STR, "its name", META, UNREAD),
]
}
