//! The groups of settings, each by how the engine reports it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value, json};

use super::super::environment::Environment;
use super::super::go;
use super::super::keys::without_credentials;
use super::super::stated::{self, Sourced};
use super::Work;

/// Where a default bridge with `icc` off is one all the same: the rule that holds its containers apart is never asked.
const UNFILTERED: &str = "net.bridge.bridge-nf-call-iptables, without which no rule sees what passes a bridge";

impl<'a> Work<'a> {
    pub(super) fn reported(&mut self) {
        for (name, key) in
            [("debug", "Debug"), ("live-restore", "LiveRestoreEnabled"), ("experimental", "ExperimentalBuild")]
        {
            let value = self.typed(key, Value::is_boolean);
            let configured = if name == "debug" { self.configured_debug() } else { self.configured(name) };
            self.add(name, value, configured);
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

    /// Whether the next start would be in debug mode: also by the environment.
    fn configured_debug(&self) -> Option<Value> {
        if self.stated.environment().is_ok_and(|environment| environment.debug) {
            return Some(json!(true));
        }
        self.configured("debug")
    }

    /// The root directory as configured; the engine adds a directory for remapped users, also for those who stay who
    /// they are.
    fn configured_root(&self) -> Option<Value> {
        let remapped = self.option("userns").ok().is_none_or(|o| o.is_some());
        let asked = self.configured("userns-remap").is_none_or(|v| v != "");
        if remapped || asked { None } else { self.configured("data-root") }
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

    pub(super) fn security(&mut self) {
        const SOURCE: &str = "GET /info SecurityOptions";
        let present = |option: Result<Option<&str>, String>| option.map(|o| (json!(o.is_some()), SOURCE.to_owned()));
        let remapped = self.configured("userns-remap").map(|v| json!(v.as_str().is_some_and(remaps)));
        let userns = present(self.option("userns")).map(|(on, source)| {
            // The directory is named for whom root becomes: the engine calls it remapped where only the group is.
            let root = self.info("DockerRootDir").and_then(Value::as_str).unwrap_or_default();
            if on == json!(true) && root.rsplit('/').next().is_some_and(|name| name.starts_with("0.")) {
                return (json!(false), "GET /info DockerRootDir, by which root stays root".to_owned());
            }
            (on, source)
        });
        self.add("userns-remap", userns, remapped);
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

    pub(super) fn registries(&mut self) {
        let insecure = self.typed("RegistryConfig", Value::is_object).map(|(config, source)| {
            let networks = config.get("InsecureRegistryCIDRs").and_then(Value::as_array);
            let networks = networks.into_iter().flatten().filter_map(Value::as_str);
            let mut names: Vec<String> = networks.map(str::to_owned).collect();
            let hosts = config.get("IndexConfigs").and_then(Value::as_object).into_iter().flatten();
            names.extend(hosts.filter(|(_, v)| v.get("Secure") == Some(&json!(false))).map(|(n, _)| n.clone()));
            names.retain(|name| !is_loopback(name));
            names.sort();
            names.dedup();
            (json!(names), format!("{source}.InsecureRegistryCIDRs and .IndexConfigs, without loopback"))
        });
        let configured = self.configured("insecure-registries").map(as_reported);
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
            let mut shown: Vec<String> = Vec::new();
            for mirror in texts.map(slashed) {
                // The engine lists each of them once.
                if !shown.contains(&mirror) {
                    shown.push(mirror);
                }
            }
            json!(shown)
        });
        self.add("registry-mirrors", mirrors, configured);
    }

    pub(super) fn storage(&mut self) {
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

    pub(super) fn networking(&mut self) {
        let icc = match self.inputs.bridge {
            Err(why) => Err(format!("the default bridge could not be read: {why}")),
            // A daemon without a default bridge has only what it was told.
            Ok(None) => self.sources("icc"),
            Ok(Some(bridge)) => {
                let option = bridge.get("Options").and_then(|o| o.get("com.docker.network.bridge.enable_icc"));
                let filtered = self.inputs.daemon.ok().and_then(|d| d.bridges_filtered);
                match option.and_then(Value::as_str).and_then(go::boolean) {
                    Some(false) if filtered == Some(false) => Ok((json!(true), UNFILTERED.to_owned())),
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

    pub(super) fn logging(&mut self) {
        let level = self.log_level();
        let configured = match self.configured("debug") {
            Some(Value::Bool(true)) => Some(json!("debug")),
            _ => self.configured("log-level").map(|level| level_name(&level)),
        };
        self.add("log-level", level, configured);
    }

    /// The level in effect. Debug mode sets it, but for that of the environment variable `DEBUG`, which only the answer
    /// tells of; leaving debug mode by a reload sets it to `info`, whatever was configured.
    fn log_level(&self) -> Result<Sourced, String> {
        let (level, source) = self.sources("log-level").map(|(level, source)| (level_name(&level), source))?;
        if self.info("Debug") == Some(&json!(true)) {
            let reported = || (json!("debug"), "GET /info Debug, which sets the log level, too".to_owned());
            return match (self.sources("debug"), self.stated.environment()) {
                (Ok((Value::Bool(true), _)), _) | (_, Ok(Environment { debug: false, .. })) => Ok(reported()),
                (Ok(_), Ok(_)) => Ok((level, source)),
                (Err(why), _) => Err(why),
                (_, Err(why)) => Err(format!("the engine is in debug mode, by a setting or by DEBUG alone: {why}")),
            };
        }
        let changed = self.inputs.file.and_then(|file| file.changed_since_start.as_deref());
        match changed {
            Some(change) if level != "info" && self.inputs.reloaded != Some(false) => Err(format!(
                "a reload that switches debug mode off sets the level to info, and there may have been one: {change}"
            )),
            _ => Ok((level, source)),
        }
    }

    pub(super) fn tls(&mut self) {
        for name in ["tlscacert", "tlscert", "tlskey"] {
            let value = if self.podman { self.sources(name) } else { self.tls_file(name) };
            self.add(name, value, None);
        }
        let resolved = self.resolve_tls();
        for (name, pick) in [("tls", (|t| t.on) as fn(&stated::Tls) -> bool), ("tlsverify", |t| t.verify)] {
            let value = resolved.clone().map(|(tls, source)| (json!(pick(&tls)), source));
            self.add(name, value, None);
        }
    }

    /// Where a file of TLS lies; null where none is named. The flags for them, and their defaults, count only where TLS
    /// is asked for by a flag or the environment: with `tls` or `tlsverify` in the file alone, the file names them all.
    fn tls_file(&self, name: &str) -> Result<Sourced, String> {
        let flags = &self.inputs.daemon.map_err(str::to_owned)?.flags;
        let environment = self.stated.environment();
        let asked = flags.given("tlsverify") || flags.boolean("tls") == Some(Some(true));
        if !asked && !environment.clone()?.tls_verify {
            return self.stated.in_file(name, || Ok(Value::Null));
        }
        let file = match name {
            "tlscacert" => "ca.pem",
            "tlscert" => "cert.pem",
            _ => "key.pem",
        };
        self.stated.in_effect(name, || {
            Ok(environment?.cert_dir.as_ref().map_or(Value::Null, |d| json!(format!("{d}/{file}"))))
        })
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
    pub(super) fn proxies(&mut self) {
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

/// A level by its one name: case does not count, and `warning` is `warn`.
fn level_name(level: &Value) -> Value {
    let lower = level.as_str().map(str::to_lowercase);
    match lower.as_deref() {
        Some("warning") => json!("warn"),
        Some(name) => json!(name),
        None => level.clone(),
    }
}

/// Whether a registry, or a network of some, is on this host itself, which no engine verifies, whatever is configured.
fn is_loopback(registry: &str) -> bool {
    if matches!(registry, "127.0.0.0/8" | "::1/128") {
        return true;
    }
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => registry.rsplit_once(':').map_or(registry, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(crate::host::network::is_loopback)
}

/// Whether a value of `userns-remap` remaps anybody: root cannot be remapped to himself, which leaves it off.
fn remaps(value: &str) -> bool {
    !matches!(value.split(':').next(), None | Some("" | "root" | "0"))
}

/// Registries as the engine reports them: without the scheme of an address, networks by their first address, sorted.
fn as_reported(value: Value) -> Value {
    let Value::Array(mut items) = value else { return value };
    for item in &mut items {
        let Some(text) = item.as_str() else { continue };
        let scheme = |s: &&str| text.get(..s.len()).is_some_and(|head| head.eq_ignore_ascii_case(s));
        let bare = ["http://", "https://"].iter().find(|s| scheme(s)).map_or(text, |s| &text[s.len()..]);
        *item = json!(first_address(bare).unwrap_or_else(|| bare.to_owned()));
    }
    items.retain(|i| !i.as_str().is_some_and(is_loopback));
    items.sort_by_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

/// A network by its first address: `10.0.0.0/8` of `10.1.2.3/8`.
fn first_address(network: &str) -> Option<String> {
    let (ip, length) = seaworthy_core::cidr::network(network)?;
    let mask = |width: u32| u128::MAX.checked_shl(width.checked_sub(length)?).or(Some(0));
    let first = match ip {
        IpAddr::V4(ip) => IpAddr::from(Ipv4Addr::from(u32::from(ip) & mask(32)? as u32)),
        IpAddr::V6(ip) => IpAddr::from(Ipv6Addr::from(u128::from(ip) & mask(128)?)),
    };
    Some(format!("{first}/{length}"))
}

fn slashed(mirror: &str) -> String {
    let shown = without_credentials(mirror);
    if shown.ends_with('/') { shown } else { format!("{shown}/") }
}
