//! Services: the pods behind them, and how the outside reaches them.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::super::open_list;
use super::{MOST, Settings, View};
use crate::component::Component;
use crate::kubernetes::selector::Selector;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

pub(super) fn facts(view: &View<'_>) -> Settings {
    let (routed, unrouted) = routed(view);
    let mut out = Vec::new();
    let mut exposed = Vec::new();
    let mut unclear = view.partial(&k8s::SERVICE);
    for (at, service) in view.positions(&k8s::SERVICE) {
        let ways = ways(service, &routed, unrouted.as_ref());
        if let Value::List(items) = &ways {
            let known: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            if !known.is_empty() && exposed.len() < MOST {
                exposed.push(Value::from(format!("{} ({})", service.name, known.join(", "))));
            }
        }
        let unknown = ways.reason().or_else(|| ways.as_list().unwrap_or_default().iter().find_map(Value::reason));
        unclear = unclear.or_else(|| unknown.cloned());
        out.push((at, "exposed_by", ways));
        let (pods, nothing) = pods(view, service);
        out.push((at, "pods", pods));
        out.push((at, "selects_nothing", nothing));
    }
    if let Some((at, _)) = view.positions(&k8s::CLUSTER).next() {
        out.push((at, "exposed_services", open_list(exposed, unclear.as_ref())));
    }
    out
}

/// Services that ingresses and routes lead to, and why there may be others.
fn routed<'a>(view: &View<'a>) -> (HashSet<&'a str>, Option<Arc<str>>) {
    let mut names = HashSet::new();
    let mut unknown = view.partial(&k8s::INGRESS);
    for ingress in view.of(&k8s::INGRESS) {
        match ingress.value("routes") {
            Value::List(routes) => {
                for route in routes {
                    match route.field("service").unwrap_or(route) {
                        Value::Str(name) if !name.is_empty() => _ = names.insert(&**name),
                        Value::Unknown(reason) => unknown = unknown.or_else(|| Some(Arc::clone(reason))),
                        _ => {}
                    }
                }
            }
            other => unknown = unknown.or_else(|| other.reason().cloned()),
        }
    }
    (names, unknown)
}

fn ways(service: &Component, routed: &HashSet<&str>, unrouted: Option<&Arc<str>>) -> Value {
    let mut ways: Vec<Value> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    let mut note = |value: &Value| {
        if let Some(reason) = value.reason() {
            unknown.get_or_insert_with(|| Arc::clone(reason));
        }
    };
    let kind = service.value("type");
    note(kind);
    match kind.as_str() {
        Some("NodePort") => ways.push("node-port".into()),
        Some("LoadBalancer") => {
            note(service.value("internal"));
            let way = |internal| if internal { "internal-load-balancer" } else { "load-balancer" };
            ways.extend(service.value("internal").as_bool().map(|internal| way(internal).into()));
            note(service.value("node_ports"));
            if service.value("node_ports").as_bool() == Some(true) {
                ways.push("node-port".into());
            }
        }
        _ => {}
    }
    note(service.value("external_ips"));
    if service.value("external_ips").as_list().is_some_and(|ips| !ips.is_empty()) {
        ways.push("external-ip".into());
    }
    if routed.contains(&*service.name) {
        ways.push("ingress".into());
    } else if unknown.is_none() {
        unknown = unrouted.cloned();
    }
    open_list(ways, unknown.as_ref())
}

/// The selector of a service; none where it has none.
pub(super) fn selector(service: &Component) -> Result<Option<Selector>, Arc<str>> {
    match service.value("selector") {
        Value::Null => Ok(None),
        Value::Unknown(reason) => Err(Arc::clone(reason)),
        other => match other.as_str().and_then(Selector::parse) {
            Some(selector) => Ok(Some(selector)),
            None => Err("its selector could not be read".into()),
        },
    }
}

/// The pods behind a service, and whether its selector takes none.
fn pods(view: &View<'_>, service: &Component) -> (Value, Value) {
    let namespace = service.value("namespace").as_str().unwrap_or_default();
    let selector = match selector(service) {
        Ok(Some(selector)) => selector,
        // Whoever made its endpoints knows where they lead.
        Ok(None) => {
            return (Value::unknown("it has no selector: its endpoints are made by somebody else"), false.into());
        }
        Err(reason) => return (Value::Unknown(Arc::clone(&reason)), Value::Unknown(reason)),
    };
    let (surely, perhaps) = view.selected(namespace, &selector);
    let partial = view.partial(&k8s::POD);
    let unknown = partial.or_else(|| perhaps.then(|| "labels of pods could not all be read".into()));
    let nothing = match (&unknown, surely.is_empty()) {
        (_, false) => false.into(),
        (Some(reason), true) => Value::Unknown(Arc::clone(reason)),
        (None, true) => true.into(),
    };
    let names = surely.iter().take(MOST).map(|at| Value::from(&*view.component(*at).id)).collect();
    (open_list(names, unknown.as_ref()), nothing)
}
