//! What the command line and `daemon.json` say, and whether they may speak for the running daemon.

use serde_json::{Map, Value, json};

use super::config::Content;
use super::environment::Environment;
use super::file::{ConfigFile, State};
use super::find::{Daemon, Program};

/// The values of the two sources, with the reason where they may not be taken for what is in
/// effect.
#[derive(Debug)]
pub struct Stated<'a> {
    /// The daemon's process, or why it is not known.
    pub daemon: Result<&'a Daemon, &'a str>,
    /// Its file; `None` only where the daemon is not known.
    pub file: Option<&'a ConfigFile>,
    /// The engine's version as it names it, for the sources that are given.
    pub version: &'a str,
}

/// A value with where it was read.
pub type Sourced = (Value, String);

impl Stated<'_> {
    fn content(&self) -> Result<Option<(&Content, &str)>, String> {
        match self.file {
            None => Err("its daemon.json could not be found".into()),
            Some(file) => match &file.state {
                State::Read(content) => Ok(Some((content, &file.path))),
                State::Absent => Ok(None),
                State::Refused(why) => Err(format!("{} would be refused: {why}", file.path)),
                State::Unread(why) => Err(format!("daemon.json cannot be read: {why}")),
            },
        }
    }

    fn flag_value(&self, name: &str) -> Result<Option<Sourced>, String> {
        let daemon = self.daemon.map_err(str::to_owned)?;
        if daemon.program == Program::Podman {
            return Err("Podman has no such setting".into());
        }
        if !daemon.flags.given(name) {
            return Ok(None);
        }
        let value = daemon.flags.value(name).ok_or(format!("the value of --{name} makes no sense"))?;
        Ok(Some((value, format!("command line of process {}", daemon.pid))))
    }

    /// What the sources say now, whatever is in effect; `Ok(None)` when neither says anything.
    pub fn configured(&self, name: &str) -> Result<Option<Sourced>, String> {
        if let Some(given) = self.flag_value(name)? {
            return Ok(Some(given));
        }
        let Some((content, path)) = self.content()? else { return Ok(None) };
        Ok(content.keys.get(name).map(|value| (value.clone(), path.to_owned())))
    }

    /// What is in effect by the sources: a flag for ever, the file only while it has not changed
    /// since the daemon started, the built-in default only where neither says anything.
    pub fn in_effect(&self, name: &str, default: impl FnOnce() -> Result<Value, String>) -> Result<Sourced, String> {
        match self.flag_value(name)? {
            Some(given) => Ok(given),
            None => self.in_file(name, default),
        }
    }

    /// The same where flags do not count.
    pub fn in_file(&self, name: &str, default: impl FnOnce() -> Result<Value, String>) -> Result<Sourced, String> {
        let file = self.file.ok_or("its daemon.json could not be found")?;
        if let Some(change) = &file.changed_since_start {
            return Err(match file.state {
                State::Unread(_) => format!("daemon.json cannot be read: {change}"),
                _ => format!("what is in effect cannot be read: {change}"),
            });
        }
        let stated =
            self.content()?.and_then(|(content, path)| Some((content.keys.get(name)?.clone(), path.to_owned())));
        match stated {
            Some(stated) => Ok(stated),
            None => Ok((default()?, format!("built-in default of Engine {}", self.version))),
        }
    }

    /// The environment of the daemon.
    pub fn environment(&self) -> Result<&Environment, String> {
        let daemon = self.daemon.map_err(str::to_owned)?;
        daemon.environment.as_ref().ok_or("the daemon's environment may not be read".into())
    }
}

/// The TLS settings, which depend on each other and on the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// TCP listeners speak TLS.
    pub on: bool,
    /// Clients must show a certificate that the CA signed.
    pub verify: bool,
}

/// Resolves `tls` and `tlsverify` from what was set, as dockerd does from `major` on.
pub fn tls(flags: (Option<bool>, Option<bool>), file: (Option<bool>, Option<bool>), env: bool, major: u32) -> Tls {
    let (flag_tls, flag_verify) = flags;
    let (file_tls, file_verify) = file;
    // From 23.0 on only a flag that was given counts, not what the environment makes of its default.
    let env = env && major < 23;
    // `tlsverify` at all, even as false, turns TLS on; on the command line `tls` implies verifying.
    let on = flag_verify.is_some() || file_verify.is_some() || env || flag_tls.or(file_tls) == Some(true);
    let by_flags = flag_verify.or_else(|| (flag_tls == Some(true) || env).then_some(true));
    let verify = match (file_verify, by_flags) {
        (Some(verify), _) | (None, Some(verify)) => verify,
        // From 23.0 on `tls` in the file implies it, too; before, it did not.
        (None, None) => on && major >= 23,
    };
    Tls { on, verify: on && verify }
}

/// The default of a setting that the engine does not report, by the version's number.
pub fn default(name: &str, major: u32, rootless: Option<bool>) -> Result<Value, String> {
    let path = |rootful: &str| match rootless {
        Some(false) => Ok(json!(rootful)),
        Some(true) => Err("the default of a rootless daemon depends on its environment".to_owned()),
        None => Err("whether the daemon is rootless is not known".to_owned()),
    };
    Ok(match name {
        "icc" | "iptables" | "ip-forward" | "ip-masq" | "userland-proxy" => json!(true),
        // On by default from 27.0 on.
        "ip6tables" => json!(major >= 27),
        "log-level" => json!("info"),
        "log-driver" => json!("json-file"),
        "log-opts" | "default-ulimits" | "features" => Value::Object(Map::new()),
        "default-ipc-mode" => json!("private"),
        "group" => json!("docker"),
        "default-runtime" => json!("runc"),
        "hosts" => return path("unix:///var/run/docker.sock").map(|host| json!([host])),
        "data-root" => return path("/var/lib/docker"),
        "exec-root" => return path("/var/run/docker"),
        "pidfile" => return path("/var/run/docker.pid"),
        "max-concurrent-downloads" => json!(3),
        "max-concurrent-uploads" | "max-download-attempts" => json!(5),
        "shutdown-timeout" => json!(15),
        "seccomp-profile" => json!(if major >= 23 { "builtin" } else { "default" }),
        "storage-opts"
        | "exec-opts"
        | "insecure-registries"
        | "registry-mirrors"
        | "authorization-plugins"
        | "default-address-pools"
        | "labels" => json!([]),
        "cgroup-parent"
        | "bridge"
        | "metrics-addr"
        | "userns-remap"
        | "storage-driver"
        | "swarm-default-advertise-addr"
        | "network-diagnostic-port"
        | "http-proxy"
        | "https-proxy"
        | "no-proxy"
        | "containerd" => json!(""),
        _ => json!(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_follows_from_its_parts_by_version() {
        let none = (None, None);
        let both = |on, verify| Tls { on, verify };
        assert_eq!(tls(none, none, false, 29), both(false, false));
        assert_eq!(tls((None, Some(true)), none, false, 20), both(true, true));
        assert_eq!(tls((None, Some(false)), none, false, 29), both(true, false));
        assert_eq!(tls((Some(true), None), none, false, 20), both(true, true));
        assert_eq!(tls((Some(true), Some(false)), none, false, 29), both(true, false));
        assert_eq!(tls(none, (Some(true), None), false, 20), both(true, false));
        assert_eq!(tls(none, (Some(true), None), false, 29), both(true, true));
        assert_eq!(tls(none, (Some(true), Some(false)), false, 29), both(true, false));
        assert_eq!(tls(none, (None, Some(true)), false, 29), both(true, true));
        assert_eq!(tls((Some(false), None), none, false, 29), both(false, false));
        assert_eq!(tls(none, none, true, 20), both(true, true));
        assert_eq!(tls(none, none, true, 29), both(false, false));
        assert_eq!(tls(none, (Some(true), None), true, 29), both(true, true));
    }
}
