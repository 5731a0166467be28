//! What reaches what, as the specification of NetworkPolicy says.
//!
//! A pod is isolated in a direction as soon as one policy that selects it names that direction; then what its policies
//! let through, taken together, is all that passes. Traffic passes where the egress of its source and the ingress of
//! its destination let it; answers always pass. No policy holds for a pod on its node's network: it is that node, by
//! its addresses, and a node always reaches the pods that run on it, and they it.
//!
//! Everything is three-valued: ports that are surely open, and ports that may be. A plugin of which nobody knows that it
//! enforces policies leaves what they deny perhaps open; a policy whose meaning is not known, or one that could not be
//! listed, leaves everything of its pods open or closed.

pub mod address;
mod judge;
mod network;
pub mod policy;
pub mod ports;

#[cfg(test)]
mod brute;
#[cfg(test)]
mod hand;

use std::collections::HashMap;

use address::Cidr;
pub use network::{Network, Settings};
use policy::Peer;
pub use policy::{Direction, Policy};
pub use ports::{Ports, Protocol};

use crate::kubernetes::selector::Labels;

/// A port that a container declares under a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedPort {
    /// Its name.
    pub name: Box<str>,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub number: u16,
}

/// Pods that no policy can tell apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodClass {
    /// Their namespace.
    pub namespace: Box<str>,
    /// Their labels.
    pub labels: Labels,
    /// Ports that their containers name.
    pub ports: Vec<NamedPort>,
    /// Whether they may name others.
    pub ports_open: bool,
    /// Whether they are on their nodes' network.
    pub host_network: Option<bool>,
    /// Their nodes, where known.
    pub nodes: Vec<Box<str>>,
}

/// A class of pods, by its place in a network.
pub type ClassId = usize;

/// Where traffic comes from, or goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A pod of a class. Of a class with itself, two different pods are meant: one always reaches itself.
    Pod(ClassId),
    /// A node by its name.
    Node(Box<str>),
    /// Some address in these ranges, outside the cluster.
    Address(Vec<Cidr>),
    /// Anybody in the internet.
    Internet,
}

impl Endpoint {
    /// One address; none where the text is not one.
    pub fn address(text: &str) -> Option<Self> {
        Cidr::parse(text).map(|cidr| Self::Address(vec![cidr]))
    }
}

/// Ports that are surely open, and ports that may be; the former are among the latter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Those that surely are.
    pub yes: Ports,
    /// Those that may be.
    pub may: Ports,
}

impl Allowed {
    /// Everything is open.
    pub fn all() -> Self {
        Self::surely(Ports::all())
    }

    /// Nothing is.
    pub fn none() -> Self {
        Self::surely(Ports::none())
    }

    /// Everything may be.
    pub fn unknown() -> Self {
        Self { yes: Ports::none(), may: Ports::all() }
    }

    /// These are, and no others.
    pub fn surely(ports: Ports) -> Self {
        Self { yes: ports.clone(), may: ports }
    }

    /// What one of both opens.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { yes: self.yes.union(&other.yes), may: self.may.union(&other.may) }
    }

    /// What both open.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { yes: self.yes.intersection(&other.yes), may: self.may.intersection(&other.may) }
    }

    /// What holds whichever of both is the case.
    #[must_use]
    pub fn either(&self, other: &Self) -> Self {
        Self { yes: self.yes.intersection(&other.yes), may: self.may.union(&other.may) }
    }

    /// Whether a port is open.
    pub fn at(&self, protocol: Protocol, port: u16) -> Option<bool> {
        if self.yes.contains(protocol, port) {
            return Some(true);
        }
        if self.may.contains(protocol, port) { None } else { Some(false) }
    }

    /// Whether any port is.
    pub fn any(&self) -> Option<bool> {
        if !self.yes.is_empty() {
            return Some(true);
        }
        if self.may.is_empty() { Some(false) } else { None }
    }
}

/// Whether traffic passes, and which policies decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whether it does; none is unknown.
    pub truth: Option<bool>,
    /// The policies that decide, as components of the target: those that let it through, or that isolate one of both
    /// ends; where it is unknown, those that may do either.
    pub policies: Vec<usize>,
}

/// The peers of all rules, each once.
#[derive(Debug, Default)]
pub struct Peers {
    all: Vec<Peer>,
    places: HashMap<Peer, usize>,
}

impl Peers {
    /// The place of a peer.
    pub fn place(&mut self, peer: Peer) -> usize {
        if let Some(place) = self.places.get(&peer) {
            return *place;
        }
        self.all.push(peer.clone());
        self.places.insert(peer, self.all.len() - 1);
        self.all.len() - 1
    }
}
