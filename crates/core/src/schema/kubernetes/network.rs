//! What reaches what.

use super::{META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A policy over the traffic of pods.
    NETWORK_POLICY = "kubernetes.network-policy", "a policy over the traffic of pods", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A service.
    SERVICE = "kubernetes.service", "a service", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// An Ingress or a Gateway, by which the outside reaches services.
    INGRESS = "kubernetes.ingress", "an Ingress or a Gateway, by which the outside reaches services", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}
