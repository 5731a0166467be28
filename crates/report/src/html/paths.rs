//! The attack paths with the facts of each step, and what cuts it.

use std::collections::BTreeSet;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::Certainty;
use seaworthy_core::step::{Hop, Path};

use super::facts::{self, Row};
use super::text::{name, sentence};
use crate::words;

/// The most paths on the page.
const PATHS: usize = 60;

/// The most pairs that are named.
const PAIRS: usize = 20;

/// A path.
#[derive(Debug)]
pub struct PathView {
    /// Its position in the list, which is its anchor.
    pub index: usize,
    /// Where it begins and what it reaches.
    pub from: String,
    /// What it reaches.
    pub to: String,
    /// `proven`, `assumed` or `possible`.
    pub word: &'static str,
    /// What it takes for granted that no fact says.
    pub assumes: Vec<String>,
    /// What would have to be known for it to be proven.
    pub possible: Option<String>,
    /// The sum of the efforts.
    pub effort: u32,
    /// Whom it stands for.
    pub stands_for: Option<String>,
    /// The steps.
    pub hops: Vec<HopView>,
}

/// A step of a path.
#[derive(Debug)]
pub struct HopView {
    /// What the attacker does.
    pub text: String,
    /// What he has then.
    pub gains: String,
    /// `proven`, `assumed` or `possible`.
    pub word: &'static str,
    /// What it takes for granted that no fact says.
    pub assumes: Option<String>,
    /// What is not known.
    pub possible: Option<String>,
    /// How hard it is.
    pub effort: u32,
    /// The ATT&CK technique.
    pub attack: String,
    /// The step's id.
    pub step: String,
    /// The facts that it rests on.
    pub facts: Vec<Row>,
    /// The checks whose remedies make it impossible, each with the component.
    pub cut_by: Vec<(String, String)>,
}

/// The paths, and how many are not shown.
pub fn paths(assessment: &Assessment<'_>) -> (Vec<PathView>, usize) {
    let all = &assessment.paths.list;
    let shown = all.iter().take(PATHS).enumerate().map(|(i, p)| path(assessment, i, p)).collect();
    (shown, all.len().saturating_sub(PATHS))
}

/// What the list does not hold: pairs of which more paths exist, pairs that have none listed, entries that were not
/// searched from.
pub fn more(assessment: &Assessment<'_>) -> Vec<String> {
    let pair = |(from, to, listed): &(_, _, usize)| {
        let (from, to) = (assessment.state(*from), assessment.state(*to));
        let listed = match listed {
            1 => "the cheapest is listed".to_owned(),
            n => format!("the {} cheapest are listed", words::thousands(*n)),
        };
        format!("{} → {}: {listed}, there are more", name(&from), name(&to))
    };
    let paths = &assessment.paths;
    let mut out: Vec<String> = paths.more.iter().take(PAIRS).map(pair).collect();
    if paths.more.len() > PAIRS {
        out.push(format!("{} more pairs have more paths than are listed", words::thousands(paths.more.len() - PAIRS)));
    }
    if paths.unlisted > 0 {
        let pairs = words::many(paths.unlisted, "pair");
        out.push(format!(
            "{pairs} of an entry and a jewel have a path of which none is listed, because the list is full"
        ));
    }
    if !paths.unsearched.is_empty() {
        let names: Vec<String> = paths.unsearched.iter().take(8).map(|s| name(&assessment.state(*s))).collect();
        let entries = words::thousands(paths.unsearched.len());
        out.push(format!(
            "no path was looked for from {entries} entries, because there are too many: {}",
            names.join(", ")
        ));
    }
    out
}

fn possible(certainty: &Certainty) -> Option<String> {
    match certainty {
        Certainty::Proven => None,
        Certainty::Possible(why) => Some(sentence(why)),
    }
}

fn path(assessment: &Assessment<'_>, index: usize, of: &Path) -> PathView {
    let (from, to) = of.stands_for;
    let stands_for = (from > 1 || to > 1).then(|| {
        format!(
            "It stands for equal ones too: {} where it begins, {} where it ends.",
            words::thousands(from),
            words::thousands(to)
        )
    });
    PathView {
        index,
        from: sentence(&assessment.state(of.from)),
        to: sentence(&assessment.state(of.to)),
        word: of.basis().word(),
        assumes: assessment.assumptions(of).iter().take(8).map(|a| sentence(a)).collect(),
        possible: possible(&of.certainty),
        effort: of.effort,
        stands_for,
        hops: of.hops.iter().take(40).map(|h| hop(assessment, h)).collect(),
    }
}

fn hop(assessment: &Assessment<'_>, of: &Hop) -> HopView {
    let step = &assessment.steps[of.step];
    let audit = assessment.audit;
    let cuts: BTreeSet<(String, String)> = of
        .cut_by
        .iter()
        .filter_map(|f| audit.findings.get(*f))
        .map(|f| (name(&audit.check(f).id), name(audit.component_name(f))))
        .collect();
    HopView {
        text: sentence(&assessment.hop(of)),
        gains: sentence(&assessment.state(of.to)),
        word: of.basis().word(),
        assumes: assessment.assumption(of).map(sentence),
        possible: possible(&of.certainty),
        effort: step.effort,
        attack: name(&step.attack),
        step: name(&step.id),
        facts: facts::rows(assessment, &of.facts),
        cut_by: cuts.into_iter().take(8).collect(),
    }
}
