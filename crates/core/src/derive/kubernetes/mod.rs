//! Derived facts of a cluster, in the order in which one needs the other.

mod rbac;

use crate::snapshot::Target;

/// Computes them.
pub(super) fn derive(target: &mut Target) {
    rbac::derive(target);
}
