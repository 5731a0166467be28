//! Colon-separated files: what is a row, a comment, a line for NIS, or broken.

use super::MOST_LINES;
use crate::host::gap::Gap;
use crate::host::root::Root;

/// Broken lines beyond this many of one file are counted and not named one by one.
const MOST_NAMED: usize = 5;

/// The usable rows of one colon-separated file.
#[derive(Default)]
pub(super) struct Table {
    /// Line numbers with their fields.
    pub(super) rows: Vec<(usize, Vec<String>)>,
    /// True when a `+` line takes in the accounts of NIS.
    pub(super) includes_nis: bool,
    /// Why rows may be missing.
    pub(super) short: Option<String>,
}

impl Table {
    /// `compat`: whether `+` and `-` lines mean anything.
    pub(super) fn read(root: &Root, path: &str, compat: bool, affects: &str, gaps: &mut Vec<Gap>) -> Self {
        let mut table = Self::default();
        let text = match root.read_text(path) {
            Ok(text) => text,
            Err(unread) => {
                // A host without these files says nothing about its accounts: also an absent
                // one is a gap.
                table.short = Some(format!("{path}: {unread}"));
                gaps.push(Gap::new(path, &unread, affects));
                return table;
            }
        };
        let (id_field, least) = if path.ends_with("passwd") { (3, 6) } else { (2, 3) };
        let mut broken = Vec::new();
        let mut excluded: Vec<String> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if index == MOST_LINES {
                table.short = Some(format!("{path}: more than {MOST_LINES} lines"));
                gaps.push(Gap::new(path, format!("more than {MOST_LINES} lines"), affects));
                break;
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('+') {
                table.includes_nis |= compat;
                continue;
            }
            if let Some(name) = line.strip_prefix('-') {
                if compat {
                    excluded.push(name.split(':').next().unwrap_or_default().to_owned());
                }
                continue;
            }
            let fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            let is_id = |index: usize| fields.get(index).is_some_and(|id| id.parse::<u32>().is_ok());
            if fields.len() < least || fields[0].is_empty() || !is_id(2) || !is_id(id_field) {
                broken.push(index + 1);
                continue;
            }
            if !excluded.contains(&fields[0]) {
                table.rows.push((index + 1, fields));
            }
        }
        for line in broken.iter().take(MOST_NAMED) {
            gaps.push(Gap::new(format!("{path}:{line}"), "not a line of this file's form; skipped", affects));
        }
        if broken.len() > MOST_NAMED {
            let more = format!("{} more lines are not of this file's form; skipped", broken.len() - MOST_NAMED);
            gaps.push(Gap::new(path, more, affects));
        }
        table
    }
}
