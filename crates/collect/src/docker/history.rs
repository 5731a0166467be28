//! What an image's build steps say, from the classic builder and from BuildKit.

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::json::{MOST_ITEMS, Node, Read, cut};
use super::secrets::Secrets;
use crate::redact::Redactor;

mod unverified;

pub(crate) use unverified::is_unverified;

/// The most bytes of one step that are searched.
const MOST_STEP: usize = 64 << 10;

/// The fewest bytes of a base image's root file system.
const SMALLEST_SYSTEM: i64 = 512 << 10;

/// What was found in the build steps of one image.
#[derive(Debug)]
pub(super) struct History {
    pub(super) steps: Value,
    pub(super) complete: bool,
    pub(super) adds: Value,
    pub(super) remote_adds: Value,
    pub(super) updates_alone: Value,
    pub(super) unverified_fetches: Value,
    pub(super) secrets: Value,
}

/// One build step in the form of a Dockerfile.
#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    /// `RUN`, `ADD`, …; `RUN` too for a shell command that is not marked as anything else.
    instruction: &'a str,
    /// What follows it, build arguments taken off.
    text: &'a str,
    /// `NAME=value` of the build arguments that a RUN was given.
    arguments: Vec<&'a str>,
}

/// Reads `GET /images/ID/history`, newest step first.
///
/// # Errors
/// Why the answer is no history, or that it is empty.
pub(super) fn history(json: &Json, redactor: &Redactor) -> Read<History> {
    let items = Node::of(json).list()?;
    if items.is_empty() {
        return Err("its history is empty".into());
    }
    let mut found = Found { secrets: Secrets::default(), ..Found::default() };
    let mut recorded = false;
    let last = items.len().min(MOST_ITEMS) - 1;
    for (at, item) in items.iter().enumerate().take(MOST_ITEMS) {
        let text = Node::of(item).get("CreatedBy").text_or_empty()?;
        let text = within(text, MOST_STEP);
        if text.trim().is_empty() {
            continue;
        }
        recorded = true;
        let kept = redactor.text(text);
        let step = parse(text);
        // The smallest base systems have a megabyte; what an author adds to nothing is told from them by its size.
        let is_system = Node::of(item).get("Size").int().is_ok_and(|size| size >= SMALLEST_SYSTEM);
        found.judge(redactor, &step, &kept, at == last && is_system);
        found.steps.push(kept.as_ref().into());
    }
    Ok(History {
        steps: Value::List(found.steps),
        complete: recorded && !is_squashed(items),
        adds: Value::List(found.adds),
        remote_adds: Value::List(found.remote_adds),
        updates_alone: Value::List(found.updates_alone),
        unverified_fetches: Value::List(found.unverified_fetches),
        secrets: found.secrets.into_value(),
    })
}

/// An imported image has one step without a command; `--squash` leaves steps without bytes below one that says merge.
fn is_squashed(items: &[Json]) -> bool {
    items
        .iter()
        .any(|item| item.get("Comment").and_then(Json::as_str).is_some_and(|text| text.starts_with("merge sha256:")))
        || items.last().is_some_and(|oldest| {
            oldest.get("Comment").and_then(Json::as_str).is_some_and(|text| text.starts_with("Imported from"))
                && items.len() == 1
        })
}

#[derive(Default)]
struct Found {
    steps: Vec<Value>,
    adds: Vec<Value>,
    remote_adds: Vec<Value>,
    updates_alone: Vec<Value>,
    unverified_fetches: Vec<Value>,
    secrets: Secrets,
}

impl Found {
    fn judge(&mut self, redactor: &Redactor, step: &Step<'_>, kept: &str, base: bool) {
        let kept = cut(kept);
        let label = step.instruction;
        for argument in &step.arguments {
            self.secrets.variable(redactor, "build argument", argument);
        }
        match label {
            // A base image begins with the ADD of its root file system, which no COPY could do.
            "ADD" if is_remote(step.text) || is_sum(step.text) => self.remote_adds.push(kept.into()),
            "ADD" if base && into_root(step.text) => {}
            "ADD" => {
                if step.text.starts_with("multi:") {
                    self.remote_adds.push(Value::unknown("an ADD of several sources is recorded without their names"));
                }
                self.adds.push(kept.into());
            }
            "ENV" | "ARG" | "LABEL" => {
                let pairs = pairs(step.text);
                for pair in &pairs {
                    self.secrets.variable(redactor, label, pair);
                }
                if label != "LABEL" && pairs.iter().any(|pair| unverified::is_switch(pair)) {
                    self.unverified_fetches.push(kept.into());
                }
            }
            "RUN" => {
                if updates_alone(step.text) {
                    self.updates_alone.push(kept.into());
                }
                if is_unverified(step.text) {
                    self.unverified_fetches.push(kept.into());
                }
            }
            _ => {}
        }
        if !matches!(label, "ENV" | "ARG" | "LABEL") {
            self.secrets.text(redactor, label, step.text);
        }
    }
}

/// Takes a step apart.
fn parse(text: &str) -> Step<'_> {
    let text = text.trim().trim_end_matches("# buildkit").trim_end();
    // `/bin/sh -c #(nop)  ADD file:… in /`: an instruction of the classic builder that runs nothing.
    if let Some((_, rest)) = text.split_once("#(nop)")
        && text.find("#(nop)").is_some_and(|at| at < 64)
    {
        return instruction(rest.trim_start());
    }
    if let Some(rest) = text.strip_prefix("RUN ") {
        let (arguments, rest) = build_arguments(rest.trim_start());
        return Step { instruction: "RUN", text: shell(rest), arguments };
    }
    if text.starts_with('|') || text.starts_with("/bin/sh -c ") || text.starts_with("cmd /S /C ") {
        let (arguments, rest) = build_arguments(text);
        return Step { instruction: "RUN", text: shell(rest), arguments };
    }
    let step = instruction(text);
    if step.instruction.is_empty() { Step { instruction: "RUN", text, arguments: Vec::new() } } else { step }
}

const INSTRUCTIONS: [&str; 17] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

fn instruction(text: &str) -> Step<'_> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if INSTRUCTIONS.contains(&word) {
        Step { instruction: word, text: rest.trim(), arguments: Vec::new() }
    } else {
        Step { instruction: "", text, arguments: Vec::new() }
    }
}

/// `|2 A=b TOKEN=abc /bin/sh -c …`: the build arguments that a step was given, and the rest. Values may hold spaces,
/// so the shell's own words end them.
fn build_arguments(text: &str) -> (Vec<&str>, &str) {
    let Some(rest) = text.strip_prefix('|') else { return (Vec::new(), text) };
    let Some((count, rest)) = rest.split_once(' ') else { return (Vec::new(), text) };
    let Ok(count) = count.parse::<usize>() else { return (Vec::new(), text) };
    let mut arguments = Vec::new();
    let mut rest = rest;
    for index in 0..count.min(128) {
        let mut end = if index + 1 == count { next_shell(rest) } else { next_assignment(rest) };
        if end.is_none() {
            end = rest.find(' ');
        }
        let Some(end) = end else { break };
        arguments.push(rest[..end].trim());
        rest = rest[end..].trim_start();
    }
    (arguments, rest)
}

/// Where the next `NAME=` begins, after a space.
fn next_assignment(text: &str) -> Option<usize> {
    let is_name = |word: &str| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    text.match_indices(' ').map(|(at, _)| at).find(|at| text[at + 1..].split(' ').next().is_some_and(is_name))
}

/// Where the shell that runs a step begins, after a space: any that SHELL may name, wherever it lies.
fn next_shell(text: &str) -> Option<usize> {
    const SHELLS: [&str; 11] =
        ["sh", "bash", "ash", "dash", "ksh", "zsh", "fish", "env", "busybox", "pwsh", "powershell"];
    let is_shell = |word: &str| SHELLS.contains(&file_name(word));
    text.match_indices(' ').map(|(at, _)| at).find(|at| text[at + 1..].split(' ').next().is_some_and(is_shell))
}

/// The command without the shell that runs it.
fn shell(text: &str) -> &str {
    for prefix in
        ["/bin/sh -c ", "/bin/bash -c ", "/bin/bash -o pipefail -c ", "/bin/ash -eo pipefail -c ", "/bin/sh -ec "]
    {
        if let Some(rest) = text.strip_prefix(prefix) {
            return rest;
        }
    }
    text
}

/// `NAME=value` pairs of ENV, ARG and LABEL, quotes taken off; the old `ENV NAME value` too.
pub(crate) fn pairs(text: &str) -> Vec<String> {
    let first = text.split_whitespace().next().unwrap_or("");
    if !first.contains('=') {
        return match text.split_once(char::is_whitespace) {
            Some((name, value)) => vec![format!("{name}={}", value.trim())],
            None => Vec::new(),
        };
    }
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, quote) {
            ('\\', _) => word.extend(characters.next()),
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    out.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        out.push(word);
    }
    // A classic `ENV A=b c` records values with spaces unquoted: a word without a name belongs to the one before.
    let mut merged: Vec<String> = Vec::new();
    for word in out.into_iter().take(256) {
        match merged.last_mut() {
            Some(last) if !word.contains('=') => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => merged.push(word),
        }
    }
    merged
}

/// The sources of an ADD or COPY: all its words but options and the destination.
fn sources(text: &str) -> impl Iterator<Item = &str> {
    let end = text.rfind(" in ").or_else(|| text.trim_end().rfind(' ')).unwrap_or(text.len());
    text[..end]
        .trim_matches(['[', ']'])
        .split([' ', ','])
        .map(|word| word.trim_matches('"'))
        .filter(|word| !word.is_empty() && !word.starts_with("--"))
}

pub(crate) fn is_remote(text: &str) -> bool {
    const SCHEMES: [&str; 6] = ["http://", "https://", "ftp://", "git://", "git@", "ssh://"];
    sources(text).any(|source| SCHEMES.iter().any(|scheme| source.starts_with(scheme)))
}

/// Whether a source is recorded as its sum alone, which the classic builder does with what it fetched; before the sum of
/// what it was sent stands `file:`, `dir:` or `multi:`.
fn is_sum(text: &str) -> bool {
    let source = text.split_once(" in ").map_or("", |(source, _)| source);
    source.len() == 64 && source.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether the destination is `/`: `file:… in /` of the classic builder, `rootfs.tar /` of BuildKit.
fn into_root(text: &str) -> bool {
    text.split_whitespace().next_back() == Some("/")
}

/// The commands of a shell line, each as its words.
pub(crate) fn commands(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split(['\n', ';', '&', '|', '(', ')', '{', '}', '`'])
        .map(|command| {
            command
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'', ',', '[', ']']))
                .filter(|word| !word.is_empty() && *word != "\\")
                .collect::<Vec<_>>()
        })
        .filter(|words| !words.is_empty())
}

/// The package manager of a command and its verb, options left out.
fn verb<'a>(words: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let at = words.iter().position(|word| {
        matches!(
            file_name(word),
            "apt-get" | "apt" | "aptitude" | "apk" | "yum" | "dnf" | "microdnf" | "tdnf" | "zypper" | "pacman"
        )
    })?;
    // What is printed, or stands in a comment, is not done.
    let said = |word: &&str| word.starts_with('#') || matches!(file_name(word), "echo" | "printf");
    if words[..at].iter().any(said) {
        return None;
    }
    let program = file_name(words[at]);
    let mut rest = words[at + 1..].iter();
    while let Some(word) = rest.next() {
        if program == "pacman" {
            if word.starts_with("--") {
                continue;
            }
            return Some((program, word));
        }
        // `-o Option=value` and `-t release` take a value; every other option stands alone.
        if matches!(*word, "-o" | "-c" | "-t" | "--option" | "--root" | "-p" | "--repository" | "-X") {
            rest.next();
        } else if !word.starts_with('-') {
            return Some((program, word));
        }
    }
    None
}

pub(crate) fn file_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether words that are no options follow a verb, up to where its output goes.
fn names_packages(words: &[&str], verb: &str) -> bool {
    let after = words.iter().skip_while(|word| **word != verb).skip(1);
    after.take_while(|word| !word.contains(['>', '<', '#'])).any(|word| !word.starts_with('-'))
}

/// Whether a step updates package lists and installs nothing.
pub(crate) fn updates_alone(text: &str) -> bool {
    let (mut updates, mut installs) = (false, false);
    for words in commands(text) {
        let Some((program, verb)) = verb(&words) else { continue };
        match (program, verb) {
            ("apt-get" | "apt" | "aptitude" | "apk", "update")
            | ("yum" | "dnf" | "microdnf" | "tdnf", "makecache" | "check-update")
            | ("zypper", "refresh" | "ref") => updates = true,
            // With names of packages it installs them.
            ("pacman", "-Sy" | "-Syy") if !names_packages(&words, verb) => updates = true,
            // `yum update` upgrades.
            (
                "yum" | "dnf" | "microdnf" | "tdnf",
                "update" | "upgrade" | "install" | "groupinstall" | "localinstall",
            )
            | (
                "apt-get" | "apt" | "aptitude",
                "install" | "upgrade" | "dist-upgrade" | "full-upgrade" | "build-dep" | "safe-upgrade" | "download"
                | "source",
            )
            | ("apk", "add" | "upgrade" | "fetch")
            | ("zypper", "install" | "in" | "update" | "up" | "dup" | "patch") => installs = true,
            ("pacman", verb) if verb.starts_with("-S") || verb.starts_with("-U") => installs = true,
            _ => {}
        }
    }
    updates && !installs
}

pub(crate) fn within(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
