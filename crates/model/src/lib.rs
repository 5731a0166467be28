//! The threat model: data flows, threats, paths and their ranking.

pub mod paths;
pub mod rank;
