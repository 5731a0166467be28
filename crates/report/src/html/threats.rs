//! The threats by surface and letter. Each is told once; its instances are grouped by what is the same about them.

use std::collections::HashMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::threat::{Instance, Rating, Status, Stride, Subject, Surface, Threat};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::{Severity, Verdict};

use super::facts::{self, Row};
use super::text::{markdown, name, sentence};
use crate::words;

/// The most groups of instances on the page.
const GROUPS: usize = 1200;

/// The most names of one group.
pub const NAMES: usize = 200;

/// Names on the page after which a group names only a few.
const ALL_NAMES: usize = 20_000;

/// The threats of a surface.
#[derive(Debug)]
pub struct SurfaceView {
    /// `Docker host`.
    pub title: &'static str,
    /// `docker-host`.
    pub id: &'static str,
    /// The letters that have threats here.
    pub letters: Vec<LetterView>,
}

/// The threats of a letter.
#[derive(Debug)]
pub struct LetterView {
    /// `E`.
    pub letter: char,
    /// `Elevation of privilege`.
    pub title: String,
    /// The threats, open ones first.
    pub threats: Vec<ThreatView>,
}

/// A threat with its instances.
#[derive(Debug)]
pub struct ThreatView {
    /// Its position in the catalogue, which is its anchor.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// What happens.
    pub title: String,
    /// The gravest status of its instances.
    pub state: &'static str,
    /// Every status of its instances, for the filter.
    pub states: String,
    /// How many instances have which status, those that have any.
    pub counts: Vec<(&'static str, usize)>,
    /// Its letters.
    pub letters: String,
    /// What is lost, in words.
    pub loses: &'static str,
    /// ATT&CK ids.
    pub attack: String,
    /// The rows of the threat lists that it tells.
    pub covers: String,
    /// The parts of the story: heading and HTML.
    pub story: Vec<(&'static str, String)>,
    /// The checks that answer it, with what each demands.
    pub answers: Vec<(String, String)>,
    /// Its instances, grouped.
    pub groups: Vec<GroupView>,
    /// How many instances are in no group for want of room.
    pub more: usize,
}

/// Instances alike.
#[derive(Debug)]
pub struct GroupView {
    /// Their status.
    pub state: &'static str,
    /// How many they are.
    pub count: usize,
    /// Their subjects' names.
    pub names: String,
    /// How many are not named.
    pub more: usize,
    /// Why they are undetermined.
    pub reason: Option<String>,
    /// Who accepted them, until when and why.
    pub waiver: Option<String>,
    /// The ratings: what, level, and the terms of the first.
    pub ratings: Vec<RatingView>,
    /// What the checks say: the check, the verdict, its reason.
    pub verdicts: Vec<(String, &'static str, Option<String>)>,
    /// The facts of the first: what decided, then what its ratings rest on.
    pub facts: Vec<Row>,
}

/// A rating with its terms.
#[derive(Debug)]
pub struct RatingView {
    /// `Likelihood`.
    pub what: &'static str,
    /// `high`, or that there is none.
    pub level: &'static str,
    /// Its terms.
    pub terms: Vec<String>,
}

/// All threats that have an instance, by surface and first letter.
pub fn surfaces(assessment: &Assessment<'_>) -> Vec<SurfaceView> {
    let mut instances: Vec<Vec<usize>> = vec![Vec::new(); assessment.catalog.len()];
    for (i, instance) in assessment.threats.iter().enumerate() {
        instances[instance.threat].push(i);
    }
    let here = instances.iter().filter(|i| !i.is_empty()).count();
    let mut room = Room { groups: (GROUPS / here.max(1)).clamp(4, 40), names: ALL_NAMES };
    let of = |surface: Surface, room: &mut Room| {
        let mut letters = Vec::new();
        for letter in Stride::ALL {
            let fits = |t: &Threat| t.surface == surface && t.stride.first() == Some(&letter);
            let found = assessment.catalog.iter().enumerate().filter(|(i, t)| fits(t) && !instances[*i].is_empty());
            let mut threats: Vec<ThreatView> =
                found.map(|(i, t)| threat(assessment, i, t, &instances[i], room)).collect();
            threats.sort_by_key(|t| Status::ALL.iter().position(|s| s.word() == t.state));
            if !threats.is_empty() {
                letters.push(LetterView { letter: letter.letter(), title: title(letter), threats });
            }
        }
        SurfaceView { title: surface.title(), id: surface.word(), letters }
    };
    Surface::ALL.into_iter().map(|s| of(s, &mut room)).filter(|s| !s.letters.is_empty()).collect()
}

/// The threats of the catalogue that are about nothing here.
pub fn absent(assessment: &Assessment<'_>) -> Vec<String> {
    let mut here = vec![false; assessment.catalog.len()];
    for instance in &assessment.threats {
        here[instance.threat] = true;
    }
    assessment.catalog.iter().zip(here).filter(|(_, here)| !here).map(|(t, _)| sentence(&t.title)).collect()
}

/// `Elevation of privilege`.
pub fn title(letter: Stride) -> String {
    let words = letter.word().replace('-', " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

struct Room {
    groups: usize,
    names: usize,
}

fn threat(assessment: &Assessment<'_>, index: usize, of: &Threat, instances: &[usize], room: &mut Room) -> ThreatView {
    let count = |status: Status| instances.iter().filter(|i| assessment.threats[**i].status == status).count();
    let counts: Vec<(&str, usize)> =
        Status::ALL.map(|s| (s.word(), count(s))).into_iter().filter(|(_, n)| *n > 0).collect();
    let mut alike = grouped(assessment, instances);
    let more = alike.iter().skip(room.groups).map(Vec::len).sum();
    alike.truncate(room.groups);
    let check = |id: &str| {
        let title = assessment.audit.checks.iter().find(|c| c.id == id).map_or("", |c| c.title.as_str());
        (name(id), sentence(title))
    };
    let story = &of.story;
    let parts = [
        ("Who", &story.who),
        ("How", &story.how),
        ("What is lost", &story.lost),
        ("What answers it", &story.answer),
        ("What remains", &story.remains),
    ];
    ThreatView {
        index,
        id: name(&of.id),
        title: sentence(&of.title),
        state: counts.first().map_or("answered", |(word, _)| word),
        states: counts.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" "),
        counts,
        letters: of.stride.iter().map(|l| l.letter().to_string()).collect::<Vec<_>>().join(" "),
        loses: of.loses.title(),
        attack: sentence(&of.attack.join(", ")),
        covers: sentence(&of.covers.join(", ")),
        story: parts.into_iter().filter(|(_, t)| !t.is_empty()).map(|(h, t)| (h, markdown(t))).collect(),
        answers: of.answered.checks().into_iter().map(check).collect(),
        groups: alike.iter().map(|members| group(assessment, members, room)).collect(),
        more,
    }
}

/// What must be equal for instances to be told as one.
#[derive(PartialEq, Eq, Hash)]
struct Key<'k> {
    status: Status,
    waiver: Option<usize>,
    reason: Option<&'k str>,
    levels: [Option<Severity>; 2],
    unlisted: bool,
    verdicts: Vec<(usize, Verdict, Option<&'k str>)>,
    values: Vec<(&'static str, &'k Value)>,
}

/// The instances of a threat, by what is the same, open ones first.
fn grouped(assessment: &Assessment<'_>, instances: &[usize]) -> Vec<Vec<usize>> {
    let mut at: HashMap<Key<'_>, usize> = HashMap::new();
    let mut out: Vec<Vec<usize>> = Vec::new();
    for i in instances {
        let next = out.len();
        let place = *at.entry(key(assessment, &assessment.threats[*i])).or_insert(next);
        if place == next {
            out.push(Vec::new());
        }
        out[place].push(*i);
    }
    out.sort_by_key(|members| assessment.threats[members[0]].status);
    out
}

fn key<'k>(assessment: &'k Assessment<'_>, instance: &'k Instance) -> Key<'k> {
    let audit = assessment.audit;
    let decided = instance.decided_by.iter().filter_map(|f| audit.findings.get(*f));
    let verdicts = decided.clone().map(|f| (f.check, f.judgement.verdict, f.judgement.reason.as_deref())).collect();
    let of_findings = decided.flat_map(|f| audit.deciding(f)).map(|(name, fact)| (name, &fact.value));
    let beside = instance.facts.iter().filter_map(|f| assessment.fact(*f)).map(|(_, name, fact)| (name, &fact.value));
    Key {
        status: instance.status,
        waiver: instance.waiver,
        reason: instance.reason.as_deref(),
        levels: [instance.likelihood.level, instance.impact.level],
        unlisted: matches!(instance.subject, Subject::Unlisted(_)),
        verdicts,
        values: of_findings.chain(beside).collect(),
    }
}

fn group(assessment: &Assessment<'_>, members: &[usize], room: &mut Room) -> GroupView {
    let first = &assessment.threats[members[0]];
    let audit = assessment.audit;
    let most = if room.names >= NAMES { NAMES } else { 10 };
    let names: Vec<String> = members.iter().take(most).map(|i| subject(assessment, &assessment.threats[*i])).collect();
    room.names = room.names.saturating_sub(names.len());
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for finding in first.decided_by.iter().filter_map(|f| audit.findings.get(*f)) {
        let reason = finding.judgement.reason.as_deref().map(sentence);
        verdicts.push((name(&audit.check(finding).id), finding.judgement.verdict.word(), reason));
        for (fact, of) in audit.deciding(finding) {
            facts::push(&mut rows, facts::row(audit.component_name(finding), fact, of));
        }
    }
    verdicts.truncate(12);
    let terms = first.likelihood.terms.iter().chain(first.impact.terms.iter());
    for row in facts::rows(assessment, first.facts.iter().chain(terms.flat_map(|t| &t.facts))) {
        facts::push(&mut rows, row);
    }
    GroupView {
        state: first.status.word(),
        count: members.len(),
        more: members.len() - names.len(),
        names: names.join(", "),
        reason: first.reason.as_deref().map(sentence),
        waiver: first
            .waiver
            .and_then(|w| audit.waivers.get(w))
            .map(|w| format!("accepted by {} until {}: {}", name(&w.owner), name(&w.expires), sentence(&w.reason))),
        ratings: vec![rating("Likelihood", &first.likelihood), rating("Impact", &first.impact)],
        verdicts,
        facts: rows,
    }
}

/// The name of an instance's subject, with its target's where there are several.
pub fn subject(assessment: &Assessment<'_>, instance: &Instance) -> String {
    let targets = &assessment.audit.snapshot.targets;
    let name_here = name(&assessment.subject_name(instance));
    match targets.get(instance.target) {
        Some(target) if targets.len() > 1 => format!("{}/{name_here}", name(&target.name)),
        _ => name_here,
    }
}

fn rating(what: &'static str, of: &Rating) -> RatingView {
    RatingView {
        what,
        level: of.level.map_or("not rated", Severity::word),
        terms: of.terms.iter().take(12).map(|t| sentence(&t.text)).collect(),
    }
}

/// `3 open, 1 answered`.
pub fn counts(counts: &[(&'static str, usize)]) -> String {
    counts.iter().map(|(word, n)| format!("{} {word}", words::thousands(*n))).collect::<Vec<_>>().join(", ")
}
