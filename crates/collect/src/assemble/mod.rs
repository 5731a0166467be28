//! Everything that was read, put together as one target.

mod access;
mod certificates;
mod clients;
mod containerd;
mod daemon;
mod files;
mod ground;
mod host;
pub(crate) mod logged;
mod logs;
mod machine;
mod remote;
mod same;
pub(crate) mod scrub;
mod seccomp;
mod settle;
mod shield;
mod ssh;
mod swarm;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use seaworthy_core::snapshot::{Snapshot, Target};

use crate::daemon::find;
use crate::docker::context::{HostView, NoHost};
use crate::docker::gather;
use crate::engine::{self, Endpoint, Engine, Environment, Failure, Limits, Resolved, Transport, Wanted};
use crate::redact::Redactor;
use ground::{Around, Ground};
use machine::Reading;
use remote::Refused;
use settle::{decide, finish};

/// Threads that ask engines. Looking at a container's process keeps one busy for a moment; the others go on asking.
const WORKERS: usize = 3;

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
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(WORKERS).on_thread_start(make_room).enable_all().build();
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

/// Lets the heap of a thread grow once instead of page by page, each by a call of its own that holds up the other threads:
/// what the C library was given for a thread it keeps. Nothing of it is touched.
fn make_room() {
    /// The most that is taken from the heap, and not from the kernel for itself alone.
    const PART: usize = 120 << 10;
    const PARTS: usize = 32;
    drop(std::hint::black_box((0..PARTS).map(|_| Vec::<u8>::with_capacity(PART)).collect::<Vec<_>>()));
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

/// The thread that reads what lies beneath the engine, once it was started.
type Slot = Arc<Mutex<Option<JoinHandle<Ground>>>>;

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
        let request = self.options.timeout;
        let limits = Limits { request, connect: request, whole: request * crate::WHOLE, ..Limits::default() };
        let engine = match Engine::open(&endpoint, limits).await {
            Ok(engine) => engine,
            Err(failure) => {
                target.gap(address, failure.to_string(), "everything about this engine");
                self.name_others(&mut target, &endpoint);
                return target;
            }
        };
        let ground: Slot = Arc::default();
        let options = self.gather_options(&engine, &address, &reading, &ground);
        let gathered = match gather::gather(&engine, options).await {
            Ok(gathered) => gathered,
            Err(failure) => {
                target.gap(address, failure.to_string(), "everything about this engine");
                self.name_others(&mut target, &endpoint);
                return target;
            }
        };
        let thread = ground.lock().ok().and_then(|mut slot| slot.take());
        match thread.map(JoinHandle::join) {
            Some(Ok(ground)) => ground.put_under(&mut target, gathered, &engine),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            // The thread is started before the first container is read.
            None => target.gap(address, "what lies beneath the engine was not read", "the daemon and its host"),
        }
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
        Ok(Reading::start(root, endpoint, docker_config))
    }

    fn gather_options(
        &self,
        engine: &Engine,
        address: &str,
        reading: &Result<Reading, String>,
        ground: &Slot,
    ) -> gather::Options {
        let host: Arc<dyn HostView + Send + Sync> = match reading {
            Ok(reading) => Arc::new(reading.clone()),
            Err(why) => Arc::new(NoHost::new(why.as_str())),
        };
        let (reading, slot) = (reading.clone(), Arc::clone(ground));
        let around = Around {
            engine: engine.clone(),
            address: address.to_owned(),
            redactor: Arc::clone(&self.redactor),
            collected_at: self.collected_at,
        };
        let finish: gather::Finish = Box::new(move |answers, reloaded, facts| {
            let machine = match &reading {
                Ok(reading) => {
                    reading.prove(&answers.info);
                    reading.wait().map_err(|why| why.to_string())
                }
                Err(why) => Err(why.clone()),
            };
            let decided = decide(answers, reloaded, machine.as_deref().map_err(String::as_str));
            finish(&decided.0, machine.ok().and_then(|m| m.daemon.as_ref().ok()), facts);
            let answers = Arc::clone(answers);
            // While the containers are read.
            let thread = std::thread::spawn(move || Ground::read(&around, &answers, &reading, decided));
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(thread);
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
