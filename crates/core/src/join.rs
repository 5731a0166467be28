//! Targets that are of one cluster or one machine, put together: the API's list of a node and the node's own files tell
//! of the same node. Only what is proven to be the same is joined; a name alone proves nothing.

use std::collections::BTreeSet;

use crate::component::Component;
use crate::fact::Source;
use crate::schema::{Kind, docker, kubernetes};
use crate::snapshot::{Snapshot, Target};
use crate::value::Value;

/// The kinds that a node itself tells of, and an API only in part.
fn of_machines() -> [&'static Kind; 7] {
    [
        &kubernetes::APISERVER,
        &kubernetes::ETCD,
        &kubernetes::CONTROLLER_MANAGER,
        &kubernetes::SCHEDULER,
        &kubernetes::KUBELET,
        &kubernetes::PROXY,
        &kubernetes::FILE,
    ]
}

/// Joins targets of one cluster, and says which engine runs on which node's machine.
pub fn join(snapshot: &mut Snapshot) {
    let mut slots: Vec<Option<Target>> = snapshot.targets.drain(..).map(Some).collect();
    // The nodes that each target was told of by the nodes themselves.
    let mut told: Vec<BTreeSet<String>> = slots.iter().flatten().map(|t| nodes(t).into_iter().collect()).collect();
    for (names, target) in told.iter_mut().zip(&slots) {
        if target.as_ref().is_some_and(is_cluster) {
            names.clear();
        }
    }
    for at in 0..slots.len() {
        let Some(node) = slots[at].take_if(|t| is_node(t)) else { continue };
        // A cluster goes before another node.
        let fits = |into: &Option<Target>| into.as_ref().is_some_and(|into| are_one(into, &node));
        let cluster = slots.iter().position(|into| fits(into) && into.as_ref().is_some_and(is_cluster));
        let found = cluster.or_else(|| slots[..at].iter().position(fits));
        match found.and_then(|to| Some((to, slots[to].as_mut()?))) {
            Some((to, into)) => {
                let names = std::mem::take(&mut told[at]);
                told[to].extend(names);
                merge(into, node);
            }
            None => slots[at] = Some(node),
        }
    }
    for (target, told) in slots.iter_mut().zip(&told) {
        if let Some(target) = target {
            complete(target, told);
        }
    }
    snapshot.targets = slots.into_iter().flatten().collect();
    hosts(&mut snapshot.targets);
}

fn cluster(target: &Target) -> Option<&Component> {
    target.of(&kubernetes::CLUSTER).next()
}

/// Whether an API server told of it.
fn is_cluster(target: &Target) -> bool {
    target.platform == "kubernetes" && cluster(target).is_some_and(|c| !c.value("server").is_unknown())
}

fn is_node(target: &Target) -> bool {
    target.platform == "kubernetes" && !is_cluster(target) && target.of(&kubernetes::NODE).next().is_some()
}

fn nodes(target: &Target) -> Vec<String> {
    target.of(&kubernetes::NODE).map(|node| node.name.to_string()).collect()
}

/// Whether two targets are proven to be of one cluster: a node of one is a node of the other, by name and machine; or
/// the same authority signs for their clients, and the names of their nodes do not contradict it. A machine without a
/// kubelet contradicts none.
fn are_one(into: &Target, node: &Target) -> bool {
    if into.platform != "kubernetes" || !(is_cluster(into) || is_node(into)) {
        return false;
    }
    let machine = |node: &Component| node.value("machine").as_str().map(|m| (node.name.to_string(), m.to_owned()));
    let known: BTreeSet<_> = into.of(&kubernetes::NODE).filter_map(machine).collect();
    if is_cluster(into) {
        let same_machine = node.of(&kubernetes::NODE).filter_map(machine).any(|m| known.contains(&m));
        let names: BTreeSet<String> = nodes(into).into_iter().collect();
        let all_there = nodes(node).iter().all(|name| names.contains(name));
        // A control plane outside the cluster's nodes is registered under no name.
        let is_no_node =
            node.of(&kubernetes::KUBELET).next().is_none() && !node.incomplete.contains_key(kubernetes::KUBELET.name);
        return same_machine || (all_there && share_authority(into, node)) || (is_no_node && is_only_of(node, into));
    }
    share_authority(into, node)
}

/// Whether what a machine shows is of this cluster and of no other: each authority that it trusts for clients is the cluster's.
pub fn is_only_of(node: &Target, cluster: &Target) -> bool {
    let (own, theirs) = (authorities(node), authorities(cluster));
    !own.is_empty() && own.is_subset(&theirs)
}

fn share_authority(a: &Target, b: &Target) -> bool {
    !authorities(a).is_disjoint(&authorities(b))
}

/// Fingerprints of the authorities that sign for a cluster's clients.
fn authorities(target: &Target) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut add = |value: &Value| all.extend(value.as_str().map(str::to_owned));
    cluster(target).into_iter().for_each(|c| add(c.value("ca_fingerprint")));
    for server in target.of(&kubernetes::APISERVER) {
        server.value("client_ca_fingerprints").as_list().into_iter().flatten().for_each(&mut add);
    }
    for file in target.of(&kubernetes::FILE).filter(|f| f.value("role").as_str() == Some("kubelet-client-ca")) {
        let certificates = file.value("certificates").as_list().into_iter().flatten();
        certificates.filter_map(|c| c.field("fingerprint")).for_each(&mut add);
    }
    all
}

/// Puts a node's target into another of its cluster.
fn merge(into: &mut Target, from: Target) {
    let name = from.name.clone();
    for component in from.components {
        let same = |c: &&mut Component| std::ptr::eq(c.kind, component.kind) && c.id == component.id;
        match into.components.iter_mut().find(same) {
            Some(there) if component.kind.index("found_by").is_some() => {
                // The process itself knows better than the API's copy of it.
                let source = component.fact("found_by").source.clone();
                let mut process = component;
                fill(&mut process, there);
                process.set("found_by", "joined", source);
                *there = process;
            }
            Some(there) => fill(there, &component),
            None => into.components.push(component),
        }
    }
    for mut gap in from.gaps {
        gap.source = format!("{name}: {}", gap.source);
        into.gaps.push(gap);
    }
    for kind in of_machines() {
        if let Some(why) = from.incomplete.get(kind.name) {
            // What the API saw all of needs no node; that it sees no files is no news once the node was read.
            if !is_cluster(into) || into.incomplete.contains_key(kind.name) {
                into.incomplete.insert(kind.name, format!("{name}: {why}"));
            }
        }
    }
    into.took_ms = into.took_ms.max(from.took_ms);
}

/// Sets what one does not know and the other does.
fn fill(into: &mut Component, from: &Component) {
    for (name, fact) in from.facts() {
        if into.value(name).is_unknown() && !fact.value.is_unknown() {
            into.set(name, fact.value.clone(), fact.source.clone());
        }
    }
}

/// Where every node of a cluster was read, what nodes tell is complete; else the others are named.
fn complete(target: &mut Target, told: &BTreeSet<String>) {
    if told.is_empty() || !is_cluster(target) {
        return;
    }
    let missing: Vec<String> = nodes(target).into_iter().filter(|name| !told.contains(name)).collect();
    let unlisted = target.incomplete.get(kubernetes::NODE.name).cloned();
    for kind in of_machines() {
        let Some(why) = target.incomplete.get(kind.name) else { continue };
        let is_of_node = told.iter().any(|name| why.starts_with(&format!("{name}: ")));
        match (&unlisted, missing.as_slice()) {
            _ if is_of_node => {}
            (Some(why), _) => {
                target.incomplete.insert(kind.name, why.clone());
            }
            (None, []) => {
                target.incomplete.remove(kind.name);
            }
            (None, [first, rest @ ..]) => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more nodes", rest.len()) };
                let why = format!("{first}{more} was not read: run `seaworthy collect` there and join it");
                target.incomplete.insert(kind.name, why);
            }
        }
    }
}

/// Why a machine's id does not tell which of several nodes it is.
pub const COPIES: &str = "several nodes have this machine's id, as copies of one disk do";

/// Says of each node on whose engine's host it is, where the snapshot holds that engine.
fn hosts(targets: &mut [Target]) {
    let machine = |c: &Component| c.value("machine").as_str().map(str::to_owned);
    let engines: Vec<(String, String)> =
        targets.iter().filter_map(|t| Some((machine(t.of(&docker::HOST).next()?)?, t.name.clone()))).collect();
    for target in targets.iter_mut().filter(|t| t.platform == "kubernetes") {
        let ids: Vec<String> = target.of(&kubernetes::NODE).filter_map(machine).collect();
        for node in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &kubernetes::NODE)) {
            let Some(machine) = machine(node) else { continue };
            let found = engines.iter().find(|(of, _)| *of == machine);
            if let Some((_, name)) = found {
                let source = Source::place("machine ids of the targets");
                match ids.iter().filter(|id| **id == machine).count() {
                    1 => node.set("host", Value::from(name.as_str()), source),
                    _ => node.set_unknown("host", COPIES, source),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(kind: &'static Kind, id: &str, name: &str, facts: &[(&str, Value)]) -> Component {
        let mut c = Component::new(kind, id, name);
        for (fact, value) in facts {
            c.set(fact, value.clone(), Source::place("test"));
        }
        c
    }

    fn api(nodes: &[(&str, &str)]) -> Target {
        let mut target = Target::new("prod", "kubernetes", "https://api");
        target.components.push(component(
            &kubernetes::CLUSTER,
            "cluster",
            "prod",
            &[("server", "https://api".into()), ("ca_fingerprint", "aaaa".into())],
        ));
        for (name, machine) in nodes {
            let facts = [("name", Value::from(*name)), ("machine", Value::from(*machine)), ("ready", true.into())];
            target.components.push(component(&kubernetes::NODE, &format!("Node/{name}"), name, &facts));
        }
        target.incomplete(&kubernetes::FILE, "no node was read");
        target.incomplete(&kubernetes::KUBELET, "no kubelet answered");
        target
    }

    fn node(name: &str, machine: &str, authority: &str) -> Target {
        let mut target = Target::new(name, "kubernetes", "node at /");
        let facts = [("name", Value::from(name)), ("machine", Value::from(machine)), ("kernel", "6.1".into())];
        target.components.push(component(&kubernetes::NODE, &format!("Node/{name}"), name, &facts));
        let field = |name: &'static str| match name {
            "fingerprint" => (name, Value::from(authority)),
            name => (name, Value::unknown("not told")),
        };
        let names =
            ["subject", "common_name", "organizations", "issuer", "fingerprint", "ca", "client", "server", "key"];
        let print = names.into_iter().chain(["expires_in_days", "valid_days"]).map(field).collect();
        let print = Value::Object(print);
        target.components.push(component(
            &kubernetes::FILE,
            "ca",
            "ca",
            &[
                ("role", "kubelet-client-ca".into()),
                ("path", "/ca".into()),
                ("node", name.into()),
                ("certificates", Value::List(vec![print])),
            ],
        ));
        target.components.push(component(
            &kubernetes::KUBELET,
            &format!("kubelet/{name}"),
            name,
            &[("found_by", "process".into()), ("port", Value::Int(10250))],
        ));
        target
    }

    fn joined(targets: Vec<Target>) -> Vec<Target> {
        let mut snapshot = Snapshot { tool: String::new(), collected_at: 0, targets };
        join(&mut snapshot);
        snapshot.targets
    }

    #[test]
    fn a_node_and_its_cluster_are_one() {
        let all = joined(vec![node("n1", "m1", "zzzz"), api(&[("n1", "m1")])]);
        assert_eq!(all.len(), 1);
        let n1 = all[0].of(&kubernetes::NODE).next().unwrap();
        assert_eq!((n1.value("kernel").as_str(), n1.value("ready").as_bool()), (Some("6.1"), Some(true)));
        assert!(all[0].incomplete.is_empty(), "{:?}", all[0].incomplete);
        assert_eq!(all[0].of(&kubernetes::NODE).count(), 1);
    }

    #[test]
    fn what_is_not_proven_stays_apart() {
        // Another machine of the same name, and another authority.
        assert_eq!(joined(vec![api(&[("n1", "m1")]), node("n1", "m2", "bbbb")]).len(), 2);
        // The same authority, and a node that the cluster does not list.
        assert_eq!(joined(vec![api(&[("n1", "m1")]), node("n9", "m9", "aaaa")]).len(), 2);
        assert_eq!(joined(vec![node("n1", "m1", "aaaa"), node("n2", "m2", "bbbb")]).len(), 2);
    }

    #[test]
    fn a_control_plane_outside_the_nodes_is_of_its_cluster() {
        let apart = |kubelet: bool, authority: &str| {
            let mut target = node("cp", "m9", authority);
            if !kubelet {
                target.components.retain(|c| !std::ptr::eq(c.kind, &kubernetes::KUBELET));
            }
            joined(vec![api(&[("n1", "m1")]), target])
        };
        assert_eq!(apart(false, "aaaa").len(), 1);
        // A kubelet would be registered; another authority is another cluster.
        assert_eq!(apart(true, "aaaa").len(), 2);
        assert_eq!(apart(false, "bbbb").len(), 2);
        // What its nodes tell is still not known.
        assert!(apart(false, "aaaa")[0].incomplete.contains_key(kubernetes::KUBELET.name));
    }

    #[test]
    fn nodes_of_one_cluster_are_one_without_its_api() {
        let all = joined(vec![node("n1", "m1", "aaaa"), node("n2", "m2", "aaaa")]);
        assert_eq!((all.len(), all[0].of(&kubernetes::NODE).count()), (1, 2));
    }

    #[test]
    fn a_node_that_was_not_read_is_named() {
        let all = joined(vec![api(&[("n1", "m1"), ("n2", "m2")]), node("n1", "m1", "aaaa")]);
        assert_eq!(all.len(), 1);
        assert!(all[0].incomplete[kubernetes::FILE.name].starts_with("n2 was not read"), "{:?}", all[0].incomplete);
        let mut blind = node("n1", "m1", "aaaa");
        blind.incomplete(&kubernetes::FILE, "no right");
        let all = joined(vec![api(&[("n1", "m1")]), blind]);
        assert_eq!(all[0].incomplete[kubernetes::FILE.name], "n1: no right");
        assert!(!all[0].incomplete.contains_key(kubernetes::KUBELET.name));
    }

    #[test]
    fn the_api_and_the_process_tell_of_one_component() {
        let mut told = api(&[("n1", "m1")]);
        let facts = [("found_by", Value::from("configz")), ("port", Value::Int(1)), ("seccomp_default", true.into())];
        told.components.push(component(&kubernetes::KUBELET, "kubelet/n1", "n1", &facts));
        let all = joined(vec![told, node("n1", "m1", "aaaa")]);
        let kubelet = all[0].of(&kubernetes::KUBELET).next().unwrap();
        assert_eq!(kubelet.value("found_by").as_str(), Some("joined"));
        assert_eq!(
            (kubelet.value("port").as_int(), kubelet.value("seccomp_default").as_bool()),
            (Some(10250), Some(true))
        );
    }

    #[test]
    fn the_engine_of_a_nodes_machine_is_named() {
        let mut engine = Target::new("local", "docker", "unix:///run/docker.sock");
        engine.components.push(component(&docker::HOST, "host", "host", &[("machine", "m1".into())]));
        let all = joined(vec![engine, api(&[("n1", "m1"), ("n2", "m2")])]);
        let cluster = all.iter().find(|t| t.platform == "kubernetes").unwrap();
        let host = |name: &str| cluster.of(&kubernetes::NODE).find(|n| &*n.name == name).unwrap().value("host").clone();
        assert_eq!(host("n1").as_str(), Some("local"));
        assert!(host("n2").is_unknown());
    }

    #[test]
    fn a_machine_with_another_clusters_parts_is_not_of_one_alone() {
        let cluster = api(&[("n1", "m1")]);
        assert!(is_only_of(&node("n1", "m1", "aaaa"), &cluster));
        assert!(!is_only_of(&node("n1", "m1", "bbbb"), &cluster));
        let mut both = node("n1", "m1", "aaaa");
        both.components.extend(node("n2", "m1", "bbbb").components);
        assert!(!is_only_of(&both, &cluster));
        assert!(!is_only_of(&Target::new("n1", "kubernetes", "node at /"), &cluster));
    }

    #[test]
    fn copies_of_a_machine_are_nobodys_host() {
        let mut engine = Target::new("local", "docker", "unix:///run/docker.sock");
        engine.components.push(component(&docker::HOST, "host", "host", &[("machine", "m1".into())]));
        let all = joined(vec![engine, api(&[("n1", "m1"), ("n2", "m1")])]);
        let nodes = all.iter().flat_map(|t| t.of(&kubernetes::NODE));
        assert!(nodes.into_iter().all(|node| node.value("host").reason().is_some_and(|why| &**why == COPIES)));
    }
}
