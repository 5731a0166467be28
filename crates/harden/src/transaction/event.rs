//! What happens in a transaction: each a line of its journal, and of what `apply` tells while it works.

use seaworthy_core::plan::Pending;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A transaction began. Nothing is changed yet.
    Begin {
        /// The plan's id.
        plan: String,
        /// The version of the program.
        tool: String,
        /// The kernel's boot id.
        boot: String,
        /// How long a confirmation is waited for, in seconds; 0 for not at all.
        confirm_within: u64,
    },
    /// Rights, preconditions and space were looked at.
    Checked {
        /// What was found, in a line.
        line: String,
    },
    /// The engine's configuration was tried in a shadow of the engine.
    Rehearsed {
        /// Whether it was: where it could not be, the line says why.
        tried: bool,
        /// What was found, in a line.
        line: String,
    },
    /// The guard is armed.
    Armed {
        /// By what: `systemd` or `process`.
        by: String,
        /// When it rolls back unless confirmed, in seconds since 1970-01-01 UTC.
        until: i64,
    },
    /// A change is about to be done. What undo needs stands here, on disk, before anything is changed.
    Intent {
        /// Its position in the plan.
        change: usize,
        /// What undo needs; null in what is told.
        undo: Value,
    },
    /// A change was done and seen in effect.
    Done {
        /// Its position in the plan.
        change: usize,
        /// What it waits for, where it is not in effect at once.
        pending: Option<String>,
        /// What was found on the way that stays as it is and should be known, in sentences.
        #[serde(default)]
        notes: Vec<String>,
        /// How long it took, in milliseconds.
        took: u64,
    },
    /// A change, or the proof, failed.
    Failed {
        /// The change's position; none for the proof.
        change: Option<usize>,
        /// The failure, in a line.
        why: String,
    },
    /// Everything was collected and judged again.
    Proven {
        /// How many of the plan's checks pass in effect.
        passed: usize,
        /// Those that wait, with what for.
        pending: Vec<(String, Pending)>,
        /// Containers that ran before and run again.
        containers: usize,
    },
    /// All changes are in effect.
    Applied {
        /// Until when a confirmation is awaited, in seconds since 1970-01-01 UTC; none for not at all.
        until: Option<i64>,
        /// The same on the clock that counts from the boot and cannot be set, in seconds.
        boottime: Option<u64>,
    },
    /// It was confirmed: it stays.
    Confirmed,
    /// It is taken back, from now on.
    Expired {
        /// Why, in a line.
        why: String,
    },
    /// A change was undone.
    Undone {
        /// Its position in the plan.
        change: usize,
        /// `restored`, `nothing`, `drifted`, or `boot` where a reboot has undone it.
        how: String,
        /// What others have changed since, and was left.
        left: Vec<String>,
    },
    /// A change could not be undone now.
    NotUndone {
        /// Its position in the plan.
        change: usize,
        /// The failure, in a line.
        why: String,
    },
    /// Everything that could be undone is undone.
    RolledBack {
        /// What others have changed since, and was left.
        left: Vec<String>,
    },
    /// What was kept for the way back is gone.
    Pruned,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When, in milliseconds since 1970-01-01 UTC, by the host's clock.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Event {
    /// As it is told to others: without what undo needs.
    #[must_use]
    pub fn told(&self) -> Self {
        match self {
            Self::Intent { change, .. } => Self::Intent { change: *change, undo: Value::Null },
            other => other.clone(),
        }
    }
}
