//! CSV: one row per finding, for a spreadsheet.

use std::borrow::Cow;
use std::io::{self, Write};

use seaworthy_core::audit::Audit;

use crate::clean;

/// The most characters of a cell that comes from facts.
const CELL: usize = 2000;

/// Writes every finding.
pub fn render(audit: &Audit<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record([
        "check",
        "title",
        "severity",
        "verdict",
        "controls",
        "target",
        "kind",
        "component",
        "id",
        "facts",
        "reason",
        "waived",
        "remedy",
        "fix",
        "fingerprint",
    ])?;
    for (i, finding) in audit.findings.iter().enumerate() {
        let check = audit.check(finding);
        let component = audit.component(finding);
        let controls: Vec<&str> = audit.controls_of(&check.id).iter().map(|(_, c)| c.id.as_str()).collect();
        let facts: Vec<String> = audit
            .facts(finding)
            .into_iter()
            .map(|(name, fact)| {
                format!("{name} = {} ({})", clean::value(&fact.value), clean::shown(&fact.source, clean::VALUE))
            })
            .collect();
        let waived = audit.waived[i].map(|w| &audit.waivers[w]);
        let waived = waived.map(|w| format!("{} ({}, until {})", w.reason, w.owner, w.expires)).unwrap_or_default();
        let cells: [&str; 15] = [
            &check.id,
            &check.title,
            check.severity.word(),
            finding.judgement.verdict.word(),
            &controls.join(" "),
            &audit.snapshot.targets[finding.target].name,
            &check.about,
            audit.component_name(finding),
            component.map_or("*", |c| &c.id),
            &facts.join("; "),
            finding.judgement.reason.as_deref().unwrap_or_default(),
            &waived,
            check.remedy.safety.word(),
            &check.remedy.fix,
            &audit.fingerprint(finding),
        ];
        writer.write_record(cells.map(cell).iter().map(|c| c.as_bytes()))?;
    }
    writer.flush()
}

/// A cell that no spreadsheet takes for a formula: one that begins like a formula begins with a quote instead.
/// Controls are written out, so that a cell is one line.
fn cell(text: &str) -> Cow<'_, str> {
    let guarded = text.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r', '|', '%'])
        || text.starts_with(['\t', '\r', '\n']);
    let text = clean::bounded(text, CELL);
    if guarded { Cow::Owned(format!("'{text}")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"] {
            assert!(cell(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(cell("web-1"), "web-1");
        assert_eq!(cell("a\nb"), "a\\nb");
    }
}
