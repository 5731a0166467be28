//! Checks of a node on real clusters: one that is set up well, one that is not, and what becomes unknown.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes, NodeSpec, skip, watch};
use seaworthy_catalog::Catalog;
use seaworthy_collect::kubernetes::node;
use seaworthy_collect::redact::Redactor;
use seaworthy_core::derive::derive;
use seaworthy_core::judge::judge_target;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::verdict::Verdict;
use serde_json::json;

/// The worst verdict of each check over a cluster's processes and files.
fn judged(cluster: &Cluster, catalog: &Catalog) -> BTreeMap<String, Verdict> {
    let pids: HashSet<u32> = cluster.pids().into_values().collect();
    let collected_at =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let targets = node::collect_of(Path::new("/"), &Redactor::new(), collected_at, &|pid| pids.contains(&pid));
    assert_eq!(targets.len(), 1);
    let mut snapshot = Snapshot { tool: "test".into(), collected_at, targets };
    derive(&mut snapshot, &catalog.flaws);
    let checks = catalog.checks.iter().enumerate();
    let mut worst = BTreeMap::new();
    for finding in judge_target(checks, 0, &snapshot.targets[0]) {
        let id = catalog.checks[finding.check].id.clone();
        let verdict = finding.judgement.verdict;
        let rank = |v: Verdict| match v {
            Verdict::Fail => 4,
            Verdict::Unknown => 3,
            Verdict::Manual => 2,
            Verdict::Pass => 1,
            Verdict::NotApplicable => 0,
        };
        let entry = worst.entry(id).or_insert(verdict);
        if rank(verdict) > rank(*entry) {
            *entry = verdict;
        }
    }
    worst
}

fn all_are(found: &BTreeMap<String, Verdict>, wanted: Verdict, names: &[&str]) {
    let other: Vec<_> = names
        .iter()
        .map(|name| (*name, found.get(&format!("kubernetes/{name}")).copied()))
        .filter(|(_, verdict)| *verdict != Some(wanted))
        .collect();
    assert!(other.is_empty(), "not {wanted:?}: {other:?}");
}

const LIMITS: &str = "apiVersion: eventratelimit.admission.k8s.io/v1alpha1\nkind: Configuration\nlimits:\n- type: Server\n  \
                      qps: 500\n  burst: 1000\n";
const ADMISSION: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n- name: \
                         EventRateLimit\n  path: limits.yaml\n";
const ENCRYPTION: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: \
                          [secrets]\n  providers:\n  - aescbc:\n      keys:\n      - name: a\n        secret: \
                          MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n  - identity: {}\n";
const POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n";

/// What passes on a cluster that is set up well and fails on one that is not.
const BOTH: &[&str] = &[
    "apiserver/always-pull-images",
    "apiserver/anonymous-limited",
    "apiserver/audit-log",
    "apiserver/audit-log-age",
    "apiserver/audit-log-backups",
    "apiserver/audit-log-size",
    "apiserver/audit-policy",
    "apiserver/audit-policy-covers",
    "apiserver/ciphers-strong",
    "apiserver/deleted-accounts-refused",
    "apiserver/encryption-strong",
    "apiserver/event-rate-limited",
    "apiserver/external-ips-denied",
    "apiserver/fairness-on",
    "apiserver/kubelets-verified",
    "apiserver/namespace-lifecycle",
    "apiserver/no-always-admit",
    "apiserver/no-foreign-origins",
    "apiserver/no-static-tokens",
    "apiserver/node-authorizer",
    "apiserver/node-restriction",
    "apiserver/pods-judged",
    "apiserver/profiling-off",
    "apiserver/request-timeout-bounded",
    "apiserver/secrets-encrypted",
    "apiserver/service-account-admission",
    "apiserver/tokens-not-extended",
    "controller-manager/ended-pods-bounded",
    "controller-manager/kubelet-certificates-rotated",
    "controller-manager/loopback-only",
    "controller-manager/own-credentials",
    "controller-manager/profiling-off",
    "etcd/own-authority",
    // Where this node's containerd reads them, which is not where they are by default.
    "file/cni-config-mode",
    "file/cni-config-owner",
    "file/pki-key-mode",
    "file/kubelet-conf-mode",
    "file/kubelet-conf-owner",
    "file/pki-cert-mode",
    "file/pki-owner",
    "file/etcd-data-mode",
    "file/scheduler-conf-mode",
    "file/encryption-config-mode",
    "kubelet/anonymous-off",
    "kubelet/ciphers-strong",
    "kubelet/client-authority",
    "kubelet/client-certificate-rotated",
    "kubelet/events-recorded",
    "kubelet/idle-connections-closed",
    "kubelet/packet-filter-kept",
    "kubelet/pids-limited",
    "kubelet/read-only-port-off",
    "kubelet/requests-authorized",
    "kubelet/seccomp-default",
    "kubelet/no-unsafe-sysctls",
    "scheduler/loopback-only",
    "scheduler/profiling-off",
];

#[test]
fn a_cluster_that_is_set_up_well_passes() {
    let args = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<String>>();
    let file = |path: &str, text: &str| (format!("etc/kubernetes/{path}"), text.as_bytes().to_vec());
    let spec = ClusterSpec {
        apiserver: args(&[
            "--anonymous-auth=false",
            "--profiling=false",
            "--audit-policy-file={dir}/etc/kubernetes/audit.yaml",
            "--audit-log-path={dir}/var/log/audit.log",
            "--audit-log-maxage=30",
            "--audit-log-maxbackup=10",
            "--audit-log-maxsize=100",
            "--encryption-provider-config={dir}/etc/kubernetes/encryption.yaml",
            "--enable-admission-plugins=NodeRestriction,DenyServiceExternalIPs,AlwaysPullImages,EventRateLimit",
            "--admission-control-config-file={dir}/etc/kubernetes/admission.yaml",
            "--service-account-extend-token-expiration=false",
            "--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ]),
        controller_manager: Some(args(&["--profiling=false", "--terminated-pod-gc-threshold=100"])),
        scheduler: Some(args(&["--profiling=false"])),
        files: vec![
            file("audit.yaml", POLICY),
            file("encryption.yaml", ENCRYPTION),
            file("admission.yaml", ADMISSION),
            file("limits.yaml", LIMITS),
        ],
        node: Some(NodeSpec {
            config: json!({ "podPidsLimit": 4096, "seccompDefault": true, "rotateCertificates": true,
                            "tlsMinVersion": "VersionTLS13" }),
            proxy: Some(Vec::new()),
            ..NodeSpec::default()
        }),
        ..ClusterSpec::with_node()
    };
    let Some(cluster) = Cluster::require(Kubernetes::V135, spec) else { return };
    let catalog = Catalog::embedded();
    let found = judged(&cluster, &catalog);
    all_are(&found, Verdict::Pass, BOTH);
    all_are(
        &found,
        Verdict::Pass,
        &[
            "apiserver/client-authority",
            "apiserver/etcd-client-certificate",
            "apiserver/etcd-verified",
            "apiserver/front-proxy-authority-apart",
            "apiserver/insecure-port-off",
            "apiserver/kubelet-client-certificate",
            "apiserver/not-always-allowed",
            "apiserver/rbac",
            "apiserver/secure-port-on",
            "apiserver/service-account-keys",
            "apiserver/serving-certificate",
            "apiserver/settings-active",
            "apiserver/audit-no-secret-values",
            "controller-manager/root-authority",
            "controller-manager/signing-key",
            "etcd/clients-verified",
            "etcd/no-self-made-certificate",
            "etcd/no-self-made-peer-certificate",
            "etcd/serving-certificate",
            "kubelet/serving-certificate",
            "kubelet/settings-active",
            "proxy/metrics-local",
        ],
    );
    // etcd is root here, as kubeadm has it.
    all_are(&found, Verdict::Fail, &["file/etcd-data-owner"]);
    all_are(&found, Verdict::Manual, &["apiserver/users-without-certificates", "kubelet/own-hostname"]);
    all_are(&found, Verdict::NotApplicable, &["etcd/peer-certificate", "kubelet/serving-certificate-rotated"]);
    starts_nothing(&cluster);
    // Where the runtime reads the networks cannot be told: other files may be theirs.
    let runtime = cluster.dir().join("etc/containerd/config.toml");
    let settings = fs::read(&runtime).unwrap();
    fs::write(&runtime, "[").unwrap();
    all_are(&judged(&cluster, &catalog), Verdict::Unknown, &["file/cni-config-mode", "file/cni-config-owner"]);
    fs::write(&runtime, settings).unwrap();
    // What changed since the start is not in effect for certain.
    let touch = |path: &str| {
        let path = cluster.dir().join(path);
        let text = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
    };
    touch("etc/kubernetes/audit.yaml");
    touch("etc/kubernetes/encryption.yaml");
    touch("var/lib/kubelet/config.yaml");
    let later = judged(&cluster, &catalog);
    all_are(
        &later,
        Verdict::Unknown,
        &[
            "apiserver/audit-policy-covers",
            "apiserver/secrets-encrypted",
            "apiserver/encryption-strong",
            "kubelet/anonymous-off",
            "kubelet/pids-limited",
            "kubelet/ciphers-strong",
        ],
    );
    all_are(&later, Verdict::Fail, &["apiserver/settings-active", "kubelet/settings-active"]);
    all_are(&later, Verdict::Pass, &["apiserver/audit-log", "apiserver/profiling-off"]);
}

/// A node is read without starting a single process.
fn starts_nothing(cluster: &Cluster) {
    let mut audit = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    audit.args(["audit", "--quiet", "--only", "kubernetes", "-f", "json", "-o", "/dev/null"]);
    audit.env("HOME", cluster.dir()).env_remove("KUBECONFIG").current_dir(cluster.dir());
    match watch(&mut audit) {
        Ok(watched) => assert!(watched.status.success() && watched.started == 0, "{watched:?}"),
        Err(why) => skip("process events", &why.to_string()),
    }
}

#[test]
fn a_cluster_that_is_set_up_badly_fails() {
    let args = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<String>>();
    let spec = ClusterSpec {
        apiserver: args(&[
            "--authorization-mode=AlwaysAllow",
            "--enable-admission-plugins=AlwaysAdmit",
            "--disable-admission-plugins=ServiceAccount,NamespaceLifecycle,PodSecurity",
            "--token-auth-file={dir}/etc/kubernetes/tokens.csv",
            "--request-timeout=30m",
            "--service-account-lookup=false",
            "--cors-allowed-origins=^https://.*$",
            "--enable-priority-and-fairness=false",
            "!kubelet-certificate-authority",
            "--etcd-certfile={dir}/etc/kubernetes/pki/apiserver-kubelet-client.crt",
            "--etcd-keyfile={dir}/etc/kubernetes/pki/apiserver-kubelet-client.key",
        ]),
        controller_manager: Some(args(&[
            "--bind-address=0.0.0.0",
            "--use-service-account-credentials=false",
            "--terminated-pod-gc-threshold=0",
            "--feature-gates=RotateKubeletServerCertificate=false",
        ])),
        scheduler: Some(args(&["--bind-address", "0.0.0.0"])),
        // The cluster's authority for etcd as well: the API server comes with a certificate of it.
        etcd: args(&["--trusted-ca-file={dir}/etc/kubernetes/pki/ca.crt"]),
        files: vec![("etc/kubernetes/tokens.csv".into(), b"a-token-that-nobody-uses,nobody,1\n".to_vec())],
        node: Some(NodeSpec {
            config: json!({ "authentication": { "anonymous": { "enabled": true }, "x509": { "clientCAFile": null } },
                            "authorization": { "mode": "AlwaysAllow" }, "readOnlyPort": 10255, "eventRecordQPS": 1,
                            "makeIPTablesUtilChains": false, "rotateCertificates": null,
                            "allowedUnsafeSysctls": ["kernel.msg*"] }),
            args: args(&["--streaming-connection-idle-timeout=0"]),
            ..NodeSpec::default()
        }),
        ..ClusterSpec::with_node()
    };
    let Some(mut cluster) = Cluster::require(Kubernetes::V135, spec) else { return };
    let at = |path: &str| cluster.dir().join(path);
    let mode = |path: &str, mode: u32| fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
    mode("etc/kubernetes/pki/ca.key", 0o644);
    mode("etc/kubernetes/pki/ca.crt", 0o666);
    mode("etc/kubernetes/kubelet.conf", 0o640);
    mode("etc/kubernetes/scheduler.conf", 0o604);
    mode("var/lib/etcd", 0o755);
    mode("etc/cni/net.d/10-bed.conflist", 0o644);
    std::os::unix::fs::chown(at("etc/cni/net.d/10-bed.conflist"), Some(65534), None).unwrap();
    std::os::unix::fs::chown(at("etc/kubernetes/pki/ca.key"), Some(65534), None).unwrap();
    std::os::unix::fs::chown(at("etc/kubernetes/kubelet.conf"), None, Some(65534)).unwrap();
    let catalog = Catalog::embedded();
    let found = judged(&cluster, &catalog);
    // Nothing is encrypted here, so that there is no such file; and whoever may do everything needs a name for it.
    let apart = ["file/encryption-config-mode", "apiserver/anonymous-limited"];
    let wanted: Vec<&str> = BOTH.iter().copied().filter(|name| !apart.contains(name)).collect();
    all_are(&found, Verdict::Fail, &wanted);
    all_are(&found, Verdict::Fail, &["apiserver/not-always-allowed", "apiserver/rbac"]);
    all_are(&found, Verdict::Pass, &["apiserver/anonymous-limited"]);
    let again = args(&[
        "--authorization-mode=RBAC",
        "--etcd-certfile={dir}/etc/kubernetes/pki/apiserver-kubelet-client.crt",
        "--etcd-keyfile={dir}/etc/kubernetes/pki/apiserver-kubelet-client.key",
    ]);
    cluster.restart_apiserver(&again).unwrap();
    let found = judged(&cluster, &catalog);
    all_are(&found, Verdict::Fail, &["apiserver/anonymous-limited", "apiserver/node-authorizer"]);
    all_are(&found, Verdict::Pass, &["apiserver/not-always-allowed", "apiserver/rbac"]);
}
