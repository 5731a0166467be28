//! The nouns of Seaworthy and the pure functions over them.
//!
//! Nothing in this crate does IO or reads a clock: the same snapshot always gives the same answer.

pub mod assessment;
pub mod assume;
pub mod audit;
pub mod benchmark;
pub mod check;
pub mod cidr;
pub mod component;
pub mod derive;
pub mod diagram;
pub mod diff;
pub mod dockerd;
pub mod fact;
pub mod flaw;
pub mod identity;
pub mod join;
pub mod judge;
pub mod kubernetes;
pub mod path;
pub mod plan;
pub mod predicate;
pub mod remedy;
pub mod schema;
pub mod snapshot;
pub mod snapshot_json;
pub mod sshd;
pub mod step;
pub mod systemd;
pub mod threat;
pub mod trail;
pub mod value;
pub mod verdict;
pub mod version;
pub mod waiver;
