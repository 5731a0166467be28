//! Who has an account, who may become root, and who it is that applies: for the guards against locking somebody out.
//!
//! Only the host's files are read. What they do not prove is not so: an account of a directory service, a sudo rule that
//! is not plainly "everything, as root" and a password that cannot be seen count for nothing, and a guard then refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use seaworthy_core::plan::LeaveGroup;

use crate::{Failure, Host, files};

mod caller;
mod sudo;

pub(super) use caller::Caller;
pub(super) use sudo::Sudo;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
    pub(super) shell: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

/// What the shadow file tells without giving it away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shadow {
    has_password: bool,
    is_locked: bool,
    is_expired: bool,
}

/// The accounts of a host's own files.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
    shadow: BTreeMap<String, Shadow>,
}

impl Accounts {
    /// Reads passwd, group and shadow.
    pub(super) fn read(host: &Host) -> Result<Self, Failure> {
        let mut accounts = Self::default();
        for line in lines(host, "/etc/passwd")? {
            if let [name, _, uid, gid, _, home, shell, ..] = line.split(':').collect::<Vec<_>>()[..]
                && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
                && !name.starts_with(['+', '-'])
            {
                let [name, home, shell] = [name, home, shell].map(str::to_owned);
                accounts.users.push(User { name, uid, gid, home, shell });
            }
        }
        for line in lines(host, "/etc/group")? {
            if let [name, _, gid, members] = line.split(':').collect::<Vec<_>>()[..]
                && let Ok(gid) = gid.parse()
            {
                let members = members.split(',').map(str::trim).filter(|m| !m.is_empty()).map(str::to_owned).collect();
                accounts.groups.push(Group { name: name.to_owned(), gid, members });
            }
        }
        let today = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs() / 86_400);
        for line in lines(host, "/etc/shadow")? {
            let fields: Vec<&str> = line.split(':').collect();
            let (Some(name), Some(hash)) = (fields.first(), fields.get(1)) else { continue };
            let expires = fields.get(7).and_then(|days| days.parse::<u64>().ok());
            let shadow = Shadow {
                has_password: hash.len() >= 13 && !hash.starts_with(['!', '*']),
                is_locked: hash.starts_with('!') || hash.starts_with("*LK*"),
                is_expired: expires.is_some_and(|days| days <= today),
            };
            accounts.shadow.entry((*name).to_owned()).or_insert(shadow);
        }
        Ok(accounts)
    }

    /// The same once these have left their groups, by every name of each group's number.
    pub(super) fn without(&self, leaves: &[&LeaveGroup]) -> Self {
        let mut after = self.clone();
        for leave in leaves {
            let Some(gid) = self.groups.iter().find(|group| group.name == leave.group).map(|group| group.gid) else {
                continue;
            };
            for group in after.groups.iter_mut().filter(|group| group.gid == gid) {
                group.members.retain(|member| *member != leave.user);
            }
        }
        after
    }

    /// The account of that name: the first, as the system takes it.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The account of that number.
    pub(super) fn by_uid(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The names of the groups that a user is in, by every name of each number.
    pub(super) fn groups_of(&self, user: &User) -> BTreeSet<&str> {
        let is_in = |group: &&Group| group.gid == user.gid || group.members.contains(&user.name);
        let numbers: BTreeSet<u32> = self.groups.iter().filter(is_in).map(|group| group.gid).collect();
        self.groups.iter().filter(|group| numbers.contains(&group.gid)).map(|group| group.name.as_str()).collect()
    }

    /// Whether there is a password that can be typed.
    pub(super) fn has_password(&self, user: &User) -> bool {
        self.shadow.get(&user.name).is_some_and(|shadow| shadow.has_password)
    }

    /// Whether the password was locked: sshd without PAM then takes no key either.
    pub(super) fn is_locked(&self, user: &User) -> bool {
        self.shadow.get(&user.name).is_some_and(|shadow| shadow.is_locked)
    }

    /// Whether it is an account with a shell that has not run out.
    pub(super) fn can_work(&self, user: &User) -> bool {
        let shell = user.shell.rsplit('/').next().unwrap_or_default();
        let expired = self.shadow.get(&user.name).is_some_and(|shadow| shadow.is_expired);
        !expired && !matches!(shell, "nologin" | "false" | "sync" | "shutdown" | "halt" | "git-shell" | "true")
    }

    /// Those who are root, or can become root with what they have: a password for sudo, or a rule that asks for none.
    pub(super) fn administrators(&self, sudo: &Sudo) -> Vec<&User> {
        let is = |user: &&User| user.uid == 0 || sudo.gives_all(user, &self.groups_of(user), self.has_password(user));
        self.users.iter().filter(|user| self.can_work(user)).filter(is).collect()
    }
}

/// The lines of a file, none where it is absent. What is not UTF-8 in them is replaced.
fn lines(host: &Host, path: &str) -> Result<Vec<String>, Failure> {
    let content = files::read(&host.path(path))?;
    let text = content.map(|content| String::from_utf8_lossy(&content.bytes).into_owned()).unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A root with files in it.
    pub(in crate::act) fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host { root: dir.path().into(), engine: None, daemon: None, transaction: "0123456789ab".to_owned() };
        (dir, host)
    }

    const HASH: &str = "$y$j9T$abcdefghijkl$0123456789";

    #[test]
    fn administrators_are_those_who_can_prove_it() {
        let shadow = format!(
            "root:*:1::::::\nann:{HASH}:1::::::\nben:!{HASH}:1::::::\ncy:{HASH}:1:::::5:\ndi:!:1::::::\ned:{HASH}:::::::\n"
        );
        let (_dir, host) = root(&[
            (
                "/etc/passwd",
                "root:x:0:0:r:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/sh\nben:x:1001:27::/home/ben:/bin/sh\n\
                 cy:x:1002:27::/home/cy:/bin/sh\ndi:x:1003:1003::/home/di:/bin/sh\ned:x:1004:27::/:/usr/sbin/nologin\n\
                 +nis:x:1005:1::/:/bin/sh\nbroken\nfi:x:1006:1006::/home/fi:/bin/sh\n",
            ),
            ("/etc/group", "sudo:x:27:ann,zoe\nbroken\nops:x:1006:\n"),
            ("/etc/shadow", &shadow),
            ("/usr/bin/sudo", ""),
            (
                "/etc/sudoers",
                "Defaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
            ),
            ("/etc/sudoers.d/di", "di ALL=(ALL) NOPASSWD: ALL\n"),
            ("/etc/sudoers.d/fi.bak", "fi ALL=(ALL) NOPASSWD: ALL\n"),
        ]);
        let accounts = Accounts::read(&host).unwrap();
        let sudo = Sudo::read(&host).unwrap();
        let names: Vec<&str> = accounts.administrators(&sudo).iter().map(|u| u.name.as_str()).collect();
        // ben's password is locked, cy's account has run out, ed has no shell, fi's file is not read by sudo.
        assert_eq!(names, ["root", "ann", "di"]);
        assert!(accounts.is_locked(accounts.user("ben").unwrap()));
        assert!(!accounts.is_locked(accounts.user("root").unwrap()));
    }
}
