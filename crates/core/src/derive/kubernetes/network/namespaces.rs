//! Namespaces: what they hold, whether their pods are isolated, and what stands over the pods that are made in them.

use std::collections::HashMap;

use super::super::super::open_list;
use super::claims::{Claims, decisive};
use super::guards::{ServerDefault, guarded_by, no_other, takes};
use super::policies::takes_all;
use super::quotas::closed_objects;
use super::{MOST, Settings, View, truth};
use crate::component::Component;
use crate::kubernetes::reach::Direction;
use crate::kubernetes::reach::policy::Tier;
use crate::kubernetes::selector::{and, any};
use crate::schema::Kind;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

pub(super) fn facts(view: &View<'_>) -> Settings {
    let services = by_namespace(view, &k8s::SERVICE, |s| &*s.name != "default/kubernetes");
    let policies = by_namespace(view, &k8s::NETWORK_POLICY, |_| true);
    let default = ServerDefault::of(view);
    let claims = Claims::of(view);
    let mut out = Vec::new();
    let mut own: Vec<Value> = Vec::new();
    for (at, namespace) in view.positions(&k8s::NAMESPACE) {
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
        out.push((at, "decisive_claims", claims.of_namespace(name)));
        out.push((at, "free_volumes", claims.free_in(name)));
        out.push((at, "closed_objects", closed_objects(namespace)));
        out.extend(takes(view, namespace, &default).map(|(fact, value)| (at, fact, value)));
        if pods > 0 && namespace.value("system").as_bool() == Some(false) && own.len() < MOST {
            own.push(name.into());
        }
    }
    out.extend(view.positions(&k8s::VOLUME).map(|(at, volume)| (at, "decisive", decisive(volume))));
    if let Some((at, _)) = view.positions(&k8s::CLUSTER).next() {
        let unknown = view.partial(&k8s::NAMESPACE).or_else(|| view.partial(&k8s::POD));
        out.push((at, "own_namespaces", open_list(own, unknown.as_ref())));
        out.push((at, "new_namespaces_open", no_other(view, None)));
        out.extend(servers(view).into_iter().map(|(fact, value)| (at, fact, value)));
    }
    out
}

/// What the arguments of the API servers say of whom they let in.
fn servers(view: &View<'_>) -> Vec<(&'static str, Value)> {
    let servers: Vec<&Component> = view.of(&k8s::APISERVER).collect();
    let authorizers = |server: &&Component| {
        server
            .value("authorizers")
            .as_list()
            .and_then(|all| any(all.iter().map(|a| a.as_str().map(|a| a == "AlwaysAllow"))))
    };
    let anonymous = |server: &&Component| {
        let everywhere = match server.value("anonymous_paths") {
            Value::Null => Some(true),
            Value::List(_) => Some(false),
            _ => None,
        };
        and(server.value("anonymous_auth").as_bool(), everywhere)
    };
    let unread = "an argument of an API server that decides could not be read";
    let seen = servers.iter().any(|server| authorizers(server) == Some(true));
    let cluster = view.of(&k8s::CLUSTER).next();
    let mut out =
        vec![("allows_everything", Value::Bool(seen)), ("signs_no_clients", signs_none(view, cluster).into())];
    out.push(("approves_no_nodes", approves_none(view).into()));
    if !servers.is_empty() && cluster.is_some_and(|cluster| cluster.value("anonymous_requests").is_unknown()) {
        out.push(("anonymous_requests", truth(any(servers.iter().map(anonymous)), unread)));
    }
    out
}

/// Whether nobody signs certificates of clients for certain: EKS takes none, or every controller manager is without the key.
fn signs_none(view: &View<'_>, cluster: Option<&Component>) -> bool {
    let told = |fact| cluster.and_then(|cluster| cluster.value(fact).as_str());
    let eks = told("distribution") == Some("eks") || told("version").is_some_and(|version| version.contains("-eks-"));
    let mut managers = view.of(&k8s::CONTROLLER_MANAGER).peekable();
    let seen = managers.peek().is_some() && view.partial(&k8s::CONTROLLER_MANAGER).is_none();
    eks || seen && managers.all(|manager| manager.value("signs_clients").as_bool() == Some(false))
}

/// Whether no controller manager approves what those ask for who join as nodes.
fn approves_none(view: &View<'_>) -> bool {
    const APPROVING: [&str; 2] = ["csrapproving", "certificatesigningrequest-approving-controller"];
    let is_off = |manager: &Component| {
        let Some(asked) = manager.value("controllers").as_list() else { return false };
        let asked: Option<Vec<&str>> = asked.iter().map(Value::as_str).collect();
        let Some(asked) = asked else { return false };
        // The first word about it counts, and where there is none the star.
        let word = asked.iter().find(|word| APPROVING.contains(&word.strip_prefix('-').unwrap_or(word)));
        word.map_or_else(|| !asked.contains(&"*"), |word| word.starts_with('-'))
    };
    let mut managers = view.of(&k8s::CONTROLLER_MANAGER).peekable();
    let seen = managers.peek().is_some() && view.partial(&k8s::CONTROLLER_MANAGER).is_none();
    seen && managers.all(is_off)
}

fn by_namespace<'a>(
    view: &View<'a>,
    kind: &'static Kind,
    counts: impl Fn(&Component) -> bool,
) -> HashMap<&'a str, Vec<usize>> {
    let mut out: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, component) in view.positions(kind).filter(|(_, c)| counts(c)) {
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
