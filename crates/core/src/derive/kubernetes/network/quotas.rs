//! What the quotas of a namespace leave.

use std::sync::Arc;

use super::super::super::open_list;
use crate::component::Component;
use crate::value::Value;

/// What a quota leaves of what it bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Some.
    Some,
    /// Nothing ever: its bound is 0.
    Nothing,
    /// Nothing until something goes.
    UsedUp,
    /// How much of it is used is not known.
    Unknown,
}

impl Left {
    pub(super) fn of(quota: &Value) -> Self {
        match (amount(text(quota, "used")), amount(text(quota, "hard"))) {
            (_, Some(hard)) if hard <= 0.0 => Self::Nothing,
            (Some(used), Some(hard)) if used < hard => Self::Some,
            (Some(_), Some(_)) => Self::UsedUp,
            _ => Self::Unknown,
        }
    }

    /// Why nothing more may be made of what a quota bounds.
    pub(super) fn reason(self, quota: &Value, what: &str) -> Option<Arc<str>> {
        let name = text(quota, "name");
        match self {
            Self::Some => None,
            Self::Nothing => Some(format!("its quota {name} lets no {what} in").into()),
            Self::UsedUp => Some(format!("its quota {name} of {what} is used up until one goes").into()),
            Self::Unknown => Some(format!("how much of its quota {name} of {what} is used is not known").into()),
        }
    }
}

pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.field(field).and_then(Value::as_str).unwrap_or_default()
}

/// A quantity: 3, 500m, 10Gi, 1e3.
fn amount(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 16] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("", 1.0),
    ];
    UNITS.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        number.is_finite().then_some(number * factor)
    })
}

/// The quotas, for whatever object, that bound some of these resources.
pub(super) fn quotas_of<'a>(
    namespace: &'a Component,
    bounds: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = &'a Value> {
    namespace.value("quotas").as_list().unwrap_or_default().iter().filter(move |quota| {
        quota.field("scoped").and_then(Value::as_bool) == Some(false) && bounds(text(quota, "resource"))
    })
}

/// The quotas that bound how many pods there are, whatever these are.
fn of_pods(namespace: &Component) -> impl Iterator<Item = &Value> {
    quotas_of(namespace, |resource| ["pods", "count/pods"].contains(&resource))
}

/// Whether a quota lets no pod be made.
fn no_room(namespace: &Component) -> bool {
    of_pods(namespace).any(|quota| Left::of(quota) == Left::Nothing)
}

/// Why no pod may be made just now: a quota is used up, or may be. It is free again as soon as a pod goes.
fn used_up(namespace: &Component) -> Option<Arc<str>> {
    of_pods(namespace).find_map(|quota| Left::of(quota).reason(quota, "pods"))
}

/// Whether pods can be made at all, whatever they are.
pub(super) fn room(namespace: &Component) -> Value {
    if namespace.value("terminating").as_bool() == Some(true) || no_room(namespace) {
        return Value::Bool(false);
    }
    let unknown = unread(namespace, &["terminating", "quotas"]).or_else(|| between(namespace));
    unknown.or_else(|| used_up(namespace)).map_or(Value::Bool(true), Value::Unknown)
}

/// Why no pod may be made that some quotas are not for: whoever makes one chooses a side, where one is left open.
fn between(namespace: &Component) -> Option<Arc<str>> {
    let shut = namespace.value("quotas").as_list().unwrap_or_default().iter().filter(|quota| {
        let scoped = quota.field("scoped").and_then(Value::as_bool) == Some(true);
        scoped && ["pods", "count/pods"].contains(&text(quota, "resource")) && Left::of(quota) != Left::Some
    });
    (shut.count() > 1).then(|| "several of its quotas let none of some pods in, and may leave none".into())
}

/// Why a fact of a namespace, or an entry of one, is unknown.
fn unread(namespace: &Component, facts: &[&str]) -> Option<Arc<str>> {
    facts.iter().find_map(|fact| {
        let value = namespace.value(fact);
        value.reason().or_else(|| value.as_list()?.iter().find_map(Value::reason)).cloned()
    })
}

/// What workloads are, and what is made for pods to come of them, as quotas call it.
const OBJECTS: [&str; 8] = [
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "controllerrevisions.apps",
    "replicationcontrollers",
    "jobs.batch",
    "cronjobs.batch",
];

/// Those of them of which a quota lets none be made just now, or may let none.
pub(super) fn closed_objects(namespace: &Component) -> Value {
    let (mut found, mut unknown) = (Vec::new(), unread(namespace, &["quotas"]));
    for object in OBJECTS {
        let of = |resource: &str| {
            resource.strip_prefix("count/") == Some(object) || object == "replicationcontrollers" && resource == object
        };
        match quotas_of(namespace, of).map(Left::of).find(|left| *left != Left::Some) {
            None => {}
            Some(Left::Unknown) => {
                unknown =
                    unknown.or_else(|| Some(format!("how much of a quota of {object} is used is not known").into()));
            }
            Some(_) => found.push(Value::from(object)),
        }
    }
    open_list(found, unknown.as_ref())
}

/// Whether claims can be made in a namespace as far as it goes: it stays, and its quotas and limits leave room for them.
pub(super) fn room_for_claims(namespace: &Component) -> Value {
    const ALL: [&str; 3] = ["persistentvolumeclaims", "count/persistentvolumeclaims", "requests.storage"];
    let every = |resource: &str| ALL.contains(&resource);
    let some = |resource: &str| every(resource) || resource.contains(".storageclass.storage.k8s.io/");
    let nothing = quotas_of(namespace, every).any(|quota| Left::of(quota) == Left::Nothing);
    if namespace.value("terminating").as_bool() == Some(true) || nothing {
        return Value::Bool(false);
    }
    let limits = namespace.value("limit_ranges").as_list().unwrap_or_default();
    if limits.iter().any(|limit| text(limit, "type") == "PersistentVolumeClaim") {
        return Value::unknown("a LimitRange bounds its claims, and how small one may be is not known");
    }
    let full = quotas_of(namespace, some).find_map(|quota| Left::of(quota).reason(quota, "claims"));
    let unknown = full.or_else(|| unread(namespace, &["terminating", "quotas", "limit_ranges"]));
    unknown.map_or(Value::Bool(true), Value::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        let read = |text| amount(text).map(|amount| amount.to_string());
        for (text, amount) in
            [("0", "0"), ("3", "3"), ("500m", "0.5"), ("1Ki", "1024"), ("1e3", "1000"), ("2k", "2000")]
        {
            assert_eq!(read(text).as_deref(), Some(amount), "{text}");
        }
        for text in ["", "many", "Gi", "inf", "NaN"] {
            assert_eq!(amount(text), None, "{text}");
        }
    }
}
