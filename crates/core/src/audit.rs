//! An audit: findings over a snapshot, with controls and waivers. What every rendering reads.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::assume::Place;
use crate::benchmark::{Benchmark, Control};
use crate::check::Check;
use crate::component::Component;
use crate::fact::Fact;
use crate::identity;
use crate::judge::{Finding, Judgement, judge_changed, judge_target};
use crate::kubernetes::remedy::{self, Index, Places, Proposal};
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
    /// Those that are shown beside it: of another platform that was read, too.
    pub beside: Vec<&'a Benchmark>,
    /// The findings, in the order of kinds and components.
    pub findings: Vec<Finding>,
    /// The waivers that were given, those of threats among them.
    pub waivers: &'a [Waiver],
    /// For each finding the waiver that accepts it.
    pub waived: Vec<Option<usize>>,
    /// Waivers of checks that do nothing, with the reason: expired, orphaned, without a reason.
    pub waiver_problems: Vec<String>,
    identities: Vec<Vec<String>>,
    controls_of: HashMap<&'a str, Vec<(&'a Benchmark, &'a Control)>>,
    /// For each check whether it was wanted.
    wanted: Vec<bool>,
    /// Whether no finding was dropped.
    whole: bool,
    /// For each target its components by their ids, once somebody asks for it.
    places: Vec<OnceLock<Places>>,
}

/// A control with what was found about it.
#[derive(Clone, Debug)]
pub struct ControlResult<'a> {
    /// Its benchmark.
    pub benchmark: &'a Benchmark,
    /// The control.
    pub control: &'a Control,
    /// Fail, else unknown, else manual, else pass; without any finding, not applicable.
    pub verdict: Verdict,
    /// Its findings, by position in the audit.
    pub findings: Vec<usize>,
    /// Whether some of its checks were not wanted, so that a pass speaks for the others alone.
    pub in_part: bool,
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
        let wanted: Vec<bool> = checks.iter().map(wanted).collect();
        let chosen: Vec<(usize, &Check)> = checks.iter().enumerate().filter(|(i, _)| wanted[*i]).collect();
        let mut findings = Vec::new();
        for (index, target) in snapshot.targets.iter().enumerate() {
            findings.append(&mut judge_target(chosen.iter().copied(), index, target));
        }
        Self::of((snapshot, findings), checks, (benchmarks, benchmark), waivers, wanted)
    }

    /// What follows from findings.
    fn of(
        (snapshot, findings): (&'a Snapshot, Vec<Finding>),
        checks: &'a [Check],
        (benchmarks, benchmark): (&'a [Benchmark], &'a Benchmark),
        waivers: &'a [Waiver],
        wanted: Vec<bool>,
    ) -> Self {
        let identities = snapshot.targets.iter().map(identity::identities).collect();
        let waived = vec![None; findings.len()];
        let mut audit = Self {
            snapshot,
            checks,
            benchmarks,
            benchmark,
            beside: Vec::new(),
            findings,
            waivers,
            waived,
            waiver_problems: Vec::new(),
            identities,
            controls_of: HashMap::new(),
            wanted,
            whole: true,
            places: snapshot.targets.iter().map(|_| OnceLock::new()).collect(),
        };
        audit.index(benchmark);
        audit.apply_waivers();
        audit
    }

    /// With other benchmarks shown beside the one that is asked for.
    #[must_use]
    pub fn with_beside(mut self, others: &[&'a Benchmark]) -> Self {
        for other in others {
            self.index(other);
            self.beside.push(other);
        }
        self
    }

    fn index(&mut self, benchmark: &'a Benchmark) {
        for control in &benchmark.controls {
            for check in &control.checks {
                self.controls_of.entry(check).or_default().push((benchmark, control));
            }
        }
    }

    /// The benchmarks that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &'a Benchmark> {
        std::iter::once(self.benchmark).chain(self.beside.iter().copied())
    }

    /// The same checks over another snapshot with the same components, findings at some places taken for passing; and
    /// those of the places at which the facts say otherwise.
    pub fn assuming<'b>(&self, snapshot: &'b Snapshot, passing: &HashSet<Place>) -> (Audit<'b>, HashSet<Place>)
    where
        'a: 'b,
    {
        let chosen: Vec<(usize, &Check)> = self.checks.iter().enumerate().filter(|(i, _)| self.wanted[*i]).collect();
        let mut findings = Vec::with_capacity(self.findings.len());
        let pairs = snapshot.targets.iter().zip(&self.snapshot.targets);
        for (index, (target, before)) in pairs.enumerate() {
            let known = self.findings.partition_point(|f| f.target < index);
            let known = &self.findings[known..self.findings.partition_point(|f| f.target <= index)];
            let checks = chosen.iter().copied();
            // Of what was dropped nothing is known.
            findings.append(&mut match self.whole {
                true => judge_changed(checks, index, target, (before, known)),
                false => judge_target(checks, index, target),
            });
        }
        let benchmarks = (self.benchmarks, self.benchmark);
        let out = Audit::of((snapshot, findings), self.checks, benchmarks, self.waivers, self.wanted.clone());
        let mut out = out.with_beside(&self.beside);
        let mut forced = HashSet::new();
        for (finding, waived) in out.findings.iter_mut().zip(&mut out.waived) {
            let Some(component) = finding.component else { continue };
            let place = (finding.check, finding.target, component);
            if finding.judgement.verdict != Verdict::Pass && passing.contains(&place) {
                forced.insert(place);
                let judgement = Judgement { verdict: Verdict::Pass, facts: finding.judgement.facts, reason: None };
                finding.judgement = Arc::new(judgement);
                *waived = None;
            }
        }
        (out, forced)
    }

    /// Whether a check, by its position, was wanted: of one that was not there are no findings, which says nothing.
    pub fn was_wanted(&self, check: usize) -> bool {
        self.wanted.get(check).is_some_and(|wanted| *wanted)
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

    /// The facts that decided a finding, then those that its check shows beside them, without repeats.
    pub fn facts(&self, finding: &Finding) -> Vec<(&'static str, &'a Fact)> {
        let Some(component) = self.component(finding) else { return Vec::new() };
        let decided = finding.judgement.facts;
        let shown = self.check(finding).show.iter().filter_map(|name| component.kind.index(name));
        let order = decided.iter().chain(shown.filter(|i| !decided.contains(*i)));
        let known = order.filter(|i| *i < component.kind.facts.len());
        known.map(|i| (component.kind.facts[i].name, component.fact_at(i))).collect()
    }

    /// The facts that decided a finding, without those that are only shown.
    pub fn deciding(&self, finding: &Finding) -> Vec<(&'static str, &'a Fact)> {
        let decided = finding.judgement.facts.iter().count();
        let mut facts = self.facts(finding);
        facts.truncate(decided);
        facts
    }

    /// What of a cluster's objects would have to change for a finding to pass, as far as it can be worked out.
    pub fn proposals(&self, finding: &Finding) -> Vec<Proposal> {
        let changes = &self.check(finding).remedy.changes;
        let Some(component) = self.component(finding).filter(|_| !changes.is_empty()) else { return Vec::new() };
        let target = &self.snapshot.targets[finding.target];
        let places = self.places[finding.target].get_or_init(|| Places::of(target));
        remedy::proposals(changes, &Index { target, places }, component)
    }

    /// A finding's fingerprint: the same for the same check on the same component, also after it was re-created.
    pub fn fingerprint(&self, finding: &Finding) -> String {
        let target = &self.snapshot.targets[finding.target];
        let identity =
            finding.component.map_or(self.check(finding).about.as_str(), |i| &self.identities[finding.target][i]);
        identity::fingerprint(&[&self.check(finding).id, &target.name, identity])
    }

    /// The controls of the benchmarks shown that a check answers.
    pub fn controls_of(&self, check: &str) -> &[(&'a Benchmark, &'a Control)] {
        self.controls_of.get(check).map_or(&[], Vec::as_slice)
    }

    /// Every control of the benchmarks shown with what was found; those of whose checks none was wanted are left out.
    pub fn controls(&self) -> Vec<ControlResult<'a>> {
        let mut of_check: Vec<Vec<usize>> = vec![Vec::new(); self.checks.len()];
        for (i, finding) in self.findings.iter().enumerate() {
            of_check[finding.check].push(i);
        }
        let by_check: HashMap<&str, Vec<usize>> =
            self.checks.iter().zip(of_check).map(|(c, findings)| (c.id.as_str(), findings)).collect();
        let unwanted: HashSet<&str> =
            self.checks.iter().zip(&self.wanted).filter(|(_, wanted)| !**wanted).map(|(c, _)| c.id.as_str()).collect();
        let result = |(benchmark, control): (&'a Benchmark, &'a Control)| {
            let findings: Vec<usize> =
                control.checks.iter().filter_map(|c| by_check.get(c.as_str())).flatten().copied().collect();
            let verdict = Verdict::over(findings.iter().map(|i| self.findings[*i].judgement.verdict));
            let in_part = control.checks.iter().any(|c| unwanted.contains(c.as_str()));
            ControlResult { benchmark, control, verdict, findings, in_part }
        };
        let wanted = |(_, c): &(&Benchmark, &Control)| {
            c.checks.is_empty() || c.checks.iter().any(|id| !unwanted.contains(id.as_str()))
        };
        let all = self.shown().flat_map(|benchmark| benchmark.controls.iter().map(move |control| (benchmark, control)));
        all.filter(wanted).map(result).collect()
    }

    /// Whether it holds every finding, so that one that is not there says something.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Keeps only the findings that `keep` lets through, in their order, each with its waiver. Positions of findings
    /// that were taken before mean others afterwards.
    pub fn retain(&mut self, keep: impl Fn(&Self, &Finding) -> bool) {
        let kept: Vec<bool> = self.findings.iter().map(|f| keep(self, f)).collect();
        self.whole &= kept.iter().all(|kept| *kept);
        let mut of_findings = kept.iter().copied();
        self.findings.retain(|_| of_findings.next().unwrap_or(true));
        let mut of_waived = kept.iter().copied();
        self.waived.retain(|_| of_waived.next().unwrap_or(true));
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
            // Those of threats are applied where threats are judged.
            let Some(of) = waiver.check() else { continue };
            if let Some(problem) = waiver.problem() {
                self.waiver_problems.push(problem);
                continue;
            }
            let ended = waiver.ends().is_ok_and(|end| end <= self.snapshot.collected_at);
            let mut covers = 0usize;
            let mut unknown = 0usize;
            for i in 0..self.findings.len() {
                let finding = &self.findings[i];
                if self.check(finding).id != of
                    || !waiver.fits(&self.fingerprint(finding), self.component_name(finding))
                {
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
            let what = waiver.called();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::Section;
    use crate::fact::Source;
    use crate::predicate::Predicate;
    use crate::remedy::{Remedy, Safety};
    use crate::schema::docker;
    use crate::snapshot::Target;
    use crate::waiver::Accepts;

    fn check(id: &str, require: &str) -> Check {
        Check {
            id: id.into(),
            title: id.into(),
            about: "docker.container".into(),
            severity: Severity::High,
            select: None,
            when: None,
            require: Some(Predicate::compile(require, &docker::CONTAINER).unwrap()),
            manual: None,
            show: Vec::new(),
            remedy: Remedy {
                safety: Safety::Safe,
                edits: Vec::new(),
                changes: Vec::new(),
                fix: "fix it".into(),
                by_hand: None,
            },
            rationale: String::new(),
            cases: Vec::new(),
            file: String::new(),
        }
    }

    #[test]
    fn what_was_changed_is_judged_as_if_all_was_judged_anew() {
        let mut target = Target::new("t", "docker", "unix:///x");
        for (name, privileged) in [("a", true), ("b", true), ("c", false)] {
            let mut component = Component::new(&docker::CONTAINER, name, name);
            component.set("privileged", privileged, Source::place("test"));
            target.components.push(component);
        }
        target.components.push(Component::new(&docker::HOST, "h", "h"));
        target.incomplete(&docker::CONTAINER, "one vanished");
        let snapshot = Snapshot { tool: "0".into(), collected_at: 0, targets: vec![target.clone(), target] };
        let mut checks = [check("c/1", "!privileged"), check("c/2", "privileged"), check("c/3", "running")];
        checks[1].select = Some(Predicate::compile("privileged", &docker::CONTAINER).unwrap());
        let benchmarks = [Benchmark {
            id: "b-1".into(),
            title: "B".into(),
            published: String::new(),
            sections: Vec::new(),
            controls: Vec::new(),
            aliases: Vec::new(),
        }];
        let of = |snapshot| Audit::new(snapshot, &checks, &benchmarks, &benchmarks[0], &[], |c| c.id != "c/3");
        let before = of(&snapshot);
        let mut changed = snapshot.clone();
        changed.targets[1].components[0].set("privileged", false, Source::place("forecast"));
        changed.targets[1].components[2].set("privileged", true, Source::place("forecast"));
        let (after, forced) = before.assuming(&changed, &HashSet::new());
        let told = |audit: &Audit<'_>| -> Vec<_> {
            let findings = audit.findings.iter();
            findings.map(|f| (f.check, f.target, f.component, f.judgement.verdict)).collect()
        };
        assert_eq!(told(&after), told(&of(&changed)));
        assert_ne!(told(&after), told(&before));
        assert!(forced.is_empty());
    }

    #[test]
    fn what_is_kept_keeps_its_waiver() {
        let mut target = Target::new("t", "docker", "unix:///x");
        for name in ["a", "b", "c"] {
            let mut component = Component::new(&docker::CONTAINER, name, name);
            component.set("privileged", true, Source::place("test"));
            target.components.push(component);
        }
        let snapshot = Snapshot { tool: "0".into(), collected_at: 0, targets: vec![target] };
        let checks = [check("c/1", "!privileged")];
        let benchmarks = [Benchmark {
            id: "b-1".into(),
            title: "B".into(),
            published: String::new(),
            sections: vec![Section { id: "1".into(), title: "One".into() }],
            controls: vec![Control {
                id: "1.1".into(),
                title: "One".into(),
                level: 1,
                automated: true,
                checks: vec!["c/1".into()],
            }],
            aliases: Vec::new(),
        }];
        let waivers = [Waiver {
            accepts: Accepts::Check("c/1".into()),
            component: "c".into(),
            reason: "known".into(),
            owner: "ops".into(),
            expires: "1990-01-01".into(),
        }];
        let mut audit = Audit::new(&snapshot, &checks, &benchmarks, &benchmarks[0], &waivers, |_| true);
        assert_eq!(audit.waived, [None, None, Some(0)]);
        audit.retain(|_, _| true);
        assert!(audit.is_whole());
        audit.retain(|audit, finding| audit.component_name(finding) != "a");
        assert!(!audit.is_whole());
        assert_eq!(audit.findings.iter().map(|f| audit.component_name(f)).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(audit.waived, [None, Some(0)]);
        assert_eq!(audit.controls()[0].findings, [0, 1]);
        audit.retain(|_, _| false);
        assert!(audit.findings.is_empty() && audit.waived.is_empty());
        assert_eq!(audit.controls()[0].verdict, Verdict::NotApplicable);
        let nothing = Audit::new(&snapshot, &checks, &benchmarks, &benchmarks[0], &[], |_| false);
        assert!(nothing.controls().is_empty());
    }
}
