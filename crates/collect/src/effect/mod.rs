//! A running container seen from the host: `/proc` and cgroups, versions 1 and 2.
//!
//! Nothing is run inside the container and nothing is written. Every datum comes with the path that it was read from,
//! or with the reason why it could not be read. Callers ask for running and paused containers only: created and exited
//! ones have no process and no cgroup.

pub mod caps;
pub mod cgroup;
pub mod devices;
pub mod limits;
pub mod mounts;
pub mod namespaces;
pub mod process;
mod read;
pub mod security;
pub mod sockets;
pub mod status;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use caps::{caps_to_names, configured_capabilities};
use cgroup::{Hierarchies, Members, Membership, Version, for_controller, memberships};
pub use devices::{DeviceClass, DeviceRule, device_class};
use limits::{Ancestors, Limits};
use mounts::Mount;
use namespaces::{HostNamespaces, Namespace, Namespaces};
pub use process::{Lsms, Process};
pub use read::Datum;
use read::{Buffer, lossy, open_dir, open_dir_at, vanished};
pub use security::allows_all;
use sockets::Table;
use status::{IdRange, outside_id};

use crate::host::root::Unread;

/// The `proc` of the host whose containers are looked at.
#[derive(Debug)]
pub struct Proc {
    dir: OwnedFd,
    path: PathBuf,
    hierarchies: Result<Hierarchies, Unread>,
    host: HostNamespaces,
    lsms: Lsms,
    /// Seconds since 1970 at which the machine booted, and clock ticks in a second.
    boot: Option<u64>,
    /// Listening sockets of network namespaces that several containers share.
    tables: Mutex<HashMap<u64, Table>>,
    ancestors: Ancestors,
}

/// The container that is asked for, as its engine reports it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// `State.Pid`.
    pub pid: u32,
    /// The full id.
    pub id: &'t str,
    /// `State.StartedAt` in seconds since 1970: proves the process where its cgroup does not name the container.
    pub started_at: Option<i64>,
}

/// What is in effect for a running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The process that the engine names.
    pub init: Process,
    /// Its label of AppArmor or SELinux; `None` where the kernel has neither.
    pub label: Datum<Option<String>>,
    /// Its map of user ids; `0 0 4294967295` where there is no user namespace.
    pub uid_map: Datum<Vec<IdRange>>,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// The other processes of its cgroup, those that came by exec too.
    pub others: Datum<Vec<Process>>,
    /// True when there are more processes than were looked at, or some that cannot be seen from here: then a
    /// statement about all of them is unknown.
    pub incomplete: Option<String>,
    /// The mounts of the first process.
    pub mounts: Datum<Vec<Mount>>,
    /// Its cgroup as the host names it.
    pub cgroup: Datum<String>,
    /// The limits in effect.
    pub limits: Result<Limits, Unread>,
}

impl Observation {
    /// Whether the container shares a namespace with the host.
    ///
    /// # Errors
    /// Why one of the two could not be read.
    pub fn shares_with_host(&self, kind: Namespace, proc: &Proc) -> Result<bool, Unread> {
        self.namespaces.shares(kind, &proc.host.namespaces)
    }

    /// Whether its root file system is read-only in effect.
    ///
    /// # Errors
    /// Why the mounts could not be read, or that none is the root.
    pub fn root_read_only(&self) -> Result<bool, Unread> {
        let mounts = self.mounts.value.as_ref().map_err(Clone::clone)?;
        mounts::root_mount(mounts)
            .map(Mount::effectively_read_only)
            .ok_or_else(|| Unread::Other("has no mount on /".into()))
    }

    /// The host's user id that uid 0 of the container stands for; `None` when root is not mapped at all.
    ///
    /// # Errors
    /// Why the map could not be read.
    pub fn root_maps_to(&self) -> Result<Option<u32>, Unread> {
        self.uid_map.value.as_ref().map(|map| outside_id(map, 0)).map_err(Clone::clone)
    }

    /// All processes: the first and the others, as far as they could be read.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.init).chain(self.others.value.iter().flatten())
    }
}

impl Proc {
    /// Opens `proc` below a host's root (`/` for the machine itself), and reads what all containers are compared with;
    /// what this process sees mounted (`self/mountinfo`) only where it was not read already.
    ///
    /// # Errors
    /// When there is no `proc`, or it may not be opened.
    pub fn open(root: &Path, lsms: Lsms, mounted: Option<&[u8]>) -> Result<Self, Unread> {
        let path = root.join("proc");
        let dir = open_dir(&path)?;
        let mut buffer = Buffer::default();
        let table = mounted.map_or_else(|| buffer.read(&dir, "self/mountinfo", read::MOST), Ok);
        let hierarchies = table.and_then(|table| Hierarchies::parse(&lossy(table), root));
        let host = host_namespaces(&dir, &path)?;
        let boot = buffer
            .text(&dir, "stat")
            .ok()
            .and_then(|t| t.lines().find_map(|l| l.strip_prefix("btime "))?.trim().parse().ok());
        Ok(Self { dir, path, hierarchies, host, lsms, boot, tables: Mutex::default(), ancestors: Ancestors::default() })
    }

    /// The namespaces that count as the host's, and whether they are pid 1's or our own.
    pub fn host_namespaces(&self) -> &HostNamespaces {
        &self.host
    }

    /// The version of cgroups in use; `None` where none is mounted here.
    pub fn cgroup_version(&self) -> Option<Version> {
        self.hierarchies.as_ref().ok().and_then(Hierarchies::version)
    }

    /// The bounding set of the host's pid 1: what no container can exceed.
    pub fn host_bounding(&self) -> Datum<u64> {
        let mut buffer = Buffer::default();
        let status = buffer.record(&self.dir, "1/status").and_then(|b| status::Status::parse(&lossy(b)));
        Datum::new(status.map(|s| s.bounding), &self.place("1").into(), "status")
    }

    /// The namespaces of a process: those of the engine's daemon are "the host's" in the sense of `--net host`.
    ///
    /// # Errors
    /// When the process is not there or may not be looked at.
    pub fn namespaces_of(&self, pid: u32) -> Result<Namespaces, Unread> {
        let dir = open_dir_at(&self.dir, &pid.to_string())?;
        Ok(Namespaces::read(&dir, self.place(&format!("{pid}/ns"))))
    }

    fn place(&self, file: &str) -> String {
        format!("{}/{file}", self.path.display())
    }

    /// Looks at a container: its first process, all others of its cgroup, mounts and limits.
    ///
    /// # Errors
    /// When the process is not there any more, may not be read at all, or is not proven to be the container's.
    pub fn observe(&self, target: Target<'_>) -> Result<Observation, Unread> {
        if target.pid == 0 {
            return Err(Unread::Other("has no process".into()));
        }
        Buffer::of_thread(|buffer| self.observe_into(target, buffer))
    }

    fn observe_into(&self, target: Target<'_>, buffer: &mut Buffer) -> Result<Observation, Unread> {
        let base: Arc<str> = self.place(&target.pid.to_string()).into();
        // Whatever is opened below this directory is of this very process: when it ends, reading fails.
        let dir = open_dir_at(&self.dir, &target.pid.to_string()).map_err(gone)?;
        let groups = self.memberships(&dir, buffer);
        self.prove(target, &groups, &dir, buffer)?;
        let mounts = buffer.read(&dir, "mountinfo", read::MOST).and_then(|b| mounts::parse(&lossy(b)));
        let mounts = Datum::new(mounts, &base, "mountinfo");
        let namespaces = Namespaces::read(&dir, format!("{base}/ns"));
        let label = process::label(&dir, &base, &self.lsms, buffer);
        let uid_map = process::uid_map(&dir, &base, buffer);
        let network = namespaces.id(Namespace::Net).as_ref().ok().copied();
        let version = self.cgroup_version();
        let (others, incomplete) = self.others(target.pid, &groups, &base, buffer);
        let limits = match (&groups, version) {
            (Ok(groups), Some(version)) => Ok(limits::read(groups, version, &self.ancestors, buffer)),
            (Err(gap), _) => Err(gap.clone()),
            (_, None) => Err(Unread::Other("no cgroups are mounted here".into())),
        };
        let init = self.process(&dir, target.pid, || network, buffer);
        // What went away while it was read may have answered with the emptiness of its end.
        let ended = match &init.status.value {
            Ok(status) => status.zombie,
            Err(_) => process::start_time(&dir, buffer).is_err(),
        };
        if ended {
            return Err(vanished());
        }
        let cgroup = groups.map(|g| walked(&g, version).map(|m| m.path.clone()).unwrap_or_default());
        let cgroup = Datum::new(cgroup, &base, "cgroup");
        Ok(Observation { init, label, uid_map, namespaces, others, incomplete, mounts, cgroup, limits })
    }

    fn memberships(&self, dir: &OwnedFd, buffer: &mut Buffer) -> Result<Vec<Membership>, Unread> {
        let hierarchies = self.hierarchies.as_ref().map_err(Clone::clone)?;
        memberships(buffer.record_text(dir, "cgroup")?, hierarchies)
    }

    /// That the process is the container's: its cgroup names the container, or it started when the container did.
    fn prove(
        &self,
        target: Target<'_>,
        groups: &Result<Vec<Membership>, Unread>,
        dir: &OwnedFd,
        buffer: &mut Buffer,
    ) -> Result<(), Unread> {
        /// Seconds between the start of the process and the moment that the engine notes.
        const APART: i64 = 30;
        // Twelve characters of an id are what people see as the id, fewer would prove nothing.
        let named =
            target.id.len() >= 12 && groups.as_ref().is_ok_and(|g| g.iter().any(|m| m.path.contains(target.id)));
        if named {
            return Ok(());
        }
        let started = process::start_time(dir, buffer).map_err(gone)?;
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        if let (Some(boot), Some(at)) = (self.boot, target.started_at) {
            let process = i64::try_from(boot + started / ticks).unwrap_or(i64::MAX);
            if process.saturating_sub(at).abs() <= APART {
                return Ok(());
            }
        }
        Err(Unread::Other(format!(
            "process {} is not proven to be the container's: its cgroup does not name it",
            target.pid
        )))
    }

    /// A process; `network` tells its network namespace, and is asked only where it has sockets.
    fn process(&self, dir: &OwnedFd, pid: u32, network: impl FnOnce() -> Option<u64>, buffer: &mut Buffer) -> Process {
        let base: Arc<str> = self.place(&pid.to_string()).into();
        let (mut process, sockets) = process::read(dir, &base, pid, buffer);
        if !sockets.is_empty() {
            process.listeners.value = self.table(dir, network(), buffer).map(|table| sockets::held(&sockets, &table));
        }
        process
    }

    /// The listening sockets of a process's network.
    fn table(&self, dir: &OwnedFd, network: Option<u64>, buffer: &mut Buffer) -> Result<Table, Unread> {
        // Only the host's is shared by many; others are read anew, since numbers of dead ones come back.
        let host = self.host.namespaces.id(Namespace::Net).as_ref().ok().copied();
        let known = network.filter(|_| network == host);
        if let Some(table) = known.and_then(|id| self.tables.lock().ok()?.get(&id).cloned()) {
            return Ok(table);
        }
        let table = sockets::table(dir, buffer)?;
        if let (Some(id), Ok(mut tables)) = (known, self.tables.lock()) {
            tables.insert(id, table.clone());
        }
        Ok(table)
    }

    fn others(
        &self,
        init: u32,
        groups: &Result<Vec<Membership>, Unread>,
        base: &Arc<str>,
        buffer: &mut Buffer,
    ) -> (Datum<Vec<Process>>, Option<String>) {
        let at = groups.as_ref().ok().and_then(|g| walked(g, self.cgroup_version())).and_then(|m| m.directory.as_ref());
        let (place, file) =
            at.map_or_else(|| (Arc::clone(base), "cgroup"), |(d, _)| (d.display().to_string().into(), "cgroup.procs"));
        let members = match (groups, at) {
            (Err(gap), _) => Err(gap.clone()),
            (Ok(_), None) => Err(Unread::Other("its cgroup lies outside of what is mounted here".into())),
            // A process in the root cgroup is in no container's, and its neighbours are all of the host.
            (Ok(_), Some((_, 0))) => Err(Unread::Other("its cgroup is the root of all".into())),
            (Ok(_), Some((directory, _))) => cgroup::members(directory, buffer),
        };
        let Members { pids, truncated, unseen } = match members {
            Ok(members) => members,
            Err(gap) => {
                let why = format!("the processes of its cgroup could not be listed: {gap}");
                return (Datum::new(Err(gap), &place, file), Some(why));
            }
        };
        let mut out = Vec::with_capacity(pids.len().saturating_sub(1));
        let mut hidden = unseen;
        for pid in pids.into_iter().filter(|p| *p != init) {
            let Ok(dir) = open_dir_at(&self.dir, &pid.to_string()) else {
                // To root it ended meanwhile, and is no process of the container any more.
                hidden += usize::from(!rustix::process::geteuid().is_root());
                continue;
            };
            let network = || namespaces::number(&dir, "ns/net").ok();
            let process = self.process(&dir, pid, network, buffer);
            if !matches!(&process.status.value, Err(gap) if *gap == vanished() || *gap == Unread::Absent) {
                out.push(process);
            }
        }
        let incomplete = match (truncated, hidden) {
            (true, _) => Some(format!("it has more than {} processes", cgroup::MOST_PROCESSES)),
            (false, 0) => None,
            (false, n) => {
                Some(format!("{n} of its processes cannot be seen from here (another pid namespace, or hidepid)"))
            }
        };
        (Datum::new(Ok(out), &place, file), incomplete)
    }
}

/// The cgroup whose processes are walked: the unified one, or of version 1 the first that there is.
fn walked(groups: &[Membership], version: Option<Version>) -> Option<&Membership> {
    let nested = |m: &&Membership| m.directory.as_ref().is_some_and(|(_, depth)| *depth > 0);
    match version? {
        Version::V2 => for_controller(groups, "", Version::V2),
        Version::V1 => {
            let named = ["memory", "pids", "devices", "freezer", "cpu", "name=systemd"]
                .iter()
                .filter_map(|c| for_controller(groups, c, Version::V1));
            named.clone().find(nested).or_else(|| named.into_iter().next())
        }
    }
}

fn host_namespaces(dir: &OwnedFd, path: &Path) -> Result<HostNamespaces, Unread> {
    let of = |who: &str| -> Result<Namespaces, Unread> {
        Ok(Namespaces::read(open_dir_at(dir, who)?, format!("{}/{who}/ns", path.display())))
    };
    match of("1") {
        Ok(first) if !first.is_denied() => Ok(HostNamespaces { namespaces: first, is_self: false }),
        _ => Ok(HostNamespaces { namespaces: of("self")?, is_self: true }),
    }
}

/// What a process that is not there means: root sees all, others do not where `/proc` is mounted with `hidepid`.
fn gone(gap: Unread) -> Unread {
    match gap {
        Unread::Absent if rustix::process::geteuid().is_root() => vanished(),
        Unread::Absent => Unread::Other("vanished, or is hidden from this user (root sees it)".into()),
        other => other,
    }
}
