//! SARIF 2.1.0, as GitHub and other scanning services take it: one run per target. With a threat model the threats and
//! the attack paths are results too, and the diagram is the run's graph.
//!
//! Nothing of a host is a file of a repository, and yet GitHub refuses a result without one: each component gets a
//! stable relative path of its own, `docker/local/container/web`.

mod graph;
mod log;
mod model;
mod rule;
mod taxa;

use std::cmp::Reverse;
use std::io::{self, Write};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::component::Component;
use seaworthy_core::judge::Finding;
use seaworthy_core::schema::docker::DOCKERFILE;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use seaworthy_core::verdict::{Severity, Verdict};
use seaworthy_core::waiver::Waiver;
use serde::Serialize;
use serde::ser::{SerializeMap as _, SerializeSeq as _, Serializer};

use crate::clean::{bounded, one_line, shown, value};
use crate::{Options, json, words};
use log::{Artifact, Invocation, Location, LogicalLocation, Message, Notification, Physical, Region, Suppression};

/// The most results that GitHub takes of one run.
const RESULTS: usize = 25_000;

/// The most facts that a message names.
const FACTS: usize = 8;

/// Writes the log.
pub fn render(report: crate::Report<'_>, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, json::Lines::down_to(4));
    Log { report, all: options.all, most: RESULTS }.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

struct Log<'r> {
    report: crate::Report<'r>,
    all: bool,
    /// The most results of one run.
    most: usize,
}

impl Serialize for Log<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("$schema", "https://json.schemastore.org/sarif-2.1.0.json")?;
        map.serialize_entry("version", "2.1.0")?;
        map.serialize_entry("runs", &Runs(self))?;
        map.end()
    }
}

struct Runs<'l, 'r>(&'l Log<'r>);

impl Serialize for Runs<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let targets = &self.0.report.audit.snapshot.targets;
        let mut seq = serializer.serialize_seq(Some(targets.len()))?;
        for (index, target) in targets.iter().enumerate() {
            seq.serialize_element(&Run::new(self.0, index, target))?;
        }
        seq.end()
    }
}

/// What a result is of, by position in the audit or the model.
#[derive(Clone, Copy)]
enum Item {
    Finding(usize),
    Threat(usize),
    Path(usize),
}

/// What is said of one target.
struct Run<'r> {
    audit: &'r Audit<'r>,
    model: Option<&'r Assessment<'r>>,
    /// The target, and its position.
    target: &'r Target,
    index: usize,
    /// The results, gravest first.
    items: Vec<Item>,
    /// How many are left out, so that GitHub takes the log.
    cut: usize,
    rules: rule::Rules<'r>,
}

impl<'r> Run<'r> {
    fn new(log: &Log<'r>, index: usize, target: &'r Target) -> Self {
        let crate::Report { audit, model, .. } = log.report;
        let findings = (0..audit.findings.len()).filter(|i| audit.findings[*i].target == index);
        let mut ranked: Vec<(u8, Severity, Item)> = findings
            .filter_map(|i| {
                let finding = &audit.findings[i];
                let rank = match finding.judgement.verdict {
                    Verdict::Fail => u8::from(audit.waived[i].is_some()),
                    Verdict::Unknown => 2,
                    Verdict::Manual => 3,
                    Verdict::Pass if log.all => 4,
                    Verdict::Pass | Verdict::NotApplicable => return None,
                };
                Some((rank, audit.check(finding).severity, Item::Finding(i)))
            })
            .collect();
        if let Some(model) = model {
            ranked.extend(model::ranked(model, index, log.all));
        }
        ranked.sort_by_key(|(rank, severity, _)| (*rank, Reverse(*severity)));
        let cut = ranked.len().saturating_sub(log.most);
        ranked.truncate(log.most);
        let items: Vec<Item> = ranked.into_iter().map(|(.., item)| item).collect();
        let rules = rule::Rules::of(log.report, &items);
        Self { audit, model, target, index, items, cut, rules }
    }

    fn invocation(&self) -> Invocation {
        let mut notifications: Vec<Notification> = Vec::new();
        for (target, gap) in words::gaps(self.audit) {
            if std::ptr::eq(target, self.target) {
                let (source, reason) = (one_line(&gap.source), one_line(&gap.reason));
                let text = format!("{source} could not be read: {reason}; unknown for it: {}", one_line(&gap.affects));
                notifications.push(Notification::new("gap", "warning", &text));
            }
        }
        let of_threats = self.model.into_iter().flat_map(|m| &m.waiver_problems);
        for problem in self.audit.waiver_problems.iter().chain(of_threats) {
            notifications.push(Notification::new("waiver", "warning", &one_line(problem)));
        }
        if let Some(model) = self.model {
            notifications.extend(model::more(model, self.index));
        }
        if self.cut > 0 {
            let (cut, most) = (words::thousands(self.cut), words::thousands(self.items.len()));
            let text = format!("{cut} results are left out, the least grave, since GitHub takes {most}; JSON has all");
            notifications.push(Notification::new("cut", "warning", &text));
        }
        Invocation {
            execution_successful: !self.target.components.is_empty(),
            end_time_utc: words::instant(self.audit.snapshot.collected_at),
            tool_execution_notifications: notifications,
        }
    }
}

impl Serialize for Run<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tool", &self.rules.tool(self.audit))?;
        map.serialize_entry(
            "automationDetails",
            &log::Automation { id: format!("seaworthy/{}/", segments(&self.target.name)) },
        )?;
        map.serialize_entry("invocations", &[self.invocation()])?;
        if let Some(model) = self.model {
            map.serialize_entry("taxonomies", &taxa::taxonomies(model))?;
            map.serialize_entry("graphs", &[graph::graph(model, self.index)])?;
        }
        map.serialize_entry("results", &Results(self))?;
        map.end()
    }
}

struct Results<'n, 'r>(&'n Run<'r>);

impl Serialize for Results<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = self.0;
        serializer.collect_seq(run.items.iter().map(|item| match (*item, run.model) {
            (Item::Threat(i), Some(model)) => model::threat(run, model, i),
            (Item::Path(i), Some(model)) => model::path(run, model, i),
            (Item::Finding(i) | Item::Threat(i) | Item::Path(i), _) => result(run, i),
        }))
    }
}

fn result<'r>(run: &Run<'r>, i: usize) -> log::ResultOut<'r> {
    let audit = run.audit;
    let finding = &audit.findings[i];
    let check = audit.check(finding);
    let (kind, level) = match finding.judgement.verdict {
        Verdict::Fail => ("fail", level(check.severity)),
        Verdict::Unknown => ("open", "none"),
        Verdict::Manual => ("review", "none"),
        Verdict::Pass => ("pass", "none"),
        Verdict::NotApplicable => ("notApplicable", "none"),
    };
    let fingerprint = audit.fingerprint(finding);
    let mut place = location(run.target, words::kind(&check.about), audit.component_name(finding));
    if let Some(physical) = physical(audit, finding) {
        place.physical_location = physical;
    }
    log::ResultOut {
        rule_id: check.id.as_str().into(),
        rule_index: run.rules.index(Item::Finding(i)),
        kind,
        level,
        message: message(audit, i),
        locations: [place],
        partial_fingerprints: log::Fingerprints { line: format!("{fingerprint}:1"), own: fingerprint },
        suppressions: audit.waived[i].map(|w| vec![suppression(&audit.waivers[w])]),
        taxa: Vec::new(),
        code_flows: Vec::new(),
    }
}

fn suppression(waiver: &Waiver) -> Suppression {
    let (reason, owner) = (one_line(&waiver.reason), one_line(&waiver.owner));
    Suppression {
        kind: "external",
        status: "accepted",
        justification: format!("{reason} (accepted by {owner} until {})", one_line(&waiver.expires)),
    }
}

/// Where something is: a path of its own under its target, since nothing of a host is a file of a repository.
fn location<'k>(target: &Target, kind: &'k str, name: &str) -> Location<'k> {
    let path = format!("{}/{}/{kind}/{}", segments(&target.platform), segments(&target.name), segments(name));
    Location {
        physical_location: Physical {
            artifact_location: Artifact { uri: path.clone() },
            region: Region { start_line: 1, start_column: None },
        },
        logical_locations: [LogicalLocation {
            name: bounded(name, NAME).into_owned(),
            kind,
            fully_qualified_name: path,
        }],
        message: None,
    }
}

/// The place in a file, for what is in one: the first that a deciding fact names.
fn physical(audit: &Audit<'_>, finding: &Finding) -> Option<Physical> {
    if let Some(component) = audit.component(finding).filter(|c| c.kind.name.starts_with("kubernetes.")) {
        let is_of_files = audit.snapshot.targets[finding.target].platform == "files";
        return if is_of_files { of_manifest(audit, finding, component) } else { None };
    }
    let component = audit.component(finding).filter(|c| std::ptr::eq(c.kind, &DOCKERFILE))?;
    let number = |place: &Value, field: &str| u32::try_from(place.field(field)?.as_int()?).ok().filter(|n| *n > 0);
    let deciding = audit.deciding(finding);
    let lists = deciding.iter().filter_map(|(_, fact)| fact.value.as_list());
    let place = lists.flatten().find(|place| number(place, "line").is_some());
    let region = Region {
        start_line: place.and_then(|place| number(place, "line")).unwrap_or(1),
        start_column: place.and_then(|place| number(place, "column")),
    };
    Some(Physical { artifact_location: Artifact { uri: segments(&component.name) }, region })
}

/// The place in a manifest: of the first deciding fact that was read in one, else of the first of its other facts.
fn of_manifest(audit: &Audit<'_>, finding: &Finding, component: &Component) -> Option<Physical> {
    let deciding = audit.deciding(finding);
    let others = component.facts().map(|(_, fact)| fact);
    deciding.iter().map(|(_, fact)| *fact).chain(others).find_map(|fact| {
        // `12:7 spec.hostNetwork`.
        let (line, rest) = fact.source.field.split_once(':')?;
        let column = rest.split(' ').next()?;
        let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
        let region = Region { start_line: number(line)?, start_column: Some(number(column)?) };
        Some(Physical { artifact_location: Artifact { uri: segments(&fact.source.place) }, region })
    })
}

/// The most characters of a component's name in a location.
const NAME: usize = 300;

/// SARIF's level of a failure.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// `ci: fail: Containers are not privileged. privileged = true (inspect ci: HostConfig.Privileged)`.
fn message(audit: &Audit<'_>, i: usize) -> Message {
    let finding = &audit.findings[i];
    let check = audit.check(finding);
    let word = finding.judgement.verdict.word();
    let name = bounded(audit.component_name(finding), NAME);
    let mut text = format!("{name}: {word}: {}.", one_line(&check.title).trim_end_matches('.'));
    if let Some(reason) = &finding.judgement.reason {
        text.push_str(&format!(" {}.", one_line(reason).trim_end_matches('.')));
    }
    let facts = audit.facts(finding);
    for (name, fact) in facts.iter().take(FACTS) {
        text.push_str(&format!(" {name} = {} ({}).", value(&fact.value), shown(&fact.source, 200)));
    }
    Message { text: literal(&text) }
}

/// A text in which SARIF finds neither a link nor a placeholder.
fn literal(text: &str) -> String {
    let mut out = text.to_owned();
    if out.contains("](") {
        out = out.replace('[', "\\[").replace(']', "\\]");
    }
    let placeholder = |(at, _): (usize, &str)| out[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    if out.match_indices('{').any(placeholder) {
        out = out.replace('{', "{{").replace('}', "}}");
    }
    out
}

/// A name as segments of a relative path, percent-encoded: none is empty, `.` or `..`.
fn segments(name: &str) -> String {
    let name: String = name.chars().take(NAME).collect();
    let parts: Vec<String> = name.split('/').filter(|s| !s.is_empty()).map(segment).collect();
    if parts.is_empty() { "_".to_owned() } else { parts.join("/") }
}

fn segment(text: &str) -> String {
    if text.bytes().all(|b| b == b'.') {
        return text.replace('.', "%2E");
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
