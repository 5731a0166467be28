//! Before and after: what became of each finding and threat since an earlier snapshot.

use std::collections::BTreeMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::step::Counted;
use seaworthy_core::verdict::Verdict;

use crate::words;

/// What something is called that was not there before.
const NEW: &str = "was not there";
/// What something is called that is there no longer.
const GONE: &str = "is gone";

/// What became of the findings of a check, or of the instances of a threat. Holds hostile names.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// The check's or the threat's id.
    pub id: String,
    /// What it was, and what it is.
    pub was: &'static str,
    /// The same now.
    pub is: &'static str,
    /// What it is about, in the order of the report.
    pub on: Vec<String>,
}

/// What became of everything.
#[derive(Debug)]
pub struct Since {
    /// Findings of another verdict, by check; those that pass and were not there are left out.
    pub findings: Vec<Change>,
    /// Instances of threats of another status, by threat; those that are answered and were not there are left out.
    pub threats: Vec<Change>,
    /// Counts before and after.
    pub counts: [(&'static str, usize, usize); 9],
}

/// Something with a state at one of the two moments.
struct State {
    fingerprint: String,
    id: String,
    word: &'static str,
    name: String,
    /// Whether it is worth a word when it came or went.
    matters: bool,
}

/// What became of everything between two assessments by the same checks.
pub fn since(before: &Assessment<'_>, after: &Assessment<'_>) -> Since {
    Since {
        findings: changes(findings(before), findings(after)),
        threats: changes(threats(before), threats(after)),
        counts: counts(before, after),
    }
}

fn findings(model: &Assessment<'_>) -> Vec<State> {
    let audit = model.audit;
    let state = |f: &seaworthy_core::judge::Finding| State {
        fingerprint: audit.fingerprint(f),
        id: audit.check(f).id.clone(),
        word: f.judgement.verdict.word(),
        name: audit.component_name(f).to_owned(),
        matters: !matches!(f.judgement.verdict, Verdict::Pass | Verdict::NotApplicable),
    };
    audit.findings.iter().map(state).collect()
}

fn threats(model: &Assessment<'_>) -> Vec<State> {
    let state = |t: &seaworthy_core::threat::Instance| State {
        fingerprint: t.fingerprint.clone(),
        id: model.threat(t).id.clone(),
        word: t.status.word(),
        name: model.subject_name(t),
        matters: t.status != seaworthy_core::threat::Status::Answered,
    };
    model.threats.iter().map(state).collect()
}

fn changes(before: Vec<State>, after: Vec<State>) -> Vec<Change> {
    let mut earlier: BTreeMap<String, State> = before.into_iter().map(|s| (s.fingerprint.clone(), s)).collect();
    let mut changed: BTreeMap<(String, &str, &str), Vec<String>> = BTreeMap::new();
    for now in after {
        let was = earlier.remove(&now.fingerprint);
        let told = was.as_ref().map_or(now.matters, |was| was.word != now.word);
        if told {
            changed.entry((now.id, was.map_or(NEW, |w| w.word), now.word)).or_default().push(now.name);
        }
    }
    for gone in earlier.into_values().filter(|gone| gone.matters) {
        changed.entry((gone.id, gone.word, GONE)).or_default().push(gone.name);
    }
    changed.into_iter().map(|((id, was, is), on)| Change { id, was, is, on }).collect()
}

fn counts(before: &Assessment<'_>, after: &Assessment<'_>) -> [(&'static str, usize, usize); 9] {
    let of = |model: &Assessment<'_>| {
        let [open, undetermined, _, answered] = model.counted();
        let Counted { proven, assumed, possible } = model.paths_counted();
        let [pass, fail, unknown, ..] = words::counts(&model.audit.controls());
        [open, undetermined, answered, proven, assumed, possible, pass, fail, unknown]
    };
    let names = [
        "Threats open",
        "Threats undetermined",
        "Threats answered",
        "Paths proven",
        "Paths assumed",
        "Paths possible",
        "Controls that pass",
        "Controls that fail",
        "Controls unknown",
    ];
    let (was, is) = (of(before), of(after));
    std::array::from_fn(|i| (names[i], was[i], is[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(fingerprint: &str, word: &'static str, matters: bool) -> State {
        State { fingerprint: fingerprint.into(), id: "a/check".into(), word, name: fingerprint.into(), matters }
    }

    #[test]
    fn what_is_another_came_or_went_is_told() {
        let before = vec![
            state("same", "fail", true),
            state("mended", "fail", true),
            state("broken", "pass", false),
            state("taken away", "fail", true),
            state("taken away too", "pass", false),
        ];
        let after = vec![
            state("same", "fail", true),
            state("mended", "pass", false),
            state("broken", "fail", true),
            state("new", "fail", true),
            state("new and good", "pass", false),
        ];
        let told: Vec<(String, &str, &str)> =
            changes(before, after).into_iter().map(|c| (c.on.join(","), c.was, c.is)).collect();
        let expected = [
            ("taken away", "fail", GONE),
            ("mended", "fail", "pass"),
            ("broken", "pass", "fail"),
            ("new", NEW, "fail"),
        ];
        assert_eq!(told, expected.map(|(on, was, is)| (on.to_owned(), was, is)));
    }
}
