//! Where Kubernetes' binaries are, and what to say when they are not there.

use std::path::{Path, PathBuf};

use crate::find::{beds_dir, is_static, namespaces_work, program};

/// The releases that tests can ask for, both built by `cargo xtask test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kubernetes {
    /// 1.35: a WebSocket to `pods/exec` needs the right to create.
    V135,
    /// 1.32: there the right to get is enough.
    V132,
}

impl Kubernetes {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V135, Self::V132];

    /// What is built from each.
    pub const PROGRAMS: [&str; 6] =
        ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"];

    /// The bed's name in messages, and that of its module's folder: `kubernetes-1.35`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V135 => "kubernetes-1.35",
            Self::V132 => "kubernetes-1.32",
        }
    }

    /// The release, without a `v`.
    pub fn release(self) -> &'static str {
        match self {
            Self::V135 => "1.35.4",
            Self::V132 => "1.32.13",
        }
    }

    /// The folder with the programs.
    pub fn place(self) -> PathBuf {
        beds_dir().join(format!("kubernetes-{}", self.release()))
    }
}

/// The programs of one cluster.
#[derive(Clone, Debug)]
pub struct ClusterBinaries {
    /// The folder of [`Kubernetes::PROGRAMS`].
    pub kubernetes: PathBuf,
    /// Debian's.
    pub etcd: PathBuf,
    /// What a node needs besides; none where no node was asked for.
    pub(crate) node: Option<NodeBinaries>,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeBinaries {
    pub(crate) containerd: PathBuf,
    pub(crate) ctr: PathBuf,
    pub(crate) busybox: PathBuf,
    /// The folder of the network plugins.
    pub(crate) plugins: PathBuf,
}

/// Looks for what a cluster needs, with a node or without.
///
/// # Errors
/// One line that says what is missing and what would bring it.
pub fn find_cluster(version: Kubernetes, with_node: bool) -> Result<ClusterBinaries, String> {
    // A relative folder would be another one for a process that starts elsewhere.
    let place = version.place();
    for name in Kubernetes::PROGRAMS {
        if !place.join(name).is_file() {
            return Err(format!("{name} is not built ({}; cargo xtask test builds it)", place.display()));
        }
    }
    let kubernetes = place.canonicalize().map_err(|error| format!("{}: {error}", place.display()))?;
    let node = if with_node { Some(find_node()?) } else { None };
    Ok(ClusterBinaries { kubernetes, etcd: program("etcd")?, node })
}

fn find_node() -> Result<NodeBinaries, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("starting a node needs root".into());
    }
    let busybox = program("busybox")?;
    if !is_static(&busybox) {
        return Err(format!("{} is not static (busybox-static is)", busybox.display()));
    }
    for name in ["runc", "ip", "nsenter", "mount", "iptables"] {
        program(name)?;
    }
    let plugins = Path::new("/usr/lib/cni");
    if !plugins.join("bridge").is_file() {
        return Err("the network plugins are not installed (containernetworking-plugins)".into());
    }
    namespaces_work()?;
    Ok(NodeBinaries { containerd: program("containerd")?, ctr: program("ctr")?, busybox, plugins: plugins.into() })
}

/// The folder of the cases that Kubernetes publishes for Pod Security (`test/testdata` of its module), as `cargo xtask
/// test` fetched them; or says on stderr that the running test is skipped for want of them and returns none.
///
/// # Panics
/// Where `SEAWORTHY_BEDS_REQUIRED` is set and they are not there.
pub fn pod_security_cases() -> Option<PathBuf> {
    match find_pod_security_cases() {
        Ok(place) => Some(place),
        Err(why) => {
            crate::skip(POD_SECURITY, &why);
            None
        }
    }
}

/// The cases' name in messages, and that of their folder.
pub const POD_SECURITY: &str = "pod-security-cases";

/// Looks for the cases of Pod Security.
///
/// # Errors
/// One line that says where they should be.
pub fn find_pod_security_cases() -> Result<PathBuf, String> {
    let place = beds_dir().join(POD_SECURITY);
    if place.join("baseline").is_dir() && place.join("restricted").is_dir() {
        Ok(place)
    } else {
        Err(format!("they are not there ({}; cargo xtask test fetches them)", place.display()))
    }
}
