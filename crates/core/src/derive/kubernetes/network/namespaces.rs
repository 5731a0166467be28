//! Namespaces: what they hold, whether their pods are isolated, and what stands over the pods that are made in them.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::super::open_list;
use super::admission::covers_namespace;
use super::policies::takes_all;
use super::{MOST, Settings, View, positions, truth};
use crate::component::Component;
use crate::kubernetes::reach::Direction;
use crate::kubernetes::reach::policy::Tier;
use crate::kubernetes::selector::{Labels, and, any};
use crate::schema::Kind;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

pub(super) fn facts(view: &View<'_>) -> Settings {
    let services = by_namespace(view, &k8s::SERVICE, |s| &*s.name != "default/kubernetes");
    let policies = by_namespace(view, &k8s::NETWORK_POLICY, |_| true);
    let default = ServerDefault::of(view);
    let mut out = Vec::new();
    let mut own: Vec<Value> = Vec::new();
    for (at, namespace) in positions(view.target, &k8s::NAMESPACE) {
        let name = &*namespace.name;
        let pods = view.pods.get(name).map_or(0, Vec::len);
        out.push((at, "pods", count(view, &k8s::POD, pods)));
        out.push((at, "services", count(view, &k8s::SERVICE, services.get(name).map_or(0, Vec::len))));
        let local = policies.get(name).map_or(&[][..], Vec::as_slice);
        out.push((at, "policies", count(view, &k8s::NETWORK_POLICY, local.len())));
        for (direction, fact) in
            [(Direction::Ingress, "default_deny_ingress"), (Direction::Egress, "default_deny_egress")]
        {
            out.push((at, fact, default_deny(view, name, direction)));
        }
        out.push((at, "pods_without_policy", without_policy(view, name)));
        out.push((at, "guarded_by", guarded_by(view, namespace, &default)));
        if pods > 0 && namespace.value("system").as_bool() == Some(false) && own.len() < MOST {
            own.push(name.into());
        }
    }
    if let Some((at, _)) = positions(view.target, &k8s::CLUSTER).next() {
        let unknown = view.partial(&k8s::NAMESPACE).or_else(|| view.partial(&k8s::POD));
        out.push((at, "own_namespaces", open_list(own, unknown.as_ref())));
    }
    out
}

fn by_namespace<'a>(
    view: &View<'a>,
    kind: &'static Kind,
    counts: impl Fn(&Component) -> bool,
) -> HashMap<&'a str, Vec<usize>> {
    let mut out: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, component) in positions(view.target, kind).filter(|(_, c)| counts(c)) {
        out.entry(component.value("namespace").as_str().unwrap_or_default()).or_default().push(at);
    }
    out
}

fn count(view: &View<'_>, kind: &'static Kind, found: usize) -> Value {
    match view.partial(kind) {
        Some(reason) => Value::Unknown(reason),
        None => Value::Int(i64::try_from(found).unwrap_or(i64::MAX)),
    }
}

/// Whether a policy selects every pod of it and isolates them.
fn default_deny(view: &View<'_>, namespace: &str, direction: Direction) -> Value {
    let mut found = Some(false);
    for policy in view.network.policies() {
        let here = match &policy.namespaces {
            Ok(name) => &**name == namespace,
            Err(_) => policy.tier == Tier::Namespace,
        };
        if !here {
            continue;
        }
        let whole = match (policy.component, policy.understood) {
            (Some(at), true) => and(takes_all(view.component(at)), policy.side(direction).isolates),
            _ => None,
        };
        found = any([found, whole]);
    }
    match (found, view.partial(&k8s::NETWORK_POLICY)) {
        (Some(false), Some(reason)) => Value::Unknown(reason),
        (known, _) => truth(known, "a policy that may be about it is not understood or could not be read"),
    }
}

fn without_policy(view: &View<'_>, namespace: &str) -> Value {
    let mut out: Vec<Value> = Vec::new();
    let mut unknown = view.partial(&k8s::POD).or_else(|| view.partial(&k8s::NETWORK_POLICY));
    for at in view.pods.get(namespace).into_iter().flatten() {
        let pod = view.component(*at);
        if pod.value("host_network").as_bool() == Some(true) {
            continue;
        }
        match view.class(*at).and_then(|class| view.network.selected(class, Direction::Ingress)) {
            Some(true) => {}
            // From files another policy may select it.
            Some(false) if unknown.is_none() && out.len() < MOST => out.push(Value::from(&*pod.id)),
            Some(false) => {}
            None => {
                unknown = unknown.or_else(|| Some("a policy that may select one of its pods is not understood".into()))
            }
        }
    }
    open_list(out, unknown.as_ref())
}

/// What the API servers enforce where a namespace says nothing, and whom they exempt.
struct ServerDefault {
    level: Result<String, Arc<str>>,
    exempt: Vec<String>,
    /// Whether an API server has Pod Security turned off.
    off: bool,
}

impl ServerDefault {
    fn of(view: &View<'_>) -> Self {
        let mut level: Result<String, Arc<str>> = Err("what the API server enforces by default was not read".into());
        let (mut exempt, mut off) = (Vec::new(), false);
        for (i, server) in view.target.of(&k8s::APISERVER).enumerate() {
            let defaults = server.value("pod_security_defaults");
            let this = match defaults.field("enforce").unwrap_or(defaults) {
                Value::Str(level) => Ok(level.to_string()),
                other => Err(other.reason().cloned().unwrap_or_else(|| "it is no text".into())),
            };
            level = match (i, level, this) {
                (0, _, this) => this,
                (_, Ok(a), Ok(b)) if a == b => Ok(a),
                (_, Err(why), _) | (_, _, Err(why)) => Err(why),
                _ => Err("the API servers differ".into()),
            };
            let names = defaults.field("exempt_namespaces").and_then(Value::as_list).unwrap_or_default();
            exempt.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
            if let Some(plugins) = server.value("admission_plugins").as_list() {
                off |= plugins.iter().all(|p| p.as_str().is_some_and(|p| p != "PodSecurity"));
            }
        }
        Self { level, exempt, off }
    }
}

fn guarded_by(view: &View<'_>, namespace: &Component, default: &ServerDefault) -> Value {
    let mut out: Vec<Value> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    let level = match namespace.value("enforce") {
        Value::Str(level) => Ok(level.to_string()),
        Value::Null => default.level.clone(),
        other => Err(other.reason().cloned().unwrap_or_else(|| "its label is no text".into())),
    };
    if !default.off && !default.exempt.iter().any(|name| **name == *namespace.name) {
        match level {
            Ok(level) if level != "privileged" => out.push(format!("pod-security:{level}").into()),
            Ok(_) => {}
            Err(reason) => unknown = Some(reason),
        }
    }
    let labels = Labels::of(namespace.value("labels"));
    for admission in view.target.of(&k8s::ADMISSION) {
        if matches!(admission.value("type").as_str(), Some("KyvernoPolicy" | "GatekeeperTemplate")) {
            // What asks them is the engine's webhook.
            continue;
        }
        let sees = admission.value("sees").as_list();
        let pods = sees.and_then(|l| any(l.iter().map(|s| s.as_str().map(|s| s == "pods"))));
        let validates = admission.value("mutating").as_bool().map(|m| !m);
        let stands = and(admission.value("guards").as_bool(), and(admission.value("enforces").as_bool(), validates));
        match and(and(pods, stands), covers_namespace(admission, &labels)) {
            Some(true) if out.len() < MOST => out.push(engine_or_name(admission)),
            Some(_) => {}
            None => unknown = unknown.or_else(|| Some(format!("{} may be asked about it", admission.name).into())),
        }
    }
    unknown = unknown.or_else(|| view.partial(&k8s::ADMISSION));
    out.dedup();
    open_list(out, unknown.as_ref())
}

fn engine_or_name(admission: &Component) -> Value {
    match admission.value("engine") {
        Value::Str(engine) => Value::Str(engine.clone()),
        _ => Value::from(&*admission.id),
    }
}
