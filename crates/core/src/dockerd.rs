//! The settings that dockerd knows: their names on the command line and in `daemon.json`, their types, and whether their
//! values may be kept. Collecting and hardening read it alike.

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
    key("", "validate", Kind::Bool),
    short("", "version", 'v', Kind::Bool),
];

/// The setting of a name in `daemon.json`.
#[must_use]
pub fn by_file(name: &str) -> Option<&'static Key> {
    (!name.is_empty()).then(|| KEYS.iter().find(|k| k.file == name)).flatten()
}

/// The setting of a flag's long name.
#[must_use]
pub fn by_flag(name: &str) -> Option<&'static Key> {
    (!name.is_empty()).then(|| KEYS.iter().find(|k| k.flag == name)).flatten()
}

/// The setting of a flag's letter.
#[must_use]
pub fn by_short(letter: char) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.short == Some(letter))
}

impl Key {
    /// Whether its flag stands alone: what follows it is the next flag.
    #[must_use]
    pub fn is_switch(&self) -> bool {
        matches!(self.kind, Kind::Bool | Kind::Ignored)
    }
}

/// The argument by which a command line, the program's name first, gives a setting of `daemon.json`; none where it does not.
/// With one, the same setting in the file keeps the engine from starting; `runtimes` alone may be in both.
///
/// It errs on the side of seeing one: the value of another flag that looks like it counts as well, since a newer engine has
/// flags of which nobody here knows whether they take a value.
#[must_use]
pub fn given<'a>(arguments: &[&'a str], file: &str) -> Option<&'a str> {
    // `--graph` is the old name of `--data-root`.
    let old = if file == "data-root" { by_file("graph") } else { None };
    let keys = || by_file(file).into_iter().chain(old);
    let unknown = by_file(file).is_none();
    let long = |name: &str| keys().any(|key| key.flag == name) || (unknown && name == file);
    let letter = |letter: char| keys().any(|key| key.short == Some(letter));
    let is = |word: &str| match word.strip_prefix("--") {
        Some(rest) => rest.split('=').next().is_some_and(|name| !name.is_empty() && long(name)),
        None => word.strip_prefix('-').is_some_and(|letters| {
            // Letters that want no value may be followed by others in the same word.
            let bare = letters.chars().take_while(|c| by_short(*c).is_some_and(Key::is_switch)).count();
            letters.chars().take(bare + 1).any(letter)
        }),
    };
    arguments.iter().skip(1).take_while(|word| **word != "--").find(|word| is(word)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flag_or_letter_is_given_twice() {
        for (i, key) in KEYS.iter().enumerate() {
            for other in &KEYS[i + 1..] {
                assert!(key.file.is_empty() || key.file != other.file, "{}", key.file);
                assert!(key.short.is_none() || key.short != other.short, "{}", key.flag);
            }
        }
    }

    #[test]
    fn flags_are_found_by_every_form_and_no_other() {
        let given = |line: &'static str, key| given(&line.split(' ').collect::<Vec<_>>(), key);
        for (line, key, argument) in [
            ("dockerd --icc=false", "icc", "--icc=false"),
            ("dockerd -H fd:// --icc", "icc", "--icc"),
            ("dockerd -H fd:// --icc", "hosts", "-H"),
            ("dockerd --log-level debug", "log-level", "--log-level"),
            ("dockerd -l debug", "log-level", "-l"),
            ("dockerd -Dldebug", "log-level", "-Dldebug"),
            ("dockerd --default-ulimit nofile=1:2", "default-ulimits", "--default-ulimit"),
            ("dockerd --log-opt=max-size=1m", "log-opts", "--log-opt=max-size=1m"),
            ("dockerd --label a=b", "labels", "--label"),
            ("dockerd --graph /g", "data-root", "--graph"),
            ("dockerd -g /g", "data-root", "-g"),
            ("dockerd -D", "debug", "-D"),
            ("dockerd --tlsverify", "tlsverify", "--tlsverify"),
            ("dockerd --of-tomorrow=1", "of-tomorrow", "--of-tomorrow=1"),
        ] {
            assert_eq!(given(line, key), Some(argument), "{line}");
        }
        for (line, key) in [
            ("dockerd --iccx=false --live-restore-not", "icc"),
            ("dockerd --live-restore-not", "live-restore"),
            ("dockerd -Hunix:///lD", "log-level"),
            ("dockerd -Hunix:///lD", "debug"),
            ("dockerd -- --icc", "icc"),
            ("dockerd icc", "icc"),
            ("--icc", "icc"),
            ("dockerd --log-driver=x", "log-opts"),
            ("dockerd --=x", "resolv-conf"),
        ] {
            assert_eq!(given(line, key), None, "{line}");
        }
    }
}
