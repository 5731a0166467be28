//! Taking away what an engine leaves: processes, mounts, control groups, shim sockets, files.
//!
//! Everything here works from the bed's folder alone, so that a bed whose test process was killed can be cleared by the
//! next one. A process counts as the bed's when it is one of these programs *and* names the folder on its
//! command line, or descends from one that does; clients and tests that merely name the folder are left alone.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::lock;

/// Folders of beds begin so; the process and a counter follow.
pub(crate) const PREFIX: &str = "swbed-";

/// The programs of engines and machines, as `/proc/PID/comm` (15 bytes) has them.
const PROGRAMS: [&str; 14] = [
    "dockerd",
    "containerd",
    "containerd-shim",
    "runc",
    "docker-proxy",
    "docker-init",
    "ctr",
    "qemu-system-x86",
    "etcd",
    "kube-apiserver",
    "kube-controller",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
];

/// Where beds are made: `TMPDIR` where it is short enough for sockets in it (108 bytes), else `/tmp`.
pub(crate) fn base() -> PathBuf {
    let dir = std::env::temp_dir();
    if dir.is_absolute() && dir.as_os_str().len() <= 24 { dir } else { "/tmp".into() }
}

/// Clears the beds of test processes that are gone; returns how many there were.
pub fn sweep() -> usize {
    let Ok(entries) = fs::read_dir(base()) else { return 0 };
    let beds = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let mut cleared = 0;
    for dir in beds.map(|entry| entry.path()).filter(|dir| is_ours(dir)) {
        if let Some(_owned) = lock::own(&dir) {
            clear(&dir);
            cleared += 1;
        }
    }
    if cleared > 0 {
        tidy_machine();
    }
    cleared
}

/// The temporary folder is everybody's: what another user put there under such a name is not touched.
fn is_ours(dir: &Path) -> bool {
    let own = fs::symlink_metadata(dir).is_ok_and(|about| about.is_dir() && about.uid() == geteuid().as_raw());
    own && dir.join(lock::OWN).is_file()
}

/// Ends the bed's processes and removes everything it made, the folder last.
pub(crate) fn clear(dir: &Path) {
    kill_all(dir);
    for socket in shim_sockets(dir) {
        let _ = fs::remove_file(socket);
    }
    unmount_all(dir);
    for group in control_groups(dir) {
        // The kernel empties a group a moment after its last process.
        retry(|| fs::remove_dir(&group).is_ok() || !group.exists());
    }
    for group in own_groups(dir) {
        retry(|| remove_group(&group).is_ok() || !group.exists());
    }
    retry(|| fs::remove_dir_all(dir).is_ok() || !dir.exists());
}

/// The control groups of a node, which are named for the bed's folder.
pub(crate) fn own_groups(dir: &Path) -> Vec<PathBuf> {
    let name = dir.file_name().unwrap_or_default();
    let mut roots: Vec<PathBuf> = cgroup_roots().into_iter().filter_map(|root| root.canonicalize().ok()).collect();
    roots.sort();
    roots.dedup();
    // Only a hierarchy has processes; the folder of all hierarchies has none.
    roots.retain(|root| root.join("cgroup.procs").is_file());
    roots.into_iter().map(|root| root.join(name)).collect()
}

fn remove_group(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_group(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// Removes the empty folders that engines make outside their own, once no bed is in use.
pub(crate) fn tidy_machine() {
    let Some(_alone) = lock::alone() else { return };
    for dir in [
        "/run/docker/plugins",
        "/run/docker",
        "/run/containerd/s",
        "/run/containerd/fifo",
        "/run/containerd",
        "/var/lib/cni",
        "/var/log/containers",
    ] {
        let _ = fs::remove_dir(dir);
    }
    for root in cgroup_roots() {
        let _ = fs::remove_dir(root.join("docker"));
    }
}

/// Kills what runs inside the bed's containers, so that the engine need not wait for it.
pub(crate) fn kill_containers(dir: &Path) {
    let processes = processes();
    let shims: Vec<i32> =
        processes.values().filter(|p| p.belongs(dir) && p.comm == "containerd-shim").map(|p| p.pid).collect();
    for process in processes.values().filter(|p| shims.contains(&p.parent) && p.comm != "runc") {
        kill(process.pid, Signal::KILL);
    }
}

fn kill_all(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = processes();
        let doomed: Vec<i32> = processes.values().filter(|p| descends(p, dir, &processes)).map(|p| p.pid).collect();
        if doomed.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in doomed {
            kill(pid, Signal::KILL);
            thaw(pid);
        }
        sleep(Duration::from_millis(20));
    }
}

pub(crate) fn kill(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Lets a process of a paused container go on: before that it does not even end.
fn thaw(pid: i32) {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(hierarchy), Some(path)) = (parts.next(), parts.next()) else { continue };
        let group = Path::new("/sys/fs/cgroup").join(hierarchy).join(path.trim_start_matches('/'));
        match hierarchy {
            "freezer" => drop(fs::write(group.join("freezer.state"), "THAWED")),
            "" if path != "/" => drop(fs::write(group.join("cgroup.freeze"), "0")),
            _ => {}
        }
    }
}

struct Process {
    pid: i32,
    parent: i32,
    comm: String,
    arguments: String,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace();
        if fields.next()? == "Z" {
            return None;
        }
        let parent = fields.next()?.parse().ok()?;
        let comm = before.split_once('(')?.1.to_owned();
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self { pid, parent, comm, arguments: String::from_utf8_lossy(&arguments).into_owned() })
    }

    fn belongs(&self, dir: &Path) -> bool {
        let inside = format!("{}/", dir.display());
        PROGRAMS.contains(&self.comm.as_str()) && self.arguments.contains(&inside)
    }
}

/// The bed's process that runs the program of this name.
pub(crate) fn process(dir: &Path, name: &str) -> Option<u32> {
    let short = &name[..name.len().min(15)];
    let found = processes().into_values().find(|process| process.comm == short && process.belongs(dir));
    found.and_then(|process| u32::try_from(process.pid).ok())
}

fn processes() -> HashMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, Process::read(pid)?))).collect()
}

fn descends(process: &Process, dir: &Path, all: &HashMap<i32, Process>) -> bool {
    let mut at = Some(process);
    for _ in 0..64 {
        let Some(process) = at else { return false };
        if process.belongs(dir) {
            return true;
        }
        at = all.get(&process.parent);
    }
    false
}

/// The sockets that shims opened under `/run/containerd/s`; each shim's bundle names its own.
fn shim_sockets(dir: &Path) -> Vec<PathBuf> {
    let states = ["exec/containerd/daemon", "containerd/state"].map(|state| dir.join(state));
    let bundles = states.iter().map(|state| state.join("io.containerd.runtime.v2.task/moby"));
    let addresses = bundles.filter_map(|moby| fs::read_dir(moby).ok()).flatten().flatten();
    addresses
        .filter_map(|bundle| fs::read_to_string(bundle.path().join("address")).ok())
        .filter_map(|address| Some(PathBuf::from(address.trim().strip_prefix("unix://")?)))
        .filter(|socket| socket.starts_with("/run/containerd/s"))
        .collect()
}

fn unmount_all(dir: &Path) {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { return };
    let inside = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    let mut inside: Vec<&Path> = inside.filter(|point| point.starts_with(dir)).collect();
    inside.reverse();
    for point in inside {
        let _ = rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH);
    }
}

/// The control groups of the bed's containers, which are named for their ids, and then those above them, the innermost
/// first; `docker` itself is shared by all engines and not among them.
fn control_groups(dir: &Path) -> Vec<PathBuf> {
    let containers: Vec<_> = fs::read_dir(dir.join("data/containers")).into_iter().flatten().flatten().collect();
    let configurations = containers.iter().map(|container| (container.path().join("hostconfig.json"), "CgroupParent"));
    let parents = configurations.chain([(dir.join("daemon.json"), "cgroup-parent")]).filter_map(|(file, key)| {
        let settings: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let parent = Path::new(settings.get(key)?.as_str()?.trim_matches('/')).to_path_buf();
        parent.components().all(|part| matches!(part, Component::Normal(_))).then_some(parent)
    });
    let mut parents: Vec<PathBuf> = parents.filter(|parent| *parent != Path::new("")).collect();
    parents.sort();
    parents.dedup();
    let shared = PathBuf::from("docker");
    let each =
        parents.iter().chain([&shared]).flat_map(|parent| containers.iter().map(|id| parent.join(id.file_name())));
    let above = parents
        .iter()
        .flat_map(|parent| parent.ancestors())
        .filter(|group| *group != Path::new("") && *group != shared);
    let groups: Vec<PathBuf> = each.chain(above.map(Path::to_path_buf)).collect();
    let groups = cgroup_roots().into_iter().flat_map(|root| groups.iter().map(move |group| root.join(group)));
    groups.filter(|group| group.is_dir()).collect()
}

/// The unified hierarchy, or each controller's.
fn cgroup_roots() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    std::iter::once(root.to_path_buf()).chain(controllers.filter(|path| path.is_dir())).collect()
}

fn retry(mut done: impl FnMut() -> bool) {
    for _ in 0..50 {
        if done() {
            return;
        }
        sleep(Duration::from_millis(20));
    }
}
