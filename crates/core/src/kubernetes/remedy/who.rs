//! Bindings without a subject.

use serde_json::{Value as Json, json};

use super::{Act, Form, Index, Proposal, field, list, object, text};
use crate::component::Component;
use crate::kubernetes::rbac::who::account_of;
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
            out.extend(without_those(component, |subject| is_one_of(component, subject, &subjects)));
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
        let name = field(subject, "name");
        let listed = fact.is_empty() || listed.contains(&name) || is_one_of(component, subject, &listed);
        listed && (names.is_empty() || names.iter().any(|one| one == name))
    };
    without_those(component, is_listed)
}

/// Whether ids name a subject of a binding: as it is written, or as the account that it is.
fn is_one_of(binding: &Component, subject: &Value, ids: &[&str]) -> bool {
    let (kind, name, namespace) = (field(subject, "kind"), field(subject, "name"), field(subject, "namespace"));
    let account = match kind {
        "ServiceAccount" if namespace.is_empty() => Some((text(binding, "namespace").unwrap_or_default(), name)),
        "ServiceAccount" => Some((namespace, name)),
        "User" => account_of(name),
        _ => None,
    };
    let account = account.map(|(namespace, name)| format!("ServiceAccount/{namespace}/{name}"));
    ids.iter().any(|id| account.as_deref() == Some(*id) || id.strip_prefix(kind) == Some(&format!("/{name}")))
}

/// The binding without some subjects; without any subject left it goes. By their places, each held against what was read:
/// a list written anew would give back what somebody took out meanwhile.
fn without_those(binding: &Component, is_out: impl Fn(&Value) -> bool) -> Option<Proposal> {
    let object = object::of(binding)?;
    let subjects = binding.value("subjects").as_list()?;
    let out: Vec<usize> = (0..subjects.len()).filter(|i| is_out(&subjects[*i])).collect();
    let act = match out.len() {
        0 => return None,
        all if all == subjects.len() => Act::Delete,
        _ => {
            let operations = out.iter().rev().flat_map(|i| {
                let test = |part: &str| {
                    let is = field(&subjects[*i], part);
                    json!({ "op": "test", "path": format!("/subjects/{i}/{part}"), "value": is })
                };
                [test("kind"), test("name"), json!({ "op": "remove", "path": format!("/subjects/{i}") })]
            });
            Act::Patch(Form::Operations, Json::Array(operations.collect()))
        }
    };
    Some(Proposal { object, act })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_known_by_the_account_that_it_is() {
        let mut binding = Component::new(&BINDING, "RoleBinding/shop/b", "shop/b");
        binding.set("namespace", "shop", crate::fact::Source::place("test"));
        let is = |kind: &str, name: &str, namespace: &str, ids: &[&str]| {
            let of = vec![("kind", kind.into()), ("name", name.into()), ("namespace", namespace.into())];
            is_one_of(&binding, &Value::Object(of), ids)
        };
        let account = ["ServiceAccount/shop/ci"];
        assert!(is("ServiceAccount", "ci", "shop", &account) && is("ServiceAccount", "ci", "", &account));
        assert!(is("User", "system:serviceaccount:shop:ci", "", &account));
        assert!(is("User", "eve", "", &["User/eve"]) && is("Group", "dev", "", &["Group/dev"]));
        assert!(!is("ServiceAccount", "ci", "test", &account) && !is("User", "ci", "", &account));
        assert!(!is("Group", "eve", "", &["User/eve"]));
    }
}
