//! Flows before they have their ids.

use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, Element, FactRef, Flow, FlowKind};
use seaworthy_core::identity::fingerprint;

use super::scope::cut;

/// A flow that is being drawn.
pub(super) struct Draft {
    pub kind: FlowKind,
    pub from: usize,
    pub to: usize,
    /// What tells it from others of its kind between the same ends, also after a re-creation or a remedy.
    pub key: String,
    pub label: String,
    pub certainty: Certainty,
    pub facts: Vec<FactRef>,
}

impl Draft {
    /// A proven flow whose label tells it from others.
    pub fn new(kind: FlowKind, from: usize, to: usize, label: impl Into<String>) -> Self {
        let label = cut(&label.into());
        Self { kind, from, to, key: label.clone(), label, certainty: Certainty::Proven, facts: Vec::new() }
    }

    /// Told from others by something else than its label.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// Possible too if this is.
    pub fn and(mut self, certainty: &Certainty) -> Self {
        self.certainty = self.certainty.and(certainty);
        self
    }

    /// Possible, for a reason.
    pub fn maybe(self, reason: &Arc<str>) -> Self {
        self.and(&Certainty::Possible(Arc::clone(reason)))
    }

    /// With the facts that it rests on.
    pub fn facts(mut self, facts: impl IntoIterator<Item = Option<FactRef>>) -> Self {
        self.facts.extend(facts.into_iter().flatten());
        self
    }
}

/// All flows that were drawn so far.
#[derive(Default)]
pub(super) struct Drafts(Vec<Draft>);

impl Drafts {
    /// Adds a flow.
    pub fn add(&mut self, draft: Draft) {
        self.0.push(draft);
    }

    /// Orders the flows by kind and ends, makes one of those that say the same, and names them.
    pub fn finish(mut self, elements: &[Element]) -> Vec<Flow> {
        self.0.sort_by(|a, b| {
            let order = |d: &Draft| (d.kind, d.from, d.to);
            order(a)
                .cmp(&order(b))
                .then_with(|| a.key.cmp(&b.key))
                .then_with(|| a.label.cmp(&b.label))
                .then_with(|| a.certainty.cmp(&b.certainty))
        });
        self.0.dedup_by(|later, first| {
            (later.kind, later.from, later.to) == (first.kind, first.from, first.to)
                && later.key == first.key
                && later.label == first.label
        });
        let short: Vec<String> = elements.iter().map(|e| fingerprint(&[&e.id])).collect();
        let mut flows: Vec<Flow> = Vec::with_capacity(self.0.len());
        let mut ordinal = 1;
        let mut before: Option<(FlowKind, usize, usize, String)> = None;
        for draft in self.0 {
            let Draft { kind, from, to, key, label, certainty, mut facts } = draft;
            facts.sort_unstable();
            facts.dedup();
            facts.shrink_to_fit();
            let mark = fingerprint(&[&short[from], &short[to], &key]);
            let this = (kind, from, to, key);
            ordinal = if before.as_ref() == Some(&this) { ordinal + 1 } else { 1 };
            before = Some(this);
            let more = if ordinal > 1 { format!("#{ordinal}") } else { String::new() };
            let crosses = elements[from].zone != elements[to].zone;
            flows.push(Flow { id: format!("{kind}:{mark}{more}"), kind, from, to, label, crosses, certainty, facts });
        }
        flows
    }
}
