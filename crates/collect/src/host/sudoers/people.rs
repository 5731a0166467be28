//! From whom a rule names to the people behind it.

use std::collections::BTreeSet;

use super::{Grant, Who};
use crate::host::accounts::Accounts;

/// The people that a grant is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    /// Their login names, sorted, without root's; `#ID` where no account has the id.
    pub names: Vec<String>,
    /// False when there may be more: members of groups or accounts that the host's files do not
    /// show.
    pub complete: bool,
}

impl Grant {
    /// Who they are, by the host's accounts and groups. A later rule may still ask one of them for
    /// a password, or deny him.
    pub fn people(&self, accounts: &Accounts) -> People {
        let (mut names, complete) = names(&self.who, accounts);
        for who in &self.except {
            for name in self::names(who, accounts).0 {
                names.remove(&name);
            }
        }
        names.retain(|name| name != "root" && accounts.user(name).is_none_or(|user| user.uid != 0));
        People { names: names.into_iter().collect(), complete }
    }
}

/// Those whom the host's files show, and whether these are all.
pub(super) fn names(who: &Who, accounts: &Accounts) -> (BTreeSet<String>, bool) {
    let of_group = |group: &str| {
        let members = accounts.members(group);
        let complete = members.is_complete();
        (members.names.into_iter().map(|member| member.name).collect(), complete)
    };
    match who {
        Who::All => (accounts.users.iter().map(|user| user.name.clone()).collect(), accounts.beyond().is_none()),
        Who::User(name) => (BTreeSet::from([name.clone()]), true),
        Who::Uid(uid) => {
            let known = accounts.users.iter().filter(|user| user.uid == *uid);
            let mut names: BTreeSet<String> = known.map(|user| user.name.clone()).collect();
            if names.is_empty() {
                names.insert(format!("#{uid}"));
            }
            (names, true)
        }
        Who::Group(group) => of_group(group),
        Who::Gid(gid) => match accounts.group_names(*gid).first() {
            Some(group) => of_group(group),
            None => {
                let primary = accounts.users.iter().filter(|user| user.gid == *gid);
                (primary.map(|user| user.name.clone()).collect(), accounts.members("").is_complete())
            }
        },
        Who::Foreign(_) => (BTreeSet::new(), false),
    }
}
