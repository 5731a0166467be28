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

use super::{AUDIT_LOG, AUDIT_LOG_SINCE, BOOL, Field, INT, OPT_INT, OPT_STR, SECRETS, STR, STRINGS, Type, field};

/// What the packet filter does with connections to ports.
const ADMITS: Type = Type::List(&Type::Object(ADMITTED));
const NF_TABLES: &str = "the rules of nf_tables, and the addresses, in the network namespace that the ports are in";
const RULES: &str = "the engine is not on this machine, the rules were not shown, or older tables decide as well";

const ADMITTED: &[Field] = &[
    field("protocol", STR, "tcp or udp"),
    field("address", STR, "the address that the port is bound to; 0.0.0.0 and :: are every one"),
    field("port", INT, "the port"),
    field("networks", BOOL, "whether connections from the networks that the host is on are let through"),
    field("internet", BOOL, "whether connections from addresses that the internet routes are let through"),
    field("by", STR, "the rule or policy that stops them; empty where none does"),
];

/// A flaw of a component's version, from the catalogue's dated table.
const FLAWS: Type = STRINGS;
