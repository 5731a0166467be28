//! Clusters: what a test may rely on, with the releases that the machine can have.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes, NodeSpec, StartError, pod_security_cases, skip};
use serde_json::{Value, json};

fn answers(version: Kubernetes) {
    let Some(cluster) = Cluster::require(version, ClusterSpec::default()) else { return };
    let (status, about) = cluster.get("/version");
    assert_eq!(
        (status, about["gitVersion"].as_str()),
        (200, Some(format!("v{}", version.release()).as_str())),
        "{about}"
    );
    assert_eq!(cluster.anonymous().get("/api/v1/secrets").0, 403);
    assert_eq!(cluster.client_with_token("no such token").get("/api/v1/secrets").0, 401);

    cluster.create_namespace("blue");
    cluster.apply(&[
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": { "name": "reader", "namespace": "blue" },
            "rules": [{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["one"] }] }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "readers", "namespace": "blue" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
            "subjects": [
                { "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "crew" },
                { "kind": "ServiceAccount", "name": "default", "namespace": "blue" }
            ] }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "one", "namespace": "blue" },
            "stringData": { "a": "b" } }),
    ]);
    let attributes = |name: &str| json!({ "namespace": "blue", "verb": "get", "resource": "secrets", "name": name });
    let may = |groups: &[&str], attributes: &Value| cluster.subject_access_review("jack", groups, attributes);
    assert!(may(&["crew", "others", "more"], &attributes("one")));
    assert!(!may(&["crew"], &attributes("two")));
    assert!(!may(&["passengers"], &attributes("one")));
    assert!(may(&["system:masters"], &json!({ "path": "/metrics", "verb": "get" })));
    assert!(!may(&["crew"], &json!({ "path": "/metrics", "verb": "get" })));

    // What a review says is what happens, for certificates and for tokens.
    let (one, two) = ("/api/v1/namespaces/blue/secrets/one", "/api/v1/namespaces/blue/secrets/two");
    let token = cluster.client_with_token(&cluster.token_for("blue", "default"));
    for client in [cluster.client_for("jack", &["passengers", "crew"]), token] {
        assert_eq!((client.get(one).0, client.get(two).0), (200, 403));
    }

    cluster.apply_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\ndata:\n  a: b\n");
    assert_eq!(cluster.get("/api/v1/namespaces/default/configmaps/two").1["data"]["a"], "b");
    let who = |kubeconfig: &Path| cluster.kubectl_as(kubeconfig, &["auth", "whoami", "-o", "json"], b"");
    let jack = who(&cluster.kubeconfig_for("jack", &["crew"]));
    let about: Value = serde_json::from_str(&jack.stdout).unwrap_or_else(|_| panic!("{}", jack.stderr));
    assert_eq!(about["status"]["userInfo"]["groups"], json!(["crew", "system:authenticated"]));
    let late = who(&cluster.expired_kubeconfig_for("jack", &["crew"]));
    assert!(late.status != 0, "{}", late.stdout);
    let admin = who(&cluster.kubeconfig());
    assert!(admin.stdout.contains("kubernetes-admin"), "{}", admin.stderr);
}

#[test]
fn kubernetes_135_answers() {
    answers(Kubernetes::V135);
}

#[test]
fn kubernetes_132_answers() {
    answers(Kubernetes::V132);
}

#[test]
fn the_cases_of_pod_security_are_whole() {
    let Some(cases) = pod_security_cases() else { return };
    let mut folders = vec![cases];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            files += usize::from(path.extension().is_some_and(|ending| ending == "yaml"));
            folders.extend(path.is_dir().then_some(path));
        }
    }
    assert_eq!(files, 4537);
}

#[test]
fn an_api_server_stops_and_starts_with_other_arguments() {
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n";
    let spec = ClusterSpec {
        apiserver: vec![
            "--anonymous-auth=false".into(),
            "--audit-policy-file={dir}/etc/kubernetes/audit.yaml".into(),
            "--audit-log-path={dir}/var/log/audit.log".into(),
            "!enable-bootstrap-token-auth".into(),
        ],
        files: vec![("etc/kubernetes/audit.yaml".into(), policy.into())],
        ..ClusterSpec::default()
    };
    let Some(mut cluster) = Cluster::require(Kubernetes::V135, spec) else { return };
    let arguments = |cluster: &Cluster| {
        let line = fs::read(format!("/proc/{}/cmdline", cluster.pids()["kube-apiserver"])).unwrap();
        String::from_utf8(line).unwrap()
    };
    let before = arguments(&cluster);
    assert!(before.contains("--anonymous-auth=false\0") && !before.contains("bootstrap-token"), "{before}");
    assert_eq!(cluster.anonymous().get("/version").0, 401);
    cluster.create_namespace("blue");
    let audit = fs::read_to_string(cluster.dir().join("var/log/audit.log")).unwrap();
    assert!(audit.contains("\"verb\":\"patch\""), "{audit}");

    cluster.stop_apiserver();
    assert!(cluster.anonymous().send("GET", "/version", None).is_err());
    assert!(cluster.pids().contains_key("etcd") && !cluster.pids().contains_key("kube-apiserver"));
    cluster.restart_apiserver(&["--profiling=false".into()]).unwrap();
    assert!(arguments(&cluster).contains("--profiling=false\0"));
    assert_eq!(cluster.anonymous().get("/version").0, 200);
    assert_eq!(cluster.get("/api/v1/namespaces/blue").0, 200);

    cluster.restart("kube-controller-manager", &["--terminated-pod-gc-threshold=10".into()]).unwrap();
    let line = fs::read(format!("/proc/{}/cmdline", cluster.pids()["kube-controller-manager"])).unwrap();
    assert!(String::from_utf8_lossy(&line).contains("--terminated-pod-gc-threshold=10\0"));
    cluster.create_namespace("green");
}

#[test]
fn an_api_server_that_cannot_start_says_why() {
    let spec = ClusterSpec { apiserver: vec!["--no-such-flag".into()], ..ClusterSpec::default() };
    match Cluster::start(Kubernetes::V135, spec) {
        Ok(_) => panic!("it started"),
        Err(StartError::Failed(why)) => assert!(why.contains("unknown flag: --no-such-flag"), "{why}"),
        Err(StartError::Missing(why)) => skip(Kubernetes::V135.name(), &why),
    }
}

/// One that runs whatever a test asks for, on the machine's side of every wall.
fn pod(name: &str, spec: Value) -> Value {
    let mut whole = json!({ "terminationGracePeriodSeconds": 0, "containers": [{ "name": "main",
        "image": "busybox:test", "imagePullPolicy": "Never", "command": ["sleep", "3600"] }] });
    for (key, value) in spec.as_object().unwrap() {
        match key.as_str() {
            "main" => whole["containers"][0].as_object_mut().unwrap().extend(value.as_object().unwrap().clone()),
            _ => whole[key] = value.clone(),
        }
    }
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": whole })
}

/// A node with everything; `exec` is whether the right to get `pods/exec` is enough to use it.
fn runs_pods(version: Kubernetes, get_executes: bool) {
    let mut spec = ClusterSpec::with_node();
    spec.node = Some(NodeSpec { name: "oak".into(), proxy: Some(Vec::new()), ..NodeSpec::default() });
    let parameters = || {
        ["vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops"]
            .map(|name| fs::read_to_string(format!("/proc/sys/{name}")).unwrap())
    };
    let before = parameters();
    let Some(mut cluster) = Cluster::require(version, spec) else { return };
    assert_eq!(cluster.pids().len(), 7, "{:?}", cluster.pids());

    cluster.import_busybox("docker.io/library/web:1.0");
    cluster.apply(&[
        pod("web", json!({ "main": { "image": "web:1.0", "ports": [{ "containerPort": 80 }] } })),
        pod(
            "root",
            json!({ "hostNetwork": true, "hostPID": true,
                "volumes": [{ "name": "host", "hostPath": { "path": "/" } }],
                "main": { "securityContext": { "privileged": true },
                    "volumeMounts": [{ "name": "host", "mountPath": "/host" }] } }),
        ),
    ]);
    let web = cluster.wait_for_pod_running("default", "web");
    let root = cluster.wait_for_pod_running("default", "root");
    assert_eq!((&web["spec"]["nodeName"], &root["spec"]["nodeName"]), (&json!("oak"), &json!("oak")));
    assert_eq!(root["status"]["podIP"], cluster.node_ip().to_string());
    assert_ne!(web["status"]["podIP"], root["status"]["podIP"]);

    let run = |pod: &str, command: &[&str]| {
        let output = cluster.exec("default", pod, "main", command);
        assert_eq!(output.status, 0, "{command:?}: {}", output.stderr);
        output.stdout
    };
    assert_eq!(run("web", &["cat", "/etc/hostname"]).trim(), "web");
    let token = run("web", &["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"]);
    let (status, about) = cluster.client_with_token(&token).post(
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        &json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" }),
    );
    let name = &about["status"]["userInfo"]["username"];
    assert_eq!((status, name), (201, &json!("system:serviceaccount:default:default")));
    // Pods find the API server where its service says.
    run("web", &["nc", "-w", "5", "10.96.0.1", "443"]);
    // A privileged pod sees the node's files and the machine's processes.
    let conf = format!("/host{}/etc/kubernetes/kubelet.conf", cluster.dir().display());
    assert!(run("root", &["cat", &conf]).contains("system:node:oak"));
    let kubelet = format!("/proc/{}/comm", cluster.pids()["kubelet"]);
    assert_eq!(run("root", &["cat", &kubelet]).trim(), "kubelet");

    cluster.apply(&[
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "exec" },
            "rules": [{ "apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["get"] }] }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "exec" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "exec" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jack" }] }),
    ]);
    let jack = cluster.kubeconfig_for("jack", &[]);
    let output = cluster.exec_as(&jack, "default", "web", "main", &["id", "-u"]);
    assert_eq!(output.status == 0, get_executes, "{}{}", output.stdout, output.stderr);

    let configuration = |cluster: &Cluster| {
        let (status, answer) = cluster.get("/api/v1/nodes/oak/proxy/configz");
        assert_eq!(status, 200, "{answer}");
        answer["kubeletconfig"].clone()
    };
    assert_eq!(configuration(&cluster)["authentication"]["anonymous"]["enabled"], false);
    let config = json!({ "authentication": { "anonymous": { "enabled": true } }, "readOnlyPort": 10255 });
    cluster.restart_kubelet(config, &["--v=1".into()]).unwrap();
    let node = |command: &[&str]| {
        let output = cluster.node_command(command[0]).args(&command[1..]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(node(&["cat", "/proc/sys/vm/overcommit_memory"]).trim(), "1");
    cluster.set_parameter("vm.overcommit_memory", "2");
    assert_eq!(node(&["cat", "/proc/sys/vm/overcommit_memory"]).trim(), "2");
    assert_eq!(configuration(&cluster)["authentication"]["anonymous"]["enabled"], true);
    assert!(TcpStream::connect((cluster.node_ip(), 10255)).is_ok());
    cluster.wait_for_pod_running("default", "web");
    assert_eq!(parameters(), before, "the machine's parameters are not the node's to set");
    leaves_nothing(cluster);
}

/// Nothing of a cluster is there once it has been dropped.
fn leaves_nothing(cluster: Cluster) {
    let (dir, pids) = (cluster.dir().to_path_buf(), cluster.pids());
    let links = || fs::read_dir("/sys/class/net").unwrap().flatten().map(|link| link.file_name()).collect::<Vec<_>>();
    let address = cluster.node_ip();
    let inside: Vec<String> = running(&dir);
    assert!(inside.len() > pids.len(), "the shims of pods name the folder: {inside:?}");
    drop(cluster);
    assert!(!dir.exists(), "{} is left", dir.display());
    assert_eq!(running(&dir), Vec::<String>::new(), "processes are left");
    for (name, pid) in pids {
        // Process 1 takes its time to bury the dead, who have no command line.
        assert_eq!(fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default(), b"", "{name} is left");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&format!("{}/", dir.display())), "{mounts}");
    let name = dir.file_name().unwrap();
    for root in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        assert!(!root.path().join(name).exists(), "{} is left", root.path().join(name).display());
    }
    let routes = fs::read_to_string("/proc/net/fib_trie").unwrap();
    assert!(!routes.contains(&format!("-- {}", Ipv4Addr::from(u32::from(address) - 1))), "{:?}", links());
}

/// The command lines that name something in a folder.
fn running(dir: &Path) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
        let line = fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(&format!("{}/", dir.display()))).collect()
}

#[test]
fn kubernetes_135_runs_pods_and_leaves_nothing() {
    runs_pods(Kubernetes::V135, false);
}

#[test]
fn kubernetes_132_runs_pods_and_leaves_nothing() {
    runs_pods(Kubernetes::V132, true);
}

/// The control plane in static pods has mirror pods that tell its command lines.
fn has_mirrors(version: Kubernetes) {
    let spec = ClusterSpec {
        static_control_plane: true,
        apiserver: vec!["--audit-log-path={dir}/var/log/kubernetes/audit.log".into()],
        ..ClusterSpec::with_node()
    };
    let Some(mut cluster) = Cluster::require(version, spec) else { return };
    let command = |cluster: &Cluster, name: &str| {
        let (status, pod) = cluster.get(&format!("/api/v1/namespaces/kube-system/pods/{name}-node-1"));
        assert_eq!(status, 200, "{pod}");
        assert!(pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string(), "{pod}");
        let line = fs::read(format!("/proc/{}/cmdline", cluster.pids()[name])).unwrap();
        let line: Vec<String> = String::from_utf8(line).unwrap().split_terminator('\0').map(String::from).collect();
        assert_eq!(pod["spec"]["containers"][0]["command"], json!(line));
        line
    };
    for name in ["etcd", "kube-controller-manager", "kube-scheduler"] {
        command(&cluster, name);
    }
    assert!(command(&cluster, "kube-apiserver").iter().any(|argument| argument.contains("audit.log")));
    assert_eq!(cluster.url(), format!("https://{}:6443", cluster.node_ip()));

    let before = cluster.pids()["kube-apiserver"];
    cluster.restart_apiserver(&["--profiling=false".into()]).unwrap();
    assert_ne!(cluster.pids()["kube-apiserver"], before);
    assert!(command(&cluster, "kube-apiserver").contains(&"--profiling=false".to_owned()));
    cluster.restart("kube-scheduler", &["--v=1".into(), "!leader-elect".into()]).unwrap();
    let scheduler = command(&cluster, "kube-scheduler");
    assert!(scheduler.contains(&"--v=1".to_owned()) && !scheduler.iter().any(|one| one.contains("elect")));
    leaves_nothing(cluster);
}

#[test]
fn kubernetes_135_has_mirror_pods() {
    has_mirrors(Kubernetes::V135);
}

#[test]
fn kubernetes_132_has_mirror_pods() {
    has_mirrors(Kubernetes::V132);
}

/// Set for the copy of this test binary that is to be killed.
const VICTIM: &str = "SEAWORTHY_BED_VICTIM";

#[test]
fn the_cluster_of_a_killed_test_is_cleared() {
    let Some(cluster) = Cluster::require(Kubernetes::V135, ClusterSpec::with_node()) else { return };
    if std::env::var_os(VICTIM).is_some() {
        println!("\nleft {}", cluster.dir().display());
        sleep(Duration::from_secs(60));
        return;
    }
    drop(cluster);
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_cluster_of_a_killed_test_is_cleared", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let left = lines.find_map(|line| line.strip_prefix("left ").map(str::to_owned));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let dir = PathBuf::from(left.expect("the victim said what it started"));
    // Another test's start may be at it already.
    let deadline = Instant::now() + Duration::from_secs(30);
    while (dir.exists() || !running(&dir).is_empty()) && Instant::now() < deadline {
        seaworthy_bed::sweep();
        sleep(Duration::from_millis(50));
    }
    assert!(!dir.exists(), "{} is left", dir.display());
    assert_eq!(running(&dir), Vec::<String>::new(), "processes are left");
}
