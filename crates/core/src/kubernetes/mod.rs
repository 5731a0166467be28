//! What the rules of Kubernetes make of facts: who may do what, what reaches what, which pods a level of Pod Security
//! takes. Pure, by version where versions differ.

pub mod rbac;
pub mod reach;
pub mod selector;
