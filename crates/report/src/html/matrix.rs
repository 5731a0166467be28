//! The matrix of element kind by letter: each cell with its threats, or with the reason why there is none.

use seaworthy_core::assessment::Assessment;
use seaworthy_core::threat::{Status, Stride, Threat, matrix_kinds};

use super::text::sentence;
use super::threats::{counts, title};
use crate::words;

/// The matrix.
#[derive(Debug)]
pub struct Matrix {
    /// The letters: letter and word.
    pub letters: Vec<(char, String)>,
    /// The rows.
    pub rows: Vec<RowView>,
    /// Why cells are blank: number, kind, letter, reason.
    pub notes: Vec<(usize, String, char, String)>,
}

/// A kind's row.
#[derive(Debug)]
pub struct RowView {
    /// The kind's short name.
    pub kind: String,
    /// A cell for each letter.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug)]
pub struct Cell {
    /// The gravest status, for its colour; empty for none.
    pub state: &'static str,
    /// `3 open, 1 answered`, `not here`, or nothing.
    pub text: String,
    /// Its threats: the catalogue's position, the title, whether it has an instance.
    pub threats: Vec<(usize, String, bool)>,
    /// The number of the reason why it is blank.
    pub note: Option<usize>,
}

/// The matrix.
pub fn matrix(assessment: &Assessment<'_>) -> Matrix {
    let mut tally = vec![[0usize; 4]; assessment.catalog.len()];
    for instance in &assessment.threats {
        if let Some(at) = Status::ALL.iter().position(|s| *s == instance.status) {
            tally[instance.threat][at] += 1;
        }
    }
    let mut notes = Vec::new();
    let mut rows = Vec::new();
    for kind in kinds(assessment) {
        let cells = Stride::ALL.map(|letter| cell(assessment, &tally, kind, letter, &mut notes)).into();
        rows.push(RowView { kind: words::kind(kind).to_owned(), cells });
    }
    Matrix { letters: Stride::ALL.map(|l| (l.letter(), title(l))).into(), rows, notes }
}

/// The kinds that a threat or a blank stands under, in the matrix's order.
fn kinds(assessment: &Assessment<'_>) -> Vec<&'static str> {
    let has = |kind: &&str| {
        let filled = |t: &Threat| Stride::ALL.iter().any(|letter| t.fills(kind, *letter));
        assessment.catalog.iter().any(filled) || assessment.blanks.iter().any(|b| b.kind == *kind)
    };
    matrix_kinds().filter(has).collect()
}

fn cell(
    assessment: &Assessment<'_>,
    tally: &[[usize; 4]],
    kind: &str,
    letter: Stride,
    notes: &mut Vec<(usize, String, char, String)>,
) -> Cell {
    let mut sums = [0usize; 4];
    let mut threats = Vec::new();
    for (i, threat) in assessment.catalog.iter().enumerate() {
        if threat.fills(kind, letter) {
            for (sum, n) in sums.iter_mut().zip(tally[i]) {
                *sum += n;
            }
            threats.push((i, sentence(&threat.title), tally[i].iter().any(|n| *n > 0)));
        }
    }
    let found: Vec<(&str, usize)> = Status::ALL.iter().map(|s| s.word()).zip(sums).filter(|(_, n)| *n > 0).collect();
    let state = found.first().map_or("", |(word, _)| word);
    let mut note = None;
    if threats.is_empty()
        && let Some(blank) = assessment.blanks.iter().find(|b| b.kind == kind && b.letter == letter)
    {
        note = Some(notes.len() + 1);
        notes.push((notes.len() + 1, words::kind(kind).to_owned(), letter.letter(), sentence(&blank.reason)));
    }
    let text = match (found.is_empty(), threats.is_empty()) {
        (false, _) => counts(&found),
        (true, false) => "not here".into(),
        (true, true) => String::new(),
    };
    Cell { state, text, threats, note }
}
