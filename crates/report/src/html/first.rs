//! The first screen: how things stand, and what to harden first.

use std::collections::BTreeSet;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::step::{Basis, Priority};
use seaworthy_core::threat::Status;

use super::text::{inline, name, sentence};
use super::threats::{subject, title};
use crate::proposal;
use crate::words;

/// The most entries of the folded list of what comes after the first ones.
const LATER: usize = 100;

/// The most lines of what would have to change that a fix is given.
const CHANGES: usize = 8;

/// How things stand, in counts.
#[derive(Debug)]
pub struct Standing {
    /// Instances of threats by status.
    pub threats: Vec<(&'static str, String)>,
    /// Open ones by letter: letter, word, count.
    pub letters: Vec<(char, String, String)>,
    /// Paths by what they rest on.
    pub paths: [(&'static str, String); 3],
    /// The benchmark's title, and its controls by verdict.
    pub benchmark: (String, Vec<(&'static str, String)>),
}

/// How things stand.
pub fn standing(assessment: &Assessment<'_>) -> Standing {
    let counted = assessment.paths_counted();
    let paths = [counted.proven, counted.assumed, counted.possible].map(words::thousands);
    let [proven, assumed, possible] = paths;
    let controls = words::counts(&assessment.audit.controls());
    let verdicts = words::VERDICTS.iter().map(|v| v.word()).zip(controls.map(words::thousands)).collect();
    let letters = assessment.open_by_letter();
    Standing {
        threats: Status::ALL.iter().map(|s| s.word()).zip(assessment.counted().map(words::thousands)).collect(),
        letters: letters.iter().map(|(l, n)| (l.letter(), title(*l), words::thousands(*n))).collect(),
        paths: [(Basis::Proven.word(), proven), (Basis::Assumed.word(), assumed), (Basis::Possible.word(), possible)],
        benchmark: (sentence(&words::benchmarks(assessment.audit)), verdicts),
    }
}

/// One of what to harden first.
#[derive(Debug)]
pub struct PriorityView {
    /// What to do.
    pub title: String,
    /// What is gained, in a sentence.
    pub gain: String,
    /// What restarts, stops or is re-created.
    pub cost: String,
    /// How much harm it can do.
    pub safety: &'static str,
    /// How to, as HTML.
    pub fix: String,
    /// The commands that plan it and tell more.
    pub commands: Vec<String>,
    /// What would have to change in a cluster, as lines to copy.
    pub changes: Vec<String>,
    /// The terms of its rank.
    pub why: Vec<String>,
    /// The threats that it answers: the catalogue's position, the title, the subjects.
    pub answers: Vec<(usize, String, String)>,
    /// The paths that it cuts, by position.
    pub cuts: Vec<usize>,
    /// What is left after it and those before it.
    pub left: String,
}

/// What to harden first, and the titles of what comes after.
pub fn priorities(assessment: &Assessment<'_>, top: usize) -> (Vec<PriorityView>, Vec<(String, String)>, usize) {
    let all = &assessment.priorities;
    let first = all.iter().take(top).enumerate().map(|(i, p)| priority(assessment, i + 1, p)).collect();
    let later = all.iter().skip(top).take(LATER).map(|p| (sentence(&p.title), gain(assessment, p))).collect();
    (first, later, all.len().saturating_sub(top + LATER))
}

fn priority(assessment: &Assessment<'_>, place: usize, of: &Priority) -> PriorityView {
    let audit = assessment.audit;
    let check = of.closes.first().and_then(|f| audit.findings.get(*f)).map(|f| audit.check(f));
    let cost = if of.breaks.is_empty() {
        "nothing restarts".to_owned()
    } else {
        let what: Vec<String> = of.breaks.iter().take(8).map(|b| sentence(b)).collect();
        what.join("; ")
    };
    PriorityView {
        title: sentence(&of.title),
        gain: gain(assessment, of),
        cost,
        safety: of.safety.word(),
        fix: check.map_or_else(String::new, |c| inline(&c.remedy.fix)),
        commands: words::planned(assessment, place, of)
            .into_iter()
            .chain(check.map(|c| format!("seaworthy explain {}", name(&c.id))))
            .collect(),
        changes: proposal::lines(audit, &of.closes, CHANGES).0,
        why: of.why.iter().take(12).map(|w| sentence(w)).collect(),
        answers: answered(assessment, of),
        cuts: of.cuts.iter().copied().take(20).collect(),
        left: left(of),
    }
}

/// The threats that a fix answers, each once, with the first subjects.
fn answered(assessment: &Assessment<'_>, of: &Priority) -> Vec<(usize, String, String)> {
    let mut by_threat: Vec<(usize, Vec<usize>)> = Vec::new();
    for i in &of.answers {
        let Some(instance) = assessment.threats.get(*i) else { continue };
        match by_threat.iter_mut().find(|(t, _)| *t == instance.threat) {
            Some((_, members)) => members.push(*i),
            None => by_threat.push((instance.threat, vec![*i])),
        }
    }
    by_threat.truncate(30);
    let names = |members: &[usize]| {
        let mut names: Vec<String> =
            members.iter().take(10).map(|i| subject(assessment, &assessment.threats[*i])).collect();
        if members.len() > 10 {
            names.push(format!("{} more", words::thousands(members.len() - 10)));
        }
        names.join(", ")
    };
    by_threat.iter().map(|(t, members)| (*t, sentence(&assessment.catalog[*t].title), names(members))).collect()
}

/// `Cuts 2 of 14 attack paths and answers 3 open threat instances (E, S).`
fn gain(assessment: &Assessment<'_>, of: &Priority) -> String {
    let letters: BTreeSet<_> = of
        .answers
        .iter()
        .filter_map(|i| assessment.threats.get(*i))
        .flat_map(|t| assessment.threat(t).stride.iter().copied())
        .collect();
    let letters: Vec<String> = letters.iter().map(|l| l.letter().to_string()).collect();
    let threats = words::thousands(of.answers.len());
    let noun = if of.answers.len() == 1 { "open threat instance" } else { "open threat instances" };
    let (cuts, all) = (words::thousands(of.cuts.len()), words::thousands(assessment.paths.list.len()));
    match (of.answers.is_empty(), of.cuts.is_empty()) {
        (true, true) => "Answers no threat and cuts no path alone; what comes with it does.".into(),
        (true, false) => format!("Cuts {cuts} of {all} attack paths."),
        (false, true) => format!("Answers {threats} {noun} ({}).", letters.join(", ")),
        (false, false) => {
            format!("Cuts {cuts} of {all} attack paths and answers {threats} {noun} ({}).", letters.join(", "))
        }
    }
}

/// `at most 4 threat instances open; of the attack paths 1 proven, 3 assumed, 2 possible left`.
fn left(of: &Priority) -> String {
    format!(
        "at most {} open; of the attack paths {} left",
        words::many(of.threats_left, "threat instance"),
        words::paths(of.left())
    )
}

/// The smallest set of fixes that cuts every path whose facts are known, where it is not among the first ones.
#[derive(Debug)]
pub struct CutView {
    /// The fixes' titles.
    pub fixes: Vec<String>,
    /// Whether it is proven to be the smallest.
    pub smallest: bool,
    /// How many paths nothing cuts.
    pub uncut: usize,
}

/// The smallest cut; none where the first ones hold it and everything is cut.
pub fn cut(assessment: &Assessment<'_>, top: usize) -> Option<CutView> {
    let cut = &assessment.cut;
    let among =
        |closes: &[usize]| assessment.priorities.iter().take(top).any(|p| closes.iter().all(|f| p.closes.contains(f)));
    let differs = cut.fixes.iter().any(|(_, closes)| !among(closes));
    (differs || !cut.uncut.is_empty()).then(|| CutView {
        fixes: cut.fixes.iter().take(50).map(|(title, _)| sentence(title)).collect(),
        smallest: cut.smallest,
        uncut: cut.uncut.len(),
    })
}
