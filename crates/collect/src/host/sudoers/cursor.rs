//! Taking a line of sudoers apart, from left to right.

use super::parse::{Fault, Item};

/// What is left of a line.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn peek(&mut self) -> Option<char> {
        self.text = self.text.trim_start();
        self.text.chars().next()
    }

    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.text = &self.text[wanted.len_utf8()..];
        }
        found
    }

    pub(super) fn expect(&mut self, wanted: char) -> Result<(), Fault> {
        match (self.take(wanted), wanted) {
            (true, _) => Ok(()),
            (false, '=') => Err("a `=` is missing"),
            (false, _) => Err("a `)` is missing"),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Fault> {
        if self.peek().is_none() { Ok(()) } else { Err("something follows the end of the rule") }
    }

    pub(super) fn negations(&mut self) -> bool {
        let mut negated = false;
        while self.take('!') {
            negated = !negated;
        }
        negated
    }

    /// Capitals and underscores at the front, left there.
    pub(super) fn capitals(&mut self) -> Option<&'a str> {
        self.peek();
        let end = self.text.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(self.text.len());
        (end > 0).then(|| &self.text[..end])
    }

    /// A word: up to a blank, a comma, or one of `stops`; quoted parts and escapes taken literally.
    pub(super) fn word(&mut self, stops: &str) -> Result<String, Fault> {
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
    pub(super) fn list(&mut self, of_hosts: bool) -> Result<Vec<Item>, Fault> {
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
    pub(super) fn digests(&mut self) {
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
    pub(super) fn command(&mut self) -> Result<(String, Option<String>), Fault> {
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
