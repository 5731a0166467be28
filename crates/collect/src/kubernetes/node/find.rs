//! Which processes are components of Kubernetes: by their executables, never by what their arguments say.

use std::collections::HashMap;

use seaworthy_core::schema::{Kind, kubernetes};

use crate::host::process::{Proc, Process};

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// A component by itself.
    One(Which),
    /// All components in one, told by its first argument (`hyperkube kubelet`).
    Hyperkube,
    /// k3s, which runs all of them within itself.
    K3s,
    /// MicroK8s' kubelite, which does so too.
    Kubelite,
}

/// A component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Which {
    /// kube-apiserver
    Apiserver,
    /// etcd
    Etcd,
    /// kube-controller-manager
    Manager,
    /// kube-scheduler
    Scheduler,
    /// kubelet
    Kubelet,
    /// kube-proxy
    Proxy,
}

impl Which {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Apiserver, Self::Etcd, Self::Manager, Self::Scheduler, Self::Kubelet, Self::Proxy];

    /// The name of its executable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apiserver => "kube-apiserver",
            Self::Etcd => "etcd",
            Self::Manager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
        }
    }

    /// Its kind of component.
    pub fn kind(self) -> &'static Kind {
        match self {
            Self::Apiserver => &kubernetes::APISERVER,
            Self::Etcd => &kubernetes::ETCD,
            Self::Manager => &kubernetes::CONTROLLER_MANAGER,
            Self::Scheduler => &kubernetes::SCHEDULER,
            Self::Kubelet => &kubernetes::KUBELET,
            Self::Proxy => &kubernetes::PROXY,
        }
    }

    /// The component of a program's name: the name itself, or with a version behind it.
    pub fn of_name(name: &str) -> Option<Self> {
        let fits = |which: &Self| {
            name.strip_prefix(which.name()).is_some_and(|rest| {
                let version = rest.trim_start_matches(['-', '_', '.']);
                rest.is_empty()
                    || version.len() < rest.len()
                        && version.strip_prefix('v').unwrap_or(version).starts_with(|c: char| c.is_ascii_digit())
            })
        };
        Self::ALL.into_iter().find(fits)
    }
}

/// What a process is by its executable; none for everything else.
pub(super) fn program(process: &Process) -> Option<Program> {
    let name = process.program()?;
    match name {
        "hyperkube" => Some(Program::Hyperkube),
        "k3s" | "k3s-server" | "k3s-agent" => Some(Program::K3s),
        "kubelite" => Some(Program::Kubelite),
        name => Which::of_name(name).map(Program::One),
    }
}

/// Processes whose executables may not be read and that are called as components are, with what they may be.
pub(super) fn hidden(proc: &Proc, all: &[Process]) -> Vec<(u32, Vec<Which>)> {
    let called = all.iter().filter(|p| p.exe.is_none()).map(|p| (p.pid, called(&p.name)));
    let denied = |pid: u32| proc.process(pid).is_ok_and(|(_, denied)| denied);
    called.filter(|(pid, which)| !which.is_empty() && denied(*pid)).collect()
}

/// The components that a process of this name may be; the kernel keeps 15 bytes of it.
fn called(name: &str) -> Vec<Which> {
    if matches!(name, "k3s" | "k3s-server" | "k3s-agent" | "kubelite" | "hyperkube") {
        return Which::ALL.to_vec();
    }
    Which::ALL.into_iter().filter(|which| name == &which.name()[..which.name().len().min(15)]).collect()
}

/// The container runtime that a program is.
pub(super) fn runtime(process: &Process) -> Option<&'static str> {
    match process.program()? {
        "containerd" => Some("containerd"),
        "crio" => Some("cri-o"),
        "dockerd" => Some("dockerd"),
        _ => None,
    }
}

/// Whether a program tells where container networks are configured.
pub(super) fn tells_networks(process: &Process) -> bool {
    matches!(process.program(), Some("containerd" | "crio" | "cri-dockerd"))
}

/// Processes of one node: those of the machine, or of a container that is a node of its own.
pub(super) struct Group {
    /// The components.
    pub members: Vec<(Process, Program)>,
    /// Container runtimes.
    pub runtimes: Vec<&'static str>,
    /// Processes that tell where container networks are configured.
    pub networks: Vec<Process>,
}

/// Parts the processes by node. A kubelet in a namespace of its own is a node of its own, and what was begun from that
/// namespace belongs to it.
pub(super) fn groups(proc: &Proc, all: &[Process]) -> Vec<Group> {
    let members: Vec<(&Process, Program)> = all.iter().filter_map(|p| Some((p, program(p)?))).collect();
    if members.is_empty() {
        return Vec::new();
    }
    let by_pid: HashMap<u32, &Process> = all.iter().map(|p| (p.pid, p)).collect();
    let mut spaces: HashMap<u32, Option<u64>> = HashMap::new();
    let mut space = |pid: u32| *spaces.entry(pid).or_insert_with(|| proc.namespace(pid, "pid"));
    let nodes: Vec<Option<u64>> = members
        .iter()
        .filter(|(_, p)| !matches!(p, Program::One(w) if *w != Which::Kubelet))
        .map(|(process, _)| space(process.pid))
        .collect();
    let mut node_of = |process: &Process| {
        let mut at = Some(process);
        for _ in 0..64 {
            let Some(current) = at else { break };
            let here = space(current.pid);
            if nodes.contains(&here) {
                return here;
            }
            at = by_pid.get(&current.parent).copied();
        }
        None
    };
    let mut groups: Vec<(Option<u64>, Group)> = Vec::new();
    for (process, program) in members {
        let node = node_of(process);
        let at = groups.iter().position(|(n, _)| *n == node).unwrap_or_else(|| {
            groups.push((node, Group { members: Vec::new(), runtimes: Vec::new(), networks: Vec::new() }));
            groups.len() - 1
        });
        groups[at].1.members.push((process.clone(), program));
    }
    for process in all {
        let (name, tells) = (runtime(process), tells_networks(process));
        if name.is_none() && !tells {
            continue;
        }
        let node = node_of(process);
        let Some((_, group)) = groups.iter_mut().find(|(n, _)| *n == node) else { continue };
        group.runtimes.extend(name.filter(|name| !group.runtimes.contains(name)));
        group.networks.extend(tells.then(|| process.clone()));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(exe: &str, name: &str) -> Process {
        Process { pid: 1, parent: 0, name: name.into(), exe: Some(exe.into()), exe_deleted: false, start_ticks: 0 }
    }

    #[test]
    fn a_component_is_known_by_its_executable_alone() {
        let which = |exe: &str| program(&process(exe, "kube-apiserver"));
        assert_eq!(which("/usr/local/bin/kube-apiserver"), Some(Program::One(Which::Apiserver)));
        assert_eq!(which("/opt/kubelet-v1.35.4"), Some(Program::One(Which::Kubelet)));
        assert_eq!(which("/usr/bin/kube-controller-manager"), Some(Program::One(Which::Manager)));
        assert_eq!(which("/snap/microk8s/1/kubelite"), Some(Program::Kubelite));
        for decoy in
            ["/bin/bash", "/usr/bin/etcdctl", "/usr/bin/kubelet-check", "/usr/bin/etcd-backup", "/tmp/kubeletx"]
        {
            assert_eq!(which(decoy), None, "{decoy}");
        }
        assert_eq!(program(&Process { exe: None, ..process("", "kubelet") }), None);
    }

    #[test]
    fn what_may_not_be_read_may_be_what_it_is_called() {
        assert_eq!(called("kube-controller"), [Which::Manager]);
        assert_eq!(called("kubelet"), [Which::Kubelet]);
        assert_eq!(called("k3s-server").len(), 6);
        assert!(called("kworker/0:1").is_empty() && called("systemd").is_empty() && called("").is_empty());
    }
}
