//! A moment: what two snapshots or reports are compared by.

use std::collections::{BTreeMap, BTreeSet};

use crate::assessment::Assessment;
use crate::step::{Basis, State};
use crate::threat::{Instance, Status, Subject};
use crate::verdict::Verdict;

/// Kinds of components, each with the name of its target.
pub type Kinds = BTreeSet<(String, String)>;

/// A component of the diagram. All texts of a moment are hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its kind: `docker.container`.
    pub kind: String,
    /// What people call it.
    pub name: String,
    /// The name of its target.
    pub target: String,
}

/// A flow over a boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What flows: `published-port`.
    pub kind: String,
    /// The names of its ends.
    pub ends: (String, String),
    /// What people call it.
    pub label: String,
    /// Whether it is proven to be there.
    pub proven: bool,
    /// The kinds of its ends.
    pub kinds: Kinds,
}

/// An instance of a threat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threat {
    /// The threat's id.
    pub threat: String,
    /// What happens, in a sentence.
    pub title: String,
    /// The name of what it is about.
    pub subject: String,
    /// What becomes of it.
    pub status: Status,
    /// Why it is undetermined, where that is known.
    pub reason: Option<String>,
    /// The kinds of what it is about.
    pub kinds: Kinds,
}

/// An attack path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it begins and what it reaches, in words.
    pub ends: (String, String),
    /// The same as capabilities at ids of elements.
    pub pair: (String, String),
    /// What it rests on.
    pub basis: Basis,
    /// The sum of the steps' efforts.
    pub effort: u32,
    /// The kinds of the elements that it goes through.
    pub kinds: Kinds,
}

/// A finding, which is a mitigation where it passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mitigation {
    /// The check's id.
    pub check: String,
    /// The good state.
    pub title: String,
    /// The name of its component.
    pub component: String,
    /// The component's kind.
    pub kind: String,
    /// The name of its target.
    pub target: String,
    /// The component's id in the diagram, where it is drawn.
    pub element: Option<String>,
    /// What the check says.
    pub verdict: Verdict,
}

/// What is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// When the facts were read, in seconds since 1970.
    pub collected_at: i64,
    /// The names of the targets.
    pub targets: BTreeSet<String>,
    /// Kinds whose list of components is not complete, with the reason.
    pub incomplete: BTreeMap<(String, String), String>,
    /// The components, by the id of their element.
    pub components: BTreeMap<String, Component>,
    /// The flows over a boundary, by their id.
    pub flows: BTreeMap<String, Flow>,
    /// The instances of threats, by fingerprint.
    pub threats: BTreeMap<String, Threat>,
    /// The attack paths, by fingerprint.
    pub paths: BTreeMap<String, Path>,
    /// Pairs of which more paths exist than are listed.
    pub more: BTreeSet<(String, String)>,
    /// Why paths may be there that are not listed, whatever they lead from and to.
    pub partial: Option<String>,
    /// Entries from which no path was looked for: capabilities at ids of elements.
    pub unsearched: BTreeSet<String>,
    /// The findings, by fingerprint.
    pub findings: BTreeMap<String, Mitigation>,
}

impl Moment {
    /// The moment of an assessment.
    pub fn of(model: &Assessment<'_>) -> Self {
        let audit = model.audit;
        let snapshot = audit.snapshot;
        let mut out = Self {
            collected_at: snapshot.collected_at,
            targets: snapshot.targets.iter().map(|t| t.name.clone()).collect(),
            ..Self::default()
        };
        for target in &snapshot.targets {
            for (kind, reason) in &target.incomplete {
                out.incomplete.insert((target.name.clone(), (*kind).to_owned()), reason.clone());
            }
        }
        for (e, element) in model.diagram.elements.iter().enumerate().filter(|(_, e)| !is_actor(e.kind)) {
            let (target, kind) = of_element(model, e);
            out.components.insert(element.id.clone(), Component { kind, name: element.name.clone(), target });
        }
        for flow in model.diagram.flows.iter().filter(|f| f.crosses) {
            out.flows.insert(
                flow.id.clone(),
                Flow {
                    kind: flow.kind.word().to_owned(),
                    ends: (element_name(model, flow.from), element_name(model, flow.to)),
                    label: flow.label.clone(),
                    proven: flow.certainty.is_proven(),
                    kinds: [flow.from, flow.to].map(|e| of_element(model, e)).into(),
                },
            );
        }
        model.threats.iter().for_each(|t| out.put_threat(t.fingerprint.clone(), threat(model, t)));
        for path in &model.paths.list {
            let through = path.hops.iter().flat_map(|h| [h.from.element, h.to.element]);
            out.paths.insert(
                path.fingerprint.clone(),
                Path {
                    ends: (model.state(path.from), model.state(path.to)),
                    pair: (held(model, path.from), held(model, path.to)),
                    basis: path.basis(),
                    effort: path.effort,
                    kinds: through.map(|e| of_element(model, e)).collect(),
                },
            );
        }
        out.more = model.paths.more.iter().map(|(from, to, _)| (held(model, *from), held(model, *to))).collect();
        out.unsearched = model.paths.unsearched.iter().map(|s| held(model, *s)).collect();
        out.full(model.paths.unlisted);
        let elements = model.diagram.by_component();
        for finding in &audit.findings {
            let check = audit.check(finding);
            let element = finding.component.and_then(|c| elements.get(&(finding.target, c)));
            out.put_finding(
                audit.fingerprint(finding),
                Mitigation {
                    check: check.id.clone(),
                    title: check.title.clone(),
                    component: audit.component_name(finding).to_owned(),
                    kind: check.about.clone(),
                    target: snapshot.targets[finding.target].name.clone(),
                    element: element.map(|e| model.diagram.elements[*e].id.clone()),
                    verdict: finding.judgement.verdict,
                },
            );
        }
        out
    }

    /// Adds an instance of a threat; of two with one fingerprint the worse stays.
    pub fn put_threat(&mut self, fingerprint: String, threat: Threat) {
        let worse = self.threats.get(&fingerprint).is_none_or(|there| threat.status < there.status);
        if worse {
            self.threats.insert(fingerprint, threat);
        }
    }

    /// Adds a finding; of two with one fingerprint the worse stays.
    pub fn put_finding(&mut self, fingerprint: String, finding: Mitigation) {
        let there = self.findings.get(&fingerprint).map(|f| f.verdict);
        if there.is_none_or(|there| Verdict::over([there, finding.verdict]) != there) {
            self.findings.insert(fingerprint, finding);
        }
    }

    /// Says of how many pairs no path is listed although there is one.
    pub fn full(&mut self, pairs: usize) {
        self.partial = (pairs > 0).then(|| format!("the list of paths was full, and {pairs} pairs are not in it"));
    }

    /// Why something that rests on these kinds may be there though it was not listed.
    pub(super) fn unlisted(&self, kinds: &Kinds) -> Option<String> {
        kinds.iter().find_map(|kind| self.incomplete.get(kind)).cloned()
    }

    /// Why a path may be there though it was not listed.
    pub(super) fn cut_off(&self, path: &Path) -> Option<String> {
        if self.more.contains(&path.pair) {
            return Some("only the cheapest paths between the two are listed".to_owned());
        }
        if self.unsearched.contains(&path.pair.0) {
            return Some("no path was looked for from there".to_owned());
        }
        self.partial.clone()
    }
}

/// Whether this kind of element is no component.
pub(super) fn is_actor(kind: &str) -> bool {
    kind.starts_with("actor.")
}

fn element_name(model: &Assessment<'_>, element: usize) -> String {
    model.diagram.elements.get(element).map(|e| e.name.clone()).unwrap_or_default()
}

/// The target and the kind of an element.
fn of_element(model: &Assessment<'_>, element: usize) -> (String, String) {
    let Some(element) = model.diagram.elements.get(element) else { return <(String, String)>::default() };
    let target = model.audit.snapshot.targets.get(element.target);
    (target.map(|t| t.name.clone()).unwrap_or_default(), element.kind.to_owned())
}

fn held(model: &Assessment<'_>, state: State) -> String {
    let element = model.diagram.elements.get(state.element).map_or("", |e| e.id.as_str());
    format!("{} at {element}", state.capability().name)
}

fn threat(model: &Assessment<'_>, instance: &Instance) -> Threat {
    let of = model.threat(instance);
    let kinds: Kinds = match instance.subject {
        Subject::Element(e) => [of_element(model, e)].into(),
        Subject::Flow(f) => {
            let flow = model.diagram.flows.get(f);
            flow.into_iter().flat_map(|f| [f.from, f.to]).map(|e| of_element(model, e)).collect()
        }
        // It stands for the gap itself, and is gone when everything is listed.
        Subject::Unlisted(_) => Kinds::new(),
    };
    let of_findings = instance.decided_by.iter().map(|i| &model.audit.findings[*i]);
    let mut reasons = of_findings.filter_map(|f| f.judgement.reason.as_deref());
    Threat {
        threat: of.id.clone(),
        title: of.title.clone(),
        subject: model.subject_name(instance),
        status: instance.status,
        reason: instance.reason.as_deref().or_else(|| reasons.next()).map(str::to_owned),
        kinds,
    }
}

#[cfg(test)]
impl Threat {
    /// An instance for tests.
    pub(super) fn test(status: Status, kinds: Kinds) -> Self {
        let text = || "t".to_owned();
        Self { threat: text(), title: text(), subject: text(), status, reason: None, kinds }
    }
}
