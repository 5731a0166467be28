//! A snapshot that somebody else gave us, through everything that follows: judged by every check, told in every format.

use std::sync::LazyLock;

use seaworthy_catalog::Catalog;
use seaworthy_core::audit::Audit;
use seaworthy_core::derive::derive;
use seaworthy_core::snapshot_json;
use seaworthy_model::{Exposure, Knowledge, assess};
use seaworthy_report::{Format, Options, Report, View, render};

/// A target's name, and what is fed.
type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub const ALL: &[Target] = &[("report", report)];

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// The report of any snapshot, with its threat model, holds no control character, and its JSON is JSON.
fn report(data: &[u8]) {
    let Ok(mut snapshot) = snapshot_json::read(data) else { return };
    derive(&mut snapshot, &CATALOG.flaws);
    let Some(newest) = CATALOG.benchmarks.first() else { return };
    let audit = Audit::new(&snapshot, &CATALOG.checks, &CATALOG.benchmarks, newest, &[], |_| true);
    let knowledge = Knowledge { threats: &CATALOG.threats, steps: &CATALOG.steps, blanks: &CATALOG.blanks };
    let model = assess(&audit, knowledge, &Exposure::default());
    let options = Options { width: 60, all: true, gaps: true, ..Options::default() };
    for (name, format) in Format::ALL {
        for view in [View::Audit, View::Assess, View::Threats, View::Paths] {
            if view == View::Audit && format.needs_model() {
                continue;
            }
            let report =
                Report { audit: &audit, model: (view != View::Audit).then_some(&model), since: None, narrowed: &[] };
            let mut out = Vec::new();
            render(format, view, report, &options, &mut out).expect("a vector takes everything");
            let text = std::str::from_utf8(&out).expect("a report is UTF-8");
            assert!(!text.contains(|c: char| c.is_control() && !"\n\r".contains(c)), "a control character in {name}");
            if matches!(format, Format::Json | Format::Sarif) {
                serde_json::from_str::<serde::de::IgnoredAny>(text).expect("JSON");
            }
        }
    }
}
