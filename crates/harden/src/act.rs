//! Actions: how each kind of change is checked, done, seen in effect and undone.

mod activate;
pub mod audit;
mod block;
pub mod daemon_json;
mod drop_in;
mod group;
mod keys;
mod marked;
mod people;
mod profile;
pub mod recreate;
pub mod rights;
mod sshd;
pub mod swarm;
pub mod update;

use std::path::PathBuf;

use seaworthy_core::plan::Action;
use serde_json::Value;

use crate::files::Keep;
use crate::{Failure, Host};

/// Why something is not done. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What the plan rests on has moved since; the line names it.
    #[error("stale: {0}")]
    Stale(String),
    /// It may not or cannot be done here.
    #[error("{0}")]
    Refused(String),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure.0)
    }
}

/// What is seen of a change after it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is in effect.
    InEffect,
    /// It is done and waits: for a reboot, a login.
    Pending(String),
}

/// What undoing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// What was there before is there again.
    Restored,
    /// There was nothing to undo: it had not been done, or was undone before.
    Nothing,
    /// Others have changed since what was changed here: that is left as it is, and named.
    Drifted(Vec<String>),
}

/// When it can be undone after a reboot that came in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Early, before anything reads the files.
    Files,
    /// The engine's restart: after a reboot there is nothing left to be done.
    Activation,
    /// Through the engine, once it is up.
    Engine,
}

/// A change that can be done and undone. Everything in it comes from the plan; what undo needs is what
/// [`Act::prepare`] returned, which stands in the journal, on disk, before [`Act::apply`] begins.
///
/// Any of these may be killed, or lose power, at any point: `undo` has to cope with a change that was not begun, half
/// done, done, or half undone, and is called again until it has said how it ended. It compares what is there with what
/// was before and what the change makes of it; where it is neither, others were there since, and it is left.
pub trait Act {
    /// Whether it may be done now: rights, validity, and that what the plan saw is there still. Reads only.
    ///
    /// # Errors
    /// [`Refusal::Stale`] where something has moved since the plan, else [`Refusal::Refused`].
    fn check(&self, host: &Host) -> Result<(), Refusal>;

    /// Reads everything that undo will need; copies of files go into `keep`. Changes nothing.
    ///
    /// # Errors
    /// Where something cannot be read or kept: nothing is done then.
    fn prepare(&self, host: &Host, keep: &mut Keep) -> Result<Value, Failure>;

    /// Does it.
    ///
    /// # Errors
    /// Where it cannot be done, or only in part: the caller then undoes it.
    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure>;

    /// Reads back, from the system and not from what was written, whether it is in effect.
    ///
    /// # Errors
    /// Where it is not, or cannot be seen: the caller then undoes it.
    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure>;

    /// Undoes it; as often as one likes.
    ///
    /// # Errors
    /// Where it cannot be undone now; it is tried again.
    fn undo(&self, host: &Host, keep: &Keep, undo: &Value) -> Result<Undone, Failure>;

    /// Undoes what had been done and seen in effect, perhaps long ago: what others did meanwhile is theirs.
    ///
    /// # Errors
    /// As [`Act::undo`].
    fn undo_done(&self, host: &Host, keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        self.undo(host, keep, undo)
    }

    /// What was found on the way that stays as it is and should be known, from what [`Act::prepare`] returned, in sentences.
    fn notes(&self, _: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The files that it writes, with about the most bytes of each: room for them and for the way back is held before
    /// the first write ([`crate::files::Room`], [`Keep::reserve`]).
    fn room(&self, _: &Host) -> Vec<(PathBuf, u64)> {
        Vec::new()
    }

    /// Puts back what it may have left half-way, where a reboot has undone all else of it.
    ///
    /// # Errors
    /// Where that cannot be done now.
    fn rebooted(&self, _: &Host, _: &Value) -> Result<Undone, Failure> {
        Ok(Undone::Nothing)
    }

    /// When it can be undone after a reboot.
    fn stage(&self) -> Stage {
        Stage::Files
    }
}

/// How an action of a plan is carried out.
///
/// # Errors
/// Where this build does not know how.
pub fn act(action: &Action) -> Result<Box<dyn Act + '_>, Refusal> {
    match action {
        Action::Activate(activate) => Ok(Box::new(activate.clone())),
        Action::Audit(rules) => Ok(Box::new(rules.clone())),
        Action::DaemonJson(settings) => Ok(Box::new(settings.clone())),
        Action::DropIn(change) => Ok(Box::new(change.clone())),
        Action::LeaveGroup(change) => Ok(Box::new(change.clone())),
        Action::ProfileEnv(change) => Ok(Box::new(change.clone())),
        Action::Recreate(recreate) => Ok(Box::new(recreate.clone())),
        Action::Rights(rights) => Ok(Box::new(rights.clone())),
        Action::Sshd(change) => Ok(Box::new(change.clone())),
        Action::Swarm(swarm) => Ok(Box::new(swarm.clone())),
        Action::Update(update) => Ok(Box::new(update.clone())),
    }
}

/// Whether changes may be made together that each may be made alone: those by which somebody could be locked out are
/// looked at over what all of them leave.
///
/// # Errors
/// Where they would lock everybody out.
pub fn together(actions: &[&Action], host: &Host) -> Result<(), Refusal> {
    let leaves = actions.iter().filter_map(|a| if let Action::LeaveGroup(leave) = a { Some(leave) } else { None });
    let leaves: Vec<_> = leaves.collect();
    group::all_may_leave(&leaves, host)?;
    sshd::lets_leave(&leaves, host)?;
    let sshd = actions.iter().filter_map(|a| if let Action::Sshd(sshd) = a { Some(sshd) } else { None });
    sshd.into_iter().try_for_each(|change| sshd::with_leaves(change, &leaves, host))
}
