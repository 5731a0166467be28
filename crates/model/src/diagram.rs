//! The data-flow diagram of a snapshot whose derived facts were computed.
//!
//! Every component is an element, so that whatever is said of a component has a place. What runs is a process: hosts,
//! daemons, containers, clients, registries, the parts of a swarm. What holds data is a store: files, images, volumes,
//! and networks, which hold data on its way. What only faces the host is an actor.
//!
//! The number of flows is linear in what the snapshot holds: containers meet over the element of their network or
//! volume, never each other, except where one joined another's namespace.
//!
//! What could not be read is drawn where it may be, with the reason; so is what belongs to a container that does not
//! run, since it comes with its next start.

mod address;
mod containers;
mod draft;
mod elements;
mod kubernetes;
mod listeners;
mod outside;
mod scope;
mod shield;
mod sockets;
mod supply;
mod zones;

#[cfg(test)]
mod tests;

use seaworthy_core::diagram::Diagram;
use seaworthy_core::snapshot::Snapshot;

use address::Bound;
use draft::Drafts;
use scope::{Ids, Scope};
pub use zones::{ZONE_KINDS, ZoneKind};

/// What its owner says is reached from the internet, which no fact of the host can say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Containers by name or service (`web`), and addresses of the host with a port (`0.0.0.0:443`, `443`,
    /// `203.0.113.7:22/tcp`).
    pub internet: Vec<String>,
}

impl Exposure {
    /// Whether one of these names was declared.
    fn names(&self, names: &[&str]) -> bool {
        self.internet.iter().any(|declared| !declared.is_empty() && names.contains(&declared.as_str()))
    }

    /// Whether an address of the host was declared; every address stands for each of them.
    fn binds(&self, bound: &Bound, protocol: &str) -> bool {
        self.internet.iter().filter_map(|declared| address::declared(declared)).any(|(other, only)| {
            other.port == bound.port
                && only.is_none_or(|p| p == protocol)
                && (other.ip == bound.ip || other.is_wildcard() && !bound.is_loopback() || bound.is_wildcard())
        })
    }
}

/// Draws the diagram; without a declaration nothing is proven to be reached from the internet.
pub fn diagram(snapshot: &Snapshot, exposure: Option<&Exposure>) -> Diagram {
    let mut out = Diagram::default();
    let mut scopes = Scope::all(snapshot);
    let mut zone_ids = Ids::default();
    for scope in &mut scopes {
        match scope.is_cluster() {
            true => kubernetes::zones::lay_out(scope, &mut out.zones, &mut zone_ids),
            false => zones::lay_out(scope, &mut out.zones, &mut zone_ids),
        }
    }
    for scope in &mut scopes {
        elements::actors(scope, &mut out.elements);
    }
    for scope in &mut scopes {
        elements::components(scope, &mut out.elements);
    }
    let none = Exposure::default();
    let mut drafts = Drafts::default();
    kubernetes::draw_bridges(&scopes, &mut drafts);
    for scope in &scopes {
        if scope.is_cluster() {
            kubernetes::draw(scope, exposure.unwrap_or(&none), &mut drafts);
            continue;
        }
        outside::draw(scope, exposure.unwrap_or(&none), &mut drafts);
        listeners::draw(scope, exposure.unwrap_or(&none), &mut drafts);
        sockets::draw(scope, &mut drafts);
        supply::draw(scope, &mut drafts);
        containers::draw(scope, &mut drafts);
    }
    out.flows = drafts.finish(&out.elements);
    out
}
