//! The daemon as it runs: which process it is, how it was started, and what of its configuration
//! is in effect.

pub mod argv;
pub mod go;
pub mod keys;
