//! `audit`, `assess`, `threats` and `paths`: collect or read, judge, model, tell.

use std::collections::HashSet;
use std::mem::ManuallyDrop;

use anyhow::{Context as _, Result, bail};
use seaworthy_catalog::Catalog;
use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::benchmark::Benchmark;
use seaworthy_core::derive::{derive, registries};
use seaworthy_core::diff::{Moment, diff};
use seaworthy_core::judge::Finding;
use seaworthy_core::kubernetes::is_outside_files;
use seaworthy_core::schema::docker::DOCKERFILE;
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::step::Forecast;
use seaworthy_core::threat::Status;
use seaworthy_core::verdict::{Severity, Verdict};
use seaworthy_model::paths::Asked;
use seaworthy_report::{Baseline, Format, Options, Report, View, render};

use crate::arguments::{AuditArguments, FailOn};
use crate::config::Config;
use crate::exit::Exit;
use crate::{input, output};

/// Which paths are wanted; none of either: all.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Where they begin.
    pub from: Vec<&'a str>,
    /// What they reach.
    pub to: Vec<&'a str>,
}

/// Collects or reads, judges, and tells.
pub fn run(arguments: &AuditArguments, view: View) -> Result<Exit> {
    run_wanted(arguments, view, &Wanted::default())
}

/// The same of the paths that are wanted.
pub fn run_wanted(arguments: &AuditArguments, view: View, paths: &Wanted<'_>) -> Result<Exit> {
    let pairs = output::pairs(&arguments.format, &arguments.output)?;
    if arguments.fail_on == Some(FailOn::NewThreats) {
        if view == View::Audit {
            bail!("--fail-on new-threats is for assess and threats: audit knows findings alone");
        }
        if arguments.baseline.is_none() && arguments.since.is_none() {
            bail!("--fail-on new-threats: new against what? give --baseline REPORT or --since SNAPSHOT");
        }
    }
    if let Some((format, _)) = pairs.iter().find(|(f, _)| view == View::Audit && f.needs_model()) {
        let name = format.name();
        bail!("-f {name} tells the threat model, which audit does not make: seaworthy assess -f {name}");
    }
    let is_judging = view == View::Audit && arguments.since.is_none();
    let unpack = if is_judging { Catalog::for_judging } else { Catalog::embedded };
    let (catalog, config) = super::begin_settings(&arguments.common, unpack)?;
    // A wrong name is said before anything is read; where there is none to be wrong, the engine is asked at once.
    let is_named = [&arguments.check, &arguments.skip, &config.skip].iter().any(|names| !names.is_empty())
        || arguments.benchmark.is_some()
        || config.benchmark.is_some();
    let known = arguments.baseline.as_deref().map(seaworthy_report::baseline).transpose()?;
    let read = || input::snapshot(&arguments.target, arguments.common.quiet);
    let early = (!is_named).then(read).transpose()?;
    // What is this large goes with the process, and is not taken apart before.
    let catalog = ManuallyDrop::new(catalog.wait());
    let asked = asked(&catalog, &config, arguments.benchmark.as_deref())?;
    let chosen = chosen(&catalog, &arguments.check)?;
    let skipped = chosen_or_none(&catalog, arguments.skip.iter().chain(&config.skip))?;
    let wanted = |id: &str| chosen.as_ref().is_none_or(|c| c.contains(id)) && !skipped.contains(id);
    let mut judge = Judge { catalog: &catalog, config: &config, shown: Vec::new() };

    let snapshot = ManuallyDrop::new(judge.derived(early.map_or_else(read, Ok)?)?);
    judge.shown = shown(&catalog, asked, arguments.benchmark.is_some(), &snapshot)?;
    let mut audit = ManuallyDrop::new(judge.audit(&snapshot, wanted));
    if let (View::Audit, Some(known)) = (view, &known) {
        audit.retain(|audit, finding| !known.covers(&audit.fingerprint(finding), finding.judgement.verdict));
    }
    let mut model = (view != View::Audit).then(|| judge.model_asked(&audit, paths));
    if let Some(model) = &mut model {
        // The page begins with what to harden first, whatever was asked for.
        if view == View::Assess || pairs.iter().any(|(format, _)| *format == Format::Html) {
            model.forecast = judge.forecast(&audit, model, arguments.top);
        }
        narrow(model, paths, known.as_ref())?;
    }
    let older = arguments.since.as_deref().map(|path| judge.derived(input::read(path)?)).transpose()?;
    let older_audit = older.as_ref().map(|snapshot| judge.audit(snapshot, wanted));
    let since = older_audit.as_ref().map(|audit| judge.model(audit));

    let options = Options {
        width: output::width(),
        colour: output::colour(arguments.common.no_color),
        all: arguments.all,
        gaps: arguments.gaps,
        top: arguments.top,
    };
    let narrowed = narrowed_by(arguments, paths);
    let report = Report { audit: &audit, model: model.as_ref(), since: since.as_ref(), narrowed: &narrowed };
    for (format, path) in &pairs {
        if path.is_none() && arguments.common.quiet && arguments.format.is_empty() {
            continue;
        }
        let plain = Options { colour: options.colour && path.is_none(), ..options.clone() };
        output::write(path.as_deref(), |out| render(*format, view, report, &plain, out))?;
    }
    if arguments.fail_on == Some(FailOn::NewThreats) {
        return Ok(new_threats(arguments, model.as_ref(), since.as_ref()));
    }
    Ok(exit(arguments, &audit, view, model.as_ref()))
}

/// The flags by which something is left out of a report. What the configuration skips is skipped in every run.
fn narrowed_by(arguments: &AuditArguments, paths: &Wanted<'_>) -> Vec<&'static str> {
    let flags = [
        ("--check", !arguments.check.is_empty()),
        ("--skip", !arguments.skip.is_empty()),
        ("--baseline", arguments.baseline.is_some()),
        ("--from ENTRY", !paths.from.is_empty()),
        ("--to", !paths.to.is_empty()),
    ];
    flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect()
}

/// New threats are those that are open and were not before; what can no longer be told makes the run incomplete. Of a
/// baseline the known ones are gone from the model already.
fn new_threats(arguments: &AuditArguments, model: Option<&Assessment<'_>>, since: Option<&Assessment<'_>>) -> Exit {
    let Some(model) = model else { return Exit::Clean };
    let (opened, unknown) = match since {
        Some(since) => {
            let changed = diff(&Moment::of(since), &Moment::of(model));
            (changed.new_threats().next().is_some(), changed.undetermined_threats().next().is_some())
        }
        None => {
            let is = |status: Status| model.threats.iter().any(|t| t.status == status);
            (is(Status::Open), is(Status::Undetermined))
        }
    };
    if opened {
        Exit::Findings
    } else if unknown && !arguments.allow_unknown {
        Exit::Incomplete
    } else {
        Exit::Clean
    }
}

/// What judging needs beside a snapshot.
pub struct Judge<'a> {
    /// The catalogue.
    pub catalog: &'a Catalog,
    /// The user's settings.
    pub config: &'a Config,
    /// The benchmarks that are shown: the one that is asked for, else one of each platform.
    pub shown: Vec<&'a Benchmark>,
}

impl<'a> Judge<'a> {
    /// A snapshot with what follows from it.
    pub fn derived(&self, mut snapshot: Snapshot) -> Result<Snapshot> {
        if super::is_nothing(&snapshot) {
            return Err(super::nothing(&snapshot));
        }
        derive(&mut snapshot, &self.catalog.flaws);
        registries(&mut snapshot, self.config.registries.allowed.as_deref());
        Ok(snapshot)
    }

    /// The findings over a snapshot.
    pub fn audit<'s>(&self, snapshot: &'s Snapshot, wanted: impl Fn(&str) -> bool) -> Audit<'s>
    where
        'a: 's,
    {
        let Catalog { checks, benchmarks, .. } = self.catalog;
        let (first, beside) =
            self.shown.split_first().map_or((&benchmarks[0], &[][..]), |(first, more)| (*first, more));
        Audit::new(snapshot, checks, benchmarks, first, &self.config.waivers, |c| wanted(&c.id)).with_beside(beside)
    }

    /// The threat model over an audit.
    pub fn model<'s>(&self, audit: &'s Audit<'s>) -> Assessment<'s>
    where
        'a: 's,
    {
        self.model_asked(audit, &Wanted::default())
    }

    /// The same with the paths alone that are wanted.
    fn model_asked<'s>(&self, audit: &'s Audit<'s>, wanted: &Wanted<'_>) -> Assessment<'s>
    where
        'a: 's,
    {
        let (knowledge, exposure) = self.known();
        seaworthy_model::assess_asked(audit, knowledge, &exposure, Asked { from: &wanted.from, to: &wanted.to })
    }

    /// What is left when the first priorities of a model are carried out; none where there are none.
    fn forecast(&self, audit: &Audit<'_>, model: &Assessment<'_>, top: usize) -> Option<(usize, Forecast)> {
        let first = &model.priorities[..model.priorities.len().min(top)];
        let closed: Vec<usize> = first.iter().flat_map(|p| p.closes.iter().copied()).collect();
        (!first.is_empty()).then(|| (first.len(), self.closing(audit, &closed)))
    }

    /// What is left when findings, by position in an audit, are closed.
    pub fn closing(&self, audit: &Audit<'_>, closed: &[usize]) -> Forecast {
        let (knowledge, exposure) = self.known();
        seaworthy_model::forecast(audit, knowledge, &exposure, closed)
    }

    /// What the model knows beside findings: the catalogue, and what the user declares.
    pub fn known(&self) -> (seaworthy_model::Knowledge<'a>, seaworthy_model::Exposure) {
        let Catalog { threats, steps, blanks, .. } = self.catalog;
        let exposure = seaworthy_model::Exposure { internet: self.config.exposure.internet.clone() };
        (seaworthy_model::Knowledge { threats, steps, blanks }, exposure)
    }
}

/// The benchmark that is asked for, by a flag or in the settings.
pub fn asked<'a>(catalog: &'a Catalog, config: &Config, flag: Option<&str>) -> Result<Option<&'a Benchmark>> {
    // By the family's name that of the settings, where it is of the family.
    let of_family = |family: &str| config.benchmark.as_deref().filter(|b| b.starts_with(&format!("{family}-")));
    let Some(wanted) = flag.map(|flag| of_family(flag).unwrap_or(flag)).or(config.benchmark.as_deref()) else {
        return Ok(None);
    };
    let found = catalog.benchmark(wanted).with_context(|| {
        let known: Vec<&str> = catalog.benchmarks.iter().map(|b| b.id.as_str()).collect();
        format!("there is no benchmark `{wanted}`; there are {}", known.join(", "))
    })?;
    Ok(Some(found))
}

/// The benchmarks to show: the one of the flag alone; else of each platform that was read that of the settings, or the
/// newest of CIS.
pub fn shown<'a>(
    catalog: &'a Catalog,
    asked: Option<&'a Benchmark>,
    by_flag: bool,
    snapshot: &Snapshot,
) -> Result<Vec<&'a Benchmark>> {
    if let Some(asked) = asked.filter(|_| by_flag) {
        return Ok(vec![asked]);
    }
    let of = |platform: &str| {
        let own = asked.filter(|benchmark| is_of(benchmark, platform));
        own.or_else(|| catalog.newest(&format!("cis-{platform}")))
    };
    let was_read = |platform: &&str| {
        let mut kinds = snapshot.targets.iter().flat_map(|t| &t.components).map(|c| c.kind.name);
        // A Dockerfile is no part of a host.
        kinds.any(|kind| kind != DOCKERFILE.name && kind.split('.').next() == Some(platform))
            || snapshot.targets.iter().any(|t| t.platform == **platform)
    };
    let found: Vec<&Benchmark> = ["docker", "kubernetes"].into_iter().filter(was_read).filter_map(of).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    Ok(vec![asked.or_else(|| of("docker")).context("the catalogue has no benchmark")?])
}

/// Whether a benchmark is answered by checks of a platform.
fn is_of(benchmark: &Benchmark, platform: &str) -> bool {
    let mut checks = benchmark.controls.iter().flat_map(|control| &control.checks);
    checks.any(|check| check.split('/').next() == Some(platform))
}

/// Keeps the paths that are wanted, and of the threats those that a baseline does not know.
fn narrow(model: &mut Assessment<'_>, paths: &Wanted<'_>, known: Option<&Baseline>) -> Result<()> {
    let ends = [(&paths.from, true), (&paths.to, false)];
    for (names, entry) in ends {
        let there = model.ends(entry);
        if let Some(unknown) = names.iter().find(|n| !there.iter().any(|t| t == *n)) {
            let near = there.iter().filter(|t| strsim::jaro_winkler(t, unknown) > 0.8).take(5);
            let near: Vec<String> = near.map(|t| format!("`{}`", seaworthy_report::one_line(t))).collect();
            let near = if near.is_empty() { String::new() } else { format!("; near it are {}", near.join(", ")) };
            let what = if entry { "no entry and no file" } else { "no jewel" };
            bail!("there is {what} `{}` here{near}", seaworthy_report::one_line(unknown));
        }
    }
    if !paths.from.is_empty() || !paths.to.is_empty() {
        model.retain_paths(|model, path| {
            (paths.from.is_empty() || paths.from.iter().any(|n| model.is_at(path.from, n)))
                && (paths.to.is_empty() || paths.to.iter().any(|n| model.is_at(path.to, n)))
        });
    }
    if let Some(known) = known {
        model.retain_threats(|threat| !known.knows_threat(&threat.fingerprint, threat.status));
    }
    Ok(())
}

/// The checks that were asked for; none: all.
fn chosen(catalog: &Catalog, names: &[String]) -> Result<Option<HashSet<String>>> {
    if names.is_empty() {
        return Ok(None);
    }
    chosen_or_none(catalog, names.iter()).map(Some)
}

/// The checks that names, folders or benchmark ids stand for.
pub fn chosen_or_none<'a>(catalog: &Catalog, names: impl Iterator<Item = &'a String>) -> Result<HashSet<String>> {
    let mut out = HashSet::new();
    for name in names {
        out.extend(catalog.find(name)?.into_iter().map(|c| c.id.clone()));
    }
    Ok(out)
}

/// The gravest of what is found and of what is not known, as a view tells it: findings by severity, threats by impact,
/// paths by their jewel.
fn worst(audit: &Audit<'_>, view: View, model: Option<&Assessment<'_>>) -> (Option<Severity>, Option<Severity>) {
    match (view, model) {
        (View::Threats, Some(model)) => model.worst_threats(),
        (View::Paths, Some(model)) => model.worst_paths(),
        (View::Audit | View::Assess | View::Threats | View::Paths, _) => {
            let unknown = |(i, f): (usize, &Finding)| {
                let outside = f.judgement.reason.as_deref().is_some_and(is_outside_files);
                (f.judgement.verdict == Verdict::Unknown && audit.waived[i].is_none() && !outside)
                    .then(|| audit.check(f).severity)
            };
            (audit.worst(Verdict::Fail), audit.findings.iter().enumerate().filter_map(unknown).max())
        }
    }
}

/// A gate never opens because something could not be read; findings go before what is unknown. Of several targets one
/// that could not be read at all is unknown at every severity.
fn exit(arguments: &AuditArguments, audit: &Audit<'_>, view: View, model: Option<&Assessment<'_>>) -> Exit {
    // What no file can say is no failure to read it.
    let lists = |t: &Target| t.incomplete.values().any(|why| !is_outside_files(why));
    let gaps = audit.snapshot.targets.iter().any(|t| !t.gaps.is_empty() || lists(t));
    let (found, unknown) = worst(audit, view, model);
    if let Some(limit) = arguments.fail_on.and_then(FailOn::severity) {
        if found.is_some_and(|s| s >= limit) {
            return Exit::Findings;
        }
        if !arguments.allow_unknown && unknown.is_some_and(|s| s >= limit) {
            return Exit::Incomplete;
        }
        if !arguments.allow_unknown && audit.snapshot.targets.iter().any(|t| t.components.is_empty()) {
            return Exit::Incomplete;
        }
    }
    if arguments.strict && (gaps || unknown.is_some()) {
        return Exit::Incomplete;
    }
    Exit::Clean
}
