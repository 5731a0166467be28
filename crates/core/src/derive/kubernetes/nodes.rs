//! What of a control plane lies on each node: with it, whoever is root there may do everything in the cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::open_list;
use crate::component::Component;
use crate::fact::Source;
use crate::schema::kubernetes::{APISERVER, ETCD, FILE, NODE, SUBJECT};
use crate::snapshot::Target;
use crate::value::Value;

/// The group that the authorizer never asks about.
const MASTERS: &str = "system:masters";

/// Roles of files in which administrators' credentials lie.
const KUBECONFIGS: [&str; 3] = ["admin-conf", "super-admin-conf", "kubeconfig"];

pub(super) fn derive(target: &mut Target) {
    let all: Vec<(usize, Value)> = target
        .components
        .iter()
        .enumerate()
        .filter(|(_, c)| std::ptr::eq(c.kind, &NODE))
        .map(|(at, node)| (at, of_node(target, &node.name)))
        .collect();
    for (at, value) in all {
        let source = Source::place("processes and files of the node");
        target.components[at].set("control_plane_by", value, source);
    }
}

fn of_node(target: &Target, node: &str) -> Value {
    let here = |c: &&Component| c.value("node").as_str() == Some(node);
    let processes = target.of(&APISERVER).chain(target.of(&ETCD)).filter(here);
    let mut found: BTreeSet<&str> = processes.map(|c| &*c.id).collect();
    let mut unknown: Option<Arc<str>> = None;
    let mut files = target.of(&FILE).filter(here).peekable();
    let was_read = files.peek().is_some();
    for file in files.filter(|f| f.value("role").as_str().is_some_and(|role| KUBECONFIGS.contains(&role))) {
        match administers(target, file) {
            Ok(true) => drop(found.insert(file.value("path").as_str().unwrap_or(&file.name))),
            Ok(false) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    let unread = || target.incomplete.get(FILE.name).map(|why| Arc::from(why.as_str()));
    if !was_read {
        unknown = unknown.or_else(unread).or_else(|| Some("the files of the node were not read".into()));
    }
    open_list(found.into_iter().map(Value::from).collect(), unknown.as_ref())
}

/// Whether a credential in a kubeconfig may do everything.
fn administers(target: &Target, file: &Component) -> Result<bool, Arc<str>> {
    match file.value("exists") {
        Value::Bool(false) => return Ok(false),
        Value::Unknown(why) => return Err(Arc::clone(why)),
        _ => {}
    }
    let credentials = match file.value("credentials") {
        Value::List(all) => all,
        Value::Unknown(why) => return Err(Arc::clone(why)),
        _ => return Ok(false),
    };
    let mut unknown = None;
    for credential in credentials {
        match of_credential(target, credential) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(why) => unknown = Some(why),
        }
    }
    unknown.map_or(Ok(false), Err)
}

fn of_credential(target: &Target, credential: &Value) -> Result<bool, Arc<str>> {
    if let Some(why) = credential.reason() {
        return Err(Arc::clone(why));
    }
    let text = |field| credential.field(field).and_then(Value::as_str).unwrap_or_default();
    match text("kind") {
        "certificate" => {}
        "none" | "exec" | "auth-provider" => return Ok(false),
        kind => return Err(format!("whose {kind} it is, only the API server knows").into()),
    }
    if credential.field("expires_in_days").and_then(Value::as_int).is_some_and(|days| days < 0) {
        return Ok(false);
    }
    let groups = credential.field("organizations").and_then(Value::as_list).unwrap_or_default();
    let groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
    if groups.contains(&MASTERS) {
        return Ok(true);
    }
    let names = groups.iter().map(|group| format!("Group/{group}")).chain([format!("User/{}", text("common_name"))]);
    let mut unknown = target.incomplete.get(SUBJECT.name).map(|why| Arc::from(why.as_str()));
    for id in names {
        let Some(subject) = target.of(&SUBJECT).find(|s| *s.id == id) else { continue };
        match subject.value("cluster_powers") {
            Value::List(powers) if powers.iter().any(|p| p.as_str() == Some("everything")) => return Ok(true),
            Value::List(powers) => unknown = unknown.or_else(|| powers.iter().find_map(Value::reason).cloned()),
            Value::Unknown(why) => unknown = unknown.or_else(|| Some(Arc::clone(why))),
            _ => {}
        }
    }
    unknown.map_or(Ok(false), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Kind;

    fn add(target: &mut Target, kind: &'static Kind, id: &str, facts: &[(&str, Value)]) {
        let name = id.rsplit('/').next().unwrap_or(id);
        let mut c = Component::new(kind, id, name);
        for (fact, value) in facts {
            c.set(fact, value.clone(), Source::place("test"));
        }
        target.components.push(c);
    }

    fn kubeconfig(group: &str, days: i64) -> Value {
        Value::List(vec![Value::Object(vec![
            ("user", "me".into()),
            ("kind", "certificate".into()),
            ("common_name", "me".into()),
            ("organizations", Value::strings([group])),
            ("expires_in_days", Value::Int(days)),
            ("inside", true.into()),
        ])])
    }

    fn cluster(group: &str, days: i64) -> Target {
        let mut target = Target::new("prod", "kubernetes", "https://api");
        add(&mut target, &NODE, "Node/n1", &[]);
        let facts = [
            ("role", Value::from("admin-conf")),
            ("path", "/etc/kubernetes/admin.conf".into()),
            ("node", "n1".into()),
            ("exists", true.into()),
            ("credentials", kubeconfig(group, days)),
        ];
        add(&mut target, &FILE, "admin-conf:n1", &facts);
        target
    }

    fn told(mut target: Target) -> Value {
        derive(&mut target);
        target.of(&NODE).next().unwrap().value("control_plane_by").clone()
    }

    #[test]
    fn a_kubeconfig_counts_by_what_its_groups_may_do() {
        assert_eq!(told(cluster(MASTERS, 9)), Value::strings(["/etc/kubernetes/admin.conf"]));
        assert_eq!(told(cluster(MASTERS, -1)), Value::List(vec![]));
        // Of another group the cluster's bindings tell.
        let of = |powers: &[&str]| {
            let mut target = cluster("ops", 9);
            let powers = Value::strings(powers.iter().copied());
            add(&mut target, &SUBJECT, "Group/ops", &[("cluster_powers", powers)]);
            told(target)
        };
        assert_eq!(of(&["everything"]), Value::strings(["/etc/kubernetes/admin.conf"]));
        assert_eq!(of(&["read-secrets"]), Value::List(vec![]));
        let mut unread = cluster("ops", 9);
        unread.incomplete(&SUBJECT, "only the API tells it");
        assert!(told(unread).is_unknown());
    }

    #[test]
    fn an_api_server_counts_where_it_runs_and_what_was_not_read_is_unknown() {
        let mut target = cluster("ops", 9);
        add(&mut target, &NODE, "Node/n2", &[]);
        add(&mut target, &APISERVER, "kube-apiserver/n2", &[("node", "n2".into())]);
        derive(&mut target);
        let of: Vec<Value> = target.of(&NODE).map(|node| node.value("control_plane_by").clone()).collect();
        assert_eq!(of[0], Value::List(vec![]));
        let found = of[1].as_list().unwrap();
        assert_eq!(found[0].as_str(), Some("kube-apiserver/n2"));
        assert!(found[1].is_unknown());
    }
}
