//! The host beneath an engine, and the docker client of each of its users.

use super::{ADMITS, AUDIT_LOG, AUDIT_LOG_SINCE, BOOL, FLAWS, INT, NF_TABLES, OPT_INT, OPT_STR, RULES, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const REMOTE: &str = "the engine is not on this machine, or the file could not be read";

const SUDO: &[Field] = &[
    field("who", STR, "the user, or a group with a leading %"),
    field("commands", STR, "the commands that the rule allows"),
    field("password", BOOL, "whether sudo asks for the user's password"),
    field("source", STR, "file and line"),
];

const KEYS: &[Field] = &[
    field("user", STR, "whose login the keys open"),
    field("count", INT, "how many keys"),
    field("path", STR, "the file"),
    field(
        "writable_by_others",
        BOOL,
        "whether somebody else than the user and root may write the file, or put another in its place",
    ),
];

const SETTING: &[Field] = &[field("name", STR, "the sysctl"), field("value", STR, "its value in the running kernel")];

const PACKAGE: &[Field] = &[field("name", STR, "the package"), field("version", STR, "its installed version")];

const LISTENER: &[Field] = &[
    field("address", STR, "the address and port, or the path"),
    field("process", STR, "the process that listens; empty when it could not be read"),
    field("loopback", BOOL, "whether only this machine reaches it"),
];

const ADDRESS: &[Field] = &[
    field("interface", STR, "the interface"),
    field("address", STR, "the address, without the length of its prefix"),
    field("global", BOOL, "whether the internet routes addresses of its kind"),
];

kind! {
    /// The host beneath an engine.
    HOST = "docker.host", "The machine that the engine and its containers run on.", &[
    fact("machine", STR, "a fingerprint of the machine's id: the same for the same installation", "/etc/machine-id", REMOTE),
    fact("os", OPT_STR, "the distribution and its version, as it calls itself", "/etc/os-release", REMOTE),
    fact("kernel", STR, "the kernel's release", "/proc/sys/kernel/osrelease; GET /info KernelVersion", REMOTE),
    fact("kernel_flaws", FLAWS, "known container escapes that this kernel version still has", "kernel against the catalogue's table", "the version or the table's date does not allow an answer").derived(),
    fact("lsms", STRINGS, "the Linux security modules in force", "/sys/kernel/security/lsm", REMOTE),
    fact("apparmor", BOOL, "whether AppArmor is enabled in the running kernel", "/sys/module/apparmor/parameters/enabled; GET /info SecurityOptions", REMOTE),
    fact("selinux", BOOL, "whether SELinux is enabled in the running kernel", "/sys/fs/selinux", REMOTE),
    fact("selinux_enforcing", BOOL, "whether SELinux enforces its policy", "/sys/fs/selinux/enforce", REMOTE),
    fact("cgroup_version", INT, "1 or 2", "/proc/self/mountinfo; GET /info CgroupVersion", REMOTE),
    fact("sysctls", Type::List(&Type::Object(SETTING)), "kernel settings that matter to isolation", "/proc/sys", REMOTE),
    fact("swap_total", INT, "swap space", "/proc/meminfo", REMOTE).unit("bytes"),
    fact("memory_total", INT, "memory", "/proc/meminfo; GET /info MemTotal", REMOTE).unit("bytes"),
    fact("cpus", INT, "processors", "GET /info NCPU", REMOTE),
    fact("packages", Type::List(&Type::Object(PACKAGE)), "installed packages that matter to containers", "dpkg, apk or rpm database", REMOTE),
    fact("data_root", STR, "the directory where the engine keeps images, containers and volumes", "GET /info DockerRootDir", "the engine did not say"),
    fact("layers_dir", STR, "the directory that holds the image layers in effect: containerd's with the containerd image store", "GET /info, containerd's configuration", "the engine did not say, or containerd's configuration could not be read"),
    fact("data_root_separate", BOOL, "whether the data directory lies on a file system of its own", "device ids of the directory and its parent", REMOTE),
    fact("layers_separate", BOOL, "whether the image layers lie on a file system of their own", "device ids of the directory and its parent", REMOTE),
    fact("docker_group", BOOL, "whether a group docker exists", "/etc/group", REMOTE),
    fact("docker_group_gid", OPT_INT, "its number; null when it does not exist", "/etc/group", REMOTE),
    fact("docker_group_members", STRINGS, "users who are in group docker, by supplementary and by primary group, root apart", "/etc/group, /etc/passwd", "a file could not be read, or accounts come from further sources and none was found in the files"),
    fact("account_sources", STRINGS, "sources of accounts beyond the files", "/etc/nsswitch.conf", REMOTE),
    fact("socket_group_members", STRINGS, "users who may command the engine through the group that owns its socket, root apart", "/etc/group, /etc/passwd, the socket", REMOTE),
    fact("sudo_docker", Type::List(&Type::Object(SUDO)), "sudo rules by which somebody may run docker as root without being root", "/etc/sudoers and its includes", "a file could not be read or understood"),
    fact("sshd_installed", BOOL, "whether an SSH server is installed", "/usr/sbin/sshd", REMOTE),
    fact("ssh_password", BOOL, "whether the SSH server lets in by a password alone, keyboard-interactive by PAM among them, in any Match block", "/etc/ssh/sshd_config and its includes", REMOTE),
    fact("ssh_root", STR, "PermitRootLogin in effect, the loosest of all Match blocks", "/etc/ssh/sshd_config and its includes", REMOTE),
    fact("ssh_empty_passwords", BOOL, "whether the SSH server takes empty passwords", "/etc/ssh/sshd_config and its includes", REMOTE),
    fact("ssh_keys", Type::List(&Type::Object(KEYS)), "who has keys", "authorized_keys of each user", "a home could not be read"),
    fact("addresses", Type::List(&Type::Object(ADDRESS)), "the addresses at which the engine's host is reached, those of loopback and of containers' networks apart", "rtnetlink, in the engine's network namespace", REMOTE),
    fact("packet_filter", ADMITS, "what the packet filter does with connections to the host's listeners, as far as its rules are certain", NF_TABLES, RULES),
    fact("listeners", Type::List(&Type::Object(LISTENER)), "TCP sockets that listen in the host's network namespace", "/proc/net/tcp, /proc/net/tcp6", REMOTE),
    fact("audit_enabled", BOOL, "whether the kernel records audit events", "audit netlink", "no right (CAP_AUDIT_CONTROL in the first pid namespace), or not this machine"),
    fact("audit_immutable", BOOL, "whether the kernel's rules can be changed by a reboot alone", "audit netlink", "no right (CAP_AUDIT_CONTROL in the first pid namespace), or not this machine"),
    fact("audit_rules", OPT_INT, "rules that the kernel holds", "audit netlink", "no right (CAP_AUDIT_CONTROL in the first pid namespace), or not this machine"),
    AUDIT_LOG,
    AUDIT_LOG_SINCE,
    fact("images_total", INT, "images on the host", "GET /images/json", "the engine did not say"),
    fact("images_unused", INT, "images that no container uses", "GET /images/json, GET /containers/json", "the engine did not say"),
    fact("containers_total", INT, "containers in any state", "GET /containers/json", "the engine did not say"),
    fact("containers_running", INT, "containers that run or are paused", "GET /containers/json", "the engine did not say"),
]}

const CONTEXT: &[Field] = &[
    field("name", STR, "the context"),
    field("host", STR, "its endpoint, without credentials"),
    field("tls", STR, "none, unverified, tls or mutual"),
];

const KEY_FILE: &[Field] = &[
    field("path", STR, "the file"),
    field("mode", STR, "its mode, octal"),
    field("others_read", BOOL, "whether group or others may read it"),
];

const UNREADABLE_HOME: &str = "the user's home could not be read";

kind! {
    /// The docker client of one user.
    CLIENT = "docker.client", "The docker client of one user of the host: configuration, credentials, contexts.", &[
    fact("user", STR, "whose client it is", "/etc/passwd", "never"),
    fact("home", STR, "the home directory", "/etc/passwd", "never"),
    fact("config", OPT_STR, "the client's configuration file", "~/.docker/config.json", UNREADABLE_HOME),
    fact("config_mode", OPT_STR, "its mode, octal", "~/.docker/config.json", UNREADABLE_HOME),
    fact("config_exposed", BOOL, "whether somebody else than the user and root may read or write it, or put another in its place", "~/.docker/config.json, the directories on the way", UNREADABLE_HOME),
    fact("plain_credentials", STRINGS, "registries whose credentials lie there in plain text", "~/.docker/config.json auths", UNREADABLE_HOME),
    fact("credential_store", OPT_STR, "the credential store", "~/.docker/config.json credsStore", UNREADABLE_HOME),
    fact("proxy_credentials", BOOL, "whether a proxy URL in it holds credentials", "~/.docker/config.json proxies", UNREADABLE_HOME),
    fact("contexts", Type::List(&Type::Object(CONTEXT)), "the contexts", "~/.docker/contexts", UNREADABLE_HOME),
    fact("docker_host", OPT_STR, "DOCKER_HOST in the user's or the host's profiles, without credentials", "profiles and environment files", UNREADABLE_HOME),
    fact("key_files", Type::List(&Type::Object(KEY_FILE)), "private keys of contexts, certificate directories and content trust", "~/.docker", UNREADABLE_HOME),
    fact("content_trust", BOOL, "whether DOCKER_CONTENT_TRUST=1 is exported for the user's shells", "profiles and environment files", UNREADABLE_HOME),
    fact("cli_version", OPT_STR, "the docker client's version; null when none is installed", "package database", "no package owns the client"),
    fact("cli_honours_trust", BOOL, "whether this client still honours content trust: before 29", "the client's version", "the client's version is unknown"),
]}
