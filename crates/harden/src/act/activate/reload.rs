//! Telling the engine to read its settings again, and seeing that it did.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

use super::settings::Settings;
use super::{Before, TAKEN, beside, now};
use crate::engine::{Engine, PATIENCE, segment};
use crate::files::{self, Content, digest, sync_directory};
use crate::process::Process;
use crate::{At as _, Failure};

/// Refuses where a reload does harm: it takes authorization plugins from the file alone, so that those of the command
/// line are silently dropped; and where one of them is missing, the engine ends.
pub(super) fn check(settings: &Settings, info: &Value) -> Result<(), Failure> {
    let active = info["Plugins"]["Authorization"].as_array().is_some_and(|a| !a.is_empty());
    match settings.authorization().or(active.then_some("in effect")) {
        Some(place) => Err(Failure(format!(
            "dockerd has authorization plugins {place}: a reload can switch them off without a word, or end it: restart it instead"
        ))),
        None => Ok(()),
    }
}

/// Sends SIGHUP and waits until the engine says that it has taken the reload: it makes an event of it.
pub(super) fn reload(before: &Before, process: &Process) -> Result<(), Failure> {
    let doing = || format!("reload dockerd, process {}", process.pid);
    let log = before.way.log(Some(process));
    let pid = Pid::from_raw(process.pid as i32).ok_or_else(|| Failure(doing()))?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).at(doing)?;
    if !process.lives() {
        return Err(Failure(format!("{}: it has ended meanwhile", doing())));
    }
    let (engine, since, began) = (Engine::at(&before.socket)?, now(), Instant::now());
    pidfd_send_signal(&handle, Signal::HUP).at(doing)?;
    loop {
        if !process.lives() {
            return Err(Failure(format!("{}: it ended{}", doing(), log.cause())));
        }
        // Between the signal and its end the engine may be of no mind to answer.
        if matches!(reloads(&engine, since), Ok(Reloads::Some)) {
            return Ok(());
        }
        if began.elapsed() > TAKEN {
            let limit = TAKEN.as_secs();
            return Err(Failure(format!("{}: it does not take it within {limit} s{}", doing(), log.cause())));
        }
        sleep(Duration::from_millis(50));
    }
}

/// What the engine remembers of reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reloads {
    /// There was one.
    Some,
    /// There was none.
    None,
    /// It may have forgotten: it remembers the last 256 events alone.
    Forgotten,
}

/// Whether the engine has taken a reload since a moment.
pub(super) fn reloads(engine: &Engine, since: i64) -> Result<Reloads, Failure> {
    let moment = |at: i64| format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
    let (from, to) = (moment(since), moment(now()));
    let filter = segment(r#"{"type":["daemon"],"event":["reload"]}"#);
    let wanted = engine.send("GET", &format!("/events?since={from}&until={to}&filters={filter}"), None, PATIENCE)?;
    if !wanted.is_good() {
        return Err(Failure(format!("the engine does not tell its events: {}", wanted.message())));
    }
    if count(&wanted.body) > 0 {
        return Ok(Reloads::Some);
    }
    let all = engine.send("GET", &format!("/events?since={from}&until={to}"), None, PATIENCE)?;
    Ok(if all.is_good() && count(&all.body) < 200 { Reloads::None } else { Reloads::Forgotten })
}

/// The events in an answer: one value, or several as text.
fn count(body: &Value) -> usize {
    match body {
        Value::Object(_) => 1,
        Value::String(lines) => lines.lines().filter(|l| !l.trim().is_empty()).count(),
        _ => 0,
    }
}

/// Has the settings of the file, as it is, in effect again, also those that it does not name: they are written out while
/// the engine reads it. False where that cannot be had by a reload.
pub(super) fn restore(before: &Before, process: &Process) -> Result<bool, Failure> {
    let settings = Settings::read(&before.file, &before.arguments)?;
    check(&settings, &Value::Null)?;
    let missing: Vec<String> = before.taken.iter().filter(|key| settings.get(key).is_none()).cloned().collect();
    let Some(explicit) = settings.explicit(&missing) else { return Ok(false) };
    if missing.is_empty() {
        reload(before, process)?;
        return Ok(true);
    }
    let aside = Aside::take(&settings, explicit)?;
    let reloaded = reload(before, process);
    aside.give_back()?;
    reloaded.map(|()| true)
}

/// A file that lies aside, under another name, while something else has its place. Found again after a crash.
struct Aside<'a> {
    path: &'a Path,
    held: std::path::PathBuf,
    existed: bool,
}

impl<'a> Aside<'a> {
    fn take(settings: &'a Settings, explicit: Vec<u8>) -> Result<Self, Failure> {
        let path = settings.path.as_path();
        let held = beside(path, "seaworthy-held");
        let doing = || format!("put {} aside", path.display());
        let existed = settings.content.is_some();
        // The file itself, under another name: with all its attributes. Where there is none, a mark says so.
        if existed {
            fs::rename(path, &held).at(doing)?;
        } else {
            fs::File::options().write(true).create_new(true).open(beside(path, "seaworthy-none")).at(doing)?;
        }
        let parent = path.parent().unwrap_or(Path::new("/"));
        sync_directory(parent)?;
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owner = settings.content.clone().unwrap_or(Content { bytes: Vec::new(), uid, gid, mode: 0o600 });
        let aside = Self { path, held, existed };
        if let Err(failure) = files::replace(path, None, &Content { bytes: explicit, ..owner }) {
            aside.give_back()?;
            return Err(failure);
        }
        Ok(aside)
    }

    fn give_back(&self) -> Result<(), Failure> {
        let doing = || format!("put {} back", self.path.display());
        if self.existed {
            fs::rename(&self.held, self.path).at(doing)?;
        } else {
            remove(self.path).at(doing)?;
            remove(&beside(self.path, "seaworthy-none")).at(doing)?;
        }
        sync_directory(self.path.parent().unwrap_or(Path::new("/")))
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts a file back that a crash left aside; names it where someone has changed what was in its place.
pub(super) fn recover(before: &Before) -> Result<Option<String>, Failure> {
    let real = fs::canonicalize(&before.file).unwrap_or_else(|_| before.file.clone());
    let (held, none) = (beside(&real, "seaworthy-held"), beside(&real, "seaworthy-none"));
    let (original, path) = match files::read(&held)? {
        Some(_) => (Settings::read(&held, &before.arguments)?, held),
        None if none.exists() => (Settings::read(&held, &before.arguments)?, none),
        None => return Ok(None),
    };
    let existed = original.content.is_some();
    let missing: Vec<String> = before.taken.iter().filter(|key| original.get(key).is_none()).cloned().collect();
    let explicit = original.explicit(&missing).map(|bytes| digest(&bytes));
    let now = files::read(&real)?.map(|c| c.digest());
    // None lies there where a crash came between the two steps.
    if now.is_none() || now == explicit || now == original.content.as_ref().map(Content::digest) {
        Aside { path: &real, held: beside(&real, "seaworthy-held"), existed }.give_back()?;
        return Ok(None);
    }
    remove(&path).at(|| format!("remove {}", path.display()))?;
    Ok(Some(real.display().to_string()))
}
