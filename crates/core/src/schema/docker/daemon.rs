//! The engine's daemon.

use super::{ADMITS, BOOL, FLAWS, INT, NF_TABLES, OPT_STR, RULES, SECRETS, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const LISTENER: &[Field] = &[
    field("address", STR, "as the daemon has it: unix:///run/docker.sock, tcp://0.0.0.0:2376"),
    field("transport", STR, "unix, tcp or fd"),
    field("tls", STR, "none, tls (the client is not verified) or mutual; none for a unix socket"),
    field("loopback", BOOL, "whether only this machine reaches it"),
    field("serves", STR, "api, metrics, debug or swarm"),
];

const CERT: &[Field] = &[
    field("path", STR, "the certificate"),
    field("begins_in_days", INT, "days from collecting to when it begins to hold; 0 when it has begun"),
    field("expires_in_days", INT, "days from collecting to its end; negative when it has passed"),
];

const ULIMIT: &[Field] = &[
    field("name", STR, "the resource: nofile, nproc, …"),
    field("soft", INT, "the soft limit"),
    field("hard", INT, "the hard limit"),
];

const DIFFERENCE: &[Field] = &[
    field("name", STR, "the setting"),
    field("configured", STR, "what daemon.json and the arguments say now"),
    field("active", STR, "what is in effect"),
];

const REGISTRY: &[Field] = &[
    field("address", STR, "the registry or mirror"),
    field("insecure", BOOL, "plain HTTP, or TLS that is not verified"),
];

const ENGINE: &str = "the engine did not answer";
const EFFECT: &str =
    "the engine does not report it, and its arguments or daemon.json could not be read or changed after it started";

const COMMANDER: &[Field] = &[
    field("who", STR, "a user, a container, or whoever else; beyond 64 of a kind only how many more there are"),
    field(
        "how",
        STR,
        "by what: the socket's owner, group, mode or access list, a TCP listener, a mounted socket, sudo",
    ),
];

kind! {
    /// The engine's daemon.
    DAEMON = "docker.daemon", "The daemon that serves the engine's API, with its settings in effect.", &[
    fact("engine", STR, "docker, podman or another", "GET /version", ENGINE),
    fact("version", STR, "the engine's version", "GET /version", ENGINE),
    fact("engine_id", STR, "a fingerprint of the engine's own id and its data directory: the same for the same engine", "GET /info ID, DockerRootDir", ENGINE),
    fact("api_version", STR, "the newest API that it speaks", "GET /version", ENGINE),
    fact("package_version", OPT_STR, "the version of the package that owns the daemon's executable; null when none does", "dpkg, apk or rpm database", "the database could not be read"),
    fact("containerd_version", STR, "containerd's version", "GET /version Components", ENGINE),
    fact("runc_version", STR, "the default runtime's version", "GET /version Components", ENGINE),
    fact("engine_flaws", FLAWS, "known flaws that this engine version still has", "version against the catalogue's table", "the version or the table's date does not allow an answer").derived(),
    fact("containerd_flaws", FLAWS, "known flaws that this containerd version still has", "version against the catalogue's table", "the version or the table's date does not allow an answer").derived(),
    fact("runc_flaws", FLAWS, "known flaws that this runc version still has", "version against the catalogue's table", "the version or the table's date does not allow an answer").derived(),
    fact("pid", INT, "its process", "who holds the socket; else the pid file", "it is not on this machine or could not be found"),
    fact("executable", STR, "its executable", "/proc/PID/exe", "it is not on this machine or could not be found"),
    fact("uid", INT, "the user it runs as", "/proc/PID/status", "it is not on this machine or could not be found"),
    fact("arguments", STRINGS, "its arguments, secrets taken out", "/proc/PID/cmdline", "it is not on this machine or could not be found"),
    fact("config_file", OPT_STR, "the daemon.json that it uses; null when there is none", "its arguments", "it could not be found"),
    fact("config_digest", OPT_STR, "a fingerprint of what daemon.json holds: 16 hexadecimal digits; null when there is none", "daemon.json", "it could not be read"),
    fact("config_keys", STRINGS, "names of the settings that daemon.json holds, also of those without effect", "daemon.json", "it could not be read, or the engine would refuse it"),
    fact("config_changed_since_start", BOOL, "whether daemon.json changed after the daemon started", "mtime and ctime against the start", "the file or the daemon's start could not be read"),
    fact("configured_not_active", Type::List(&Type::Object(DIFFERENCE)), "settings that are configured otherwise than they are in effect", "daemon.json, arguments, GET /info", EFFECT),
    fact("rootless", BOOL, "whether it runs without root's rights on the host", "GET /info SecurityOptions", ENGINE),
    fact("userns", BOOL, "whether containers' users are mapped away from the host's by default", "GET /info SecurityOptions", ENGINE),
    fact("icc", BOOL, "whether containers on the default bridge reach each other; false too where there is no default bridge", "GET /networks/bridge Options", "the default bridge could not be read"),
    fact("default_bridge", BOOL, "whether the default bridge exists", "GET /networks", ENGINE),
    fact("log_level", STR, "the level of the daemon's own log", "arguments, daemon.json", EFFECT),
    fact("iptables", BOOL, "whether it manages the packet filter", "arguments, daemon.json", EFFECT),
    fact("ip6tables", BOOL, "whether it manages the packet filter for IPv6", "arguments, daemon.json; on by default from 27", EFFECT),
    fact("insecure_registries", STRINGS, "registries that it talks to without verified TLS, loopback apart", "GET /info RegistryConfig", ENGINE),
    fact("registry_mirrors", Type::List(&Type::Object(REGISTRY)), "mirrors that it pulls through", "GET /info RegistryConfig", ENGINE),
    fact("storage_driver", STR, "the storage driver", "GET /info Driver", ENGINE),
    fact("containerd_store", BOOL, "whether images lie in containerd's store", "GET /info DriverStatus", ENGINE),
    fact("base_device_size", OPT_STR, "dm.basesize where it is set", "arguments, daemon.json storage-opts", EFFECT),
    fact("packet_filter", ADMITS, "what the packet filter does with connections to its TCP listeners, as far as its rules are certain", NF_TABLES, RULES),
    fact("listeners", Type::List(&Type::Object(LISTENER)), "every socket that the daemon listens on", "/proc/PID/fd and its network namespace", "it could not be found, or its sockets could not be read"),
    fact("api_certificates", Type::List(&Type::Object(CERT)), "certificates of its TLS listeners", "the files that it was given", "they could not be read"),
    fact("metrics_address", OPT_STR, "where it serves metrics; null when it does not", "arguments, daemon.json", EFFECT),
    fact("debug", BOOL, "whether debug mode is on, which opens /debug endpoints", "GET /info Debug", ENGINE),
    fact("default_ulimits", Type::List(&Type::Object(ULIMIT)), "limits given to containers that set none", "arguments, daemon.json", EFFECT),
    fact("cgroup_parent", OPT_STR, "the cgroup under which containers are put when it is not the default", "arguments, daemon.json", EFFECT),
    fact("cgroup_driver", STR, "systemd, cgroupfs or none", "GET /info CgroupDriver", ENGINE),
    fact("authorization_plugins", STRINGS, "authorization plugins in effect", "GET /info Plugins.Authorization", ENGINE),
    fact("log_driver", STR, "the default log driver", "GET /info LoggingDriver", ENGINE),
    fact("log_options", STRINGS, "names of the default log driver's options, with the values of max-size and max-file", "arguments, daemon.json", EFFECT),
    fact("log_bounded", BOOL, "whether the default log driver's files are bounded in size", "the driver and its options", EFFECT),
    fact("log_central", BOOL, "whether the default log driver sends logs off the host", "GET /info LoggingDriver", ENGINE),
    fact("no_new_privileges", BOOL, "whether containers get no-new-privileges by default", "GET /info SecurityOptions (from 23); arguments, daemon.json", EFFECT),
    fact("live_restore", BOOL, "whether containers keep running while the daemon is down", "GET /info LiveRestoreEnabled", ENGINE),
    fact("userland_proxy", BOOL, "whether published ports get a proxy process", "GET /info FirewallBackend (29); arguments, daemon.json", EFFECT),
    fact("seccomp_profile", STR, "builtin, a path, or unconfined", "GET /info SecurityOptions", ENGINE),
    fact("seccomp_profile_allows_all", BOOL, "whether the default profile lets every call through", "the profile's file", "the file could not be read"),
    fact("apparmor", BOOL, "whether the engine uses AppArmor", "GET /info SecurityOptions", ENGINE),
    fact("selinux", BOOL, "whether the engine labels containers for SELinux", "GET /info SecurityOptions", ENGINE),
    fact("experimental", BOOL, "whether experimental features are on", "GET /info ExperimentalBuild", ENGINE),
    fact("default_runtime", STR, "the runtime of containers that name none", "GET /info DefaultRuntime", ENGINE),
    fact("default_cgroupns", STR, "host or private", "arguments, daemon.json; the engine's default", EFFECT),
    fact("default_ipc", STR, "private or shareable", "arguments, daemon.json; the engine's default", EFFECT),
    fact("proxy_credentials", BOOL, "whether a proxy URL of the daemon holds credentials", "GET /info HttpProxy, HttpsProxy", ENGINE),
    fact("config_secrets", SECRETS, "secrets in daemon.json and the daemon's arguments", "daemon.json, /proc/PID/cmdline", "they could not be read"),
    fact("socket_mounted_by", STRINGS, "containers that hold one of the engine's sockets", "mounts of all containers", "a container's mounts are unknown").derived(),
    fact("commanders", Type::List(&Type::Object(COMMANDER)), "who may command the engine, which is as much as root on its host", "the sockets' owner, group, mode and access list, the group's members, listeners, mounted sockets, sudo rules", "never as a whole: what is not known of it is an unknown among the others").derived(),
    fact("swarm", STR, "inactive, pending, active, error or locked", "GET /info Swarm.LocalNodeState", ENGINE),
    fact("swarm_manager", BOOL, "whether this engine is a manager", "GET /info Swarm.ControlAvailable", ENGINE),
    fact("swarm_listen", STRINGS, "addresses on which swarm listens", "the daemon's sockets", "its sockets could not be read"),
    fact("plugins", STRINGS, "managed plugins, with whether each is enabled", "GET /plugins", ENGINE),
    fact("warnings", STRINGS, "warnings of the engine about its own host", "GET /info Warnings", ENGINE),
]}
