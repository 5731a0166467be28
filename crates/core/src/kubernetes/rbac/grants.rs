//! Bindings and roles of a cluster, by whom they bind: what RBAC grants.
//!
//! What is told here are grants of RBAC. An API server that asks others as well (a webhook, ABAC, AlwaysAllow) may allow
//! more, and no authorizer of a default server takes away what RBAC grants; a check over grants therefore says what RBAC
//! grants, and whether RBAC is asked at all is the API server's own fact.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use super::rule::{Request, Rule};
use super::shipped;
use super::who::Who;
use crate::component::Component;
use crate::predicate::Truth;
use crate::schema::kubernetes::{BINDING, ROLE};
use crate::snapshot::Target;
use crate::value::Value;

/// A role with its rules in effect.
#[derive(Debug)]
pub struct Role<'a> {
    /// Its id.
    pub id: &'a str,
    /// The component; none where it is only known to be in every cluster.
    pub component: Option<&'a Component>,
    /// Its rules.
    pub rules: Vec<Rule<'a>>,
    /// Why it may have others.
    pub more: Option<&'a Arc<str>>,
}

impl<'a> Role<'a> {
    /// The namespace that it lies in; none for a ClusterRole.
    pub fn namespace(&self) -> Option<&'a str> {
        self.component?.value("namespace").as_str().filter(|namespace| !namespace.is_empty())
    }
}

/// What the role of a binding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// This one, by its position among the roles.
    Role(usize),
    /// None that is there.
    Missing,
    /// It is not known, and why.
    Unknown(Arc<str>),
}

/// A binding.
#[derive(Debug)]
pub struct Binding<'a> {
    /// The component.
    pub component: &'a Component,
    /// The namespace in which alone it grants; none for a ClusterRoleBinding.
    pub namespace: Option<&'a str>,
    /// Its role.
    pub role: Bound,
    /// Why others may be bound than those that are known.
    pub more: Option<&'a Arc<str>>,
}

/// Whether RBAC allows something, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The answer.
    pub truth: Truth,
    /// The first binding found that allows it, and the position of the rule in its role; none where nothing does, or
    /// where the API server asks no binding.
    pub by: Option<(usize, usize)>,
}

/// Roles and bindings, ready to be asked.
#[derive(Debug)]
pub struct Grants<'a> {
    /// The roles.
    pub roles: Vec<Role<'a>>,
    /// The bindings.
    pub bindings: Vec<Binding<'a>>,
    users: HashMap<String, Vec<usize>>,
    groups: HashMap<&'a str, Vec<usize>>,
    /// Bindings that may bind anybody, since their subjects are not all known.
    open: Vec<usize>,
    /// Why there may be bindings that were not read.
    pub unlisted: Option<Arc<str>>,
}

/// Why what is not in files may be in the cluster.
const FILES: &str = "only files were read: the cluster may have others";

/// Why a list of a target is not complete.
pub(crate) fn unlisted(target: &Target, kind: &'static crate::schema::Kind) -> Option<Arc<str>> {
    match target.incomplete.get(kind.name) {
        Some(reason) => Some(reason.as_str().into()),
        None if target.platform == "files" => Some(FILES.into()),
        None => None,
    }
}

impl<'a> Grants<'a> {
    /// Those of a target; the rules in effect of its roles have been derived.
    pub fn of(target: &'a Target) -> Self {
        let mut roles = Roles {
            all: target.of(&ROLE).map(role).collect(),
            by_id: HashMap::new(),
            unlisted: unlisted(target, &ROLE),
        };
        roles.by_id = roles.all.iter().enumerate().map(|(i, role)| (role.id, i)).collect();
        let mut grants = Self {
            bindings: Vec::new(),
            users: HashMap::new(),
            groups: HashMap::new(),
            open: Vec::new(),
            unlisted: unlisted(target, &BINDING),
            roles: Vec::new(),
        };
        for component in target.of(&BINDING) {
            grants.take(binding(component, &mut roles));
        }
        grants.roles = roles.all;
        grants
    }

    fn take(&mut self, binding: Binding<'a>) {
        let at = self.bindings.len();
        let subjects = binding.component.value("subjects").as_list().unwrap_or_default();
        for subject in subjects {
            let text = |field| subject.field(field).and_then(Value::as_str);
            let (Some(kind), Some(name)) = (text("kind"), text("name")) else { continue };
            let list = match kind {
                "User" => self.users.entry(name.to_owned()).or_default(),
                "Group" => self.groups.entry(name).or_default(),
                "ServiceAccount" => {
                    let namespace = text("namespace").filter(|n| !n.is_empty()).or(binding.namespace);
                    let Some(namespace) = namespace else { continue };
                    let Some(user) = Who::account(namespace, name).user else { continue };
                    self.users.entry(user).or_default()
                }
                _ => continue,
            };
            if list.last() != Some(&at) {
                list.push(at);
            }
        }
        if binding.more.is_some() {
            self.open.push(at);
        }
        self.bindings.push(binding);
    }

    /// The bindings that bind somebody, by position, ascending.
    pub fn bindings_of(&self, who: &Who) -> Vec<usize> {
        let users = who.user.iter().filter_map(|user| self.users.get(user));
        let groups = who.groups.iter().filter_map(|group| self.groups.get(group.as_str()));
        let all: HashSet<usize> = users.chain(groups).flatten().copied().collect();
        let mut all: Vec<usize> = all.into_iter().collect();
        all.sort_unstable();
        all
    }

    /// The bindings that name a user itself.
    pub fn bindings_of_user(&self, user: &str) -> &[usize] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    /// The bindings that name a group itself.
    pub fn bindings_of_group(&self, group: &str) -> &[usize] {
        self.groups.get(group).map_or(&[], Vec::as_slice)
    }

    /// Whether a binding names a group.
    pub fn names_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// Bindings that may bind anybody.
    pub fn open(&self) -> &[usize] {
        &self.open
    }

    /// Whether RBAC, or being in `system:masters`, allows somebody something.
    pub fn allows(&self, who: &Who, request: &Request<'_>) -> Permission {
        if who.is_master() {
            return Permission { truth: Truth::True, by: None };
        }
        let mut unknown = None;
        for at in self.bindings_of(who) {
            match self.grants(at, request) {
                (Truth::True, by) => return Permission { truth: Truth::True, by },
                (Truth::Unknown(why), _) => unknown = unknown.or(Some(why)),
                (Truth::False, _) => {}
            }
        }
        for at in &self.open {
            if self.grants(*at, request).0 != Truth::False {
                unknown = unknown.or_else(|| self.bindings[*at].more.cloned());
            }
        }
        let unknown = unknown.or_else(|| self.unlisted.clone());
        Permission { truth: unknown.map_or(Truth::False, Truth::Unknown), by: None }
    }

    /// Whether a binding grants something to whom it binds.
    fn grants(&self, at: usize, request: &Request<'_>) -> (Truth, Option<(usize, usize)>) {
        let binding = &self.bindings[at];
        if binding.namespace.is_some_and(|namespace| namespace != request.namespace()) {
            return (Truth::False, None);
        }
        let role = match &binding.role {
            Bound::Role(role) => &self.roles[*role],
            Bound::Missing => return (Truth::False, None),
            Bound::Unknown(why) => return (Truth::Unknown(Arc::clone(why)), None),
        };
        let mut unknown = role.more.cloned();
        for (position, rule) in role.rules.iter().enumerate() {
            match rule.allows(request) {
                Truth::True => return (Truth::True, Some((at, position))),
                Truth::Unknown(why) => unknown = unknown.or(Some(why)),
                Truth::False => {}
            }
        }
        (unknown.map_or(Truth::False, Truth::Unknown), None)
    }
}

fn role(component: &Component) -> Role<'_> {
    match component.value("effective_rules") {
        Value::List(rules) => Role {
            id: &component.id,
            component: Some(component),
            rules: rules.iter().filter(|rule| !rule.is_unknown()).map(Rule::read).collect(),
            more: rules.iter().find_map(Value::reason),
        },
        other => Role { id: &component.id, component: Some(component), rules: Vec::new(), more: other.reason() },
    }
}

/// The roles of a target while its bindings are read.
struct Roles<'a> {
    all: Vec<Role<'a>>,
    by_id: HashMap<&'a str, usize>,
    unlisted: Option<Arc<str>>,
}

impl Roles<'_> {
    /// The role of an id. One that was not read while others may be there is taken for what every API server makes of its
    /// name, and possibly more; others are not known.
    fn of(&mut self, id: &str) -> Bound {
        if let Some(at) = self.by_id.get(id) {
            return Bound::Role(*at);
        }
        let Some(why) = &self.unlisted else { return Bound::Missing };
        let Some((id, rules)) = shipped::rules(id) else { return Bound::Unknown(Arc::clone(why)) };
        static MORE: LazyLock<Arc<str>> =
            LazyLock::new(|| "the role was not read: it may allow more than where it is new".into());
        self.all.push(Role { id, component: None, rules: rules.to_vec(), more: Some(&MORE) });
        self.by_id.insert(id, self.all.len() - 1);
        Bound::Role(self.all.len() - 1)
    }
}

fn binding<'a>(component: &'a Component, roles: &mut Roles<'a>) -> Binding<'a> {
    let namespace = component.value("namespace").as_str().filter(|namespace| !namespace.is_empty());
    let subjects = component.value("subjects");
    let of = |subject: &'a Value| match subject {
        Value::Object(fields) => fields.iter().find_map(|(_, value)| value.reason()),
        other => other.reason(),
    };
    let more = subjects.reason().or_else(|| subjects.as_list()?.iter().find_map(of));
    let role = role_id(component, namespace).map_or_else(|bound| bound, |id| roles.of(&id));
    Binding { component, namespace, role, more }
}

/// The id of the role that a binding names.
fn role_id(component: &Component, namespace: Option<&str>) -> Result<String, Bound> {
    let reference = component.value("role");
    let text = |field| match reference.field(field) {
        Some(Value::Str(text)) => Ok(&**text),
        Some(Value::Unknown(reason)) => Err(Bound::Unknown(Arc::clone(reason))),
        _ => Err(Bound::Unknown(reference.reason().map_or_else(|| "it names no role".into(), Arc::clone))),
    };
    let (kind, name) = (text("kind")?, text("name")?);
    match (kind, namespace) {
        ("ClusterRole", _) => Ok(format!("ClusterRole/{name}")),
        ("Role", Some(namespace)) => Ok(format!("Role/{namespace}/{name}")),
        _ => Err(Bound::Missing),
    }
}
