//! Where ingresses lead to, and who else claims their hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::super::open_list;
use super::{MOST, Settings, View};
use crate::component::Component;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

pub(super) fn facts(view: &View<'_>) -> Settings {
    let claims = claims(view);
    let mut out = Vec::new();
    for (at, ingress) in view.positions(&k8s::INGRESS) {
        out.push((at, "dangling", dangling(view, ingress)));
        out.push((at, "contested_hosts", contested(view, ingress, &claims)));
    }
    out
}

fn dangling(view: &View<'_>, ingress: &Component) -> Value {
    let routes = match ingress.value("routes") {
        Value::List(routes) => routes,
        other => return Value::Unknown(other.reason().cloned().unwrap_or_else(|| "its routes are not a list".into())),
    };
    let partial = view.partial(&k8s::SERVICE);
    let mut out: Vec<Value> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    for route in routes {
        let text = |field: &str| route.field(field).and_then(Value::as_str);
        let (Some(service), Some(port)) = (text("service"), text("port")) else {
            unknown = unknown.or_else(|| route.reason().cloned().or_else(|| Some("a route could not be read".into())));
            continue;
        };
        if service.is_empty() {
            continue;
        }
        let name = Value::from(format!("{service}:{port}"));
        match view.services.get(service) {
            None if partial.is_some() => unknown = unknown.or_else(|| partial.clone()),
            Some(found) => match has_port(found, port) {
                Some(true) => {}
                Some(false) if !out.contains(&name) && out.len() < MOST => out.push(name),
                Some(false) => {}
                None => unknown = unknown.or_else(|| Some("ports of a service could not be read".into())),
            },
            None if !out.contains(&name) && out.len() < MOST => out.push(name),
            None => {}
        }
    }
    open_list(out, unknown.as_ref())
}

/// Whether a service has a port, by number or name; one that stands for a name outside needs none.
pub(super) fn has_port(service: &Component, port: &str) -> Option<bool> {
    if service.value("type").as_str() == Some("ExternalName") || port.is_empty() {
        return Some(true);
    }
    let ports = service.value("ports").as_list()?;
    let is = |p: &Value| {
        p.field("port").and_then(Value::as_int).is_some_and(|n| n.to_string() == port)
            || p.field("name").and_then(Value::as_str) == Some(port)
    };
    if ports.iter().any(is) {
        return Some(true);
    }
    if ports.iter().any(Value::is_unknown) { None } else { Some(false) }
}

/// Who claims a host and path, among those that one controller serves.
type Claims<'a> = BTreeMap<(String, &'a str, &'a str), Vec<&'a Component>>;

/// What is served together: ingresses of one class, routes of one gateway.
fn groups(ingress: &Component) -> Vec<String> {
    match ingress.value("type").as_str() {
        Some("Ingress") => {
            vec![format!("class {}", ingress.value("class").as_str().unwrap_or_default())]
        }
        Some("Gateway") | None => Vec::new(),
        Some(kind) => {
            let parents = ingress.value("parents").as_list().unwrap_or_default();
            parents.iter().filter_map(Value::as_str).map(|p| format!("{kind} of {p}")).collect()
        }
    }
}

/// The hosts and paths of an ingress, each once.
fn own<'a>(ingress: &'a Component) -> Vec<(&'a str, &'a str)> {
    let text = |route: &'a Value, field: &str| route.field(field).and_then(Value::as_str);
    let routes = ingress.value("routes").as_list().unwrap_or_default();
    let mut own: Vec<_> = routes.iter().filter_map(|r| Some((text(r, "host")?, text(r, "path")?))).collect();
    own.sort_unstable();
    own.dedup();
    own
}

fn claims<'a>(view: &View<'a>) -> Claims<'a> {
    let mut claims = Claims::new();
    for ingress in view.of(&k8s::INGRESS) {
        for (host, path) in own(ingress) {
            for group in groups(ingress) {
                claims.entry((group, host, path)).or_default().push(ingress);
            }
        }
    }
    claims
}

fn contested(view: &View<'_>, ingress: &Component, claims: &Claims<'_>) -> Value {
    let namespace = ingress.value("namespace");
    let mut out: Vec<Value> = Vec::new();
    for (host, path) in own(ingress) {
        for group in groups(ingress) {
            let Some(all) = claims.get(&(group, host, path)) else { continue };
            for other in all.iter().filter(|other| other.value("namespace") != namespace) {
                let name = Value::from(format!("{host}{path} ({})", other.name));
                if out.len() < MOST && !out.contains(&name) {
                    out.push(name);
                }
            }
        }
    }
    let unread = |i: &Component| i.value("routes").reason().cloned();
    let unknown = view.partial(&k8s::INGRESS).or_else(|| view.of(&k8s::INGRESS).find_map(unread));
    open_list(out, unknown.as_ref())
}
