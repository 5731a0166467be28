//! What Kubernetes and its distributions create themselves, to be told from what somebody granted: by name, by the label
//! that the API server sets, and by content, since a role of theirs that was edited is not theirs any more.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::rule::{Rule, Words};
use crate::component::Component;
use crate::predicate::Truth;
use crate::value::Value;

/// A binding as it is shipped.
struct Binding {
    role: &'static str,
    subjects: Vec<&'static str>,
    labelled: bool,
}

/// A role as it is shipped.
struct Role {
    rules: Vec<Rule<'static>>,
    labelled: bool,
}

struct Table {
    roles: HashMap<String, Role>,
    bindings: HashMap<String, Binding>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| read(include_str!("shipped.txt")));

fn read(text: &'static str) -> Table {
    let mut table = Table { roles: HashMap::new(), bindings: HashMap::new() };
    let mut labelled = true;
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line == "---" {
            labelled = false;
        } else if let Some(rule) = line.strip_prefix(' ') {
            if let Some(role) = table.roles.get_mut(&last) {
                role.rules.push(read_rule(rule));
            }
        } else {
            let mut words = line.split(' ');
            let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            last = format!("{kind}/{name}");
            if let Some(role) = words.next() {
                table.bindings.insert(last.clone(), Binding { role, subjects: words.collect(), labelled });
            } else {
                table.roles.insert(last.clone(), Role { rules: Vec::new(), labelled });
            }
        }
    }
    table
}

fn read_rule(line: &'static str) -> Rule<'static> {
    let mut parts = line.split('|').map(|part| {
        let words = part.split(',').filter(|word| !word.is_empty());
        Words::all(words.map(|word| if word == "-" { "" } else { word }))
    });
    let mut next = || parts.next().unwrap_or_default();
    Rule { verbs: next(), groups: next(), resources: next(), names: next(), urls: next() }
}

/// The rules of a ClusterRole that every API server creates, by its id, which is given back with them.
pub fn rules(id: &str) -> Option<(&'static str, &'static [Rule<'static>])> {
    let (id, role) = TABLE.roles.get_key_value(id)?;
    (role.labelled && id.starts_with("ClusterRole/")).then_some((id.as_str(), role.rules.as_slice()))
}

/// Whether a role is one that is shipped, and allows nothing beyond it.
pub fn role(component: &Component) -> Truth {
    let Some(shipped) = TABLE.roles.get(&*component.id) else { return Truth::False };
    if shipped.labelled && !is_labelled(component) {
        return Truth::False;
    }
    let rules = match component.value("effective_rules") {
        Value::List(rules) => rules,
        Value::Unknown(reason) => return Truth::Unknown(Arc::clone(reason)),
        _ => return Truth::True,
    };
    let mut truth = Truth::True;
    for rule in rules {
        match covered(&Rule::read(rule), &shipped.rules) {
            Truth::False => return Truth::False,
            Truth::Unknown(why) => truth = Truth::Unknown(why),
            Truth::True => {}
        }
    }
    truth
}

/// Whether a binding is one that is shipped, with its role and to nobody else; whether its role is, is another question.
pub fn binding(component: &Component) -> Truth {
    let Some(shipped) = TABLE.bindings.get(&*component.id) else { return Truth::False };
    if shipped.labelled && !is_labelled(component) {
        return Truth::False;
    }
    let role = component.value("role");
    let part = |of: &Value, name: &str| of.field(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(name)) = (part(role, "kind"), part(role, "name")) else {
        return Truth::Unknown("its role is not known".into());
    };
    if format!("{kind}/{name}") != shipped.role {
        return Truth::False;
    }
    let subjects = match component.value("subjects") {
        Value::List(subjects) => subjects,
        Value::Unknown(reason) => return Truth::Unknown(Arc::clone(reason)),
        _ => return Truth::True,
    };
    let mut truth = Truth::True;
    for subject in subjects {
        let (Some(kind), Some(name)) = (part(subject, "kind"), part(subject, "name")) else {
            truth = Truth::Unknown("its subjects are not all known".into());
            continue;
        };
        let namespace = part(subject, "namespace").filter(|_| kind == "ServiceAccount");
        let id = match namespace.filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => format!("{kind}/{namespace}/{name}"),
            None => format!("{kind}/{name}"),
        };
        if !shipped.subjects.contains(&id.as_str()) {
            return Truth::False;
        }
    }
    truth
}

fn is_labelled(component: &Component) -> bool {
    let labels = component.value("labels").as_list().unwrap_or_default();
    labels.iter().any(|label| {
        let is = |field, text| label.field(field).and_then(Value::as_str) == Some(text);
        is("key", "kubernetes.io/bootstrapping") && is("value", "rbac-defaults")
    })
}

/// The most single permissions of one rule that are compared; a rule with more is nobody's default.
const MOST: usize = 20_000;

/// Whether what one rule allows is within what others allow, permission by permission.
fn covered(rule: &Rule<'_>, by: &[Rule<'_>]) -> Truth {
    let parts = [&rule.verbs, &rule.groups, &rule.resources, &rule.names, &rule.urls];
    if let Some(why) = parts.iter().find_map(|words| words.more) {
        return Truth::Unknown(Arc::clone(why));
    }
    let names: Vec<Option<&str>> =
        if rule.names.known.is_empty() { vec![None] } else { rule.names.known.iter().copied().map(Some).collect() };
    let sizes = [rule.verbs.known.len(), rule.groups.known.len(), rule.resources.known.len(), names.len()];
    if sizes.iter().fold(1usize, |all, size| all.saturating_mul(*size)) > MOST {
        return Truth::False;
    }
    let has = |words: &Words<'_>, word: &str| words.known.contains(&"*") || words.known.contains(&word);
    for verb in &rule.verbs.known {
        let paths_covered = rule.urls.known.iter().all(|path| {
            by.iter().any(|b| has(&b.verbs, verb) && b.urls.known.iter().any(|u| super::rule::url_matches(u, path)))
        });
        let resources_covered = rule.groups.known.iter().all(|group| {
            let by: Vec<_> = by.iter().filter(|b| has(&b.verbs, verb) && has(&b.groups, group)).collect();
            rule.resources.known.iter().all(|resource| {
                names.iter().all(|name| by.iter().any(|b| has(&b.resources, resource) && named(b, *name)))
            })
        });
        if !(paths_covered && resources_covered) {
            return Truth::False;
        }
    }
    Truth::True
}

fn named(rule: &Rule<'_>, name: Option<&str>) -> bool {
    rule.names.known.is_empty() || name.is_some_and(|name| rule.names.known.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert!(TABLE.roles.len() > 70 && TABLE.bindings.len() > 60, "{} {}", TABLE.roles.len(), TABLE.bindings.len());
        for (id, binding) in &TABLE.bindings {
            let role = match (binding.role.strip_prefix("Role/"), id.strip_prefix("RoleBinding/")) {
                (Some(name), Some(at)) => format!("Role/{}/{name}", at.split('/').next().unwrap_or_default()),
                _ => binding.role.to_owned(),
            };
            assert!(TABLE.roles.contains_key(&role), "{id} binds {role}");
        }
        let (_, admin) = rules("ClusterRole/cluster-admin").expect("cluster-admin is shipped");
        assert!(admin.iter().any(|rule| rule.resources.known == ["*"] && rule.groups.known == ["*"]));
        assert_eq!(rules("ClusterRole/kubeadm:get-nodes"), None, "not every cluster has it");
    }

    #[test]
    fn a_rule_is_covered_permission_by_permission() {
        let by = [
            read_rule("get,list|-,apps|pods,secrets||"),
            read_rule("*|-|configmaps|a,b|"),
            read_rule("get||||/healthz*"),
        ];
        let is = |line: &'static str| covered(&read_rule(line), &by) == Truth::True;
        assert!(is("get|-|pods|x|") && is("get,list|apps|pods,secrets||") && is("get||||/healthz/etcd"));
        assert!(!is("get|*|pods||") && !is("watch|-|pods||") && !is("*|-|pods||") && !is("get|-|nodes||"));
        assert!(is("delete|-|configmaps|a|") && !is("delete|-|configmaps||") && !is("delete|-|configmaps|c|"));
        assert!(!is("get||||/metrics"));
    }
}
