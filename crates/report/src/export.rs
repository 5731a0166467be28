//! The threat model in the formats of other tools.
//!
//! The ids in them are made from the ids of the diagram, so that the same thing has the same id in the next export;
//! nothing depends on a clock or on chance. Names, values and reasons are bounded and made harmless; what a format
//! cannot say (that something is unknown, say) is said in words and never rounded towards safety.

mod drawn;
mod layout;
pub mod navigator;
pub mod otm;
pub mod threat_dragon;
pub mod tm_bom;

use std::collections::HashSet;
use std::io::{self, Write};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::FactRef;
use seaworthy_core::fact::Fact;
use seaworthy_core::identity::fingerprint;
use seaworthy_core::threat::{Instance, Status, Stride};
use seaworthy_core::verdict::{Severity, Verdict};
use seaworthy_core::waiver::Waiver;
use serde::{Serialize, Serializer};

use crate::clean::{bounded, clean, one_line, shown, value};
use crate::{json, words};

/// The version of ATT&CK that the catalogue's techniques are of.
pub const ATTACK: &str = "18";

/// The most characters of a name.
const NAME: usize = 300;

/// The most characters of a text of several lines.
const TEXT: usize = 4000;

/// The most facts that one statement names.
const FACTS: usize = 8;

/// Writes a document with a line for each item of its lists.
fn write(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, json::Lines::down_to(2));
    document.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// A list whose items are made as they are written.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: IntoIterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// An id of lower-case letters, digits and hyphens that is always the same for the same thing: `container-0f…`.
pub fn symbol(kind: &str, id: &str) -> String {
    let word = words::kind(kind).chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    format!("{}-{}", word.take(40).collect::<String>(), fingerprint(&[kind, id]))
}

/// The same ids, a repeated one with a number, so that each is there once.
pub fn unique(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut out = Vec::new();
    for id in ids {
        let mut candidate = id.clone();
        let mut number = 1usize;
        while !taken.insert(candidate.clone()) {
            number += 1;
            candidate = format!("{id}-{number}");
        }
        out.push(candidate);
    }
    out
}

/// A name, bounded and harmless; never empty.
fn name(text: &str) -> String {
    if text.trim().is_empty() { "(no name)".to_owned() } else { bounded(text, NAME).into_owned() }
}

/// A text of the catalogue, which keeps its lines.
fn paragraphs(text: &str) -> String {
    let end = text.char_indices().nth(TEXT).map_or(text.len(), |(at, _)| at);
    text[..end].trim().lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// `Threat model of local, vm-2`, of at most three targets by name.
fn title(model: &Assessment<'_>) -> String {
    let targets = &model.audit.snapshot.targets;
    let names: Vec<String> = targets.iter().take(3).map(|t| bounded(&t.name, 80).into_owned()).collect();
    let more = targets.len().saturating_sub(3);
    match (names.is_empty(), more) {
        (true, _) => "Threat model of nothing".to_owned(),
        (false, 0) => format!("Threat model of {}", names.join(", ")),
        (false, more) => format!("Threat model of {} and {more} more", names.join(", ")),
    }
}

/// When and by what the facts were read.
fn made(model: &Assessment<'_>) -> String {
    let when = words::instant(model.audit.snapshot.collected_at);
    format!("Derived by Seaworthy {} from facts read at {when}.", env!("CARGO_PKG_VERSION"))
}

/// A fact with its component and source, in a line.
fn fact_line(component: &str, name: &str, fact: &Fact) -> String {
    format!("{}: {name} = {} ({})", bounded(component, 80), value(&fact.value), shown(&fact.source, 200))
}

/// The facts that something rests on, each in a line; how many more there are, where they are many.
fn evidence(model: &Assessment<'_>, facts: &[FactRef]) -> Vec<String> {
    let lines = facts.iter().filter_map(|f| model.fact(*f)).map(|(c, n, fact)| fact_line(c, n, fact));
    capped(lines, FACTS)
}

/// At most so many lines, and how many are left out.
fn capped(lines: impl Iterator<Item = String>, most: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut left = 0usize;
    for line in lines {
        if out.len() < most {
            out.push(line);
        } else {
            left += 1;
        }
    }
    if left > 0 {
        out.push(format!("and {left} more"));
    }
    out
}

/// What decided an instance and the facts behind it, each in a line.
pub fn decided(model: &Assessment<'_>, instance: &Instance) -> Vec<String> {
    let audit = model.audit;
    let mut lines = Vec::new();
    for finding in instance.decided_by.iter().take(FACTS).map(|i| &audit.findings[*i]) {
        let component = audit.component_name(finding);
        let title = one_line(audit.check(finding).title.trim_end_matches('.'));
        lines.push(format!("{}: {title}: {}", bounded(component, 80), finding.judgement.verdict.word()));
        let facts = audit.facts(finding).into_iter();
        lines.extend(capped(facts.map(|(name, fact)| fact_line(component, name, fact)), FACTS));
    }
    if instance.decided_by.len() > FACTS {
        lines.push(format!("and {} findings more", instance.decided_by.len() - FACTS));
    }
    lines.extend(evidence(model, &instance.facts));
    lines
}

/// The waiver that accepts an instance: its own, or that of a finding which decides it.
pub fn waiver<'m>(model: &Assessment<'m>, instance: &Instance) -> Option<&'m Waiver> {
    let of_findings = instance.decided_by.iter().find_map(|i| model.audit.waived.get(*i).copied().flatten());
    instance.waiver.or(of_findings).and_then(|w| model.audit.waivers.get(w))
}

/// What becomes of an instance, in a sentence.
fn status(model: &Assessment<'_>, instance: &Instance) -> String {
    match instance.status {
        Status::Open => "Open.".to_owned(),
        Status::Answered => "Answered.".to_owned(),
        Status::Undetermined => match reason(model, instance) {
            Some(reason) => format!("Undetermined: {reason}."),
            None => "Undetermined.".to_owned(),
        },
        Status::Accepted => match waiver(model, instance) {
            Some(w) => format!("Accepted by {}: {}.", one_line(&w.owner), accepted(w)),
            None => "Accepted.".to_owned(),
        },
    }
}

/// Why something was accepted, and until when.
fn accepted(waiver: &Waiver) -> String {
    let reason = one_line(&waiver.reason);
    format!("{} (until {})", reason.trim_end_matches('.'), one_line(&waiver.expires))
}

/// Why an instance is undetermined: its own reason, or that of a finding which decides it.
pub fn reason(model: &Assessment<'_>, instance: &Instance) -> Option<String> {
    let of_findings = || {
        let mut findings = instance.decided_by.iter().map(|i| &model.audit.findings[*i]);
        findings.find_map(|f| f.judgement.reason.as_ref().map(ToString::to_string))
    };
    let reason = instance.reason.as_ref().map(ToString::to_string).or_else(of_findings)?;
    Some(one_line(reason.trim_end_matches('.')))
}

/// Whether an instance is undetermined because a person must look, and not because a fact is unknown.
pub fn is_manual(model: &Assessment<'_>, instance: &Instance) -> bool {
    let mut verdicts = instance.decided_by.iter().map(|i| model.audit.findings[*i].judgement.verdict);
    instance.status == Status::Undetermined && !instance.decided_by.is_empty() && verdicts.all(|v| v == Verdict::Manual)
}

/// A letter's name as the tools write it.
pub fn letter(stride: Stride) -> &'static str {
    match stride {
        Stride::Spoofing => "Spoofing",
        Stride::Tampering => "Tampering",
        Stride::Repudiation => "Repudiation",
        Stride::InformationDisclosure => "Information disclosure",
        Stride::DenialOfService => "Denial of service",
        Stride::ElevationOfPrivilege => "Elevation of privilege",
    }
}

/// A level on the way from 0 to 100.
fn percent(level: Severity) -> u8 {
    match level {
        Severity::Low => 25,
        Severity::Medium => 50,
        Severity::High => 75,
        Severity::Critical => 100,
    }
}

/// How many instances have each status, in words: `3 open, 1 undetermined`.
fn counted(model: &Assessment<'_>, instances: &[usize]) -> String {
    let of = |status| instances.iter().filter(|i| model.threats[**i].status == status).count();
    let counts = Status::ALL.into_iter().map(|s| (of(s), s.word())).filter(|(number, _)| *number > 0);
    counts.map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_unique_and_plain() {
        assert_eq!(symbol("docker.container", "a"), symbol("docker.container", "a"));
        assert_ne!(symbol("docker.container", "a"), symbol("docker.network", "a"));
        let hostile = symbol("Dock\u{e9}r\u{202e}/", "<script>");
        assert!(hostile.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{hostile}");
        let ids = unique(["a", "a", "a-2", "a"].into_iter().map(str::to_owned));
        assert_eq!(ids, ["a", "a-2", "a-2-2", "a-3"]);
    }

    #[test]
    fn texts_keep_their_lines_and_nothing_else() {
        assert_eq!(paragraphs(" a\u{1b}[2J\nb\r\n"), "a\\u{1b}[2J\nb");
        assert_eq!(paragraphs(&"x".repeat(1 << 20)).len(), TEXT);
        assert_eq!((name(" ").as_str(), name("a\nb").as_str()), ("(no name)", "a\\nb"));
        assert_eq!(capped(["a", "b", "c"].into_iter().map(str::to_owned), 1), ["a", "and 2 more"]);
    }
}
