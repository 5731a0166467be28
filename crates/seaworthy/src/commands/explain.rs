//! `explain`.

use std::io::{self, Write};

use anyhow::Result;
use seaworthy_catalog::{Catalog, ControlRef, LookupError};
use seaworthy_core::check::Check;
use seaworthy_core::step::{Step, capability};
use seaworthy_core::threat::Threat;

use crate::arguments::ExplainArguments;
use crate::exit::Exit;
use crate::output;

/// Explains what has this name: checks, a control, threats, a step.
pub fn run(arguments: &ExplainArguments) -> Result<Exit> {
    let (catalog, _) = super::settings(&arguments.common)?;
    let controls = catalog.controls(&arguments.id);
    let step = catalog.step(&arguments.id);
    let (checks, threats) = found(&catalog, &arguments.id, step)?;
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
        for (i, threat) in threats.iter().enumerate() {
            if i > 0 || !checks.is_empty() {
                writeln!(out)?;
            }
            if threats.len() > 8 {
                writeln!(out, "{:<48} {}", threat.id, threat.title)?;
            } else {
                explain_threat(threat, out)?;
            }
        }
        if let Some(step) = step {
            if !checks.is_empty() || !threats.is_empty() {
                writeln!(out)?;
            }
            explain_step(step, out)?;
        }
        Ok(())
    })?;
    Ok(Exit::Clean)
}

/// The checks and threats of a name; an error where nothing at all has it.
fn found<'c>(
    catalog: &'c Catalog,
    name: &str,
    step: Option<&Step>,
) -> Result<(Vec<&'c Check>, Vec<&'c Threat>), LookupError> {
    match (catalog.find(name), catalog.find_threats(name)) {
        (Err(error), Err(_)) if step.is_none() => Err(error),
        (checks, threats) => Ok((checks.unwrap_or_default(), threats.unwrap_or_default())),
    }
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
    let mut threats = catalog.threats_of(&check.id).map(|t| t.id.as_str());
    if let Some(first) = threats.next() {
        writeln!(out, "threats    {first}")?;
        threats.try_for_each(|id| writeln!(out, "           {id}"))?;
    }
    if let Some(alone) = catalog.alone.iter().find(|a| a.check == check.id) {
        writeln!(out, "threats    none: {}", alone.reason)?;
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

fn explain_threat(threat: &Threat, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n{}\n", threat.id, threat.title)?;
    let letters: Vec<String> = threat.stride.iter().map(|l| format!("{} {}", l.letter(), l.word())).collect();
    writeln!(out, "letters    {}", letters.join(", "))?;
    writeln!(out, "about      {}", threat.about)?;
    if let Some(flow) = threat.flow {
        writeln!(out, "each       flow of kind {flow}")?;
    }
    if let Some(crosses) = &threat.crosses {
        writeln!(out, "crosses    {crosses}")?;
    }
    if let Some(when) = &threat.when {
        writeln!(out, "when       {}", when.text)?;
    }
    writeln!(out, "answered   {}", threat.answered)?;
    writeln!(out, "loses      {}", threat.loses.title())?;
    writeln!(out, "surface    {}", threat.surface.title())?;
    for (name, ids) in [("ATT&CK", &threat.attack), ("covers", &threat.covers)] {
        if !ids.is_empty() {
            writeln!(out, "{name:<10} {}", ids.join(" "))?;
        }
    }
    let story = &threat.story;
    for (name, part) in [
        ("Who", &story.who),
        ("How", &story.how),
        ("Lost", &story.lost),
        ("Answer", &story.answer),
        ("Remains", &story.remains),
    ] {
        writeln!(out, "\n{name}\n  {}", part.replace('\n', "\n  "))?;
    }
    Ok(())
}

/// A step's title with the kinds of its ends for their names.
pub(super) fn title(step: &Step) -> String {
    let kind = |name: &str| capability(name).and_then(|c| c.about.rsplit('.').next()).unwrap_or("?");
    step.title.replace("{from}", &format!("<{}>", kind(&step.from))).replace("{to}", &format!("<{}>", kind(&step.to)))
}

fn explain_step(step: &Step, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n{}\n", step.id, title(step))?;
    for (name, held) in [("from", &step.from), ("to", &step.to)] {
        if let Some(capability) = capability(held) {
            let means = capability.means.replace("{}", &format!("<{}>", capability.about));
            writeln!(out, "{name:<10} {held}: {means}")?;
        }
    }
    if let Some(flow) = step.over {
        writeln!(out, "over       {flow}")?;
    }
    for (name, predicate) in [("when", &step.when), ("at", &step.at)] {
        if let Some(predicate) = predicate {
            writeln!(out, "{name:<10} {}", predicate.text)?;
        }
    }
    writeln!(out, "effort     {}", step.effort)?;
    if let Some(assumed) = &step.assumes {
        writeln!(out, "assumes    {assumed}")?;
    }
    writeln!(out, "ATT&CK     {}", step.attack)?;
    writeln!(out, "source     {}", step.source)?;
    for (i, check) in step.cut.iter().enumerate() {
        writeln!(out, "{:<10} {check}", if i == 0 { "cut by" } else { "" })?;
    }
    writeln!(out, "\n{}", step.story)
}
