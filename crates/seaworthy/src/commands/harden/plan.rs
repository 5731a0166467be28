//! `harden plan`.

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use seaworthy_catalog::Catalog;
use seaworthy_core::audit::Audit;
use seaworthy_core::plan::{Forecast, Plan};
use seaworthy_core::step;
use seaworthy_core::threat::Status;
use seaworthy_core::verdict::Verdict;
use seaworthy_harden::plan::{Selection, Set, Settings, Unplanned, forecast, plan};
use seaworthy_report::{Format, Options, one_line, render_plan};

use crate::arguments::TargetArguments;
use crate::arguments::harden::PlanArguments;
use crate::commands::audit::{Judge, asked, chosen_or_none};
use crate::exit::{Exit, Refused};
use crate::{input, output};

/// Works out a plan, shows it and writes it.
pub fn run(arguments: &PlanArguments) -> Result<Exit> {
    let writes = writes(arguments)?;
    let set = arguments.set.iter().map(|text| Set::parse(text));
    let set = set.collect::<Result<Vec<_>, _>>().map_err(|why| anyhow!("{}", one_line(&why)))?;
    let (catalog, config) = crate::commands::settings(&arguments.common)?;
    let selection = selection(arguments, &catalog)?;
    let shown = asked(&catalog, &config, Some(&arguments.benchmark))?.into_iter().collect();
    let judge = Judge { catalog: &catalog, config: &config, shown };
    let skipped = chosen_or_none(&catalog, config.skip.iter())?;

    let target = TargetArguments { paths: Vec::new(), kubernetes_version: None, source: arguments.source.clone() };
    let snapshot = judge.derived(input::snapshot(&target, arguments.common.quiet)?)?;
    let audit = judge.audit(&snapshot, |id| !skipped.contains(id));
    let model = judge.model(&audit);
    let settings = Settings {
        set,
        recreate: arguments.recreate,
        accept_lost_changes: arguments.accept_lost_changes,
        demo: arguments.source.demo.is_some(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut plan = plan(&model, &selection, &settings).map_err(|why| match why {
        Unplanned::Usage(line) => anyhow!("{line}"),
        Unplanned::Refused(line) => Refused(line).into(),
    })?;
    plan.forecast = foresee(&judge, &audit, &plan);
    let plan = plan.sealed();

    let options =
        Options { width: output::width(), colour: output::colour(arguments.common.no_color), ..Options::default() };
    for (format, path) in &writes {
        let plain = Options { colour: options.colour && path.is_none(), ..options.clone() };
        output::write(*path, |out| render_plan(*format, &plan, &plain, out))?;
    }
    let nothing = plan.changes.is_empty() && plan.by_hand.is_empty() && !plan.left_out.is_empty();
    if nothing { Err(Refused(refusal(&plan)).into()) } else { Ok(Exit::Clean) }
}

/// Why there is nothing in a plan.
fn refusal(plan: &Plan) -> String {
    let why = plan.left_out.first().map_or("", |left| left.why.as_str());
    match plan.left_out.len() {
        1 => format!("nothing can be planned: {why}"),
        n => format!("nothing of {n} findings can be planned; the first: {why}"),
    }
}

/// What is left to do afterwards, by the same measure before and after.
fn foresee(judge: &Judge<'_>, audit: &Audit<'_>, plan: &Plan) -> Option<Forecast> {
    if plan.changes.is_empty() {
        return None;
    }
    let (before, after) = (judge.closing(audit, &[]), judge.closing(audit, &forecast::closed(audit, plan)));
    let open = Status::ALL.iter().position(|s| *s == Status::Open).unwrap_or_default();
    let fail = Verdict::ALL.iter().position(|v| *v == Verdict::Fail).unwrap_or_default();
    let possible = |of: &step::Forecast| of.paths.all() - of.paths.proven;
    Some(Forecast {
        threats_open: (before.threats[open], after.threats[open]),
        paths_proven: (before.paths.proven, after.paths.proven),
        paths_possible: (possible(&before), possible(&after)),
        controls_failing: (before.controls[fail], after.controls[fail]),
    })
}

/// Where the plan goes, and as what. A file alone is the plan, and the text then goes to standard output.
fn writes(arguments: &PlanArguments) -> Result<Vec<(Format, Option<&Path>)>> {
    let quiet = arguments.common.quiet;
    let pairs: Vec<(Format, Option<&Path>)> = if arguments.format.is_empty() {
        let named = |path: &'_ std::path::PathBuf| match path.extension().and_then(|e| e.to_str()) {
            Some("md") => Format::Markdown,
            Some("txt") => Format::Text,
            _ => Format::Json,
        };
        let file = |path: &'_ std::path::PathBuf| path.as_os_str() != "-";
        let mut all: Vec<(Format, Option<&Path>)> =
            arguments.output.iter().map(|path| (named(path), Some(path.as_path()).filter(|_| file(path)))).collect();
        if !quiet && all.iter().all(|(_, path)| path.is_some()) {
            all.push((Format::Text, None));
        }
        all
    } else {
        let pairs = output::pairs(&arguments.format, &arguments.output)?;
        let place =
            |at: usize| arguments.output.get(at).map(std::path::PathBuf::as_path).filter(|p| p.as_os_str() != "-");
        pairs.iter().enumerate().map(|(i, (format, _))| (*format, place(i))).collect()
    };
    for (format, _) in &pairs {
        if !matches!(format, Format::Text | Format::Json | Format::Markdown) {
            bail!("-f {} tells reports; a plan is told as text, json or markdown", format.name());
        }
    }
    Ok(pairs)
}

/// What was asked for, by ids of the catalogue.
fn selection(arguments: &PlanArguments, catalog: &Catalog) -> Result<Selection> {
    let mut threats = std::collections::BTreeSet::new();
    for name in &arguments.threat {
        threats.extend(catalog.find_threats(name)?.into_iter().map(|t| t.id.clone()));
    }
    let checks = chosen_or_none(catalog, arguments.check.iter())?.into_iter().collect();
    Ok(Selection { numbers: arguments.numbers.clone(), top: arguments.top, checks, threats, safe: arguments.safe })
}
