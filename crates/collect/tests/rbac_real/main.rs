//! What RBAC grants, held against real API servers: generated roles and bindings are created, read back as lists, and
//! thousands of questions are asked of both.

mod generated;
mod powers;

use std::collections::BTreeSet;

use seaworthy_bed::{Client, Cluster, ClusterSpec, Kubernetes};
use seaworthy_collect::kubernetes::gather::gatherers;
use seaworthy_collect::kubernetes::object::{Object, Place};
use seaworthy_collect::redact::Redactor;
use seaworthy_core::component::Component;
use seaworthy_core::derive::derive;
use seaworthy_core::fact::Source;
use seaworthy_core::flaw::FlawTable;
use seaworthy_core::kubernetes::rbac::aggregate::{Gathering, gathered, gathers};
use seaworthy_core::kubernetes::rbac::{Grants, Request, Who};
use seaworthy_core::predicate::Truth;
use seaworthy_core::schema::kubernetes::{BINDING, CLUSTER, ROLE};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::value::Value;
use serde_json::json;

use generated::{Ask, Made, NAMESPACES};

const API: &str = "/apis/rbac.authorization.k8s.io/v1";

/// How many questions each version is asked.
const QUESTIONS: usize = 4000;

fn cluster(version: Kubernetes) -> Option<Cluster> {
    let spec = ClusterSpec { controller_manager: Some(Vec::new()), ..ClusterSpec::default() };
    Cluster::require(version, spec)
}

/// Roles, bindings and service accounts of a cluster as the gatherer reads them, with what follows.
fn read(client: &Client) -> Target {
    let redactor = Redactor::new();
    let mut target = Target::new("real", "kubernetes", "");
    let minor = client.get("/version").1["minor"].as_str().and_then(|minor| minor.parse::<i64>().ok());
    let mut cluster = Component::new(&CLUSTER, "cluster", "real");
    cluster.set("minor", minor.expect("a version"), Source::place("GET /version"));
    target.components.push(cluster);
    for mut gatherer in gatherers().into_iter().filter(|g| g.resources().iter().any(|r| r.plural == "clusterroles")) {
        for resource in gatherer.resources() {
            let root = if resource.group.is_empty() { "/api".into() } else { format!("/apis/{}", resource.group) };
            let (status, list) = client.get(&format!("{root}/{}/{}", resource.versions[0], resource.plural));
            assert_eq!(status, 200, "{list}");
            let api = list["apiVersion"].clone();
            for mut item in list["items"].as_array().cloned().expect("items") {
                item["apiVersion"] = api.clone();
                item["kind"] = resource.kind.into();
                let name = format!("{} {}", resource.kind, item["metadata"]["name"].as_str().unwrap_or_default());
                gatherer.add(Object { json: &item, place: &Place::of_server(name) }, &redactor);
            }
        }
        gatherer.finish(&mut target);
    }
    let mut snapshot = Snapshot { tool: String::new(), collected_at: 0, targets: vec![target] };
    derive(&mut snapshot, &FlawTable::default());
    snapshot.targets.remove(0)
}

fn create(client: &Client, made: &Made) {
    for namespace in NAMESPACES {
        let (status, answer) = client.post("/api/v1/namespaces", &json!({ "metadata": { "name": namespace } }));
        assert_eq!(status, 201, "{answer}");
    }
    for (path, object) in &made.objects {
        let (status, answer) = client.post(&format!("{API}/{path}"), object);
        assert_eq!(status, 201, "{object}: {answer}");
    }
}

fn texts(rules: &[Value]) -> BTreeSet<String> {
    rules.iter().filter(|rule| !rule.is_unknown()).map(ToString::to_string).collect()
}

/// The rules that roles gather, as they should be and as they are stored; those that differ.
fn gathering(target: &Target) -> (usize, Vec<String>) {
    let roles: Vec<&Component> = target.of(&ROLE).filter(|role| role.id.starts_with("ClusterRole/")).collect();
    let parts =
        |role: &&Component| -> [Value; 3] { ["labels", "rules", "aggregates"].map(|fact| role.value(fact).clone()) };
    let parts: Vec<[Value; 3]> = roles.iter().map(parts).collect();
    let input: Vec<Gathering<'_>> =
        parts.iter().map(|[labels, rules, aggregates]| Gathering { labels, rules, aggregates }).collect();
    let mut different = Vec::new();
    for ((role, input), rules) in roles.iter().zip(&input).zip(gathered(&input)) {
        let Some(rules) = rules else { continue };
        let stored = texts(input.rules.as_list().expect("rules were read"));
        let open = rules.iter().any(Value::is_unknown);
        // In a circle what was written in one may go round for ever; what is known must be there all the same.
        let same = if open { texts(&rules).is_subset(&stored) } else { texts(&rules) == stored };
        if !same {
            different.push(format!("{}: {:?} stored {stored:?}", role.id, texts(&rules)));
        }
    }
    (input.iter().filter(|role| gathers(role)).count(), different)
}

/// Reads the cluster once the controller has gathered, which it does within moments.
fn settled(client: &Client) -> Target {
    let mut last = (0, Vec::new());
    for _ in 0..120 {
        let target = read(client);
        last = gathering(&target);
        if last.1.is_empty() {
            // Read again: what goes round in a circle has come to rest where two readings agree.
            std::thread::sleep(std::time::Duration::from_millis(500));
            let again = read(client);
            // Their order in a circle may go on changing.
            let rules = |target: &Target| -> Vec<BTreeSet<String>> {
                let all = target.of(&ROLE).map(|role| role.value("effective_rules").as_list().unwrap_or_default());
                all.map(|rules| rules.iter().map(ToString::to_string).collect()).collect()
            };
            let (one, two) = (rules(&target), rules(&again));
            if one == two {
                println!("{} roles gather the rules of others as the controller does", last.0);
                return again;
            }
            let ids = target.of(&ROLE).map(|role| role.id.to_string());
            let moved = ids.zip(one.iter().zip(&two)).filter(|(_, (one, two))| one != two);
            last.1 = moved.map(|(id, (one, two))| format!("{id} moves: {one:?} then {two:?}")).collect();
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("gathered differently: {:#?}", last.1);
}

fn answered(grants: &Grants<'_>, ask: &Ask) -> Truth {
    let who = Who { user: Some(ask.user.clone()), groups: ask.groups.clone() };
    let request = match &ask.path {
        Some(path) => Request::Url { verb: &ask.verb, path },
        None => Request::Resource {
            verb: &ask.verb,
            group: &ask.group,
            resource: &ask.resource,
            subresource: &ask.subresource,
            namespace: &ask.namespace,
            name: &ask.name,
        },
    };
    grants.allows(&who, &request).truth
}

fn review(cluster: &Cluster, ask: &Ask) -> bool {
    let attributes = match &ask.path {
        Some(path) => json!({ "verb": ask.verb, "path": path }),
        None => json!({ "verb": ask.verb, "group": ask.group, "resource": ask.resource,
            "subresource": ask.subresource, "namespace": ask.namespace, "name": ask.name }),
    };
    let groups: Vec<&str> = ask.groups.iter().map(String::as_str).collect();
    cluster.subject_access_review(&ask.user, &groups, &attributes)
}

fn real(version: Kubernetes) {
    let Some(cluster) = cluster(version) else { return };
    let fresh = read(cluster.admin());
    everything_is_shipped(&fresh);
    let made = generated::make(u64::from(version == Kubernetes::V132) + 7);
    create(cluster.admin(), &made);
    let target = settled(cluster.admin());
    let grants = Grants::of(&target);
    let asks = generated::asks(&target, QUESTIONS);
    let (mut allowed, mut different) = (0, Vec::new());
    for ask in &asks {
        let (ours, theirs) = (answered(&grants, ask), review(&cluster, ask));
        allowed += usize::from(theirs);
        if ours != (if theirs { Truth::True } else { Truth::False }) {
            different.push(format!("{ask:?}: we say {ours:?}, the API server {theirs}"));
        }
    }
    println!(
        "{}: {} questions over {} roles and {} bindings, {allowed} allowed, {} answered differently",
        version.name(),
        asks.len(),
        grants.roles.len(),
        grants.bindings.len(),
        different.len()
    );
    assert!(different.is_empty(), "{different:#?}");
    assert!(allowed > QUESTIONS / 20 && allowed < QUESTIONS * 19 / 20, "both answers occur: {allowed}");
    powers::are_what_they_say(&cluster);
}

/// In a new cluster every role and binding of the API server's own, and kubeadm's, is known as such; nothing else is there.
fn everything_is_shipped(target: &Target) {
    for component in target.of(&ROLE).chain(target.of(&BINDING)) {
        assert_eq!(component.value("shipped"), &Value::Bool(true), "{}", component.id);
    }
    let roles = target.of(&ROLE).count();
    assert!(roles > 60, "{roles} roles");
    for subject in target.components.iter().filter(|c| c.kind.index("granted_powers").is_some()) {
        assert_eq!(subject.value("granted_powers"), &Value::List(Vec::new()), "{}", subject.id);
    }
}

#[test]
fn kubernetes_1_35_grants_what_we_say() {
    real(Kubernetes::V135);
}

#[test]
fn kubernetes_1_32_grants_what_we_say() {
    real(Kubernetes::V132);
}
