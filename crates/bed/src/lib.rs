//! Real container engines and Kubernetes clusters for tests, each private to the test that started it; and a whole
//! [`Machine`] to boot and to cut the power of.
//!
//! A [`Daemon`] has its own directories, socket and (by default) network namespace, so that neither its bridge nor
//! its firewall rules reach the machine. Dropping it, also while a panic unwinds, ends exactly what it started and
//! takes its mounts, control groups and files away. What a killed test process left behind is cleared by the next start.
//!
//! ```no_run
//! use seaworthy_bed::{Daemon, Spec, Version};
//! let Some(daemon) = Daemon::require(Version::V20, Spec::default()) else { return };
//! daemon.import_busybox("busybox:test");
//! let id = daemon.run("web", &serde_json::json!({ "Image": "busybox:test", "Cmd": ["sleep", "3600"] }));
//! assert!(!id.is_empty());
//! ```
//!
//! The methods panic with the engine's answer where it refuses: a test has nothing better to do with it.

mod browser;
mod clear;
mod cluster;
mod daemon;
mod executable;
mod find;
mod http;
mod image;
mod lock;
mod machine;
mod watch;

pub use browser::{Browser, find_browser};
pub use clear::sweep;
pub use cluster::{
    Client, Cluster, ClusterBinaries, ClusterSpec, Kubernetes, NodeSpec, POD_SECURITY, find_cluster,
    find_pod_security_cases, pod_security_cases,
};
pub use daemon::{Bridge, Daemon, Net, Spec, StartError};
pub use executable::{copy_program, write_program};
pub use find::{Version, beds_dir, find, skip};
pub use http::Connection;
pub use image::ContextFile;
pub use lock::audit_table;
pub use machine::{Command, Image, Machine, MachineSpec, Output, Recipe, Running, Unfinished};
pub use watch::{Watched, watch};
