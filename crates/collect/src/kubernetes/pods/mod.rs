//! Pods and the templates of workloads: what their specifications say once the API server's defaults are put in,
//! collapsed where pods of one owner are alike.

mod alike;
mod container;
mod env;
mod gather;
mod image;
mod owners;
mod pod;
mod probes;
mod quantity;
mod read;
mod security;
mod seen;
mod sheet;
mod template;
#[cfg(test)]
mod tests;
mod volumes;
mod words;

pub use gather::Pods;
