//! What bounds a right, and whom a bound does not hold for: quotas, volumes that are kept for others, exemptions.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::super::draft::Draft;
use super::super::scope::{Scope, text};

/// Whether a right leads somewhere.
#[derive(Clone, Debug)]
pub(super) enum Takes {
    /// It does.
    Surely,
    /// It may, and why that is not known.
    Perhaps(Arc<str>),
}

impl Takes {
    /// A flow that is there if it does.
    pub(super) fn mark(self, draft: Draft) -> Draft {
        match self {
            Self::Surely => draft,
            Self::Perhaps(reason) => draft.maybe(&reason),
        }
    }
}

/// A workload by its resource: what must be made for pods to come of it when it is created and when it is changed, and
/// the account by which they then come.
const WORKLOADS: [(&str, &[&str], &[&str], &str); 7] = [
    ("deployments.apps", &["deployments.apps", "replicasets.apps"], &["replicasets.apps"], "replicaset-controller"),
    ("replicasets.apps", &["replicasets.apps"], &[], "replicaset-controller"),
    (
        "daemonsets.apps",
        &["daemonsets.apps", "controllerrevisions.apps"],
        &["controllerrevisions.apps"],
        "daemon-set-controller",
    ),
    (
        "statefulsets.apps",
        &["statefulsets.apps", "controllerrevisions.apps"],
        &["controllerrevisions.apps"],
        "statefulset-controller",
    ),
    ("replicationcontrollers", &["replicationcontrollers"], &[], "replication-controller"),
    ("jobs.batch", &["jobs.batch"], &[], "job-controller"),
    ("cronjobs.batch", &["cronjobs.batch", "jobs.batch"], &["jobs.batch"], "job-controller"),
];

fn resources(power: &Value) -> impl Iterator<Item = &str> {
    power.field("resources").and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str)
}

/// Whether a power is held by workloads alone.
pub(super) fn by_workloads(power: &Value) -> bool {
    let mut of = resources(power).filter(|of| *of == "pods" || WORKLOADS.iter().any(|(workload, ..)| workload == of));
    of.next().is_some_and(|first| first != "pods") && of.all(|of| of != "pods")
}

/// Why no pod comes of a power in a namespace just now: a quota stands against each workload by which it is held.
pub(super) fn closed(scope: &Scope<'_>, namespace: usize, power: &Value) -> Option<Arc<str>> {
    if !by_workloads(power) {
        return None;
    }
    let change = text(power, "power") == "change-workloads";
    let closed = scope.value(namespace, "closed_objects").as_list().filter(|list| !list.is_empty())?;
    let is_shut = |object: &&str| closed.iter().any(|shut| shut.is_unknown() || shut.as_str() == Some(object));
    let mut shut = Vec::new();
    for resource in resources(power) {
        let Some((_, create, changed, _)) = WORKLOADS.iter().find(|(of, ..)| *of == resource) else { continue };
        shut.push(*(if change { changed } else { create }).iter().find(|object| is_shut(object))?);
    }
    shut.dedup();
    let why = || format!("a quota of {} lets none be made, or may let none", shut.join(", ")).into();
    (!shut.is_empty()).then(why)
}

/// Whether there is a volume that can be taken from whom it is kept for and gives root on the nodes; none where not.
pub(super) fn taken_volumes(scope: &Scope<'_>, names: &[&str]) -> Option<Takes> {
    let mut reason = scope.unlisted(&k8s::VOLUME);
    for volume in scope.all_of(&k8s::VOLUME).iter().copied() {
        if !names.is_empty() && !names.contains(&&*scope.component(volume).name) {
            continue;
        }
        let kept = match scope.value(volume, "phase") {
            Value::Str(phase) => Ok(["Available", "Released", "Failed"].contains(&&**phase)),
            other => Err(other.reason()),
        };
        match (scope.value(volume, "decisive"), kept) {
            (Value::Bool(false), _) | (_, Ok(false)) => {}
            (Value::Bool(true), Ok(true)) => return Some(Takes::Surely),
            (decisive, kept) => {
                let why = decisive.reason().or_else(|| kept.err().flatten());
                reason = reason.or_else(|| why.cloned());
            }
        }
    }
    reason.map(Takes::Perhaps)
}

/// Whom Pod Security holds to no level, by an API server's configuration.
pub(super) struct Exempt<'a> {
    users: Vec<&'a str>,
    /// Whether controllers make pods in a name of their own each.
    own_names: Result<bool, Arc<str>>,
}

/// The name of controllers that have none of their own.
const MANAGER: &str = "system:kube-controller-manager";

impl<'a> Exempt<'a> {
    pub(super) fn of(scope: &Scope<'a>) -> Self {
        let servers = scope.all_of(&k8s::APISERVER).iter();
        let users = servers.filter_map(|at| scope.value(*at, "pod_security_defaults").field("exempt_users")?.as_list());
        let users = users.flatten().filter_map(Value::as_str).collect();
        let unread = || -> Arc<str> { "in whose name controllers make pods was not read".into() };
        let mut own_names = Err(unread());
        for manager in scope.all_of(&k8s::CONTROLLER_MANAGER) {
            own_names = match scope.value(*manager, "use_service_account_credentials") {
                Value::Bool(own) => Ok(*own),
                other => Err(other.reason().cloned().unwrap_or_else(unread)),
            };
        }
        Self { users, own_names }
    }

    /// Whether somebody starts pods by a power that are held to no level: he makes them himself and is exempt, or the
    /// controller is that makes them for him.
    pub(super) fn takes(&self, who: &Component, power: &Value) -> Option<Takes> {
        if self.users.is_empty() {
            return None;
        }
        let name = who.value("name").as_str()?;
        let user = match who.value("namespace").as_str() {
            Some(namespace) if std::ptr::eq(who.kind, &k8s::SERVICE_ACCOUNT) => {
                format!("system:serviceaccount:{namespace}:{name}")
            }
            _ if who.value("kind").as_str() == Some("User") => name.to_owned(),
            _ => String::new(),
        };
        let all = text(power, "power") == "everything";
        if all && power.field("cluster_wide").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        let is = |user: &str| self.users.contains(&user);
        if !user.is_empty() && is(&user) && (all || text(power, "power") == "create-pods") {
            return Some(Takes::Surely);
        }
        if !all && !["create-workloads", "change-workloads"].contains(&text(power, "power")) {
            return None;
        }
        let of_power = |resource: &str| all || resources(power).any(|of| of == resource);
        let own = WORKLOADS.iter().any(|(resource, .., account)| {
            of_power(resource) && is(&format!("system:serviceaccount:kube-system:{account}"))
        });
        match (&self.own_names, own, is(MANAGER)) {
            (Ok(true), true, _) | (Ok(false), _, true) if text(power, "power") != "change-workloads" => {
                Some(Takes::Surely)
            }
            (Ok(true), true, _) | (Ok(false), _, true) => {
                Some(Takes::Perhaps("whether there is a workload to change was not looked at".into()))
            }
            (Err(why), own, manager) if own || manager => Some(Takes::Perhaps(Arc::clone(why))),
            _ => None,
        }
    }
}
