//! The diagram as exports draw it: everything with an id of its own and the threats on it, also what could not be
//! listed and so is no element.

use std::collections::BTreeMap;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::{Certainty, FactRef, Flow, Shape, Zone};
use seaworthy_core::threat::Subject;

use super::layout::{self, Layout};
use super::{name, symbol, unique};
use crate::words;

/// A zone with its id.
pub struct Place<'m> {
    pub id: String,
    pub name: String,
    pub boundary: &'m str,
    pub trust: u8,
    /// The zone around it, by position; it always comes before.
    pub parent: Option<usize>,
    pub facts: &'m [FactRef],
}

/// An element, or a kind of component that could not be listed.
pub struct Node<'m> {
    pub id: String,
    pub name: String,
    pub kind: &'m str,
    pub shape: Shape,
    /// By position in the zones.
    pub zone: usize,
    /// Why it may not be there, or what could not be listed.
    pub doubt: Option<String>,
    pub facts: &'m [FactRef],
    /// The instances of threats on it, by position in the assessment.
    pub threats: Vec<usize>,
}

/// A flow whose ends are both drawn.
pub struct Edge<'m> {
    pub id: String,
    pub flow: &'m Flow,
    /// By position in the nodes.
    pub from: usize,
    pub to: usize,
    pub threats: Vec<usize>,
}

impl Edge<'_> {
    /// What to call it: `published-port 0.0.0.0:8080 → 80/tcp`.
    pub fn name(&self) -> String {
        let (kind, label) = (self.flow.kind.word(), self.flow.label.trim());
        if label.is_empty() { kind.to_owned() } else { format!("{kind} {}", name(label)) }
    }
}

/// All of it.
pub struct Drawn<'m> {
    pub model: &'m Assessment<'m>,
    pub zones: Vec<Place<'m>>,
    pub nodes: Vec<Node<'m>>,
    pub edges: Vec<Edge<'m>>,
}

impl<'m> Drawn<'m> {
    /// Draws an assessment.
    pub fn new(model: &'m Assessment<'m>) -> Self {
        let diagram = &model.diagram;
        let mut on_element = vec![Vec::new(); diagram.elements.len()];
        let mut on_flow = vec![Vec::new(); diagram.flows.len()];
        let mut unlisted: BTreeMap<(usize, &'m str), Vec<usize>> = BTreeMap::new();
        for (i, instance) in model.threats.iter().enumerate() {
            match instance.subject {
                Subject::Element(e) => on_element[e].push(i),
                Subject::Flow(f) => on_flow[f].push(i),
                Subject::Unlisted(target) => {
                    unlisted.entry((target, model.threat(instance).about.as_str())).or_default().push(i);
                }
            }
        }
        let mut zones = zones(&diagram.zones);
        let mut nodes: Vec<Node<'m>> = elements(model, on_element);
        nodes.extend(unlisted.into_iter().map(|(of, threats)| unlisted_node(model, of, threats)));
        if zones.is_empty() && !nodes.is_empty() {
            zones.push(Place {
                id: symbol("zone", ""),
                name: "Not drawn".to_owned(),
                boundary: "nothing was read that a diagram could be made of",
                trust: 0,
                parent: None,
                facts: &[],
            });
        }
        let ids = unique(zones.iter().map(|z| z.id.clone()).chain(nodes.iter().map(|n| n.id.clone())));
        let (of_zones, of_nodes) = ids.split_at(zones.len());
        zones.iter_mut().zip(of_zones).for_each(|(z, id)| z.id.clone_from(id));
        nodes.iter_mut().zip(of_nodes).for_each(|(n, id)| n.id.clone_from(id));
        nodes.iter_mut().filter(|n| n.zone >= zones.len()).for_each(|n| n.zone = 0);
        Self { model, zones, nodes, edges: edges(model, on_flow) }
    }

    /// Where everything lies on a page.
    pub fn layout(&self) -> Layout {
        let parents: Vec<Option<usize>> = self.zones.iter().map(|z| z.parent).collect();
        let of_nodes: Vec<usize> = self.nodes.iter().map(|n| n.zone).collect();
        layout::layout(&parents, &of_nodes)
    }
}

fn zones(zones: &[Zone]) -> Vec<Place<'_>> {
    let place = |(i, zone)| {
        let zone: &Zone = zone;
        Place {
            id: symbol("zone", &zone.id),
            name: name(&zone.name),
            boundary: &zone.boundary,
            trust: zone.trust.min(100),
            parent: zone.parent.filter(|p| *p < i),
            facts: &zone.facts,
        }
    };
    zones.iter().enumerate().map(place).collect()
}

fn elements<'m>(model: &'m Assessment<'m>, threats: Vec<Vec<usize>>) -> Vec<Node<'m>> {
    let node = |(element, threats): (&'m seaworthy_core::diagram::Element, Vec<usize>)| Node {
        id: symbol(element.kind, &element.id),
        name: name(&element.name),
        kind: element.kind,
        shape: element.shape,
        zone: element.zone,
        doubt: doubt(&element.certainty),
        facts: &element.facts,
        threats,
    };
    model.diagram.elements.iter().zip(threats).map(node).collect()
}

/// Why something may not be there.
pub fn doubt(certainty: &Certainty) -> Option<String> {
    match certainty {
        Certainty::Proven => None,
        Certainty::Possible(reason) => Some(format!("It may be there: {}", name(reason))),
    }
}

/// What stands for the components of a kind that could not be listed, in a zone of its target.
fn unlisted_node<'m>(model: &'m Assessment<'m>, (target, kind): (usize, &'m str), threats: Vec<usize>) -> Node<'m> {
    let snapshot = model.audit.snapshot;
    let of_target = snapshot.targets.get(target);
    let why = of_target.and_then(|t| t.incomplete.get(kind)).map_or("the list is not complete", String::as_str);
    let elements = model.diagram.elements.iter();
    let zone = elements.filter(|e| e.target == target && e.component.is_some()).map(|e| e.zone).next();
    Node {
        id: symbol(kind, &format!("{target}/*")),
        name: format!("{}s (not listed)", words::kind(kind)),
        kind,
        shape: Shape::Process,
        zone: zone.unwrap_or(0),
        doubt: Some(format!("They could not be listed: {}", name(why))),
        facts: &[],
        threats,
    }
}

fn edges<'m>(model: &'m Assessment<'m>, threats: Vec<Vec<usize>>) -> Vec<Edge<'m>> {
    let flows = &model.diagram.flows;
    let ids = unique(flows.iter().map(|f| symbol(f.kind.word(), &f.id)));
    let parts = flows.iter().zip(ids).zip(threats);
    parts.map(|((flow, id), threats)| Edge { id, flow, from: flow.from, to: flow.to, threats }).collect()
}
