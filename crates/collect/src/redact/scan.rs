//! The spans of a text that are secrets, gathered by every detector and merged.

use std::ops::Range;

use super::class::Class;

/// One found secret.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Its bytes in the text; both ends are boundaries of characters.
    pub(super) range: Range<usize>,
    /// Its class.
    pub(super) class: Class,
    /// Sure enough to accuse; everything else is hidden only.
    pub(super) certain: bool,
    /// The bytes of the name that it was given.
    pub(super) name: Option<Range<usize>>,
}

/// The most secrets that one text may hold before all of it is taken for one.
const MOST: usize = 4096;

/// Spans in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    /// Adds a span; an empty one is nothing.
    pub(super) fn add(&mut self, range: Range<usize>, class: Class, certain: bool) {
        self.add_named(range, class, certain, None);
    }

    /// Adds a span with the name before it.
    pub(super) fn add_named(&mut self, range: Range<usize>, class: Class, certain: bool, name: Option<Range<usize>>) {
        if range.start >= range.end {
            return;
        }
        match self.0.get_mut(MOST) {
            // Beyond the limit the last span grows over everything that follows.
            Some(last) => last.range.end = last.range.end.max(range.end),
            None => self.0.push(Span { range, class, certain, name }),
        }
    }

    /// In order and without overlap: of overlapping spans the union, the class of the surest and then of the most telling.
    pub(super) fn merged(mut self) -> Vec<Span> {
        self.0.sort_by_key(|s| (s.range.start, std::cmp::Reverse(s.range.end)));
        let mut out: Vec<Span> = Vec::with_capacity(self.0.len());
        for span in self.0 {
            match out.last_mut() {
                Some(last) if span.range.start < last.range.end => {
                    let better = (span.certain, rank(span.class)) > (last.certain, rank(last.class));
                    last.range.end = last.range.end.max(span.range.end);
                    if better {
                        last.class = span.class;
                    }
                    last.certain |= span.certain;
                    if last.name.is_none() {
                        last.name = span.name;
                    }
                }
                _ => out.push(span),
            }
        }
        out
    }
}

/// A form tells more than a name, a name more than entropy.
fn rank(class: Class) -> u8 {
    match class {
        Class::HighEntropy => 0,
        Class::Secret | Class::Key | Class::Token | Class::Password => 1,
        _ => 2,
    }
}
