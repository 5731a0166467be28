//! The smallest things that can be changed, and what resolving a finding's remedy comes to.

use seaworthy_core::plan::{Owned, Pending, SetField, SetKey, SpecChange, Watch};
use serde_json::Value;

/// The smallest thing that can be changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Owner, group or the bits that remain of a mode.
    Rights { path: String, what: String, before: Owned, uid: Option<u32>, gid: Option<u32>, within: Option<u32> },
    /// The same of the engine's socket, kept by a drop-in of the unit that makes it.
    Socket { rights: Box<Piece>, set: Vec<(String, String)> },
    /// An audit rule.
    Watch(Watch),
    /// A setting of daemon.json.
    Key(SetKey),
    /// A limit of a running container, by its position in the target.
    Limit(usize, SetField),
    /// A change of a container's run specification.
    Spec(usize, SpecChange),
    /// A setting of the SSH server.
    Sshd(String, String),
    /// A user leaves a group.
    Leave { group: String, user: String },
    /// A variable of login shells.
    Env(String, String),
    /// A setting of the swarm, before and after.
    Swarm(String, Value, Value),
}

/// How a finding is closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved {
    pub pieces: Vec<Piece>,
    /// What may break, in sentences.
    pub breaks: Vec<String>,
    /// What cannot be undone, in sentences.
    pub lasting: Vec<String>,
    /// What stays as it is, and should be known, in sentences.
    pub notes: Vec<String>,
    /// What its check waits for afterwards.
    pub pending: Option<Pending>,
    /// Whether the check passes afterwards; else it is closed only in part.
    pub in_part: bool,
}

impl From<Piece> for Resolved {
    fn from(piece: Piece) -> Self {
        Self { pieces: vec![piece], ..Self::default() }
    }
}

impl Resolved {
    pub fn join(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
        self.breaks.extend(other.breaks);
        self.lasting.extend(other.lasting);
        self.notes.extend(other.notes);
        self.pending = self.pending.or(other.pending);
        self.in_part |= other.in_part;
    }
}

/// Why a finding is not closed by the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Not {
    /// It was asked for and cannot be planned.
    Left(String),
    /// A person has to do it.
    Hand { what: String, command: Vec<String> },
}

impl From<String> for Not {
    fn from(why: String) -> Self {
        Self::Left(why)
    }
}

impl From<&str> for Not {
    fn from(why: &str) -> Self {
        Self::Left(why.to_owned())
    }
}

/// A command as arguments.
pub(super) fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}
