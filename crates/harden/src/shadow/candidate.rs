//! The candidate's settings as the shadow takes them: its own places given by flags, what only the host has left out.

use serde_json::{Map, Value};

use crate::flags::{self, Flag};

/// Where the shadow's own things lie, in its private `/run`.
pub(super) const HOME: &str = "/run/seaworthy";

/// Settings that say where the engine keeps things and listens: the shadow has its own.
const PLACES: [&str; 8] =
    ["hosts", "data-root", "graph", "exec-root", "pidfile", "containerd", "cgroup-parent", "config-file"];

/// Settings whose value only the host can bear out: its disks, its addresses, its cluster.
const OUTSIDE: [&str; 7] = [
    "storage-driver",
    "storage-opts",
    "metrics-addr",
    "cluster-store",
    "cluster-store-opts",
    "cluster-advertise",
    "swarm-default-advertise-addr",
];

/// Log drivers that need nothing but the engine.
const LOGS_INSIDE: [&str; 3] = ["none", "json-file", "local"];

/// Log drivers that come with the engine and hand on what is logged to someone whom the shadow cannot reach.
const LOGS_OUTSIDE: [&str; 8] = ["syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "gcplogs", "logentries"];

/// What is known of the host while a candidate is looked at.
pub(super) struct Ground<'a> {
    /// The daemon's arguments without its name.
    pub(super) arguments: &'a [String],
    /// What the engine's `/info` says now; null where it does not answer.
    pub(super) info: &'a Value,
    /// Whether systemd runs the host.
    pub(super) systemd: bool,
    /// Whether an authorization plugin of this name is on the host.
    pub(super) has_plugin: &'a dyn Fn(&str) -> bool,
    /// The control group for the shadow's containers.
    pub(super) group: &'a str,
}

/// What the shadow is started with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// The content of its configuration file.
    pub(super) file: Vec<u8>,
    /// The arguments.
    pub(super) arguments: Vec<String>,
    /// Whether the canary logs to a file of the engine's, as its default driver logs to where the shadow cannot reach.
    pub(super) plain_log: bool,
    /// The seccomp profile that containers get instead of the engine's own.
    pub(super) profile: Option<String>,
    /// Whether the canary has a network and a port.
    pub(super) network: bool,
    /// Settings that are not rehearsed.
    pub(super) left_out: Vec<String>,
}

/// Makes the shadow's settings of a candidate.
pub(super) fn part(candidate: &[u8], ground: &Ground<'_>) -> Part {
    let given = flags::parse(ground.arguments);
    // What is no object in JSON goes in as it is: the engine says best what is wrong with it.
    let mut object = match serde_json::from_slice(candidate) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    };
    let settings = Settings { flags: &given, object: object.as_ref() };
    let dropped = dropped(&settings, ground);
    let plain_log = log_is_outside(&settings, ground.info);
    let network = settings.text("bridge", "bridge") != Some("none");
    let profile = settings.text("seccomp-profile", "seccomp-profile");
    let profile = profile.filter(|p| !matches!(*p, "" | "builtin" | "unconfined")).map(String::from);
    let tls = settings.is_on("tls") || settings.is_on("tlsverify");
    let driver = settings.drives_groups_by_systemd() && !ground.systemd;
    let stripped = object.as_mut().is_some_and(|object| strip(object, &dropped, ground));
    let file = match object {
        Some(object) if stripped => Value::Object(object).to_string().into_bytes(),
        _ => candidate.to_vec(),
    };
    let mut arguments: Vec<String> = [
        format!("--config-file={HOME}/daemon.json"),
        format!("--data-root={HOME}/data"),
        format!("--exec-root={HOME}/exec"),
        format!("--pidfile={HOME}/docker.pid"),
        format!("--host=unix://{HOME}/docker.sock"),
    ]
    .into();
    if tls {
        arguments.push("--host=tcp://127.0.0.1:2376".into());
    }
    // With the driver of systemd the engine wants a slice; without systemd no container starts at all, and it shows.
    if !driver {
        arguments.push(format!("--cgroup-parent={}", ground.group));
    }
    arguments.extend(kept(&given, &dropped, ground).iter().map(Flag::argument));
    let mut left_out: Vec<String> = dropped.into_iter().filter(|name| !PLACES.contains(&name.as_str())).collect();
    if plain_log {
        left_out.push("log-driver".into());
    }
    Part { file, arguments, plain_log, profile, network, left_out }
}

/// Settings by flag and by file.
struct Settings<'a> {
    flags: &'a [Flag],
    object: Option<&'a Map<String, Value>>,
}

impl Settings<'_> {
    fn key(&self, key: &str) -> Option<&Value> {
        // The engine takes keys in any case.
        self.object?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    fn has(&self, flag: &str, key: &str) -> bool {
        flags::has(self.flags, flag) || self.key(key).is_some()
    }

    fn text(&self, flag: &str, key: &str) -> Option<&str> {
        flags::value(self.flags, flag).or_else(|| self.key(key)?.as_str())
    }

    fn is_on(&self, name: &str) -> bool {
        self.flags.iter().any(|f| f.name == name && f.is_on()) || self.key(name) == Some(&Value::Bool(true))
    }

    fn list(&self, flag: &str, key: &str) -> Vec<&str> {
        let flagged = self.flags.iter().filter(|f| f.name == flag).filter_map(|f| f.value.as_deref());
        let listed = self.key(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        flagged.chain(listed).collect()
    }

    fn drives_groups_by_systemd(&self) -> bool {
        self.list("exec-opt", "exec-opts").contains(&BY_SYSTEMD)
    }
}

const BY_SYSTEMD: &str = "native.cgroupdriver=systemd";

/// The settings that are taken out, by their keys.
fn dropped(settings: &Settings<'_>, ground: &Ground<'_>) -> Vec<String> {
    let mut dropped: Vec<String> = PLACES.map(String::from).into();
    dropped.extend(OUTSIDE.iter().filter(|key| settings.has(as_flag(key), key)).map(|key| (*key).to_owned()));
    // A bridge that somebody else made is not there; with it goes what has to fit it.
    let bridge = settings.text("bridge", "bridge");
    if bridge.is_some_and(|b| !matches!(b, "" | "none" | "docker0")) && !settings.has("bip", "bip") {
        dropped.push("bridge".into());
        let fitted = ["fixed-cidr", "fixed-cidr-v6", "default-gateway", "default-gateway-v6"];
        dropped.extend(fitted.into_iter().filter(|key| settings.has(key, key)).map(String::from));
    }
    // The plugins of the host are not asked about the shadow; one that is nowhere is found missing.
    let plugins = settings.list("authorization-plugin", "authorization-plugins");
    if !plugins.is_empty() && plugins.iter().all(|name| (ground.has_plugin)(name)) {
        dropped.push("authorization-plugins".into());
    }
    // systemd is not asked for control groups either.
    if settings.drives_groups_by_systemd() && ground.systemd {
        dropped.push(BY_SYSTEMD.into());
    }
    dropped
}

fn as_flag(key: &str) -> &str {
    match key {
        "hosts" => "host",
        "storage-opts" => "storage-opt",
        "cluster-store-opts" => "cluster-store-opt",
        "authorization-plugins" => "authorization-plugin",
        other => other,
    }
}

/// Takes settings out of the file's; says whether there were any.
fn strip(object: &mut Map<String, Value>, dropped: &[String], ground: &Ground<'_>) -> bool {
    let before = object.len();
    object.retain(|key, _| !dropped.iter().any(|d| d.eq_ignore_ascii_case(key)));
    let mut changed = object.len() != before;
    if ground.systemd
        && let Some((_, Value::Array(options))) = object.iter_mut().find(|(k, _)| k.eq_ignore_ascii_case("exec-opts"))
    {
        let had = options.len();
        options.retain(|option| option != BY_SYSTEMD);
        changed |= options.len() != had;
    }
    changed
}

fn kept(given: &[Flag], dropped: &[String], ground: &Ground<'_>) -> Vec<Flag> {
    let goes = |flag: &Flag| {
        dropped.iter().any(|d| as_flag(d) == flag.name)
            || (ground.systemd && flag.name == "exec-opt" && flag.value.as_deref() == Some(BY_SYSTEMD))
            || matches!(flag.name.as_str(), "validate" | "help" | "version")
    };
    given.iter().filter(|flag| !goes(flag)).cloned().collect()
}

fn log_is_outside(settings: &Settings<'_>, info: &Value) -> bool {
    let Some(driver) = settings.text("log-driver", "log-driver") else { return false };
    let plugins = info["Plugins"]["Log"].as_array().into_iter().flatten().filter_map(Value::as_str);
    !LOGS_INSIDE.contains(&driver) && LOGS_OUTSIDE.into_iter().chain(plugins).any(|known| known == driver)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(candidate: &str, arguments: &str, systemd: bool) -> Part {
        let arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        let info = serde_json::json!({ "Plugins": { "Log": ["json-file", "loki"] } });
        let has_plugin = |name: &str| name == "here";
        let ground = Ground { arguments: &arguments, info: &info, systemd, has_plugin: &has_plugin, group: "/shadow" };
        part(candidate.as_bytes(), &ground)
    }

    fn file(part: &Part) -> String {
        String::from_utf8(part.file.clone()).unwrap()
    }

    #[test]
    fn the_shadow_never_gets_the_hosts_places() {
        let all =
            r#"{"Hosts":["fd://"],"data-root":"/d","pidfile":"/p","exec-root":"/e","containerd":"/c","icc":false}"#;
        let part = of(all, "-H fd:// --containerd=/run/c.sock -p /p --config-file /f -g /graph --mtu 1400", false);
        assert_eq!(file(&part), r#"{"icc":false}"#);
        let own = part.arguments.iter().filter(|a| a.contains(HOME)).count();
        assert_eq!(part.arguments.len(), own + 2, "{:?}", part.arguments);
        assert!(part.arguments.ends_with(&["--cgroup-parent=/shadow".into(), "--mtu=1400".into()]));
        assert!(part.left_out.is_empty() && part.network && !part.plain_log);
    }

    #[test]
    fn what_is_no_object_goes_in_as_it_is() {
        for text in ["", "{", "null", "[1]", "{\"icc\":false} x", "\u{feff}{}", "{ \"icc\" : false }"] {
            assert_eq!(file(&of(text, "", false)), text);
        }
    }

    #[test]
    fn what_only_the_host_has_is_left_out_and_named() {
        let part = of(r#"{"bridge":"br0","fixed-cidr":"10.0.0.0/8","log-driver":"journald"}"#, "-s zfs", false);
        assert_eq!(file(&part), r#"{"log-driver":"journald"}"#);
        assert_eq!(part.left_out, ["storage-driver", "bridge", "fixed-cidr", "log-driver"]);
        assert!(part.plain_log && part.network && !part.arguments.join(" ").contains("zfs"));
        assert!(of(r#"{"log-driver":"loki"}"#, "", false).plain_log);
        assert!(!of(r#"{"log-driver":"lokki"}"#, "", false).plain_log, "the canary will tell");
        assert!(!of(r#"{"bridge":"none"}"#, "", false).network);
        // Both together are refused by the engine, which must see them.
        assert_eq!(
            file(&of(r#"{"bridge":"br0","bip":"10.0.0.1/8"}"#, "", false)),
            r#"{"bridge":"br0","bip":"10.0.0.1/8"}"#
        );
    }

    #[test]
    fn plugins_that_are_there_are_not_asked_and_others_are_missed() {
        let there = of(r#"{"authorization-plugins":["here"]}"#, "", false);
        assert_eq!((file(&there).as_str(), there.left_out.len()), ("{}", 1));
        let missing = of(r#"{"authorization-plugins":["here","gone"]}"#, "--authorization-plugin here", false);
        assert!(file(&missing).contains("gone") && missing.arguments.contains(&"--authorization-plugin=here".into()));
    }

    #[test]
    fn control_groups_by_systemd_are_rehearsed_where_they_cannot_work() {
        let by = r#"{"exec-opts":["native.cgroupdriver=systemd","a=b"]}"#;
        let there = of(by, "--exec-opt native.cgroupdriver=systemd", true);
        assert_eq!(file(&there), r#"{"exec-opts":["a=b"]}"#);
        assert!(there.arguments.contains(&"--cgroup-parent=/shadow".into()));
        let without = of(by, "", false);
        assert_eq!(file(&without), by);
        assert!(!without.arguments.join(" ").contains("cgroup-parent"));
    }

    #[test]
    fn listening_with_certificates_is_rehearsed_on_loopback() {
        let part = of(r#"{"tlsverify":true,"hosts":["tcp://10.0.0.1:2376"]}"#, "", false);
        assert!(part.arguments.contains(&"--host=tcp://127.0.0.1:2376".into()));
        assert!(!of("{}", "--tls=false", false).arguments.join(" ").contains("tcp:"));
    }
}
