//! Seccomp in effect, and what the levels of Pod Security have against pods.

use std::collections::HashMap;
use std::sync::Arc;

use super::Pods;
use crate::component::Component;
use crate::derive::{MOST_NAMED, only, open_list};
use crate::fact::Source;
use crate::kubernetes::pod_security::{
    Level, NEWEST, Pod, Violation, level_named, minor_in_force, minor_named, violations,
};
use crate::schema::kubernetes::{CLUSTER, KUBELET, NAMESPACE};
use crate::snapshot::Target;
use crate::value::Value;

/// What kubelets do where nobody sets a profile, by node.
fn defaults(target: &Target) -> HashMap<&str, &Value> {
    let of = |kubelet: &'_ Component| kubelet.value("node").as_str().is_some();
    let kubelets = target.of(&KUBELET).filter(|kubelet| of(kubelet));
    kubelets
        .map(|kubelet| (kubelet.value("node").as_str().unwrap_or_default(), kubelet.value("seccomp_default")))
        .collect()
}

/// Seccomp in effect of every container.
pub(super) fn seccomp(target: &mut Target, pods: &Pods) {
    let by_node = defaults(target);
    let mut facts: Vec<(usize, Value)> = Vec::new();
    for &at in &pods.all {
        let pod = &target.components[at];
        let unset = by_default(pod, &by_node);
        for &i in pods.containers_of(pod) {
            let container = &target.components[i];
            let value = match (container.value("privileged"), container.value("seccomp_set")) {
                (Value::Bool(true), _) => "Unconfined".into(),
                (Value::Unknown(reason), _) => Value::Unknown(Arc::clone(reason)),
                (_, Value::Null) => unset.clone(),
                (_, set) => set.clone(),
            };
            facts.push((i, value));
        }
    }
    for (i, value) in facts {
        target.components[i].set(
            "seccomp",
            value,
            Source::place("securityContext of container and pod, seccompDefault of the kubelet"),
        );
    }
}

/// What the kubelets of a pod's nodes make of containers that set nothing.
fn by_default(pod: &Component, by_node: &HashMap<&str, &Value>) -> Value {
    let unknown = || Value::unknown("neither container nor pod sets one: the kubelet's seccompDefault decides");
    let nodes = pod.value("nodes").as_list().unwrap_or_default();
    let of = |node: &Value| node.as_str().and_then(|node| by_node.get(node)).and_then(|value| value.as_bool());
    let answers: Option<Vec<bool>> = nodes.iter().map(of).collect();
    match answers.as_deref() {
        None | Some([]) => unknown(),
        Some(all) if all.iter().all(|confined| *confined) => "RuntimeDefault".into(),
        // Where one of its nodes leaves it free, one of its containers is.
        Some(_) => "Unconfined".into(),
    }
}

/// By which version pods are judged, or why none can be told.
fn version(target: &Target) -> (Result<Option<u32>, Arc<str>>, String) {
    match only(target, &CLUSTER, "minor") {
        Value::Int(minor) => {
            let minor = u32::try_from(*minor).unwrap_or(0);
            (Ok(Some(minor)), format!("Pod Security v1.{}", minor_in_force(None, Some(minor))))
        }
        Value::Unknown(reason) if target.platform != "files" => (Err(Arc::clone(reason)), "Pod Security".into()),
        _ => (Ok(None), format!("Pod Security v1.{NEWEST}, the newest known, as no version was given")),
    }
}

/// What a namespace's label asks for.
fn enforced(namespace: Option<&Component>, server: Option<u32>) -> Result<Option<(Level, u32)>, Arc<str>> {
    let Some(namespace) = namespace else { return Err("its namespace was not read".into()) };
    let level = match namespace.value("enforce") {
        Value::Unknown(reason) => return Err(Arc::clone(reason)),
        level => level.as_str().and_then(level_named),
    };
    let Some(level) = level else { return Ok(None) };
    match namespace.value("enforce_version") {
        Value::Unknown(reason) => Err(Arc::clone(reason)),
        version => Ok(Some((level, minor_in_force(version.as_str().and_then(minor_named), server)))),
    }
}

/// Pods that the levels refuse, by namespace.
#[derive(Default)]
struct Refused {
    by_level: [Vec<Box<str>>; 2],
    undecided: [Option<Arc<str>>; 2],
}

/// The facts of every pod and namespace.
pub(super) fn derive(target: &mut Target, pods: &Pods) {
    let (server, by) = version(target);
    let namespaces: HashMap<&str, &Component> =
        target.of(&NAMESPACE).filter_map(|n| Some((n.value("name").as_str()?, n))).collect();
    let mut facts: Vec<(usize, [Value; 3])> = Vec::new();
    let mut refused: HashMap<String, Refused> = HashMap::new();
    for &at in &pods.all {
        let pod = &target.components[at];
        let containers: Vec<&Component> = pods.containers_of(pod).iter().map(|&i| &target.components[i]).collect();
        let judged = Pod { pod, containers: &containers };
        let namespace = pod.value("namespace").as_str().unwrap_or_default();
        let of = refused.entry(namespace.to_owned()).or_default();
        let levels = [Level::Baseline, Level::Restricted].map(|level| match &server {
            Ok(server) => Ok(violations(level, minor_in_force(None, *server), &judged)),
            Err(reason) => Err(Arc::clone(reason)),
        });
        for (i, found) in levels.iter().enumerate() {
            count(of, i, &pod.id, found);
        }
        let now = match &server {
            Err(reason) => Err(Arc::clone(reason)),
            Ok(server) => enforced(namespaces.get(namespace).copied(), *server)
                .map(|asked| asked.map_or_else(Vec::new, |(level, minor)| violations(level, minor, &judged))),
        };
        let [baseline, restricted] = levels;
        facts.push((at, [baseline, restricted, now].map(as_value)));
    }
    let minor = match &server {
        Ok(Some(minor)) => Value::Int(i64::from(*minor)),
        Ok(None) => Value::Null,
        Err(reason) => Value::Unknown(Arc::clone(reason)),
    };
    let source = Source::place(by);
    for (i, [baseline, restricted, now]) in facts {
        let pod = &mut target.components[i];
        pod.set("policy_version", minor.clone(), source.clone());
        pod.set("baseline_violations", baseline, source.clone());
        pod.set("restricted_violations", restricted, source.clone());
        pod.set("enforced_violations", now, source.clone());
    }
    of_namespaces(target, &refused, &source);
}

fn as_value(found: Result<Vec<Violation>, Arc<str>>) -> Value {
    found.map_or_else(Value::Unknown, |found| Value::List(found.iter().map(Violation::value).collect()))
}

fn count(of: &mut Refused, level: usize, pod: &str, found: &Result<Vec<Violation>, Arc<str>>) {
    let undecided = match found {
        Err(reason) => Some(reason),
        Ok(found) if found.iter().any(|violation| violation.undecided.is_none()) => {
            of.by_level[level].push(pod.into());
            None
        }
        Ok(found) => found.iter().find_map(|violation| violation.undecided.as_ref()),
    };
    if let Some(reason) = undecided {
        of.undecided[level].get_or_insert_with(|| Arc::clone(reason));
    }
}

/// Which pods each namespace would lose if the level were raised.
fn of_namespaces(target: &mut Target, refused: &HashMap<String, Refused>, source: &Source) {
    let unlisted: Option<Arc<str>> =
        target.incomplete.get(crate::schema::kubernetes::POD.name).map(|reason| reason.as_str().into());
    let nothing = Refused::default();
    for namespace in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &NAMESPACE)) {
        let of = namespace.value("name").as_str().and_then(|name| refused.get(name)).unwrap_or(&nothing);
        for (i, fact) in ["would_refuse_baseline", "would_refuse_restricted"].into_iter().enumerate() {
            let mut named: Vec<Value> = of.by_level[i].iter().map(|pod| Value::Str(pod.clone())).collect();
            named.sort_by_key(Value::to_string);
            let more = named.len().saturating_sub(MOST_NAMED);
            named.truncate(MOST_NAMED);
            let beyond = (more > 0).then(|| format!("{more} more").into());
            let unknown = beyond.or_else(|| unlisted.clone()).or_else(|| of.undecided[i].clone());
            namespace.set(fact, open_list(named, unknown.as_ref()), source.clone());
        }
    }
}
