//! JSON: everything, in the shape of `schemas/report-2.json`. Findings are written one by one, each on a line.

use std::io::{self, Write};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::benchmark::Benchmark;
use seaworthy_core::judge::Finding;
use seaworthy_core::value::Value;
use seaworthy_core::verdict::Verdict;
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

use crate::clean::is_harmful;
use crate::proposal::{self, ChangeOut};
use crate::words;

mod model;

use model::{ElementOut, Flows, ModelSummary, Paths, Priorities, Steps, Threats, Zones};

/// The version of the shape.
pub const SCHEMA: u32 = 2;

/// Writes the report.
pub fn render(report: crate::Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Lines::down_to(2));
    Report(report).serialize(&mut serializer)?;
    out.write_all(b"\n")
}

struct Report<'r>(crate::Report<'r>);

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let audit = self.0.audit;
        let model = self.0.model;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", &SCHEMA)?;
        map.serialize_entry("tool", &Tool { name: "seaworthy", version: env!("CARGO_PKG_VERSION") })?;
        map.serialize_entry("collected_at", &words::instant(audit.snapshot.collected_at))?;
        if !self.0.narrowed.is_empty() {
            map.serialize_entry("narrowed", self.0.narrowed)?;
        }
        map.serialize_entry("targets", &Targets(audit))?;
        map.serialize_entry("zones", &Zones(model))?;
        map.serialize_entry("components", &Components(audit, model))?;
        map.serialize_entry("flows", &Flows(model))?;
        map.serialize_entry("coverage", &coverage(audit))?;
        map.serialize_entry("summary", &summary(audit, model))?;
        map.serialize_entry("findings", &Findings(audit))?;
        map.serialize_entry("threats", &Threats(model))?;
        map.serialize_entry("steps", &Steps(model))?;
        map.serialize_entry("paths", &Paths(model))?;
        map.serialize_entry("priorities", &Priorities(model))?;
        map.end()
    }
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct TargetOut<'r> {
    name: &'r str,
    platform: &'r str,
    address: &'r str,
    about: &'r str,
    took_ms: u64,
}

struct Targets<'r, 'a>(&'r Audit<'a>);

impl Serialize for Targets<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.snapshot.targets.iter().map(|t| TargetOut {
            name: &t.name,
            platform: &t.platform,
            address: &t.address,
            about: &t.about,
            took_ms: t.took_ms,
        }))
    }
}

#[derive(Serialize)]
struct ComponentOut<'r> {
    kind: &'r str,
    id: &'r str,
    name: &'r str,
    target: &'r str,
    #[serde(flatten)]
    element: Option<ElementOut<'r>>,
}

struct Components<'r>(&'r Audit<'r>, Option<&'r Assessment<'r>>);

impl Serialize for Components<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let elements = self.1.map(|model| model.diagram.by_component()).unwrap_or_default();
        let mut seq = serializer.serialize_seq(None)?;
        for (t, target) in self.0.snapshot.targets.iter().enumerate() {
            for (i, c) in target.components.iter().enumerate() {
                let at = elements.get(&(t, i)).copied();
                seq.serialize_element(&ComponentOut {
                    kind: c.kind.name,
                    id: &c.id,
                    name: &c.name,
                    target: &target.name,
                    element: self.1.zip(at).map(|(model, at)| ElementOut::new(model, at)),
                })?;
            }
        }
        for (model, at) in model::actors(self.1) {
            let element = &model.diagram.elements[at];
            seq.serialize_element(&ComponentOut {
                kind: element.kind,
                id: &element.id,
                name: &element.name,
                target: self.0.snapshot.targets.get(element.target).map_or("", |t| t.name.as_str()),
                element: Some(ElementOut::new(model, at)),
            })?;
        }
        seq.end()
    }
}

#[derive(Serialize)]
struct Coverage<'r> {
    gaps: Vec<GapOut<'r>>,
    incomplete: Vec<IncompleteOut<'r>>,
}

#[derive(Serialize)]
struct GapOut<'r> {
    target: &'r str,
    source: &'r str,
    reason: &'r str,
    affects: &'r str,
}

#[derive(Serialize)]
struct IncompleteOut<'r> {
    target: &'r str,
    kind: &'r str,
    reason: &'r str,
}

fn coverage<'r>(audit: &'r Audit<'_>) -> Coverage<'r> {
    let mut out = Coverage { gaps: Vec::new(), incomplete: Vec::new() };
    for target in &audit.snapshot.targets {
        let name = target.name.as_str();
        out.gaps.extend(target.gaps.iter().map(|g| GapOut {
            target: name,
            source: &g.source,
            reason: &g.reason,
            affects: &g.affects,
        }));
        let lists = target.incomplete.iter();
        out.incomplete.extend(lists.map(|(kind, reason)| IncompleteOut { target: name, kind, reason }));
    }
    out
}

#[derive(Serialize)]
struct Summary<'r> {
    benchmark: BenchmarkOut<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    beside: Vec<BenchmarkOut<'r>>,
    findings: Counts,
    waived: usize,
    waiver_problems: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelSummary<'r>>,
}

#[derive(Serialize)]
struct BenchmarkOut<'r> {
    id: &'r str,
    title: &'r str,
    counts: Counts,
    controls: Vec<ControlOut<'r>>,
}

#[derive(Serialize)]
struct ControlOut<'r> {
    id: &'r str,
    title: &'r str,
    verdict: Verdict,
    level: u8,
    findings: usize,
    /// Some of its checks were left out of this run: a pass speaks for the others alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_part: bool,
}

/// In the order of `words::VERDICTS`.
struct Counts([usize; 5]);

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(words::VERDICTS.iter().map(|v| v.word()).zip(self.0))
    }
}

fn summary<'r>(audit: &'r Audit<'_>, model: Option<&'r Assessment<'r>>) -> Summary<'r> {
    let controls = audit.controls();
    let benchmark = |of: &'r Benchmark| BenchmarkOut {
        id: &of.id,
        title: &of.title,
        counts: Counts(words::counts(controls.iter().filter(|c| std::ptr::eq(c.benchmark, of)))),
        controls: controls
            .iter()
            .filter(|c| std::ptr::eq(c.benchmark, of))
            .map(|c| ControlOut {
                id: &c.control.id,
                title: &c.control.title,
                verdict: c.verdict,
                level: c.control.level,
                findings: c.findings.len(),
                in_part: c.in_part,
            })
            .collect(),
    };
    Summary {
        benchmark: benchmark(audit.benchmark),
        beside: audit.beside.iter().map(|of| benchmark(of)).collect(),
        findings: Counts(words::finding_counts(audit)),
        waived: audit.waived.iter().flatten().count(),
        waiver_problems: audit
            .waiver_problems
            .iter()
            .chain(model.into_iter().flat_map(|m| &m.waiver_problems))
            .map(String::as_str)
            .collect(),
        model: model.map(ModelSummary::new),
    }
}

struct Findings<'r, 'a>(&'r Audit<'a>);

impl Serialize for Findings<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The controls of a check are the same in all of its findings.
        let named = |id: &str| -> Vec<String> {
            self.0.controls_of(id).iter().map(|(benchmark, c)| format!("{}/{}", benchmark.id, c.id)).collect()
        };
        let controls: Vec<Vec<String>> = self.0.checks.iter().map(|c| named(&c.id)).collect();
        let findings = self.0.findings.iter().enumerate();
        serializer.collect_seq(findings.map(|(i, f)| finding(self.0, i, f, &controls[f.check])))
    }
}

#[derive(Serialize)]
struct FindingOut<'r> {
    check: &'r str,
    title: &'r str,
    severity: &'r str,
    verdict: Verdict,
    controls: &'r [String],
    component: ComponentOut<'r>,
    facts: Vec<FactOut<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<RemedyOut<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<WaiverOut<'r>>,
    fingerprint: String,
}

#[derive(Serialize)]
struct FactOut<'r> {
    name: &'r str,
    value: &'r Value,
    source: String,
}

#[derive(Serialize)]
struct RemedyOut<'r> {
    safety: &'r str,
    fix: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeOut>,
}

#[derive(Serialize)]
struct WaiverOut<'r> {
    reason: &'r str,
    owner: &'r str,
    expires: &'r str,
}

fn finding<'r>(audit: &'r Audit<'_>, i: usize, finding: &'r Finding, controls: &'r [String]) -> FindingOut<'r> {
    let check = audit.check(finding);
    let verdict = finding.judgement.verdict;
    let open = matches!(verdict, Verdict::Fail | Verdict::Manual | Verdict::Unknown);
    let component = audit.component(finding);
    FindingOut {
        check: &check.id,
        title: &check.title,
        severity: check.severity.word(),
        verdict,
        controls,
        component: ComponentOut {
            kind: &check.about,
            id: component.map_or("*", |c| &c.id),
            name: audit.component_name(finding),
            target: &audit.snapshot.targets[finding.target].name,
            element: None,
        },
        facts: audit
            .facts(finding)
            .into_iter()
            .map(|(name, fact)| FactOut { name, value: &fact.value, source: fact.source.to_string() })
            .collect(),
        reason: finding.judgement.reason.as_deref(),
        remedy: open.then(|| RemedyOut {
            safety: check.remedy.safety.word(),
            fix: &check.remedy.fix,
            changes: proposal::of(audit, finding).into_iter().map(ChangeOut::of).collect(),
        }),
        waiver: audit.waived[i].map(|w| {
            let waiver = &audit.waivers[w];
            WaiverOut { reason: &waiver.reason, owner: &waiver.owner, expires: &waiver.expires }
        }),
        fingerprint: audit.fingerprint(finding),
    }
}

/// JSON with a line for each element down to a depth, and the rest of each on its line: readable, and neither long
/// nor slow.
pub struct Lines {
    depth: usize,
    deepest: usize,
    first: bool,
}

impl Lines {
    /// Lines down to a depth; that of the outermost braces is 1.
    pub fn down_to(deepest: usize) -> Self {
        Self { depth: 0, deepest, first: true }
    }

    fn open(&mut self) {
        self.depth += 1;
        self.first = true;
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let line = self.depth <= self.deepest && !self.first;
        self.depth = self.depth.saturating_sub(1);
        self.first = false;
        if line { self.line(out) } else { Ok(()) }
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if !std::mem::replace(&mut self.first, false) {
            out.write_all(b",")?;
        }
        if self.depth <= self.deepest { self.line(out) } else { Ok(()) }
    }

    fn line<W: ?Sized + Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(&b"\n        "[..1 + self.depth.min(8)])
    }
}

/// Writes a part of JSON in which control characters below the blank are escaped already: what else commands a terminal,
/// or reorders or hides text, is escaped too, and read back as it was.
///
/// # Errors
/// What the writer returns.
pub fn escape_into<W: ?Sized + Write>(out: &mut W, json: &str) -> io::Result<()> {
    if json.bytes().all(|byte| byte < 0x7f) {
        return out.write_all(json.as_bytes());
    }
    let mut from = 0;
    for (at, harmful) in json.char_indices().filter(|(_, c)| *c >= '\x7f' && is_harmful(*c)) {
        out.write_all(&json.as_bytes()[from..at])?;
        for unit in harmful.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}")?;
        }
        from = at + harmful.len_utf8();
    }
    out.write_all(&json.as_bytes()[from..])
}

impl serde_json::ser::Formatter for Lines {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        escape_into(out, fragment)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open();
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out)?;
        out.write_all(b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, _first: bool) -> io::Result<()> {
        self.next(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open();
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out)?;
        out.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, _first: bool) -> io::Result<()> {
        self.next(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _out: &mut W) -> io::Result<()> {
        self.first = false;
        Ok(())
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _out: &mut W) -> io::Result<()> {
        self.first = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
