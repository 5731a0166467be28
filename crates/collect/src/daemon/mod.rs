//! The daemon as it runs: which process it is, how it was started, and what of its configuration
//! is in effect.

pub mod argv;
pub mod config;
pub mod effective;
pub mod environment;
pub mod file;
pub mod find;
pub mod go;
pub mod keys;
pub mod stated;
