//! Derived facts of a cluster, in the order in which one needs the other.

mod api_services;
mod network;
mod rbac;

use crate::snapshot::Target;

/// Computes them.
pub(super) fn derive(target: &mut Target) {
    rbac::derive(target);
    network::derive(target);
    api_services::derive(target);
}
