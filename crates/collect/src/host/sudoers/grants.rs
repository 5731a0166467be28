//! Lists of users, and what a later rule does to earlier grants.

use std::collections::HashSet;

use super::command::{Args, Via};
use super::parse::{Command, Item};
use super::{Grant, People, Tool, Who};
use crate::host::accounts::Accounts;
use crate::host::glob;

/// Later rules against which earlier ones are held, at most; what is beyond leaves an earlier one standing.
const MOST_LATER: usize = 64;
/// Grants times accounts for which that is done: more would take seconds.
const MOST_COMPARED: usize = 100_000;
/// The targets of a rule that lets a command run as everybody, and as every group.
pub(super) const ANYBODY: &str = "ALL:ALL";

/// Who is in a list of users and who is not: the last mention decides, and nothing before the last
/// `ALL` counts.
pub(super) fn sides(users: &[Item]) -> (Vec<Who>, Vec<Who>) {
    let (mut included, mut excluded) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for item in users.iter().rev() {
        let who = who(&item.text);
        if !seen.insert(who.clone()) {
            continue;
        }
        let everybody = who == Who::All;
        if item.negated {
            excluded.push(who)
        } else {
            included.push(who)
        }
        if everybody {
            break;
        }
    }
    included.reverse();
    excluded.reverse();
    (included, excluded)
}

pub(super) fn who(name: &str) -> Who {
    let id = |text: &str| text.parse::<u32>().ok();
    match name {
        "ALL" => Who::All,
        _ if name.starts_with('+') || name.starts_with("%:") => Who::Foreign(name.to_owned()),
        _ => match (name.strip_prefix("%#").and_then(id), name.strip_prefix('#').and_then(id)) {
            (Some(gid), _) => Who::Gid(gid),
            (_, Some(uid)) => Who::Uid(uid),
            _ => match name.strip_prefix('%') {
                Some(group) => Who::Group(group.to_owned()),
                None => Who::User(name.to_owned()),
            },
        },
    }
}

/// As whom a command may run, as written: `users:groups`.
pub(super) fn targets(command: &Command) -> String {
    let Some((users, groups)) = command.run_as.as_deref() else { return "root".to_owned() };
    let joined = |list: &[Item]| {
        let item = |item: &Item| format!("{}{}", if item.negated { "!" } else { "" }, item.text);
        list.iter().map(item).collect::<Vec<_>>().join(",")
    };
    let (users, groups) = (joined(users), joined(groups));
    if groups.is_empty() { users } else { format!("{users}:{groups}") }
}

/// Adds a grant; an earlier one for the same is replaced, since the last match decides.
pub(super) fn grant_last(grants: &mut Vec<Grant>, grant: Grant) {
    if grant.host_certain && grant.except.is_empty() && !grant.dated {
        grants.retain(|old| {
            let same = (&old.who, &old.via, &old.args, old.run_as, old.tool)
                == (&grant.who, &grant.via, &grant.args, grant.run_as, grant.tool);
            !same || !(grant.targets == ANYBODY || grant.targets == old.targets)
        });
    }
    grants.push(grant);
}

/// Takes away grants for people to each of whom a later rule gives every command: that one decides for them. Of a group
/// whose members are not all known, nothing is.
pub(super) fn settle(grants: &mut Vec<Grant>, accounts: &Accounts) {
    if grants.len().saturating_mul(accounts.users.len()) > MOST_COMPARED {
        return;
    }
    let mut later: Vec<(String, People)> = Vec::new();
    let mut kept = Vec::new();
    while let Some(grant) = grants.pop() {
        let people = grant.people(accounts);
        let decided = |name: &String| {
            let mut by = later.iter().filter(|(targets, _)| targets == ANYBODY || *targets == grant.targets);
            by.any(|(_, by)| by.names.contains(name))
        };
        if people.complete && !people.names.is_empty() && people.names.iter().all(decided) {
            continue;
        }
        let plain = grant.host_certain && !grant.dated && grant.denied.is_empty();
        if plain && grant.via == Via::All && later.len() < MOST_LATER {
            later.push((grant.targets.clone(), people));
        }
        kept.push(grant);
    }
    kept.reverse();
    *grants = kept;
}

/// Takes away what a later denial takes away.
pub(super) fn deny(grants: &mut Vec<Grant>, whom: &Who, command: &Command) {
    let everything = command.path == "ALL";
    let covers = |path: &str| {
        let dir = command.path.strip_suffix('/').map(|dir| format!("{dir}/*"));
        let pattern = dir.as_deref().unwrap_or(&command.path);
        command.args.is_none() && (path == command.path || glob::matches(pattern, path, true))
    };
    grants.retain_mut(|grant| {
        if grant.tool != Tool::Sudo {
            return true;
        }
        if *whom != Who::All && *whom != grant.who {
            if everything && !grant.except.contains(whom) {
                grant.except.push(whom.clone());
            }
            return true;
        }
        let gone = match &grant.via {
            _ if everything => true,
            Via::Engine(path) | Via::Shell(path) | Via::Covering(path) => covers(path),
            Via::All => false,
        };
        if !gone && grant.args == Args::Any && !grant.denied.contains(&command.path) {
            grant.denied.push(command.path.clone());
        }
        !gone
    });
}
