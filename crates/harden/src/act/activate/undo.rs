//! The way back, after the files have been put back: the engine as it was, and the containers that ran.

use std::thread::sleep;
use std::time::{Duration, Instant};

use seaworthy_core::plan::{Activate, Activation};

use super::reload::{Reloads, recover, reloads, restore};
use super::settings::{Settings, started_at};
use super::{Before, containers, is_kept, removes};
use crate::Failure;
use crate::act::Undone;
use crate::engine::Engine;
use crate::files::Keep;
use crate::process::Process;

/// Undoes an activation.
pub(super) fn undo(activate: &Activate, before: &Before, keep: &Keep) -> Result<Undone, Failure> {
    // Only a reload that is being undone puts the file aside.
    let drifted = recover(before)?;
    let now = settled(before)?;
    let changed = match (&now, activate.how) {
        (None, _) => {
            before.restart(None, Some(keep), &before.running)?;
            true
        }
        (Some(now), Activation::Restart) => restarted(before, now, keep)?,
        (Some(now), Activation::Reload) => reloaded(before, now, keep)?,
    };
    // A reload stops no container; where the engine ended all the same, they were stopped with it.
    let stopped = activate.how == Activation::Restart || now.is_none_or(|now| now.process != before.process);
    let returned = stopped && containers::bring_back(&before.socket, &before.running)?;
    match drifted {
        Some(file) => Ok(Undone::Drifted(vec![file])),
        None if changed || returned => Ok(Undone::Restored),
        None => Ok(Undone::Nothing),
    }
}

/// The engine as it is found.
struct Now {
    process: Process,
    answers: bool,
}

/// The engine's process, once it is clear whether it stays: one that was asked to end, and has closed its socket, ends.
fn settled(before: &Before) -> Result<Option<Now>, Failure> {
    let (engine, began) = (Engine::at(&before.socket)?, Instant::now());
    let limit = before.end(&before.running);
    loop {
        let Some(process) = before.way.process()? else { return Ok(None) };
        let answers = engine.is_up();
        if process != before.process || answers || began.elapsed() > limit {
            return Ok(Some(Now { process, answers }));
        }
        sleep(Duration::from_millis(100));
    }
}

/// Restarts an engine that took the settings which have been put back; says whether it did.
fn restarted(before: &Before, now: &Now, keep: &Keep) -> Result<bool, Failure> {
    if now.process == before.process {
        return if now.answers { Ok(false) } else { again(before, now, keep) };
    }
    let changed = Settings::changed_at(&before.file);
    let is_of_now = changed.is_some_and(|changed| started_at(&now.process) > changed);
    // It reads the file of now: it may only be on its way up.
    if is_of_now && (now.answers || before.answers(None).is_ok()) {
        return Ok(false);
    }
    again(before, now, keep)
}

/// Takes back what a reload took; says whether there was anything.
fn reloaded(before: &Before, now: &Now, keep: &Keep) -> Result<bool, Failure> {
    let engine = Engine::at(&before.socket)?;
    if now.process == before.process && matches!(reloads(&engine, before.at), Ok(Reloads::None)) {
        return Ok(false);
    }
    if restore(before, &now.process)? {
        return Ok(true);
    }
    again(before, now, keep)
}

/// Restarts it with what runs now; containers that came since are looked after as well.
fn again(before: &Before, now: &Now, keep: &Keep) -> Result<bool, Failure> {
    let mut all = before.running.clone();
    if now.answers {
        let engine = Engine::at(&before.socket)?;
        let settings = Settings::read(&before.file, &before.arguments)?;
        all = containers::all(&engine)?;
        removes(&all, is_kept(&engine.get("/info")?) && settings.keeps_containers())?;
    }
    before.restart(Some(&now.process), Some(keep), &all)?;
    containers::bring_back(&before.socket, &all)?;
    Ok(true)
}
