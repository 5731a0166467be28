//! The host beneath an engine: accounts, files, units, audit rules, sockets, kernel.

pub mod accounts;
pub mod client;
pub mod containerd;
pub mod gap;
pub mod glob;
pub mod meta;
pub mod packages;
pub mod registry_certs;
pub mod root;
pub mod sshd;
pub mod sudoers;

#[cfg(test)]
pub(crate) mod testing;
