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
    let process = settled(before)?;
    let changed = match (&process, activate.how) {
        (None, _) => {
            before.restart(None, Some(keep), &before.running)?;
            true
        }
        (Some(process), Activation::Restart) => restarted(before, process, keep)?,
        (Some(process), Activation::Reload) => reloaded(before, process, keep)?,
    };
    // A reload stops no container; where the engine ended all the same, they were stopped with it.
    let stopped = activate.how == Activation::Restart || process.as_ref() != Some(&before.process);
    let returned = stopped && containers::bring_back(&before.socket, &before.running)?;
    match drifted {
        Some(file) => Ok(Undone::Drifted(vec![file])),
        None if changed || returned => Ok(Undone::Restored),
        None => Ok(Undone::Nothing),
    }
}

/// The engine's process, once it is clear whether it stays: one that was asked to end, and has closed its socket, ends.
fn settled(before: &Before) -> Result<Option<Process>, Failure> {
    let (engine, began) = (Engine::at(&before.socket)?, Instant::now());
    let limit = before.end(&before.running);
    loop {
        let process = before.way.process()?;
        if process.as_ref() != Some(&before.process) || engine.is_up() || began.elapsed() > limit {
            return Ok(process);
        }
        sleep(Duration::from_millis(100));
    }
}

/// Restarts an engine that took the settings which have been put back; says whether it did.
fn restarted(before: &Before, process: &Process, keep: &Keep) -> Result<bool, Failure> {
    let engine = Engine::at(&before.socket)?;
    if *process == before.process && engine.is_up() {
        return Ok(false);
    }
    let changed = Settings::changed_at(&before.file);
    let is_of_now = *process != before.process && changed.is_some_and(|changed| started_at(process) > changed);
    // It reads the file of now: it may only be on its way up.
    if is_of_now && before.answers(None).is_ok() {
        return Ok(false);
    }
    again(before, process, keep)
}

/// Takes back what a reload took; says whether there was anything.
fn reloaded(before: &Before, process: &Process, keep: &Keep) -> Result<bool, Failure> {
    let engine = Engine::at(&before.socket)?;
    if *process == before.process && matches!(reloads(&engine, before.at), Ok(Reloads::None)) {
        return Ok(false);
    }
    if restore(before, process)? {
        return Ok(true);
    }
    again(before, process, keep)
}

/// Restarts it with what runs now; containers that came since are looked after as well.
fn again(before: &Before, process: &Process, keep: &Keep) -> Result<bool, Failure> {
    let engine = Engine::at(&before.socket)?;
    let all = if engine.is_up() { containers::all(&engine)? } else { before.running.clone() };
    if engine.is_up() {
        let settings = Settings::read(&before.file, &before.arguments)?;
        removes(&all, is_kept(&engine.get("/info")?) && settings.keeps_containers())?;
    }
    before.restart(Some(process), Some(keep), &all)?;
    containers::bring_back(&before.socket, &all)?;
    Ok(true)
}
