//! Who but its users and root reads or writes a file in somebody's home, by its mode and by the directories on the way.

use std::path::Path;

use super::host::Host;
use crate::host::accounts::User;
use crate::host::meta::Meta;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_SEARCH: u32 = 0o011;
const STICKY: u32 = 0o1000;

/// A file and those whose it is.
pub(super) struct Access<'a> {
    host: &'a Host,
    users: Vec<&'a User>,
    meta: &'a Meta,
}

/// What a way through directories is to somebody who is none of the users.
#[derive(PartialEq, Eq)]
enum Way {
    /// He may put something else in its place.
    Replaced,
    /// He does not come through.
    Closed,
    /// He comes through.
    Open,
}

impl<'a> Access<'a> {
    pub(super) fn new(host: &'a Host, users: &[String], meta: &'a Meta) -> Self {
        Self { host, users: users.iter().filter_map(|name| host.accounts.user(name)).collect(), meta }
    }

    /// Whether others may write the file by its own mode, or put another in its place. A directory that keeps them out
    /// does not mend such a mode: sshd refuses the file all the same.
    pub(super) fn written(&self) -> bool {
        self.meta.mode & (GROUP_WRITES | OTHERS_WRITE) != 0 || !self.own(self.meta.uid) || self.replaced()
    }

    /// Whether others may read or write the file, or put another in its place.
    pub(super) fn exposed(&self) -> bool {
        let reached = self.meta.mode & 0o077 != 0 && self.way(self.real()) == Way::Open;
        reached || !self.own(self.meta.uid) || self.replaced()
    }

    /// Whether others may read or write the file where it lies.
    pub(super) fn reached(&self) -> bool {
        self.meta.mode & 0o077 != 0 && self.way(self.real()) != Way::Closed
    }

    fn replaced(&self) -> bool {
        self.way(self.real()) == Way::Replaced || self.way(&self.meta.path) == Way::Replaced
    }

    fn real(&self) -> &str {
        self.meta.resolved.as_deref().unwrap_or(&self.meta.path)
    }

    fn own(&self, uid: u32) -> bool {
        uid == 0 || self.users.iter().any(|user| user.uid == uid)
    }

    /// Directories from the root on; what cannot be looked at is passed over. The bits of the group hold what an access
    /// list grants at most.
    fn way(&self, path: &str) -> Way {
        let above: Vec<&Path> = Path::new(path).ancestors().skip(1).collect();
        for stat in above.into_iter().rev().filter_map(|directory| self.host.root.stat(directory).ok()) {
            let of_group = stat.st_gid != 0 && !self.users.iter().any(|user| user.gid == stat.st_gid);
            let writes = stat.st_mode & OTHERS_WRITE != 0 || (stat.st_mode & GROUP_WRITES != 0 && of_group);
            if !self.own(stat.st_uid) || (writes && stat.st_mode & STICKY == 0) {
                return Way::Replaced;
            }
            if stat.st_mode & OTHERS_SEARCH == 0 {
                return Way::Closed;
            }
        }
        Way::Open
    }
}
