//! Users and groups as the host's own files tell them: passwd, group, gshadow, nsswitch.
//!
//! Other sources that nsswitch names (sss, ldap, …) are never asked: what the files say is then
//! "at least these", and [`Members::beyond_files`] says which sources may add to it.

use std::collections::BTreeMap;

use super::gap::{Gap, Place};
use super::root::{Root, Unread};

mod nsswitch;
mod table;

pub use nsswitch::Nsswitch;
use table::Table;

/// Lines beyond this many of one file are not read.
const MOST_LINES: usize = 200_000;

/// One user of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of the primary group.
    pub gid: u32,
    /// Home directory as written.
    pub home: String,
    /// Login shell as written; empty means `/bin/sh`.
    pub shell: String,
    /// Where it was read.
    pub at: Place,
}

/// One group of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its id.
    pub gid: u32,
    /// The supplementary members as listed.
    pub members: Vec<String>,
    /// Where it was read.
    pub at: Place,
}

/// One line of `/etc/gshadow`, or what the password of a line of `/etc/group` says.
#[derive(Debug)]
struct ShadowGroup {
    name: String,
    /// Whether it has a password, with which anybody may join.
    password: bool,
    administrators: Vec<String>,
    members: Vec<String>,
    at: Place,
}

/// How somebody belongs to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Listed as a member of the group.
    Supplementary,
    /// It is the primary group of the account.
    Primary,
    /// By a membership record of systemd's user database.
    UserDb,
    /// Listed in gshadow alone: `newgrp` asks for no password.
    Shadow,
    /// An administrator of the group, who may add anybody.
    Administrator,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Login name.
    pub name: String,
    /// How the membership comes about.
    pub how: How,
    /// True when an account of that name is in `/etc/passwd`.
    pub has_account: bool,
    /// Where it was read.
    pub at: Place,
}

/// Who belongs to a group, as far as files tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Whether the group exists; none when the files do not say so and another source, or a file
    /// that could not be read, might.
    pub group_exists: Option<bool>,
    /// The group's id, from the first line of that name.
    pub gid: Option<u32>,
    /// Where the group was read.
    pub at: Option<Place>,
    /// The members, each once, by name.
    pub names: Vec<Member>,
    /// Sources that may add members and that were not asked; when there are any, `names` is
    /// "at least these".
    pub beyond_files: Vec<String>,
    /// Why `names` may be short although no source beyond the files is named.
    pub unread: Option<String>,
}

impl Members {
    /// True when `names` is all there is.
    pub fn is_complete(&self) -> bool {
        self.beyond_files.is_empty() && self.unread.is_none()
    }
}

/// The accounts of a host.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Users in the order of the file.
    pub users: Vec<User>,
    /// Groups in the order of the file.
    pub groups: Vec<Group>,
    /// Which sources the host asks for accounts.
    pub nsswitch: Nsswitch,
    /// What could not be read or understood.
    pub gaps: Vec<Gap>,
    passwd_short: Option<String>,
    group_short: Option<String>,
    beyond: Vec<String>,
    userdb: Vec<(String, String, Place)>,
    pam_groups: Vec<(String, Place)>,
    shadow: Vec<ShadowGroup>,
    shadow_short: Option<String>,
    names: BTreeMap<String, usize>,
}

impl Accounts {
    /// Reads passwd, group and nsswitch of the host. Nothing in them makes it fail.
    pub fn read(root: &Root) -> Self {
        let mut accounts = Self::default();
        accounts.nsswitch = Nsswitch::read(root, &mut accounts.gaps);
        accounts.read_passwd(root);
        accounts.read_group(root);
        for (index, user) in accounts.users.iter().enumerate() {
            accounts.names.entry(user.name.clone()).or_insert(index);
        }
        for database in ["passwd", "group", "initgroups"] {
            for source in accounts.nsswitch.beyond_files(database) {
                if !accounts.beyond.contains(&source) {
                    accounts.beyond.push(source);
                }
            }
        }
        accounts.read_userdb(root);
        accounts.read_pam_group(root);
        accounts.read_gshadow(root);
        accounts
    }

    /// The account of that name (the first, as the system takes it).
    pub fn user(&self, name: &str) -> Option<&User> {
        self.names.get(name).and_then(|index| self.users.get(*index))
    }

    /// The first account of that id.
    pub fn user_by_uid(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The first group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The names of all groups of that id, in the order of the file.
    pub fn group_names(&self, gid: u32) -> Vec<&str> {
        self.groups.iter().filter(|group| group.gid == gid).map(|group| group.name.as_str()).collect()
    }

    /// Why accounts may exist that are not in [`Accounts::users`]; none when they are all.
    pub fn beyond(&self) -> Option<String> {
        if let Some(reason) = &self.passwd_short {
            return Some(reason.clone());
        }
        let sources = self.nsswitch.beyond_files("passwd");
        (!sources.is_empty()).then(|| format!("accounts of {} are not read", sources.join(", ")))
    }

    /// Who belongs to a group: listed under its name or under another name of the same id, or with
    /// it as primary group.
    pub fn members(&self, group: &str) -> Members {
        let first = self.group(group);
        let gid = first.map(|found| found.gid);
        let mut found: BTreeMap<&str, Member> = BTreeMap::new();
        let add = |name: &str, how: How, at: &Place| Member {
            name: name.to_owned(),
            how,
            has_account: self.names.contains_key(name),
            at: at.clone(),
        };
        for entry in self.groups.iter().filter(|entry| entry.name == group || Some(entry.gid) == gid) {
            for name in &entry.members {
                found.entry(name).or_insert_with(|| add(name, How::Supplementary, &entry.at));
            }
        }
        for user in self.users.iter().filter(|user| Some(user.gid) == gid) {
            found.entry(&user.name).or_insert_with(|| add(&user.name, How::Primary, &user.at));
        }
        for (name, _, at) in self.userdb.iter().filter(|(_, of, _)| of == group) {
            found.entry(name).or_insert_with(|| add(name, How::UserDb, at));
        }
        let mut beyond_files = self.beyond.clone();
        let is_it = |name: &str| name == group || self.groups.iter().any(|g| g.name == name && Some(g.gid) == gid);
        for entry in self.shadow.iter().filter(|entry| is_it(&entry.name)) {
            for (listed, how) in [(&entry.members, How::Shadow), (&entry.administrators, How::Administrator)] {
                for name in listed {
                    found.entry(name).or_insert_with(|| add(name, how, &entry.at));
                }
            }
            if entry.password {
                beyond_files.push(format!("its password ({})", entry.at));
            }
        }
        let names = found.into_values().collect();
        for (_, at) in self.pam_groups.iter().filter(|(of, _)| of == group) {
            beyond_files.push(format!("pam_group ({at})"));
        }
        let unread = match (&self.group_short, &self.passwd_short) {
            (Some(group), Some(passwd)) => Some(format!("{group}; {passwd}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        let unread = unread.or_else(|| self.nsswitch.unread.clone());
        let unread = unread.or_else(|| first.and(self.shadow_short.clone()));
        let known_absent = self.group_short.is_none() && beyond_files.is_empty() && self.nsswitch.unread.is_none();
        Members {
            group_exists: if first.is_some() { Some(true) } else { known_absent.then_some(false) },
            gid,
            at: first.map(|found| found.at.clone()),
            names,
            beyond_files,
            unread,
        }
    }

    fn read_passwd(&mut self, root: &Root) {
        let path = "/etc/passwd";
        let compat = self.nsswitch.is_compat("passwd");
        let affects = "who has an account, and who belongs to groups";
        let table = Table::read(root, path, compat, affects, &mut self.gaps);
        self.passwd_short = table.short;
        if table.includes_nis {
            push_once(&mut self.beyond, "nis (a + line of /etc/passwd)");
        }
        for (line, fields) in table.rows {
            match fields.as_slice() {
                [name, _, uid, gid, _, home, shell @ ..] => {
                    if let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) {
                        let shell = shell.join(":");
                        let (name, home) = (name.clone(), home.clone());
                        self.users.push(User { name, uid, gid, home, shell, at: Place::new(path, line) });
                    }
                }
                _ => continue,
            }
        }
    }

    fn read_group(&mut self, root: &Root) {
        let path = "/etc/group";
        let compat = self.nsswitch.is_compat("group");
        let table = Table::read(root, path, compat, "who belongs to groups", &mut self.gaps);
        self.group_short = table.short;
        if table.includes_nis {
            push_once(&mut self.beyond, "nis (a + line of /etc/group)");
        }
        for (line, fields) in table.rows {
            if let [name, password, gid, rest @ ..] = fields.as_slice()
                && let Ok(gid) = gid.parse()
            {
                if opens(password) {
                    let (administrators, members) = (Vec::new(), Vec::new());
                    let (name, at) = (name.clone(), Place::new(path, line));
                    self.shadow.push(ShadowGroup { name, password: true, administrators, members, at });
                }
                let listed = rest.join(":");
                let members =
                    listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
                self.groups.push(Group { name: name.clone(), gid, members, at: Place::new(path, line) });
            }
        }
    }

    /// systemd's user database: membership records, and homes that it manages.
    fn read_userdb(&mut self, root: &Root) {
        let uses = |database: &str| self.nsswitch.sources(database).iter().any(|source| source == "systemd");
        if !uses("passwd") && !uses("group") && !uses("initgroups") {
            return;
        }
        for dir in ["/etc/userdb", "/run/userdb", "/run/host/userdb", "/usr/local/lib/userdb", "/usr/lib/userdb"] {
            match root.list(dir, 10_000) {
                Ok(names) => {
                    for name in names {
                        let name = name.to_string_lossy();
                        let Some((user, group)) = name.strip_suffix(".membership").and_then(|n| n.split_once(':'))
                        else {
                            continue;
                        };
                        let at = Place::new(format!("{dir}/{name}"), 0);
                        self.userdb.push((user.to_owned(), group.to_owned(), at));
                    }
                }
                Err(unread) => {
                    if let Some(gap) = Gap::of(dir, &unread, "members of groups by systemd's user database") {
                        push_once(&mut self.beyond, &format!("systemd ({dir}: {unread})"));
                        self.gaps.push(gap);
                    }
                }
            }
        }
        let homes = "/var/lib/systemd/home";
        let managed = match root.list(homes, 10_000) {
            Ok(names) => names.iter().any(|name| name.to_string_lossy().ends_with(".identity")),
            Err(unread) => unread != Unread::Absent && unread != Unread::Denied,
        };
        if managed {
            push_once(&mut self.beyond, "systemd-homed");
        }
    }

    /// Passwords, administrators and further members of groups.
    fn read_gshadow(&mut self, root: &Root) {
        let path = "/etc/gshadow";
        let text = match root.read_text(path) {
            Ok(text) => text,
            Err(Unread::Absent) => return,
            Err(unread) => {
                self.shadow_short = Some(format!("{path}: {unread}"));
                self.gaps.push(Gap::new(path, &unread, "who else may join groups"));
                return;
            }
        };
        let list = |names: &str| names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect();
        for (number, line) in text.lines().enumerate().take(MOST_LINES) {
            let mut fields = line.split(':');
            let (Some(name), Some(password)) = (fields.next(), fields.next()) else { continue };
            let (administrators, members) = (list(fields.next().unwrap_or("")), list(fields.next().unwrap_or("")));
            // It counts in the place of what stands in `/etc/group`.
            self.shadow.retain(|entry| entry.name != name || entry.at.path == path);
            let (name, password, at) = (name.to_owned(), opens(password), Place::new(path, number + 1));
            self.shadow.push(ShadowGroup { name, password, administrators, members, at });
        }
    }

    /// Groups that pam_group hands out at login, whoever is listed anywhere.
    fn read_pam_group(&mut self, root: &Root) {
        let path = "/etc/security/group.conf";
        let Ok(text) = root.read_text(path) else { return };
        for (number, line) in text.lines().enumerate().take(MOST_LINES) {
            let line = line.split('#').next().unwrap_or_default();
            let Some(groups) = line.split(';').nth(4) else { continue };
            for group in groups.split([',', ' ', '\t']).filter(|group| !group.is_empty()) {
                self.pam_groups.push((group.to_owned(), Place::new(path, number + 1)));
            }
        }
    }
}

/// Whether a group's password can be met: empty ones, `x`, and those that begin with `!` or `*` cannot.
fn opens(password: &str) -> bool {
    !password.is_empty() && password != "x" && !password.starts_with(['!', '*'])
}

fn push_once(list: &mut Vec<String>, item: &str) {
    if !list.iter().any(|known| known == item) {
        list.push(item.to_owned());
    }
}

#[cfg(test)]
mod tests;
