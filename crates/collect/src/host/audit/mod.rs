//! Audit rules: those in the kernel's own table, those that the files would load, and what a
//! path's accesses leave in the log.

pub mod coverage;
pub mod file;
pub mod log;
pub mod netlink;
pub mod rules;
