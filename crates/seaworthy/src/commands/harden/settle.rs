//! `harden confirm | rollback | status | history`, and what the guard and the units at boot run.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use seaworthy_catalog::Catalog;
use seaworthy_core::plan::Plan;
use seaworthy_harden::Failure;
use seaworthy_harden::transaction::{self, Eyes, Outcome, Phase, Place, Record, Silent, Site, Store, Tell};
use seaworthy_report::one_line;
use serde_json::{Value, json};

use super::eyes::Live;
use super::told::{Json, Lines, clock, moment, span};
use crate::arguments::transaction::{
    HistoryArguments, SettleArguments, StateArguments, TransactionFormat, WatchArguments,
};
use crate::config::Config;
use crate::exit::Exit;

/// How long one request to the engine may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn failed(failure: Failure) -> anyhow::Error {
    anyhow!("{failure}")
}

fn live(plan: &Plan) -> Live {
    Live { target: plan.target.clone(), timeout: TIMEOUT, catalog: Catalog::embedded(), config: Config::default() }
}

fn needs_root(store: &Store) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!("{}: only root may read what was changed: run it as root", store.dir().display());
}

/// Says what is waited for, where somebody is at work.
fn waits(store: &Store) {
    if store.is_locked() {
        let _ = writeln!(std::io::stderr().lock(), "seaworthy: another `seaworthy harden` is at work: waiting for it");
    }
}

/// Confirms a transaction.
pub fn confirm(arguments: &SettleArguments) -> Result<Exit> {
    let store = Store::at(&arguments.state.state);
    needs_root(&store)?;
    let place = chosen(&store, arguments.id.as_deref(), Record::is_awaiting, "awaits confirmation")?;
    let site = Site { store: &store, root: Path::new("/"), eyes: None };
    let plan = place.plan().map_err(failed)?;
    waits(&store);
    with_tell(arguments.state.format, Some(&plan), |tell| transaction::confirm(site, &place, tell)).map_err(failed)?;
    let id = &place.id;
    told(arguments.state.format, &json!({ "event": "ended", "outcome": "confirmed", "transaction": id }), || {
        print(&format!(" Confirmed: it stays. Undo: seaworthy harden rollback {id}"));
    });
    Ok(Exit::Clean)
}

/// Takes a transaction back.
pub fn rollback(arguments: &SettleArguments) -> Result<Exit> {
    let store = Store::at(&arguments.state.state);
    needs_root(&store)?;
    let open = |record: &Record| !record.is_settled();
    let place = chosen(&store, arguments.id.as_deref(), open, "is open")?;
    let plan = place.plan().map_err(failed)?;
    let live = live(&plan);
    waits(&store);
    let site = Site { store: &store, root: Path::new("/"), eyes: Some(&live) };
    let outcome =
        with_tell(arguments.state.format, Some(&plan), |tell| transaction::rollback(site, &place, "asked for", tell));
    let outcome = outcome.map_err(failed)?;
    told(arguments.state.format, &outcome_json(&outcome), || say(&outcome, false));
    let exit = exit(&outcome, false);
    if arguments.state.format == TransactionFormat::Text && exit == Exit::Clean {
        prove(&plan, &live);
    }
    Ok(exit)
}

/// Says what is in effect after a rollback.
fn prove(plan: &Plan, live: &Live) {
    let Ok(look) = live.look() else {
        print("   What is in effect now cannot be read: seaworthy assess says why.");
        return;
    };
    let findings = transaction::Findings::of(&look);
    for expected in &plan.expects {
        let finding = &expected.finding;
        let verdict = findings.find(finding).map_or("not found any more", |f| f.verdict.word());
        print(&format!("   in effect now: {} ({}) {verdict}", finding.check, one_line(&finding.component)));
    }
}

/// Says what is going on, after taking back what was left half-way.
pub fn status(arguments: &StateArguments) -> Result<Exit> {
    let store = Store::at(&arguments.state);
    needs_root(&store)?;
    // What cannot be taken back now is shown as it is.
    if let Err(why) = recovered(&store, arguments.format) {
        let _ = writeln!(std::io::stderr().lock(), "seaworthy: {}", one_line(&format!("{why:#}")));
    }
    let all = transactions(&store)?;
    let open: Vec<&Told> = all.iter().filter(|told| told.is_open()).collect();
    let shown: Vec<&Told> = if open.is_empty() { all.last().into_iter().collect() } else { open };
    show(&shown, arguments.format);
    let is_awaiting = |told: &&Told| told.record.as_ref().is_ok_and(Record::is_awaiting);
    Ok(match shown.iter().filter(|told| told.is_open()).count() {
        0 => Exit::Clean,
        n if shown.iter().filter(|told| is_awaiting(told)).count() == n => Exit::Awaiting,
        _ => Exit::RollbackIncomplete,
    })
}

fn show(shown: &[&Told], format: TransactionFormat) {
    match format {
        TransactionFormat::Json => {
            let all: Vec<Value> = shown.iter().map(|told| told.json()).collect();
            print(&json!({ "transactions": all }).to_string());
        }
        TransactionFormat::Text if shown.is_empty() => print(" Nothing was ever changed here."),
        TransactionFormat::Text => shown.iter().for_each(|told| told.describe()),
    }
}

/// Lists every transaction, or gives up the way back of one.
pub fn history(arguments: &HistoryArguments) -> Result<Exit> {
    let store = Store::at(&arguments.state.state);
    needs_root(&store)?;
    if let Some(id) = &arguments.prune {
        let place = store.find(id).map_err(failed)?;
        let site = Site { store: &store, root: Path::new("/"), eyes: None };
        transaction::prune(site, &place, &mut Silent).map_err(failed)?;
        print(&format!(" Pruned {}: it can no longer be taken back.", place.id));
        return Ok(Exit::Clean);
    }
    if let Err(why) = recovered(&store, arguments.state.format) {
        let _ = writeln!(std::io::stderr().lock(), "seaworthy: {}", one_line(&format!("{why:#}")));
    }
    let all = transactions(&store)?;
    show(&all.iter().collect::<Vec<_>>(), arguments.state.format);
    Ok(Exit::Clean)
}

/// What the guard runs.
pub fn guard(arguments: &WatchArguments) -> Result<Exit> {
    let store = Store::at(&arguments.state);
    let place = store.find(&arguments.id).map_err(failed)?;
    let live = live(&place.plan().map_err(failed)?);
    let site = Site { store: &store, root: Path::new("/"), eyes: Some(&live) };
    transaction::watch(site, &place, &mut Silent).map_err(failed)?;
    Ok(Exit::Clean)
}

/// What the units at boot run.
pub fn recover(state: &Path, early: bool) -> Result<Exit> {
    let store = Store::at(state);
    let outcomes = recover_all(&store, early, &mut Silent)?;
    let incomplete = outcomes.iter().any(|o| exit(o, false) != Exit::Clean);
    // Early at boot what needs the engine is left to the later unit: that is no failure.
    Ok(if incomplete && !early { Exit::RollbackIncomplete } else { Exit::Clean })
}

fn recover_all(store: &Store, early: bool, tell: &mut dyn Tell) -> Result<Vec<Outcome>> {
    let open = transactions(store)?.into_iter().find(Told::is_left);
    let Some(open) = open else { return Ok(Vec::new()) };
    let plan = if early { None } else { Some(open.place.plan().map_err(failed)?) };
    let live = plan.as_ref().map(live);
    let eyes = live.as_ref().map(|live| live as &dyn Eyes);
    let site = Site { store, root: Path::new("/"), eyes };
    transaction::recover(site, early, tell).map_err(failed)
}

/// Takes back what was left half-way, and says so.
fn recovered(store: &Store, format: TransactionFormat) -> Result<()> {
    let open = transactions(store)?.into_iter().find(Told::is_left);
    let Some(open) = open else { return Ok(()) };
    // A guard that lives is at it, or will be in a moment.
    if open.place.is_guarded() {
        return Ok(());
    }
    let plan = open.place.plan().map_err(failed)?;
    let outcomes = match format {
        TransactionFormat::Text => recover_all(store, false, &mut Lines::of(Some(&plan), false))?,
        TransactionFormat::Json => recover_all(store, false, &mut Silent)?,
    };
    if format == TransactionFormat::Text {
        outcomes.iter().for_each(|outcome| say(outcome, false));
    }
    Ok(())
}

/// A transaction, whether or not its journal can be read.
struct Told {
    place: Place,
    record: Result<Record, Failure>,
}

/// Every transaction, the oldest first.
fn transactions(store: &Store) -> Result<Vec<Told>> {
    let places = store.places().map_err(failed)?.into_iter();
    Ok(places.map(|place| Told { record: Record::read(&place), place }).collect())
}

impl Told {
    /// Whether it has to be decided or taken back yet, or nobody can tell.
    fn is_open(&self) -> bool {
        self.record.as_ref().map_or_else(|_| transaction::is_open(&self.place), |record| !record.is_settled())
    }

    /// Whether it was left half-way.
    fn is_left(&self) -> bool {
        self.record.as_ref().is_ok_and(|record| !record.is_settled() && !record.is_awaiting())
    }

    /// What is to be said of one whose journal cannot be read.
    fn damage(&self, why: &Failure) -> String {
        let (id, dir) = (&self.place.id, self.place.dir.display());
        if self.is_open() {
            format!(
                "damaged: {why}: what it has changed is not known; what it was to change: seaworthy harden show \
                 {dir}/plan.json; the files before it: {dir}/keep; move {dir} away once that is settled"
            )
        } else {
            format!("confirmed, and in force; it can no longer be taken back by its id {id}, as it is damaged: {why}")
        }
    }

    fn json(&self) -> Value {
        match &self.record {
            Ok(record) => record_json(record),
            Err(why) => json!({ "transaction": self.place.id, "state": "damaged", "line": self.damage(why) }),
        }
    }

    fn describe(&self) {
        match &self.record {
            Ok(record) => describe(record),
            Err(why) => print(&format!(" {}  {}", self.place.id, one_line(&self.damage(why)))),
        }
    }
}

/// The transaction that is named, or the one that fits.
fn chosen(store: &Store, id: Option<&str>, fits: impl Fn(&Record) -> bool, what: &str) -> Result<Place> {
    if let Some(id) = id {
        return store.find(id).map_err(failed);
    }
    let records = transactions(store)?.into_iter().filter_map(|told| told.record.ok());
    let mut fitting = records.filter(|r| fits(r));
    match (fitting.next(), fitting.next()) {
        (Some(record), None) => Ok(record.place),
        (None, _) => bail!("no transaction {what}: name one of seaworthy harden history"),
        (Some(_), Some(_)) => bail!("more than one transaction {what}: name one of seaworthy harden history"),
    }
}

fn with_tell<T>(format: TransactionFormat, plan: Option<&Plan>, work: impl FnOnce(&mut dyn Tell) -> T) -> T {
    match format {
        TransactionFormat::Text => work(&mut Lines::of(plan, false)),
        TransactionFormat::Json => work(&mut Json),
    }
}

fn told(format: TransactionFormat, json: &Value, text: impl FnOnce()) {
    match format {
        TransactionFormat::Text => text(),
        TransactionFormat::Json => print(&json.to_string()),
    }
}

/// The exit code of an outcome; a rollback that was asked for and done is no failure.
pub fn exit(outcome: &Outcome, failed: bool) -> Exit {
    match outcome {
        Outcome::Refused(_) => Exit::Refused,
        Outcome::Awaiting { .. } | Outcome::Committed { .. } => Exit::Clean,
        Outcome::RolledBack { left, .. } if !left.is_empty() => Exit::RollbackIncomplete,
        Outcome::RolledBack { .. } if failed => Exit::RolledBack,
        Outcome::RolledBack { .. } => Exit::Clean,
        Outcome::Incomplete { .. } => Exit::RollbackIncomplete,
    }
}

/// An outcome for a program.
pub fn outcome_json(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Refused(why) => json!({ "event": "ended", "outcome": "refused", "why": why }),
        Outcome::Awaiting { id, until } => {
            json!({ "event": "ended", "outcome": "awaiting", "transaction": id, "until": until })
        }
        Outcome::Committed { id } => json!({ "event": "ended", "outcome": "committed", "transaction": id }),
        Outcome::RolledBack { id, why, left } => {
            json!({ "event": "ended", "outcome": "rolled-back", "transaction": id, "why": why, "left": left })
        }
        Outcome::Incomplete { id, why } => {
            json!({ "event": "ended", "outcome": "incomplete", "transaction": id, "why": why })
        }
    }
}

/// An outcome for a person.
pub fn say(outcome: &Outcome, quiet: bool) {
    if quiet {
        return;
    }
    match outcome {
        Outcome::RolledBack { id, left, .. } if left.is_empty() => {
            print(&format!(" Taken back ({id}): everything is as it was before."));
        }
        Outcome::RolledBack { id, left, .. } => {
            print(&format!(" Taken back ({id}), but for what others have changed since, which was left:"));
            left.iter().for_each(|l| print(&format!("   {}", one_line(l))));
        }
        Outcome::Incomplete { id, why } => {
            print(&format!(" Not everything could be taken back ({id}); again: seaworthy harden rollback {id}"));
            why.iter().for_each(|l| print(&format!("   {}", one_line(l))));
        }
        Outcome::Refused(_) | Outcome::Awaiting { .. } | Outcome::Committed { .. } => {}
    }
}

/// What became of a transaction, in a word and a line.
fn state(record: &Record) -> (&'static str, String) {
    let id = &record.place.id;
    match &record.phase {
        Phase::Awaiting { boottime, .. } if record.is_awaiting() => {
            let left = boottime.saturating_sub(transaction::boottime());
            // By the clock as it is now: somebody may have set it since.
            let by = clock(jiff::Timestamp::now().as_second().saturating_add_unsigned(left));
            let left = span(left);
            ("awaiting", format!("awaits confirmation for {left}, by {by}: seaworthy harden confirm {id}"))
        }
        Phase::Applying | Phase::Awaiting { .. } | Phase::RollingBack if is_at_work(record) => {
            ("working", "is at work, or is being taken back".to_owned())
        }
        Phase::Applying | Phase::Awaiting { .. } => {
            ("interrupted", format!("ended half-way: seaworthy harden rollback {id}"))
        }
        Phase::RollingBack => ("incomplete", format!("is not wholly taken back: seaworthy harden rollback {id}")),
        Phase::Confirmed => ("confirmed", "confirmed, and in force".to_owned()),
        Phase::RolledBack { left } if left.is_empty() => ("rolled-back", "taken back".to_owned()),
        Phase::RolledBack { left } => {
            ("rolled-back", format!("taken back, but for {} that others changed", left.len()))
        }
    }
}

/// Whether somebody is at work on it, or will be in a moment. A guard that could not take everything back tries again once
/// a minute: in between nobody is.
fn is_at_work(record: &Record) -> bool {
    let guarded = record.phase != Phase::RollingBack && record.place.is_guarded();
    guarded || record.place.store().is_locked()
}

fn record_json(record: &Record) -> Value {
    let (word, line) = state(record);
    let plan = record.place.plan().ok();
    let changes = plan.as_ref().map(|plan| {
        let title = |(n, c): (usize, &seaworthy_core::plan::Change)| {
            let change = record.changes.get(&n);
            json!({ "title": c.title, "done": change.is_some_and(|c| c.is_done), "undone": change.is_some_and(|c| c.undone.is_some()) })
        };
        plan.changes.iter().enumerate().map(title).collect::<Vec<_>>()
    });
    json!({
        "transaction": record.place.id,
        "begun": record.begun / 1000,
        "state": word,
        "line": line,
        "plan": plan.map(|p| p.id),
        "changes": changes,
        "failures": record.failures,
        "pruned": record.is_pruned,
    })
}

fn describe(record: &Record) {
    let (_, line) = state(record);
    let pruned = if record.is_pruned { "; the way back was pruned" } else { "" };
    print(&format!(" {}  {}  {line}{pruned}", record.place.id, moment(record.begun / 1000)));
    let plan = record.place.plan().ok();
    for change in plan.iter().flat_map(|p| &p.changes).take(40) {
        print(&format!("     {:<13}{}", change.action.word(), one_line(&change.title)));
    }
    if !matches!(record.phase, Phase::Confirmed) {
        record.failures.iter().for_each(|why| print(&format!("     failed       {}", one_line(why))));
    }
}

/// Prints a line; nobody may be listening any more, which stops nothing.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
