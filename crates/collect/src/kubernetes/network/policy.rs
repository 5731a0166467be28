//! NetworkPolicies.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::NETWORK_POLICY;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{Read, Sheet, at, each, list, number, number_or_text, other_type, selector_text, shown, text, texts};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// A policy of a namespace.
pub(super) fn policy(object: Object<'_>, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&NETWORK_POLICY, "NetworkPolicy", object, true, redactor);
    let json = sheet.json();
    sheet.put("type", "kind", Ok("NetworkPolicy"));
    sheet.put("understood", "spec", Ok(true));
    sheet.put("tier", "kind", Ok("namespace"));
    sheet.put("priority", "spec", Ok(0));
    // The API server takes an absent selector for an empty one.
    let selector = selector_text(json, "spec.podSelector", redactor).map(Option::unwrap_or_default);
    sheet.put("selector", "spec.podSelector", selector);
    sheet.put("namespace_selector", "spec", Ok(Value::Null));
    sheet.put("types", "spec.policyTypes", types(json));
    sheet.put("ingress", "spec.ingress", each(json, "spec.ingress", |r| rule(r, "from", redactor)));
    sheet.put("egress", "spec.egress", each(json, "spec.egress", |r| rule(r, "to", redactor)));
    sheet.component
}

/// The directions that it names, and those that it means where it names none.
fn types(json: &Json) -> Read<Value> {
    let named = list(json, "spec.policyTypes")?;
    if named.is_empty() {
        let egress = !list(json, "spec.egress")?.is_empty();
        return Ok(Value::strings(if egress { vec!["ingress", "egress"] } else { vec!["ingress"] }));
    }
    each(json, "spec.policyTypes", |one| match one.as_str() {
        Some("Ingress") => Ok("ingress".into()),
        Some("Egress") => Ok("egress".into()),
        Some(other) => Err(format!("the type of policy {} is not known", super::read::short(other)).into()),
        None => Err(other_type()),
    })
}

fn rule(json: &Json, side: &str, redactor: &Redactor) -> Read<Value> {
    if !json.is_object() && !json.is_null() {
        return Err(other_type());
    }
    Ok(Value::Object(vec![
        ("action", "allow".into()),
        ("peers", super::read::value(each(json, side, |p| peer(p, redactor)))),
        ("ports", super::read::value(each(json, "ports", port))),
    ]))
}

fn peer(json: &Json, redactor: &Redactor) -> Read<Value> {
    let block = at(json, "ipBlock")?;
    let pods = selector_text(json, "podSelector", redactor)?;
    let namespaces = selector_text(json, "namespaceSelector", redactor)?;
    match (block.is_null(), pods.is_some() || namespaces.is_some()) {
        (false, false) => {
            let cidr = text(block, "cidr")?.ok_or_else(other_type)?;
            Ok(peer_value(Value::Null, Value::Null, shown(cidr, redactor), texts(block, "except", redactor)?))
        }
        (true, true) => Ok(peer_value(pods.into(), namespaces.into(), Value::Null, Value::List(Vec::new()))),
        _ => Err("it names nobody, or both addresses and labels, which the API server refuses".into()),
    }
}

/// The shape of a peer.
pub(super) fn peer_value(pods: Value, namespaces: Value, cidr: Value, except: Value) -> Value {
    Value::Object(vec![("pods", pods), ("namespaces", namespaces), ("cidr", cidr), ("except", except)])
}

/// The shape of a port.
pub(super) fn port_value(protocol: &str, port: Option<String>, end: Option<i64>) -> Value {
    Value::Object(vec![("protocol", protocol.into()), ("port", port.into()), ("end", end.into())])
}

fn port(json: &Json) -> Read<Value> {
    let protocol = match text(json, "protocol")?.unwrap_or("TCP") {
        known @ ("TCP" | "UDP" | "SCTP") => known,
        _ => return Err("its protocol is none that the API takes".into()),
    };
    let port = number_or_text(json, "port")?;
    // A text must be a name, which has a letter.
    let name = at(json, "port")?.as_str();
    if name.is_some_and(|n| !n.bytes().any(|b| b.is_ascii_alphabetic())) {
        return Err("its port is a text without a letter, which the API server refuses".into());
    }
    let end = number(json, "endPort")?;
    if end.is_some() && (port.is_none() || name.is_some()) {
        return Err("it ends a range that has no first port, which the API server refuses".into());
    }
    let number = port.as_deref().filter(|_| name.is_none()).and_then(|p| p.parse::<i64>().ok());
    let in_range = |n: i64| (1..=65535).contains(&n);
    if number.is_some_and(|n| !in_range(n) || end.is_some_and(|e| !in_range(e) || e < n)) {
        return Err("its ports are out of range".into());
    }
    Ok(port_value(protocol, port, end))
}
