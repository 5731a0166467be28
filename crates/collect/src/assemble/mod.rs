//! Everything that was read, put together as one target.

mod clients;
mod containerd;
mod daemon;
mod files;
mod host;
mod logs;
mod machine;
mod remote;
mod same;
pub(crate) mod scrub;
mod settle;
mod swarm;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use seaworthy_core::schema::docker as kinds;
use seaworthy_core::snapshot::{Gap, Snapshot, Target};
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use crate::daemon::effective::{Effective, Settings};
use crate::daemon::file::ConfigFile;
use crate::daemon::find::{self, Daemon};
use crate::docker::context::{HostView, NoHost};
use crate::docker::gather::{self, Gathered};
use crate::engine::{self, Endpoint, Engine, Environment, Failure, Limits, Resolved, Transport, Wanted};
use crate::redact::Redactor;
use host::EngineView;
use machine::{Machine, Reading};
use remote::Refused;
use settle::{decide, finish};

/// What to collect, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Engines by address; none: the one that the docker CLI would talk to.
    pub hosts: Vec<String>,
    /// A context of the docker CLI.
    pub context: Option<String>,
    /// The root of the host's file system, where it is mounted elsewhere.
    pub root: Option<PathBuf>,
    /// Whether to read evidence that costs.
    pub deep: bool,
    /// Whether a binary may be put on an ssh host for the time of collecting.
    pub copy: bool,
    /// The most that one request may take.
    pub timeout: Duration,
}

/// Collects every target side by side. A target that fails is a target without components, with a gap that says why.
///
/// # Errors
/// For what makes no sense: an address or a context that does not exist.
pub fn collect(options: &Options) -> Result<Snapshot, Failure> {
    let environment = Environment::of_process();
    let mut resolved = Vec::new();
    for wanted in wanted(options) {
        resolved.push(engine::resolve(&wanted, &environment)?);
    }
    let collected_at = now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Failure::Usage { what: "the runtime".into(), why: e.to_string() })?;
    let redactor = Arc::new(Redactor::new());
    let targets = runtime.block_on(async {
        let tasks: Vec<_> = resolved
            .into_iter()
            .map(|resolved| {
                let work = Work {
                    options: options.clone(),
                    environment: environment.clone(),
                    redactor: Arc::clone(&redactor),
                    collected_at,
                };
                tokio::spawn(work.target(resolved))
            })
            .collect();
        let mut targets = Vec::new();
        for task in tasks {
            match task.await {
                Ok(mut target) => {
                    scrub::scrub(&mut target, &redactor);
                    targets.push(target);
                }
                Err(error) => {
                    let mut target = Target::new("unknown", "docker", "");
                    target.gap("a target", format!("collecting it failed: {error}"), "everything about it");
                    targets.push(target);
                }
            }
        }
        targets
    });
    runtime.shutdown_background();
    Ok(Snapshot { tool: env!("CARGO_PKG_VERSION").to_owned(), collected_at, targets })
}

fn wanted(options: &Options) -> Vec<Wanted> {
    let context = options.context.clone();
    match options.hosts.as_slice() {
        [] => vec![Wanted { host: None, context }],
        hosts => hosts.iter().map(|h| Wanted { host: Some(h.clone()), context: None }).collect(),
    }
}

pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|d| i64::try_from(d.as_secs()).ok()).unwrap_or(0)
}

/// What collecting one target needs.
struct Work {
    options: Options,
    environment: Environment,
    redactor: Arc<Redactor>,
    collected_at: i64,
}

/// The settings, once they are decided, with the file that they were decided from.
type Decided = Arc<Mutex<Option<(Settings, Option<ConfigFile>)>>>;

impl Work {
    async fn target(self, resolved: Resolved) -> Target {
        let began = Instant::now();
        let endpoint = resolved.endpoint.clone();
        let address = endpoint.to_string();
        let mut target = Target::new(name(&resolved), "docker", address.as_str());
        for note in &resolved.notes {
            target.gap(resolved.origin.as_str(), note.as_str(), "which engine is meant");
        }
        let mut host_unread = None;
        if let Transport::Ssh(ssh) = &endpoint.transport {
            match remote::collect(ssh, &address, &self.options).await {
                Ok(there) => return from_there(target, there, began),
                Err(Refused::Ssh(failure)) => {
                    target.gap(address, failure.to_string(), "everything about this engine");
                    return target;
                }
                Err(Refused::Seaworthy(why)) => host_unread = Some(why),
            }
        }
        let reading = match host_unread {
            Some(why) => Err(why),
            None => self.machine(&resolved),
        };
        let limits = Limits { request: self.options.timeout, connect: self.options.timeout, ..Limits::default() };
        let engine = match Engine::connect(&endpoint, limits).await {
            Ok(engine) => engine,
            Err(failure) => {
                target.gap(address, failure.to_string(), "everything about this engine");
                self.name_others(&mut target, &endpoint);
                return target;
            }
        };
        let settings: Decided = Arc::default();
        let gathered = gather::gather(&engine, self.gather_options(&engine, &reading, &settings)).await;
        let decided = settings.lock().ok().and_then(|mut s| s.take());
        let reading_result = match &reading {
            Ok(reading) => reading.wait().map_err(|why| why.to_string()),
            Err(why) => Err(why.clone()),
        };
        self.put_together(&mut target, &engine, gathered, reading_result, decided);
        self.name_others(&mut target, &endpoint);
        target.took_ms = took(began);
        target
    }

    /// Names the engines of this machine that were not asked, where nobody said which to ask.
    fn name_others(&self, target: &mut Target, endpoint: &Endpoint) {
        if !self.options.hosts.is_empty() || self.options.context.is_some() || !endpoint.is_local() {
            return;
        }
        for other in engine::other_sockets(&self.environment, endpoint) {
            target.gap(
                other.path.display().to_string(),
                format!("a socket of {} is there and was not asked; name it by --docker", other.kind),
                "another engine",
            );
        }
    }

    /// Starts reading the machine that the engine runs on, where that is this one: it was reached by a socket of this
    /// machine, or by an address of its own that a daemon of this machine proves to hold. Nothing else is certain.
    fn machine(&self, resolved: &Resolved) -> Result<Reading, String> {
        let root = self.options.root.clone();
        let tcp = match &resolved.endpoint.transport {
            Transport::Unix(_) => None,
            Transport::Tcp { host, port, .. } => Some((own_address(host, *port), root.is_some())),
            Transport::Ssh(_) => return Err("the engine is on another machine".to_owned()),
        };
        let tcp = match tcp {
            None => None,
            Some((Some(address), false)) => Some(address),
            Some((_, true)) => {
                return Err("nothing proves that an engine reached over the network runs on the host under --root; \
                            name its socket by --docker unix://PATH"
                    .to_owned());
            }
            Some((None, false)) => {
                return Err("the engine is on another machine; run Seaworthy there, or reach it by ssh://".to_owned());
            }
        };
        let socket = resolved.endpoint.socket_path().map(|path| find::Endpoint::Unix(path.to_path_buf()));
        let endpoint = tcp.map(find::Endpoint::Tcp).or(socket);
        let docker_config = self.environment.config_dir().map(|d| d.to_string_lossy().into_owned());
        let root = root.unwrap_or_else(|| PathBuf::from("/"));
        Ok(Reading::start(root, endpoint, docker_config, Arc::clone(&self.redactor)))
    }

    fn gather_options(
        &self,
        engine: &Engine,
        reading: &Result<Reading, String>,
        settings: &Decided,
    ) -> gather::Options {
        let host: Arc<dyn HostView + Send + Sync> = match reading {
            Ok(reading) => Arc::new(reading.clone()),
            Err(why) => Arc::new(NoHost::new(why.as_str())),
        };
        let (reading, settings, version) = (reading.clone(), Arc::clone(settings), engine.version().clone());
        let finish: gather::Finish = Box::new(move |info, networks, reloaded, facts| {
            let machine = match &reading {
                Ok(reading) => {
                    reading.prove(info);
                    reading.wait().map_err(|why| why.to_string())
                }
                Err(why) => Err(why.clone()),
            };
            let decided = decide(&version, info, networks, reloaded, machine.as_deref().map_err(String::as_str));
            finish(&decided.0, machine.ok().and_then(|m| m.daemon.as_ref().ok()), facts);
            if let Ok(mut slot) = settings.lock() {
                *slot = Some(decided);
            }
        });
        gather::Options {
            redactor: Arc::clone(&self.redactor),
            host,
            collected_at: self.collected_at,
            deep: self.options.deep,
            finish: Some(finish),
        }
    }

    fn put_together(
        &self,
        target: &mut Target,
        engine: &Engine,
        mut gathered: Gathered,
        machine: Result<&Machine, String>,
        decided: Option<(Settings, Option<ConfigFile>)>,
    ) {
        let (settings, config) = decided.unwrap_or_default();
        // The daemon may be known while the rest of the machine could not be read.
        let rest = machine.clone().and_then(|m| m.rest().map_err(|why| why.to_string()));
        target.about = about(&gathered.version, engine.is_podman());
        let no_daemon = match &machine {
            Ok(m) => m.daemon.as_ref().err().map(|gap| gap.reason.clone()),
            Err(why) => Some(why.clone()),
        };
        let daemon = match &machine {
            Ok(m) => m.daemon.as_ref().map_err(|_| no_daemon.as_deref().unwrap_or_default()),
            Err(_) => Err(no_daemon.as_deref().unwrap_or_default()),
        };
        let info = gathered.info.as_ref().map_err(ToString::to_string);
        let networks = gathered.networks.as_ref().map_err(ToString::to_string);
        let networks = networks
            .and_then(|n| n.as_array().map(Vec::as_slice).ok_or_else(|| "the list of networks is none".to_owned()));
        let package = rest.clone().and_then(|rest| rest.package.clone());
        let daemon_component = daemon::component(&daemon::Inputs {
            version: Some(&gathered.version).filter(|v| !v.is_null()),
            info: info.clone(),
            networks,
            plugins: gathered.plugins.as_ref().map_err(ToString::to_string),
            settings: &settings,
            daemon,
            file: config.as_ref(),
            package,
            address: &target.address,
            certificates: certificates(engine, &settings, daemon, self.collected_at),
            redactor: &self.redactor,
        });
        if let Some(component) = gathered.components.iter_mut().find(|c| std::ptr::eq(c.kind, &kinds::SWARM)) {
            let root = info.as_ref().ok().and_then(|i| daemon::pointer(i, "DockerRootDir")).and_then(Json::as_str);
            swarm::complete(component, &daemon_component, daemon, root.unwrap_or("/var/lib/docker"));
        }
        let sockets = unix_sockets(&target.address, &daemon_component);
        let socket_group = rest.as_ref().ok().and_then(|rest| {
            let path = sockets.first()?;
            crate::host::paths::access(&rest.host.root, path).ok().map(|a| a.gid)
        });
        let view = EngineView {
            info,
            counts: &gathered.counts,
            containerd_store: match daemon_component.value("containerd_store") {
                Value::Bool(b) => Ok(*b),
                other => Err(other.reason().map_or_else(String::new, ToString::to_string)),
            },
            socket_group,
            view: daemon.ok().filter(|d| d.own_mounts == Some(false)).and_then(|d| d.view().ok()),
            containerd_root: match &rest {
                Ok(rest) => containerd::root(&rest.host, &settings, daemon),
                Err(why) => Err(why.clone()),
            },
        };
        let host = rest.as_ref().map(|rest| &rest.host).map_err(String::as_str);
        target.components.push(host::component(host, &view));
        match (&machine, &rest) {
            (Ok(m), Ok(rest)) => {
                let host = &rest.host;
                target.components.extend(clients::components(host));
                let data_root = match target.components[0].value("data_root") {
                    Value::Str(path) => Ok(path.to_string()),
                    other => Err(other.reason().map_or_else(String::new, ToString::to_string)),
                };
                let inputs =
                    files::Inputs { host, daemon, settings: &settings, file: config.as_ref(), sockets, data_root };
                target.components.push(daemon_component);
                target.components.extend(files::components(&inputs));
                target.gaps.extend(host.gaps.iter().cloned());
                if let Err(gap) = &m.daemon {
                    target.gaps.push(convert(gap));
                }
                if let Ok(daemon) = &m.daemon {
                    target.gaps.extend(daemon.gaps.iter().map(convert));
                }
                if let Some(gap) = host.client.gaps.first() {
                    target.incomplete(&kinds::CLIENT, format!("{}: {}", gap.source, gap.reason));
                }
            }
            (Err(why), _) | (_, Err(why)) => {
                target.components.push(daemon_component);
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
        if let Some(caveat) = engine.caveat() {
            target.gap(target.address.clone(), caveat.to_string(), "fields that this API does not have");
        }
        if let Some(why) = settings.refuses_start {
            target.gap("daemon.json", format!("the daemon would refuse to start again: {why}"), "the next start");
        }
    }
}

fn convert(gap: &crate::host::gap::Gap) -> Gap {
    Gap { source: gap.source.clone(), reason: gap.reason.clone(), affects: gap.affects.clone() }
}

/// The address of this machine's own that a host string names; none where it is not certainly one.
fn own_address(host: &str, port: u16) -> Option<SocketAddr> {
    let ip: IpAddr = host.parse().ok()?;
    ip.is_loopback().then(|| SocketAddr::new(ip, port))
}

/// What Seaworthy at the other end collected, under the name that the user gave.
fn from_there(mut target: Target, there: Target, began: Instant) -> Target {
    target.gaps.extend(there.gaps);
    target.took_ms = took(began);
    Target { gaps: target.gaps, name: target.name, address: target.address, took_ms: target.took_ms, ..there }
}

fn took(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn name(resolved: &Resolved) -> String {
    match resolved.origin.strip_prefix("context ") {
        Some(context) => context.to_owned(),
        None if resolved.is_local => "local".to_owned(),
        None => resolved.endpoint.to_string(),
    }
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

/// Days until the certificates of the API end: of the one that was shown to us, else of the file that it serves.
fn certificates(
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
