//! Where snapshots come from: a live engine, files, standard input, the demonstration.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use seaworthy_collect::{LARGEST, evidence, files, read_snapshot};
use seaworthy_core::join::{is_only_of, join};
use seaworthy_core::snapshot::Snapshot;

use crate::arguments::{Platform, SourceArguments, TargetArguments};
use crate::progress::Progress;

/// The recorded demonstration of a host.
static DEMO: &[u8] = include_bytes!("../demo/snapshot.json.gz");

/// The recorded demonstration of a cluster.
static DEMO_CLUSTER: &[u8] = include_bytes!("../demo/cluster.json.gz");

/// The demonstration that was asked for, and the paths that were. `--demo kubernetes` reads to the parser like a path of
/// that name; it is one only where something of that name is there.
fn demonstration(arguments: &TargetArguments) -> (Option<&'static [u8]>, &[PathBuf]) {
    let paths = arguments.paths.as_slice();
    let of = |platform| match platform {
        Platform::Docker => DEMO,
        Platform::Kubernetes => DEMO_CLUSTER,
    };
    let named = paths.split_first().filter(|(first, _)| !first.exists());
    match (arguments.source.demo, named) {
        (None, _) => (None, paths),
        (Some(_), Some((first, rest))) if first.as_os_str() == "kubernetes" => (Some(DEMO_CLUSTER), rest),
        (Some(_), Some((first, rest))) if first.as_os_str() == "docker" => (Some(DEMO), rest),
        (Some(platform), _) => (Some(of(platform)), paths),
    }
}

/// Everything that was asked for, as one snapshot, with the evidence that was given for it.
pub fn snapshot(arguments: &TargetArguments, quiet: bool) -> Result<Snapshot> {
    // Read first: a wrong file is said before anything is asked.
    let evidence: Vec<_> = arguments
        .source
        .evidence
        .iter()
        .map(|path| evidence::read(path))
        .collect::<Result<_, _>>()
        .map_err(|why| anyhow!("{why}"))?;
    let mut snapshot = targets(arguments, quiet)?;
    evidence::apply(&mut snapshot, &evidence);
    Ok(snapshot)
}

fn targets(arguments: &TargetArguments, quiet: bool) -> Result<Snapshot> {
    let source = &arguments.source;
    let is_input = |path: &&PathBuf| path.as_os_str() == "-";
    if arguments.paths.iter().chain(&source.from).filter(is_input).count() > 1 {
        bail!("- is given more than once: standard input can be read only once");
    }
    // Wrong paths, too, are said before anything is asked.
    let (demo, paths) = demonstration(arguments);
    let files = match paths {
        [] => None,
        paths => {
            let options = files::Options { kubernetes_version: arguments.kubernetes_version.clone() };
            Some(files::collect(paths, &options).map_err(|why| anyhow!("{why}"))?)
        }
    };
    // Not told by the parser, since `paths` takes entries by the same flag.
    if demo.is_some() && !source.from.is_empty() {
        bail!("--demo cannot be used with --from FILE: it is a snapshot itself");
    }
    let mut snapshots = Vec::new();
    if let Some(demo) = demo {
        snapshots.push(read_snapshot(demo).map_err(|why| anyhow!("the demonstration: {why}"))?);
    }
    for path in &source.from {
        snapshots.push(read(path)?);
    }
    let is_engine_named = !source.docker.is_empty() || source.docker_context.is_some();
    let is_other_named = source.demo.is_some() || !source.from.is_empty() || files.is_some();
    let live = Live::of(source, is_engine_named, is_other_named)?;
    let node = if live.node { seaworthy_collect::kubernetes::node::snapshot(source.root.as_deref()) } else { None };
    let is_node = node.is_some();
    if live.engine {
        let _progress = Progress::start("reading the engine and its host", quiet);
        let engine = seaworthy_collect::collect(&options(source))?;
        // A node mostly has no engine of Docker: nobody named one, and none answered.
        let answered = engine.targets.iter().any(|target| !target.components.is_empty());
        if answered || !is_node {
            snapshots.push(engine);
        }
    }
    snapshots.extend(node);
    if live.cluster && !(is_node && live.cluster_by_default) {
        let _progress = Progress::start("reading the cluster", quiet);
        let read = seaworthy_collect::kubernetes::api::collect(&cluster_options(source));
        let cluster = read.map_err(|why| anyhow!("{why}"))?;
        if !live.node {
            snapshots.extend(node_of(&cluster, source.root.as_deref()));
        }
        snapshots.push(cluster);
    }
    let mut snapshots = snapshots.into_iter().chain(files);
    let Some(mut first) = snapshots.next() else { bail!("there is nothing to look at") };
    for more in snapshots {
        // Judged by the newest clock, so that nothing old looks fresher than it is.
        first.collected_at = first.collected_at.max(more.collected_at);
        first.targets.extend(more.targets);
    }
    join(&mut first);
    name_apart(&mut first);
    Ok(first)
}

/// What this machine tells of a cluster that was named, where it is a node of it and of no other, by the authorities of both.
fn node_of(cluster: &Snapshot, root: Option<&Path>) -> Option<Snapshot> {
    let mut node = seaworthy_collect::kubernetes::node::snapshot(root)?;
    node.targets.retain(|node| cluster.targets.iter().any(|cluster| is_only_of(node, cluster)));
    (!node.targets.is_empty()).then_some(node)
}

/// What is asked live.
struct Live {
    engine: bool,
    cluster: bool,
    /// Whether the cluster is asked because nothing was named: not where its node is here.
    cluster_by_default: bool,
    node: bool,
}

impl Live {
    /// What was named; where nothing was, the cluster that this is a pod of, else the engine, and the node that this is.
    fn of(source: &SourceArguments, is_engine_named: bool, is_other_named: bool) -> Result<Self> {
        let is_cluster_named =
            source.kubeconfig.is_some() || source.context.is_some() || !source.namespace.is_empty() || source.secrets;
        match source.only {
            Some(Platform::Kubernetes) if is_engine_named => {
                bail!("--only kubernetes cannot be used with --docker: it leaves engines out")
            }
            Some(Platform::Docker) if is_cluster_named => {
                bail!(
                    "--only docker cannot be used with --kubeconfig, --context, --namespace or --secrets: it leaves clusters out"
                )
            }
            _ => {}
        }
        let is_anything_named = is_engine_named || is_other_named || is_cluster_named;
        let is_pod = !is_anything_named && source.only.is_none() && seaworthy_collect::kubernetes::api::is_in_cluster();
        // A pod seldom has an engine; where it does, somebody gave it the socket.
        let has_engine = std::env::var_os("DOCKER_HOST").is_some() || Path::new("/var/run/docker.sock").exists();
        let by_default = !is_anything_named && source.only != Some(Platform::Kubernetes) && (!is_pod || has_engine);
        Ok(Self {
            engine: is_engine_named || by_default || (source.only == Some(Platform::Docker) && !is_other_named),
            cluster: is_cluster_named || is_pod || (source.only == Some(Platform::Kubernetes) && !is_other_named),
            cluster_by_default: !is_cluster_named && !is_pod,
            node: !is_anything_named && source.only != Some(Platform::Docker),
        })
    }
}

fn cluster_options(source: &SourceArguments) -> seaworthy_collect::kubernetes::api::Options {
    seaworthy_collect::kubernetes::api::Options {
        kubeconfig: source.kubeconfig.clone(),
        context: source.context.clone(),
        namespaces: source.namespace.clone(),
        secrets: source.secrets,
        timeout: Duration::from_secs(source.timeout),
    }
}

/// Targets of one name are told apart by a number.
fn name_apart(snapshot: &mut Snapshot) {
    for i in 1..snapshot.targets.len() {
        let name = snapshot.targets[i].name.clone();
        let before =
            snapshot.targets[..i].iter().filter(|t| t.name == name || t.name.starts_with(&format!("{name}#"))).count();
        if before > 0 {
            snapshot.targets[i].name = format!("{name}#{}", before + 1);
        }
    }
}

fn options(source: &SourceArguments) -> seaworthy_collect::Options {
    seaworthy_collect::Options {
        hosts: source.docker.clone(),
        context: source.docker_context.clone(),
        root: source.root.clone(),
        deep: source.deep,
        copy: source.copy,
        timeout: Duration::from_secs(source.timeout),
    }
}

/// The snapshot in a file, - for standard input.
pub fn read(path: &Path) -> Result<Snapshot> {
    parse(path, &bytes(path)?)
}

/// The snapshot that a file's bytes are.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Snapshot> {
    read_snapshot(bytes).map_err(|why| anyhow!("snapshot {}: {why}", path.display()))
}

/// What a snapshot's file holds, - for standard input, within the bound of snapshots.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    bytes_of("snapshot", path)
}

/// What a file of some kind holds, - for standard input, within the bound of snapshots.
pub fn bytes_of(what: &str, path: &Path) -> Result<Vec<u8>> {
    let context = || format!("{what} {}", path.display());
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).context("standard input")?;
    } else {
        let meta = std::fs::metadata(path).with_context(context)?;
        if meta.is_dir() {
            bail!("{what} {}: is a directory", path.display());
        }
        let file = std::fs::File::open(path).with_context(context)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).with_context(context)?;
    }
    Ok(bytes)
}
