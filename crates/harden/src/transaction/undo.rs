//! Taking back: every change whose intent stands in the journal, the newest first.

use seaworthy_core::plan::Plan;

use super::event::Event;
use super::journal::Journal;
use super::record::{Intended, Record};
use super::{Tell, boot_id};
use crate::act::{Stage, Undone, act};
use crate::files::Keep;
use crate::{Failure, Host};

/// A transaction at work.
pub(super) struct Work<'a> {
    pub plan: &'a Plan,
    pub journal: Journal,
    pub keep: Keep,
    pub host: Host,
    pub tell: &'a mut dyn Tell,
}

impl Work<'_> {
    /// Writes an event into the journal, and tells it.
    pub(super) fn write(&mut self, event: Event) -> Result<(), Failure> {
        self.tell.tell(&event.told());
        super::settle::log(&event);
        self.journal.write(event)
    }

    /// As [`Work::write`] while taking back: that a line cannot be written (a full disk) stops nothing, since whatever was
    /// undone can be undone again.
    pub(super) fn note(&mut self, event: Event) {
        let _ = self.write(event);
    }
}

/// What taking back came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Everything is undone but what others have changed since.
    Back { left: Vec<String> },
    /// Something could not be undone now.
    Not { why: Vec<String> },
    /// What needs the engine waits until it is up.
    Waits,
}

/// Takes a transaction back as far as it can be: early at boot only files, else everything.
pub(super) fn take_back(work: &mut Work<'_>, record: &Record, early: bool) -> Result<Taken, Failure> {
    // Early at boot the engine has not started yet: it will read the files as they were. Later it has read what was put
    // there; where no unit starts it, what ran in an earlier boot is not started again.
    let nothing_runs = early || record.boot != boot_id() && !work.host.has_systemd();
    let mut left: Vec<String> = record.changes.values().filter_map(|c| c.undone.clone()).flatten().collect();
    let (mut last, mut again, mut why) = (Vec::new(), Vec::new(), Vec::new());
    let mut waits = false;
    for (number, change) in record.to_undo() {
        match stage(work, number)? {
            Stage::Activation if nothing_runs => match booted(work, number, change) {
                Ok(drifted) => left.extend(drifted),
                Err(failure) => why.push(failure.0),
            },
            Stage::Activation => last.push((number, change)),
            Stage::Engine if early => waits = true,
            Stage::Files | Stage::Engine => match one(work, number, change)? {
                Ok(drifted) => left.extend(drifted),
                Err(_) => again.push((number, change)),
            },
        }
    }
    // The engine takes back its settings once the files are back; what failed for want of it is tried once more then.
    for (number, change) in last.into_iter().chain(again) {
        match one(work, number, change)? {
            Ok(drifted) => left.extend(drifted),
            Err(failure) => why.push(failure),
        }
    }
    if !why.is_empty() {
        return Ok(Taken::Not { why });
    }
    if waits {
        return Ok(Taken::Waits);
    }
    work.write(Event::RolledBack { left: left.clone() })?;
    Ok(Taken::Back { left })
}

fn stage(work: &Work<'_>, number: usize) -> Result<Stage, Failure> {
    let change = work.plan.changes.get(number);
    let change = change.ok_or_else(|| Failure(format!("the journal names change {number}, which the plan has not")))?;
    act(&change.action).map(|a| a.stage()).map_err(|why| Failure(why.to_string()))
}

/// A restart that the machine's own start has undone: only what it may have left half-way is put back.
fn booted(work: &mut Work<'_>, number: usize, change: &Intended) -> Result<Vec<String>, Failure> {
    let planned = &work.plan.changes[number];
    let act = act(&planned.action).map_err(|why| Failure(why.to_string()))?;
    let left = match act.rebooted(&work.host, &change.undo)? {
        Undone::Drifted(left) => left,
        Undone::Restored | Undone::Nothing => Vec::new(),
    };
    work.note(Event::Undone { change: number, how: "boot".into(), left: left.clone() });
    Ok(left)
}

/// Undoes one change: what was left, or why it could not be undone.
fn one(work: &mut Work<'_>, number: usize, change: &Intended) -> Result<Result<Vec<String>, String>, Failure> {
    let planned = &work.plan.changes[number];
    work.tell.busy(number, "undoing");
    let undone = match act(&planned.action) {
        Ok(act) if change.is_done => act.undo_done(&work.host, &work.keep, &change.undo),
        Ok(act) => act.undo(&work.host, &work.keep, &change.undo),
        Err(refusal) => Err(Failure(refusal.to_string())),
    };
    match undone {
        Ok(undone) => {
            let (how, left) = match undone {
                Undone::Restored => ("restored", Vec::new()),
                Undone::Nothing => ("nothing", Vec::new()),
                Undone::Drifted(left) => ("drifted", left),
            };
            work.note(Event::Undone { change: number, how: how.into(), left: left.clone() });
            Ok(Ok(left))
        }
        Err(failure) => {
            work.note(Event::NotUndone { change: number, why: failure.0.clone() });
            Ok(Err(format!("{}: {failure}", planned.title)))
        }
    }
}
