//! The daemon's settings, decided once the engine and its host were read, and what its containers follow from them.

use serde_json::Value as Json;

use super::machine::Machine;
use crate::daemon::effective::{self, Effective, Settings};
use crate::daemon::file::{self, ConfigFile};
use crate::daemon::find::Daemon;
use crate::docker::context::{EngineFacts, Seccomp};
use crate::docker::gather::Answers;

/// The daemon's settings in effect, with the file that they were decided from.
pub(super) fn decide(
    answers: &Answers,
    reloaded: Option<bool>,
    machine: Result<&Machine, &str>,
) -> (Settings, Option<ConfigFile>) {
    let Answers { version, info, networks, .. } = answers;
    let why = match machine {
        Ok(m) => m.daemon.as_ref().err().map(|gap| gap.reason.clone()),
        Err(why) => Some(why.to_owned()),
    };
    let daemon = match machine {
        Ok(m) => m.daemon.as_ref().map_err(|_| why.as_deref().unwrap_or_default()),
        Err(_) => Err(why.as_deref().unwrap_or_default()),
    };
    let major = effective::major(Some(version));
    let file = daemon.ok().map(|d| file::read(d, major));
    let default = |n: &&Json| {
        n.get("Name").and_then(Json::as_str) == Some("bridge")
            && n.get("Driver").and_then(Json::as_str) == Some("bridge")
    };
    let networks_why = networks.as_ref().err().map(ToString::to_string);
    let bridge = match networks {
        Ok(list) => Ok(list.as_array().and_then(|all| all.iter().find(default))),
        Err(_) => Err(networks_why.as_deref().unwrap_or_default()),
    };
    let inputs = effective::Inputs {
        version: Some(version).filter(|v| !v.is_null()),
        info: info.as_ref().ok(),
        bridge,
        daemon,
        file: file.as_ref(),
        reloaded,
    };
    (effective::settings(inputs), file)
}

/// What the engine's containers follow, by the settings in effect.
pub(super) fn finish(settings: &Settings, daemon: Option<&Daemon>, facts: &mut EngineFacts) {
    let known = |name: &str| settings.get(name).map(|s| &s.value);
    match known("no-new-privileges") {
        Some(Effective::Known(Json::Bool(on))) => facts.no_new_privileges = Ok(*on),
        Some(Effective::Unknown(why)) => facts.no_new_privileges = Err(why.as_str().into()),
        _ => {}
    }
    if let (Some(Effective::Known(Json::String(profile))), Some(daemon)) = (known("seccomp-profile"), daemon)
        && !matches!(profile.as_str(), "" | "default" | "builtin" | "unconfined" | "not supported")
    {
        facts.seccomp = match super::seccomp::allows_all(daemon, profile) {
            Ok(true) => Ok(Seccomp::Unconfined),
            Ok(false) => Ok(Seccomp::Custom),
            Err(why) => Err(why.into()),
        };
    }
    facts.since = daemon.map(|d| d.started_at / 1_000_000_000);
}
