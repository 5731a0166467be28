//! Containers that are reached from outside: published ports, networks that are the host's own, the host's network.

use std::collections::BTreeMap;
use std::sync::Arc;

use seaworthy_core::derive::link_reaches_loopback;
use seaworthy_core::diagram::{Certainty, FactRef, FlowKind};
use seaworthy_core::schema::docker;
use seaworthy_core::value::Value;

use super::Exposure;
use super::address::Bound;
use super::draft::{Draft, Drafts};
use super::scope::{MOST_OF_A_LIST, Scope, list, text, truth};
use super::zones::is_direct;

/// Draws who reaches containers from outside.
pub(super) fn draw(scope: &Scope<'_>, exposure: &Exposure, drafts: &mut Drafts) {
    let of_daemon = |fact| scope.of_daemon(fact).cloned().unwrap_or_else(Value::Unknown);
    let loopback = link_reaches_loopback(&of_daemon("version"), &of_daemon("iptables"));
    for at in scope.all_of(&docker::CONTAINER).iter().copied() {
        let names = [&*scope.component(at).name, scope.value(at, "service").as_str().unwrap_or_default()];
        let declared = exposure.names(&names);
        let now = scope.in_effect(at);
        let mut work = Work { scope, exposure, at, declared, now, loopback: &loopback, drafts };
        work.ports();
        work.direct();
        work.open();
        work.host_network();
        work.declared();
    }
}

/// Published ports by what tells them apart.
type Ports = BTreeMap<(String, i64), Port>;

/// A published port; addresses of both families are one.
struct Port {
    bound: Bound,
    label: String,
    key: String,
    protocol: String,
    unsure: Option<Arc<str>>,
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    exposure: &'s Exposure,
    at: usize,
    /// Whether the container itself was declared to be reached from the internet.
    declared: bool,
    now: Certainty,
    loopback: &'s Result<bool, Arc<str>>,
    drafts: &'s mut Drafts,
}

impl Work<'_, '_> {
    fn draft(&self, from: usize, label: &str, key: &str, facts: &[Option<FactRef>]) -> Draft {
        let to = self.scope.element[self.at];
        let running = self.scope.cite(self.at, "running");
        let draft = Draft::new(FlowKind::PublishedPort, from, to, label).key(key).and(&self.now);
        draft.facts(facts.iter().copied().chain([running]))
    }

    fn ports(&mut self) {
        let (local, internet) = (self.scope.actors.local_network, self.scope.actors.internet);
        let cite = [self.scope.cite(self.at, "ports")];
        let (ports, unknown) = published(self.scope.value(self.at, "ports"));
        for port in ports.values().take(MOST_OF_A_LIST) {
            self.port(port, &cite);
        }
        if let Some(reason) = unknown {
            for actor in [local, internet] {
                let draft = self.draft(actor, "ports that are not known", "unknown", &cite).maybe(&reason);
                self.drafts.add(draft);
            }
        }
        if ports.len() > MOST_OF_A_LIST {
            let rest = ports.values().skip(MOST_OF_A_LIST);
            let label = format!("{} more ports", ports.len() - MOST_OF_A_LIST);
            let open = |port: &&Port| !port.bound.is_loopback();
            let Some(port) = rest.clone().find(|p| open(p) && p.unsure.is_none()).or_else(|| rest.clone().next())
            else {
                return;
            };
            self.port(
                &Port {
                    label,
                    key: "more".into(),
                    bound: port.bound.clone(),
                    protocol: port.protocol.clone(),
                    unsure: port.unsure.clone(),
                },
                &cite,
            );
        }
    }

    fn port(&mut self, port: &Port, cite: &[Option<FactRef>]) {
        let (local, internet) = (self.scope.actors.local_network, self.scope.actors.internet);
        let declared = self.declared || self.exposure.binds(&port.bound, &port.protocol);
        let through = self.scope.through(self.at, Some(&port.bound), &port.protocol, declared);
        let [rules, routes] = through.cites;
        if let Some(certainty) = through.internet {
            let mut draft = self.draft(internet, &port.label, &port.key, cite).facts(routes).and(&certainty);
            if let Some(reason) = port.unsure.as_ref().filter(|_| !declared) {
                draft = draft.maybe(reason);
            }
            self.drafts.add(draft);
        }
        if !port.bound.is_loopback() {
            let Some(certainty) = through.networks else { return };
            let draft = self.draft(local, &port.label, &port.key, cite).facts(rules).and(&certainty);
            self.drafts.add(match &port.unsure {
                Some(reason) => draft.maybe(reason),
                None => draft,
            });
            return;
        }
        let facts = ["version", "iptables"].map(|fact| self.scope.cite_of(self.scope.daemon, fact));
        let label = format!("{} (from the same link, before Engine 28)", port.label);
        let draft = self.draft(local, &label, &port.key, cite).facts(facts);
        match self.loopback {
            Ok(false) => {}
            Ok(true) => self.drafts.add(draft),
            Err(reason) => self.drafts.add(draft.maybe(reason)),
        }
    }

    /// Networks that put the container next to the host need no published port.
    fn direct(&mut self) {
        let end = self.scope.network_of(self.at);
        let names = self.scope.value(end, "networks").as_list().unwrap_or_default();
        for name in names.iter().filter_map(Value::as_str).take(MOST_OF_A_LIST) {
            let Some(network) = self.scope.named(&docker::NETWORK, name) else { continue };
            if !is_direct(self.scope.component(network)) {
                continue;
            }
            let facts = [
                self.scope.cite(end, "networks"),
                self.scope.cite(network, "driver"),
                self.scope.cite(network, "internal"),
            ];
            let driver = self.scope.value(network, "driver").as_str().unwrap_or_default();
            let label = format!("every port, over {name} ({driver})");
            let draft = self.draft(self.scope.actors.local_network, &label, &format!("over {name}"), &facts);
            self.drafts.add(match truth(self.scope.value(network, "internal")) {
                Ok(_) => draft,
                Err(reason) => draft.maybe(&reason),
            });
        }
    }

    /// Nor does one whose network lets others in.
    fn open(&mut self) {
        if truth(self.scope.value(self.at, "all_ports_open")) != Ok(true) {
            return;
        }
        let end = self.scope.network_of(self.at);
        let mut names =
            self.scope.value(end, "networks").as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        let network = |name| self.scope.named(&docker::NETWORK, name).map(|network| self.scope.component(network));
        if names.any(|name| network(name).is_some_and(is_direct)) {
            return;
        }
        let facts = [self.scope.cite(self.at, "all_ports_open"), self.scope.cite(end, "networks")];
        let draft = self.draft(self.scope.actors.local_network, "every port, by routing", "by routing", &facts);
        self.drafts.add(draft);
    }

    /// What listens in the host's network needs no published port either; which sockets are whose was not looked for.
    fn host_network(&mut self) {
        let reason: Arc<str> = match truth(self.scope.value(self.at, "host_network")) {
            Ok(false) => return,
            Ok(true) => "which of the host's listening sockets are its is not known".into(),
            Err(reason) => reason,
        };
        let facts = [self.scope.cite(self.at, "host_network")];
        for actor in [self.scope.actors.local_network, self.scope.actors.internet] {
            let draft = self.draft(actor, "what it listens on in the host's network", "host network", &facts);
            self.drafts.add(draft.maybe(&reason));
        }
    }

    /// A declared container is reached whatever it publishes: something may stand before it.
    fn declared(&mut self) {
        let (ports, _) = published(self.scope.value(self.at, "ports"));
        if self.declared && ports.is_empty() {
            let facts = [self.scope.cite(self.at, "ports")];
            let draft = self.draft(self.scope.actors.internet, "declared in seaworthy.toml", "declared", &facts);
            self.drafts.add(draft);
        }
    }
}

/// The published ports by what they are called and where they are reached, and why there may be more.
fn published(ports: &Value) -> (Ports, Option<Arc<str>>) {
    let mut out = Ports::new();
    let mut unknown = None;
    let ports = match list(ports) {
        Ok(ports) => ports,
        Err(reason) => return (out, Some(reason)),
    };
    for port in ports {
        if let Value::Unknown(reason) = port {
            unknown.get_or_insert_with(|| Arc::clone(reason));
            continue;
        }
        let number = |field: &str| port.field(field).and_then(Value::as_int);
        let bound = Bound::new(text(port, "host_ip"), number("host_port").unwrap_or(0));
        let protocol = text(port, "protocol").to_owned();
        let inside = number("container_port").map_or_else(|| "?".to_owned(), |p| p.to_string());
        let reach = match bound.ip {
            Some(ip) if ip.is_unspecified() => "everywhere".to_owned(),
            Some(ip) if ip.is_loopback() => "loopback".to_owned(),
            Some(ip) => ip.to_string(),
            None => text(port, "host_ip").to_owned(),
        };
        let outside = if bound.port == 0 { "a port of the engine's choice".to_owned() } else { bound.port.to_string() };
        let address = match text(port, "host_ip") {
            "" | "*" => "0.0.0.0".to_owned(),
            ip if ip.contains(':') => format!("[{}]", ip.trim_matches(['[', ']'])),
            ip => ip.to_owned(),
        };
        let unsure = ["wildcard", "loopback"].iter().find_map(|f| port.field(f).and_then(Value::reason)).cloned();
        let key = format!("{inside}/{protocol} at {reach}");
        let label = format!("{address}:{outside} → {inside}/{protocol}");
        let port = Port { label, key: key.clone(), protocol, unsure, bound };
        out.entry((key, port.bound.port)).or_insert(port);
    }
    (out, unknown)
}
