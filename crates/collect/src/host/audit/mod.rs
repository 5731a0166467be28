//! Audit rules: those in the kernel's own table, those that the files would load, and what a
//! path's accesses leave in the log; and the log itself, which says who did what to which path.

pub mod calls;
pub mod coverage;
pub mod file;
pub mod log;
pub mod netlink;
pub mod record;
pub mod rules;
mod trail;
pub mod watched;
