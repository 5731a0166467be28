//! The summary, and what to harden first.

use std::io::{self, Write};

use seaworthy_core::step::{Basis, Path, Priority};
use seaworthy_core::threat::Status;

use super::Model;
use crate::clean::{bounded, one_line};
use crate::layout::{Edge, cut, names, width};
use crate::proposal;
use crate::words;

/// Columns before the text of a summary line.
const LABEL: usize = 13;
/// How many terms of a rank are told; the other formats have all.
const WHY: usize = 2;
/// How many lines of what would have to change in a cluster are shown for a fix.
const CHANGES: usize = 2;

/// How many fixes of the smallest cut are named.
const FIXES: usize = 6;

impl Model<'_, '_> {
    /// Writes the view.
    pub(super) fn assess(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out)?;
        self.threats_line(out)?;
        self.paths_lines(out)?;
        let audit = self.text.audit;
        let controls = audit.controls();
        for (i, benchmark) in audit.shown().enumerate() {
            let own = controls.iter().filter(|c| std::ptr::eq(c.benchmark, benchmark));
            let counts = self.text.counts(&words::counts(own));
            let title = short(&benchmark.title, benchmark.version());
            let label = if i == 0 { "Benchmark" } else { "" };
            let mut line = Edge::plain(format!("  {label:<9}  {title}"));
            line.push(&format!("   {}", counts.plain), &format!("   {}", counts.painted));
            self.text.page.edges(out, &line, &Edge::default())?;
        }
        self.first(out)?;
        self.smallest(out)?;
        for problem in &self.model.waiver_problems {
            self.text.page.paragraph(out, "  ", 4, &one_line(problem))?;
        }
        self.text.waivers(out)
    }

    fn threats_line(&self, out: &mut dyn Write) -> io::Result<()> {
        let counts = self.model.counted();
        let mut left = Edge::plain("  Threats  ".to_owned());
        for (status, count) in Status::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
            let text = format!("  {count} {}", status.word());
            left.push(&text, &self.text.page.paint.status(status, &text));
        }
        if counts == [0; 4] {
            left.push("  none has anything to speak about here", "  none has anything to speak about here");
        }
        let letters = self.model.open_by_letter().map(|(s, open)| format!("{} {open}", s.letter())).join("  ");
        self.text.page.edges(out, &left, &Edge::plain(letters))
    }

    /// How near the dearest jewels are.
    fn paths_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let list = &self.model.paths.list;
        let text = match list.iter().map(|p| p.to.capability().jewel).min() {
            None => "none leads from an entry to a jewel by the steps of the catalogue".to_owned(),
            Some(rank) => {
                let to_dearest: Vec<&Path> = list.iter().filter(|p| p.to.capability().jewel == rank).collect();
                self.nearest(&to_dearest)
            }
        };
        self.text.page.paragraph(out, "  Paths      ", LABEL, &text)
    }

    /// `root on the host is 1 step from code in api, 4 from anybody on the host's networks (assuming a flaw in the service
    /// behind the port)`.
    fn nearest(&self, paths: &[&Path]) -> String {
        let Some(first) = paths.first() else { return String::new() };
        let jewel = one_line(&self.model.state(first.to));
        let known = paths.iter().any(|p| p.certainty.is_proven());
        // The firmest and then nearest of each kind of entry.
        let mut nearest: Vec<&Path> = Vec::new();
        let rank = |p: &Path| (p.basis(), p.hops.len());
        for path in paths.iter().filter(|p| p.certainty.is_proven() == known) {
            match nearest.iter_mut().find(|n| n.from.capability == path.from.capability) {
                Some(other) if rank(other) > rank(path) => *other = path,
                Some(_) => {}
                None => nearest.push(path),
            }
        }
        nearest.sort_by_key(|p| (p.basis(), p.hops.len(), p.effort));
        let parts = nearest.iter().take(3).enumerate().map(|(i, path)| {
            let steps = path.hops.len();
            let unit = if i > 0 {
                String::new()
            } else if steps == 1 {
                " step".into()
            } else {
                " steps".into()
            };
            let (many, _) = path.stands_for;
            let others = if many > 1 { format!(" and {} like it", many - 1) } else { String::new() };
            let assumed = match (path.basis(), self.model.assumptions(path).first()) {
                (Basis::Assumed, Some(what)) => format!(" (assuming {})", bounded(what, 60)),
                _ => String::new(),
            };
            format!("{steps}{unit} from {}{others}{assumed}", bounded(&self.model.state(path.from), 60))
        });
        let parts: Vec<String> = parts.collect();
        let verb = if known { "is" } else { "may be" };
        let counts = words::paths(self.model.paths_counted());
        let more = if self.model.paths.more.is_empty() { "" } else { " and more" };
        format!("{jewel} {verb} {} · {counts}{more}", parts.join(", "))
    }

    fn first(&self, out: &mut dyn Write) -> io::Result<()> {
        let shown = self.model.priorities.len().min(self.text.options.top);
        if shown == 0 {
            let undetermined = self.model.counted()[1];
            let nothing = match (self.model.priorities.is_empty(), undetermined) {
                (false, _) => "What to harden first: --top N".to_owned(),
                (true, 0) => "Nothing wants hardening.".to_owned(),
                (true, n) => format!(
                    "Nothing that could be read wants hardening; {n} {} undetermined for want of facts: seaworthy threats",
                    if n == 1 { "threat is" } else { "threats are" }
                ),
            };
            return self.text.page.paragraph(out, "\n  ", 2, &nothing);
        }
        writeln!(out, "\n  {}", self.text.page.paint.bold("Harden first"))?;
        let digits = shown.to_string().len();
        for (i, priority) in self.model.priorities[..shown].iter().enumerate() {
            self.priority(i + 1, digits, priority, out)?;
        }
        let Some((taken, forecast)) = &self.model.forecast else { return Ok(()) };
        let those = if *taken == 1 { "this".to_owned() } else { format!("these {taken}") };
        let line = format!("  After {those}, as forecast: {}.", words::forecast(forecast));
        self.text.page.paragraph(out, "", 4, &line)
    }

    fn priority(&self, place: usize, digits: usize, priority: &Priority, out: &mut dyn Write) -> io::Result<()> {
        let page = &self.text.page;
        let indent = digits + 4;
        let lead = format!("  {place:>digits$}  ");
        page.columns(out, &lead, indent, &one_line(&priority.title), (&self.gain(priority), false))?;
        let space = " ".repeat(indent);
        let why: Vec<String> = priority.why.iter().take(WHY).map(|w| one_line(w)).collect();
        if !why.is_empty() {
            page.paragraph(out, &space, indent, &why.join("; "))?;
        }
        let explain = self.explain(priority);
        let planned = words::planned(self.model, place, priority);
        // Told beside what it answers where the line under it tells how to plan it.
        let beside = planned.as_ref().map_or_else(String::new, |_| explain.clone());
        let room = page.width.saturating_sub(indent + width(&beside) + 2);
        if let Some(answers) = self.answers(priority, room) {
            page.edges(out, &Edge::plain(format!("{space}{answers}")), &self.text.dim(beside))?;
        } else if !beside.is_empty() {
            page.edges(out, &Edge::plain(String::new()), &self.text.dim(beside))?;
        }
        let breaks: Vec<String> = priority.breaks.iter().map(|b| one_line(b)).collect();
        let breaks = if breaks.is_empty() { "nothing restarts".to_owned() } else { breaks.join(", ") };
        let command = planned.unwrap_or(explain);
        let room = page.width.saturating_sub(indent + width(&command) + 2);
        let left = cut(&format!("{} · {breaks}", priority.safety.word()), room.max(20));
        page.edges(out, &Edge::plain(format!("{space}{left}")), &self.text.dim(command))?;
        // Never broken: what is copied must be what was meant.
        for line in proposal::lines(self.text.audit, &priority.closes, CHANGES).0 {
            writeln!(out, "{space}{line}")?;
        }
        Ok(())
    }

    /// `cuts 9 of 14 paths`.
    fn gain(&self, priority: &Priority) -> String {
        let all = self.model.paths.list.len();
        match priority.cuts.len() {
            0 if priority.answers.is_empty() => {
                format!("mends {}", words::count(priority.closes.len(), "finding"))
            }
            0 => format!("answers {}", words::count(priority.answers.len(), "threat instance")),
            cuts => format!("cuts {cuts} of {}", words::count(all, "path")),
        }
    }

    /// `answers E “A container drives the daemon” and 2 more threats`.
    fn answers(&self, priority: &Priority, room: usize) -> Option<String> {
        let mut threats: Vec<usize> = priority.answers.iter().map(|i| self.model.threats[*i].threat).collect();
        threats.sort_unstable();
        threats.dedup();
        threats.sort_by_key(|t| (self.model.catalog[*t].loses, *t));
        let first = &self.model.catalog[*threats.first()?];
        let letters: String = first.stride.iter().map(|s| s.letter()).collect();
        let more = match threats.len() - 1 {
            0 => String::new(),
            n => format!(" and {}", words::count(n, "more threat")),
        };
        let room = room.saturating_sub(letters.len() + more.len() + 12);
        Some(format!("answers {letters} “{}”{more}", cut(&one_line(&first.title), room.max(20))))
    }

    /// The command that tells more.
    fn explain(&self, priority: &Priority) -> String {
        let audit = self.text.audit;
        let check = priority.closes.first().map_or("", |i| audit.check(&audit.findings[*i]).id.as_str());
        format!("seaworthy explain {}", one_line(check))
    }

    /// The smallest set of fixes that cuts every path whose facts are known, where it is not what was shown above.
    fn smallest(&self, out: &mut dyn Write) -> io::Result<()> {
        let cut = &self.model.cut;
        let shown = self.model.priorities.iter().take(self.text.options.top);
        let shown: Vec<&[usize]> = shown.map(|p| p.closes.as_slice()).collect();
        if cut.fixes.is_empty() || cut.fixes.iter().all(|(_, closes)| shown.contains(&closes.as_slice())) {
            return Ok(());
        }
        let titles = cut.fixes.iter().take(FIXES).map(|(title, _)| one_line(title));
        let more = cut.fixes.len().saturating_sub(FIXES);
        let mut titles: Vec<String> = titles.collect();
        if more > 0 {
            titles.push(format!("{more} more"));
        }
        let those = if cut.smallest { "The fewest fixes" } else { "The fewest fixes found" };
        let uncut = match cut.uncut.len() {
            0 => String::new(),
            1 => "; one path has no fix in the catalogue".to_owned(),
            n => format!("; {n} paths have no fix in the catalogue"),
        };
        let line = format!("{those} that cut every path proven or assumed: {}{uncut}.", titles.join("; "));
        writeln!(out)?;
        self.text.page.paragraph(out, "  ", 4, &line)
    }

    /// The names of the elements that findings are about.
    pub(super) fn of_findings(&self, findings: &[usize], most: usize) -> String {
        let audit = self.text.audit;
        let mut all: Vec<String> = findings.iter().map(|i| words::component(audit, &audit.findings[*i])).collect();
        all.dedup();
        names(all.iter(), most)
    }
}

/// A benchmark's title, with its version where the title does not say it.
fn short(title: &str, version: &str) -> String {
    let title = one_line(title);
    if title.contains(version) { title } else { format!("{title} {}", one_line(version)) }
}
