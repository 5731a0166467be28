//! What the rules of Kubernetes make of facts: who may do what, what reaches what, which pods a level of Pod Security
//! takes. Pure, by version where versions differ.

pub mod host_path;
pub mod pod_security;
pub mod rbac;
pub mod reach;
pub mod remedy;
pub mod selector;

/// Why a kind is incomplete in files: whether there is more of it, and how it is set up, no file says.
pub const ONLY_A_CLUSTER: &str = "only a cluster knows: these are files";

/// How the reason ends for which a kind is incomplete where only some namespaces were asked for.
pub const NOT_ASKED_FOR: &str = "was asked for (--namespace)";

/// Whether something is unknown only because it lies in namespaces that nobody asked for: nobody failed to read it.
pub fn is_not_asked_for(reason: &str) -> bool {
    reason.ends_with(NOT_ASKED_FOR)
}

/// Whether something is unknown only because files are all that was given: nobody failed to read it.
pub fn is_outside_files(reason: &str) -> bool {
    reason.ends_with(ONLY_A_CLUSTER)
}
