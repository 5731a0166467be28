//! Settings of daemon.json.

use std::collections::BTreeMap;

use seaworthy_core::component::Component;
use seaworthy_core::dockerd::given;
use seaworthy_core::plan::SetKey;
use seaworthy_core::remedy::Setting;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value as Fact;
use serde_json::{Map, Value};

use super::piece::{Not, Piece, Resolved};
use super::world::{Known, World, known, list, part, text, texts, truth};

/// Where the engine looks for its configuration when nothing says otherwise.
pub(super) const USUAL: &str = "/etc/docker/daemon.json";

/// Settings that a running daemon takes at SIGHUP; every other needs a restart.
const RELOADABLE: &[&str] = &[
    "authorization-plugins",
    "debug",
    "default-cgroupns-mode",
    "default-ipc-mode",
    "default-runtime",
    "default-shm-size",
    "features",
    "insecure-registries",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "registry-mirrors",
    "runtimes",
    "shutdown-timeout",
];

/// Whether a running daemon takes a setting at SIGHUP.
pub(super) fn is_reloadable(key: &str) -> bool {
    RELOADABLE.contains(&key)
}

/// The file that the daemon uses, with a fingerprint of what it holds: none where there is none.
pub(super) fn file<'a>(world: &World<'a>) -> Known<(&'a str, Option<&'a str>)> {
    let daemon = world.daemon()?;
    let digest = known(daemon, "config_digest")?.as_str();
    if digest.is_none() {
        return Ok((USUAL, None));
    }
    // The component of the file has its links resolved.
    let own = world.target.of(&docker::FILE).find(|f| f.value("role").as_str() == Some("daemon-json"));
    let path = own.and_then(|f| text(f, "path").ok()).map_or_else(|| text(daemon, "config_file"), Ok)?;
    Ok((path, digest))
}

/// One setting.
pub(super) fn key(world: &World<'_>, key: &str, wanted: &Setting) -> Result<Resolved, Not> {
    let daemon = world.daemon()?;
    file(world)?;
    let keys = texts(daemon, "config_keys")?;
    if let Some(argument) = given(&texts(daemon, "arguments")?, key) {
        let line = format!(
            "dockerd is given {argument} as an argument, and does not start with {key} in its file too; change it in its unit (systemctl edit docker), then plan again"
        );
        return Err(line.into());
    }
    // An empty text takes the key away: the engine's default has no word of its own on every version.
    let is_gone = matches!(wanted, Setting::Str(value) if value.is_empty());
    let mut after = Some(json(wanted)).filter(|_| !is_gone);
    match key {
        _ if is_gone && !keys.contains(&key) => {
            let line = match key {
                "seccomp-profile" => "no profile is configured and yet none is in effect: the kernel or the engine was built without seccomp".to_owned(),
                _ => format!("{key} is in effect and not in daemon.json: it comes from somewhere else"),
            };
            return Err(line.into());
        }
        "metrics-addr" => after = Some(loopback(daemon)?),
        "live-restore" if text(daemon, "swarm")? != "inactive" => {
            return Err("the engine is in a swarm, and does not start with live-restore there".into());
        }
        "log-opts" if text(daemon, "log_driver")? != "json-file" => {
            return Err("these options are those of the driver json-file, which is not the one in use".into());
        }
        _ => {}
    }
    let before = before(daemon, key);
    let set = SetKey { key: key.to_owned(), before, after };
    Ok(Resolved { pieces: vec![Piece::Key(set)], breaks: breaks(world, key)?, ..Resolved::default() })
}

/// The metrics' address on loopback, with the port that it has.
fn loopback(daemon: &Component) -> Result<Value, Not> {
    let present = known(daemon, "metrics_address")?.as_str();
    let Some(present) = present else {
        return Err(
            "what is served to the network is not the metrics but the diagnostics: take network-diagnostic-port away"
                .into(),
        );
    };
    let port =
        present.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).ok_or("its address has no port")?;
    Ok(format!("127.0.0.1:{port}").into())
}

/// What is in effect now, for people.
fn before(daemon: &Component, key: &str) -> Option<Value> {
    let fact = match key {
        "metrics-addr" => "metrics_address",
        "default-cgroupns-mode" => "default_cgroupns",
        "default-ipc-mode" => "default_ipc",
        "seccomp-profile" => "seccomp_profile",
        "log-opts" => "log_options",
        "default-ulimits" | "icc" | "iptables" | "debug" | "experimental" => &key.replace('-', "_"),
        other => &other.replace('-', "_"),
    };
    daemon.kind.index(fact)?;
    fact_json(daemon.value(fact))
}

fn fact_json(value: &Fact) -> Option<Value> {
    match value {
        Fact::Unknown(_) => None,
        Fact::Null => Some(Value::Null),
        other => serde_json::to_value(other).ok(),
    }
}

/// A setting of the catalogue as JSON.
pub(super) fn json(setting: &Setting) -> Value {
    match setting {
        Setting::Bool(b) => (*b).into(),
        Setting::Int(i) => (*i).into(),
        Setting::Str(s) => s.as_str().into(),
        Setting::List(items) => items.iter().map(json).collect(),
        Setting::Map(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), json(v))).collect::<Map<_, _>>()),
    }
}

/// What a setting breaks, and for whom.
fn breaks(world: &World<'_>, key: &str) -> Known<Vec<String>> {
    let daemon = world.daemon()?;
    let line = match key {
        "icc" => {
            let on = on_default_bridge(world);
            let who = if on.is_empty() { String::new() } else { format!(" (running there: {})", on.join(", ")) };
            format!("containers on the default bridge reach each other no more but by legacy links and published ports{who}; networks of their own are untouched")
        }
        "userland-proxy" => {
            let mut line = "ports published on [::1] are not reached from the host itself any more".to_owned();
            let published = published(world);
            if !published.is_empty() {
                line = format!("{line} (published now: {})", published.join(", "));
            }
            line
        }
        "no-new-privileges" => {
            "programs with setuid bits (sudo, su, ping) gain nothing in containers made from now on; those that exist keep what they have until they are made anew".to_owned()
        }
        "iptables" => "the engine manages the packet filter again: rules of your own for its networks may be doubled or shadowed".to_owned(),
        "insecure-registries" => {
            let names = texts(daemon, "insecure_registries")?;
            format!("pulls from {} fail until each has a certificate that the host trusts (/etc/docker/certs.d)", names.join(", "))
        }
        "default-ulimits" => "programs in containers made from now on that need more open files than the limit fail".to_owned(),
        "log-opts" => "containers made from now on keep no more than the newest logs; those that exist keep theirs until they are made anew".to_owned(),
        "default-cgroupns-mode" => "containers made from now on do not see the host's cgroups; monitoring agents in containers may need --cgroupns host".to_owned(),
        "default-ipc-mode" => "containers made from now on share their IPC namespace with no other container unless they say so".to_owned(),
        "seccomp-profile" => "system calls that the built-in profile filters fail in containers that start from now on".to_owned(),
        "metrics-addr" => "whoever scrapes the metrics over the network gets none any more".to_owned(),
        "cgroup-parent" => "containers made from now on count to the engine's own group of limits; those that exist stay where they are until they are made anew".to_owned(),
        "experimental" => "experimental features end".to_owned(),
        _ => return Ok(Vec::new()),
    };
    Ok(vec![line])
}

/// Running containers on the default bridge, by name, a few of them.
pub(super) fn on_default_bridge<'a>(world: &World<'a>) -> Vec<&'a str> {
    let is = |c: &&&Component| truth(c, "running") == Ok(true) && truth(c, "default_bridge") == Ok(true);
    world.containers.values().filter(is).map(|c| &*c.name).take(8).collect()
}

/// Ports that running containers publish, a few of them: `web 8080`.
pub(super) fn published(world: &World<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for container in world.containers.values().filter(|c| truth(c, "running") == Ok(true)) {
        for port in list(container, "ports").unwrap_or_default() {
            let line =
                format!("{} {}", container.name, port.field("host_port").map_or("?".into(), ToString::to_string));
            if part(port, "protocol") == "tcp" && !out.contains(&line) && out.len() < 8 {
                out.push(line);
            }
        }
    }
    out
}

/// Containers' checks that a default of the engine answers once a container is made anew.
pub(super) fn default_for(option: &str, value: &str) -> Option<&'static str> {
    match (option, value) {
        ("security-opt", "no-new-privileges") => Some("no-new-privileges"),
        ("log-opt", _) => Some("log-opts"),
        ("cgroupns", "private") => Some("default-cgroupns-mode"),
        ("ipc", "private") => Some("default-ipc-mode"),
        _ => None,
    }
}

/// The value of a setting after the plan, where the plan sets it, else in effect.
pub(super) fn will_be(world: &World<'_>, keys: &BTreeMap<String, SetKey>, key: &str, fact: &str) -> Known<bool> {
    match keys.get(key).and_then(|k| k.after.as_ref()).and_then(Value::as_bool) {
        Some(value) => Ok(value),
        None => truth(world.daemon()?, fact),
    }
}
