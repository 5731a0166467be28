//! A Docker engine: its raw answers turned into components with facts.

pub mod container;
pub mod context;
mod deep;
pub mod exec;
pub mod gather;
pub(crate) mod history;
pub mod image;
pub mod info;
mod json;
mod layers;
pub mod local;
pub mod network;
pub mod observed;
pub(crate) mod secrets;
mod sheet;
pub mod swarm;
mod twins;
pub mod volume;

pub use json::Read;
