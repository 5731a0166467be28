//! The way back, after the files have been put back: the engine as it was, and the containers that ran.

use std::thread::sleep;
use std::time::{Duration, Instant};

use seaworthy_core::plan::{Activate, Activation};

use super::containers::Seen;
use super::reload::{Reloads, recover, reloads, restore};
use super::settings::{Settings, started_at};
use super::{Before, containers, is_kept, removes};
use crate::Failure;
use crate::act::Undone;
use crate::engine::Engine;
use crate::files::Keep;
use crate::process::Process;

/// Undoes an activation; `done` where it had come to its end, perhaps long ago.
pub(super) fn undo(activate: &Activate, before: &Before, keep: &Keep, done: bool) -> Result<Undone, Failure> {
    // Only a reload that is being undone puts the file aside.
    let drifted = recover(before)?;
    let now = settled(before)?;
    let run = match &now {
        Some(now) if now.answers => running(before)?,
        _ => Vec::new(),
    };
    let found = Found { before, keep, run, is_down: now.as_ref().is_none_or(|now| !now.answers), done };
    let changed = match (&now, activate.how) {
        (None, _) => {
            before.restart(None, Some(keep), &before.running)?;
            true
        }
        (Some(now), Activation::Restart) => restarted(&found, now)?,
        (Some(now), Activation::Reload) => reloaded(&found, now)?,
    };
    // A reload stops no container; where the engine ended all the same, they were stopped with it.
    let stopped = activate.how == Activation::Restart || now.is_none_or(|now| now.process != before.process);
    let returned = stopped && containers::bring_back(&before.socket, &found.wanted()?)?;
    match drifted {
        Some(file) => Ok(Undone::Drifted(vec![file])),
        None if changed || returned => Ok(Undone::Restored),
        None => Ok(Undone::Nothing),
    }
}

/// The containers that run.
fn running(before: &Before) -> Result<Vec<Seen>, Failure> {
    Ok(containers::all(&Engine::at(&before.socket)?)?.into_iter().filter(|c| c.running).collect())
}

/// What is found when it is undone.
struct Found<'a> {
    before: &'a Before,
    keep: &'a Keep,
    /// The containers that ran then; none where the engine did not answer.
    run: Vec<Seen>,
    is_down: bool,
    done: bool,
}

impl Found<'_> {
    /// The containers that have to run when it is undone.
    ///
    /// Where it was cut short: those that ran before it, as far as they are there still. Once it was done, all of them were
    /// back, and what others have stopped or removed since is theirs: those that run when it is undone have to, and those
    /// that an undoing before this one has stopped, which was cut short itself. It had put the file back by then.
    fn wanted(&self) -> Result<Vec<Seen>, Failure> {
        let engine = Engine::at(&self.before.socket)?;
        let mut wanted = self.run.clone();
        let is_new = |wanted: &[Seen], id: &str| wanted.iter().all(|w| w.id != id);
        if !self.done {
            wanted.retain(|w| is_new(&self.before.running, &w.id));
            for container in &self.before.running {
                if containers::look(&engine, &container.id)?.is_some() {
                    wanted.push(container.clone());
                }
            }
            return Ok(wanted);
        }
        let begun = Settings::changed_at(&self.before.file).unwrap_or(i128::MAX);
        // Of an engine that is started by hand the process is there before the old one ends.
        let near = i128::try_from(self.before.end(&self.before.running).as_nanos()).unwrap_or(0);
        let started = self.before.way.process()?.map(|process| started_at(&process));
        let with_its_restart = |end: i128| started.is_some_and(|started| (end - started).abs() <= near);
        for (container, end) in containers::ended(&engine)? {
            let by_undoing = end >= begun && (self.is_down || with_its_restart(end));
            if by_undoing && is_new(&wanted, &container.id) {
                wanted.push(Seen { running: true, ..container });
            }
        }
        Ok(wanted)
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
fn restarted(found: &Found<'_>, now: &Now) -> Result<bool, Failure> {
    let before = found.before;
    if now.process == before.process {
        return if now.answers { Ok(false) } else { again(found, now) };
    }
    let changed = Settings::changed_at(&before.file);
    let is_of_now = changed.is_some_and(|changed| started_at(&now.process) > changed);
    // It reads the file of now: it may only be on its way up.
    if is_of_now && (now.answers || before.answers(None).is_ok()) {
        return Ok(false);
    }
    again(found, now)
}

/// Takes back what a reload took; says whether there was anything.
fn reloaded(found: &Found<'_>, now: &Now) -> Result<bool, Failure> {
    let before = found.before;
    let engine = Engine::at(&before.socket)?;
    if now.process == before.process && matches!(reloads(&engine, before.at), Ok(Reloads::None)) {
        return Ok(false);
    }
    if restore(before, &now.process)? {
        return Ok(true);
    }
    again(found, now)
}

/// Restarts it with what runs now; containers that came since are looked after as well.
fn again(found: &Found<'_>, now: &Now) -> Result<bool, Failure> {
    let before = found.before;
    let mut all = before.running.clone();
    if now.answers {
        let engine = Engine::at(&before.socket)?;
        let settings = Settings::read(&before.file, &before.arguments)?;
        all = containers::all(&engine)?;
        removes(&all, is_kept(&engine.get("/info")?) && settings.keeps_containers())?;
    }
    before.restart(Some(&now.process), Some(found.keep), &all)?;
    containers::bring_back(&before.socket, &found.wanted()?)?;
    Ok(true)
}
