//! Small pieces of Markdown: tables whose cells cannot break out of them, fences that what they hold cannot close.

use std::fmt::Write as _;

/// A table with its heads; cells are Markdown already (see [`text`]).
pub struct Table {
    out: String,
    columns: usize,
}

impl Table {
    /// A table without rows.
    pub fn new(heads: &[&str]) -> Self {
        let mut table = Self { out: String::new(), columns: heads.len() };
        table.row(heads);
        table.row(&vec!["---"; heads.len()]);
        table
    }

    /// Adds a row.
    pub fn row<S: AsRef<str>>(&mut self, cells: &[S]) {
        debug_assert_eq!(cells.len(), self.columns);
        for cell in cells {
            self.out.push_str("| ");
            self.out.push_str(cell.as_ref());
            self.out.push(' ');
        }
        self.out.push_str("|\n");
    }

    /// The whole.
    pub fn finish(self) -> String {
        self.out
    }
}

/// Text as Markdown that shows it and nothing else: on one line, without markup, tags or the end of a table's cell.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => out.push(' '),
            '|' | '<' | '>' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' => {
                out.push('\\');
                out.push(character);
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Code within a line, also in a table.
pub fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('\n', " ").replace('|', "\\|"))
}

/// A block of text as it is.
pub fn block(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let mut out = String::new();
    // Writing to a String never fails.
    let _ = write!(out, "{fence}text\n{}\n{fence}\n", text.trim_matches('\n'));
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Where the links of a text lead, outside code.
#[cfg(test)]
pub fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let prose = text.split("```").step_by(2);
    for line in prose.flat_map(str::lines) {
        let found = line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
        links.extend(found);
    }
    links
}

/// The anchors of a text's headings, as code hosts make them.
#[cfg(test)]
pub fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    headings.map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::{Table, anchors, block, code, links, text};

    #[test]
    fn nothing_breaks_out() {
        assert_eq!(text("a|b\n<i>*x*[l](u)"), "a\\|b \\<i\\>\\*x\\*\\[l\\](u)");
        assert_eq!(text("\u{1b}[31mred"), "\\[31mred");
        assert_eq!(code("a|`b`"), "`` a\\|`b` ``");
        assert_eq!(block("a\n```\nb\n"), "````text\na\n```\nb\n````\n");
        let mut table = Table::new(&["a", "b"]);
        table.row(&["1", "2"]);
        assert_eq!(table.finish(), "| a | b |\n| --- | --- |\n| 1 | 2 |\n");
    }

    #[test]
    fn finds_links_and_anchors() {
        assert_eq!(links("see [a](b.md) and [c](d#e)\n```\n[x](y)\n```\n"), ["b.md", "d#e"]);
        assert_eq!(anchors("# A b: `c-d`\ntext\n"), ["a-b-c-d"]);
    }
}
