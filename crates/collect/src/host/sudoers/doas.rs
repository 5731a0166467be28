//! `doas.conf`: one rule per line, the last that matches decides.

use super::command::{self, Via};
use super::grants::{ANYBODY, grant_last, who};
use super::{AFFECTS, Grant, Password, Reach, RunAs, Tool, Who};
use crate::host::accounts::Accounts;
use crate::host::gap::{Gap, Place};
use crate::host::root::{Root, Unread};

const MOST_RULES: usize = 10_000;

/// Reads doas.conf and the directory that Alpine reads beside it.
pub(super) fn read(root: &Root, accounts: &Accounts, group: &str, reach: &mut Reach) {
    let mut paths = vec!["/etc/doas.conf".to_owned(), "/usr/local/etc/doas.conf".to_owned()];
    match root.list("/etc/doas.d", 1000) {
        Ok(names) => paths.extend(names.iter().filter_map(|name| {
            let name = name.to_string_lossy();
            name.ends_with(".conf").then(|| format!("/etc/doas.d/{name}"))
        })),
        Err(unread) => reach.gaps.extend(Gap::of("/etc/doas.d", &unread, AFFECTS)),
    }
    for path in paths {
        match root.read_text(&path) {
            Ok(text) => file(root, accounts, group, &path, &text, reach),
            Err(Unread::Absent) => {}
            Err(unread) => reach.gaps.push(Gap::new(path, &unread, AFFECTS)),
        }
    }
}

fn file(root: &Root, accounts: &Accounts, group: &str, path: &str, text: &str, reach: &mut Reach) {
    reach.files.push(path.to_owned());
    let mut joined = String::new();
    let mut first = 0;
    for (index, line) in text.lines().enumerate().take(MOST_RULES) {
        if joined.is_empty() {
            first = index + 1;
        }
        joined.push_str(line);
        if joined.ends_with('\\') {
            joined.pop();
            continue;
        }
        let at = Place::new(path, first);
        let words = words(&joined);
        joined.clear();
        if words.is_empty() {
            continue;
        }
        if rule(root, accounts, group, &words, &at, &mut reach.grants).is_none() {
            reach.gaps.push(Gap::new(at.to_string(), "not a rule of doas", AFFECTS));
        }
    }
}

/// None when it is no rule.
fn rule(
    root: &Root,
    accounts: &Accounts,
    group: &str,
    words: &[String],
    at: &Place,
    grants: &mut Vec<Grant>,
) -> Option<()> {
    let mut words = words.iter().map(String::as_str).peekable();
    let permit = match words.next()? {
        "permit" => true,
        "deny" => false,
        _ => return None,
    };
    let mut password = Password::Own;
    while let Some(option) = words.peek() {
        match *option {
            "nopass" => password = Password::None,
            "nolog" | "persist" | "keepenv" => {}
            "setenv" => {
                words.next();
                if words.next()? != "{" {
                    return None;
                }
                words.by_ref().find(|word| *word == "}")?;
                continue;
            }
            _ => break,
        }
        words.next();
    }
    let identity = words.next()?;
    let who = match identity.strip_prefix(':') {
        Some(group) => group.parse().map_or_else(|_| Who::Group(group.to_owned()), Who::Gid),
        None => identity.parse().map_or_else(|_| who(identity), Who::Uid),
    };
    let (mut target, mut command, mut args) = (None, None, None);
    while let Some(word) = words.next() {
        match word {
            "as" => target = Some(words.next()?),
            "cmd" => command = Some(words.next()?),
            "args" => args = Some(words.by_ref().collect::<Vec<_>>().join(" ")),
            _ => return None,
        }
    }
    let members = || accounts.members(group).names;
    let run_as = match target {
        None | Some("root" | "0") => RunAs::Root,
        Some(name) if accounts.user(name).is_some_and(|user| user.uid == 0) => RunAs::Root,
        Some(name) if members().iter().any(|member| member.name == name) => RunAs::DockerGroup,
        Some(_) => return Some(()),
    };
    if !permit {
        match command {
            None => grants.retain(|grant| grant.tool != Tool::Doas || grant.who != who),
            Some(path) => grants.retain(|grant| {
                let same = matches!(&grant.via, Via::Engine(known) | Via::Shell(known) if known == path);
                grant.tool != Tool::Doas || grant.who != who || !same
            }),
        }
        return Some(());
    }
    let args = args.map(|args| if args.is_empty() { "\"\"".to_owned() } else { args });
    // A command without a slash is looked for on the path.
    let command = command.map(|path| if path.contains('/') { path.to_owned() } else { format!("/usr/bin/{path}") });
    let judged = command::judge(root, command.as_deref().unwrap_or("ALL"), args.as_deref()).ok()?;
    if let Some((via, args)) = judged {
        let (tool, except, denied, at) = (Tool::Doas, Vec::new(), Vec::new(), at.clone());
        let (host_certain, dated) = (true, false);
        let targets = target.unwrap_or(ANYBODY).to_owned();
        let grant = Grant { tool, who, except, run_as, targets, via, args, denied, password, host_certain, dated, at };
        grant_last(grants, grant);
    }
    Some(())
}

fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted => break,
            '{' | '}' if !quoted => {
                words.extend(word.take());
                words.push(c.to_string());
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
