//! The OWASP Threat Model Library's format (TM-BOM), 1.0.2.
//!
//! The format demands judgements that no fact of a host decides (how critical its business is, how skilled an
//! attacker is). They stand in the middle of their scale, and the text beside them says so. What the format has only a
//! yes or no for, and was not read, is told as the worse of the two.

use std::collections::BTreeMap;
use std::io::{self, Write};

use seaworthy_core::assessment::{Assessment, Told};
use seaworthy_core::check::Check;
use seaworthy_core::diagram::{FlowKind, Shape, actor};
use seaworthy_core::remedy::Safety;
use seaworthy_core::threat::{Instance, Status};
use seaworthy_core::verdict::{Severity, Verdict};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Value, json};

use super::drawn::{Drawn, Edge, Node, doubt};
use super::{Each, capped, counted, decided, evidence, made, name, paragraphs, status, symbol, title, unique, write};
use crate::clean::one_line;
use crate::words;

/// The schema that the document says it follows.
const SCHEMA: &str = "https://github.com/OWASP/www-project-threat-model-library/blob/v1.0.2/threat-model.schema.json";

/// The most instances whose evidence a threat tells.
const TOLD: usize = 10;

/// The most assumptions.
const ASSUMPTIONS: usize = 200;

/// Writes the model.
pub fn render(assessment: &Assessment<'_>, out: &mut dyn Write) -> io::Result<()> {
    write(&Document::new(assessment), out)
}

struct Document<'m> {
    drawn: Drawn<'m>,
    told: Vec<Told<'m>>,
    /// The symbolic names of the threats that were told.
    threats: Vec<String>,
    /// For each instance the node that it is on, and the second where it is on a flow.
    on: Vec<Vec<usize>>,
}

impl<'m> Document<'m> {
    fn new(model: &'m Assessment<'m>) -> Self {
        let drawn = Drawn::new(model);
        let mut on = vec![Vec::new(); model.threats.len()];
        for (n, node) in drawn.nodes.iter().enumerate() {
            node.threats.iter().for_each(|i| on[*i].push(n));
        }
        for edge in &drawn.edges {
            edge.threats.iter().for_each(|i| on[*i].extend([edge.from, edge.to]));
        }
        let told = model.told();
        let threats = unique(told.iter().map(|t| symbol("threat", &t.threat.id)));
        Self { drawn, told, threats, on }
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let drawn = &self.drawn;
        let of = |shape| drawn.nodes.iter().filter(move |n| n.shape == shape);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("$schema", SCHEMA)?;
        map.serialize_entry("version", "1.0")?;
        map.serialize_entry("scope", &scope(drawn))?;
        map.serialize_entry("description", &made(drawn.model))?;
        map.serialize_entry("trust_zones", &Each(|| zones(drawn)))?;
        map.serialize_entry("trust_boundaries", &Each(|| boundaries(drawn)))?;
        map.serialize_entry("actors", &Each(|| of(Shape::Actor).map(|n| acting(drawn, n))))?;
        map.serialize_entry("components", &Each(|| of(Shape::Process).map(|n| node(drawn, n))))?;
        map.serialize_entry("data_stores", &Each(|| of(Shape::Store).map(|n| store(drawn, n))))?;
        map.serialize_entry("data_sets", &[(); 0])?;
        map.serialize_entry("data_flows", &Each(|| drawn.edges.iter().map(|e| flow(drawn, e))))?;
        map.serialize_entry("assumptions", &Each(|| assumptions(drawn.model)))?;
        map.serialize_entry("threat_personas", &Each(|| self.personas()))?;
        map.serialize_entry(
            "threats",
            &Each(|| self.told.iter().zip(&self.threats).map(|(t, id)| self.threat(t, id))),
        )?;
        map.serialize_entry("controls", &Each(|| self.controls()))?;
        map.serialize_entry("risks", &Each(|| self.risks()))?;
        map.end()
    }
}

fn scope(drawn: &Drawn<'_>) -> Value {
    let outside = |n: &Node<'_>| n.kind == actor::INTERNET;
    let exposed = drawn.edges.iter().any(|e| outside(&drawn.nodes[e.from]) || outside(&drawn.nodes[e.to]));
    let logins = drawn.edges.iter().any(|e| e.flow.kind == FlowKind::Login);
    json!({
        "title": title(drawn.model),
        "description": "The engines, hosts and containers named here, as their facts were read. No fact says how \
            critical the business is that they serve: criticality and tier stand in the middle of their scale, for \
            the owner to set.",
        "business_criticality": "moderate",
        "data_sensitivity": if logins { vec!["cred"] } else { Vec::new() },
        "exposure": if exposed { "external" } else { "internal" },
        "tier": "important",
    })
}

fn zones(drawn: &Drawn<'_>) -> Vec<Value> {
    let zone = |z: &super::drawn::Place<'_>| {
        let mut text = vec![format!("Separated by {}. Trust: {} of 100.", one_line(z.boundary), z.trust)];
        if let Some(parent) = z.parent {
            text.push(format!("Inside {}.", drawn.zones[parent].name));
        }
        text.extend(evidence(drawn.model, z.facts));
        json!({ "symbolic_name": z.id, "title": z.name, "description": text.join("\n") })
    };
    drawn.zones.iter().map(zone).collect()
}

/// Between a zone and that around it, and between zones that something flows between.
fn boundaries(drawn: &Drawn<'_>) -> Vec<Value> {
    let inside = drawn.zones.iter().enumerate().filter_map(|(i, z)| z.parent.map(|p| (p, i)));
    let crossed = drawn.edges.iter().map(|e| (drawn.nodes[e.from].zone, drawn.nodes[e.to].zone));
    let mut pairs: Vec<(usize, usize)> =
        inside.chain(crossed).map(|(a, b)| (a.min(b), a.max(b))).filter(|(a, b)| a != b).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let id = |zone: usize| &drawn.zones[zone].id;
    pairs.into_iter().map(|(a, b)| json!({ "trust_zone_a": id(a), "trust_zone_b": id(b) })).collect()
}

fn node(drawn: &Drawn<'_>, node: &Node<'_>) -> Value {
    let mut text = vec![one_line(node.kind)];
    text.extend(node.doubt.clone());
    text.extend(evidence(drawn.model, node.facts));
    json!({
        "symbolic_name": node.id,
        "title": node.name,
        "description": text.join("\n"),
        "trust_zone": drawn.zones[node.zone].id,
    })
}

fn acting(drawn: &Drawn<'_>, actor: &Node<'_>) -> Value {
    let mut out = node(drawn, actor);
    out["type"] = json!(match actor.kind {
        actor::INTERNET | actor::LOCAL_NETWORK => "third_party",
        actor::LOCAL_USER => "user",
        actor::ENGINE_GROUP | "docker.client" => "administrator",
        _ => "system",
    });
    out
}

fn store(drawn: &Drawn<'_>, store: &Node<'_>) -> Value {
    let mut out = node(drawn, store);
    // Volumes and registries hold files and blobs.
    out["type"] = json!("object");
    out
}

fn flow(drawn: &Drawn<'_>, edge: &Edge<'_>) -> Value {
    let end = |node: usize| {
        let node = &drawn.nodes[node];
        let of = match node.shape {
            Shape::Actor => "actor",
            Shape::Process => "component",
            Shape::Store => "data_store",
        };
        json!({ "type": of, "object": node.id })
    };
    let mut text = vec![edge.name()];
    text.extend(doubt(&edge.flow.certainty));
    text.push(
        "What it carries and whether it is encrypted was not decided: taken as sensitive and in the clear.".into(),
    );
    text.extend(evidence(drawn.model, &edge.flow.facts));
    json!({
        "symbolic_name": edge.id,
        "title": edge.name(),
        "description": text.join("\n"),
        "source": end(edge.from),
        "destination": end(edge.to),
        "has_sensitive_data": true,
        "encrypted": false,
    })
}

/// What could not be read, so that nobody takes its absence for safety.
fn assumptions(model: &Assessment<'_>) -> Vec<Value> {
    let gaps = words::gaps(model.audit).into_iter().map(|(target, gap)| {
        let (source, reason) = (one_line(&gap.source), one_line(&gap.reason));
        format!("On {}, {source} could not be read ({reason}); unknown: {}", name(&target.name), one_line(&gap.affects))
    });
    let lines = capped(gaps, ASSUMPTIONS).into_iter();
    lines.map(|line| json!({ "description": line, "validity": "unconfirmed" })).collect()
}

/// Where attackers begin, as the paths know it: the capability's name, the title, the access that it means.
const PERSONAS: [(&str, &str, &str); 10] = [
    ("internet", "Anybody on the internet", "anonymous"),
    ("local-network", "Anybody on the networks of a host or node", "anonymous"),
    ("local-user", "A user of the host without rights", "user"),
    ("engine-group", "A member of a group that may command the engine", "admin"),
    ("client", "Whoever takes over an administrator's client", "admin"),
    ("image-author", "The author of an image", "anonymous"),
    ("code", "Code in a container", "user"),
    ("user", "Whoever takes over a user of a cluster", "user"),
    ("pod-code", "Code in a container of a pod", "user"),
    ("anybody", "Anybody; no way to it is known", "anonymous"),
];

impl Document<'_> {
    /// The entry of the cheapest way to what a threat is about.
    fn persona(&self, told: &Told<'_>) -> &'static str {
        let paths = &self.drawn.model.paths;
        let nodes = told.instances.iter().flat_map(|i| &self.on[*i]);
        let exposures = nodes.filter_map(|n| paths.exposure.get(*n)?.as_ref());
        let cheapest = exposures.min_by_key(|e| (e.effort, e.entry));
        let entry = cheapest.map_or("anybody", |e| e.entry.capability().name);
        PERSONAS.iter().find(|(id, ..)| *id == entry).map_or("anybody", |(id, ..)| id)
    }

    fn personas(&self) -> Vec<Value> {
        let used: Vec<&str> = self.told.iter().map(|t| self.persona(t)).collect();
        let out = PERSONAS.iter().filter(|(id, ..)| used.contains(id)).map(|(id, title, access)| {
            json!({
                "symbolic_name": id,
                "title": title,
                "description": "Where the cheapest way to what is threatened begins. Skill and interest are not facts \
                    of the host: they stand in the middle of their scale.",
                "is_person": !["code", "pod-code"].contains(id),
                "skill_level": "engineer",
                "access_level": access,
                "malicious_intent": true,
                "applicability_to_org": "moderate",
            })
        });
        out.collect()
    }

    fn threat(&self, told: &Told<'_>, id: &str) -> Value {
        let (model, threat) = (self.drawn.model, told.threat);
        // What is answered everywhere is still about something; else only what is not answered is affected.
        let answered = told.status == Status::Answered;
        let affecting = told.instances.iter().filter(|i| answered || model.threats[**i].status != Status::Answered);
        let mut affected: Vec<usize> = affecting.flat_map(|i| self.on[*i].iter().copied()).collect();
        affected.sort_unstable();
        affected.dedup();
        let nodes = affected.into_iter().map(|n| &self.drawn.nodes[n]).filter(|n| n.shape != Shape::Actor);
        let story = &threat.story;
        let mut text = vec![format!("{} ({})", paragraphs(&story.who), counted(model, &told.instances))];
        text.extend([&story.lost, &story.answer, &story.remains].map(|p| paragraphs(p)));
        let instances = told.instances.iter().take(TOLD).map(|i| &model.threats[*i]);
        text.extend(instances.map(|i| self.evidence(i)));
        if told.instances.len() > TOLD {
            text.push(format!("and {} instances more", words::thousands(told.instances.len() - TOLD)));
        }
        json!({
            "symbolic_name": id,
            "title": name(&threat.title),
            "description": text.join("\n"),
            "components_affected": nodes.map(|n| n.id.as_str()).collect::<Vec<_>>(),
            "threat_persona": self.persona(told),
            "event": paragraphs(&story.how),
            "sources": ["adversary"],
        })
    }

    fn evidence(&self, instance: &Instance) -> String {
        let model = self.drawn.model;
        let subject = name(&model.subject_name(instance));
        format!("{subject}: {} {}", status(model, instance), decided(model, instance).join("; "))
    }

    /// The checks that answer the threats that were told, where they were judged here.
    fn controls(&self) -> Vec<Value> {
        let mut answers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (told, id) in self.told.iter().zip(&self.threats) {
            for check in told.threat.answered.checks() {
                answers.entry(check).or_default().push(id);
            }
        }
        let audit = self.drawn.model.audit;
        let mut found: Vec<Vec<(Verdict, bool)>> = vec![Vec::new(); audit.checks.len()];
        for (i, finding) in audit.findings.iter().enumerate() {
            let waived = audit.waived.get(i).is_some_and(Option::is_some);
            found[finding.check].push((finding.judgement.verdict, waived));
        }
        // Where it never applied nothing was shown to hold.
        let judged = |found: &[(Verdict, bool)]| found.iter().any(|(v, _)| *v != Verdict::NotApplicable);
        let checks = audit.checks.iter().zip(&found).filter(|(_, found)| judged(found));
        checks.filter_map(|(c, found)| answers.get_mut(c.id.as_str()).map(|t| control(c, found, t))).collect()
    }

    /// The threats that are there, where their likelihood and their impact are known.
    fn risks(&self) -> Vec<Value> {
        let model = self.drawn.model;
        let mut out = Vec::new();
        for (told, id) in self.told.iter().zip(&self.threats) {
            let there = told.instances.iter().map(|i| &model.threats[*i]);
            let there = there.filter(|i| matches!(i.status, Status::Open | Status::Accepted));
            let rated = there.filter_map(|i| Some((likelihood(i.likelihood.level?), impact(i.impact.level?), i)));
            if let Some((likely, bad, worst)) = rated.max_by_key(|(likely, bad, _)| likely.0 * bad.0) {
                out.push(risk(model, told, id, (likely, bad, worst)));
            }
        }
        out
    }
}

/// Its place among the five and its word.
type Degree = (u32, &'static str);

fn likelihood(level: Severity) -> Degree {
    match level {
        Severity::Low => (2, "unlikely"),
        Severity::Medium => (3, "possible"),
        Severity::High => (4, "likely"),
        Severity::Critical => (5, "certain"),
    }
}

fn impact(level: Severity) -> Degree {
    match level {
        Severity::Low => (2, "minor"),
        Severity::Medium => (3, "moderate"),
        Severity::High => (4, "major"),
        Severity::Critical => (5, "severe"),
    }
}

/// The band of a score, by the specification's matrix.
fn band(score: u32) -> &'static str {
    match score {
        0..=2 => "very_low",
        3..=4 => "low",
        5..=9 => "medium",
        10..=12 => "high",
        13..=16 => "very_high",
        _ => "critical",
    }
}

fn risk(model: &Assessment<'_>, told: &Told<'_>, id: &str, of: (Degree, Degree, &Instance)) -> Value {
    let (likely, bad, worst) = of;
    let score = likely.0 * bad.0;
    let terms = worst.likelihood.terms.iter().chain(worst.impact.terms.iter()).map(|t| one_line(&t.text));
    let subject = name(&model.subject_name(worst));
    json!({
        "symbolic_name": format!("risk-{id}"),
        "title": name(&told.threat.title),
        "description": format!("{subject}: {}", capped(terms, TOLD).join("; ")),
        "threats": [id],
        "likelihood": likely.1,
        "impact": bad.1,
        "impact_description": format!("What is lost: {}.", told.threat.loses.title()),
        "score": score,
        "level": band(score),
    })
}

fn control(check: &Check, found: &[(Verdict, bool)], threats: &mut Vec<&str>) -> Value {
    threats.sort_unstable();
    threats.dedup();
    let failing = || found.iter().filter(|(v, _)| *v == Verdict::Fail);
    let status = if failing().any(|(_, waived)| !waived) {
        "suggested"
    } else if found.iter().any(|(v, waived)| matches!(v, Verdict::Unknown) || (*v == Verdict::Manual && !waived)) {
        "under_review"
    } else if found.iter().any(|(_, waived)| *waived) {
        "wont_do"
    } else {
        "active"
    };
    let of = |verdict| found.iter().filter(|(v, _)| *v == verdict).count();
    let counts = words::VERDICTS.iter().map(|v| (of(*v), v.word())).filter(|(number, _)| *number > 0);
    let counts: Vec<String> = counts.map(|(number, word)| format!("{number} {word}")).collect();
    let harm = match check.remedy.safety {
        Safety::Safe => "nothing restarts",
        Safety::Disruptive => "something restarts or stops",
        Safety::Manual => "by hand",
    };
    json!({
        "symbolic_name": symbol("control", &check.id),
        "title": name(&check.title),
        "description": format!(
            "{} ({})\n{} ({harm})", one_line(&check.id), counts.join(", "), paragraphs(&check.remedy.fix)
        ),
        "threats": threats,
        "status": status,
        "priority": check.severity.word(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_have_the_bands_of_the_specification() {
        let bands: Vec<&str> = [1, 2, 3, 4, 5, 9, 10, 12, 15, 16, 20, 25].map(band).to_vec();
        let expected = [
            "very_low",
            "very_low",
            "low",
            "low",
            "medium",
            "medium",
            "high",
            "high",
            "very_high",
            "very_high",
            "critical",
            "critical",
        ];
        assert_eq!(bands, expected);
    }

    #[test]
    fn an_attacker_may_begin_wherever_paths_do() {
        let entries = seaworthy_core::step::CAPABILITIES.iter().filter(|c| c.entry);
        for entry in entries {
            assert!(PERSONAS.iter().any(|(id, ..)| *id == entry.name), "{}", entry.name);
        }
    }

    #[test]
    fn a_control_is_active_only_where_it_always_holds() {
        let world = crate::testing_model::usual();
        let status = |found: &[(Verdict, bool)]| {
            control(&world.checks[0], found, &mut vec!["b", "a", "a"])["status"].as_str().unwrap().to_owned()
        };
        let (pass, fail, unknown) = ((Verdict::Pass, false), (Verdict::Fail, false), (Verdict::Unknown, false));
        assert_eq!(status(&[pass, pass, (Verdict::NotApplicable, false)]), "active");
        assert_eq!(status(&[pass, unknown]), "under_review");
        assert_eq!(status(&[pass, (Verdict::Manual, false)]), "under_review");
        assert_eq!(status(&[unknown, fail, (Verdict::Fail, true)]), "suggested");
        assert_eq!(status(&[pass, (Verdict::Fail, true)]), "wont_do");
    }
}
