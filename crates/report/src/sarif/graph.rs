//! The diagram of a target as a graph: zones are nodes that hold their elements and the zones inside them.

use seaworthy_core::assessment::Assessment;
use serde_json::{Value, json};

use super::literal;
use crate::clean::bounded;
use crate::export::{symbol, unique};

/// The most characters of a label.
const LABEL: usize = 200;

/// The part of the diagram that is of one target.
pub fn graph(model: &Assessment<'_>, target: usize) -> Value {
    let diagram = &model.diagram;
    let zones = diagram.zones.iter().map(|z| symbol("zone", &z.id));
    let ids = unique(zones.chain(diagram.elements.iter().map(|e| symbol(e.kind, &e.id))));
    let (zone_ids, element_ids) = ids.split_at(diagram.zones.len());

    let mut children: Vec<Vec<Value>> = vec![Vec::new(); diagram.zones.len()];
    let mut roots: Vec<Value> = Vec::new();
    for (element, id) in diagram.elements.iter().zip(element_ids).filter(|(e, _)| e.target == target) {
        let doubt = if element.certainty.is_proven() { "" } else { " (possible)" };
        let kind = crate::words::kind(element.kind);
        let node = json!({
            "id": id,
            "label": { "text": literal(&format!("{} ({kind}){doubt}", bounded(&element.name, LABEL))) },
            "properties": { "shape": element.shape.word(), "certainty": element.certainty.word() },
        });
        children.get_mut(element.zone).unwrap_or(&mut roots).push(node);
    }
    // Parents come first, so that from the last to the first each is whole before it is put into the one around it.
    for zone in (0..diagram.zones.len()).rev() {
        let inside = std::mem::take(&mut children[zone]);
        if inside.is_empty() {
            continue;
        }
        let of = &diagram.zones[zone];
        let node = json!({
            "id": zone_ids[zone],
            "label": { "text": literal(&bounded(&of.name, LABEL)) },
            "children": inside,
            "properties": { "trust": of.trust },
        });
        match of.parent.filter(|p| *p < zone) {
            Some(parent) => children[parent].push(node),
            None => roots.push(node),
        }
    }

    let here = |e: usize| diagram.elements.get(e).is_some_and(|e| e.target == target);
    let flow_ids = unique(diagram.flows.iter().map(|f| symbol(f.kind.word(), &f.id)));
    let edges = diagram.flows.iter().zip(flow_ids).filter(|(f, _)| here(f.from) && here(f.to)).map(|(flow, id)| {
        let label = format!("{} {}", flow.kind.word(), bounded(&flow.label, LABEL));
        json!({
            "id": id,
            "label": { "text": literal(label.trim()) },
            "sourceNodeId": element_ids[flow.from],
            "targetNodeId": element_ids[flow.to],
            "properties": { "crosses": flow.crosses, "certainty": flow.certainty.word() },
        })
    });
    json!({
        "description": { "text": "The data-flow diagram: zones hold elements, edges are flows." },
        "nodes": roots,
        "edges": edges.collect::<Vec<_>>(),
    })
}
