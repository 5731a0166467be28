//! The settings that dockerd knows: their names on the command line and in `daemon.json`, their
//! types, and whether their values may be kept.

use std::net::IpAddr;

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A boolean, as Go reads them.
    Bool,
    /// A text.
    Text,
    /// A number.
    Number,
    /// A list of texts: the flag repeats.
    List,
    /// Names with values: the flag repeats as `name=value`, the file holds an object.
    Map,
    /// Objects or lists of objects, which only the file holds in full.
    Object,
    /// A flag that configures nothing (`--help`); in the file it is accepted and ignored.
    Ignored,
}

/// What is kept of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it, but for the user part of addresses.
    Value,
    /// The names in it; of the values only those that are known to be harmless.
    Names,
}

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name in `daemon.json`.
    pub file: &'static str,
    /// Its name on the command line; empty for none.
    pub flag: &'static str,
    /// Its short form on the command line.
    pub short: Option<char>,
    /// Its type.
    pub kind: Kind,
    /// What is kept.
    pub keep: Keep,
}

const fn key(file: &'static str, flag: &'static str, kind: Kind) -> Key {
    Key { file, flag, short: None, kind, keep: Keep::Value }
}

const fn short(file: &'static str, flag: &'static str, short: char, kind: Kind) -> Key {
    Key { file, flag, short: Some(short), kind, keep: Keep::Value }
}

const fn names(file: &'static str, flag: &'static str, kind: Kind) -> Key {
    Key { file, flag, short: None, kind, keep: Keep::Names }
}

/// Every setting of the engines from 20.10 to 29, by their sources.
pub const KEYS: &[Key] = &[
    names("runtimes", "add-runtime", Kind::Map),
    key("allow-direct-routing", "allow-direct-routing", Kind::Bool),
    key("allow-nondistributable-artifacts", "allow-nondistributable-artifacts", Kind::List),
    key("api-cors-header", "api-cors-header", Kind::Text),
    key("authorization-plugins", "authorization-plugin", Kind::List),
    key("bip", "bip", Kind::Text),
    key("bip6", "bip6", Kind::Text),
    short("bridge", "bridge", 'b', Kind::Text),
    key("bridge-accept-fwmark", "bridge-accept-fwmark", Kind::Text),
    key("builder", "", Kind::Object),
    key("cdi-spec-dirs", "cdi-spec-dir", Kind::List),
    key("cgroup-parent", "cgroup-parent", Kind::Text),
    key("cluster-advertise", "cluster-advertise", Kind::Text),
    key("cluster-store", "cluster-store", Kind::Text),
    names("cluster-store-opts", "cluster-store-opt", Kind::Map),
    key("config-file", "config-file", Kind::Text),
    key("containerd", "containerd", Kind::Text),
    key("containerd-namespace", "containerd-namespace", Kind::Text),
    key("containerd-plugin-namespace", "containerd-plugins-namespace", Kind::Text),
    key("cpu-rt-period", "cpu-rt-period", Kind::Number),
    key("cpu-rt-runtime", "cpu-rt-runtime", Kind::Number),
    key("cri-containerd", "cri-containerd", Kind::Bool),
    key("data-root", "data-root", Kind::Text),
    short("debug", "debug", 'D', Kind::Bool),
    key("default-address-pools", "default-address-pool", Kind::Object),
    key("default-cgroupns-mode", "default-cgroupns-mode", Kind::Text),
    key("default-gateway", "default-gateway", Kind::Text),
    key("default-gateway-v6", "default-gateway-v6", Kind::Text),
    key("default-init", "", Kind::Text),
    key("default-ipc-mode", "default-ipc-mode", Kind::Text),
    key("default-network-opts", "default-network-opt", Kind::Object),
    key("default-runtime", "default-runtime", Kind::Text),
    key("default-shm-size", "default-shm-size", Kind::Object),
    key("default-ulimits", "default-ulimit", Kind::Map),
    key("deprecated-key-path", "deprecated-key-path", Kind::Text),
    key("disable-legacy-registry", "disable-legacy-registry", Kind::Bool),
    key("dns", "dns", Kind::List),
    key("dns-opts", "dns-opt", Kind::List),
    key("dns-search", "dns-search", Kind::List),
    key("exec-opts", "exec-opt", Kind::List),
    key("exec-root", "exec-root", Kind::Text),
    key("experimental", "experimental", Kind::Bool),
    key("features", "feature", Kind::Map),
    key("firewall-backend", "firewall-backend", Kind::Text),
    key("fixed-cidr", "fixed-cidr", Kind::Text),
    key("fixed-cidr-v6", "fixed-cidr-v6", Kind::Text),
    short("graph", "graph", 'g', Kind::Text),
    short("group", "group", 'G', Kind::Text),
    short("", "help", 'h', Kind::Ignored),
    key("host-gateway-ip", "host-gateway-ip", Kind::Text),
    key("host-gateway-ips", "host-gateway-ip", Kind::List),
    short("hosts", "host", 'H', Kind::List),
    key("http-proxy", "http-proxy", Kind::Text),
    key("https-proxy", "https-proxy", Kind::Text),
    key("icc", "icc", Kind::Bool),
    key("init", "init", Kind::Bool),
    key("init-path", "init-path", Kind::Text),
    key("insecure-registries", "insecure-registry", Kind::List),
    key("ip", "ip", Kind::Text),
    key("ip-forward", "ip-forward", Kind::Bool),
    key("ip-forward-no-drop", "ip-forward-no-drop", Kind::Bool),
    key("ip-masq", "ip-masq", Kind::Bool),
    key("ip6tables", "ip6tables", Kind::Bool),
    key("iptables", "iptables", Kind::Bool),
    key("ipv6", "ipv6", Kind::Bool),
    names("labels", "label", Kind::List),
    key("live-restore", "live-restore", Kind::Bool),
    key("log-driver", "log-driver", Kind::Text),
    key("log-format", "log-format", Kind::Text),
    short("log-level", "log-level", 'l', Kind::Text),
    names("log-opts", "log-opt", Kind::Map),
    key("max-concurrent-downloads", "max-concurrent-downloads", Kind::Number),
    key("max-concurrent-uploads", "max-concurrent-uploads", Kind::Number),
    key("max-download-attempts", "max-download-attempts", Kind::Number),
    key("metrics-addr", "metrics-addr", Kind::Text),
    key("mtu", "mtu", Kind::Number),
    key("network-control-plane-mtu", "network-control-plane-mtu", Kind::Number),
    key("network-diagnostic-port", "network-diagnostic-port", Kind::Number),
    key("no-new-privileges", "no-new-privileges", Kind::Bool),
    key("no-proxy", "no-proxy", Kind::Text),
    key("node-generic-resources", "node-generic-resource", Kind::List),
    key("oom-score-adjust", "oom-score-adjust", Kind::Number),
    short("pidfile", "pidfile", 'p', Kind::Text),
    key("raw-logs", "raw-logs", Kind::Bool),
    key("registry-mirrors", "registry-mirror", Kind::List),
    key("resolv-conf", "", Kind::Text),
    short("", "restart", 'r', Kind::Bool),
    key("rootless", "rootless", Kind::Bool),
    key("seccomp-profile", "seccomp-profile", Kind::Text),
    key("selinux-enabled", "selinux-enabled", Kind::Bool),
    key("shutdown-timeout", "shutdown-timeout", Kind::Number),
    short("storage-driver", "storage-driver", 's', Kind::Text),
    key("storage-opts", "storage-opt", Kind::List),
    key("swarm-default-advertise-addr", "swarm-default-advertise-addr", Kind::Text),
    key("swarm-raft-election-tick", "", Kind::Number),
    key("swarm-raft-heartbeat-tick", "", Kind::Number),
    key("tls", "tls", Kind::Bool),
    key("tlscacert", "tlscacert", Kind::Text),
    key("tlscert", "tlscert", Kind::Text),
    key("tlskey", "tlskey", Kind::Text),
    key("tlsverify", "tlsverify", Kind::Bool),
    key("userland-proxy", "userland-proxy", Kind::Bool),
    key("userland-proxy-path", "userland-proxy-path", Kind::Text),
    key("userns-remap", "userns-remap", Kind::Text),
    short("", "validate", '\0', Kind::Bool),
    short("", "version", 'v', Kind::Bool),
];

/// The setting of a name in `daemon.json`.
pub fn by_file(name: &str) -> Option<&'static Key> {
    (!name.is_empty()).then(|| KEYS.iter().find(|k| k.file == name)).flatten()
}

/// The setting of a flag's long name.
pub fn by_flag(name: &str) -> Option<&'static Key> {
    (!name.is_empty()).then(|| KEYS.iter().find(|k| k.flag == name)).flatten()
}

/// The setting of a flag's letter.
pub fn by_short(letter: char) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.short == Some(letter))
}

/// What stands for a value that is not kept.
pub const HIDDEN: &str = "***";

/// Options of log drivers whose values say how much is kept or what is named, and hold no secret.
const HARMLESS: [&str; 24] = [
    "max-size",
    "max-file",
    "compress",
    "mode",
    "max-buffer-size",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
    "tag",
    "cache-disabled",
    "cache-max-size",
    "cache-max-file",
    "cache-compress",
    "syslog-facility",
    "syslog-format",
    "syslog-tls-skip-verify",
    "fluentd-async",
    "fluentd-max-retries",
    "awslogs-region",
    "awslogs-create-group",
    "gelf-compression-type",
    "splunk-insecureskipverify",
    "splunk-verify-connection",
];

/// Options of log drivers whose values are addresses: where the logs go.
const ADDRESSES: [&str; 4] = ["fluentd-address", "gelf-address", "splunk-url", "syslog-address"];

/// What is kept of an address that leads to the host itself; of others nothing is.
pub const THIS_HOST: &str = "this host";

/// What may be kept of the value of a log driver's option; `None` where it may be a secret.
pub fn log_option(option: &str, value: &str) -> Option<String> {
    if ADDRESSES.contains(&option) {
        return is_local(value).then(|| THIS_HOST.to_owned());
    }
    harmless(option).then(|| without_credentials(value))
}

/// Whether an address (`tcp://host:514`, `unix:///dev/log`, `host:24224`) is one of the host itself.
fn is_local(address: &str) -> bool {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    if scheme.starts_with("unix") {
        return true;
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    let host = host.trim_end_matches('.').to_lowercase();
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(ip) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => host.is_empty() || host == "localhost" || host.ends_with(".localhost"),
    }
}

/// True for an option of a log driver whose value may be kept.
fn harmless(option: &str) -> bool {
    HARMLESS.contains(&option)
}

/// A text with the user parts of the addresses in it, and the queries after them, taken out. A password may hold
/// whatever parts addresses elsewhere (a comma, a quote, a slash), so an address goes on until the next begins, and
/// its last `@` counts.
pub fn without_credentials(text: &str) -> String {
    let parts = |c: char| c == ',' || c.is_whitespace();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let begins = rest[..at].char_indices().rfind(|(_, c)| parts(*c)).map_or(0, |(i, c)| i + c.len_utf8());
        bare(&rest[..begins], &mut out);
        out.push_str(&rest[begins..at + 3]);
        let tail = &rest[at + 3..];
        // Another address begins with a scheme alone; `a,b@c://` is still this one.
        let scheme = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        let begin =
            |next: usize| tail[..next].rfind(parts).filter(|at| scheme(tail[*at..next].trim_start_matches(parts)));
        let next = tail.find("://").and_then(begin).unwrap_or(tail.len());
        let (address, after) = tail.split_at(next);
        let shown = address.rfind('@').map_or(address, |at| {
            out.push_str(HIDDEN);
            &address[at..]
        });
        match shown.find(['?', '#']) {
            Some(query) => {
                out.push_str(&shown[..=query]);
                out.push_str(HIDDEN);
            }
            None => out.push_str(shown),
        }
        rest = after;
    }
    bare(rest, &mut out);
    out
}

/// Adds text in which an address without a scheme may hold a user part, too.
fn bare(text: &str, out: &mut String) {
    match (text.rfind('@'), text.find(':')) {
        (Some(at), Some(colon)) if colon < at => {
            out.push_str(HIDDEN);
            out.push_str(&text[at..]);
        }
        _ => out.push_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_parts_and_queries_are_taken_out() {
        for (text, shown) in [
            ("http://user:pa/ss@proxy:3128/x", "http://***@proxy:3128/x"),
            ("http://proxy:3128", "http://proxy:3128"),
            ("user:secret@proxy:3128", "***@proxy:3128"),
            ("https://h/?token=abc", "https://h/?***"),
            ("http://a:b@c, http://d:e@f", "http://***@c, http://***@f"),
            ("http://user:pa,ss@proxy,tcp://u:p@h", "http://***@proxy,tcp://***@h"),
            ("http://user:pa,ss@proxy://u@h", "http://***@h"),
            ("http://user:it's@proxy", "http://***@proxy"),
            ("user:p@ss@proxy:3128", "***@proxy:3128"),
            ("/etc/docker/ca.pem", "/etc/docker/ca.pem"),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }

    #[test]
    fn no_flag_or_letter_is_given_twice() {
        for (i, key) in KEYS.iter().enumerate() {
            for other in &KEYS[i + 1..] {
                assert!(key.file.is_empty() || key.file != other.file, "{}", key.file);
                assert!(key.short.is_none() || key.short != other.short, "{}", key.flag);
            }
        }
    }
}
