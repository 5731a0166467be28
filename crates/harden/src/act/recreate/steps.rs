//! Doing it, in the order that the module above tells.

use seaworthy_core::plan;
use serde_json::Value;

use super::json::{is_running, name_of, text};
use super::seen::Seen;
use super::{Intent, change};
use crate::engine::{Engine, segment};
use crate::{Failure, Host};

/// The old container.
pub(super) fn old(host: &Host, engine: &Engine, id: &str) -> Result<Seen, Failure> {
    let gone = || Failure(format!("the container {} is gone: plan again", id.get(..12).unwrap_or(id)));
    Seen::of(host, engine, id)?.ok_or_else(gone)
}

pub(super) fn apply(action: &plan::Recreate, host: &Host, engine: &Engine, intent: &Intent) -> Result<(), Failure> {
    let seen = old(host, engine, &intent.id)?;
    if name_of(&seen.inspect) != intent.name || is_running(&seen.inspect) != intent.running {
        return Err(Failure(format!("the container {} was renamed, started or stopped meanwhile", intent.name)));
    }
    let want = intent.wanted(action, &seen).map_err(|refusal| Failure(refusal.to_string()))?;
    let (body, later) = want.body(&intent.mark, seen.api);
    let new = change::create(engine, &intent.aside, &body, &platform(&seen.inspect))?;
    let made = inspect(engine, &new)?;
    if text(&made, "/Image") != intent.image {
        return Err(Failure(format!("the engine made the new {} from another image", intent.name)));
    }
    for (network, endpoint) in later {
        change::connect(engine, &new, &network, &endpoint)?;
    }
    change::hold(engine, &seen.inspect)?;
    change::rename(engine, &intent.id, &intent.before)?;
    if intent.running {
        change::stop(engine, &seen.inspect)?;
    }
    change::rename(engine, &new, &intent.name)?;
    if intent.running {
        change::start(engine, &inspect(engine, &new)?)?;
    }
    Ok(())
}

fn inspect(engine: &Engine, id: &str) -> Result<Value, Failure> {
    engine.get(&format!("/containers/{}/json", segment(id)))
}

/// The platform to ask for, where the engine says which one it is: of an image for several the host's own would be taken.
fn platform(inspect: &Value) -> String {
    let part = |name: &str| text(inspect, &format!("/ImageManifestDescriptor/platform/{name}"));
    match (part("os"), part("architecture"), part("variant")) {
        ("", ..) | (_, "", _) => String::new(),
        (os, architecture, "") => format!("{os}/{architecture}"),
        (os, architecture, variant) => format!("{os}/{architecture}/{variant}"),
    }
}
