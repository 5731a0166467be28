//! `docs/checks.md`: every check by the kind of component that it speaks of.

use std::fmt::Write as _;

use seaworthy_catalog::Catalog;
use seaworthy_core::benchmark::Benchmark;
use seaworthy_core::check::Check;
use seaworthy_core::schema::{self, Kind};

use super::markdown::{Table, code, text};

/// The page.
pub fn page(catalog: &Catalog, newest: &Benchmark) -> String {
    let mut out = String::from("# Checks\n\n");
    let answering = catalog.checks.iter().filter(|check| !ids(newest, check).is_empty()).count();
    let _ = writeln!(
        out,
        "{} checks; {answering} of them answer the {} controls of {}, the others go beyond it. A check is named for the \
         good state, so that `pass` says that its title is true. `seaworthy explain ID` prints the whole of one: why it \
         matters, the facts that decide it, its cases and the fix.\n",
        catalog.checks.len(),
        newest.controls.len(),
        newest.title
    );
    let kinds: Vec<(&Kind, Vec<&Check>)> = schema::kinds().iter().map(|kind| (*kind, of(catalog, kind))).collect();
    let mut overview = Table::new(&["component", "checks", "critical", "high", "medium", "low"]);
    for (kind, checks) in kinds.iter().filter(|(_, checks)| !checks.is_empty()) {
        let count = |word: &str| checks.iter().filter(|c| c.severity.word() == word).count().to_string();
        let link = format!("[{}](#{})", kind.name, kind.name.replace('.', ""));
        let row = [link, checks.len().to_string(), count("critical"), count("high"), count("medium"), count("low")];
        overview.row(&row);
    }
    out.push_str(&overview.finish());
    for (kind, checks) in kinds.iter().filter(|(_, checks)| !checks.is_empty()) {
        let _ = writeln!(out, "\n## {}\n\n{}\n", kind.name, text(kind.means));
        let mut table = Table::new(&["check", "severity", "the good state", newest.version(), "fix"]);
        for check in checks {
            let row = [
                link(check, "../catalog/"),
                check.severity.word().to_owned(),
                text(&check.title),
                ids(newest, check).join(", "),
                check.remedy.safety.word().to_owned(),
            ];
            table.row(&row);
        }
        out.push_str(&table.finish());
    }
    out
}

/// A check's name with a link to its file; `up` leads to the catalogue.
pub fn link(check: &Check, up: &str) -> String {
    format!("[{}]({up}{})", code(&check.id), check.file)
}

fn of<'a>(catalog: &'a Catalog, kind: &Kind) -> Vec<&'a Check> {
    catalog.checks.iter().filter(|check| check.about == kind.name).collect()
}

/// The ids of the controls that a check answers.
fn ids(benchmark: &Benchmark, check: &Check) -> Vec<String> {
    let answered = benchmark.controls.iter().filter(|control| control.checks.contains(&check.id));
    answered.map(|control| control.id.clone()).collect()
}
