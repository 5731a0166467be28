//! A layer of the ATT&CK Navigator, format 4.5: the techniques that are open here.
//!
//! A technique is scored by the worst that was found: 100 where a threat is open or a path is proven, 50 where a
//! threat is undetermined or a path is possible, 25 where it was accepted. What is answered has no place in the
//! layer: a technique is wider than a threat, and a threat that is answered does not cover it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::step::Basis;
use seaworthy_core::threat::Status;
use serde_json::{Value, json};

use super::{ATTACK, made, name, title, write};
use crate::clean::bounded;
use crate::words;

/// The most names that a comment lists.
const NAMES: usize = 10;

/// Writes the layer.
pub fn render(assessment: &Assessment<'_>, out: &mut dyn Write) -> io::Result<()> {
    let techniques = techniques(assessment);
    write(
        &json!({
            "name": name(&title(assessment)),
            "versions": { "attack": ATTACK, "navigator": "4.9.0", "layer": "4.5" },
            "domain": "enterprise-attack",
            "description": format!("{} A technique that is not scored was not looked for or is answered.", made(assessment)),
            "filters": { "platforms": ["Containers", "Linux"] },
            "sorting": 3,
            "layout": { "layout": "side", "showID": true, "showName": true, "expandedSubtechniques": "annotated" },
            "hideDisabled": false,
            "techniques": techniques.iter().map(|(id, uses)| uses.technique(id)).collect::<Vec<_>>(),
            "gradient": { "colors": ["#ffffff", "#f2b872", "#c2571a"], "minValue": 0, "maxValue": 100 },
            "legendItems": [
                { "label": "open, or on a proven path", "color": "#c2571a" },
                { "label": "undetermined, or on a possible path", "color": "#f2b872" },
                { "label": "accepted", "color": "#f9dcb9" },
            ],
            "selectTechniquesAcrossTactics": true,
            "selectSubtechniquesWithParent": false,
        }),
        out,
    )
}

/// Where a technique is used.
#[derive(Default)]
struct Uses {
    score: u8,
    /// By status or certainty: how many uses, and their names.
    of: BTreeMap<(u8, &'static str), (usize, BTreeSet<String>)>,
}

impl Uses {
    fn add(&mut self, rank: u8, word: &'static str, score: u8, text: impl FnOnce() -> String) {
        self.score = self.score.max(score);
        let (number, names) = self.of.entry((rank, word)).or_default();
        *number += 1;
        names.insert(text());
    }

    fn technique(&self, id: &str) -> Value {
        let lines = self.of.iter().map(|((_, word), (_, names))| {
            let more = names.len().saturating_sub(NAMES);
            let more = if more > 0 { format!(" and {} more", words::thousands(more)) } else { String::new() };
            format!("{word}: {}{more}", names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join("; "))
        });
        let counts =
            self.of.iter().map(|((_, word), (number, _))| json!({ "name": word, "value": number.to_string() }));
        json!({
            "techniqueID": id,
            "score": self.score,
            "comment": lines.collect::<Vec<_>>().join("\n"),
            "enabled": true,
            "metadata": counts.collect::<Vec<_>>(),
            "showSubtechniques": false,
        })
    }
}

fn techniques<'m>(model: &'m Assessment<'_>) -> BTreeMap<&'m str, Uses> {
    let mut out: BTreeMap<&str, Uses> = BTreeMap::new();
    for instance in &model.threats {
        let (rank, score) = match instance.status {
            Status::Open => (0, 100),
            Status::Undetermined => (2, 50),
            Status::Accepted => (4, 25),
            Status::Answered => continue,
        };
        let threat = model.threat(instance);
        for id in threat.attack.iter().filter(|id| is_technique(id)) {
            let text = || format!("{} ({})", bounded(&threat.title, 120), bounded(&model.subject_name(instance), 80));
            out.entry(id).or_default().add(rank, instance.status.word(), score, text);
        }
    }
    for path in &model.paths.list {
        let mut seen: Vec<&str> = Vec::new();
        for hop in &path.hops {
            let id = model.steps[hop.step].attack.as_str();
            if !is_technique(id) || seen.contains(&id) {
                continue;
            }
            seen.push(id);
            let (rank, word, score) = match path.basis() {
                Basis::Proven => (1, "proven path", 100),
                Basis::Assumed => (2, "assumed path", 75),
                Basis::Possible => (4, "possible path", 50),
            };
            let text = || format!("{} to {}", bounded(&model.state(path.from), 80), bounded(&model.state(path.to), 80));
            out.entry(id).or_default().add(rank, word, score, text);
        }
    }
    out
}

/// Whether this is the id of a technique or sub-technique: `T1611`, `T1562.001`.
pub fn is_technique(id: &str) -> bool {
    let digits = |text: &str, number| text.len() == number && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = id.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        None => digits(rest, 4),
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_other_texts() {
        assert!(is_technique("T1611") && is_technique("T1562.001"));
        for wrong in ["", "T161", "T16111", "T1611.1", "t1611", "T1611.001.1", "TA0004", "T\u{661}611"] {
            assert!(!is_technique(wrong), "{wrong}");
        }
    }

    #[test]
    fn comments_are_bounded() {
        let mut uses = Uses::default();
        for i in 0..2000 {
            uses.add(0, "open", 100, || format!("{:04}", i / 2));
        }
        uses.add(2, "undetermined", 50, || "x".into());
        let technique = uses.technique("T1611");
        assert_eq!(
            technique["comment"],
            "open: 0000; 0001; 0002; 0003; 0004; 0005; 0006; 0007; 0008; 0009 and 990 more\nundetermined: x"
        );
        assert_eq!((&technique["score"], &technique["metadata"][0]["value"]), (&100.into(), &"2000".into()));
    }
}
