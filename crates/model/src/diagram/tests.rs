//! The diagram over small snapshots.

mod bootstrap;
mod bridge;
mod demo;
mod flows;
mod hostile;
mod limits;
mod monotone;
mod zoning;

use seaworthy_core::component::Component;
use seaworthy_core::derive::derive;
use seaworthy_core::diagram::{Certainty, Flow, FlowKind};
use seaworthy_core::fact::Source;
use seaworthy_core::flaw::FlawTable;
use seaworthy_core::schema::{Kind, docker};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use super::*;

/// What a test changes in a harmless host.
type Change<'a> = &'a [(&'static str, Value)];

/// A component with facts.
fn component(kind: &'static Kind, id: &str, name: &str, facts: Change<'_>) -> Component {
    let mut c = Component::new(kind, id, name);
    for (fact, value) in facts {
        c.set(fact, value.clone(), Source::place("test"));
    }
    c
}

fn strings(items: &[&str]) -> Value {
    Value::strings(items.to_vec())
}

fn none() -> Value {
    Value::List(vec![])
}

/// A published port on an address.
fn port(ip: &str, outside: i64, inside: i64) -> Value {
    let wildcard = ip == "0.0.0.0" || ip == "::";
    Value::Object(vec![
        ("host_ip", ip.into()),
        ("host_port", outside.into()),
        ("container_port", inside.into()),
        ("protocol", "tcp".into()),
        ("wildcard", wildcard.into()),
        ("loopback", (ip == "127.0.0.1").into()),
    ])
}

fn mount(kind: &str, source: &str, volume: &str, rw: bool) -> Value {
    Value::Object(vec![
        ("type", kind.into()),
        ("source", source.into()),
        ("destination", "/inside".into()),
        ("rw", rw.into()),
        ("propagation", "rprivate".into()),
        ("volume", volume.into()),
    ])
}

/// A listener of the daemon.
fn listener(address: &str, tls: &str, loopback: bool, serves: &str) -> Value {
    let transport = if address.starts_with("unix") { "unix" } else { "tcp" };
    Value::Object(vec![
        ("address", address.into()),
        ("transport", transport.into()),
        ("tls", tls.into()),
        ("loopback", loopback.into()),
        ("serves", serves.into()),
    ])
}

/// A harmless container on the network `shop`.
fn container(name: &str, changed: Change<'_>) -> Component {
    let harmless = [
        ("status", "running".into()),
        ("running", true.into()),
        ("image", "shop/web:1".into()),
        ("image_id", "sha256:1".into()),
        ("service", name.into()),
        ("project", "shop".into()),
        ("networks", strings(&["shop"])),
        ("joins", none()),
        ("mounts", none()),
        ("ports", none()),
        ("privileged", false.into()),
        ("capabilities", none()),
        ("devices", none()),
        ("all_devices", false.into()),
        ("sandboxed", false.into()),
        ("root_on_host", true.into()),
        ("host_network", false.into()),
        ("host_pid", false.into()),
        ("host_ipc", false.into()),
        ("host_uts", false.into()),
        ("log_driver", "none".into()),
        ("runtime", "runc".into()),
    ];
    let mut c = component(&docker::CONTAINER, &format!("id-{name}"), name, &harmless);
    for (fact, value) in changed {
        c.set(fact, value.clone(), Source::place("test"));
    }
    c
}

fn network(name: &str, changed: Change<'_>) -> Component {
    let usual = [
        ("driver", "bridge".into()),
        ("internal", false.into()),
        ("subnets", strings(&["172.18.0.0/16"])),
        ("icc", true.into()),
    ];
    let mut c = component(&docker::NETWORK, &format!("id-{name}"), name, &usual);
    for (fact, value) in changed {
        c.set(fact, value.clone(), Source::place("test"));
    }
    c
}

/// A packet filter that lets everything through to what a component serves.
fn open_ports(component: &Component) -> Value {
    let items = |fact| component.value(fact).as_list().unwrap_or_default();
    let ends: Vec<(String, i64)> = if std::ptr::eq(component.kind, &docker::CONTAINER) {
        let published = items("ports").iter().filter_map(|port| {
            let ip = port.field("host_ip")?.as_str()?;
            Some((if ip.is_empty() { "0.0.0.0" } else { ip }.to_owned(), port.field("host_port")?.as_int()?))
        });
        published.collect()
    } else {
        let listens = items("listeners").iter().filter_map(|listener| {
            let bound = super::address::Bound::parse(listener.field("address")?.as_str()?)?;
            Some((bound.ip?.to_string(), bound.port))
        });
        listens.collect()
    };
    Value::List(ends.into_iter().map(|(ip, port)| admits(&ip, port, true.into(), true.into())).collect())
}

/// What the packet filter does with a port: from the networks, and from the internet.
fn admits(address: &str, port: i64, networks: Value, internet: Value) -> Value {
    Value::Object(vec![
        ("protocol", "tcp".into()),
        ("address", address.into()),
        ("port", port.into()),
        ("networks", networks),
        ("internet", internet),
        ("by", "".into()),
    ])
}

/// A harmless host with one container, and what a test puts in place of or beside it.
struct Host {
    host: Component,
    daemon: Component,
    socket: Component,
    more: Vec<Component>,
    address: &'static str,
    /// Whether the derived facts are computed.
    derived: bool,
}

impl Host {
    fn new() -> Self {
        let host = [
            ("socket_group_members", none()),
            ("sudo_docker", none()),
            ("sshd_installed", false.into()),
            ("listeners", none()),
            ("data_root", "/var/lib/docker".into()),
        ];
        let daemon = [
            ("version", "29.0.0".into()),
            ("rootless", false.into()),
            ("userns", false.into()),
            ("iptables", true.into()),
            ("insecure_registries", none()),
            ("registry_mirrors", none()),
            ("listeners", Value::List(vec![listener("unix:///run/docker.sock", "none", true, "api")])),
        ];
        let socket = [
            ("role", "docker-socket".into()),
            ("path", "/run/docker.sock".into()),
            ("exists", true.into()),
            ("mode", Value::Int(0o660)),
            ("acl", none()),
            ("owner", "root".into()),
            ("group", "docker".into()),
        ];
        Self {
            host: component(&docker::HOST, "host", "harbour", &host),
            daemon: component(&docker::DAEMON, "daemon", "daemon", &daemon),
            socket: component(&docker::FILE, "docker-socket:/run/docker.sock", "/run/docker.sock", &socket),
            more: vec![network("shop", &[])],
            address: "unix:///run/docker.sock",
            derived: true,
        }
    }

    fn host(mut self, fact: &'static str, value: impl Into<Value>) -> Self {
        self.host.set(fact, value, Source::place("test"));
        self
    }

    fn daemon(mut self, fact: &'static str, value: impl Into<Value>) -> Self {
        self.daemon.set(fact, value, Source::place("test"));
        self
    }

    fn socket(mut self, fact: &'static str, value: impl Into<Value>) -> Self {
        self.socket.set(fact, value, Source::place("test"));
        self
    }

    fn with(mut self, component: Component) -> Self {
        self.more.push(component);
        self
    }

    /// With one container `web`, harmless save for this.
    fn web(self, changed: Change<'_>) -> Self {
        self.with(container("web", changed))
    }

    fn snapshot(self) -> Snapshot {
        let mut target = Target::new("local", "docker", self.address);
        target.components = vec![self.host, self.daemon, self.socket];
        target.components.extend(self.more);
        for component in &mut target.components {
            let kinds = [&docker::HOST, &docker::DAEMON, &docker::CONTAINER];
            let serves = kinds.iter().any(|kind| std::ptr::eq(component.kind, *kind));
            if serves && component.value("packet_filter").is_unknown() {
                let open = open_ports(component);
                component.set("packet_filter", open, Source::place("test"));
            }
        }
        let mut snapshot = Snapshot { tool: "0".into(), collected_at: 0, targets: vec![target] };
        if self.derived {
            derive(&mut snapshot, &FlawTable::default());
        }
        snapshot
    }

    fn diagram(self) -> Drawn {
        self.declared(&[])
    }

    fn declared(self, internet: &[&str]) -> Drawn {
        let exposure = Exposure { internet: internet.iter().map(|s| (*s).to_owned()).collect() };
        Drawn(diagram(&self.snapshot(), Some(&exposure)))
    }
}

/// A diagram that is asked by names.
struct Drawn(Diagram);

impl Drawn {
    fn flows(&self, kind: FlowKind, from: &str, to: &str) -> Vec<&Flow> {
        let is = |at: usize, what: &str| self.0.elements[at].kind == what || self.0.elements[at].name == what;
        self.0.flows.iter().filter(|f| f.kind == kind && is(f.from, from) && is(f.to, to)).collect()
    }

    /// `proven`, `possible`, or `absent`; the best of several.
    fn word(&self, kind: FlowKind, from: &str, to: &str) -> &'static str {
        let flows = self.flows(kind, from, to);
        flows.iter().map(|f| &f.certainty).min().map_or("absent", Certainty::word)
    }

    fn zone_of(&self, name: &str) -> &str {
        let element = self.0.elements.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("no {name}"));
        self.0.zones[element.zone].id.strip_prefix("local/").unwrap()
    }
}

/// What must hold of every diagram.
fn check(snapshot: &Snapshot, diagram: &Diagram) {
    let unique = |ids: Vec<&str>| {
        let count = ids.len();
        let set: std::collections::BTreeSet<&str> = ids.into_iter().collect();
        assert_eq!(set.len(), count, "an id is there twice");
    };
    unique(diagram.zones.iter().map(|z| &*z.id).collect());
    unique(diagram.elements.iter().map(|e| &*e.id).collect());
    unique(diagram.flows.iter().map(|f| &*f.id).collect());
    for (i, zone) in diagram.zones.iter().enumerate() {
        assert!(zone.parent.is_none_or(|p| p < i), "{} comes before its parent", zone.id);
        assert!(!zone.boundary.is_empty() && !zone.name.is_empty());
        assert!(zone.facts.iter().all(|f| f.resolve(snapshot).is_some()), "{} cites nothing", zone.id);
    }
    let components: usize = snapshot.targets.iter().map(|t| t.components.len()).sum();
    assert_eq!(diagram.by_component().len(), components, "a component has no element");
    for flow in &diagram.flows {
        let (from, to) = (&diagram.elements[flow.from], &diagram.elements[flow.to]);
        assert_eq!(flow.crosses, from.zone != to.zone);
        assert_eq!(from.target, to.target);
        assert!(flow.facts.iter().all(|f| f.resolve(snapshot).is_some()), "{} cites nothing", flow.id);
        assert!(!flow.facts.is_empty(), "{} ({}) rests on nothing", flow.kind, flow.label);
        assert_ne!(flow.certainty, Certainty::Possible("".into()));
        assert!(flow.label.chars().count() < 220, "{}", flow.label);
    }
}
