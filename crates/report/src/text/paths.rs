//! The attack paths: each step with the facts that it rests on.

use std::io::{self, Write};

use seaworthy_core::diagram::Certainty;
use seaworthy_core::step::{Hop, Path};

use super::Model;
use crate::clean::{self, bounded, one_line};
use crate::layout::Edge;
use crate::words;

/// Facts that are shown for each step, at most.
const FACTS: usize = 5;
/// How many paths are shown without `--all`.
const MOST: usize = 20;

impl Model<'_, '_> {
    /// Writes the view.
    pub(super) fn paths(&self, out: &mut dyn Write) -> io::Result<()> {
        let paths = &self.model.paths.list;
        if paths.is_empty() {
            return writeln!(out, "\n  No path that was asked for leads from an entry to a jewel.");
        }
        let shown = if self.text.options.all { paths.len() } else { paths.len().min(MOST) };
        for (i, path) in paths[..shown].iter().enumerate() {
            self.path(i + 1, path, out)?;
        }
        if shown < paths.len() {
            let line = format!("  {} not shown", words::count(paths.len() - shown, "more path"));
            writeln!(out)?;
            self.text.page.edges(out, &Edge::plain(line), &self.text.dim("seaworthy paths --all".to_owned()))?;
        }
        for (from, to, listed) in &self.model.paths.more {
            let (from, to) = (self.model.state(*from), self.model.state(*to));
            let line = format!("  more than the {listed} listed lead from {} to {}", one_line(&from), one_line(&to));
            self.text.page.paragraph(out, "", 4, &line)?;
        }
        Ok(())
    }

    fn path(&self, number: usize, path: &Path, out: &mut dyn Write) -> io::Result<()> {
        let page = &self.text.page;
        let (from, to) = (self.model.state(path.from), self.model.state(path.to));
        let like = |many: usize| if many > 1 { format!(" (and {} like it)", many - 1) } else { String::new() };
        let title =
            format!("{}{} → {}{}", one_line(&from), like(path.stands_for.0), one_line(&to), like(path.stands_for.1));
        let right = format!("{} · effort {}", path.basis().word(), path.effort);
        writeln!(out)?;
        page.columns(out, &format!("  {number:>2}  "), 6, &title, (&right, false))?;
        for (i, hop) in path.hops.iter().enumerate() {
            self.hop(i + 1, hop, out)?;
        }
        Ok(())
    }

    fn hop(&self, number: usize, hop: &Hop, out: &mut dyn Write) -> io::Result<()> {
        let page = &self.text.page;
        let step = &self.model.steps[hop.step];
        let title = format!("{number}. {}", one_line(&self.model.hop(hop)));
        page.columns(out, "      ", 6, &title, (&one_line(&step.attack), true))?;
        if let Certainty::Possible(reason) = &hop.certainty {
            page.paragraph(out, "         ", 9, &format!("possible: {}", one_line(reason)))?;
        }
        if let Some(assumed) = self.model.assumption(hop) {
            page.paragraph(out, "         ", 9, &format!("assumes {}", one_line(assumed)))?;
        }
        let indent = 9;
        for fact in hop.facts.iter().take(FACTS) {
            let Some((component, name, fact)) = self.model.fact(*fact) else { continue };
            let component = bounded(component, clean::NAME);
            let left = match fact.value.reason() {
                Some(reason) => {
                    format!("would be proven if {component}'s {name} were known: {}", bounded(reason, clean::VALUE))
                }
                None => format!("{component}: {name} = {}", clean::value(&fact.value)),
            };
            page.columns(out, &" ".repeat(indent), indent, &left, (&clean::shown(&fact.source, clean::VALUE), true))?;
        }
        if !hop.cut_by.is_empty() {
            let audit = self.text.audit;
            let mut checks: Vec<&str> =
                hop.cut_by.iter().map(|i| audit.check(&audit.findings[*i]).id.as_str()).collect();
            checks.dedup();
            let line = format!("cut by {} on {}", checks.join(", "), self.of_findings(&hop.cut_by, 60));
            page.paragraph(out, &" ".repeat(indent), indent + 2, &line)?;
        }
        Ok(())
    }
}
