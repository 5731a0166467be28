//! Arguments of Kubernetes' components as pflag parses them, and of etcd as Go's own package does. Values may be secrets
//! and do not outlive the parsing, but for those of flags that are known to hold none.

/// The most words taken; the kernel's limit on their bytes is far below that.
const MOST: usize = 20_000;

/// Flags without a value of their own: `--name` alone is `--name=true`, and a word after it is no value.
const BOOLEANS: &[&str] = &[
    "aggregator-reject-forwarding-redirect",
    "allocate-node-cidrs",
    "allow-privileged",
    "allow-untagged-cloud",
    "alsologtostderr",
    "anonymous-auth",
    "audit-log-compress",
    "audit-log-truncate-enabled",
    "audit-webhook-truncate-enabled",
    "authentication-skip-lookup",
    "authentication-token-webhook",
    "authentication-tolerate-lookup-failure",
    "auto-tls",
    "bind-address-hard-fail",
    "cgroups-per-qos",
    "cleanup",
    "client-cert-auth",
    "configure-cloud-routes",
    "conntrack-tcp-be-liberal",
    "contention-profiling",
    "cpu-cfs-quota",
    "disable-attach-detach-reconcile-sync",
    "disable-force-detach-on-timeout",
    "disable-http2-serving",
    "emulation-forward-compatible",
    "enable-aggregator-routing",
    "enable-bootstrap-token-auth",
    "enable-contention-profiling",
    "enable-controller-attach-detach",
    "enable-debugging-handlers",
    "enable-dsr",
    "enable-dynamic-provisioning",
    "enable-garbage-collector",
    "enable-hostpath-provisioner",
    "enable-leader-migration",
    "enable-logs-handler",
    "enable-pprof",
    "enable-priority-and-fairness",
    "enable-server",
    "enable-taint-manager",
    "enable-v2",
    "encryption-provider-config-automatic-reload",
    "exit-on-lock-contention",
    "experimental-allocatable-ignore-eviction",
    "experimental-initial-corrupt-check",
    "fail-cgroupv1",
    "fail-swap-on",
    "force-new-cluster",
    "forward-healthcheck-vip",
    "init-only",
    "iptables-localhost-nodeports",
    "ipvs-strict-arp",
    "kernel-memcg-notification",
    "kubelet-https",
    "leader-elect",
    "local-storage-capacity-isolation",
    "log-json-split-stream",
    "log-text-split-stream",
    "logtostderr",
    "make-iptables-util-chains",
    "masquerade-all",
    "one-output",
    "peer-auto-tls",
    "peer-client-cert-auth",
    "permit-address-sharing",
    "permit-port-sharing",
    "pre-vote",
    "profiling",
    "protect-kernel-defaults",
    "register-node",
    "register-schedulable",
    "repair-malformed-updates",
    "rotate-certificates",
    "rotate-server-certificates",
    "runonce",
    "runtime-config-emulation-forward-compatible",
    "seccomp-default",
    "serialize-image-pulls",
    "service-account-extend-token-expiration",
    "service-account-lookup",
    "shutdown-send-retry-after",
    "skip-headers",
    "strict-reconfig-check",
    "unsafe-no-fsync",
    "use-service-account-credentials",
    "watch-cache",
    "windows-service",
];

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Kubernetes' components: `_` is `-` in names, one dash begins letters.
    Pflag,
    /// etcd: one dash is as good as two, and the first word that is no flag ends them.
    Go,
}

/// The flags that a process was started with, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    given: Vec<(String, String)>,
}

impl Flags {
    /// Parses arguments, without the program's name.
    pub fn parse<S: AsRef<str>>(words: &[S], style: Style) -> Self {
        let mut flags = Self::default();
        let mut words = words.iter().take(MOST).map(AsRef::as_ref).peekable();
        while let Some(word) = words.next() {
            let dashes = word.len() - word.trim_start_matches('-').len();
            let long = match (dashes, style) {
                _ if word == "--" => break,
                (2, _) | (1, Style::Go) => &word[dashes..],
                // Letters say nothing that matters; `-v 2` takes a word that begins with no dash.
                (1, Style::Pflag) => continue,
                (_, Style::Pflag) => continue,
                (_, Style::Go) => break,
            };
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
            let name = if style == Style::Pflag { name.replace('_', "-") } else { name.to_owned() };
            let value = match value {
                Some(value) => value,
                None if BOOLEANS.binary_search(&name.as_str()).is_ok() => "true",
                None if KNOWN.binary_search(&name.as_str()).is_ok() => words.next().unwrap_or_default(),
                // Of a flag that is not known here, a word that begins no flag can only be the value.
                None => words.next_if(|next| !next.starts_with('-')).unwrap_or("true"),
            };
            flags.given.push((name, value.to_owned()));
        }
        flags
    }

    /// The value given last, which is the one that counts for single values.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value given first by one of several names.
    pub fn first_of(&self, names: &[&str]) -> Option<&str> {
        self.given.iter().find(|(n, _)| names.contains(&n.as_str())).map(|(_, v)| v.as_str())
    }

    /// Every value given, in order.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.given.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// True when it was given.
    pub fn given(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    /// Adds what counts as if it had been given last: an argument that another program hands on.
    pub fn push(&mut self, name: &str, value: &str) {
        self.given.push((name.replace('_', "-"), value.to_owned()));
    }

    /// Adds what counts after all of these.
    pub fn append(&mut self, mut other: Self) {
        self.given.append(&mut other.given);
    }

    /// Lists as pflag reads them: parts between commas, of each time that the flag was given.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(split).collect()
    }
}

/// The parts of a list between commas, quotes as in CSV.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut part, mut quoted) = (String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    if !(parts.is_empty() && part.is_empty()) {
        parts.push(part);
    }
    parts
}

/// Flags that take a value and that facts rest on: the next word is theirs whatever it looks like.
const KNOWN: &[&str] = &[
    "address",
    "admission-control-config-file",
    "advertise-address",
    "advertise-client-urls",
    "allowed-unsafe-sysctls",
    "api-audiences",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-path",
    "audit-policy-file",
    "audit-webhook-config-file",
    "authentication-config",
    "authentication-kubeconfig",
    "authentication-token-webhook-config-file",
    "authorization-config",
    "authorization-kubeconfig",
    "authorization-mode",
    "authorization-policy-file",
    "authorization-webhook-config-file",
    "basic-auth-file",
    "bind-address",
    "bootstrap-kubeconfig",
    "cert-dir",
    "cert-file",
    "cipher-suites",
    "client-ca-file",
    "cluster-cidr",
    "cluster-signing-cert-file",
    "cluster-signing-duration",
    "cluster-signing-key-file",
    "cni-bin-dir",
    "cni-conf-dir",
    "config",
    "config-dir",
    "config-file",
    "container-runtime",
    "container-runtime-endpoint",
    "controllers",
    "cors-allowed-origins",
    "data-dir",
    "disable-admission-plugins",
    "enable-admission-plugins",
    "encryption-provider-config",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "etcd-servers",
    "event-burst",
    "event-qps",
    "event-ttl",
    "experimental-cluster-signing-duration",
    "feature-gates",
    "healthz-bind-address",
    "healthz-port",
    "hostname-override",
    "initial-cluster",
    "insecure-bind-address",
    "insecure-port",
    "key-file",
    "kubeconfig",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "listen-client-urls",
    "listen-metrics-urls",
    "listen-peer-urls",
    "manifest-url",
    "manifest-url-header",
    "master",
    "max-mutating-requests-inflight",
    "max-requests-inflight",
    "metrics-bind-address",
    "metrics-port",
    "name",
    "node-ip",
    "node-labels",
    "nodeport-addresses",
    "oidc-ca-file",
    "oidc-client-id",
    "oidc-issuer-url",
    "peer-cert-file",
    "peer-key-file",
    "peer-trusted-ca-file",
    "pod-manifest-path",
    "pod-max-pids",
    "port",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "proxy-mode",
    "read-only-port",
    "request-timeout",
    "requestheader-allowed-names",
    "requestheader-client-ca-file",
    "root-ca-file",
    "root-dir",
    "runtime-config",
    "secure-port",
    "service-account-issuer",
    "service-account-key-file",
    "service-account-max-token-expiration",
    "service-account-private-key-file",
    "service-account-signing-key-file",
    "service-cluster-ip-range",
    "streaming-connection-idle-timeout",
    "terminated-pod-gc-threshold",
    "tls-cert-file",
    "tls-cipher-suites",
    "tls-min-version",
    "tls-private-key-file",
    "token-auth-file",
    "trusted-ca-file",
    "wal-dir",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        Flags::parse(&line.split(' ').collect::<Vec<_>>(), Style::Pflag)
    }

    #[test]
    fn tables_are_sorted_and_no_flag_is_in_both() {
        for table in [BOOLEANS, KNOWN] {
            assert!(table.windows(2).all(|w| w[0] < w[1]), "{:?}", table.windows(2).find(|w| w[0] >= w[1]));
        }
        assert!(BOOLEANS.iter().all(|b| !KNOWN.contains(b)));
    }

    #[test]
    fn every_spelling_counts_and_the_last_wins() {
        let f = flags("--authorization-mode AlwaysAllow --authorization_mode=Node,RBAC --profiling -v 2 --v=4");
        assert_eq!(f.last("authorization-mode"), Some("Node,RBAC"));
        assert_eq!(f.list("authorization-mode"), ["AlwaysAllow", "Node", "RBAC"]);
        assert_eq!(f.last("profiling"), Some("true"));
        assert_eq!(flags("--profiling=false --profiling").last("profiling"), Some("true"));
        assert_eq!(flags("--profiling --profiling=false").last("profiling"), Some("false"));
    }

    #[test]
    fn a_longer_name_is_another_flag() {
        let f = flags("--encryption-provider-config-automatic-reload --audit-log-path-x=/a");
        assert!(!f.given("encryption-provider-config") && !f.given("audit-log-path"));
    }

    #[test]
    fn what_stands_in_a_value_is_no_flag() {
        let f = flags("--kubeconfig --anonymous-auth=false --node-labels=a=--profiling=false");
        assert_eq!(f.last("kubeconfig"), Some("--anonymous-auth=false"));
        assert!(!f.given("anonymous-auth") && !f.given("profiling"));
        let f = flags("--some-new-flag value --some-new-switch --profiling=false -- --anonymous-auth=false");
        assert_eq!(f.last("some-new-flag"), Some("value"));
        assert_eq!(f.last("profiling"), Some("false"));
        assert!(!f.given("anonymous-auth"));
    }

    #[test]
    fn etcd_takes_one_dash_and_stops_at_the_first_word() {
        let words = ["-cert-file", "/c", "--auto-tls", "-peer-auto-tls=true", "word", "--client-cert-auth"];
        let f = Flags::parse(&words, Style::Go);
        assert_eq!(
            (f.last("cert-file"), f.last("auto-tls"), f.last("peer-auto-tls")),
            (Some("/c"), Some("true"), Some("true"))
        );
        assert!(!f.given("client-cert-auth"));
    }

    #[test]
    fn lists_have_quotes_and_empty_ones_nothing() {
        assert_eq!(split("a,\"b,c\",d"), ["a", "b,c", "d"]);
        assert!(split("").is_empty());
    }
}
