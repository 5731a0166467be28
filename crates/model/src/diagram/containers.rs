//! What containers are tied to: images, networks, volumes, the host's files and namespaces, the daemon.

use std::collections::HashSet;
use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, FlowKind};
use seaworthy_core::path::normalise;
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::draft::{Draft, Drafts};
use super::scope::{MOST_OF_A_LIST, Scope, list, text, truth};

/// Draws the flows of every container of a target.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    let own = own_sockets(scope);
    for at in scope.all_of(&docker::CONTAINER).iter().copied() {
        let mut work = Work { scope, at, element: scope.element[at], now: scope.in_effect(at), drafts };
        work.image();
        work.networks();
        work.host_network();
        work.mounts(&own);
        work.sockets(&own);
        work.namespaces();
        work.log();
    }
}

/// The unix sockets of this engine, and why there may be more.
fn own_sockets(scope: &Scope<'_>) -> (HashSet<String>, Option<Arc<str>>) {
    let mut own: HashSet<String> = HashSet::new();
    own.extend(scope.target.address.strip_prefix("unix://").map(|path| normalise(path).into_owned()));
    match scope.of_daemon("listeners").and_then(list) {
        Ok(listeners) => {
            let paths = listeners.iter().filter(|l| text(l, "serves") != "internal");
            let paths = paths.filter_map(|l| text(l, "address").strip_prefix("unix://"));
            own.extend(paths.map(|path| normalise(path).into_owned()));
            (own, None)
        }
        Err(reason) => (own, Some(reason)),
    }
}

fn access(rw: Option<&Value>) -> &'static str {
    match rw {
        Some(Value::Bool(true)) => "read and write",
        Some(Value::Bool(false)) => "read-only",
        _ => "it is not known whether read-only",
    }
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    at: usize,
    element: usize,
    /// Whether what it is configured for is in effect.
    now: Certainty,
    drafts: &'s mut Drafts,
}

impl<'a> Work<'_, 'a> {
    fn value(&self, fact: &str) -> &'a Value {
        self.scope.value(self.at, fact)
    }

    /// A flow from this container, possible while it does not run.
    fn draft(&self, kind: FlowKind, to: usize, label: impl Into<String>, fact: &str) -> Draft {
        let facts = [self.scope.cite(self.at, fact), self.scope.cite(self.at, "running")];
        Draft::new(kind, self.element, to, label).and(&self.now).facts(facts)
    }

    fn image(&mut self) {
        let id = self.value("image_id").as_str().unwrap_or_default();
        let name = self.value("image").as_str().unwrap_or_default();
        let by_id = self.scope.named(&docker::IMAGE, id).map(|image| (image, None));
        let image = by_id.or_else(|| {
            // Its name may have moved to another image since.
            let unlisted = || "the image with its id is not listed, and its name may have moved since".into();
            let reason = self.value("image_id").reason().map_or_else(unlisted, Arc::clone);
            self.scope.named(&docker::IMAGE, name).map(|image| (image, Some(reason)))
        });
        let Some((image, doubt)) = image else { return };
        let facts = ["image", "image_id"].map(|fact| self.scope.cite(self.at, fact));
        let draft =
            Draft::new(FlowKind::Image, self.scope.element[image], self.element, "its file system and settings");
        let draft = draft.key("image").facts(facts);
        self.drafts.add(match &doubt {
            Some(reason) => draft.maybe(reason),
            None => draft,
        });
    }

    /// Networks that it is attached to, through the container whose network namespace it joined too.
    fn networks(&mut self) {
        let end = self.scope.network_of(self.at);
        let through =
            if end == self.at { String::new() } else { format!("through {}", self.scope.component(end).name) };
        let cite = [self.scope.cite(end, "networks"), self.scope.cite(self.at, "joins")];
        let add = |work: &mut Self, network: usize, doubt: Option<&Arc<str>>| {
            if matches!(work.scope.value(network, "driver").as_str(), Some("host" | "none")) {
                return;
            }
            let to = work.scope.element[network];
            let draft = work.draft(FlowKind::ContainerNetwork, to, through.as_str(), "networks").facts(cite);
            let draft = draft.key("network");
            work.drafts.add(match doubt {
                Some(reason) => draft.maybe(reason),
                None => draft,
            });
        };
        let mut unknown = None;
        match self.scope.value(end, "networks") {
            Value::List(names) => {
                for name in names {
                    match name {
                        Value::Str(name) => {
                            if let Some(network) = self.scope.named(&docker::NETWORK, name) {
                                add(self, network, None);
                            }
                        }
                        Value::Unknown(reason) => unknown = Some(Arc::clone(reason)),
                        _ => {}
                    }
                }
            }
            Value::Unknown(reason) => unknown = Some(Arc::clone(reason)),
            _ => {}
        }
        // Whoever may have joined another's network namespace may be where that is.
        let joins = match self.value("joins") {
            Value::Unknown(reason) => Some(Arc::clone(reason)),
            Value::List(joins) => joins.iter().find_map(Value::reason).cloned(),
            _ => None,
        };
        if let Some(reason) = unknown.or(joins) {
            for network in self.scope.all_of(&docker::NETWORK).iter().take(MOST_OF_A_LIST) {
                add(self, *network, Some(&reason));
            }
        }
    }

    fn host_network(&mut self) {
        let Some(host) = self.scope.host else { return };
        let draft = self.draft(FlowKind::HostNetwork, self.scope.element[host], "the host's network", "host_network");
        self.claim("host_network", draft);
    }

    /// Adds a flow that is there when a fact is true.
    fn claim(&mut self, fact: &str, draft: Draft) {
        match truth(self.value(fact)) {
            Ok(true) => self.drafts.add(draft),
            Ok(false) => {}
            Err(reason) => self.drafts.add(draft.maybe(&reason)),
        }
    }

    fn mounts(&mut self, (own, _): &(HashSet<String>, Option<Arc<str>>)) {
        let host = self.scope.host.map(|at| self.scope.element[at]);
        let mut binds = 0;
        let mounts = match list(self.value("mounts")) {
            Ok(mounts) => mounts,
            Err(reason) => {
                if let Some(host) = host {
                    let draft = self.draft(FlowKind::BindMount, host, "its mounts are not known", "mounts");
                    self.drafts.add(draft.key("unknown").maybe(&reason));
                }
                for volume in self.scope.all_of(&docker::VOLUME).iter().take(MOST_OF_A_LIST) {
                    let to = self.scope.element[*volume];
                    let draft = self.draft(FlowKind::VolumeMount, to, "it may be mounted", "mounts");
                    self.drafts.add(draft.key("unknown").maybe(&reason));
                }
                return;
            }
        };
        for mount in mounts {
            if let Value::Unknown(reason) = mount {
                if let Some(host) = host {
                    let draft = self.draft(FlowKind::BindMount, host, "a mount that is not known", "mounts");
                    self.drafts.add(draft.key("unknown").maybe(reason));
                }
                continue;
            }
            let volume = text(mount, "volume");
            if let Some(volume) = self.scope.named(&docker::VOLUME, volume).filter(|_| !volume.is_empty()) {
                self.volume(mount, volume);
            }
            let source = text(mount, "source");
            if text(mount, "type") != "bind" || own.contains(&*normalise(source)) {
                continue;
            }
            binds += 1;
            if let Some(host) = host.filter(|_| binds <= MOST_OF_A_LIST) {
                let label = format!("{source} ({})", access(mount.field("rw")));
                let draft = self.draft(FlowKind::BindMount, host, label, "mounts");
                self.drafts.add(draft.key(format!("{source} at {}", text(mount, "destination"))));
            }
        }
        if let Some(host) = host.filter(|_| binds > MOST_OF_A_LIST) {
            let label = format!("{} more paths", binds - MOST_OF_A_LIST);
            let draft = self.draft(FlowKind::BindMount, host, label, "mounts").key("more");
            self.drafts.add(draft);
        }
    }

    fn volume(&mut self, mount: &Value, volume: usize) {
        let label = format!("{} ({})", text(mount, "destination"), access(mount.field("rw")));
        let draft = self.draft(FlowKind::VolumeMount, self.scope.element[volume], label, "mounts");
        self.drafts.add(draft.key(text(mount, "destination")));
    }

    fn sockets(&mut self, (own, unsure): &(HashSet<String>, Option<Arc<str>>)) {
        let Some(daemon) = self.scope.daemon.map(|at| self.scope.element[at]) else { return };
        let sockets = match list(self.value("runtime_sockets")) {
            Ok(sockets) => sockets,
            Err(reason) => {
                let draft = self.draft(FlowKind::SocketMount, daemon, "the engine's socket", "runtime_sockets");
                self.drafts.add(draft.key("unknown").maybe(&reason));
                return;
            }
        };
        for socket in sockets.iter().take(MOST_OF_A_LIST) {
            let reaches = text(socket, "reaches");
            let label = format!("{reaches} ({})", access(socket.field("rw")));
            let draft = self.draft(FlowKind::SocketMount, daemon, label, "runtime_sockets").key(reaches);
            match unsure {
                _ if own.contains(reaches) => self.drafts.add(draft),
                Some(reason) => self.drafts.add(draft.maybe(reason)),
                None => {}
            }
        }
    }

    fn namespaces(&mut self) {
        if let Some(host) = self.scope.host {
            for (fact, name) in [("host_pid", "pid"), ("host_ipc", "ipc"), ("host_uts", "uts")] {
                let label = format!("{name} namespace of the host");
                let draft = self.draft(FlowKind::Namespace, self.scope.element[host], label, fact);
                self.claim(fact, draft.key(name));
            }
        }
        let joins = self.value("joins").as_list().unwrap_or_default();
        for join in joins.iter().take(MOST_OF_A_LIST) {
            let Some((kind, name)) = join.as_str().and_then(|join| join.split_once(':')) else { continue };
            let Some(other) = self.scope.named(&docker::CONTAINER, name).filter(|other| *other != self.at) else {
                continue;
            };
            let label = format!("{kind} namespace");
            let draft = self.draft(FlowKind::Namespace, self.scope.element[other], label, "joins").key(kind);
            self.drafts.add(draft.and(&self.scope.in_effect(other)).facts([self.scope.cite(other, "running")]));
        }
    }

    fn log(&mut self) {
        let Some(daemon) = self.scope.daemon else { return };
        let to = self.scope.element[daemon];
        match self.value("log_driver") {
            Value::Str(driver) if &**driver == "none" => {}
            Value::Str(driver) => {
                let draft = self.draft(FlowKind::Log, to, format!("its log, by {driver}"), "log_driver").key("log");
                self.drafts.add(draft);
            }
            Value::Unknown(reason) => {
                let draft = self.draft(FlowKind::Log, to, "its log", "log_driver").key("log");
                self.drafts.add(draft.maybe(reason));
            }
            _ => {}
        }
    }
}
