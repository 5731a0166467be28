//! `diff`: what changed between two moments.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use seaworthy_catalog::Catalog;
use seaworthy_core::diff::{Moment, diff};
use seaworthy_report::{Format, Options, render_diff};

use super::audit::{Judge, asked, chosen_or_none, shown};
use crate::arguments::{DiffArguments, FailOn};
use crate::config::Config;
use crate::exit::Exit;
use crate::{input, output};

/// Compares two snapshots or JSON reports, in any mixture.
pub fn run(arguments: &DiffArguments) -> Result<Exit> {
    let pairs = output::pairs(&arguments.format, &arguments.output)?;
    if let Some((format, _)) = pairs.iter().find(|(f, _)| !matches!(f, Format::Text | Format::Json | Format::Markdown))
    {
        bail!("-f {} tells one moment; what changed is told as text, json or markdown", format.name());
    }
    if arguments.fail_on.is_some_and(|f| f != FailOn::NewThreats) {
        bail!("diff fails on new threats alone: --fail-on new-threats");
    }
    let (catalog, config) = super::settings(&arguments.common)?;
    let (before, after) = (moment(&arguments.before, &catalog, &config)?, moment(&arguments.after, &catalog, &config)?);
    let changed = diff(&before, &after);
    let options = Options {
        width: output::width(),
        colour: output::colour(arguments.common.no_color),
        all: arguments.all,
        ..Options::default()
    };
    for (format, path) in &pairs {
        if path.is_none() && arguments.common.quiet && arguments.format.is_empty() {
            continue;
        }
        let plain = Options { colour: options.colour && path.is_none(), ..options.clone() };
        output::write(path.as_deref(), |out| render_diff(*format, &changed, &plain, out))?;
    }
    let gate = arguments.fail_on.is_some();
    Ok(if gate && changed.new_threats().next().is_some() {
        Exit::Findings
    } else if gate && !arguments.allow_unknown && changed.undetermined_threats().next().is_some() {
        Exit::Incomplete
    } else {
        Exit::Clean
    })
}

/// The moment in a file: of a JSON report as it was judged then, of a snapshot judged now.
fn moment(path: &Path, catalog: &Catalog, config: &Config) -> Result<Moment> {
    let bytes = input::bytes(path)?;
    if let Some(moment) = seaworthy_report::moment(&bytes).map_err(|why| anyhow!("report {}: {why}", path.display()))? {
        return Ok(moment);
    }
    let mut judge = Judge { catalog, config, shown: Vec::new() };
    let snapshot = judge.derived(input::parse(path, &bytes)?)?;
    judge.shown = shown(catalog, asked(catalog, config, None)?, false, &snapshot)?;
    let skipped = chosen_or_none(catalog, config.skip.iter())?;
    let audit = judge.audit(&snapshot, |id| !skipped.contains(id));
    Ok(Moment::of(&judge.model(&audit)))
}
