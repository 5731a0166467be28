//! Namespaces of a process, by the inode numbers that tell them apart.

use std::os::fd::AsFd;

use super::read::{link, open_dir_at};
use crate::host::root::Unread;

/// A kind of namespace that containers may share with the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Process ids.
    Pid,
    /// Network.
    Net,
    /// Inter-process communication.
    Ipc,
    /// Host name.
    Uts,
    /// Control groups.
    Cgroup,
}

impl Namespace {
    /// Every kind, in the order of [`Namespaces`].
    pub const ALL: [Self; 5] = [Self::Pid, Self::Net, Self::Ipc, Self::Uts, Self::Cgroup];

    /// Its file under `/proc/PID/ns`.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Pid => "pid",
            Self::Net => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
        }
    }
}

/// The namespaces of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    ids: [Result<u64, Unread>; 5],
    /// Where they were read: `/proc/PID/ns`.
    pub path: String,
}

impl Namespaces {
    /// Reads the links below a process's directory.
    pub(super) fn read(process: impl AsFd, path: String) -> Self {
        let dir = open_dir_at(process, "ns");
        let one = |kind: Namespace| number(dir.as_ref().map_err(Clone::clone)?, kind.file());
        Self { ids: Namespace::ALL.map(one), path }
    }

    /// The inode number of a namespace.
    pub fn id(&self, kind: Namespace) -> &Result<u64, Unread> {
        &self.ids[kind as usize]
    }

    /// Whether both are in the same namespace.
    ///
    /// # Errors
    /// Why one of the two could not be read.
    pub fn shares(&self, kind: Namespace, other: &Self) -> Result<bool, Unread> {
        let mine = self.id(kind).as_ref().map_err(Clone::clone)?;
        let theirs = other.id(kind).as_ref().map_err(Clone::clone)?;
        Ok(mine == theirs)
    }

    /// True when none could be read.
    pub(super) fn is_denied(&self) -> bool {
        self.ids.iter().all(|i| matches!(i, Err(Unread::Denied)))
    }
}

/// The inode number that a link to a namespace names: `net:[4026531840]`.
pub(super) fn number(dir: impl AsFd, file: &str) -> Result<u64, Unread> {
    link(dir, file, |target| {
        let text = std::str::from_utf8(target).ok()?;
        text.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
    })?
    .ok_or_else(|| Unread::Other("names no namespace".into()))
}

/// The namespaces that count as the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNamespaces {
    /// The namespaces.
    pub namespaces: Namespaces,
    /// True when they are our own and not those of pid 1, whose links need root: then "not shared" is sure only if we
    /// run in the host's namespaces ourselves.
    pub is_self: bool,
}
