//! Which paths matter: those whose owner, mode, content or audit rule some check rests on.

use std::borrow::Cow;

use super::record;

/// Files, and directories with all that is in them.
const PLACES: [&str; 29] = [
    "/etc/docker",
    "/etc/containerd",
    "/etc/default/docker",
    "/etc/sysconfig/docker",
    "/etc/ssh",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/doas.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/nsswitch.conf",
    "/etc/audit",
    "/etc/profile.d",
    "/etc/environment",
    "/etc/kubernetes",
    "/etc/cni",
    "/etc/rancher",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeconfig",
    "/var/lib/kubelet/pki",
    "/var/lib/rancher/k3s/server/tls",
    "/var/lib/rancher/k3s/server/cred",
    "/var/lib/rancher/rke2/server/tls",
    "/var/lib/rancher/rke2/server/cred",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
];
/// Directories of which the entry itself matters, and what is in them does not.
const ENTRIES: [&str; 4] = ["/var/lib/docker", "/var/lib/etcd", "/run/containerd", "/var/lib/kubelet"];
/// Directories in which what is called after an engine matters: units, and programs.
const SHARED: [&str; 11] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/usr/libexec/docker",
    "/sbin",
    "/bin",
];
/// How that begins.
const NAMES: [&str; 5] = ["docker", "containerd", "runc", "kubelet", "kube-"];
/// Directories in users' homes.
const HOME: [&str; 3] = ["/.docker/", "/.ssh/authorized_keys", "/.kube/"];

/// Which paths matter.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// Files and directories besides those that matter everywhere.
    pub more: Vec<String>,
}

impl Watched {
    /// Whether an absolute path without `.` matters.
    pub fn matters(&self, path: &str) -> bool {
        let under = |place: &str| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let named = |dir: &str| {
            let rest = path.strip_prefix(dir).and_then(|rest| rest.strip_prefix('/'));
            rest.is_some_and(|rest| NAMES.iter().any(|name| rest.starts_with(name)))
        };
        PLACES.iter().any(|place| under(place))
            || ENTRIES.contains(&path)
            || self.more.iter().any(|place| under(place))
            || SHARED.iter().any(|dir| named(dir))
            || HOME.iter().any(|part| path.contains(part))
    }

    /// Whether a name in a record may be one that matters, before it is known what it is relative to.
    pub fn may_matter(&self, name: &[u8]) -> bool {
        let name: Cow<'_, [u8]> = match name.strip_prefix(b"\"") {
            Some(quoted) => quoted.strip_suffix(b"\"").unwrap_or(quoted).into(),
            None => record::text(name).map_or(Cow::Borrowed(&b""[..]), |text| Cow::Owned(text.into_bytes())),
        };
        match name.first() {
            None => false,
            // One with a detour is looked at closely.
            Some(b'/') if !name.windows(2).any(|w| w == b"//" || w == b"/.") => {
                std::str::from_utf8(&name).is_ok_and(|name| self.matters(name))
            }
            Some(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_checks_rest_on_matters_and_nothing_else() {
        let watched = Watched { more: vec!["/srv/docker/daemon.json".into()] };
        for path in [
            "/etc/docker",
            "/etc/docker/daemon.json",
            "/srv/docker/daemon.json",
            "/usr/lib/systemd/system/docker.socket.d/10.conf",
            "/usr/bin/containerd-shim-runc-v2",
            "/home/alice/.docker/config.json",
            "/root/.ssh/authorized_keys",
            "/var/lib/docker",
            "/etc/kubernetes/manifests/etcd.yaml",
        ] {
            assert!(watched.matters(path), "{path}");
            assert!(watched.may_matter(format!("\"{path}\"").as_bytes()), "{path}");
        }
        for path in ["/etc/dockerx", "/usr/bin/python3", "/var/lib/docker/overlay2/x", "/etc", "/srv/docker", "/"] {
            assert!(!watched.matters(path), "{path}");
            assert!(!watched.may_matter(format!("\"{path}\"").as_bytes()), "{path}");
        }
        for name in [&b"\"daemon.json\""[..], b"2F6574632F646F636B65722F6120", b"\"/etc/./docker\"", b"\"./x\""] {
            assert!(watched.may_matter(name), "{name:?}");
        }
        for name in [&b"(null)"[..], b"\"\"", b"2F746D702F6120", b""] {
            assert!(!watched.may_matter(name), "{name:?}");
        }
    }
}
