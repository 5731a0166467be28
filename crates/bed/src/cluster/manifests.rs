//! The control plane as static pods of the node, so that the API has mirror pods with the real command lines.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::control::{APISERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER};
use super::files::yaml;
use super::node::BUSYBOX;
use super::objects::until;
use super::{Cluster, KUBELET, pki};
use crate::clear;

/// Where the programs are in a static pod, and in no other place of its image.
const PROGRAMS: &str = "/usr/local/bin";

impl Cluster {
    /// Where a component's manifest lies, whether it is there or not.
    pub(super) fn manifest(&self, name: &str) -> PathBuf {
        self.dir().join(format!("etc/kubernetes/manifests/{name}.yaml"))
    }

    /// Hands a component to the kubelet. Its pod mounts what kubeadm's mounts, and the programs.
    pub(super) fn write_manifest(&self, name: &str) -> Result<(), String> {
        let command = self.pod_command(name);
        let etc = self.dir().join("etc/kubernetes");
        let mut volumes = vec![
            (self.binaries.kubernetes.clone(), PathBuf::from(PROGRAMS), "Directory"),
            (etc.join("pki"), etc.join("pki"), "DirectoryOrCreate"),
        ];
        let same = |path: &Path, kind| (path.to_path_buf(), path.to_path_buf(), kind);
        match name {
            ETCD => {
                let program = (self.binaries.etcd.clone(), PathBuf::from("/usr/bin/etcd"), "File");
                let libraries = ["/lib", "/lib64"].map(Path::new).into_iter().filter(|folder| folder.is_dir());
                volumes[0] = program;
                volumes.extend(libraries.map(|folder| same(folder, "Directory")));
                volumes.push(same(&self.dir().join("var/lib/etcd"), "DirectoryOrCreate"));
            }
            APISERVER => {
                volumes.push(same(&self.dir().join("var/log/kubernetes"), "DirectoryOrCreate"));
                let files = self.spec.files.iter().map(|(path, _)| self.dir().join(path));
                volumes.extend(files.map(|file| same(&file, "File")));
            }
            CONTROLLER_MANAGER => volumes.push(same(&etc.join("controller-manager.conf"), "File")),
            SCHEDULER => volumes.push(same(&etc.join("scheduler.conf"), "File")),
            _ => return Err(format!("{name} is no part of the control plane")),
        }
        let writable = ["var/lib/etcd", "var/log/kubernetes"].map(|path| self.dir().join(path));
        let (mut mounts, mut paths) = (Vec::new(), Vec::new());
        for (number, (outside, inside, kind)) in volumes.into_iter().enumerate() {
            let volume = format!("volume-{number}");
            mounts.push(json!({ "name": volume, "mountPath": inside, "readOnly": !writable.contains(&outside) }));
            paths.push(json!({ "name": volume, "hostPath": { "path": outside, "type": kind } }));
        }
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": "kube-system",
                "labels": { "component": name, "tier": "control-plane" } },
            "spec": {
                "containers": [{ "name": name, "image": BUSYBOX, "imagePullPolicy": "Never", "command": command,
                    "volumeMounts": mounts }],
                "hostNetwork": true,
                "priorityClassName": "system-node-critical",
                "securityContext": { "seccompProfile": { "type": "RuntimeDefault" } },
                "volumes": paths
            }
        });
        // The kubelet reads whatever lies there: a file appears whole.
        let (path, fresh) = (self.manifest(name), self.dir().join("run/manifest.yaml"));
        let written = pki::write(&fresh, yaml(&pod), 0o600).and_then(|()| fs::rename(&fresh, &path));
        written.map_err(|error| format!("{}: {error}", path.display()))
    }

    fn pod_command(&self, name: &str) -> Vec<String> {
        std::iter::once(name.to_owned()).chain(self.command_line(name)).collect()
    }

    /// Takes a component's manifest away and waits for the end of its pod.
    pub(super) fn remove_manifest(&self, name: &str) {
        let _ = fs::remove_file(self.manifest(name));
        // The kubelet would wait for half a minute until the API server's clients let go of it.
        if let Some(pid) = self.pids().get(name) {
            clear::kill(*pid as i32, Signal::KILL);
        }
        let gone = until(|| !self.pids().contains_key(name));
        assert!(gone, "{name} goes on\n{}", self.log(KUBELET));
    }

    /// Waits until every component has its mirror pod, and all of them run.
    pub(super) fn wait_for_mirrors(&self) -> Result<(), String> {
        for name in self.components() {
            let path = format!("/api/v1/namespaces/kube-system/pods/{name}-{}", self.node_name());
            let mut pod = Value::Null;
            let runs = until(|| {
                pod = self.admin.get(&path).1;
                // After a change the pod of before is there for a while.
                let same = pod["spec"]["containers"][0]["command"] == json!(self.pod_command(name));
                pod["status"]["phase"] == "Running" && same
            });
            if !runs {
                return Err(format!("{path} does not run: {}\n{}", pod["status"], self.log(KUBELET)));
            }
        }
        Ok(())
    }
}
