//! The gatherer: pods and workloads come in one by one, components go out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use seaworthy_core::schema::kubernetes::{CONTAINER, POD};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use super::super::gather::{Gather, Resource};
use super::super::object::Object;
use super::alike::{Hashes, is_of_instance};
use super::owners::{Owner, Owners, Way, controller};
use super::pod::{self, Built, Given};
use super::read::{Node, Read, cut, value};
use super::seen::Seen;
use super::sheet::Spot;
use super::template::Template;
use crate::redact::Redactor;

const fn resource(
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
) -> Resource {
    Resource { group, versions, plural, kind, namespaced: true, optional: false }
}

/// What holds pods or templates of pods. The group `extensions` had some before 1.16; files still do.
static RESOURCES: [Resource; 12] = [
    resource("", &["v1"], "pods", "Pod"),
    resource("apps", &["v1", "v1beta2", "v1beta1"], "deployments", "Deployment"),
    resource("apps", &["v1", "v1beta2"], "replicasets", "ReplicaSet"),
    resource("apps", &["v1", "v1beta2", "v1beta1"], "statefulsets", "StatefulSet"),
    resource("apps", &["v1", "v1beta2"], "daemonsets", "DaemonSet"),
    resource("batch", &["v1"], "jobs", "Job"),
    resource("batch", &["v1", "v1beta1", "v2alpha1"], "cronjobs", "CronJob"),
    resource("", &["v1"], "replicationcontrollers", "ReplicationController"),
    resource("", &["v1"], "podtemplates", "PodTemplate"),
    Resource { optional: true, ..resource("extensions", &["v1beta1"], "deployments", "Deployment") },
    Resource { optional: true, ..resource("extensions", &["v1beta1"], "replicasets", "ReplicaSet") },
    Resource { optional: true, ..resource("extensions", &["v1beta1"], "daemonsets", "DaemonSet") },
];

/// Pods that are alike.
#[derive(Debug)]
struct Group {
    namespace: Box<str>,
    /// Whether the object, or where it was read, says the namespace.
    namespaced: bool,
    owner: Read<Option<Owner>>,
    built: Built,
    spot: Spot,
    seen: Seen,
}

/// Namespace, kind as it is shown, and name of a workload.
type Key = (Box<str>, Box<str>, Box<str>);

/// Pods and templates, as they come in.
#[derive(Debug, Default)]
pub struct Pods {
    hashes: Hashes,
    groups: HashMap<u128, Group>,
    owners: Owners,
    templates: BTreeMap<Key, Template>,
    unread: Vec<(&'static str, Arc<str>)>,
}

impl Gather for Pods {
    fn resources(&self) -> &'static [Resource] {
        &RESOURCES
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        if object.kind() == "Pod" {
            self.add_pod(object, redactor);
        } else {
            self.add_workload(object);
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        let why: Arc<str> = format!("{} could not be listed: {reason}", resource.plural).into();
        if matches!(resource.kind, "ReplicaSet" | "Job") {
            self.owners.unread.insert(resource.kind, Arc::clone(&why));
        }
        self.unread.push((resource.plural, why));
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        for (plural, why) in std::mem::take(&mut self.unread) {
            target.gap(plural, &*why, "pods, their containers, and whose they are");
            target.incomplete(&POD, &*why);
            target.incomplete(&CONTAINER, &*why);
        }
        Finish { ids: HashSet::new(), target }.all(*self);
    }
}

/// The namespace of an object: a file's that names none is `default`.
fn namespace<'a>(object: Object<'a>) -> &'a str {
    match cut(object.namespace()) {
        "" => "default",
        namespace => namespace,
    }
}

impl Pods {
    fn add_pod(&mut self, object: Object<'_>, redactor: &Redactor) {
        let json = Node::of(object.json);
        let owner = match controller(json.get("metadata")) {
            // A kubelet's mirror of a file: the node makes it anew, but no controller does.
            Ok(Some(owner)) if owner.is("", "Node") => Ok(None),
            owner => owner,
        };
        let owned = matches!(owner, Ok(Some(_)));
        let of_set = match &owner {
            Ok(Some(owner)) if owner.is("apps", "StatefulSet") => Some(object.name()),
            _ => None,
        };
        let seen = Seen::of(object.json, object.name(), owned, object.place.positions.is_some());
        let key = self.hashes.of_pod(object.json, &(&owner, seen.live), owned, of_set);
        if let Some(group) = self.groups.get_mut(&key) {
            group.seen.merge(seen);
            return;
        }
        let spot = Spot::new(object.place, "");
        let given = Given { namespace: namespace(object), of_set, redactor };
        let mut built = pod::read(json, &spot, &given);
        built.pod.set("api", cut(object.api_version()), spot.source("apiVersion"));
        built.pod.set("labels", value(shared_labels(json, owned)), spot.source("metadata.labels"));
        let deadline = json.at(&["spec", "activeDeadlineSeconds"]).int();
        built.pod.set("active_deadline", value(deadline), spot.source("spec.activeDeadlineSeconds"));
        let group = Group {
            namespace: namespace(object).into(),
            namespaced: !object.namespace().is_empty() || object.place.positions.is_none(),
            owner,
            built,
            spot,
            seen,
        };
        self.groups.insert(key, group);
    }

    fn add_workload(&mut self, object: Object<'_>) {
        // The old group's are what they became.
        let group = if object.group() == "extensions" { "apps" } else { object.group() };
        let this = Owner::new(group, object.kind(), cut(object.name()));
        let namespace = namespace(object);
        let owner = controller(Node::of(&object.json["metadata"]));
        let owned = matches!(owner, Ok(Some(_)));
        if matches!(object.kind(), "ReplicaSet" | "Job") {
            self.owners.add(namespace, this.clone(), owner);
            if owned {
                return;
            }
        }
        self.templates.insert((namespace.into(), this.shown().into(), this.name), Template::of(object));
    }
}

/// The labels that pods which are alike share.
fn shared_labels(json: Node<'_>, owned: bool) -> Read<Value> {
    let labels = pod::pairs(json.at(&["metadata", "labels"]))?;
    let Value::List(labels) = labels else { return Ok(labels) };
    let own = |label: &Value| {
        let key = label.as_str().and_then(|label| label.split_once('=')).map(|(key, _)| key);
        owned && key.is_some_and(is_of_instance)
    };
    Ok(Value::List(labels.into_iter().filter(|label| !own(label)).collect()))
}

/// Putting components into the target.
struct Finish<'t> {
    ids: HashSet<String>,
    target: &'t mut Target,
}

impl Finish<'_> {
    fn all(&mut self, pods: Pods) {
        let Pods { hashes, groups, owners, templates, .. } = pods;
        let mut workloads: BTreeMap<Key, (Way, Vec<Group>)> = BTreeMap::new();
        let mut naked: BTreeMap<Box<str>, Vec<Group>> = BTreeMap::new();
        for group in groups.into_values() {
            match &group.owner {
                Ok(Some(owner)) => {
                    let way = owners.way(&group.namespace, owner);
                    let key = (group.namespace.clone(), way.top.shown().into(), stable_name(&way, &group.seen));
                    workloads.entry(key).or_insert_with(|| (way, Vec::new())).1.push(group);
                }
                _ => naked.entry(group.namespace.clone()).or_default().push(group),
            }
        }
        for groups in naked.into_values() {
            let mut groups = merged(groups, &hashes);
            groups.sort_by(|a, b| a.seen.first.cmp(&b.seen.first));
            groups.into_iter().for_each(|group| self.naked(group));
        }
        for (key, (way, groups)) in &mut workloads {
            for group in merged(std::mem::take(groups), &hashes) {
                self.owned(group, key, way, templates.get(key));
            }
        }
        // Compiled where there is something for it to read; templates come after everything that was added.
        let redactor = std::cell::LazyCell::new(Redactor::new);
        for (key, template) in templates.iter().filter(|(key, _)| !workloads.contains_key(*key)) {
            self.template(key, template, &redactor);
        }
    }

    fn naked(&mut self, group: Group) {
        let Group { namespace, namespaced, owner, mut built, spot, seen, .. } = group;
        let unknown = owner.err();
        let name = seen.first.clone();
        let pod = &mut built.pod;
        let is_static = pod.value("static_pod").clone();
        let of = |known: Value| unknown.clone().map_or(known, Value::Unknown);
        let owners = spot.source("metadata.ownerReferences");
        let naked = match &is_static {
            Value::Bool(is_static) => Value::Bool(!is_static),
            other => other.clone(),
        };
        pod.set("workload", of(format!("Pod/{name}").into()), owners.clone());
        pod.set("workload_kind", of("Pod".into()), owners.clone());
        pod.set("owner_kinds", of(Value::List(Vec::new())), owners.clone());
        pod.set("naked", of(naked), owners.clone());
        pod.set("replicas", of(Value::Null), owners.clone());
        pod.set("ttl_after_finished", of(Value::Null), owners);
        seen.fill(&mut built, &spot);
        let pinned = match is_static {
            Value::Bool(true) => Value::Bool(true),
            _ if seen.live => Value::unknown("of a live pod it cannot be told from what the scheduler wrote"),
            _ => named_node(&built),
        };
        built.pod.set("node_pinned", pinned, spot.source("spec.nodeName"));
        self.put(built, &spot, &format!("Pod/{namespace}/{name}"), &format!("{namespace}/{name}"), namespaced);
    }

    fn owned(&mut self, group: Group, (_, kind, name): &Key, way: &Way, template: Option<&Template>) {
        let Group { namespace, namespaced, mut built, spot, seen, .. } = group;
        let source = spot.source("metadata.ownerReferences");
        let pod = &mut built.pod;
        let of = |known: Value| way.unknown.clone().map_or(known, Value::Unknown);
        pod.set("workload", of(format!("{kind}/{name}").into()), source.clone());
        pod.set("workload_kind", of((&**kind).into()), source.clone());
        pod.set("owner_kinds", of(Value::strings(way.kinds.iter().map(String::as_str))), source.clone());
        pod.set("naked", false, source.clone());
        workload_facts(&mut built, template, &spot);
        seen.fill(&mut built, &spot);
        self.put(built, &spot, &format!("{kind}/{namespace}/{name}"), &format!("{namespace}/{name}"), namespaced);
    }

    fn template(&mut self, (namespace, kind, name): &Key, template: &Template, redactor: &Redactor) {
        let json = template.json();
        let json = Node::of(&json);
        let spot = Spot::new(&template.place, template.prefix);
        let mut built = pod::read(json, &spot, &Given { namespace, of_set: None, redactor });
        let whole = Spot::new(&template.place, "");
        let pod = &mut built.pod;
        pod.set("api", &*template.api, whole.source("apiVersion"));
        pod.set("labels", value(shared_labels(json, false)), spot.source("metadata.labels"));
        pod.set("workload", format!("{kind}/{name}"), whole.source("metadata.name"));
        pod.set("workload_kind", &**kind, whole.source("kind"));
        pod.set("owner_kinds", Value::strings([&**kind]), whole.source("kind"));
        pod.set("naked", false, whole.source("kind"));
        let deadline = json.at(&["spec", "activeDeadlineSeconds"]).int();
        pod.set("active_deadline", value(deadline), spot.source("spec.activeDeadlineSeconds"));
        workload_facts(&mut built, Some(template), &spot);
        not_live(&mut built, &spot);
        let id = format!("{kind}/{namespace}/{name}");
        self.put(built, &spot, &id, &format!("{namespace}/{name}"), template.namespaced);
    }

    /// Names a pod and its containers, each by an id of its own, and puts them into the target.
    fn put(&mut self, built: Built, spot: &Spot, id: &str, name: &str, namespaced: bool) {
        let Built { mut pod, containers, cut } = built;
        let ordinal = |text: &str, n: usize| if n == 1 { text.to_owned() } else { format!("{text}~{n}") };
        let n = (1..).find(|&n| !self.ids.contains(&ordinal(id, n))).unwrap_or(1);
        let (id, name) = (ordinal(id, n), ordinal(name, n));
        pod.set("name", name.rsplit_once('/').map_or(&*name, |(_, name)| name), spot.source("metadata.name"));
        let default = match (namespaced, pod.value("namespace").as_str()) {
            (false, _) => Value::unknown("the file names no namespace: who applies it decides"),
            (true, namespace) => Value::Bool(namespace == Some("default")),
        };
        pod.set("in_default_namespace", default, spot.source("metadata.namespace"));
        if let Some(reason) = cut {
            self.target.incomplete(&CONTAINER, format!("{id}: {reason}"));
        }
        let workload = pod.fact("workload").clone();
        let mut taken = HashSet::new();
        for mut container in containers {
            let base = if container.name.is_empty() { "container".to_owned() } else { container.name.to_string() };
            let own = (1..).map(|n| ordinal(&base, n)).find(|own| !taken.contains(own)).unwrap_or(base);
            container.set("pod", id.as_str(), spot.source("metadata.name"));
            container.set("workload", workload.value.clone(), workload.source.clone());
            container.id = format!("{id}/{own}").into();
            container.name = format!("{name}/{own}").into();
            taken.insert(own);
            self.target.components.push(container);
        }
        pod.id = id.as_str().into();
        pod.name = name.into();
        self.ids.insert(id);
        self.target.components.push(pod);
    }
}

/// The name of the top, without the end that every revision of a ReplicaSet has where the Deployment is not known.
fn stable_name(way: &Way, seen: &Seen) -> Box<str> {
    let name = &way.top.name;
    let hash = seen.template_hash.as_deref().filter(|_| way.unknown.is_some());
    let stem = hash.and_then(|hash| name.strip_suffix(hash)).and_then(|stem| stem.strip_suffix('-'));
    stem.filter(|stem| !stem.is_empty()).map_or_else(|| name.clone(), Box::from)
}

/// Those of one workload that are alike by their facts together, the most numerous first.
fn merged(groups: Vec<Group>, hashes: &Hashes) -> Vec<Group> {
    let mut by_facts: HashMap<u128, Group> = HashMap::new();
    for group in groups {
        match by_facts.entry(hashes.of_facts(&group.built)) {
            std::collections::hash_map::Entry::Occupied(mut known) => known.get_mut().seen.merge(group.seen),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(group);
            }
        }
    }
    let mut out: Vec<Group> = by_facts.into_values().collect();
    out.sort_by(|a, b| b.seen.instances.cmp(&a.seen.instances).then_with(|| a.seen.first.cmp(&b.seen.first)));
    out
}

/// What the workload says beside its template.
fn workload_facts(built: &mut Built, template: Option<&Template>, spot: &Spot) {
    let whole = template.map_or_else(|| spot.clone(), |template| Spot::new(&template.place, ""));
    let of = |read: Option<Value>| read.unwrap_or_else(|| Value::unknown("the workload was not read"));
    let pod = &mut built.pod;
    pod.set("replicas", of(template.map(|t| value(t.replicas.clone()))), whole.source("spec.replicas"));
    pod.set("node_pinned", of(template.map(|t| value(t.pinned.clone()))), whole.source("spec.template.spec.nodeName"));
    let ttl = of(template.map(|t| value(t.ttl.clone())));
    pod.set("ttl_after_finished", ttl, whole.source("spec.ttlSecondsAfterFinished"));
    if pod.value("active_deadline") == &Value::Null {
        let deadline = of(template.map(|t| value(t.deadline.clone())));
        pod.set("active_deadline", deadline, whole.source("spec.activeDeadlineSeconds"));
    }
}

/// Whether a pod that was only written down names its node.
fn named_node(built: &Built) -> Value {
    match built.pod.value("nodes") {
        Value::List(nodes) if nodes.iter().any(Value::is_unknown) => nodes[0].clone(),
        Value::List(nodes) => Value::Bool(!nodes.is_empty()),
        other => other.clone(),
    }
}

/// The facts of what no pod exists of.
fn not_live(built: &mut Built, spot: &Spot) {
    let none = || Value::List(Vec::new());
    let pod = &mut built.pod;
    pod.set("live", false, spot.source(""));
    pod.set("running", false, spot.source(""));
    pod.set("instances", 0, spot.source(""));
    pod.set("phases", none(), spot.source(""));
    pod.set("nodes", none(), spot.source(""));
    let claims = match pod.value("volumes") {
        Value::List(volumes) => {
            let of_claims = |v: &&Value| v.field("type").and_then(Value::as_str) == Some("persistentVolumeClaim");
            pod::once(volumes.iter().filter(of_claims).filter_map(|v| v.field("source").cloned()))
        }
        other => other.clone(),
    };
    pod.set("claims", claims, spot.source("spec.volumes"));
    for container in &mut built.containers {
        container.set("live", false, spot.source(""));
        container.set("running", false, spot.source(""));
        container.set("image_ids", none(), spot.source(""));
    }
}
