//! The host beneath the engine as a component, and what is read of it besides.

use std::path::Path;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker;
use seaworthy_core::snapshot::Gap;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::access::Access;
use super::daemon::{bounded, pointer};
use super::logged;
use super::ssh::{and, password_suffices};
use crate::docker::gather::Counts;
use crate::host::accounts::{Accounts, Members};
use crate::host::audit;
use crate::host::audit::watched::Watched;
use crate::host::client::Client;
use crate::host::containerd::Containerd;
use crate::host::kernel::{self, Cgroups, Kernel, Selinux};
use crate::host::mounts::{self, Mount, Separate};
use crate::host::packages::{OsRelease, Packages};
use crate::host::process::Proc;
use crate::host::registry_certs::RegistryCerts;
use crate::host::root::{Root, Unread};
use crate::host::sockets;
use crate::host::sshd::{Server, Setting, Sshd};
use crate::host::sudoers::{Password, Reach, Who};

/// Everything read of a host that does not depend on the engine.
pub(super) struct Host {
    pub root: Root,
    pub proc: Option<Proc>,
    pub accounts: Accounts,
    pub packages: Packages,
    pub os: OsRelease,
    pub kernel: Kernel,
    pub mounts: Option<Arc<[Mount]>>,
    pub sudo: Reach,
    pub sshd: Sshd,
    pub client: Client,
    pub certificates: RegistryCerts,
    pub containerd: Containerd,
    pub audit_kernel: Result<audit::netlink::Kernel, String>,
    pub audit_files: audit::file::Files,
    /// What the audit log tells, or why it tells nothing.
    pub audit_log: Result<audit::log::Log, String>,
    pub gaps: Vec<Gap>,
}

impl Host {
    /// Reads a host; of its mounts those that this process sees were read already, where it is the running machine; of its
    /// audit log what is about paths that are `watched`.
    ///
    /// # Errors
    /// When its root may not be entered.
    pub fn read(
        path: &Path,
        docker_config: Option<&str>,
        mounts: Option<Arc<[Mount]>>,
        watched: &Watched,
    ) -> Result<Self, Unread> {
        let root = Root::open(path)?;
        let mut gaps = Vec::new();
        let proc =
            Proc::open(&root).map_err(|why| gaps.push(gap(&path.join("proc").display(), &why, "processes"))).ok();
        let (log, left, right) = std::thread::scope(|scope| {
            let log = scope.spawn(|| logged::read(&root, watched));
            let left = scope.spawn(|| {
                let accounts = Accounts::read(&root);
                let sudo = Reach::read(&root, &accounts, "docker");
                let sshd = Sshd::read(&root, &accounts);
                (accounts, sudo, sshd)
            });
            let right = (Packages::read(&root), Containerd::read(&root));
            (log.join(), left.join(), right)
        });
        let audit_log = log.unwrap_or_else(|_| Err("the reader of the log failed".to_owned()));
        let (packages, containerd) = right;
        let (accounts, sudo, sshd) = left.map_err(|_| Unread::Other("a reader of accounts failed".into()))?;
        let client = Client::read(&root, &accounts, &packages, docker_config);
        let certificates = RegistryCerts::read(&root, &accounts);
        let mut os_gaps = Vec::new();
        let os = OsRelease::read(&root, &mut os_gaps);
        let kernel = kernel::read(&root, proc.as_ref(), mounts.as_deref());
        let audit_kernel = if proc.as_ref().is_some_and(Proc::numbers_are_ours) {
            audit::netlink::read()
        } else {
            Err("the kernel's rules are read where its own first process namespace is".to_owned())
        };
        let audit_files = audit::file::read(&root);
        for list in [
            &accounts.gaps,
            &packages.gaps,
            &sudo.gaps,
            &sshd.gaps,
            &client.gaps,
            &certificates.gaps,
            &containerd.gaps,
            &kernel.gaps,
            &os_gaps,
        ] {
            gaps.extend(list.iter().map(|g| Gap {
                source: g.source.clone(),
                reason: g.reason.clone(),
                affects: g.affects.clone(),
            }));
        }
        for list in [&audit_files.loaded, &audit_files.parts].into_iter().flatten() {
            gaps.extend(list.gaps.iter().map(|g| Gap {
                source: g.source.clone(),
                reason: g.reason.clone(),
                affects: g.affects.clone(),
            }));
        }
        if let Err(why) = &audit_kernel {
            gaps.push(gap(&"kernel audit rules", why, "which accesses are logged"));
        }
        Ok(Self {
            root,
            proc,
            accounts,
            packages,
            os,
            kernel,
            mounts,
            sudo,
            sshd,
            client,
            certificates,
            containerd,
            audit_kernel,
            audit_files,
            audit_log,
            gaps,
        })
    }

    /// The name of a user, or its number.
    pub fn user(&self, uid: u32) -> String {
        self.accounts.user_by_uid(uid).map_or_else(|| uid.to_string(), |u| u.name.clone())
    }

    /// The name of a group, or its number; `docker` before others of the same number.
    pub fn group(&self, gid: u32) -> String {
        let names = self.accounts.group_names(gid);
        let preferred = names.iter().find(|n| **n == "docker").or(names.first());
        preferred.map_or_else(|| gid.to_string(), |n| (*n).to_owned())
    }
}

fn gap(source: &dyn std::fmt::Display, reason: &dyn std::fmt::Display, affects: &str) -> Gap {
    Gap { source: source.to_string(), reason: reason.to_string(), affects: affects.to_owned() }
}

/// What the engine says of its host, and what it holds.
pub(super) struct EngineView<'a> {
    /// `GET /info`, or why there is none.
    pub info: Result<&'a Json, String>,
    /// Whether images lie in containerd's store, or why that is not known.
    pub containerd_store: Result<bool, String>,
    /// Where the containerd that it uses keeps its data, or why that is not known.
    pub containerd_root: Result<String, String>,
    /// The file system as the daemon sees it, where that is another than the host's.
    pub view: Option<Root>,
    /// The group of each of the engine's sockets, or why it is not known.
    pub socket_groups: Vec<Result<u32, String>>,
}

/// The host's component, from its own files; `host` is the reason where they cannot be read.
pub(super) fn component(host: Result<&Host, &str>, engine: &EngineView<'_>) -> Component {
    let mut c = Component::new(&docker::HOST, "host", host_name(engine));
    let mut sheet = Sheet { c: &mut c };
    match host {
        Ok(host) => {
            sheet.system(host);
            sheet.accounts(host, &engine.socket_groups);
            sheet.ssh(host);
            sheet.audit(host);
            sheet.storage(host, engine);
            sheet.listeners(host);
        }
        Err(why) => sheet.by_engine(engine, why),
    }
    let reason = host.err().unwrap_or("it was not read").into();
    c.rest_unknown(&reason, &Source::place("the host"));
    c
}

/// Adds what the engine holds, once its lists were read.
pub(super) fn set_counts(host: &mut Component, counts: &Counts) {
    let images = "GET /images/json";
    let containers = "GET /containers/json";
    for (fact, count, place) in [
        ("images_total", &counts.images, images),
        ("images_unused", &counts.images_unused, "GET /images/json, GET /containers/json"),
        ("containers_total", &counts.containers, containers),
        ("containers_running", &counts.containers_running, containers),
    ] {
        host.set(fact, count.clone().map_or_else(Value::Unknown, Value::from), Source::place(place));
    }
}

fn host_name(engine: &EngineView<'_>) -> String {
    let name = engine.info.as_ref().ok().and_then(|i| pointer(i, "Name")).and_then(Json::as_str);
    match name {
        Some(name) if !name.is_empty() => bounded(name).to_string(),
        _ => "host".to_owned(),
    }
}

struct Sheet<'a> {
    c: &'a mut Component,
}

impl Sheet<'_> {
    fn put<V: Into<Value>>(&mut self, fact: &str, value: Result<V, String>, place: impl Into<std::sync::Arc<str>>) {
        let source = Source::place(place);
        match value {
            Ok(value) => self.c.set(fact, value, source),
            Err(why) => self.c.set_unknown(fact, why, source),
        }
    }

    fn system(&mut self, host: &Host) {
        let machine = match host.root.read_text("/etc/machine-id") {
            Ok(id) if !id.trim().is_empty() && id.trim() != "uninitialized" => {
                Ok(crate::fingerprint(&[b"seaworthy machine\0", id.trim().as_bytes()]))
            }
            Ok(_) => Err("it is empty".to_owned()),
            Err(why) => Err(why.to_string()),
        };
        self.put("machine", machine, "/etc/machine-id");
        let os = match (&host.os.id, &host.os.version_id) {
            (Some(id), Some(version)) => Ok(Some(format!("{id} {version}"))),
            (Some(id), None) => Ok(Some(id.clone())),
            _ if host.os.path.is_some() => Ok(None),
            _ => Err("no os-release could be read".to_owned()),
        };
        self.put("os", os, host.os.path.clone().unwrap_or_else(|| "/etc/os-release".into()));
        let k = &host.kernel;
        let why = |what: &str| k.gaps.first().map_or_else(|| format!("{what} could not be read"), |g| g.reason.clone());
        self.put("kernel", k.release.clone().ok_or_else(|| why("its release")), "/proc/sys/kernel/osrelease");
        let modules = k.modules.as_ref().map(|m| Value::strings(m.iter().map(String::as_str)));
        self.put("lsms", modules.ok_or_else(|| why("the list of security modules")), "/sys/kernel/security/lsm");
        self.put("apparmor", k.apparmor.ok_or_else(|| why("AppArmor")), "/sys/module/apparmor/parameters/enabled");
        let selinux = k.selinux.ok_or_else(|| why("SELinux"));
        self.put("selinux", selinux.clone().map(|s| s != Selinux::Absent), "/sys/fs/selinux");
        self.put("selinux_enforcing", selinux.map(|s| s == Selinux::Enforcing), "/sys/fs/selinux/enforce");
        let version = k.cgroups.map(|c| if c == Cgroups::V1 { 1i64 } else { 2 });
        self.put("cgroup_version", version.ok_or_else(|| why("the version of control groups")), "/proc/self/mountinfo");
        let settings = k.sysctls.iter().map(|(n, v)| Value::Object(vec![("name", (*n).into()), ("value", bounded(v))]));
        self.put("sysctls", Ok(Value::List(settings.collect())), "/proc/sys");
        let bytes = |n: Option<u64>| n.and_then(|n| i64::try_from(n).ok()).ok_or_else(|| why("memory"));
        self.put("swap_total", bytes(k.swap), "/proc/meminfo: SwapTotal");
        self.put("memory_total", bytes(k.memory), "/proc/meminfo: MemTotal");
        self.put(
            "cpus",
            k.processors.map(i64::from).ok_or_else(|| why("processors")),
            "/sys/devices/system/cpu/online",
        );
        let packages = if host.packages.managers.is_empty() && !host.packages.gaps.is_empty() {
            Err(host.packages.gaps[0].reason.clone())
        } else {
            let one = |p: &crate::host::packages::Package| {
                Value::Object(vec![("name", bounded(&p.name)), ("version", bounded(&p.version))])
            };
            Ok(Value::List(host.packages.installed.iter().map(one).collect()))
        };
        self.put("packages", packages, "package database");
    }

    fn accounts(&mut self, host: &Host, socket_groups: &[Result<u32, String>]) {
        let docker = host.accounts.members("docker");
        let place = docker.at.as_ref().map_or_else(|| "/etc/group".to_owned(), |at| format!("{}:{}", at.path, at.line));
        let exists = docker.group_exists.ok_or_else(|| incomplete(&docker));
        let number = exists.clone().map(|exists| docker.gid.filter(|_| exists).map(i64::from));
        self.put("docker_group_gid", number, "/etc/group");
        self.put("docker_group", exists, "/etc/group");
        self.put("docker_group_members", members(&docker, host), place);
        let sources: Vec<String> = docker.beyond_files.clone();
        self.put("account_sources", Ok(Value::strings(sources)), "/etc/nsswitch.conf");
        let socket = of_groups(host, socket_groups);
        self.put("socket_group_members", socket, "the socket's group, /etc/group, /etc/passwd");
        let grants = host.sudo.grants.iter().map(|g| {
            let password = g.password != Password::None;
            Value::Object(vec![
                ("who", bounded(&who(&g.who))),
                ("commands", bounded(&format!("{:?}", g.via))),
                ("password", password.into()),
                ("source", bounded(&format!("{}:{}", g.at.path, g.at.line))),
            ])
        });
        let grants: Vec<Value> = grants.collect();
        let sudo = if grants.is_empty() && !host.sudo.is_complete() {
            let why = host.sudo.gaps.first().map_or_else(
                || "rules come from further sources".to_owned(),
                |g| format!("{}: {}", g.source, g.reason),
            );
            Err(why)
        } else {
            Ok(Value::List(grants))
        };
        self.put("sudo_docker", sudo, "/etc/sudoers and its includes");
    }

    fn ssh(&mut self, host: &Host) {
        let sshd = &host.sshd;
        let installed = match &sshd.server {
            Server::Installed(_) => Ok(true),
            Server::Absent => Ok(!sshd.other_servers.is_empty()),
            Server::Unknown(why) => Err(why.clone()),
        };
        self.put("sshd_installed", installed, "/usr/sbin/sshd");
        let other = sshd.other_servers.first().filter(|_| sshd.server == Server::Absent);
        if let Some(other) = other {
            for fact in ["ssh_password", "ssh_root", "ssh_empty_passwords"] {
                self.put::<bool>(
                    fact,
                    Err(format!("{other} is no OpenSSH: its settings are not read")),
                    other.as_str(),
                );
            }
            return self.ssh_keys(host);
        }
        let place = sshd.config.clone().unwrap_or_else(|| "OpenSSH's defaults".into());
        let any = |keyword: &str| {
            sshd.matches
                .iter()
                .filter(|m| m.keyword.eq_ignore_ascii_case(keyword))
                .map(|m| m.value.to_lowercase())
                .collect::<Vec<_>>()
        };
        let known = |keyword: &str| match sshd.setting(keyword) {
            Setting::Known { value, .. } => Ok(value),
            Setting::Unknown(why) => Err(why),
        };
        let yes = |keyword: &str| -> Result<bool, String> {
            let own = known(keyword);
            if own.as_deref() == Ok("yes") || any(keyword).iter().any(|v| v == "yes") {
                return Ok(true);
            }
            own?;
            if sshd.matches_complete {
                Ok(false)
            } else {
                Err("a file that may hold Match blocks could not be read".into())
            }
        };
        // What is asked for interactively is a password only where PAM asks.
        let asked = and(yes("KbdInteractiveAuthentication"), yes("UsePAM"));
        let password = match (yes("PasswordAuthentication"), asked) {
            (Ok(true), _) | (_, Ok(true)) => Ok(true),
            (Err(why), _) | (_, Err(why)) => Err(why),
            (Ok(false), Ok(false)) => Ok(false),
        };
        // Outside blocks and in every one of them.
        let methods = known("AuthenticationMethods").map(|own| {
            let mut all = std::iter::once(own).chain(any("AuthenticationMethods"));
            all.any(|methods| password_suffices(&methods))
        });
        let password = and(password, methods);
        self.put("ssh_password", password, place.clone());
        let looseness = |v: &str| {
            ["no", "forced-commands-only", "prohibit-password", "without-password", "yes"]
                .iter()
                .position(|k| *k == v)
                .unwrap_or(4)
        };
        let root = known("PermitRootLogin").and_then(|own| {
            let loosest =
                std::iter::once(own).chain(any("PermitRootLogin")).max_by_key(|v| looseness(v)).unwrap_or_default();
            let certain = sshd.matches_complete || loosest == "yes";
            if certain { Ok(loosest) } else { Err("a file that may hold Match blocks could not be read".into()) }
        });
        self.put("ssh_root", root, place.clone());
        self.put("ssh_empty_passwords", yes("PermitEmptyPasswords"), place);
        self.ssh_keys(host);
    }

    fn ssh_keys(&mut self, host: &Host) {
        let sshd = &host.sshd;
        let keys = sshd.keys.iter().map(|k| {
            let writable = Access::new(host, &k.users, &k.meta).written();
            Value::Object(vec![
                ("user", bounded(&k.users.join(", "))),
                ("count", i64::from(k.keys).into()),
                ("path", bounded(&k.meta.path)),
                ("writable_by_others", writable.into()),
            ])
        });
        let keys: Vec<Value> = keys.collect();
        let gap = sshd.gaps.iter().find(|g| g.affects.contains("key"));
        let keys = match gap {
            Some(gap) if keys.is_empty() => Err(format!("{}: {}", gap.source, gap.reason)),
            _ => Ok(Value::List(keys)),
        };
        self.put("ssh_keys", keys, "authorized_keys of each user");
    }

    fn audit(&mut self, host: &Host) {
        let place = "audit netlink";
        let enabled = host.audit_kernel.as_ref().map(|k| k.enabled > 0).map_err(Clone::clone);
        self.put("audit_enabled", enabled, place);
        let immutable = host.audit_kernel.as_ref().map(|k| k.enabled == 2).map_err(Clone::clone);
        self.put("audit_immutable", immutable, place);
        let rules = host.audit_kernel.as_ref().map(|k| Some(k.rules.len() as i64)).map_err(Clone::clone);
        self.put("audit_rules", rules, place);
    }

    fn storage(&mut self, host: &Host, engine: &EngineView<'_>) {
        let root = match &engine.info {
            Ok(info) => {
                pointer(info, "DockerRootDir").and_then(Json::as_str).filter(|r| !r.is_empty()).map(str::to_owned)
            }
            Err(_) => None,
        };
        let root = root.ok_or_else(|| "the engine did not say".to_owned());
        self.put("data_root", root.clone().map(|r| bounded(&r)), "GET /info: DockerRootDir");
        let layers = match (&engine.containerd_store, &root) {
            (Ok(true), _) => engine.containerd_root.clone(),
            (Ok(false), root) => root.clone(),
            (Err(why), _) => Err(why.clone()),
        };
        self.put(
            "layers_dir",
            layers.clone().map(|l| bounded(&l)),
            "GET /info: DriverStatus; containerd's configuration",
        );
        let separate = |directory: &Result<String, String>| -> Result<bool, String> {
            let directory = directory.clone()?;
            let found = match &engine.view {
                Some(view) => mounts::separate(view, None, Path::new(&directory)),
                None => mounts::separate(&host.root, host.mounts.as_deref(), Path::new(&directory)),
            };
            match found {
                Ok(Separate::Yes { .. }) => Ok(true),
                Ok(Separate::No { .. }) => Ok(false),
                Err(why) => Err(format!("{directory}: {why}")),
            }
        };
        // With remapped users the engine names a directory of theirs below the one that was set.
        let whole = |directory: &Result<String, String>| match directory.as_deref().map(remapped) {
            Ok(Some(outer)) if separate(directory) != Ok(true) => Ok(outer.to_owned()),
            _ => directory.clone(),
        };
        let (root, layers) = (whole(&root), whole(&layers));
        let place = |d: &Result<String, String>| {
            format!("device ids of {} and its parent", d.as_deref().unwrap_or("the directory"))
        };
        self.put("data_root_separate", separate(&root), place(&root));
        self.put("layers_separate", separate(&layers), place(&layers));
    }

    fn listeners(&mut self, host: &Host) {
        let place = "sock_diag, or /proc/net/tcp and tcp6";
        let Some(proc) = host.proc.as_ref().filter(|p| p.numbers_are_ours()) else {
            return self.put::<Value>(
                "listeners",
                Err("the process file system is not this namespace's".into()),
                place,
            );
        };
        // The kernel's own list takes a hundredth of the time of the tables.
        let found = sockets::tcp_listeners().or_else(|_| sockets::tcp_table(proc, std::process::id()));
        let found = found.map_err(|why| why.to_string());
        let found = found.map(|mut all| {
            all.sort_by_key(|listener| listener.address);
            let one = |l: &sockets::TcpListener| {
                Value::Object(vec![
                    ("address", bounded(&l.address.to_string())),
                    ("process", Value::unknown("not looked for")),
                    ("loopback", l.address.ip().to_canonical().is_loopback().into()),
                ])
            };
            Value::List(all.iter().map(one).collect())
        });
        self.put("listeners", found, place);
    }

    /// What an engine elsewhere says of its host.
    fn by_engine(&mut self, engine: &EngineView<'_>, why: &str) {
        let Ok(info) = &engine.info else { return };
        let text = |field: &str| pointer(info, field).and_then(Json::as_str).filter(|t| !t.is_empty()).map(bounded);
        let place = |field: &str| format!("GET /info: {field}");
        self.put("os", text("OperatingSystem").ok_or_else(|| why.to_owned()), place("OperatingSystem"));
        self.put("kernel", text("KernelVersion").ok_or_else(|| why.to_owned()), place("KernelVersion"));
        let cgroup = pointer(info, "CgroupVersion").and_then(Json::as_str).and_then(|v| v.parse::<i64>().ok());
        self.put("cgroup_version", cgroup.ok_or_else(|| why.to_owned()), place("CgroupVersion"));
        let number = |field: &str| pointer(info, field).and_then(Json::as_i64).ok_or_else(|| why.to_owned());
        self.put("memory_total", number("MemTotal"), place("MemTotal"));
        self.put("cpus", number("NCPU"), place("NCPU"));
        self.put("data_root", text("DockerRootDir").ok_or_else(|| why.to_owned()), place("DockerRootDir"));
        let options = pointer(info, "SecurityOptions").and_then(Json::as_array);
        let named = |name: &str| {
            options.is_some_and(|o| {
                o.iter().filter_map(Json::as_str).any(|o| o == name || o.starts_with(&format!("{name},")))
            })
        };
        // An engine that uses one proves that it is there; one that uses none proves nothing about the kernel.
        if named("name=apparmor") {
            self.put("apparmor", Ok(true), place("SecurityOptions"));
        }
        if named("name=selinux") {
            self.put("selinux", Ok(true), place("SecurityOptions"));
        }
    }
}

/// The directory above one that is named by a user's and a group's number, such as `/var/lib/docker/100000.100000`.
fn remapped(directory: &str) -> Option<&str> {
    let (outer, name) = directory.rsplit_once('/')?;
    let (user, group) = name.split_once('.')?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (!outer.is_empty() && number(user) && number(group)).then_some(outer)
}

fn incomplete(members: &Members) -> String {
    match (&members.unread, members.beyond_files.as_slice()) {
        (Some(why), _) => why.clone(),
        (None, sources) => format!("accounts come from {} too, which were not asked", sources.join(", ")),
    }
}

/// The members of a group, root apart; unknown where none was found and there may be others.
fn members(members: &Members, host: &Host) -> Result<Value, String> {
    let is_root = |name: &str| name == "root" || host.accounts.user(name).is_some_and(|u| u.uid == 0);
    let names: Vec<&str> = members.names.iter().map(|m| m.name.as_str()).filter(|n| !is_root(n)).collect();
    if names.is_empty() && !members.is_complete() {
        return Err(incomplete(members));
    }
    Ok(Value::strings(names))
}

/// The members of the groups of the engine's sockets together: each may have another one.
fn of_groups(host: &Host, groups: &[Result<u32, String>]) -> Result<Value, String> {
    let mut found: Vec<Value> = Vec::new();
    let mut unknown = groups.is_empty().then(|| "the engine's socket could not be looked at".to_owned());
    let mut seen = vec![0];
    for group in groups {
        let listed = match group {
            Ok(gid) if seen.contains(gid) => continue,
            Ok(gid) => {
                seen.push(*gid);
                members(&host.accounts.members(&host.group(*gid)), host)
            }
            Err(why) => Err(why.clone()),
        };
        match listed {
            Ok(names) => found.extend(names.as_list().unwrap_or_default().iter().cloned()),
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    found.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    found.dedup();
    match unknown {
        Some(why) if found.is_empty() => Err(why),
        Some(why) => {
            found.push(Value::unknown(why));
            Ok(Value::List(found))
        }
        None => Ok(Value::List(found)),
    }
}

fn who(who: &Who) -> String {
    match who {
        Who::All => "ALL".to_owned(),
        Who::User(name) => name.clone(),
        Who::Uid(uid) => format!("#{uid}"),
        Who::Group(name) => format!("%{name}"),
        Who::Gid(gid) => format!("%#{gid}"),
        Who::Foreign(name) => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_remapped_users_is_known_by_its_name() {
        assert_eq!(remapped("/var/lib/docker/100000.100000"), Some("/var/lib/docker"));
        for other in ["/var/lib/docker", "/100000.100000", "/srv/docker.d", "/srv/1.x"] {
            assert_eq!(remapped(other), None, "{other}");
        }
    }
}
