//! An assessment: an audit with the threat model over it. What the renderings of `assess`, `threats` and `paths` read.

use std::collections::BTreeMap;

use crate::audit::Audit;
use crate::diagram::{Diagram, Element, FactRef, Flow};
use crate::fact::Fact;
use crate::step::{CAPABILITIES, Cut, Path, Paths, Priority, State, Step};
use crate::threat::{Blank, Instance, Status, Subject, Threat};

/// The threat model of a snapshot, with the catalogue that it points into.
#[derive(Debug)]
pub struct Assessment<'a> {
    /// The findings.
    pub audit: &'a Audit<'a>,
    /// The catalogue's threats.
    pub catalog: &'a [Threat],
    /// The catalogue's steps.
    pub steps: &'a [Step],
    /// The matrix's blanks with their reasons.
    pub blanks: &'a [Blank],
    /// The data-flow diagram.
    pub diagram: Diagram,
    /// Every threat on every component and flow that it is about.
    pub threats: Vec<Instance>,
    /// The attack paths.
    pub paths: Paths,
    /// What to harden, the most useful first; all of them.
    pub priorities: Vec<Priority>,
    /// The smallest set of fixes that cuts every proven path.
    pub cut: Cut,
    /// Waivers of threats that do nothing, with the reason.
    pub waiver_problems: Vec<String>,
}

/// A threat with its instances here.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// The threat.
    pub threat: &'a Threat,
    /// The worst status of its instances.
    pub status: Status,
    /// The instances, by position in the assessment: the worst first.
    pub instances: Vec<usize>,
}

impl Told<'_> {
    /// Those of its instances that have its status.
    pub fn worst<'t>(&'t self, assessment: &'t Assessment<'_>) -> impl Iterator<Item = &'t Instance> {
        self.instances.iter().map(|i| &assessment.threats[*i]).filter(|t| t.status == self.status)
    }
}

impl<'a> Assessment<'a> {
    /// The threat of an instance.
    pub fn threat(&self, instance: &Instance) -> &'a Threat {
        &self.catalog[instance.threat]
    }

    /// The element that an instance is about, or at which its flow begins.
    pub fn element(&self, instance: &Instance) -> Option<&Element> {
        match instance.subject {
            Subject::Element(i) => self.diagram.elements.get(i),
            Subject::Flow(i) => self.diagram.flows.get(i).and_then(|f| self.diagram.elements.get(f.from)),
            Subject::Unlisted(_) => None,
        }
    }

    /// The flow that an instance is about.
    pub fn flow(&self, instance: &Instance) -> Option<&Flow> {
        match instance.subject {
            Subject::Flow(i) => self.diagram.flows.get(i),
            Subject::Element(_) | Subject::Unlisted(_) => None,
        }
    }

    /// What to call the subject of an instance: `web`, `the internet → web`. Hostile text.
    pub fn subject_name(&self, instance: &Instance) -> String {
        let name = |i: usize| self.diagram.elements.get(i).map_or("?", |e| e.name.as_str());
        match instance.subject {
            Subject::Element(i) => name(i).to_owned(),
            Subject::Flow(i) => match self.diagram.flows.get(i) {
                Some(flow) => format!("{} → {}", name(flow.from), name(flow.to)),
                None => "?".to_owned(),
            },
            Subject::Unlisted(_) => "(not listed)".to_owned(),
        }
    }

    /// A fact that something rests on, with its component's name and its own.
    pub fn fact(&self, fact: FactRef) -> Option<(&'a str, &'static str, &'a Fact)> {
        let snapshot = self.audit.snapshot;
        let component = fact.component(snapshot)?;
        fact.resolve(snapshot).map(|(name, value)| (&*component.name, name, value))
    }

    /// What somebody has, in words: `root inside web`. Hostile text.
    pub fn state(&self, state: State) -> String {
        let name = self.diagram.elements.get(state.element).map_or("?", |e| e.name.as_str());
        CAPABILITIES[state.capability].means.replace("{}", name)
    }

    /// What a hop of a path does, in words. Hostile text.
    pub fn hop(&self, hop: &crate::step::Hop) -> String {
        let name = |i: usize| self.diagram.elements.get(i).map_or("?", |e| e.name.as_str());
        // One pass, so that a name that holds a placeholder stays a name.
        let mut out = String::new();
        let mut rest = self.steps[hop.step].title.as_str();
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{from}") {
                out.push_str(name(hop.from.element));
                rest = after;
            } else if let Some(after) = rest.strip_prefix("{to}") {
                out.push_str(name(hop.to.element));
                rest = after;
            } else {
                out.push('{');
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        out
    }

    /// The threats that have an instance here, each with the worst status of its instances: by surface, then by
    /// status, then by what is lost, then by id.
    pub fn told(&self) -> Vec<Told<'a>> {
        let mut by_threat: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, instance) in self.threats.iter().enumerate() {
            by_threat.entry(instance.threat).or_default().push(i);
        }
        let mut out: Vec<Told<'a>> = by_threat
            .into_iter()
            .map(|(threat, mut instances)| {
                instances.sort_by_key(|i| (self.threats[*i].status, *i));
                let status = instances.first().map_or(Status::Answered, |i| self.threats[*i].status);
                Told { threat: &self.catalog[threat], status, instances }
            })
            .collect();
        out.sort_by_key(|t| (t.threat.surface, t.status, t.threat.loses, &t.threat.id));
        out
    }

    /// How many paths are proven, and how many possible.
    pub fn paths_counted(&self) -> (usize, usize) {
        let proven = self.paths.list.iter().filter(|p| p.certainty.is_proven()).count();
        (proven, self.paths.list.len() - proven)
    }

    /// The paths between two capabilities, by name; none stands for every one.
    pub fn paths_between(&self, from: Option<&str>, to: Option<&str>) -> Vec<&Path> {
        let fits = |state: State, wanted: Option<&str>| {
            wanted.is_none_or(|w| {
                let element = self.diagram.elements.get(state.element);
                CAPABILITIES[state.capability].name == w || element.is_some_and(|e| e.name == w)
            })
        };
        self.paths.list.iter().filter(|p| fits(p.from, from) && fits(p.to, to)).collect()
    }
}
