//! A plan as text, JSON and Markdown.

mod told;

use std::io::{self, Write};

use seaworthy_core::plan::{Action, Plan};
use seaworthy_core::remedy::Safety;

use crate::clean::{NAME, bounded, one_line};
use crate::layout::{Edge, Page, Paint};
use crate::markdown::escape;
use crate::{Format, Options, words};
use told::{Line, Told};

/// Writes a plan, as text, JSON or Markdown.
///
/// # Errors
/// Those of the writer; [`io::ErrorKind::InvalidInput`] for a format that tells no plans.
pub fn render_plan(format: Format, plan: &Plan, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => text(plan, options, out),
        Format::Json => {
            crate::json::escape_into(out, &serde_json::to_string_pretty(plan)?)?;
            out.write_all(b"\n")
        }
        Format::Markdown => markdown(plan, out),
        _ => {
            let why = format!("`{}` tells reports; a plan is told as text, json or markdown", format.name());
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
    }
}

/// `0123456789abcdef for local · unix:///var/run/docker.sock`.
/// What an action changes, from before to after, on one line; empty where its title says all. Cleaned.
pub fn edits_of(action: &Action) -> String {
    let pair = |line: &Line| match line {
        Line::Pair(text, _) => Some(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        Line::Words(_) | Line::Command(_) => None,
    };
    told::edits(action).iter().filter_map(pair).collect::<Vec<_>>().join(", ")
}

fn target(plan: &Plan) -> String {
    let place = &plan.target;
    format!("for {} · {}", bounded(&place.name, NAME), bounded(&place.address, NAME))
}

fn text(plan: &Plan, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let page = Page { width: options.width.clamp(40, 400), paint: Paint(options.colour) };
    let mut head = Edge::default();
    let id = one_line(&plan.id);
    head.push("plan  ", &page.paint.dim("plan  "));
    head.push(&id, &page.paint.bold(&id));
    let rest = format!("  {}", target(plan));
    head.push(&rest, &rest);
    let when = format!("facts of {}", words::instant(plan.made_at));
    page.edges(out, &head, &Edge { painted: page.paint.dim(&when), plain: when.clone() })?;
    let told = Told::new(plan);
    for line in &told.head {
        page.paragraph(out, "  ", 2, line)?;
    }
    let digits = plan.changes.len().to_string().len();
    if !plan.changes.is_empty() {
        writeln!(out)?;
    }
    for (i, change) in told.changes.iter().enumerate() {
        let indent = digits + 4;
        page.columns(
            out,
            &format!("  {:>digits$}  ", i + 1),
            indent,
            &change.title,
            (change.safety.word(), change.safety == Safety::Safe),
        )?;
        lines(&page, indent, &change.lines, out)?;
    }
    for section in &told.sections {
        writeln!(out, "\n  {}", page.paint.bold(section.title))?;
        lines(&page, 4, &section.lines, out)?;
    }
    Ok(())
}

fn lines(page: &Page, indent: usize, all: &[Line], out: &mut dyn Write) -> io::Result<()> {
    let space = " ".repeat(indent);
    for line in all {
        match line {
            Line::Pair(left, right) => page.columns(out, &space, indent, left, (right, true))?,
            Line::Words(text) => page.paragraph(out, &space, indent + 2, text)?,
            // Never wrapped: it is to be copied.
            Line::Command(command) => writeln!(out, "{space}  {command}")?,
        }
    }
    Ok(())
}

fn markdown(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# Plan {}\n", escape(&plan.id))?;
    writeln!(out, "{}, from facts of {}.", escape(&target(plan)), words::instant(plan.made_at))?;
    let told = Told::new(plan);
    for line in &told.head {
        writeln!(out, "\n{}", escape(line))?;
    }
    if !told.changes.is_empty() {
        writeln!(out, "\n## Changes\n")?;
    }
    for (i, change) in told.changes.iter().enumerate() {
        writeln!(out, "{}. **{}** ({})", i + 1, escape(&change.title), change.safety.word())?;
        markdown_lines("   ", &change.lines, out)?;
    }
    for section in &told.sections {
        writeln!(out, "\n## {}\n", section.title)?;
        markdown_lines("", &section.lines, out)?;
    }
    Ok(())
}

fn markdown_lines(space: &str, all: &[Line], out: &mut dyn Write) -> io::Result<()> {
    for line in all {
        match line {
            Line::Pair(left, right) if right.is_empty() => writeln!(out, "{space}- {}", escape(left))?,
            Line::Pair(left, right) => writeln!(out, "{space}- {} ({})", escape(left), escape(right))?,
            Line::Words(text) => writeln!(out, "{space}- {}", escape(text))?,
            Line::Command(command) => {
                // A fence longer than any run of backticks in it.
                let run = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
                let fence = "`".repeat(run.max(2) + 1);
                writeln!(out, "\n{space}  {fence}sh\n{space}  {command}\n{space}  {fence}\n")?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
