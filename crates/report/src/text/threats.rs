//! The threats by surface, each with its subjects and what decided.

use std::io::{self, Write};

use seaworthy_core::assessment::Told;
use seaworthy_core::threat::{Instance, Rating, Status, Surface};

use super::Model;
use crate::clean::{self, bounded, one_line};
use crate::group::alike;
use crate::layout::{Edge, names};

/// Facts that are shown for each group, at most.
const FACTS: usize = 4;
/// Where what belongs to a threat begins.
const INDENT: usize = 6;

impl Model<'_, '_> {
    /// Writes the view.
    pub(super) fn threats(&self, out: &mut dyn Write) -> io::Result<()> {
        let told = self.model.told();
        for surface in Surface::ALL {
            let here: Vec<&Told<'_>> = told.iter().filter(|t| t.threat.surface == surface).collect();
            if here.is_empty() {
                continue;
            }
            let mut counts = Edge::default();
            for status in Status::ALL {
                let count = here.iter().filter(|t| t.status == status).count();
                if count > 0 {
                    let gap = if counts.plain.is_empty() { "" } else { "   " };
                    let text = format!("{gap}{count} {}", status.word());
                    counts.push(&text, &self.text.page.paint.status(status, &text));
                }
            }
            let title = format!(" {}", surface.title());
            writeln!(out)?;
            let left = Edge { painted: self.text.page.paint.bold(&title), plain: title };
            self.text.page.edges(out, &left, &counts)?;
            for told in here {
                if self.text.options.all || told.status != Status::Answered {
                    self.threat(told, out)?;
                }
            }
        }
        if told.is_empty() {
            writeln!(out, "\n  No threat of the catalogue has anything to speak about here.")?;
        }
        for problem in &self.model.waiver_problems {
            self.text.page.paragraph(out, "  ", 4, &one_line(problem))?;
        }
        Ok(())
    }

    fn threat(&self, told: &Told<'_>, out: &mut dyn Write) -> io::Result<()> {
        let page = &self.text.page;
        let letters: String = told.threat.stride.iter().map(|s| s.letter()).collect();
        let subjects: Vec<String> = told.worst(self.model).map(|t| self.model.subject_name(t)).collect();
        let subjects = names(subjects.iter(), page.right());
        let head = format!("{letters:<3} {:<13} {}", told.status.word(), one_line(&told.threat.title));
        let painted = page.paint.status(told.status, told.status.word());
        let lead = format!("  {letters:<3} {painted}{}", " ".repeat(14 - told.status.word().len().min(13)));
        let title = head.get(18..).unwrap_or_default();
        page.columns(out, &lead, 20, title, (&subjects, false))?;
        if told.status == Status::Answered {
            return Ok(());
        }
        self.rating(told, out)?;
        let decided = |instance: &Instance| {
            let facts = self.decided(instance);
            let key: Vec<String> = facts.iter().map(|(left, _)| left.clone()).collect();
            (key, facts)
        };
        for (facts, members) in alike(self.model, told, decided) {
            for (left, right) in facts.iter().take(FACTS) {
                page.columns(out, &" ".repeat(INDENT), INDENT, left, (right, true))?;
            }
            if facts.len() > FACTS {
                writeln!(out, "{}and {} more", " ".repeat(INDENT), facts.len() - FACTS)?;
            }
            if members.len() < subjects.len().max(2) && members.len() > 1 {
                let who = names(members.iter(), page.width.saturating_sub(INDENT + 8));
                page.paragraph(out, &format!("{}on ", " ".repeat(INDENT)), INDENT + 2, &who)?;
            }
        }
        let space = " ".repeat(INDENT);
        let command = format!("seaworthy explain {}", one_line(&told.threat.id));
        let covers = format!("{space}{}", one_line(&told.threat.covers.join(", ")));
        page.edges(out, &Edge::plain(covers), &self.text.dim(command))
    }

    /// `likelihood high: …; impact critical: …`, of the gravest instance.
    fn rating(&self, told: &Told<'_>, out: &mut dyn Write) -> io::Result<()> {
        let gravest = told.worst(self.model).max_by_key(|t| (t.impact.level, t.likelihood.level));
        let Some(instance) = gravest else { return Ok(()) };
        let line = format!("likelihood {}; impact {}", rating(&instance.likelihood), rating(&instance.impact));
        self.text.page.paragraph(out, &" ".repeat(INDENT), INDENT + 2, &line)
    }

    /// The facts that decided an instance, each with its source.
    fn decided(&self, instance: &Instance) -> Vec<(String, String)> {
        let audit = self.text.audit;
        let mut out = Vec::new();
        for i in &instance.decided_by {
            let finding = &audit.findings[*i];
            let facts = audit.deciding(finding);
            if facts.is_empty() {
                let reason = finding.judgement.reason.as_deref().unwrap_or("no fact says why");
                out.push((format!("{}: {}", audit.check(finding).id, bounded(reason, clean::VALUE)), String::new()));
            }
            for (name, fact) in facts {
                let left = match fact.value.reason() {
                    Some(reason) => format!("{name} is unknown: {}", bounded(reason, clean::VALUE)),
                    None => format!("{name} = {}", clean::value(&fact.value)),
                };
                let pair = (left, clean::shown(&fact.source, clean::VALUE));
                if !out.contains(&pair) {
                    out.push(pair);
                }
            }
        }
        if let Some(reason) = &instance.reason {
            out.push((one_line(reason), String::new()));
        }
        for fact in &instance.facts {
            if let Some((_, name, fact)) = self.model.fact(*fact)
                && let Some(reason) = fact.value.reason()
            {
                let left = format!("{name} is unknown: {}", bounded(reason, clean::VALUE));
                out.push((left, clean::shown(&fact.source, clean::VALUE)));
            }
        }
        out
    }
}

/// `high (reached from the internet in 1 step; …)`.
fn rating(rating: &Rating) -> String {
    let level = rating.level.map_or("unknown", |l| l.word());
    let terms: Vec<String> = rating.terms.iter().map(|t| one_line(&t.text)).collect();
    if terms.is_empty() { level.to_owned() } else { format!("{level} ({})", terms.join("; ")) }
}
