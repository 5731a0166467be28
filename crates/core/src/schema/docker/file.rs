//! Files, directories and sockets that the benchmark names.

use super::{BOOL, INT, OPT_STR, STR, STRINGS};
use crate::schema::{fact, kind};

const UNREAD: &str = "the engine is not on this machine, or the right to look is missing";
const AUDIT: &str = "the kernel's rules could not be read: no right (CAP_AUDIT_CONTROL in the first pid namespace), or not this machine";

kind! {
    /// A path that the benchmark names, in its role.
    FILE = "docker.file", "A file, directory or socket that decides over the engine, by the role that it plays.", &[
    fact("role", STR, "what it is: docker-service, docker-service-drop-in, docker-socket-unit, docker-socket-drop-in, containerd-service, etc-docker, registry-certificate, tls-ca, tls-certificate, tls-key, docker-socket, daemon-json, default-docker, sysconfig-docker, containerd-socket, containerd-config, dockerd, containerd, containerd-shim, containerd-shim-runc-v1, containerd-shim-runc-v2, runc, data-root, run-containerd", "the engine's own settings; else the usual place", "never"),
    fact("path", STR, "where it is, links resolved", "the engine's own settings; else the usual place", "never"),
    fact("exists", BOOL, "whether it is there", "the file system", UNREAD),
    fact("type", OPT_STR, "file, directory, socket, link or other; null when it is not there", "the file system", UNREAD),
    fact("uid", INT, "the owner's number", "the file system", UNREAD),
    fact("gid", INT, "the group's number", "the file system", UNREAD),
    fact("owner", STR, "the owner's name, or its number", "the file system, /etc/passwd", UNREAD),
    fact("group", STR, "the group's name, or its number", "the file system, /etc/group", UNREAD),
    fact("owned_by_daemon", BOOL, "whether it belongs to the user that a rootless daemon runs as", "the file system, /proc/PID/status", "the daemon's process is not known, or the right to look is missing"),
    fact("mode", INT, "the permission bits, compared by bits: mode.within(0644) has no bit outside 0644", "the file system", UNREAD).unit("octal bits"),
    fact("acl", STRINGS, "entries of its access control list that grant more than its mode does", "system.posix_acl_access", UNREAD),
    fact("drop_ins", STRINGS, "drop-ins that systemd merges into a unit", "systemd's unit directories", UNREAD),
    fact("audited", BOOL, "whether the kernel logs every write and attribute change of it (of all in it, for a directory)", "audit netlink", AUDIT),
    fact("audited_by", STRINGS, "the kernel's rules that cover it, at least in part", "audit netlink", AUDIT),
    fact("audit_on_disk", BOOL, "whether the rule files hold such a rule too, so that it survives a reboot", "/etc/audit/rules.d, /etc/audit/audit.rules", "the rule files could not be read"),
]}
