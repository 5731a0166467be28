//! The grammar of sudoers: aliases, defaults, rules.

use std::collections::HashMap;
use std::rc::Rc;

use super::AFFECTS;
use super::cursor::Cursor;
use super::lines::Line;
use crate::host::gap::{Gap, Place};

/// An element of a list; `negated` after an odd number of exclamation marks.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) negated: bool,
    pub(super) text: String,
}

/// A command of a rule: a path, pattern, expression, alias or `ALL`, and its arguments as written.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) negated: bool,
    pub(super) path: String,
    pub(super) args: Option<String>,
    pub(super) no_password: bool,
    pub(super) dated: bool,
    /// The users and groups after `(`, shared with the commands that follow; none where the rule has none.
    pub(super) run_as: Option<Rc<(Vec<Item>, Vec<Item>)>>,
}

/// One host's part of a rule.
pub(super) struct Rule {
    /// Shared by the hosts of one line.
    pub(super) users: Rc<Vec<Item>>,
    pub(super) hosts: Vec<Item>,
    pub(super) commands: Vec<Command>,
    pub(super) at: Place,
}

/// A `Defaults` line: for whom, and its parameters as (name, value), `!name` for those turned off.
pub(super) struct Defaults {
    pub(super) scope: Option<char>,
    pub(super) of: Vec<Item>,
    pub(super) set: Vec<(String, Option<String>)>,
}

/// All of sudoers.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) defaults: Vec<Defaults>,
    pub(super) users: HashMap<String, Vec<Item>>,
    pub(super) run_as: HashMap<String, Vec<Item>>,
    pub(super) hosts: HashMap<String, Vec<Item>>,
    pub(super) commands: HashMap<String, Vec<Command>>,
}

/// Why a line could not be parsed.
pub(super) type Fault = &'static str;

impl Rules {
    /// Parses every line; a line that cannot be parsed is a gap and leaves nothing behind, as with
    /// sudo itself.
    pub(super) fn parse(lines: &[Line]) -> (Self, Vec<Gap>) {
        let (mut rules, mut gaps) = (Self::default(), Vec::new());
        for line in lines {
            if let Err(fault) = rules.line(line) {
                gaps.push(Gap::new(line.at.to_string(), format!("not understood: {fault}"), AFFECTS));
            }
        }
        (rules, gaps)
    }

    fn line(&mut self, line: &Line) -> Result<(), Fault> {
        let mut cursor = Cursor { text: &line.text };
        let word: String = line.text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let after = line.text[word.len()..].chars().next();
        match word.as_str() {
            "Defaults" if after.is_none_or(|c| " \t@:!>".contains(c)) => {
                cursor.text = &line.text[word.len()..];
                self.defaults.push(defaults(&mut cursor)?);
                Ok(())
            }
            "User_Alias" | "Runas_Alias" | "Host_Alias" | "Cmnd_Alias" | "Cmd_Alias"
                if after.is_none_or(char::is_whitespace) =>
            {
                cursor.text = &line.text[word.len()..];
                self.aliases(&word, &mut cursor)
            }
            _ => self.rule(&mut cursor, &line.at),
        }
    }

    fn aliases(&mut self, kind: &str, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let is_command = matches!(kind, "Cmnd_Alias" | "Cmd_Alias");
        loop {
            let name = cursor.word("=")?;
            cursor.expect('=')?;
            if is_command {
                let list = commands(cursor)?;
                self.commands.entry(name).or_default().extend(list);
            } else {
                let list = cursor.list(kind == "Host_Alias")?;
                let map = match kind {
                    "User_Alias" => &mut self.users,
                    "Runas_Alias" => &mut self.run_as,
                    _ => &mut self.hosts,
                };
                map.entry(name).or_default().extend(list);
            }
            if !cursor.take(':') {
                return cursor.end();
            }
        }
    }

    fn rule(&mut self, cursor: &mut Cursor<'_>, at: &Place) -> Result<(), Fault> {
        let users = Rc::new(cursor.list(false)?);
        let mut parts = Vec::new();
        loop {
            let hosts = cursor.list(true)?;
            cursor.expect('=')?;
            let commands = commands(cursor)?;
            parts.push(Rule { users: Rc::clone(&users), hosts, commands, at: at.clone() });
            if !cursor.take(':') {
                break;
            }
        }
        cursor.end()?;
        self.rules.extend(parts);
        Ok(())
    }
}

fn defaults(cursor: &mut Cursor<'_>) -> Result<Defaults, Fault> {
    let scope = cursor.text.chars().next().filter(|c| "@:!>".contains(*c));
    let mut of = Vec::new();
    if let Some(scope) = scope {
        cursor.text = &cursor.text[1..];
        of = cursor.list(scope == '@')?;
    }
    let mut set = Vec::new();
    loop {
        let off = if cursor.take('!') { "!" } else { "" };
        let name = format!("{off}{}", cursor.word("=+-")?);
        _ = cursor.take('+') || cursor.take('-');
        let value = if cursor.take('=') { Some(cursor.word("")?) } else { None };
        set.push((name, value));
        if !cursor.take(',') {
            cursor.end()?;
            return Ok(Defaults { scope, of, set });
        }
    }
}

const TAGS: [&str; 16] = [
    "NOPASSWD",
    "PASSWD",
    "NOEXEC",
    "EXEC",
    "SETENV",
    "NOSETENV",
    "LOG_INPUT",
    "NOLOG_INPUT",
    "LOG_OUTPUT",
    "NOLOG_OUTPUT",
    "MAIL",
    "NOMAIL",
    "FOLLOW",
    "NOFOLLOW",
    "INTERCEPT",
    "NOINTERCEPT",
];
const OPTIONS: [&str; 10] =
    ["ROLE", "TYPE", "PRIVS", "LIMITPRIVS", "APPARMOR_PROFILE", "CWD", "CHROOT", "TIMEOUT", "NOTBEFORE", "NOTAFTER"];

/// A list of commands; what stands before one (users, tags) holds for those after it too.
fn commands(cursor: &mut Cursor<'_>) -> Result<Vec<Command>, Fault> {
    let mut list = Vec::new();
    let (mut run_as, mut no_password, mut dated) = (None, false, false);
    loop {
        if cursor.take('(') {
            let users = if cursor.peek() == Some(':') || cursor.peek() == Some(')') {
                Vec::new()
            } else {
                cursor.list(false)?
            };
            let groups = if cursor.take(':') && cursor.peek() != Some(')') { cursor.list(false)? } else { Vec::new() };
            cursor.expect(')')?;
            run_as = Some(Rc::new((users, groups)));
        }
        while let Some(word) = cursor.capitals() {
            let after = cursor.text.trim_start()[word.len()..].trim_start();
            if OPTIONS.contains(&word) && after.starts_with('=') {
                dated |= matches!(word, "NOTBEFORE" | "NOTAFTER");
                cursor.text = &after[1..];
                cursor.word("")?;
            } else if TAGS.contains(&word) && after.starts_with(':') {
                match word {
                    "NOPASSWD" => no_password = true,
                    "PASSWD" => no_password = false,
                    _ => {}
                }
                cursor.text = &after[1..];
            } else {
                break;
            }
        }
        cursor.digests();
        let negated = cursor.negations();
        cursor.digests();
        let (path, args) = cursor.command()?;
        list.push(Command { negated, path, args, no_password, dated, run_as: run_as.clone() });
        if !cursor.take(',') {
            return Ok(list);
        }
    }
}
