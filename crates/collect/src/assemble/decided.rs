//! What follows from the daemon's process, its settings and its answers together.

use seaworthy_core::component::Component;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::host::Host;
use super::machine::Machine;
use crate::daemon::effective::{self, Effective, Settings};
use crate::daemon::file::{self, ConfigFile};
use crate::daemon::find::Daemon;
use crate::docker::Read;
use crate::docker::context::{EngineFacts, Seccomp};
use crate::engine::Engine;
use crate::host::packages::Owner;

/// The daemon's settings in effect, with the `daemon.json` that they were decided from.
pub(super) type Decided = (Settings, Option<ConfigFile>);

/// The paths of the engine's own unix sockets.
pub(super) fn unix_sockets(address: &str, daemon: &Component) -> Vec<String> {
    let mut out: Vec<String> = address.strip_prefix("unix://").map(str::to_owned).into_iter().collect();
    let listeners = daemon.value("listeners").as_list().unwrap_or_default();
    for listener in listeners.iter().filter(|l| l.field("serves").and_then(Value::as_str) == Some("api")) {
        let path = listener.field("address").and_then(Value::as_str).and_then(|a| a.strip_prefix("unix://"));
        let path = path.map(str::to_owned).filter(|p| p.starts_with('/') && !same_socket(&out, p));
        out.extend(path);
    }
    out
}

fn same_socket(known: &[String], path: &str) -> bool {
    let run = |p: &str| p.strip_prefix("/var/run/").map_or_else(|| p.to_owned(), |rest| format!("/run/{rest}"));
    known.iter().any(|k| run(k) == run(path))
}

/// Days until the certificates of the API end: of the one that was shown to us, else of the file that it serves.
pub(super) fn certificates(
    engine: &Engine,
    settings: &Settings,
    daemon: Result<&Daemon, &str>,
    now: i64,
) -> Result<Vec<(String, i64)>, String> {
    let days = |end: i64| (end - now).div_euclid(86_400);
    if let Some(peer) = engine.peer_certificate() {
        return Ok(vec![("the certificate that it showed".to_owned(), days(peer.not_after))]);
    }
    let known = |name: &str| settings.get(name).map(|s| s.value.clone());
    match known("tls") {
        Some(Effective::Known(Json::Bool(true))) => {}
        Some(Effective::Known(_)) => return Ok(Vec::new()),
        Some(Effective::Unknown(why)) => return Err(why),
        None => return Err("its TLS settings are not known".to_owned()),
    }
    let Some(Effective::Known(Json::String(path))) = known("tlscert") else {
        return Err("which certificate it serves is not known".to_owned());
    };
    let bytes = daemon
        .map_err(str::to_owned)?
        .view()
        .and_then(|r| r.read(&path, 1 << 20))
        .map_err(|why| format!("{path}: {why}"))?;
    let end = x509_parser::pem::parse_x509_pem(&bytes)
        .ok()
        .and_then(|(_, pem)| pem.parse_x509().ok().map(|c| c.validity().not_after.timestamp()))
        .ok_or_else(|| format!("{path}: no certificate"))?;
    Ok(vec![(path, days(end))])
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
        && profile.starts_with('/')
    {
        let text = daemon.view().and_then(|root| root.read_text(profile)).map_err(|why| format!("{profile}: {why}"));
        facts.seccomp = match text.map(|t| crate::effect::security::allows_all(&t)) {
            Ok(Some(true)) => Ok(Seccomp::Unconfined),
            Ok(Some(false)) => Ok(Seccomp::Custom),
            Ok(None) => Err(format!("{profile}: not a seccomp profile").into()),
            Err(why) => Err(why.into()),
        };
    }
    facts.since = daemon.map(|d| d.started_at / 1_000_000_000);
}

/// The daemon's settings in effect, with the file that they were decided from.
pub(super) fn decide(
    version: &Json,
    info: &Read<Json>,
    networks: &Read<Json>,
    machine: Result<&Machine, &str>,
) -> Decided {
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
        reloaded: None,
    };
    (effective::settings(inputs), file)
}

pub(super) fn package_version(host: &Host, daemon: &Daemon) -> Result<Option<String>, String> {
    let exe = daemon.exe.as_deref().ok_or("the daemon's executable may not be read")?;
    match host.packages.owners(&host.root, &[exe]).pop() {
        Some(Owner::Package { version, .. }) => {
            version.map(Some).ok_or_else(|| format!("the version of the package of {exe} could not be read"))
        }
        Some(Owner::Nobody) => Ok(None),
        Some(Owner::Unknown(why)) => Err(why),
        None => Err("no package database could be read".to_owned()),
    }
}
