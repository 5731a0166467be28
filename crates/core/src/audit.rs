//! An audit: findings over a snapshot, with controls and waivers. What every rendering reads.

use std::collections::{BTreeMap, HashMap};

use crate::benchmark::{Benchmark, Control};
use crate::check::Check;
use crate::component::Component;
use crate::fact::Fact;
use crate::identity;
use crate::judge::{Finding, judge_target};
use crate::snapshot::Snapshot;
use crate::verdict::{Severity, Verdict};
use crate::waiver::Waiver;

/// Findings over a snapshot, and everything needed to show them.
#[derive(Debug)]
pub struct Audit<'a> {
    /// What was read.
    pub snapshot: &'a Snapshot,
    /// The catalogue's checks; findings point into it.
    pub checks: &'a [Check],
    /// Every benchmark of the catalogue, newest first within a family.
    pub benchmarks: &'a [Benchmark],
    /// The benchmark that is asked for.
    pub benchmark: &'a Benchmark,
    /// The findings, in the order of kinds and components.
    pub findings: Vec<Finding>,
    /// The waivers that were given.
    pub waivers: &'a [Waiver],
    /// For each finding the waiver that accepts it.
    pub waived: Vec<Option<usize>>,
    /// Waivers that do nothing, with the reason: expired, orphaned, without a reason.
    pub waiver_problems: Vec<String>,
    identities: Vec<Vec<String>>,
    controls_of: HashMap<&'a str, Vec<&'a Control>>,
}

/// A control with what was found about it.
#[derive(Clone, Debug)]
pub struct ControlResult<'a> {
    /// The control.
    pub control: &'a Control,
    /// Fail, else unknown, else manual, else pass; without any finding, not applicable.
    pub verdict: Verdict,
    /// Its findings, by position in the audit.
    pub findings: Vec<usize>,
}

impl<'a> Audit<'a> {
    /// Judges a snapshot: every check that `wanted` lets through, over every target.
    pub fn new(
        snapshot: &'a Snapshot,
        checks: &'a [Check],
        benchmarks: &'a [Benchmark],
        benchmark: &'a Benchmark,
        waivers: &'a [Waiver],
        wanted: impl Fn(&Check) -> bool,
    ) -> Self {
        let chosen: Vec<(usize, &Check)> = checks.iter().enumerate().filter(|(_, c)| wanted(c)).collect();
        let mut findings = Vec::new();
        for (index, target) in snapshot.targets.iter().enumerate() {
            findings.append(&mut judge_target(chosen.iter().copied(), index, target));
        }
        let identities = snapshot.targets.iter().map(identity::identities).collect();
        let mut controls_of: HashMap<&str, Vec<&Control>> = HashMap::new();
        for control in &benchmark.controls {
            for check in &control.checks {
                controls_of.entry(check).or_default().push(control);
            }
        }
        let waived = vec![None; findings.len()];
        let mut audit = Self {
            snapshot,
            checks,
            benchmarks,
            benchmark,
            findings,
            waivers,
            waived,
            waiver_problems: Vec::new(),
            identities,
            controls_of,
        };
        audit.apply_waivers();
        audit
    }

    /// The check of a finding.
    pub fn check(&self, finding: &Finding) -> &'a Check {
        &self.checks[finding.check]
    }

    /// The component of a finding; none where the list of such components could not be read.
    pub fn component(&self, finding: &Finding) -> Option<&'a Component> {
        finding.component.map(|i| &self.snapshot.targets[finding.target].components[i])
    }

    /// What to call the component of a finding.
    pub fn component_name(&self, finding: &Finding) -> &'a str {
        self.component(finding).map_or("(not listed)", |c| &c.name)
    }

    /// The facts that decided a finding, and those that its check shows beside them, without repeats.
    pub fn facts(&self, finding: &Finding) -> Vec<(&'static str, &'a Fact)> {
        let Some(component) = self.component(finding) else { return Vec::new() };
        let mut set = finding.judgement.facts;
        for name in &self.check(finding).show {
            if let Some(i) = component.kind.index(name) {
                set = set.union(crate::predicate::FactSet::one(i));
            }
        }
        set.iter()
            .filter(|i| *i < component.kind.facts.len())
            .map(|i| (component.kind.facts[i].name, component.fact_at(i)))
            .collect()
    }

    /// A finding's fingerprint: the same for the same check on the same component, also after it was re-created.
    pub fn fingerprint(&self, finding: &Finding) -> String {
        let target = &self.snapshot.targets[finding.target];
        let identity =
            finding.component.map_or(self.check(finding).about.as_str(), |i| &self.identities[finding.target][i]);
        identity::fingerprint(&[&self.check(finding).id, &target.name, identity])
    }

    /// The controls of the benchmark that a check answers.
    pub fn controls_of(&self, check: &str) -> &[&'a Control] {
        self.controls_of.get(check).map_or(&[], Vec::as_slice)
    }

    /// Every control of the benchmark with what was found; those whose checks were not wanted are left out.
    pub fn controls(&self) -> Vec<ControlResult<'a>> {
        let mut by_check: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, finding) in self.findings.iter().enumerate() {
            by_check.entry(&self.check(finding).id).or_default().push(i);
        }
        let result = |control: &'a Control| {
            let findings: Vec<usize> =
                control.checks.iter().filter_map(|c| by_check.get(c.as_str())).flatten().copied().collect();
            let verdict = Verdict::over(findings.iter().map(|i| self.findings[*i].judgement.verdict));
            ControlResult { control, verdict, findings }
        };
        self.benchmark.controls.iter().map(result).collect()
    }

    /// The gravest severity of failures that no waiver accepts, and of unknowns.
    pub fn worst(&self, verdict: Verdict) -> Option<Severity> {
        let open =
            self.findings.iter().zip(&self.waived).filter(|(f, w)| f.judgement.verdict == verdict && w.is_none());
        open.map(|(f, _)| self.check(f).severity).max()
    }

    /// How many findings have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|f| f.judgement.verdict == verdict).count()
    }

    fn apply_waivers(&mut self) {
        for (w, waiver) in self.waivers.iter().enumerate() {
            if let Some(problem) = waiver.problem() {
                self.waiver_problems.push(problem);
                continue;
            }
            let ended = waiver.ends().is_ok_and(|end| end <= self.snapshot.collected_at);
            let mut covers = 0usize;
            let mut unknown = 0usize;
            for i in 0..self.findings.len() {
                let finding = &self.findings[i];
                if self.check(finding).id != waiver.check {
                    continue;
                }
                if !waiver.covers(&waiver.check, &self.fingerprint(finding), self.component_name(finding)) {
                    continue;
                }
                match finding.judgement.verdict {
                    Verdict::Fail | Verdict::Manual => {
                        covers += 1;
                        if !ended && self.waived[i].is_none() {
                            self.waived[i] = Some(w);
                        }
                    }
                    Verdict::Unknown => unknown += 1,
                    Verdict::Pass | Verdict::NotApplicable => {}
                }
            }
            let what = format!("the waiver of `{}` for `{}`", waiver.check, waiver.component);
            match (covers, unknown) {
                (0, 0) => self.waiver_problems.push(format!("{what} is orphaned: nothing that fails fits it")),
                (0, _) => self
                    .waiver_problems
                    .push(format!("{what} does nothing: what it fits is unknown, and unknown cannot be waived")),
                _ if ended => self.waiver_problems.push(format!("{what} expired on {}", waiver.expires)),
                _ => {}
            }
        }
    }
}
