//! What cannot be re-created, found before anything is done:
//!
//! - a container that the engine removes when it stops (`--rm`), since the way back would be gone with it;
//! - tasks of a swarm, which the swarm replaces;
//! - one that is paused, restarting, being removed or dead, and one with checkpoints, which belong to it alone;
//! - one that others need by its id: for its network, processes or memory, its volumes, by a legacy link. They would have to
//!   be re-created too, and are named;
//! - one whose image is gone;
//! - one that wrote into its own layer, without a yes to losing that.

use seaworthy_core::plan;
use serde_json::Value;

use super::json::{field, flag, id_of, items, name_of, object, strings, text};
use super::seen::{Seen, image_of};
use super::spec::{Spec, link};
use super::{Intent, layer, options};
use crate::act::Refusal;
use crate::engine::{Engine, PATIENCE, segment};
use crate::{Failure, Host};

/// The most dependents that are named.
const NAMED: usize = 5;

pub(super) fn check(action: &plan::Recreate, host: &Host, engine: &Engine) -> Result<(), Refusal> {
    let (id, name) = (&action.container.id, &action.container.name);
    let Some(seen) = Seen::of(host, engine, id)? else {
        return Err(Refusal::Stale(format!("the container {name} ({}) is gone", id.get(..12).unwrap_or(id))));
    };
    let now = name_of(&seen.inspect);
    if now != name || (id_of(&seen.inspect) != id && id.len() == 64) {
        return Err(Refusal::Stale(format!("the container {name} is called {now} now")));
    }
    by_itself(&seen, name)?;
    checkpoints(engine, &seen.inspect, name)?;
    dependents(engine, &seen.inspect).map_err(Refusal::from).and_then(|others| refuse_for(&others, name))?;
    let want = options::merge(&Spec::of(&seen), &action.set, &seen)?;
    image(engine, &seen, &want)?;
    networks(engine, &seen, &want)?;
    free_names(engine, &Intent::of(&seen, &want, true, &host.transaction))?;
    layer::refuse(&layer::changes(engine, &seen.inspect)?, name, action.accept_lost_changes)
}

/// What its own description tells.
fn by_itself(seen: &Seen, name: &str) -> Result<(), Refusal> {
    let refused = |why: &str| Err(Refusal::Refused(format!("{name} cannot be re-created: {why}")));
    let inspect = &seen.inspect;
    if flag(inspect, "/HostConfig/AutoRemove") {
        return refused("it was started with --rm, and the engine would remove it when it stops");
    }
    if !text(inspect, "/Config/Labels/com.docker.swarm.task.id").is_empty() {
        return refused("it is a task of a swarm service: update the service");
    }
    match text(inspect, "/State/Status") {
        "created" | "running" | "exited" => {}
        "" => return refused("the engine does not say whether it runs"),
        other => return refused(&format!("it is {other}")),
    }
    if seen.image.is_null() {
        return refused("the image that it was made from is gone");
    }
    let mut mounts = items(inspect.pointer("/Mounts")).iter();
    if let Some(nameless) = mounts.find(|m| text(m, "/Type") == "volume" && text(m, "/Name").is_empty()) {
        let place = text(nameless, "/Destination");
        return refused(&format!("the engine does not name the volume at {place}, and its data would be lost"));
    }
    let spec = Spec::of(seen);
    if spec.has_networks() && spec.endpoints.is_empty() && !flag(inspect, "/Config/NetworkDisabled") {
        return refused("it was taken from all its networks, and a new one would be put into one");
    }
    Ok(())
}

/// Engines without experimental features have none.
fn checkpoints(engine: &Engine, inspect: &Value, name: &str) -> Result<(), Refusal> {
    let path = format!("/containers/{}/checkpoints", segment(id_of(inspect)));
    let answer = engine.send("GET", &path, None, PATIENCE)?;
    if answer.is_good() && !items(Some(&answer.body)).is_empty() {
        return Err(Refusal::Refused(format!(
            "{name} cannot be re-created: it has checkpoints, which belong to it alone"
        )));
    }
    Ok(())
}

fn refuse_for(others: &[String], name: &str) -> Result<(), Refusal> {
    if others.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = others.iter().take(NAMED).map(String::as_str).collect();
    let more = if others.len() > NAMED { ", …" } else { "" };
    Err(Refusal::Refused(format!(
        "{name} cannot be re-created: others need it and would have to be re-created too: {}{more}",
        named.join(", ")
    )))
}

/// Containers that need this one by its id or name for as long as they exist, with what for.
pub(super) fn dependents(engine: &Engine, inspect: &Value) -> Result<Vec<String>, Failure> {
    let (id, name) = (id_of(inspect), name_of(inspect));
    let is_it =
        |said: &str| !said.is_empty() && (said == id || said == name || (said.len() >= 12 && id.starts_with(said)));
    let mut found = Vec::new();
    for other in items(Some(&engine.get("/containers/json?all=1")?)) {
        let other_id = text(other, "/Id");
        if other_id == id {
            continue;
        }
        let Some(other) = engine.find(&format!("/containers/{}/json", segment(other_id)))? else { continue };
        let host = object(&other, "/HostConfig");
        let joins = |key: &str| field(&host, key).strip_prefix("container:").is_some_and(is_it);
        let what = if joins("NetworkMode") {
            "its network"
        } else if joins("PidMode") {
            "its processes"
        } else if joins("IpcMode") {
            "its memory"
        } else if strings(host.get("VolumesFrom")).iter().any(|v| is_it(v.split(':').next().unwrap_or_default())) {
            "its volumes"
        } else if strings(host.get("Links")).iter().any(|l| is_it(link(l).split(':').next().unwrap_or_default())) {
            "a link"
        } else {
            continue;
        };
        found.push(format!("{} ({what})", name_of(&other)));
    }
    Ok(found)
}

/// A reference may be changed, the image may not: what else is in another one nobody has looked at.
fn image(engine: &Engine, seen: &Seen, want: &Spec) -> Result<(), Refusal> {
    let reference = field(&want.config, "Image");
    match image_of(engine, reference)? {
        Some(id) if id == text(&seen.inspect, "/Image") => Ok(()),
        Some(_) => {
            Err(Refusal::Refused(format!("{reference:?} is another image than the container's: replace it by hand")))
        }
        None => Err(Refusal::Refused(format!("there is no image {reference:?} here: pull it first"))),
    }
}

/// Networks that it joins are there and may be joined.
fn networks(engine: &Engine, seen: &Seen, want: &Spec) -> Result<(), Refusal> {
    let is_in = object(&seen.inspect, "/NetworkSettings/Networks");
    for name in want.endpoints.keys().filter(|n| !is_in.contains_key(*n)) {
        let Some(network) = engine.find(&format!("/networks/{}", segment(name)))? else {
            return Err(Refusal::Refused(format!("there is no network {name:?}: create it first")));
        };
        if text(&network, "/Scope") == "swarm" && !flag(&network, "/Attachable") {
            return Err(Refusal::Refused(format!("the network {name:?} takes only services: create it as attachable")));
        }
    }
    Ok(())
}

/// The names on the way are free.
fn free_names(engine: &Engine, intent: &Intent) -> Result<(), Refusal> {
    for name in [&intent.aside, &intent.before, &intent.after] {
        let there = engine.find(&format!("/containers/{}/json", segment(name)))?;
        if there.is_some_and(|c| name_of(&c) == name) {
            return Err(Refusal::Refused(format!("a container is already called {name}: remove or rename it")));
        }
    }
    Ok(())
}
