//! The controls of the level baseline.

use std::sync::Arc;

use super::reading::{Found, Part, itself, text};
use super::{Control, Level, Pod, Revision};
use crate::value::Value;

const fn control(name: &'static str, revisions: &'static [Revision]) -> Control {
    Control { name, level: Level::Baseline, revisions, instead_of: None }
}

const fn since(since: u32, judge: fn(&Pod<'_>, &mut Found)) -> Revision {
    Revision { since, judge }
}

pub(super) static CONTROLS: &[Control] = &[
    control("apparmor-profile", &[since(0, apparmor)]),
    control("capabilities-baseline", &[since(0, capabilities)]),
    control("host-namespaces", &[since(0, host_namespaces)]),
    control("host-path-volumes", &[since(0, host_paths)]),
    control("host-ports", &[since(0, host_ports)]),
    control("host-probes-and-lifecycle", &[since(34, probe_hosts)]),
    control("privileged", &[since(0, privileged)]),
    control("proc-mount", &[since(0, proc_mount), since(35, proc_mount_of_node_users)]),
    control("seccomp-baseline", &[since(0, seccomp_annotations), since(19, seccomp)]),
    control("selinux-options", &[since(0, selinux), since(31, selinux_with_engines)]),
    control(
        "sysctls",
        &[
            since(0, |pod, found| sysctls(pod, found, 0)),
            since(27, |pod, found| sysctls(pod, found, 27)),
            since(29, |pod, found| sysctls(pod, found, 29)),
            since(32, |pod, found| sysctls(pod, found, 32)),
            since(37, |pod, found| sysctls(pod, found, 37)),
        ],
    ),
    control("windows-host-process", &[since(0, host_process)]),
];

/// What is wrong with a truth value that is true.
fn is_true(what: &'static str) -> impl FnOnce(&Value) -> Option<String> {
    move |value| (value == &Value::Bool(true)).then(|| format!("{what} is true"))
}

fn privileged(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| found.forbid(container, "privileged", is_true("privileged")));
}

fn host_namespaces(pod: &Pod<'_>, found: &mut Found) {
    found.forbid(itself(pod), "host_network", is_true("hostNetwork"));
    found.forbid(itself(pod), "host_pid", is_true("hostPID"));
    found.forbid(itself(pod), "host_ipc", is_true("hostIPC"));
}

fn host_paths(pod: &Pod<'_>, found: &mut Found) {
    found.forbid_any(itself(pod), "volumes", |volume| {
        let name = text(volume, "name")?;
        Ok((text(volume, "type")? == "hostPath").then(|| format!("volume {name} is a hostPath")))
    });
}

fn host_ports(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| {
        found.forbid_any(container, "ports", |port| match port.field("host_port") {
            Some(Value::Unknown(reason)) => Err(Arc::clone(reason)),
            Some(Value::Int(port)) if *port != 0 => Ok(Some(format!("hostPort {port}"))),
            _ => Ok(None),
        });
    });
}

/// Capabilities of the default set that may be added back.
pub(crate) const ALLOWED: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn capabilities(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| {
        found.forbid_any(container, "capabilities_added", |name| {
            let name = name.as_str().unwrap_or_default();
            Ok((!ALLOWED.contains(&name)).then(|| format!("adds {name}")))
        });
    });
}

fn apparmor(pod: &Pod<'_>, found: &mut Found) {
    let wrong = |value: &Value| match value {
        Value::Str(kind) if !matches!(&**kind, "RuntimeDefault" | "Localhost") => {
            Some(format!("AppArmor type {kind:?}"))
        }
        _ => None,
    };
    found.forbid(itself(pod), "apparmor", wrong);
    found.each(pod, |found, container| found.forbid(container, "own_apparmor", wrong));
    found.forbid_any(itself(pod), "apparmor_annotations", |annotation| {
        let (container, profile) = (text(annotation, "container")?, text(annotation, "profile")?);
        let allowed = profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/");
        Ok((!allowed).then(|| format!("annotation: AppArmor profile {profile:?} for {container}")))
    });
}

fn selinux(pod: &Pod<'_>, found: &mut Found) {
    selinux_of(pod, found, &["", "container_t", "container_init_t", "container_kvm_t"]);
}

fn selinux_with_engines(pod: &Pod<'_>, found: &mut Found) {
    selinux_of(pod, found, &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"]);
}

fn selinux_of(pod: &Pod<'_>, found: &mut Found, types: &[&str]) {
    options(found, itself(pod), "selinux", types);
    found.each(pod, |found, container| options(found, container, "own_selinux", types));
}

fn options(found: &mut Found, part: Part<'_>, fact: &'static str, types: &[&str]) {
    let value = part.value(fact);
    let wrong = |field: &'static str, allowed: &[&str]| {
        Ok(Some(text(value, field)?).filter(|t| !allowed.contains(t)).map(|t| format!("SELinux {field} {t}")))
    };
    let mut bad: Vec<String> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    for judged in [wrong("type", types), wrong("user", &[""]), wrong("role", &[""])] {
        match judged {
            Ok(what) => bad.extend(what),
            Err(reason) => {
                unknown.get_or_insert(reason);
            }
        }
    }
    match unknown {
        Some(reason) if bad.is_empty() => found.undecided(part, fact, &reason),
        _ => found.forbid(part, fact, |_| (!bad.is_empty()).then(|| bad.join(", "))),
    }
}

/// What is wrong with a mount of /proc.
pub(super) fn proc_mount(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| {
        found.forbid(container, "proc_mount", |mount| {
            mount.as_str().filter(|mount| *mount != "Default").map(|mount| format!("procMount {mount}"))
        });
    });
}

fn proc_mount_of_node_users(pod: &Pod<'_>, found: &mut Found) {
    found.unless(pod, "host_users", &Value::Bool(false), proc_mount);
}

/// What is wrong with a seccomp type that is set.
pub(super) fn wrong_seccomp(value: &Value) -> Option<String> {
    value
        .as_str()
        .filter(|kind| !matches!(*kind, "RuntimeDefault" | "Localhost"))
        .map(|kind| format!("seccomp type {kind:?}"))
}

fn seccomp(pod: &Pod<'_>, found: &mut Found) {
    found.forbid(itself(pod), "seccomp", wrong_seccomp);
    found.each(pod, |found, container| found.forbid(container, "own_seccomp", wrong_seccomp));
}

/// Before 1.19 there was no field. Annotations of containers that the pod does not have say nothing.
fn seccomp_annotations(pod: &Pod<'_>, found: &mut Found) {
    let names: Vec<&Value> = pod.containers.iter().map(|container| container.value("name")).collect();
    found.forbid_any(itself(pod), "seccomp_annotations", |annotation| {
        let (container, profile) = (text(annotation, "container")?, text(annotation, "profile")?);
        let there = container.is_empty() || names.iter().any(|name| name.as_str() == Some(container));
        let allowed =
            matches!(profile, "runtime/default" | "docker/default") || profile.starts_with("localhost/") || !there;
        let whom = if container.is_empty() { "the pod" } else { container };
        Ok((!allowed).then(|| format!("annotation: seccomp profile {profile:?} for {whom}")))
    });
}

/// Kernel settings that may be set, with the version since which.
const SAFE: [(&str, u32); 14] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
    ("net.ipv4.tcp_slow_start_after_idle", 37),
    ("net.ipv4.tcp_notsent_lowat", 37),
];

fn sysctls(pod: &Pod<'_>, found: &mut Found, minor: u32) {
    found.forbid_any(itself(pod), "sysctls", |sysctl| {
        let name = text(sysctl, "name")?;
        let safe = SAFE.iter().any(|(safe, since)| *safe == name && *since <= minor);
        Ok((!safe).then(|| format!("sysctl {name}")))
    });
}

fn host_process(pod: &Pod<'_>, found: &mut Found) {
    found.forbid(itself(pod), "windows_host_process", is_true("hostProcess"));
    found.each(pod, |found, container| found.forbid(container, "own_windows_host_process", is_true("hostProcess")));
}

fn probe_hosts(pod: &Pod<'_>, found: &mut Found) {
    found.each(pod, |found, container| {
        found.forbid_any(container, "probe_hosts", |host| Ok(host.as_str().map(str::to_owned)));
    });
}
