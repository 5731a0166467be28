//! The grammar of sudoers: aliases, defaults, rules.

use std::collections::HashMap;

use super::AFFECTS;
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
    /// The users and groups after `(`; none where the rule has none.
    pub(super) run_as: Option<(Vec<Item>, Vec<Item>)>,
}

/// One host's part of a rule.
pub(super) struct Rule {
    pub(super) users: Vec<Item>,
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

type Fault = &'static str;

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
        let users = cursor.list(false)?;
        let mut parts = Vec::new();
        loop {
            let hosts = cursor.list(true)?;
            cursor.expect('=')?;
            let commands = commands(cursor)?;
            parts.push(Rule { users: users.clone(), hosts, commands, at: at.clone() });
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
            run_as = Some((users, groups));
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

/// What is left of a line.
struct Cursor<'a> {
    text: &'a str,
}

impl<'a> Cursor<'a> {
    fn peek(&mut self) -> Option<char> {
        self.text = self.text.trim_start();
        self.text.chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.text = &self.text[wanted.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Fault> {
        match (self.take(wanted), wanted) {
            (true, _) => Ok(()),
            (false, '=') => Err("a `=` is missing"),
            (false, _) => Err("a `)` is missing"),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        if self.peek().is_none() { Ok(()) } else { Err("something follows the end of the rule") }
    }

    fn negations(&mut self) -> bool {
        let mut negated = false;
        while self.take('!') {
            negated = !negated;
        }
        negated
    }

    /// Capitals and underscores at the front, left there.
    fn capitals(&mut self) -> Option<&'a str> {
        self.peek();
        let end = self.text.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(self.text.len());
        (end > 0).then(|| &self.text[..end])
    }

    /// A word: up to a blank, a comma, or one of `stops`; quoted parts and escapes taken literally.
    fn word(&mut self, stops: &str) -> Result<String, Fault> {
        self.peek();
        let mut word = String::new();
        let mut chars = self.text.char_indices();
        let mut end = self.text.len();
        let mut quoted = false;
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => word.extend(chars.next().map(|(_, c)| c)),
                '"' => quoted = !quoted,
                _ if quoted => word.push(c),
                c if c.is_whitespace() || c == ',' || stops.contains(c) => {
                    end = at;
                    break;
                }
                c => word.push(c),
            }
        }
        if quoted {
            return Err("a quote is not closed");
        }
        self.text = &self.text[end..];
        if end == 0 { Err("a name is missing") } else { Ok(word) }
    }

    /// Names with commas between them. A host's name may hold colons (IPv6).
    fn list(&mut self, of_hosts: bool) -> Result<Vec<Item>, Fault> {
        let mut list = Vec::new();
        loop {
            let negated = self.negations();
            self.peek();
            let text = if of_hosts {
                let address = self.text.find(|c: char| !c.is_ascii_hexdigit() && !":./".contains(c));
                let address = &self.text[..address.unwrap_or(self.text.len())];
                // Two colons, or an address would not be told from the next alias.
                if address.matches(':').count() >= 2 {
                    self.text = &self.text[address.len()..];
                    address.to_owned()
                } else {
                    self.word("=:()!")?
                }
            } else if let Some(rest) = self.text.strip_prefix("%:") {
                self.text = rest;
                format!("%:{}", self.word("=:()")?)
            } else {
                self.word("=:()!")?
            };
            list.push(Item { negated, text });
            if !self.take(',') {
                return Ok(list);
            }
        }
    }

    /// Passes over `sha256:…` before a command: it narrows which content may run, and docker's own
    /// is as good as any.
    fn digests(&mut self) {
        loop {
            self.peek();
            let Some((name, rest)) = self.text.split_once(':') else { return };
            if !matches!(name.trim_end(), "sha224" | "sha256" | "sha384" | "sha512") {
                return;
            }
            let rest = rest.trim_start();
            let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
            self.text = &rest[end..];
            _ = self.take(',');
        }
    }

    /// A command with its arguments, escapes left in the path (its patterns need them).
    fn command(&mut self) -> Result<(String, Option<String>), Fault> {
        self.peek();
        if self.text.starts_with('^') {
            return self.expression();
        }
        let path = match self.text.strip_prefix('"') {
            Some(quoted) => {
                let (path, rest) = quoted.split_once('"').ok_or("a quote is not closed")?;
                self.text = rest;
                path.to_owned()
            }
            None => {
                let end = unescaped(self.text, |c, _| c.is_whitespace() || ",:=".contains(c));
                let path = &self.text[..end];
                self.text = &self.text[end..];
                path.to_owned()
            }
        };
        if path.is_empty() {
            return Err("a command is missing");
        }
        // A colon may end the rule's part for these hosts, or belong to an argument.
        let end = unescaped(self.text, |c, rest| c == ',' || (c == ':' && begins_part(rest)));
        let args = self.text[..end].trim().to_owned();
        self.text = &self.text[end..];
        Ok((path, (!args.is_empty()).then_some(args)))
    }

    /// A command given as a regular expression, `^…$`, its arguments perhaps too.
    fn expression(&mut self) -> Result<(String, Option<String>), Fault> {
        let mut ends = self.text.match_indices('$').map(|(at, _)| at + 1);
        let is_end = |end: &usize| self.text[*end..].chars().next().is_none_or(|c| c.is_whitespace() || c == ',');
        let end = ends.find(is_end).ok_or("an expression is not closed")?;
        let path = self.text[..end].to_owned();
        self.text = self.text[end..].trim_start();
        if self.text.starts_with('^') {
            let (args, _) = self.expression()?;
            return Ok((path, Some(args)));
        }
        let end = unescaped(self.text, |c, _| c == ',');
        let args = self.text[..end].trim().to_owned();
        self.text = &self.text[end..];
        Ok((path, (!args.is_empty()).then_some(args)))
    }
}

/// Where the first unescaped character lies that `stop` says so of, given with what follows it.
fn unescaped(text: &str, stop: impl Fn(char, &str) -> bool) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if stop(c, &text[at + c.len_utf8()..]) {
            return at;
        }
    }
    text.len()
}

/// Whether `HOSTS =` follows.
fn begins_part(rest: &str) -> bool {
    let Some((hosts, _)) = rest.split_once('=') else { return false };
    hosts.split(',').all(|host| {
        let host = host.trim();
        !host.is_empty() && !host.starts_with('/') && !host.contains(char::is_whitespace)
    })
}
