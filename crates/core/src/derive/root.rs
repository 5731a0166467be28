//! What makes a container's code equal to root on the host.

use std::sync::Arc;

use crate::component::Component;
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// Capabilities that take the host when user 0 inside is user 0 outside.
const TAKING: &[&str] = &["SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"];

/// Directories in which writing makes one root at the next start, login or job, and what lies in them.
const DECISIVE: &[&str] = &[
    "/boot",
    // Terminals of the host, which the device group lets everybody open: `/dev` holds them, `/dev/shm` does not.
    "/dev/pts",
    "/root",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/lib",
    "/etc/apt",
    "/etc/bash.bashrc",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/crontab",
    "/etc/docker",
    "/etc/group",
    "/etc/init.d",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/pam.d",
    "/etc/passwd",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/shadow",
    "/etc/ssh",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/systemd",
    "/etc/udev",
    "/opt/cni",
    "/run/systemd",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/var/spool/cron",
    "/proc",
    "/sys",
];

/// Whether writing beneath a path of the host makes one root: it is one of those directories, lies in one, or holds one.
pub(super) fn is_decisive(path: &str) -> bool {
    let under = crate::predicate::path_is_under;
    DECISIVE.iter().any(|d| under(path, d) || under(d, path))
}

/// Reasons found, and the first fact that would decide further and is unknown.
#[derive(Default)]
struct Reasons {
    found: Vec<String>,
    unknown: Option<Arc<str>>,
}

impl Reasons {
    fn add(&mut self, reason: impl Into<String>) {
        self.found.push(reason.into());
    }

    fn note(&mut self, value: &Value) {
        if let Value::Unknown(reason) = value {
            self.unknown.get_or_insert_with(|| Arc::clone(reason));
        }
    }
}

pub(super) fn derive(target: &mut Target) {
    let kept = super::engine_directories(target);
    for component in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::CONTAINER)) {
        let Reasons { found, unknown } = reasons(component, &kept);
        let source = Source::place("its other facts");
        match unknown {
            Some(reason) if found.is_empty() => component.set_unknown("equal_to_root", reason, source),
            _ => component.set("equal_to_root", Value::strings(found), source),
        }
    }
}

fn reasons(c: &Component, kept: &[String]) -> Reasons {
    let mut out = Reasons::default();
    match c.value("runtime_sockets") {
        Value::List(sockets) if !sockets.is_empty() => {
            let mut paths: Vec<&str> =
                sockets.iter().filter_map(|s| s.field("reaches").and_then(Value::as_str)).collect();
            paths.sort_unstable();
            paths.dedup();
            out.add(format!("holds {}", paths.join(", ")));
        }
        value => out.note(value),
    }
    match c.value("sandboxed") {
        // With a kernel of its own, privileges inside end at the sandbox; sockets and mounts still reach out.
        Value::Bool(true) => {}
        _ => privileges(c, &mut out),
    }
    mounts(c, kept, &mut out);
    out
}

fn privileges(c: &Component, out: &mut Reasons) {
    let mapped = c.value("root_on_host");
    if mapped == &Value::Bool(false) {
        return;
    }
    let before = out.found.len();
    match c.value("privileged") {
        Value::Bool(true) => out.add("privileged"),
        value => out.note(value),
    }
    match c.value("capabilities") {
        Value::List(held) => {
            let held: Vec<&str> = held.iter().filter_map(Value::as_str).collect();
            let taking: Vec<&str> = TAKING.iter().copied().filter(|t| held.contains(t)).collect();
            if !taking.is_empty() {
                out.add(format!("capability {}", taking.join(", ")));
            }
            if held.contains(&"SYS_PTRACE") {
                match c.value("host_pid") {
                    Value::Bool(true) => out.add("SYS_PTRACE in the host's pid namespace"),
                    value => out.note(value),
                }
            }
        }
        value => out.note(value),
    }
    match c.value("all_devices") {
        Value::Bool(true) => out.add("every device of the host"),
        value => out.note(value),
    }
    match c.value("devices") {
        Value::List(devices) => {
            for device in devices {
                let class = device.field("class").and_then(Value::as_str).unwrap_or_default();
                if matches!(class, "disk" | "memory" | "port") {
                    out.add(format!("device {}", device.field("path").and_then(Value::as_str).unwrap_or_default()));
                }
            }
        }
        value => out.note(value),
    }
    if out.found.len() > before && mapped.is_unknown() {
        // Whether these reach the host depends on a mapping that could not be seen.
        out.found.truncate(before);
        out.note(mapped);
    }
}

fn mounts(c: &Component, kept: &[String], out: &mut Reasons) {
    let under = crate::predicate::path_is_under;
    match c.value("sensitive_mounts") {
        Value::List(mounts) => {
            for mount in mounts {
                let path = mount.field("source").and_then(Value::as_str).unwrap_or_default();
                let decisive = is_decisive(path) || kept.iter().any(|d| under(path, d) || under(d, path));
                match mount.field("rw") {
                    Some(Value::Bool(true)) if decisive => out.add(format!("writes to {path}")),
                    Some(value) if decisive => out.note(value),
                    _ => {}
                }
            }
        }
        value => out.note(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(facts: &[(&str, Value)]) -> Component {
        let mut c = Component::new(&docker::CONTAINER, "1", "web");
        let harmless: [(&str, Value); 8] = [
            ("runtime_sockets", Value::List(vec![])),
            ("sensitive_mounts", Value::List(vec![])),
            ("privileged", false.into()),
            ("capabilities", Value::strings(["CHOWN"])),
            ("host_pid", false.into()),
            ("all_devices", false.into()),
            ("devices", Value::List(vec![])),
            ("root_on_host", true.into()),
        ];
        for (name, value) in harmless.iter().chain(facts) {
            c.set(name, value.clone(), Source::place("test"));
        }
        c
    }

    fn found(facts: &[(&str, Value)]) -> Vec<String> {
        reasons(&container(facts), &[]).found
    }

    #[test]
    fn what_follows_counts_and_not_the_flag() {
        assert!(found(&[]).is_empty());
        let socket =
            || Value::Object(vec![("source", "/".into()), ("reaches", "/run/d.sock".into()), ("rw", true.into())]);
        assert_eq!(found(&[("runtime_sockets", Value::List(vec![socket(), socket()]))]), ["holds /run/d.sock"]);
        assert_eq!(found(&[("capabilities", Value::strings(["SYS_ADMIN"]))]), ["capability SYS_ADMIN"]);
        assert!(found(&[("capabilities", Value::strings(["SYS_PTRACE"]))]).is_empty());
        assert_eq!(found(&[("capabilities", Value::strings(["SYS_PTRACE"])), ("host_pid", true.into())]).len(), 1);
        assert!(found(&[("privileged", true.into()), ("root_on_host", false.into())]).is_empty());
        assert!(found(&[("privileged", true.into()), ("sandboxed", true.into())]).is_empty());
    }

    #[test]
    fn a_mount_takes_the_host_by_what_lies_there() {
        for path in ["/", "/etc", "/usr", "/var", "/etc/cron.d", "/var/lib/docker/volumes", "/root/.ssh", "/usr/bin"] {
            assert!(is_decisive(path), "{path}");
        }
        for path in
            ["/etc/letsencrypt", "/etc/nginx", "/usr/share/nginx/html", "/dev/shm", "/dev/dri", "/var/log", "/srv"]
        {
            assert!(!is_decisive(path), "{path}");
        }
    }

    #[test]
    fn an_unknown_never_answers() {
        let mut out = reasons(&container(&[("all_devices", Value::unknown("not read"))]), &[]);
        assert!(out.found.is_empty() && out.unknown.take().is_some());
        let out = reasons(&container(&[("privileged", true.into()), ("root_on_host", Value::unknown("denied"))]), &[]);
        assert!(out.found.is_empty() && out.unknown.is_some());
    }
}
