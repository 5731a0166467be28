//! What admits: which requests it is shown, of which namespaces, and whether it guards security.

use std::sync::Arc;

use super::super::super::open_list;
use super::ingresses::has_port;
use super::services::selector as selector_of_service;
use super::{MOST, Settings, View, truth};
use crate::component::Component;
use crate::kubernetes::selector::{Labels, Selector, all, and, any, not};
use crate::schema::kubernetes as k8s;
use crate::value::Value;

/// What matters for security: what it is called, its group, its resource, the operation, whether it lies in namespaces.
const SEEN: [(&str, &str, &str, &str, bool); 14] = [
    ("pods", "", "pods", "CREATE", true),
    ("workloads", "apps", "deployments", "CREATE", true),
    ("workloads", "apps", "daemonsets", "CREATE", true),
    ("workloads", "apps", "statefulsets", "CREATE", true),
    ("workloads", "batch", "jobs", "CREATE", true),
    ("exec", "", "pods/exec", "CONNECT", true),
    ("service-accounts", "", "serviceaccounts", "CREATE", true),
    ("rbac", "rbac.authorization.k8s.io", "clusterrolebindings", "CREATE", false),
    ("rbac", "rbac.authorization.k8s.io", "rolebindings", "CREATE", true),
    ("rbac", "rbac.authorization.k8s.io", "clusterroles", "CREATE", false),
    ("secrets", "", "secrets", "CREATE", true),
    ("namespaces", "", "namespaces", "UPDATE", false),
    ("namespaces", "", "namespaces", "CREATE", false),
    ("network-policies", "networking.k8s.io", "networkpolicies", "CREATE", true),
];

/// Those of them whose refusal is a defence.
const GUARDED: [&str; 7] = ["pods", "workloads", "exec", "service-accounts", "rbac", "secrets", "namespaces"];

pub(super) fn facts(view: &View<'_>) -> Settings {
    let mut out = Vec::new();
    for (at, admission) in view.positions(&k8s::ADMISSION) {
        let sees = sees(admission);
        out.push((at, "guards", guards(admission, &sees)));
        out.push((at, "exempt_namespaces", exempt(view, admission)));
        out.push((at, "dangling", dangling(view, admission)));
        out.push((at, "self_guarding", self_guarding(view, admission, &sees)));
        out.push((at, "sees", sees));
    }
    out
}

fn sees(admission: &Component) -> Value {
    let rules = match admission.value("rules") {
        Value::List(rules) => rules,
        other => return Value::Unknown(other.reason().cloned().unwrap_or_else(|| "its rules are not a list".into())),
    };
    let none: &[Value] = &[];
    let excludes = admission.value("excludes").as_list().unwrap_or(none);
    let mut names: Vec<&str> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    for (name, group, resource, operation, namespaced) in SEEN {
        let covers = |list: &[Value]| any(list.iter().map(|r| covers(r, group, resource, operation, namespaced)));
        match and(covers(rules), not(covers(excludes))) {
            Some(true) if !names.contains(&name) => names.push(name),
            Some(_) => {}
            None => unknown = unknown.or_else(|| Some("one of its rules could not be read".into())),
        }
    }
    open_list(names.into_iter().map(Value::from).collect(), unknown.as_ref())
}

/// Whether it is shown a request in a namespace.
pub(super) fn shows(admission: &Component, group: &str, resource: &str, operation: &str) -> Option<bool> {
    let covers = |list: &[Value]| any(list.iter().map(|rule| covers(rule, group, resource, operation, true)));
    let excludes = admission.value("excludes").as_list().unwrap_or_default();
    and(covers(admission.value("rules").as_list()?), not(covers(excludes)))
}

/// Whether a rule covers a request; one for objects of certain names covers none of the others.
fn covers(rule: &Value, group: &str, resource: &str, operation: &str, namespaced: bool) -> Option<bool> {
    let has = |field: &str, wanted: &dyn Fn(&str) -> bool| {
        let list = rule.field(field)?.as_list()?;
        any(list.iter().map(|item| item.as_str().map(wanted)))
    };
    let (base, sub) = resource.split_once('/').map_or((resource, None), |(base, sub)| (base, Some(sub)));
    let matches = |pattern: &str| match pattern.split_once('/') {
        None => sub.is_none() && (pattern == "*" || pattern == base),
        Some((p, s)) => match sub {
            Some(sub) => (p == "*" || p == base) && (s == "*" || s == sub),
            // All resources with their subresources.
            None => p == "*" && s == "*",
        },
    };
    let scope = rule.field("scope").and_then(Value::as_str).map(|scope| match scope {
        "Namespaced" => namespaced,
        "Cluster" => !namespaced,
        _ => true,
    });
    let everything = rule.field("names").and_then(Value::as_list).map(<[Value]>::is_empty);
    all([
        has("groups", &|g| g == "*" || g == group),
        has("resources", &matches),
        has("operations", &|o| o == "*" || o == operation),
        scope,
        everything,
    ])
}

fn guards(admission: &Component, sees: &Value) -> Value {
    if matches!(admission.value("type").as_str(), Some("KyvernoPolicy" | "GatekeeperTemplate")) {
        return true.into();
    }
    let list = sees.as_list();
    let security = |l: &[Value]| any(l.iter().map(|s| s.as_str().map(|s| GUARDED.contains(&s))));
    let sees = list.and_then(security);
    let by_engine = match admission.value("engine") {
        Value::Unknown(_) => None,
        engine => Some(*engine != Value::Null),
    };
    // What changes objects guards nothing, unless it is an engine's.
    let validates = not(admission.value("mutating").as_bool());
    let refuses = and(validates, admission.value("enforces").as_bool());
    let guards = and(sees, any([by_engine, refuses]));
    truth(guards, "what it is shown, or whether it is in force, could not be read")
}

/// Whether a namespace's requests are shown to it.
pub(super) fn covers_namespace(admission: &Component, labels: &Labels) -> Option<bool> {
    let matches = |text: &Value| text.as_str().and_then(Selector::parse).and_then(|s| s.matches(labels));
    let own = matches(admission.value("namespace_selector"));
    match admission.value("type").as_str() {
        Some("ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy") => {
            let bindings = admission.value("bindings").as_list()?;
            let enforced: Vec<&Value> = bindings.iter().filter(|b| denies(admission, b) != Some(false)).collect();
            // Where none of them refuses anything, it is about those that only tell.
            let all: Vec<&Value> = if enforced.is_empty() { bindings.iter().collect() } else { enforced };
            let bound = all.iter().map(|b| b.field("namespace_selector").and_then(matches));
            and(own, any(bound))
        }
        _ => own,
    }
}

/// Whether a binding refuses what its policy is against; one of a policy that changes objects has no choice.
fn denies(admission: &Component, binding: &Value) -> Option<bool> {
    if admission.value("type").as_str() == Some("MutatingAdmissionPolicy") {
        return Some(true);
    }
    let actions = binding.field("actions")?.as_list()?;
    any(actions.iter().map(|action| action.as_str().map(|action| action.eq_ignore_ascii_case("Deny"))))
}

/// Whether each binding that refuses is about every object of its namespaces.
pub(super) fn is_whole(admission: &Component) -> bool {
    let whole = |binding: &Value| {
        let objects = binding.field("object_selector").and_then(Value::as_str).is_some_and(str::is_empty);
        objects && binding.field("narrowed").and_then(Value::as_bool) == Some(false)
    };
    let bindings = admission.value("bindings").as_list().unwrap_or_default();
    bindings.iter().filter(|binding| denies(admission, binding) != Some(false)).all(whole)
}

fn exempt(view: &View<'_>, admission: &Component) -> Value {
    let mut out: Vec<Value> = Vec::new();
    let mut unknown = view.partial(&k8s::NAMESPACE);
    for namespace in view.of(&k8s::NAMESPACE) {
        match covers_namespace(admission, &Labels::of(namespace.value("labels"))) {
            Some(true) => {}
            Some(false) if out.len() < MOST => out.push(Value::from(&*namespace.name)),
            Some(false) => {}
            None => {
                unknown = unknown.or_else(|| Some("its selector, or labels of a namespace, could not be read".into()))
            }
        }
    }
    open_list(out, unknown.as_ref())
}

fn dangling(view: &View<'_>, admission: &Component) -> Value {
    let name = match admission.value("service") {
        Value::Null => return false.into(),
        Value::Str(name) => name,
        other => return Value::Unknown(other.reason().cloned().unwrap_or_else(|| "its service is no text".into())),
    };
    match (view.services.get(&**name), view.partial(&k8s::SERVICE)) {
        (None, Some(reason)) => Value::Unknown(reason),
        (None, None) => true.into(),
        (Some(service), _) => {
            let port = admission.value("service_port").as_int().map(|p| p.to_string());
            let has = port.and_then(|p| has_port(service, &p));
            truth(not(has), "its port, or those of the service, could not be read")
        }
    }
}

/// Whether it fails closed over the pods that serve it.
fn self_guarding(view: &View<'_>, admission: &Component, sees: &Value) -> Value {
    const UNREAD: &str = "what it is shown, or where it runs, is not known";
    let closed = admission.value("failure_policy").as_str().map(|p| p == "Fail");
    let pods = sees.as_list().and_then(|l| any(l.iter().map(|s| s.as_str().map(|s| s == "pods"))));
    let Some(name) = admission.value("service").as_str() else {
        let served = match admission.value("service") {
            Value::Null => Some(false),
            _ => None,
        };
        return truth(served, UNREAD);
    };
    let namespace = name.split('/').next().unwrap_or_default();
    let space = view.of(&k8s::NAMESPACE).find(|n| &*n.name == namespace);
    let shown = space.and_then(|n| covers_namespace(admission, &Labels::of(n.value("labels"))));
    let unconditional = admission.value("match_conditions").as_list().map(<[Value]>::is_empty);
    // Conditions may leave them out.
    let unconditional = if unconditional == Some(false) { None } else { unconditional };
    let known = all([closed, pods, shown, chooses_own(view, admission, name), unconditional]);
    truth(known, UNREAD)
}

/// Whether its selector of objects takes a pod behind its service.
fn chooses_own(view: &View<'_>, admission: &Component, service: &str) -> Option<bool> {
    let objects = admission.value("object_selector").as_str().and_then(Selector::parse)?;
    if objects.is_empty() {
        return Some(true);
    }
    let service = view.services.get(service)?;
    let pods = selector_of_service(service).ok().flatten()?;
    let namespace = service.value("namespace").as_str()?;
    let (behind, _) = view.selected(namespace, &pods);
    if behind.is_empty() {
        return None;
    }
    any(behind.iter().map(|at| objects.matches(&Labels::of(view.component(*at).value("labels")))))
}
