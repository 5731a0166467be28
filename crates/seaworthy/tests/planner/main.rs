//! Plans over the demonstration's facts, and over what becomes of them where one fact is another.

mod access;
mod anew;
mod bed;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod daemon;
mod limits;
mod property;

use std::collections::BTreeSet;

use seaworthy_catalog::Catalog;
use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::component::Component;
use seaworthy_core::derive::{derive, registries};
use seaworthy_core::fact::Source;
use seaworthy_core::plan::{Action, Change, Plan};
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::value::Value;
use seaworthy_harden::plan::{Selection, Set, Settings, Unplanned, plan};

static DEMO: &[u8] = include_bytes!("../../demo/snapshot.json.gz");

/// A host that is planned for.
struct Host {
    catalog: Catalog,
    snapshot: Snapshot,
}

/// What is asked for.
#[derive(Default)]
struct Ask<'a> {
    checks: &'a [&'a str],
    threats: &'a [&'a str],
    numbers: &'a [usize],
    safe: bool,
    set: &'a [&'a str],
    recreate: bool,
    accept: bool,
}

impl Host {
    /// The demonstration's.
    fn new() -> Self {
        let snapshot = seaworthy_collect::read_snapshot(DEMO).expect("the demonstration reads back");
        Self { catalog: Catalog::embedded(), snapshot }
    }

    fn component(&mut self, kind: &str, name: &str) -> &mut Component {
        let components = self.snapshot.targets[0].components.iter_mut();
        let mut found = components.filter(|c| c.kind.name == kind && (*c.name == *name || name.is_empty()));
        found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// With another fact.
    fn with(mut self, kind: &str, name: &str, fact: &str, value: impl Into<Value>) -> Self {
        self.component(kind, name).set(fact, value, Source::place("a test"));
        self
    }

    fn container(self, name: &str, fact: &str, value: impl Into<Value>) -> Self {
        self.with("docker.container", name, fact, value)
    }

    fn daemon(self, fact: &str, value: impl Into<Value>) -> Self {
        self.with("docker.daemon", "", fact, value)
    }

    fn host(self, fact: &str, value: impl Into<Value>) -> Self {
        self.with("docker.host", "", fact, value)
    }

    /// The file of a role.
    fn file(mut self, role: &str, fact: &str, value: impl Into<Value>) -> Self {
        let components = self.snapshot.targets[0].components.iter_mut();
        let mut of_role = components.filter(|c| c.value("role").as_str() == Some(role));
        of_role.next().expect("a file of that role").set(fact, value, Source::place("a test"));
        self
    }

    fn unknown(self, kind: &str, name: &str, fact: &str) -> Self {
        self.with(kind, name, fact, Value::unknown("a right was missing"))
    }

    /// Plans; the snapshot is derived and judged as the program does it.
    fn ask(&self, ask: &Ask<'_>) -> Result<Plan, Unplanned> {
        self.judged(|_, model| self.plan_for(model, ask))
    }

    /// Plans over a model that is there.
    fn plan_for(&self, model: &Assessment<'_>, ask: &Ask<'_>) -> Result<Plan, Unplanned> {
        let all = |names: &[&str]| -> BTreeSet<String> {
            let found = names.iter().flat_map(|n| self.catalog.find(n).expect("a check of that name"));
            found.map(|c| c.id.clone()).collect()
        };
        let selection = Selection {
            numbers: ask.numbers.to_vec(),
            top: None,
            checks: all(ask.checks),
            threats: ask.threats.iter().map(|t| (*t).to_owned()).collect(),
            safe: ask.safe,
        };
        let set = ask.set.iter().map(|s| Set::parse(s).expect("a value that fits")).collect();
        let settings =
            Settings { set, recreate: ask.recreate, accept_lost_changes: ask.accept, demo: false, tool: "0".into() };
        plan(model, &selection, &settings)
    }

    /// With the findings and the model over it.
    fn judged<T>(&self, then: impl FnOnce(&Audit<'_>, &Assessment<'_>) -> T) -> T {
        let mut snapshot = self.snapshot.clone();
        derive(&mut snapshot, &self.catalog.flaws);
        registries(&mut snapshot, None);
        let Catalog { checks, benchmarks, threats, steps, blanks, .. } = &self.catalog;
        let audit = Audit::new(&snapshot, checks, benchmarks, &benchmarks[0], &[], |_| true);
        let knowledge = seaworthy_model::Knowledge { threats, steps, blanks };
        let model = seaworthy_model::assess(&audit, knowledge, &seaworthy_model::Exposure::default());
        then(&audit, &model)
    }

    /// A plan for checks alone.
    fn plan(&self, checks: &[&str]) -> Plan {
        self.ask(&Ask { checks, ..Ask::default() }).expect("a plan")
    }
}

/// The words of a plan's actions, in their order.
fn words(plan: &Plan) -> Vec<&'static str> {
    plan.changes.iter().map(|c| c.action.word()).collect()
}

/// The only change with an action of a word.
fn only<'p>(plan: &'p Plan, word: &str) -> &'p Change {
    let mut all = plan.changes.iter().filter(|c| c.action.word() == word);
    let first = all.next().unwrap_or_else(|| panic!("no {word} in {:?}: {:?}", words(plan), plan.left_out));
    assert!(all.next().is_none(), "several of {word}");
    first
}

/// Why a check was left out.
fn left<'p>(plan: &'p Plan, check: &str) -> &'p str {
    let found = plan.left_out.iter().find(|l| l.finding.check.ends_with(check));
    &found.unwrap_or_else(|| panic!("{check} was not left out: {plan:#?}")).why
}

/// Why a check on one component was left out.
fn left_of<'p>(plan: &'p Plan, check: &str, component: &str) -> &'p str {
    let is = |l: &&seaworthy_core::plan::LeftOut| l.finding.check.ends_with(check) && l.finding.component == component;
    &plan.left_out.iter().find(is).unwrap_or_else(|| panic!("{check} on {component} was not left out: {plan:#?}")).why
}

/// What a plan sets of daemon.json.
fn keys(plan: &Plan) -> Vec<(String, Option<serde_json::Value>)> {
    let Action::DaemonJson(file) = &only(plan, "daemon.json").action else { panic!("no settings") };
    file.set.iter().map(|s| (s.key.clone(), s.after.clone())).collect()
}
