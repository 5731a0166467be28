//! A node of a real cluster: what is read of its processes and files is what its components do.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes, NodeSpec};
use seaworthy_collect::kubernetes::node::{self, ToldPod, Which};
use seaworthy_collect::redact::Redactor;
use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::FILE;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::{Value as Json, json};

fn read(cluster: &Cluster) -> Target {
    let pids: HashSet<u32> = cluster.pids().into_values().collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let mut targets = node::collect_of(Path::new("/"), &Redactor::new(), now, &|pid| pids.contains(&pid));
    assert_eq!(targets.len(), 1, "{:?}", targets.iter().map(|t| &t.name).collect::<Vec<_>>());
    targets.remove(0)
}

fn one(target: &Target, which: Which) -> &Component {
    let mut found = target.of(which.kind());
    let one = found.next().unwrap_or_else(|| panic!("no {}", which.name()));
    assert!(found.next().is_none(), "more than one {}", which.name());
    one
}

fn file<'t>(target: &'t Target, role: &str) -> &'t Component {
    let of_role = |c: &&Component| c.value("role").as_str() == Some(role);
    target.of(&FILE).find(of_role).unwrap_or_else(|| panic!("no file is {role}"))
}

fn known<'c>(c: &'c Component, fact: &str) -> &'c Value {
    let value = c.value(fact);
    assert!(!value.is_unknown(), "{}.{fact}: {value}", c.id);
    value
}

/// What the kubelet itself says is in effect.
fn configz(cluster: &Cluster) -> Json {
    let path = format!("/api/v1/nodes/{}/proxy/configz", cluster.node_name());
    let (status, answer) = cluster.admin().get(&path);
    assert_eq!(status, 200, "{answer}");
    answer["kubeletconfig"].clone()
}

fn seconds(text: &Json) -> i64 {
    let text = text.as_str().unwrap();
    let (mut total, mut number) = (0, String::new());
    for letter in text.chars() {
        match letter {
            '0'..='9' => number.push(letter),
            unit => {
                let value: i64 = number.parse().unwrap();
                number.clear();
                total += value
                    * match unit {
                        'h' => 3600,
                        'm' => 60,
                        _ => 1,
                    };
            }
        }
    }
    total
}

fn agrees_with_configz(target: &Target, configz: &Json) {
    let kubelet = one(target, Which::Kubelet);
    let path = |field: &str| field.split('.').fold(configz, |at, name| &at[name]).clone();
    for (fact, field) in [
        ("anonymous_auth", "authentication.anonymous.enabled"),
        ("webhook_authentication", "authentication.webhook.enabled"),
        ("make_iptables_util_chains", "makeIPTablesUtilChains"),
        ("seccomp_default", "seccompDefault"),
        ("debugging_handlers", "enableDebuggingHandlers"),
        ("profiling_handler", "enableProfilingHandler"),
        ("system_log_handler", "enableSystemLogHandler"),
        ("enable_server", "enableServer"),
        ("rotate_certificates", "rotateCertificates"),
        ("server_tls_bootstrap", "serverTLSBootstrap"),
        ("protect_kernel_defaults", "protectKernelDefaults"),
    ] {
        let told = path(field).as_bool().unwrap_or(false);
        assert_eq!(known(kubelet, fact).as_bool(), Some(told), "{fact}");
    }
    for (fact, field) in [
        ("port", "port"),
        ("read_only_port", "readOnlyPort"),
        ("healthz_port", "healthzPort"),
        ("event_record_qps", "eventRecordQPS"),
        ("event_burst", "eventBurst"),
        ("pod_pids_limit", "podPidsLimit"),
    ] {
        assert_eq!(known(kubelet, fact).as_int(), Some(path(field).as_i64().unwrap_or(0)), "{fact}");
    }
    for (fact, field) in [
        ("authorization_mode", "authorization.mode"),
        ("address", "address"),
        ("healthz_bind_address", "healthzBindAddress"),
        ("client_ca_file", "authentication.x509.clientCAFile"),
        ("static_pod_path", "staticPodPath"),
        ("container_runtime_endpoint", "containerRuntimeEndpoint"),
        ("tls_cert_file", "tlsCertFile"),
    ] {
        assert_eq!(known(kubelet, fact).as_str(), path(field).as_str(), "{fact}");
    }
    let idle = seconds(&path("streamingConnectionIdleTimeout"));
    assert_eq!(known(kubelet, "streaming_idle_timeout").as_int(), Some(idle));
}

#[test]
fn what_is_read_of_a_node_is_what_its_components_do() {
    let audit =
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n  users: [nobody]\n- level: Metadata\n";
    let encryption = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  \
                      providers:\n  - secretbox:\n      keys:\n      - name: a\n        secret: \
                      MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n  - identity: {}\n";
    let spec = ClusterSpec {
        apiserver: vec![
            "--audit-policy-file={dir}/etc/kubernetes/audit.yaml".into(),
            "--audit-log-path={dir}/var/log/audit.log".into(),
            "--encryption-provider-config={dir}/etc/kubernetes/encryption.yaml".into(),
            "--profiling=false".into(),
        ],
        files: vec![
            ("etc/kubernetes/audit.yaml".into(), audit.into()),
            ("etc/kubernetes/encryption.yaml".into(), encryption.into()),
        ],
        node: Some(NodeSpec { proxy: Some(Vec::new()), ..NodeSpec::default() }),
        ..ClusterSpec::with_node()
    };
    let Some(mut cluster) = Cluster::require(Kubernetes::V135, spec) else { return };
    let target = read(&cluster);
    assert_eq!((target.name.as_str(), target.platform.as_str()), (cluster.node_name(), "kubernetes"));
    for kind in Which::ALL.map(Which::kind).into_iter().chain([&FILE]) {
        assert_eq!(target.incomplete.get(kind.name), None);
    }
    assert!(target.incomplete.contains_key("kubernetes.pod"), "a node does not tell of all pods");
    for which in Which::ALL {
        let c = one(&target, which);
        assert_eq!(known(c, "pid").as_int(), Some(i64::from(cluster.pids()[which.name()])));
        assert_eq!(known(c, "configured_not_active").as_list(), Some(&[][..]), "{}", which.name());
        if which != Which::Etcd {
            assert_eq!(known(c, "version").as_str(), Some("1.35.4"), "{}", which.name());
        }
    }
    agrees_with_configz(&target, &configz(&cluster));
    the_control_plane_is_what_it_was_told(&cluster, &target);
    files_are_what_they_are(&cluster, &target);
    a_kubelet_is_told_otherwise(&mut cluster);
    mirror_pods_tell_the_same(&cluster);
}

fn the_control_plane_is_what_it_was_told(cluster: &Cluster, target: &Target) {
    let api = one(target, Which::Apiserver);
    assert_eq!(known(api, "authorizers").to_string(), "[Node, RBAC]");
    assert_eq!(known(api, "profiling").as_bool(), Some(false));
    // The API server answers whom it does not know, and so it is told.
    let anonymous = cluster.anonymous().get("/version").0 == 200;
    assert_eq!(known(api, "anonymous_auth").as_bool(), Some(anonymous));
    assert_eq!(cluster.admin().get("/debug/pprof/cmdline").0, 404);
    assert_eq!(known(api, "secrets_encrypted_by").as_str(), Some("secretbox"));
    assert_eq!(known(api, "config_maps_encrypted_by").as_str(), Some("identity"));
    let levels = known(api, "audit_levels").as_list().unwrap();
    let secrets = levels.iter().find(|l| l.field("request").unwrap().as_str() == Some("secrets")).unwrap();
    // One user is exempt, whom nobody may be.
    assert_eq!(secrets.field("lowest").unwrap().as_str(), Some("None"));
    assert_eq!(secrets.field("highest").unwrap().as_str(), Some("Metadata"));
    let plugins = known(api, "admission_plugins").to_string();
    assert!(plugins.contains("NodeRestriction") && plugins.contains("PodSecurity"), "{plugins}");
    assert_eq!(known(api, "requestheader_ca_is_client_ca").as_bool(), Some(false));
    let etcd = one(target, Which::Etcd);
    assert_eq!(known(etcd, "client_cert_auth").as_bool(), Some(true));
    let (clients, cluster_ca) = (known(etcd, "client_ca_fingerprints"), known(api, "client_ca_fingerprints"));
    assert_eq!((clients.as_list().unwrap().len(), cluster_ca.as_list().unwrap().len()), (1, 1));
    assert_ne!(clients, cluster_ca);
    let manager = one(target, Which::Manager);
    assert_eq!(known(manager, "use_service_account_credentials").as_bool(), Some(true));
    assert_eq!(known(manager, "bind_address").as_str(), Some("127.0.0.1"));
    assert_eq!(known(one(target, Which::Proxy), "metrics_loopback").as_bool(), Some(true));
    let shown = format!("{:?}", target.components);
    assert!(!shown.contains("MDEyMzQ1Njc4"), "a key was kept");
}

fn files_are_what_they_are(cluster: &Cluster, target: &Target) {
    let conf = file(target, "kubelet-conf");
    let at = cluster.dir().join("etc/kubernetes/kubelet.conf");
    let mode = fs::metadata(&at).unwrap().permissions().mode() & 0o7777;
    assert_eq!(known(conf, "mode").as_int(), Some(i64::from(mode)));
    assert_eq!(known(conf, "path").as_str(), at.to_str());
    let credentials = known(conf, "credentials").as_list().unwrap();
    assert_eq!(credentials[0].field("common_name").unwrap().as_str(), Some("system:node:node-1"));
    assert_eq!(known(file(target, "pki-key"), "private_key").as_bool(), Some(true));
    assert_eq!(known(file(target, "etcd-data-dir"), "type").as_str(), Some("directory"));
    for role in ["pki-cert", "pki-dir", "kubelet-config", "kubelet-client-ca", "encryption-config", "audit-policy"] {
        assert_eq!(known(file(target, role), "owner").as_str(), Some("root"), "{role}");
    }
    fs::set_permissions(&at, fs::Permissions::from_mode(0o644)).unwrap();
    let again = read(cluster);
    assert_eq!(known(file(&again, "kubelet-conf"), "mode").as_int(), Some(0o644));
    assert_eq!(known(file(&again, "kubelet-conf"), "readable_by_others").as_bool(), Some(true));
}

fn a_kubelet_is_told_otherwise(cluster: &mut Cluster) {
    let drop_ins = cluster.dir().join("etc/kubelet.d");
    fs::create_dir_all(drop_ins.join("10")).unwrap();
    let head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
    fs::write(drop_ins.join("10/a.conf"), format!("{head}podPidsLimit: 100\neventRecordQPS: 7\n")).unwrap();
    fs::write(drop_ins.join("20.conf"), format!("{head}podPidsLimit: 200\n")).unwrap();
    fs::write(drop_ins.join("30.yaml"), format!("{head}podPidsLimit: 300\n")).unwrap();
    let config = json!({ "streamingConnectionIdleTimeout": "0s", "eventRecordQPS": 1, "readOnlyPort": 10255 });
    let arguments = [
        format!("--config-dir={}", drop_ins.display()),
        "--read-only-port=10256".to_owned(),
        "--read_only_port".to_owned(),
        "0".to_owned(),
        "--seccomp-default".to_owned(),
    ];
    cluster.restart_kubelet(config, &arguments).unwrap();
    let target = read(cluster);
    let told = configz(cluster);
    let kubelet = one(&target, Which::Kubelet);
    assert_eq!(known(kubelet, "pod_pids_limit").as_int(), Some(200));
    assert_eq!(known(kubelet, "event_record_qps").as_int(), Some(7));
    assert_eq!(known(kubelet, "read_only_port").as_int(), Some(0));
    assert_eq!(known(kubelet, "streaming_idle_timeout").as_int(), Some(4 * 3600));
    // That flag is no field of the configuration, and the kubelet's own answer leaves it out.
    assert_eq!(known(kubelet, "seccomp_default").as_bool(), Some(true));
    for (fact, field) in [("pod_pids_limit", "podPidsLimit"), ("event_record_qps", "eventRecordQPS")] {
        assert_eq!(known(kubelet, fact).as_int(), told[field].as_i64(), "{fact}");
    }
    // What is written now is not in effect.
    fs::write(drop_ins.join("20.conf"), format!("{head}podPidsLimit: 400\n")).unwrap();
    let later = read(cluster);
    let kubelet = one(&later, Which::Kubelet);
    assert!(kubelet.value("pod_pids_limit").is_unknown(), "{}", kubelet.value("pod_pids_limit"));
    assert_eq!(known(kubelet, "read_only_port").as_int(), Some(0), "a flag counts all the same");
    assert_eq!(known(kubelet, "configured_not_active").as_list().unwrap().len(), 1);
}

/// By its arguments alone an API server says as much, but for what files decide.
fn mirror_pods_tell_the_same(cluster: &Cluster) {
    let target = read(cluster);
    let api = one(&target, Which::Apiserver);
    let line = fs::read(format!("/proc/{}/cmdline", cluster.pids()["kube-apiserver"])).unwrap();
    let argv: Vec<String> = line
        .strip_suffix(b"\0")
        .unwrap()
        .split(|b| *b == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let pod = ToldPod {
        node: cluster.node_name(),
        nth: 1,
        found_by: "mirror-pod",
        argv: &argv,
        image: "registry.k8s.io/kube-apiserver:v1.35.4",
        variables: &[],
        place: "pod kube-system/kube-apiserver-node-1",
        uid: None,
        files: &[],
    };
    let told = node::from_argv(&pod, &Redactor::new()).unwrap();
    assert_eq!(told.id, api.id);
    for (fact, found) in told.facts().filter(|(_, found)| !found.value.is_unknown()) {
        if ["found_by", "pid", "executable", "in_container"].contains(&fact) {
            continue;
        }
        assert_eq!(&found.value, api.value(fact), "{fact}");
    }
    assert!(told.value("audit_levels").is_unknown() && told.value("secrets_encrypted_by").is_unknown());
    let answer = json!({ "kubeletconfig": configz(cluster) });
    let kubelet = node::from_configz(cluster.node_name(), &answer, Some("v1.35.4"), "GET configz", &Redactor::new());
    assert_eq!(known(&kubelet, "pod_pids_limit").as_int(), Some(200));
    assert!(kubelet.value("hostname_override").is_unknown());
}
