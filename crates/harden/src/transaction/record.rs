//! What a journal says: how far a transaction came, and what undo has to do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{Event, Line};
use super::store::{Decision, Place};
use crate::Failure;

/// How far a transaction came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Changes are being made, or were when the process ended.
    Applying,
    /// All changes are made; a confirmation is awaited.
    Awaiting {
        /// Until when, in seconds since 1970-01-01 UTC.
        until: i64,
        /// The same on the clock that counts from the boot.
        boottime: u64,
    },
    /// It was confirmed, and stays.
    Confirmed,
    /// Changes are being taken back, or were when the process ended.
    RollingBack,
    /// Everything was taken back but what others have changed since.
    RolledBack {
        /// What was left.
        left: Vec<String>,
    },
}

/// Whether a transaction has to be decided or taken back yet. One that was confirmed stays, whatever has become of its
/// journal; of any other whose journal cannot be read nobody knows.
#[must_use]
pub fn is_open(place: &Place) -> bool {
    match Record::read(place) {
        Ok(record) => !record.is_settled(),
        Err(_) => place.decision() != Some(Decision::Confirmed),
    }
}

/// A change whose intent stands in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Intended {
    /// What undo needs.
    pub undo: Value,
    /// Whether it was done and seen in effect.
    pub is_done: bool,
    /// Whether it has been undone in the rollback that is going on, or that ended.
    pub undone: Option<Vec<String>>,
}

/// What a journal says.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it is.
    pub place: Place,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub begun: i64,
    /// The boot in which it began.
    pub boot: String,
    /// How far it came.
    pub phase: Phase,
    /// The changes whose intents stand in it, by position in the plan.
    pub changes: BTreeMap<usize, Intended>,
    /// Failures, the last one last.
    pub failures: Vec<String>,
    /// Whether what was kept for the way back is gone.
    pub is_pruned: bool,
    /// Its lines.
    pub lines: Vec<Line>,
}

impl Record {
    /// Reads what a transaction's journal says.
    ///
    /// # Errors
    /// Where it cannot be read, or is damaged.
    pub fn read(place: &Place) -> Result<Self, Failure> {
        let lines = place.lines()?;
        // Nothing stays that was not proven first.
        let is_cut = !lines.iter().any(|line| matches!(line.event, Event::Proven { .. }));
        if is_cut && place.decision() == Some(Decision::Confirmed) {
            let journal = place.dir.join("journal");
            return Err(Failure(format!("{}: its last lines are lost", journal.display())));
        }
        let mut record = Self {
            place: place.clone(),
            begun: lines.first().map_or(0, |l| l.at),
            boot: String::new(),
            phase: Phase::Applying,
            changes: BTreeMap::new(),
            failures: Vec::new(),
            is_pruned: false,
            lines: Vec::new(),
        };
        lines.iter().for_each(|line| record.take(&line.event));
        record.lines = lines;
        // The file decides: the journal's line may be missing where the process ended between the two.
        match (place.decision(), &record.phase) {
            (Some(Decision::Confirmed), Phase::Applying | Phase::Awaiting { .. }) => record.phase = Phase::Confirmed,
            (Some(Decision::Expired), Phase::Applying | Phase::Awaiting { .. }) => record.phase = Phase::RollingBack,
            _ => {}
        }
        Ok(record)
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Begin { boot, .. } => self.boot.clone_from(boot),
            Event::Intent { change, undo } => {
                self.changes.insert(*change, Intended { undo: undo.clone(), is_done: false, undone: None });
            }
            Event::Done { change, .. } => {
                if let Some(change) = self.changes.get_mut(change) {
                    change.is_done = true;
                }
            }
            Event::Applied { until: Some(until), boottime: Some(boottime) } => {
                self.phase = Phase::Awaiting { until: *until, boottime: *boottime };
            }
            Event::Confirmed => self.phase = Phase::Confirmed,
            Event::Expired { .. } => {
                // A rollback that begins anew asks every change again.
                self.phase = Phase::RollingBack;
                self.changes.values_mut().for_each(|c| c.undone = None);
            }
            Event::Undone { change, left, .. } => {
                if let Some(change) = self.changes.get_mut(change) {
                    change.undone = Some(left.clone());
                }
            }
            Event::RolledBack { left } => self.phase = Phase::RolledBack { left: left.clone() },
            Event::Failed { why, .. } | Event::NotUndone { why, .. } => self.failures.push(why.clone()),
            Event::Pruned => self.is_pruned = true,
            Event::Applied { .. }
            | Event::Checked { .. }
            | Event::Rehearsed { .. }
            | Event::Armed { .. }
            | Event::Proven { .. } => {}
        }
    }

    /// Whether nothing is left to be decided or done.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Confirmed | Phase::RolledBack { .. })
    }

    /// Whether a confirmation is awaited and the time for it is not over.
    #[must_use]
    pub fn is_awaiting(&self) -> bool {
        matches!(self.phase, Phase::Awaiting { boottime, .. }
            if self.boot == super::boot_id() && super::boottime() < boottime)
    }

    /// Changes that have not been undone, the newest first.
    pub fn to_undo(&self) -> impl Iterator<Item = (usize, &Intended)> {
        self.changes.iter().rev().filter(|(_, c)| c.undone.is_none()).map(|(n, c)| (*n, c))
    }
}
