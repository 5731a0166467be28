//! The threat model: data flows, threats, paths and their ranking.

mod diagram;
pub mod paths;
pub mod rank;

pub use diagram::{Exposure, ZONE_KINDS, ZoneKind, diagram};
