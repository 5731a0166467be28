//! The threat model: data flows, threats, paths and their ranking.

pub mod judge;
pub mod rate;
