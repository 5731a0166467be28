//! The names of powers that matter to an attacker.

/// Every power that a subject may have.
pub const POWERS: &[&str] = &["cluster-admin"];
