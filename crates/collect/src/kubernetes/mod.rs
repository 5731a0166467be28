//! Clusters: objects of the API, from a server or from files, and the processes and files of a node.

mod admission;
pub mod api;
mod command;
mod extension;
mod field;
pub mod files;
pub mod gather;
mod mirror;
mod namespaces;
mod network;
pub mod node;
mod nodes;
pub mod object;
pub mod pods;
mod proxies;
mod rbac;
mod storage;
mod whole;
pub mod yaml;
