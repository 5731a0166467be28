//! The processes of a control plane and a node, by their effective settings, and their files.

use super::{META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A kube-apiserver.
    APISERVER = "kubernetes.apiserver", "a kube-apiserver", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// An etcd.
    ETCD = "kubernetes.etcd", "an etcd", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A kube-controller-manager.
    CONTROLLER_MANAGER = "kubernetes.controller-manager", "a kube-controller-manager", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A kube-scheduler.
    SCHEDULER = "kubernetes.scheduler", "a kube-scheduler", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A kubelet.
    KUBELET = "kubernetes.kubelet", "a kubelet", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A kube-proxy.
    PROXY = "kubernetes.proxy", "a kube-proxy", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A file or directory of a control plane or node, with the role that it plays.
    FILE = "kubernetes.file", "a file or directory of a control plane or node, with the role that it plays", &[
    fact("path", STR, "where it lies", "the node", "the node was not read"),
    fact("role", STR, "the part that it plays: apiserver-manifest, kubelet-config, …", "the node", "the node was not read"),
]
}
