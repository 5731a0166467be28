//! What a plan leaves to do, as far as findings alone tell it.

use std::collections::BTreeSet;

use seaworthy_core::audit::Audit;
use seaworthy_core::plan::Plan;
use seaworthy_core::verdict::Verdict;

/// The findings that pass when a plan has been carried out, by position in the audit that it was made from; what waits for
/// a container to be made anew is not among them.
#[must_use]
pub fn closed(audit: &Audit<'_>, plan: &Plan) -> Vec<usize> {
    let waits = |e: &&seaworthy_core::plan::Expected| e.pending != Some(seaworthy_core::plan::Pending::Recreation);
    let expected: BTreeSet<&str> = plan.expects.iter().filter(waits).map(|e| e.finding.fingerprint.as_str()).collect();
    let is = |i: &usize| expected.contains(audit.fingerprint(&audit.findings[*i]).as_str());
    (0..audit.findings.len()).filter(is).collect()
}

/// Failing controls of the benchmark, now and with these findings closed.
#[must_use]
pub fn controls(audit: &Audit<'_>, closed: &[usize]) -> (usize, usize) {
    let (mut before, mut after) = (0, 0);
    for control in audit.controls() {
        before += usize::from(control.verdict == Verdict::Fail);
        let left = control.findings.iter().filter(|i| !closed.contains(i));
        let left = Verdict::over(left.map(|i| audit.findings[*i].judgement.verdict));
        after += usize::from(left == Verdict::Fail);
    }
    (before, after)
}
