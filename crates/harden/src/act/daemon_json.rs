//! Settings of `daemon.json`, by the smallest edits of its text.
//!
//! Where the file is still what the change made of it, undoing puts the old bytes back. Where others have edited it
//! since (another transaction, a person), it is taken back setting by setting: what still has the value that was set
//! goes back to what it was, what others set otherwise is left and named, and all else is copied byte by byte.

mod document;
mod edit;
mod merge;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use seaworthy_core::dockerd;
use seaworthy_core::plan::{DaemonJson, SetKey};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Act, Effect, Refusal, Undone};
use crate::files::{self, Content, Keep, Kind, LARGEST, Own, read, replace};
use crate::{At as _, Failure, Host};
use document::Document;
use edit::Edit;

/// What a new file begins with.
const NEW: &str = "{}\n";

/// The mode of a new file.
const MODE: u32 = 0o644;

/// What undo needs. The values are in the keep's copy, not here.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    own: Own,
}

impl Act for DaemonJson {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        let path = host.path(&self.path);
        let stale = |what: &str| Refusal::Stale(format!("{}: {what}; plan again", self.path));
        if !self.path.starts_with('/') {
            return Err(Refusal::Refused("the plan names no absolute path of daemon.json".into()));
        }
        if files::kind(&path)? == Some(Kind::Link) {
            return Err(stale("it is a link now"));
        }
        let now = read(&path)?;
        match (now.as_ref().map(Content::digest), &self.digest) {
            (Some(_), None) => return Err(stale("there is one now and was none")),
            (None, Some(_)) => return Err(stale("it is gone")),
            (now, then) if now != *then => return Err(stale("it has changed since the plan was made")),
            _ => {}
        }
        files::replaceable(&path)?;
        self.made_of(now.as_ref()).map_err(|why| Refusal::Refused(format!("{}: {why}", self.path)))?;
        self.refuse_flags(host)
    }

    fn prepare(&self, host: &Host, keep: &mut Keep) -> Result<Value, Failure> {
        let path = host.path(&self.path);
        let now = read(&path)?;
        if now.as_ref().map(Content::digest) != self.digest {
            return Err(Failure(format!("{}: it has changed since the plan was made; plan again", self.path)));
        }
        let new = self.new_content(now)?;
        let own = Own::prepare(keep, &path, &new)?;
        if own.kept.digest != self.digest {
            return Err(Failure(format!("{}: it has just been changed; plan again", self.path)));
        }
        serde_json::to_value(Before { own }).at(|| format!("keep {}", self.path))
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let Before { own } = self.before(undo)?;
        let now = read(&host.path(&self.path))?;
        if now.as_ref().is_some_and(|now| now.digest() == own.made) {
            return Ok(());
        }
        own.put(&self.new_content(now)?)
    }

    fn verify(&self, host: &Host, _: &Value) -> Result<Effect, Failure> {
        let line = |why: &str| Failure(format!("{}: {why}", self.path));
        let now = read(&host.path(&self.path))?.ok_or_else(|| line("it is gone"))?;
        let now = Document::parse(&now.bytes).map_err(|why| line(&why))?;
        match merge::forward(&now.values, &self.set).map_err(|why| line(&why))?.0.first() {
            None => Ok(Effect::InEffect),
            Some(Edit::Set(way, _) | Edit::Raw(way, _) | Edit::Remove(way)) => {
                Err(line(&format!("{} is not what was written", way.join("."))))
            }
        }
    }

    fn undo(&self, host: &Host, keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let Before { own } = self.before(undo)?;
        let path = host.path(&self.path);
        files::sweep(&path)?;
        let now = match files::kind(&path)? {
            None => None,
            Some(Kind::File) => read(&path)?,
            Some(kind) => return Ok(self.drifted(format!(" is {} now", kind.words()))),
        };
        let digest = now.as_ref().map(Content::digest);
        if digest == own.kept.digest || digest.as_ref() == Some(&own.made) {
            return own.undo(keep);
        }
        match now {
            Some(now) => self.undo_settings(&path, keep, &own, now),
            None => self.undo_without_file(keep, &own),
        }
    }

    fn room(&self, host: &Host) -> Vec<(PathBuf, u64)> {
        let path = host.path(&self.path);
        let size = std::fs::symlink_metadata(&path).map_or(0, |m| m.len().min(LARGEST));
        let set: u64 = self.set.iter().map(|s| serde_json::to_string(s).map_or(0, |s| s.len() as u64)).sum();
        // Indented, a value takes a few times its length.
        vec![(path, size + 8 * set)]
    }
}

/// What the settings make of the file as it is now, for whoever tries it before it is written.
///
/// # Errors
/// Where the file cannot be read or edited.
pub fn candidate(change: &DaemonJson, host: &Host) -> Result<Vec<u8>, Failure> {
    Ok(change.new_content(read(&host.path(&change.path))?)?.bytes)
}

/// The parts.
trait Parts {
    fn made_of(&self, now: Option<&Content>) -> Result<Vec<u8>, String>;
    fn new_content(&self, now: Option<Content>) -> Result<Content, Failure>;
    fn refuse_flags(&self, host: &Host) -> Result<(), Refusal>;
    fn before(&self, undo: &Value) -> Result<Before, Failure>;
    fn undo_settings(&self, path: &Path, keep: &Keep, own: &Own, now: Content) -> Result<Undone, Failure>;
    fn undo_without_file(&self, keep: &Keep, own: &Own) -> Result<Undone, Failure>;
    fn drifted(&self, what: String) -> Undone;
}

impl Parts for DaemonJson {
    /// What the settings make of the file.
    fn made_of(&self, now: Option<&Content>) -> Result<Vec<u8>, String> {
        let now = Document::parse(now.map_or(NEW.as_bytes(), |now| &now.bytes))?;
        let (edits, values) = merge::forward(&now.values, &self.set)?;
        Ok(edited(&now, &edits, &values)?.into_bytes())
    }

    fn new_content(&self, now: Option<Content>) -> Result<Content, Failure> {
        let bytes = self.made_of(now.as_ref()).at(|| self.path.clone())?;
        Ok(match now {
            Some(now) => Content { bytes, ..now },
            None => Content::own(bytes, MODE),
        })
    }

    /// Refuses what the engine has on its command line, with which it would not start again.
    fn refuse_flags(&self, host: &Host) -> Result<(), Refusal> {
        let Some(daemon) = &host.daemon else { return Ok(()) };
        let place = host.path(&format!("/proc/{}/cmdline", daemon.pid));
        let bytes = std::fs::read(&place).at(|| "read the engine's command line".into())?;
        let line = String::from_utf8_lossy(&bytes);
        let arguments: Vec<&str> = line.split_terminator('\0').collect();
        let set = self.set.iter().filter(|s| s.after.is_some() && s.key != "runtimes");
        match set.map(|s| &s.key).find(|key| dockerd::given(&arguments, key).is_some()) {
            None => Ok(()),
            // By its name alone: its value may be a secret.
            Some(key) => Err(Refusal::Refused(format!(
                "{}: the engine has --{} on its command line and would not start with {key} in the file, too: take the \
                 flag out of its unit first",
                self.path,
                dockerd::by_file(key).map_or(key.as_str(), |known| known.flag)
            ))),
        }
    }

    fn before(&self, undo: &Value) -> Result<Before, Failure> {
        Before::deserialize(undo).at(|| format!("read what was kept of {}", self.path))
    }

    /// Takes the settings out of a file that others have edited since.
    fn undo_settings(&self, path: &Path, keep: &Keep, own: &Own, now: Content) -> Result<Undone, Failure> {
        let doing = || format!("undo in {}", self.path);
        let old = keep.bytes(&own.kept)?.map(|bytes| Document::parse(&bytes)).transpose().at(doing)?;
        let document = match Document::parse(&now.bytes) {
            Ok(document) => document,
            Err(why) => return Ok(self.drifted(format!(" was edited since and is left: {why}"))),
        };
        let back = taken_back(old.as_ref(), &document, &self.set).at(doing)?;
        let goes = old.is_none() && back.empty && back.text.is_some();
        if goes {
            files::remove(path, &now.digest())?;
            own.remove_directories()?;
        } else if let Some(text) = &back.text {
            replace(path, Some(&now.digest()), &Content { bytes: text.clone().into_bytes(), ..now })?;
        }
        if !back.drifted.is_empty() {
            return Ok(Undone::Drifted(back.drifted.iter().map(|key| format!("{}: {key}", self.path)).collect()));
        }
        Ok(if back.text.is_none() { Undone::Nothing } else { Undone::Restored })
    }

    /// Others have removed the file: with it went the settings, and what was there before them, if anything was.
    fn undo_without_file(&self, keep: &Keep, own: &Own) -> Result<Undone, Failure> {
        let doing = || format!("undo in {}", self.path);
        let old = keep.bytes(&own.kept)?.map(|bytes| Document::parse(&bytes)).transpose().at(doing)?;
        let back = taken_back(old.as_ref(), &Document::parse(NEW.as_bytes()).at(doing)?, &self.set).at(doing)?;
        let nothing = back.text.is_none() && back.drifted.is_empty();
        Ok(if nothing { Undone::Nothing } else { self.drifted(" was removed since".into()) })
    }

    fn drifted(&self, what: String) -> Undone {
        Undone::Drifted(vec![format!("{}{what}", self.path)])
    }
}

/// A file without the settings.
struct TakenBack {
    /// Its text; none where nothing was to be taken back.
    text: Option<String>,
    /// Whether nothing is left in it.
    empty: bool,
    /// The settings that others have changed since.
    drifted: Vec<String>,
}

/// Takes settings out of a file that others have edited since; `old` is how it was before, none for no file.
fn taken_back(old: Option<&Document>, now: &Document, set: &[SetKey]) -> Result<TakenBack, String> {
    let none = Map::new();
    let values = old.map_or(&none, |old| &old.values);
    let made = merge::forward(values, set)?.1;
    let back = merge::back(values, &made, &now.values, set);
    let edits = merge::in_old_words(back.edits, old);
    let expected = merge::expected(now.values.clone(), &edits).ok_or("a setting cannot be reached")?;
    let text = edited(now, &edits, &expected)?;
    Ok(TakenBack { text: (!edits.is_empty()).then_some(text), empty: expected.is_empty(), drifted: back.drifted })
}

/// The text after edits, which says what it should and nothing else.
fn edited(document: &Document, edits: &[Edit], expected: &Map<String, Value>) -> Result<String, String> {
    let text = edit::apply(&document.text, edits)?;
    if text.len() as u64 > LARGEST {
        return Err(format!("it would become larger than {} MiB", LARGEST >> 20));
    }
    let reads = Document::parse(text.as_bytes())?;
    if reads.values != *expected {
        return Err("an edit of it changes more than it should: edit it by hand".into());
    }
    Ok(text)
}
