//! The benchmark view: section by section, under each control what is the same said once.

use std::io::{self, Write};

use seaworthy_core::audit::ControlResult;
use seaworthy_core::kubernetes::{is_not_asked_for, is_outside_files};
use seaworthy_core::verdict::Verdict;

use super::Text;
use crate::clean::one_line;
use crate::group::{Group, groups};
use crate::layout::{Edge, width};
use crate::words;

/// Where an entry's verdict begins, without the ids.
const INDENT: usize = 4;

/// How wide ids and verdicts are.
struct Columns {
    id: usize,
    word: usize,
}

impl Columns {
    /// Where titles and facts begin.
    fn text(&self) -> usize {
        INDENT + self.id + self.word
    }
}

/// What stands before the groups of one control.
struct Heading<'h> {
    id: &'h str,
    title: Option<&'h str>,
}

impl Text<'_, '_> {
    /// Writes the view.
    pub(super) fn audit(&self, out: &mut dyn Write) -> io::Result<()> {
        let controls = self.audit.controls();
        let longest = controls.iter().map(|c| width(&c.control.id)).max().unwrap_or(0);
        let word = if self.options.all { 16 } else { 9 };
        let columns = Columns { id: longest.min(12) + 2, word };
        let mut before = None;
        for (benchmark, section, controls) in words::sections(self.audit, &controls) {
            if !self.audit.beside.is_empty() && before != Some(&benchmark.id) {
                before = Some(&benchmark.id);
                writeln!(out, "\n{}", self.page.paint.bold(&one_line(&benchmark.title)))?;
            }
            let (id, title) = section.map_or(("", "Other controls"), |s| (s.id.as_str(), s.title.as_str()));
            self.section(id, title, &words::counts(controls.iter().copied()), out)?;
            for control in controls {
                self.control(control, &columns, out)?;
            }
        }
        self.beyond(&Columns { id: 0, word }, out)?;
        for (is, why) in [
            (is_outside_files as fn(&str) -> bool, "only a cluster knows, since these are files"),
            (is_not_asked_for as fn(&str) -> bool, "follows from namespaces that were not asked for"),
        ] {
            let left_out = (0..self.audit.findings.len()).filter(|i| self.reason(*i).is_some_and(is)).count();
            if left_out > 0 && !self.options.all {
                writeln!(out, "\n{} of what is unknown {why}; --all shows it.", words::thousands(left_out))?;
            }
        }
        self.waivers(out)
    }

    fn section(&self, id: &str, title: &str, counts: &[usize; 5], out: &mut dyn Write) -> io::Result<()> {
        let left = format!("{:>2}  {}", one_line(id), one_line(title));
        writeln!(out)?;
        let left = Edge { painted: self.page.paint.bold(&left), plain: left };
        self.page.edges(out, &left, &self.counts(counts))
    }

    fn control(&self, result: &ControlResult<'_>, columns: &Columns, out: &mut dyn Write) -> io::Result<()> {
        let shown = result.findings.iter().copied().filter(|i| self.is_shown(*i));
        let groups = groups(self.audit, shown);
        let control = result.control;
        if groups.is_empty() {
            // Only with --all is it worth a line that nothing was found.
            if self.options.all && result.findings.is_empty() {
                let lead = self.lead(&control.id, Verdict::NotApplicable, None, columns);
                self.page.columns(out, &lead, columns.text(), &one_line(&control.title), ("", false))?;
            }
            return Ok(());
        }
        let title = (control.checks.len() <= 1).then_some(control.title.as_str());
        self.groups(&Heading { id: &control.id, title }, &groups, columns, out)
    }

    /// What no control of the benchmark asks for.
    fn beyond(&self, columns: &Columns, out: &mut dyn Write) -> io::Result<()> {
        let beyond = words::beyond(self.audit);
        if beyond.is_empty() {
            return Ok(());
        }
        let mut counts = [0; 5];
        let mut by_check: Vec<Vec<usize>> = vec![Vec::new(); self.audit.checks.len()];
        for i in beyond {
            by_check[self.audit.findings[i].check].push(i);
        }
        by_check.retain(|findings| !findings.is_empty());
        for findings in &by_check {
            let verdict = Verdict::over(findings.iter().map(|i| self.audit.findings[*i].judgement.verdict));
            let at = words::VERDICTS.iter().position(|v| *v == verdict).unwrap_or(4);
            counts[at] += 1;
        }
        self.section("+", "Beyond the benchmark", &counts, out)?;
        for findings in by_check {
            let groups = groups(self.audit, findings.into_iter().filter(|i| self.is_shown(*i)));
            self.groups(&Heading { id: "", title: None }, &groups, columns, out)?;
        }
        Ok(())
    }

    fn is_shown(&self, finding: usize) -> bool {
        let verdict = self.audit.findings[finding].judgement.verdict;
        self.options.all || (!matches!(verdict, Verdict::Pass | Verdict::NotApplicable) && !self.is_outside(finding))
    }

    /// Whether it is unknown because files, or some namespaces, are all that was asked for.
    fn is_outside(&self, finding: usize) -> bool {
        self.reason(finding).is_some_and(|reason| is_outside_files(reason) || is_not_asked_for(reason))
    }

    fn reason(&self, finding: usize) -> Option<&str> {
        self.audit.findings[finding].judgement.reason.as_deref()
    }

    /// Entries under one id; the id stands in the first, a title wherever it is another than in the one before.
    fn groups(
        &self,
        heading: &Heading<'_>,
        groups: &[Group<'_, '_>],
        columns: &Columns,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut before: Option<&str> = None;
        let mut said: Option<&str> = None;
        for (i, group) in groups.iter().enumerate() {
            let title = heading.title.unwrap_or(&group.check.title);
            let shown = if before == Some(title) { String::new() } else { one_line(title) };
            let names = self.names(&group.members, self.page.right());
            let word = group.waiver.map(|_| "waived");
            let lead = self.lead(if i == 0 { heading.id } else { "" }, group.verdict, word, columns);
            if shown.is_empty() && columns.text() + width(&names) < self.page.width {
                // The names take the place of a title that would be said twice.
                let names = self.names(&group.members, self.page.width - columns.text());
                writeln!(out, "{lead}{names}")?;
            } else {
                self.page.columns(out, &lead, columns.text(), &shown, (&names, false))?;
            }
            let reason = group.reason.filter(|r| said != Some(*r));
            self.details(group, reason, columns.text(), out)?;
            if heading.id.is_empty() && before != Some(title) {
                self.page.paragraph(out, &" ".repeat(columns.text()), columns.text(), &one_line(&group.check.id))?;
            }
            (before, said) = (Some(title), group.reason);
        }
        Ok(())
    }

    /// The id and the word, padded.
    fn lead(&self, id: &str, verdict: Verdict, word: Option<&str>, columns: &Columns) -> String {
        let word = word.unwrap_or(verdict.word());
        let pad = columns.word.saturating_sub(word.len()).max(1);
        let id = one_line(id);
        let id_pad = columns.id.saturating_sub(width(&id));
        format!("{:INDENT$}{id}{:id_pad$}{}{:pad$}", "", "", self.page.paint.verdict(verdict, word), "")
    }

    /// The reason, the facts with their sources, the waiver.
    fn details(
        &self,
        group: &Group<'_, '_>,
        reason: Option<&str>,
        indent: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let lead = " ".repeat(indent);
        let said = group.facts.iter().any(|(_, f)| f.value.reason().map(AsRef::as_ref) == group.reason);
        if let Some(reason) = reason.filter(|_| !said) {
            self.page.paragraph(out, &lead, indent, &one_line(reason))?;
        }
        self.facts(indent, &group.facts, out)?;
        if let Some(waiver) = group.waiver {
            let (reason, owner) = (one_line(&waiver.reason), one_line(&waiver.owner));
            let text = format!("{}, accepted by {owner} until {}: {reason}", group.verdict.word(), waiver.expires);
            self.page.paragraph(out, &lead, indent, &text)?;
        }
        Ok(())
    }

    /// How many findings are waived, and waivers that do nothing.
    pub(super) fn waivers(&self, out: &mut dyn Write) -> io::Result<()> {
        let waived = self.audit.waived.iter().flatten().count();
        if waived == 0 && self.audit.waiver_problems.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        if waived > 0 {
            writeln!(out, "  {} waived", words::count(waived, "finding"))?;
        }
        for problem in &self.audit.waiver_problems {
            self.page.paragraph(out, "  ", 4, &format!("Waivers: {}", one_line(problem)))?;
        }
        Ok(())
    }
}
