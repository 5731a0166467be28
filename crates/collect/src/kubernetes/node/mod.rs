//! A node of a cluster as the machine itself shows it: the processes of Kubernetes' components with their settings in
//! effect, and the files that these rest on. One walk over `/proc`, no request, no process started.

mod apiserver;
mod audit;
mod certificates;
mod controllers;
mod defaults;
mod document;
mod etcd;
mod files;
mod find;
mod flags;
mod kubeconfig;
mod kubelet;
mod machine;
mod networks;
mod parts;
mod places;
mod process;
mod proxy;
mod shared;
mod sheet;
mod structured;
#[cfg(test)]
mod tests;
mod told;
mod version;
mod view;

use std::path::Path;
use std::time::Instant;

use seaworthy_core::schema::{self, Kind, kubernetes};
use seaworthy_core::snapshot::{Snapshot, Target};

use crate::host::process::{Proc, Processes};
use crate::host::root::Root;
use crate::redact::Redactor;
use find::Program;

pub(super) use flags::{Flags, Style};

pub use find::Which;

pub use told::{ToldFile, ToldPod, from_argv, from_configz};

/// The pid namespace that the kernel began with.
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Every node whose components run on this machine, or on the one whose `/` is mounted at `root`; none where none does.
pub fn snapshot(root: Option<&Path>) -> Option<Snapshot> {
    let redactor = Redactor::new();
    let collected_at = crate::assemble::now();
    let mut targets = collect(root.unwrap_or(Path::new("/")), &redactor, collected_at);
    for target in &mut targets {
        crate::assemble::scrub::scrub(target, &redactor);
    }
    (!targets.is_empty()).then(|| Snapshot { tool: env!("CARGO_PKG_VERSION").to_owned(), collected_at, targets })
}

/// Every node whose components run here, one target each: mostly none or one, several where nodes are containers.
pub fn collect(root: &Path, redactor: &Redactor, collected_at: i64) -> Vec<Target> {
    collect_of(root, redactor, collected_at, &|_| true)
}

/// The same, of the processes that `wanted` lets through: tests have more clusters than one on a machine.
#[doc(hidden)]
pub fn collect_of(root: &Path, redactor: &Redactor, collected_at: i64, wanted: &dyn Fn(u32) -> bool) -> Vec<Target> {
    let began = Instant::now();
    let Ok(host) = Root::open(root) else { return Vec::new() };
    let Ok(proc) = Proc::open(&host) else { return Vec::new() };
    let mut processes = proc.list();
    processes.all.retain(|p| wanted(p.pid) || (find::program(p).is_none() && !find::tells_networks(p)));
    let hidden = find::hidden(&proc, &processes.all);
    let seen = seen(&proc, &processes);
    let mut targets = Vec::new();
    let node = machine::Machine { host: &host, proc: &proc, redactor, collected_at };
    for group in find::groups(&proc, &processes.all) {
        targets.extend(node.target(&group));
    }
    if targets.is_empty() && hidden.iter().any(|(pid, _)| wanted(*pid)) {
        targets.push(node.unread());
    }
    for target in &mut targets {
        elsewhere(target);
        if let Err(why) = seen.as_ref() {
            incomplete(target, why);
        }
        for (pid, which) in &hidden {
            let why = format!("process {pid} may be one, and its executable may not be read: run Seaworthy as root");
            which.iter().for_each(|which| target.incomplete(which.kind(), why.as_str()));
            target.gap(proc.entry(*pid, "exe").display().to_string(), why, "components of Kubernetes");
        }
        target.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    }
    targets
}

/// What lies in the cluster's store, no node tells of.
fn elsewhere(target: &mut Target) {
    let own = |kind: &Kind| {
        Which::ALL.iter().any(|which| std::ptr::eq(which.kind(), kind))
            || std::ptr::eq(kind, &kubernetes::FILE)
            || std::ptr::eq(kind, &kubernetes::NODE)
    };
    for kind in schema::kinds().iter().filter(|kind| kind.name.starts_with("kubernetes.") && !own(kind)) {
        target.incomplete(kind, "only the cluster's API tells of it: name the cluster by --kubeconfig");
    }
}

/// Whether every process was seen, so that what was not found is not there.
fn seen(proc: &Proc, processes: &Processes) -> Result<(), String> {
    // Root is denied what has more rights than it; that is one of these only if it is called so, since no component
    // changes the name that the kernel gave it.
    if let Some(gap) = processes.gaps.first().filter(|_| !rustix::process::geteuid().is_root()) {
        return Err(gap.reason.clone());
    }
    if !processes.all.iter().any(|p| p.pid == 1) {
        return Err("the processes of other users are hidden: run Seaworthy as root".to_owned());
    }
    let is_node = |p| matches!(p, Program::One(Which::Kubelet) | Program::K3s | Program::Kubelite);
    let kubelet = processes.all.iter().filter_map(find::program).any(is_node);
    // In a namespace of its own one sees a node only if the node is in it.
    let first = proc.namespace(1, "pid").or_else(|| proc.namespace(std::process::id(), "pid"));
    match first {
        Some(FIRST_NAMESPACE) => Ok(()),
        _ if kubelet => Ok(()),
        Some(_) => Err("only the processes of one container are seen: run Seaworthy on the node itself".to_owned()),
        None => Err("whether all processes are seen is not known: run Seaworthy as root".to_owned()),
    }
}

fn incomplete(target: &mut Target, why: &str) {
    for which in Which::ALL {
        target.incomplete(which.kind(), why);
    }
    target.incomplete(&kubernetes::FILE, why);
    target.gap("/proc", why, "components of Kubernetes that were not seen");
}
