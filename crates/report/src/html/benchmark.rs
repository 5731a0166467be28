//! The benchmark, control by control, each with what decided.

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::ControlResult;
use seaworthy_core::verdict::Verdict;

use super::facts::{self, Row};
use super::text::{inline, name, sentence};
use super::threats::NAMES;
use crate::group::{Group, groups};
use crate::proposal;
use crate::words;

/// The most groups of findings of a control.
const GROUPS: usize = 8;

/// The most lines of what would have to change that a group is given.
const CHANGES: usize = 4;

/// A section of the benchmark.
#[derive(Debug)]
pub struct SectionView {
    /// Its number and title.
    pub title: String,
    /// Its controls.
    pub controls: Vec<ControlView>,
}

/// A control.
#[derive(Debug)]
pub struct ControlView {
    /// Its number.
    pub id: String,
    /// The good state.
    pub title: String,
    /// The benchmark's level.
    pub level: u8,
    /// What was found.
    pub verdict: &'static str,
    /// Whether some of its checks were not asked.
    pub in_part: bool,
    /// How many findings have which verdict.
    pub counts: String,
    /// What fails, is unknown or is left to a person.
    pub groups: Vec<FindingsView>,
    /// How many findings are in no group for want of room.
    pub more: usize,
}

/// Findings alike.
#[derive(Debug)]
pub struct FindingsView {
    /// `fail`.
    pub verdict: &'static str,
    /// The check.
    pub check: String,
    /// Whether a waiver accepts them.
    pub waived: bool,
    /// The components' names.
    pub names: String,
    /// How many are not named.
    pub more: usize,
    /// Why.
    pub reason: Option<String>,
    /// How to mend it, as HTML.
    pub fix: String,
    /// What would have to change in a cluster, as lines to copy.
    pub changes: Vec<String>,
    /// The facts of the first.
    pub facts: Vec<Row>,
}

/// The sections of the benchmark.
pub fn sections(assessment: &Assessment<'_>) -> Vec<SectionView> {
    let controls = assessment.audit.controls();
    let sections = words::sections(assessment.audit, &controls);
    let mut out = Vec::with_capacity(sections.len());
    for (benchmark, section, controls) in sections {
        let own = section.map_or_else(|| "Others".into(), |s| format!("{} {}", name(&s.id), sentence(&s.title)));
        let title = if assessment.audit.beside.is_empty() { own } else { format!("{}: {own}", name(&benchmark.title)) };
        out.push(SectionView { title, controls: controls.into_iter().map(|c| control(assessment, c)).collect() });
    }
    out
}

fn control(assessment: &Assessment<'_>, of: &ControlResult<'_>) -> ControlView {
    let audit = assessment.audit;
    let verdict = |i: &usize| audit.findings[*i].judgement.verdict;
    let count = |wanted: Verdict| of.findings.iter().filter(|i| verdict(i) == wanted).count();
    let counts: Vec<String> = words::VERDICTS
        .iter()
        .map(|v| (count(*v), v.word()))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", words::thousands(n)))
        .collect();
    let told = of.findings.iter().copied().filter(|i| !matches!(verdict(i), Verdict::Pass | Verdict::NotApplicable));
    let found = groups(audit, told);
    ControlView {
        id: name(&of.control.id),
        title: sentence(&of.control.title),
        level: of.control.level,
        verdict: of.verdict.word(),
        in_part: of.in_part,
        counts: counts.join(", "),
        more: found.iter().skip(GROUPS).map(|g| g.members.len()).sum(),
        groups: found.iter().take(GROUPS).map(|g| findings(assessment, g)).collect(),
    }
}

fn findings(assessment: &Assessment<'_>, of: &Group<'_, '_>) -> FindingsView {
    let audit = assessment.audit;
    let names: Vec<String> =
        of.members.iter().take(NAMES / 4).map(|i| name(&words::component(audit, &audit.findings[*i]))).collect();
    let component = of.members.first().map_or("", |i| audit.component_name(&audit.findings[*i]));
    let mut rows = Vec::new();
    for (fact, value) in &of.facts {
        facts::push(&mut rows, facts::row(component, fact, value));
    }
    FindingsView {
        verdict: of.verdict.word(),
        check: name(&of.check.id),
        waived: of.waiver.is_some(),
        more: of.members.len() - names.len(),
        names: names.join(", "),
        reason: of.reason.map(sentence),
        fix: if of.verdict == Verdict::Fail { inline(&of.check.remedy.fix) } else { String::new() },
        facts: rows,
        changes: if of.waiver.is_none() { proposal::lines(audit, &of.members, CHANGES).0 } else { Vec::new() },
    }
}
