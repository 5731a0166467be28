//! The threat model: data flows, threats, paths and their ranking.

mod diagram;
pub mod judge;

pub use diagram::{Exposure, ZONE_KINDS, ZoneKind, diagram};
