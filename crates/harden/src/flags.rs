//! dockerd's command line.

use seaworthy_core::dockerd::{Key, by_flag, by_short};

/// A flag as it was given, by its long name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name without dashes.
    pub name: String,
    /// Its value; none for a switch that stands alone.
    pub value: Option<String>,
}

impl Flag {
    /// As one argument.
    #[must_use]
    pub fn argument(&self) -> String {
        match &self.value {
            Some(value) => format!("--{}={value}", self.name),
            None => format!("--{}", self.name),
        }
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.value.as_deref().is_none_or(|v| matches!(v, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

/// The flags of a command line without the program's name.
#[must_use]
pub fn parse(arguments: &[String]) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None if by_flag(long).is_some_and(Key::is_switch) => (long, None),
                None => (long, rest.next().cloned()),
            };
            flags.push(Flag { name: known_as(name).to_owned(), value });
        } else if let Some(letters) = argument.strip_prefix('-') {
            cluster(letters, &mut rest, &mut flags);
        }
    }
    flags
}

/// The name of today for a flag.
fn known_as(name: &str) -> &str {
    if name == "graph" { "data-root" } else { name }
}

/// One-letter flags behind one dash: the first that wants a value takes what is left.
fn cluster<'a>(letters: &str, rest: &mut impl Iterator<Item = &'a String>, flags: &mut Vec<Flag>) {
    for (at, letter) in letters.char_indices() {
        let Some(key) = by_short(letter) else { return };
        let left = &letters[at + letter.len_utf8()..];
        let value = match left.strip_prefix('=') {
            Some(value) => Some(value.to_owned()),
            None if key.is_switch() => None,
            None if left.is_empty() => rest.next().cloned(),
            None => Some(left.to_owned()),
        };
        let done = value.is_some();
        flags.push(Flag { name: known_as(key.flag).to_owned(), value });
        if done || !key.is_switch() {
            return;
        }
    }
}

/// The last value that a flag was given.
#[must_use]
pub fn value<'a>(flags: &'a [Flag], name: &str) -> Option<&'a str> {
    flags.iter().rev().find(|f| f.name == name)?.value.as_deref()
}

/// Whether a flag was given at all.
#[must_use]
pub fn has(flags: &[Flag], name: &str) -> bool {
    flags.iter().any(|f| f.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&arguments).iter().map(Flag::argument).collect()
    }

    #[test]
    fn flags_are_read_as_the_engine_reads_them() {
        assert_eq!(of("-H fd:// --containerd=/c.sock"), ["--host=fd://", "--containerd=/c.sock"]);
        assert_eq!(of("-DH unix:///s --icc --group a"), ["--debug", "--host=unix:///s", "--icc", "--group=a"]);
        assert_eq!(of("-Htcp://1:2 -D=false --graph /g"), ["--host=tcp://1:2", "--debug=false", "--data-root=/g"]);
        assert_eq!(
            of("--live-restore --authorization-plugin x -- --icc"),
            ["--live-restore", "--authorization-plugin=x"]
        );
        let flags = parse(&["--icc=false".into(), "--debug".into(), "--mtu".into()]);
        assert!(!flags[0].is_on() && flags[1].is_on() && has(&flags, "mtu") && value(&flags, "mtu").is_none());
    }
}
