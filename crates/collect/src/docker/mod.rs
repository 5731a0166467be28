//! A Docker engine: its raw answers turned into components with facts.

pub mod container;
pub mod context;
mod json;
pub mod observed;
mod paths;
mod secrets;
mod sheet;

pub use json::Read;
pub use paths::normalise;
