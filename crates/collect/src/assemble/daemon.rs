//! The daemon as a component: its settings in effect, its process, its listeners.

mod listeners;
mod registries;

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::shield::Shield;
use crate::daemon::effective::{Effective, Settings};
use crate::daemon::file::{ConfigFile, State};
use crate::daemon::find::Daemon;
use crate::redact::Redactor;

/// What is known of the engine when its component is put together.
pub(super) struct Inputs<'a> {
    /// `GET /version`.
    pub version: Option<&'a Json>,
    /// `GET /info`, or why there is none.
    pub info: Result<&'a Json, String>,
    /// `GET /networks`, or why there is none.
    pub networks: Result<&'a [Json], String>,
    /// `GET /plugins`, or why there is none.
    pub plugins: Result<&'a Json, String>,
    /// The settings in effect.
    pub settings: &'a Settings,
    /// The daemon's process, or why it is not known.
    pub daemon: Result<&'a Daemon, &'a str>,
    /// Its `daemon.json`.
    pub file: Option<&'a ConfigFile>,
    /// The version of the package that owns the executable; `None` when no package does.
    pub package: Result<Option<String>, String>,
    /// The engine's address, without credentials.
    pub address: &'a str,
    /// How long its API certificates hold, or why that is not known.
    pub certificates: Result<Value, String>,
    /// Takes secrets out.
    pub redactor: &'a Redactor,
    /// The addresses of its host.
    pub shield: &'a Shield,
}

/// The daemon's component.
pub(super) fn component(inputs: &Inputs<'_>) -> Component {
    let mut c = Component::new(&docker::DAEMON, "daemon", "daemon");
    let mut sheet = Sheet { c: &mut c, inputs };
    sheet.versions();
    sheet.process();
    sheet.engine();
    sheet.config_file();
    sheet.settings();
    sheet.logging();
    sheet.listeners();
    sheet.security();
    sheet.networks();
    sheet.swarm();
    sheet.rest();
    c
}

struct Sheet<'a, 'i> {
    c: &'a mut Component,
    inputs: &'i Inputs<'i>,
}

impl<'i> Sheet<'_, 'i> {
    fn put(&mut self, fact: &'static str, value: Result<Value, String>, place: &str) {
        let source = Source::place(place);
        match value {
            Ok(value) => self.c.set(fact, value, source),
            Err(why) => self.c.set_unknown(fact, why, source),
        }
    }

    /// A field of `GET /info`, converted; unknown where it is missing or of another type.
    fn info(&mut self, fact: &'static str, field: &'static str, convert: impl Fn(&Json) -> Option<Value>) {
        let value = match &self.inputs.info {
            Ok(info) => match pointer(info, field).map(&convert) {
                Some(Some(value)) => Ok(value),
                Some(None) => Err("the engine's answer has another type".to_owned()),
                None => Err("the engine left it out".to_owned()),
            },
            Err(why) => Err(why.clone()),
        };
        self.c.set(fact, value.unwrap_or_else(Value::unknown), Source::new(&Arc::from("GET /info"), field));
    }

    /// A setting in effect, converted.
    fn setting(&mut self, fact: &'static str, name: &str, convert: impl Fn(&Json) -> Option<Value>) {
        let Some(setting) = self.inputs.settings.get(name) else {
            return self.put(fact, Err("the setting was not decided".into()), name);
        };
        let value = match &setting.value {
            Effective::Known(value) => convert(value).ok_or_else(|| "its value has another type".to_owned()),
            Effective::Unknown(why) => Err(why.clone()),
        };
        let place = if setting.source.is_empty() { name } else { &setting.source };
        self.put(fact, value, place);
    }

    /// A setting's value in effect, or why it is not known.
    fn known(&self, name: &str) -> Result<&'i Json, String> {
        match self.inputs.settings.get(name).map(|s| &s.value) {
            Some(Effective::Known(value)) => Ok(value),
            Some(Effective::Unknown(why)) => Err(why.clone()),
            None => Err("the setting was not decided".to_owned()),
        }
    }

    fn versions(&mut self) {
        let version = self.inputs.version.cloned().unwrap_or(Json::Null);
        let text = |field: &str| match version.get(field).and_then(Json::as_str) {
            Some(text) if !text.is_empty() => Ok(bounded(text)),
            _ => Err("the engine left it out".to_owned()),
        };
        let of = |name: &str| {
            let all = version.get("Components").and_then(Json::as_array);
            let found = all.into_iter().flatten().find(|c| c.get("Name").and_then(Json::as_str) == Some(name));
            match found.and_then(|c| c.get("Version")).and_then(Json::as_str) {
                Some(text) if !text.is_empty() => Ok(bounded(text.trim_start_matches('v'))),
                _ => Err(format!("the engine names no version of {name}")),
            }
        };
        let podman = of("Podman Engine").is_ok();
        let engine = if podman { "podman" } else { "docker" };
        let known = if version.is_null() { Err("the engine did not answer".into()) } else { Ok(engine.into()) };
        self.put("engine", known, "GET /version");
        self.put("version", text("Version"), "GET /version: Version");
        self.put("api_version", text("ApiVersion"), "GET /version: ApiVersion");
        self.put("containerd_version", of("containerd"), "GET /version: Components");
        self.put("runc_version", of("runc"), "GET /version: Components");
        let package = self.inputs.package.clone().map(|v| v.map_or(Value::Null, Value::from));
        self.put("package_version", package, "package database");
    }

    fn process(&mut self) {
        let daemon = match self.inputs.daemon {
            Ok(daemon) => daemon,
            Err(why) => {
                for fact in ["pid", "executable", "uid", "arguments"] {
                    self.put(fact, Err(why.to_owned()), "/proc");
                }
                return;
            }
        };
        let place = |name: &str| format!("/proc/{}/{name}", daemon.pid);
        self.put("pid", Ok(i64::from(daemon.pid).into()), &place(""));
        let executable = daemon.exe.clone().map(Value::from).ok_or_else(|| "permission denied".to_owned());
        self.put("executable", executable, &place("exe"));
        self.put("uid", Ok(i64::from(daemon.owner.effective_uid).into()), &place("status"));
        self.put("arguments", Ok(Value::strings(daemon.flags.shown.iter().map(String::as_str))), &place("cmdline"));
    }

    fn engine(&mut self) {
        let of = |info: &Json| {
            let text = |field: &str| pointer(info, field).and_then(Json::as_str).filter(|t| !t.is_empty());
            let (Some(id), Some(root)) = (text("ID"), text("DockerRootDir")) else {
                return Err("the engine left it out".to_owned());
            };
            Ok(crate::fingerprint(&[b"seaworthy engine\0", id.as_bytes(), b"\0", root.as_bytes()]).into())
        };
        let id = self.inputs.info.clone().and_then(of);
        self.put("engine_id", id, "GET /info: ID, DockerRootDir");
    }

    /// What daemon.json holds, for those who change it.
    fn config_content(&mut self, file: &ConfigFile) {
        let digest = match (&file.state, &file.digest) {
            (State::Unread(why), _) => Err(why.clone()),
            (_, digest) => Ok(digest.clone().into()),
        };
        self.put("config_digest", digest, &file.path);
        let keys = match &file.state {
            State::Read(content) => Ok(Value::strings(content.names.iter().map(String::as_str))),
            State::Absent => Ok(Value::List(Vec::new())),
            State::Refused(why) => Err(format!("the engine would refuse it: {why}")),
            State::Unread(why) => Err(why.clone()),
        };
        self.put("config_keys", keys, &file.path);
    }

    fn config_file(&mut self) {
        let place = "the daemon's arguments";
        let Some(file) = self.inputs.file else {
            let why = self.inputs.daemon.err().unwrap_or("its daemon.json could not be found").to_owned();
            let facts = ["config_file", "config_digest", "config_keys", "config_changed_since_start"];
            for fact in facts.into_iter().chain(["configured_not_active"]) {
                self.put(fact, Err(why.clone()), place);
            }
            return;
        };
        let (path, changed) = match &file.state {
            State::Absent => (Ok(Value::Null), Ok(file.changed_since_start.is_some().into())),
            State::Unread(why) => (Ok(bounded(&file.path)), Err(why.clone())),
            State::Read(_) | State::Refused(_) => {
                (Ok(bounded(&file.path)), Ok(file.changed_since_start.is_some().into()))
            }
        };
        self.put("config_file", path, place);
        self.config_content(file);
        self.put("config_changed_since_start", changed, &format!("{}, start of process", file.path));
        self.put("configured_not_active", differences(self.inputs.settings, file), &file.path);
    }

    fn settings(&mut self) {
        self.setting("rootless", "rootless", boolean);
        self.setting("userns", "userns-remap", boolean);
        self.setting("icc", "icc", boolean);
        self.setting("log_level", "log-level", string);
        self.setting("iptables", "iptables", boolean);
        self.setting("ip6tables", "ip6tables", boolean);
        self.setting("insecure_registries", "insecure-registries", strings);
        self.setting("storage_driver", "storage-driver", string);
        self.setting("containerd_store", "containerd-image-store", boolean);
        self.setting("base_device_size", "storage-opts", |v| {
            let options = v.as_array()?.iter().filter_map(Json::as_str);
            let size = options.filter_map(|o| o.strip_prefix("dm.basesize=")).next_back();
            Some(size.map_or(Value::Null, bounded))
        });
        self.setting("metrics_address", "metrics-addr", optional);
        self.setting("debug", "debug", boolean);
        self.setting("default_ulimits", "default-ulimits", ulimits);
        self.setting("cgroup_parent", "cgroup-parent", optional);
        self.setting("cgroup_driver", "cgroup-driver", string);
        self.setting("authorization_plugins", "authorization-plugins", strings);
        self.setting("no_new_privileges", "no-new-privileges", boolean);
        self.setting("live_restore", "live-restore", boolean);
        self.setting("userland_proxy", "userland-proxy", boolean);
        self.setting("experimental", "experimental", boolean);
        self.setting("default_runtime", "default-runtime", string);
        self.setting("default_cgroupns", "default-cgroupns-mode", string);
        self.setting("default_ipc", "default-ipc-mode", string);
        self.setting("selinux", "selinux-enabled", boolean);
        let insecure = self.known("insecure-registries").map(|list| list.as_array().cloned().unwrap_or_default());
        self.setting("registry_mirrors", "registry-mirrors", |v| {
            let mirror = |m: &str| {
                let bad = registries::unverified(m, &insecure).map_or_else(Value::unknown, Value::from);
                Value::Object(vec![("address", bounded(m)), ("insecure", bad)])
            };
            Some(Value::List(v.as_array()?.iter().filter_map(Json::as_str).map(mirror).collect()))
        });
        self.setting("proxy_credentials", "proxies", |v| {
            let any = v.as_object()?.values().any(|p| p.get("credentials") == Some(&Json::Bool(true)));
            Some(any.into())
        });
    }

    fn logging(&mut self) {
        self.setting("log_driver", "log-driver", string);
        self.setting("log_options", "log-opts", |v| {
            let shown = |(name, value): (&String, &Json)| match (name.as_str(), value.as_str()) {
                ("max-size" | "max-file", Some(value)) => format!("{name}={value}"),
                _ => name.clone(),
            };
            Some(Value::strings(v.as_object()?.iter().map(shown).collect::<Vec<_>>()))
        });
        let (driver, options) = (self.known("log-driver"), self.known("log-opts"));
        let is_here = |ip| self.inputs.shield.is_here(ip, self.inputs.networks.as_deref().unwrap_or_default());
        let central =
            driver.and_then(|driver| super::logs::leave_host(driver.as_str().unwrap_or_default(), options, is_here));
        self.put("log_central", central.map(Value::Bool), "the log driver and its options");
        let driver = self.c.value("log_driver").as_str().map(str::to_owned);
        let bounded = match driver.as_deref() {
            Some("json-file") => match self.c.value("log_options") {
                Value::List(options) => {
                    let limit = options
                        .iter()
                        .filter_map(Value::as_str)
                        .any(|o| o.starts_with("max-size=") && o != "max-size=-1");
                    Ok(limit.into())
                }
                other => Err(other.reason().map_or_else(String::new, ToString::to_string)),
            },
            Some(_) => Ok(true.into()),
            None => Err("the log driver is not known".to_owned()),
        };
        self.put("log_bounded", bounded, "the log driver and its options");
    }

    fn security(&mut self) {
        self.setting("seccomp_profile", "seccomp-profile", |v| {
            Some(match v.as_str()? {
                "default" | "builtin" | "" => "builtin".into(),
                "not supported" => "unconfined".into(),
                other => bounded(other),
            })
        });
        let profile = self.c.value("seccomp_profile").clone();
        let allows = match (profile.as_str(), self.inputs.daemon) {
            (Some("builtin"), _) => Ok(false.into()),
            (Some("unconfined"), _) => Ok(true.into()),
            (Some(path), Ok(daemon)) => super::seccomp::allows_all(daemon, path).map(Value::from),
            (Some(_), Err(why)) => Err(why.to_owned()),
            (None, _) => Err("the profile is not known".to_owned()),
        };
        self.put("seccomp_profile_allows_all", allows, "the profile's file");
        self.info("apparmor", "SecurityOptions", |v| {
            let named = |o: &Json| o.as_str().is_some_and(|o| o == "name=apparmor" || o == "apparmor");
            if v.is_null() { Some(false.into()) } else { Some(v.as_array()?.iter().any(named).into()) }
        });
        let secrets = match (self.inputs.daemon, self.inputs.file) {
            (Ok(daemon), Some(file)) => Ok(Value::List(config_secrets(daemon, file, self.inputs.redactor))),
            (Err(why), _) => Err(why.to_owned()),
            (_, None) => Err("its daemon.json could not be found".to_owned()),
        };
        self.put("config_secrets", secrets, "daemon.json and the daemon's arguments");
    }

    fn networks(&mut self) {
        let exists = match &self.inputs.networks {
            Ok(networks) => {
                let flag = |n: &Json| {
                    pointer(n, "Options")
                        .and_then(|o| o.get("com.docker.network.bridge.default_bridge"))
                        .and_then(Json::as_str)
                        == Some("true")
                };
                Ok(networks.iter().any(|n| flag(n) || n.get("Name").and_then(Json::as_str) == Some("bridge")))
            }
            Err(why) => Err(why.clone()),
        };
        if exists == Ok(false) {
            // Without a default bridge no container can be reached over it.
            self.put("icc", Ok(false.into()), "GET /networks: no default bridge");
        }
        self.put("default_bridge", exists.map(Value::from), "GET /networks");
    }

    fn swarm(&mut self) {
        self.info("swarm", "Swarm.LocalNodeState", |v| match v.as_str()? {
            "" => Some("inactive".into()),
            state => Some(bounded(state)),
        });
        self.info("swarm_manager", "Swarm.ControlAvailable", boolean);
        let listens = match self.c.value("listeners") {
            Value::List(all) => {
                let swarm = all.iter().filter(|l| l.field("serves").and_then(Value::as_str) == Some("swarm"));
                Value::List(swarm.filter_map(|l| l.field("address").cloned()).collect())
            }
            other => Value::unknown(other.reason().map_or("its sockets are not known", |r| r)),
        };
        self.put("swarm_listen", Ok(listens), "the daemon's sockets");
    }

    fn rest(&mut self) {
        self.info("warnings", "Warnings", |v| if v.is_null() { Some(Value::List(Vec::new())) } else { strings(v) });
        let plugins = match &self.inputs.plugins {
            Ok(list) => {
                let one = |p: &Json| {
                    let name = p.get("Name").and_then(Json::as_str).unwrap_or_default();
                    let on = p.get("Enabled") == Some(&Json::Bool(true));
                    bounded(&format!("{name} ({})", if on { "enabled" } else { "disabled" }))
                };
                Ok(Value::List(list.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(one).collect()))
            }
            Err(why) => Err(why.clone()),
        };
        self.put("plugins", plugins, "GET /plugins");
    }
}

/// Settings that are configured otherwise than they are in effect.
fn differences(settings: &Settings, file: &ConfigFile) -> Result<Value, String> {
    let mut found = Vec::new();
    let mut unknown = None;
    let difference = |name: &str, configured: &str, active: &str| {
        let texts = [("name", name), ("configured", configured), ("active", active)];
        Value::Object(texts.map(|(field, text)| (field, bounded(text))).to_vec())
    };
    if let Some(why) = &settings.refuses_start {
        found.push(difference("daemon.json", &format!("refused by the next start: {why}"), "what the last start read"));
    }
    for setting in &settings.all {
        match (&setting.value, &setting.configured, setting.active_differs) {
            (Effective::Known(active), Some(configured), Some(true)) => {
                found.push(difference(setting.name, &configured.to_string(), &active.to_string()));
            }
            (Effective::Unknown(why), Some(_), _) => unknown = unknown.or(Some(why.clone())),
            _ => {}
        }
    }
    if let State::Unread(why) = &file.state {
        return Err(why.clone());
    }
    match unknown {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(Value::List(found)),
    }
}

/// Secrets in the daemon's arguments and its file, by name. Values were taken out when both were read.
fn config_secrets(daemon: &Daemon, file: &ConfigFile, redactor: &Redactor) -> Vec<Value> {
    let mut out = Vec::new();
    let mut add = |name: &str, class: &str| {
        out.push(Value::Object(vec![("name", bounded(name)), ("class", class.into()), ("length", "not kept".into())]));
    };
    if daemon.flags.proxy_credentials {
        add("proxy of the arguments", "credentials in a URL");
    }
    if let State::Read(content) = &file.state {
        if content.proxy_credentials {
            add("proxy of daemon.json", "credentials in a URL");
        }
        if let Some(options) = content.keys.get("log-opts").and_then(Json::as_object) {
            for name in options.keys().filter(|n| redactor.classify(n, "x9Kq2mPvR7tLw4Zs").is_some()) {
                add(&format!("log-opts {name}"), "log driver's secret");
            }
        }
    }
    out
}

/// A value beneath an object, by a path of names with dots between them.
pub(super) fn pointer<'j>(json: &'j Json, path: &str) -> Option<&'j Json> {
    path.split('.').try_fold(json, |json, name| json.get(name))
}

/// The most bytes of one text that is kept: 4 KiB.
const LONGEST: usize = 4096;

/// A text of somebody else's, cut to what is kept.
pub(super) fn bounded(text: &str) -> Value {
    if text.len() <= LONGEST {
        return text.into();
    }
    let end = (0..=LONGEST).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    Value::from(format!("{}… ({} bytes)", &text[..end], text.len()))
}

fn boolean(v: &Json) -> Option<Value> {
    v.as_bool().map(Value::Bool)
}

fn string(v: &Json) -> Option<Value> {
    v.as_str().map(bounded)
}

fn optional(v: &Json) -> Option<Value> {
    match v {
        Json::Null => Some(Value::Null),
        Json::String(s) if s.is_empty() => Some(Value::Null),
        Json::String(s) => Some(bounded(s)),
        _ => None,
    }
}

fn strings(v: &Json) -> Option<Value> {
    match v {
        Json::Null => Some(Value::List(Vec::new())),
        _ => Some(Value::List(v.as_array()?.iter().filter_map(Json::as_str).map(bounded).collect())),
    }
}

/// `{"nofile": {"Name": …, "Soft": …, "Hard": …}}`, as daemon.json has it.
fn ulimits(v: &Json) -> Option<Value> {
    let one = |(name, limit): (&String, &Json)| {
        let number = |field: &str| limit.get(field).and_then(Json::as_i64);
        let number = |field: &str| number(field).map_or_else(|| Value::unknown("it is not stated"), Value::Int);
        Value::Object(vec![("name", bounded(name)), ("soft", number("Soft")), ("hard", number("Hard"))])
    };
    Some(Value::List(v.as_object()?.iter().map(one).collect()))
}
