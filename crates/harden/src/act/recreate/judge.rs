//! Whether the new container does what the old one did, and is as it was asked to be.

use std::time::{Duration, Instant};

use seaworthy_core::plan;
use serde_json::Value;

use super::json::{flag, id_of, is_running, items, name_of, text};
use super::mounts::settled;
use super::spec::Spec;
use super::{Intent, change, process, steps, undo};
use crate::act::Effect;
use crate::engine::{Engine, segment};
use crate::{Failure, Host};

/// How long one without a health check has to run on without ending or being started again.
const STEADY: Duration = Duration::from_secs(3);

/// One with a health check is waited for as long as its own settings allow, within these.
const HEALTHY_WITHIN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(600));

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn verify(
    action: &plan::Recreate,
    host: &Host,
    engine: &Engine,
    intent: &Intent,
) -> Result<Effect, Failure> {
    let name = &intent.name;
    let old = steps::old(host, engine, &intent.id)?;
    if name_of(&old.inspect) != intent.before || is_running(&old.inspect) {
        return Err(Failure(format!("the old {name} is not stopped and set aside as {}", intent.before)));
    }
    if !change::same_policy(&change::policy(&old.inspect), &change::held()) {
        return Err(Failure(format!("the restart policy of {} is not held", intent.before)));
    }
    let new = undo::ours(engine, intent, name)?.ok_or_else(|| Failure(format!("the new {name} is not there")))?;
    if intent.running {
        wait(engine, id_of(&new), name, intent.unhealthy)?;
    } else if is_running(&new) {
        return Err(Failure(format!("the new {name} runs, and the old one did not")));
    }
    let new = steps::old(host, engine, id_of(&new))?;
    let want = intent.wanted(action, &old).map_err(|refusal| Failure(refusal.to_string()))?;
    let mut wrong = want.differences(&Spec::of(&new));
    if text(&new.inspect, "/Image") != intent.image {
        wrong.push("the image".into());
    }
    wrong.extend(volumes(action, &old.inspect, &new.inspect));
    if !wrong.is_empty() {
        return Err(Failure(format!("the new {name} is not as asked: {}", wrong.join(", "))));
    }
    process::contradicts(action, host, &new.inspect)?;
    Ok(Effect::InEffect)
}

/// Waits until it has run on for a while, or is healthy.
fn wait(engine: &Engine, id: &str, name: &str, was_unhealthy: bool) -> Result<(), Failure> {
    let look = || engine.get(&format!("/containers/{}/json", segment(id)));
    let (began, first) = (Instant::now(), look()?);
    let checked = first.pointer("/State/Health").is_some_and(|h| !h.is_null()) && !was_unhealthy;
    let limit = if checked { health_limit(&first) } else { STEADY };
    loop {
        let now = look()?;
        let status = text(&now, "/State/Status");
        let restarted = now["RestartCount"] != first["RestartCount"]
            || text(&now, "/State/StartedAt") != text(&first, "/State/StartedAt");
        if status != "running" || restarted {
            let code = now.pointer("/State/ExitCode").and_then(Value::as_i64).unwrap_or_default();
            return Err(Failure(format!(
                "the new {name} does not run on: it is {status}, and its program ended with {code}"
            )));
        }
        match (checked, text(&now, "/State/Health/Status")) {
            (true, "healthy") => return Ok(()),
            (true, "unhealthy") => return Err(Failure(format!("the new {name} is not healthy"))),
            (true, _) if began.elapsed() > limit => {
                return Err(Failure(format!("the new {name} is not healthy after {} s", limit.as_secs())));
            }
            (false, _) if began.elapsed() > limit => return Ok(()),
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// As long as its check takes to find it unhealthy: the start period, and each try with the pause before it.
fn health_limit(inspect: &Value) -> Duration {
    let of = |name: &str, usual: u64| {
        let nanos = inspect.pointer(&format!("/Config/Healthcheck/{name}")).and_then(Value::as_u64).unwrap_or_default();
        if nanos == 0 { Duration::from_secs(usual) } else { Duration::from_nanos(nanos) }
    };
    let retries = inspect.pointer("/Config/Healthcheck/Retries").and_then(Value::as_u64).unwrap_or_default();
    let tries = u32::try_from(if retries == 0 { 3 } else { retries }).unwrap_or(u32::MAX).saturating_add(1);
    let each = of("Interval", 30).saturating_add(of("Timeout", 30));
    let all = of("StartPeriod", 0).saturating_add(each.saturating_mul(tries));
    all.clamp(HEALTHY_WITHIN.0, HEALTHY_WITHIN.1)
}

/// Where the new one has not mounted what the old one had, apart from what was to change.
fn volumes(action: &plan::Recreate, old: &Value, new: &Value) -> Vec<String> {
    let asked = action.set.iter().filter(|c| matches!(c.option.as_str(), "volume" | "tmpfs"));
    let asked: Vec<&str> = asked
        .flat_map(|c| c.remove.iter().map(String::as_str).chain(c.add.iter().map(|a| super::mounts::bind_place(a))))
        .map(settled)
        .collect();
    let at = |inspect: &Value, place: &str| {
        let mounts = items(inspect.pointer("/Mounts")).iter();
        let found = mounts.into_iter().find(|m| settled(text(m, "/Destination")) == place);
        found.map(|m| {
            let named = text(m, "/Type") == "volume" && !text(m, "/Name").is_empty();
            let source = if named { text(m, "/Name") } else { text(m, "/Source") };
            (text(m, "/Type").to_owned(), source.to_owned(), flag(m, "/RW"), text(m, "/Propagation").to_owned())
        })
    };
    let places = items(old.pointer("/Mounts")).iter().map(|m| settled(text(m, "/Destination")));
    places
        .filter(|place| !asked.contains(place) && at(old, place) != at(new, place))
        .map(|place| format!("what is mounted at {place:?}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn health_is_waited_for_as_its_check_says_within_bounds() {
        let limit = |check: Value| health_limit(&json!({ "Config": { "Healthcheck": check } })).as_secs();
        assert_eq!(limit(json!({})), 240);
        assert_eq!(limit(json!({ "Interval": 1_000_000_000, "Timeout": 1_000_000_000, "Retries": 1 })), 60);
        assert_eq!(limit(json!({ "StartPeriod": 300_000_000_000_u64 })), 540);
        assert_eq!(limit(json!({ "StartPeriod": u64::MAX, "Retries": u64::MAX })), 600);
    }
}
