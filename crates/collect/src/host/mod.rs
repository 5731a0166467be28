//! The host beneath an engine: accounts, files, units, audit rules, sockets, kernel.

pub mod accounts;
pub mod audit;
pub mod client;
pub mod containerd;
pub mod filter;
pub mod gap;
pub mod glob;
pub mod kernel;
pub mod meta;
pub mod mounts;
pub mod netlink;
pub mod network;
pub mod packages;
pub mod paths;
pub mod process;
pub mod registry_certs;
pub mod root;
pub mod sockets;
pub mod sshd;
pub mod sudoers;
pub mod units;

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod testing;
