//! Markdown, for a merge request or a wiki: complete sentences, and nothing from a host that Markdown or HTML would
//! take for its own.

use std::io::{self, Write};

mod record;

use seaworthy_core::audit::{Audit, ControlResult};
use seaworthy_core::fact::Fact;
use seaworthy_core::verdict::Verdict;

use crate::clean::{bounded, one_line, shown};
use crate::group::{Group, groups};
use crate::proposal;
use crate::{Options, Report, words};

/// The most components that an entry names.
const NAMES: usize = 20;

/// The most characters of a name or of a fact's value.
const NAME: usize = 200;

/// Writes the report.
pub fn render(report: Report<'_>, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let audit = report.audit;
    if let Some(model) = report.model.filter(|_| !words::is_empty(audit)) {
        return record::render(report, model, options, out);
    }
    writeln!(out, "# Audit of {}\n", escape(&words::benchmarks(audit)))?;
    head(audit, out)?;
    if words::is_empty(audit) {
        writeln!(out, "Nothing could be collected, so nothing was judged.\n")?;
        return gaps(audit, out);
    }
    summary(audit, out)?;
    controls(audit, out)?;
    let sections = [
        (Verdict::Fail, "Failures", "Nothing that could be read fails."),
        (Verdict::Unknown, "Unknown", "Everything that was asked could be decided."),
        (Verdict::Manual, "By hand", "Nothing is left for a person to judge."),
    ];
    for (verdict, title, nothing) in sections {
        findings(audit, verdict, title, nothing, out)?;
    }
    if options.all {
        findings(audit, Verdict::Pass, "Passes", "Nothing passes.", out)?;
    }
    gaps(audit, out)?;
    waivers(audit, out)
}

fn head(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    let when = words::instant(audit.snapshot.collected_at);
    writeln!(out, "The facts were collected at {when} and judged by Seaworthy {}.\n", env!("CARGO_PKG_VERSION"))?;
    for target in &audit.snapshot.targets {
        let (name, address) = (code(&target.name), code(&target.address));
        let about = if target.about.is_empty() { String::new() } else { format!(", {}", escape(&target.about)) };
        let parts = words::count(target.components.len(), "component");
        writeln!(out, "- {} {name} at {address}{about}: {parts}.", escape(&target.platform))?;
    }
    writeln!(out)
}

fn summary(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## Summary\n")?;
    summary_table(audit, out)
}

fn summary_table(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| | pass | fail | unknown | manual | not applicable |")?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|")?;
    let controls = audit.controls();
    let mut row =
        |name: &str, c: [usize; 5]| writeln!(out, "| {name} | {} | {} | {} | {} | {} |", c[0], c[1], c[2], c[3], c[4]);
    row("Controls", words::counts(&controls))?;
    row("Findings", words::finding_counts(audit))?;
    writeln!(out)
}

fn controls(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## Controls\n")?;
    controls_table(audit, out)
}

fn controls_table(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    let controls = audit.controls();
    for benchmark in audit.shown() {
        if !audit.beside.is_empty() {
            writeln!(out, "### {}\n", escape(&benchmark.title))?;
        }
        table_of(controls.iter().filter(|result| std::ptr::eq(result.benchmark, benchmark)), out)?;
    }
    Ok(())
}

fn table_of<'c, 'a: 'c>(controls: impl Iterator<Item = &'c ControlResult<'a>>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| Control | Title | Level | Verdict | Findings |")?;
    writeln!(out, "|---|---|---:|---|---:|")?;
    for result in controls {
        let control = result.control;
        let (id, title) = (escape(&control.id), own(&control.title));
        let part = if result.in_part { " (in part)" } else { "" };
        let (verdict, findings) = (result.verdict.word(), result.findings.len());
        writeln!(out, "| {id} | {title} | {} | {verdict}{part} | {findings} |", control.level)?;
    }
    writeln!(out)
}

/// The findings of one verdict, gravest first, grouped by what is the same.
fn findings(audit: &Audit<'_>, verdict: Verdict, title: &str, nothing: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## {title}\n")?;
    let mut found: Vec<usize> = (0..audit.findings.len())
        .filter(|i| audit.findings[*i].judgement.verdict == verdict && audit.waived[*i].is_none())
        .collect();
    if found.is_empty() {
        return writeln!(out, "{nothing}\n");
    }
    found.sort_by_key(|i| {
        let finding = &audit.findings[*i];
        (std::cmp::Reverse(audit.check(finding).severity), finding.check)
    });
    let mut before = None;
    for group in groups(audit, found) {
        if before != Some(&group.check.id) {
            if before.is_some() {
                writeln!(out)?;
            }
            heading(audit, &group, verdict, out)?;
            before = Some(&group.check.id);
        }
        entry(audit, &group, out)?;
    }
    writeln!(out)
}

fn heading(audit: &Audit<'_>, group: &Group<'_, '_>, verdict: Verdict, out: &mut dyn Write) -> io::Result<()> {
    let check = group.check;
    let controls: Vec<String> = audit.controls_of(&check.id).iter().map(|(_, c)| escape(&c.id)).collect();
    let answers = match controls.as_slice() {
        [] => "beyond the benchmark".to_owned(),
        [one] => format!("control {one}"),
        many => format!("controls {}", many.join(", ")),
    };
    writeln!(out, "### {}\n", own(&check.title))?;
    writeln!(out, "{} ({}; {answers}).", code(&check.id), check.severity.word())?;
    if matches!(verdict, Verdict::Fail | Verdict::Manual) && !check.remedy.fix.trim().is_empty() {
        writeln!(out, "\nFix ({}): {}", check.remedy.safety.word(), own(&check.remedy.fix))?;
    }
    writeln!(out)
}

fn entry(audit: &Audit<'_>, group: &Group<'_, '_>, out: &mut dyn Write) -> io::Result<()> {
    let members = group.members.iter().take(NAMES);
    let mut names: Vec<String> = members.map(|i| code(&words::component(audit, &audit.findings[*i]))).collect();
    if group.members.len() > NAMES {
        names.push(format!("and {} more", group.members.len() - NAMES));
    }
    writeln!(out, "- {}", names.join(", "))?;
    let said_by_fact = group.facts.iter().any(|(_, f)| f.value.reason().map(AsRef::as_ref) == group.reason);
    if let Some(reason) = group.reason.filter(|_| !said_by_fact) {
        writeln!(out, "  - {}", sentence(reason))?;
    }
    for (name, fact) in &group.facts {
        writeln!(out, "  - {}", said(name, fact))?;
    }
    changes(audit, &group.members, "  ", out)
}

/// The most lines of what would have to change that a group is given.
const CHANGES: usize = 8;

/// What would have to change in a cluster, each line to be copied as it stands.
fn changes(audit: &Audit<'_>, findings: &[usize], indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let (lines, more) = proposal::lines(audit, findings, CHANGES);
    for line in &lines {
        writeln!(out, "{indent}- {}", command(line))?;
    }
    if !lines.is_empty() && more > 0 {
        writeln!(out, "{indent}- and those of {more} more, in the JSON report")?;
    }
    Ok(())
}

/// A line to copy, as code that keeps every character of it.
fn command(line: &str) -> String {
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{line}{fence}") } else { format!("{fence} {line} {fence}") }
}

/// A fact with its source.
fn said(name: &str, fact: &Fact) -> String {
    let source = code(&shown(&fact.source, NAME));
    match fact.value.reason() {
        Some(reason) => format!("{} is unknown: {} ({source}).", code(name), escape(reason)),
        None => format!("{} is {} ({source}).", code(name), code(&shown(&fact.value, NAME))),
    }
}

fn gaps(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## What could not be read\n")?;
    let gaps = words::gaps(audit);
    if gaps.is_empty() {
        return writeln!(out, "Everything that was asked for could be read.\n");
    }
    writeln!(out, "| Target | Source | Reason | Unknown for it |\n|---|---|---|---|")?;
    for (target, gap) in gaps {
        let (source, reason, affects) = (escape(&gap.source), escape(&gap.reason), escape(&gap.affects));
        writeln!(out, "| {} | {source} | {reason} | {affects} |", escape(&target.name))?;
    }
    writeln!(out)
}

fn waivers(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    let waived: Vec<usize> = (0..audit.findings.len()).filter(|i| audit.waived[*i].is_some()).collect();
    if waived.is_empty() && audit.waiver_problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Waivers\n")?;
    for group in groups(audit, waived) {
        let Some(waiver) = group.waiver else { continue };
        let members = group.members.iter().take(NAMES);
        let names: Vec<String> = members.map(|i| code(&words::component(audit, &audit.findings[*i]))).collect();
        let more = group.members.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (check, owner, until) = (code(&group.check.id), escape(&waiver.owner), escape(&waiver.expires));
        writeln!(
            out,
            "- {owner} accepts {check} for {}{more} until {until}: {}",
            names.join(", "),
            sentence(&waiver.reason)
        )?;
    }
    for problem in &audit.waiver_problems {
        writeln!(out, "- {}", sentence(problem))?;
    }
    writeln!(out)
}

/// A text that ends as a sentence does, escaped.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    escape(&format!("{first}{}{end}", chars.as_str()))
}

/// A text of which Markdown and HTML make nothing, on one line. What some renderers make a link or a mention of by
/// itself (`https://`, `www.`, `@`) is broken too.
pub fn escape(text: &str) -> String {
    let text = one_line(text);
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '+' | '!' | '|' | '~' | '$' | '=' => {
                out.push('\\');
                out.push(c);
            }
            '-' if out.is_empty() => out.push_str("\\-"),
            c => out.push(c),
        }
    }
    out.replace("://", "&#58;//").replace("www.", "www&#46;").replace("WWW.", "WWW&#46;")
}

/// A text of the catalogue, which is Markdown already, on one line: only what is no code is kept from being HTML.
fn own(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = one_line(&line);
    let parts = line.split('`').enumerate();
    let parts = parts.map(|(i, part)| if i % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`").replace('|', "\\|")
}

/// A text as code: no backtick and no bar is left in it, since neither can be escaped in there.
fn code(text: &str) -> String {
    let text = bounded(text, NAME).replace('`', "'").replace('|', "¦");
    let text = text.trim();
    if text.is_empty() { "`(empty)`".to_owned() } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{rendered, usual, waiver};
    use crate::{Format, View};

    #[test]
    fn report() {
        let mut world = usual();
        world.waivers = vec![waiver("docker/container/memory", "api"), waiver("docker/none", "*")];
        insta::assert_snapshot!(rendered(Format::Markdown, View::Audit, &world, &Options::default()));
    }

    #[test]
    fn hostile_names_stay_names() {
        assert_eq!(escape("<b>|`x`\n[a](b)"), "&lt;b&gt;\\|\\`x\\`\\\\n\\[a\\](b)");
        assert_eq!(code("a`b|c\n"), "`a'b¦c\\n`");
        assert_eq!(escape("- see https://x www.y @z"), "\\- see https&#58;//x www&#46;y &#64;z");
        assert_eq!(code(""), "`(empty)`");
        assert_eq!(own("Run `a <b>`,\n not <b> | c"), "Run `a <b>`, not &lt;b> \\| c");
        assert_eq!(sentence("it is so"), "It is so.");
    }
}
