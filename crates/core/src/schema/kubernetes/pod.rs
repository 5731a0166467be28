//! Pods and their containers.

use super::{META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A pod, pods of one workload that are alike, or the template of a workload without pods.
    POD = "kubernetes.pod", "a pod, pods of one workload that are alike, or the template of a workload without pods", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A container of a pod.
    CONTAINER = "kubernetes.container", "a container of a pod", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}
