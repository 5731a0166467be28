//! The daemon's settings in effect: from the engine's own answers where it reports them, else from
//! its command line and `daemon.json` while those may speak for it, else unknown with the reason.

use serde_json::{Map, Value, json};

use super::file::{ConfigFile, State};
use super::find::{Daemon, Program};
use super::keys::without_credentials;
use super::stated::{self, Sourced, Stated};
use super::{config, go};

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

    fn reported(&mut self) {
        for (name, key) in
            [("debug", "Debug"), ("live-restore", "LiveRestoreEnabled"), ("experimental", "ExperimentalBuild")]
        {
            let value = self.typed(key, Value::is_boolean);
            self.add(name, value, self.configured(name));
        }
        let value = self.typed("LoggingDriver", Value::is_string).and_then(|(value, source)| {
            if value == "" { Err("the engine names no logging driver".into()) } else { Ok((value, source)) }
        });
        self.add("log-driver", value, self.configured("log-driver"));
        let value = self.typed("DefaultRuntime", Value::is_string);
        self.add("default-runtime", value, self.configured("default-runtime"));
        let value = self.typed("CgroupDriver", Value::is_string);
        self.add("cgroup-driver", value, None);
        let value = self.typed("DockerRootDir", Value::is_string);
        self.add("data-root", value, self.configured_root());
        let runtimes = self.typed("Runtimes", Value::is_object).map(|(value, source)| {
            let path = |v: &Value| v.get("path").and_then(Value::as_str).map(without_credentials).unwrap_or_default();
            let names = value.as_object().into_iter().flatten().map(|(n, v)| (n.clone(), json!(path(v))));
            (Value::Object(names.collect()), source)
        });
        self.add("runtimes", runtimes, None);
        let mode = match self.info("CgroupVersion").and_then(Value::as_str) {
            Some("2") => Ok(json!("private")),
            Some("1") => Ok(json!("host")),
            _ => Err("the engine does not tell the version of its cgroups".to_owned()),
        };
        let name = "default-cgroupns-mode";
        let value = if self.podman { self.sources(name) } else { self.stated.in_effect(name, || mode.clone()) };
        let configured = match self.stated.configured(name) {
            Ok(Some((value, _))) => Some(value),
            Ok(None) => mode.ok(),
            Err(_) => None,
        };
        self.add(name, value, configured);
    }

    /// The root directory as configured; the engine adds a directory for remapped users.
    fn configured_root(&self) -> Option<Value> {
        let remapped = self.option("userns").ok().is_none_or(|o| o.is_some());
        if remapped { None } else { self.configured("data-root") }
    }

    /// An entry of `SecurityOptions` by its name, with the rest of it.
    fn option(&self, name: &str) -> Result<Option<&'a str>, String> {
        let info = self.inputs.info.ok_or("the engine's GET /info could not be read")?;
        let options = match info.get("SecurityOptions") {
            Some(Value::Array(options)) => options,
            // Go's nil slice: no option at all.
            Some(Value::Null) => return Ok(None),
            _ => return Err("the engine's GET /info has no SecurityOptions".into()),
        };
        let mut texts = options.iter().filter_map(Value::as_str);
        Ok(texts.find_map(|t| {
            let rest = t.strip_prefix("name=")?.strip_prefix(name)?;
            if rest.is_empty() { Some("") } else { rest.strip_prefix(',') }
        }))
    }

    fn security(&mut self) {
        const SOURCE: &str = "GET /info SecurityOptions";
        let present = |option: Result<Option<&str>, String>| option.map(|o| (json!(o.is_some()), SOURCE.to_owned()));
        let remapped = self.configured("userns-remap").map(|v| json!(v != ""));
        self.add("userns-remap", present(self.option("userns")), remapped);
        self.add("rootless", present(self.option("rootless")), None);
        self.add("selinux-enabled", present(self.option("selinux")), self.configured("selinux-enabled"));
        let seccomp = self.option("seccomp").map(|o| {
            let profile = o.map_or("not supported", |o| o.strip_prefix("profile=").unwrap_or("default"));
            (json!(profile), SOURCE.to_owned())
        });
        let same = |v: &Value| v == "default" || v == "builtin" || v == "";
        let configured = self.configured("seccomp-profile").map(|c| match &seccomp {
            Ok((active, _)) if same(active) && same(&c) => active.clone(),
            _ => c,
        });
        self.add("seccomp-profile", seccomp, configured);
        // Reported from 24.0 on (API 1.43).
        let value = match self.option("no-new-privileges") {
            Ok(Some(_)) => Ok((json!(true), SOURCE.to_owned())),
            Ok(None) if self.major >= 24 && !self.podman => Ok((json!(false), SOURCE.to_owned())),
            _ => self.sources("no-new-privileges"),
        };
        self.add("no-new-privileges", value, self.configured("no-new-privileges"));
        let value = self.plugins();
        self.add("authorization-plugins", value, self.configured("authorization-plugins"));
    }

    fn plugins(&self) -> Result<Sourced, String> {
        if self.podman {
            return Err("Podman does not report this setting".into());
        }
        let (plugins, _) = self.info_value("Plugins")?;
        let listed = match plugins.get("Authorization") {
            Some(Value::Array(names)) => Value::Array(names.clone()),
            Some(Value::Null) => json!([]),
            _ => return Err("the engine's GET /info has no Plugins.Authorization".into()),
        };
        let by_flag = self.inputs.daemon.is_ok_and(|d| d.flags.given("authorization-plugins"));
        let source = "GET /info Plugins.Authorization".to_owned();
        match (by_flag || self.inputs.daemon.is_err(), listed == json!([]), self.inputs.reloaded) {
            (true, false, Some(true)) => Err("plugins given by a flag are switched off by a reload, while GET /info \
                still lists them, and the daemon was reloaded"
                .into()),
            (true, false, None) => {
                Err("GET /info lists them, but a reload (SIGHUP) switches off those that were given \
                by a flag, and whether there was one is not known"
                    .into())
            }
            _ => Ok((listed, source)),
        }
    }

    fn registries(&mut self) {
        let insecure = self.typed("RegistryConfig", Value::is_object).map(|(config, source)| {
            let networks = config.get("InsecureRegistryCIDRs").and_then(Value::as_array);
            let networks = networks.into_iter().flatten().filter_map(Value::as_str);
            let mut names: Vec<String> =
                networks.filter(|n| !matches!(*n, "127.0.0.0/8" | "::1/128")).map(str::to_owned).collect();
            let hosts = config.get("IndexConfigs").and_then(Value::as_object).into_iter().flatten();
            names.extend(hosts.filter(|(_, v)| v.get("Secure") == Some(&json!(false))).map(|(n, _)| n.clone()));
            names.sort();
            names.dedup();
            (json!(names), format!("{source}.InsecureRegistryCIDRs and .IndexConfigs, without loopback"))
        });
        let configured = self.configured("insecure-registries").map(sorted);
        self.add("insecure-registries", insecure, configured);
        let mirrors = self.typed("RegistryConfig", Value::is_object).and_then(|(config, source)| {
            let mirrors = match config.get("Mirrors") {
                Some(Value::Array(mirrors)) => mirrors.clone(),
                Some(Value::Null) => Vec::new(),
                _ => return Err("the engine's GET /info has no RegistryConfig.Mirrors".to_owned()),
            };
            let shown = mirrors.iter().filter_map(Value::as_str).map(|m| json!(slashed(m)));
            Ok((shown.collect(), format!("{source}.Mirrors")))
        });
        let configured = self.configured("registry-mirrors").map(|v| {
            let texts = v.as_array().into_iter().flatten().filter_map(Value::as_str);
            texts.map(|m| json!(slashed(m))).collect::<Value>()
        });
        self.add("registry-mirrors", mirrors, configured);
    }

    fn storage(&mut self) {
        let driver = self.typed("Driver", Value::is_string);
        let configured = self.configured("storage-driver").filter(|v| *v != "");
        self.add("storage-driver", driver, configured);
        let store = match self.info("DriverStatus") {
            Some(Value::Array(pairs)) => {
                let containerd = pairs.iter().any(|p| {
                    p.get(0).and_then(Value::as_str) == Some("driver-type")
                        && p.get(1).and_then(Value::as_str) == Some("io.containerd.snapshotter.v1")
                });
                Ok((json!(containerd), "GET /info DriverStatus".to_owned()))
            }
            Some(Value::Null) => Ok((json!(false), "GET /info DriverStatus".to_owned())),
            _ => Err("the engine's GET /info has no DriverStatus".to_owned()),
        };
        self.add("containerd-image-store", store, None);
    }

    fn networking(&mut self) {
        let icc = match self.inputs.bridge {
            Err(why) => Err(format!("the default bridge could not be read: {why}")),
            // A daemon without a default bridge has only what it was told.
            Ok(None) => self.sources("icc"),
            Ok(Some(bridge)) => {
                let option = bridge.get("Options").and_then(|o| o.get("com.docker.network.bridge.enable_icc"));
                match option.and_then(Value::as_str).and_then(go::boolean) {
                    Some(icc) => Ok((json!(icc), "GET /networks/bridge Options enable_icc".to_owned())),
                    None => Err("the default bridge does not report enable_icc".to_owned()),
                }
            }
        };
        self.add("icc", icc, self.configured("icc"));
        // Reported as an entry when it is on, from 29.5 on; nothing tells it off before that.
        let entries = self.info("FirewallBackend").and_then(|f| f.get("Info")).and_then(Value::as_array);
        let on = entries.is_some_and(|all| all.iter().any(|e| *e == json!(["EnableUserlandProxy", "true"])));
        let reports = self.info("FirewallBackend").is_some_and(Value::is_object) && self.api >= 56;
        let source = "GET /info FirewallBackend.Info".to_owned();
        let proxy = match (on, reports) {
            (true, _) => Ok((json!(true), source)),
            (false, true) => Ok((json!(false), source)),
            (false, false) => self.sources("userland-proxy"),
        };
        self.add("userland-proxy", proxy, self.configured("userland-proxy"));
    }

    fn logging(&mut self) {
        let level = self.sources("log-level").map(|(level, source)| {
            if self.info("Debug") == Some(&json!(true)) {
                return (json!("debug"), "GET /info Debug, which sets the log level, too".to_owned());
            }
            (level, source)
        });
        let configured = match self.configured("debug") {
            Some(Value::Bool(true)) => Some(json!("debug")),
            _ => self.configured("log-level"),
        };
        self.add("log-level", level, configured);
    }

    fn tls(&mut self) {
        for name in ["tlscacert", "tlscert", "tlskey"] {
            let file = match name {
                "tlscacert" => "ca.pem",
                "tlscert" => "cert.pem",
                _ => "key.pem",
            };
            let directory = self.stated.environment().map(|e| e.cert_dir.clone());
            let default = || match directory {
                Ok(Some(directory)) => Ok(json!(format!("{directory}/{file}"))),
                Ok(None) => Ok(Value::Null),
                Err(why) => Err(why),
            };
            let value = if self.podman { self.sources(name) } else { self.stated.in_effect(name, default) };
            self.add(name, value, None);
        }
        let resolved = self.resolve_tls();
        for (name, pick) in [("tls", (|t| t.on) as fn(&stated::Tls) -> bool), ("tlsverify", |t| t.verify)] {
            let value = resolved.clone().map(|(tls, source)| (json!(pick(&tls)), source));
            self.add(name, value, None);
        }
    }

    fn resolve_tls(&self) -> Result<(stated::Tls, String), String> {
        let daemon = self.inputs.daemon.map_err(str::to_owned)?;
        if self.podman {
            return Err("Podman does not report this setting".into());
        }
        let flag = |name| match daemon.flags.boolean(name) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(format!("the value of --{name} makes no sense")),
        };
        let flags = (flag("tls")?, flag("tlsverify")?);
        let environment = self.stated.environment()?.tls_verify;
        let mut sources = Vec::new();
        let mut file = |name: &str| -> Result<Option<bool>, String> {
            if daemon.flags.given(name) {
                sources.push(format!("command line of process {}", daemon.pid));
                return Ok(None);
            }
            let (value, source) = self.stated.in_effect(name, || Ok(Value::Null))?;
            sources.push(source);
            Ok(value.as_bool())
        };
        let file = (file("tls")?, file("tlsverify")?);
        sources.dedup();
        Ok((stated::tls(flags, file, environment, self.major), sources.join(" and ")))
    }

    /// Which proxies are set and whether one carries a user part: never their addresses' secrets.
    fn proxies(&mut self) {
        let Some(info) = self.inputs.info else {
            return self.add("proxies", Err("the engine's GET /info could not be read".into()), None);
        };
        let mut set = Map::new();
        for key in ["HttpProxy", "HttpsProxy", "NoProxy"] {
            match info.get(key) {
                Some(Value::String(text)) if text.is_empty() => {}
                // The engine hides the user part itself, and leaves the @.
                Some(Value::String(text)) => {
                    set.insert(key.to_owned(), json!({"credentials": text.contains('@') && key != "NoProxy"}));
                }
                _ => return self.add("proxies", Err(format!("the engine's GET /info has no {key}")), None),
            }
        }
        self.add("proxies", Ok((Value::Object(set), "GET /info HttpProxy, HttpsProxy, NoProxy".into())), None);
    }
}

fn sorted(value: Value) -> Value {
    let Value::Array(mut items) = value else { return value };
    items.retain(|i| !matches!(i.as_str(), Some("127.0.0.0/8" | "::1/128")));
    items.sort_by_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

fn slashed(mirror: &str) -> String {
    let shown = without_credentials(mirror);
    if shown.ends_with('/') { shown } else { format!("{shown}/") }
}

#[cfg(test)]
mod tests {
    use super::super::argv;
    use super::super::find::{Environment, Found};
    use super::*;
    use crate::host::process::Owner;

    fn info(extra: Value) -> Value {
        let mut info = json!({
            "SecurityOptions": ["name=seccomp,profile=default"], "LiveRestoreEnabled": false, "Debug": false,
            "ExperimentalBuild": false, "LoggingDriver": "json-file", "DefaultRuntime": "runc", "CgroupVersion": "1",
            "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"], "Mirrors": [], "IndexConfigs":
                {"docker.io": {"Secure": true}}}, "Plugins": {"Authorization": null}, "Driver": "overlay2",
            "DriverStatus": [], "HttpProxy": "", "HttpsProxy": "", "NoProxy": "", "DockerRootDir": "/var/lib/docker",
        });
        info.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        info
    }

    fn file(text: &str, changed: bool) -> ConfigFile {
        ConfigFile {
            path: "/etc/docker/daemon.json".into(),
            real: None,
            state: config::parse(text.as_bytes(), 29).map_or_else(State::Refused, State::Read),
            changed_at: Some(1),
            changed_since_start: changed.then(|| "daemon.json changed after dockerd started".into()),
        }
    }

    fn decide(version: &str, info: Value, line: &str, file: &ConfigFile) -> Settings {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let daemon = Daemon::for_test(
            argv::parse(&words),
            Some(Environment::default()),
            Found::Peer,
            Owner { uid: 0, effective_uid: 0, effective_gid: 0 },
        );
        let minor = if version.starts_with("29") { "1.56" } else { "1.41" };
        let version = json!({"Version": version, "ApiVersion": minor});
        let bridge = json!({"Options": {"com.docker.network.bridge.enable_icc": "true"}});
        settings(Inputs {
            version: Some(&version),
            info: Some(&info),
            bridge: Ok(Some(&bridge)),
            daemon: Ok(&daemon),
            file: Some(file),
            reloaded: None,
        })
    }

    fn known(settings: &Settings, name: &str) -> Value {
        match &settings.get(name).unwrap().value {
            Effective::Known(value) => value.clone(),
            Effective::Unknown(why) => panic!("{name}: {why}"),
        }
    }

    fn unknown(settings: &Settings, name: &str) -> bool {
        matches!(settings.get(name).unwrap().value, Effective::Unknown(_))
    }

    #[test]
    fn the_engine_speaks_before_the_sources() {
        let text = r#"{"icc":false,"live-restore":true,"insecure-registries":["r:5000"]}"#;
        let s = decide("20.10.24", info(json!({})), "dockerd", &file(text, false));
        assert_eq!(known(&s, "icc"), true);
        assert_eq!(s.get("icc").unwrap().active_differs, Some(true));
        assert_eq!(known(&s, "live-restore"), false);
        assert_eq!(s.get("live-restore").unwrap().configured, Some(json!(true)));
        assert_eq!(known(&s, "insecure-registries"), json!([]));
        assert_eq!(s.get("seccomp-profile").unwrap().active_differs, Some(false));
    }

    #[test]
    fn a_changed_file_leaves_what_the_engine_does_not_report_unknown() {
        let text = r#"{"no-new-privileges":true,"iptables":true,"log-level":"info"}"#;
        let s = decide("20.10.24", info(json!({})), "dockerd --ip-masq=0", &file(text, true));
        for name in ["no-new-privileges", "iptables", "log-level", "userland-proxy", "tls", "default-ulimits"] {
            assert!(unknown(&s, name), "{name}");
        }
        assert_eq!(known(&s, "ip-masq"), false);
        assert_eq!(s.get("no-new-privileges").unwrap().configured, Some(json!(true)));
        let s = decide("20.10.24", info(json!({})), "dockerd", &file(text, false));
        assert_eq!(known(&s, "no-new-privileges"), true);
        assert_eq!(s.get("userland-proxy").unwrap().source, "built-in default of Engine 20.10.24");
    }

    #[test]
    fn what_engine_29_reports_more() {
        let on = json!({"SecurityOptions": ["name=seccomp,profile=builtin", "name=no-new-privileges", "name=userns"],
            "FirewallBackend": {"Driver": "iptables", "Info": [["EnableUserlandProxy", "true"]]}});
        let s = decide("29.1.0", info(on), "dockerd", &file("{}", true));
        assert_eq!(known(&s, "no-new-privileges"), true);
        assert_eq!(known(&s, "userland-proxy"), true);
        assert_eq!(known(&s, "userns-remap"), true);
        let off = json!({"FirewallBackend": {"Driver": "iptables", "Info": null}});
        let s = decide("29.1.0", info(off), "dockerd", &file("{}", true));
        assert_eq!(known(&s, "no-new-privileges"), false);
        assert_eq!(known(&s, "userland-proxy"), false);
        assert!(unknown(&s, "iptables"));
    }

    #[test]
    fn plugins_of_a_flag_are_no_evidence_without_proof_that_there_was_no_reload() {
        let listed = json!({"Plugins": {"Authorization": ["p"]}});
        let s = decide("20.10.24", info(listed.clone()), "dockerd --authorization-plugin=p", &file("{}", false));
        assert!(unknown(&s, "authorization-plugins"));
        let s = decide("20.10.24", info(listed), "dockerd", &file(r#"{"authorization-plugins":["p"]}"#, false));
        assert_eq!(known(&s, "authorization-plugins"), json!(["p"]));
    }

    #[test]
    fn without_the_daemon_only_the_engine_speaks() {
        let info = info(json!({}));
        let inputs = Inputs {
            version: None,
            info: Some(&info),
            bridge: Err("denied"),
            daemon: Err("it is remote"),
            file: None,
            reloaded: None,
        };
        let s = settings(inputs);
        assert_eq!(known(&s, "live-restore"), false);
        for name in ["icc", "iptables", "log-level", "tls", "hosts", "default-ulimits", "userland-proxy"] {
            assert!(unknown(&s, name), "{name}");
        }
        let nothing = settings(Inputs { info: None, ..inputs });
        assert!(nothing.all.iter().all(|s| matches!(s.value, Effective::Unknown(_))), "{nothing:?}");
    }

    #[test]
    fn what_the_next_start_would_refuse_is_said() {
        let s = decide("29.1.0", info(json!({})), "dockerd --icc=true", &file(r#"{"icc":false}"#, true));
        assert!(s.refuses_start.unwrap().contains("icc"));
        let s = decide("29.1.0", info(json!({})), "dockerd", &file(r#"{"nonsense":1}"#, true));
        assert!(s.refuses_start.unwrap().contains("nonsense"));
    }
}
