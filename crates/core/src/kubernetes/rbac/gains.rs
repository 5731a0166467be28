//! What somebody can give himself: by binding himself to a role, or by writing rights into a role that he is bound to.
//!
//! The right to `bind` or to `escalate` alone gives nothing. Whoever may bind must also be able to write a binding of the
//! role in question: create one, or change the subjects of one that is there, since its role can never be changed. Whoever
//! may escalate must be able to write into a role that he is bound to, or to make the one that a binding of his misses, or to
//! make one whose rules such a role gathers.

use std::collections::BTreeMap;

use super::grants::{Bound, Grants};
use super::powers::{Held, Judge};
use super::rule::Request;
use super::who::Who;
use crate::component::Component;
use crate::predicate::Truth;
use crate::value::Value;

const RBAC: &str = "rbac.authorization.k8s.io";

/// The names of powers without which there is nothing to gain.
const NEEDED: [&str; 4] = ["bind", "bind-cluster-wide", "escalate", "escalate-cluster-wide"];

/// What somebody can give himself in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gain {
    /// A power. Its namespace is where it then holds.
    pub held: Held,
    /// The roles by which, by their ids.
    pub by: Vec<String>,
}

/// Somebody's rights in one place, asked one at a time.
struct Asks<'s, 'g, 'a> {
    grants: &'g Grants<'a>,
    who: &'s Who,
    namespace: &'s str,
}

impl Asks<'_, '_, '_> {
    fn may(&self, verb: &str, resource: &str, name: &str) -> bool {
        let (group, subresource, namespace) = (RBAC, "", self.namespace);
        let request = Request::Resource { verb, group, resource, subresource, namespace, name };
        self.grants.allows(self.who, &request).truth == Truth::True
    }

    fn may_change(&self, resource: &str, name: &str) -> bool {
        self.may("update", resource, name) || self.may("patch", resource, name)
    }
}

/// What somebody can give himself beyond what he has, the gravest first; only what is proven. `namespaces` are those of the
/// cluster.
pub fn gains(judge: &Judge<'_, '_>, who: &Who, held: &[Held], namespaces: &[&str]) -> Vec<Gain> {
    let is = |held: &&Held| NEEDED.contains(&held.name());
    let all = held.iter().any(|held| held.name() == "everything" && held.namespace.is_none());
    if all || who.is_master() || !held.iter().any(|h| is(&h)) {
        return Vec::new();
    }
    let mut places: Vec<Option<&str>> = held.iter().filter(is).map(|held| held.namespace.as_deref()).collect();
    // What is held in the whole cluster is held in each namespace.
    if places.contains(&None) {
        places.extend(namespaces.iter().copied().map(Some));
    }
    places.sort_unstable();
    places.dedup();
    let mut ask = Ask { judge, who, plain: None, found: Vec::new() };
    places.into_iter().for_each(|place| ask.place(place));
    let mut found = ask.found;
    found.retain(|gain| !held.iter().any(|held| covers(held, &gain.held)));
    found.sort_by(|a, b| (a.held.power, &a.held.namespace).cmp(&(b.held.power, &b.held.namespace)));
    found
}

/// What is gained, place by place.
struct Ask<'s, 'g, 'a> {
    judge: &'s Judge<'g, 'a>,
    who: &'s Who,
    /// What is gained in every namespace that has no roles and bindings of its own in the matter.
    plain: Option<Vec<Gain>>,
    found: Vec<Gain>,
}

impl Ask<'_, '_, '_> {
    fn place(&mut self, place: Option<&str>) {
        if let (Some(gains), Some(namespace), true) = (&self.plain, place, self.is_plain(place)) {
            let there = |gain: &Gain| {
                let held = Held { namespace: Some(namespace.to_owned()), ..gain.held.clone() };
                Gain { held, by: gain.by.clone() }
            };
            let gains: Vec<Gain> = gains.iter().map(there).collect();
            gains.into_iter().for_each(|gain| self.add(gain));
            return;
        }
        let gains = self.gained(place);
        if place.is_some() && self.is_plain(place) {
            self.plain = Some(gains.clone());
        }
        gains.into_iter().for_each(|gain| self.add(gain));
    }

    /// Whether nothing of a namespace itself has a part in what is gained there.
    fn is_plain(&self, place: Option<&str>) -> bool {
        let grants = self.judge.grants();
        !grants.roles.iter().any(|role| role.namespace() == place)
            && !grants.bindings.iter().any(|binding| binding.namespace == place)
    }

    fn gained(&self, place: Option<&str>) -> Vec<Gain> {
        let judge = self.judge;
        let asks = Asks { grants: judge.grants(), who: self.who, namespace: place.unwrap_or_default() };
        let escalated = escalated(judge, &asks, place);
        if !escalated.is_empty() {
            let (names, resources, through) = Default::default();
            let namespace = place.map(str::to_owned);
            return vec![Gain { held: Held { power: 0, namespace, names, resources, through }, by: escalated }];
        }
        let roles = bindable(judge, &asks, place);
        let by = named(roles.iter().map(|at| judge.grants().roles[*at].id.to_owned()).collect());
        // What lies in no namespace holds nowhere else, and a binding of a namespace does not give it.
        let held =
            judge.powers_of_roles(&roles, place).held.into_iter().filter(|held| held.namespace.as_deref() == place);
        held.map(|held| Gain { held, by: by.clone() }).collect()
    }

    /// Everything in a place leaves nothing to tell there.
    fn add(&mut self, gain: Gain) {
        let all = |known: &Gain| {
            known.held.power == 0 && (known.held.namespace.is_none() || known.held.namespace == gain.held.namespace)
        };
        if !self.found.iter().any(all) {
            self.found.push(gain);
        }
    }
}

fn covers(held: &Held, gained: &Held) -> bool {
    let names = held.names.is_empty() || !gained.names.is_empty() && gained.names.is_subset(&held.names);
    held.power == gained.power && names && (held.namespace.is_none() || held.namespace == gained.namespace)
}

/// The roles that tell how something is gained: a few of them say enough.
fn named(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_by_key(|id| id != "ClusterRole/cluster-admin");
    ids.truncate(4);
    ids
}

/// The roles to which somebody can bind himself in a place.
fn bindable(judge: &Judge<'_, '_>, asks: &Asks<'_, '_, '_>, place: Option<&str>) -> Vec<usize> {
    let grants = asks.grants;
    let bindings = if place.is_none() { "clusterrolebindings" } else { "rolebindings" };
    let creates = asks.may("create", bindings, "");
    let there = by_role(grants, place);
    let may_write = |role: usize| {
        let there = there.get(&role).map_or(&[][..], Vec::as_slice);
        creates || there.iter().any(|at| asks.may_change(bindings, name(grants.bindings[*at].component)))
    };
    let of_place = |role: usize| match grants.roles[role].namespace() {
        None => true,
        Some(namespace) => place == Some(namespace),
    };
    let kind = |role: usize| if grants.roles[role].namespace().is_none() { "clusterroles" } else { "roles" };
    let may_bind = |role: usize| {
        grants.roles[role].component.is_some_and(|component| asks.may("bind", kind(role), name(component)))
    };
    let all = 0..grants.roles.len();
    all.filter(|role| of_place(*role) && judge.role_gives_any(*role) && may_bind(*role) && may_write(*role)).collect()
}

/// The bindings of a place by their role.
fn by_role(grants: &Grants<'_>, place: Option<&str>) -> BTreeMap<usize, Vec<usize>> {
    let mut out: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, binding) in grants.bindings.iter().enumerate().filter(|(_, binding)| binding.namespace == place) {
        if let Bound::Role(role) = binding.role {
            out.entry(role).or_default().push(at);
        }
    }
    out
}

/// The roles by which somebody has every right in a place once he has written it into them.
fn escalated(judge: &Judge<'_, '_>, here: &Asks<'_, '_, '_>, place: Option<&str>) -> Vec<String> {
    let grants = judge.grants();
    // ClusterRoles are written in no namespace, also where a RoleBinding gives them.
    let whole = Asks { grants, who: here.who, namespace: "" };
    let creates = whole.may("create", "clusterroles", "") && whole.may("escalate", "clusterroles", "");
    let writes_cluster =
        |name: &str| whole.may("escalate", "clusterroles", name) && whole.may_change("clusterroles", name);
    let mut found = Vec::new();
    for at in grants.bindings_of(here.who) {
        let binding = &grants.bindings[at];
        if binding.namespace != place {
            continue;
        }
        let text = |field| binding.component.value("role").field(field).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("kind"), text("name"));
        let gains = match (&binding.role, kind) {
            (Bound::Role(_), "Role") => here.may("escalate", "roles", name) && here.may_change("roles", name),
            (Bound::Role(role), _) => {
                writes_cluster(name) || gathers(grants, *role) && (creates || writes_one(grants, &writes_cluster))
            }
            (Bound::Missing, "Role") => here.may("escalate", "roles", "") && here.may("create", "roles", ""),
            (Bound::Missing, "ClusterRole") => creates,
            _ => false,
        };
        if gains {
            let id =
                if kind == "Role" { format!("Role/{}/{name}", here.namespace) } else { format!("ClusterRole/{name}") };
            found.push(id);
        }
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(4);
    found
}

/// Whether a role gathers the rules of others by their labels.
fn gathers(grants: &Grants<'_>, role: usize) -> bool {
    let aggregates = grants.roles[role].component.map(|component| component.value("aggregates"));
    aggregates.and_then(Value::as_list).is_some_and(|selectors| !selectors.is_empty())
}

/// Whether any ClusterRole that is there can be written, and its labels with it.
fn writes_one(grants: &Grants<'_>, writes: &dyn Fn(&str) -> bool) -> bool {
    grants
        .roles
        .iter()
        .filter(|role| role.namespace().is_none())
        .filter_map(|role| role.component)
        .any(|c| writes(name(c)))
}

fn name(component: &Component) -> &str {
    component.value("name").as_str().unwrap_or_default()
}
