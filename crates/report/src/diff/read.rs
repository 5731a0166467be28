//! A moment from a JSON report. The report is hostile: its size is bounded, what is not asked for is not kept, and what
//! does not fit is refused in one line.

use std::collections::HashMap;

use seaworthy_core::diff::{Component, Flow, Kinds, Mitigation, Moment, Path, Threat};
use seaworthy_core::step::Basis;
use seaworthy_core::threat::Status;
use seaworthy_core::verdict::Verdict;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::clean::{bounded, one_line, shown};
use crate::json::SCHEMA;

/// The longest report that is read, in bytes.
const LONGEST: usize = 1 << 28;

/// What tells a report from a snapshot.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    narrowed: Vec<String>,
    schema: Option<serde_json::Value>,
    findings: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Report {
    collected_at: String,
    targets: Vec<Target>,
    components: Vec<ComponentIn>,
    flows: Vec<FlowIn>,
    coverage: Coverage,
    summary: Summary,
    findings: Vec<FindingIn>,
    threats: Vec<ThreatIn>,
    paths: Vec<PathIn>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct ComponentIn {
    kind: String,
    id: String,
    name: String,
    target: String,
    element: Option<String>,
}

#[derive(Deserialize)]
struct FlowIn {
    id: String,
    kind: String,
    from: String,
    to: String,
    label: String,
    crosses: bool,
    certainty: Certainty,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Certainty {
    Proven,
    Possible,
}

#[derive(Deserialize)]
struct Coverage {
    incomplete: Vec<Incomplete>,
}

#[derive(Deserialize)]
struct Incomplete {
    target: String,
    kind: String,
    reason: String,
}

#[derive(Deserialize)]
struct Summary {
    model: Option<Model>,
}

#[derive(Deserialize)]
struct Model {
    paths: Counted,
}

#[derive(Deserialize)]
struct Counted {
    more: Vec<More>,
    unlisted: usize,
    unsearched: Vec<State>,
}

#[derive(Deserialize)]
struct More {
    from: State,
    to: State,
}

#[derive(Deserialize)]
struct State {
    capability: String,
    element: String,
    text: String,
}

#[derive(Deserialize)]
struct FindingIn {
    check: String,
    title: String,
    verdict: Verdict,
    component: ComponentIn,
    reason: Option<String>,
    fingerprint: String,
}

#[derive(Deserialize)]
struct ThreatIn {
    threat: String,
    title: String,
    status: Status,
    component: Option<Subject>,
    flow: Option<Subject>,
    decided_by: Vec<Decided>,
    reason: Option<String>,
    fingerprint: String,
}

#[derive(Deserialize)]
struct Subject {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Decided {
    finding: String,
}

#[derive(Deserialize)]
struct PathIn {
    from: State,
    to: State,
    certainty: Basis,
    effort: u32,
    steps: Vec<Taken>,
    fingerprint: String,
}

/// A step by its place among those of the report.
#[derive(Deserialize)]
struct Taken {
    taken: usize,
}

#[derive(Deserialize)]
struct Step {
    gains: State,
}

/// The moment of a JSON report (of schema 2, with a threat model); none where the bytes are no report at all, as a
/// snapshot is none.
///
/// # Errors
/// On one line and without the file's name, when it is a report that cannot be compared: longer than 256 MiB, of another
/// schema, without a threat model, narrowed by a flag, or damaged.
pub fn moment(bytes: &[u8]) -> Result<Option<Moment>, String> {
    if bytes.len() > LONGEST {
        return Err(format!("it is longer than {} MiB; is it a report of `-f json`?", LONGEST >> 20));
    }
    let Ok(Head { schema: Some(schema), findings: Some(_), narrowed }) = serde_json::from_slice(bytes) else {
        return Ok(None);
    };
    if schema.as_u64() != Some(u64::from(SCHEMA)) {
        let schema = shown(&schema, 20);
        return Err(format!("it has the schema {schema}, this version compares {SCHEMA}; write it anew"));
    }
    if !narrowed.is_empty() {
        let by: Vec<_> = narrowed.iter().take(8).map(|flag| bounded(flag, 40)).collect();
        let by = by.join(", ");
        return Err(format!("it was narrowed by {by}, and what it leaves out is not gone; write it without"));
    }
    let report: Report = serde_json::from_slice(bytes)
        .map_err(|e| format!("it is a damaged report ({}); write it anew", one_line(&e.to_string())))?;
    if report.paths.iter().flat_map(|p| &p.steps).any(|s| s.taken >= report.steps.len()) {
        return Err("it is a damaged report (a path takes a step that is not there); write it anew".to_owned());
    }
    let Some(model) = &report.summary.model else {
        return Err("it holds no threat model to compare; write one by `seaworthy assess -f json`".to_owned());
    };
    let more = model.paths.more.iter().map(|m| (held(&m.from), held(&m.to))).collect();
    let collected_at = report.collected_at.parse::<jiff::Timestamp>();
    let collected_at = collected_at.map_err(|_| "its `collected_at` is no time; write it anew".to_owned())?;
    let unsearched = model.paths.unsearched.iter().map(held).collect();
    let mut out = Moment { collected_at: collected_at.as_second(), more, unsearched, ..Moment::default() };
    out.full(model.paths.unlisted);
    Builder::new(&report).fill(&report, &mut out);
    Ok(Some(out))
}

fn held(state: &State) -> String {
    format!("{} at {}", state.capability, state.element)
}

/// What parts of a report refer to.
struct Builder<'r> {
    elements: HashMap<&'r str, &'r ComponentIn>,
    by_component: HashMap<(&'r str, &'r str, &'r str), &'r str>,
    flows: HashMap<&'r str, &'r FlowIn>,
    reasons: HashMap<&'r str, &'r str>,
}

impl<'r> Builder<'r> {
    fn new(report: &'r Report) -> Self {
        let mut out = Self {
            elements: HashMap::new(),
            by_component: HashMap::new(),
            flows: report.flows.iter().map(|f| (f.id.as_str(), f)).collect(),
            reasons: HashMap::new(),
        };
        for component in &report.components {
            if let Some(element) = &component.element {
                out.elements.insert(element, component);
                out.by_component.insert((&component.target, &component.kind, &component.id), element);
            }
        }
        for finding in &report.findings {
            out.reasons.extend(finding.reason.as_deref().map(|r| (finding.fingerprint.as_str(), r)));
        }
        out
    }

    fn kind(&self, element: &str) -> (String, String) {
        self.elements.get(element).map(|c| (c.target.clone(), c.kind.clone())).unwrap_or_default()
    }

    fn name(&self, element: &str) -> String {
        self.elements.get(element).map(|c| c.name.clone()).unwrap_or_default()
    }

    fn flow_kinds(&self, flow: &FlowIn) -> Kinds {
        [self.kind(&flow.from), self.kind(&flow.to)].into()
    }

    fn fill(&self, report: &Report, out: &mut Moment) {
        out.targets = report.targets.iter().map(|t| t.name.clone()).collect();
        for gap in &report.coverage.incomplete {
            out.incomplete.insert((gap.target.clone(), gap.kind.clone()), gap.reason.clone());
        }
        for component in report.components.iter().filter(|c| !c.kind.starts_with("actor.")) {
            if let Some(element) = &component.element {
                let ComponentIn { kind, name, target, .. } = component;
                let component = Component { kind: kind.clone(), name: name.clone(), target: target.clone() };
                out.components.insert(element.clone(), component);
            }
        }
        for flow in report.flows.iter().filter(|f| f.crosses) {
            out.flows.insert(
                flow.id.clone(),
                Flow {
                    kind: flow.kind.clone(),
                    ends: (self.name(&flow.from), self.name(&flow.to)),
                    label: flow.label.clone(),
                    proven: flow.certainty == Certainty::Proven,
                    kinds: self.flow_kinds(flow),
                },
            );
        }
        report.threats.iter().for_each(|t| out.put_threat(t.fingerprint.clone(), self.threat(t)));
        for path in &report.paths {
            let gained = path.steps.iter().filter_map(|s| report.steps.get(s.taken)).map(|s| &s.gains);
            out.paths.insert(
                path.fingerprint.clone(),
                Path {
                    ends: (path.from.text.clone(), path.to.text.clone()),
                    pair: (held(&path.from), held(&path.to)),
                    basis: path.certainty,
                    effort: path.effort,
                    kinds: [&path.from].into_iter().chain(gained).map(|s| self.kind(&s.element)).collect(),
                },
            );
        }
        for finding in &report.findings {
            let ComponentIn { kind, id, name, target, .. } = &finding.component;
            let element = self.by_component.get(&(target.as_str(), kind.as_str(), id.as_str()));
            out.put_finding(
                finding.fingerprint.clone(),
                Mitigation {
                    check: finding.check.clone(),
                    title: finding.title.clone(),
                    component: name.clone(),
                    kind: kind.clone(),
                    target: target.clone(),
                    element: element.map(|e| (*e).to_owned()),
                    verdict: finding.verdict,
                },
            );
        }
    }

    fn threat(&self, threat: &ThreatIn) -> Threat {
        let subject = threat.component.as_ref().or(threat.flow.as_ref());
        let flow = threat.flow.as_ref().and_then(|f| self.flows.get(f.id.as_str()));
        let element = threat.component.as_ref().filter(|c| self.elements.contains_key(c.id.as_str()));
        let of_findings = || threat.decided_by.iter().find_map(|d| self.reasons.get(d.finding.as_str()).copied());
        Threat {
            threat: threat.threat.clone(),
            title: threat.title.clone(),
            subject: subject.map(|s| s.name.clone()).unwrap_or_default(),
            status: threat.status,
            reason: threat.reason.as_deref().or_else(of_findings).map(str::to_owned),
            kinds: match (element, flow) {
                (Some(element), _) => [self.kind(&element.id)].into(),
                (None, Some(flow)) => self.flow_kinds(flow),
                (None, None) => Kinds::new(),
            },
        }
    }
}
