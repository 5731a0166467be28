//! What stands over the pods that are made in a namespace: Pod Security, webhooks and policies.

use std::sync::Arc;

use super::super::super::open_list;
use super::admission::{covers_namespace, is_whole};
use super::{MOST, View};
use crate::component::Component;
use crate::kubernetes::selector::{Labels, and, any};
use crate::schema::kubernetes as k8s;
use crate::value::Value;

/// What the API servers enforce where a namespace says nothing, and whom they exempt.
pub(super) struct ServerDefault {
    level: Result<String, Arc<str>>,
    exempt: Vec<String>,
    /// A runtime class of the cluster whose pods no level holds for: whoever makes a pod chooses its class.
    past: Option<String>,
    /// Whether an API server has Pod Security turned off.
    off: bool,
}

impl ServerDefault {
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut level: Result<String, Arc<str>> = Err("what the API server enforces by default was not read".into());
        let (mut exempt, mut past, mut off) = (Vec::new(), None, false);
        let classes = classes(view);
        for (i, server) in view.of(&k8s::APISERVER).enumerate() {
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
            let names = defaults.field("exempt_runtime_classes").and_then(Value::as_list).unwrap_or_default();
            let mut names = names.iter().filter_map(Value::as_str);
            past = past.or_else(|| {
                names.find(|name| classes.as_ref().is_none_or(|all| all.contains(name))).map(str::to_owned)
            });
            if let Some(plugins) = server.value("admission_plugins").as_list() {
                off |= plugins.iter().all(|p| p.as_str().is_some_and(|p| p != "PodSecurity"));
            }
        }
        // What an API server counts of its own decisions says it where nobody reads its arguments.
        let counted = view.of(&k8s::CLUSTER).next().map(|cluster| cluster.value("pod_security_default"));
        if let (Err(_), Some(Value::Str(counted))) = (&level, counted) {
            level = Ok(counted.to_string());
        }
        Self { level, exempt, past, off }
    }

    /// The level that holds in a namespace; privileged where nothing is enforced there.
    fn level_of(&self, namespace: &Component) -> Result<String, Arc<str>> {
        if self.off || self.exempt.iter().any(|name| **name == *namespace.name) {
            return Ok("privileged".to_owned());
        }
        let level = match namespace.value("enforce") {
            Value::Str(level) => Ok(level.to_string()),
            Value::Null => self.level.clone(),
            other => Err(other.reason().cloned().unwrap_or_else(|| "its label is no text".into())),
        };
        match (&self.past, &level) {
            (Some(class), Ok(level)) if level != "privileged" => {
                Err(format!("the API server holds pods of the runtime class {class} to no level of Pod Security")
                    .into())
            }
            _ => level,
        }
    }
}

/// The names of the cluster's runtime classes; none where they are not all known.
fn classes<'a>(view: &View<'a>) -> Option<Vec<&'a str>> {
    let all = view.of(&k8s::CLUSTER).next()?.value("runtime_classes").as_list()?;
    all.iter().map(|class| class.field("name").and_then(Value::as_str)).collect()
}

/// Which pods can be made in a namespace, as far as that is known.
pub(super) fn takes(view: &View<'_>, namespace: &Component, default: &ServerDefault) -> [(&'static str, Value); 6] {
    let others = match namespace.value("terminating").as_bool() {
        Some(true) => Value::Bool(false),
        _ if no_room(namespace) => Value::Bool(false),
        _ => used_up(namespace).map_or_else(|| no_other(view, Some(namespace)), Value::Unknown),
    };
    let level = default.level_of(namespace);
    let unless = |refused: &[&str]| match &level {
        Ok(level) if refused.contains(&level.as_str()) => Value::Bool(false),
        Ok(_) => others.clone(),
        Err(_) if others == Value::Bool(false) => others.clone(),
        Err(reason) => Value::Unknown(Arc::clone(reason)),
    };
    [
        ("takes_pods", room(namespace)),
        ("takes_root_pods", unless(&["baseline", "restricted"])),
        ("takes_commands", unasked(view, Some(namespace), ("exec", "commands in pods"))),
        ("judged_by_others", Value::Bool(judged(view, namespace))),
        ("takes_root_users", unless(&["restricted"])),
        ("takes_root_pods_unlabelled", others.clone()),
    ]
}

/// Whether something beside Pod Security surely can refuse pods of a namespace.
fn judged(view: &View<'_>, namespace: &Component) -> bool {
    let labels = Labels::of(namespace.value("labels"));
    view.of(&k8s::ADMISSION).any(|a| and(stands(a, "pods"), covers_namespace(a, &labels)) == Some(true))
}

/// Whether pods can be made at all, whatever they are.
fn room(namespace: &Component) -> Value {
    let terminating = namespace.value("terminating");
    if terminating.as_bool() == Some(true) || no_room(namespace) {
        return Value::Bool(false);
    }
    let quotas = namespace.value("quotas");
    let unknown =
        terminating.reason().or_else(|| quotas.reason()).or_else(|| quotas.as_list()?.iter().find_map(Value::reason));
    unknown.cloned().or_else(|| used_up(namespace)).map_or(Value::Bool(true), Value::Unknown)
}

/// The quotas that bound how many pods there are, whatever these are.
fn of_pods(namespace: &Component) -> impl Iterator<Item = &Value> {
    namespace.value("quotas").as_list().unwrap_or_default().iter().filter(|quota| {
        let unscoped = quota.field("scoped").and_then(Value::as_bool) == Some(false);
        unscoped && ["pods", "count/pods"].contains(&text(quota, "resource"))
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.field(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a quota lets no pod be made.
fn no_room(namespace: &Component) -> bool {
    of_pods(namespace).any(|quota| text(quota, "hard") == "0")
}

/// Why no pod may be made just now: a quota is used up, or may be. It is free again as soon as a pod goes.
fn used_up(namespace: &Component) -> Option<Arc<str>> {
    let amount = |quota: &Value, field| text(quota, field).parse::<i64>().ok();
    of_pods(namespace).find_map(|quota| match (amount(quota, "used"), amount(quota, "hard")) {
        (Some(used), Some(hard)) if used < hard => None,
        (Some(_), Some(_)) => {
            Some(format!("its quota {} of pods is used up until one goes", text(quota, "name")).into())
        }
        _ => Some(format!("how much of its quota {} of pods is used is not known", text(quota, "name")).into()),
    })
}

/// True where nothing but Pod Security can refuse a pod, in a namespace or in a new one; unknown where something is asked,
/// since what it refuses nobody knows.
pub(super) fn no_other(view: &View<'_>, namespace: Option<&Component>) -> Value {
    unasked(view, namespace, ("pods", "pods"))
}

/// True where nothing is asked about what somebody does in a namespace, by its name among what admission sees and in words.
fn unasked(view: &View<'_>, namespace: Option<&Component>, (seen, words): (&str, &str)) -> Value {
    // Whoever makes one chooses its labels, but for its name.
    let new = Value::strings(["kubernetes.io/metadata.name=that-is-none-yet"]);
    let labels = Labels::of(namespace.map_or(&new, |namespace| namespace.value("labels")));
    for admission in view.of(&k8s::ADMISSION) {
        let here = covers_namespace(admission, &labels);
        if and(stands(admission, seen), here) != Some(false) {
            return Value::unknown(format!(
                "{} is asked about {words}, and what it refuses is not known",
                admission.name
            ));
        }
    }
    view.partial(&k8s::ADMISSION).map_or(Value::Bool(true), Value::Unknown)
}

/// Whether something can refuse what it sees under a name: pods that are made, commands in them.
fn stands(admission: &Component, seen: &str) -> Option<bool> {
    if matches!(admission.value("type").as_str(), Some("KyvernoPolicy" | "GatekeeperTemplate")) {
        // What asks them is the engine's webhook.
        return Some(false);
    }
    let sees = admission.value("sees").as_list();
    let sees = sees.and_then(|l| any(l.iter().map(|s| s.as_str().map(|s| s == seen))));
    let validates = admission.value("mutating").as_bool().map(|m| !m);
    let stands =
        and(sees, and(admission.value("guards").as_bool(), and(admission.value("enforces").as_bool(), validates)));
    and(stands, and(says_something(admission), for_all(admission)))
}

/// Whether it has something to refuse by: a policy without a validation only notes.
fn says_something(admission: &Component) -> Option<bool> {
    match admission.value("type").as_str()? {
        "ValidatingAdmissionPolicy" => admission.value("validations").as_int().map(|count| count > 0),
        _ => Some(true),
    }
}

/// True where it judges whatever it is shown. Labels are chosen by whoever makes an object, and what conditions and parameters
/// leave out nobody knows here, so that otherwise it may be got around.
fn for_all(admission: &Component) -> Option<bool> {
    let is_empty = |fact: &str| admission.value(fact).as_str().is_some_and(str::is_empty);
    let conditions = admission.value("match_conditions").as_list().is_some_and(<[_]>::is_empty);
    let plain = is_empty("object_selector") && conditions && admission.value("param_kind") == &Value::Null;
    (plain && is_whole(admission)).then_some(true)
}

pub(super) fn guarded_by(view: &View<'_>, namespace: &Component, default: &ServerDefault) -> Value {
    let mut out: Vec<Value> = Vec::new();
    let mut unknown: Option<Arc<str>> = None;
    match default.level_of(namespace) {
        Ok(level) if level != "privileged" => out.push(format!("pod-security:{level}").into()),
        Ok(_) => {}
        Err(reason) => unknown = Some(reason),
    }
    let labels = Labels::of(namespace.value("labels"));
    for admission in view.of(&k8s::ADMISSION) {
        match and(stands(admission, "pods"), covers_namespace(admission, &labels)) {
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
