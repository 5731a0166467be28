//! Probes and hooks: what the kubelet does to a container, and whom it asks.

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{Node, Read, cut, other_type, value};
use super::sheet::Sheet;
use super::words::{one_line, texts};
use crate::docker::secrets::Secrets;
use crate::redact::Redactor;

const PROBES: [(&str, &str); 3] =
    [("liveness_probe", "livenessProbe"), ("readiness_probe", "readinessProbe"), ("startup_probe", "startupProbe")];
const HOOKS: [(&str, &str); 2] = [("lifecycle.postStart", "postStart"), ("lifecycle.preStop", "preStop")];
const HANDLERS: [(&str, &str); 5] =
    [("exec", "exec"), ("httpGet", "http"), ("tcpSocket", "tcp"), ("grpc", "grpc"), ("sleep", "sleep")];

/// The facts of probes and hooks; the secrets in them are added.
pub(super) fn fill(sheet: &mut Sheet, json: Node<'_>, redactor: &Redactor, secrets: &mut Secrets) {
    let mut hosts = Vec::new();
    for (fact, field) in PROBES {
        let probe = json.get(field);
        sheet.read(fact, field, probe.map().map(|map| map.map(|_| handler(probe, redactor, secrets))));
        hosts_of(probe, field, &mut hosts);
    }
    let mut hooks = Vec::new();
    for (path, field) in HOOKS {
        let hook = json.get("lifecycle").get(field);
        match hook.map() {
            Ok(None) => {}
            Ok(Some(_)) => hooks.push(handler(hook, redactor, secrets)),
            Err(reason) => hooks.push(Value::Unknown(reason)),
        }
        hosts_of(hook, path, &mut hosts);
    }
    sheet.set("hooks", "lifecycle", Value::List(hooks));
    sheet.set("probe_hosts", "probes and hooks", Value::List(hosts));
    sheet.read("same_probes", "livenessProbe, readinessProbe", same(json));
}

fn handler(node: Node<'_>, redactor: &Redactor, secrets: &mut Secrets) -> Value {
    let found = HANDLERS.into_iter().find(|(field, _)| node.get(field).is_there());
    let (field, kind) = found.unwrap_or(("", "none"));
    let of = node.get(field);
    let what = match kind {
        "exec" => {
            let command = of.get("command");
            secrets.arguments(redactor, "probe or hook", &texts(command));
            command.list().map(|_| one_line(command, redactor))
        }
        "http" => of.get("path").text().and_then(|path| {
            headers(of, redactor, secrets);
            Ok(format!("{}{}", port(of)?, redactor.text(cut(path.unwrap_or("/")))))
        }),
        "tcp" | "grpc" => port(of),
        "sleep" => of.get("seconds").int().map(|seconds| format!("{}s", seconds.unwrap_or(0))),
        _ => Ok(String::new()),
    };
    let host = match kind {
        "http" | "tcp" => of.get("host").text().map(|host| cut(host.unwrap_or_default()).to_owned()),
        _ => Ok(String::new()),
    };
    Value::Object(vec![("kind", kind.into()), ("host", value(host)), ("what", value(what))])
}

/// A number, or the name of a port.
fn port(of: Node<'_>) -> Read<String> {
    match of.get("port") {
        Node::Is(Json::Number(number)) => Ok(format!(":{number}")),
        Node::Is(Json::String(name)) => Ok(format!(":{}", cut(name))),
        Node::None => Ok(String::new()),
        _ => Err(other_type()),
    }
}

fn headers(of: Node<'_>, redactor: &Redactor, secrets: &mut Secrets) {
    for header in of.get("httpHeaders").list().unwrap_or_default().iter().take(64) {
        if let (Some(name), Some(value)) = (header["name"].as_str(), header["value"].as_str()) {
            secrets.variable(redactor, "probe header", &format!("{name}={value}"));
        }
    }
}

fn hosts_of(node: Node<'_>, path: &str, out: &mut Vec<Value>) {
    for field in ["httpGet", "tcpSocket"] {
        match node.get(field).get("host").filled() {
            Ok(None) => {}
            Ok(Some(host)) => out.push(format!("{path}.{field}.host={}", cut(host)).into()),
            Err(reason) => out.push(Value::Unknown(reason)),
        }
    }
}

/// Whether the two probes ask the same thing.
fn same(json: Node<'_>) -> Read<bool> {
    let (liveness, readiness) = (json.get("livenessProbe"), json.get("readinessProbe"));
    if liveness.map()?.is_none() || readiness.map()?.is_none() {
        return Ok(false);
    }
    let asks = |probe: Node<'_>| {
        HANDLERS.map(|(field, _)| match probe.get(field) {
            Node::Is(json) => Some(json.clone()),
            _ => None,
        })
    };
    Ok(asks(liveness) == asks(readiness))
}
