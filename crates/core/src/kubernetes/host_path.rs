//! What lies at or beneath a path of a node, and what it is worth.

use crate::path::normalise;
use crate::predicate::path_is_under;

/// Sockets that command a container runtime or engine wherever they are found, by the usual paths.
pub const SOCKETS: &[&str] = &[
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/run/dockershim.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
];

/// The same by file name, for sockets at other paths.
pub(crate) const SOCKET_NAMES: &[&str] = &[
    "docker.sock",
    "containerd.sock",
    "podman.sock",
    "crio.sock",
    "cri-dockerd.sock",
    "dockershim.sock",
    "buildkitd.sock",
];

/// Directories with the class of what lies in them. Of those beneath a path the first counts.
const CLASSES: &[(&str, &str)] = &[
    ("/var/lib/kubelet", "kubelet"),
    ("/var/lib/rancher/k3s/agent", "kubelet"),
    ("/var/lib/rancher/rke2/agent", "kubelet"),
    ("/var/snap/microk8s/common/var/lib/kubelet", "kubelet"),
    ("/etc/kubernetes/manifests", "manifests"),
    ("/var/lib/rancher/rke2/agent/pod-manifests", "manifests"),
    ("/var/lib/rancher/k3s/server/manifests", "manifests"),
    ("/var/lib/rancher/rke2/server/manifests", "manifests"),
    ("/etc/kubernetes/pki", "pki"),
    ("/var/lib/rancher/k3s/server/tls", "pki"),
    ("/var/lib/rancher/rke2/server/tls", "pki"),
    ("/var/snap/microk8s/current/certs", "pki"),
    ("/var/lib/minikube/certs", "pki"),
    ("/var/lib/etcd", "etcd"),
    ("/var/lib/minikube/etcd", "etcd"),
    ("/var/lib/rancher/k3s/server/db", "etcd"),
    ("/var/lib/rancher/rke2/server/db", "etcd"),
    ("/etc/kubernetes", "credentials"),
    ("/etc/rancher", "credentials"),
    ("/var/lib/rancher", "credentials"),
    ("/var/snap/microk8s/current/credentials", "credentials"),
    ("/root", "credentials"),
    ("/var/lib/cloud", "credentials"),
    ("/var/lib/waagent", "credentials"),
    ("/var/lib/docker", "engine"),
    ("/var/lib/containerd", "engine"),
    ("/var/lib/containers", "engine"),
    ("/etc/docker", "engine"),
    ("/etc/containerd", "engine"),
    ("/etc/crio", "engine"),
    ("/etc/cni", "cni"),
    ("/opt/cni", "cni"),
    ("/var/lib/cni", "cni"),
    ("/proc", "proc"),
    ("/sys", "sys"),
    ("/dev", "dev"),
    ("/var/log", "logs"),
    ("/var/spool/cron", "etc"),
    ("/etc", "etc"),
    ("/lib/modules", "module"),
    ("/usr/lib/modules", "module"),
    ("/usr/src", "module"),
    ("/boot", "system"),
    ("/usr", "system"),
    ("/bin", "system"),
    ("/sbin", "system"),
    ("/lib", "system"),
    ("/lib64", "system"),
    ("/home", "home"),
    ("/run/systemd", "run"),
    ("/run/dbus", "run"),
    ("/run/user", "run"),
    ("/run", "run"),
];

/// Beneath these lie ordinary things too: only they themselves, and what holds them, are of the class.
const ONLY_ITSELF: [&str; 2] = ["/home", "/run"];

/// What lies in a home directory and opens other doors.
const OF_HOMES: [&str; 7] = [".ssh", ".docker", ".gnupg", ".kube", ".aws", ".azure", ".config"];

/// What workloads are given from such directories every day and without harm, read-only.
const HARMLESS_READ_ONLY: &[&str] = &[
    "/etc/localtime",
    "/etc/timezone",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/machine-id",
    "/etc/os-release",
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/usr/lib/os-release",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/lib/modules",
    "/usr/lib/modules",
    "/usr/src",
];

/// Devices that lead nowhere.
const HARMLESS_DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What a path is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worth {
    /// As the fact `host_paths` has it.
    pub class: &'static str,
    /// What lies at or beneath the path that makes it so; the path itself where it is ordinary.
    pub reaches: String,
    /// Whether it decides over the node or holds its secrets.
    pub sensitive: bool,
}

/// The socket of a container runtime that a path is or holds. The path is normalised.
pub fn socket(path: &str) -> Option<String> {
    let known = SOCKETS.iter().find(|socket| path_is_under(socket, path)).map(|socket| (*socket).to_owned());
    let name = path.rsplit('/').next().unwrap_or_default();
    known.or_else(|| SOCKET_NAMES.contains(&name).then(|| path.to_owned()))
}

/// What a path of a node is worth to whoever reaches it, read-only or not. The path is normalised.
pub fn worth(path: &str, read_only: bool) -> Worth {
    let of = |class, reaches: &str, sensitive| Worth { class, reaches: reaches.to_owned(), sensitive };
    if path == "/" {
        return of("root", "/", true);
    }
    if let Some(socket) = socket(path) {
        return of("runtime-socket", &socket, true);
    }
    let harmless = HARMLESS_DEVICES.contains(&path)
        || (read_only && HARMLESS_READ_ONLY.iter().any(|harmless| path_is_under(path, harmless)));
    if harmless {
        return of("ordinary", path, false);
    }
    if let Some(door) = of_home(path) {
        return of("credentials", &door, true);
    }
    let above = CLASSES.iter().filter(|(d, _)| path_is_under(path, d) && (path == *d || !ONLY_ITSELF.contains(d)));
    let found = above.max_by_key(|(d, _)| d.len()).or_else(|| CLASSES.iter().find(|(d, _)| path_is_under(d, path)));
    match found {
        // The kubelet serves what lies there as root, links followed: who writes there reads every file of the node.
        Some((d, "logs")) => of("logs", d, !read_only || path == *d),
        Some((d, class)) => of(class, d, true),
        None => of("ordinary", path, false),
    }
}

/// What opens other doors in somebody's home directory, where a path is or holds it.
fn of_home(path: &str) -> Option<String> {
    let mut parts = path.strip_prefix("/home/")?.splitn(3, '/');
    let user = parts.next().filter(|user| !user.is_empty())?;
    match parts.next() {
        None => Some(format!("/home/{user}")),
        Some(inside) => OF_HOMES.contains(&inside).then(|| format!("/home/{user}/{inside}")),
    }
}

/// What leads to the root of the node again: that of its first process, and of whoever mounts it.
const ROOTS: [&str; 2] = ["/proc/1/root", "/proc/self/root"];

/// A path of a node and what of it is mounted, as one normalised path.
pub fn joined(path: &str, sub_path: &str) -> String {
    let whole = if sub_path.is_empty() { path.to_owned() } else { format!("{path}/{sub_path}") };
    let clean = normalise(&whole);
    match ROOTS.iter().find(|root| path_is_under(&clean, root)) {
        Some(root) => joined("/", &clean[root.len()..]),
        None => clean.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_judged_by_what_lies_there() {
        for (path, read_only, class, sensitive) in [
            ("/", true, "root", true),
            ("/run/docker.sock", true, "runtime-socket", true),
            ("/run", true, "runtime-socket", true),
            ("/run/containerd", true, "runtime-socket", true),
            ("/srv/private/containerd.sock", true, "runtime-socket", true),
            ("/run/app", false, "ordinary", false),
            ("/var", true, "runtime-socket", true),
            ("/var/lib", true, "kubelet", true),
            ("/var/lib/kubelet/pods", true, "kubelet", true),
            ("/etc", true, "etc", true),
            ("/etc/kubernetes", true, "credentials", true),
            ("/etc/kubernetes/pki/ca.key", true, "pki", true),
            ("/etc/kubernetes/manifests", false, "manifests", true),
            ("/etc/kubernetesx", true, "etc", true),
            ("/etcetera", false, "ordinary", false),
            ("/etc/localtime", true, "ordinary", false),
            ("/etc/localtime", false, "etc", true),
            ("/lib/modules", true, "ordinary", false),
            ("/lib/modules", false, "module", true),
            ("/var/log", true, "logs", true),
            ("/var/log/pods", true, "logs", false),
            ("/var/log/pods", false, "logs", true),
            ("/home", true, "home", true),
            ("/home/ann", true, "credentials", true),
            ("/home/ann/.kube", true, "credentials", true),
            ("/home/ann/shop", false, "ordinary", false),
            ("/root/.aws", true, "credentials", true),
            ("/dev/null", false, "ordinary", false),
            ("/dev/sda", true, "dev", true),
            ("/proc", true, "proc", true),
            ("/srv/data", false, "ordinary", false),
        ] {
            let found = worth(path, read_only);
            assert_eq!((found.class, found.sensitive), (class, sensitive), "{path} read-only: {read_only}");
        }
    }

    #[test]
    fn odd_spellings_are_the_same_path() {
        assert_eq!(joined("/var/run/", "docker.sock"), "/run/docker.sock");
        assert_eq!(joined("/srv/../etc//kubernetes/", ""), "/etc/kubernetes");
        assert_eq!(joined("/srv", "../etc"), "/etc");
        assert_eq!(joined("/proc/1/root", ""), "/");
        assert_eq!(joined("/proc/1/root/", "proc/self/root/run/docker.sock"), "/run/docker.sock");
        assert_eq!(joined("/proc/1/rootless", ""), "/proc/1/rootless");
    }
}
