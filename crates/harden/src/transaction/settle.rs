//! What becomes of a transaction afterwards: confirmed, taken back, recovered, forgotten.

use std::path::Path;
use std::time::Duration;

use seaworthy_core::plan::{Action, Plan};
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::event::{Event, Line};
use super::record::{Phase, Record, is_open};
use super::store::{Decision, Lock, Place, Store};
use super::undo::{Taken, Work};
use super::{Look, Site, Tell, apply::Outcome, guard, now_ms, undo};
use crate::engine::Engine;
use crate::host::Daemon;
use crate::{Failure, Host};

/// How long whoever changes something is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// The host that a plan is for.
pub(super) fn host(plan: &Plan, root: &Path, transaction: String, look: Option<&Look>) -> Result<Host, Failure> {
    let engine = super::apply::socket(&plan.target.address).map(Engine::at).transpose()?;
    let pid = look.and_then(|l| l.target.of(&docker::DAEMON).next()).map(|d| d.value("pid"));
    let daemon = match pid {
        Some(Value::Int(pid)) => u32::try_from(*pid).ok().map(|pid| Daemon { pid }),
        _ => None,
    };
    Ok(Host { root: root.to_owned(), engine, daemon, transaction })
}

/// Takes a transaction back that its own process works on.
pub(super) fn take_back(store: &Store, place: &Place, work: &mut Work<'_>, why: &str) -> Result<Taken, Failure> {
    if !place.decide(Decision::Expired)? {
        return Ok(Taken::Not { why: vec!["it was confirmed by another meanwhile".into()] });
    }
    place.release();
    work.note(Event::Expired { why: why.to_owned() });
    let record = Record::read(place)?;
    let taken = undo::take_back(work, &record, false)?;
    if matches!(taken, Taken::Back { .. }) {
        finish(store, place, &work.host);
    }
    Ok(taken)
}

/// Confirms a transaction: it stays.
///
/// # Errors
/// Where nothing awaits confirmation, or it was taken back already.
pub fn confirm(site: Site<'_>, place: &Place, tell: &mut dyn Tell) -> Result<(), Failure> {
    let id = &place.id;
    let _lock = lock(site, place)?;
    let record = Record::read(place)?;
    let too_late = || Failure(format!("transaction {id}: it is too late, it was taken back or is being taken back"));
    match record.phase {
        Phase::Confirmed => {}
        Phase::Awaiting { .. } if !record.is_awaiting() => {
            return Err(Failure(format!("transaction {id}: the time to confirm is over, it will be taken back")));
        }
        Phase::Awaiting { .. } => {}
        Phase::Applying => return Err(Failure(format!("transaction {id}: it ended half-way and will be taken back"))),
        Phase::RollingBack | Phase::RolledBack { .. } => return Err(too_late()),
    }
    if !place.decide(Decision::Confirmed)? {
        return Err(too_late());
    }
    place.release();
    let plan = place.plan()?;
    let host = host(&plan, site.root, id.clone(), None)?;
    let mut work = Work { plan: &plan, journal: place.journal()?, keep: place.keep(), host, tell };
    if !record.lines.iter().any(|l| l.event == Event::Confirmed) {
        work.write(Event::Confirmed)?;
    }
    finish(site.store, place, &work.host);
    Ok(())
}

/// Takes a transaction back, also one that was confirmed long ago, or was taken back before.
///
/// # Errors
/// Where its files cannot be read or written.
pub fn rollback(site: Site<'_>, place: &Place, why: &str, tell: &mut dyn Tell) -> Result<Outcome, Failure> {
    let _lock = lock(site, place)?;
    back(site, place, why, false, tell)
}

/// Takes a transaction back that was not confirmed in time, or that nobody works on any more; none where somebody has
/// confirmed or taken it back meanwhile.
pub(super) fn expire(
    site: Site<'_>,
    place: &Place,
    why: &str,
    tell: &mut dyn Tell,
) -> Result<Option<Outcome>, Failure> {
    let _lock = lock(site, place)?;
    let record = Record::read(place)?;
    if record.is_settled() || record.is_awaiting() {
        return Ok(None);
    }
    back(site, place, why, false, tell).map(Some)
}

/// What a transaction's journal says, or what to do where it says nothing.
fn readable(place: &Place) -> Result<Record, Failure> {
    let dir = place.dir.display();
    Record::read(place).map_err(|why| {
        Failure(format!(
            "transaction {}: {why}, so nothing is taken back: seaworthy harden show {dir}/plan.json says what was there \
             before, and {dir}/keep holds the files; move {dir} away once that is settled",
            place.id
        ))
    })
}

fn lock(site: Site<'_>, place: &Place) -> Result<Lock, Failure> {
    let why = || Failure(format!("transaction {}: another `seaworthy harden` is at work on it", place.id));
    site.store.lock(PATIENCE)?.ok_or_else(why)
}

/// With the lock held.
fn back(site: Site<'_>, place: &Place, why: &str, early: bool, tell: &mut dyn Tell) -> Result<Outcome, Failure> {
    let record = readable(place)?;
    if record.is_pruned {
        return Err(Failure(format!("transaction {}: what was kept for the way back was pruned", place.id)));
    }
    if !record.is_settled() {
        place.decide(Decision::Expired)?;
    }
    let plan = place.plan()?;
    let look = if early { None } else { site.look() };
    let host = host(&plan, site.root, place.id.clone(), look.as_ref())?;
    let mut work = Work { plan: &plan, journal: place.journal()?, keep: place.keep(), host, tell };
    // What was undone before a rollback was cut short, or early at boot, is not undone again when it goes on.
    let goes_on =
        record.phase == Phase::RollingBack && record.lines.iter().any(|l| matches!(l.event, Event::Expired { .. }));
    if !early {
        // Without it a rollback is as good, but for a power cut.
        let _ = guard::over_reboot(site.store, place, &work.host);
    }
    if !goes_on {
        place.release();
        work.note(Event::Expired { why: why.to_owned() });
    }
    let record = Record::read(place)?;
    let id = place.id.clone();
    Ok(match undo::take_back(&mut work, &record, early)? {
        Taken::Back { left } => {
            finish(site.store, place, &work.host);
            Outcome::RolledBack { id, why: why.to_owned(), left }
        }
        Taken::Not { why } => Outcome::Incomplete { id, why },
        Taken::Waits => Outcome::Incomplete { id, why: vec!["what needs the engine waits until it is up".into()] },
    })
}

/// Takes back whatever is neither confirmed nor taken back and on which nobody works: after a crash, a power cut, or the
/// death of its guard. Early at boot only files are put back; what needs the engine waits until it is up.
///
/// # Errors
/// Where files cannot be read or written.
pub fn recover(site: Site<'_>, early: bool, tell: &mut dyn Tell) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    if site.store.places()?.is_empty() {
        return Ok(outcomes);
    }
    let Some(_lock) = site.store.lock(Duration::from_secs(1))? else { return Ok(outcomes) };
    for place in site.store.places()?.into_iter().rev() {
        let record = match readable(&place) {
            Ok(record) => record,
            // What nobody can read keeps nothing else from being taken back.
            Err(_) if !is_open(&place) => continue,
            Err(why) => {
                outcomes.push(Outcome::Incomplete { id: place.id.clone(), why: vec![why.0] });
                continue;
            }
        };
        if record.is_settled() || record.is_awaiting() {
            continue;
        }
        let why = match record.phase {
            Phase::Awaiting { .. } if record.boot == super::boot_id() => "it was not confirmed in time",
            Phase::Awaiting { .. } => "the machine was started again before it was confirmed",
            Phase::Applying => "it ended half-way",
            Phase::RollingBack | Phase::Confirmed | Phase::RolledBack { .. } => "taking it back ended half-way",
        };
        outcomes.push(back(site, &place, why, early, tell).unwrap_or_else(|why| {
            let id = place.id.clone();
            Outcome::Incomplete { id, why: vec![why.0] }
        }));
    }
    Ok(outcomes)
}

/// Gives up the way back of a transaction that is settled: copies of files, and containers that were kept aside.
///
/// # Errors
/// Where it is not settled, or something cannot be removed.
pub fn prune(site: Site<'_>, place: &Place, tell: &mut dyn Tell) -> Result<(), Failure> {
    let _lock = lock(site, place)?;
    let record = Record::read(place)?;
    if !record.is_settled() {
        return Err(Failure(format!("transaction {}: it is neither confirmed nor taken back yet", place.id)));
    }
    let plan = place.plan()?;
    let host = host(&plan, site.root, place.id.clone(), None)?;
    let mut work = Work { plan: &plan, journal: place.journal()?, keep: place.keep(), host, tell };
    // Written first: what is pruned half-way must not be taken for a way back.
    if !record.is_pruned {
        work.write(Event::Pruned)?;
    }
    for (number, change) in &record.changes {
        if matches!(plan.changes.get(*number).map(|c| &c.action), Some(Action::Recreate(_))) {
            crate::act::recreate::prune(&work.host, &change.undo)?;
        }
    }
    // It is there for the way back alone.
    let _ = std::fs::remove_file(place.dir.join(guard::PROGRAM));
    let keep = place.dir.join("keep");
    match std::fs::remove_dir_all(&keep) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure(format!("remove {}: {error}", keep.display())))
        }
        _ => Ok(()),
    }
}

/// Takes the guard away, and its units where nothing else needs them. What fails here harms nobody: a guard that finds
/// nothing to do goes by itself.
pub(super) fn finish(store: &Store, place: &Place, host: &Host) {
    place.release();
    guard::disarm(store, place, host);
}

/// One line of JSON for the system's log, where there is one.
pub(super) fn log(event: &Event) {
    use std::os::unix::net::UnixDatagram;
    let line = Line { at: now_ms(), event: event.told() };
    let Ok(text) = serde_json::to_string(&line) else { return };
    let Ok(socket) = UnixDatagram::unbound() else { return };
    let _ = socket.set_nonblocking(true);
    // Facility user, severity notice.
    let _ = socket.send_to(format!("<13>seaworthy[{}]: {text}", std::process::id()).as_bytes(), "/dev/log");
}
