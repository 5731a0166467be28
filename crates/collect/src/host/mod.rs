//! The host beneath an engine: accounts, files, units, audit rules, sockets, kernel.

pub mod root;
