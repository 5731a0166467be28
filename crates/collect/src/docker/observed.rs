//! What is in effect for a running container, as `/proc` and its cgroup show it.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::value::Value;

use super::json::Read;

/// A mount, as the kernel has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mounted {
    /// `private`, `slave` or `shared`.
    pub propagation: &'static str,
    /// Whether nothing can be written through it.
    pub read_only: bool,
}

/// What was seen of a running container; each part may have failed on its own.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Where it was seen: `/proc/2211`.
    pub place: Arc<str>,
    /// Whether its first process is user 0 inside.
    pub root_user: Read<bool>,
    /// Whether user 0 inside is user 0 of the host.
    pub root_on_host: Read<bool>,
    /// The bounding set of its processes together, without `CAP_`, sorted.
    pub capabilities: Read<Vec<String>>,
    /// Whether all its processes have no-new-privileges.
    pub no_new_privileges: Read<bool>,
    /// Whether a seccomp filter holds every one of its processes.
    pub seccomp_filter: Read<bool>,
    /// The LSM label: of AppArmor or SELinux, whichever the kernel has.
    pub label: Read<Option<String>>,
    /// Whether it is in the host's network namespace.
    pub host_network: Read<bool>,
    /// Whether it is in the host's pid namespace.
    pub host_pid: Read<bool>,
    /// Whether it is in the host's IPC namespace.
    pub host_ipc: Read<bool>,
    /// Whether it is in the host's UTS namespace.
    pub host_uts: Read<bool>,
    /// Whether it is in the host's cgroup namespace.
    pub host_cgroupns: Read<bool>,
    /// What is mounted, by destination.
    pub mounted: HashMap<Box<str>, Mounted>,
    /// Whether control groups are mounted in it so that they can be written to.
    pub cgroup_writable: Read<bool>,
    /// Whether its root file system is read-only.
    pub readonly_rootfs: Read<bool>,
    /// The smallest memory limit, in bytes; none is no limit.
    pub memory_limit: Read<Option<i64>>,
    /// Memory and swap together, in bytes; none is no limit.
    pub memory_swap_limit: Read<Option<i64>>,
    /// Memory in use, in bytes.
    pub memory_used: Read<Option<i64>>,
    /// The most memory used, in bytes; none where the kernel keeps no peak.
    pub memory_peak: Read<Option<i64>>,
    /// The processors that it may use, as `0-3,7`; empty where its own cgroup names none.
    pub cpuset: Read<String>,
    /// CPU time in thousandths of a CPU; none is no quota.
    pub cpu_quota: Read<Option<i64>>,
    /// Whether its weight among others is another than the default; the kernel's word on `--cpu-shares`.
    pub cpu_weighted: Read<bool>,
    /// The most processes; none is no limit.
    pub pids_limit: Read<Option<i64>>,
    /// Processes and threads now.
    pub pids_used: Read<Option<i64>>,
    /// The most processes and threads; none where the kernel keeps no peak.
    pub pids_peak: Read<Option<i64>>,
    /// Whether every device is allowed; none where the kernel does not show it (cgroup v2).
    pub all_devices: Option<bool>,
    /// Its processes, as the fact has them.
    pub processes: Read<Value>,
    /// Its SSH servers.
    pub ssh_servers: Read<Value>,
}
