//! Rules: the checks that have results.

use seaworthy_core::audit::Audit;
use seaworthy_core::check::Check;
use seaworthy_core::verdict::Severity;
use serde::Serialize;

use super::literal;
use super::log::Message;
use crate::clean::bounded;
use crate::words;

/// The most tags that GitHub takes of a rule.
const TAGS: usize = 20;

/// The most characters that GitHub shows of a description.
const DESCRIPTION: usize = 1024;

/// The checks that have results, in the catalogue's order.
pub struct Rules<'a> {
    checks: Vec<&'a Check>,
    /// For each check of the audit its place among the rules.
    places: Vec<usize>,
}

impl<'a> Rules<'a> {
    /// The rules of some findings.
    pub fn of(audit: &Audit<'a>, findings: &[usize]) -> Self {
        let mut used = vec![false; audit.checks.len()];
        for i in findings {
            used[audit.findings[*i].check] = true;
        }
        let mut checks = Vec::new();
        let mut places = vec![0; used.len()];
        for (check, _) in used.iter().enumerate().filter(|(_, used)| **used) {
            places[check] = checks.len();
            checks.push(&audit.checks[check]);
        }
        Self { checks, places }
    }

    /// The place of a check that has results.
    pub fn index(&self, check: usize) -> usize {
        self.places[check]
    }

    /// The tool with its rules.
    pub fn tool(&self, audit: &Audit<'_>) -> Tool<'a> {
        Tool {
            driver: Driver {
                name: "Seaworthy",
                version: env!("CARGO_PKG_VERSION"),
                semantic_version: env!("CARGO_PKG_VERSION"),
                rules: self.checks.iter().map(|c| rule(audit, c)).collect(),
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
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    short_description: Message,
    full_description: Message,
    help: Help,
    default_configuration: Configuration,
    properties: Properties<'a>,
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
    security_severity: &'static str,
    tags: Vec<std::borrow::Cow<'a, str>>,
}

fn rule<'a>(audit: &Audit<'_>, check: &'a Check) -> Rule<'a> {
    let rationale = check.rationale.trim();
    let first = rationale.split("\n\n").next().filter(|p| !p.is_empty()).unwrap_or(&check.title);
    let words: Vec<&str> = first.split_whitespace().collect();
    let fix = check.remedy.fix.trim();
    let explain = format!("seaworthy explain {}", check.id);
    let (platform, kind) = check.about.split_once('.').unwrap_or(("", words::kind(&check.about)));
    let tags = ["security", platform, kind].into_iter().filter(|t| !t.is_empty()).map(Into::into);
    let controls = audit.controls_of(&check.id).iter().map(|c| format!("{}/{}", audit.benchmark.id, c.id).into());
    Rule {
        id: &check.id,
        short_description: Message { text: literal(&bounded(&check.title, DESCRIPTION)) },
        full_description: Message { text: literal(&bounded(&words.join(" "), DESCRIPTION)) },
        help: Help {
            text: literal(&format!("{rationale}\n\nFix ({}): {fix}\n\nMore: {explain}", check.remedy.safety.word())),
            markdown: format!("{rationale}\n\n**Fix** ({}): {fix}\n\nMore: `{explain}`", check.remedy.safety.word()),
        },
        default_configuration: Configuration { level: super::level(check.severity) },
        properties: Properties {
            precision: "very-high",
            security_severity: match check.severity {
                Severity::Critical => "9.5",
                Severity::High => "8.0",
                Severity::Medium => "5.5",
                Severity::Low => "2.5",
            },
            tags: tags.chain(controls).take(TAGS).collect(),
        },
    }
}
