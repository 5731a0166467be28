//! What the audit of a node costs beside kube-bench, on the same node of a cluster of its own, in turn.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use seaworthy_bed::{Cluster, ClusterSpec, Kubernetes, NodeSpec, StartError, Watched, watch};

use super::median;

/// How to get the other, where it is not there.
const HOW: &str = "kube-bench is not there: with Go, copy the module github.com/aquasecurity/kube-bench (go mod download), \
                   `go build .` in it, and name the program by KUBE_BENCH and its folder cfg by KUBE_BENCH_CFG";

/// The benchmark that both are asked for.
const BENCHMARKS: [&str; 2] = ["cis-1.12", "cis-kubernetes-1.12"];

/// A node as a machine has one: its files at their usual places.
struct Node {
    cluster: Cluster,
    folder: tempfile::TempDir,
    /// Keeps the mount namespace.
    keeper: Child,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}

/// Lays the bed's files where kubeadm has them, in a mount namespace; prints when it is done.
const LAY_OUT: &str = r#"
set -e
mount --make-rprivate /
mkdir -p "$2/etc" "$2/lib" "$2/work"
cp -a /etc/. "$2/etc"
mkdir -p "$2/etc/kubernetes"
mount --bind "$2/etc" /etc
mount --bind "$1/etc/kubernetes" /etc/kubernetes
mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$2/lib,workdir=$2/work" /var/lib
mkdir -p /var/lib/kubelet /var/lib/etcd
mount --bind "$1/var/lib/kubelet" /var/lib/kubelet
mount --bind "$1/var/lib/etcd" /var/lib/etcd
echo done >"$2/ready"
exec sleep 100000
"#;

impl Node {
    fn start() -> Result<Self> {
        let spec = ClusterSpec {
            static_control_plane: true,
            node: Some(NodeSpec { proxy: Some(Vec::new()), ..NodeSpec::default() }),
            ..ClusterSpec::with_node()
        };
        let cluster = match Cluster::start(Kubernetes::V135, spec) {
            Ok(cluster) => cluster,
            Err(StartError::Missing(why) | StartError::Failed(why)) => bail!("{}: {why}", Kubernetes::V135.name()),
        };
        let folder = tempfile::tempdir()?;
        let mut keeper = Command::new("unshare");
        keeper.args(["--mount", "sh", "-c", LAY_OUT, "sh"]).arg(cluster.dir()).arg(folder.path());
        let keeper = keeper.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("unshare")?;
        let mut node = Self { cluster, folder, keeper };
        for _ in 0..600 {
            if node.folder.path().join("ready").exists() {
                return Ok(node);
            }
            if let Some(status) = node.keeper.try_wait()? {
                bail!("the node's files could not be laid out: {status}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the node's files are not laid out after half a minute")
    }

    /// A program on the node.
    fn command(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.keeper.id().to_string()]).arg(program.as_ref()).args(arguments);
        command.env("KUBECONFIG", self.cluster.kubeconfig()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn watched(&self, program: &Path, arguments: &[&str]) -> Result<Watched> {
        let watched = watch(&mut self.command(program, arguments)).with_context(|| program.display().to_string())?;
        if !watched.status.success() {
            bail!("{} {}: {}", program.display(), arguments.join(" "), watched.status);
        }
        Ok(watched)
    }
}

/// Times both.
///
/// # Errors
/// Where there is no node, or what is measured fails.
pub fn run(quick: bool, binary: &Path) -> Result<()> {
    let node = Node::start()?;
    let other = kube_bench();
    let runs = if quick { 3 } else { 7 };
    let ours =
        ["audit", "--quiet", "--only", "kubernetes", "--benchmark", BENCHMARKS[1], "-f", "json", "-o", "/dev/null"];
    let cfg = std::env::var_os("KUBE_BENCH_CFG").map(PathBuf::from);
    let cfg = cfg.as_deref().map(|path| path.display().to_string());
    let mut theirs = vec!["run", "--benchmark", BENCHMARKS[0], "--json"];
    theirs.extend(cfg.iter().flat_map(|cfg| ["--config-dir", cfg.as_str()]));
    let (mut own, mut beside) = (Vec::new(), Vec::new());
    let mut started = (0, 0);
    // The first of each warms the caches of both and is not counted.
    for round in 0..=runs {
        let audit = node.watched(binary, &ours)?;
        let bench = other.as_deref().map(|program| node.watched(program, &theirs)).transpose()?;
        if round > 0 {
            started.0 = started.0.max(audit.started);
            own.push(audit.took);
            if let Some(bench) = bench {
                started.1 = started.1.max(bench.started);
                beside.push(bench.took);
            }
        }
    }
    let own = median(&mut own).unwrap_or(0.0);
    println!(
        "A node of Kubernetes {} with its control plane, medians of {runs} runs in turn",
        Kubernetes::V135.release()
    );
    println!("{:>11} {:>11} {:>14} {:>11} {:>8}", "audit ms", "processes", "kube-bench ms", "processes", "ratio");
    match median(&mut beside) {
        Some(beside) => {
            println!("{own:>11.1} {:>11} {beside:>14.1} {:>11} {:>8.0}", started.0, started.1, beside / own);
        }
        None => println!("{own:>11.1} {:>11}   {HOW}", started.0),
    }
    Ok(())
}

/// The other's program.
fn kube_bench() -> Option<PathBuf> {
    let named = std::env::var_os("KUBE_BENCH").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.or_else(|| std::env::split_paths(&path).map(|dir| dir.join("kube-bench")).find(|file| file.is_file()))
}
