//! Where something stands in a file.

use seaworthy_core::value::Value;

use crate::redact::Redactor;

/// The most places that one fact lists.
pub(super) const MOST_PLACES: usize = 256;

/// The most bytes of an instruction that are kept.
const MOST_TEXT: usize = 256;

/// A text with the beginnings of its lines.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self { text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// Line and column of a byte, both from 1; the column in characters.
    pub(super) fn position(&self, offset: usize) -> (i64, i64) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset).map_or(offset - start, |text| text.chars().count());
        (number(line), number(before + 1))
    }

    /// Line and column as fields of an object.
    pub(super) fn fields(&self, offset: usize) -> [(&'static str, Value); 2] {
        let (line, column) = self.position(offset);
        [("line", line.into()), ("column", column.into())]
    }

    /// An instruction as a fact shows it.
    pub(super) fn place(&self, span: &std::ops::Range<usize>, redactor: &Redactor) -> Value {
        let text = self.text.get(span.clone()).unwrap_or_default();
        let text = redactor.text(text.trim_end());
        let mut fields = self.fields(span.start).to_vec();
        fields.push(("text", cut(&text).into()));
        Value::Object(fields)
    }
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A text of others, cut between two characters.
pub(super) fn cut(text: &str) -> &str {
    crate::docker::history::within(text, MOST_TEXT)
}

/// Places of one fact, at most 256 of them.
#[derive(Default)]
pub(super) struct Places(Vec<Value>);

impl Places {
    pub(super) fn add(&mut self, place: Value) {
        if self.0.len() < MOST_PLACES {
            self.0.push(place);
        }
    }

    pub(super) fn into_value(self) -> Value {
        Value::List(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_from_one_in_characters() {
        let text = "FROM a\r\nRUN é x\n\nUSER b";
        let lines = Lines::of(text);
        for (needle, expected) in [("FROM", (1, 1)), ("RUN", (2, 1)), ("x", (2, 7)), ("USER", (4, 1)), ("b", (4, 6))] {
            assert_eq!(lines.position(text.find(needle).unwrap()), expected, "{needle}");
        }
        assert_eq!(lines.position(text.len() + 7).0, 4);
    }

    #[test]
    fn what_is_kept_is_short_and_holds_no_secret() {
        let text = format!("RUN login --password=hunter2hunter2 {}", "é".repeat(600));
        let place = Lines::of(&text).place(&(0..text.len()), &Redactor::new()).to_string();
        assert!(place.starts_with("{line: 1, column: 1, text: RUN login") && !place.contains("hunter2"), "{place}");
        assert!(place.len() < 300);
    }
}
