//! Judging: checks over the components of a target. Pure: the same facts always give the same findings.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::check::Check;
use crate::component::Component;
use crate::predicate::{Answer, FactSet, Truth};
use crate::schema::Kind;
use crate::snapshot::Target;
use crate::verdict::Verdict;

/// A verdict with the facts that decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The facts that decided.
    pub facts: FactSet,
    /// Why it is unknown, or what a person must look at.
    pub reason: Option<Arc<str>>,
}

/// What a check says of a component of a target.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The check, by its position in the list that was judged.
    pub check: usize,
    /// The target, by its position in the snapshot.
    pub target: usize,
    /// The component, by its position in the target; none where the list of such components could not be read.
    pub component: Option<usize>,
    /// The judgement; shared by components of equal content.
    pub judgement: Arc<Judgement>,
}

/// Judges one component; none when the check does not speak about it.
pub fn judge(check: &Check, component: &Component) -> Option<Judgement> {
    if let Some(select) = &check.select
        && select.evaluate(component).truth == Truth::False
    {
        return None;
    }
    Some(applicable(check, component).unwrap_or_else(|| demand(check, component)))
}

/// The judgement when `when` is not proven true.
fn applicable(check: &Check, component: &Component) -> Option<Judgement> {
    let Answer { truth, facts } = check.when.as_ref()?.evaluate(component);
    match truth {
        Truth::True => None,
        Truth::False => Some(Judgement { verdict: Verdict::NotApplicable, facts, reason: None }),
        Truth::Unknown(reason) => Some(Judgement { verdict: Verdict::Unknown, facts, reason: Some(reason) }),
    }
}

fn demand(check: &Check, component: &Component) -> Judgement {
    let manual = |facts| Judgement { verdict: Verdict::Manual, facts, reason: check.manual.as_deref().map(Arc::from) };
    let Some(require) = &check.require else {
        return manual(shown(check));
    };
    let Answer { truth, facts } = require.evaluate(component);
    match truth {
        Truth::True => Judgement { verdict: Verdict::Pass, facts, reason: None },
        Truth::False if check.manual.is_some() => manual(facts),
        Truth::False => Judgement { verdict: Verdict::Fail, facts, reason: None },
        Truth::Unknown(reason) => Judgement { verdict: Verdict::Unknown, facts, reason: Some(reason) },
    }
}

fn shown(check: &Check) -> FactSet {
    let kind = check.kind();
    check.show.iter().filter_map(|n| kind.index(n)).fold(FactSet::default(), |s, i| s.union(FactSet::one(i)))
}

/// Judges every check over every component of a target. Components whose judged facts are equal are decided once.
pub fn judge_target<'a>(
    checks: impl IntoIterator<Item = (usize, &'a Check)>,
    index: usize,
    target: &Target,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (kind, about) in by_kind(checks) {
        judge_kind(&about, kind, index, target, &mut findings);
        unlisted(&about, kind, index, target, &mut findings);
    }
    findings
}

/// The same over a target that was copied and then changed, from all findings of the same checks over the one that it
/// is a copy of: only what was changed is judged.
pub fn judge_changed<'a>(
    checks: impl IntoIterator<Item = (usize, &'a Check)>,
    index: usize,
    target: &Target,
    (before, known): (&Target, &[Finding]),
) -> Vec<Finding> {
    let mut of_component: Vec<&[Finding]> = vec![&[]; target.components.len()];
    for same in known.chunk_by(|a, b| a.component == b.component) {
        if let Some(findings) = same[0].component.and_then(|i| of_component.get_mut(i)) {
            *findings = same;
        }
    }
    let mut findings = Vec::with_capacity(known.len());
    for (kind, about) in by_kind(checks) {
        for (i, component) in target.components.iter().enumerate().filter(|(_, c)| std::ptr::eq(c.kind, kind)) {
            if before.components.get(i).is_some_and(|before| component.is_copy_of(before)) {
                findings.extend_from_slice(of_component[i]);
                continue;
            }
            for (check, of) in &about {
                let judgement = judge(of, component).map(Arc::new);
                findings.extend(judgement.map(|judgement| Finding {
                    check: *check,
                    target: index,
                    component: Some(i),
                    judgement,
                }));
            }
        }
        unlisted(&about, kind, index, target, &mut findings);
    }
    findings
}

/// Kinds with the checks that are about them, where there are any.
fn by_kind<'a>(
    checks: impl IntoIterator<Item = (usize, &'a Check)>,
) -> impl Iterator<Item = (&'static Kind, Vec<(usize, &'a Check)>)> {
    let checks: Vec<_> = checks.into_iter().collect();
    let about = move |kind: &&'static Kind| {
        let about: Vec<_> = checks.iter().copied().filter(|(_, c)| c.about == kind.name).collect();
        (!about.is_empty()).then_some((*kind, about))
    };
    crate::schema::kinds().iter().filter_map(about)
}

fn judge_kind(checks: &[(usize, &Check)], kind: &'static Kind, index: usize, target: &Target, out: &mut Vec<Finding>) {
    let judged = checks.iter().fold(FactSet::default(), |set, (_, c)| set.union(facts_of(c)));
    let positions: Vec<usize> = judged.iter().filter(|i| *i < kind.facts.len()).collect();
    let mut decided: HashMap<u64, Vec<(usize, Verdicts)>> = HashMap::new();
    for (i, component) in target.components.iter().enumerate() {
        if !std::ptr::eq(component.kind, kind) {
            continue;
        }
        let same = decided.entry(content_hash(component, &positions)).or_default();
        let known = same.iter().position(|(other, _)| equal(component, &target.components[*other], &positions));
        let at = known.unwrap_or_else(|| {
            same.push((i, checks.iter().map(|(_, c)| judge(c, component).map(Arc::new)).collect()));
            same.len() - 1
        });
        for ((check, _), judgement) in checks.iter().zip(&same[at].1) {
            if let Some(judgement) = judgement {
                let judgement = Arc::clone(judgement);
                out.push(Finding { check: *check, target: index, component: Some(i), judgement });
            }
        }
    }
}

/// What checks say beyond the components that were read, where the list of a kind is not complete.
fn unlisted(checks: &[(usize, &Check)], kind: &'static Kind, index: usize, target: &Target, out: &mut Vec<Finding>) {
    if let Some(reason) = target.incomplete.get(kind.name) {
        let judgement = Arc::new(Judgement {
            verdict: Verdict::Unknown,
            facts: FactSet::default(),
            reason: Some(reason.as_str().into()),
        });
        for (check, _) in checks {
            out.push(Finding { check: *check, target: index, component: None, judgement: Arc::clone(&judgement) });
        }
    }
}

/// The judgements of all checks of a kind over one component, in the order of the checks.
type Verdicts = Vec<Option<Arc<Judgement>>>;

fn facts_of(check: &Check) -> FactSet {
    let predicates = [&check.select, &check.when, &check.require];
    predicates.into_iter().flatten().fold(FactSet::default(), |set, p| set.union(p.facts()))
}

fn content_hash(component: &Component, positions: &[usize]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for i in positions {
        component.fact_at(*i).value.hash(&mut hasher);
    }
    hasher.finish()
}

fn equal(a: &Component, b: &Component, positions: &[usize]) -> bool {
    positions.iter().all(|i| a.fact_at(*i).value == b.fact_at(*i).value)
}
