//! What touches the same thing, merged; in the order in which it is carried out.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::plan::{
    Action, AuditRules, DaemonJson, DropIn, LeaveGroup, Owned, ProfileEnv, Recreate, Rights, SetKey, SpecChange, Sshd,
    Swarm, Update,
};
use serde_json::Value;

use super::daemon;
use super::draft::{Taken, compose};
use super::piece::Piece;
use super::world::{World, named, truth};

/// What is changed as one; ordered as a plan carries it out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Rights(String),
    Socket,
    Audit,
    Profile,
    Sshd,
    Leave(String),
    Swarm,
    Daemon,
    /// By name, then by position in the target.
    Update(String, usize),
    Recreate(String, usize),
}

/// Everything about one of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pieces: Vec<Piece>,
    pub closes: BTreeSet<usize>,
    pub breaks: BTreeSet<String>,
    pub lasting: BTreeSet<String>,
    pub notes: BTreeSet<String>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(BTreeMap<Slot, Entry>);

/// Options that have one value.
const SINGLE: &[&str] = &[
    "cgroup-parent",
    "cgroupns",
    "image",
    "ipc",
    "network",
    "oom-kill-disable",
    "pid",
    "privileged",
    "read-only",
    "user",
    "userns",
    "uts",
];

impl Ledger {
    /// Adds all pieces of a finding, or none where one contradicts what is there.
    pub fn add(&mut self, world: &World<'_>, taken: &Taken) -> Result<(), String> {
        let mut next = self.0.clone();
        for piece in &taken.how.pieces {
            let slot = slot(world, piece);
            let entry = next.entry(slot.clone()).or_default();
            entry.merge(piece)?;
            entry.closes.insert(taken.finding);
            entry.breaks.extend(taken.how.breaks.iter().cloned());
            entry.lasting.extend(taken.how.lasting.iter().cloned());
            entry.notes.extend(taken.how.notes.iter().cloned());
        }
        self.0 = next;
        Ok(())
    }

    pub fn entries(&self) -> impl Iterator<Item = (&Slot, &Entry)> {
        self.0.iter()
    }

    /// The settings of daemon.json.
    pub fn keys(&self) -> BTreeMap<String, SetKey> {
        let pieces = self.0.get(&Slot::Daemon).map_or(&[][..], |e| &e.pieces);
        let key = |p: &Piece| if let Piece::Key(key) = p { Some((key.key.clone(), key.clone())) } else { None };
        pieces.iter().filter_map(key).collect()
    }

    /// The settings of the SSH server.
    pub fn sshd(&self) -> BTreeMap<String, String> {
        let pieces = self.0.get(&Slot::Sshd).map_or(&[][..], |e| &e.pieces);
        let set = |p: &Piece| if let Piece::Sshd(name, value) = p { Some((name.clone(), value.clone())) } else { None };
        pieces.iter().filter_map(set).collect()
    }
}

fn slot(world: &World<'_>, piece: &Piece) -> Slot {
    let name = |at: &usize| world.containers.get(at).map(|c| c.name.to_string()).unwrap_or_default();
    match piece {
        Piece::Rights { path, .. } => Slot::Rights(path.clone()),
        Piece::Socket { .. } => Slot::Socket,
        Piece::Watch(_) => Slot::Audit,
        Piece::Key(_) => Slot::Daemon,
        Piece::Limit(at, _) => Slot::Update(name(at), *at),
        Piece::Spec(at, _) => Slot::Recreate(name(at), *at),
        Piece::Sshd(..) => Slot::Sshd,
        Piece::Leave { user, .. } => Slot::Leave(user.clone()),
        Piece::Env(..) => Slot::Profile,
        Piece::Swarm(..) => Slot::Swarm,
    }
}

impl Entry {
    fn merge(&mut self, new: &Piece) -> Result<(), String> {
        for old in &mut self.pieces {
            if joined(old, new)? {
                return Ok(());
            }
        }
        self.pieces.push(new.clone());
        Ok(())
    }

    /// The action that does it.
    pub fn action(&self, world: &World<'_>, slot: &Slot) -> Action {
        match slot {
            Slot::Rights(_) => Action::Rights(self.rights().unwrap_or_else(nothing)),
            Slot::Socket => Action::DropIn(self.drop_in()),
            Slot::Audit => Action::Audit(self.audit(world)),
            Slot::Profile => Action::ProfileEnv(ProfileEnv { set: self.each(as_pair) }),
            Slot::Sshd => Action::Sshd(Sshd { set: self.each(as_pair) }),
            Slot::Leave(user) => Action::LeaveGroup(LeaveGroup { group: self.group(), user: user.clone() }),
            Slot::Swarm => Action::Swarm(Swarm { set: self.each(as_swarm) }),
            Slot::Daemon => {
                let (path, digest) = daemon::file(world).unwrap_or((daemon::USUAL, None));
                let mut set = self.each(|p| if let Piece::Key(key) = p { Some(key.clone()) } else { None });
                set.sort_by(|a, b| a.key.cmp(&b.key));
                Action::DaemonJson(DaemonJson { path: path.to_owned(), digest: digest.map(str::to_owned), set })
            }
            Slot::Update(name, at) => {
                let mut set = self.each(|p| if let Piece::Limit(_, field) = p { Some(field.clone()) } else { None });
                set.sort_by(|a, b| a.field.cmp(&b.field));
                Action::Update(Update { container: reference(world, *at, name), compose: compose(world, *at), set })
            }
            Slot::Recreate(name, at) => {
                let mut set: Vec<SpecChange> =
                    self.each(|p| if let Piece::Spec(_, change) = p { Some(change.clone()) } else { None });
                set.sort_by(|a, b| a.option.cmp(&b.option));
                Action::Recreate(Recreate {
                    container: reference(world, *at, name),
                    compose: compose(world, *at),
                    set,
                    accept_lost_changes: false,
                })
            }
        }
    }

    fn each<T>(&self, of: impl Fn(&Piece) -> Option<T>) -> Vec<T> {
        self.pieces.iter().filter_map(of).collect()
    }

    fn rights(&self) -> Option<Rights> {
        self.pieces.first().and_then(as_rights)
    }

    /// Recording is switched on where the kernel lacks a rule and records nothing.
    fn audit(&self, world: &World<'_>) -> AuditRules {
        let watches = self.each(as_watch);
        let records = world.host().and_then(|h| truth(h, "audit_enabled"));
        let enable = records == Ok(false) && watches.iter().any(|w| w.kernel);
        AuditRules { watches, enable }
    }

    fn group(&self) -> String {
        self.each(|p| if let Piece::Leave { group, .. } = p { Some(group.clone()) } else { None })
            .pop()
            .unwrap_or_default()
    }

    fn drop_in(&self) -> DropIn {
        let (mut set, mut socket) = (BTreeMap::new(), None);
        for piece in &self.pieces {
            if let Piece::Socket { rights, set: own } = piece {
                set.extend(own.iter().cloned());
                socket = as_rights(rights);
            }
        }
        let (unit, section) = ("docker.socket".to_owned(), "Socket".to_owned());
        DropIn { unit, section, set: set.into_iter().collect(), socket }
    }
}

fn reference(world: &World<'_>, at: usize, name: &str) -> seaworthy_core::plan::ContainerRef {
    let there = world.containers.get(&at).map(|c| named(c));
    there.unwrap_or_else(|| seaworthy_core::plan::ContainerRef { id: String::new(), name: name.to_owned() })
}

fn nothing() -> Rights {
    let none = Owned { uid: 0, gid: 0, mode: 0 };
    Rights { path: String::new(), what: String::new(), before: none, after: none }
}

fn as_rights(piece: &Piece) -> Option<Rights> {
    let Piece::Rights { path, what, before, uid, gid, within } = piece else { return None };
    let after = Owned {
        uid: uid.unwrap_or(before.uid),
        gid: gid.unwrap_or(before.gid),
        mode: before.mode & within.unwrap_or(0o7777),
    };
    Some(Rights { path: path.clone(), what: what.clone(), before: *before, after })
}

fn as_watch(piece: &Piece) -> Option<seaworthy_core::plan::Watch> {
    if let Piece::Watch(watch) = piece { Some(watch.clone()) } else { None }
}

fn as_pair(piece: &Piece) -> Option<(String, String)> {
    match piece {
        Piece::Sshd(name, value) | Piece::Env(name, value) => Some((name.clone(), value.clone())),
        _ => None,
    }
}

fn as_swarm(piece: &Piece) -> Option<(String, Value, Value)> {
    if let Piece::Swarm(name, before, after) = piece {
        Some((name.clone(), before.clone(), after.clone()))
    } else {
        None
    }
}

/// Whether a piece is about the same as another, which then says both; an error where they contradict each other.
fn joined(old: &mut Piece, new: &Piece) -> Result<bool, String> {
    let clash = |what: &str| Err(format!("another finding of this plan asks for something else of {what}"));
    match (old, new) {
        (Piece::Rights { path, uid, gid, within, .. }, Piece::Rights { path: p, uid: u, gid: g, within: w, .. })
            if path == p =>
        {
            let differ = |a: Option<u32>, b: Option<u32>| a.is_some() && b.is_some() && a != b;
            if differ(*uid, *u) || differ(*gid, *g) {
                return clash(path);
            }
            (*uid, *gid) = (uid.or(*u), gid.or(*g));
            *within = match (*within, *w) {
                (Some(a), Some(b)) => Some(a & b),
                (a, b) => a.or(b),
            };
            Ok(true)
        }
        (Piece::Socket { rights, set }, Piece::Socket { rights: r, set: s }) => {
            set.extend(s.iter().filter(|pair| !set.contains(pair)).cloned().collect::<Vec<_>>());
            joined(rights, r)
        }
        (Piece::Watch(old), Piece::Watch(new)) if old.path == new.path => {
            let letters = |c: &char| old.permissions.contains(*c) || new.permissions.contains(*c);
            old.permissions = "rwxa".chars().filter(letters).collect();
            old.kernel |= new.kernel;
            old.disk |= new.disk;
            Ok(true)
        }
        (Piece::Key(old), Piece::Key(new)) if old.key == new.key => match (&mut old.after, &new.after) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                old.extend(new.clone());
                Ok(true)
            }
            (a, b) if a == b => Ok(true),
            _ => clash(&old.key),
        },
        (Piece::Limit(_, old), Piece::Limit(_, new)) if old.field == new.field => {
            if old.after == new.after {
                Ok(true)
            } else {
                clash(&old.field)
            }
        }
        (Piece::Spec(_, old), Piece::Spec(_, new)) if old.option == new.option => {
            if SINGLE.contains(&old.option.as_str()) && old.add != new.add {
                return clash(&old.option);
            }
            for (to, from) in [(&mut old.remove, &new.remove), (&mut old.add, &new.add)] {
                to.extend(from.iter().cloned());
                to.sort();
                to.dedup();
            }
            if old.add.iter().any(|v| old.remove.contains(v)) {
                return clash(&old.option);
            }
            Ok(true)
        }
        (Piece::Sshd(name, old), Piece::Sshd(n, new)) | (Piece::Env(name, old), Piece::Env(n, new)) if name == n => {
            if old == new {
                Ok(true)
            } else {
                clash(name)
            }
        }
        (Piece::Swarm(name, _, old), Piece::Swarm(n, _, new)) if name == n => {
            if old == new {
                Ok(true)
            } else {
                clash(name)
            }
        }
        (Piece::Leave { user, .. }, Piece::Leave { user: u, .. }) if user == u => Ok(true),
        _ => Ok(false),
    }
}
