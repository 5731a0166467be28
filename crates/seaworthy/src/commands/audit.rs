//! `audit` and `assess`.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use seaworthy_catalog::Catalog;
use seaworthy_core::audit::Audit;
use seaworthy_core::derive::{derive, registries};
use seaworthy_core::verdict::{Severity, Verdict};
use seaworthy_report::{Options, View, render};

use crate::arguments::AuditArguments;
use crate::exit::Exit;
use crate::{input, output};

/// Collects or reads, judges, and tells.
pub fn run(arguments: &AuditArguments, view: View) -> Result<Exit> {
    let pairs = output::pairs(&arguments.format, &arguments.output)?;
    let (catalog, config) = super::settings(&arguments.common)?;
    let benchmark = match (arguments.benchmark.as_str(), &config.benchmark) {
        ("cis-docker", Some(configured)) => configured.as_str(),
        (asked, _) => asked,
    };
    let benchmark = catalog.benchmark(benchmark).with_context(|| {
        let known: Vec<&str> = catalog.benchmarks.iter().map(|b| b.id.as_str()).collect();
        format!("there is no benchmark `{benchmark}`; there are {}", known.join(", "))
    })?;
    let chosen = chosen(&catalog, &arguments.check)?;
    let skipped = chosen_or_none(&catalog, arguments.skip.iter().chain(&config.skip))?;
    let known = arguments.baseline.as_deref().map(seaworthy_report::baseline).transpose()?;

    let mut snapshot = input::snapshot(&arguments.target, arguments.common.quiet)?;
    if super::is_nothing(&snapshot) {
        return Err(super::nothing(&snapshot));
    }
    derive(&mut snapshot, &catalog.flaws);
    registries(&mut snapshot, config.registries.allowed.as_deref());
    let wanted = |id: &str| chosen.as_ref().is_none_or(|c| c.contains(id)) && !skipped.contains(id);
    let mut audit =
        Audit::new(&snapshot, &catalog.checks, &catalog.benchmarks, benchmark, &config.waivers, |c| wanted(&c.id));
    if let Some(known) = known {
        audit.retain(|audit, finding| !known.covers(&audit.fingerprint(finding), finding.judgement.verdict));
    }
    let options = Options {
        width: output::width(),
        colour: output::colour(arguments.common.no_color),
        all: arguments.all,
        gaps: arguments.gaps,
        top: arguments.top,
    };
    for (format, path) in &pairs {
        if path.is_none() && arguments.common.quiet && arguments.format.is_empty() {
            continue;
        }
        let plain = Options { colour: options.colour && path.is_none(), ..options.clone() };
        output::write(path.as_deref(), |out| render(*format, view, &audit, &plain, out))?;
    }
    Ok(exit(arguments, &audit))
}

/// The checks that were asked for; none: all.
fn chosen(catalog: &Catalog, names: &[String]) -> Result<Option<HashSet<String>>> {
    if names.is_empty() {
        return Ok(None);
    }
    chosen_or_none(catalog, names.iter()).map(Some)
}

fn chosen_or_none<'a>(catalog: &Catalog, names: impl Iterator<Item = &'a String>) -> Result<HashSet<String>> {
    let mut out = HashSet::new();
    for name in names {
        out.extend(catalog.find(name)?.into_iter().map(|c| c.id.clone()));
    }
    Ok(out)
}

/// A gate never opens because something could not be read; findings go before what is unknown. Of several targets one
/// that could not be read at all is unknown at every severity.
fn exit(arguments: &AuditArguments, audit: &Audit<'_>) -> Exit {
    let gaps = audit.snapshot.targets.iter().any(|t| !t.gaps.is_empty() || !t.incomplete.is_empty());
    if let Some(limit) = arguments.fail_on.map(Severity::from) {
        if audit.worst(Verdict::Fail).is_some_and(|s| s >= limit) {
            return Exit::Findings;
        }
        if !arguments.allow_unknown && audit.worst(Verdict::Unknown).is_some_and(|s| s >= limit) {
            return Exit::Incomplete;
        }
        if !arguments.allow_unknown && audit.snapshot.targets.iter().any(|t| t.components.is_empty()) {
            return Exit::Incomplete;
        }
    }
    if arguments.strict && (gaps || audit.worst(Verdict::Unknown).is_some()) {
        return Exit::Incomplete;
    }
    Exit::Clean
}
