//! Before and after.

use seaworthy_core::assessment::Assessment;

use super::text::{name, sentence};
use crate::since::{self, Change};
use crate::words;

/// The most rows of a table.
const ROWS: usize = 200;
/// The most names in a row.
const NAMES: usize = 12;
/// The most files of which a row tells who changed them.
const DEEDS: usize = 4;

/// What changed since an earlier snapshot.
#[derive(Debug)]
pub struct ChangedView {
    /// When the facts of each were read.
    pub read: (String, String),
    /// Counts before and after.
    pub counts: Vec<(&'static str, String, String)>,
    /// Targets of which the audit log does not tell it all, and why.
    pub silent: Vec<(String, String)>,
    /// Findings, and how many rows are not shown.
    pub findings: (Vec<RowView>, usize),
    /// Threats, and how many rows are not shown.
    pub threats: (Vec<RowView>, usize),
}

/// What became of the findings of a check, or of the instances of a threat.
#[derive(Debug)]
pub struct RowView {
    /// The good state, or what happens.
    pub title: String,
    /// Its id.
    pub id: String,
    /// What it is about.
    pub on: String,
    /// What it was.
    pub was: &'static str,
    /// What it is.
    pub is: &'static str,
    /// Who changed the files that decided: the file, what was done, by whom.
    pub by: Vec<(String, &'static str, String)>,
    /// How many more files there are.
    pub by_more: usize,
}

/// What changed since an earlier snapshot.
pub fn changed(assessment: &Assessment<'_>, before: &Assessment<'_>) -> ChangedView {
    let told = since::since(before, assessment);
    let check = |id: &str| assessment.audit.checks.iter().find(|c| c.id == id).map(|c| c.title.as_str());
    let threat = |id: &str| assessment.catalog.iter().find(|t| t.id == id).map(|t| t.title.as_str());
    let read = |model: &Assessment<'_>| words::instant(model.audit.snapshot.collected_at);
    let count = |(what, was, is): (&'static str, usize, usize)| (what, words::thousands(was), words::thousands(is));
    ChangedView {
        read: (read(before), read(assessment)),
        counts: told.counts.into_iter().map(count).collect(),
        silent: told.silent.iter().map(|(target, why)| (name(target), sentence(why))).collect(),
        findings: rows(&told.findings, check),
        threats: rows(&told.threats, threat),
    }
}

fn rows<'t>(changes: &[Change<'_>], title: impl Fn(&str) -> Option<&'t str>) -> (Vec<RowView>, usize) {
    let row = |change: &Change<'_>| {
        let mut on: Vec<String> = change.on.iter().take(NAMES).map(|n| name(n)).collect();
        if change.on.len() > NAMES {
            on.push(format!("{} more", words::thousands(change.on.len() - NAMES)));
        }
        let by = change.by.iter().take(DEEDS).map(|d| (name(d.path), since::done(d), since::who(d, name)));
        RowView {
            by: by.collect(),
            by_more: change.by.len().saturating_sub(DEEDS),
            title: sentence(title(&change.id).unwrap_or(&change.id)),
            id: name(&change.id),
            on: on.join(", "),
            was: change.was,
            is: change.is,
        }
    };
    (changes.iter().take(ROWS).map(row).collect(), changes.len().saturating_sub(ROWS))
}
