//! What is left when findings are closed.

use seaworthy_core::assume;
use seaworthy_core::audit::Audit;
use seaworthy_core::step::{Forecast, Path};
use seaworthy_core::threat::{Instance, Status};
use seaworthy_core::verdict::Verdict;

use crate::{Exposure, Knowledge, diagram, judge, paths};

/// What is left of threats, paths and controls when findings of an audit, by position, are closed. The model is computed
/// anew over the facts that would then be others ([`assume::snapshot`]); where no such change is plain, the findings
/// themselves pass all the same, and no step is taken that they would cut. The audit must hold all of its findings.
pub fn forecast(audit: &Audit<'_>, knowledge: Knowledge<'_>, exposure: &Exposure, closed: &[usize]) -> Forecast {
    let snapshot = assume::snapshot(audit, closed);
    let (audit, forced) = audit.assuming(&snapshot, &assume::places(audit, closed));
    let diagram = diagram(&snapshot, Some(exposure));
    // Counted and let go of before paths are searched: in large clusters both are large.
    let (threats, instances) = {
        let instances = judge::Judge::new(&audit, knowledge.threats, &diagram).judged().instances;
        let of_status = |status| instances.iter().filter(|i| i.status == status).count();
        (by_worst(&instances, knowledge.threats.len()), Status::ALL.map(of_status))
    };
    let paths = paths::paths_without(&audit, &diagram, knowledge.steps, &forced);
    let controls: Vec<Verdict> = audit
        .controls()
        .iter()
        .filter(|c| !(c.in_part && matches!(c.verdict, Verdict::Pass | Verdict::NotApplicable)))
        .map(|c| c.verdict)
        .collect();
    let fails = |i: &usize| audit.findings[*i].judgement.verdict == Verdict::Fail && audit.waived[*i].is_none();
    Forecast {
        threats,
        instances,
        paths: paths.list.iter().map(Path::basis).collect(),
        pairs: paths.pairs(),
        more: !paths.more.is_empty() || paths.unlisted > 0 || !paths.unsearched.is_empty(),
        controls: Verdict::ALL.map(|verdict| controls.iter().filter(|v| **v == verdict).count()),
        failing: (0..audit.findings.len()).filter(fails).count(),
    }
}

/// Threats by the worst status of their instances.
fn by_worst(instances: &[Instance], threats: usize) -> [usize; 4] {
    let mut worst: Vec<Option<Status>> = vec![None; threats];
    for instance in instances {
        let known = worst[instance.threat].get_or_insert(instance.status);
        *known = instance.status.min(*known);
    }
    Status::ALL.map(|status| worst.iter().filter(|w| **w == Some(status)).count())
}
