//! What the program's own catalogue must hold as a whole: every row told, every check for something, every cell of the
//! matrix filled or blank for a reason.

use std::collections::HashSet;

use seaworthy_core::threat::{self, Blank, Stride, Threat};

use super::{LoadError, Loaded, Position};

/// Whether a platform's threats are told: it is held to its checks and its cells from its first threat on.
fn is_told(loaded: &Loaded, platform: &str) -> bool {
    let of = |id: &str| id.split(['.', '/']).next() == Some(platform);
    loaded.catalog.threats.iter().any(|threat| of(&threat.id))
}

/// The platform of a kind or of a check's id; of actors and flows none.
fn platform(name: &str) -> Option<&str> {
    name.split_once(['.', '/']).map(|(platform, _)| platform)
}

/// Everything that is missing or said twice.
pub(super) fn check(loaded: &Loaded) -> Vec<LoadError> {
    let mut errors = rows(loaded);
    errors.append(&mut checks(loaded));
    errors.append(&mut matrix(loaded));
    errors
}

/// Every letter of every row is told by a threat that covers it, and its surface is that of one of them.
fn rows(loaded: &Loaded) -> Vec<LoadError> {
    let mut errors = Vec::new();
    for (row, at) in loaded.catalog.rows.iter().zip(&loaded.rows) {
        let covering: Vec<&Threat> = loaded.catalog.threats.iter().filter(|t| t.covers.contains(&row.id)).collect();
        if covering.is_empty() {
            errors.push(at.error(format!("no threat covers the row `{}`", row.id)));
            continue;
        }
        for letter in row.letters.iter().filter(|l| !covering.iter().any(|t| t.stride.contains(l))) {
            errors.push(at.error(format!("no threat that covers the row `{}` is of {}", row.id, letter.word())));
        }
        if let Some(surface) = row.surface.filter(|s| !covering.iter().any(|t| t.surface == *s)) {
            errors.push(at.error(format!(
                "no threat that covers the row `{}` begins at the {}",
                row.id,
                surface.title()
            )));
        }
    }
    errors
}

/// Every check answers a threat or stands alone for a reason, and not both.
fn checks(loaded: &Loaded) -> Vec<LoadError> {
    let catalog = &loaded.catalog;
    let answering: HashSet<&str> = catalog.threats.iter().flat_map(|t| t.answered.checks()).collect();
    let mut alone: HashSet<&str> = HashSet::new();
    let mut errors = Vec::new();
    for (entry, at) in catalog.alone.iter().zip(&loaded.alone) {
        if answering.contains(entry.check.as_str()) {
            errors.push(at.error(format!("`{}` answers a threat; take it out of here", entry.check)));
        }
        if !alone.insert(&entry.check) {
            errors.push(at.error(format!("`{}` is there twice", entry.check)));
        }
    }
    let is_held = |id: &str| platform(id).is_none_or(|platform| is_told(loaded, platform));
    let idle = |id: &str| !answering.contains(id) && !alone.contains(id) && is_held(id);
    for check in catalog.checks.iter().filter(|c| idle(&c.id)) {
        let message =
            "no threat is answered by it; name it in a threat's `answered`, or in stride.toml with the reason";
        errors.push(Position::top(&check.file).error(message));
    }
    errors
}

/// Every cell is filled or blank for a reason, and not both.
fn matrix(loaded: &Loaded) -> Vec<LoadError> {
    let catalog = &loaded.catalog;
    let is = |blank: &Blank, kind: &str, letter: Stride| blank.kind == kind && blank.letter == letter;
    let mut errors = Vec::new();
    let is_held = |kind: &str| platform(kind).is_none_or(|platform| is_told(loaded, platform));
    for (kind, letter) in threat::cells().filter(|(kind, _)| is_held(kind)) {
        let filled = catalog.threats.iter().find(|t| t.fills(kind, letter));
        let mut blanks = catalog.blanks.iter().zip(&loaded.blanks).filter(|(b, _)| is(b, kind, letter));
        match (filled, blanks.next()) {
            (None, None) => {
                let message = format!(
                    "no threat is about {kind} with {}, and no [[blank]] of stride.toml says why that is right",
                    letter.word()
                );
                errors.push(Position::top("stride.toml").error(message));
            }
            (Some(threat), Some((_, at))) => {
                errors.push(at.error(format!("`{}` fills this cell; take the blank out", threat.id)));
            }
            _ => {}
        }
        errors.extend(blanks.map(|(_, at)| at.error("this cell is blank twice")));
    }
    errors
}
