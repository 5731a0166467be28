//! Containers.

use super::{ADMITS, BOOL, INT, NF_TABLES, OPT_INT, OPT_STR, RULES, SECRETS, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const GONE: &str = "the container vanished, or the engine did not answer";
const UNSEEN: &str = "its process runs but /proc could not be read (no right, or another machine)";

const MOUNT: &[Field] = &[
    field("type", STR, "bind, volume, tmpfs, npipe or cluster"),
    field("source", STR, "the path on the host, links resolved where that could be seen; empty for tmpfs"),
    field("destination", STR, "the path in the container"),
    field("rw", BOOL, "whether the container may write through it"),
    field("propagation", STR, "private, rprivate, slave, rslave, shared, rshared; as in effect where that was seen"),
    field("volume", STR, "the volume's name; empty for others"),
];

const PORT: &[Field] = &[
    field("host_ip", STR, "the address on the host; the container's own where its network is routed to"),
    field("host_port", INT, "the port on the host; 0 when the engine chooses at start, or none is taken"),
    field("container_port", INT, "the port in the container"),
    field("protocol", STR, "tcp, udp or sctp"),
    field("wildcard", BOOL, "whether it is bound to every address of the host"),
    field("loopback", BOOL, "whether it is bound to loopback only"),
];

const DEVICE: &[Field] = &[
    field("path", STR, "the device on the host"),
    field("permissions", STR, "r, w, m"),
    field("class", STR, "disk, memory, port, kvm, fuse, tun, gpu, sound, input, all, harmless or other"),
];

const ULIMIT: &[Field] =
    &[field("name", STR, "the resource"), field("soft", INT, "the soft limit"), field("hard", INT, "the hard limit")];

const EXEC: &[Field] = &[
    field("id", STR, "the exec's id"),
    field("command", STR, "what runs, secrets taken out"),
    field("privileged", BOOL, "whether it was started with --privileged"),
    field(
        "user",
        STR,
        "the user it was started as, which the engine fills in with the container's where none was asked for",
    ),
    field("root", BOOL, "whether it runs as the container's root"),
    field("running", BOOL, "whether it runs now"),
];

const PROCESS: &[Field] = &[
    field("pid", INT, "on the host"),
    field("executable", STR, "as its own root sees it"),
    field("uid", INT, "on the host"),
];

const REACH: &[Field] = &[
    field("source", STR, "the path on the host"),
    field("reaches", STR, "what lies at or beneath it"),
    field("rw", BOOL, "whether the container may write through it"),
];

const NAMESPACE: &[Field] = &[
    field("kind", STR, "network, pid, ipc or uts"),
    field("with", STR, "host, or the other container; beyond 64 only how many more there are"),
];

const SHARED_VOLUME: &[Field] = &[
    field("volume", STR, "the volume, or the directory of the host that both mount"),
    field("with", STR, "the other container; beyond 64 only how many more there are"),
    field("rw", BOOL, "whether this container may write to it"),
    field("with_rw", BOOL, "whether the other may write to it"),
];

kind! {
    /// A container in any state.
    CONTAINER = "docker.container", "A container in any state; what runs is judged by what is in effect, what does not by its configuration.", &[
    fact("status", STR, "created, running, paused, restarting, removing, exited or dead", "inspect State.Status", GONE),
    fact("running", BOOL, "whether it has processes (paused ones have)", "inspect State", GONE),
    fact("image", STR, "the image as it was asked for", "inspect Config.Image", GONE),
    fact("image_id", STR, "the image's id", "inspect Image", GONE),
    fact("image_reference", STR, "digest, tag, latest (also: no tag), or id", "inspect Config.Image", GONE),
    fact("project", OPT_STR, "the Compose project", "inspect Config.Labels", GONE),
    fact("service", OPT_STR, "the Compose or swarm service", "inspect Config.Labels", GONE),
    fact("command", STRINGS, "what it starts, secrets taken out", "inspect Path, Args", GONE),
    fact("user", STR, "the configured user, the image's where none is given; empty is root", "inspect Config.User", GONE),
    fact("root_user", BOOL, "whether its first process is user 0 inside the container", "/proc/PID/status and uid_map; inspect Config.User when it does not run", "a user name that could not be resolved to a number, or /proc could not be read"),
    fact("root_on_host", BOOL, "whether user 0 inside is user 0 of the host", "/proc/PID/uid_map; inspect HostConfig.UsernsMode and the daemon when it does not run", UNSEEN),
    fact("userns_host", BOOL, "whether it opted out of the daemon's user namespace", "inspect HostConfig.UsernsMode", GONE),
    fact("privileged", BOOL, "started with --privileged", "inspect HostConfig.Privileged", GONE),
    fact("capabilities", STRINGS, "capabilities that its processes can hold, without CAP_", "/proc/PID/status CapBnd; inspect HostConfig when it does not run", UNSEEN),
    fact("capabilities_added", STRINGS, "those beyond the engine's fourteen defaults", "/proc/PID/status CapBnd; inspect HostConfig when it does not run", UNSEEN),
    fact("no_new_privileges", BOOL, "whether its processes cannot gain privileges by setuid programs", "/proc/PID/status NoNewPrivs; inspect HostConfig.SecurityOpt and the daemon's default when it does not run", UNSEEN),
    fact("seccomp", STR, "default, custom or unconfined; a profile that lets every call through is unconfined", "/proc/PID/status Seccomp, inspect HostConfig.SecurityOpt", UNSEEN),
    fact("apparmor", OPT_STR, "the AppArmor profile in effect or configured; unconfined where there is none, with (complain) behind one that only logs; null where the kernel has no AppArmor", "/proc/PID/attr; inspect AppArmorProfile and HostConfig.SecurityOpt when it does not run", UNSEEN),
    fact("selinux", OPT_STR, "the SELinux label in effect or configured; unconfined where labels are off; null where the kernel has no SELinux", "/proc/PID/attr; inspect ProcessLabel and HostConfig.SecurityOpt", UNSEEN),
    fact("cgroup_writable", BOOL, "whether control groups are mounted in it so that they can be written to", "/proc/PID/mountinfo; inspect HostConfig.SecurityOpt, Privileged when it does not run", UNSEEN),
    fact("masked_paths", BOOL, "whether the kernel's dangerous files under /proc and /sys are masked", "inspect HostConfig.MaskedPaths, ReadonlyPaths", GONE),
    fact("network_mode", STR, "as configured", "inspect HostConfig.NetworkMode", GONE),
    fact("networks", STRINGS, "networks that it is attached to", "inspect NetworkSettings.Networks", GONE),
    fact("default_bridge", BOOL, "whether it is attached to the default bridge", "inspect HostConfig.NetworkMode, NetworkSettings.Networks", GONE),
    fact("host_network", BOOL, "whether it is in the host's network namespace, also through another container", "/proc/PID/ns/net; inspect HostConfig.NetworkMode when it does not run", UNSEEN),
    fact("host_pid", BOOL, "whether it is in the host's pid namespace, also through another container", "/proc/PID/ns/pid; inspect HostConfig.PidMode when it does not run", UNSEEN),
    fact("host_ipc", BOOL, "whether it is in the host's IPC namespace, also through another container", "/proc/PID/ns/ipc; inspect HostConfig.IpcMode when it does not run", UNSEEN),
    fact("host_uts", BOOL, "whether it is in the host's UTS namespace", "/proc/PID/ns/uts; inspect HostConfig.UTSMode when it does not run", UNSEEN),
    fact("host_cgroupns", BOOL, "whether it is in the host's cgroup namespace", "/proc/PID/ns/cgroup; inspect HostConfig.CgroupnsMode when it does not run", UNSEEN),
    fact("joins", STRINGS, "containers whose namespaces it joined, with the kind: network:web", "inspect HostConfig NetworkMode, PidMode, IpcMode", GONE),
    fact("mounts", Type::List(&Type::Object(MOUNT)), "what is mounted into it", "inspect Mounts; /proc/PID/mountinfo", GONE),
    fact("runtime_sockets", Type::List(&Type::Object(REACH)), "sockets of container engines that its mounts reach", "mounts against the known sockets", "its mounts are unknown").derived(),
    fact("sensitive_mounts", Type::List(&Type::Object(REACH)), "directories of the host that decide over it and that its mounts reach", "mounts against the known directories", "its mounts are unknown").derived(),
    fact("shared_propagation", STRINGS, "mounts whose changes spread to the host", "mounts", "its mounts are unknown").derived(),
    fact("devices", Type::List(&Type::Object(DEVICE)), "host devices that it may use", "inspect HostConfig.Devices, DeviceRequests, DeviceCgroupRules", GONE),
    fact("all_devices", BOOL, "whether it may use every device of the host", "inspect HostConfig; devices.list on cgroup v1", GONE),
    fact("readonly_rootfs", BOOL, "whether its root file system is read-only", "/proc/PID/mountinfo; inspect HostConfig.ReadonlyRootfs when it does not run", UNSEEN),
    fact("memory_limit", OPT_INT, "the smallest memory limit in effect up to the engine's own cgroup; null is none", "cgroup memory.max or memory.limit_in_bytes; inspect HostConfig.Memory when it does not run", "its cgroup could not be read").unit("bytes"),
    fact("memory_swap_limit", OPT_INT, "memory and swap together; null is no limit", "cgroup; inspect HostConfig.MemorySwap when it does not run", "its cgroup could not be read").unit("bytes"),
    fact("memory_used", OPT_INT, "memory in use now; null when it does not run", "cgroup memory.current or memory.usage_in_bytes", "its cgroup could not be read").unit("bytes"),
    fact("memory_peak", OPT_INT, "the most memory it used; null when it does not run or the kernel keeps no peak", "cgroup memory.peak or memory.max_usage_in_bytes", "its cgroup could not be read").unit("bytes"),
    fact("oom_kill_disabled", BOOL, "whether the kernel may not end it when it runs out of memory", "inspect HostConfig.OomKillDisable", GONE),
    fact("cpu_limited", BOOL, "whether its CPU time is bounded or weighted: quota, CPU set, or shares other than the default", "cgroup cpu.max, cpu.weight, cpuset; inspect HostConfig when it does not run", "its cgroup could not be read"),
    fact("cpu_quota", OPT_INT, "CPU time in thousandths of a CPU; null is no quota", "cgroup cpu.max or cpu.cfs_quota_us; inspect HostConfig when it does not run", "its cgroup could not be read").unit("millicpu"),
    fact("cpu_shares", INT, "relative weight as configured; 0 is the default", "inspect HostConfig.CpuShares", GONE),
    fact("pids_limit", OPT_INT, "the most processes; null is none", "cgroup pids.max; inspect HostConfig.PidsLimit when it does not run", "its cgroup could not be read"),
    fact("pids_used", OPT_INT, "processes and threads now; null when it does not run", "cgroup pids.current", "its cgroup could not be read"),
    fact("pids_peak", OPT_INT, "the most processes and threads it had; null when it does not run or the kernel keeps no peak", "cgroup pids.peak", "its cgroup could not be read"),
    fact("cgroup_parent", STR, "the configured cgroup parent; empty is the engine's default", "inspect HostConfig.CgroupParent", GONE),
    fact("ulimits", Type::List(&Type::Object(ULIMIT)), "limits of its own", "inspect HostConfig.Ulimits", GONE),
    fact("restart_policy", STR, "no, on-failure, always or unless-stopped", "inspect HostConfig.RestartPolicy", GONE),
    fact("restart_max", INT, "tries of on-failure; 0 is without end", "inspect HostConfig.RestartPolicy", GONE),
    fact("stop_timeout", OPT_INT, "how long the engine waits for it to end before it is killed, as configured; null is the engine's default", "inspect Config.StopTimeout", GONE).unit("seconds"),
    fact("swarm_task", BOOL, "whether swarm made it and makes it anew", "inspect Config.Labels", GONE),
    fact("restarts", INT, "how often the engine has restarted it", "inspect RestartCount", GONE),
    fact("auto_remove", BOOL, "whether the engine removes it when it ends", "inspect HostConfig.AutoRemove", GONE),
    fact("packet_filter", ADMITS, "what the packet filter does with connections to published ports, as far as its rules are certain", NF_TABLES, RULES),
    fact("ports", Type::List(&Type::Object(PORT)), "ports published on the host", "inspect NetworkSettings.Ports; HostConfig.PortBindings when it does not run; its swarm service", GONE),
    fact("exposed_ports", STRINGS, "ports that it declares, published or not", "inspect Config.ExposedPorts", GONE),
    fact("healthcheck", BOOL, "whether a health check is in force", "inspect Config.Healthcheck", GONE),
    fact("health", OPT_STR, "healthy, unhealthy or starting; null without a check, and where it does not run", "inspect State.Health", GONE),
    fact("log_driver", STR, "its log driver", "inspect HostConfig.LogConfig", GONE),
    fact("log_bounded", BOOL, "whether what it logs is bounded on disk, or goes elsewhere", "inspect HostConfig.LogConfig", GONE),
    fact("runtime", STR, "the OCI runtime", "inspect HostConfig.Runtime", GONE),
    fact("sandboxed", BOOL, "whether the runtime gives it a kernel of its own, by the runtime's executable", "inspect HostConfig.Runtime, GET /info Runtimes", "the runtime's executable is not known"),
    fact("env_names", STRINGS, "names of its environment variables", "inspect Config.Env", GONE),
    fact("env_secrets", SECRETS, "secrets in its environment", "inspect Config.Env", GONE),
    fact("config_secrets", SECRETS, "secrets in its command, health check, labels and log options", "inspect Config, HostConfig", GONE),
    fact("sysctls", STRINGS, "kernel settings of its own namespaces", "inspect HostConfig.Sysctls", GONE),
    fact("groups_added", STRINGS, "further groups of its first process", "inspect HostConfig.GroupAdd", GONE),
    fact("links", STRINGS, "legacy links to other containers", "inspect HostConfig.Links", GONE),
    fact("execs", Type::List(&Type::Object(EXEC)), "commands started in it by exec that still exist", "inspect ExecIDs, GET /exec/ID/json", GONE),
    fact("processes", Type::List(&Type::Object(PROCESS)), "its processes, at most 64 of them", "the cgroup's processes, /proc", UNSEEN),
    fact("ssh_servers", STRINGS, "processes in it that are SSH servers, by executable and listening socket", "the cgroup's processes, /proc", UNSEEN),
    fact("changed_files", OPT_INT, "files changed since it was created; null without --deep", "GET /containers/ID/changes", GONE),
    fact("shares_namespaces", Type::List(&Type::Object(NAMESPACE)), "namespaces that it shares with the host or with other containers, whoever of the two joined", "host_network, host_pid, host_ipc, host_uts; joins of all containers", "one of its own namespaces, or what another container joined, is unknown").derived(),
    fact("shares_volumes", Type::List(&Type::Object(SHARED_VOLUME)), "volumes that it shares with other containers, writers first, and directories of the host that two mount and one may write to", "mounts of all containers", "its mounts, or another container's, are unknown").derived(),
    fact("shares_kernel", BOOL, "whether it runs on the host's kernel, as others do", "sandboxed", "the runtime's executable is not known").derived(),
    fact("exposure", STR, "how far its widest published port is reached: none, loopback, host-link (published on loopback by an engine before 28, or on a bridge where the engine filters nothing, which hosts on the same link reach), address (some of the host's, or one of its own), everywhere; of one that does not run, after its next start", "ports and networks of the container whose network namespace it is in; the engine's version, iptables and ip6tables", "its ports are unknown, or it listens in the host's network").derived(),
    fact("all_ports_open", BOOL, "whether whatever listens in it is reached from outside of the host, published or not: on macvlan and ipvlan, on a bridge with nat-unprotected, and where the engine filters nothing (iptables off, ip6tables off with IPv6)", "networks of the container whose network namespace it is in; the engine's version, iptables and ip6tables", "one of its networks, or whether the engine filters, is unknown").derived(),
    fact("equal_to_root", STRINGS, "why its code can take the host as root; empty when nothing known allows it", "its other facts", "a fact that decides is unknown").derived(),
]}
