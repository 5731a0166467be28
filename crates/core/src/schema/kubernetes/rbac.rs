//! Who may do what.

use super::{META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A service account.
    SERVICE_ACCOUNT = "kubernetes.service-account", "a service account", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A Role or ClusterRole.
    ROLE = "kubernetes.role", "a Role or ClusterRole", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A RoleBinding or ClusterRoleBinding.
    BINDING = "kubernetes.binding", "a RoleBinding or ClusterRoleBinding", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A user or group that a binding names.
    SUBJECT = "kubernetes.subject", "a user or group that a binding names", &[
    fact("name", STR, "its name", META, UNREAD),
]
}
