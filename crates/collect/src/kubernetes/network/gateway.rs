//! Gateways and their routes.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::INGRESS;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::ingress::{annotated, host, route_value, without};
use super::read::{Read, Sheet, at, each, list, namespace_of, number, opt_text, other_type, shown, text, value};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// A gateway; its controller is looked up when the classes are known.
pub(super) fn gateway(object: Object<'_>, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&INGRESS, "Gateway", object, true, redactor);
    let json = sheet.json();
    let namespace = namespace_of(&object);
    sheet.put("type", "kind", Ok("Gateway"));
    sheet.put("class", "spec.gatewayClassName", opt_text(json, "spec.gatewayClassName", redactor));
    sheet.put("parents", "spec", Ok(Value::List(Vec::new())));
    let listeners = listeners(json, redactor);
    let names = |tls: bool| {
        listeners.clone().map(|all| {
            let mut hosts: Vec<String> = all.into_iter().filter(|(_, t)| !tls || *t).map(|(host, _)| host).collect();
            hosts.sort_unstable();
            hosts.dedup();
            hosts
        })
    };
    sheet.put("hosts", "spec.listeners", names(false).map(Value::strings));
    let plain = names(false).and_then(|all| Ok(without(all, &names(true)?)));
    sheet.put("plain_hosts", "spec.listeners", plain.map(Value::strings));
    sheet.put("tls_secrets", "spec.listeners", secrets(json, &namespace, redactor));
    sheet.put("routes", "spec", Ok(Value::List(Vec::new())));
    annotated(&mut sheet);
    let addresses =
        each(json, "status.addresses", |a| text(a, "value")?.map(|t| shown(t, redactor)).ok_or_else(other_type));
    sheet.put("addresses", "status.addresses", addresses);
    sheet.component
}

/// Hosts of its listeners, and whether each has TLS.
fn listeners(json: &Json, redactor: &Redactor) -> Read<Vec<(String, bool)>> {
    let mut out = Vec::new();
    for listener in list(json, "spec.listeners")?.iter().take(1024) {
        let tls = match text(listener, "protocol")?.unwrap_or_default() {
            "HTTPS" | "TLS" => true,
            "HTTP" | "TCP" | "UDP" => false,
            _ => return Err("a listener's protocol is not known".into()),
        };
        out.push((host(listener, "hostname", redactor)?, tls));
    }
    Ok(out)
}

fn secrets(json: &Json, namespace: &str, redactor: &Redactor) -> Read<Value> {
    let mut out = Vec::new();
    for listener in list(json, "spec.listeners")?.iter().take(1024) {
        for reference in list(listener, "tls.certificateRefs")?.iter().take(64) {
            if text(reference, "kind")?.is_none_or(|k| k == "Secret") {
                out.push(value(target(reference, namespace).map(|t| shown(&t, redactor))));
            }
        }
    }
    Ok(Value::List(out))
}

/// What a reference names, as namespace/name.
fn target(reference: &Json, namespace: &str) -> Read<String> {
    let name = text(reference, "name")?.ok_or_else(other_type)?;
    Ok(format!("{}/{name}", text(reference, "namespace")?.filter(|n| !n.is_empty()).unwrap_or(namespace)))
}

/// A route of a gateway.
pub(super) fn route(object: Object<'_>, redactor: &Redactor) -> Component {
    let kind = object.kind();
    let mut sheet = Sheet::new(&INGRESS, kind, object, true, redactor);
    let json = sheet.json();
    let namespace = namespace_of(&object);
    sheet.put("type", "kind", Ok(kind));
    sheet.put("class", "spec", Ok(Value::Null));
    sheet.put("controller", "spec", Ok(Value::Null));
    let parents = each(json, "spec.parentRefs", |p| target(p, &namespace).map(|t| shown(&t, redactor)));
    sheet.put("parents", "spec.parentRefs", parents);
    let hosts = hostnames(json, redactor);
    sheet.put("hosts", "spec.hostnames", hosts.clone().map(Value::strings));
    sheet.put("plain_hosts", "spec", Ok(Value::List(Vec::new())));
    sheet.put("tls_secrets", "spec", Ok(Value::List(Vec::new())));
    sheet.put("routes", "spec.rules", hosts.and_then(|hosts| routes(json, &hosts, &namespace, redactor)));
    annotated(&mut sheet);
    sheet.put("addresses", "status", Ok(Value::List(Vec::new())));
    sheet.component
}

fn hostnames(json: &Json, redactor: &Redactor) -> Read<Vec<String>> {
    let mut hosts = Vec::new();
    for name in list(json, "spec.hostnames")?.iter().take(1024) {
        let name = name.as_str().ok_or_else(other_type)?.to_ascii_lowercase();
        hosts.push(shown(&name, redactor).as_str().unwrap_or_default().to_owned());
    }
    if hosts.is_empty() {
        hosts.push("*".to_owned());
    }
    Ok(hosts)
}

fn routes(json: &Json, hosts: &[String], namespace: &str, redactor: &Redactor) -> Read<Value> {
    let mut routes = Vec::new();
    for rule in list(json, "spec.rules")?.iter().take(256) {
        let mut paths = Vec::new();
        for one in list(rule, "matches")?.iter().take(64) {
            paths.push(text(one, "path.value")?.unwrap_or_default().to_owned());
        }
        if paths.is_empty() {
            paths.push(String::new());
        }
        for backend in list(rule, "backendRefs")?.iter().take(64) {
            let (service, port) = backend_of(backend, namespace)?;
            for (host, path) in hosts.iter().flat_map(|h| paths.iter().map(move |p| (h, p))) {
                if routes.len() == 1024 {
                    routes.push(Value::unknown("only the first 1024 routes are kept"));
                    return Ok(Value::List(routes));
                }
                routes.push(route_value(host, path, &service, &port, redactor));
            }
        }
    }
    Ok(Value::List(routes))
}

/// A backend that is no service is no service's name.
fn backend_of(backend: &Json, namespace: &str) -> Read<(String, String)> {
    let group = text(backend, "group")?.unwrap_or_default();
    let is_service = group.is_empty() && text(backend, "kind")?.is_none_or(|k| k == "Service");
    let port = number(backend, "port")?.map_or_else(String::new, |p| p.to_string());
    if at(backend, "name")?.is_null() || !is_service {
        return Ok((String::new(), port));
    }
    Ok((target(backend, namespace)?, port))
}
