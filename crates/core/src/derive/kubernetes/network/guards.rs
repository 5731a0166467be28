//! What stands over the pods that are made in a namespace: Pod Security, webhooks and policies.

use std::sync::Arc;

use super::super::super::open_list;
use super::admission::{covers_namespace, is_whole, shows};
use super::quotas::{room, room_for_claims};
use super::{MOST, View};
use crate::component::Component;
use crate::kubernetes::pod_security::{minor_in_force, minor_named};
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
pub(super) fn takes(view: &View<'_>, namespace: &Component, default: &ServerDefault) -> [(&'static str, Value); 10] {
    let others = match room(namespace) {
        Value::Bool(true) => no_other(view, Some(namespace)),
        other => other,
    };
    let level = default.level_of(namespace);
    let unless = |refused: &[&str], others: &Value| match &level {
        Ok(level) if refused.contains(&level.as_str()) => Value::Bool(false),
        Ok(_) => others.clone(),
        Err(_) if *others == Value::Bool(false) => others.clone(),
        Err(reason) => Value::Unknown(Arc::clone(reason)),
    };
    // No quota counts containers, and a namespace that goes away still has pods.
    let added = unasked(view, Some(namespace), Asked::ADDED, "containers that are added");
    let changes = match unasked(view, Some(namespace), Asked::CHANGED, "changes of pods") {
        Value::Bool(true) => added.clone(),
        other => other,
    };
    let claims = match room_for_claims(namespace) {
        Value::Bool(true) => unasked(view, Some(namespace), Asked::CLAIMS, "claims"),
        other => other,
    };
    [
        ("takes_pods", room(namespace)),
        ("takes_root_pods", unless(&["baseline", "restricted"], &others)),
        ("takes_root_containers", unless(&["baseline", "restricted"], &added)),
        ("takes_claims", claims),
        ("takes_changes", changes),
        ("takes_input", unasked(view, Some(namespace), Asked::ATTACHED, "input of pods")),
        ("takes_commands", unasked(view, Some(namespace), Asked::Seen("exec"), "commands in pods")),
        ("judged_by_others", Value::Bool(judged(view, namespace))),
        (
            "takes_root_users",
            match unless(&["restricted"], &others) {
                Value::Bool(false) if others != Value::Bool(false) && root_by_own_users(view, namespace) => {
                    Value::unknown(OWN_USERS)
                }
                other => other,
            },
        ),
        ("takes_root_pods_unlabelled", others.clone()),
    ]
}

/// Why root may be let in at the level restricted.
const OWN_USERS: &str = "a pod with users of its own may be root at this level from 1.35 on, and what volumes let such a root write the runtime decides";

/// Whether the level restricted, in the version in which it holds in a namespace, lets a pod with users of its own be root.
fn root_by_own_users(view: &View<'_>, namespace: &Component) -> bool {
    const SINCE: u32 = 35;
    let server = view.of(&k8s::CLUSTER).next().and_then(|cluster| cluster.value("minor").as_int());
    let server = server.and_then(|minor| u32::try_from(minor).ok());
    let version = namespace.value("enforce_version").as_str().and_then(minor_named);
    minor_in_force(version, server) >= SINCE
}

/// Whether something beside Pod Security surely can refuse pods of a namespace.
fn judged(view: &View<'_>, namespace: &Component) -> bool {
    let labels = Labels::of(namespace.value("labels"));
    view.of(&k8s::ADMISSION).any(|a| and(stands(a, Asked::Seen("pods")), covers_namespace(a, &labels)) == Some(true))
}

/// True where nothing but Pod Security can refuse a pod, in a namespace or in a new one; unknown where something is asked,
/// since what it refuses nobody knows.
pub(super) fn no_other(view: &View<'_>, namespace: Option<&Component>) -> Value {
    unasked(view, namespace, Asked::Seen("pods"), "pods")
}

/// About what something may be asked.
#[derive(Clone, Copy)]
enum Asked {
    /// What matters for security, by its name among what admission sees.
    Seen(&'static str),
    /// Any other request in a namespace: resource of the core and operation.
    Request(&'static str, &'static str),
}

impl Asked {
    const ADDED: Self = Self::Request("pods/ephemeralcontainers", "UPDATE");
    const CHANGED: Self = Self::Request("pods", "UPDATE");
    const ATTACHED: Self = Self::Request("pods/attach", "CONNECT");
    const CLAIMS: Self = Self::Request("persistentvolumeclaims", "CREATE");
}

/// True where nothing is asked about what somebody does in a namespace; in words for what he does.
fn unasked(view: &View<'_>, namespace: Option<&Component>, about: Asked, words: &str) -> Value {
    // Whoever makes one chooses its labels, but for its name.
    let new = Value::strings(["kubernetes.io/metadata.name=that-is-none-yet"]);
    let labels = Labels::of(namespace.map_or(&new, |namespace| namespace.value("labels")));
    for admission in view.of(&k8s::ADMISSION) {
        let here = covers_namespace(admission, &labels);
        if and(stands(admission, about), here) != Some(false) {
            return Value::unknown(format!(
                "{} is asked about {words}, and what it refuses is not known",
                admission.name
            ));
        }
    }
    view.partial(&k8s::ADMISSION).map_or(Value::Bool(true), Value::Unknown)
}

/// Whether something can refuse what it sees under a name: pods that are made, commands in them.
fn stands(admission: &Component, about: Asked) -> Option<bool> {
    if matches!(admission.value("type").as_str(), Some("KyvernoPolicy" | "GatekeeperTemplate")) {
        // What asks them is the engine's webhook.
        return Some(false);
    }
    let sees = match about {
        Asked::Seen(seen) => {
            let sees = admission.value("sees").as_list();
            let sees = sees.and_then(|l| any(l.iter().map(|s| s.as_str().map(|s| s == seen))));
            and(sees, admission.value("guards").as_bool())
        }
        Asked::Request(resource, operation) => shows(admission, "", resource, operation),
    };
    let validates = admission.value("mutating").as_bool().map(|m| !m);
    let stands = and(sees, and(admission.value("enforces").as_bool(), validates));
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
        match and(stands(admission, Asked::Seen("pods")), covers_namespace(admission, &labels)) {
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
