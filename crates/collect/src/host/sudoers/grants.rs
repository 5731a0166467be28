//! Lists of users, and what a later rule does to earlier grants.

use std::collections::HashSet;

use super::command::{Args, Via};
use super::parse::{Command, Item};
use super::{Grant, Tool, Who};
use crate::host::glob;

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

/// Adds a grant; an earlier one for the same is replaced, since the last match decides.
pub(super) fn grant_last(grants: &mut Vec<Grant>, grant: Grant) {
    if grant.host_certain && grant.except.is_empty() && !grant.dated {
        grants.retain(|old| {
            let same = (&old.who, &old.via, &old.args, old.run_as, old.tool)
                == (&grant.who, &grant.via, &grant.args, grant.run_as, grant.tool);
            !same
        });
    }
    grants.push(grant);
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
