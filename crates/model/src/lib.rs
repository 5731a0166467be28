//! The threat model: data flows, threats, paths and their ranking.

pub mod judge;
mod diagram;

pub use diagram::{Exposure, ZONE_KINDS, ZoneKind, diagram};
