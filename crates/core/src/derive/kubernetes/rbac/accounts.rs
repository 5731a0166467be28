//! Service accounts, users and groups: what they can do, who runs as them, who can.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::describe::{Described, named};
use super::{Judge, SERVICE_ACCOUNT, SUBJECT, Settings, Who, describe, open_list, positions};
use crate::component::Component;
use crate::kubernetes::rbac::Powers;
use crate::kubernetes::rbac::gains::gains;
use crate::kubernetes::rbac::grants::{Grants, unlisted};
use crate::kubernetes::rbac::powers::subject_of;
use crate::predicate::Truth;
use crate::schema::kubernetes::{NAMESPACE, POD};
use crate::snapshot::Target;
use crate::value::Value;

/// Powers by which somebody chooses as what a pod runs.
const STARTS: [&str; 3] = ["create-pods", "create-workloads", "change-workloads"];

pub(super) fn subjects(target: &Target, describe: &Described<'_, '_>, judge: &Judge<'_, '_>, settings: &mut Settings) {
    let mut starters = Starters::default();
    let namespaces: Vec<&str> = target.of(&NAMESPACE).map(|namespace| &*namespace.name).collect();
    let all = positions(target, &SERVICE_ACCOUNT).chain(positions(target, &SUBJECT));
    for (at, component) in all {
        let text = |fact| component.value(fact).as_str().unwrap_or_default();
        let account = std::ptr::eq(component.kind, &SERVICE_ACCOUNT);
        let who = match text("kind") {
            _ if account => Who::account(text("namespace"), text("name")),
            "Group" => Who::group(text("name")),
            _ => Who::user(text("name")),
        };
        subject(at, &component.id, &who, (describe, judge, &namespaces), (&mut starters, settings));
    }
    let pods = Pods::of(target);
    for (at, component) in positions(target, &SERVICE_ACCOUNT) {
        let key = (component.value("namespace").as_str(), component.value("name").as_str());
        let (used, mounted) = pods.of_account(key);
        settings.push((at, "used_by", used));
        settings.push((at, "mounted_by", mounted));
        settings.push((at, "usable_by", starters.of(&component.id, key.0.unwrap_or_default())));
    }
}

fn subject(
    at: usize,
    id: &str,
    who: &Who,
    (describe, judge, namespaces): (&Described<'_, '_>, &Judge<'_, '_>, &[&str]),
    (starters, settings): (&mut Starters, &mut Settings),
) {
    let grants = describe.grants;
    let powers = judge.powers_of(who);
    let ids = |at: usize| vec![subject_of(grants, who, id, at)];
    settings.push((at, "powers", describe.powers(&powers, &ids)));
    settings.push((at, "power_names", describe::names(&powers, |_| true)));
    let whole = |held: &crate::kubernetes::rbac::Held| held.namespace.is_none() && held.names.is_empty();
    settings.push((at, "cluster_powers", describe::names(&powers, whole)));
    settings.push((at, "granted_powers", describe.granted(&powers)));
    let gains = gains(judge, who, &powers.held, namespaces);
    settings.push((at, "gains", Described::gains(&gains, powers.maybe.as_ref())));
    settings.push((at, "groups", groups(grants, who, id)));
    settings.push((at, "bindings", bindings(grants, who, id)));
    starters.take(id, &powers, describe);
}

/// The groups that somebody is in and that a binding names.
fn groups(grants: &Grants<'_>, who: &Who, own: &str) -> Value {
    let groups = who.groups.iter().filter(|group| grants.names_group(group)).map(|group| format!("Group/{group}"));
    let groups: Vec<Value> = groups.filter(|group| group != own).map(Value::from).collect();
    let unknown = grants.open().first().and_then(|at| grants.bindings[*at].more.cloned());
    open_list(groups, grants.unlisted.as_ref().or(unknown.as_ref()))
}

/// The bindings that name somebody itself.
fn bindings(grants: &Grants<'_>, who: &Who, own: &str) -> Value {
    let all = match own.strip_prefix("Group/") {
        Some(group) => grants.bindings_of_group(group),
        None => who.user.as_ref().map_or(&[][..], |user| grants.bindings_of_user(user)),
    };
    let ids: Vec<String> = all.iter().map(|at| grants.bindings[*at].component.id.to_string()).collect();
    let unknown = grants.open().first().and_then(|at| grants.bindings[*at].more.cloned());
    open_list(named(ids), grants.unlisted.as_ref().or(unknown.as_ref()))
}

/// Who can start pods, and where, since somebody let them.
#[derive(Default)]
struct Starters {
    everywhere: Vec<String>,
    in_namespace: HashMap<String, Vec<String>>,
    unknown: Option<Arc<str>>,
}

impl Starters {
    fn take(&mut self, id: &str, powers: &Powers, describe: &Described<'_, '_>) {
        if self.unknown.is_none() {
            self.unknown.clone_from(&powers.maybe);
        }
        // Whoever can do everything needs no service account for it.
        if powers.held.first().is_some_and(|held| held.name() == "everything" && held.namespace.is_none()) {
            return;
        }
        let mut places: HashSet<Option<&str>> = HashSet::new();
        for held in powers.held.iter().filter(|held| STARTS.contains(&held.name())) {
            if held.through.iter().all(|at| describe.shipped[*at] == Truth::True) {
                continue;
            }
            if places.insert(held.namespace.as_deref()) {
                match &held.namespace {
                    Some(namespace) => self.in_namespace.entry(namespace.clone()).or_default().push(id.to_owned()),
                    None => self.everywhere.push(id.to_owned()),
                }
            }
        }
    }

    fn of(&self, account: &str, namespace: &str) -> Value {
        let here = self.in_namespace.get(namespace).map_or(&[][..], Vec::as_slice);
        let mut all: Vec<&String> = Vec::new();
        for id in self.everywhere.iter().chain(here).filter(|id| *id != account) {
            if all.len() > super::MOST_NAMED {
                break;
            }
            if !all.contains(&id) {
                all.push(id);
            }
        }
        let more = (all.len() > super::MOST_NAMED).then(|| Value::from("and more"));
        let all = all.into_iter().take(super::MOST_NAMED).map(|id| Value::from(id.as_str()));
        open_list(all.chain(more).collect(), self.unknown.as_ref())
    }
}

/// The pods of a target by their service account.
struct Pods<'a> {
    by_account: HashMap<(&'a str, &'a str), Vec<&'a Component>>,
    unknown: Option<Arc<str>>,
}

impl<'a> Pods<'a> {
    fn of(target: &'a Target) -> Self {
        let mut pods = Self { by_account: HashMap::new(), unknown: unlisted(target, &POD) };
        for pod in target.of(&POD) {
            match (pod.value("namespace"), pod.value("service_account")) {
                (Value::Str(namespace), Value::Str(account)) => {
                    pods.by_account.entry((namespace, account)).or_default().push(pod);
                }
                (namespace, account) => {
                    let why = namespace.reason().or(account.reason()).cloned();
                    pods.unknown = pods.unknown.or(why);
                }
            }
        }
        pods
    }

    /// The pods that run as an account, and those that have its token.
    fn of_account(&self, (namespace, name): (Option<&str>, Option<&str>)) -> (Value, Value) {
        let key = namespace.zip(name);
        let pods = key.and_then(|key| self.by_account.get(&key)).map_or(&[][..], Vec::as_slice);
        let ids = |pods: Vec<&&Component>| named(pods.into_iter().map(|pod| pod.id.to_string()).collect());
        let used = open_list(ids(pods.iter().collect()), self.unknown.as_ref());
        let mounted = pods.iter().filter(|pod| *pod.value("token_mounted") == Value::Bool(true)).collect();
        let undecided = pods.iter().find_map(|pod| pod.value("token_mounted").reason().cloned());
        (used, open_list(ids(mounted), self.unknown.as_ref().or(undecided.as_ref())))
    }
}
