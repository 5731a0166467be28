//! Hardening on real engines: planned, applied, proven in effect, taken back, and what becomes of it under faults.

mod bed;
#[path = "../common/mod.rs"]
mod common;
mod crash;
mod machine;
mod sitting;
mod swarm;
