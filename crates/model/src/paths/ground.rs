//! What the paths stand on: for each element which predicates of the steps hold, and which remedies are open.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use seaworthy_core::assume::Place;
use seaworthy_core::audit::Audit;
use seaworthy_core::component::Component;
use seaworthy_core::diagram::{Diagram, Flow, FlowKind};
use seaworthy_core::predicate::{FactSet, Predicate, Truth};
use seaworthy_core::schema::{Kind, docker, kubernetes};
use seaworthy_core::step::{CAPABILITIES, Step, Through, capability};
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;

use super::Asked;
use super::beside::{Beside, Mount};
use super::classes::Arcs;

/// Kleene's three values without their reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Tri {
    /// Disproven.
    No,
    /// Unknown.
    Perhaps,
    /// Proven.
    Yes,
}

impl Tri {
    pub(super) fn of(truth: &Truth) -> Self {
        match truth {
            Truth::True => Self::Yes,
            Truth::False => Self::No,
            Truth::Unknown(_) => Self::Perhaps,
        }
    }

    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Bool(true) => Self::Yes,
            Value::Unknown(_) => Self::Perhaps,
            _ => Self::No,
        }
    }
}

/// A snapshot, its diagram and the steps, prepared.
pub(super) struct Ground<'a> {
    pub(super) audit: &'a Audit<'a>,
    pub(super) diagram: &'a Diagram,
    pub(super) steps: &'a [Step],
    /// The flows at each element.
    pub(super) flows_at: Vec<Vec<usize>>,
    /// Elements that are not taken as one with others, whatever they are equal to.
    apart: HashSet<usize>,
    /// Which paths are asked for.
    asked: Asked<'a>,
    /// The elements of a kind in a target.
    pub(super) of_kind: HashMap<(usize, &'static str), Vec<usize>>,
    /// Failing findings that nobody accepted, by check, target and component; only of checks that some step names.
    failing: HashMap<Place, usize>,
    /// Where checks that some step names are taken for passing.
    passing: HashSet<Place>,
    /// For each step the positions of the checks that cut it.
    cuts: Vec<Vec<usize>>,
    /// Containers that meet without an element between them.
    beside: Beside,
    /// For each element a row of `answers`.
    row: Vec<usize>,
    /// For each distinct content: for each step what `when` and `at` say, then whether it runs.
    answers: Vec<Vec<Tri>>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(audit: &'a Audit<'a>, diagram: &'a Diagram, steps: &'a [Step], passing: &HashSet<Place>) -> Self {
        let positions: HashMap<&str, usize> =
            audit.checks.iter().enumerate().map(|(i, c)| (c.id.as_str(), i)).collect();
        let cuts: Vec<Vec<usize>> =
            steps.iter().map(|s| s.cut.iter().filter_map(|id| positions.get(id.as_str()).copied()).collect()).collect();
        let mut named = vec![false; audit.checks.len()];
        cuts.iter().flatten().for_each(|check| named[*check] = true);
        let mut failing = HashMap::new();
        for (i, finding) in audit.findings.iter().enumerate() {
            // What a person has to decide stands open until somebody has.
            let open =
                matches!(finding.judgement.verdict, Verdict::Fail | Verdict::Manual) && audit.waived[i].is_none();
            if let (true, true, Some(component)) = (named[finding.check], open, finding.component) {
                failing.insert((finding.check, finding.target, component), i);
            }
        }
        let mut of_kind: HashMap<(usize, &'static str), Vec<usize>> = HashMap::new();
        for (i, element) in diagram.elements.iter().enumerate() {
            of_kind.entry((element.target, element.kind)).or_default().push(i);
        }
        let mut ground = Self {
            audit,
            diagram,
            steps,
            flows_at: diagram.flows_at(),
            apart: HashSet::new(),
            asked: Asked::default(),
            of_kind,
            failing,
            passing: passing.iter().copied().filter(|(check, ..)| named[*check]).collect(),
            cuts,
            beside: Beside::new(audit.snapshot, diagram),
            row: Vec::new(),
            answers: Vec::new(),
        };
        ground.answer();
        ground
    }

    /// Takes the elements that somebody asks for for themselves, and lists no other paths than theirs.
    pub(super) fn ask(&mut self, asked: Asked<'a>) {
        let is = |name: &str| asked.from.contains(&name) || asked.to.contains(&name);
        let named = self.diagram.elements.iter().enumerate().filter(|(_, e)| is(&e.name));
        self.apart = named.map(|(element, _)| element).collect();
        self.asked = asked;
    }

    /// Whether somebody asks for paths that begin at a capability of an element, or that end there.
    pub(super) fn is_asked(&self, entry: bool, capability: usize, element: usize) -> bool {
        let names = if entry { self.asked.from } else { self.asked.to };
        let this = &CAPABILITIES[capability];
        // A part is asked for with the whole.
        let is = |name: &&str| {
            *name == this.name || this.within == Some(*name) || *name == self.diagram.elements[element].name
        };
        names.is_empty() || names.iter().any(is)
    }

    pub(super) fn component(&self, element: usize) -> Option<&'a Component> {
        let element = &self.diagram.elements[element];
        self.audit.snapshot.targets.get(element.target)?.components.get(element.component?)
    }

    /// Whether `when` of a step holds of an element.
    pub(super) fn when(&self, step: usize, element: usize) -> Tri {
        self.answers[self.row[element]][2 * step]
    }

    /// Whether `at` of a step holds of an element.
    pub(super) fn at(&self, step: usize, element: usize) -> Tri {
        self.answers[self.row[element]][2 * step + 1]
    }

    /// Whether an element runs; what is no container does.
    pub(super) fn runs(&self, element: usize) -> Tri {
        self.answers[self.row[element]][2 * self.steps.len()]
    }

    /// Evaluates every predicate once for each distinct content of the facts that predicates name.
    fn answer(&mut self) {
        let mut named: HashMap<&'static str, Vec<usize>> = HashMap::new();
        let mut known: HashMap<u64, Vec<(usize, usize)>> = HashMap::new();
        for i in 0..self.diagram.elements.len() {
            let Some(component) = self.component(i) else {
                self.row.push(self.answers.len());
                self.answers.push(vec![Tri::Yes; 2 * self.steps.len() + 1]);
                continue;
            };
            let facts = named.entry(component.kind.name).or_insert_with(|| named_facts(self.steps, component.kind));
            let mut hasher = DefaultHasher::new();
            component.kind.name.hash(&mut hasher);
            facts.iter().for_each(|f| component.fact_at(*f).value.hash(&mut hasher));
            let same = known.entry(hasher.finish()).or_default();
            let equal = same.iter().find(|(other, _)| {
                self.component(*other).is_some_and(|o| {
                    std::ptr::eq(o.kind, component.kind)
                        && facts.iter().all(|f| o.fact_at(*f).value == component.fact_at(*f).value)
                })
            });
            let row = equal.map_or(self.answers.len(), |(_, row)| *row);
            if row == self.answers.len() {
                same.push((i, row));
                self.answers.push(evaluate(self.steps, component));
            }
            self.row.push(row);
        }
    }

    /// Whether a flow lets through what a step needs, for him who comes from one of its ends.
    pub(super) fn through(&self, through: Option<Through>, flow: &Flow, from: usize) -> Tri {
        let far = if flow.from == from { flow.to } else { flow.from };
        match through {
            None => Tri::Yes,
            Some(Through::Write) => self.writes(flow.from, flow.to),
            Some(Through::Joined) => self.joined(from, far).min(self.enters(from, far)),
            Some(Through::JoinedBy) => self.joined(far, from).min(self.enters(from, far)),
            Some(Through::Linked | Through::Shared | Through::SharedWrite) => Tri::No,
        }
    }

    /// The containers that meet this one without an element between them, in the way that a step asks for; none where it asks
    /// for a flow.
    pub(super) fn beside(&self, through: Option<Through>, element: usize) -> Option<Vec<(usize, Tri)>> {
        match through {
            Some(Through::Linked) => Some(self.beside.linked(element)),
            Some(Through::Shared) => Some(self.beside.sharing(element, false)),
            Some(Through::SharedWrite) => Some(self.beside.sharing(element, true)),
            Some(Through::Write | Through::Joined | Through::JoinedBy) | None => None,
        }
    }

    fn writes(&self, container: usize, volume: usize) -> Tri {
        let (Some(container), Some(volume)) = (self.component(container), self.component(volume)) else {
            return Tri::Perhaps;
        };
        let Value::List(mounts) = container.value("mounts") else { return Tri::Perhaps };
        let of_volume = |m: &&Value| match m.field("volume") {
            Some(Value::Str(name)) => *name == volume.name,
            _ => false,
        };
        let found = mounts.iter().filter(of_volume).map(|m| m.field("rw").map_or(Tri::Perhaps, Tri::of_value)).max();
        let uncertain = mounts.iter().any(|m| m.is_unknown() || m.field("volume").is_some_and(Value::is_unknown));
        found.unwrap_or(if uncertain { Tri::Perhaps } else { Tri::No })
    }

    fn joined(&self, one: usize, other: usize) -> Tri {
        let (Some(one), Some(other)) = (self.component(one), self.component(other)) else { return Tri::No };
        let Value::List(joins) = one.value("joins") else { return Tri::Perhaps };
        let wanted = format!("pid:{}", other.name);
        if joins.iter().any(|j| j.as_str() == Some(&wanted)) {
            return Tri::Yes;
        }
        if joins.iter().any(Value::is_unknown) { Tri::Perhaps } else { Tri::No }
    }

    /// Whether root in one container may look into the processes of another in the same pid namespace: the kernel asks
    /// for `SYS_PTRACE`, or for the same user with no fewer capabilities, and a security module for its own consent.
    fn enters(&self, from: usize, to: usize) -> Tri {
        let (Some(from), Some(to)) = (self.component(from), self.component(to)) else { return Tri::No };
        let holds = |c: &Component, name: &str| match c.value("capabilities") {
            Value::List(all) if all.iter().any(|own| own.as_str() == Some(name)) => Tri::Yes,
            Value::List(all) if !all.iter().any(Value::is_unknown) => Tri::No,
            _ => Tri::Perhaps,
        };
        let as_many = match to.value("capabilities") {
            Value::List(all) => all.iter().map(|c| c.as_str().map_or(Tri::Perhaps, |c| holds(from, c))).min(),
            _ => Some(Tri::Perhaps),
        };
        let as_user = match to.value("root_user") {
            Value::Bool(true) => as_many.unwrap_or(Tri::Yes),
            Value::Bool(false) => holds(from, "SETUID").min(holds(from, "SETGID")),
            _ => Tri::Perhaps,
        };
        let kernel = holds(from, "SYS_PTRACE").max(as_user);
        let same = |fact: &str| from.value(fact) == to.value(fact) && !from.value(fact).is_unknown();
        if same("apparmor") && same("selinux") { kernel } else { kernel.min(Tri::Perhaps) }
    }

    /// The open findings whose remedies cut a step between two elements.
    pub(super) fn cut_by(&self, step: usize, from: usize, to: usize, flow: Option<usize>) -> Vec<usize> {
        let mut found: Vec<usize> =
            self.cuts_at(step, from, to, flow).iter().filter_map(|place| self.failing.get(place).copied()).collect();
        found.sort_unstable();
        found
    }

    /// Whether a check that is taken for passing cuts a step between two elements.
    pub(super) fn is_cut(&self, step: usize, from: usize, to: usize, flow: Option<usize>) -> bool {
        !self.passing.is_empty()
            && !self.cuts[step].is_empty()
            && self.cuts_at(step, from, to, flow).iter().any(|place| self.passing.contains(place))
    }

    /// Where the checks stand that cut a step between two elements.
    fn cuts_at(&self, step: usize, from: usize, to: usize, flow: Option<usize>) -> Vec<Place> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        // What one of the two did, the other cannot undo.
        let ends = match self.steps[step].through {
            Some(Through::Joined | Through::Linked) => vec![from],
            Some(Through::JoinedBy) => vec![to],
            Some(Through::Write | Through::Shared | Through::SharedWrite) | None => vec![from, to],
        };
        for element in ends {
            let element = &self.diagram.elements[element];
            places.extend(element.component.map(|c| (element.target, c)));
            for kind in [docker::DAEMON.name, docker::HOST.name, kubernetes::CLUSTER.name, kubernetes::APISERVER.name] {
                let found = self.of_kind.get(&(element.target, kind)).map_or(&[][..], Vec::as_slice);
                places.extend(
                    found.iter().filter_map(|e| self.diagram.elements[*e].component.map(|c| (element.target, c))),
                );
            }
        }
        if let Some(flow) = flow {
            places.extend(self.diagram.flows[flow].facts.iter().map(|f| (f.target, f.component)));
        }
        places.sort_unstable();
        places.dedup();
        let of_check = |check: &usize| -> Vec<Place> { places.iter().map(|(t, c)| (*check, *t, *c)).collect() };
        self.cuts[step].iter().flat_map(of_check).collect()
    }

    /// A number for each element: equal for those that no step and no remedy can tell apart by themselves.
    pub(super) fn colours(&self) -> Vec<u32> {
        let mut open: Vec<Vec<usize>> = vec![Vec::new(); self.diagram.elements.len()];
        let by_component = self.diagram.by_component();
        let failing = self.failing.keys().map(|place| (place, 0));
        let mut told: Vec<(&Place, usize)> = failing.chain(self.passing.iter().map(|place| (place, 1))).collect();
        told.sort_unstable();
        for ((check, target, component), passes) in told {
            if let Some(element) = by_component.get(&(*target, *component)) {
                open[*element].push(2 * check + passes);
            }
        }
        let mut ids = HashMap::new();
        let nothing: Vec<(usize, Mount)> = Vec::new();
        let colour = |(i, open): (usize, Vec<usize>)| {
            let element = &self.diagram.elements[i];
            let shares = self.beside.at.get(&i).unwrap_or(&nothing);
            let answers = &self.answers[self.row[i]];
            let alone = self.apart.contains(&i).then_some(i);
            let key = (element.target, element.kind, element.certainty.is_proven(), answers, open, shares, alone);
            let next = ids.len() as u32;
            *ids.entry(key).or_insert(next)
        };
        open.into_iter().enumerate().map(colour).collect()
    }

    /// What each element sees along its flows.
    pub(super) fn arcs(&self) -> Arcs {
        let mut arcs: Arcs = vec![Vec::new(); self.diagram.elements.len()];
        for flow in &self.diagram.flows {
            let kind = FlowKind::ALL.iter().position(|k| *k == flow.kind).unwrap_or_default() as u32;
            let tri = |through: Through, kind: FlowKind, end: usize| match flow.kind == kind {
                true => self.through(Some(through), flow, end) as u32,
                false => 0,
            };
            let label = kind << 12
                | flow.power_number() << 18
                | u32::from(flow.certainty.is_proven())
                | tri(Through::Write, FlowKind::VolumeMount, flow.from) << 2
                | tri(Through::Joined, FlowKind::Namespace, flow.from) << 4
                | tri(Through::JoinedBy, FlowKind::Namespace, flow.from) << 6
                | tri(Through::Joined, FlowKind::Namespace, flow.to) << 8
                | tri(Through::JoinedBy, FlowKind::Namespace, flow.to) << 10;
            if flow.from != flow.to {
                arcs[flow.from].push((label, flow.to as u32));
                arcs[flow.to].push((label | 1 << 30, flow.from as u32));
            }
        }
        for (from, linked) in &self.beside.linked {
            for (to, truth) in linked {
                let label = 1 << 29 | *truth as u32;
                arcs[*from].push((label, *to as u32));
                arcs[*to].push((label | 1 << 30, *from as u32));
            }
        }
        arcs
    }
}

/// The facts of a kind that some step's predicate names, and whether a container runs.
fn named_facts(steps: &[Step], kind: &'static Kind) -> Vec<usize> {
    let of = |predicate: &Option<Predicate>, held: &str| match predicate {
        Some(p) if capability(held).is_some_and(|c| c.about == kind.name) => p.facts(),
        _ => FactSet::default(),
    };
    let set = steps.iter().fold(FactSet::default(), |set, s| set.union(of(&s.when, &s.from)).union(of(&s.at, &s.to)));
    let runs = kind.index("running").map_or_else(FactSet::default, FactSet::one);
    set.union(runs).iter().filter(|i| *i < kind.facts.len()).collect()
}

fn evaluate(steps: &[Step], component: &Component) -> Vec<Tri> {
    let about = |held: &str| capability(held).is_some_and(|c| c.is_at(component.kind.name));
    let other = |held: &str| capability(held).is_some_and(|c| c.about != component.kind.name);
    let answer = |predicate: &Option<Predicate>, held: &str| match (about(held), predicate) {
        (false, _) => Tri::No,
        (true, None) => Tri::Yes,
        (true, Some(_)) if other(held) => Tri::No,
        (true, Some(predicate)) => Tri::of(&predicate.evaluate(component).truth),
    };
    let mut row: Vec<Tri> = steps.iter().flat_map(|s| [answer(&s.when, &s.from), answer(&s.at, &s.to)]).collect();
    row.push(if component.kind.index("running").is_some() {
        Tri::of_value(component.value("running"))
    } else {
        Tri::Yes
    });
    row
}
