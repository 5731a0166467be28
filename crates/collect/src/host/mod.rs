//! The host beneath an engine: accounts, files, units, audit rules, sockets, kernel.

pub mod audit;
pub mod gap;
pub mod netlink;
pub mod process;
pub mod root;
pub mod sockets;
