//! What policies select, and how wide they open.

use super::{MOST, Settings, View, truth};
use crate::component::Component;
use crate::kubernetes::reach::address::Cidr;
use crate::kubernetes::reach::policy::{Peer, Policy};
use crate::kubernetes::reach::{Direction, Network};
use crate::kubernetes::selector::{and, any, not, or};
use crate::schema::kubernetes as k8s;
use crate::value::Value;

const UNREAD: &str = "its selector, its directions or one of its rules could not be read";

pub(super) fn facts(view: &View<'_>) -> Settings {
    let mut out = Vec::new();
    for (place, policy) in view.network.policies().iter().enumerate() {
        let Some(at) = policy.component else { continue };
        let component = view.component(at);
        for (direction, denies, allows) in [
            (Direction::Ingress, "default_deny_ingress", "allows_all_ingress"),
            (Direction::Egress, "default_deny_egress", "allows_all_egress"),
        ] {
            let everything = and(takes_all(component), isolates(policy, direction));
            out.push((at, denies, truth(and(everything, silent(component, direction)), UNREAD)));
            let opens = and(isolates(policy, direction), opens_all(component, direction));
            out.push((at, allows, truth(opens, UNREAD)));
        }
        out.push((at, "selects_nothing", selects_nothing(view, place)));
        out.push((at, "peers_nobody", peers_nobody(view, policy)));
    }
    out
}

/// Whether it has a say in a direction.
fn isolates(policy: &Policy, direction: Direction) -> Option<bool> {
    if policy.understood { policy.side(direction).isolates } else { None }
}

/// Whether a policy of a namespace takes every pod of it.
pub(super) fn takes_all(component: &Component) -> Option<bool> {
    let of_namespace = component.value("tier").as_str().map(|t| t == "namespace");
    and(of_namespace, component.value("selector").as_str().map(str::is_empty))
}

/// Whether it lets nothing through.
fn silent(component: &Component, direction: Direction) -> Option<bool> {
    component.value(direction.name()).as_list().map(<[Value]>::is_empty)
}

/// Whether a rule lets everybody through, on every port.
fn opens_all(component: &Component, direction: Direction) -> Option<bool> {
    let rules = component.value(direction.name()).as_list()?;
    any(rules.iter().map(|rule| {
        let is = |field: &str, of: &dyn Fn(&[Value]) -> Option<bool>| rule.field(field)?.as_list().and_then(of);
        let allows = rule.field("action").and_then(Value::as_str).map(|a| a == "allow");
        let ports = is("ports", &|ports| or(Some(ports.is_empty()), every_port(ports)));
        let peers = is("peers", &|peers| or(Some(peers.is_empty()), is_everybody(peers)));
        and(allows, and(ports, peers))
    }))
}

/// All ports of each protocol, one by one.
fn every_port(ports: &[Value]) -> Option<bool> {
    let whole = |port: &Value| match (port.field("port")?, port.field("end")?) {
        (Value::Unknown(_), _) | (_, Value::Unknown(_)) => None,
        (Value::Null, _) => Some(true),
        (first, end) => Some(first.as_str() == Some("1") && end.as_int() == Some(65535)),
    };
    let of = |protocol| {
        any(ports.iter().map(|port| and(port.field("protocol")?.as_str().map(|p| p == protocol), whole(port))))
    };
    let protocols = ["TCP", "UDP", "SCTP"];
    and(Some(ports.len() >= protocols.len()), protocols.into_iter().map(of).fold(Some(true), and))
}

/// All addresses of a family without an exception, however they are written: in one range or in two halves.
fn is_everybody(peers: &[Value]) -> Option<bool> {
    let holds = |range: &'static str| {
        any(peers.iter().map(|peer| {
            let whole = match peer.field("cidr")? {
                Value::Null => Some(false),
                Value::Str(cidr) => Some(Cidr::parse(cidr)?.contains(Cidr::parse(range)?)),
                _ => None,
            };
            match whole {
                Some(true) => peer.field("except")?.as_list().map(<[Value]>::is_empty),
                other => other,
            }
        }))
    };
    or(and(holds("0.0.0.0/1"), holds("128.0.0.0/1")), and(holds("::/1"), holds("8000::/1")))
}

fn selects_nothing(view: &View<'_>, place: usize) -> Value {
    let network: &Network = view.network;
    let selected = any((0..network.classes().len()).map(|class| network.selects(place, class)));
    match (not(selected), view.partial(&k8s::POD)) {
        (Some(true), Some(reason)) => Value::Unknown(reason),
        (known, _) => truth(known, "its selector, or labels of pods or namespaces, could not be read"),
    }
}

/// Peers by labels whom no pod matches.
fn peers_nobody(view: &View<'_>, policy: &Policy) -> Value {
    let network = view.network;
    if !policy.understood || policy.ingress.open || policy.egress.open {
        return Value::unknown(UNREAD);
    }
    if let Some(reason) = view.partial(&k8s::POD) {
        return Value::Unknown(reason);
    }
    let mut out: Vec<Value> = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        if policy.side(direction).isolates == Some(false) {
            continue;
        }
        for peer in policy.side(direction).rules.iter().flat_map(|rule| &rule.peers) {
            let Peer::Pods { namespaces, pods } = network.peer(*peer) else { continue };
            let met = any((0..network.classes().len()).map(|class| network.means(*peer, class)));
            let text = |chooser: &Option<_>| chooser.as_ref().map_or_else(String::new, ToString::to_string);
            let spaces = match namespaces {
                Ok(_) => String::new(),
                Err(chooser) => format!(" in namespaces [{}]", text(chooser)),
            };
            let name = format!("{} [{}]{spaces}", direction.name(), text(pods));
            match met {
                Some(true) => {}
                Some(false) if out.len() < MOST => out.push(name.into()),
                Some(false) => {}
                None => out.push(Value::unknown(format!("{name}: labels could not be read"))),
            }
        }
    }
    Value::List(out)
}
