//! The Open Threat Model, 0.2.0.
//!
//! The format has no word for what is unknown, so the states of threats are ours: `exposed`, `undetermined`,
//! `accepted` and `mitigated`. Evidence goes into `attributes`, under the id of the threat that it decides.

use std::collections::BTreeMap;
use std::io::{self, Write};

use seaworthy_core::assessment::{Assessment, Told};
use seaworthy_core::identity::fingerprint;
use seaworthy_core::step::Counted;
use seaworthy_core::threat::{Formula, Instance, Rating, Status};
use seaworthy_core::verdict::{Severity, Verdict};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Value, json};

use super::drawn::{Drawn, Edge, Node, Place, doubt};
use super::layout::{Layout, Rect};
use super::{Each, decided, evidence, letter, made, name, paragraphs, percent, status, title, write};
use crate::clean::one_line;
use crate::markdown::escape;

/// The id of the one representation.
const DIAGRAM: &str = "data-flow-diagram";

/// The most terms that a rating names.
const TERMS: usize = 8;

/// Writes the model.
pub fn render(assessment: &Assessment<'_>, out: &mut dyn Write) -> io::Result<()> {
    let drawn = Drawn::new(assessment);
    write(&Document { layout: drawn.layout(), told: assessment.told(), drawn }, out)
}

struct Document<'m> {
    drawn: Drawn<'m>,
    layout: Layout,
    told: Vec<Told<'m>>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (drawn, layout) = (&self.drawn, &self.layout);
        let model = drawn.model;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("otmVersion", "0.2.0")?;
        map.serialize_entry("project", &project(model))?;
        map.serialize_entry(
            "representations",
            &[json!({
                "name": "Data-flow diagram",
                "id": DIAGRAM,
                "type": "diagram",
                "size": { "width": layout.width, "height": layout.height },
            })],
        )?;
        let zones = || drawn.zones.iter().zip(&layout.zones).map(|(zone, at)| trust_zone(drawn, zone, *at));
        map.serialize_entry("trustZones", &Each(zones))?;
        let nodes = || drawn.nodes.iter().zip(&layout.nodes).map(|(node, at)| component(drawn, node, *at));
        map.serialize_entry("components", &Each(nodes))?;
        map.serialize_entry("dataflows", &Each(|| drawn.edges.iter().map(|edge| dataflow(drawn, edge))))?;
        map.serialize_entry("threats", &Each(|| self.told.iter().map(|told| threat(model, told))))?;
        map.serialize_entry("mitigations", &Each(|| mitigations(model, &self.told)))?;
        map.end()
    }
}

fn project(model: &Assessment<'_>) -> Value {
    let benchmarks: Vec<&str> = model.audit.shown().map(|benchmark| benchmark.id.as_str()).collect();
    let targets: Vec<&str> = model.audit.snapshot.targets.iter().map(|t| t.name.as_str()).collect();
    let Counted { proven, assumed, possible } = model.paths_counted();
    json!({
        "name": title(model),
        "id": format!("seaworthy-{}", fingerprint(&targets)),
        "description": made(model),
        "attributes": {
            "benchmark": one_line(&benchmarks.join(", ")),
            "pathsProven": proven.to_string(),
            "pathsAssumed": assumed.to_string(),
            "pathsPossible": possible.to_string(),
        },
    })
}

fn represented(id: &str, at: Rect) -> Value {
    json!([{
        "representation": DIAGRAM,
        "id": format!("{id}-box"),
        "position": { "x": at.x, "y": at.y },
        "size": { "width": at.width, "height": at.height },
    }])
}

fn trust_zone(drawn: &Drawn<'_>, zone: &Place<'_>, at: Rect) -> Value {
    let mut out = json!({
        "id": zone.id,
        "name": zone.name,
        "type": "trust-zone",
        "description": escape(&format!("Separated by {}", zone.boundary)),
        "risk": { "trustRating": zone.trust },
        "representations": represented(&zone.id, at),
        "attributes": attributes(None, evidence(drawn.model, zone.facts)),
    });
    if let Some(parent) = zone.parent {
        out["parent"] = json!({ "trustZone": drawn.zones[parent].id });
    }
    out
}

fn component(drawn: &Drawn<'_>, node: &Node<'_>, at: Rect) -> Value {
    let mut attributes = attributes(node.doubt.clone(), evidence(drawn.model, node.facts));
    explain(drawn.model, &node.threats, &mut attributes);
    json!({
        "id": node.id,
        "name": node.name,
        "type": node.kind,
        "parent": { "trustZone": drawn.zones[node.zone].id },
        "representations": represented(&node.id, at),
        "threats": instances(drawn.model, &node.threats),
        "tags": [node.shape.word()],
        "attributes": attributes,
    })
}

fn dataflow(drawn: &Drawn<'_>, edge: &Edge<'_>) -> Value {
    let mut attributes = attributes(doubt(&edge.flow.certainty), evidence(drawn.model, &edge.flow.facts));
    attributes.insert("crossesTrustZones".to_owned(), edge.flow.crosses.to_string());
    explain(drawn.model, &edge.threats, &mut attributes);
    json!({
        "id": edge.id,
        "name": edge.name(),
        "source": drawn.nodes[edge.from].id,
        "destination": drawn.nodes[edge.to].id,
        "threats": instances(drawn.model, &edge.threats),
        "tags": [edge.flow.kind.word()],
        "attributes": attributes,
    })
}

fn attributes(doubt: Option<String>, evidence: Vec<String>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    out.insert("certainty".to_owned(), doubt.unwrap_or_else(|| "proven".to_owned()));
    if !evidence.is_empty() {
        out.insert("evidence".to_owned(), evidence.join("; "));
    }
    out
}

/// Says under each threat's id what decided it here.
fn explain(model: &Assessment<'_>, threats: &[usize], attributes: &mut BTreeMap<String, String>) {
    for instance in threats.iter().map(|i| &model.threats[*i]) {
        let text = format!("{} {}", status(model, instance), decided(model, instance).join("; "));
        let said = attributes.entry(one_line(&model.threat(instance).id)).or_default();
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(text.trim());
    }
}

fn instances(model: &Assessment<'_>, threats: &[usize]) -> Vec<Value> {
    threats.iter().map(|i| instance(model, &model.threats[*i])).collect()
}

fn instance(model: &Assessment<'_>, instance: &Instance) -> Value {
    let audit = model.audit;
    let mut states: BTreeMap<&str, Vec<(Verdict, bool)>> = BTreeMap::new();
    for i in &instance.decided_by {
        let finding = &audit.findings[*i];
        let waived = audit.waived.get(*i).is_some_and(Option::is_some);
        states.entry(&audit.check(finding).id).or_default().push((finding.judgement.verdict, waived));
    }
    let mitigations = states.into_iter().map(|(check, verdicts)| {
        let state = match Verdict::over(verdicts.iter().map(|(v, _)| *v)) {
            Verdict::Fail | Verdict::Manual if verdicts.iter().all(|(_, waived)| *waived) => "accepted",
            Verdict::Fail => "required",
            Verdict::Unknown => "unknown",
            Verdict::Manual => "review",
            Verdict::Pass => "implemented",
            Verdict::NotApplicable => "not-applicable",
        };
        json!({ "mitigation": check, "state": state })
    });
    json!({
        "threat": model.threat(instance).id,
        "state": match instance.status {
            Status::Open => "exposed",
            Status::Undetermined => "undetermined",
            Status::Accepted => "accepted",
            Status::Answered => "mitigated",
        },
        "mitigations": mitigations.collect::<Vec<_>>(),
    })
}

fn threat(model: &Assessment<'_>, told: &Told<'_>) -> Value {
    let threat = told.threat;
    let story = &threat.story;
    let parts = [&story.who, &story.how, &story.lost, &story.answer, &story.remains];
    let instances = || told.instances.iter().map(|i| &model.threats[*i]);
    let (likelihood, why_likely) = worst(instances().map(|i| &i.likelihood));
    let (impact, why_bad) = worst(instances().map(|i| &i.impact));
    // The format wants a number for the impact: where none was found, the worst is taken, and it is said.
    let (impact, why_bad) = match impact {
        Some(impact) => (impact, why_bad),
        None => (Severity::Critical, "Not rated, since a term could not be read: the worst is taken.".to_owned()),
    };
    json!({
        "id": threat.id,
        "name": name(&threat.title),
        "description": parts.map(|p| paragraphs(p)).join("\n\n"),
        "categories": threat.stride.iter().map(|s| letter(*s)).collect::<Vec<_>>(),
        "risk": {
            "likelihood": likelihood.map(percent),
            "likelihoodComment": why_likely,
            "impact": percent(impact),
            "impactComment": why_bad,
        },
        "tags": threat.covers.iter().chain(&threat.attack).map(|t| one_line(t)).collect::<Vec<_>>(),
        "attributes": {
            "status": told.status.word(),
            "instances": super::counted(model, &told.instances),
            "surface": threat.surface.word(),
            "loses": threat.loses.title(),
        },
    })
}

/// The highest level with its terms; none where one is not known, since it may be higher.
fn worst<'r>(ratings: impl Iterator<Item = &'r Rating>) -> (Option<Severity>, String) {
    let mut worst: Option<&Rating> = None;
    let mut unknown = false;
    for rating in ratings {
        unknown |= rating.level.is_none();
        if worst.is_none_or(|w| rating.level > w.level) {
            worst = Some(rating);
        }
    }
    let level = worst.and_then(|w| w.level);
    let known = if unknown && level != Some(Severity::Critical) { None } else { level };
    let terms = worst.map_or(&[][..], |w| &w.terms);
    let mut text: Vec<String> = terms.iter().take(TERMS).map(|t| escape(&t.text)).collect();
    if unknown {
        text.push("On some, a term could not be read.".to_owned());
    }
    (known, text.join("; "))
}

#[derive(Serialize)]
struct Mitigation {
    id: String,
    name: String,
    description: String,
    #[serde(rename = "riskReduction")]
    risk_reduction: u32,
    attributes: BTreeMap<String, String>,
}

/// The checks that answer the threats that were told.
fn mitigations(model: &Assessment<'_>, told: &[Told<'_>]) -> Vec<Mitigation> {
    let mut shares: BTreeMap<&str, u32> = BTreeMap::new();
    for told in told {
        share(&told.threat.answered, 100, &mut shares);
    }
    let known = model.audit.checks.iter().filter_map(|c| shares.get(c.id.as_str()).map(|s| (c, *s)));
    let out = known.map(|(check, share)| {
        let controls = model.audit.controls_of(&check.id).iter();
        let controls: Vec<String> = controls.map(|(of, c)| format!("{}/{}", of.id, c.id)).collect();
        let mut attributes = BTreeMap::new();
        attributes.insert("safety".to_owned(), check.remedy.safety.word().to_owned());
        attributes.insert("severity".to_owned(), check.severity.word().to_owned());
        if !controls.is_empty() {
            attributes.insert("controls".to_owned(), one_line(&controls.join(", ")));
        }
        Mitigation {
            id: check.id.clone(),
            name: name(&check.title),
            description: paragraphs(&check.remedy.fix),
            risk_reduction: share,
            attributes,
        }
    });
    out.collect()
}

/// How much of a threat each check takes away: all of it alone, its part where several are needed. A check that answers
/// several threats has the largest.
fn share<'f>(formula: &'f Formula, whole: u32, out: &mut BTreeMap<&'f str, u32>) {
    match formula {
        Formula::Check(id) => {
            let held = out.entry(id).or_insert(0);
            *held = (*held).max(whole);
        }
        Formula::Any(parts) => parts.iter().for_each(|p| share(p, whole, out)),
        Formula::All(parts) => {
            let part = whole / u32::try_from(parts.len().max(1)).unwrap_or(u32::MAX);
            parts.iter().for_each(|p| share(p, part, out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_is_needed_with_others_takes_its_part() {
        let check = |id: &str| Formula::Check(id.to_owned());
        let formula = Formula::Any(vec![check("a"), Formula::All(vec![check("b"), check("c"), check("a")])]);
        let mut shares = BTreeMap::new();
        share(&formula, 100, &mut shares);
        assert_eq!(shares, BTreeMap::from([("a", 100), ("b", 33), ("c", 33)]));
    }

    #[test]
    fn a_level_that_is_not_known_is_not_taken_for_low() {
        let rated = |level| Rating { level, terms: std::sync::Arc::default() };
        let of = |levels: &[Option<Severity>]| {
            let ratings: Vec<Rating> = levels.iter().map(|l| rated(*l)).collect();
            worst(ratings.iter()).0
        };
        assert_eq!(of(&[Some(Severity::Low), Some(Severity::High)]), Some(Severity::High));
        assert_eq!(of(&[Some(Severity::Low), None]), None);
        assert_eq!(of(&[Some(Severity::Critical), None]), Some(Severity::Critical));
        assert_eq!(of(&[]), None);
    }
}
