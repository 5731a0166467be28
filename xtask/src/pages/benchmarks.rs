//! `docs/benchmarks/`: the newest version with the checks that answer it, and its ids through the versions.

use std::fmt::Write as _;

use seaworthy_catalog::Catalog;
use seaworthy_core::benchmark::{Benchmark, Control, id_order};

use super::checks::link;
use super::markdown::{Table, text};

/// The newest version, section by section.
pub fn newest(catalog: &Catalog, benchmark: &Benchmark) -> String {
    let mut out = format!("# {}\n\n", text(&benchmark.title));
    let automated = benchmark.controls.iter().filter(|control| control.automated).count();
    let _ = writeln!(
        out,
        "Published {}. {} controls, {automated} of which the benchmark itself calls automated. Ids, levels and that word \
         are the benchmark's; titles are our own. Seaworthy decides whatever evidence can decide, also where the \
         benchmark says manual, and shows the evidence where a person must decide. A control fails when one of its checks \
         fails on a component; else it is unknown, manual, or passed, in this order.\n",
        benchmark.published,
        benchmark.controls.len(),
    );
    let _ = writeln!(out, "What these ids were in other versions: [ids through the versions](cis-docker-versions.md).");
    for section in &benchmark.sections {
        let controls: Vec<&Control> =
            benchmark.controls.iter().filter(|control| section_of(benchmark, control) == section.id).collect();
        let depth = if section.id.contains('.') { "###" } else { "##" };
        let _ = writeln!(out, "\n{depth} {} {}", section.id, text(&section.title));
        if controls.is_empty() {
            continue;
        }
        let mut table = Table::new(&["id", "level", "benchmark", "the good state", "answered by"]);
        for control in controls {
            let status = if control.automated { "automated" } else { "manual" };
            let checks = control.checks.iter().filter_map(|id| catalog.check(id));
            let checks: Vec<String> = checks.map(|check| link(check, "../../catalog/")).collect();
            let row = [&control.id, &control.level.to_string(), status, &text(&control.title), &checks.join(" ")];
            table.row(&row);
        }
        let _ = write!(out, "\n{}", table.finish());
    }
    out
}

/// The longest id of a section that a control's id begins with.
fn section_of<'a>(benchmark: &'a Benchmark, control: &Control) -> &'a str {
    let within = |id: &&str| control.id.strip_prefix(*id).is_some_and(|rest| rest.starts_with('.'));
    benchmark.sections.iter().map(|section| section.id.as_str()).filter(within).max_by_key(|id| id.len()).unwrap_or("")
}

/// What each version calls the same demand.
pub fn versions(catalog: &Catalog, newest: &Benchmark) -> String {
    let family: Vec<&Benchmark> = catalog.benchmarks.iter().filter(|b| b.family() == newest.family()).collect();
    let mut out = String::from("# CIS Docker: ids through the versions\n\n");
    out.push_str(
        "Reports, tickets and other tools quote ids of different versions. `seaworthy explain 5.31@1.2.0` answers for a \
         version, `seaworthy audit --benchmark cis-docker-1.6.0` shows a whole one.\n\n",
    );
    let mut published = Table::new(&["version", "published", "controls"]);
    for benchmark in &family {
        published.row(&[benchmark.version(), &benchmark.published, &benchmark.controls.len().to_string()]);
    }
    out.push_str(&published.finish());
    let mut heads = vec!["the good state"];
    heads.extend(family.iter().map(|benchmark| benchmark.version()));
    let mut table = Table::new(&heads);
    for title in titles(&family, newest) {
        let id = |b: &&Benchmark| {
            let same: Vec<&str> =
                b.controls.iter().filter(|control| control.title == title).map(|control| control.id.as_str()).collect();
            same.join(", ")
        };
        let mut row = vec![text(title)];
        row.extend(family.iter().map(id));
        table.row(&row);
    }
    let _ = write!(out, "\n## The same demand\n\n{}", table.finish());
    let aliases: Vec<String> = family.iter().flat_map(|b| aliases(b)).collect();
    if !aliases.is_empty() {
        let _ = write!(out, "\n## Ids of older tools\n\n{}\n", aliases.join("\n"));
    }
    out
}

/// Every demand once, by its title: those of the newest version in its order, then those that it no longer has.
fn titles<'a>(family: &[&'a Benchmark], newest: &'a Benchmark) -> Vec<&'a str> {
    let mut titles: Vec<&str> = newest.controls.iter().map(|control| control.title.as_str()).collect();
    let mut gone: Vec<&Control> = Vec::new();
    for control in family.iter().flat_map(|benchmark| &benchmark.controls) {
        let known = titles.contains(&control.title.as_str()) || gone.iter().any(|other| other.title == control.title);
        if !known {
            gone.push(control);
        }
    }
    gone.sort_by(|a, b| id_order(&a.id, &b.id));
    titles.extend(gone.into_iter().map(|control| control.title.as_str()));
    titles
}

fn aliases(benchmark: &Benchmark) -> Vec<String> {
    let line = |(alias, id): &(String, String)| format!("- `{alias}` is {id} in {}", benchmark.version());
    benchmark.aliases.iter().map(line).collect()
}
