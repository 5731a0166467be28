//! Groups findings by what is the same, so that a text says it once.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use seaworthy_core::assessment::{Assessment, Told};
use seaworthy_core::audit::Audit;
use seaworthy_core::check::Check;
use seaworthy_core::fact::Fact;
use seaworthy_core::judge::Finding;
use seaworthy_core::threat::Instance;
use seaworthy_core::verdict::Verdict;
use seaworthy_core::waiver::Waiver;

/// Findings of one check with the same verdict, reason, waiver, facts and values.
pub struct Group<'r, 'a> {
    /// The check.
    pub check: &'a Check,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is unknown, or what a person must look at.
    pub reason: Option<&'r str>,
    /// The waiver that accepts all of them.
    pub waiver: Option<&'a Waiver>,
    /// The facts, with the sources of the first finding.
    pub facts: Vec<(&'static str, &'a Fact)>,
    /// The findings, by position, in the audit's order.
    pub members: Vec<usize>,
}

/// Groups findings: failures first, then unknowns, manuals, passes and what is not applicable; within these in the
/// audit's order.
pub fn groups<'r, 'a>(audit: &'r Audit<'a>, findings: impl IntoIterator<Item = usize>) -> Vec<Group<'r, 'a>> {
    let mut out: Vec<Group<'r, 'a>> = Vec::new();
    let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
    for i in findings {
        let finding = &audit.findings[i];
        // What is only shown beside would tear apart what one fact decided alike; a person who must decide needs it.
        let facts = match finding.judgement.verdict {
            Verdict::Manual => audit.facts(finding),
            Verdict::Pass | Verdict::Fail | Verdict::Unknown | Verdict::NotApplicable => audit.deciding(finding),
        };
        let same = known.entry(hash(audit.waived[i], finding, &facts)).or_default();
        let fits = |g: &&usize| is_same(audit, &out[**g], i, &facts);
        if let Some(at) = same.iter().find(fits).copied() {
            out[at].members.push(i);
            continue;
        }
        same.push(out.len());
        out.push(Group {
            check: audit.check(finding),
            verdict: finding.judgement.verdict,
            reason: finding.judgement.reason.as_deref(),
            waiver: audit.waived[i].map(|w| &audit.waivers[w]),
            facts,
            members: vec![i],
        });
    }
    out.sort_by_key(|g| rank(g.verdict, g.waiver.is_some()));
    out
}

/// The worst instances of a threat by what decided them, each with what is told of it and the subjects of which that is
/// true: said once where it is the same. What is told is the first one's.
pub fn alike<T, K: Ord>(
    model: &Assessment<'_>,
    told: &Told<'_>,
    decided: impl Fn(&Instance) -> (K, T),
) -> Vec<(T, Vec<String>)> {
    let mut groups: Vec<(T, Vec<String>)> = Vec::new();
    let mut known: BTreeMap<K, usize> = BTreeMap::new();
    for instance in told.worst(model) {
        let (key, lines) = decided(instance);
        let at = *known.entry(key).or_insert_with(|| {
            groups.push((lines, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(model.subject_name(instance));
    }
    groups
}

fn rank(verdict: Verdict, waived: bool) -> u8 {
    match verdict {
        Verdict::Fail if !waived => 0,
        Verdict::Unknown => 1,
        Verdict::Manual if !waived => 2,
        Verdict::Fail | Verdict::Manual => 3,
        Verdict::Pass => 4,
        Verdict::NotApplicable => 5,
    }
}

fn hash(waived: Option<usize>, finding: &Finding, facts: &[(&'static str, &Fact)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (finding.check, finding.judgement.verdict, &finding.judgement.reason, waived).hash(&mut hasher);
    for (_, fact) in facts {
        fact.value.hash(&mut hasher);
    }
    hasher.finish()
}

fn is_same(audit: &Audit<'_>, group: &Group<'_, '_>, i: usize, facts: &[(&'static str, &Fact)]) -> bool {
    let first = &audit.findings[group.members[0]];
    let finding = &audit.findings[i];
    first.check == finding.check
        && audit.waived[group.members[0]] == audit.waived[i]
        && (std::sync::Arc::ptr_eq(&first.judgement, &finding.judgement)
            || (first.judgement.verdict == finding.judgement.verdict
                && first.judgement.reason == finding.judgement.reason))
        && group.facts.len() == facts.len()
        && group.facts.iter().zip(facts).all(|(a, b)| a.0 == b.0 && a.1.value == b.1.value)
}
