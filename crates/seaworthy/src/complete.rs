//! Completion of what exists: the shell asks the program itself (`COMPLETE=bash seaworthy`), and `paths` answers with the
//! entries and jewels of the host, or of the snapshot that stands on the line.
//!
//! It is silent whatever happens, bounded in time and number, and says nothing that a shell would take for more than a
//! word: names come from the audited host.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use clap::CommandFactory as _;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use seaworthy_catalog::Catalog;
use seaworthy_core::derive::derive;
use seaworthy_core::step::{CAPABILITIES, ends};

use crate::arguments::{Arguments, Platform, SourceArguments, TargetArguments};
use crate::input;

/// How long a person waits for a completion.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most candidates of one kind.
const MOST: usize = 500;

/// Answers a shell that asks, and ends then; else does nothing.
pub fn complete() {
    CompleteEnv::with_factory(command).complete();
}

fn command() -> clap::Command {
    Arguments::command().mut_subcommand("paths", |paths| {
        let entries = |current: &OsStr| named(current, true);
        paths
            .mut_arg("from", move |arg| arg.add(ArgValueCompleter::new(move |current: &OsStr| from(current, entries))))
            .mut_arg("entry", move |arg| arg.add(ArgValueCompleter::new(entries)))
            .mut_arg("to", |arg| arg.add(ArgValueCompleter::new(|current: &OsStr| named(current, false))))
    })
}

/// `--from` takes an entry as well as a snapshot.
fn from(current: &OsStr, entries: impl Fn(&OsStr) -> Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    let mut out = entries(current);
    out.extend(PathCompleter::file().complete(current));
    out
}

/// The entries or jewels that begin so; without a host those that every host may have.
fn named(current: &OsStr, entry: bool) -> Vec<CompletionCandidate> {
    let Some(begin) = current.to_str() else { return Vec::new() };
    let (sender, answer) = mpsc::channel();
    // It ends with the program, which ends with the answer.
    std::thread::spawn(move || sender.send(there(entry)));
    let names = answer.recv_timeout(PATIENCE).ok().flatten().unwrap_or_else(|| everywhere(entry));
    let fits = names.iter().filter(|name| name.starts_with(begin) && is_word(name));
    fits.take(MOST).map(CompletionCandidate::new).collect()
}

/// What there is on the host or in the snapshot that the line names.
fn there(entry: bool) -> Option<Vec<String>> {
    let line: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let mut snapshot = input::snapshot(&target(&line), true).ok()?;
    if snapshot.targets.iter().all(|t| t.components.is_empty()) {
        return None;
    }
    derive(&mut snapshot, &Catalog::embedded().flaws);
    Some(ends(&seaworthy_model::diagram(&snapshot, None), entry))
}

fn everywhere(entry: bool) -> Vec<String> {
    let fits = |c: &&seaworthy_core::step::Capability| if entry { c.entry } else { c.jewel.is_some() };
    CAPABILITIES.iter().filter(fits).map(|c| c.name.to_owned()).collect()
}

/// Whether a shell takes a name for one word and nothing else.
fn is_word(name: &str) -> bool {
    name.len() <= 200
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:/@+".contains(c))
}

/// What a line asks to look at: a snapshot, the demonstration, an engine.
fn target(line: &[String]) -> TargetArguments {
    let given = |flag: &str| -> Vec<String> {
        let joined = format!("{flag}=");
        let next = line.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].clone());
        next.chain(line.iter().filter_map(|word| word.strip_prefix(&joined).map(str::to_owned))).collect()
    };
    let files = given("--from").into_iter().map(PathBuf::from);
    TargetArguments {
        paths: Vec::new(),
        kubernetes_version: None,
        source: SourceArguments {
            docker: given("--docker").into_iter().filter(|host| !host.is_empty()).collect(),
            docker_context: given("--docker-context").into_iter().next(),
            kubeconfig: given("--kubeconfig").into_iter().next().map(PathBuf::from),
            context: given("--context").into_iter().next(),
            namespace: given("--namespace"),
            secrets: false,
            only: None,
            // Not standard input: that is the terminal's.
            from: files.filter(|path| path.is_file()).collect(),
            demo: line.iter().position(|word| word == "--demo").map(|at| match line.get(at + 1).map(String::as_str) {
                Some("kubernetes") => Platform::Kubernetes,
                _ => Platform::Docker,
            }),
            evidence: Vec::new(),
            root: given("--root").into_iter().next().map(PathBuf::from),
            deep: false,
            copy: false,
            timeout: 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_are_offered() {
        for name in ["web", "shop_web_1", "registry.example:5000", "host-root", "tools/ci:2024"] {
            assert!(is_word(name), "{name}");
        }
        for name in ["", "-rf", "a b", "$(id)", "a;b", "`id`", "a\nb", "a'b", "a\\b", "~", "é", "a*"] {
            assert!(!is_word(name), "{name}");
        }
        assert!(!is_word(&"a".repeat(201)));
    }

    #[test]
    fn a_line_says_what_to_look_at() {
        let line = |text: &str| target(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(line("seaworthy paths --demo --to ").source.demo, Some(Platform::Docker));
        assert_eq!(line("seaworthy paths --demo kubernetes --to ").source.demo, Some(Platform::Kubernetes));
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/snapshot.json.gz");
        assert_eq!(line(&format!("seaworthy paths --from {file} --to x")).source.from, [PathBuf::from(file)]);
        assert_eq!(line(&format!("seaworthy paths --from={file} --from we")).source.from, [PathBuf::from(file)]);
        assert_eq!(line("seaworthy paths --docker tcp://h:1 --to ").source.docker, ["tcp://h:1"]);
        assert!(line("seaworthy paths --from - --to ").source.from.is_empty());
    }
}
