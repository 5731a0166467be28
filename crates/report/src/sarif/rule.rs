//! Rules: the checks, threats and jewels that have results.

use std::borrow::Cow;

use seaworthy_core::audit::Audit;
use seaworthy_core::check::Check;
use seaworthy_core::step::{CAPABILITIES, Capability};
use seaworthy_core::threat::Threat;
use seaworthy_core::verdict::Severity;
use serde::Serialize;

use super::log::{Message, Named, Reference};
use super::{Item, literal, model, taxa};
use crate::clean::{bounded, one_line};
use crate::words;

/// The most tags that GitHub takes of a rule.
const TAGS: usize = 20;

/// The most characters that GitHub shows of a description.
const DESCRIPTION: usize = 1024;

/// What a rule is of, by position in the audit's checks, the model's catalogue or the capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Check(usize),
    Threat(usize),
    Jewel(usize),
}

/// The rules of some results: checks, then threats, then jewels, each in the catalogue's order.
pub struct Rules<'r> {
    report: crate::Report<'r>,
    of: Vec<Of>,
    /// For each threat of the catalogue the gravest impact that its results have.
    impacts: Vec<Option<Severity>>,
}

impl<'r> Rules<'r> {
    /// The rules of some results.
    pub fn of(report: crate::Report<'r>, items: &[Item]) -> Self {
        let mut impacts = vec![None; report.model.map_or(0, |m| m.catalog.len())];
        for item in items {
            if let (Item::Threat(i), Some(model)) = (item, report.model) {
                let instance = &model.threats[*i];
                impacts[instance.threat] = impacts[instance.threat].max(instance.impact.level);
            }
        }
        let mut rules = Self { report, of: Vec::new(), impacts };
        rules.of = items.iter().filter_map(|item| rules.rule_of(*item)).collect();
        rules.of.sort_unstable();
        rules.of.dedup();
        rules
    }

    fn rule_of(&self, item: Item) -> Option<Of> {
        match item {
            Item::Finding(i) => Some(Of::Check(self.report.audit.findings[i].check)),
            Item::Threat(i) => self.report.model.map(|m| Of::Threat(m.threats[i].threat)),
            Item::Path(i) => self.report.model.map(|m| Of::Jewel(m.paths.list[i].to.capability)),
        }
    }

    /// The place of the rule of a result that it was made from.
    pub fn index(&self, item: Item) -> usize {
        self.rule_of(item).and_then(|of| self.of.binary_search(&of).ok()).unwrap_or_default()
    }

    /// The tool with its rules.
    pub fn tool(&self, audit: &'r Audit<'r>) -> Tool<'r> {
        let rules = self.of.iter().filter_map(|of| match (*of, self.report.model) {
            (Of::Check(i), _) => Some(rule(audit, &audit.checks[i])),
            (Of::Threat(i), Some(model)) => Some(threat(&model.catalog[i], self.impacts[i])),
            (Of::Jewel(i), Some(_)) => Some(jewel(&CAPABILITIES[i])),
            (Of::Threat(_) | Of::Jewel(_), None) => None,
        });
        Tool {
            driver: Driver {
                name: "Seaworthy",
                version: env!("CARGO_PKG_VERSION"),
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: rules.collect(),
                supported_taxonomies: if self.report.model.is_some() { taxa::ALL.to_vec() } else { Vec::new() },
            },
        }
    }
}

#[derive(Serialize)]
pub struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    supported_taxonomies: Vec<Named>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: Cow<'a, str>,
    short_description: Message,
    full_description: Message,
    help: Help,
    default_configuration: Configuration,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relationships: Vec<Relationship<'a>>,
    properties: Properties<'a>,
}

/// That a threat is one of a letter, or of a technique.
#[derive(Serialize)]
struct Relationship<'a> {
    target: Reference<'a>,
    kinds: [&'static str; 1],
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Properties<'a> {
    precision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
    tags: Vec<Cow<'a, str>>,
}

fn rule<'a>(audit: &Audit<'_>, check: &'a Check) -> Rule<'a> {
    let rationale = check.rationale.trim();
    let first = rationale.split("\n\n").next().filter(|p| !p.is_empty()).unwrap_or(&check.title);
    let words: Vec<&str> = first.split_whitespace().collect();
    let fix = check.remedy.fix.trim();
    let explain = format!("seaworthy explain {}", check.id);
    let (platform, kind) = check.about.split_once('.').unwrap_or(("", words::kind(&check.about)));
    let tags = ["security", platform, kind].into_iter().filter(|t| !t.is_empty()).map(Into::into);
    let controls = audit.controls_of(&check.id).iter().map(|(of, c)| format!("{}/{}", of.id, c.id).into());
    Rule {
        id: check.id.as_str().into(),
        short_description: Message { text: literal(&bounded(&check.title, DESCRIPTION)) },
        full_description: Message { text: literal(&bounded(&words.join(" "), DESCRIPTION)) },
        help: Help {
            text: literal(&format!("{rationale}\n\nFix ({}): {fix}\n\nMore: {explain}", check.remedy.safety.word())),
            markdown: format!("{rationale}\n\n**Fix** ({}): {fix}\n\nMore: `{explain}`", check.remedy.safety.word()),
        },
        default_configuration: Configuration { level: super::level(check.severity) },
        relationships: Vec::new(),
        properties: Properties {
            precision: "very-high",
            security_severity: Some(score(check.severity)),
            tags: tags.chain(controls).take(TAGS).collect(),
        },
    }
}

/// GitHub's score of a severity.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
    }
}

fn threat(threat: &Threat, impact: Option<Severity>) -> Rule<'_> {
    let story = &threat.story;
    let words: Vec<&str> = story.how.split_whitespace().collect();
    let explain = format!("seaworthy explain {}", threat.id);
    let told = |strong: &str| {
        let part = |name: &str, text: &str| format!("{strong}{name}{strong}: {}", text.trim());
        let parts = [
            part("Who", &story.who),
            part("How", &story.how),
            part("What is lost", &story.lost),
            part("What answers it", &story.answer),
            part("What remains", &story.remains),
        ];
        parts.join("\n\n")
    };
    let letters = threat.stride.iter().map(|s| Cow::from(s.word()));
    let tags = ["security", "threat", threat.surface.word()].into_iter().map(Cow::from).chain(letters);
    let rows = threat.covers.iter().chain(&threat.attack).map(|t| Cow::from(one_line(t)));
    Rule {
        id: model::threat_rule(threat).into(),
        short_description: Message { text: literal(&bounded(&threat.title, DESCRIPTION)) },
        full_description: Message { text: literal(&bounded(&words.join(" "), DESCRIPTION)) },
        help: Help {
            text: literal(&format!("{}\n\nMore: {explain}", told(""))),
            markdown: format!("{}\n\nMore: `{explain}`", told("**")),
        },
        default_configuration: Configuration { level: impact.map_or("warning", super::level) },
        relationships: taxa::of(threat)
            .into_iter()
            .map(|target| Relationship { target, kinds: ["relevant"] })
            .collect(),
        properties: Properties {
            precision: "very-high",
            security_severity: impact.map(score),
            tags: tags.chain(rows).take(TAGS).collect(),
        },
    }
}

fn jewel(jewel: &'static Capability) -> Rule<'static> {
    let severity = model::severity(jewel);
    let what = match jewel.means.split_once(" {}") {
        Some((what, _)) => format!("{what} a {}", words::kind(jewel.about)),
        None => jewel.means.to_owned(),
    };
    let text = format!("An attacker can get {what} by steps that follow from what was read");
    let more = format!("seaworthy paths --to {}", jewel.name);
    Rule {
        id: model::path_rule(jewel).into(),
        short_description: Message { text: format!("There is a way to {what}") },
        full_description: Message { text: format!("{text}.") },
        help: Help {
            text: format!(
                "{text}; each result is one way, with its steps and the facts that they rest on.\n\nMore: {more}"
            ),
            markdown: format!(
                "{text}; each result is one way, with its steps and the facts that they rest on.\n\nMore: `{more}`"
            ),
        },
        default_configuration: Configuration { level: super::level(severity) },
        relationships: Vec::new(),
        properties: Properties {
            precision: "very-high",
            security_severity: Some(score(severity)),
            tags: ["security", "attack-path", jewel.name].into_iter().map(Cow::from).collect(),
        },
    }
}
