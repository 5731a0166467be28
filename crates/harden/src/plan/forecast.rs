//! What a plan is expected to close.

use std::collections::BTreeSet;

use seaworthy_core::audit::Audit;
use seaworthy_core::plan::{Pending, Plan};

/// The findings that pass when a plan has been carried out, by position in the audit that it was made from; what waits for
/// a container to be made anew is not among them.
#[must_use]
pub fn closed(audit: &Audit<'_>, plan: &Plan) -> Vec<usize> {
    let waits = |e: &&seaworthy_core::plan::Expected| e.pending != Some(Pending::Recreation);
    let expected: BTreeSet<&str> = plan.expects.iter().filter(waits).map(|e| e.finding.fingerprint.as_str()).collect();
    let is = |i: &usize| expected.contains(audit.fingerprint(&audit.findings[*i]).as_str());
    (0..audit.findings.len()).filter(is).collect()
}
