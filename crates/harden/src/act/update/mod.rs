//! `docker update` of a container's limits, judged by what the kernel limits and not by what the engine answers.
//!
//! A field that the engine ignores is answered with 200 like one that it carries out. So everything is read back: from
//! `inspect`, and for a container that runs from its control group. Undoing is judged the same way. It cannot always
//! bring back what `inspect` showed: no limit of memory becomes the greatest there is, no quota -1, no number of
//! processes 0. Those are the same limits, that is none, and stay so when the container starts again. Where systemd's own
//! limit of processes held for want of another, its number is given back to a container that ran; to one that did not,
//! no limit.

mod cgroup;
mod config;

use seaworthy_core::plan::{SetField, Update};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Act, Effect, Refusal, Stage, Undone};
use crate::engine::{Engine, segment};
use crate::files::Keep;
use crate::{At as _, Failure, Host, count};

use cgroup::Seen;
use config::{Config, Field};

/// The least memory that the engine accepts, in bytes.
const LEAST_MEMORY: i64 = 6 << 20;
/// The least CPU time, in thousandths of a CPU.
const LEAST_CPUS: i64 = 10;

/// What undo needs.
#[derive(Debug, Serialize, Deserialize)]
struct Before {
    /// The limits as they were configured.
    config: Config,
    /// As the kernel had them; none where it did not run.
    seen: Option<Seen>,
    /// The limits as they are configured afterwards.
    made: Config,
    /// The limits as they are given back.
    back: Config,
}

/// A container as it is now.
struct Now {
    config: Config,
    seen: Option<Seen>,
    inspect: Value,
}

impl Act for Update {
    fn check(&self, host: &Host) -> Result<(), Refusal> {
        let fields = fields(self)?;
        let Some(now) = now(self, host)? else {
            return Err(Refusal::Stale(format!("container {} is gone", named(self))));
        };
        let refused = |why: String| Err(Refusal::Refused(format!("container {}: {why}", named(self))));
        let state = |name: &str| now.inspect["State"][name].as_bool() == Some(true);
        if state("Dead") || now.inspect["State"]["Status"] == "removing" {
            return refused("it is being removed".into());
        }
        if let Some(service) = now.inspect["Config"]["Labels"]["com.docker.swarm.service.name"].as_str() {
            return refused(format!(
                "it is a task of the swarm, which replaces it: docker service update --limit-memory … {service:?}"
            ));
        }
        if fields.contains(&Field::Restart) && now.inspect["HostConfig"]["AutoRemove"].as_bool() == Some(true) {
            return refused("it is removed when it ends (--rm), so that the engine gives it no restart policy".into());
        }
        now.config.with(&self.set, true)?;
        let info = engine(host)?.get("/info")?;
        for (field, set) in fields.iter().zip(&self.set) {
            if !was(set, *field, &now) {
                let name = field.name();
                return Err(Refusal::Stale(format!("container {}: {name} is {} now", named(self), says(*field, &now))));
            }
            possible(set, *field, &now, &info).or_else(refused)?;
        }
        Ok(())
    }

    fn prepare(&self, host: &Host, _keep: &mut Keep) -> Result<Value, Failure> {
        let now = now(self, host)?.ok_or_else(|| Failure(format!("container {} is gone", named(self))))?;
        let swap = engine(host)?.get("/info")?["SwapLimit"].as_bool().unwrap_or(true);
        let made = now.config.with(&self.set, swap)?;
        let mut back = now.config.clone();
        // Systemd limits the processes of what it runs where nothing is configured; no limit would be more than before.
        if let (None, Some(default)) = (back.pids(), now.seen.as_ref().and_then(|seen| seen.pids.own)) {
            back.pids = i64::try_from(default).unwrap_or(0);
        }
        let before = Before { config: now.config, seen: now.seen, made, back };
        serde_json::to_value(before).at(|| "write down limits".into())
    }

    fn apply(&self, host: &Host, undo: &Value) -> Result<(), Failure> {
        let before = before(undo)?;
        send(self, host, &before.made.request(&fields(self)?))
    }

    fn verify(&self, host: &Host, undo: &Value) -> Result<Effect, Failure> {
        let before = before(undo)?;
        let now = now(self, host)?.ok_or_else(|| Failure(format!("container {} is gone", named(self))))?;
        for field in fields(self)? {
            let (name, container) = (field.name(), named(self));
            if !before.made.same(&now.config, field) {
                let what = "the engine said that it was done and ignored it";
                return Err(Failure(format!("{name} of container {container}: {what}; it is {}", says(field, &now))));
            }
            if !now.seen.as_ref().is_none_or(|seen| before.made.holds(seen, field)) {
                let what = "the engine shows it as set, and its control group does not hold it";
                return Err(Failure(format!("{name} of container {container}: {what}; it is {}", says(field, &now))));
            }
        }
        Ok(Effect::InEffect)
    }

    fn undo(&self, host: &Host, _keep: &Keep, undo: &Value) -> Result<Undone, Failure> {
        let (before, fields) = (before(undo)?, fields(self)?);
        let Some(now) = now(self, host)? else {
            return Ok(Undone::Drifted(vec![format!("container {} is gone", named(self))]));
        };
        let (ours, others) = sort(&fields, &before, &now);
        for body in before.back.give_back(&ours).iter().filter(|_| !ours.is_empty()) {
            send(self, host, body)?;
        }
        if !ours.is_empty() {
            let after = self::now(self, host)?.ok_or_else(|| Failure(format!("container {} is gone", named(self))))?;
            if let Some(field) = ours.iter().find(|field| !is_back(**field, &before, &after)) {
                let (name, container) = (field.name(), named(self));
                let is = says(*field, &after);
                return Err(Failure(format!(
                    "{name} of container {container} was given back and is {is} all the same"
                )));
            }
        }
        let drifted = |field: &Field| format!("{} of container {}: {}", field.name(), named(self), says(*field, &now));
        Ok(match (others.is_empty(), ours.is_empty()) {
            (false, _) => Undone::Drifted(others.iter().map(drifted).collect()),
            (true, false) => Undone::Restored,
            (true, true) => Undone::Nothing,
        })
    }

    fn stage(&self) -> Stage {
        Stage::Engine
    }
}

/// The fields that are as the change made them, and those that others have changed since.
fn sort(fields: &[Field], before: &Before, now: &Now) -> (Vec<Field>, Vec<Field>) {
    fields.iter().filter(|field| !is_back(**field, before, now)).partition(|field| {
        // Killed in between, the engine may have done one half: the kernel's, or its own.
        let in_kernel = before.config.same(&now.config, **field)
            && now.seen.as_ref().is_some_and(|seen| before.made.holds(seen, **field));
        in_kernel || before.made.same(&now.config, **field)
    })
}

/// Whether a field is in effect as it was before.
fn is_back(field: Field, before: &Before, now: &Now) -> bool {
    let seen = now.seen.as_ref();
    (before.config.same(&now.config, field) || before.back.same(&now.config, field))
        && seen.is_none_or(|seen| {
            before.config.holds(seen, field) || before.seen.as_ref().is_some_and(|was| alike(was, seen, field))
        })
}

fn alike(a: &Seen, b: &Seen, field: Field) -> bool {
    match field {
        Field::Memory => (a.memory.own, a.swap) == (b.memory.own, b.swap),
        Field::Pids => a.pids.own == b.pids.own,
        Field::Cpus => a.cpus.own == b.cpus.own,
        Field::Restart => true,
    }
}

/// Whether a field is as the plan saw it: configured, in the container's own group, or in one above it.
fn was(set: &SetField, field: Field, now: &Now) -> bool {
    let number = set.before.as_u64();
    let any = |config: Option<u64>, limit: Option<cgroup::Limit>| {
        (set.before.is_null() || number.is_some())
            && (number == config || limit.is_some_and(|l| number == l.own || number == l.effective))
    };
    let seen = now.seen.as_ref();
    match field {
        Field::Memory => any(now.config.memory(), seen.map(|s| s.memory)),
        Field::Pids => any(now.config.pids(), seen.map(|s| s.pids)),
        Field::Cpus => any(now.config.cpus(), seen.map(|s| s.cpus)),
        Field::Restart => {
            let before = set.before.as_str().unwrap_or("no");
            before.strip_suffix(":0").unwrap_or(before) == now.config.restart()
        }
    }
}

/// Whether a limit leaves the container what it uses, and the engine can take it.
fn possible(set: &SetField, field: Field, now: &Now, info: &Value) -> Result<(), String> {
    let after = set.after.as_i64().unwrap_or(0);
    let seen = now.seen.as_ref();
    match field {
        Field::Memory if after < LEAST_MEMORY => Err(format!("{after} bytes of memory are less than the least, 6 MiB")),
        Field::Memory => match seen.map(|s| s.used).filter(|used| after.unsigned_abs() < used.saturating_add(used / 2))
        {
            Some(used) => Err(format!(
                "a memory limit of {} MiB is below one and a half times the {} MiB that it uses now",
                after >> 20,
                used >> 20
            )),
            None => Ok(()),
        },
        Field::Pids => match seen.map(|s| s.running).filter(|running| after.unsigned_abs() <= *running) {
            Some(running) => Err(format!(
                "it has {} now, threads with them, and {after} would leave none more",
                count(running, "process")
            )),
            None => Ok(()),
        },
        Field::Cpus => {
            let most = info["NCPU"].as_i64().unwrap_or(0).saturating_mul(1000);
            if (LEAST_CPUS..=most).contains(&after) {
                Ok(())
            } else {
                let cpus = |thousandths: i64| thousandths as f64 / 1000.0;
                let (asked, least, most) = (cpus(after), cpus(LEAST_CPUS), cpus(most));
                Err(format!("{asked} CPUs are not between {least} and {most}, which are all there are"))
            }
        }
        Field::Restart => Ok(()),
    }
}

/// A field's value, as configured and as the kernel has it.
fn says(field: Field, now: &Now) -> String {
    let none = |n: Option<u64>| n.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
    let (config, kernel) = match field {
        Field::Memory => {
            let kernel = |seen: &Seen| match (seen.swap, seen.together) {
                (None, _) => none(seen.memory.own),
                (Some(swap), true) => format!("{} (with swap {})", none(seen.memory.own), none(swap)),
                (Some(swap), false) => format!("{} (swap alone {})", none(seen.memory.own), none(swap)),
            };
            let (memory, both) = (none(now.config.memory()), none(now.config.total()));
            (format!("{memory} (with swap {both})"), now.seen.as_ref().map(kernel))
        }
        Field::Pids => (none(now.config.pids()), now.seen.as_ref().map(|s| none(s.pids.own))),
        Field::Cpus => (none(now.config.cpus()), now.seen.as_ref().map(|s| none(s.cpus.own))),
        Field::Restart => (now.config.restart(), None),
    };
    match (kernel, &now.seen) {
        (Some(kernel), Some(seen)) if !now.config.holds(seen, field) => format!("{config}, in the kernel {kernel}"),
        _ => config,
    }
}

fn fields(update: &Update) -> Result<Vec<Field>, Failure> {
    let named = |set: &SetField| {
        Field::named(&set.field)
            .ok_or_else(|| Failure(format!("{:?}: docker update does not carry it out here", set.field)))
    };
    let fields = update.set.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let mut once = fields.clone();
    once.sort_unstable();
    once.dedup();
    if fields.is_empty() || once.len() < fields.len() {
        return Err(Failure::new("an update names no field, or one twice"));
    }
    Ok(fields)
}

fn now(update: &Update, host: &Host) -> Result<Option<Now>, Failure> {
    let id = &update.container.id;
    // A short id or a name may be another container's by now.
    if id.len() != 64 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Failure(format!("{id:?} is no container's whole id")));
    }
    let inspect = || engine(host)?.find(&format!("/containers/{id}/json"));
    let Some(mut answer) = inspect()? else { return Ok(None) };
    // A restart policy has no trace in the kernel.
    let limits = update.set.iter().any(|set| set.field != Field::Restart.name());
    let pid = |answer: &Value| answer["State"]["Pid"].as_u64().filter(|pid| *pid > 0 && limits);
    let mut seen = pid(&answer).map(|pid| cgroup::read(host, pid, id)).transpose();
    if seen.is_err() {
        // It may have ended, or started again, in between.
        match inspect()? {
            None => return Ok(None),
            Some(again) if pid(&again) != pid(&answer) => {
                seen = pid(&again).map(|pid| cgroup::read(host, pid, id)).transpose();
                answer = again;
            }
            Some(_) => {}
        }
    }
    Ok(Some(Now { config: Config::of(&answer), seen: seen?, inspect: answer }))
}

fn send(update: &Update, host: &Host, body: &Value) -> Result<(), Failure> {
    let path = format!("/containers/{}/update", segment(&update.container.id));
    engine(host)?.done("POST", &path, Some(body)).map(|_| ())
}

fn engine(host: &Host) -> Result<&Engine, Failure> {
    host.engine.as_ref().ok_or_else(|| Failure::new("the container engine is not reached, and limits go through it"))
}

fn named(update: &Update) -> String {
    format!("{:?}", update.container.name)
}

fn before(undo: &Value) -> Result<Before, Failure> {
    serde_json::from_value(undo.clone()).at(|| "read the journal of an update".into())
}
