//! Ingresses.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::INGRESS;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{
    Read, Sheet, annotations, at, each, list, namespace_of, number, opt_text, other_type, shown, text, value,
};
use super::service::addresses;
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// The annotation that chose a class before the field did.
const CLASS: &str = "kubernetes.io/ingress.class";

/// An ingress; its controller is looked up when the classes are known.
pub(super) fn ingress(object: Object<'_>, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&INGRESS, "Ingress", object, true, redactor);
    let json = sheet.json();
    let namespace = namespace_of(&object);
    sheet.put("type", "kind", Ok("Ingress"));
    sheet.put("class", "spec.ingressClassName", class(json, redactor));
    sheet.put("parents", "spec", Ok(Value::List(Vec::new())));
    let hosts = hosts(json, redactor);
    sheet.put("hosts", "spec.rules", hosts.clone().map(Value::strings));
    let covered = tls_hosts(json, redactor);
    let plain = hosts.and_then(|hosts| Ok((hosts, covered?))).map(|(hosts, covered)| without(hosts, &covered));
    sheet.put("plain_hosts", "spec.tls", plain.map(Value::strings));
    let secrets = each(json, "spec.tls", |tls| {
        let name = text(tls, "secretName")?.filter(|n| !n.is_empty());
        Ok(name.map_or(Value::Null, |n| shown(&format!("{namespace}/{n}"), redactor)))
    });
    sheet.put("tls_secrets", "spec.tls", secrets.map(named));
    sheet.put("routes", "spec.rules", routes(json, &namespace, redactor));
    annotated(&mut sheet);
    sheet.put("addresses", "status.loadBalancer", addresses(json, redactor));
    sheet.component
}

/// A list without its nulls.
pub(super) fn named(list: Value) -> Value {
    match list {
        Value::List(items) => Value::List(items.into_iter().filter(|i| *i != Value::Null).collect()),
        other => other,
    }
}

/// What annotations ask of its controller.
pub(super) fn annotated(sheet: &mut Sheet<'_>) {
    let (json, redactor) = (sheet.json(), sheet.redactor);
    let all = annotations(json);
    let chosen = |wanted: fn(&str) -> bool| {
        all.clone().map(|all| Value::strings(all.iter().filter(|(name, _)| wanted(name)).map(|(name, _)| *name)))
    };
    sheet.put("snippets", "metadata.annotations", chosen(is_snippet));
    sheet.put("authentication", "metadata.annotations", chosen(is_authentication));
    let ranges = all.clone().map(|all| {
        let ranges = all.iter().filter(|(name, _)| {
            last(name).ends_with("whitelist-source-range") || last(name) == "allowlist-source-range"
        });
        let ranges = ranges.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|r| !r.is_empty());
        Value::List(ranges.take(1024).map(|r| shown(r, redactor)).collect())
    });
    sheet.put("source_ranges", "metadata.annotations", ranges);
    sheet.put("redirects_to_tls", "metadata.annotations", all.and_then(|all| redirect(&all)));
}

fn last(annotation: &str) -> &str {
    annotation.rsplit('/').next().unwrap_or(annotation)
}

/// Raw configuration: snippets of nginx and HAProxy, and what haproxy-ingress calls `config-backend` and the like.
fn is_snippet(annotation: &str) -> bool {
    let name = last(annotation);
    name.contains("snippet") || annotation.starts_with("haproxy-ingress.github.io/config-")
}

fn is_authentication(annotation: &str) -> bool {
    matches!(
        last(annotation),
        "auth-type" | "auth-url" | "auth-tls-secret" | "auth-secret" | "basic-auth-secret" | "oauth"
    )
}

/// Whether an annotation says; where none does, the controller decides.
fn redirect(all: &[(&str, &str)]) -> Read<bool> {
    let says = |name: &str, wanted: &str| all.iter().any(|(n, v)| last(n) == name && v.eq_ignore_ascii_case(wanted));
    if says("force-ssl-redirect", "true") || says("ssl-redirect", "true") || says("ingress.allow-http", "false") {
        return Ok(true);
    }
    if says("ssl-redirect", "false") {
        return Ok(false);
    }
    Err("no annotation says so, and its controller decides".into())
}

fn class(json: &Json, redactor: &Redactor) -> Read<Value> {
    let field = opt_text(json, "spec.ingressClassName", redactor)?;
    if field != Value::Null {
        return Ok(field);
    }
    let annotation = annotations(json)?.into_iter().find(|(name, _)| *name == CLASS);
    Ok(annotation.map_or(Value::Null, |(_, class)| shown(class, redactor)))
}

/// The hosts of its rules; every one where a rule names none, or it has a backend for what no rule matches.
fn hosts(json: &Json, redactor: &Redactor) -> Read<Vec<String>> {
    let mut hosts = Vec::new();
    for rule in list(json, "spec.rules")?.iter().take(1024) {
        hosts.push(host(rule, "host", redactor)?);
    }
    if !at(json, "spec.defaultBackend")?.is_null() {
        hosts.push("*".to_owned());
    }
    hosts.sort_unstable();
    hosts.dedup();
    Ok(hosts)
}

/// A host in small letters, as names are compared.
pub(super) fn host(json: &Json, field: &str, redactor: &Redactor) -> Read<String> {
    let host = text(json, field)?.filter(|h| !h.is_empty()).unwrap_or("*");
    Ok(shown(&host.to_ascii_lowercase(), redactor).as_str().unwrap_or_default().to_owned())
}

/// The hosts that have TLS; one that names none has it for all.
fn tls_hosts(json: &Json, redactor: &Redactor) -> Read<Vec<String>> {
    let mut covered = Vec::new();
    for tls in list(json, "spec.tls")?.iter().take(1024) {
        let hosts = list(tls, "hosts")?;
        if hosts.is_empty() {
            covered.push("*".to_owned());
        }
        for host in hosts.iter().take(1024) {
            let host = host.as_str().ok_or_else(other_type)?.to_ascii_lowercase();
            covered.push(shown(&host, redactor).as_str().unwrap_or_default().to_owned());
        }
    }
    Ok(covered)
}

/// The hosts that none of the others covers: `*.a.test` covers `x.a.test` but not `x.y.a.test`, `*` everything.
pub(super) fn without(hosts: Vec<String>, covered: &[String]) -> Vec<String> {
    let covers = |host: &str, by: &str| {
        by == "*"
            || by == host
            || by.strip_prefix("*.").is_some_and(|rest| host.split_once('.').is_some_and(|(_, h)| h == rest))
    };
    hosts.into_iter().filter(|host| !covered.iter().any(|by| covers(host, by))).collect()
}

fn routes(json: &Json, namespace: &str, redactor: &Redactor) -> Read<Value> {
    let mut routes = Vec::new();
    let default = at(json, "spec.defaultBackend")?;
    if !default.is_null() {
        routes.push(value(route("*", "", default, namespace, redactor)));
    }
    for rule in list(json, "spec.rules")?.iter().take(1024) {
        let host = host(rule, "host", redactor)?;
        for path in list(rule, "http.paths")? {
            if routes.len() == 1024 {
                routes.push(Value::unknown("only the first 1024 routes are kept"));
                return Ok(Value::List(routes));
            }
            let prefix = text(path, "path").map(|p| p.unwrap_or_default().to_owned());
            let one = prefix.and_then(|p| route(&host, &p, at(path, "backend")?, namespace, redactor));
            routes.push(value(one));
        }
    }
    Ok(Value::List(routes))
}

fn route(host: &str, path: &str, backend: &Json, namespace: &str, redactor: &Redactor) -> Read<Value> {
    let (service, port) = match text(backend, "service.name")? {
        Some(name) => {
            let number = number(backend, "service.port.number")?.filter(|n| *n != 0);
            let named = text(backend, "service.port.name")?.unwrap_or_default();
            (format!("{namespace}/{name}"), number.map_or_else(|| named.to_owned(), |n| n.to_string()))
        }
        None => (String::new(), String::new()),
    };
    Ok(route_value(host, path, &service, &port, redactor))
}

/// The shape of a route.
pub(super) fn route_value(host: &str, path: &str, service: &str, port: &str, redactor: &Redactor) -> Value {
    Value::Object(vec![
        ("host", host.into()),
        ("path", Value::from(&*redactor.text(super::read::short(path)))),
        ("service", shown(service, redactor)),
        ("port", shown(port, redactor)),
    ])
}
