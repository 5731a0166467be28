//! An engine and a cluster on one machine, and what the program says of them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use seaworthy_bed::{Client, Cluster, ClusterSpec, ContextFile, Daemon, Kubernetes, NodeSpec, Spec, Version};
use serde_json::{Value, json};

use crate::found::Found;
use crate::machine::{Machine, hard, made, program};

/// The image of pods.
pub const IMAGE: &str = "busybox:bridge";

/// An engine and a cluster, and the machine around them.
pub struct Beds {
    /// The engine.
    pub daemon: Daemon,
    /// The cluster.
    pub cluster: Cluster,
    machine: Machine,
    image: String,
    empty: tempfile::TempDir,
}

/// The files of a machine in order.
fn machine(id: Option<&str>) -> Machine {
    let sshd = "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\n";
    let mut files = vec![
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n", 0o644),
        ("etc/group", "root:x:0:\ndocker:x:990:\n", 0o644),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\n", 0o644),
        ("etc/sudoers", "root ALL=(ALL:ALL) ALL\n", 0o440),
        ("etc/ssh/sshd_config", sshd, 0o644),
    ];
    files.extend(id.map(|id| ("etc/machine-id", id, 0o444)));
    Machine::new(&files)
}

impl Beds {
    /// Starts both; none where one of them is not to be had.
    pub fn start(engine: Version, kubernetes: Kubernetes) -> Option<Self> {
        let settings = r#"{"icc": false, "userland-proxy": false, "live-restore": true,
            "log-driver": "syslog", "log-opts": {"syslog-address": "tcp://192.0.2.1:514"},
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 2048}}}"#;
        let daemon = Daemon::require(engine, Spec { daemon_json: Some(settings.into()), ..Spec::default() })?;
        fs::set_permissions(daemon.socket(), fs::Permissions::from_mode(0o660)).expect("chmod");
        // Other tests' nodes may be on the same machine.
        let node = NodeSpec { name: format!("bridge-{}", std::process::id()), ..NodeSpec::default() };
        let spec = ClusterSpec { static_control_plane: true, node: Some(node), ..ClusterSpec::with_node() };
        let cluster = Cluster::require(kubernetes, spec)?;
        cluster.import_busybox(IMAGE);
        daemon.import_busybox("busybox:test");
        let dockerfile = "FROM busybox:test\nLABEL org.opencontainers.image.source=https://example.com/app.git\n\
            COPY passwd /etc/passwd\nHEALTHCHECK CMD true\nUSER 1000:1000\n";
        let passwd = b"root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n";
        let image = daemon.build("app:1", dockerfile, &[ContextFile::new("passwd", passwd)]);
        made(&daemon, "/networks/create", &json!({ "Name": "quiet" }));
        Some(Self { daemon, cluster, machine: machine(None), image, empty: tempfile::tempdir().ok()? })
    }

    /// Runs a container, hard but for what is laid over it; with a port, published to everybody.
    pub fn run(&self, name: &str, port: Option<&str>, changes: &Value) {
        let (status, answer) = self.daemon.request("DELETE", &format!("/containers/{name}?force=1"), None);
        assert!(matches!(status, 204 | 404), "remove {name}: {answer}");
        let mut body = hard(&self.image, "", "");
        let ports = port.map(|port| json!({ "80/tcp": [{ "HostIp": "0.0.0.0", "HostPort": port }] }));
        body["HostConfig"]["Binds"] = json!([]);
        body["HostConfig"]["PortBindings"] = ports.unwrap_or_else(|| json!({}));
        if port.is_none() {
            body["ExposedPorts"] = json!({});
            body["HostConfig"]["NetworkMode"] = json!("none");
        }
        self.daemon.run(name, &over(&body, changes));
    }

    /// What a command in a container of the engine prints, and nothing of what it complains of.
    pub fn exec(&self, name: &str, script: &str) -> String {
        let body = json!({ "AttachStdout": true, "Tty": true, "Cmd": ["sh", "-c", script] });
        let (status, answer) = self.daemon.request("POST", &format!("/containers/{name}/exec"), Some(&body));
        assert_eq!(status, 201, "{answer}");
        let path = format!("/exec/{}/start", answer["Id"].as_str().unwrap_or_default());
        let (_, out) = self.daemon.request("POST", &path, Some(&json!({ "Tty": true })));
        out.as_str().map_or_else(|| out.to_string(), str::to_owned)
    }

    /// Whether whoever has this kubeconfig may do everything, as the API server says.
    pub fn may_everything(&self, kubeconfig: &str) -> bool {
        let kept = tempfile::NamedTempFile::new().expect("a file");
        fs::write(kept.path(), kubeconfig.replace('\r', "")).expect("write");
        let output = self.cluster.kubectl_as(kept.path(), &["auth", "can-i", "*", "*", "--all-namespaces"], b"");
        output.stdout.trim() == "yes"
    }

    /// Whoever has code in a pod's container, with what lies there.
    pub fn inside(&self, namespace: &str, name: &str) -> Client {
        let token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
        let out = self.cluster.exec(namespace, name, "app", &["cat", token]);
        assert_eq!(out.status, 0, "{out:?}");
        self.cluster.client_with_token(out.stdout.trim())
    }

    fn kubeconfig(&self) -> String {
        self.cluster.kubeconfig().display().to_string()
    }

    /// A command that sees no other cluster's processes: one machine has one kubelet, and tests that run beside this one have
    /// theirs on the same machine.
    fn alone(&self, command: &Command) -> Command {
        let own: Vec<u32> = self.cluster.pids().into_values().collect();
        let components =
            ["kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd"];
        let is_one = |at: &PathBuf| {
            let program = fs::read_link(at.join("exe")).unwrap_or_default();
            program.file_name().is_some_and(|name| components.iter().any(|one| name == *one))
        };
        let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path()).filter(is_one);
        let pids = all.filter_map(|at| at.file_name()?.to_str()?.parse::<u32>().ok());
        let foreign: Vec<String> = pids.filter(|pid| !own.contains(pid)).map(|pid| pid.to_string()).collect();
        let script =
            "for pid in $0; do mount --bind /var/empty/bridge /proc/$pid 2>/dev/null || true; done; exec \"$@\"";
        let script = script.replace("/var/empty/bridge", &self.empty.path().display().to_string());
        let mut alone = Command::new("unshare");
        alone.args(["-m", "sh", "-c", &script, &foreign.join(" ")]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => alone.env(name, value),
                None => alone.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            alone.current_dir(dir);
        }
        alone
    }

    /// The program on the machine, about engine and cluster: what is here is read, the cluster asked besides.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.machine.command(arguments);
        command.args(["--timeout", "60", "--docker", &self.daemon.host(), "--kubeconfig", &self.kubeconfig()]);
        self.alone(&command)
    }

    /// The program about files alone.
    pub fn offline(&self, arguments: &[&str]) -> Command {
        self.machine.command(arguments)
    }

    /// What is told in one sitting.
    pub fn assess(&self) -> Found {
        Found::run(self.command(&["assess", "-f", "json"]))
    }

    /// Where files of the machine are kept.
    pub fn file(&self, name: &str) -> PathBuf {
        self.machine.dir.path().join("root").join(name)
    }

    /// A snapshot of each part by itself, the engine's as of a machine with this id where there is one: engine, cluster, node.
    pub fn parts(&self, other: Option<&str>) -> [String; 3] {
        let (host, config) = (self.daemon.host(), self.kubeconfig());
        let elsewhere = machine(other);
        let names = ["engine.json", "cluster.json", "node.json"].map(|name| self.file(name).display().to_string());
        collected(elsewhere.command(&["collect", "--timeout", "60", "--docker", &host, "-o", "engine.json"]));
        fs::copy(elsewhere.dir.path().join("root/engine.json"), &names[0]).expect("copy");
        // The cluster as one sees it who is no node of it.
        let mut cluster = self.machine.command(&["collect", "--timeout", "60", "--kubeconfig", &config]);
        cluster.args(["--root", "/nonexistent", "-o", "cluster.json"]);
        collected(cluster);
        let node = self.node(self.machine.command(&["collect", "--only", "kubernetes"]));
        fs::write(&names[2], node.to_string()).expect("write");
        names
    }

    /// The parts joined, and what is told of them.
    pub fn joined(&self, parts: &[String]) -> Found {
        let mut collect = self.offline(&["collect", "-o", "whole.json", "--join"]);
        collect.args(parts);
        collected(collect);
        Found::run(self.offline(&["assess", "-f", "json", "--from", "whole.json"]))
    }

    /// The snapshot of this cluster's node.
    fn node(&self, command: Command) -> Value {
        let text = collected(self.alone(&command));
        let snapshot: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(snapshot["targets"].as_array().map(Vec::len), Some(1), "{text}");
        assert_eq!(snapshot["targets"][0]["name"], self.cluster.node_name());
        snapshot
    }

    /// The node as the machine shows it.
    pub fn node_here(&self) -> Value {
        self.node(self.machine.command(&["collect", "--only", "kubernetes"]))["targets"][0].clone()
    }

    /// The node as one sees it who has the machine's disk, with what is mounted there, at another place.
    pub fn node_under_root(&self) -> Value {
        let at = tempfile::tempdir().expect("a directory");
        let script = "mount --rbind / \"$1\" && exec \"$0\" collect --only kubernetes --root \"$1\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, program()]).arg(at.path());
        command.env("HOME", at.path()).env_remove("KUBECONFIG").current_dir(at.path());
        self.node(command)["targets"][0].clone()
    }

    /// What answers at a socket as a container of a pod sees it.
    pub fn through_pod(&self, namespace: &str, pod: &str, socket: &str, path: &str) -> String {
        let (_, object) = self.cluster.get(&format!("/api/v1/namespaces/{namespace}/pods/{pod}"));
        let uid = object["metadata"]["uid"].as_str().expect("a uid");
        let pids = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
        let of_pod = |at: &PathBuf| {
            fs::read_to_string(at.join("cgroup")).is_ok_and(|groups| groups.contains(uid))
                && at.join("root").join(socket.trim_start_matches('/')).exists()
        };
        let at = pids.filter(|at| at.join("cgroup").exists()).find(of_pod).expect("a process of the pod");
        let mut stream = UnixStream::connect(at.join("root").join(socket.trim_start_matches('/'))).expect("connect");
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("write");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read");
        answer
    }
}

/// Runs a command that must succeed; what it printed.
fn collected(mut command: Command) -> String {
    command.env_remove("KUBECONFIG");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A document with changes laid over it: objects are merged, everything else replaces.
fn over(base: &Value, changes: &Value) -> Value {
    let (Value::Object(base), Value::Object(changes)) = (base, changes) else { return changes.clone() };
    let mut out = base.clone();
    for (key, change) in changes {
        out.insert(key.clone(), over(base.get(key).unwrap_or(&Value::Null), change));
    }
    Value::Object(out)
}
