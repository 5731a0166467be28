//! Snapshots: everything that one collection read, and what it could not.

use std::collections::BTreeMap;

use crate::component::Component;
use crate::schema::Kind;

/// The version of the snapshot's shape that this build writes and reads.
pub const SCHEMA: u32 = 1;

/// All facts of one collection.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The version of the program that collected.
    pub tool: String,
    /// When it was collected, in seconds since 1970-01-01 UTC; the only clock that judging knows.
    pub collected_at: i64,
    /// What was looked at.
    pub targets: Vec<Target>,
}

/// One engine with its host, or one that could not be reached.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the user called it: `local`, a context, a host.
    pub name: String,
    /// The platform: `docker`.
    pub platform: String,
    /// Where it is, without credentials: `unix:///var/run/docker.sock`.
    pub address: String,
    /// One line about it: `Engine 29.0.0`; empty when unknown.
    pub about: String,
    /// How long reading took, in milliseconds.
    pub took_ms: u64,
    /// The components with their facts.
    pub components: Vec<Component>,
    /// Kinds whose list of components is not complete, with the reason: a check on such a kind is unknown beyond
    /// what was read, never passed or not applicable.
    pub incomplete: BTreeMap<&'static str, String>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Target {
    /// A target of which nothing has been read yet.
    pub fn new(name: impl Into<String>, platform: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            platform: platform.into(),
            address: address.into(),
            about: String::new(),
            took_ms: 0,
            components: Vec::new(),
            incomplete: BTreeMap::new(),
            gaps: Vec::new(),
        }
    }

    /// The components of a kind.
    pub fn of(&self, kind: &'static Kind) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(move |c| std::ptr::eq(c.kind, kind))
    }

    /// Says that the list of a kind's components is not complete.
    pub fn incomplete(&mut self, kind: &'static Kind, reason: impl Into<String>) {
        self.incomplete.entry(kind.name).or_insert_with(|| reason.into());
    }

    /// Adds a gap.
    pub fn gap(&mut self, source: impl Into<String>, reason: impl Into<String>, affects: impl Into<String>) {
        self.gaps.push(Gap { source: source.into(), reason: reason.into(), affects: affects.into() });
    }
}

/// Something that could not be read: where, why, and what is unknown for it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// Where it would have been read: `/run/docker.sock`, `kernel audit rules`.
    pub source: String,
    /// Why not, and which right would give it.
    pub reason: String,
    /// What is unknown because of it.
    pub affects: String,
}
