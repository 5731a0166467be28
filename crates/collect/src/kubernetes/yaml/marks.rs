//! Where the parts of a document stand.

use std::sync::Arc;

use crate::kubernetes::object::Positions;

/// Line and column of a value, and of what is in it.
#[derive(Debug, Default)]
pub struct Marks {
    /// Both from 1; the column in characters.
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) within: Within,
}

/// What is in a value.
#[derive(Debug, Default)]
pub(super) enum Within {
    #[default]
    Nothing,
    Fields(Vec<(Arc<str>, Marks)>),
    Items(Vec<Marks>),
}

impl Marks {
    /// The value at the path, as far as it leads; `spec.containers[0].image`, `metadata.labels["a.b"]`. Keys may hold
    /// dots: of those that fit the longest counts.
    fn at(&self, path: &str) -> &Self {
        let (mut at, mut rest) = (self, path);
        loop {
            let next = match &at.within {
                Within::Nothing => None,
                Within::Items(items) => index(rest).and_then(|(i, rest)| Some((items.get(i)?, rest))),
                Within::Fields(fields) => {
                    let fits = fields.iter().filter_map(|(key, marks)| Some((key.len(), marks, after(key, rest)?)));
                    fits.max_by_key(|(length, ..)| *length).map(|(_, marks, rest)| (marks, rest))
                }
            };
            let Some((found, left)) = next else { return at };
            (at, rest) = (found, left);
        }
    }

    /// The value that is the item of a list in a field of each, one after the other.
    fn item(&self, field: &str, index: usize) -> Option<&Self> {
        let Within::Fields(fields) = &self.within else { return None };
        let (_, list) = fields.iter().rfind(|(key, _)| &**key == field)?;
        let Within::Items(items) = &list.within else { return None };
        items.get(index)
    }
}

/// What is left of a path after a key.
fn after<'p>(key: &str, path: &'p str) -> Option<&'p str> {
    if let Some(quoted) = path.strip_prefix("[\"") {
        return quoted.strip_prefix(key)?.strip_prefix("\"]");
    }
    let rest = path.strip_prefix('.').unwrap_or(path).strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

/// The index that a path begins with, and what is left.
fn index(path: &str) -> Option<(usize, &str)> {
    let (digits, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((digits.parse().ok()?, rest))
}

impl Positions for Marks {
    fn of(&self, field: &str) -> Option<(usize, usize)> {
        let at = self.at(field);
        Some((at.line as usize, at.column as usize))
    }
}

/// The places of an item of a list of objects.
pub(crate) struct Item {
    /// Those of the document.
    pub document: Arc<Marks>,
    /// Which item of `items`, and of that which, where lists hold lists.
    pub steps: Box<[usize]>,
}

impl Positions for Item {
    fn of(&self, field: &str) -> Option<(usize, usize)> {
        let mut at = &*self.document;
        for step in &self.steps {
            at = at.item("items", *step)?;
        }
        at.of(field)
    }
}
