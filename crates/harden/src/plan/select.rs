//! Which findings a plan is asked to close.

use std::collections::BTreeSet;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::remedy::Safety;
use seaworthy_core::verdict::Verdict;

use super::Unplanned;

/// How many of the priorities are planned where nothing else was asked for, as `assess` shows them.
const DEFAULT_TOP: usize = 3;

/// What was asked for; all of it together.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Numbers of priorities, from 1.
    pub numbers: Vec<usize>,
    /// The first of them.
    pub top: Option<usize>,
    /// Ids of checks whose failures are closed.
    pub checks: BTreeSet<String>,
    /// Ids of threats that are answered.
    pub threats: BTreeSet<String>,
    /// Every remedy that restarts nothing and takes nothing away.
    pub safe: bool,
}

impl Selection {
    fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.top.is_none() && self.checks.is_empty() && self.threats.is_empty() && !self.safe
    }
}

/// The findings that are selected, by position in the audit, ascending.
pub(super) fn select(assessment: &Assessment<'_>, selection: &Selection) -> Result<Vec<usize>, Unplanned> {
    let audit = assessment.audit;
    let there = assessment.priorities.len();
    let top = if selection.is_empty() { DEFAULT_TOP } else { selection.top.unwrap_or(0) };
    let mut numbers: BTreeSet<usize> = (1..=top.min(there)).collect();
    for number in &selection.numbers {
        if !(1..=there).contains(number) {
            let line = match there {
                0 => "nothing that could be read wants hardening".to_owned(),
                1 => format!("there is no {number} to harden: there is only 1"),
                _ => format!("there is no {number} to harden: they are numbered 1 to {there} (assess --top {there})"),
            };
            return Err(Unplanned::Usage(line));
        }
        numbers.insert(*number);
    }
    let mut chosen: BTreeSet<usize> =
        numbers.iter().flat_map(|n| assessment.priorities[n - 1].closes.iter().copied()).collect();
    let mut checks: BTreeSet<&str> = selection.checks.iter().map(String::as_str).collect();
    for threat in assessment.catalog.iter().filter(|t| selection.threats.contains(&t.id)) {
        checks.extend(threat.answered.checks());
    }
    for (i, finding) in audit.findings.iter().enumerate() {
        let check = audit.check(finding);
        // What a person has to decide is planned where he asks for it.
        let open = match finding.judgement.verdict {
            Verdict::Fail => true,
            Verdict::Manual => selection.checks.contains(&check.id) && check.require.is_some(),
            Verdict::Pass | Verdict::Unknown | Verdict::NotApplicable => false,
        };
        let safe = selection.safe && check.remedy.safety == Safety::Safe && !check.remedy.edits.is_empty();
        if open && audit.waived[i].is_none() && (safe || checks.contains(check.id.as_str())) {
            chosen.insert(i);
        }
    }
    Ok(chosen.into_iter().collect())
}
