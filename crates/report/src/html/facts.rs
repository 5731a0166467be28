//! Facts as rows of evidence.

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::FactRef;
use seaworthy_core::fact::Fact;

use super::text::name;
use crate::clean::{shown, value};

/// A fact as a row: whose, which, what, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The component's name.
    pub component: String,
    /// The fact's name.
    pub fact: String,
    /// Its value.
    pub value: String,
    /// Where it was read.
    pub source: String,
    /// Whether it could not be read.
    pub unknown: bool,
}

/// The most rows of one list.
const ROWS: usize = 24;

/// A fact as a row.
pub fn row(component: &str, fact: &str, of: &Fact) -> Row {
    Row {
        component: name(component),
        fact: fact.to_owned(),
        value: value(&of.value),
        source: shown(&of.source, 160),
        unknown: of.value.is_unknown(),
    }
}

/// Facts as rows, without repeats.
pub fn rows<'f>(assessment: &Assessment<'_>, facts: impl IntoIterator<Item = &'f FactRef>) -> Vec<Row> {
    let mut out = Vec::new();
    for (component, fact, of) in facts.into_iter().filter_map(|f| assessment.fact(*f)) {
        push(&mut out, row(component, fact, of));
    }
    out
}

/// Adds a row unless it is there or the list is full.
pub fn push(rows: &mut Vec<Row>, row: Row) {
    if rows.len() < ROWS && !rows.contains(&row) {
        rows.push(row);
    }
}
