//! Settings of a systemd unit, in a drop-in of ours that is read last.

use std::path::PathBuf;
use std::time::Duration;

use seaworthy_core::plan::{DropIn, Rights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::block::{Part, Spot};
use super::marked::Marked;
use super::people::Accounts;
use super::{Act, Effect, Refusal, Undone};
use crate::files::Keep;
use crate::{At as _, Failure, Host, program};

mod place;

/// A daemon-reload runs every generator, and waits for its turn on a machine that boots.
const PATIENCE: Duration = Duration::from_secs(90);

/// What stands in the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Undo {
    /// The drop-in.
    file: Marked,
    /// What the change of the live socket needs, where there is one.
    socket: Option<Value>,
}

impl Undo {
    fn of(value: &Value) -> Result<Self, Failure> {
        Self::deserialize(value).at(|| "read the journal of a drop-in".to_owned())
    }
}

impl Act for DropIn {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        is_clean(self)?;
        if !host.has_systemd() {
            return Err(Refusal::Refused(format!("{}: no systemd runs this host; {}", self.unit, instead(self))));
        }
        match place::fragment(host, &self.unit)? {
            place::Fragment::There => {}
            place::Fragment::Masked => {
                return Err(Refusal::Refused(format!("{} is masked; {}", self.unit, instead(self))));
            }
            place::Fragment::Absent => {
                return Err(Refusal::Refused(format!("there is no unit {}; {}", self.unit, instead(self))));
            }
        }
        is_meaningful(self, host)?;
        if let Some(rights) = &self.socket {
            is_its_socket(self, host, rights)?;
        }
        let path = place::find(host, self)?;
        Ok(Marked::plan(host, &path, parts(self))?.0.check(host)?)
    }

    fn prepare(&self, host: &Host, keep: &mut Keep) -> Result<Value, Failure> {
        let path = place::find(host, self)?;
        let (file, _) = Marked::plan(host, &path, parts(self))?;
        let socket = self.socket.as_ref().map(|rights| rights.prepare(host, keep)).transpose()?;
        serde_json::to_value(Undo { file, socket }).at(|| "write the journal of a drop-in".to_owned())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let Undo { file, socket } = Undo::of(undo)?;
        file.apply(host)?;
        reload(host)?;
        match (&self.socket, &socket) {
            (Some(rights), Some(undo)) => rights.apply(host, undo),
            _ => Ok(()),
        }
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        let Undo { file, socket } = Undo::of(undo)?;
        if !file.stands(host)? {
            return Err(Failure(format!("{}: it does not hold what was written", file.path)));
        }
        if let Some(over) = place::overruled(host, self, &file.path)? {
            return Err(Failure(format!("{}: {over} is read after it and says otherwise", file.path)));
        }
        if host.is_real() {
            for (name, value) in &self.set {
                is_in_effect(&self.unit, name, value)?;
            }
        }
        if let (Some(rights), Some(undo)) = (&self.socket, &socket) {
            rights.verify(host, undo)?;
        }
        Ok(Effect::InEffect)
    }

    fn undo(&self, host: &Host, keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let Undo { file, socket } = Undo::of(undo)?;
        let file = file.undo(host)?;
        // Also where the file is back already: a crash may have come between the two.
        reload(host)?;
        let live = match (&self.socket, &socket) {
            (Some(rights), Some(undo)) => rights.undo(host, keep, undo)?,
            _ => Undone::Nothing,
        };
        Ok(both(file, live))
    }

    fn room(&self, host: &Host) -> Vec<(PathBuf, u64)> {
        place::find(host, self).map(|path| Marked::room(host, &path, &parts(self))).into_iter().collect()
    }
}

/// What two parts of an undoing come to.
fn both(one: Undone, other: Undone) -> Undone {
    match (one, other) {
        (Undone::Drifted(one), Undone::Drifted(other)) => Undone::Drifted([one, other].concat()),
        (drifted @ Undone::Drifted(_), _) | (_, drifted @ Undone::Drifted(_)) => drifted,
        (Undone::Nothing, Undone::Nothing) => Undone::Nothing,
        _ => Undone::Restored,
    }
}

fn parts(drop_in: &DropIn) -> Vec<Part> {
    let settings = drop_in.set.iter().map(|(name, value)| format!("{name}={value}"));
    vec![Part { spot: Spot::End, lines: std::iter::once(format!("[{}]", drop_in.section)).chain(settings).collect() }]
}

/// What to do where the unit does not hold the setting.
fn instead(drop_in: &DropIn) -> String {
    if drop_in.unit != "docker.socket" {
        return "set it by hand where the program is started".into();
    }
    "dockerd makes its socket itself: set \"group\" in daemon.json for its group; its mode is then dockerd's own 0660, \
     with root as owner"
        .into()
}

/// Whether it can be written into a unit's file as it is.
fn is_clean(drop_in: &DropIn) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::Refused(format!("{what} cannot be written into a drop-in")));
    let unit = &drop_in.unit;
    let kind = unit.rsplit_once('.').map_or("", |(_, kind)| kind);
    let is_name = |c: char| c.is_ascii_alphanumeric() || ":_.\\-@".contains(c);
    let kinds = ["service", "socket", "target", "mount", "timer", "path", "slice", "scope"];
    if unit.len() > 200 || unit.starts_with('.') || !unit.chars().all(is_name) || !kinds.contains(&kind) {
        return refuse(&format!("the unit {unit:?}"));
    }
    let is_word = |word: &str| !word.is_empty() && word.len() <= 100 && word.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_word(&drop_in.section) {
        return refuse(&format!("the section {:?}", drop_in.section));
    }
    if drop_in.set.is_empty() {
        return refuse("nothing");
    }
    for (name, value) in &drop_in.set {
        let is_value = !value.is_empty()
            && value.len() <= 4096
            && value.trim() == value
            && !value.ends_with('\\')
            && !value.chars().any(char::is_control);
        if !is_word(name) || !is_value {
            return refuse(&format!("the setting {name:?}"));
        }
    }
    Ok(())
}

/// Whether the values of a socket's settings have a meaning here: systemd takes any, and fails at the next start.
fn is_meaningful(drop_in: &DropIn, host: &Host) -> Result<(), Refusal> {
    for (name, value) in &drop_in.set {
        let known = match name.as_str() {
            "SocketMode" | "DirectoryMode" => octal(value).is_some_and(|mode| mode <= 0o7777),
            "SocketUser" => is_account(host, "passwd", value)?,
            "SocketGroup" => is_account(host, "group", value)?,
            _ => true,
        };
        if !known {
            return Err(Refusal::Refused(format!(
                "{name}={value}: this host does not know it; {} would not start again",
                drop_in.unit
            )));
        }
    }
    Ok(())
}

fn is_account(host: &Host, database: &str, name: &str) -> Result<bool, Failure> {
    if name.starts_with('-') {
        return Ok(false);
    }
    if host.is_real() {
        return Ok(program::run(&["getent", database, name], PATIENCE)?.is_good());
    }
    let accounts = Accounts::read(host)?;
    Ok(match database {
        "passwd" => accounts.user(name).is_some(),
        _ => accounts.groups.iter().any(|group| group.name == name),
    })
}

/// Whether the unit holds the socket, and the socket is as the plan saw it.
fn is_its_socket(drop_in: &DropIn, host: &Host, rights: &Rights) -> Result<(), Refusal> {
    let unit = &drop_in.unit;
    if host.is_real() {
        let shown = show(unit, "ActiveState,Listen")?;
        let path = rights.path.strip_prefix("/var/run/").map_or(rights.path.clone(), |rest| format!("/run/{rest}"));
        let is_path = |word: &str| {
            word == path || word.strip_prefix("/var/run/").is_some_and(|rest| path == format!("/run/{rest}"))
        };
        let listens =
            shown.lines().filter_map(|line| line.strip_prefix("Listen=")).any(|line| line.split(' ').any(is_path));
        if !shown.lines().any(|line| line == "ActiveState=active") || !listens {
            return Err(Refusal::Refused(format!("{unit} does not hold {}; {}", rights.path, instead(drop_in))));
        }
    }
    rights.check(host)
}

/// Has systemd read its files again.
fn reload(host: &Host) -> Result<(), Failure> {
    if host.is_real() && host.has_systemd() {
        program::run_well(&["systemctl", "daemon-reload"], PATIENCE)?;
    }
    Ok(())
}

fn show(unit: &str, properties: &str) -> Result<String, Failure> {
    Ok(program::run_well(&["systemctl", "show", "-p", properties, "--", unit], PATIENCE)?.stdout)
}

/// Whether systemd itself has the value.
fn is_in_effect(unit: &str, name: &str, value: &str) -> Result<(), Failure> {
    let shown = show(unit, name)?;
    let prefix = format!("{name}=");
    let Some(now) = shown.lines().find_map(|line| line.strip_prefix(&prefix)) else {
        return Err(Failure(format!("{unit}: systemd does not tell what {name} is")));
    };
    if is_same(now, value) {
        return Ok(());
    }
    Err(Failure(format!("{unit}: {name} is {now} in systemd and not {value}")))
}

/// systemd shows modes with four digits, and truths as yes and no.
fn is_same(now: &str, wanted: &str) -> bool {
    let truth = |word: &str| match word.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    };
    now == wanted
        || (octal(now).is_some() && octal(now) == octal(wanted))
        || (truth(now).is_some() && truth(now) == truth(wanted))
}

fn octal(text: &str) -> Option<u32> {
    let is_octal = !text.is_empty() && text.len() <= 6 && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if is_octal { u32::from_str_radix(text, 8).ok() } else { None }
}

#[cfg(test)]
mod tests;
