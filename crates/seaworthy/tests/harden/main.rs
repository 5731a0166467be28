//! Hardening on real engines: planned, applied, proven in effect, taken back, and what becomes of it under faults.

mod anew;
mod bed;
mod careless;
#[path = "../common/mod.rs"]
mod common;
mod crash;
mod damage;
mod faults;
mod later;
mod machine;
mod machine_faults;
mod machine_trail;
mod signals;
mod sitting;
mod swarm;
