//! TCP sockets of the daemon and of the SSH server: who reaches them, from outside and from containers.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use seaworthy_core::diagram::{Certainty, FactRef, FlowKind};
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::Exposure;
use super::address::Bound;
use super::draft::{Draft, Drafts};
use super::scope::{MOST_OF_A_LIST, Scope, list, text, truth};

/// A TCP listener of the daemon.
struct Listener {
    address: String,
    bound: Option<Bound>,
    /// Whether only this machine reaches it, or why that is not known.
    loopback: Result<bool, Arc<str>>,
    /// What it serves, or why that is not known.
    serves: Result<String, Arc<str>>,
    /// What TLS asks for; ordered from the weakest.
    tls: Tls,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tls {
    None,
    Unknown,
    Unverified,
    Mutual,
}

impl Tls {
    fn words(self) -> &'static str {
        match self {
            Self::None => "no TLS",
            Self::Unknown => "it is not known whether TLS",
            Self::Unverified => "TLS, clients not verified",
            Self::Mutual => "mutual TLS",
        }
    }
}

impl Listener {
    fn read(value: &Value) -> Self {
        let known = |field: &str| match value.field(field) {
            Some(Value::Str(text)) => Ok(text.to_string()),
            Some(Value::Unknown(reason)) => Err(Arc::clone(reason)),
            _ => Err("it was not said".into()),
        };
        let address = text(value, "address").to_owned();
        let tls = match known("tls").as_deref() {
            Ok("none") => Tls::None,
            Ok("mutual") => Tls::Mutual,
            Ok(_) => Tls::Unverified,
            Err(_) => Tls::Unknown,
        };
        let loopback = value.field("loopback").map_or_else(|| Err("it was not said".into()), truth);
        Self { bound: Bound::parse(&address), address, loopback, serves: known("serves"), tls }
    }

    fn label(&self) -> String {
        format!("{} ({})", self.address, self.tls.words())
    }

    /// What kind of flow leads to it, and whether that is known.
    fn kinds(&self) -> Vec<(FlowKind, Certainty)> {
        match self.serves.as_deref() {
            Ok("api") => vec![(FlowKind::ApiRemote, Certainty::Proven)],
            Ok("metrics") => vec![(FlowKind::Metrics, Certainty::Proven)],
            Ok("swarm") => vec![(FlowKind::Swarm, Certainty::Proven)],
            Ok(_) => vec![],
            Err(reason) => [FlowKind::ApiRemote, FlowKind::Metrics]
                .map(|kind| (kind, Certainty::Possible(Arc::clone(reason))))
                .to_vec(),
        }
    }
}

/// Draws who reaches the daemon and the SSH server over a network.
pub(super) fn draw(scope: &Scope<'_>, exposure: &Exposure, drafts: &mut Drafts) {
    let listeners = match scope.of_daemon("listeners").and_then(list) {
        Ok(all) => all.iter().filter(|l| text(l, "transport") == "tcp" || l.is_unknown()).map(Listener::read).collect(),
        Err(reason) => {
            unlisted(scope, &reason, drafts);
            Vec::new()
        }
    };
    if let Some(daemon) = scope.daemon {
        let mut work = Work { scope, exposure, to: scope.element[daemon], drafts };
        work.listeners(&listeners);
        work.containers(&listeners);
        work.clients(&listeners);
    }
    ssh(scope, exposure, drafts);
}

/// Nothing is known of the daemon's sockets, save that it answered at an address.
fn unlisted(scope: &Scope<'_>, reason: &Arc<str>, drafts: &mut Drafts) {
    let Some(daemon) = scope.daemon else { return };
    let to = scope.element[daemon];
    let facts = [scope.cite(daemon, "listeners")];
    let address = &scope.target.address;
    let answered = ["tcp://", "http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
    let bound = answered.then(|| Bound::parse(address)).flatten();
    let local = scope.actors.local_network;
    match bound.filter(|b| !b.is_loopback()) {
        Some(_) => {
            drafts.add(Draft::new(FlowKind::ApiRemote, local, to, address.as_str()).key("answered").facts(facts))
        }
        None => {
            let draft = Draft::new(FlowKind::ApiRemote, local, to, "a TCP listener").key("unknown");
            drafts.add(draft.maybe(reason).facts(facts));
        }
    }
    let swarm = scope.of_daemon("swarm").ok().and_then(Value::as_str);
    if swarm.is_some_and(|state| state != "inactive") {
        let draft = Draft::new(FlowKind::Swarm, local, to, "swarm's listener").key("unknown");
        drafts.add(draft.maybe(reason).facts(facts));
    }
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    exposure: &'s Exposure,
    to: usize,
    drafts: &'s mut Drafts,
}

/// How containers of a network reach the API: by the weakest TLS first, with the listener and whether it is proven.
type Reached = BTreeMap<Tls, (Certainty, String)>;

impl Work<'_, '_> {
    fn cite(&self) -> Option<FactRef> {
        self.scope.cite_of(self.scope.daemon, "listeners")
    }

    fn listeners(&mut self, listeners: &[Listener]) {
        let subnets = self.subnets();
        for listener in listeners.iter().take(MOST_OF_A_LIST) {
            for (kind, certainty) in listener.kinds() {
                self.outside(listener, kind, &certainty, &subnets);
                // Every user of the host reaches what listens on any of its addresses.
                if kind == FlowKind::ApiRemote {
                    let user = self.scope.actors.local_user;
                    let draft = Draft::new(kind, user, self.to, listener.label()).key(&listener.address);
                    self.drafts.add(draft.and(&certainty).facts([self.cite()]));
                }
            }
        }
    }

    fn outside(&mut self, listener: &Listener, kind: FlowKind, certainty: &Certainty, subnets: &[String]) {
        let (local, internet) = (self.scope.actors.local_network, self.scope.actors.internet);
        let cite = [self.cite()];
        let draft = |from: usize| Draft::new(kind, from, self.to, listener.label()).key(&listener.address).facts(cite);
        let local_draft = draft(local).and(certainty);
        let declared = listener.bound.as_ref().is_some_and(|b| self.exposure.binds(b, "tcp"));
        let reach = if declared { Some(Certainty::Proven) } else { listener.bound.as_ref().and_then(Bound::internet) };
        let inner = listener.bound.as_ref().is_some_and(|b| subnets.iter().any(|s| b.lies_in(s)));
        match &listener.loopback {
            Ok(true) if !declared => return,
            Ok(_) if inner => self.drafts.add(local_draft.maybe(
                &"it is bound to a container network's address, which hosts on the same link reach unless the packet \
                  filter stops them"
                    .into(),
            )),
            Ok(_) => self.drafts.add(local_draft),
            Err(reason) => self.drafts.add(local_draft.maybe(reason)),
        }
        if let Some(reach) = reach {
            self.drafts.add(draft(internet).and(certainty).and(&reach));
        }
    }

    fn subnets(&self) -> Vec<String> {
        let networks = self.scope.all_of(&docker::NETWORK).iter();
        let subnets = networks.flat_map(|at| self.scope.value(*at, "subnets").as_list().unwrap_or_default());
        subnets.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Containers reach what listens on every address, and on that of a bridge that they are attached to; those in
    /// the host's network reach everything.
    fn containers(&mut self, listeners: &[Listener]) {
        let api: Vec<(&Listener, Certainty)> = listeners
            .iter()
            .take(MOST_OF_A_LIST)
            .filter_map(|l| l.kinds().into_iter().find(|(kind, _)| *kind == FlowKind::ApiRemote).map(|(_, c)| (l, c)))
            .collect();
        if api.is_empty() {
            return;
        }
        let mut host = Reached::new();
        for (listener, certainty) in &api {
            add(&mut host, listener, certainty.clone());
        }
        let networks: BTreeMap<usize, Reached> =
            self.scope.all_of(&docker::NETWORK).iter().map(|at| (*at, self.from_network(*at, &api))).collect();
        for at in self.scope.all_of(&docker::CONTAINER).iter().copied() {
            self.container(at, &host, &networks);
        }
    }

    fn from_network(&self, network: usize, api: &[(&Listener, Certainty)]) -> Reached {
        let mut out = Reached::new();
        let driver = self.scope.value(network, "driver");
        let subnets = list(self.scope.value(network, "subnets"));
        for (listener, certainty) in api {
            let Some(bound) = &listener.bound else { continue };
            let doubt: Option<Arc<str>> = match (driver.as_str(), &subnets) {
                (Some("host" | "none" | "macvlan" | "ipvlan"), _) => continue,
                (Some("bridge"), Ok(subnets)) => {
                    let bound_there = subnets.iter().filter_map(Value::as_str).any(|s| bound.lies_in(s));
                    let internal = truth(self.scope.value(network, "internal"));
                    match (bound_there, bound.is_wildcard(), internal) {
                        (true, ..) | (_, true, Ok(false)) => None,
                        (_, true, Ok(true)) => {
                            Some("whether the internal network's bridge has an address on the host is not known".into())
                        }
                        (_, true, Err(reason)) => Some(reason),
                        // An address of the host elsewhere: the container's packets are routed to it.
                        (false, false, Ok(false)) if !bound.is_loopback() => None,
                        _ => continue,
                    }
                }
                _ if bound.is_loopback() => continue,
                (Some("bridge"), Err(reason)) => Some(Arc::clone(reason)),
                (Some(driver), _) => {
                    Some(format!("whether a {driver} network leads to the host's addresses is not known").into())
                }
                (None, _) => Some(driver.reason().cloned().unwrap_or_else(|| "its driver is not known".into())),
            };
            let certainty = doubt.map_or(certainty.clone(), |reason| certainty.and(&Certainty::Possible(reason)));
            add(&mut out, listener, certainty);
        }
        out
    }

    fn container(&mut self, at: usize, host: &Reached, networks: &BTreeMap<usize, Reached>) {
        let now = self.scope.in_effect(at);
        let mut best = Reached::new();
        let mut facts = vec![self.cite(), self.scope.cite(at, "running")];
        match truth(self.scope.value(at, "host_network")) {
            Ok(true) => {
                facts.push(self.scope.cite(at, "host_network"));
                best.clone_from(host);
            }
            Err(reason) => {
                facts.push(self.scope.cite(at, "host_network"));
                let maybe = Certainty::Possible(reason);
                best.extend(host.iter().map(|(tls, (c, label))| (*tls, (c.and(&maybe), label.clone()))));
            }
            Ok(false) => {}
        }
        let end = self.scope.network_of(at);
        let names = self.scope.value(end, "networks").as_list().unwrap_or_default();
        for name in names.iter().filter_map(Value::as_str).take(MOST_OF_A_LIST) {
            let Some(network) = self.scope.named(&docker::NETWORK, name) else { continue };
            let Some(reached) = networks.get(&network).filter(|reached| !reached.is_empty()) else { continue };
            facts.extend([self.scope.cite(end, "networks"), self.scope.cite(network, "subnets")]);
            for (tls, (certainty, label)) in reached {
                let known = best.entry(*tls).or_insert_with(|| (certainty.clone(), label.clone()));
                if certainty < &known.0 {
                    *known = (certainty.clone(), label.clone());
                }
            }
        }
        for (tls, (certainty, label)) in best {
            let draft = Draft::new(FlowKind::ApiRemote, self.scope.element[at], self.to, label);
            let draft = draft.key(format!("api {}", tls.words())).and(&certainty).and(&now);
            self.drafts.add(draft.facts(facts.iter().copied()));
        }
    }

    /// Clients whose context or environment names a listener of this machine.
    fn clients(&mut self, listeners: &[Listener]) {
        for client in self.scope.all_of(&docker::CLIENT).iter().copied() {
            let contexts = self.scope.value(client, "contexts").as_list().unwrap_or_default();
            let hosts = contexts.iter().map(|context| text(context, "host"));
            let own = self.scope.value(client, "docker_host").as_str();
            let hosts: HashSet<&str> = hosts.chain(own).take(MOST_OF_A_LIST).collect();
            for listener in listeners.iter().take(MOST_OF_A_LIST) {
                if listener.serves.as_deref() != Ok("api") || !hosts.iter().any(|host| same(host, listener)) {
                    continue;
                }
                let facts = [self.cite(), self.scope.cite(client, "contexts"), self.scope.cite(client, "docker_host")];
                let from = self.scope.element[client];
                let draft = Draft::new(FlowKind::ApiRemote, from, self.to, listener.label());
                self.drafts.add(draft.key(&listener.address).facts(facts));
            }
        }
    }
}

/// Whether a client's endpoint is a listener of this machine, as far as numbers tell.
fn same(host: &str, listener: &Listener) -> bool {
    let (Some(host), Some(bound)) = (Bound::parse(host), &listener.bound) else { return false };
    host.port == bound.port && host.ip.is_some() && (host.ip == bound.ip || host.is_loopback() && bound.is_wildcard())
}

fn add(reached: &mut Reached, listener: &Listener, certainty: Certainty) {
    let known = reached.entry(listener.tls).or_insert_with(|| (certainty.clone(), listener.label()));
    if certainty < known.0 {
        *known = (certainty, listener.label());
    }
}

/// Draws who reaches the SSH server.
fn ssh(scope: &Scope<'_>, exposure: &Exposure, drafts: &mut Drafts) {
    let Some(host) = scope.host else { return };
    let facts = ["sshd_installed", "listeners"].map(|fact| scope.cite(host, fact));
    let installed = truth(scope.value(host, "sshd_installed"));
    let found = match list(scope.value(host, "listeners")) {
        Ok(listeners) => ssh_listeners(scope, listeners, &installed),
        Err(reason) if installed != Ok(false) => vec![(None, Some(reason))],
        Err(_) => vec![],
    };
    for (bound, doubt) in found {
        let label = bound.as_ref().and_then(|b| b.ip.map(|ip| format!("SSH at {ip}, port {}", b.port)));
        let label = label.unwrap_or_else(|| "SSH".to_owned());
        let key = bound.as_ref().map_or_else(|| "unknown".to_owned(), |b| format!("port {}", b.port));
        let declared = bound.as_ref().is_some_and(|b| exposure.binds(b, "tcp"));
        let unread = || Some(Certainty::Possible("where it listens is not known".into()));
        let internet =
            if declared { Some(Certainty::Proven) } else { bound.as_ref().map_or_else(unread, Bound::internet) };
        let reached = [(scope.actors.local_network, Some(Certainty::Proven)), (scope.actors.internet, internet)];
        for (from, certainty) in reached {
            let Some(certainty) = certainty else { continue };
            let draft = Draft::new(FlowKind::Ssh, from, scope.element[host], &*label).key(&*key).and(&certainty);
            let draft = draft.facts(facts);
            drafts.add(match &doubt {
                Some(reason) => draft.maybe(reason),
                None => draft,
            });
        }
    }
}

/// Where an SSH server listens, with a doubt where that is not certain: nobody looked whose the sockets are.
fn ssh_listeners(
    scope: &Scope<'_>,
    listeners: &[Value],
    installed: &Result<bool, Arc<str>>,
) -> Vec<(Option<Bound>, Option<Arc<str>>)> {
    let open: Vec<Bound> = listeners
        .iter()
        .filter(|l| l.field("loopback").and_then(Value::as_bool) != Some(true))
        .filter_map(|l| Bound::parse(text(l, "address")))
        .collect();
    let at_22: Vec<&Bound> = open.iter().filter(|b| b.port == 22).collect();
    let mut seen = HashSet::new();
    let one_each = at_22.into_iter().filter(|b| seen.insert(if b.is_wildcard() { None } else { b.ip })).cloned();
    let one_each: Vec<Bound> = one_each.take(MOST_OF_A_LIST).collect();
    if !one_each.is_empty() {
        let doubt: Option<Arc<str>> = match installed {
            Ok(true) => None,
            Ok(false) => Some("no known SSH server is installed, and whose port 22 is was not looked for".into()),
            Err(reason) => Some(Arc::clone(reason)),
        };
        return one_each.into_iter().map(|b| (Some(b), doubt.clone())).collect();
    }
    let explained = explained(scope);
    if *installed == Ok(false) || open.iter().all(|b| explained.contains(&b.port)) {
        return vec![];
    }
    vec![(
        None,
        Some("an SSH server is installed; whether one of the listening sockets is its was not looked for".into()),
    )]
}

/// TCP ports that are known to be somebody else's: published ones, and the daemon's.
fn explained(scope: &Scope<'_>) -> HashSet<i64> {
    let containers = scope.all_of(&docker::CONTAINER).iter();
    let published = containers.flat_map(|at| scope.value(*at, "ports").as_list().unwrap_or_default());
    let published = published.filter_map(|port| port.field("host_port").and_then(Value::as_int));
    let daemon = scope.of_daemon("listeners").ok().and_then(Value::as_list).unwrap_or_default();
    let daemon = daemon.iter().filter_map(|l| Bound::parse(text(l, "address"))).map(|b| b.port);
    published.chain(daemon).collect()
}
