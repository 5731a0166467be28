//! Owner and mode of a file, a directory or a socket, by descriptor.
//!
//! Nothing is opened for reading or writing: a descriptor that only names the thing (`O_PATH`) is enough, works for
//! sockets too, and stays with that one whatever takes its place meanwhile.

mod acl;
#[cfg(test)]
mod tests;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, StatVfsMountFlags, Uid, XattrFlags, chownat, fstatvfs, fsync, getxattr, openat,
    setxattr,
};
use rustix::io::Errno;
use seaworthy_core::plan::{Owned, Rights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Effect, Refusal, Undone};
use crate::files::{Facts, Keep, Kind, facts, hex, unhex, why};
use crate::{At as _, Failure, Host};

const ACL: &str = "system.posix_acl_access";
/// What lets a program do more than its user; the kernel takes it away when the owner changes.
const CAPABILITY: &str = "security.capability";

/// What undo needs.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    /// Which one it was: device and number.
    identity: (u32, u32, u64),
    /// Owner, group and mode when the change began.
    was: Owned,
    /// The ACL then, and what the new mode makes of it.
    acl: Option<String>,
    acl_after: Option<String>,
    /// File capabilities.
    capability: Option<String>,
    /// Who has more by the ACL, after the change too, than the mode tells; for people.
    grants: Vec<String>,
}

impl Act for Rights {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        let stale = |what: String| Refusal::Stale(format!("{}: {what}; plan again", self.path));
        let Some(thing) = Thing::open(&host.path(&self.path))? else { return Err(stale("it is gone".into())) };
        let is = thing.facts;
        if is.kind != self.kind()? {
            return Err(stale(format!("it is {} now", is.kind.words())));
        }
        if let Some(moved) = moved(&self.before, &self.after, &is) {
            return Err(stale(moved));
        }
        let wanted = owned(&is) != self.after;
        match thing.refusal(&self.after)?.filter(|_| wanted) {
            Some(why) => Err(Refusal::Refused(format!("{}: {why}", self.path))),
            None => Ok(()),
        }
    }

    fn prepare(&self, host: &Host, _: &mut Keep) -> Result<Value, Failure> {
        let thing = Thing::of_kind(&host.path(&self.path), self.kind()?)?;
        if let Some(moved) = moved(&self.before, &self.after, &thing.facts) {
            return Err(Failure(format!("{}: {moved}; plan again", self.path)));
        }
        let acl = thing.attribute(ACL)?;
        let acl_after = acl.as_deref().and_then(|acl| acl::with_mode(acl, self.after.mode));
        let before = Before {
            identity: thing.facts.identity,
            was: owned(&thing.facts),
            grants: acl_after.as_deref().map(acl::grants).unwrap_or_default(),
            acl: acl.as_deref().map(hex),
            acl_after: acl_after.as_deref().map(hex),
            capability: thing.attribute(CAPABILITY)?.as_deref().map(hex),
        };
        serde_json::to_value(before).at(|| format!("keep the rights of {}", self.path))
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let before = before(undo)?;
        let thing = Thing::of_kind(&host.path(&self.path), self.kind()?)?;
        if thing.facts.identity != before.identity {
            return Err(Failure(format!("{}: another one has taken its place meanwhile", self.path)));
        }
        thing.give(&self.after, before.capability.as_deref()).at(|| format!("change the rights of {}", self.path))
    }

    fn verify(&self, host: &Host, _: &Value) -> Result<Effect, Failure> {
        let thing = Thing::of_kind(&host.path(&self.path), self.kind()?)?;
        match moved(&self.after, &self.after, &thing.facts) {
            None => Ok(Effect::InEffect),
            Some(differs) => Err(Failure(format!("{}: {differs}", self.path))),
        }
    }

    fn notes(&self, undo: &Value) -> Vec<String> {
        let grants = before(undo).map(|b| b.grants).unwrap_or_default();
        if grants.is_empty() {
            return Vec::new();
        }
        let who = grants.join(", ");
        vec![format!("{}: its access control list grants more than its mode does, and stays: {who}", self.path)]
    }

    fn undo(&self, host: &Host, _: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let before = before(undo)?;
        if before.was == self.after {
            return Ok(Undone::Nothing);
        }
        let kind = self.kind()?;
        // A socket is made anew at each start of what listens on it: then nothing of the change is left.
        let gone = |what: &str| match kind {
            Kind::Socket => Undone::Nothing,
            _ => Undone::Drifted(vec![format!("{} {what}", self.path)]),
        };
        let Some(thing) = Thing::open(&host.path(&self.path))? else { return Ok(gone("was removed since")) };
        if thing.facts.kind != kind {
            return Ok(gone(&format!("is {} now", thing.facts.kind.words())));
        }
        let back = self.back(&before, &thing)?;
        let replaced = thing.facts.identity != before.identity;
        if replaced && kind == Kind::Socket && !back.drifted.is_empty() {
            return Ok(Undone::Nothing);
        }
        if let Some(target) = &back.target {
            // Capabilities are the kept ones only where it is the same file.
            let capability = before.capability.as_deref().filter(|_| !replaced);
            thing.give(target, capability).at(|| format!("put back the rights of {}", self.path))?;
        }
        let place = if replaced { format!("{} (replaced since)", self.path) } else { self.path.clone() };
        Ok(match (back.drifted.is_empty(), back.target) {
            (false, _) => Undone::Drifted(back.drifted.iter().map(|what| format!("{place}: {what}")).collect()),
            (true, Some(_)) => Undone::Restored,
            (true, None) => Undone::Nothing,
        })
    }
}

/// What goes back, and what others have changed since.
struct Back {
    target: Option<Owned>,
    drifted: Vec<&'static str>,
}

trait Kinded {
    fn kind(&self) -> Result<Kind, Failure>;
    fn back(&self, before: &Before, thing: &Thing) -> Result<Back, Failure>;
}

impl Kinded for Rights {
    fn kind(&self) -> Result<Kind, Failure> {
        match self.what.as_str() {
            "file" => Ok(Kind::File),
            "directory" => Ok(Kind::Directory),
            "socket" => Ok(Kind::Socket),
            _ => Err(Failure(format!("{}: the plan does not say what it is: plan again", self.path))),
        }
    }

    /// Owner, group and mode go back each by itself: to what they were, where they are what the change made of them.
    fn back(&self, before: &Before, thing: &Thing) -> Result<Back, Failure> {
        let (was, after, now) = (before.was, self.after, owned(&thing.facts));
        let mut target = now;
        let mut drifted = Vec::new();
        let mut one = |name, was: u32, after: u32, now: u32| {
            if was != after && now == after {
                return was;
            }
            if was != after && now != was {
                drifted.push(name);
            }
            now
        };
        target.uid = one("its owner", was.uid, after.uid, now.uid);
        target.gid = one("its group", was.gid, after.gid, now.gid);
        // A change of owner that did not get as far as the mode.
        let half = (was.uid, was.gid) != (after.uid, after.gid) && now.mode == without_set_bits(was.mode);
        if half {
            target.mode = was.mode;
        } else if was.mode != after.mode && now.mode != was.mode {
            let acl = thing.attribute(ACL)?.as_deref().map(hex);
            if now.mode != after.mode {
                drifted.push("its mode");
            } else if acl != before.acl_after {
                drifted.push("its ACL");
            } else {
                target.mode = was.mode;
            }
        }
        Ok(Back { target: (target != now).then_some(target), drifted })
    }
}

fn before(undo: &Value) -> Result<Before, Failure> {
    Before::deserialize(undo).at(|| "read what was kept of a file's rights".into())
}

fn owned(facts: &Facts) -> Owned {
    Owned { uid: facts.uid, gid: facts.gid, mode: facts.mode }
}

/// What a change of owner leaves of a mode (`chown(2)`).
fn without_set_bits(mode: u32) -> u32 {
    let group = if mode & 0o010 != 0 { 0o2000 } else { 0 };
    mode & !(0o4000 | group)
}

/// What is neither as it was planned nor as it is wanted.
fn moved(before: &Owned, after: &Owned, is: &Facts) -> Option<String> {
    let fields = [
        ("owner", before.uid, after.uid, is.uid),
        ("group", before.gid, after.gid, is.gid),
        ("mode", before.mode, after.mode, is.mode),
    ];
    let (name, before, _, is) = fields.into_iter().find(|(_, before, after, is)| is != before && is != after)?;
    Some(match name {
        "mode" => format!("its mode is {is:04o} and was {before:04o}"),
        _ => format!("its {name} is {is} and was {before}"),
    })
}

/// A file, directory or socket, held by a descriptor.
struct Thing {
    fd: OwnedFd,
    facts: Facts,
}

impl Thing {
    /// None where there is nothing. A link at the end is not followed.
    fn open(path: &Path) -> Result<Option<Self>, Failure> {
        let doing = || format!("look at {}", path.display());
        let fd = match openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(why(error)).at(doing),
        };
        let facts = facts(&fd).map_err(why).at(doing)?;
        Ok(Some(Self { fd, facts }))
    }

    fn of_kind(path: &Path, kind: Kind) -> Result<Self, Failure> {
        let fault = match Self::open(path)? {
            Some(thing) if thing.facts.kind == kind => return Ok(thing),
            Some(thing) => format!("it is {} now", thing.facts.kind.words()),
            None => "it is gone".into(),
        };
        Err(Failure(format!("{}: {fault}", path.display())))
    }

    /// The name by which system calls that take no such descriptor reach exactly this one.
    fn name(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }

    fn attribute(&self, attribute: &str) -> Result<Option<Vec<u8>>, Failure> {
        let mut value = Vec::with_capacity(64 << 10);
        match getxattr(self.name(), attribute, spare_capacity(&mut value)) {
            Ok(_) => Ok(Some(value)),
            Err(Errno::NODATA | Errno::NOTSUP) => Ok(None),
            Err(error) => Err(why(error)).at(|| format!("read {attribute}")),
        }
    }

    /// Why its rights may not be changed, as far as can be told without trying.
    fn refusal(&self, after: &Owned) -> Result<Option<String>, Failure> {
        let is = &self.facts;
        if is.immutable || is.append_only {
            let letter = if is.immutable { 'i' } else { 'a' };
            return Ok(Some(format!("it may not be changed (chattr +{letter}); lift that first (chattr -{letter})")));
        }
        if is.kind == Kind::File && is.links > 1 {
            let links = is.links;
            return Ok(Some(format!(
                "it has {links} names (hard links), whose rights would all change; part them first"
            )));
        }
        if is.kind == Kind::File && is.mount {
            return Ok(Some("it is mounted there by itself (a bind mount): change it where it is mounted from".into()));
        }
        let mount = fstatvfs(&self.fd).map_err(why).at(|| "look at its file system".into())?;
        if mount.f_flag.contains(StatVfsMountFlags::RDONLY) {
            return Ok(Some("its file system is read-only".into()));
        }
        let me = rustix::process::geteuid();
        let chown = (is.uid, is.gid) != (after.uid, after.gid);
        let may = me.is_root() || (me.as_raw() == is.uid && !chown);
        Ok((!may).then(|| "this process may not change its rights: run it as root".into()))
    }

    /// Gives it owner and mode. The mode comes after the owner, whose change takes the set-user-ID bits away.
    fn give(&self, to: &Owned, capability: Option<&str>) -> Result<(), String> {
        if (self.facts.uid, self.facts.gid) != (to.uid, to.gid) {
            let (uid, gid) = (Some(Uid::from_raw(to.uid)), Some(Gid::from_raw(to.gid)));
            chownat(&self.fd, "", uid, gid, AtFlags::EMPTY_PATH).map_err(why)?;
            if let Some(capability) = capability {
                let value = unhex(capability).ok_or("its capabilities were not kept well")?;
                setxattr(self.name(), CAPABILITY, &value, XattrFlags::empty()).map_err(why)?;
            }
        }
        if facts(&self.fd).map_err(why)?.mode != to.mode {
            let mode = std::fs::Permissions::from_mode(to.mode);
            std::fs::set_permissions(self.name(), mode).map_err(why)?;
        }
        self.sync().map_err(why)?;
        let is = owned(&facts(&self.fd).map_err(why)?);
        if is == *to { Ok(()) } else { Err("it was changed and reads back otherwise".into()) }
    }
    /// Has its rights on disk. A socket has nothing there that outlives the machine's next start.
    fn sync(&self) -> Result<(), Errno> {
        if self.facts.kind == Kind::Socket {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        fsync(openat(CWD, self.name(), flags, Mode::empty())?)
    }
}
