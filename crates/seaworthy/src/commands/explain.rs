//! `explain`.

use std::io::{self, Write};

use anyhow::Result;
use seaworthy_catalog::{Catalog, ControlRef};
use seaworthy_core::check::Check;

use crate::arguments::ExplainArguments;
use crate::exit::Exit;
use crate::output;

/// Explains a check or a control.
pub fn run(arguments: &ExplainArguments) -> Result<Exit> {
    let (catalog, _) = super::settings(&arguments.common)?;
    let controls = catalog.controls(&arguments.id);
    let checks = catalog.find(&arguments.id)?;
    output::write(None, |out| {
        if let Some((first, others)) = controls.split_first() {
            explain_control(first, others, out)?;
        }
        for (i, check) in checks.iter().enumerate() {
            if i > 0 || !controls.is_empty() {
                writeln!(out)?;
            }
            if checks.len() > 8 {
                writeln!(out, "{:<48} {}", check.id, check.title)?;
            } else {
                explain_check(&catalog, check, out)?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Clean)
}

fn explain_control(control: &ControlRef<'_>, others: &[ControlRef<'_>], out: &mut dyn Write) -> io::Result<()> {
    let (benchmark, control) = (control.benchmark, control.control);
    let how = if control.automated { "automated" } else { "manual" };
    writeln!(
        out,
        "{} of {}: {} (level {}, {how} in the benchmark)",
        control.id, benchmark.title, control.title, control.level
    )?;
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for other in others.iter().filter(|o| o.control.checks != control.checks) {
        match said.iter_mut().find(|(title, _)| *title == other.control.title) {
            Some((_, versions)) => versions.push(other.benchmark.version()),
            None => said.push((&other.control.title, vec![other.benchmark.version()])),
        }
    }
    for (title, versions) in said {
        writeln!(out, "  in {} the id meant: {title}", versions.join(", "))?;
    }
    Ok(())
}

fn explain_check(catalog: &Catalog, check: &Check, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n{}\n", check.id, check.title)?;
    writeln!(out, "severity   {}", check.severity.word())?;
    writeln!(out, "about      {}", check.about)?;
    for (name, predicate) in [("of", &check.select), ("when", &check.when), ("requires", &check.require)] {
        if let Some(predicate) = predicate {
            writeln!(out, "{name:<10} {}", predicate.text)?;
        }
    }
    if let Some(manual) = &check.manual {
        writeln!(out, "by hand    {manual}")?;
    }
    let ids: Vec<String> =
        catalog.answered_by(&check.id).map(|c| format!("{}@{}", c.control.id, c.benchmark.version())).collect();
    if !ids.is_empty() {
        writeln!(out, "answers    {}", ids.join(" "))?;
    }
    writeln!(out, "\n{}\n", check.rationale)?;
    writeln!(out, "Fix ({})\n  {}\n", check.remedy.safety.word(), check.remedy.fix.replace('\n', "\n  "))?;
    writeln!(out, "Facts")?;
    let predicates = [&check.select, &check.when, &check.require];
    let mut facts = predicates
        .into_iter()
        .flatten()
        .fold(Default::default(), |set: seaworthy_core::predicate::FactSet, p| set.union(p.facts()));
    let kind = check.kind();
    for name in &check.show {
        facts = kind.index(name).map_or(facts, |i| facts.union(seaworthy_core::predicate::FactSet::one(i)));
    }
    for fact in facts.iter().filter_map(|i| kind.facts.get(i)) {
        let unit = if fact.unit.is_empty() { String::new() } else { format!(", {}", fact.unit) };
        writeln!(out, "  {} ({}{unit}): {}", fact.name, fact.ty, fact.means)?;
        writeln!(out, "    read from {}; unknown when {}", fact.read, fact.unknown)?;
    }
    writeln!(out, "\nCases")?;
    for case in &check.cases {
        let facts: Vec<&str> = case.facts.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let facts = if facts.is_empty() { "nothing known".to_owned() } else { facts.join("; ") };
        writeln!(out, "  {:<15} {facts}", case.verdict.word())?;
    }
    Ok(())
}
