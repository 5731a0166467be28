//! Threats judged: what becomes of each threat of the catalogue on each component and flow that it is about.
//!
//! **Instances.** A threat without `flow` has one for each element whose kind is `about`; one with `flow`, one for
//! each flow of that kind one end of which is of the kind `about`. Where `when` is proven false there is none. Where
//! the list of a target's components of the kind is incomplete, one more stands for what was not listed.
//!
//! **Checks.** Each check of the formula is looked up on the component itself if it is of the check's kind (of a flow:
//! on each end that is), else on the components that it is tied to: a container to its image, its networks and volumes
//! and the registries of its image, and all of these back; where the kinds are not tied, on every component of the
//! check's kind in the target (the daemon, the host, the files, the clients, the swarm). A tie that is not known is
//! unknown, never empty.
//!
//! **Status.** Over those findings a failure opens, else unknown and manual leave it undetermined, else what was waived
//! is accepted, else a pass answers. Not applicable, and a check whose `select` chose nothing, drop out; a check that
//! was not wanted is unknown. `all` is open, else undetermined, else accepted, else answered; `any` is answered as soon
//! as one part is, else undetermined, else accepted, else open. Where all drop out there is no instance. What would be
//! open on something that only may be there, or where `when` is unknown, is undetermined.

mod findings;
#[cfg(test)]
mod properties;
mod related;
#[cfg(test)]
mod tests;
mod waivers;
#[cfg(test)]
pub(crate) mod world;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::audit::Audit;
use seaworthy_core::diagram::{Certainty, Diagram, FactRef, Flow, FlowKind};
use seaworthy_core::identity;
use seaworthy_core::predicate::{FactSet, Truth};
use seaworthy_core::schema;
use seaworthy_core::threat::{Formula, Instance, Rating, Status, Subject, Threat};

use findings::{Findings, Outcome};
use related::Links;

/// What became of the threats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The instances, by threat and subject, with ratings still empty.
    pub instances: Vec<Instance>,
    /// Waivers of threats that do nothing, with the reason.
    pub waiver_problems: Vec<String>,
}

/// Judges every threat over a diagram, and applies the waivers of threats. The audit should hold all of its findings:
/// after [`Audit::retain`] has dropped some, every threat is undetermined, since one that is missing says nothing.
pub fn threats(audit: &Audit<'_>, threats: &[Threat], diagram: &Diagram) -> Judged {
    Judge::new(audit, threats, diagram).judged()
}

/// What keeps a threat open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stays {
    /// It is open while one of these findings is not closed.
    Findings(Vec<usize>),
    /// It is open while one of its parts is.
    One(Vec<Stays>),
    /// It is open while every part is.
    Every(Vec<Stays>),
}

/// A formula whose checks are found.
enum Node {
    /// The check's position in the audit.
    Check(usize),
    /// A check that the audit does not know.
    Missing(Arc<str>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

impl Node {
    /// Whether one of several parts suffices somewhere in it.
    fn chooses(&self) -> bool {
        match self {
            Self::Check(_) | Self::Missing(_) => false,
            Self::All(parts) => parts.iter().any(Self::chooses),
            Self::Any(_) => true,
        }
    }
}

/// Where a formula is evaluated.
struct Place<'p> {
    target: usize,
    /// Components, by position in the target, those of the threat's kind first.
    ends: &'p [usize],
    /// It stands for what could not be listed, for this reason.
    unlisted: Option<&'p str>,
    /// The threat's kind.
    about: &'p str,
}

/// What a subject is, before its formula is evaluated.
struct Candidate<'p> {
    subject: Subject,
    place: Place<'p>,
    certainty: Certainty,
    /// The facts that say that it is there.
    there: &'p [FactRef],
    id: &'p str,
}

/// Kinds of which every target of their platform has one, read or not: that none was read is no answer.
const ALWAYS_THERE: [&str; 9] = [
    "docker.host",
    "docker.daemon",
    "kubernetes.cluster",
    "kubernetes.apiserver",
    "kubernetes.etcd",
    "kubernetes.controller-manager",
    "kubernetes.scheduler",
    "kubernetes.kubelet",
    "kubernetes.node",
];

/// The judge of a snapshot's threats. It can also say what would become of one if findings were closed.
pub struct Judge<'a> {
    findings: Findings<'a>,
    threats: &'a [Threat],
    diagram: &'a Diagram,
    /// For each threat.
    formulas: Vec<Node>,
    /// For each target.
    links: Vec<Links<'a>>,
    /// For each target and check, what the check says of all of its kind.
    whole: Vec<Vec<OnceCell<Option<Outcome>>>>,
}

impl<'a> Judge<'a> {
    /// A judge over an audit, which should hold all of its findings: see [`threats`].
    pub fn new(audit: &'a Audit<'a>, threats: &'a [Threat], diagram: &'a Diagram) -> Self {
        let checks: HashMap<&str, usize> = audit.checks.iter().enumerate().map(|(i, c)| (c.id.as_str(), i)).collect();
        Self {
            findings: Findings::new(audit),
            threats,
            diagram,
            formulas: threats.iter().map(|t| node(&t.answered, &checks)).collect(),
            links: audit.snapshot.targets.iter().map(Links::new).collect(),
            whole: audit.snapshot.targets.iter().map(|_| vec![OnceCell::new(); audit.checks.len()]).collect(),
        }
    }

    /// Every threat judged, the waivers of threats applied: see [`threats`].
    pub fn judged(&self) -> Judged {
        let mut instances = self.instances();
        let waiver_problems = waivers::apply(&mut instances, self.findings.audit, self.threats, self.diagram);
        Judged { instances, waiver_problems }
    }

    /// Every instance, by threat and subject, without waivers of threats and without ratings.
    pub fn instances(&self) -> Vec<Instance> {
        let mut by_kind: HashMap<&str, Vec<usize>> = HashMap::new();
        for (i, element) in self.diagram.elements.iter().enumerate() {
            by_kind.entry(element.kind).or_default().push(i);
        }
        let mut of_flow = [0; FlowKind::ALL.len()];
        self.diagram.flows.iter().for_each(|f| of_flow[f.kind as usize] += 1);
        let most = |t: &Threat| match t.flow {
            None => by_kind.get(t.about.as_str()).map_or(0, Vec::len),
            Some(kind) => of_flow[kind as usize],
        };
        // Room for all: moving what is there already is a good part of the work otherwise.
        let most: usize = self.threats.iter().map(|t| most(t) + self.links.len()).sum();
        let mut out = Vec::with_capacity(most);
        for (t, threat) in self.threats.iter().enumerate() {
            match threat.flow {
                None => {
                    for &e in by_kind.get(threat.about.as_str()).into_iter().flatten() {
                        out.extend(self.on_element(t, e));
                    }
                }
                Some(kind) => {
                    let flows = self.diagram.flows.iter().enumerate().filter(|(_, f)| f.kind == kind);
                    for (f, flow) in flows {
                        out.extend(self.on_flow(t, f, flow));
                    }
                }
            }
            for target in 0..self.links.len() {
                out.extend(self.on_unlisted(t, target));
            }
        }
        out
    }

    /// What would become of an instance if these findings (by position in the audit) passed.
    pub fn status_if(&self, instance: &Instance, closed: &dyn Fn(usize) -> bool) -> Status {
        if !matches!(instance.status, Status::Open | Status::Undetermined) {
            return instance.status;
        }
        let (ends, unlisted) = self.ends_of(instance);
        let place = self.place(instance, &ends, unlisted);
        match self.evaluate(&self.formulas[instance.threat], &place, Some(closed)) {
            None => Status::Answered,
            Some(o) if o.status == Status::Open => instance.status,
            Some(o) => o.status,
        }
    }

    /// What keeps an open instance open: as [`Self::status_if`] would say it of whatever is closed, asked once.
    pub fn stays(&self, instance: &Instance) -> Stays {
        let formula = &self.formulas[instance.threat];
        let every = || Stays::Findings(instance.decided_by.clone());
        // Every failure of an open one is named: where all parts are needed, each of them keeps it open.
        if !formula.chooses() {
            return every();
        }
        let (ends, unlisted) = self.ends_of(instance);
        self.stays_at(formula, &self.place(instance, &ends, unlisted)).unwrap_or_else(every)
    }

    /// What keeps a formula open; none where it is not.
    fn stays_at(&self, node: &Node, place: &Place<'_>) -> Option<Stays> {
        match node {
            Node::All(parts) if node.chooses() => {
                let open: Vec<Stays> = parts.iter().filter_map(|p| self.stays_at(p, place)).collect();
                (!open.is_empty()).then_some(Stays::One(open))
            }
            Node::Any(parts) => {
                let there = parts.iter().filter(|p| self.evaluate(p, place, None).is_some());
                let open: Vec<Stays> = there.map(|p| self.stays_at(p, place)).collect::<Option<_>>()?;
                (!open.is_empty()).then_some(Stays::Every(open))
            }
            Node::All(_) | Node::Check(_) | Node::Missing(_) => {
                let outcome = self.evaluate(node, place, None).filter(|o| o.status == Status::Open)?;
                Some(Stays::Findings(outcome.decided_by.sorted()))
            }
        }
    }

    /// The components at which an instance was judged, and why they could not be listed where they were not.
    fn ends_of(&self, instance: &Instance) -> (Vec<usize>, Option<&'a str>) {
        let threat = &self.threats[instance.threat];
        match instance.subject {
            Subject::Element(e) => (self.diagram.elements[e].component.into_iter().collect(), None),
            Subject::Flow(f) => (self.ends(threat, &self.diagram.flows[f]), None),
            Subject::Unlisted(target) => (Vec::new(), self.not_listed(threat, target)),
        }
    }

    fn place<'p>(&'p self, instance: &Instance, ends: &'p [usize], unlisted: Option<&'p str>) -> Place<'p> {
        Place { target: instance.target, ends, unlisted, about: &self.threats[instance.threat].about }
    }

    fn on_element(&self, t: usize, e: usize) -> Option<Instance> {
        let element = &self.diagram.elements[e];
        let place = Place { target: element.target, ends: &[element.component?], unlisted: None, about: element.kind };
        let (certainty, there) = (element.certainty.clone(), element.facts.as_slice());
        self.judge(t, Candidate { subject: Subject::Element(e), place, certainty, there, id: &element.id })
    }

    fn on_flow(&self, t: usize, f: usize, flow: &Flow) -> Option<Instance> {
        let threat = &self.threats[t];
        let ends = self.ends(threat, flow);
        let (from, to) = (&self.diagram.elements[flow.from], &self.diagram.elements[flow.to]);
        let about = [from, to].into_iter().find(|e| e.kind == threat.about && e.component.is_some())?;
        let place = Place { target: about.target, ends: &ends, unlisted: None, about: about.kind };
        let certainty = flow.certainty.and(&from.certainty).and(&to.certainty);
        self.judge(t, Candidate { subject: Subject::Flow(f), place, certainty, there: &flow.facts, id: &flow.id })
    }

    /// The components at a flow's ends, those of the threat's kind first.
    fn ends(&self, threat: &Threat, flow: &Flow) -> Vec<usize> {
        let (from, to) = (&self.diagram.elements[flow.from], &self.diagram.elements[flow.to]);
        let first = if from.kind != threat.about && to.kind == threat.about { [to, from] } else { [from, to] };
        // An end of another target would be looked up in the wrong one.
        let mut ends: Vec<usize> =
            first.iter().filter(|e| e.target == first[0].target).filter_map(|e| e.component).collect();
        ends.dedup();
        ends
    }

    /// Why components that the threat is about, or whose flows it is about, could not be listed.
    fn not_listed(&self, threat: &Threat, target: usize) -> Option<&'a str> {
        let incomplete = &self.findings.audit.snapshot.targets[target].incomplete;
        let far = threat.flow.and(threat.crosses.as_deref());
        let kinds = [Some(threat.about.as_str()), far].into_iter().flatten();
        kinds.filter_map(|kind| incomplete.get(kind)).map(String::as_str).next()
    }

    fn on_unlisted(&self, t: usize, target: usize) -> Option<Instance> {
        let threat = &self.threats[t];
        let reason = self.not_listed(threat, target)?;
        let place = Place { target, ends: &[], unlisted: Some(reason), about: &threat.about };
        let outcome = self.evaluate(&self.formulas[t], &place, None)?;
        if matches!(outcome.status, Status::Answered | Status::Accepted) {
            return None; // Whatever was not listed, nothing about it is open.
        }
        let decided_by = if outcome.status == Status::Open { Vec::new() } else { outcome.decided_by.sorted() };
        let name = &self.findings.audit.snapshot.targets[target].name;
        Some(Instance {
            threat: t,
            subject: Subject::Unlisted(target),
            target,
            status: Status::Undetermined,
            decided_by,
            facts: Vec::new(),
            reason: Some(reason.into()),
            waiver: None,
            likelihood: Rating::default(),
            impact: Rating::default(),
            fingerprint: identity::fingerprint(&[&threat.id, name, &threat.about]),
        })
    }

    fn judge(&self, t: usize, candidate: Candidate<'_>) -> Option<Instance> {
        let threat = &self.threats[t];
        let Candidate { subject, place, certainty, there, id } = candidate;
        let (unsure, mut facts) = self.applies(threat, &place)?;
        let outcome = self.evaluate(&self.formulas[t], &place, None)?;
        let open = outcome.status == Status::Open;
        let (mut status, mut decided_by, mut reason) = (outcome.status, outcome.decided_by.sorted(), outcome.reason);
        if let (true, Some(why)) = (open, unsure) {
            (status, reason) = (Status::Undetermined, Some(format!("whether it applies is unknown: {why}").into()));
        } else if let (true, Certainty::Possible(why)) = (open, &certainty) {
            (status, reason) = (Status::Undetermined, Some(format!("whether it is there is unknown: {why}").into()));
            facts.extend_from_slice(there);
            facts.sort_unstable();
            facts.dedup();
        }
        if open && status != Status::Open {
            decided_by.clear();
        }
        decided_by.shrink_to_fit();
        facts.shrink_to_fit();
        let name = &self.findings.audit.snapshot.targets[place.target].name;
        Some(Instance {
            threat: t,
            subject,
            target: place.target,
            status,
            decided_by,
            facts,
            reason,
            waiver: None,
            likelihood: Rating::default(),
            impact: Rating::default(),
            fingerprint: identity::fingerprint(&[&threat.id, name, id]),
        })
    }

    /// Where the threat applies: why that is unknown, if it is, and the facts that say so. None where it does not.
    fn applies(&self, threat: &Threat, place: &Place<'_>) -> Option<(Option<Arc<str>>, Vec<FactRef>)> {
        let Some(when) = &threat.when else { return Some((None, Vec::new())) };
        // Of a flow between two components of the kind, the first is asked.
        let component = *place.ends.first()?;
        let answer = when.evaluate(self.findings.audit.snapshot.targets.get(place.target)?.components.get(component)?);
        let facts = |set: FactSet| set.iter().map(|fact| FactRef { target: place.target, component, fact }).collect();
        match answer.truth {
            Truth::False => None,
            Truth::True => Some((None, facts(answer.facts))),
            Truth::Unknown(reason) => Some((Some(reason), facts(answer.facts))),
        }
    }

    /// What a formula comes to at a place; none where all of its checks drop out.
    fn evaluate(&self, node: &Node, place: &Place<'_>, closed: Option<&dyn Fn(usize) -> bool>) -> Option<Outcome> {
        match node {
            Node::Check(check) => self.check(*check, place, closed),
            Node::Missing(reason) => Some(Outcome::unknown(Arc::clone(reason))),
            Node::All(parts) => Outcome::all(parts.iter().filter_map(|p| self.evaluate(p, place, closed))),
            Node::Any(parts) => Outcome::any(parts.iter().filter_map(|p| self.evaluate(p, place, closed))),
        }
    }

    fn check(&self, check: usize, place: &Place<'_>, closed: Option<&dyn Fn(usize) -> bool>) -> Option<Outcome> {
        let audit = self.findings.audit;
        let asked = &audit.checks[check];
        if !audit.is_whole() {
            return Some(Outcome::unknown("findings were left out of the audit".into()));
        }
        if !audit.was_wanted(check) {
            return Some(Outcome::unknown(format!("the check `{}` was skipped", asked.id).into()));
        }
        if let Some(reason) = place.unlisted {
            return match asked.about == place.about {
                true => self.findings.of_unlisted(place.target, check),
                false if Links::tied(place.about, &asked.about) => Some(Outcome::unknown(reason.into())),
                false => self.of_all(check, place.target, closed),
            };
        }
        let links = &self.links[place.target];
        let components = &audit.snapshot.targets[place.target].components;
        let of = |c: &usize| self.findings.of(place.target, check, *c, closed.unwrap_or(&|_| false));
        if place.ends.iter().any(|end| components[*end].kind.name == asked.about) {
            let own = place.ends.iter().filter(|end| components[**end].kind.name == asked.about);
            return Outcome::all(own.filter_map(of));
        }
        let Some(related) = place.ends.iter().find_map(|end| links.of(*end, &asked.about)) else {
            return self.of_all(check, place.target, closed);
        };
        let unknown = related
            .unknown
            .clone()
            .map(|reason| self.findings.of_unlisted(place.target, check).unwrap_or_else(|| Outcome::unknown(reason)));
        Outcome::all(related.components.iter().filter_map(of).chain(unknown))
    }

    /// What a check says of everything of its kind in a target.
    fn of_all(&self, check: usize, target: usize, closed: Option<&dyn Fn(usize) -> bool>) -> Option<Outcome> {
        let kind = &self.findings.audit.checks[check].about;
        let judge = |closed: &dyn Fn(usize) -> bool| {
            let components = self.links[target].all(kind);
            let unlisted = self.findings.of_unlisted(target, check);
            let single = schema::kind_named(kind).is_some_and(|k| ALWAYS_THERE.contains(&k.name));
            if components.is_empty() && unlisted.is_none() && single {
                return Some(Outcome::unknown(format!("there is no {kind} among what was read").into()));
            }
            Outcome::all(components.iter().filter_map(|c| self.findings.of(target, check, *c, closed)).chain(unlisted))
        };
        match closed {
            Some(closed) => judge(closed),
            None => self.whole[target][check].get_or_init(|| judge(&|_| false)).clone(),
        }
    }
}

fn node(formula: &Formula, checks: &HashMap<&str, usize>) -> Node {
    let parts = |parts: &[Formula]| parts.iter().map(|p| node(p, checks)).collect();
    match formula {
        Formula::Check(id) => match checks.get(id.as_str()) {
            Some(check) => Node::Check(*check),
            None => Node::Missing(format!("there is no check `{id}`").into()),
        },
        Formula::All(of) => Node::All(parts(of)),
        Formula::Any(of) => Node::Any(parts(of)),
    }
}
