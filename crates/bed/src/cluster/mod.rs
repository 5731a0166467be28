//! A Kubernetes cluster of one's own.

mod client;
mod control;
mod files;
mod find;
mod manifests;
mod node;
mod objects;
mod pki;
mod ports;
mod process;
mod spec;
mod users;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

pub use client::Client;
pub use find::{ClusterBinaries, Kubernetes, POD_SECURITY, find_cluster, find_pod_security_cases, pod_security_cases};
pub use spec::{ClusterSpec, NodeSpec};

use crate::daemon::{StartError, make_dir};
use crate::find::skip;
use crate::{clear, lock};
use control::{APISERVER, Addresses, CONTROLLER_MANAGER, ETCD, SCHEDULER};
use files::Authorities;
use node::{CONTAINERD, Cable, KUBELET, PROXY};
use process::{end, log_tail, spawn, wait_for};

/// A running cluster that ends when dropped. Its files lie in the bed's folder as kubeadm lays them out under `/`:
/// `etc/kubernetes` with `pki`, `manifests` and the kubeconfigs, `var/lib/etcd`, `var/lib/kubelet`.
#[derive(Debug)]
pub struct Cluster {
    version: Kubernetes,
    binaries: ClusterBinaries,
    spec: ClusterSpec,
    at: Addresses,
    authorities: Authorities,
    admin: Client,
    started: Started,
}

/// What must go away again, also where the start broke off.
#[derive(Debug)]
struct Started {
    dir: PathBuf,
    processes: BTreeMap<&'static str, Child>,
    /// What links the node to the machine.
    cable: Option<Cable>,
    /// Says to [`crate::sweep`] that the folder is in use.
    _owned: File,
    /// Says to other test processes that a node is in use.
    shared: Option<File>,
}

impl Cluster {
    /// Starts a cluster and waits until it answers.
    ///
    /// # Errors
    /// [`StartError::Missing`] where the machine lacks what it needs, [`StartError::Failed`] where it did not come up.
    ///
    /// # Panics
    /// Where the control plane is to be static pods of a node that is not wanted.
    pub fn start(version: Kubernetes, spec: ClusterSpec) -> Result<Self, StartError> {
        assert!(spec.node.is_some() || !spec.static_control_plane, "static pods need a node");
        let binaries = find_cluster(version, spec.node.is_some()).map_err(StartError::Missing)?;
        clear::sweep();
        // A control plane alone uses nothing outside its folder, and anybody may start it.
        let shared = binaries.node.is_some().then(lock::shared);
        let failed = |error: std::io::Error| StartError::Failed(format!("prepare a bed: {error}"));
        let (dir, owned) = make_dir().map_err(failed)?;
        let mut started = Started { dir, processes: BTreeMap::new(), cable: None, _owned: owned, shared };
        write_files(&started.dir, &spec).map_err(failed)?;
        if let Some(node) = &binaries.node {
            let (containerd, plugged) = node::enter(&started.dir, node).map_err(StartError::Failed)?;
            started.processes.insert(CONTAINERD, containerd);
            started.cable = Some(plugged);
        }
        let at = addresses(started.cable, spec.static_control_plane);
        let authorities = Authorities::new();
        let admin = authorities.lay_out(&started.dir, &at).map_err(failed)?;
        let admin = Client::new(at.api, &authorities.cluster.certificate(), Some(&admin), None);
        let mut cluster = Self { version, binaries, spec, at, authorities, admin, started };
        cluster.launch().map_err(StartError::Failed)?;
        Ok(cluster)
    }

    /// Starts a cluster, or says on stderr that the running test is skipped for want of it and returns none. One that did
    /// not come up is told on stderr and started once more.
    ///
    /// # Panics
    /// Where it is there and does not start twice, and where `SEAWORTHY_BEDS_REQUIRED` is set and it is not there.
    pub fn require(version: Kubernetes, spec: ClusterSpec) -> Option<Self> {
        let started = match Self::start(version, spec.clone()) {
            Err(StartError::Failed(why)) => {
                eprintln!("{} is started once more: {why}", version.name());
                Self::start(version, spec)
            }
            started => started,
        };
        match started {
            Ok(cluster) => Some(cluster),
            Err(StartError::Missing(why)) => {
                skip(version.name(), &why);
                None
            }
            Err(StartError::Failed(why)) => panic!("{}: {why}", version.name()),
        }
    }

    /// The cluster's version.
    pub fn version(&self) -> Kubernetes {
        self.version
    }

    /// The bed's folder.
    pub fn dir(&self) -> &Path {
        &self.started.dir
    }

    /// Where the API server listens: `https://127.0.0.1:12345`.
    pub fn url(&self) -> String {
        format!("https://{}", self.at.api)
    }

    /// The file of the cluster's authority, in PEM.
    pub fn ca(&self) -> PathBuf {
        self.started.dir.join("etc/kubernetes/pki/ca.crt")
    }

    /// The processes of the components that run, by their programs' names.
    pub fn pids(&self) -> BTreeMap<&'static str, u32> {
        let own = self.started.processes.iter().map(|(name, child)| (*name, child.id()));
        let in_pods = self.components().into_iter().filter(|_| self.spec.static_control_plane);
        own.chain(in_pods.filter_map(|name| Some((name, clear::process(self.dir(), name)?)))).collect()
    }

    /// The last lines that a component wrote.
    pub fn log(&self, component: &str) -> String {
        log_tail(self.dir(), component)
    }

    /// Ends the API server; the rest goes on.
    pub fn stop_apiserver(&mut self) {
        self.halt(APISERVER);
    }

    /// Starts the API server again, and waits until it answers.
    ///
    /// # Errors
    /// The last lines of its log, where it does not come up.
    pub fn start_apiserver(&mut self) -> Result<(), String> {
        self.begin(APISERVER)?;
        self.wait_for_apiserver()?;
        if self.spec.static_control_plane { self.wait_for_mirrors() } else { Ok(()) }
    }

    /// Starts the API server with other arguments over the bed's own.
    ///
    /// # Errors
    /// The last lines of its log, where it does not come up.
    pub fn restart_apiserver(&mut self, arguments: &[String]) -> Result<(), String> {
        self.stop_apiserver();
        self.spec.apiserver = arguments.to_vec();
        self.start_apiserver()
    }

    /// Starts etcd, controller manager or scheduler again with other arguments over the bed's own; one that did not run
    /// starts.
    ///
    /// # Errors
    /// Where it cannot be started, and for a static pod, where it does not come to run.
    ///
    /// # Panics
    /// Where there is no such component.
    pub fn restart(&mut self, component: &str, arguments: &[String]) -> Result<(), String> {
        let known = [ETCD, CONTROLLER_MANAGER, SCHEDULER];
        let name = *known.iter().find(|name| **name == component).unwrap_or_else(|| panic!("no {component} here"));
        self.halt(name);
        match name {
            ETCD => self.spec.etcd = arguments.to_vec(),
            CONTROLLER_MANAGER => self.spec.controller_manager = Some(arguments.to_vec()),
            _ => self.spec.scheduler = Some(arguments.to_vec()),
        }
        self.begin(name)?;
        if self.spec.static_control_plane { self.wait_for_mirrors() } else { Ok(()) }
    }

    fn launch(&mut self) -> Result<(), String> {
        if self.started.cable.is_some() {
            self.lay_out_node()?;
        }
        if self.spec.static_control_plane {
            self.import_images()?;
            for name in self.components() {
                self.begin(name)?;
            }
            self.start_kubelet()?;
        } else {
            self.begin(ETCD)?;
            self.begin(APISERVER)?;
            if self.started.cable.is_some() {
                self.import_images()?;
            }
        }
        self.wait_for_apiserver()?;
        self.bind_administrators();
        if !self.spec.static_control_plane {
            for name in self.components().into_iter().filter(|name| ![ETCD, APISERVER].contains(name)) {
                self.begin(name)?;
            }
            if self.started.cable.is_some() {
                self.start_kubelet()?;
            }
        }
        self.start_proxy()?;
        self.default_account("default")?;
        if self.started.cable.is_some() {
            self.wait_for_node()?;
        }
        if self.spec.static_control_plane { self.wait_for_mirrors() } else { Ok(()) }
    }

    /// The parts of the control plane that were asked for, in the order of their start.
    fn components(&self) -> Vec<&'static str> {
        let controllers = self.spec.controller_manager.as_ref().map(|_| CONTROLLER_MANAGER);
        let scheduler = self.spec.scheduler.as_ref().map(|_| SCHEDULER);
        [Some(ETCD), Some(APISERVER), controllers, scheduler].into_iter().flatten().collect()
    }

    /// A component's arguments: the bed's with the test's over them.
    fn command_line(&self, name: &str) -> Vec<String> {
        let (dir, at, none) = (self.dir(), &self.at, Vec::new());
        let (own, tests) = match name {
            ETCD => (control::etcd(dir, at, "bed"), &self.spec.etcd),
            APISERVER => (control::apiserver(dir, at), &self.spec.apiserver),
            CONTROLLER_MANAGER => {
                (control::controller_manager(dir, at), self.spec.controller_manager.as_ref().unwrap_or(&none))
            }
            _ => (control::scheduler(dir, at), self.spec.scheduler.as_ref().unwrap_or(&none)),
        };
        spec::arguments(own, tests).iter().map(|argument| fill(dir, argument)).collect()
    }

    /// Starts a part of the control plane, as a process or as a static pod.
    fn begin(&mut self, name: &'static str) -> Result<(), String> {
        if self.spec.static_control_plane {
            return self.write_manifest(name);
        }
        let program = if name == ETCD { self.binaries.etcd.clone() } else { self.binaries.kubernetes.join(name) };
        let mut command = Command::new(program);
        command.args(self.command_line(name));
        let child = spawn(command, self.dir(), name)?;
        self.started.processes.insert(name, child);
        Ok(())
    }

    fn halt(&mut self, name: &str) {
        if let Some(child) = self.started.processes.remove(name) {
            end(child);
        } else if self.spec.static_control_plane {
            self.remove_manifest(name);
        }
    }

    fn wait_for_apiserver(&mut self) -> Result<(), String> {
        let admin = &self.admin;
        // Of a static pod the kubelet takes care; there is no child to watch.
        let ready = wait_for(self.started.processes.get_mut(APISERVER), || admin.is_ready("/readyz"));
        ready.map_err(|why| {
            let etcd = self.log(ETCD).lines().last().unwrap_or_default().to_owned();
            let kubelet = if self.spec.static_control_plane { self.log(KUBELET) } else { String::new() };
            format!("{APISERVER} {why}\n{}\n{ETCD}: {etcd}\n{kubelet}", self.log(APISERVER))
        })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Those that talk to the API server first, so that none waits for it; what runs in pods goes with their shims.
        for name in [PROXY, KUBELET, SCHEDULER, CONTROLLER_MANAGER, APISERVER, ETCD, CONTAINERD] {
            if let Some(child) = self.processes.remove(name) {
                end(child);
            }
        }
        if let Some(cable) = self.cable {
            cable.unplug();
        }
        clear::clear(&self.dir);
        if self.shared.take().is_some() {
            clear::tidy_machine();
        }
    }
}

fn addresses(cable: Option<Cable>, in_pods: bool) -> Addresses {
    // The node reaches the machine at its end of the cable only. Without one, an address of no machine (RFC 5737) is
    // advertised: the service `kubernetes` must not lead to a loopback.
    let (api, advertised) = match cable {
        Some(cable) if in_pods => (cable.node(), cable.node()),
        Some(cable) => (cable.machine(), cable.machine()),
        None => (Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1)),
    };
    // In the node's network everybody can have the port that is usual.
    let port = |usual| if in_pods { usual } else { ports::free() };
    Addresses {
        api: SocketAddr::new(IpAddr::V4(api), port(6443)),
        advertised: IpAddr::V4(advertised),
        etcd: port(2379),
        etcd_peer: port(2380),
        controller_manager: port(10257),
        scheduler: port(10259),
    }
}

fn write_files(dir: &Path, spec: &ClusterSpec) -> std::io::Result<()> {
    for folder in ["var/log", "var/lib"] {
        std::fs::create_dir_all(dir.join(folder))?;
    }
    for (path, content) in &spec.files {
        let filled = std::str::from_utf8(content).map(|text| fill(dir, text).into_bytes());
        pki::write(&dir.join(path), filled.as_deref().unwrap_or(content), 0o600)?;
    }
    Ok(())
}

fn fill(dir: &Path, text: &str) -> String {
    text.replace("{dir}", &dir.display().to_string())
}
