//! The host beneath a local engine, as far as its containers need it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;
use seaworthy_core::derive::is_known_place;
use seaworthy_core::value::Value;

use super::context::{Beneath, DeviceNumber, HostView, Running};
use super::json::{Read, cut};
use super::observed::{Mounted, Observed};
use super::twins::Sockets;
use crate::effect::caps::caps_to_names;
use crate::effect::cgroup::Version;
use crate::effect::limits::Limit;
use crate::effect::mounts::{Mount, writable_control_groups};
use crate::effect::namespaces::{Namespace, Namespaces};
use crate::effect::status::Seccomp;
use crate::effect::{Datum, Lsms, Observation, Proc, Process, Target};
use crate::host::mounts;
use crate::host::root::{Root, Unread};

/// The most processes that one fact lists.
const MOST_PROCESSES: usize = 64;

/// The host that this program and the engine share.
pub struct LocalHost {
    proc: Proc,
    root: Root,
    lsms: Lsms,
    all: Read<Vec<String>>,
    /// The daemon's namespaces: what `--network host` and its kin give is those.
    daemon: Option<Namespaces>,
    /// What is mounted where the engine sees its files.
    mounts: Arc<[mounts::Mount]>,
    /// Mounts elsewhere of what everybody knows, and of sockets: where, and by which name.
    copies: Vec<SecondMount>,
    /// Where directories that everybody knows really lie, where that is elsewhere.
    moved: Vec<(PathBuf, &'static str)>,
    /// The sockets by which engines are commanded.
    sockets: Sockets,
}

/// A second mount of what is known by another name.
struct SecondMount {
    point: PathBuf,
    name: String,
    read_only: bool,
}

/// Directories that systems keep at other places and link to.
const LINKED: [&str; 10] = [
    "/root",
    "/home",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/spool/cron",
    "/var/log",
    "/opt/cni",
    "/etc",
];

impl LocalHost {
    /// Sees a host through its `proc` and its root directory.
    pub fn new(proc: Proc, root: Root, lsms: Lsms) -> Self {
        let all = proc.host_bounding();
        let all = read(&all).map(|set| sorted(caps_to_names(set)));
        let moved =
            |name: &'static str| Some((root.canonical(name).ok().filter(|real| real != Path::new(name))?, name));
        let moved = LINKED.into_iter().filter_map(moved).collect();
        Self {
            proc,
            root,
            lsms,
            all,
            daemon: None,
            mounts: Arc::default(),
            copies: Vec::new(),
            moved,
            sockets: Sockets::default(),
        }
    }

    /// With what is mounted where the engine sees its files.
    #[must_use]
    pub fn with_mounts(mut self, mounts: Arc<[mounts::Mount]>) -> Self {
        self.mounts = mounts;
        self.copies = self.mounts.iter().filter_map(|mount| self.copy(mount)).take(MOST_COPIES).collect();
        self
    }

    /// With the sockets by which engines are commanded: those at the paths given, and at the usual ones.
    #[must_use]
    pub fn with_sockets(mut self, given: &[String]) -> Self {
        self.sockets = Sockets::at(&self.root, given);
        self
    }

    /// A mount that is at no place that everybody knows, and shows what is known by another name. What containers are
    /// made of has none.
    fn copy(&self, mount: &mounts::Mount) -> Option<SecondMount> {
        let plain = mount.point.to_str()?;
        if matches!(mount.kind.as_str(), "overlay" | "nsfs" | "mqueue") || is_known_place(plain) {
            return None;
        }
        let of_the_kernel = match mount.kind.as_str() {
            "proc" => Some("/proc"),
            "sysfs" => Some("/sys"),
            "devtmpfs" => Some("/dev"),
            _ => None,
        };
        let by_kind = || Some(mounts::below(Path::new(of_the_kernel?), mount.root.strip_prefix("/").ok()?));
        let shared = || {
            let same = |other: &&mounts::Mount| other.device == mount.device && other.id != mount.id;
            mount.root != Path::new("/") || self.mounts.iter().any(|other| same(&other))
        };
        let name = match by_kind() {
            Some(name) => name.to_str()?.to_owned(),
            None if !shared() => return None,
            None => self.known(&mount.point).or_else(|| self.socket(&mount.point))?,
        };
        Some(SecondMount {
            point: mount.point.clone(),
            name,
            read_only: mount.options.iter().any(|option| option == "ro"),
        })
    }

    /// Where a socket lies that is mounted at a second place.
    fn socket(&self, point: &Path) -> Option<String> {
        let stat = self.root.stat(point).ok()?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
            return None;
        }
        let mut names = mounts::other_names(&self.mounts, point).into_iter();
        let place = names.find(|name| self.mounts.iter().all(|mount| mount.point != *name))?;
        place.to_str().map(str::to_owned)
    }

    /// The name that everybody knows of a path whose links are resolved, where it has another: by links to a directory
    /// above it, or by mounts.
    fn known(&self, path: &Path) -> Option<String> {
        let by_link =
            |(real, name): &(PathBuf, &str)| Some(mounts::below(Path::new(name), path.strip_prefix(real).ok()?));
        let mut names = self.moved.iter().filter_map(by_link).chain(mounts::other_names(&self.mounts, path));
        names.find_map(|name| name.to_str().filter(|name| is_known_place(name)).map(str::to_owned))
    }

    /// With the daemon's process, whose namespaces stand for the host's beside those of the machine's first process:
    /// a container in them shares what the daemon, and its listeners, are in.
    #[must_use]
    pub fn with_daemon(mut self, pid: u32) -> Self {
        self.daemon = self.proc.namespaces_of(pid).ok();
        self
    }

    fn has(&self, lsm: &str) -> Option<bool> {
        match &self.lsms {
            Lsms::Known(names) => Some(names.iter().any(|name| name == lsm)),
            Lsms::Unknown(_) => None,
        }
    }
}

impl HostView for LocalHost {
    fn observe(&self, running: Running<'_>) -> Read<Observed> {
        let target = Target { pid: running.pid, id: running.id, started_at: running.started_at };
        match self.proc.observe(target) {
            Ok(seen) => Ok(observed(&seen, &self.proc, self.daemon.as_ref())),
            Err(gap) => Err(reason(&format!("/proc/{}", running.pid), &gap)),
        }
    }

    fn resolve(&self, path: &str) -> Option<String> {
        let real = self.root.canonical(path).ok()?;
        let plain = real.to_str()?;
        if let Some(socket) = self.sockets.name_of(&self.root, &real) {
            return Some(socket.to_owned());
        }
        if is_known_place(plain) {
            return Some(plain.to_owned());
        }
        let copy = || self.copies.iter().find(|copy| copy.point == real).map(|copy| copy.name.clone());
        Some(self.known(&real).or_else(copy).unwrap_or_else(|| plain.to_owned()))
    }

    fn mounted_below(&self, directory: &str) -> Vec<Beneath> {
        if self.copies.is_empty() {
            return Vec::new();
        }
        let Ok(real) = self.root.canonical(directory) else { return Vec::new() };
        let beneath = |copy: &SecondMount| {
            let path = copy.point.strip_prefix(&real).ok()?.to_str().filter(|path| !path.is_empty())?;
            Some(Beneath { path: path.to_owned(), name: copy.name.clone(), read_only: copy.read_only })
        };
        self.copies.iter().filter_map(beneath).collect()
    }

    fn sockets_below(&self, directory: &str) -> Read<Vec<Beneath>> {
        match self.root.canonical(directory) {
            Ok(real) => self.sockets.below(&self.root, &real),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn known_as(&self, path: &str) -> Option<String> {
        self.known(&self.root.canonical(path).ok()?)
    }

    fn mounted_at(&self, disk: &str) -> Option<String> {
        let real = self.root.canonical(disk).ok()?;
        let stat =
            self.root.stat(&real).ok().filter(|s| FileType::from_raw_mode(s.st_mode) == FileType::BlockDevice)?;
        let number = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        // A file system of several disks has a number of its own, and names one of them.
        let is_of = |m: &&mounts::Mount| m.device == number || Path::new(&m.source) == real || m.source == disk;
        let mut places = self.mounts.iter().filter(is_of).filter(|m| m.root == Path::new("/"));
        let known = |m: &&mounts::Mount| m.point.to_str().is_some_and(|point| point == "/" || is_known_place(point));
        let place = places.clone().find(known).or_else(|| places.next())?;
        place.point.to_str().map(str::to_owned)
    }

    fn devices(&self, path: &str) -> Vec<DeviceNumber> {
        let mut found = Vec::new();
        devices_below(&self.root, Path::new(path), DEEPEST_DEVICE, &mut found);
        found
    }

    fn user_number(&self, layers: &[&str], user: &str) -> Read<u32> {
        for layer in layers {
            let file = format!("{layer}/etc/passwd");
            // Each layer is a root of its own: a link in an image must not lead out of it.
            let Ok(place) = self.root.canonical(layer) else { continue };
            let text = Root::open(&self.root.path().join(strip(&place))).and_then(|root| root.read_text("/etc/passwd"));
            match text {
                Ok(text) => return number_in(&text, user),
                Err(Unread::Absent) => {}
                Err(gap) => return Err(reason(&file, &gap)),
            }
        }
        Err("the user is a name, and the container's passwd could not be found".into())
    }

    fn apparmor(&self) -> Option<bool> {
        self.has("apparmor")
    }

    fn selinux(&self) -> Option<bool> {
        self.has("selinux")
    }

    fn all_capabilities(&self) -> Read<Vec<String>> {
        self.all.clone()
    }
}

/// The most mounts that are kept under a second name.
const MOST_COPIES: usize = 1024;

/// The directories beneath one that are looked into for devices, as an engine does that is given a directory.
const DEEPEST_DEVICE: usize = 4;

/// The most devices of one directory that are looked at.
const MOST_DEVICES: usize = 1024;

/// Adds the devices that a path leads to; links within a directory are passed over, as the engine does.
fn devices_below(root: &Root, path: &Path, deeper: usize, found: &mut Vec<DeviceNumber>) {
    let Ok(stat) = root.stat(path) else { return };
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::BlockDevice | FileType::CharacterDevice if found.len() < MOST_DEVICES => {
            let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            found.push(DeviceNumber { block: kind == FileType::BlockDevice, major, minor });
        }
        FileType::Directory if deeper > 0 => {
            for name in root.list(path, MOST_DEVICES).unwrap_or_default() {
                let entry = path.join(name);
                let link = |s: rustix::fs::Stat| FileType::from_raw_mode(s.st_mode) == FileType::Symlink;
                if root.lstat(&entry).is_ok_and(|s| !link(s)) {
                    devices_below(root, &entry, deeper - 1, found);
                }
            }
        }
        _ => {}
    }
}

fn strip(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// The number of a user in a passwd file; the first line of a name counts. As the engine reads it, blanks around a line
/// are nothing, and a number that is missing or none is 0.
pub(super) fn number_in(passwd: &str, user: &str) -> Read<u32> {
    let line = passwd.lines().map(str::trim).find(|line| line.split(':').next() == Some(user));
    let line = line.ok_or("the user is a name that the container's passwd does not have")?;
    let number = line.split(':').nth(2).and_then(|number| number.parse::<i64>().ok()).unwrap_or(0);
    u32::try_from(number).map_err(|_| "the user's number in the container's passwd is out of range".into())
}

fn reason(place: &str, gap: &Unread) -> Arc<str> {
    match gap {
        Unread::Absent => format!("{place} is not there").into(),
        other => format!("{place}: {other}").into(),
    }
}

/// A datum's value with its place in the reason.
fn read<T: Clone>(datum: &Datum<T>) -> Read<T> {
    datum.value.clone().map_err(|gap| reason(&datum.path(), &gap))
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

fn observed(seen: &Observation, proc: &Proc, daemon: Option<&Namespaces>) -> Observed {
    let init = &seen.init;
    let base: Arc<str> = format!("/proc/{}", init.pid).into();
    let shares = |kind: Namespace| -> Read<bool> {
        if daemon.is_some_and(|d| seen.namespaces.shares(kind, d) == Ok(true)) {
            return Ok(true);
        }
        if proc.host_namespaces().is_self {
            return Err("the namespaces of the host's first process may not be read".into());
        }
        seen.shares_with_host(kind, proc).map_err(|gap| reason(&format!("{base}/ns/{}", kind.file()), &gap))
    };
    let limits = seen.limits.as_ref().map_err(|gap| reason("its cgroup", gap));
    let limit = |pick: fn(&crate::effect::limits::Limits) -> &Datum<Limit>| -> Read<Option<i64>> {
        Ok(whole(read(pick(limits.clone()?))?.effective))
    };
    Observed {
        root_user: root_user(seen),
        root_on_host: seen.root_maps_to().map(|uid| uid == Some(0)).map_err(|gap| reason(&seen.uid_map.path(), &gap)),
        capabilities: read(&init.status).map(|_| {
            let bounding =
                seen.processes().filter_map(|process| process.status.ok()).fold(0, |all, s| all | s.bounding);
            sorted(caps_to_names(bounding))
        }),
        no_new_privileges: no_new_privileges(seen),
        seccomp_filter: read(&init.status).map(|_| {
            let mut statuses = seen.processes().filter_map(|process| process.status.ok());
            statuses.all(|status| !matches!(status.seccomp, None | Some(Seccomp::Disabled)))
        }),
        label: read(&seen.label),
        host_network: shares(Namespace::Net),
        host_pid: shares(Namespace::Pid),
        host_ipc: shares(Namespace::Ipc),
        host_uts: shares(Namespace::Uts),
        host_cgroupns: shares(Namespace::Cgroup),
        mounted: seen.mounts.ok().map(|mounts| mounted(mounts)).unwrap_or_default(),
        cgroup_writable: read(&seen.mounts).map(|mounts| writable_control_groups(&mounts)),
        readonly_rootfs: seen.root_read_only().map_err(|gap| reason(&seen.mounts.path(), &gap)),
        memory_limit: limit(|limits| &limits.memory_max),
        memory_swap_limit: limits.clone().and_then(memory_and_swap),
        memory_used: limits.clone().and_then(|limits| read(&limits.memory_current)).map(|used| whole(Some(used))),
        memory_peak: limits.clone().and_then(|limits| peak(&limits.memory_peak)),
        cpuset: limits.clone().and_then(|limits| read(&limits.cpuset)),
        cpu_quota: limits
            .clone()
            .and_then(|limits| read(&limits.cpu_quota))
            .map(|quota| whole(quota.map(|q| q.milli_cpus().max(1)))),
        cpu_weighted: limits.clone().and_then(|limits| Ok(is_weighted(limits.version, read(&limits.cpu_weight)?))),
        pids_limit: limit(|limits| &limits.pids_max),
        pids_used: limits.clone().and_then(|limits| read(&limits.pids_current)).map(|used| whole(Some(used))),
        pids_peak: limits.clone().and_then(|limits| peak(&limits.pids_peak)),
        all_devices: limits
            .clone()
            .ok()
            .and_then(|l| l.devices.ok())
            .map(|rules| rules.iter().any(|r| r.is_all_devices())),
        processes: read(&seen.others)
            .map(|_| Value::List(seen.processes().take(MOST_PROCESSES).map(process).collect())),
        ssh_servers: read(&seen.others).map(|_| ssh_servers(seen)),
        place: base,
    }
}

/// Whether a weight is none that comes by itself: 1024 shares on version 1, on version 2 a weight of 100, or of 39, which
/// runtimes before the middle of 2025 made of 1024 shares.
fn is_weighted(version: Version, weight: u64) -> bool {
    match version {
        Version::V1 => weight != 1024,
        Version::V2 => !matches!(weight, 39 | 100),
    }
}

/// A peak; none where the kernel keeps none.
fn peak(datum: &Datum<u64>) -> Read<Option<i64>> {
    match &datum.value {
        Err(Unread::Absent) => Ok(None),
        _ => read(datum).map(|peak| whole(Some(peak))),
    }
}

/// A size or count as facts have it.
fn whole(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

fn root_user(seen: &Observation) -> Read<bool> {
    let status = read(&seen.init.status)?;
    let root = seen.root_maps_to().map_err(|gap| reason(&seen.uid_map.path(), &gap))?;
    Ok(root.is_some_and(|root| status.uids.contains(&root)))
}

/// Version 1 counts memory and swap together, version 2 apart.
fn memory_and_swap(limits: &crate::effect::limits::Limits) -> Read<Option<i64>> {
    if limits.memory_and_swap_max.value.is_ok() {
        return Ok(whole(read(&limits.memory_and_swap_max)?.effective));
    }
    if limits.swap_max.value == Err(Unread::Absent) {
        return Ok(whole(read(&limits.memory_and_swap_max)?.effective));
    }
    let (memory, swap) = (read(&limits.memory_max)?.effective, read(&limits.swap_max)?.effective);
    Ok(memory.zip(swap).and_then(|(memory, swap)| whole(Some(memory.saturating_add(swap)))))
}

fn no_new_privileges(seen: &Observation) -> Read<bool> {
    read(&seen.init.status)?;
    let mut all = true;
    for status in seen.processes().filter_map(|process| process.status.ok()) {
        match status.no_new_privileges {
            Some(set) => all &= set,
            None => return Err("this kernel does not show it".into()),
        }
    }
    if all && let Some(why) = &seen.incomplete {
        return Err(why.as_str().into());
    }
    Ok(all)
}

fn mounted(mounts: &[Mount]) -> HashMap<Box<str>, Mounted> {
    let kind = |mount: &Mount| match (mount.shared, mount.master) {
        (Some(_), _) => "shared",
        (None, Some(_)) => "slave",
        (None, None) => "private",
    };
    let one = |mount: &Mount| Mounted { propagation: kind(mount), read_only: mount.effectively_read_only() };
    mounts.iter().map(|mount| (mount.point.clone(), one(mount))).collect()
}

fn process(process: &Process) -> Value {
    let executable = match &process.exe.value {
        Ok(path) => cut(path).into(),
        Err(gap) => Value::Unknown(reason(&process.exe.path(), gap)),
    };
    let uid = match &process.status.value {
        Ok(status) => Value::Int(i64::from(status.uids[1])),
        Err(gap) => Value::Unknown(reason(&process.status.path(), gap)),
    };
    Value::Object(vec![("pid", i64::from(process.pid).into()), ("executable", executable), ("uid", uid)])
}

/// SSH servers by their executable, and whatever listens on port 22. What could not be looked at makes the rest of the
/// list unknown.
fn ssh_servers(seen: &Observation) -> Value {
    let mut found = Vec::new();
    let mut unseen = seen.incomplete.as_deref().map(Arc::<str>::from);
    for process in seen.processes() {
        let port = process.listeners.ok().is_some_and(|sockets| sockets.iter().any(|socket| socket.port == 22));
        let name = || cut(process.program().unwrap_or("a process")).to_owned();
        match process.is_ssh_server() {
            Ok(true) => found.push(Value::from(format!("{} (process {})", name(), process.pid))),
            _ if port => found.push(Value::from(format!("{} (process {}) listens on port 22", name(), process.pid))),
            Ok(false) => {}
            Err(gap) => unseen = Some(reason(&process.exe.path(), &gap)),
        }
    }
    found.truncate(MOST_PROCESSES);
    found.extend(unseen.map(Value::Unknown));
    Value::List(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_in_the_topmost_layer_that_has_a_passwd() {
        let dir = tempfile::tempdir().expect("a directory");
        let layer = |name: &str, text: Option<&str>| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.join("etc")).expect("a layer");
            if let Some(text) = text {
                std::fs::write(path.join("etc/passwd"), text).expect("a passwd");
            }
            path.to_str().expect("a path").to_owned()
        };
        let upper = layer("upper", None);
        let middle = layer("middle", Some("root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:\ntoor:x:0:0::/:\n"));
        let lower = layer("lower", Some("app:x:7:7::/:\n"));
        let proc = Proc::open(Path::new("/"), Lsms::Known(Vec::new()), None).expect("proc");
        let host = LocalHost::new(proc, Root::open(Path::new("/")).expect("root"), Lsms::Known(Vec::new()));
        let layers = [upper.as_str(), middle.as_str(), lower.as_str()];
        assert_eq!(host.user_number(&layers, "app"), Ok(1000));
        assert_eq!(host.user_number(&layers, "toor"), Ok(0));
        assert!(host.user_number(&layers, "nobody").is_err());
        assert!(host.user_number(&[upper.as_str()], "app").is_err());
        assert!(host.user_number(&[], "app").is_err());
        // A link in a layer stays within it.
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("upper/etc/passwd")).expect("a link");
        assert!(host.user_number(&[upper.as_str()], "root").is_err());
    }

    #[test]
    fn a_passwd_is_read_as_the_engine_reads_it() {
        let passwd =
            "root:x:0:0::/:\n  app:x:1000:1000::/:\nblank:x: 7:7::/:\nnone:x::7::/:\nbare\nhuge:x:9999999999:7::/:\n";
        let number = |user| number_in(passwd, user);
        assert_eq!((number("app"), number("blank"), number("none"), number("bare")), (Ok(1000), Ok(0), Ok(0), Ok(0)));
        assert!(number("huge").is_err() && number("other").is_err());
    }

    #[test]
    fn the_default_weight_of_either_version_is_none() {
        assert!(!is_weighted(Version::V1, 1024) && is_weighted(Version::V1, 512));
        assert!(!is_weighted(Version::V2, 100) && !is_weighted(Version::V2, 39) && is_weighted(Version::V2, 20));
    }

    #[test]
    fn a_disk_is_where_the_host_has_it_mounted() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let disk = dir.path().join("disk");
        let number = rustix::fs::makedev(7, 250);
        let made = rustix::fs::mknodat(rustix::fs::CWD, &disk, FileType::BlockDevice, 0o600.into(), number);
        made.expect("a device");
        let table = b"1 1 7:250 /part /etc rw - ext4 /dev/x rw\n2 1 7:250 / /srv rw - ext4 /dev/x rw\n\
                      3 1 7:250 / /etc/kept rw - ext4 /dev/x rw\n4 1 0:40 / /pool rw - btrfs /dev/y rw\n";
        let proc = Proc::open(Path::new("/"), Lsms::Known(Vec::new()), None).expect("proc");
        let host = LocalHost::new(proc, Root::open(Path::new("/")).expect("root"), Lsms::Known(Vec::new()));
        let host = host.with_mounts(mounts::parse_all(table).into());
        assert_eq!(host.mounted_at(disk.to_str().expect("a path")).as_deref(), Some("/etc/kept"));
        assert_eq!(host.mounted_at("/dev/null"), None);
        assert_eq!(host.mounted_at("/dev/y"), None);
        // Another disk, that nothing is mounted from.
        let other = dir.path().join("other");
        let number = rustix::fs::makedev(7, 251);
        rustix::fs::mknodat(rustix::fs::CWD, &other, FileType::BlockDevice, 0o600.into(), number).expect("a device");
        assert_eq!(host.mounted_at(other.to_str().expect("a path")), None);
    }

    #[test]
    fn this_process_is_no_container() {
        let proc = Proc::open(Path::new("/"), Lsms::Known(vec!["apparmor".into()]), None).expect("proc");
        let lsms = Lsms::Known(vec!["apparmor".into()]);
        let host = LocalHost::new(proc, Root::open(Path::new("/")).expect("root"), lsms);
        let running = Running { id: "0123456789abcdef0123", pid: std::process::id(), started_at: Some(0) };
        assert!(host.observe(running).is_err());
        assert_eq!((host.apparmor(), host.selinux()), (Some(true), Some(false)));
        assert_eq!(host.resolve("/proc/self/../../etc").as_deref(), Some("/etc"));
    }
}
