//! The summary, and what to harden first.

use std::cmp::Reverse;
use std::io::{self, Write};

use seaworthy_core::check::Check;
use seaworthy_core::verdict::{Severity, Verdict};

use super::Text;
use crate::clean::one_line;
use crate::group::groups;
use crate::layout::Edge;
use crate::words;

/// The facts that are shown as the reason why, at most.
const FACTS: usize = 3;

/// A check with its failures that nobody accepted.
struct Failure<'a> {
    check: &'a Check,
    findings: Vec<usize>,
}

impl Text<'_, '_> {
    /// Writes the view.
    pub(super) fn assess(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out)?;
        let controls = self.audit.controls();
        let benchmark = self.audit.benchmark;
        let mut line = Edge::plain(format!("  Benchmark  {}", short(&benchmark.title, benchmark.version())));
        let counts = self.counts(&words::counts(&controls));
        line.push(&format!("   {}", counts.plain), &format!("   {}", counts.painted));
        self.page.edges(out, &line, &Edge::default())?;
        let failures = self.failures();
        let shown = failures.len().min(self.options.top);
        if shown > 0 {
            writeln!(out, "\n  {}", self.page.paint.bold("Harden first"))?;
        } else if failures.is_empty() {
            writeln!(out, "\n  Nothing that could be read fails.")?;
        }
        let number = shown.to_string().len();
        for (i, failure) in failures[..shown].iter().enumerate() {
            self.failure(i + 1, number, failure, out)?;
        }
        self.rest(&failures[shown..], shown > 0, out)?;
        self.waivers(out)
    }

    /// The gravest first; of equal ones that with more components, then the safer remedy.
    fn failures(&self) -> Vec<Failure<'_>> {
        let mut by_check: Vec<Vec<usize>> = vec![Vec::new(); self.audit.checks.len()];
        for (i, finding) in self.audit.findings.iter().enumerate() {
            if finding.judgement.verdict == Verdict::Fail && self.audit.waived[i].is_none() {
                by_check[finding.check].push(i);
            }
        }
        let failing = self.audit.checks.iter().zip(by_check).filter(|(_, findings)| !findings.is_empty());
        let mut out: Vec<Failure<'_>> = failing.map(|(check, findings)| Failure { check, findings }).collect();
        out.sort_by_key(|f| (Reverse(f.check.severity), Reverse(f.findings.len()), f.check.remedy.safety, &f.check.id));
        out
    }

    fn failure(&self, place: usize, digits: usize, failure: &Failure<'_>, out: &mut dyn Write) -> io::Result<()> {
        let check = failure.check;
        let indent = digits + 4;
        let lead = format!("  {place:>digits$}  ");
        let names = self.names(&failure.findings, self.page.right());
        self.page.columns(out, &lead, indent, &one_line(&check.title), (&names, false))?;
        let space = " ".repeat(indent);
        // The group with most components stands for all; of equal ones the first.
        let groups = groups(self.audit, failure.findings.iter().copied());
        if let Some(group) = groups.iter().rev().max_by_key(|g| g.members.len()) {
            self.facts(indent, &group.facts[..group.facts.len().min(FACTS)], out)?;
        }
        for line in check.remedy.fix.lines().map(str::trim).filter(|l| !l.is_empty()) {
            self.page.paragraph(out, &space, indent, &one_line(line))?;
        }
        let mut left = Edge::plain(space);
        left.push(check.severity.word(), &self.page.paint.severity(check.severity, check.severity.word()));
        let safety = format!(" · {}", check.remedy.safety.word());
        left.push(&safety, &safety);
        self.page.edges(out, &left, &self.dim(format!("seaworthy explain {}", one_line(&check.id))))
    }

    /// How many more checks fail, by severity.
    fn rest(&self, failures: &[Failure<'_>], more: bool, out: &mut dyn Write) -> io::Result<()> {
        if failures.is_empty() {
            return Ok(());
        }
        let severities = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low];
        let counted = severities.into_iter().filter_map(|severity| {
            let number = failures.iter().filter(|f| f.check.severity == severity).count();
            (number > 0).then(|| format!("{number} {}", severity.word()))
        });
        let counted: Vec<String> = counted.collect();
        let what = if more { "more check" } else { "check" };
        let verb = if failures.len() == 1 { "fails" } else { "fail" };
        let line = format!("  {} {verb}: {}", words::count(failures.len(), what), counted.join(", "));
        writeln!(out)?;
        self.page.edges(out, &Edge::plain(line), &self.dim("seaworthy audit".to_owned()))
    }
}

/// A benchmark's title, with its version where the title does not say it.
fn short(title: &str, version: &str) -> String {
    let title = one_line(title);
    if title.contains(version) { title } else { format!("{title} {}", one_line(version)) }
}
