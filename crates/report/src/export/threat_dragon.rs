//! OWASP Threat Dragon's models of version 2: one diagram with everything on it.
//!
//! The application keeps threats in a cell's `data`, though the schema describes them beside it, and knows three
//! statuses. What is undetermined or accepted is not mitigated, so it is open there, and says in its description
//! which of the two it is.

use std::io::{self, Write};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::{Shape, actor};
use seaworthy_core::identity::fingerprint;
use seaworthy_core::threat::{Instance, Status};
use seaworthy_core::verdict::Severity;
use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Value, json};

use super::drawn::{Drawn, Edge, Node, Place, doubt};
use super::layout::{Layout, Rect};
use super::{decided, evidence, letter, made, name, paragraphs, status, title, unique, write};
use crate::clean::one_line;
use crate::words;

/// The version of the application whose models these are; at most ten characters.
const VERSION: &str = "2.5.0";

/// The most threats of a model: the application holds all of them in a page.
const THREATS: usize = 10_000;

/// Writes the model.
pub fn render(assessment: &Assessment<'_>, out: &mut dyn Write) -> io::Result<()> {
    write(&Model::new(assessment, THREATS), out)
}

struct Model<'m> {
    drawn: Drawn<'m>,
    layout: Layout,
    /// For each instance its number in the model, from 1; none where it is left out.
    numbers: Vec<Option<usize>>,
    /// For each instance its id.
    ids: Vec<String>,
    /// How many there are, and how many are left out.
    threats: (usize, usize),
}

impl<'m> Model<'m> {
    fn new(model: &'m Assessment<'m>, most: usize) -> Self {
        let mut order: Vec<usize> = (0..model.threats.len()).collect();
        order.sort_by_key(|i| (model.threats[*i].status, *i));
        let mut kept: Vec<usize> = order.into_iter().take(most).collect();
        kept.sort_unstable();
        let mut numbers = vec![None; model.threats.len()];
        for (number, i) in kept.iter().enumerate() {
            numbers[*i] = Some(number + 1);
        }
        let drawn = Drawn::new(model);
        let ids = unique(model.threats.iter().map(|t| t.fingerprint.clone()));
        Self { layout: drawn.layout(), drawn, ids, threats: (kept.len(), numbers.len() - kept.len()), numbers }
    }

    fn summary(&self) -> Value {
        let model = self.drawn.model;
        let mut text = made(model);
        let (kept, left) = self.threats;
        if left > 0 {
            let (kept, left) = (words::thousands(kept), words::thousands(left));
            text.push_str(&format!(" {left} threats, the least urgent, are left out, since the model holds {kept}."));
        }
        text.push_str(" Threats that are undetermined or accepted stand as open and say so.");
        json!({ "title": title(model), "owner": "", "description": text, "id": 0 })
    }

    fn threats(&self, of: &[usize]) -> Vec<Value> {
        let model = self.drawn.model;
        of.iter()
            .filter_map(|i| self.numbers[*i].map(|n| threat(model, &model.threats[*i], &self.ids[*i], n)))
            .collect()
    }
}

impl Serialize for Model<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", VERSION)?;
        map.serialize_entry("summary", &self.summary())?;
        map.serialize_entry("detail", &Detail(self))?;
        map.end()
    }
}

struct Detail<'d, 'm>(&'d Model<'m>);

impl Serialize for Detail<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("contributors", &[(); 0])?;
        map.serialize_entry("diagrams", &[Diagram(self.0)])?;
        map.serialize_entry("diagramTop", &1)?;
        map.serialize_entry("reviewer", "")?;
        map.serialize_entry("threatTop", &self.0.threats.0)?;
        map.end()
    }
}

struct Diagram<'d, 'm>(&'d Model<'m>);

impl Serialize for Diagram<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &0)?;
        map.serialize_entry("title", "Data-flow diagram")?;
        map.serialize_entry("diagramType", "STRIDE")?;
        map.serialize_entry("placeholder", "Zones, elements and flows as they were read")?;
        map.serialize_entry("thumbnail", "./public/content/images/thumbnail.stride.jpg")?;
        map.serialize_entry("version", VERSION)?;
        map.serialize_entry("cells", &Cells(self.0))?;
        map.end()
    }
}

/// Boxes, then what is in them, then what flows between.
struct Cells<'d, 'm>(&'d Model<'m>);

impl Serialize for Cells<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Model { drawn, layout, .. } = self.0;
        let mut seq = serializer.serialize_seq(None)?;
        let boxes = drawn.zones.len();
        for (i, (zone, at)) in drawn.zones.iter().zip(&layout.zones).enumerate() {
            // What is inside is drawn over what is around it.
            seq.serialize_element(&boundary(drawn, zone, *at, i64::try_from(i).unwrap_or(0) - boxes as i64))?;
        }
        for (i, (node, at)) in drawn.nodes.iter().zip(&layout.nodes).enumerate() {
            seq.serialize_element(&cell(self.0, node, *at, i + 1))?;
        }
        for (i, edge) in drawn.edges.iter().enumerate() {
            seq.serialize_element(&flow(self.0, edge, drawn.nodes.len() + i + 1))?;
        }
        seq.end()
    }
}

/// A UUID of version 8 (RFC 9562) that is always the same for the same thing.
fn uuid(kind: &str, id: &str) -> String {
    let hex = fingerprint(&["threat-dragon", kind, id]) + &fingerprint(&["threat-dragon", kind, id, "2"]);
    let variant = match hex.as_bytes()[16] & 3 {
        0 => '8',
        1 => '9',
        2 => 'a',
        _ => 'b',
    };
    format!("{}-{}-8{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn position(at: Rect) -> (Value, Value) {
    (json!({ "x": at.x, "y": at.y }), json!({ "width": at.width, "height": at.height }))
}

/// The text of a description: what may not be there, and what it rests on.
fn description(drawn: &Drawn<'_>, doubt: Option<String>, facts: &[seaworthy_core::diagram::FactRef]) -> String {
    let mut lines: Vec<String> = doubt.into_iter().collect();
    lines.extend(evidence(drawn.model, facts));
    lines.join("\n")
}

fn boundary(drawn: &Drawn<'_>, zone: &Place<'_>, at: Rect, depth: i64) -> Value {
    let (position, size) = position(at);
    let boundary = one_line(zone.boundary);
    let mut text = format!("Separated by {boundary}. Trust: {} of 100.", zone.trust);
    for line in evidence(drawn.model, zone.facts) {
        text.push('\n');
        text.push_str(&line);
    }
    json!({
        "shape": "trust-boundary-box",
        "id": uuid("zone", &zone.id),
        "position": position,
        "size": size,
        "zIndex": depth,
        "visible": true,
        "attrs": { "label": { "text": zone.name } },
        "data": {
            "type": "tm.BoundaryBox",
            "name": zone.name,
            "description": text,
            "isTrustBoundary": true,
            "hasOpenThreats": false,
        },
    })
}

/// How something is drawn: red where a threat is open, dashed where it may not be there.
fn stroke(open: bool, doubtful: bool) -> Value {
    json!({
        "stroke": if open { "red" } else { "#333333" },
        "strokeWidth": if open { 2.5 } else { 1.5 },
        "strokeDasharray": if doubtful { "4 3" } else { "" },
    })
}

fn has_open(threats: &[Value]) -> bool {
    threats.iter().any(|t| t["status"] == "Open")
}

fn cell(model: &Model<'_>, node: &Node<'_>, at: Rect, depth: usize) -> Value {
    let drawn = &model.drawn;
    let threats = model.threats(&node.threats);
    let open = has_open(&threats);
    let stroke = stroke(open, node.doubt.is_some());
    let (shape, of, lines) = match node.shape {
        Shape::Actor => ("actor", "tm.Actor", &["body"][..]),
        Shape::Process => ("process", "tm.Process", &["body"][..]),
        Shape::Store => ("store", "tm.Store", &["topLine", "bottomLine"][..]),
    };
    let mut attrs = json!({ "text": { "text": node.name } });
    for line in lines {
        attrs[*line] = stroke.clone();
    }
    let (position, size) = position(at);
    let text = [one_line(node.kind), description(drawn, node.doubt.clone(), node.facts)].join("\n");
    json!({
        "shape": shape,
        "id": uuid("node", &node.id),
        "position": position,
        "size": size,
        "zIndex": depth,
        "visible": true,
        "attrs": attrs,
        "data": {
            "type": of,
            "name": node.name,
            "description": text.trim(),
            "outOfScope": false,
            "reasonOutOfScope": "",
            "isTrustBoundary": false,
            "threats": threats,
            "hasOpenThreats": open,
        },
    })
}

fn flow(model: &Model<'_>, edge: &Edge<'_>, depth: usize) -> Value {
    let drawn = &model.drawn;
    let threats = model.threats(&edge.threats);
    let open = has_open(&threats);
    let doubt = doubt(&edge.flow.certainty);
    let mut line = stroke(open, doubt.is_some());
    line["sourceMarker"] = json!({ "name": "" });
    line["targetMarker"] = json!({ "name": "block" });
    let public = [edge.from, edge.to].iter().any(|n| drawn.nodes[*n].kind == actor::INTERNET);
    let name = edge.name();
    json!({
        "shape": "flow",
        "id": uuid("flow", &edge.id),
        "source": { "cell": uuid("node", &drawn.nodes[edge.from].id) },
        "target": { "cell": uuid("node", &drawn.nodes[edge.to].id) },
        "width": 200,
        "height": 100,
        "zIndex": depth,
        "visible": true,
        "connector": "smooth",
        "vertices": [],
        "attrs": { "line": line },
        "labels": [{ "position": 0.5, "attrs": { "label": { "text": name }, "labelText": { "text": name } } }],
        "data": {
            "type": "tm.Flow",
            "name": name,
            "description": description(drawn, doubt, &edge.flow.facts),
            "outOfScope": false,
            "reasonOutOfScope": "",
            "isTrustBoundary": false,
            "isBidirectional": false,
            "isPublicNetwork": public,
            "protocol": "",
            "threats": threats,
            "hasOpenThreats": open,
        },
    })
}

fn threat(model: &Assessment<'_>, instance: &Instance, id: &str, number: usize) -> Value {
    let threat = model.threat(instance);
    let open = !matches!(instance.status, Status::Answered);
    let letters: Vec<&str> = threat.stride.iter().map(|s| letter(*s)).collect();
    let mut text = vec![status(model, instance)];
    text.extend(decided(model, instance));
    text.push(paragraphs(&threat.story.how));
    text.push(format!(
        "What is lost: {}. STRIDE: {}. {}",
        threat.loses.title(),
        letters.join(", "),
        one_line(&threat.id)
    ));
    let failing = instance.decided_by.iter().map(|i| &model.audit.findings[*i]);
    let mut fixes: Vec<String> = failing.map(|f| paragraphs(&model.audit.check(f).remedy.fix)).collect();
    fixes.dedup();
    let mut mitigation = vec![paragraphs(&threat.story.answer)];
    mitigation.extend(fixes.into_iter().filter(|_| open));
    json!({
        "id": uuid("threat", id),
        "modelType": "STRIDE",
        "number": number,
        "title": name(&threat.title),
        "type": letters.first().unwrap_or(&"Tampering"),
        "status": if open { "Open" } else { "Mitigated" },
        "severity": match instance.impact.level {
            Some(Severity::Critical) => "Critical",
            Some(Severity::High) => "High",
            Some(Severity::Medium) => "Medium",
            Some(Severity::Low) => "Low",
            None => "TBD",
        },
        "score": "",
        "description": text.join("\n"),
        "mitigation": mitigation.join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing_model;

    #[test]
    fn uuids_are_stable_and_well_formed() {
        let made = uuid("node", "a");
        assert_eq!(made, uuid("node", "a"));
        assert_ne!(made, uuid("flow", "a"));
        let parts: Vec<usize> = made.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(made[14..].starts_with('8') && made[19..].starts_with(['8', '9', 'a', 'b']), "{made}");
    }

    #[test]
    fn what_is_left_out_is_the_least_urgent_and_it_is_said() {
        let world = testing_model::usual();
        let audit = world.audit();
        let assessment = world.assessment(&audit);
        let open = assessment.threats.iter().filter(|t| t.status == Status::Open).count();
        let model = serde_json::to_value(Model::new(&assessment, open)).unwrap();
        assert_eq!(model["detail"]["threatTop"], open);
        assert!(model["summary"]["description"].as_str().unwrap().contains("are left out"));
        let cells = model["detail"]["diagrams"][0]["cells"].as_array().unwrap();
        let kept: Vec<&Value> = cells.iter().filter_map(|c| c["data"]["threats"].as_array()).flatten().collect();
        assert_eq!(kept.len(), open);
        assert!(kept.iter().all(|t| t["status"] == "Open"));
    }
}
