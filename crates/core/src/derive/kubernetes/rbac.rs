//! Who may do what: rules in effect, and the powers of roles, bindings, service accounts, users and groups.

mod accounts;
mod describe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::component::Component;
use crate::fact::Source;
use crate::kubernetes::rbac::aggregate::{Gathering, gathered};
use crate::kubernetes::rbac::grants::{Bound, Grants};
use crate::kubernetes::rbac::who::{account_of, everybody};
use crate::kubernetes::rbac::{Judge, Powers, Who, shipped};
use crate::predicate::Truth;
use crate::schema::Kind;
use crate::schema::kubernetes::{BINDING, CLUSTER, ROLE, SERVICE_ACCOUNT, SUBJECT};
use crate::snapshot::Target;
use crate::value::Value;

use super::super::{MOST_NAMED, open_list};
use describe::{Described, named, truth_value};

/// What is to be set: the component by its position, the fact, its value.
type Settings = Vec<(usize, &'static str, Value)>;

pub(super) fn derive(target: &mut Target) {
    if target.of(&ROLE).chain(target.of(&BINDING)).chain(target.of(&SERVICE_ACCOUNT)).next().is_none() {
        return;
    }
    let effective = effective_rules(target);
    set(target, effective, "rules of this and other roles");
    let settings = grants(target);
    set(target, settings, "roles, bindings and service accounts");
}

fn set(target: &mut Target, settings: Settings, place: &str) {
    let place: Arc<str> = place.into();
    for (at, fact, value) in settings {
        target.components[at].set(fact, value, Source::place(Arc::clone(&place)));
    }
}

/// The positions of the components of a kind.
fn positions<'a>(target: &'a Target, kind: &'static Kind) -> impl Iterator<Item = (usize, &'a Component)> {
    target.components.iter().enumerate().filter(move |(_, c)| std::ptr::eq(c.kind, kind))
}

/// In a cluster the rules that are stored are in effect, since it is those that are asked; a controller gathers them
/// there. From files they are what the controller would gather, from these files and whatever else the cluster has.
fn effective_rules(target: &Target) -> Settings {
    let roles: Vec<(usize, &Component)> = positions(target, &ROLE).collect();
    if target.platform != "files" {
        return roles.iter().map(|(at, role)| (*at, "effective_rules", role.value("rules").clone())).collect();
    }
    let cluster: Vec<&(usize, &Component)> =
        roles.iter().filter(|(_, role)| role.value("kind").as_str() == Some("ClusterRole")).collect();
    let gathering: Vec<Gathering<'_>> = cluster
        .iter()
        .map(|(_, role)| Gathering {
            labels: role.value("labels"),
            rules: role.value("rules"),
            aggregates: role.value("aggregates"),
        })
        .collect();
    let mut all: Settings =
        roles.iter().map(|(at, role)| (*at, "effective_rules", role.value("rules").clone())).collect();
    for ((at, _), rules) in cluster.into_iter().zip(gathered(&gathering)) {
        let Some(mut rules) = rules else { continue };
        if !rules.iter().any(Value::is_unknown) {
            rules.push(Value::unknown("it gathers the rules of whatever roles the cluster has with these labels"));
        }
        all.push((*at, "effective_rules", Value::List(rules)));
    }
    all
}

fn grants(target: &Target) -> Settings {
    let grants = Grants::of(target);
    let judge = Judge::new(&grants, minor(target));
    let shipped: Vec<Truth> = grants.bindings.iter().map(|binding| is_shipped(&grants, binding)).collect();
    let describe = Described { grants: &grants, shipped: &shipped };
    let mut settings = Settings::new();
    roles(target, &grants, &judge, &mut settings);
    bindings(target, &describe, &judge, &mut settings);
    accounts::subjects(target, &describe, &judge, &mut settings);
    settings
}

fn minor(target: &Target) -> Result<i64, Arc<str>> {
    let unknown = || "the cluster's version is not known, and it depends on that".into();
    target.of(&CLUSTER).next().and_then(|cluster| cluster.value("minor").as_int()).ok_or_else(unknown)
}

/// Whether a binding and its role are those that are shipped.
fn is_shipped(grants: &Grants<'_>, binding: &crate::kubernetes::rbac::grants::Binding<'_>) -> Truth {
    match (shipped::binding(binding.component), &binding.role) {
        (Truth::True, Bound::Role(role)) => grants.roles[*role].component.map_or(Truth::True, shipped::role),
        (Truth::True, Bound::Unknown(why)) => Truth::Unknown(Arc::clone(why)),
        (truth, _) => truth,
    }
}

fn roles(target: &Target, grants: &Grants<'_>, judge: &Judge<'_, '_>, settings: &mut Settings) {
    let mut bound: Vec<Vec<String>> = vec![Vec::new(); grants.roles.len()];
    let mut unknown = grants.unlisted.clone();
    for binding in &grants.bindings {
        match &binding.role {
            Bound::Role(role) => bound[*role].push(binding.component.id.to_string()),
            Bound::Unknown(why) => unknown = unknown.or_else(|| Some(Arc::clone(why))),
            Bound::Missing => {}
        }
    }
    // The roles of the grants begin with those of the target, in their order.
    for ((at, component), (i, role)) in positions(target, &ROLE).zip(grants.roles.iter().enumerate()) {
        let powers = judge.powers_of_role(i);
        settings.push((at, "power_names", describe::names(&powers, |_| true)));
        settings.push((at, "wildcards", wildcards(role)));
        settings.push((at, "bound_by", open_list(named(std::mem::take(&mut bound[i])), unknown.as_ref())));
        settings.push((at, "shipped", truth_value(shipped::role(component))));
    }
}

/// For what the rules of a role have a `*`.
fn wildcards(role: &crate::kubernetes::rbac::grants::Role<'_>) -> Value {
    let mut found = Vec::new();
    let mut unknown = role.more.cloned();
    for rule in &role.rules {
        let parts = [("verbs", &rule.verbs), ("resources", &rule.resources), ("api-groups", &rule.groups)];
        for (name, words) in parts {
            match words.any(|word| word == "*") {
                Truth::True if !found.contains(&name) => found.push(name),
                Truth::Unknown(why) => unknown = unknown.or(Some(why)),
                Truth::True | Truth::False => {}
            }
        }
    }
    open_list(found.into_iter().map(Value::from).collect(), unknown.as_ref())
}

fn bindings(target: &Target, describe: &Described<'_, '_>, judge: &Judge<'_, '_>, settings: &mut Settings) {
    let accounts: std::collections::HashSet<&str> = target.of(&SERVICE_ACCOUNT).map(|c| &*c.id).collect();
    let unlisted = crate::kubernetes::rbac::grants::unlisted(target, &SERVICE_ACCOUNT);
    for ((at, component), (i, binding)) in positions(target, &BINDING).zip(describe.grants.bindings.iter().enumerate())
    {
        let powers = judge.powers_by(&[i]);
        let missing = match &binding.role {
            Bound::Role(_) => Value::Bool(false),
            Bound::Missing => Value::Bool(true),
            Bound::Unknown(why) => Value::Unknown(Arc::clone(why)),
        };
        settings.push((at, "role_missing", missing));
        settings.push((at, "power_names", describe::names(&powers, |_| true)));
        settings.push((at, "powers", describe.powers(&powers, &|_| Vec::new())));
        settings.push((at, "shipped", truth_value(describe.shipped[i].clone())));
        named_subjects(at, component, binding.namespace, (&accounts, unlisted.as_ref()), settings);
    }
}

/// What follows from whom a binding names alone.
fn named_subjects(
    at: usize,
    component: &Component,
    namespace: Option<&str>,
    (accounts, unlisted): (&std::collections::HashSet<&str>, Option<&Arc<str>>),
    settings: &mut Settings,
) {
    let subjects = component.value("subjects");
    let mut unknown = subjects.reason().cloned();
    let (mut all, mut default, mut foreign, mut missing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut unread = None;
    for subject in subjects.as_list().unwrap_or_default() {
        let text = |field| subject.field(field).and_then(Value::as_str);
        let (Some(kind), Some(name)) = (text("kind"), text("name")) else {
            unknown = unknown.or_else(|| Some("its subjects are not all known".into()));
            continue;
        };
        if everybody(kind, name) {
            all.push(name.to_owned());
        }
        let Some((of, name)) = account(kind, name, text("namespace"), namespace) else { continue };
        let id = format!("ServiceAccount/{of}/{name}");
        if namespace.is_some_and(|namespace| namespace != of) {
            foreign.push(id.clone());
        }
        if !accounts.contains(id.as_str()) {
            match unlisted {
                Some(why) => unread = Some(Arc::clone(why)),
                None => missing.push(id.clone()),
            }
        }
        if name == "default" {
            default.push(id);
        }
    }
    let list = |items: Vec<String>, unknown: Option<&Arc<str>>| open_list(named(items), unknown);
    settings.push((at, "everybody", list(all, unknown.as_ref())));
    settings.push((at, "default_accounts", list(default, unknown.as_ref())));
    settings.push((at, "foreign_subjects", list(foreign, unknown.as_ref())));
    settings.push((at, "missing_subjects", list(missing, unread.or(unknown).as_ref())));
}

/// Namespace and name of the account that a subject is: as such, or as the user by whose name the API server knows it.
fn account<'a>(kind: &str, name: &'a str, of: Option<&'a str>, binding: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    match kind {
        "ServiceAccount" => Some((of.filter(|of| !of.is_empty()).or(binding)?, name)),
        "User" => account_of(name),
        _ => None,
    }
}
