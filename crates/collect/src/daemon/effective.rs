//! The daemon's settings in effect: from the engine's own answers where it reports them, else from
//! its command line and `daemon.json` while those may speak for it, else unknown with the reason.

mod groups;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::config;
use super::file::{ConfigFile, State};
use super::find::{Daemon, Program};
use super::stated::{self, Sourced, Stated};

/// What the settings are decided from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The answer to `GET /version`.
    pub version: Option<&'a Value>,
    /// The answer to `GET /info`.
    pub info: Option<&'a Value>,
    /// The answer to `GET /networks/bridge`: `Ok(None)` where the engine has no such network, an
    /// error where that could not be read.
    pub bridge: Result<Option<&'a Value>, &'a str>,
    /// The daemon's process, or why it is not known.
    pub daemon: Result<&'a Daemon, &'a str>,
    /// Its `daemon.json`; `None` where the daemon is not known.
    pub file: Option<&'a ConfigFile>,
    /// Whether the daemon was told to reload since it started, where the engine's events prove it.
    pub reloaded: Option<bool>,
}

/// A setting's value in effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Effective {
    /// It is this.
    Known(Value),
    /// It could not be decided, for this reason.
    Unknown(String),
}

/// One setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its name in `daemon.json`, or the name given in [`settings`].
    pub name: &'static str,
    /// What is in effect.
    pub value: Effective,
    /// Where it was read; empty where it is unknown.
    pub source: String,
    /// What the command line and the file say now, defaults filled in; `None` where that is not
    /// known.
    pub configured: Option<Value>,
    /// Whether the next start would change it; `None` where that is not known.
    pub active_differs: Option<bool>,
}

/// Every setting, and what a restart would meet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// In the order of their names.
    pub all: Vec<Setting>,
    /// Why the daemon would refuse to start again, if it would.
    pub refuses_start: Option<String>,
    /// The engine's version; empty where it did not tell.
    pub version: String,
    /// Its major number as used for defaults.
    pub major: u32,
}

impl Settings {
    /// A setting by its name.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.all.iter().find(|s| s.name == name)
    }
}

/// Whether the daemon was reloaded since it started, by the answer to `GET /events` from the
/// beginning until now: the engine keeps its last 256 events, so that fewer than those are all of
/// them. `None` where older ones are gone.
pub fn reloaded(events: &[Value]) -> Option<bool> {
    const KEPT: usize = 256;
    let text = |event: &Value, key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let reload =
        |e: &Value| text(e, "Type").as_deref() == Some("daemon") && text(e, "Action").as_deref() == Some("reload");
    if events.iter().any(reload) {
        return Some(true);
    }
    (events.len() < KEPT).then_some(false)
}

/// The major version of an engine: from its version, else from the API that it speaks (a build
/// without a version calls itself otherwise). 29 where neither is known.
pub fn major(version: Option<&Value>) -> u32 {
    let text = |key: &str| version.and_then(|v| v.get(key)).and_then(Value::as_str).unwrap_or_default();
    let named = text("Version").split('.').next().and_then(|m| m.parse().ok());
    named.filter(|m| (17..1000).contains(m)).unwrap_or_else(|| match api(version) {
        0 => 29,
        1..=41 => 20,
        42 => 23,
        43 => 24,
        44 => 25,
        45 => 26,
        46 | 47 => 27,
        48..=51 => 28,
        _ => 29,
    })
}

/// The minor number of the newest API that the engine speaks; 0 where it is not known.
fn api(version: Option<&Value>) -> u32 {
    let text = version.and_then(|v| v.get("ApiVersion")).and_then(Value::as_str);
    text.and_then(|t| t.strip_prefix("1.")).and_then(|m| m.parse().ok()).unwrap_or(0)
}

const BOOLEANS: [&str; 8] =
    ["iptables", "ip6tables", "ip-forward", "ip-masq", "init", "raw-logs", "cri-containerd", "ip-forward-no-drop"];
const STATED: [&str; 21] = [
    "bridge",
    "cgroup-parent",
    "containerd",
    "default-address-pools",
    "default-ipc-mode",
    "default-ulimits",
    "exec-opts",
    "exec-root",
    "features",
    "group",
    "hosts",
    "labels",
    "log-opts",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "metrics-addr",
    "network-diagnostic-port",
    "pidfile",
    "storage-opts",
    "swarm-default-advertise-addr",
];

struct Work<'a> {
    inputs: Inputs<'a>,
    stated: Stated<'a>,
    major: u32,
    api: u32,
    podman: bool,
    found: Vec<Setting>,
}

/// Decides every setting. Beside the names of `daemon.json` there are: `rootless`,
/// `userns-remap` (true or false), `cgroup-driver`, `containerd-image-store`, `runtimes` (names),
/// `proxies` (what is set, and whether one carries a user part), `tls`, `tlsverify`.
pub fn settings(inputs: Inputs<'_>) -> Settings {
    let version = inputs.version.and_then(|v| v.get("Version")).and_then(Value::as_str).unwrap_or_default();
    let podman = inputs.daemon.is_ok_and(|d| d.program == Program::Podman) || is_podman(inputs.version);
    let mut work = Work {
        inputs,
        stated: Stated { daemon: inputs.daemon, file: inputs.file, version },
        major: major(inputs.version),
        api: api(inputs.version),
        podman,
        found: Vec::new(),
    };
    for name in BOOLEANS.into_iter().chain(STATED) {
        work.by_sources(name);
    }
    work.reported();
    work.security();
    work.registries();
    work.storage();
    work.networking();
    work.logging();
    work.tls();
    work.proxies();
    work.found.sort_by_key(|s| s.name);
    let refuses_start = refuses_start(&inputs);
    Settings { all: work.found, refuses_start, version: version.to_owned(), major: work.major }
}

fn is_podman(version: Option<&Value>) -> bool {
    let components = version.and_then(|v| v.get("Components")).and_then(Value::as_array);
    components.is_some_and(|all| all.iter().any(|c| c.get("Name").and_then(Value::as_str) == Some("Podman Engine")))
}

fn refuses_start(inputs: &Inputs<'_>) -> Option<String> {
    let (daemon, file) = (inputs.daemon.ok()?, inputs.file?);
    match &file.state {
        State::Refused(why) => Some(format!("{}: {why}", file.path)),
        State::Absent if daemon.flags.given("config-file") => Some(format!("{} is gone", file.path)),
        State::Read(content) => match config::conflicts(content, &daemon.flags) {
            names if names.is_empty() => None,
            names => Some(format!("set both on the command line and in {}: {}", file.path, names.join(", "))),
        },
        _ => None,
    }
}

impl<'a> Work<'a> {
    fn info(&self, key: &str) -> Option<&'a Value> {
        self.inputs.info?.get(key)
    }

    fn default(&self, name: &str) -> Result<Value, String> {
        let rootless = self.inputs.daemon.ok().and_then(|d| d.rootless);
        stated::default(name, self.major, rootless)
    }

    /// What the next start would use: the sources as they are now.
    fn configured(&self, name: &str) -> Option<Value> {
        match self.stated.configured(name) {
            Ok(Some((value, _))) => Some(value),
            Ok(None) => self.default(name).ok(),
            Err(_) => None,
        }
    }

    fn add(&mut self, name: &'static str, value: Result<Sourced, String>, configured: Option<Value>) {
        let (value, source) = match value {
            Ok((value, source)) => (Effective::Known(value), source),
            Err(why) => (Effective::Unknown(why), String::new()),
        };
        let active_differs = match (&value, &configured) {
            (Effective::Known(active), Some(configured)) => Some(active != configured),
            _ => None,
        };
        self.found.push(Setting { name, value, source, configured, active_differs });
    }

    fn by_sources(&mut self, name: &'static str) {
        let value = self.sources(name);
        let configured = self.configured(name);
        self.add(name, value, configured);
    }

    fn sources(&self, name: &str) -> Result<Sourced, String> {
        if self.podman {
            return Err("Podman does not report this setting".into());
        }
        self.stated.in_effect(name, || self.default(name))
    }

    /// A value that the engine reports for every version that we know.
    fn info_value(&self, key: &str) -> Result<Sourced, String> {
        match (self.inputs.info, self.info(key)) {
            (None, _) => Err("the engine's GET /info could not be read".into()),
            (_, None | Some(Value::Null)) => Err(format!("the engine's GET /info has no {key}")),
            (_, Some(value)) => Ok((value.clone(), format!("GET /info {key}"))),
        }
    }

    fn typed(&self, key: &str, right: fn(&Value) -> bool) -> Result<Sourced, String> {
        if self.podman && matches!(key, "Debug" | "LiveRestoreEnabled" | "ExperimentalBuild") {
            return Err("Podman does not report this setting".into());
        }
        let (value, source) = self.info_value(key)?;
        if right(&value) { Ok((value, source)) } else { Err(format!("GET /info {key} has an unexpected type")) }
    }
}
