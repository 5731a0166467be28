//! Text for a person: the answer first, evidence within reach, nothing twice.

mod assess;
mod audit;
mod paths;
mod threats;

use std::collections::BTreeMap;
use std::io::{self, Write};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::fact::Fact;
use seaworthy_core::snapshot::Target;
use seaworthy_core::verdict::Verdict;

use crate::clean::{self, bounded, one_line};
use crate::layout::{Edge, Page, Paint, cut, names};
use crate::{Options, Report, View, words};

/// Writes the text of a view.
pub fn render(view: View, report: Report<'_>, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let audit = report.audit;
    let page = Page { width: options.width.clamp(40, 400), paint: Paint(options.colour) };
    let text = Text { audit, options, page, command: view.command() };
    if words::is_empty(audit) {
        return text.nothing(out);
    }
    for target in &audit.snapshot.targets {
        text.head(target, out)?;
    }
    match (view, report.model) {
        (View::Assess, Some(model)) => Model { text: &text, model }.assess(out)?,
        (View::Threats, Some(model)) => Model { text: &text, model }.threats(out)?,
        (View::Paths, Some(model)) => Model { text: &text, model }.paths(out)?,
        (View::Audit | View::Assess | View::Threats | View::Paths, _) => text.audit(out)?,
    }
    text.gaps(out)
}

/// A text with the threat model.
struct Model<'r, 'a> {
    text: &'r Text<'r, 'a>,
    model: &'r Assessment<'r>,
}

/// What the views share.
struct Text<'r, 'a> {
    audit: &'r Audit<'a>,
    options: &'r Options,
    page: Page,
    command: &'static str,
}

impl Text<'_, '_> {
    /// `docker  local · Engine 29.0.0 · 12 containers, 9 images      read in 0.11 s`.
    fn head(&self, target: &Target, out: &mut dyn Write) -> io::Result<()> {
        let (platform, name) = (bounded(&target.platform, clean::NAME), bounded(&target.name, clean::NAME));
        let mut rest = String::new();
        if !target.about.is_empty() {
            rest = format!(" · {}", bounded(&target.about, clean::NAME));
        }
        let parts = parts(target);
        if parts.is_empty() {
            let text = format!("{platform}  {name} · nothing could be read: {}", reason(target));
            return self.page.paragraph(out, "", 4, &text);
        }
        rest.push_str(" · ");
        rest.push_str(&parts);
        let mut left = Edge::default();
        left.push(&platform, &self.page.paint.dim(&platform));
        left.push(&format!("  {name}"), &format!("  {}", self.page.paint.bold(&name)));
        left.push(&rest, &rest);
        let right = format!("read in {}.{:02} s", target.took_ms / 1000, target.took_ms % 1000 / 10);
        self.page.edges(out, &left, &self.dim(right))
    }

    fn dim(&self, text: String) -> Edge {
        Edge { painted: self.page.paint.dim(&text), plain: text }
    }

    /// One line for each target when nothing could be collected, and what can be done without one.
    fn nothing(&self, out: &mut dyn Write) -> io::Result<()> {
        for target in &self.audit.snapshot.targets {
            let name = bounded(&target.name, clean::NAME);
            self.page.paragraph(out, "", 4, &format!("{name}: nothing could be read: {}", reason(target)))?;
        }
        if self.audit.snapshot.targets.is_empty() {
            writeln!(out, "There is no target to look at.")?;
        }
        writeln!(
            out,
            "To see what Seaworthy tells of a host: seaworthy assess --demo; of a cluster: seaworthy assess --demo kubernetes"
        )
    }

    /// What could not be read: all of it with `--gaps`, else a line that says how much.
    fn gaps(&self, out: &mut dyn Write) -> io::Result<()> {
        let gaps = words::gaps(self.audit);
        if gaps.is_empty() {
            return Ok(());
        }
        let several = self.audit.snapshot.targets.len() > 1;
        if self.options.gaps {
            writeln!(out, "\n{}", self.page.paint.bold("Could not be read"))?;
            for (target, gap) in gaps {
                let source = bounded(&gap.source, clean::VALUE);
                let source =
                    if several { format!("{}: {source}", one_line(&target.name)) } else { source.into_owned() };
                self.page.paragraph(out, "  ", 4, &source)?;
                self.page.paragraph(out, "    ", 4, &one_line(&gap.reason))?;
                let affects = format!("unknown for it: {}", one_line(&gap.affects));
                self.page.paragraph(out, "    ", 4, &affects)?;
            }
            return Ok(());
        }
        let hint = format!("seaworthy {} --gaps", self.command);
        let room = self.page.width.saturating_sub(hint.len() + 4);
        let first: Vec<String> = gaps
            .iter()
            .take(8)
            .map(|(_, gap)| format!("{} ({})", bounded(&gap.source, 60), bounded(&gap.reason, 100)))
            .collect();
        let many = words::count(gaps.len(), "source");
        let line = cut(&format!("  {many} could not be read: {}", first.join(", ")), room);
        writeln!(out)?;
        self.page.edges(out, &Edge::plain(line), &self.dim(hint))
    }

    /// Facts, each with its source, behind an indent. Where the reason of an unknown fact is the finding's own it is
    /// said once.
    fn facts(&self, indent: usize, facts: &[(&'static str, &Fact)], out: &mut dyn Write) -> io::Result<()> {
        let lead = " ".repeat(indent);
        for (name, fact) in facts {
            let left = match fact.value.reason() {
                Some(reason) => format!("{name} is unknown: {}", bounded(reason, clean::VALUE)),
                None => format!("{name} = {}", clean::value(&fact.value)),
            };
            let right = clean::shown(&fact.source, clean::VALUE);
            self.page.columns(out, &lead, indent, &left, (&right, true))?;
        }
        Ok(())
    }

    /// The names of findings' components, as many as fit.
    fn names(&self, members: &[usize], most: usize) -> String {
        names(members.iter().map(|i| words::component(self.audit, &self.audit.findings[*i])), most)
    }

    /// `14 pass   9 fail   1 unknown`: those that occur.
    fn counts(&self, counts: &[usize; 5]) -> Edge {
        let mut edge = Edge::default();
        for (verdict, count) in words::VERDICTS.into_iter().zip(counts).filter(|(_, count)| **count > 0) {
            let word = match verdict {
                Verdict::Manual => "by hand",
                Verdict::NotApplicable => "n/a",
                other => other.word(),
            };
            if !edge.plain.is_empty() {
                edge.push("   ", "   ");
            }
            let part = format!("{count} {word}");
            edge.push(&part, &self.page.paint.verdict(verdict, &part));
        }
        edge
    }
}

/// `12 containers, 9 images, 4 networks`; empty when nothing was read.
fn parts(target: &Target) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for component in &target.components {
        // Pods that are alike are one component.
        let alike = component.value("instances").as_int().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        let alike = if component.kind.name == "kubernetes.pod" { alike.max(1) } else { 1 };
        *counts.entry(component.kind.name).or_default() += alike;
    }
    let shown = [
        "docker.container",
        "docker.image",
        "docker.network",
        "docker.volume",
        "docker.dockerfile",
        "kubernetes.node",
        "kubernetes.namespace",
        "kubernetes.pod",
        "kubernetes.service",
        "kubernetes.service-account",
    ];
    let counted: Vec<String> =
        shown.into_iter().filter_map(|kind| counts.get(kind).map(|n| words::count(*n, words::kind(kind)))).collect();
    match (counted.is_empty(), target.components.len()) {
        (false, _) => counted.join(", "),
        (true, 0) => String::new(),
        (true, n) => words::count(n, "component"),
    }
}

/// Why nothing of a target could be read.
fn reason(target: &Target) -> String {
    let gap = target.gaps.first().map(|g| format!("{}: {}", one_line(&g.source), one_line(&g.reason)));
    let list = || target.incomplete.values().next().map(|r| one_line(r));
    gap.or_else(list).unwrap_or_else(|| "no reason was given".to_owned())
}

#[cfg(test)]
mod tests;
