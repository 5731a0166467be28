//! What changed between two moments: as text, JSON and Markdown, and how a moment is read from a JSON report.

mod read;
mod told;

use std::io::{self, Write};

use seaworthy_core::diff::{Change, Diff, Kind, Seen, Way};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Value, json};

pub use read::moment;

use crate::clean::{bounded, one_line};
use crate::layout::{Edge, Page, Paint};
use crate::markdown::escape;
use crate::{Format, Options, json as report, words};
use told::{Group, Section};

/// The version of the shape of its JSON, `schemas/diff-1.json`.
const SCHEMA: u32 = 1;

/// The most changes of a group that a text shows without `all`.
const MOST: usize = 20;

/// The most changes of a group that Markdown shows.
const ROWS: usize = 500;

/// Writes what changed, as text, JSON or Markdown.
///
/// # Errors
/// Those of the writer; [`io::ErrorKind::InvalidInput`] for a format that tells no changes.
pub fn render_diff(format: Format, diff: &Diff, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text(diff, options, out),
        Format::Json => {
            let mut serializer = serde_json::Serializer::with_formatter(&mut *out, report::Lines::down_to(2));
            Document(diff).serialize(&mut serializer)?;
            out.write_all(b"\n")
        }
        Format::Markdown => markdown(diff, out),
        _ => {
            let why = format!("`{}` tells one moment; what changed is told as text, json or markdown", format.name());
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
    }
}

/// The names of a moment's targets.
fn targets(moment: &(i64, std::collections::BTreeSet<String>)) -> String {
    let names: Vec<String> = moment.1.iter().take(5).map(|t| bounded(t, 80).into_owned()).collect();
    let more = moment.1.len() - names.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// What a reader must know before he believes the rest.
fn warning(diff: &Diff) -> Option<String> {
    if diff.before.1 != diff.after.1 {
        let (before, after) = (targets(&diff.before), targets(&diff.after));
        return Some(format!("The targets are not the same ({before}; {after}): what is of one alone is new or gone."));
    }
    (diff.before.0 > diff.after.0).then(|| "The first was read after the second.".to_owned())
}

fn text(diff: &Diff, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let page = Page { width: options.width.clamp(40, 400), paint: Paint(options.colour) };
    let when = |moment: i64| words::instant(moment);
    let mut head = Edge::default();
    let names = targets(&diff.after);
    head.push(&names, &page.paint.bold(&names));
    let times = format!("{} → {}", when(diff.before.0), when(diff.after.0));
    page.edges(out, &head, &Edge { painted: page.paint.dim(&times), plain: times.clone() })?;
    if let Some(warning) = warning(diff) {
        page.paragraph(out, "  ", 2, &warning)?;
    }
    if diff.is_empty() {
        return writeln!(out, "\n  Nothing changed.");
    }
    writeln!(out)?;
    let sections = told::sections(diff);
    for section in sections.iter().filter(|s| !s.groups.is_empty()) {
        let lead = format!("  {:<22}  ", section.title);
        page.paragraph(out, &page.paint.bold(&lead), lead.chars().count(), &section.counts())?;
    }
    for section in sections.iter().filter(|s| !s.groups.is_empty()) {
        writeln!(out, "\n  {}", page.paint.bold(section.title))?;
        for group in &section.groups {
            rows(&page, options, group, out)?;
        }
    }
    Ok(())
}

fn rows(page: &Page, options: &Options, group: &Group, out: &mut dyn Write) -> io::Result<()> {
    let shown = if options.all { group.rows.len() } else { group.rows.len().min(MOST) };
    for row in &group.rows[..shown] {
        let plain = format!("    {:<13} ", group.word);
        let lead = match group.way {
            Way::Opened | Way::Lost => page.paint.style(anstyle::AnsiColor::Red.on_default(), &plain),
            Way::Unknown => page.paint.style(anstyle::AnsiColor::Yellow.on_default(), &plain),
            Way::Won => page.paint.style(anstyle::AnsiColor::Green.on_default(), &plain),
            _ => plain.clone(),
        };
        page.columns(out, &lead, plain.chars().count(), &row.what, (&row.detail, true))?;
    }
    if shown < group.rows.len() {
        let more = words::thousands(group.rows.len() - shown);
        writeln!(out, "    {:<13} and {more} more; --all shows them", group.word)?;
    }
    Ok(())
}

fn markdown(diff: &Diff, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# What changed\n")?;
    let (before, after) = (words::instant(diff.before.0), words::instant(diff.after.0));
    writeln!(out, "{}, from {before} to {after}.\n", escape(&targets(&diff.after)))?;
    if let Some(warning) = warning(diff) {
        writeln!(out, "{}\n", escape(&warning))?;
    }
    if diff.is_empty() {
        return writeln!(out, "Nothing changed.");
    }
    let sections = told::sections(diff);
    writeln!(out, "| | |\n| --- | --- |")?;
    for section in sections.iter().filter(|s| !s.groups.is_empty()) {
        writeln!(out, "| {} | {} |", section.title, section.counts())?;
    }
    for section in sections.iter().filter(|s| !s.groups.is_empty()) {
        writeln!(out, "\n## {}\n\n| | what | |\n| --- | --- | --- |", section.title)?;
        for group in &section.groups {
            for row in group.rows.iter().take(ROWS) {
                writeln!(out, "| {} | {} | {} |", group.word, escape(&row.what), escape(&row.detail))?;
            }
            if group.rows.len() > ROWS {
                writeln!(out, "| {} | and {} more | |", group.word, words::thousands(group.rows.len() - ROWS))?;
            }
        }
    }
    Ok(())
}

/// As JSON: every change with what was there at both moments.
struct Document<'d>(&'d Diff);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let diff = self.0;
        let moment = |of: &(i64, std::collections::BTreeSet<String>)| json!({ "collected_at": words::instant(of.0), "targets": of.1 });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", &SCHEMA)?;
        map.serialize_entry("tool", &json!({ "name": "seaworthy", "version": env!("CARGO_PKG_VERSION") }))?;
        map.serialize_entry("before", &moment(&diff.before))?;
        map.serialize_entry("after", &moment(&diff.after))?;
        let summary = told::sections(diff).iter().map(Section::json).collect::<serde_json::Map<_, _>>();
        map.serialize_entry("summary", &summary)?;
        map.serialize_entry("threats", &Changes(&diff.threats, told::THREATS))?;
        map.serialize_entry("paths", &Changes(&diff.paths, told::PATHS))?;
        map.serialize_entry("flows", &Changes(&diff.flows, told::FLOWS))?;
        map.serialize_entry("components", &Changes(&diff.components, told::COMPONENTS))?;
        map.serialize_entry("mitigations", &Changes(&diff.mitigations, told::MITIGATIONS))?;
        map.end()
    }
}

struct Changes<'d, T>(&'d [Change<T>], told::Words);

impl<T: Kind + told::Tell> Serialize for Changes<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|change| {
            json!({
                "change": (self.1)(change.way()),
                "id": change.id,
                "before": seen(&change.before),
                "after": seen(&change.after),
            })
        }))
    }
}

/// What was there; null where nothing was.
fn seen<T: told::Tell>(seen: &Seen<T>) -> Value {
    match seen {
        Seen::There(it) => it.json(),
        Seen::Absent => Value::Null,
        Seen::Unlisted(reason) => json!({ "unlisted": one_line(reason) }),
    }
}

#[cfg(test)]
mod tests;
