//! An assessment: an audit with the threat model over it. What the renderings of `assess`, `threats` and `paths` read.

use std::collections::BTreeMap;

use crate::audit::Audit;
use crate::diagram::{Diagram, Element, FactRef, Flow};
use crate::fact::Fact;
use crate::step::{CAPABILITIES, Counted, Cut, Forecast, Hop, Path, Paths, Priority, State, Step, ends};
use crate::threat::{Blank, Instance, Status, Stride, Subject, Threat};
use crate::verdict::Severity;

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
    /// What is forecast where the first of the priorities are carried out: how many of them, and what is left. None: it
    /// was not asked for.
    pub forecast: Option<(usize, Forecast)>,
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
        state.words(&self.diagram, self.audit.snapshot)
    }

    /// What a hop takes for granted that no fact says.
    pub fn assumption(&self, hop: &Hop) -> Option<&'a str> {
        self.steps[hop.step].assumes.as_deref()
    }

    /// What a path takes for granted that no fact says, each thing once, in the order of its steps.
    pub fn assumptions(&self, path: &Path) -> Vec<&'a str> {
        let mut out: Vec<&str> = Vec::new();
        for text in path.hops.iter().filter_map(|hop| self.assumption(hop)) {
            if !out.contains(&text) {
                out.push(text);
            }
        }
        out
    }

    /// What a hop of a path does, in words. Hostile text.
    pub fn hop(&self, hop: &Hop) -> String {
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

    /// How many threats have a status as their worst, in the order of [`Status::ALL`].
    pub fn counted(&self) -> [usize; 4] {
        let told = self.told();
        Status::ALL.map(|s| told.iter().filter(|t| t.status == s).count())
    }

    /// How many threats of each letter are open, in the order of [`Stride::ALL`].
    pub fn open_by_letter(&self) -> [(Stride, usize); 6] {
        let told = self.told();
        let open = |s: Stride| told.iter().filter(|t| t.status == Status::Open && t.threat.stride.contains(&s)).count();
        Stride::ALL.map(|s| (s, open(s)))
    }

    /// How many of the listed paths are proven, how many assume something, and how many are possible.
    pub fn paths_counted(&self) -> Counted {
        self.paths.list.iter().map(Path::basis).collect()
    }

    /// Whether a state is what somebody calls by the name of its capability or of its element.
    pub fn is_at(&self, state: State, name: &str) -> bool {
        CAPABILITIES[state.capability].name == name
            || self.diagram.elements.get(state.element).is_some_and(|e| e.name == name)
    }

    /// The names by which paths may be asked for: of the entries, or of the jewels; sorted.
    pub fn ends(&self, entry: bool) -> Vec<String> {
        ends(&self.diagram, entry)
    }

    /// Keeps the paths that `keep` lets through; what refers to the others forgets them.
    pub fn retain_paths(&mut self, keep: impl Fn(&Self, &Path) -> bool) {
        let kept: Vec<bool> = self.paths.list.iter().map(|p| keep(self, p)).collect();
        let places = places(&kept);
        let mut of_list = kept.iter().copied();
        self.paths.list.retain(|_| of_list.next().unwrap_or(true));
        self.paths.more.retain(|(from, to, _)| self.paths.list.iter().any(|p| (p.from, p.to) == (*from, *to)));
        for priority in &mut self.priorities {
            priority.cuts = moved(&priority.cuts, &places);
        }
        self.cut.uncut = moved(&self.cut.uncut, &places);
    }

    /// Keeps the instances of threats that `keep` lets through; what refers to the others forgets them.
    pub fn retain_threats(&mut self, keep: impl Fn(&Instance) -> bool) {
        let kept: Vec<bool> = self.threats.iter().map(keep).collect();
        let places = places(&kept);
        let mut of_list = kept.iter().copied();
        self.threats.retain(|_| of_list.next().unwrap_or(true));
        for priority in &mut self.priorities {
            priority.answers = moved(&priority.answers, &places);
        }
    }

    /// The gravest impact of the threats that are open, and of those that are undetermined. An impact that could not
    /// be rated counts as the gravest.
    pub fn worst_threats(&self) -> (Option<Severity>, Option<Severity>) {
        let worst = |status: Status| {
            let impact = |t: &Instance| t.impact.level.unwrap_or(Severity::Critical);
            self.threats.iter().filter(|t| t.status == status).map(impact).max()
        };
        (worst(Status::Open), worst(Status::Undetermined))
    }

    /// How grave the dearest jewel is that a path reaches whose facts are known, also where it assumes something, and
    /// one that a possible path does.
    pub fn worst_paths(&self) -> (Option<Severity>, Option<Severity>) {
        let worst = |proven: bool| {
            let paths = self.paths.list.iter().filter(|p| p.certainty.is_proven() == proven);
            paths.filter_map(|p| CAPABILITIES[p.to.capability].jewel).map(gravity).max()
        };
        (worst(true), worst(false))
    }
}

/// How grave the loss of a jewel of this rank is: the host and its engine critical, data and credentials high,
/// availability medium.
fn gravity(rank: u8) -> Severity {
    match rank {
        0 | 1 => Severity::Critical,
        2 | 3 => Severity::High,
        _ => Severity::Medium,
    }
}

/// Where each kept element of a list comes to stand.
fn places(kept: &[bool]) -> Vec<Option<usize>> {
    let mut next = 0;
    let place = |kept: &bool| {
        kept.then(|| {
            next += 1;
            next - 1
        })
    };
    kept.iter().map(place).collect()
}

fn moved(positions: &[usize], places: &[Option<usize>]) -> Vec<usize> {
    positions.iter().filter_map(|i| places.get(*i).copied().flatten()).collect()
}
