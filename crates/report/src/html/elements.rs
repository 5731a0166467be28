//! The elements, flows and zones of the diagram as it is drawn: what each is, and the evidence for it.

use std::collections::BTreeMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::threat::{Status, Subject};

use super::facts::{self, Row};
use super::text::{name, sentence};
use super::threats::NAMES;
use crate::svg::scene::{Edge, Node, Scene, kind_words};
use crate::words;

/// The most facts of a component.
const FACTS: usize = 120;

/// The most threats of an element.
const THREATS: usize = 60;

/// A drawn element.
#[derive(Debug)]
pub struct ElementView {
    /// Its anchor's number.
    pub index: usize,
    /// Its name, or the count.
    pub label: String,
    /// The kinds.
    pub kind: String,
    /// What it is to STRIDE.
    pub shape: &'static str,
    /// The zone.
    pub zone: String,
    /// The elements' names, where it stands for several.
    pub members: String,
    /// How many are not named.
    pub more: usize,
    /// Why it may not be there.
    pub possible: Option<String>,
    /// How it is reached from outside.
    pub exposure: Option<String>,
    /// The threats on it: position in the catalogue, title, gravest status.
    pub threats: Vec<(usize, String, &'static str)>,
    /// How many are open.
    pub open: usize,
    /// What says that it is there.
    pub facts: Vec<Row>,
    /// Whose facts these are, where it stands for several.
    pub first: Option<String>,
    /// Everything that was read of it, or of the first.
    pub all: Vec<Row>,
}

/// A drawn arrow.
#[derive(Debug)]
pub struct FlowView {
    /// Its anchor's number.
    pub index: usize,
    /// The node that it begins at, with its anchor.
    pub from: (usize, String),
    /// The node that it ends at, with its anchor.
    pub to: (usize, String),
    /// What flows.
    pub kind: String,
    /// What people call it.
    pub label: String,
    /// Whether it crosses a boundary.
    pub crosses: bool,
    /// Why it may not be there.
    pub possible: Option<String>,
    /// The facts that say so.
    pub facts: Vec<Row>,
}

/// A drawn zone.
#[derive(Debug)]
pub struct ZoneView {
    /// Its name.
    pub label: String,
    /// The zone around it.
    pub within: String,
    /// What separates it.
    pub boundary: String,
    /// How much what is in it is trusted.
    pub trust: String,
    /// The facts that the boundary rests on.
    pub facts: Vec<Row>,
}

/// The elements as drawn.
pub fn elements(assessment: &Assessment<'_>, scene: &Scene) -> Vec<ElementView> {
    let mut threats: Vec<BTreeMap<usize, Status>> = vec![BTreeMap::new(); scene.nodes.len()];
    for instance in &assessment.threats {
        if let Subject::Element(e) = instance.subject
            && let Some(node) = scene.node_of.get(e)
        {
            let worst = threats[*node].entry(instance.threat).or_insert(instance.status);
            *worst = instance.status.min(*worst);
        }
    }
    scene.nodes.iter().zip(threats).enumerate().map(|(i, (n, t))| element(assessment, scene, i, n, t)).collect()
}

fn element(
    assessment: &Assessment<'_>,
    scene: &Scene,
    index: usize,
    node: &Node,
    threats: BTreeMap<usize, Status>,
) -> ElementView {
    let elements = &assessment.diagram.elements;
    let first = &elements[node.members[0]];
    let several = node.members.len() > 1;
    let names = node.members.iter().take(if several { NAMES } else { 0 }).map(|m| name(&elements[*m].name));
    let names: Vec<String> = names.collect();
    let component =
        first.component.and_then(|c| assessment.audit.snapshot.targets.get(first.target)?.components.get(c));
    let all = component
        .map_or_else(Vec::new, |c| c.facts().take(FACTS).map(|(fact, of)| facts::row(&c.name, fact, of)).collect());
    let mut threats: Vec<(usize, Status)> = threats.into_iter().collect();
    threats.sort_by_key(|(t, status)| (*status, *t));
    let open = threats.iter().filter(|(_, s)| *s == Status::Open).count();
    let exposure = node.members.iter().filter_map(|m| assessment.paths.exposure.get(*m)?.as_ref());
    let exposure = exposure.min_by_key(|e| (e.basis(), e.effort)).map(|e| {
        let (steps, entry) = (words::many(e.steps, "step"), name(&assessment.state(e.entry)));
        format!("{steps} from {entry}, {} ({} effort)", e.basis().word(), e.effort)
    });
    ElementView {
        index,
        label: if several { node.label.clone() } else { name(&first.name) },
        kind: kind_words(first.kind),
        shape: node.shape.word(),
        zone: scene.areas[node.area].label.clone(),
        more: if several { node.members.len() - names.len() } else { 0 },
        members: names.join(", "),
        possible: node.possible.clone(),
        exposure,
        threats: threats
            .iter()
            .take(THREATS)
            .map(|(t, s)| (*t, sentence(&assessment.catalog[*t].title), s.word()))
            .collect(),
        open,
        facts: facts::rows(assessment, &first.facts),
        first: several.then(|| name(&first.name)),
        all,
    }
}

/// The flows as drawn.
pub fn flows(assessment: &Assessment<'_>, scene: &Scene) -> Vec<FlowView> {
    let real = scene.edges.iter().enumerate().filter(|(_, e)| !e.members.is_empty());
    real.map(|(i, e)| flow(assessment, scene, i, e)).collect()
}

fn flow(assessment: &Assessment<'_>, scene: &Scene, index: usize, edge: &Edge) -> FlowView {
    let flows = &assessment.diagram.flows;
    let node = |n: usize| (n, scene.nodes[n].label.clone());
    let label = match edge.members.as_slice() {
        [one] => name(&flows[*one].label),
        many => {
            let labels: Vec<String> = many.iter().take(3).map(|f| name(&flows[*f].label)).collect();
            let labels: Vec<&str> = labels.iter().map(String::as_str).filter(|l| !l.is_empty()).collect();
            let dots = if many.len() > 3 { ", …" } else { "" };
            let colon = if labels.is_empty() { "" } else { ": " };
            format!("{}{colon}{}{dots}", words::many(many.len(), "flow"), labels.join(", "))
        }
    };
    FlowView {
        index,
        from: node(edge.from),
        to: node(edge.to),
        kind: edge.kind.clone(),
        label,
        crosses: edge.crosses,
        possible: edge.possible.clone(),
        facts: facts::rows(assessment, edge.members.iter().take(3).flat_map(|f| &flows[*f].facts)),
    }
}

/// The zones as drawn.
pub fn zones(assessment: &Assessment<'_>, scene: &Scene) -> Vec<ZoneView> {
    let zones = &assessment.diagram.zones;
    let view = |area: &crate::svg::scene::Area| {
        let trust = area.members.iter().map(|z| zones[*z].trust);
        let (least, most) = (trust.clone().min(), trust.max());
        let trust = match (least, most) {
            (Some(a), Some(b)) if a != b => format!("{a} to {b}"),
            (Some(a), _) => a.to_string(),
            (None, _) => String::new(),
        };
        ZoneView {
            label: area.label.clone(),
            within: area.parent.map_or_else(String::new, |p| scene.areas[p].label.clone()),
            boundary: area.boundary.clone(),
            trust,
            facts: facts::rows(assessment, area.members.iter().take(3).flat_map(|z| &zones[*z].facts)),
        }
    };
    scene.areas.iter().map(view).collect()
}
