//! Carrying a plan out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use seaworthy_core::plan::{Change, Place as Where, Plan};
use seaworthy_core::remedy::Safety;
use seaworthy_core::schema::docker;

use super::event::Event;
use super::record::{Phase, Record, is_open};
use super::settle::{finish, host};
use super::store::{Decision, Place, Store};
use super::undo::Work;
use super::{Look, Site, Tell, boot_id, boottime, guard, now_ms, proof};
use crate::act::{Act, Effect, Refusal, Stage, act, together};
use crate::files::Room;
use crate::{Failure, Host};

/// How long another that changes something is waited for before it is said that there is one.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is carried out, and how.
pub struct Apply<'a> {
    /// Where transactions are kept, and which host it is.
    pub site: Site<'a>,
    /// The plan.
    pub plan: &'a Plan,
    /// This program, as the guard runs it.
    pub program: PathBuf,
    /// How long a confirmation is awaited; zero: it stays at once.
    pub confirm_within: Duration,
    /// Whether what restarts or stops something may be done.
    pub disruptive: bool,
    /// Set by whoever wants it to stop: what was changed by then is taken back.
    pub stop: &'a AtomicBool,
}

impl Apply<'_> {
    /// Why it goes no further, where it is not to.
    fn stopped(&self) -> Result<(), String> {
        if self.stop.load(Ordering::Relaxed) { Err("told to stop (by ^C or a signal)".into()) } else { Ok(()) }
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was changed.
    Refused(String),
    /// Everything is in effect and awaits confirmation.
    Awaiting {
        /// The transaction.
        id: String,
        /// Until when, in seconds since 1970-01-01 UTC.
        until: i64,
    },
    /// Everything is in effect and stays.
    Committed {
        /// The transaction.
        id: String,
    },
    /// Something failed, and everything was taken back but what others have changed since.
    RolledBack {
        /// The transaction.
        id: String,
        /// What failed.
        why: String,
        /// What was left.
        left: Vec<String>,
    },
    /// Something failed, and not everything could be taken back.
    Incomplete {
        /// The transaction.
        id: String,
        /// What failed, and what could not be undone.
        why: Vec<String>,
    },
}

/// Carries a plan out: wholly, or not at all.
///
/// # Errors
/// Where the transaction's own files cannot be written or read; what was changed by then is taken back by the guard or
/// the next command.
pub fn apply(apply: &Apply<'_>, tell: &mut dyn Tell) -> Result<Outcome, Failure> {
    let refused = |why: String| Ok(Outcome::Refused(why));
    let store = apply.site.store;
    let before = |why: Failure| format!("nothing was changed: {why}");
    let _lock = match store.make().and_then(|()| store.lock(PATIENCE)) {
        Ok(Some(lock)) => lock,
        Ok(None) => {
            let why = "another `seaworthy harden` is changing something: wait for it (seaworthy harden status)";
            return refused(why.into());
        }
        Err(why) => return refused(before(why)),
    };
    match unsettled(store) {
        Ok(None) => {}
        Ok(Some(why)) => return refused(why),
        Err(why) => return refused(before(why)),
    }
    if let Err(refusal) = may(apply) {
        return refused(refusal.to_string());
    }
    let Some(eyes) = apply.site.eyes else { return refused("the host cannot be seen".into()) };
    let look = match eyes.look() {
        Ok(look) => look,
        Err(why) => return refused(format!("the host cannot be seen: {why}")),
    };
    if let Err(refusal) = fits(apply, &look) {
        return refused(refusal.to_string());
    }
    let host = host(apply.plan, apply.site.root, String::new(), Some(&look))?;
    let acts = match checked(apply.plan, &host) {
        Ok(acts) => acts,
        Err(why) => return refused(why),
    };
    let mut told = Vec::new();
    if let Some(rehearsed) = crate::rehearse::rehearse(apply.plan, &host) {
        match rehearsed {
            Ok(event) => {
                tell.tell(&event);
                told.push(event);
            }
            Err(why) => return refused(format!("the rehearsal failed, nothing was changed: {why}")),
        }
    }
    if let Err(why) = apply.stopped() {
        return refused(format!("{why}: nothing was changed"));
    }
    let (place, journal) = match store.begin(apply.plan, begin(apply)) {
        Ok(begun) => begun,
        Err(why) => return refused(before(why)),
    };
    let host = Host { transaction: place.id.clone(), ..host };
    let mut work = Work { plan: apply.plan, journal, keep: place.keep(), host, tell };
    for event in told {
        work.journal.write(event)?;
    }
    run(apply, &place, &mut work, &acts, &look)
}

fn begin(apply: &Apply<'_>) -> Event {
    Event::Begin {
        plan: apply.plan.id.clone(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        boot: boot_id(),
        confirm_within: apply.confirm_within.as_secs(),
    }
}

/// Why nothing may be begun: an earlier transaction is neither confirmed nor taken back.
fn unsettled(store: &Store) -> Result<Option<String>, Failure> {
    for place in store.places()? {
        let id = &place.id;
        let record = match Record::read(&place) {
            Ok(record) => record,
            Err(_) if !is_open(&place) => continue,
            Err(why) => {
                let dir = place.dir.display();
                return Ok(Some(format!(
                    "whether transaction {id} is over cannot be told ({why}): look at what it was to change (seaworthy \
                     harden show {dir}/plan.json), then move {dir} away"
                )));
            }
        };
        let why = match &record.phase {
            Phase::Confirmed | Phase::RolledBack { .. } => continue,
            Phase::Awaiting { .. } if record.is_awaiting() => format!(
                "transaction {id} awaits confirmation: seaworthy harden confirm {id}, or seaworthy harden rollback {id}"
            ),
            Phase::Applying | Phase::RollingBack | Phase::Awaiting { .. } => {
                format!("transaction {id} ended half-way and must be taken back first: seaworthy harden rollback {id}")
            }
        };
        return Ok(Some(why));
    }
    Ok(None)
}

/// Whether the plan is for what is seen.
fn fits(apply: &Apply<'_>, look: &Look) -> Result<(), Refusal> {
    let Where { host, engine, .. } = &apply.plan.target;
    let fact = |kind, name| {
        let component = look.target.of(kind).next();
        component.and_then(|c| c.value(name).as_str().map(ToOwned::to_owned))
    };
    let is = [fact(&docker::HOST, "machine"), fact(&docker::DAEMON, "engine_id")];
    for (planned, is, what) in [(host, &is[0], "host"), (engine, &is[1], "engine")] {
        match (planned, is) {
            (None, _) => {
                return Err(Refusal::Refused(format!(
                    "the plan does not say which {what} it is for, since that could not be read when it was made: plan on the host itself, as root"
                )));
            }
            (Some(_), None) => {
                return Err(Refusal::Refused(format!(
                    "whether this is the plan's {what} cannot be read here: run it on the host itself, as root"
                )));
            }
            (Some(planned), Some(is)) if planned != is => {
                return Err(Refusal::Refused(format!("the plan is for another {what}: plan on this one")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a plan like this may be carried out at all.
fn may(apply: &Apply<'_>) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::Refused(why.to_owned()));
    if apply.plan.target.demo {
        return refuse("the plan is of the demonstration, whose host is not here: plan on the host itself");
    }
    if apply.plan.changes.is_empty() {
        return refuse("the plan changes nothing");
    }
    let grave = |safety| apply.plan.changes.iter().find(|c| c.safety == safety).map(|c| c.title.as_str());
    if let Some(title) = grave(Safety::Manual) {
        return Err(Refusal::Refused(format!("`{title}` is a person's to do")));
    }
    if let (Some(title), false) = (grave(Safety::Disruptive), apply.disruptive) {
        return Err(Refusal::Refused(format!("`{title}` is disruptive: --allow-disruptive says that it may be done")));
    }
    Ok(())
}

/// Every change with how it is done, all of them checked; what stands against it names everything that has moved.
fn checked<'p>(plan: &'p Plan, host: &Host) -> Result<Vec<Box<dyn Act + 'p>>, String> {
    let (mut acts, mut stale, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for Change { action, title, .. } in &plan.changes {
        let checked = act(action).and_then(|act| act.check(host).map(|()| act));
        match checked {
            Ok(act) => acts.push(act),
            Err(Refusal::Stale(what)) => stale.push(what),
            Err(Refusal::Refused(why)) => refused.push(format!("{title}: {why}")),
        }
    }
    if !refused.is_empty() {
        return Err(refused.join("; "));
    }
    if !stale.is_empty() {
        return Err(format!("the plan is stale, plan again: {}", stale.join("; ")));
    }
    let actions: Vec<_> = plan.changes.iter().map(|change| &change.action).collect();
    together(&actions, host).map_err(|refusal| refusal.to_string())?;
    Ok(acts)
}

/// From the first thing that is written to the end.
fn run(
    apply: &Apply<'_>,
    place: &Place,
    work: &mut Work<'_>,
    acts: &[Box<dyn Act + '_>],
    look: &Look,
) -> Result<Outcome, Failure> {
    let id = place.id.clone();
    let until = now_ms() / 1000 + i64::try_from(apply.confirm_within.as_secs()).unwrap_or(i64::MAX / 2000);
    // Nothing is changed yet: what fails here leaves nothing to undo.
    let prepared = prepared(work, acts).and_then(|undo| {
        let by = guard::arm(apply.site.store, place, &apply.program, apply.confirm_within, &work.host)?;
        Ok((undo, by))
    });
    let (undo, by) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            place.decide(Decision::Expired)?;
            place.release();
            work.write(Event::Failed { change: None, why: failure.0.clone() })?;
            work.write(Event::RolledBack { left: Vec::new() })?;
            finish(apply.site.store, place, &work.host);
            return Ok(Outcome::Refused(format!("nothing was changed: {failure}")));
        }
    };
    work.write(Event::Checked {
        line: format!("{} may be made, and nothing has moved since the plan", crate::count(acts.len(), "change")),
    })?;
    work.write(Event::Armed { by: by.to_owned(), until })?;
    let done = all(apply, work, acts, undo);
    let prove = || proof::prove(apply.plan, look, apply.site.eyes, &|| apply.stopped());
    let proven = done.and_then(|()| prove().map_err(|why| (None, why)));
    match proven {
        Ok(proof::Proven { passed, pending, containers }) => {
            work.write(Event::Proven { passed, pending, containers })?;
            settle(apply, place, work)
        }
        Err((change, why)) => {
            work.note(Event::Failed { change, why: why.clone() });
            let taken = super::settle::take_back(apply.site.store, place, work, &why)?;
            Ok(match taken {
                super::undo::Taken::Back { left } => Outcome::RolledBack { id, why, left },
                super::undo::Taken::Not { why: not } => {
                    Outcome::Incomplete { id, why: std::iter::once(why).chain(not).collect() }
                }
                super::undo::Taken::Waits => Outcome::Incomplete { id, why: vec![why] },
            })
        }
    }
}

/// A change that is about to be made.
struct Prepared {
    /// What undo needs; none where it is only known once the changes before it are made.
    undo: Option<serde_json::Value>,
    /// The room that it needs, held until it is made.
    room: Vec<Room>,
}

/// Copies of all files, and the room for them and for their way back, before the first is written.
fn prepared(work: &mut Work<'_>, acts: &[Box<dyn Act + '_>]) -> Result<Vec<Prepared>, Failure> {
    let mut prepared = Vec::with_capacity(acts.len());
    for act in acts {
        let early = act.stage() == Stage::Files;
        let undo = if early { Some(act.prepare(&work.host, &mut work.keep)?) } else { None };
        let room =
            act.room(&work.host).iter().map(|(path, bytes)| Room::beside(path, *bytes)).collect::<Result<_, _>>()?;
        prepared.push(Prepared { undo, room });
    }
    Ok(prepared)
}

type Failed = (Option<usize>, String);

/// Makes every change, in order; the first that fails ends it.
fn all(
    apply: &Apply<'_>,
    work: &mut Work<'_>,
    acts: &[Box<dyn Act + '_>],
    prepared: Vec<Prepared>,
) -> Result<(), Failed> {
    for ((number, act), Prepared { undo, room }) in acts.iter().enumerate().zip(prepared) {
        apply.stopped().map_err(|why| (Some(number), why))?;
        let failed = |failure: Failure| (Some(number), failure.0);
        let began = Instant::now();
        work.tell.busy(number, "changing");
        let undo = match undo {
            Some(undo) => undo,
            None => act.prepare(&work.host, &mut work.keep).map_err(failed)?,
        };
        work.write(Event::Intent { change: number, undo: undo.clone() }).map_err(failed)?;
        drop(room);
        act.apply(&work.host, &undo).map_err(failed)?;
        let pending = match act.verify(&work.host, &undo).map_err(failed)? {
            Effect::InEffect => None,
            Effect::Pending(what) => Some(what),
        };
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        work.write(Event::Done { change: number, pending, notes: act.notes(&undo), took }).map_err(failed)?;
    }
    Ok(())
}

/// Everything is in effect: it stays, or waits to be confirmed.
fn settle(apply: &Apply<'_>, place: &Place, work: &mut Work<'_>) -> Result<Outcome, Failure> {
    let id = place.id.clone();
    if apply.confirm_within.is_zero() {
        if !place.decide(Decision::Confirmed)? {
            return Ok(Outcome::Incomplete { id, why: vec!["it was taken back by another meanwhile".into()] });
        }
        work.write(Event::Applied { until: None, boottime: None })?;
        work.write(Event::Confirmed)?;
        finish(apply.site.store, place, &work.host);
        return Ok(Outcome::Committed { id });
    }
    let seconds = apply.confirm_within.as_secs();
    let until = now_ms() / 1000 + i64::try_from(seconds).unwrap_or(i64::MAX / 2000);
    work.write(Event::Applied { until: Some(until), boottime: Some(boottime().saturating_add(seconds)) })?;
    Ok(Outcome::Awaiting { id, until })
}

/// The socket of an engine's address; none where it is no Unix socket.
pub(super) fn socket(address: &str) -> Option<&Path> {
    address.strip_prefix("unix://").map(Path::new)
}
