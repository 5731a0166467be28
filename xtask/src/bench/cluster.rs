//! What reading a cluster costs above the floor: the same lists in pages of 500 over as many connections, parsed and
//! thrown away.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use seaworthy_bed::{Client, Cluster, ClusterSpec, Kubernetes, StartError};
use serde_json::{Value, json};

use super::{median, program, wide};

/// As many as the program uses.
const CONNECTIONS: usize = 6;
/// Pods a namespace.
pub const PODS: usize = 100;
/// Namespaces, in the quick mode and in the full one.
const NAMESPACES: [usize; 2] = [10, 100];

/// Measures against a cluster of its own, then how it grows; or only how it grows.
///
/// # Errors
/// Where there is no cluster, or what is measured fails.
pub fn run(quick: bool, only_growth: bool, binary: &Path) -> Result<()> {
    if !binary.is_file() {
        bail!("{} is not there (cargo build --release)", binary.display());
    }
    if only_growth {
        let dir = std::env::temp_dir().join(format!("seaworthy-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let done = wide::run(quick, binary, &dir);
        // What was measured counts, whatever is left behind.
        drop(std::fs::remove_dir_all(&dir));
        return done;
    }
    // Pods of accounts that nobody made: no controller runs here.
    let spec =
        ClusterSpec { apiserver: vec!["--disable-admission-plugins=ServiceAccount".into()], ..ClusterSpec::default() };
    let cluster = match Cluster::start(Kubernetes::V135, spec) {
        Ok(cluster) => cluster,
        Err(StartError::Missing(why) | StartError::Failed(why)) => bail!("{}: {why}", Kubernetes::V135.name()),
    };
    let objects = fill(&cluster, NAMESPACES[usize::from(!quick)])?;
    let lists = lists(&cluster, binary)?;
    let runs = if quick { 3 } else { 7 };
    let file = cluster.dir().join("snapshot.json");
    let (mut floors, mut reads, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let mut listed = 0;
    // The first of each warms the caches of both and is not counted.
    for round in 0..=runs {
        let floor = floor(&cluster, &lists)?;
        listed = floor.1;
        let read = timed(collect(binary, &cluster, &file))?;
        let assess = timed(assess(binary, &cluster))?;
        if round > 0 {
            floors.push(floor.0);
            reads.push(read);
            whole.push(assess);
        }
    }
    let (floor, read) = (median(&mut floors).unwrap_or(0.0), median(&mut reads).unwrap_or(0.0));
    let whole = median(&mut whole).unwrap_or(0.0);
    let peak = [program::peak_of(collect(binary, &cluster, &file))?, program::peak_of(assess(binary, &cluster))?];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!(
        "Kubernetes {}, {cores} cores, {objects} objects made, {listed} listed, medians of {runs} runs in turn",
        Kubernetes::V135.release()
    );
    println!(
        "{:>9} {:>11} {:>6} {:>10} {:>11} {:>10}",
        "floor ms", "collect ms", "ratio", "peak MB", "assess ms", "peak MB"
    );
    println!("{floor:>9.1} {read:>11.1} {:>6.2} {:>10.1} {whole:>11.1} {:>10.1}", read / floor, peak[0], peak[1]);
    wide::run(quick, binary, cluster.dir())
}

fn collect(binary: &Path, cluster: &Cluster, file: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["collect", "--quiet", "--kubeconfig"]).arg(cluster.kubeconfig()).arg("-o").arg(file);
    command
}

fn assess(binary: &Path, cluster: &Cluster) -> Command {
    let mut command = Command::new(binary);
    command.args(["assess", "--quiet", "--kubeconfig"]).arg(cluster.kubeconfig()).args([
        "-f",
        "json",
        "-o",
        "/dev/null",
    ]);
    command
}

fn timed(mut command: Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(start.elapsed())
}

/// Addresses of the lists that the program asks for, by the role that it prints.
fn lists(cluster: &Cluster, binary: &Path) -> Result<Vec<String>> {
    let role = Command::new(binary).arg("access").output().context("access")?;
    let role = String::from_utf8_lossy(&role.stdout).into_owned();
    let value = |line: &str, key: &str| {
        Some(line.trim().trim_start_matches("- ").strip_prefix(key)?.trim_matches(['[', ']', '"']).to_owned())
    };
    let (mut group, mut all) = (String::new(), Vec::new());
    for line in role.lines() {
        if let Some(named) = value(line, "apiGroups: ") {
            group = named;
        }
        let Some(resources) = value(line, "resources: ") else { continue };
        let root = if group.is_empty() {
            "/api/v1".to_owned()
        } else {
            let (status, about) = cluster.get(&format!("/apis/{group}"));
            if status != 200 {
                continue;
            }
            format!("/apis/{}", about["preferredVersion"]["groupVersion"].as_str().unwrap_or_default())
        };
        let named = resources.split(", ").filter(|r| !r.contains('/')).map(|r| format!("{root}/{r}"));
        all.extend(named.filter(|path| cluster.get(&format!("{path}?limit=1")).0 == 200));
    }
    // The longest first, as the program does.
    all.sort_by_key(|path| !path.ends_with("/pods"));
    Ok(all)
}

/// The time that the lists take, and how many objects they have.
fn floor(cluster: &Cluster, lists: &[String]) -> Result<(Duration, usize)> {
    let clients: Vec<Client> = (0..CONNECTIONS).map(|_| cluster.client_for("floor", &["system:masters"])).collect();
    let (next, listed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let one = |client: &Client| -> Result<()> {
        while let Some(path) = lists.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut token = String::new();
            loop {
                let (status, page) = client.get(&format!("{path}?limit=500&continue={token}"));
                if status != 200 {
                    bail!("GET {path}: {status}");
                }
                listed.fetch_add(page["items"].as_array().map_or(0, Vec::len), Ordering::Relaxed);
                token = page["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
                std::hint::black_box(&page);
                if token.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    };
    let start = Instant::now();
    thread::scope(|scope| {
        let hands: Vec<_> = clients.iter().map(|client| scope.spawn(|| one(client))).collect();
        hands.into_iter().try_for_each(|hand| hand.join().unwrap_or_else(|_| bail!("a connection's thread ended")))
    })?;
    Ok((start.elapsed(), listed.into_inner()))
}

/// Makes namespaces with what they usually hold; how many objects.
fn fill(cluster: &Cluster, namespaces: usize) -> Result<usize> {
    let next = AtomicUsize::new(0);
    let made = AtomicUsize::new(0);
    let failed: Mutex<Option<String>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let client = cluster.client_for("filler", &["system:masters"]);
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= namespaces {
                        return;
                    }
                    for (path, object) in of_namespace(n) {
                        let (status, answer) = client.post(&path, &object);
                        if !matches!(status, 200 | 201 | 409) {
                            failed
                                .lock()
                                .unwrap_or_else(std::sync::PoisonError::into_inner)
                                .get_or_insert(format!("POST {path}: {status} {answer}"));
                            return;
                        }
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    match failed.into_inner().ok().flatten() {
        Some(why) => bail!(why),
        None => Ok(made.into_inner()),
    }
}

pub fn of_namespace(n: usize) -> Vec<(String, Value)> {
    let space = format!("team-{n}");
    let mut all = vec![("/api/v1/namespaces".to_owned(), json!({"metadata": {"name": space}}))];
    let core = |plural: &str| format!("/api/v1/namespaces/{space}/{plural}");
    let apps = |plural: &str| format!("/apis/apps/v1/namespaces/{space}/{plural}");
    let rbac = |plural: &str| format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/{plural}");
    for app in 0..10 {
        let name = format!("app-{app}");
        let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop", "pod-template-hash": "6d4b75cb6d"});
        let template = json!({"metadata": {"labels": labels}, "spec": pod_spec(&name)});
        let selector = json!({"matchLabels": {"app.kubernetes.io/name": name}});
        all.push((core("serviceaccounts"), json!({"metadata": {"name": name}})));
        all.push((
            apps("deployments"),
            json!({"metadata": {"name": name}, "spec": {"replicas": 10, "selector": selector, "template": template}}),
        ));
        let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": format!("d-{n}-{app}"), "controller": true}]);
        let set = format!("{name}-6d4b75cb6d");
        all.push((apps("replicasets"), json!({"metadata": {"name": set, "ownerReferences": owner, "labels": labels}, "spec": {"replicas": 10, "selector": selector, "template": template}})));
        all.push((core("services"), json!({"metadata": {"name": name}, "spec": {"selector": {"app.kubernetes.io/name": name}, "ports": [{"port": 80, "targetPort": "http"}]}})));
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": format!("r-{n}-{app}"), "controller": true}]);
        for replica in 0..PODS / 10 {
            all.push((core("pods"), json!({"metadata": {"name": format!("{set}-{replica:05}"), "labels": labels, "ownerReferences": owner,
                "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}}, "spec": pod_spec(&name)})));
        }
        if app < 5 {
            all.push((core("configmaps"), json!({"metadata": {"name": name}, "data": {"application.yaml": "server:\n  port: 8080\nlogging: info\n".repeat(20)}})));
            all.push((rbac("roles"), json!({"metadata": {"name": name}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]})));
            all.push((rbac("rolebindings"), json!({"metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": space}]})));
        }
    }
    all
}

fn pod_spec(name: &str) -> Value {
    json!({
        "serviceAccountName": name,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "app", "image": format!("registry.example/shop/{name}:1.2.3"), "args": ["serve", "--config=/etc/app/application.yaml"],
            "ports": [{"name": "http", "containerPort": 8080}],
            "env": [{"name": "LOG_LEVEL", "value": "info"}, {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}}, "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}, {"name": "tmp", "mountPath": "/tmp"}]}],
        "volumes": [{"name": "config", "configMap": {"name": name}}, {"name": "tmp", "emptyDir": {}}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_holds_its_pods() {
        let all = of_namespace(3);
        assert_eq!(all.iter().filter(|(path, _)| path == "/api/v1/namespaces/team-3/pods").count(), PODS);
        assert_eq!(all.len() * NAMESPACES[1], 15_600);
    }
}
