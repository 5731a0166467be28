//! One node: its components, their files, and what the machine itself tells.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use super::files::{Files, User};
use super::find::{Group, Program, Which};
use super::parts::{self, Parts};
use super::process::{Part, Use};
use super::sheet::{Run, Sheet};
use super::version::{self, Version};
use super::view::View;
use super::{apiserver, controllers, etcd, kubelet, places, proxy};
use crate::assemble::logged;
use crate::host::accounts::Accounts;
use crate::host::audit::log::Log;
use crate::host::audit::watched::Watched;
use crate::host::process::{Owner, Proc, Process};
use crate::host::root::Root;
use crate::redact::Redactor;

/// The user namespace that the kernel began with.
const FIRST_USERS: u64 = 0xEFFF_FFFD;

/// What a node is read from.
pub(super) struct Machine<'a> {
    pub host: &'a Root,
    pub proc: &'a Proc,
    pub redactor: &'a Redactor,
    pub collected_at: i64,
}

/// A process with what it runs.
pub(super) struct Running {
    pub process: Process,
    pub program: Program,
    pub view: View,
    pub owner: Result<Owner, String>,
    pub arguments: Result<Vec<String>, String>,
    pub variables: Vec<(String, String)>,
    pub parts: Parts,
}

/// A component once its settings are known.
pub(super) struct Decided {
    pub which: Which,
    pub component: Component,
    pub files: Vec<Use>,
    /// Its process, by position.
    pub running: usize,
}

impl Machine<'_> {
    /// The node that a group of processes is; none where they run no component.
    pub fn target(&self, group: &Group) -> Option<Target> {
        let running: Vec<Running> = group.members.iter().map(|(p, program)| self.running(p, *program)).collect();
        if running.iter().all(|r| r.parts.components.is_empty() && r.parts.unsure.is_empty()) {
            return None;
        }
        // The log may be long.
        Some(std::thread::scope(|scope| {
            let log = scope.spawn(|| audit_log(self.host, &running));
            let log = || log.join().unwrap_or_else(|_| Err("the reader of the log failed".to_owned()));
            self.target_of(group, &running, log)
        }))
    }

    fn target_of(&self, group: &Group, running: &[Running], log: impl FnOnce() -> Result<Log, String>) -> Target {
        let accounts = Accounts::read(self.host);
        let name = self.name(running);
        let mut decided = Vec::new();
        for which in Which::ALL {
            for (at, process) in running.iter().enumerate() {
                for part in process.parts.components.iter().filter(|c| c.which == which) {
                    let before = decided.iter().filter(|d: &&Decided| d.which == which).count();
                    let mut next = self.decide(&name, (at, process), part, &accounts);
                    if before > 0 {
                        let (id, name) = names(&name, which, before + 1);
                        (next.component.id, next.component.name) = (id.into(), name.as_str().into());
                        next.component.set("name", name, Source::place("/proc"));
                    }
                    decided.push(next);
                }
            }
        }
        let mut target = Target::new(name.as_str(), "kubernetes", format!("node at {}", self.host.path().display()));
        for process in running {
            for (which, why) in &process.parts.unsure {
                target.incomplete(which.kind(), why.as_str());
                target.gap(format!("process {}", process.process.pid), why.as_str(), which.name());
            }
        }
        let mut files = Files::new(self.host, &accounts, self.redactor, &name, self.collected_at);
        for d in &decided {
            let process = &running[d.running];
            let user = user(d, process);
            for file in &d.files {
                files.add_of(file.role, &file.path, &process.view, &user);
            }
        }
        places::around(self, running, &mut decided, &mut files, &mut target, group);
        if files.cut {
            target.incomplete(&kubernetes::FILE, "there are more files than are kept");
        }
        self.node(&name, &decided, group, (&log(), &accounts), &mut target);
        target.about = about(&decided);
        target.components.extend(decided.into_iter().map(|d| d.component));
        target.components.extend(files.finish());
        target
    }

    /// A node of which no component may be read.
    pub fn unread(&self) -> Target {
        let mut target = Target::new(self.name(&[]), "kubernetes", format!("node at {}", self.host.path().display()));
        target.incomplete(&kubernetes::FILE, "what its components' arguments name is unknown: run Seaworthy as root");
        target
    }

    fn running(&self, process: &Process, program: Program) -> Running {
        let pid = process.pid;
        let view = View::of(self.host, self.proc, process, process.program().unwrap_or("it"));
        let denied = |what: &str, why: String| format!("{what} of process {pid} cannot be read: {why}");
        let arguments = self.proc.arguments(pid).map_err(|why| denied("the arguments", why.to_string()));
        let names: &[&str] = match program {
            Program::One(Which::Etcd) => &etcd::VARIABLES,
            Program::Kubelite => &parts::SNAP,
            Program::K3s => &parts::K3S,
            _ => &[],
        };
        let variables = match names {
            [] => Ok(Vec::new()),
            names => self.proc.variables(pid, names).map_err(|why| denied("the environment", why.to_string())),
        };
        // What the environment says would be missing.
        let known = variables.as_ref().map_err(Clone::clone).and_then(|_| arguments.clone());
        let variables = variables.unwrap_or_default();
        let parts = parts::of(program, &known, &variables, &view);
        let owner = self.proc.owner(pid).map_err(|why| denied("the owner", why.to_string()));
        Running { process: process.clone(), program, view, owner, arguments, variables, parts }
    }

    /// The node's name: what the kubelet was told to call it, else the machine's.
    fn name(&self, running: &[Running]) -> String {
        let told = running.iter().flat_map(|r| &r.parts.components).find_map(|c| {
            let flags = c.flags.as_ref().ok().filter(|_| matches!(c.which, Which::Kubelet | Which::Proxy))?;
            flags.last("hostname-override").map(str::trim).filter(|name| !name.is_empty()).map(str::to_lowercase)
        });
        let own = || {
            let live = self.host.is_live().then(|| self.proc.read_entry("sys/kernel/hostname", 4096).ok()).flatten();
            let live = live.map(|name| String::from_utf8_lossy(&name).into_owned());
            let written = || self.host.read_text("/etc/hostname").ok();
            live.or_else(written).map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty())
        };
        let name = told.or_else(own).unwrap_or_else(|| "node".to_owned());
        self.redactor.text(&name.chars().take(253).collect::<String>()).into_owned()
    }

    fn decide(&self, node: &str, running: (usize, &Running), part: &parts::Component, accounts: &Accounts) -> Decided {
        let which = part.which;
        let (at, process) = running;
        let snap = process.variables.iter().find(|(name, _)| name == "SNAP").map(|(_, value)| value.as_str());
        let version = version::of(self.host, self.proc, &process.process, which, snap);
        let pid = process.process.pid;
        let run = Run {
            flags: part.flags.clone(),
            place: self.proc.entry(pid, "cmdline").display().to_string().into(),
            minor: version.as_ref().and_then(|(version, _)| version::minor(version)),
            within: part.within,
            files: &process.view,
            redactor: self.redactor,
        };
        let (id, name) = names(node, which, 1);
        let mut part_of = Part::new(Sheet::new(which.kind(), id, name, &run));
        part_of.config_files.extend(part.files.iter().cloned());
        part_of.at_start.extend(part.files.iter().cloned());
        settings(which, &mut part_of);
        part_of.finish(true);
        for file in &part.files {
            part_of.uses("distribution-config", file);
        }
        let Part { sheet, files, .. } = part_of;
        let mut c = sheet.c;
        self.identity(&mut c, node, process, version.as_ref(), accounts);
        Decided { which, component: c, files, running: at }
    }

    /// Who and what the process is.
    fn identity(
        &self,
        c: &mut Component,
        node: &str,
        process: &Running,
        version: Option<&Version>,
        accounts: &Accounts,
    ) {
        let pid = process.process.pid;
        let place: Arc<str> = format!("process {pid}").into();
        let at = |field: &'static str| Source::new(&place, field);
        let name = c.name.to_string();
        c.set("name", name, at(""));
        c.set("node", node, at(""));
        c.set("found_by", "process", at(""));
        let program = process.process.program().unwrap_or_default();
        c.set("program", program, at("exe"));
        c.set("embedded", matches!(process.program, Program::K3s | Program::Kubelite), at("exe"));
        c.set("executable", process.process.exe.as_deref().map(|e| self.redactor.text(e).into_owned()), at("exe"));
        c.set("executable_deleted", process.process.exe_deleted, at("exe"));
        c.set("pid", i64::from(pid), at(""));
        match version {
            Some((version, place)) => {
                let source = Source::place(place.as_str());
                c.set("version", version.as_str(), source.clone());
                match version::minor(version) {
                    Some(minor) => c.set("minor", minor, source),
                    None => c.set_unknown("minor", "its version is of another form", source),
                }
            }
            None => {
                let why = "neither an image, the executable, the distribution nor a package tells it";
                c.set_unknown("version", why, at("exe"));
                c.set_unknown("minor", why, at("exe"));
            }
        }
        match &process.owner {
            Ok(owner) => {
                let uid = owner.effective_uid;
                let name = accounts.user_by_uid(uid).map_or_else(|| uid.to_string(), |u| u.name.clone());
                c.set("user", name, at("status"));
                match (uid, self.proc.namespace(pid, "user")) {
                    (0, Some(FIRST_USERS)) => c.set("root", true, at("ns/user")),
                    (0, None) => c.set_unknown("root", "its user namespace may not be read", at("ns/user")),
                    _ => c.set("root", false, at("status")),
                }
            }
            Err(why) => {
                c.set_unknown("user", why.as_str(), at("status"));
                c.set_unknown("root", why.as_str(), at("status"));
            }
        }
        c.set("in_container", version::container(self.proc, pid).is_some(), at("cgroup"));
        match &process.arguments {
            Ok(arguments) => {
                let shown = self.redactor.argv(arguments);
                c.set("arguments", Value::strings(shown.into_iter().take(512)), at("cmdline"));
            }
            Err(why) => c.set_unknown("arguments", why.as_str(), at("cmdline")),
        }
    }

    /// The node as the machine tells of it; the rest only the API knows.
    fn node(
        &self,
        name: &str,
        decided: &[Decided],
        group: &Group,
        (log, accounts): (&Result<Log, String>, &Accounts),
        target: &mut Target,
    ) {
        let mut c = Component::new(&kubernetes::NODE, format!("Node/{name}"), name);
        c.set("name", name, Source::place("the kubelet's arguments, the host's name"));
        let machine = Source::place("/etc/machine-id");
        match self.host.read_text("/etc/machine-id") {
            Ok(id) if !id.trim().is_empty() && id.trim() != "uninitialized" => {
                c.set("machine", crate::fingerprint(&[b"seaworthy machine\0", id.trim().as_bytes()]), machine);
            }
            Ok(_) => c.set_unknown("machine", "it is empty", machine),
            Err(why) => c.set_unknown("machine", why.to_string(), machine),
        }
        if let Ok(release) = self.proc.read_entry("sys/kernel/osrelease", 4096) {
            let release = String::from_utf8_lossy(&release).trim().to_owned();
            c.set("kernel", release, Source::place("/proc/sys/kernel/osrelease"));
        }
        c.set("os", "linux", Source::place("/proc"));
        if let Some(kubelet) = decided.iter().find(|d| d.which == Which::Kubelet) {
            for (fact, of) in [("kubelet_version", "version"), ("kubelet_minor", "minor"), ("kubelet_port", "port")] {
                let found = kubelet.component.fact(of).clone();
                c.set(fact, found.value, found.source);
            }
        }
        if let [runtime] = group.runtimes.as_slice() {
            c.set("container_runtime", *runtime, Source::place("/proc"));
        }
        logged::set(&mut c, log.as_ref().map_err(String::as_str), accounts);
        c.rest_unknown(&"only the API tells it".into(), &Source::place("the API"));
        target.components.push(c);
    }
}

/// What the host's audit log tells, where the node is no container: else the same path is another file. A kubelet that
/// sees other files than the host shows that it is one.
fn audit_log(host: &Root, running: &[Running]) -> Result<Log, String> {
    let is_kubelet = |r: &&Running| r.parts.components.iter().any(|c| c.which == Which::Kubelet);
    if running.iter().find(is_kubelet).is_some_and(|kubelet| !kubelet.view.is_host) {
        return Err("the node has other files than the host, and the host's log tells of the host's".to_owned());
    }
    logged::read(host, &Watched::default())
}

/// The id and the name of a component of a node.
pub(super) fn names(node: &str, which: Which, ordinal: usize) -> (String, String) {
    let more = if ordinal > 1 { format!("#{ordinal}") } else { String::new() };
    (format!("{}/{node}{more}", which.name()), format!("{node}/{}{more}", which.name()))
}

/// Sets what arguments and files of a component decide.
pub(super) fn settings(which: Which, part: &mut Part<'_>) {
    match which {
        Which::Apiserver => apiserver::decide(part),
        Which::Etcd => etcd::decide(part),
        Which::Manager => controllers::manager(part),
        Which::Scheduler => controllers::scheduler(part),
        Which::Kubelet => kubelet::decide(part),
        Which::Proxy => proxy::decide(part),
    }
}

/// Who uses the files of a component.
pub(super) fn user(decided: &Decided, process: &Running) -> User {
    User {
        component: decided.component.id.to_string(),
        name: decided.which.name(),
        uid: process.owner.as_ref().ok().map(|owner| owner.effective_uid),
    }
}

fn about(decided: &[Decided]) -> String {
    let first = |which: Which| decided.iter().find(|d| d.which == which);
    let version = [Which::Kubelet, Which::Apiserver]
        .into_iter()
        .find_map(|which| first(which)?.component.value("version").as_str().map(str::to_owned));
    let mut parts: Vec<&str> = decided.iter().map(|d| d.which.name()).collect();
    parts.dedup();
    match version {
        Some(version) => format!("Kubernetes {version}: {}", parts.join(", ")),
        None => format!("Kubernetes: {}", parts.join(", ")),
    }
}
