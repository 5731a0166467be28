//! The containers that a restart of the engine stops, and how they come back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::{Engine, PATIENCE, segment};
use crate::{At as _, Failure};

/// The most containers that are looked at.
const MOST: usize = 20_000;

/// How many are stopped or started at a time.
const AT_A_TIME: usize = 8;

/// How long those that run again must go on before they count, and how long the engine's own attempts are waited for.
const SETTLED: Duration = Duration::from_secs(3);

/// The longest that a health check is waited for, whatever it asks for.
const LONGEST: u64 = 600;

/// The longest stop time-out that is waited for, in seconds.
const LONGEST_STOP: u64 = 3600;

/// A container as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    /// Its id.
    pub(super) id: String,
    /// Its name, without the leading slash. Hostile.
    pub(super) name: String,
    /// Whether it runs, and is not between two attempts to start.
    pub(super) running: bool,
    /// Whether it is paused.
    pub(super) paused: bool,
    /// Whether its health check says that it is healthy.
    pub(super) healthy: bool,
    /// Whether the engine removes it when it ends.
    pub(super) removed: bool,
    /// The ids or names of those whose namespaces it shares or to which it is linked.
    pub(super) needs: Vec<String>,
    /// The swarm service that it is a task of: the swarm starts another in its stead.
    pub(super) service: Option<String>,
    /// How long it has to become healthy, in seconds: its health check's start period and one round more than it allows
    /// to fail.
    pub(super) patience: u64,
    /// How long it has to end after its stop signal, in seconds.
    pub(super) stop: u64,
}

/// Reads all containers of an engine.
pub(super) fn all(engine: &Engine) -> Result<Vec<Seen>, Failure> {
    let listed = engine.get("/containers/json?all=1")?;
    let ids: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|c| c["Id"].as_str()).collect();
    if ids.len() > MOST {
        return Err(Failure(format!("there are {} containers, more than the {MOST} that are looked after", ids.len())));
    }
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        seen.extend(look(engine, id)?);
    }
    Ok(seen)
}

/// Reads one; none where it is gone.
pub(super) fn look(engine: &Engine, id: &str) -> Result<Option<Seen>, Failure> {
    Ok(engine.find(&format!("/containers/{}/json", segment(id)))?.map(|body| seen(&body)))
}

/// Those that do not run, with when they ended, in nanoseconds since 1970.
pub(super) fn ended(engine: &Engine) -> Result<Vec<(Seen, i128)>, Failure> {
    let listed = engine.get("/containers/json?all=1")?;
    let mut found = Vec::new();
    for id in listed.as_array().into_iter().flatten().filter_map(|c| c["Id"].as_str()).take(MOST) {
        let Some(body) = engine.find(&format!("/containers/{}/json", segment(id)))? else { continue };
        let end = body["State"]["FinishedAt"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        if let (Some(end), false) = (end, body["State"]["Running"] == true) {
            found.push((seen(&body), end.as_nanosecond()));
        }
    }
    Ok(found)
}

fn seen(body: &Value) -> Seen {
    let (state, host, config) = (&body["State"], &body["HostConfig"], &body["Config"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is = |value: &Value| value.as_bool().unwrap_or(false);
    let shared = ["NetworkMode", "IpcMode", "PidMode"].into_iter().filter_map(|mode| host[mode].as_str());
    let shared = shared.filter_map(|mode| mode.strip_prefix("container:"));
    let links = host["Links"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let links = links.map(|link| link.split(':').next().unwrap_or(link).trim_start_matches('/'));
    Seen {
        id: text(&body["Id"]),
        name: text(&body["Name"]).trim_start_matches('/').to_owned(),
        running: is(&state["Running"]) && !is(&state["Restarting"]),
        paused: is(&state["Paused"]),
        healthy: state["Health"]["Status"] == "healthy",
        removed: is(&host["AutoRemove"]),
        needs: shared.chain(links).map(str::to_owned).collect(),
        service: config["Labels"]["com.docker.swarm.service.id"].as_str().map(str::to_owned),
        patience: patience(&config["Healthcheck"]),
        stop: config["StopTimeout"].as_u64().unwrap_or(10).min(LONGEST_STOP),
    }
}

fn patience(check: &Value) -> u64 {
    let seconds = |name: &str, default: u64| {
        check[name].as_u64().filter(|n| *n > 0).map_or(default, |nanoseconds| nanoseconds / 1_000_000_000 + 1)
    };
    let retries = check["Retries"].as_u64().filter(|n| *n > 0).unwrap_or(3);
    let round = seconds("Interval", 30).saturating_add(seconds("Timeout", 30));
    let whole = seconds("StartPeriod", 0).saturating_add(round.saturating_mul(retries.saturating_add(1)));
    whole.clamp(60, LONGEST)
}

/// In waves: those of one need only those of the waves before it. What is in a circle comes last.
fn waves(all: &[Seen]) -> Vec<Vec<&Seen>> {
    let known: BTreeMap<&str, usize> =
        all.iter().enumerate().flat_map(|(at, c)| [(c.id.as_str(), at), (c.name.as_str(), at)]).collect();
    let mut left: BTreeSet<usize> = (0..all.len()).collect();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let waits =
            |at: &usize| all[*at].needs.iter().any(|n| known.get(n.as_str()).is_some_and(|on| left.contains(on)));
        let mut wave: Vec<usize> = left.iter().copied().filter(|at| !waits(at)).collect();
        if wave.is_empty() {
            wave = left.iter().copied().collect();
        }
        for at in &wave {
            left.remove(at);
        }
        waves.push(wave.into_iter().map(|at| &all[at]).collect());
    }
    waves
}

/// Does something to several containers, some at a time; the failures, with their names.
fn each(socket: &Path, wave: &[&Seen], what: impl Fn(&Engine, &Seen) -> Result<(), Failure> + Sync) -> Vec<String> {
    let (queue, troubles) = (Mutex::new(wave.iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().ok()?.next().copied();
    let trouble = |line: String| {
        if let Ok(mut all) = troubles.lock() {
            all.push(line);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME.min(wave.len()) {
            scope.spawn(|| match Engine::at(socket) {
                Ok(engine) => {
                    while let Some(container) = next() {
                        if let Err(failure) = what(&engine, container) {
                            trouble(format!("{}: {failure}", container.name.escape_debug()));
                        }
                    }
                }
                Err(failure) => trouble(failure.0),
            });
        }
    });
    troubles.into_inner().unwrap_or_default()
}

fn failed(what: &str, mut troubles: Vec<String>) -> Result<(), Failure> {
    if troubles.is_empty() {
        return Ok(());
    }
    troubles.sort();
    let more = troubles.len().saturating_sub(5);
    troubles.truncate(5);
    let rest = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    Err(Failure(format!("{what}: {}{rest}", troubles.join("; "))))
}

/// Stops those that run, each with its own time to end; those that need others first. Restart policies stay as they are.
pub(super) fn stop(socket: &Path, all: &[Seen]) -> Result<(), Failure> {
    let running: Vec<Seen> = all.iter().filter(|c| c.running).cloned().collect();
    for wave in waves(&running).iter().rev() {
        let troubles = each(socket, wave, |engine, container| {
            let path = format!("/containers/{}", segment(&container.id));
            if container.paused {
                engine.done("POST", &format!("{path}/unpause"), None)?;
            }
            let limit = Duration::from_secs(container.stop + 60);
            let answer = engine.send("POST", &format!("{path}/stop"), None, limit)?;
            // Gone meanwhile is as good.
            if answer.is_good() || answer.status == 404 { Ok(()) } else { Err(Failure(answer.message())) }
        });
        failed("these containers do not stop", troubles)?;
    }
    Ok(())
}

/// Starts those again that ran and do not, pauses those that were paused, and waits until all run and those that were
/// healthy are healthy. Says whether anything had to be done.
///
/// # Errors
/// Names those that do not come back.
pub(super) fn bring_back(socket: &Path, before: &[Seen]) -> Result<bool, Failure> {
    let engine = Engine::at(socket)?;
    let own: Vec<Seen> = before.iter().filter(|c| c.running && c.service.is_none()).cloned().collect();
    let touched = Mutex::new(false);
    let mut troubles = Vec::new();
    for wave in waves(&own) {
        troubles.extend(each(socket, &wave, |engine, container| {
            let now = look(engine, &container.id)?.ok_or_else(|| Failure::new("it is gone"))?;
            let path = format!("/containers/{}", segment(&container.id));
            if !now.running {
                engine
                    .send("POST", &format!("{path}/start"), None, PATIENCE * 4)
                    .and_then(|answer| if answer.is_good() { Ok(()) } else { Err(Failure(answer.message())) })?;
            }
            let pause = container.paused && !look(engine, &container.id)?.is_some_and(|c| c.paused);
            if pause {
                engine.done("POST", &format!("{path}/pause"), None)?;
            }
            if !now.running || pause {
                *touched.lock().map_err(|_| Failure::new("a thread is gone"))? = true;
            }
            Ok(())
        }));
    }
    failed("these containers do not start again", troubles)?;
    settle(&engine, &own)?;
    services(&engine, before)?;
    touched.into_inner().at(|| "start containers".into())
}

/// Whether those that ran run, and which of them do not, or are not as healthy as they were.
pub(super) fn missing(engine: &Engine, before: &[Seen]) -> Result<Vec<String>, Failure> {
    let mut missing = Vec::new();
    for was in before.iter().filter(|c| c.running && c.service.is_none()) {
        let name = was.name.escape_debug();
        match look(engine, &was.id)? {
            None => missing.push(format!("{name} is gone")),
            Some(now) if !now.running => missing.push(format!("{name} does not run")),
            Some(now) if was.paused && !now.paused => missing.push(format!("{name} is not paused")),
            // A paused container's health is not looked at.
            Some(now) if was.healthy && !was.paused && !now.healthy => missing.push(format!("{name} is not healthy")),
            Some(_) => {}
        }
    }
    Ok(missing)
}

fn settle(engine: &Engine, before: &[Seen]) -> Result<(), Failure> {
    let began = Instant::now();
    let limit = before.iter().filter(|c| c.healthy).map(|c| c.patience).max().unwrap_or(0).max(30);
    let mut good_since: Option<Instant> = None;
    loop {
        let missing = missing(engine, before)?;
        if missing.is_empty() {
            if good_since.get_or_insert_with(Instant::now).elapsed() >= SETTLED || before.is_empty() {
                return Ok(());
            }
        } else {
            good_since = None;
            if began.elapsed() > Duration::from_secs(limit) {
                return failed(&format!("these containers are not back after {limit} s"), missing);
            }
        }
        sleep(Duration::from_millis(250));
    }
}

/// The swarm starts its tasks anew: each service must have as many running as before.
fn services(engine: &Engine, before: &[Seen]) -> Result<(), Failure> {
    let count = |all: &[Seen]| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for service in all.iter().filter(|c| c.running).filter_map(|c| c.service.clone()) {
            *counts.entry(service).or_default() += 1;
        }
        counts
    };
    let wanted = count(before);
    let began = Instant::now();
    while !wanted.is_empty() {
        let now = count(&all(engine)?);
        let few = |(service, many): &(&String, &usize)| now.get(*service).copied().unwrap_or(0) < **many;
        let short: Vec<String> =
            wanted.iter().filter(few).map(|(service, _)| service.escape_debug().to_string()).collect();
        if short.is_empty() {
            break;
        }
        if began.elapsed() > Duration::from_secs(120) {
            return failed("these services of the swarm run fewer tasks than before after 120 s", short);
        }
        sleep(Duration::from_millis(500));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(id: &str, needs: &[&str]) -> Seen {
        let body = json!({ "Id": id, "Name": format!("/{id}-name"), "State": { "Running": true } });
        Seen { needs: needs.iter().map(|n| (*n).to_owned()).collect(), ..seen(&body) }
    }

    #[test]
    fn those_that_others_need_come_first_and_circles_end() {
        let all = [container("a", &["b-name"]), container("b", &["c"]), container("c", &["gone"]), container("d", &[])];
        let order: Vec<Vec<&str>> = waves(&all).iter().map(|w| w.iter().map(|c| c.id.as_str()).collect()).collect();
        assert_eq!(order, [vec!["c", "d"], vec!["b"], vec!["a"]]);
        let circle = [container("a", &["b"]), container("b", &["a"])];
        assert_eq!(waves(&circle).len(), 1);
        assert!(waves(&[]).is_empty());
    }

    #[test]
    fn a_container_is_read_with_what_it_needs() {
        let body = json!({
            "Id": "1", "Name": "/web",
            "State": { "Running": true, "Paused": true, "Restarting": false, "Health": { "Status": "healthy" } },
            "HostConfig": { "AutoRemove": true, "NetworkMode": "container:abc", "Links": ["/db:/web/db"] },
            "Config": { "StopTimeout": 99999, "Labels": { "com.docker.swarm.service.id": "s" },
                "Healthcheck": { "Interval": 1_000_000_000_u64, "Timeout": 1_000_000_000_u64, "Retries": 2 } },
        });
        let seen = seen(&body);
        assert_eq!(seen.needs, ["abc", "db"]);
        assert!(seen.running && seen.paused && seen.healthy && seen.removed && seen.service.is_some());
        assert_eq!((seen.stop, seen.patience), (3600, 60));
        assert_eq!(patience(&json!({ "StartPeriod": u64::MAX, "Retries": u64::MAX })), LONGEST);
        assert_eq!(patience(&Value::Null), 240);
        let again = super::seen(&json!({ "State": { "Running": true, "Restarting": true }, "HostConfig": null }));
        assert!(!again.running && again.needs.is_empty() && again.stop == 10);
    }
}
