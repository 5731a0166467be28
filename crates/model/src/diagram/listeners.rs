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
    /// The flows that lead to what it serves; possible ones where that is not known.
    kinds: Vec<(FlowKind, Certainty)>,
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
    fn read(scope: &Scope<'_>, value: &Value) -> Self {
        if let Value::Unknown(reason) = value {
            return Self::unknown(scope, reason);
        }
        let known = |field: &str| match value.field(field) {
            Some(Value::Str(text)) => Ok(&**text),
            Some(Value::Unknown(reason)) => Err(Arc::clone(reason)),
            _ => Err("it was not said".into()),
        };
        let tls = match known("tls") {
            Ok("none") => Tls::None,
            Ok("mutual") => Tls::Mutual,
            Ok(_) => Tls::Unverified,
            Err(_) => Tls::Unknown,
        };
        let kinds = match known("serves") {
            Ok("api") => vec![(FlowKind::ApiRemote, Certainty::Proven)],
            Ok("metrics") => vec![(FlowKind::Metrics, Certainty::Proven)],
            Ok("swarm") => vec![(FlowKind::Swarm, Certainty::Proven)],
            Ok(_) => vec![],
            Err(reason) => may_serve(scope, &reason),
        };
        let address = text(value, "address").to_owned();
        let loopback = value.field("loopback").map_or_else(|| Err("it was not said".into()), truth);
        Self { bound: Bound::parse(&address), address, loopback, kinds, tls }
    }

    /// One that may be there.
    fn unknown(scope: &Scope<'_>, reason: &Arc<str>) -> Self {
        let kinds = may_serve(scope, reason);
        let address = "a TCP listener that is not known".to_owned();
        Self { address, bound: None, loopback: Err(Arc::clone(reason)), kinds, tls: Tls::Unknown }
    }

    fn label(&self) -> String {
        format!("{} ({})", self.address, self.tls.words())
    }

    /// Whether it serves the API.
    fn api(&self) -> Option<&Certainty> {
        self.kinds.iter().find(|(kind, _)| *kind == FlowKind::ApiRemote).map(|(_, certainty)| certainty)
    }
}

/// What a listener may serve of which that is not known.
fn may_serve(scope: &Scope<'_>, reason: &Arc<str>) -> Vec<(FlowKind, Certainty)> {
    let off = [
        (FlowKind::ApiRemote, false),
        (FlowKind::Metrics, scope.of_daemon("metrics_address") == Ok(&Value::Null)),
        (FlowKind::Swarm, scope.of_daemon("swarm").ok().and_then(Value::as_str) == Some("inactive")),
    ];
    let may = off.into_iter().filter(|(_, off)| !off);
    may.map(|(kind, _)| (kind, Certainty::Possible(Arc::clone(reason)))).collect()
}

/// Draws who reaches the daemon and the SSH server over a network.
pub(super) fn draw(scope: &Scope<'_>, exposure: &Exposure, drafts: &mut Drafts) {
    let listeners: Vec<Listener> = match scope.of_daemon("listeners").and_then(list) {
        Ok(all) => {
            let tcp = all.iter().filter(|l| text(l, "transport") != "unix");
            tcp.take(MOST_OF_A_LIST).map(|l| Listener::read(scope, l)).collect()
        }
        Err(reason) => {
            answered(scope, drafts);
            vec![Listener::unknown(scope, &reason)]
        }
    };
    if let Some(daemon) = scope.daemon {
        let mut work = Work { scope, exposure, daemon, to: scope.element[daemon], drafts };
        work.listeners(&listeners);
        work.containers(&listeners);
        work.clients(&listeners);
    }
    ssh(scope, exposure, drafts);
}

/// Nothing is known of the daemon's sockets, save that it answered at an address.
fn answered(scope: &Scope<'_>, drafts: &mut Drafts) {
    let address = &scope.target.address;
    let over_tcp = ["tcp://", "http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
    let bound = over_tcp.then(|| Bound::parse(address)).flatten().filter(|b| !b.is_loopback());
    let (Some(daemon), Some(_)) = (scope.daemon, bound) else { return };
    let draft = Draft::new(FlowKind::ApiRemote, scope.actors.local_network, scope.element[daemon], address.as_str());
    drafts.add(draft.key("answered").facts([scope.cite(daemon, "listeners")]));
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    exposure: &'s Exposure,
    daemon: usize,
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
        for listener in listeners {
            for (kind, certainty) in &listener.kinds {
                self.outside(listener, *kind, certainty, &subnets);
                // Every user of the host reaches what listens on any of its addresses.
                if *kind == FlowKind::ApiRemote {
                    let user = self.scope.actors.local_user;
                    let draft = Draft::new(*kind, user, self.to, listener.label()).key(&listener.address);
                    self.drafts.add(draft.and(certainty).facts([self.cite()]));
                }
            }
        }
    }

    fn outside(&mut self, listener: &Listener, kind: FlowKind, certainty: &Certainty, subnets: &[String]) {
        let (local, internet_actor) = (self.scope.actors.local_network, self.scope.actors.internet);
        let declared = listener.bound.as_ref().is_some_and(|b| self.exposure.binds(b, "tcp"));
        let through = self.scope.through(self.daemon, listener.bound.as_ref(), "tcp", declared);
        let [rules, routes] = through.cites;
        let cite = self.cite();
        let draft = |from: usize| {
            let draft = Draft::new(kind, from, self.to, listener.label()).key(&listener.address);
            draft.facts([cite]).and(certainty)
        };
        let inner = listener.bound.as_ref().is_some_and(|b| subnets.iter().any(|s| b.lies_in(s)));
        if listener.loopback == Ok(true) && !declared {
            return;
        }
        if let Some(networks) = &through.networks {
            let draft = draft(local).facts(rules).and(networks);
            self.drafts.add(match &listener.loopback {
                Ok(_) if inner => draft.maybe(
                    &"it is bound to a container network's address, which hosts on the same link reach unless the \
                      packet filter stops them"
                        .into(),
                ),
                Ok(_) => draft,
                Err(reason) => draft.maybe(reason),
            });
        }
        if let Some(internet) = &through.internet {
            self.drafts.add(draft(internet_actor).facts(routes).and(internet));
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
        let api: Vec<(&Listener, Certainty)> =
            listeners.iter().filter_map(|l| l.api().map(|certainty| (l, certainty.clone()))).collect();
        if api.is_empty() {
            return;
        }
        let mut host = Reached::new();
        for (listener, certainty) in &api {
            add(&mut host, listener, certainty.clone());
        }
        let networks: BTreeMap<usize, Reached> =
            self.scope.all_of(&docker::NETWORK).iter().map(|at| (*at, self.reached_over(*at, &api))).collect();
        for at in self.scope.all_of(&docker::CONTAINER).iter().copied() {
            self.container(at, &host, &networks);
        }
    }

    fn reached_over(&self, network: usize, api: &[(&Listener, Certainty)]) -> Reached {
        let mut out = Reached::new();
        let driver = self.scope.value(network, "driver");
        let subnets = list(self.scope.value(network, "subnets"));
        for (listener, certainty) in api {
            let Some(bound) = &listener.bound else {
                if !matches!(driver.as_str(), Some("host" | "none" | "macvlan" | "ipvlan")) {
                    add(
                        &mut out,
                        listener,
                        certainty.and(&Certainty::Possible("where it listens is not known".into())),
                    );
                }
                continue;
            };
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
        facts.push(self.scope.cite(end, "networks"));
        for (network, doubt) in self.attached(end) {
            let Some(reached) = networks.get(&network).filter(|reached| !reached.is_empty()) else { continue };
            facts.push(self.scope.cite(network, "subnets"));
            for (tls, (certainty, label)) in reached {
                let certainty = certainty.and(&doubt);
                let known = best.entry(*tls).or_insert_with(|| (certainty.clone(), label.clone()));
                if certainty < known.0 {
                    *known = (certainty, label.clone());
                }
            }
        }
        for (tls, (certainty, label)) in best {
            let draft = Draft::new(FlowKind::ApiRemote, self.scope.element[at], self.to, label);
            let draft = draft.key(format!("api {}", tls.words())).and(&certainty).and(&now);
            self.drafts.add(draft.facts(facts.iter().copied()));
        }
    }

    /// The networks that a container is attached to; any where that is not known.
    fn attached(&self, at: usize) -> Vec<(usize, Certainty)> {
        let any = |reason: &Arc<str>| {
            let all = self.scope.all_of(&docker::NETWORK).iter().take(MOST_OF_A_LIST);
            all.map(|network| (*network, Certainty::Possible(Arc::clone(reason)))).collect::<Vec<_>>()
        };
        match list(self.scope.value(at, "networks")) {
            Ok(names) => {
                let known = names.iter().filter_map(Value::as_str).take(MOST_OF_A_LIST);
                let known = known.filter_map(|name| self.scope.named(&docker::NETWORK, name));
                let mut out: Vec<_> = known.map(|network| (network, Certainty::Proven)).collect();
                out.extend(names.iter().find_map(Value::reason).map(any).unwrap_or_default());
                out
            }
            Err(reason) => any(&reason),
        }
    }

    /// Clients whose context or environment names a listener of this machine.
    fn clients(&mut self, listeners: &[Listener]) {
        for client in self.scope.all_of(&docker::CLIENT).iter().copied() {
            let contexts = self.scope.value(client, "contexts").as_list().unwrap_or_default();
            let hosts = contexts.iter().map(|context| text(context, "host"));
            let own = self.scope.value(client, "docker_host").as_str();
            let hosts: HashSet<&str> = hosts.chain(own).take(MOST_OF_A_LIST).collect();
            for listener in listeners {
                let Some(certainty) = listener.api().filter(|_| hosts.iter().any(|host| same(host, listener))) else {
                    continue;
                };
                let facts = [self.cite(), self.scope.cite(client, "contexts"), self.scope.cite(client, "docker_host")];
                let from = self.scope.element[client];
                let draft = Draft::new(FlowKind::ApiRemote, from, self.to, listener.label());
                self.drafts.add(draft.key(&listener.address).and(certainty).facts(facts));
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
        let through = scope.through(host, bound.as_ref(), "tcp", declared);
        let [rules, routes] = through.cites;
        let reached =
            [(scope.actors.local_network, through.networks, rules), (scope.actors.internet, through.internet, routes)];
        for (from, certainty, shield) in reached {
            let Some(certainty) = certainty else { continue };
            let draft = Draft::new(FlowKind::Ssh, from, scope.element[host], &*label).key(&*key).and(&certainty);
            let draft = draft.facts(facts).facts(shield);
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
