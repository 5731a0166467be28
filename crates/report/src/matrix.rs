//! The matrix of element kind by letter: which threats speak about each, and why none does where none does.

use seaworthy_core::assessment::Assessment;
use seaworthy_core::threat::{Status, Stride, matrix_kinds};

use crate::words;

/// A kind of element with its six cells.
pub struct Row {
    /// What people call it: `container`, `data flow`.
    pub kind: String,
    /// By letter.
    pub cells: Vec<Cell>,
}

/// One cell.
pub enum Cell {
    /// How many threats of the catalogue speak about it, and how many of them are open here.
    Threats(usize, usize),
    /// None does, and why that is right.
    Blank(String),
}

impl Cell {
    /// `3, 1 open`.
    pub fn text(&self) -> String {
        match self {
            Self::Threats(all, 0) => all.to_string(),
            Self::Threats(all, open) => format!("{all}, {open} open"),
            Self::Blank(_) => "–".to_owned(),
        }
    }
}

/// The rows, in the order of the schema, then actors and data flows.
pub fn rows(model: &Assessment<'_>) -> Vec<Row> {
    let mut open = vec![false; model.catalog.len()];
    for instance in model.threats.iter().filter(|t| t.status == Status::Open) {
        open[instance.threat] = true;
    }
    let row = |kind: &str| -> Row {
        let cells = Stride::ALL.iter().map(|letter| cell(model, &open, kind, *letter)).collect();
        let name = if kind == "flow" { "data flow".to_owned() } else { words::kind(kind).to_owned() };
        Row { kind: name, cells }
    };
    matrix_kinds()
        .map(row)
        .filter(|row| row.cells.iter().any(|c| !matches!(c, Cell::Blank(r) if r.is_empty())))
        .collect()
}

fn cell(model: &Assessment<'_>, open: &[bool], kind: &str, letter: Stride) -> Cell {
    let found: Vec<usize> = (0..model.catalog.len()).filter(|i| model.catalog[*i].fills(kind, letter)).collect();
    if found.is_empty() {
        let reason = model.blanks.iter().find(|b| b.kind == kind && b.letter == letter);
        return Cell::Blank(reason.map(|b| b.reason.clone()).unwrap_or_default());
    }
    Cell::Threats(found.len(), found.iter().filter(|i| open[**i]).count())
}
