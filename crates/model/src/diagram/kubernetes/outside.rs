//! Who reaches a cluster from outside: its API server, services that are exposed, ports of nodes, kubelets and etcd.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use seaworthy_core::diagram::{Certainty, FactRef, FlowKind};
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::super::Exposure;
use super::super::draft::{Draft, Drafts};
use super::super::scope::{MOST_OF_A_LIST, Scope, list, text, truth};
use super::cluster;

/// Why nobody inside can tell whether the internet reaches something.
const UNDECLARED: &str = "whether routers and packet filters outside let the internet through is told by nobody inside; \
                          [exposure] declares it";

/// Draws who reaches a cluster from outside.
pub(super) fn draw(scope: &Scope<'_>, exposure: &Exposure, drafts: &mut Drafts) {
    let mut work = Work { scope, exposure, drafts };
    work.api_server();
    work.services();
    work.ports_of_nodes();
    work.kubelets();
    work.etcd();
}

struct Work<'s, 'a> {
    scope: &'s Scope<'a>,
    exposure: &'s Exposure,
    drafts: &'s mut Drafts,
}

/// Whether an address is one that only a network of one's own has; none for a name.
fn is_private(host: &str) -> Option<bool> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some(match host.parse::<IpAddr>().ok()? {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.octets()[0] == 100,
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    })
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The host of `https://host:port/path`.
fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

impl Work<'_, '_> {
    /// Both actors to an element: the local network surely, the internet where that was declared.
    fn outside(&mut self, to: usize, (kind, label): (FlowKind, &str), facts: &[Option<FactRef>], declared: bool) {
        let key = kind.word();
        let actors = self.scope.actors;
        let draft = Draft::new(kind, actors.local_network, to, label).key(key).facts(facts.iter().copied());
        self.drafts.add(draft);
        let draft = Draft::new(kind, actors.internet, to, label).key(key).facts(facts.iter().copied());
        self.drafts.add(match declared {
            true => draft,
            false => draft.maybe(&UNDECLARED.into()),
        });
    }

    fn api_server(&mut self) {
        let Some(at) = self.scope.all_of(&k8s::CLUSTER).first().copied() else { return };
        let to = self.scope.element[at];
        let servers = self.scope.all_of(&k8s::APISERVER);
        let local = |value: &Value| value.as_str().is_some_and(|address| is_loopback(host_of(address)));
        let facts = [self.scope.cite(at, "server")];
        let bound = |at: &usize| local(self.scope.value(*at, "bind_address"));
        if !servers.is_empty() && servers.iter().all(bound) {
            return;
        }
        let Some(server) = self.scope.value(at, "server").as_str() else {
            if !servers.is_empty() {
                let facts: Vec<_> = servers.iter().map(|at| self.scope.cite(*at, "bind_address")).collect();
                self.outside(to, (FlowKind::ApiServer, "the API"), &facts, false);
            }
            return;
        };
        let host = host_of(server);
        if is_loopback(host) && servers.is_empty() {
            // The end of a tunnel, or the machine's own: who else reaches the server it does not tell.
            let reason =
                "the kubeconfig names an address of this machine alone; who else reaches the server it does not tell";
            let actors = self.scope.actors;
            for actor in [actors.local_network, actors.internet] {
                let draft = Draft::new(FlowKind::ApiServer, actor, to, server).key("api-server").facts(facts);
                self.drafts.add(draft.maybe(&reason.into()));
            }
            return;
        }
        let declared = self.exposure.names(&[server, host, &self.scope.target.name]) || is_private(host) == Some(false);
        self.outside(to, (FlowKind::ApiServer, server), &facts, declared);
    }

    /// Services that are exposed, to the containers of the pods behind them.
    fn services(&mut self) {
        let mut containers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for at in self.scope.all_of(&k8s::CONTAINER).iter().copied() {
            let regular = matches!(self.scope.value(at, "kind").as_str(), Some("regular" | "sidecar") | None);
            if let (Some(pod), true) = (self.scope.value(at, "pod").as_str(), regular) {
                containers.entry(pod).or_default().push(at);
            }
        }
        for at in self.scope.all_of(&k8s::SERVICE).iter().copied() {
            let facts = [self.scope.cite(at, "exposed_by"), self.scope.cite(at, "pods")];
            let (how, certainty) = match list(self.scope.value(at, "exposed_by")) {
                Ok([]) => continue,
                Ok(how) => (how, Certainty::Proven),
                Err(reason) => (&[][..], Certainty::Possible(reason)),
            };
            let ways: BTreeSet<&str> = how.iter().filter_map(Value::as_str).collect();
            let name = &*self.scope.component(at).name;
            let addresses = self.scope.value(at, "addresses").as_list().unwrap_or_default();
            let public = addresses.iter().filter_map(Value::as_str).any(|a| is_private(a) == Some(false))
                && ways.contains("load-balancer");
            let declared = public || self.exposure.names(&[name]);
            let by = ways.into_iter().collect::<Vec<_>>().join(", ");
            let label = if by.is_empty() { name.to_owned() } else { format!("{name} ({by})") };
            let pods = self.scope.value(at, "pods").as_list().unwrap_or_default();
            for pod in pods.iter().filter_map(Value::as_str).take(MOST_OF_A_LIST) {
                for container in containers.get(pod).map_or(&[][..], Vec::as_slice) {
                    let to = self.scope.element[*container];
                    let now = self.now(*container).and(&certainty);
                    self.published(to, &label, &facts, &now, declared);
                }
            }
        }
    }

    fn now(&self, container: usize) -> Certainty {
        match truth(self.scope.value(container, "running")) {
            Ok(true) => Certainty::Proven,
            Ok(false) => Certainty::Possible("no pod of it runs; it comes with the next".into()),
            Err(reason) => Certainty::Possible(reason),
        }
    }

    fn published(&mut self, to: usize, label: &str, facts: &[Option<FactRef>], now: &Certainty, declared: bool) {
        let actors = self.scope.actors;
        for (actor, sure) in [(actors.local_network, true), (actors.internet, declared)] {
            let draft = Draft::new(FlowKind::PublishedPort, actor, to, label).key(label);
            let draft = draft.and(now).facts(facts.iter().copied());
            self.drafts.add(match sure {
                true => draft,
                false => draft.maybe(&UNDECLARED.into()),
            });
        }
    }

    /// Ports of nodes that containers take: hostPort, and every declared one on the node's network.
    fn ports_of_nodes(&mut self) {
        for at in self.scope.all_of(&k8s::CONTAINER).iter().copied() {
            let on_node = truth(self.scope.value(at, "host_network")) == Ok(true);
            let ports = self.scope.value(at, "ports").as_list().unwrap_or_default();
            let facts = [self.scope.cite(at, "ports"), self.scope.cite(at, "host_network")];
            let now = self.now(at);
            for port in ports.iter().take(MOST_OF_A_LIST) {
                let number = |field: &str| port.field(field).and_then(Value::as_int).unwrap_or_default();
                let published = match (number("host_port"), on_node) {
                    (0, true) => number("container_port"),
                    (0, false) => continue,
                    (host, _) => host,
                };
                if is_loopback(text(port, "host_ip")) {
                    continue;
                }
                let label = format!("port {published} of the node");
                let declared = self.exposure.names(&[&self.scope.component(at).name, &published.to_string()]);
                self.published(self.scope.element[at], &label, &facts, &now, declared);
            }
        }
    }

    fn kubelets(&mut self) {
        for at in self.scope.all_of(&k8s::KUBELET).iter().copied() {
            let to = self.scope.element[at];
            if self.scope.value(at, "address").as_str().is_some_and(is_loopback) {
                continue;
            }
            let facts = [self.scope.cite(at, "address"), self.scope.cite(at, "port")];
            self.outside(to, (FlowKind::Kubelet, "the kubelet's port"), &facts, false);
        }
    }

    fn etcd(&mut self) {
        for at in self.scope.all_of(&k8s::ETCD).iter().copied() {
            let to = self.scope.element[at];
            let facts = [self.scope.cite(at, "listen_client_urls")];
            let (open, certainty) = match list(self.scope.value(at, "listen_client_urls")) {
                Ok(urls) => {
                    let far = |url: &Value| url.as_str().is_none_or(|url| !is_loopback(host_of(url)));
                    (urls.iter().any(far), Certainty::Proven)
                }
                Err(reason) => (true, Certainty::Possible(reason)),
            };
            if !open {
                continue;
            }
            let actors = self.scope.actors;
            let draft = Draft::new(FlowKind::Etcd, actors.local_network, to, "the port for clients").key("etcd");
            self.drafts.add(draft.and(&certainty).facts(facts));
            if let Some(cluster) = cluster(self.scope) {
                let draft = Draft::new(FlowKind::Etcd, cluster, to, "pods reach the port for clients").key("pods");
                self.drafts.add(draft.and(&certainty).facts(facts));
            }
        }
    }
}
