//! The files, directories and sockets that the benchmark names, each in its role.

use std::path::{Path, PathBuf};

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::daemon::bounded;
use super::host::Host;
use crate::daemon::effective::{Effective, Settings};
use crate::daemon::file::ConfigFile;
use crate::daemon::find::Daemon;
use crate::host::audit::coverage::{Coverage, Kind as Watched, Table};
use crate::host::paths::{self, Access, Kind};
use crate::host::root::{Root, Unread};
use crate::host::units::{self, Fragment};

/// Where programs lie, in the order in which they are found.
const PROGRAMS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// What starts with one of these is a program, whose executions matter as well.
const PROGRAM_ROLES: [&str; 6] =
    ["dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v1", "containerd-shim-runc-v2", "runc"];

/// What decides where the files are.
pub(super) struct Inputs<'a> {
    /// The host.
    pub host: &'a Host,
    /// The daemon's process, or why it is not known.
    pub daemon: Result<&'a Daemon, &'a str>,
    /// The settings in effect.
    pub settings: &'a Settings,
    /// `daemon.json`.
    pub file: Option<&'a ConfigFile>,
    /// The paths of the engine's own unix sockets.
    pub sockets: Vec<String>,
    /// The data directory, or why it is not known.
    pub data_root: Result<String, String>,
}

/// The components, one for each role, several where there are several files.
pub(super) fn components(inputs: &Inputs<'_>) -> Vec<Component> {
    let view = inputs.daemon.ok().filter(|d| d.own_mounts == Some(false)).and_then(|d| d.view().ok());
    let kernel = inputs.host.audit_kernel.as_ref().ok();
    let table = kernel.map(|k| Table::new(&inputs.host.root, &k.rules, Some(k.enabled)));
    let persistent = inputs.host.audit_files.persistent();
    let on_disk =
        Table::new(&inputs.host.root, persistent.map_or(&[], |f| &f.rules), persistent.and_then(|f| f.enabled));
    let mut work = Work { inputs, view, table, on_disk, out: Vec::new() };
    work.units();
    work.configuration();
    work.certificates();
    work.sockets();
    work.programs();
    work.directories();
    work.out
}

struct Work<'a> {
    inputs: &'a Inputs<'a>,
    /// The daemon's own file system where it has another than ours.
    view: Option<Root>,
    table: Option<Table<'a>>,
    on_disk: Table<'a>,
    out: Vec<Component>,
}

impl Work<'_> {
    fn host(&self) -> &Host {
        self.inputs.host
    }

    /// The file at a path of the host.
    fn add(&mut self, role: &'static str, path: &str) -> &mut Component {
        let access = paths::access(&self.inputs.host.root, path);
        self.push(role, path, access)
    }

    /// The file at a path as the daemon sees it.
    fn add_of_daemon(&mut self, role: &'static str, path: &str) {
        let access = paths::access(self.view.as_ref().unwrap_or(&self.inputs.host.root), path);
        self.push(role, path, access);
    }

    fn push(&mut self, role: &'static str, path: &str, access: Result<Access, Unread>) -> &mut Component {
        let real = access.as_ref().map_or_else(|_| path.to_owned(), |a| a.real.to_string_lossy().into_owned());
        let mut c = Component::new(&docker::FILE, format!("{role}:{path}"), path);
        let source = || Source::place(real.as_str());
        c.set("role", role, source());
        c.set("path", bounded(&real), source());
        c.set("drop_ins", Value::List(Vec::new()), source());
        match &access {
            Ok(access) => self.present(&mut c, access, &real),
            Err(Unread::Absent) => {
                c.set("exists", false, source());
                c.set("type", Value::Null, source());
                c.rest_unknown(&"it is not there".into(), &source());
            }
            Err(why) => c.rest_unknown(&why.to_string().into(), &source()),
        }
        if let Ok(access) = &access {
            self.audit(&mut c, &access.real, access.kind == Kind::Directory);
        }
        let at = self.out.len();
        self.out.push(c);
        &mut self.out[at]
    }

    fn present(&self, c: &mut Component, access: &Access, real: &str) {
        let source = || Source::place(real);
        let host = self.host();
        c.set("exists", true, source());
        let kind = match access.kind {
            Kind::File => "file",
            Kind::Directory => "directory",
            Kind::Socket => "socket",
            Kind::Device | Kind::Other => "other",
        };
        c.set("type", kind, source());
        c.set("uid", i64::from(access.uid), source());
        c.set("gid", i64::from(access.gid), source());
        c.set("owner", bounded(&host.user(access.uid)), source());
        c.set("group", bounded(&host.group(access.gid)), source());
        c.set("mode", i64::from(access.mode), source());
        let place = Source::place(format!("GET /info SecurityOptions; {real}; the daemon's process"));
        match (self.inputs.settings.get("rootless").map(|s| &s.value), self.inputs.daemon) {
            (Some(Effective::Known(serde_json::Value::Bool(false))), _) => c.set("owned_by_daemon", false, place),
            (Some(Effective::Known(_)), Ok(daemon)) => c.set("owned_by_daemon", daemon.owner.uid == access.uid, place),
            (Some(Effective::Unknown(why)), _) => c.set_unknown("owned_by_daemon", why.as_str(), place),
            (_, Err(why)) => c.set_unknown("owned_by_daemon", why, place),
            (None, _) => c.set_unknown("owned_by_daemon", "the setting was not decided", place),
        }
        let acl = match &access.list {
            Ok(entries) => {
                let granting = entries.iter().filter(|e| e.grants != 0 && e.id != 0);
                let text = granting.map(|e| {
                    let name = if e.group { host.group(e.id) } else { host.user(e.id) };
                    let bits = [(4, 'r'), (2, 'w'), (1, 'x')]
                        .map(|(bit, letter)| if e.grants & bit != 0 { letter } else { '-' });
                    format!("{} {name}: {}", if e.group { "group" } else { "user" }, bits.iter().collect::<String>())
                });
                Value::strings(text.collect::<Vec<_>>())
            }
            Err(why) => Value::unknown(why.as_str()),
        };
        c.set("acl", acl, Source::place(format!("{real}: system.posix_acl_access")));
    }

    fn audit(&self, c: &mut Component, real: &Path, directory: bool) {
        let kind = if directory { Watched::Directory } else { Watched::File };
        // A rule for executions alone would leave it unsaid who replaced a program.
        let enough = Coverage::changes_logged;
        let source = || Source::place("audit netlink");
        match &self.table {
            Some(table) => {
                let coverage = table.coverage(&self.inputs.host.root, real, kind);
                c.set("audited", enough(&coverage), source());
                let shown = coverage.rules.iter().chain(&coverage.reasons).map(|r| bounded(r));
                c.set("audited_by", Value::List(shown.collect()), source());
            }
            None => {
                let why = self.host().audit_kernel.as_ref().err().cloned().unwrap_or_default();
                c.set_unknown("audited", why.as_str(), source());
                c.set_unknown("audited_by", why, source());
            }
        }
        let source = Source::place("/etc/audit");
        let gap = self.host().audit_files.persistent().and_then(|f| f.gaps.first());
        let covered = enough(&self.on_disk.coverage(&self.inputs.host.root, real, kind));
        match gap {
            Some(gap) if !covered => c.set_unknown("audit_on_disk", format!("{}: {}", gap.source, gap.reason), source),
            _ => c.set("audit_on_disk", covered, source),
        }
    }

    fn units(&mut self) {
        for (role, name) in [
            ("docker-service", "docker.service"),
            ("docker-socket-unit", "docker.socket"),
            ("containerd-service", "containerd.service"),
        ] {
            let unit = units::read(&self.inputs.host.root, name);
            let drop_ins: Vec<String> = unit.drop_ins.iter().map(|p| p.display().to_string()).collect();
            let unread = unit.gaps.first().map(|g| format!("{}: {}", g.source, g.reason));
            match (&unit.fragment, unread) {
                (Fragment::File(path), _) => {
                    let path = path.display().to_string();
                    let c = self.add(role, &path);
                    let listed = Value::strings(drop_ins.iter().map(String::as_str));
                    c.set("drop_ins", listed, Source::place("systemd's unit directories"));
                    self.drop_ins(role, &drop_ins);
                }
                (Fragment::Masked(_) | Fragment::Absent, None) => {
                    self.push(role, &format!("/etc/systemd/system/{name}"), Err(Unread::Absent));
                }
                (Fragment::Masked(_) | Fragment::Absent, Some(why)) => {
                    self.push(role, &format!("/etc/systemd/system/{name}"), Err(Unread::Other(why)));
                }
            }
        }
    }

    /// Whoever may write to a drop-in decides over the unit as well as its file does.
    fn drop_ins(&mut self, role: &str, paths: &[String]) {
        let role = match role {
            "docker-service" => "docker-service-drop-in",
            "docker-socket-unit" => "docker-socket-drop-in",
            _ => return,
        };
        for path in paths {
            // A link to /dev/null takes one away.
            if self.inputs.host.root.canonical(path).is_ok_and(|real| real == Path::new("/dev/null")) {
                continue;
            }
            self.add(role, path);
        }
    }

    fn configuration(&mut self) {
        match self.inputs.file {
            Some(file) => self.add_of_daemon("daemon-json", &file.path.clone()),
            None => {
                let why = self.inputs.daemon.err().unwrap_or("which file the daemon uses is not known").to_owned();
                self.push("daemon-json", "/etc/docker/daemon.json", Err(Unread::Other(why)));
            }
        }
        self.add_of_daemon("etc-docker", "/etc/docker");
        self.add("default-docker", "/etc/default/docker");
        self.add("sysconfig-docker", "/etc/sysconfig/docker");
        self.add("containerd-config", "/etc/containerd/config.toml");
    }

    fn certificates(&mut self) {
        let certificates = &self.inputs.host.certificates;
        let files: Vec<String> = certificates.dirs.iter().flat_map(|d| &d.files).map(|f| f.meta.path.clone()).collect();
        for path in &files {
            self.add("registry-certificate", path);
        }
        if let Some(gap) = certificates.gaps.first() {
            let why = format!("{}: {}", gap.source, gap.reason);
            self.push("registry-certificate", "/etc/docker/certs.d", Err(Unread::Other(why)));
        } else if files.is_empty() {
            self.push("registry-certificate", "/etc/docker/certs.d", Err(Unread::Absent));
        }
        let known = |name: &str| match self.inputs.settings.get(name).map(|s| &s.value) {
            Some(Effective::Known(value)) => Ok(value.clone()),
            Some(Effective::Unknown(why)) => Err(why.clone()),
            None => Err("the setting was not decided".to_owned()),
        };
        let on = known("tls").map(|v| v == true);
        for (role, name) in [("tls-ca", "tlscacert"), ("tls-certificate", "tlscert"), ("tls-key", "tlskey")] {
            match (&on, known(name)) {
                (Ok(false), _) => self.push(role, "TLS is off", Err(Unread::Absent)),
                (Err(why), _) => self.push(role, name, Err(Unread::Other(why.clone()))),
                (Ok(true), Ok(path)) if path.as_str().is_none_or(str::is_empty) => {
                    self.push(role, "none is named", Err(Unread::Absent))
                }
                (Ok(true), Ok(path)) => match self.inputs.daemon.map(|d| d.absolute(path.as_str().unwrap_or_default()))
                {
                    Ok(Ok(path)) => {
                        self.add_of_daemon(role, &path);
                        continue;
                    }
                    Ok(Err(why)) => self.push(role, name, Err(Unread::Other(why))),
                    Err(why) => self.push(role, name, Err(Unread::Other(why.to_owned()))),
                },
                (Ok(true), Err(why)) => self.push(role, name, Err(Unread::Other(why))),
            };
        }
    }

    fn sockets(&mut self) {
        for path in self.inputs.sockets.clone() {
            self.add_of_daemon("docker-socket", &path);
        }
        if self.inputs.sockets.is_empty() {
            self.push("docker-socket", "no unix socket", Err(Unread::Absent));
        }
        let root = self.view.as_ref().unwrap_or(&self.inputs.host.root);
        let path = super::containerd::socket(self.inputs.settings, self.inputs.host, root);
        self.add_of_daemon("containerd-socket", &path);
    }

    fn programs(&mut self) {
        for role in PROGRAM_ROLES {
            let running = self.inputs.daemon.ok().filter(|_| role == "dockerd").and_then(|d| d.exe.clone());
            let found =
                PROGRAMS.iter().map(|dir| format!("{dir}/{role}")).find(|p| self.inputs.host.root.stat(p).is_ok());
            let path = running.or(found).unwrap_or_else(|| format!("/usr/bin/{role}"));
            self.add(role, &path);
        }
    }

    fn directories(&mut self) {
        match &self.inputs.data_root {
            Ok(path) => self.add_of_daemon("data-root", &path.clone()),
            Err(why) => {
                self.push("data-root", "/var/lib/docker", Err(Unread::Other(why.clone())));
            }
        }
        self.add("run-containerd", &PathBuf::from("/run/containerd").to_string_lossy());
    }
}
