//! Derived facts of a cluster, in the order in which one needs the other.

mod api_services;
mod authorities;
mod network;
mod nodes;
mod pods;
mod rbac;

use crate::snapshot::Target;

/// Computes them.
pub(super) fn derive(target: &mut Target) {
    pods::derive(target);
    rbac::derive(target);
    nodes::derive(target);
    network::derive(target);
    api_services::derive(target);
    authorities::derive(target);
}
