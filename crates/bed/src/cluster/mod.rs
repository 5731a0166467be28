//! A Kubernetes cluster of one's own.

mod client;
mod control;
mod files;
mod find;
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
    /// Says to other test processes that a bed is in use.
    shared: Option<File>,
}

impl Cluster {
    /// Starts a cluster and waits until it answers.
    ///
    /// # Errors
    /// [`StartError::Missing`] where the machine lacks what it needs, [`StartError::Failed`] where it did not come up.
    pub fn start(version: Kubernetes, spec: ClusterSpec) -> Result<Self, StartError> {
        let binaries = find_cluster(version, spec.node.is_some()).map_err(StartError::Missing)?;
        clear::sweep();
        let shared = lock::shared();
        let failed = |error: std::io::Error| StartError::Failed(format!("prepare a bed: {error}"));
        let (dir, owned) = make_dir().map_err(failed)?;
        let mut started = Started { dir, processes: BTreeMap::new(), cable: None, _owned: owned, shared: Some(shared) };
        write_files(&started.dir, &spec).map_err(failed)?;
        if let Some(node) = &binaries.node {
            let (containerd, plugged) = node::enter(&started.dir, node).map_err(StartError::Failed)?;
            started.processes.insert(CONTAINERD, containerd);
            started.cable = Some(plugged);
        }
        let at = addresses(started.cable);
        let authorities = Authorities::new();
        let admin = authorities.lay_out(&started.dir, &at).map_err(failed)?;
        let admin = Client::new(at.api, &authorities.cluster.certificate(), Some(&admin), None);
        let mut cluster = Self { version, binaries, spec, at, authorities, admin, started };
        cluster.launch().map_err(StartError::Failed)?;
        Ok(cluster)
    }

    /// Starts a cluster, or says on stderr that the running test is skipped for want of it and returns none.
    ///
    /// # Panics
    /// Where it is there and does not start, and where `SEAWORTHY_BEDS_REQUIRED` is set and it is not there.
    pub fn require(version: Kubernetes, spec: ClusterSpec) -> Option<Self> {
        match Self::start(version, spec) {
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

    /// The processes of the components, by their programs' names.
    pub fn pids(&self) -> BTreeMap<&'static str, u32> {
        self.started.processes.iter().map(|(name, child)| (*name, child.id())).collect()
    }

    /// The last lines that a component wrote.
    pub fn log(&self, component: &str) -> String {
        log_tail(&self.started.dir, component)
    }

    /// Ends the API server; the rest goes on.
    pub fn stop_apiserver(&mut self) {
        self.stop(APISERVER);
    }

    /// Starts the API server again, and waits until it answers.
    ///
    /// # Errors
    /// The last lines of its log, where it does not come up.
    pub fn start_apiserver(&mut self) -> Result<(), String> {
        let arguments = spec::arguments(control::apiserver(&self.started.dir, &self.at), &self.spec.apiserver);
        self.run(APISERVER, self.binaries.kubernetes.join(APISERVER), arguments)?;
        self.wait_for_apiserver()
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

    fn launch(&mut self) -> Result<(), String> {
        let arguments = spec::arguments(control::etcd(&self.started.dir, &self.at, "bed"), &self.spec.etcd);
        self.run(ETCD, self.binaries.etcd.clone(), arguments)?;
        self.start_apiserver()?;
        self.bind_administrators();
        if let Some(tests) = &self.spec.controller_manager {
            let arguments = spec::arguments(control::controller_manager(&self.started.dir, &self.at), tests);
            self.run(CONTROLLER_MANAGER, self.binaries.kubernetes.join(CONTROLLER_MANAGER), arguments)?;
        }
        if let Some(tests) = &self.spec.scheduler {
            let arguments = spec::arguments(control::scheduler(&self.started.dir, &self.at), tests);
            self.run(SCHEDULER, self.binaries.kubernetes.join(SCHEDULER), arguments)?;
        }
        self.default_account("default")?;
        if self.started.cable.is_none() {
            return Ok(());
        }
        self.import_images()?;
        self.lay_out_node()?;
        self.start_kubelet()?;
        self.start_proxy()?;
        self.wait_for_node()
    }

    fn run(&mut self, name: &'static str, program: PathBuf, arguments: Vec<String>) -> Result<(), String> {
        let mut command = Command::new(program);
        command.args(arguments.iter().map(|argument| self.fill(argument)));
        self.started.processes.insert(name, spawn(command, &self.started.dir, name)?);
        Ok(())
    }

    fn stop(&mut self, name: &str) {
        if let Some(child) = self.started.processes.remove(name) {
            end(child);
        }
    }

    fn wait_for_apiserver(&mut self) -> Result<(), String> {
        let admin = &self.admin;
        let ready = wait_for(self.started.processes.get_mut(APISERVER), || {
            admin.send("GET", "/readyz", None).is_ok_and(|(status, _)| status == 200)
        });
        ready.map_err(|why| {
            let etcd = log_tail(&self.started.dir, ETCD).lines().last().unwrap_or_default().to_owned();
            format!("{APISERVER} {why}\n{}\n{ETCD}: {etcd}", self.log(APISERVER))
        })
    }

    fn fill(&self, text: &str) -> String {
        fill(&self.started.dir, text)
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
        self.shared = None;
        clear::tidy_machine();
    }
}

fn addresses(cable: Option<Cable>) -> Addresses {
    // The node reaches the machine at its end of the cable only. Without one, an address of no machine (RFC 5737) is
    // advertised: the service `kubernetes` must not lead to a loopback.
    let (api, advertised) = match cable {
        Some(cable) => (cable.machine(), cable.machine()),
        None => (Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1)),
    };
    Addresses {
        api: SocketAddr::new(IpAddr::V4(api), ports::free()),
        advertised: IpAddr::V4(advertised),
        etcd: ports::free(),
        etcd_peer: ports::free(),
        controller_manager: ports::free(),
        scheduler: ports::free(),
    }
}

fn write_files(dir: &Path, spec: &ClusterSpec) -> std::io::Result<()> {
    for folder in ["var/log", "var/lib"] {
        std::fs::create_dir_all(dir.join(folder))?;
    }
    for (path, content) in &spec.files {
        pki::write(&dir.join(path), content, 0o600)?;
    }
    Ok(())
}

fn fill(dir: &Path, text: &str) -> String {
    text.replace("{dir}", &dir.display().to_string())
}
