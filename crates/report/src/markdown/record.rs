//! The written record: attack surfaces, threats, paths, the benchmark, what was chosen for hardening and why, before and
//! after. Complete enough to hand in.

use std::collections::BTreeMap;
use std::io::{self, Write};

use seaworthy_core::assessment::{Assessment, Told};
use seaworthy_core::diagram::{Certainty, FactRef, Flow};
use seaworthy_core::step::{Counted, Path, Priority};
use seaworthy_core::threat::{Instance, Rating, Status, Stride, Surface};
use seaworthy_core::trail::Deed;

use super::{NAME, NAMES, code, escape, own, said, sentence};
use crate::clean::one_line;
use crate::group::alike;
use crate::matrix;
use crate::since::{self, Change};
use crate::{Options, Report, words};

/// The most rows of flows that are told for a kind.
const FLOWS: usize = 12;
/// The most facts that are told for a group of instances.
const FACTS: usize = 8;
/// The most groups of instances that are told for a threat.
const GROUPS: usize = 6;
/// The most files of which a row tells who changed them.
const DEEDS: usize = 4;
/// The most paths that are told step by step.
const PATHS: usize = 12;

/// Writes the record.
pub fn render(report: Report<'_>, model: &Assessment<'_>, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let record = Record { model, options };
    let names: Vec<String> = report.audit.snapshot.targets.iter().map(|t| escape(&t.name)).collect();
    writeln!(out, "# Threat model and hardening record: {}\n", names.join(", "))?;
    super::head(report.audit, out)?;
    record.summary(out)?;
    record.surfaces(out)?;
    record.threats(out)?;
    record.matrix(out)?;
    record.paths(out)?;
    record.benchmark(out)?;
    record.chosen(out)?;
    if let Some(since) = report.since {
        record.since(since, out)?;
    }
    super::gaps(report.audit, out)?;
    super::waivers(report.audit, out)?;
    for problem in &model.waiver_problems {
        writeln!(out, "- {}", sentence(problem))?;
    }
    Ok(())
}

struct Record<'r> {
    model: &'r Assessment<'r>,
    options: &'r Options,
}

impl Record<'_> {
    fn summary(&self, out: &mut dyn Write) -> io::Result<()> {
        let [open, undetermined, accepted, answered] = self.model.counted();
        let Counted { proven, assumed, possible } = self.model.paths_counted();
        let controls = self.model.audit.controls();
        let [pass, fail, unknown, manual, _] = words::counts(&controls);
        writeln!(
            out,
            "Of the {} threats that can arise here, {} are open, {} are undetermined because a fact could not be \
             read, {} are accepted and {} are answered. Of the paths to what an attacker is after {} are proven, {} \
             assume what nobody read, such as a flaw in a service, and {} are possible. Of the benchmark's controls {pass} pass, {fail} fail, {unknown} are unknown and {manual} are \
             for a person to judge. A statement without evidence is not made: what could not be read is listed at \
             the end.\n",
            open + undetermined + accepted + answered,
            open,
            undetermined,
            accepted,
            answered,
            words::thousands(proven),
            words::thousands(assumed),
            words::thousands(possible),
        )
    }

    fn surfaces(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "## Attack surfaces\n")?;
        let diagram = &self.model.diagram;
        writeln!(out, "| Trust zone | Within | What separates it | Elements |\n|---|---|---|---:|")?;
        for (i, zone) in diagram.zones.iter().enumerate() {
            let parent = zone.parent.and_then(|p| diagram.zones.get(p)).map_or("", |z| z.name.as_str());
            let inside = diagram.elements.iter().filter(|e| e.zone == i).count();
            let (name, parent, boundary) = (escape(&zone.name), escape(parent), escape(&zone.boundary));
            writeln!(out, "| {name} | {parent} | {boundary} | {inside} |")?;
        }
        writeln!(out, "\nData that crosses from one zone into another, by what it is:\n")?;
        let mut by_kind: BTreeMap<&str, Vec<&Flow>> = BTreeMap::new();
        for flow in diagram.flows.iter().filter(|f| f.crosses) {
            by_kind.entry(flow.kind.word()).or_default().push(flow);
        }
        if by_kind.is_empty() {
            writeln!(out, "Nothing that could be read crosses a boundary.\n")?;
            return Ok(());
        }
        writeln!(out, "| Flow | From | To | What | Certainty |\n|---|---|---|---|---|")?;
        let element = |i: usize| diagram.elements.get(i).map_or("?", |e| e.name.as_str());
        for (kind, flows) in by_kind {
            for flow in flows.iter().take(FLOWS) {
                let certainty = match &flow.certainty {
                    Certainty::Proven => "proven".to_owned(),
                    Certainty::Possible(reason) => format!("possible: {}", escape(reason)),
                };
                let (from, to) = (code(element(flow.from)), code(element(flow.to)));
                writeln!(out, "| {kind} | {from} | {to} | {} | {certainty} |", escape(&flow.label))?;
            }
            if flows.len() > FLOWS {
                writeln!(out, "| {kind} | | | and {} more | |", flows.len() - FLOWS)?;
            }
        }
        writeln!(out)
    }

    fn threats(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "## Threats by surface\n")?;
        let told = self.model.told();
        for surface in Surface::ALL {
            writeln!(out, "### {}\n", surface.title())?;
            let here: Vec<&Told<'_>> = told.iter().filter(|t| t.threat.surface == surface).collect();
            if here.is_empty() {
                writeln!(out, "No threat of the catalogue has anything to speak about here.\n")?;
                continue;
            }
            for letter in Stride::ALL {
                // Each threat is told once, under its first letter.
                let of_letter = here.iter().filter(|t| t.threat.stride.first() == Some(&letter));
                let shown: Vec<&&Told<'_>> = of_letter.filter(|t| t.status != Status::Answered).collect();
                if shown.is_empty() {
                    continue;
                }
                writeln!(out, "#### {}: {}\n", letter.letter(), letter.word().replace('-', " "))?;
                for told in shown {
                    self.threat(told, out)?;
                }
            }
            self.answered(&here, out)?;
        }
        Ok(())
    }

    fn threat(&self, told: &Told<'_>, out: &mut dyn Write) -> io::Result<()> {
        let threat = told.threat;
        let letters: Vec<String> = threat.stride.iter().map(|s| s.letter().to_string()).collect();
        writeln!(out, "##### {} ({}, {})\n", own(&threat.title), letters.join(" "), told.status.word())?;
        let mut named = vec![code(&threat.id)];
        named.extend(threat.covers.iter().map(|c| escape(c)));
        named.extend(threat.attack.iter().map(|a| escape(a)));
        writeln!(out, "{}. Lost when it comes true: {}.\n", named.join(", "), threat.loses.title())?;
        let story = &threat.story;
        for (name, text) in [
            ("Who", &story.who),
            ("How", &story.how),
            ("Lost", &story.lost),
            ("Answer", &story.answer),
            ("Remains", &story.remains),
        ] {
            writeln!(out, "- {name}: {}", own(text).replace('\n', " "))?;
        }
        let gravest = told.worst(self.model).max_by_key(|t| (t.impact.level, t.likelihood.level));
        if let Some(instance) = gravest {
            writeln!(out, "- Likelihood {}", rating(&instance.likelihood))?;
            writeln!(out, "- Impact {}", rating(&instance.impact))?;
        }
        writeln!(out, "\nEvidence:\n")?;
        let groups = alike(self.model, told, |instance| self.evidence(instance));
        for (lines, members) in groups.iter().take(GROUPS) {
            let mut names: Vec<String> = members.iter().take(NAMES).map(|m| code(m)).collect();
            if members.len() > NAMES {
                names.push(format!("and {} more", members.len() - NAMES));
            }
            writeln!(out, "- {}", names.join(", "))?;
            for line in lines.iter().take(FACTS) {
                writeln!(out, "  - {line}")?;
            }
            if lines.len() > FACTS {
                writeln!(out, "  - and {} more", lines.len() - FACTS)?;
            }
        }
        if groups.len() > GROUPS {
            let left: usize = groups[GROUPS..].iter().map(|(_, m)| m.len()).sum();
            writeln!(out, "- and {} with other evidence, in the JSON report", words::count(left, "more instance"))?;
        }
        writeln!(out)
    }

    /// What decided an instance: without sources, to tell what is alike, and with them.
    fn evidence(&self, instance: &Instance) -> (Vec<String>, Vec<String>) {
        let audit = self.model.audit;
        let (mut key, mut lines) = (Vec::new(), Vec::new());
        for i in &instance.decided_by {
            let finding = &audit.findings[*i];
            let check = audit.check(finding);
            let facts = audit.deciding(finding);
            key.push(format!("{} {}", check.id, finding.judgement.verdict.word()));
            if facts.is_empty() {
                let reason = finding.judgement.reason.as_deref().unwrap_or("no fact says why");
                lines.push(format!("{}: {}", code(&check.id), sentence(reason)));
            }
            for (name, fact) in facts {
                key.push(format!("{name}={}", fact.value));
                let line = format!("{} {}", said(name, fact), controls(self.model, &check.id));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        if let Some(reason) = &instance.reason {
            key.push(reason.to_string());
            lines.push(sentence(reason));
        }
        lines.extend(self.unknown(&instance.facts));
        if let Some(waiver) = instance.waiver.and_then(|w| audit.waivers.get(w)) {
            lines.push(format!("Accepted by {}: {}", escape(&waiver.owner), sentence(&waiver.reason)));
        }
        (key, lines)
    }

    fn unknown(&self, facts: &[FactRef]) -> Vec<String> {
        let named = facts.iter().filter_map(|f| self.model.fact(*f));
        named.filter(|(_, _, fact)| fact.value.is_unknown()).map(|(_, name, fact)| said(name, fact)).collect()
    }

    fn answered(&self, here: &[&Told<'_>], out: &mut dyn Write) -> io::Result<()> {
        let answered: Vec<&&Told<'_>> = here.iter().filter(|t| t.status == Status::Answered).collect();
        if answered.is_empty() {
            return Ok(());
        }
        writeln!(out, "#### Answered\n\n| Threat | Letters | Covers | Answered by |\n|---|---|---|---|")?;
        for told in answered {
            let audit = self.model.audit;
            let deciding = told.instances.iter().flat_map(|i| &self.model.threats[*i].decided_by);
            let mut checks: Vec<&str> = deciding.map(|i| audit.check(&audit.findings[*i]).id.as_str()).collect();
            checks.sort_unstable();
            checks.dedup();
            let letters: Vec<String> = told.threat.stride.iter().map(|s| s.letter().to_string()).collect();
            let covers: Vec<String> = told.threat.covers.iter().map(|c| escape(c)).collect();
            let checks: Vec<String> = checks.into_iter().map(code).collect();
            writeln!(
                out,
                "| {} | {} | {} | {} |",
                own(&told.threat.title),
                letters.join(" "),
                covers.join(", "),
                checks.join(", ")
            )?;
        }
        writeln!(out)
    }

    fn matrix(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "## Elements by letter\n")?;
        writeln!(
            out,
            "How many threats of the catalogue speak about each kind of element, and how many of them are open here. \
             Each blank has its reason below.\n"
        )?;
        writeln!(out, "| Element | S | T | R | I | D | E |\n|---|---|---|---|---|---|---|")?;
        let rows = matrix::rows(self.model);
        for row in &rows {
            let cells: Vec<String> = row.cells.iter().map(matrix::Cell::text).collect();
            writeln!(out, "| {} | {} |", escape(&row.kind), cells.join(" | "))?;
        }
        writeln!(out)?;
        for row in &rows {
            for (letter, cell) in Stride::ALL.iter().zip(&row.cells) {
                if let matrix::Cell::Blank(reason) = cell {
                    writeln!(out, "- {} {}: {}", escape(&row.kind), letter.letter(), sentence(reason))?;
                }
            }
        }
        writeln!(out)
    }

    fn paths(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "## Attack paths\n")?;
        let paths = &self.model.paths.list;
        if paths.is_empty() {
            return writeln!(out, "No chain of known steps leads from an entry to what an attacker is after.\n");
        }
        for (i, path) in paths.iter().take(PATHS).enumerate() {
            self.path(i + 1, path, out)?;
        }
        if paths.len() > PATHS {
            writeln!(out, "{} are in the JSON report.\n", words::count(paths.len() - PATHS, "more path"))?;
        }
        Ok(())
    }

    fn path(&self, number: usize, path: &Path, out: &mut dyn Write) -> io::Result<()> {
        let (from, to) = (escape(&self.model.state(path.from)), escape(&self.model.state(path.to)));
        let like = match path.stands_for.0 {
            0 | 1 => String::new(),
            n => format!(" (and {} like it)", n - 1),
        };
        writeln!(out, "### Path {number}: {from}{like} to {to}\n")?;
        writeln!(out, "{}, effort {}.\n", sentence(path.basis().word()).trim_end_matches('.'), path.effort)?;
        for (i, hop) in path.hops.iter().enumerate() {
            let step = &self.model.steps[hop.step];
            let attack = if step.attack.is_empty() { String::new() } else { format!(" ({})", escape(&step.attack)) };
            writeln!(out, "{}. {}{attack}", i + 1, sentence(&self.model.hop(hop)))?;
            if let Certainty::Possible(reason) = &hop.certainty {
                writeln!(out, "   - Possible only: {}", sentence(reason))?;
            }
            if let Some(assumed) = self.model.assumption(hop) {
                writeln!(out, "   - Assumes {}.", escape(assumed))?;
            }
            for fact in hop.facts.iter().take(FACTS) {
                if let Some((component, name, fact)) = self.model.fact(*fact) {
                    writeln!(out, "   - {}: {}", code(component), said(name, fact))?;
                }
            }
        }
        writeln!(out)
    }

    fn benchmark(&self, out: &mut dyn Write) -> io::Result<()> {
        let audit = self.model.audit;
        writeln!(out, "## Benchmark: {}\n", escape(&words::benchmarks(audit)))?;
        super::summary_table(audit, out)?;
        super::controls_table(audit, out)
    }

    fn chosen(&self, out: &mut dyn Write) -> io::Result<()> {
        let chosen = &self.model.priorities[..self.model.priorities.len().min(self.options.top)];
        writeln!(out, "## Findings chosen for hardening\n")?;
        if chosen.is_empty() {
            return writeln!(out, "Nothing that could be read wants hardening.\n");
        }
        for (i, priority) in chosen.iter().enumerate() {
            self.priority(i + 1, priority, out)?;
        }
        if let Some((taken, forecast)) = &self.model.forecast {
            writeln!(
                out,
                "Forecast after {}: {}. It is computed anew over the facts as they would then be, with everything that \
                 follows from them; what comes true is seen by collecting again.\n",
                if *taken == 1 { "this".to_owned() } else { format!("these {taken}") },
                words::forecast(forecast)
            )?;
        }
        let cut = &self.model.cut;
        if !cut.fixes.is_empty() {
            let titles: Vec<String> = cut.fixes.iter().map(|(t, _)| escape(&one_line(t))).collect();
            let those = if cut.smallest { "The fewest fixes" } else { "The fewest fixes found" };
            writeln!(out, "{those} that cut every path proven or assumed: {}.\n", titles.join("; "))?;
        }
        Ok(())
    }

    fn priority(&self, number: usize, priority: &Priority, out: &mut dyn Write) -> io::Result<()> {
        let audit = self.model.audit;
        writeln!(out, "### {number}. {}\n", escape(&one_line(&priority.title)))?;
        let mut threats: Vec<usize> = priority.answers.iter().map(|i| self.model.threats[*i].threat).collect();
        threats.sort_unstable();
        threats.dedup();
        let mut surfaces: Vec<Surface> = threats.iter().map(|t| self.model.catalog[*t].surface).collect();
        surfaces.sort_unstable();
        surfaces.dedup();
        if surfaces.is_empty() {
            surfaces = self.surfaces_of(priority);
        }
        let surfaces: Vec<&str> = surfaces.into_iter().map(Surface::title).collect();
        writeln!(out, "- Surface: {}.", if surfaces.is_empty() { "Docker host".into() } else { surfaces.join(", ") })?;
        let why: Vec<String> = priority.why.iter().map(|w| sentence(w)).collect();
        writeln!(out, "- Reason: {}", why.join(" "))?;
        for threat in threats {
            let threat = &self.model.catalog[threat];
            let letters: Vec<String> = threat.stride.iter().map(|s| s.letter().to_string()).collect();
            let covers: Vec<String> = threat.covers.iter().map(|c| escape(c)).collect();
            writeln!(out, "- Answers {} {} ({}).", letters.join(" "), own(&threat.title), covers.join(", "))?;
        }
        writeln!(out, "- Cuts {}.", words::count(priority.cuts.len(), "attack path"))?;
        let breaks: Vec<String> = priority.breaks.iter().map(|b| escape(b)).collect();
        let breaks = if breaks.is_empty() { "nothing restarts".to_owned() } else { breaks.join(", ") };
        writeln!(out, "- What it costs: {}; {breaks}.", priority.safety.word())?;
        if let Some(command) = words::planned(self.model, number, priority) {
            writeln!(out, "- Planned by {}.", code(&command))?;
        }
        let mut said_fixes: Vec<&str> = Vec::new();
        for i in &priority.closes {
            let check = audit.check(&audit.findings[*i]);
            if said_fixes.contains(&check.id.as_str()) {
                continue;
            }
            said_fixes.push(&check.id);
            let of = controls(self.model, &check.id);
            writeln!(out, "- Fix for {} {of}: {}", code(&check.id), own(&check.remedy.fix).replace('\n', " "))?;
        }
        super::changes(audit, &priority.closes, "", out)?;
        writeln!(out, "\nEvidence:\n")?;
        let mut lines: Vec<String> = Vec::new();
        for i in &priority.closes {
            let finding = &audit.findings[*i];
            for (name, fact) in audit.deciding(finding) {
                let line = format!("- {}: {}", code(audit.component_name(finding)), said(name, fact));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        for line in lines.iter().take(NAMES) {
            writeln!(out, "{line}")?;
        }
        if lines.len() > NAMES {
            writeln!(out, "- and {} more", lines.len() - NAMES)?;
        }
        writeln!(out)
    }

    /// The surfaces of the threats that the checks of a priority answer, whether or not they are answered by it alone.
    fn surfaces_of(&self, priority: &Priority) -> Vec<Surface> {
        let audit = self.model.audit;
        let checks: Vec<&str> = priority.closes.iter().map(|i| audit.check(&audit.findings[*i]).id.as_str()).collect();
        let about = |t: &&seaworthy_core::threat::Threat| t.answered.checks().iter().any(|c| checks.contains(c));
        let mut surfaces: Vec<Surface> = self.model.catalog.iter().filter(about).map(|t| t.surface).collect();
        surfaces.sort_unstable();
        surfaces.dedup();
        surfaces
    }

    fn since(&self, since: &Assessment<'_>, out: &mut dyn Write) -> io::Result<()> {
        let (before, after) = (since.audit, self.model.audit);
        writeln!(out, "## Before and after\n")?;
        writeln!(
            out,
            "Before is what was collected at {}, after at {}. Both were judged by the same checks. Who changed a file is \
             told where the host's audit log has it; where nobody is named, that does not say that nobody did.\n",
            words::instant(before.snapshot.collected_at),
            words::instant(after.snapshot.collected_at)
        )?;
        let told = since::since(since, self.model);
        for (target, why) in &told.silent {
            writeln!(out, "- Of {} the audit log does not tell it all: {}", code(target), sentence(why))?;
        }
        if !told.silent.is_empty() {
            writeln!(out)?;
        }
        if told.findings.is_empty() {
            writeln!(out, "No finding changed.\n")?;
        } else {
            writeln!(out, "| Finding | Controls | On | Before | After | File changed |\n|---|---|---|---|---|---|")?;
        }
        for Change { id, was, is, on, by } in &told.findings {
            let (controls, on, by) = (controls(self.model, id), listed(on), changed_by(by));
            writeln!(out, "| {} | {controls} | {on} | {was} | {is} | {by} |", code(id))?;
        }
        if told.threats.is_empty() {
            writeln!(out, "\nNo threat changed.")?;
        } else {
            writeln!(out, "\n| Threat | On | Before | After |\n|---|---|---|---|")?;
        }
        for Change { id, was, is, on, .. } in &told.threats {
            let threat = self.model.catalog.iter().find(|t| t.id == *id);
            let title = threat.map_or_else(|| code(id), |t| own(&t.title));
            writeln!(out, "| {title} | {} | {was} | {is} |", listed(on))?;
        }
        writeln!(out, "\n| | Before | After |\n|---|---:|---:|")?;
        for (name, was, is) in &told.counts {
            writeln!(out, "| {name} | {was} | {is} |")?;
        }
        writeln!(out)
    }
}

/// Who changed which file, of the first; and how many more there are.
fn changed_by(deeds: &[Deed<'_>]) -> String {
    let one = |deed: &Deed<'_>| format!("{} {} {}", code(deed.path), since::done(deed), since::who(deed, code));
    let mut told: Vec<String> = deeds.iter().take(DEEDS).map(one).collect();
    if deeds.len() > DEEDS {
        told.push(format!("and {}", words::count(deeds.len() - DEEDS, "more file")));
    }
    told.join("; ")
}

/// The first names, and how many more there are.
fn listed(names: &[String]) -> String {
    let mut on: Vec<String> = names.iter().take(NAMES).map(|n| code(n)).collect();
    if names.len() > NAMES {
        on.push(format!("and {} more", names.len() - NAMES));
    }
    on.join(", ")
}

/// `(CIS 5.5, 5.31)`; nothing for what is beyond the benchmark.
fn controls(model: &Assessment<'_>, check: &str) -> String {
    let ids: Vec<String> = model.audit.controls_of(check).iter().map(|(_, c)| escape(&c.id)).collect();
    if ids.is_empty() { String::new() } else { format!("(control {})", ids.join(", ")) }
}

/// `high: reached from …; …`.
fn rating(rating: &Rating) -> String {
    let level = rating.level.map_or("unknown", |l| l.word());
    let terms: Vec<String> = rating.terms.iter().map(|t| bounded_text(&t.text)).collect();
    if terms.is_empty() { format!("{level}.") } else { format!("{level}: {}.", terms.join("; ")) }
}

fn bounded_text(text: &str) -> String {
    escape(&crate::clean::bounded(text, NAME))
}
