//! The way back, from wherever it was left.

use std::time::Duration;

use seaworthy_core::plan;
use serde_json::{Map, Value};

use super::json::{Object, field, id_of, inner, is_empty, is_running, items, name_of, object, text};
use super::spec::Spec;
use super::{Intent, change, layer, refuse, seen::Seen};
use crate::act::Undone;
use crate::engine::{Engine, segment};
use crate::{Failure, Host};

/// What `docker update` changes of a container while it runs, and others may have changed since.
const UPDATED: [&str; 11] = [
    "Memory",
    "MemorySwap",
    "MemoryReservation",
    "NanoCpus",
    "CpuShares",
    "CpuQuota",
    "CpuPeriod",
    "CpusetCpus",
    "CpusetMems",
    "PidsLimit",
    "BlkioWeight",
];

/// How often and after which pauses one looks for a creation that is on its way: a minute.
const LATE: (u32, Duration) = (300, Duration::from_millis(200));

/// What is known while it is undone.
struct Way<'a> {
    engine: &'a Engine,
    intent: &'a Intent,
    /// Whether something was done.
    did: bool,
    /// What is left, and why.
    left: Vec<String>,
}

/// Undoes a re-creation.
pub(super) fn undo(action: &plan::Recreate, host: &Host, engine: &Engine, intent: &Intent) -> Result<Undone, Failure> {
    let mut way = Way { engine, intent, did: false, left: Vec::new() };
    let drifted = |line: String| Ok(Undone::Drifted(vec![line]));
    let (name, before) = (&intent.name, &intent.before);
    let Some(old) = by_id(engine, &intent.id)? else {
        return drifted(format!("{name}: the old container was removed since; what is there is left"));
    };
    match name_of(&old) {
        now if now == name => {}
        now if now == before => {
            let policy = match way.free_the_name(action, host, &old)? {
                Freed::Policy(policy) => policy,
                Freed::Taken(why) => return drifted(why),
            };
            way.bring_back(&old)?;
            return way.finish(&policy);
        }
        now => return drifted(format!("{name}: the old container was renamed to {now} since; it is left so")),
    }
    way.finish(&intent.restart)
}

/// What came of freeing the old one's name.
enum Freed {
    /// It is free; the old one gets this policy.
    Policy(Value),
    /// It is not ours to free: why.
    Taken(String),
}

impl Way<'_> {
    /// Stops the new one and sets it aside, where it is in the old one's place.
    fn free_the_name(&mut self, action: &plan::Recreate, host: &Host, old: &Value) -> Result<Freed, Failure> {
        let (engine, intent) = (self.engine, self.intent);
        let name = &intent.name;
        if let Some(holder) = by_name(engine, name)? {
            if !self.is_ours(&holder) {
                let why = format!("{name} is another container now; the old one is left as {}", intent.before);
                return Ok(Freed::Taken(why));
            }
            let others = refuse::dependents(engine, &holder)?;
            if !others.is_empty() {
                return Ok(Freed::Taken(format!("{name}: others need the new container since: {}", others.join(", "))));
            }
            let policy = self.carry_over(action, host, &holder)?;
            change::hold(engine, &holder)?;
            change::stop(engine, &holder)?;
            change::rename(engine, id_of(&holder), &intent.after)?;
            self.did = true;
            return Ok(Freed::Policy(policy));
        }
        let is_near = ours(engine, intent, &intent.aside)?.is_some() || ours(engine, intent, &intent.after)?.is_some();
        match if is_near { None } else { self.renamed(old)? } {
            Some(elsewhere) => Ok(Freed::Taken(format!("{name}: the new container was renamed to {elsewhere} since"))),
            None => Ok(Freed::Policy(intent.restart.clone())),
        }
    }

    /// Gives the old one what others have set on the new one since; returns the policy that it gets.
    fn carry_over(&mut self, action: &plan::Recreate, host: &Host, new: &Value) -> Result<Value, Failure> {
        let (engine, intent) = (self.engine, self.intent);
        let Some(old) = Seen::of(host, engine, &intent.id)? else { return Ok(intent.restart.clone()) };
        // Where the old one's description can no longer be merged, nothing can be told apart.
        let Ok(made) = intent.wanted(action, &old) else { return Ok(intent.restart.clone()) };
        let (now, was) = (object(new, "/HostConfig"), Spec::of(&old).host);
        let mut body = Map::new();
        for key in UPDATED {
            let (is, made) = (now.get(key).unwrap_or(&Value::Null), made.host.get(key).unwrap_or(&Value::Null));
            let differs = is != made && !(is_empty(is) && is_empty(made));
            if differs && !is_empty(is) && was.get(key) != Some(is) {
                body.insert(key.into(), is.clone());
            }
        }
        let kept = if body.is_empty() { Ok(()) } else { change::update(engine, &intent.id, &body.into()) };
        if let Err(why) = kept {
            self.left.push(format!("{}: limits that were set since could not be kept: {why}", intent.name));
        }
        let policy = |of: &Object| Value::Object(inner(of, "RestartPolicy"));
        let (is, made) = (policy(&now), policy(&made.host));
        let held = change::same_policy(&is, &change::held());
        Ok(if held || change::same_policy(&is, &made) { intent.restart.clone() } else { is })
    }

    /// Gives the old one its name back. A stop of it may be on its way in the engine still: it is waited for.
    fn bring_back(&mut self, old: &Value) -> Result<(), Failure> {
        if is_running(old) {
            change::stop(self.engine, old)?;
        }
        change::rename(self.engine, &self.intent.id, &self.intent.name)?;
        self.did = true;
        Ok(())
    }

    /// The old one has its name: it is started, its policy given back, and the new one removed.
    fn finish(mut self, policy: &Value) -> Result<Undone, Failure> {
        let (engine, intent) = (self.engine, self.intent);
        let made = ours(engine, intent, &intent.aside)?.or(ours(engine, intent, &intent.after)?);
        let new = if made.is_none() && !self.did { self.late()? } else { made };
        if let Some(new) = new.as_ref().filter(|n| is_running(n)) {
            change::stop(engine, new)?;
        }
        let old = by_id(engine, &intent.id)?.ok_or_else(|| Failure(format!("{} is gone", intent.name)))?;
        // One that did not run when it was re-created may have been started since, in its new form.
        let ran = intent.running || new.as_ref().is_some_and(was_started);
        if ran && !is_running(&old) {
            change::start(engine, &old)?;
            self.did = true;
        }
        let (now, held) = (change::policy(&old), change::held());
        let is_held = change::same_policy(&now, &held) && !change::same_policy(policy, &held);
        // Where it was begun, holding it may be on its way in the engine still, and comes before this.
        if is_held || (new.is_some() && change::same_policy(&now, policy)) {
            change::set_policy(engine, &intent.id, policy)?;
            self.did = true;
        }
        if let Some(new) = new {
            self.remove(&new)?;
        }
        self.settled(ran, policy)?;
        Ok(match (self.left.is_empty(), self.did) {
            (false, _) => Undone::Drifted(self.left),
            (true, true) => Undone::Restored,
            (true, false) => Undone::Nothing,
        })
    }

    /// Removes the new one, but not what it wrote where the old one had written nothing.
    fn remove(&mut self, new: &Value) -> Result<(), Failure> {
        if self.intent.clean_layer && was_started(new) {
            let changes = match layer::changes(self.engine, new) {
                // A removal that is on its way takes the layer first.
                Err(_) if self.is_going(new)? => Vec::new(),
                changes => changes?,
            };
            if let Some(first) = changes.first() {
                let (name, now, wrote) = (&self.intent.name, name_of(new), crate::count(changes.len(), "path"));
                let more = if changes.len() > 1 { ", …" } else { "" };
                let line =
                    format!("{name}: the new container wrote {wrote} ({first}{more}); it is kept, stopped, as {now}");
                self.left.push(line);
                return Ok(());
            }
        }
        change::remove(self.engine, id_of(new))?;
        self.did = true;
        Ok(())
    }

    fn is_going(&self, new: &Value) -> Result<bool, Failure> {
        let now = by_id(self.engine, id_of(new))?;
        Ok(now.is_none_or(|n| matches!(text(&n, "/State/Status"), "removing" | "dead")))
    }

    /// A request that was on its way when its sender died may have been carried out meanwhile.
    fn settled(&self, ran: bool, policy: &Value) -> Result<(), Failure> {
        let name = &self.intent.name;
        let old = by_id(self.engine, &self.intent.id)?.unwrap_or_default();
        let is_held = change::same_policy(&change::policy(&old), &change::held());
        let what = if name_of(&old) != name {
            "it has not its name"
        } else if ran && !is_running(&old) {
            "it does not run"
        } else if is_held && !change::same_policy(policy, &change::held()) {
            "its restart policy is held"
        } else if ours(self.engine, self.intent, &self.intent.aside)?.is_some() {
            "the new one is there still"
        } else {
            return Ok(());
        };
        Err(Failure(format!("the container {name} is not as it was yet: {what}; try again")))
    }

    /// The new one, where its creation is on its way in the engine still although who asked for it is dead.
    fn late(&self) -> Result<Option<Value>, Failure> {
        let (engine, intent) = (self.engine, self.intent);
        for _ in 0..LATE.0 {
            if change::is_free(engine, &intent.aside, &intent.image, &intent.mark)? {
                return Ok(None);
            }
            if let Some(there) = by_name(engine, &intent.aside)? {
                return Ok(Some(there).filter(|t| self.is_ours(t)));
            }
            std::thread::sleep(LATE.1);
        }
        Err(Failure(format!("the engine is still creating {}: try again", intent.aside)))
    }

    fn is_ours(&self, inspect: &Value) -> bool {
        is_marked(inspect, self.intent)
    }

    /// The name that others have given to the new one since.
    fn renamed(&self, old: &Value) -> Result<Option<String>, Failure> {
        for other in items(Some(&self.engine.get("/containers/json?all=1")?)) {
            let id = text(other, "/Id");
            if id == id_of(old) {
                continue;
            }
            if let Some(other) = by_id(self.engine, id)?.filter(|o| self.is_ours(o)) {
                return Ok(Some(name_of(&other).to_owned()));
            }
        }
        Ok(None)
    }
}

/// Removes what is kept for the way back, and does not run.
pub(super) fn prune(engine: &Engine, intent: &Intent) -> Result<Vec<String>, Failure> {
    let mut gone = Vec::new();
    let old = by_id(engine, &intent.id)?;
    let kept = old.filter(|o| name_of(o) == intent.before);
    for container in kept.into_iter().chain(ours(engine, intent, &intent.after)?) {
        let name = name_of(&container).to_owned();
        if is_running(&container) {
            return Err(Failure(format!("{name} runs: stop it, if it is not needed")));
        }
        change::remove(engine, id_of(&container))?;
        gone.push(name);
    }
    Ok(gone)
}

/// The container of that very name, where it is the new one.
pub(super) fn ours(engine: &Engine, intent: &Intent, name: &str) -> Result<Option<Value>, Failure> {
    Ok(by_name(engine, name)?.filter(|found| is_marked(found, intent)))
}

fn is_marked(inspect: &Value, intent: &Intent) -> bool {
    field(&object(inspect, "/HostConfig"), "ContainerIDFile") == intent.mark
}

/// Whether it was ever started.
fn was_started(inspect: &Value) -> bool {
    !text(inspect, "/State/StartedAt").is_empty() && !text(inspect, "/State/StartedAt").starts_with("0001-")
}

fn by_id(engine: &Engine, id: &str) -> Result<Option<Value>, Failure> {
    engine.find(&format!("/containers/{}/json", segment(id)))
}

/// The engine also takes the beginning of an id for a name.
fn by_name(engine: &Engine, name: &str) -> Result<Option<Value>, Failure> {
    Ok(by_id(engine, name)?.filter(|found| name_of(found) == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_never_started_has_no_date() {
        assert!(!was_started(&json!({ "State": { "StartedAt": "0001-01-01T00:00:00Z" } })));
        assert!(!was_started(&json!({})));
        assert!(was_started(&json!({ "State": { "StartedAt": "2026-11-29T17:00:00.1Z" } })));
    }
}
