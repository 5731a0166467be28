//! Trust zones: what separates elements in effect, and not what they are called.

use std::collections::BTreeMap;

use seaworthy_core::component::Component;
use seaworthy_core::diagram::{FactRef, Zone};
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::scope::{Ids, Scope, cut, short, truth};

/// A kind of zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneKind {
    /// What the ids of its zones begin with, after the target's name.
    pub name: &'static str,
    /// How much what is in it is trusted in effect, whether it should be or not: 0 is not at all, 100 is wholly.
    pub trust: u8,
    /// What lies in it.
    pub means: &'static str,
}

const fn zone(name: &'static str, trust: u8, means: &'static str) -> ZoneKind {
    ZoneKind { name, trust, means }
}

pub(super) const INTERNET: ZoneKind = zone("internet", 0, "anybody");
pub(super) const LOCAL_NETWORK: ZoneKind =
    zone("local-network", 10, "machines on a network that the host is attached to");
const REGISTRIES: ZoneKind = zone("registries", 30, "registries on other machines");
const SWARM: ZoneKind = zone("swarm", 60, "the nodes and services of the swarm, on this machine or others");
const HOST: ZoneKind = zone("host", 100, "the machine with its kernel, and what runs on it as root");
const USERS: ZoneKind = zone("users", 40, "users of the host that are not root, and their clients");
const ROOTLESS: ZoneKind = zone("rootless-engine", 80, "an engine that runs without root's rights, and what it keeps");
const CONTAINERS: ZoneKind =
    zone("containers", 50, "containers that share the kernel, whose root is the engine's user");
const MAPPED: ZoneKind = zone("containers-mapped", 45, "containers whose root is nobody on the host");
const INTERNAL: ZoneKind =
    zone("internal-network", 45, "containers that have no other network than one without a way out");
const SANDBOX: ZoneKind = zone("sandbox", 40, "a container with a kernel of its own");
const UNKNOWN: ZoneKind = zone("containers-unknown", 50, "containers of which it is not known what separates them");
const OPEN: ZoneKind = zone("containers-open", 90, "containers whose code is equal to root on the host");

/// Zones of clusters.
pub(super) const CLUSTER: ZoneKind = zone("cluster", 60, "what the API server knows, and whom it lets speak");
pub(super) const CONTROL_PLANE: ZoneKind = zone("control-plane", 100, "the API server, etcd and the controllers");
pub(super) const NODES: ZoneKind = zone("nodes", 90, "nodes with their kernels, and what runs there as root");
pub(super) const NAMESPACE: ZoneKind = zone("namespace", 50, "a namespace with its pods, accounts and objects");
pub(super) const PODS_OPEN: ZoneKind =
    zone("pods-open", 85, "containers of pods whose code is equal to root on their node");

/// Every kind of zone.
pub const ZONE_KINDS: &[ZoneKind] = &[
    INTERNET,
    LOCAL_NETWORK,
    REGISTRIES,
    SWARM,
    HOST,
    USERS,
    ROOTLESS,
    CONTAINERS,
    MAPPED,
    INTERNAL,
    SANDBOX,
    UNKNOWN,
    OPEN,
    CLUSTER,
    CONTROL_PLANE,
    NODES,
    NAMESPACE,
    PODS_OPEN,
];

/// The zones of a target.
#[derive(Default)]
pub(super) struct Zones {
    pub internet: usize,
    pub local_network: usize,
    pub users: usize,
    /// The zone of each component.
    pub of: Vec<usize>,
}

/// What separates a container from the host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Isolation {
    Shared,
    Mapped,
    Open,
    Unknown,
    Sandbox,
}

/// Adds the zones of a target and says for each of its components where it lies.
pub(super) fn lay_out(scope: &mut Scope<'_>, zones: &mut Vec<Zone>, ids: &mut Ids) {
    let placed = Layout::new(scope, zones, ids).run();
    scope.zones = placed;
}

/// Makes the zones of a target, each once.
pub(super) struct Layout<'s, 'a> {
    pub scope: &'s Scope<'a>,
    zones: &'s mut Vec<Zone>,
    ids: &'s mut Ids,
    /// Zones by what their ids end with.
    made: BTreeMap<String, usize>,
}

impl<'s, 'a> Layout<'s, 'a> {
    pub fn new(scope: &'s Scope<'a>, zones: &'s mut Vec<Zone>, ids: &'s mut Ids) -> Self {
        Self { scope, zones, ids, made: BTreeMap::new() }
    }

    fn run(&mut self) -> Zones {
        let internet = self.root(INTERNET, "Internet", "what routers and packet filters before the host let through");
        let local_network =
            self.root(LOCAL_NETWORK, "Local network", "what listens on the host's addresses, and its packet filter");
        let name = self.scope.host.map_or(&*self.scope.target.name, |at| &*self.scope.component(at).name);
        let host = self.root(
            HOST,
            &format!("Host {}", cut(name)),
            "its kernel, its packet filter and its accounts: from outside only what listens is reached",
        );
        let users = self.add(USERS, ("Users of the host", "the kernel's users and the modes of files"), host, vec![]);
        let engine = self.engine(host);
        let mut of: Vec<usize> = vec![host; self.scope.target.components.len()];
        let attached = self.isolated_networks();
        for (at, place) in of.iter_mut().enumerate() {
            *place = self.place(at, (host, users, engine, local_network), &attached);
        }
        self.networks(&mut of, engine, local_network);
        Zones { internet, local_network, users, of }
    }

    pub fn root(&mut self, kind: ZoneKind, name: &str, boundary: &str) -> usize {
        self.make(kind, "", (name, boundary), None, vec![])
    }

    /// A zone; the one that was made before where there is one.
    fn add(
        &mut self,
        kind: ZoneKind,
        (name, boundary): (&str, &str),
        parent: usize,
        facts: Vec<Option<FactRef>>,
    ) -> usize {
        self.make(kind, "", (name, boundary), Some(parent), facts)
    }

    /// One of several zones of a kind.
    pub fn make(
        &mut self,
        kind: ZoneKind,
        which: &str,
        (name, boundary): (&str, &str),
        parent: Option<usize>,
        facts: Vec<Option<FactRef>>,
    ) -> usize {
        let key = if which.is_empty() { kind.name.to_owned() } else { format!("{}/{}", kind.name, short(which)) };
        if let Some(at) = self.made.get(&key) {
            return *at;
        }
        self.zones.push(Zone {
            id: self.ids.unique(format!("{}/{key}", self.scope.prefix)),
            name: name.to_owned(),
            parent,
            boundary: boundary.to_owned(),
            trust: kind.trust,
            facts: facts.into_iter().flatten().collect(),
        });
        self.made.insert(key, self.zones.len() - 1);
        self.zones.len() - 1
    }

    /// Where the engine is: with the host, or within what a user may do.
    fn engine(&mut self, host: usize) -> usize {
        if self.scope.of_daemon("rootless").ok().and_then(Value::as_bool) != Some(true) {
            return host;
        }
        let facts = ["rootless", "uid"].map(|fact| self.scope.cite_of(self.scope.daemon, fact));
        let boundary = "a user namespace: the engine has the rights of an ordinary user of the host";
        self.add(ROOTLESS, ("Rootless engine", boundary), host, facts.to_vec())
    }

    fn place(&mut self, at: usize, (host, users, engine, local): (usize, usize, usize, usize), alone: &Alone) -> usize {
        let component = self.scope.component(at);
        let kind = component.kind;
        if std::ptr::eq(kind, &docker::CONTAINER) {
            return self.container(at, engine, alone);
        }
        if std::ptr::eq(kind, &docker::CLIENT) {
            return if component.value("user").as_str() == Some("root") { host } else { users };
        }
        if std::ptr::eq(kind, &docker::REGISTRY) {
            let here = component.name.starts_with("localhost")
                || super::address::Bound::new(component.name.split(':').next().unwrap_or_default(), 0).is_loopback();
            return if here { host } else { self.registries() };
        }
        if std::ptr::eq(kind, &docker::NODE) || std::ptr::eq(kind, &docker::SERVICE) {
            return self.root(SWARM, "Swarm", "the certificates by which its nodes know each other");
        }
        if std::ptr::eq(kind, &docker::NETWORK) && is_direct(component) {
            return local;
        }
        let of_engine = [&docker::DAEMON, &docker::IMAGE, &docker::VOLUME, &docker::NETWORK, &docker::SWARM];
        if of_engine.into_iter().any(|k| std::ptr::eq(k, kind)) { engine } else { host }
    }

    fn registries(&mut self) -> usize {
        self.root(REGISTRIES, "Registries", "the network between, and what the engine verifies of who answers")
    }

    fn container(&mut self, at: usize, engine: usize, alone: &Alone) -> usize {
        let isolation = self.isolation(at);
        let base = self.isolated(isolation, at, engine);
        let network = alone.get(&at).filter(|_| matches!(isolation, Isolation::Shared | Isolation::Mapped));
        let Some(network) = network.copied() else { return base };
        let name = &self.scope.component(network).name;
        let which = match isolation {
            Isolation::Mapped => format!("mapped/{name}"),
            _ => format!("shared/{name}"),
        };
        let boundary = "an internal network: no way in or out but through its members";
        let facts = vec![self.scope.cite(network, "internal")];
        let name = format!("Internal network {}", cut(name));
        self.make(INTERNAL, &which, (&name, boundary), Some(base), facts)
    }

    fn isolation(&self, at: usize) -> Isolation {
        let c = self.scope.component(at);
        match c.value("equal_to_root") {
            Value::List(reasons) if reasons.is_empty() => {}
            Value::List(_) => return Isolation::Open,
            _ => return Isolation::Unknown,
        }
        let is = |fact: &str, wanted: bool| truth(c.value(fact)) == Ok(wanted);
        let rootless = self.scope.of_daemon("rootless").ok().and_then(Value::as_bool) == Some(true);
        if is("sandboxed", true) {
            Isolation::Sandbox
        } else if is("root_on_host", false) && !rootless {
            // Under a rootless engine every container's root is the engine's user, which separates it from no other.
            Isolation::Mapped
        } else {
            Isolation::Shared
        }
    }

    fn isolated(&mut self, isolation: Isolation, at: usize, engine: usize) -> usize {
        let c = self.scope.component(at);
        let cite = |fact: &str| self.scope.cite(at, fact);
        match isolation {
            Isolation::Shared => self.shared(engine),
            Isolation::Mapped => {
                let boundary =
                    "namespaces over the same kernel, a user namespace among them: user 0 inside is nobody on the host";
                let facts = vec![self.scope.cite_of(self.scope.daemon, "userns"), cite("root_on_host")];
                self.add(MAPPED, ("Containers with mapped users", boundary), engine, facts)
            }
            Isolation::Open => {
                let facts = vec![cite("equal_to_root")];
                let boundary = "nothing in effect: their code can become root on the host";
                self.add(OPEN, ("Containers equal to root", boundary), engine, facts)
            }
            Isolation::Unknown => {
                let why = c.value("equal_to_root").reason().map_or("it was not said", |r| r);
                let boundary = format!("not known: {}", cut(why));
                let facts = vec![cite("equal_to_root")];
                self.add(UNKNOWN, ("Containers of unknown separation", &boundary), engine, facts)
            }
            Isolation::Sandbox => {
                let facts = vec![cite("sandboxed"), cite("runtime")];
                let runtime = cut(c.value("runtime").as_str().unwrap_or("its runtime"));
                let boundary = format!("a kernel of its own, by {runtime}");
                let name = format!("Sandbox of {}", cut(&c.name));
                let which = self.scope.ids[at].strip_prefix(&self.scope.prefix).unwrap_or_default();
                self.make(SANDBOX, which.trim_start_matches('/'), (&name, &boundary), Some(engine), facts)
            }
        }
    }

    fn shared(&mut self, engine: usize) -> usize {
        let facts = ["userns", "rootless"].map(|fact| self.scope.cite_of(self.scope.daemon, fact));
        let boundary = "namespaces, capabilities and filters of system calls over the same kernel; user 0 inside has the engine's user outside";
        self.add(CONTAINERS, ("Containers", boundary), engine, facts.to_vec())
    }

    /// The containers whose only network is an internal one, with that network.
    fn isolated_networks(&self) -> Alone {
        let mut out = Alone::new();
        for at in self.scope.all_of(&docker::CONTAINER).iter().copied() {
            let end = self.scope.network_of(at);
            let Some([Value::Str(name)]) = self.scope.value(end, "networks").as_list() else { continue };
            let known = truth(self.scope.value(at, "host_network")) == Ok(false);
            let Some(network) = self.scope.named(&docker::NETWORK, name).filter(|_| known) else { continue };
            if truth(self.scope.value(network, "internal")) == Ok(true) {
                out.insert(at, network);
            }
        }
        out
    }

    /// Networks lie with the containers that they join: an internal one in its own zone, the others among all.
    fn networks(&mut self, of: &mut [usize], engine: usize, local: usize) {
        let mut zone_of: BTreeMap<usize, usize> = BTreeMap::new();
        for (container, network) in self.isolated_networks() {
            if !matches!(self.isolation(container), Isolation::Shared | Isolation::Mapped) {
                continue;
            }
            zone_of.entry(network).or_insert(of[container]);
        }
        for at in self.scope.all_of(&docker::NETWORK).to_vec() {
            let is_host = self.scope.value(at, "driver").as_str() == Some("host");
            of[at] = match zone_of.get(&at) {
                _ if of[at] == local || is_host => continue,
                Some(zone) => *zone,
                None => self.shared(engine),
            };
        }
    }
}

/// The only network of containers, where it is an internal one.
type Alone = BTreeMap<usize, usize>;

/// Whether a network puts its containers on the host's own network, next to the host.
pub(super) fn is_direct(network: &Component) -> bool {
    matches!(network.value("driver").as_str(), Some("macvlan" | "ipvlan"))
        && truth(network.value("internal")) != Ok(true)
}
