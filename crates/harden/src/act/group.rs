//! A user leaves a group.
//!
//! The lines of `/etc/group` and `/etc/gshadow` are edited under the lock that the host's own tools take
//! ([`lock`]), and not by `gpasswd`: that one writes whole files of its own making, knows no way back to the same
//! place in a list, and its two writes cannot be told apart after a crash.
//!
//! Nobody is locked out: after the change there must be an account that can log in and is or becomes root without the
//! group, as far as the host's files prove it ([`super::people`]); and whoever applies over ssh does not leave himself.

use std::path::PathBuf;
use std::time::Duration;

use seaworthy_core::plan::LeaveGroup;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::marked::text;
use super::people::{Accounts, Caller, Sudo};
use super::{Act, Effect, Refusal, Undone, keys};
use crate::files::{self, Content, Keep};
use crate::{At as _, Failure, Host, program};

mod line;
mod lock;

use line::Left;

const GROUP: &str = "/etc/group";
const GSHADOW: &str = "/etc/gshadow";
/// A name service may ask the network.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in the journal: no passwords of groups.
#[derive(Debug, Serialize, Deserialize)]
struct Undo {
    /// The lines of `/etc/group`.
    group: Vec<Left>,
    /// The lines of `/etc/gshadow`.
    gshadow: Vec<Left>,
}

impl Undo {
    fn of(value: &Value) -> Result<Self, Failure> {
        Self::deserialize(value).at(|| "read the journal of a group".to_owned())
    }
}

impl Act for LeaveGroup {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        let accounts = Accounts::read(host)?;
        may_leave(self, host, &accounts, &Caller::here(&accounts))
    }

    fn prepare(&self, host: &Host, _: &mut Keep) -> Result<Value, Failure> {
        let undo = Undo { group: left(self, host, GROUP)?, gshadow: left(self, host, GSHADOW)? };
        if undo.group.is_empty() {
            return Err(Failure(format!("{GROUP}: {} is not in {} any more: plan again", self.user, self.group)));
        }
        serde_json::to_value(undo).at(|| "write the journal of a group".to_owned())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let undo = Undo::of(undo)?;
        let _lock = lock::take(host)?;
        for (path, all) in [(GROUP, &undo.group), (GSHADOW, &undo.gshadow)] {
            edit(host, path, |line| all.iter().find_map(|left| left.taken_out(line)))?;
        }
        forget(host);
        Ok(())
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        let undo = Undo::of(undo)?;
        for (path, all) in [(GROUP, &undo.group), (GSHADOW, &undo.gshadow)] {
            let now = read(host, path)?;
            if all.iter().any(|left| now.lines().any(|line| left.is_in(line))) {
                return Err(Failure(format!("{path}: {} is still in {}", self.user, self.group)));
            }
        }
        if host.is_real() {
            let told = program::run(&["id", "-nG", "--", &self.user], PATIENCE)?;
            if told.is_good() && told.stdout.split_whitespace().any(|group| group == self.group) {
                let why = "another source of accounts, or a cache, puts him there";
                return Err(Failure(format!("id -nG {}: it still names {}: {why}", self.user, self.group)));
            }
        }
        Ok(Effect::Pending(format!("sessions and services that run keep the group until {} logs in again", self.user)))
    }

    fn undo(&self, host: &Host, _: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let undo = Undo::of(undo)?;
        let _lock = lock::take(host)?;
        let (mut restored, mut drifted) = (false, Vec::new());
        for (path, all) in [(GROUP, &undo.group), (GSHADOW, &undo.gshadow)] {
            files::sweep(&host.path(path))?;
            let now = read(host, path)?;
            let gone = all.iter().filter(|left| !now.lines().any(|line| left.is_its_line(line)));
            drifted.extend(gone.map(|left| format!("{path}: {}", left.group())));
            restored |= edit(host, path, |line| all.iter().find_map(|left| left.put_back(line)))?;
        }
        forget(host);
        Ok(match (drifted.is_empty(), restored) {
            (false, _) => Undone::Drifted(drifted),
            (true, true) => Undone::Restored,
            (true, false) => Undone::Nothing,
        })
    }

    fn room(&self, host: &Host) -> Vec<(PathBuf, u64)> {
        let size = |path: &PathBuf| std::fs::symlink_metadata(path).map(|meta| meta.len().min(files::LARGEST));
        let files = [GROUP, GSHADOW].map(|path| host.path(path));
        files.into_iter().filter_map(|path| size(&path).ok().map(|size| (path, size))).collect()
    }
}

fn read(host: &Host, path: &str) -> Result<String, Failure> {
    let path = host.path(path);
    files::read(&path)?.map_or(Ok(String::new()), |content| text(&path, &content))
}

/// The lines of a file that have the user in them.
fn left(leave: &LeaveGroup, host: &Host, path: &str) -> Result<Vec<Left>, Failure> {
    let is_shadow = path == GSHADOW;
    let gid = Accounts::read(host)?.groups.iter().find(|group| group.name == leave.group).map(|group| group.gid);
    // Other names of the same number give the same rights; gshadow knows no numbers.
    let names: Vec<String> = match gid {
        Some(gid) => Accounts::read(host)?.groups.into_iter().filter(|g| g.gid == gid).map(|g| g.name).collect(),
        None => Vec::new(),
    };
    let text = read(host, path)?;
    let all = names.iter().flat_map(|name| Left::all(&text, name, &leave.user, is_shadow));
    let mut all: Vec<Left> = all.collect();
    all.dedup();
    Ok(all)
}

/// Rewrites the lines for which there is something else; whether there was one.
fn edit(host: &Host, path: &str, new: impl Fn(&str) -> Option<String>) -> Result<bool, Failure> {
    let real = host.path(path);
    let Some(now) = files::read(&real)? else { return Ok(false) };
    let old = text(&real, &now)?;
    let rewritten = old.split_inclusive('\n').map(|line| {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        new(bare).map_or_else(|| line.to_owned(), |new| format!("{new}{}", &line[bare.len()..]))
    });
    let rewritten: String = rewritten.collect();
    if rewritten == old {
        return Ok(false);
    }
    let content = Content { bytes: rewritten.into_bytes(), ..now.clone() };
    files::replace(&real, Some(&now.digest()), &content)?;
    Ok(true)
}

/// Has caches of the name service forget what they know. That there is none is no failure.
fn forget(host: &Host) {
    if !host.is_real() {
        return;
    }
    if host.path("/run/nscd/socket").exists() || host.path("/var/run/nscd/socket").exists() {
        let _ = program::run(&["nscd", "--invalidate=group"], PATIENCE);
    }
    if host.path("/var/lib/sss/db").is_dir() {
        let _ = program::run(&["sss_cache", "--groups", "--users"], PATIENCE);
    }
}

fn may_leave(leave: &LeaveGroup, host: &Host, accounts: &Accounts, caller: &Caller) -> Result<(), Refusal> {
    let LeaveGroup { group, user } = leave;
    let refuse = |why: String| Err(Refusal::Refused(why));
    let is_name = |name: &str| !name.is_empty() && !name.contains([':', ',']) && !name.chars().any(char::is_control);
    if !is_name(group) || !is_name(user) || user.starts_with('-') || group.starts_with('-') {
        return refuse(format!("{user:?} and {group:?} are no names of a user and a group"));
    }
    let elsewhere = "the host's files do not have it, so it comes from a directory service (/etc/nsswitch.conf): \
                     change it there";
    let Some(entry) = accounts.groups.iter().find(|entry| entry.name == *group) else {
        return refuse(format!("group {group}: {elsewhere}"));
    };
    let Some(account) = accounts.user(user) else {
        return refuse(format!("user {user}: {elsewhere}"));
    };
    if account.gid == entry.gid {
        return refuse(format!(
            "{group} is the primary group of {user}: give him another one by usermod -g OTHER {user}, and log in again"
        ));
    }
    if left(leave, host, GROUP)?.is_empty() {
        return Err(Refusal::Stale(format!("{user} is not in {group} any more: plan again")));
    }
    if caller.over_ssh && caller.names.contains(user) {
        return refuse(format!(
            "{user} applies this over ssh and does not leave {group} himself: have another administrator apply it, or \
             do it at the console"
        ));
    }
    files::replaceable(&host.path(GROUP))?;
    if host.path(GSHADOW).exists() {
        files::replaceable(&host.path(GSHADOW))?;
    }
    if somebody_stays(host, &accounts.without(&[leave]))? {
        return Ok(());
    }
    refuse(format!("{user} may be the last who can administer this host: {NOBODY}"))
}

/// Why nobody may leave.
const NOBODY: &str = "no account with a password or a key is root, or may run everything by sudo; give one of them that \
                      right first";

/// Whether somebody can still log in and is, or becomes, root.
fn somebody_stays(host: &Host, after: &Accounts) -> Result<bool, Failure> {
    let sudo = Sudo::read(host)?;
    let keeps = |who: &&super::people::User| after.has_password(who) || keys::of(host, who, keys::USUAL) > 0;
    Ok(after.administrators(&sudo).iter().any(keeps))
}

/// Refuses where each may leave, and not all of them.
pub(super) fn all_may_leave(leaves: &[&LeaveGroup], host: &Host) -> Result<(), Refusal> {
    if leaves.len() < 2 || somebody_stays(host, &Accounts::read(host)?.without(leaves))? {
        return Ok(());
    }
    let names: Vec<&str> = leaves.iter().map(|leave| leave.user.as_str()).collect();
    let names = names.join(" and ");
    Err(Refusal::Refused(format!("{names} together may be the last who can administer this host: {NOBODY}")))
}

#[cfg(test)]
mod tests;
