//! The kinds of a Docker host.

mod container;
mod daemon;
mod dockerfile;
mod file;
mod host;
mod image;
mod network;
mod registry;
mod swarm;

pub use container::CONTAINER;
pub use daemon::DAEMON;
pub use dockerfile::DOCKERFILE;
pub use file::FILE;
pub use host::{CLIENT, HOST};
pub use image::IMAGE;
pub use network::{NETWORK, VOLUME};
pub use registry::REGISTRY;
pub use swarm::{NODE, SERVICE, SWARM};

use super::{BOOL, INT, OPT_INT, OPT_STR, SECRETS, STR, STRINGS, Type};

/// A flaw of a component's version, from the catalogue's dated table.
const FLAWS: Type = STRINGS;
