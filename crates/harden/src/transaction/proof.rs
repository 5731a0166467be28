//! The proof: everything collected and judged again, and held against the plan and against what was before.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use seaworthy_core::component::Component;
use seaworthy_core::plan::{Action, Pending, Plan};
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;

use super::{Eyes, Look, Seen};

/// How long containers may take to run again and to be healthy, and facts to settle, beyond what the plan says.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What was proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proven {
    pub passed: usize,
    pub pending: Vec<(String, Pending)>,
    pub containers: usize,
}

/// Looks until everything holds; the first thing that does not when time runs out, or why it was not waited for.
pub(super) fn prove(
    plan: &Plan,
    before: &Look,
    eyes: Option<&dyn Eyes>,
    stopped: &dyn Fn() -> Result<(), String>,
) -> Result<Proven, String> {
    let limit = PATIENCE + Duration::from_secs(plan.interruption.seconds.as_ref().map_or(0, |(s, _)| *s));
    let began = Instant::now();
    loop {
        stopped()?;
        let why = match eyes.map_or_else(|| Err("the host cannot be seen".into()), |eyes| eyes.look()) {
            Ok(after) => match hold(plan, before, &after) {
                Ok(proven) => return Ok(proven),
                Err(why) => why,
            },
            Err(why) => why,
        };
        if began.elapsed() >= limit {
            return Err(why);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Holds what is seen against the plan and against what was before.
fn hold(plan: &Plan, before: &Look, after: &Look) -> Result<Proven, String> {
    let mut proven = Proven { containers: containers(before, after)?, ..Proven::default() };
    let seen = by_finding(&after.findings);
    for expected in &plan.expects {
        let finding = &expected.finding;
        let called = format!("{} ({})", finding.check, finding.component);
        let now = seen.get(&(finding.check.as_str(), finding.fingerprint.as_str()));
        match (now, expected.pending) {
            (Some(Seen { verdict: Verdict::Pass | Verdict::NotApplicable, .. }), _) => proven.passed += 1,
            (Some(Seen { verdict: Verdict::Fail | Verdict::Unknown | Verdict::Manual, .. }), Some(pending)) => {
                proven.pending.push((called, pending));
            }
            (Some(now), None) => {
                let verdict = now.verdict.word();
                let why = if now.reason.is_empty() { String::new() } else { format!(": {}", now.reason) };
                return Err(format!("{called} is {verdict} in effect{why}"));
            }
            (None, _) => return Err(format!("{called} is not found any more")),
        }
    }
    lost(plan, before, &seen)?;
    Ok(proven)
}

/// Every finding that passed on a component that the plan reaches passes still, or is at least not disproven.
fn lost(plan: &Plan, before: &Look, seen: &HashMap<(&str, &str), &Seen>) -> Result<(), String> {
    let closed = plan.changes.iter().flat_map(|c| &c.closes);
    let reached: BTreeSet<(&str, &str)> = closed.map(|c| (c.kind.as_str(), c.component.as_str())).collect();
    let restarts = plan.changes.iter().any(|c| matches!(c.action, Action::Activate(_)));
    let whole = [docker::DAEMON.name, docker::CONTAINER.name];
    let reaches = |finding: &Seen| {
        reached.contains(&(finding.kind.as_str(), finding.component.as_str()))
            || restarts && whole.contains(&finding.kind.as_str())
    };
    for was in before.findings.iter().filter(|f| f.verdict == Verdict::Pass && reaches(f)) {
        let now = seen.get(&(was.check.as_str(), was.fingerprint.as_str()));
        if let Some(now) = now.filter(|now| now.verdict == Verdict::Fail) {
            return Err(format!("{} ({}) passed before and fails now: {}", was.check, was.component, now.reason));
        }
    }
    Ok(())
}

fn by_finding(findings: &[Seen]) -> HashMap<(&str, &str), &Seen> {
    findings.iter().map(|f| ((f.check.as_str(), f.fingerprint.as_str()), f)).collect()
}

/// Containers that ran run, and those that were healthy are; how many.
fn containers(before: &Look, after: &Look) -> Result<usize, String> {
    if let Some(why) = after.target.incomplete.get(docker::CONTAINER.name) {
        return Err(format!("the containers cannot be seen: {why}"));
    }
    let now: HashMap<&str, &Component> = after.target.of(&docker::CONTAINER).map(|c| (&*c.name, c)).collect();
    let ran = |c: &&Component| c.value("running") == &Value::Bool(true);
    let mut count = 0;
    for was in before.target.of(&docker::CONTAINER).filter(ran) {
        let Some(is) = now.get(&*was.name).filter(|c| ran(c)) else {
            return Err(format!("container {} ran before and does not run now", was.name));
        };
        let health = |c: &Component| c.value("health").as_str().unwrap_or_default().to_owned();
        if health(was) == "healthy" && health(is) != "healthy" {
            return Err(format!("container {} was healthy before and is {} now", was.name, health(is)));
        }
        count += 1;
    }
    Ok(count)
}
