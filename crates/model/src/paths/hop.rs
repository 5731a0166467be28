//! Steps with their evidence: the facts that decided, and the findings whose remedies cut them.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, FactRef};
use seaworthy_core::fact::Fact;
use seaworthy_core::predicate::{FactSet, Predicate, Truth};
use seaworthy_core::step::{Hop, State, Through};
use seaworthy_core::value::Value;

use super::build::Built;
use super::classes::Classes;
use super::ground::Ground;
use super::{Tri, state};

/// Makes hops, each distinct one once.
pub(super) struct Hops<'a> {
    ground: &'a Ground<'a>,
    known: HashMap<(usize, State, State, Option<usize>), Hop>,
}

/// Facts on which a hop rests, sorted by what they are good for.
#[derive(Default)]
struct Evidence {
    unknown: Vec<FactRef>,
    known: Vec<FactRef>,
    reason: Option<Arc<str>>,
}

impl<'a> Hops<'a> {
    pub(super) fn new(ground: &'a Ground<'a>) -> Self {
        Self { ground, known: HashMap::new() }
    }

    /// The hop of an edge.
    pub(super) fn hop(&mut self, classes: &Classes, built: &Built, edge: u32) -> Hop {
        let ends = built.graph.edges()[edge as usize];
        let (step, flow) = built.taken[edge as usize];
        let from = state(classes, built.nodes[ends.from as usize]);
        let to = state(classes, built.nodes[ends.to as usize]);
        let key = (step, from, to, flow);
        if let Some(hop) = self.known.get(&key) {
            return hop.clone();
        }
        let hop = self.make(step, from, to, flow, ends.proven);
        self.known.insert(key, hop.clone());
        hop
    }

    fn make(&self, step: usize, from: State, to: State, flow: Option<usize>, proven: bool) -> Hop {
        let ground = self.ground;
        let rule = &ground.steps[step];
        // The flow may end at another of the elements that `to` stands for; the facts are of its own ends.
        let far = flow.map_or(to.element, |f| {
            let flow = &ground.diagram.flows[f];
            if flow.from == from.element { flow.to } else { flow.from }
        });
        let mut evidence = Evidence::default();
        self.predicate(rule.when.as_ref(), from.element, &mut evidence);
        self.fact(from.element, "running", &mut evidence);
        self.predicate(rule.at.as_ref(), far, &mut evidence);
        for element in [from.element, far] {
            let element = &ground.diagram.elements[element];
            self.certainty(&element.certainty, &element.facts, &mut evidence);
        }
        if let Some(flow) = flow.map(|f| &ground.diagram.flows[f]) {
            self.certainty(&flow.certainty, &flow.facts, &mut evidence);
            let named = match rule.through {
                Some(Through::Write) => Some((flow.from, "mounts")),
                Some(Through::Joined) => Some((from.element, "joins")),
                Some(Through::JoinedBy) => Some((far, "joins")),
                Some(Through::Linked | Through::Shared | Through::SharedWrite) | None => None,
            };
            if let Some((element, name)) = named {
                if ground.through(rule.through, flow, from.element) == Tri::Perhaps {
                    evidence.reason.get_or_insert_with(|| "how they share it is not known".into());
                }
                self.fact(element, name, &mut evidence);
                if name == "joins" {
                    self.fact(from.element, "capabilities", &mut evidence);
                    self.fact(far, "capabilities", &mut evidence);
                }
            }
        }
        match rule.through {
            Some(Through::Linked) => self.fact(from.element, "links", &mut evidence),
            Some(Through::Shared | Through::SharedWrite) => {
                [from.element, far].into_iter().for_each(|element| self.fact(element, "mounts", &mut evidence));
            }
            Some(Through::Write | Through::Joined | Through::JoinedBy) | None => {}
        }
        let certainty = match (proven, evidence.reason) {
            (true, _) => Certainty::Proven,
            (false, reason) => Certainty::Possible(reason.unwrap_or_else(|| "a fact that decides is unknown".into())),
        };
        let mut facts: Vec<FactRef> = Vec::new();
        for fact in evidence.unknown.into_iter().chain(evidence.known) {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
        let cut_by = ground.cut_by(step, from.element, far, flow);
        Hop { step, from, to, flow, certainty, assumes: rule.assumes.is_some(), facts, cut_by }
    }

    fn predicate(&self, predicate: Option<&Predicate>, element: usize, evidence: &mut Evidence) {
        let (Some(predicate), Some(component)) = (predicate, self.ground.component(element)) else { return };
        let answer = predicate.evaluate(component);
        match answer.truth {
            Truth::Unknown(reason) => {
                evidence.reason.get_or_insert(reason);
                evidence.unknown.extend(self.refs(element, answer.facts));
            }
            Truth::True | Truth::False => evidence.known.extend(self.refs(element, answer.facts)),
        }
    }

    fn fact(&self, element: usize, name: &str, evidence: &mut Evidence) {
        let Some(component) = self.ground.component(element) else { return };
        let Some(index) = component.kind.index(name) else { return };
        let refs = self.refs(element, FactSet::one(index));
        let Fact { value, .. } = component.fact_at(index);
        match value {
            Value::Unknown(reason) => {
                evidence.reason.get_or_insert_with(|| Arc::clone(reason));
                evidence.unknown.extend(refs);
            }
            _ => evidence.known.extend(refs),
        }
    }

    fn certainty(&self, certainty: &Certainty, facts: &[FactRef], evidence: &mut Evidence) {
        if let Certainty::Possible(reason) = certainty {
            evidence.reason.get_or_insert_with(|| Arc::clone(reason));
        }
        let is_unknown =
            |f: &FactRef| f.resolve(self.ground.audit.snapshot).is_some_and(|(_, fact)| fact.value.is_unknown());
        for fact in facts {
            match is_unknown(fact) {
                true => evidence.unknown.push(*fact),
                false => evidence.known.push(*fact),
            }
        }
    }

    fn refs(&self, element: usize, facts: FactSet) -> Vec<FactRef> {
        let element = &self.ground.diagram.elements[element];
        let Some(component) = element.component else { return Vec::new() };
        facts.iter().map(|fact| FactRef { target: element.target, component, fact }).collect()
    }
}
