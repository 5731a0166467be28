//! Bindings without a subject.

use serde_json::{Value as Json, json};

use super::{Act, Form, Index, Proposal, field, list, object};
use crate::component::Component;
use crate::schema::kubernetes::BINDING;
use crate::value::Value;

/// The most bindings that one remedy names.
const MOST: usize = 16;

/// Takes a subject out of the bindings that give it one of some powers; of those that Kubernetes makes it touches none.
/// No power named means every binding that names it.
pub(super) fn unbound(powers: &[String], index: &Index<'_>, component: &Component) -> Vec<Proposal> {
    let mut ways: Vec<(String, String)> = Vec::new();
    if powers.is_empty() {
        let all = list(component, "bindings").iter().filter_map(Value::as_str);
        ways.extend(all.map(|binding| (binding.to_owned(), component.id.to_string())));
    }
    let held = list(component, "powers").iter().filter(|power| powers.iter().any(|p| p == field(power, "power")));
    for power in held {
        let through = power.field("through").and_then(Value::as_list).unwrap_or_default();
        for way in through.iter().filter(|way| way.field("shipped").and_then(Value::as_bool) == Some(false)) {
            ways.push((field(way, "binding").to_owned(), field(way, "subject").to_owned()));
        }
    }
    ways.sort();
    ways.dedup();
    let mut out = Vec::new();
    let mut rest = ways.as_slice();
    while let Some((binding, _)) = rest.first() {
        let of_it = rest.iter().take_while(|(other, _)| other == binding).count();
        let subjects: Vec<&str> = rest[..of_it].iter().map(|(_, subject)| subject.as_str()).collect();
        if let Some(component) = index.get(BINDING.name, binding) {
            out.extend(without_those(component, |subject| subjects.contains(&id(subject).as_str())));
        }
        rest = &rest[of_it..];
    }
    out.truncate(MOST);
    out
}

/// Takes those subjects out of a binding that a fact lists, by name or id; of them only those named after the fact.
pub(super) fn without(which: &[String], component: &Component) -> Option<Proposal> {
    let (fact, names) = which.split_first()?;
    let listed: Vec<&str> = list(component, fact).iter().filter_map(Value::as_str).collect();
    let is_listed = |subject: &Value| {
        let (name, id) = (field(subject, "name"), id(subject));
        let listed = fact.is_empty() || listed.iter().any(|one| *one == name || *one == id);
        listed && (names.is_empty() || names.iter().any(|one| one == name))
    };
    without_those(component, is_listed)
}

fn id(subject: &Value) -> String {
    let (kind, name, namespace) = (field(subject, "kind"), field(subject, "name"), field(subject, "namespace"));
    if kind == "ServiceAccount" { format!("{kind}/{namespace}/{name}") } else { format!("{kind}/{name}") }
}

/// The binding without some subjects; without any subject left it goes.
fn without_those(binding: &Component, is_out: impl Fn(&Value) -> bool) -> Option<Proposal> {
    let object = object::of(binding)?;
    let subjects = binding.value("subjects").as_list()?;
    // A list of which not all is known cannot be written anew.
    if subjects.iter().any(|subject| text_of_kind(subject).is_none()) {
        return None;
    }
    let left: Vec<Json> = subjects.iter().filter(|subject| !is_out(subject)).map(subject).collect();
    if left.len() == subjects.len() {
        return None;
    }
    let act = if left.is_empty() { Act::Delete } else { Act::Patch(Form::Merge, json!({ "subjects": left })) };
    Some(Proposal { object, act })
}

fn text_of_kind(subject: &Value) -> Option<&str> {
    let known = |name: &str| subject.field(name).and_then(Value::as_str);
    known("name").and(known("namespace")).and(known("kind"))
}

fn subject(subject: &Value) -> Json {
    let (kind, name) = (field(subject, "kind"), field(subject, "name"));
    if kind == "ServiceAccount" {
        json!({ "kind": kind, "name": name, "namespace": field(subject, "namespace") })
    } else {
        json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name })
    }
}
