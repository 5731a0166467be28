//! Policies of the whole cluster: AdminNetworkPolicy, BaselineAdminNetworkPolicy and what followed them,
//! ClusterNetworkPolicy. What of them is not known by this shape is unknown, never left out.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::NETWORK_POLICY;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::policy::{peer_value, port_value};
use super::read::{Read, Sheet, at, each, list, number, other_type, selector_text, short, text, value};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// A policy of the whole cluster.
pub(super) fn policy(object: Object<'_>, redactor: &Redactor) -> Component {
    let kind = object.kind();
    let mut sheet = Sheet::new(&NETWORK_POLICY, kind, object, false, redactor);
    let json = sheet.json();
    sheet.put("type", "kind", Ok(kind));
    sheet.put("understood", "spec", Ok(true));
    sheet.put("tier", "spec.tier", tier(kind, json));
    sheet.put("priority", "spec.priority", number(json, "spec.priority").map(Option::unwrap_or_default));
    let (pods, namespaces) = subject(json, redactor);
    sheet.put("selector", "spec.subject", pods);
    sheet.put("namespace_selector", "spec.subject", namespaces);
    // A direction without rules is left as it was.
    let mut types = Vec::new();
    for direction in ["ingress", "egress"] {
        match list(json, &format!("spec.{direction}")) {
            Ok([]) => {}
            Ok(_) => types.push(direction.into()),
            Err(why) => types.push(Value::Unknown(why)),
        }
    }
    sheet.put("types", "spec", Ok(Value::List(types)));
    sheet.put("ingress", "spec.ingress", rules(json, "spec.ingress", "from", redactor));
    sheet.put("egress", "spec.egress", rules(json, "spec.egress", "to", redactor));
    sheet.component
}

fn tier(kind: &str, json: &Json) -> Read<&'static str> {
    match (kind, text(json, "spec.tier")?) {
        ("AdminNetworkPolicy", _) | ("ClusterNetworkPolicy", Some("Admin")) => Ok("admin"),
        ("BaselineAdminNetworkPolicy", _) | ("ClusterNetworkPolicy", Some("Baseline")) => Ok("baseline"),
        _ => Err("its tier is not known".into()),
    }
}

/// The pods and the namespaces that it is about.
fn subject(json: &Json, redactor: &Redactor) -> (Read<Option<String>>, Read<Option<String>>) {
    let named = |path| selector_text(json, path, redactor);
    let unknown = || "whom it is about is not known".into();
    match (at(json, "spec.subject.namespaces"), at(json, "spec.subject.pods")) {
        (Ok(spaces), Ok(Json::Null)) if !spaces.is_null() => (Ok(None), named("spec.subject.namespaces")),
        (Ok(Json::Null), Ok(pods)) if !pods.is_null() => {
            (named("spec.subject.pods.podSelector"), named("spec.subject.pods.namespaceSelector"))
        }
        _ => (Err(unknown()), Err(unknown())),
    }
}

fn rules(json: &Json, path: &str, side: &str, redactor: &Redactor) -> Read<Value> {
    each(json, path, |rule| {
        let action = match text(rule, "action")? {
            Some("Allow" | "Accept") => "allow",
            Some("Deny") => "deny",
            Some("Pass") => "pass",
            _ => return Err("its action is not known".into()),
        };
        let mut peers = Vec::new();
        for json in list(rule, side)? {
            peers_of(json, redactor, &mut peers);
        }
        if peers.is_empty() {
            peers.push(Value::unknown("it names nobody, which the API server refuses"));
        }
        let ports = ports(rule);
        Ok(Value::Object(vec![("action", action.into()), ("peers", Value::List(peers)), ("ports", value(ports))]))
    })
}

/// A peer may name several ranges; what it names beyond labels and ranges (nodes, names) is unknown.
fn peers_of(json: &Json, redactor: &Redactor, out: &mut Vec<Value>) {
    let none = || Value::List(Vec::new());
    let known = (|| -> Read<Vec<Value>> {
        let Some(fields) = json.as_object() else { return Err(other_type()) };
        let set: Vec<&str> = fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.as_str()).collect();
        match set.as_slice() {
            ["namespaces"] => {
                let chosen = plain_selector(json, "namespaces", redactor)?;
                Ok(vec![peer_value(Value::Null, chosen, Value::Null, none())])
            }
            ["pods"] => {
                let pods = plain_selector(json, "pods.podSelector", redactor)?;
                let namespaces = plain_selector(json, "pods.namespaceSelector", redactor)?;
                Ok(vec![peer_value(pods, namespaces, Value::Null, none())])
            }
            ["networks"] => list(json, "networks")?
                .iter()
                .map(|n| {
                    let range = n.as_str().ok_or_else(other_type)?;
                    Ok(peer_value(Value::Null, Value::Null, short(range).into(), none()))
                })
                .collect(),
            _ => Err("whom it names is not known".into()),
        }
    })();
    match known {
        Ok(peers) => out.extend(peers),
        Err(why) => out.push(Value::Unknown(why)),
    }
}

/// A selector of the shape that all versions but the first drafts have; those drafts nested others in it.
fn plain_selector(json: &Json, path: &str, redactor: &Redactor) -> Read<Value> {
    let fields = at(json, path)?.as_object();
    if fields.is_some_and(|f| f.keys().any(|k| k != "matchLabels" && k != "matchExpressions")) {
        return Err("its selector is of a shape that is not known".into());
    }
    Ok(selector_text(json, path, redactor)?.unwrap_or_default().into())
}

/// Ports as `ports` names them, or as `protocols` does.
fn ports(rule: &Json) -> Read<Value> {
    let mut out = Vec::new();
    for (field, one) in [("ports", v1alpha1 as fn(&Json) -> Read<Vec<Value>>), ("protocols", v1alpha2)] {
        for json in list(rule, field)? {
            match one(json) {
                Ok(ports) => out.extend(ports),
                Err(why) => out.push(Value::Unknown(why)),
            }
        }
    }
    Ok(Value::List(out))
}

fn not_known<T>() -> Read<T> {
    Err("the port that it names is not known".into())
}

/// A name is looked up in every protocol.
fn named(name: &str) -> Vec<Value> {
    ["TCP", "UDP", "SCTP"].iter().map(|p| port_value(p, Some(short(name).to_owned()), None)).collect()
}

fn v1alpha1(json: &Json) -> Read<Vec<Value>> {
    let protocol = |path| text(json, path).map(|p| p.unwrap_or("TCP").to_owned());
    if let Some(number) = number(json, "portNumber.port")? {
        return Ok(vec![port_value(&protocol("portNumber.protocol")?, Some(number.to_string()), None)]);
    }
    if let (Some(start), Some(end)) = (number(json, "portRange.start")?, number(json, "portRange.end")?) {
        return Ok(vec![port_value(&protocol("portRange.protocol")?, Some(start.to_string()), Some(end))]);
    }
    text(json, "namedPort")?.map_or_else(not_known, |name| Ok(named(name)))
}

fn v1alpha2(json: &Json) -> Read<Vec<Value>> {
    if let Some(name) = text(json, "destinationNamedPort")? {
        return Ok(named(name));
    }
    for (field, protocol) in [("tcp", "TCP"), ("udp", "UDP"), ("sctp", "SCTP")] {
        let this = at(json, field)?;
        if this.is_null() {
            continue;
        }
        if let Some(number) = number(this, "destinationPort.number")?.filter(|n| *n != 0) {
            return Ok(vec![port_value(protocol, Some(number.to_string()), None)]);
        }
        let (start, end) = (number(this, "destinationPort.range.start")?, number(this, "destinationPort.range.end")?);
        return match (start, end) {
            (Some(start), Some(end)) => Ok(vec![port_value(protocol, Some(start.to_string()), Some(end))]),
            _ => not_known(),
        };
    }
    not_known()
}
