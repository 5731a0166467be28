//! `list`.

use anyhow::Result;
use seaworthy_core::schema;

use crate::arguments::{ListArguments, Listed};
use crate::exit::Exit;
use crate::output;

/// Lists checks, benchmarks, facts, threats or attack steps.
pub fn run(arguments: &ListArguments) -> Result<Exit> {
    let (catalog, _) = super::settings(&arguments.common)?;
    output::write(None, |out| {
        match arguments.what {
            Listed::Checks => {
                let newest = catalog.newest("cis-docker");
                for check in &catalog.checks {
                    let ids: Vec<&str> = newest
                        .into_iter()
                        .flat_map(|b| &b.controls)
                        .filter(|c| c.checks.contains(&check.id))
                        .map(|c| c.id.as_str())
                        .collect();
                    writeln!(
                        out,
                        "{:<48} {:<8} {:<7} {}",
                        check.id,
                        check.severity.word(),
                        ids.join(","),
                        check.title
                    )?;
                }
            }
            Listed::Benchmarks => {
                for b in &catalog.benchmarks {
                    writeln!(out, "{:<18} {:>3} controls  {}  {}", b.id, b.controls.len(), b.published, b.title)?;
                }
            }
            Listed::Facts => {
                for kind in schema::kinds() {
                    writeln!(out, "{}: {}", kind.name, kind.means)?;
                    for fact in kind.facts {
                        let unit = if fact.unit.is_empty() { String::new() } else { format!(" in {}", fact.unit) };
                        writeln!(out, "  {:<28} {}{unit}", fact.name, fact.ty)?;
                        writeln!(out, "  {:<28}   {}; from {}", "", fact.means, fact.read)?;
                        writeln!(out, "  {:<28}   unknown when {}", "", fact.unknown)?;
                    }
                }
            }
            Listed::Threats => {
                for threat in &catalog.threats {
                    let letters: String = threat.stride.iter().map(|l| l.letter()).collect();
                    let surface = threat.surface.word();
                    writeln!(out, "{:<48} {letters:<6} {surface:<15} {}", threat.id, threat.title)?;
                }
            }
            Listed::Steps => {
                for step in &catalog.steps {
                    let way = format!("{} → {}", step.from, step.to);
                    writeln!(out, "{:<32} {way:<32} {:>2}  {}", step.id, step.effort, super::explain::title(step))?;
                }
            }
        }
        Ok(())
    })?;
    Ok(Exit::Clean)
}
