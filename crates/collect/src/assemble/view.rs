//! What this machine shows of a running container, in the terms of the engine's containers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use seaworthy_core::value::Value;

use super::daemon::bounded;
use super::host::Host;
use crate::daemon::find::Daemon;
use crate::docker::Read;
use crate::docker::context::HostView;
use crate::docker::observed::Observed;
use crate::effect::limits::Limits;
use crate::effect::namespaces::{Namespace, Namespaces};
use crate::effect::status::Seccomp;
use crate::effect::{self, Lsms, Observation, Process};
use crate::host::kernel::Selinux;
use crate::host::root::{Root, Unread};
use crate::redact::Redactor;

/// Processes of one container that are kept by name.
const MOST_PROCESSES: usize = 64;

/// The machine that the engine runs on, which is this one.
pub(super) struct LocalView {
    host: Arc<Host>,
    proc: Result<effect::Proc, Arc<str>>,
    /// The namespaces of the daemon: those are the host's in the sense of `--network host`.
    daemon: Option<Namespaces>,
    /// The daemon's file system, where it is not ours.
    files: Option<Root>,
    redactor: Arc<Redactor>,
}

impl LocalView {
    pub fn new(host: Arc<Host>, daemon: Option<&Daemon>, redactor: Arc<Redactor>) -> Self {
        let lsms = match &host.kernel.modules {
            Some(names) => Lsms::Known(names.clone()),
            None => Lsms::Unknown("the list of security modules could not be read".into()),
        };
        let proc = effect::Proc::open(host.root.path(), lsms).map_err(|why| Arc::from(format!("/proc: {why}")));
        let namespaces = daemon.and_then(|d| proc.as_ref().ok()?.namespaces_of(d.pid).ok());
        let files = daemon.filter(|d| d.own_mounts == Some(false)).and_then(|d| d.view().ok());
        Self { host, proc, daemon: namespaces, files, redactor }
    }

    fn files(&self) -> &Root {
        self.files.as_ref().unwrap_or(&self.host.root)
    }

    /// Whether a container shares a namespace with the host, or with the daemon, which stands for it.
    fn shares(&self, seen: &Observation, kind: Namespace, proc: &effect::Proc) -> Read<bool> {
        let host = seen.shares_with_host(kind, proc);
        let daemon = self.daemon.as_ref().map(|d| seen.init.namespaces.shares(kind, d));
        match (host, daemon) {
            (Ok(true), _) | (_, Some(Ok(true))) => Ok(true),
            (Ok(false), _) => Ok(false),
            (Err(why), _) => Err(reason(&why)),
        }
    }
}

fn reason(why: &Unread) -> Arc<str> {
    match why {
        Unread::Denied => "permission denied (needs root)".into(),
        other => other.to_string().into(),
    }
}

impl HostView for LocalView {
    fn observe(&self, id: &str, pid: u32) -> Read<Observed> {
        let proc = self.proc.as_ref().map_err(Arc::clone)?;
        let target = effect::Target { pid, id, started_at: None };
        let seen = proc.observe(target, &self.redactor).map_err(|why| reason(&why))?;
        let limits = seen.limits.as_ref().map_err(reason);
        let cpus = self.host.kernel.processors;
        Ok(Observed {
            place: format!("/proc/{pid}").into(),
            root_user: root_user(&seen),
            root_on_host: seen.init.root_maps_to().map(|id| id == Some(0)).map_err(|why| reason(&why)),
            capabilities: capabilities(&seen),
            no_new_privileges: every(&seen, |p| status(p).map(|s| s.no_new_privileges)),
            seccomp_filter: every(&seen, |p| status(p).map(|s| s.seccomp.map(|s| s == Seccomp::Filter))),
            label: seen.init.label.value.as_ref().map(|l| l.as_deref().map(Into::into)).map_err(reason),
            host_network: self.shares(&seen, Namespace::Net, proc),
            host_pid: self.shares(&seen, Namespace::Pid, proc),
            host_ipc: self.shares(&seen, Namespace::Ipc, proc),
            host_uts: self.shares(&seen, Namespace::Uts, proc),
            host_cgroupns: self.shares(&seen, Namespace::Cgroup, proc),
            propagation: propagation(&seen),
            readonly_rootfs: seen.root_read_only().map_err(|why| reason(&why)),
            memory_limit: of(&limits, |l| l.memory_max.value.as_ref().map(|m| int(m.effective))),
            memory_swap_limit: swap(&limits),
            memory_used: of(&limits, |l| l.memory_current.value.as_ref().map(|n| int(Some(*n)))),
            memory_peak: match &limits {
                Ok(l) => Ok(l.memory_peak.ok().and_then(|n| int(Some(*n)))),
                Err(why) => Err(Arc::clone(why)),
            },
            cpu_limited: cpu_limited(&limits, cpus),
            cpu_quota: of(&limits, |l| l.cpu_quota.value.as_ref().map(|q| int(q.map(|q| q.milli_cpus())))),
            pids_limit: of(&limits, |l| l.pids_max.value.as_ref().map(|m| int(m.effective))),
            all_devices: limits.as_ref().ok().and_then(|l| l.devices.ok()).map(|d| d.iter().any(|r| r.is_all_devices())),
            processes: processes(&seen),
            ssh_servers: ssh_servers(&seen),
        })
    }

    fn resolve(&self, path: &str) -> Option<String> {
        self.files().canonical(path).ok().map(|p| p.to_string_lossy().into_owned())
    }

    fn user_number(&self, layers: &[&str], user: &str) -> Read<u32> {
        // The uppermost layer that has the file decides; a link in a layer leads nowhere outside of it.
        for layer in layers {
            let file = Root::open(Path::new(&self.files().path().join(layer.trim_start_matches('/'))))
                .and_then(|root| root.read("/etc/passwd", 1 << 20));
            match file {
                Ok(text) => return named(&String::from_utf8_lossy(&text), user).ok_or_else(|| "its passwd has no such user".into()),
                Err(Unread::Absent) => {}
                Err(why) => return Err(format!("{layer}/etc/passwd: {why}").into()),
            }
        }
        Err("its layers hold no /etc/passwd, or are not known".into())
    }

    fn apparmor(&self) -> Option<bool> {
        self.host.kernel.apparmor
    }

    fn selinux(&self) -> Option<bool> {
        self.host.kernel.selinux.map(|s| s != Selinux::Absent)
    }

    fn all_capabilities(&self) -> Read<Vec<String>> {
        let proc = self.proc.as_ref().map_err(Arc::clone)?;
        proc.host_bounding().value.map(effect::caps::caps_to_names).map_err(|why| reason(&why))
    }
}

/// The number of a user by a passwd file.
fn named(passwd: &str, user: &str) -> Option<u32> {
    let name = user.split(':').next().unwrap_or_default();
    let mut rows = passwd.lines().map(|l| l.split(':').collect::<Vec<_>>());
    rows.find(|fields| fields.first() == Some(&name)).and_then(|fields| fields.get(2)?.parse().ok())
}

fn status(process: &Process) -> Result<&effect::status::Status, Arc<str>> {
    process.status.value.as_ref().map_err(reason)
}

fn int(n: Option<u64>) -> Option<i64> {
    n.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

fn of<T>(limits: &Result<&Limits, Arc<str>>, pick: impl Fn(&Limits) -> Result<T, &Unread>) -> Read<T> {
    match limits {
        Ok(limits) => pick(limits).map_err(reason),
        Err(why) => Err(Arc::clone(why)),
    }
}

/// Whether a property that only all processes together have holds; false as soon as one lacks it.
fn every(seen: &Observation, has: impl Fn(&Process) -> Result<Option<bool>, Arc<str>>) -> Read<bool> {
    let mut unknown = seen.incomplete.as_deref().map(Arc::from);
    for process in seen.processes() {
        match has(process) {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Ok(false),
            Ok(None) => return Ok(false),
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Ok(true), Err)
}

/// Whether any of its processes is user 0 inside: the first may have stepped down while others kept the rights.
fn root_user(seen: &Observation) -> Read<bool> {
    let mut unknown: Option<Arc<str>> = None;
    for process in seen.processes() {
        match (status(process), process.root_maps_to()) {
            (Ok(status), Ok(Some(root))) if status.uids.contains(&root) => return Ok(true),
            (Ok(_), Ok(_)) => {}
            (Err(why), _) => unknown = unknown.or(Some(why)),
            (_, Err(why)) => unknown = unknown.or_else(|| Some(reason(&why))),
        }
    }
    unknown.or_else(|| seen.incomplete.as_deref().map(Arc::from)).map_or(Ok(false), Err)
}

fn capabilities(seen: &Observation) -> Read<Vec<String>> {
    let mut all = 0;
    for process in seen.processes() {
        all |= status(process)?.bounding;
    }
    if let Some(why) = &seen.incomplete {
        return Err(why.as_str().into());
    }
    let mut names = effect::caps::caps_to_names(all);
    names.sort();
    Ok(names)
}

fn propagation(seen: &Observation) -> HashMap<Box<str>, &'static str> {
    let mounts = seen.mounts.value.as_deref().unwrap_or_default();
    let kind = |m: &effect::mounts::Mount| match (m.shared.is_some(), m.master.is_some()) {
        (true, _) => "shared",
        (false, true) => "slave",
        (false, false) => "private",
    };
    mounts.iter().map(|m| (m.point.as_str().into(), kind(m))).collect()
}

fn swap(limits: &Result<&Limits, Arc<str>>) -> Read<Option<i64>> {
    let limits = limits.as_ref().map_err(Arc::clone)?;
    if let Ok(both) = &limits.memory_and_swap_max.value {
        return Ok(int(both.effective));
    }
    let memory = limits.memory_max.value.as_ref().map_err(reason)?;
    let swap = limits.swap_max.value.as_ref().map_err(reason)?;
    Ok(match (memory.effective, swap.effective) {
        (Some(memory), Some(swap)) => int(Some(memory.saturating_add(swap))),
        _ => None,
    })
}

/// A quota, a set of fewer processors than there are, or a weight that is not the kernel's default.
fn cpu_limited(limits: &Result<&Limits, Arc<str>>, cpus: Option<u32>) -> Read<bool> {
    let limits = limits.as_ref().map_err(Arc::clone)?;
    let default = match limits.version {
        effect::cgroup::Version::V1 => 1024,
        effect::cgroup::Version::V2 => 100,
    };
    let quota = limits.cpu_quota.value.as_ref().map(Option::is_some).map_err(reason);
    let weight = limits.cpu_weight.value.as_ref().map(|w| *w != default).map_err(reason);
    let set = match (limits.cpuset.value.as_ref(), cpus) {
        (Ok(set), _) if set.trim().is_empty() => Ok(false),
        (Ok(set), Some(cpus)) => Ok(processors(set) < cpus),
        (Ok(_), None) => Err("how many processors there are is not known".into()),
        (Err(why), _) => Err(reason(why)),
    };
    let all = [quota, weight, set];
    if all.contains(&Ok(true)) {
        return Ok(true);
    }
    all.into_iter().collect::<Result<Vec<_>, _>>().map(|_| false)
}

/// How many processors a list such as `0-3,7` names.
fn processors(list: &str) -> u32 {
    let count = |part: &str| match part.split_once('-') {
        Some((from, to)) => Some(to.trim().parse::<u32>().ok()?.saturating_sub(from.trim().parse().ok()?) + 1),
        None => part.trim().parse::<u32>().ok().map(|_| 1),
    };
    list.split(',').filter_map(count).sum()
}

fn processes(seen: &Observation) -> Read<Value> {
    let one = |p: &Process| {
        let executable = p.exe.ok().map_or_else(|| Value::unknown("it may not be read"), |e| bounded(e));
        let uid = p.status.ok().map_or_else(|| Value::unknown("it may not be read"), |s| i64::from(s.uids[1]).into());
        Value::Object(vec![("pid", i64::from(p.pid).into()), ("executable", executable), ("uid", uid)])
    };
    Ok(Value::List(seen.processes().take(MOST_PROCESSES).map(one).collect()))
}

fn ssh_servers(seen: &Observation) -> Read<Vec<String>> {
    let mut found = Vec::new();
    let mut unknown = seen.incomplete.as_deref().map(Arc::from);
    for process in seen.processes() {
        let listens = process.listeners.value.as_ref().map(|l| l.iter().any(|l| l.port == 22));
        match (process.is_ssh_server(), listens) {
            (Ok(true), _) | (_, Ok(true)) => {
                let exe = process.exe.ok().map_or("a process", String::as_str);
                found.push(format!("{exe} (process {})", process.pid));
            }
            (Err(why), _) => unknown = unknown.or_else(|| Some(reason(&why))),
            (Ok(false), Err(why)) => unknown = unknown.or_else(|| Some(reason(why))),
            (Ok(false), Ok(false)) => {}
        }
    }
    match unknown {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::processors;

    #[test]
    fn processors_are_counted() {
        assert_eq!((processors("0-3,7"), processors("0"), processors(""), processors("1,3")), (5, 1, 0, 2));
    }
}
