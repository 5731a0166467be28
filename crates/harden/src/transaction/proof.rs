//! The proof: everything collected and judged again, and held against the plan and against what was before.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use seaworthy_core::component::Component;
use seaworthy_core::plan::{Action, Activation, Closed, Pending, Plan};
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
    let mut proven = Proven { containers: containers(plan, before, after)?, ..Proven::default() };
    let seen = Findings::of(after);
    for expected in &plan.expects {
        let finding = &expected.finding;
        let called = format!("{} ({})", finding.check, finding.component);
        match (seen.find(finding), expected.pending) {
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
fn lost(plan: &Plan, before: &Look, seen: &Findings<'_>) -> Result<(), String> {
    let closed = plan.changes.iter().flat_map(|c| &c.closes);
    let reached: BTreeSet<(&str, &str)> = closed.map(|c| (c.kind.as_str(), c.component.as_str())).collect();
    let restarts = plan.changes.iter().any(|c| matches!(c.action, Action::Activate(_)));
    let whole = [docker::DAEMON.name, docker::CONTAINER.name];
    let reaches = |finding: &Seen| {
        reached.contains(&(finding.kind.as_str(), finding.component.as_str()))
            || restarts && whole.contains(&finding.kind.as_str())
    };
    for was in before.findings.iter().filter(|f| f.verdict == Verdict::Pass && reaches(f)) {
        let now = seen.named(&was.check, &was.kind, &was.component, &was.fingerprint);
        if let Some(now) = now.filter(|now| now.verdict == Verdict::Fail) {
            return Err(format!("{} ({}) passed before and fails now: {}", was.check, was.component, now.reason));
        }
    }
    Ok(())
}

/// Findings, to be found again.
#[derive(Debug)]
pub struct Findings<'a> {
    /// By check, kind and name of the component; none where several are called so.
    by_name: HashMap<(&'a str, &'a str, &'a str), Option<&'a Seen>>,
    /// By check and fingerprint.
    by_print: HashMap<(&'a str, &'a str), &'a Seen>,
}

impl<'a> Findings<'a> {
    /// Those of a look.
    #[must_use]
    pub fn of(look: &'a Look) -> Self {
        let mut by_name = HashMap::new();
        for seen in &look.findings {
            let name = (seen.check.as_str(), seen.kind.as_str(), seen.component.as_str());
            by_name.entry(name).and_modify(|one| *one = None).or_insert(Some(seen));
        }
        let by_print = look.findings.iter().map(|f| ((f.check.as_str(), f.fingerprint.as_str()), f)).collect();
        Self { by_name, by_print }
    }

    /// What a finding of a plan is now.
    #[must_use]
    pub fn find(&self, closed: &Closed) -> Option<&'a Seen> {
        self.named(&closed.check, &closed.kind, &closed.component, &closed.fingerprint)
    }

    /// By its component's name, which the plan's changes leave. A fingerprint says who somebody is over months, and
    /// another container that comes or goes, or a reference to the same image in other words, may change it meanwhile.
    fn named(&self, check: &str, kind: &str, component: &str, fingerprint: &str) -> Option<&'a Seen> {
        let named = self.by_name.get(&(check, kind, component)).copied().flatten();
        named.or_else(|| self.by_print.get(&(check, fingerprint)).copied())
    }
}

/// Whether a container that is gone was to go by itself when its work is done (`--rm`), and nothing of the plan reaches it:
/// jobs come and go while something else is changed.
fn ended_by_itself(plan: &Plan, was: &Component) -> bool {
    let reaches = |action: &Action| match action {
        Action::Activate(activate) => activate.how == Activation::Restart,
        Action::Update(update) => *update.container.name == *was.name,
        Action::Recreate(recreate) => *recreate.container.name == *was.name,
        _ => false,
    };
    was.value("auto_remove") == &Value::Bool(true) && !plan.changes.iter().any(|c| reaches(&c.action))
}

/// Containers that ran run, and those that were healthy are; how many.
fn containers(plan: &Plan, before: &Look, after: &Look) -> Result<usize, String> {
    if let Some(why) = after.target.incomplete.get(docker::CONTAINER.name) {
        return Err(format!("the containers cannot be seen: {why}"));
    }
    let now: HashMap<&str, &Component> = after.target.of(&docker::CONTAINER).map(|c| (&*c.name, c)).collect();
    let ran = |c: &&Component| c.value("running") == &Value::Bool(true);
    let mut count = 0;
    for was in before.target.of(&docker::CONTAINER).filter(ran) {
        if !now.contains_key(&*was.name) && ended_by_itself(plan, was) {
            continue;
        }
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
