//! What lies beneath an engine's containers: its daemon, the host with its files, and its clients.
//!
//! It is put together on a thread of its own while the containers are read.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::schema::docker as kinds;
use seaworthy_core::snapshot::{Gap, Target};
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::host::EngineView;
use super::machine::{Machine, Reading, Rest};
use super::shield::Shield;
use super::{clients, containerd, daemon, files, host, logged, swarm};
use crate::daemon::effective::Settings;
use crate::daemon::file::ConfigFile;
use crate::daemon::find::Daemon;
use crate::docker::gather::{Answers, Gathered};
use crate::engine::{self, Engine};
use crate::host::audit::log::Log;
use crate::redact::Redactor;

/// What is known of a target besides what its engine and its host tell.
pub(super) struct Around {
    /// The engine.
    pub engine: Engine,
    /// Its address, without credentials.
    pub address: String,
    /// Takes secrets out.
    pub redactor: Arc<Redactor>,
    /// When it is collected, in seconds since 1970-01-01 UTC.
    pub collected_at: i64,
}

/// What lies beneath an engine's containers.
pub(super) struct Ground {
    /// The host's component.
    host: Component,
    /// The daemon's component.
    daemon: Component,
    clients: Vec<Component>,
    files: Vec<Component>,
    /// The process and the host, or why they are not known.
    reading: Result<Reading, String>,
    gaps: Vec<Gap>,
    /// Why the daemon would not start again.
    refuses_start: Option<String>,
    /// The packet filter before its ports, and before those of containers.
    shield: Shield,
}

impl Ground {
    /// Reads it, once the engine has told of itself and the daemon's settings are decided.
    pub fn read(
        around: &Around,
        answers: &Answers,
        reading: &Result<Reading, String>,
        (settings, config): (Settings, Option<ConfigFile>),
    ) -> Self {
        let machine = machine(reading);
        // The daemon may be known while the rest of the machine could not be read.
        let rest = machine.clone().and_then(|m| m.rest().map_err(|why| why.to_string()));
        let daemon = found(&machine);
        let daemon = daemon.as_ref().map(|d| *d).map_err(String::as_str);
        let info = answers.info.as_ref().map_err(ToString::to_string);
        let host = rest.as_ref().map(|rest| &rest.host).map_err(String::as_str);
        let shield = Shield::read(host, daemon);
        let component = daemon_component(around, answers, (&settings, config.as_ref()), daemon, &rest, &shield);
        let sockets = unix_sockets(&around.address, &component);
        let view = engine_view(info, &component, &sockets, &settings, daemon, &rest);
        let mut out = Self {
            host: host::component(host, &view),
            daemon: component,
            clients: Vec::new(),
            files: Vec::new(),
            reading: reading.clone(),
            gaps: Vec::new(),
            refuses_start: settings.refuses_start.clone(),
            shield,
        };
        if let (Ok(m), Ok(host)) = (&machine, host) {
            logged::set(&mut out.host, audit_log(host, daemon), &host.accounts);
            out.clients = clients::components(host);
            let data_root = match out.host.value("data_root") {
                Value::Str(path) => Ok(path.to_string()),
                other => Err(other.reason().map_or_else(String::new, ToString::to_string)),
            };
            let inputs = files::Inputs { host, daemon, settings: &settings, file: config.as_ref(), sockets, data_root };
            out.files = files::components(&inputs);
            out.gaps.extend(host.gaps.iter().cloned());
            match &m.daemon {
                Ok(daemon) => out.gaps.extend(daemon.gaps.iter().map(convert)),
                Err(gap) => out.gaps.push(convert(gap)),
            }
        }
        out
    }

    /// Puts it into a target, with what the engine told of its containers on top.
    pub fn put_under(self, target: &mut Target, mut gathered: Gathered, engine: &Engine) {
        let machine = machine(&self.reading);
        let rest = machine.clone().and_then(|m| m.rest().map_err(|why| why.to_string()));
        if let Some(component) = gathered.components.iter_mut().find(|c| std::ptr::eq(c.kind, &kinds::SWARM)) {
            let info = gathered.answers.info.as_ref().ok();
            let root = info.and_then(|i| daemon::pointer(i, "DockerRootDir")).and_then(Json::as_str);
            let daemon = found(&machine);
            let daemon = daemon.as_ref().map(|d| *d).map_err(String::as_str);
            swarm::complete(component, &self.daemon, daemon, root.unwrap_or("/var/lib/docker"));
        }
        target.about = about(&gathered.answers.version, engine.is_podman());
        let mut host = self.host;
        host::set_counts(&mut host, &gathered.counts);
        target.components.push(host);
        target.components.extend(self.clients);
        target.components.push(self.daemon);
        target.components.extend(self.files);
        target.gaps.extend(self.gaps);
        match &rest {
            Ok(rest) => {
                if let Some(gap) = rest.host.client.gaps.first() {
                    target.incomplete(&kinds::CLIENT, format!("{}: {}", gap.source, gap.reason));
                }
            }
            Err(why) => {
                target.incomplete(&kinds::FILE, why.as_str());
                target.incomplete(&kinds::CLIENT, why.as_str());
                target.gap("the host", why.as_str(), "its files, accounts, audit rules, processes and clients");
            }
        }
        target.components.extend(gathered.components);
        for (kind, reason) in gathered.incomplete {
            target.incomplete(kind, reason);
        }
        target.gaps.extend(gathered.gaps);
        self.shield.put(target);
        if let Some(caveat) = engine.caveat() {
            target.gap(target.address.clone(), caveat.to_string(), "fields that this API does not have");
        }
        if let Some(why) = self.refuses_start {
            target.gap("daemon.json", format!("the daemon would refuse to start again: {why}"), "the next start");
        }
    }
}

fn machine(reading: &Result<Reading, String>) -> Result<&Machine, String> {
    match reading {
        Ok(reading) => reading.wait().map_err(|why| why.to_string()),
        Err(why) => Err(why.clone()),
    }
}

/// The daemon's process, or why it is not known.
fn found<'m>(machine: &Result<&'m Machine, String>) -> Result<&'m Daemon, String> {
    match machine {
        Ok(m) => m.daemon.as_ref().map_err(|gap| gap.reason.clone()),
        Err(why) => Err(why.clone()),
    }
}

fn daemon_component(
    around: &Around,
    answers: &Answers,
    (settings, file): (&Settings, Option<&ConfigFile>),
    daemon: Result<&Daemon, &str>,
    rest: &Result<&Rest, String>,
    shield: &Shield,
) -> Component {
    let networks = answers.networks.as_ref().map_err(ToString::to_string);
    let networks =
        networks.and_then(|n| n.as_array().map(Vec::as_slice).ok_or_else(|| "the list of networks is none".to_owned()));
    daemon::component(&daemon::Inputs {
        version: Some(&answers.version).filter(|v| !v.is_null()),
        info: answers.info.as_ref().map_err(ToString::to_string),
        networks,
        plugins: answers.plugins.as_ref().map_err(ToString::to_string),
        settings,
        daemon,
        file,
        package: rest.clone().and_then(|rest| rest.package.clone()),
        address: &around.address,
        certificates: super::certificates::of_api(&around.engine, settings, daemon, around.collected_at),
        redactor: &around.redactor,
        shield,
    })
}

fn engine_view<'a>(
    info: Result<&'a Json, String>,
    component: &Component,
    sockets: &[String],
    settings: &Settings,
    daemon: Result<&Daemon, &str>,
    rest: &Result<&Rest, String>,
) -> EngineView<'a> {
    // Where its listeners are not known, there may be more sockets than these.
    let unlisted = component.value("listeners").reason().map(|why| Err(why.to_string()));
    let group = |path: &String| {
        let host = &rest.as_ref().map_err(Clone::clone)?.host;
        let access = crate::host::paths::access(&host.root, path).map_err(|why| format!("{path}: {why}"))?;
        Ok(access.gid)
    };
    EngineView {
        info,
        containerd_store: match component.value("containerd_store") {
            Value::Bool(b) => Ok(*b),
            other => Err(other.reason().map_or_else(String::new, ToString::to_string)),
        },
        socket_groups: sockets.iter().map(group).chain(unlisted).collect(),
        view: daemon.ok().filter(|d| d.own_mounts == Some(false)).and_then(|d| d.view().ok()),
        containerd_root: match rest {
            Ok(rest) => containerd::root(&rest.host, settings, daemon),
            Err(why) => Err(why.clone()),
        },
    }
}

/// What the host's audit log tells, where the daemon's files are the host's: else the same path is another file.
fn audit_log<'h>(host: &'h host::Host, daemon: Result<&Daemon, &str>) -> Result<&'h Log, &'h str> {
    if daemon.is_ok_and(|d| d.own_mounts == Some(false) && d.own_root != Some(true)) {
        return Err("the daemon has other files than the host, and the host's log tells of the host's");
    }
    host.audit_log.as_ref().map_err(String::as_str)
}

fn convert(gap: &crate::host::gap::Gap) -> Gap {
    Gap { source: gap.source.clone(), reason: gap.reason.clone(), affects: gap.affects.clone() }
}

fn about(version: &Json, podman: bool) -> String {
    match version.get("Version").and_then(Json::as_str).unwrap_or_default() {
        "" => String::new(),
        version if podman => format!("Podman {}", engine::sanitize(version, 60)),
        version => format!("Engine {}", engine::sanitize(version, 60)),
    }
}

/// The paths of the engine's own unix sockets.
fn unix_sockets(address: &str, daemon: &seaworthy_core::component::Component) -> Vec<String> {
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
