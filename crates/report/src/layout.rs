//! Lines for a terminal: display width, wrapping, two columns, colour.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use seaworthy_core::threat::Status;
use seaworthy_core::verdict::Verdict;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns that a cleaned text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Breaks a cleaned text into lines of at most `most` columns, at spaces where there are some.
pub fn wrap(text: &str, most: usize) -> Vec<&str> {
    let most = most.max(8);
    let mut lines = Vec::new();
    let mut rest = text;
    while width(rest) > most {
        let (line, after) = split(rest, most);
        lines.push(line);
        rest = after;
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest);
    }
    lines
}

/// The first line of a text that is wider than `most`, and the rest. `most` is at least 8, so that the widest
/// character fits and the rest always shrinks.
fn split(text: &str, most: usize) -> (&str, &str) {
    let mut columns = 0;
    let mut end = text.len();
    let mut space = None;
    for (at, c) in text.char_indices() {
        columns += c.width().unwrap_or(0);
        if columns > most {
            end = at;
            break;
        }
        if c == ' ' {
            space = Some(at);
        }
    }
    if text[end..].starts_with(' ') {
        space = Some(end);
    }
    match space.filter(|at| *at > 0) {
        Some(at) if !text[..at].trim().is_empty() => (text[..at].trim_end(), text[at..].trim_start()),
        _ => {
            let end = end.max(text.chars().next().map_or(0, char::len_utf8));
            (&text[..end], &text[end..])
        }
    }
}

/// As many names as fit into `most` columns: `web, api, db and 3 more`. At least one is shown, cut where need be.
pub fn names<S: AsRef<str>>(all: impl ExactSizeIterator<Item = S>, most: usize) -> String {
    let count = all.len();
    let mut out = String::new();
    for (i, name) in all.enumerate() {
        let name = crate::clean::bounded(name.as_ref(), crate::clean::NAME);
        let left = count - i - 1;
        let more = if left > 0 { format!(" and {left} more").len() } else { 0 };
        let comma = if i > 0 { ", " } else { "" };
        if i > 0 && width(&out) + comma.len() + width(&name) + more > most {
            out.push_str(&format!(" and {} more", count - i));
            break;
        }
        out.push_str(comma);
        if i == 0 && width(&name) + more > most {
            out.push_str(&cut(&name, most.saturating_sub(more)));
            if left > 0 {
                out.push_str(&format!(" and {left} more"));
            }
            break;
        }
        out.push_str(&name);
    }
    out
}

/// A cleaned text of at most `most` columns (and never less than one), its end replaced by an ellipsis where it is wider.
pub fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut columns = 1;
    let fits = |c: &char| {
        columns += c.width().unwrap_or(0);
        columns <= most
    };
    let mut out: String = text.chars().take_while(fits).collect();
    out.push('…');
    out
}

/// Colours, or none.
#[derive(Clone, Copy)]
pub struct Paint(pub bool);

impl Paint {
    /// A style's codes around a text.
    pub fn style(self, style: Style, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Set back: what is beside the point.
    pub fn dim(self, text: &str) -> String {
        self.style(Style::new().dimmed(), text)
    }

    /// Brought forward: headings.
    pub fn bold(self, text: &str) -> String {
        self.style(Style::new().bold(), text)
    }

    /// A verdict's colour around a text.
    pub fn verdict(self, verdict: Verdict, text: &str) -> String {
        let colour = match verdict {
            Verdict::Pass => AnsiColor::Green,
            Verdict::Fail => AnsiColor::Red,
            Verdict::Unknown => AnsiColor::Yellow,
            Verdict::Manual => AnsiColor::Cyan,
            Verdict::NotApplicable => return self.dim(text),
        };
        self.style(colour.on_default(), text)
    }

    /// A threat's status's colour around a text.
    pub fn status(self, status: Status, text: &str) -> String {
        let colour = match status {
            Status::Open => AnsiColor::Red,
            Status::Undetermined => AnsiColor::Yellow,
            Status::Accepted => AnsiColor::Cyan,
            Status::Answered => AnsiColor::Green,
        };
        self.style(colour.on_default(), text)
    }
}

/// Where the columns of a page are.
#[derive(Clone, Copy)]
pub struct Page {
    /// Columns of the terminal.
    pub width: usize,
    /// Colours.
    pub paint: Paint,
}

/// Below this width the right-hand side stands under the left one.
const NARROW: usize = 72;

/// The deepest indent of what then stands under it.
const STACKED: usize = 28;

/// As many spaces as asked for, of the 400 that the widest page has: padding by `format!` writes them one by one.
fn spaces(many: usize) -> &'static str {
    const ALL: [u8; 400] = [b' '; 400];
    std::str::from_utf8(&ALL[..many.min(ALL.len())]).unwrap_or_default()
}

/// Columns between left and right.
const GUTTER: usize = 2;

impl Page {
    /// Whether there is no room for two columns.
    fn is_narrow(&self) -> bool {
        self.width < NARROW
    }

    /// Columns for the right-hand side: a third, within bounds; on a narrow page what is left of a line.
    pub fn right(&self) -> usize {
        if self.is_narrow() { self.width.saturating_sub(STACKED) } else { (self.width / 3).clamp(12, 60) }
    }

    /// Columns for the left-hand side behind an indent.
    pub fn left(&self, indent: usize) -> usize {
        self.width.saturating_sub(indent + GUTTER + self.right()).max(12)
    }

    /// Writes a text behind an indent, wrapped; the first line begins behind `lead`, which is `lead_width` wide.
    pub fn paragraph(&self, out: &mut dyn Write, lead: &str, indent: usize, text: &str) -> io::Result<()> {
        for (i, line) in wrap(text, self.width.saturating_sub(indent)).into_iter().enumerate() {
            if i == 0 {
                writeln!(out, "{lead}{line}")?;
            } else {
                writeln!(out, "{}{line}", spaces(indent))?;
            }
        }
        Ok(())
    }

    /// Writes two columns, each wrapped in its own; the first line begins behind `lead`, which takes `indent` columns.
    /// The right-hand side is set back when `dim` is.
    pub fn columns(
        &self,
        out: &mut dyn Write,
        lead: &str,
        indent: usize,
        left: &str,
        right: (&str, bool),
    ) -> io::Result<()> {
        let (right, dim) = right;
        if self.is_narrow() {
            self.paragraph(out, lead, indent, left)?;
            let under = (indent + 2).min(STACKED);
            return if right.is_empty() { Ok(()) } else { self.paragraph(out, &" ".repeat(under), under, right) };
        }
        let room = self.left(indent);
        let lefts = wrap(left, room);
        let rights = if right.is_empty() { Vec::new() } else { wrap(right, self.right()) };
        for i in 0..lefts.len().max(rights.len()) {
            let left = lefts.get(i).copied().unwrap_or_default();
            if i == 0 {
                out.write_all(lead.as_bytes())?;
            } else {
                out.write_all(spaces(indent).as_bytes())?;
            }
            out.write_all(left.as_bytes())?;
            match rights.get(i) {
                None => out.write_all(b"\n")?,
                Some(text) => {
                    let gap = room.saturating_sub(width(left)) + GUTTER;
                    let text = if dim { self.paint.dim(text) } else { (*text).to_owned() };
                    writeln!(out, "{}{text}", spaces(gap))?;
                }
            }
        }
        Ok(())
    }

    /// Writes one line with a text at its right edge; on lines of their own, the right one indented, where they do not
    /// fit, and without colour where one of them has to be wrapped.
    pub fn edges(&self, out: &mut dyn Write, left: &Edge, right: &Edge) -> io::Result<()> {
        if right.plain.is_empty() {
            return self.edge(out, left, 0);
        }
        let taken = width(&left.plain) + width(&right.plain);
        if taken + GUTTER <= self.width {
            let gap = self.width - taken;
            return writeln!(out, "{}{:gap$}{}", left.painted, "", right.painted);
        }
        self.edge(out, left, 0)?;
        self.edge(out, right, 4)
    }

    fn edge(&self, out: &mut dyn Write, edge: &Edge, indent: usize) -> io::Result<()> {
        if indent + width(&edge.plain) <= self.width {
            return writeln!(out, "{:indent$}{}", "", edge.painted);
        }
        let own = edge.plain.len() - edge.plain.trim_start().len();
        self.paragraph(out, &" ".repeat(indent + own), indent + 4.max(own), edge.plain.trim_start())
    }
}

/// A line's text, without and with colour.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    /// What it says, cleaned.
    pub plain: String,
    /// The same with colour.
    pub painted: String,
}

impl Edge {
    /// Without colour.
    pub fn plain(text: String) -> Self {
        Self { painted: text.clone(), plain: text }
    }

    /// Adds a text with its colour.
    pub fn push(&mut self, text: &str, painted: &str) {
        self.plain.push_str(text);
        self.painted.push_str(painted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_by_columns() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("abcdefghijkl", 8), ["abcdefgh", "ijkl"]);
        assert_eq!(wrap("箱箱箱箱箱", 8), ["箱箱箱箱", "箱"]);
        assert_eq!(wrap("         abcdefghij", 8).concat().trim(), "abcdefghij");
    }

    #[test]
    fn names_are_cut_at_the_width() {
        let all = ["web", "api", "db", "x", "y", "z"];
        assert_eq!(names(all.into_iter(), 23), "web, api, db and 3 more");
        assert_eq!(names(["web", "api"].into_iter(), 23), "web, api");
        assert_eq!(names(["a-very-long-name", "api"].into_iter(), 16), "a-ve… and 1 more");
        assert_eq!(cut("箱箱箱", 5), "箱箱…");
    }
}
