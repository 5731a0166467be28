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

use super::{BOOL, Field, INT, OPT_INT, OPT_STR, STR, STRINGS, Type, field};

/// A secret that was recognised: its value is never kept.
const SECRET: &[Field] = &[
    field("name", STR, "the variable, label, option or step that holds it"),
    field("class", STR, "what kind of secret it looks like"),
    field("length", STR, "bucket of its length in characters"),
];
const SECRETS: Type = Type::List(&Type::Object(SECRET));

/// A flaw of a component's version, from the catalogue's dated table.
const FLAWS: Type = STRINGS;
