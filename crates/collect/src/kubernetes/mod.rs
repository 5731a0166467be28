//! Clusters: objects of the API, from a server or from files, and the processes and files of a node.

pub mod files;
pub mod gather;
pub mod object;
pub mod pods;
mod rbac;
pub mod yaml;
