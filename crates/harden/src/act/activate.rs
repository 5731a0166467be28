//! The engine takes its settings: it is told to read them again, or restarted and its containers brought back.
//!
//! | limit | how long |
//! | --- | --- |
//! | the engine ends | half a minute more than it or the slowest of its containers may take; then it is killed, as systemd does it |
//! | the engine answers | [`UP`] |
//! | a reload is taken | [`TAKEN`] |
//! | containers run again | half a minute, or as long as the slowest health check may take, at most ten minutes |
//!
//! Undoing comes after the files that the change was about have been put back. A restart is undone by another one, where
//! the engine started before its file was last changed. A reload is undone without a restart: what a setting was before
//! is written out for the moment of another reload, since the engine keeps what the file no longer names.

mod containers;
mod hand;
mod launch;
mod reload;
mod settings;
mod undo;
mod unit;
mod way;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use seaworthy_core::plan::{Activate, Activation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Effect, Refusal, Stage, Undone};
use crate::engine::Engine;
use crate::files::Keep;
use crate::process::{Process, listener};
use crate::{At as _, Failure, Host};
use containers::Seen;
use settings::Settings;
use way::Way;

/// How long the engine may take to answer after its start.
const UP: Duration = Duration::from_secs(180);

/// How long the engine may take to take a reload in.
const TAKEN: Duration = Duration::from_secs(30);

/// The engine and its containers before, as the journal has them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    /// The engine's process.
    process: Process,
    /// How it is run.
    way: Way,
    /// Its arguments.
    arguments: Vec<String>,
    /// Its socket.
    socket: PathBuf,
    /// Its configuration file.
    file: PathBuf,
    /// Settings in that file, as it is now, that a reload takes.
    taken: Vec<String>,
    /// How long the engine waits for its containers when it ends, in seconds.
    shutdown: u64,
    /// When this was read, in nanoseconds since 1970.
    at: i64,
    /// The containers that run.
    running: Vec<Seen>,
}

impl Act for Activate {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        let (engine, process) = engine(host)?;
        let way = Way::of(host, &process)?;
        is_its_engine(&way, &process, engine)?;
        let settings = Settings::read(&Settings::place(&process)?, &process.arguments()?)?;
        let info = engine.get("/info")?;
        match self.how {
            Activation::Reload => Ok(reload::check(&settings, &info)?),
            Activation::Restart => check_restart(self, engine, &info),
        }
    }

    fn prepare(&self, host: &Host, keep: &mut Keep) -> Result<Value, Failure> {
        let (engine, process) = engine(host)?;
        let mut way = Way::of(host, &process)?;
        way.keep(&process, keep)?;
        let arguments = process.arguments()?;
        let file = Settings::place(&process)?;
        let settings = Settings::read(&file, &arguments)?;
        let (taken, shutdown) = (settings.reloaded(), settings.shutdown());
        let running = containers::all(engine)?.into_iter().filter(|c| c.running).collect();
        let socket = engine.socket().to_owned();
        let before = Before { process, way, arguments, socket, file, taken, shutdown, at: now(), running };
        serde_json::to_value(before).at(|| "write the engine's state down".into())
    }

    fn apply(&self, _host: &Host, undo: &Value) -> Result<(), Failure> {
        let before = Before::read(undo)?;
        if before.way.process()?.as_ref() != Some(&before.process) {
            return Err(Failure::new("dockerd was restarted by someone else meanwhile"));
        }
        let engine = Engine::at(&before.socket)?;
        // The file is the new one by now.
        let settings = Settings::read(&before.file, &before.arguments)?;
        let info = engine.get("/info")?;
        match self.how {
            Activation::Reload => {
                reload::check(&settings, &info)?;
                reload::reload(&before, &before.process)
            }
            Activation::Restart => {
                let all = containers::all(&engine)?;
                let kept = !self.stop_all && is_kept(&info) && settings.keeps_containers();
                removes(&all, kept)?;
                if self.stop_all {
                    containers::stop(&before.socket, &all)?;
                }
                before.restart(Some(&before.process), None, &all)?;
                containers::bring_back(&before.socket, &all).map(drop)
            }
        }
    }

    fn verify(&self, _host: &Host, undo: &Value) -> Result<Effect, Failure> {
        let before = Before::read(undo)?;
        let now = before.way.process()?.ok_or_else(|| Failure::new("dockerd does not run"))?;
        let is_new = now != before.process;
        if is_new != (self.how == Activation::Restart) {
            let line = if is_new { "dockerd was restarted and not reloaded" } else { "dockerd was not restarted" };
            return Err(Failure::new(line));
        }
        let engine = Engine::at(&before.socket)?;
        if !engine.is_up() {
            return Err(Failure(format!("dockerd does not answer at {}", before.socket.display())));
        }
        let missing = containers::missing(&engine, &before.running)?;
        if missing.is_empty() { Ok(Effect::InEffect) } else { Err(Failure(missing.join("; "))) }
    }

    fn undo(&self, _host: &Host, keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        undo::undo(self, &Before::read(undo)?, keep, false)
    }

    fn undo_done(&self, _host: &Host, keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        undo::undo(self, &Before::read(undo)?, keep, true)
    }

    fn rebooted(&self, _: &Host, undo: &Value) -> Result<Undone, Failure> {
        Ok(match reload::recover(&Before::read(undo)?)? {
            Some(file) => Undone::Drifted(vec![file]),
            None => Undone::Nothing,
        })
    }

    fn stage(&self) -> Stage {
        Stage::Activation
    }
}

/// Refuses a restart that would do more than the plan says.
fn check_restart(plan: &Activate, engine: &Engine, info: &Value) -> Result<(), Refusal> {
    let all = containers::all(engine)?;
    let kept = !plan.stop_all && is_kept(info);
    removes(&all, kept)?;
    if info["Swarm"]["Cluster"]["Spec"]["EncryptionConfig"]["AutoLockManagers"].as_bool() == Some(true) {
        let line = "the swarm is locked: after a restart its services stand still until someone types the key: restart \
                    dockerd yourself and run `docker swarm unlock`";
        return Err(Refusal::Refused(line.into()));
    }
    let planned = |c: &Seen| plan.returns.iter().chain(&plan.started_again).any(|p| p.id == c.id);
    match all.iter().find(|c| c.running && !kept && !planned(c)) {
        Some(container) => Err(Refusal::Stale(format!(
            "container {} runs and would stop, which the plan does not say: plan again",
            container.name.escape_debug()
        ))),
        None => Ok(()),
    }
}

impl Before {
    fn read(undo: &Value) -> Result<Self, Failure> {
        Self::deserialize(undo).at(|| "read the engine's state from the journal".into())
    }

    /// How long the engine may take to end: it waits for its containers, as long as they or its own setting want.
    fn end(&self, all: &[Seen]) -> Duration {
        let longest = all.iter().filter(|c| c.running).map(|c| c.stop).max().unwrap_or(0);
        Duration::from_secs(longest.max(self.shutdown) + 30)
    }

    /// Restarts the engine, or starts it where it is down, and waits until it answers.
    fn restart(&self, old: Option<&Process>, keep: Option<&Keep>, all: &[Seen]) -> Result<(), Failure> {
        let log = self.way.log(old);
        let told = |failure: Failure| Failure(format!("{failure}{}", log.cause()));
        self.way.restart(old, keep, self.end(all)).map_err(told)?;
        self.answers(old).map_err(told)
    }

    /// Waits until the engine answers that is not `old`.
    fn answers(&self, old: Option<&Process>) -> Result<(), Failure> {
        let (engine, began) = (Engine::at(&self.socket)?, Instant::now());
        loop {
            let now = self.way.process()?.filter(|now| Some(now) != old);
            if now.is_none() {
                // Whoever runs it may be about to try again; a process that is gone twice is gone.
                sleep(Duration::from_millis(200));
                if self.way.process()?.is_none_or(|now| Some(&now) == old) {
                    return Err(Failure::new("dockerd ends at its start"));
                }
            } else if engine.is_up() {
                return Ok(());
            }
            if began.elapsed() > UP {
                return Err(Failure(format!("dockerd does not answer within {} s", UP.as_secs())));
            }
            sleep(Duration::from_millis(25));
        }
    }
}

/// The engine and its process.
fn engine(host: &Host) -> Result<(&Engine, Process), Failure> {
    if !host.is_real() {
        return Err(Failure::new("the host's root is not ours: no engine is restarted"));
    }
    let engine = host.engine.as_ref().ok_or_else(|| Failure::new("the engine is down"))?;
    let pid = host.daemon.as_ref().ok_or_else(|| Failure::new("the engine's process is not known"))?.pid;
    let process = Process::of(pid).ok_or_else(|| Failure(format!("the engine's process {pid} is gone")))?;
    Ok((engine, process))
}

/// Whether the process is the one behind the socket, as far as the kernel tells: systemd listens for its units.
fn is_its_engine(way: &Way, process: &Process, engine: &Engine) -> Result<(), Failure> {
    match (way, listener(engine.socket())) {
        (_, Some(pid)) if pid == process.pid => Ok(()),
        (Way::Unit(_), Some(1) | None) => Ok(()),
        (_, other) => {
            let whose = other.map_or_else(|| "nobody whom we see".to_owned(), |pid| format!("process {pid}"));
            let (socket, pid) = (engine.socket().display(), process.pid);
            Err(Failure(format!(
                "{whose} listens at {socket}, and not dockerd (process {pid}): name the engine's own socket"
            )))
        }
    }
}

/// Whether the engine lets its containers run when it ends.
fn is_kept(info: &Value) -> bool {
    info["LiveRestoreEnabled"].as_bool() == Some(true)
}

/// Refuses where the restart would make the engine remove a container, and its anonymous volumes with it.
fn removes(all: &[Seen], kept: bool) -> Result<(), Failure> {
    match all.iter().find(|c| c.removed && !(c.running && kept)) {
        Some(container) => Err(Failure(format!(
            "container {} was started with --rm: the restart would make the engine remove it with its anonymous volumes: \
             stop it, or wait for its end, and plan again",
            container.name.escape_debug()
        ))),
        None => Ok(()),
    }
}

/// Nanoseconds since 1970.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A path beside another one, hidden.
fn beside(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    path.with_file_name(format!(".{name}.{end}"))
}
