//! What pods that are alike say one by one: nodes, phases, images, their own labels and claims.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::alike::is_of_instance;
use super::pod::Built;
use super::read::{MOST_ITEMS, Node, Read, cut, other_type};
use super::sheet::Spot;

/// The most labels of instances and claims that are named of one group.
const MOST_OWN: usize = 64;
/// The most images that one container of a group is seen to run.
const MOST_IMAGES: usize = 8;

/// Texts, and why there may be more.
#[derive(Clone, Debug, Default)]
struct Set {
    known: BTreeSet<Box<str>>,
    unknown: Option<Arc<str>>,
}

impl Set {
    fn add(&mut self, text: Read<Option<&str>>, most: usize) {
        match text {
            Ok(None) => {}
            Ok(Some(text)) if self.known.len() < most || self.known.contains(text) => {
                self.known.insert(text.into());
            }
            Ok(Some(_)) => {
                self.unknown.get_or_insert_with(|| format!("only {most} are named").into());
            }
            Err(reason) => {
                self.unknown.get_or_insert(reason);
            }
        }
    }

    fn merge(&mut self, other: Self, most: usize) {
        for text in other.known {
            self.add(Ok(Some(&text)), most);
        }
        if let Some(reason) = other.unknown {
            self.unknown.get_or_insert(reason);
        }
    }

    fn values(&self) -> Vec<Value> {
        let known = self.known.iter().map(|text| Value::Str(text.clone()));
        known.chain(self.unknown.clone().map(Value::Unknown)).collect()
    }
}

/// What was seen of pods that are alike.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The first of their names, in order.
    pub(super) first: Box<str>,
    pub(super) instances: i64,
    /// Whether they exist, and are not only written down.
    pub(super) live: bool,
    /// Value of the label by which a ReplicaSet's name ends.
    pub(super) template_hash: Option<Box<str>>,
    nodes: Set,
    phases: Set,
    own_labels: Set,
    claims: Set,
    images: BTreeMap<Box<str>, Set>,
}

impl Seen {
    /// What one pod says.
    pub(super) fn of(json: &Json, name: &str, owned: bool, from_file: bool) -> Self {
        let doc = Node::of(json);
        let phase = doc.at(&["status", "phase"]).filled().map(|phase| phase.map(cut));
        let labels = doc.at(&["metadata", "labels"]);
        let mut out = Self {
            first: cut(name).into(),
            instances: 1,
            live: !from_file || matches!(phase, Ok(Some(_))),
            template_hash: labels.get("pod-template-hash").filled().ok().flatten().map(|hash| cut(hash).into()),
            nodes: Set::default(),
            phases: Set::default(),
            own_labels: Set::default(),
            claims: Set::default(),
            images: BTreeMap::new(),
        };
        out.nodes.add(doc.at(&["spec", "nodeName"]).filled().map(|node| node.map(cut)), usize::MAX);
        out.phases.add(phase, MOST_IMAGES);
        if let (true, Ok(Some(map))) = (owned, labels.map()) {
            for (key, text) in map.iter().filter(|(key, _)| is_of_instance(key)) {
                let label = text.as_str().map(|text| format!("{key}={}", cut(text))).ok_or_else(other_type);
                out.own_labels.add(label.as_deref().map(Some).map_err(Arc::clone), MOST_OWN);
            }
        }
        out.claims(doc, name);
        out.images(doc);
        out
    }

    /// The claims that its volumes name, and those that it brings along, which are called as it and the volume are.
    fn claims(&mut self, doc: Node<'_>, pod: &str) {
        match doc.at(&["spec", "volumes"]).list() {
            Ok(volumes) => {
                for volume in volumes.iter().take(MOST_ITEMS).map(Node::of) {
                    let claim = volume.at(&["persistentVolumeClaim", "claimName"]).filled();
                    self.claims.add(claim.map(|claim| claim.map(cut)), MOST_OWN);
                    if self.live && volume.get("ephemeral").is_there() {
                        let own = volume.get("name").filled().map(|name| name.map(|name| format!("{pod}-{name}")));
                        let own = own.as_ref().map(|own| own.as_deref().map(cut)).map_err(Arc::clone);
                        self.claims.add(own, MOST_OWN);
                    }
                }
            }
            Err(reason) => self.claims.add(Err(reason), MOST_OWN),
        }
    }

    fn images(&mut self, doc: Node<'_>) {
        for list in ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] {
            let statuses = doc.get("status").get(list).list().unwrap_or_default();
            for status in statuses.iter().take(MOST_ITEMS).map(Node::of) {
                let Ok(Some(name)) = status.get("name").text() else { continue };
                let image = status.get("imageID").filled().map(|image| image.map(cut));
                self.images.entry(cut(name).into()).or_default().add(image, MOST_IMAGES);
            }
        }
    }

    /// Adds what others say that are alike.
    pub(super) fn merge(&mut self, other: Self) {
        if other.first < self.first {
            self.first = other.first;
        }
        self.instances += other.instances;
        self.live |= other.live;
        self.nodes.merge(other.nodes, usize::MAX);
        self.phases.merge(other.phases, MOST_IMAGES);
        self.own_labels.merge(other.own_labels, MOST_OWN);
        self.claims.merge(other.claims, MOST_OWN);
        for (name, images) in other.images {
            self.images.entry(name).or_default().merge(images, MOST_IMAGES);
        }
    }

    /// Whether one of them has not ended.
    fn running(&self) -> Value {
        let ended = |phase: &str| matches!(phase, "Succeeded" | "Failed");
        if !self.live {
            return Value::Bool(false);
        }
        match (&self.phases.unknown, self.phases.known.iter().any(|phase| !ended(phase))) {
            (_, true) => Value::Bool(true),
            (Some(reason), false) => Value::Unknown(Arc::clone(reason)),
            (None, false) if self.phases.known.is_empty() => Value::unknown("its status names no phase"),
            (None, false) => Value::Bool(false),
        }
    }

    /// Sets the facts of pod and containers that come of it.
    pub(super) fn fill(&self, built: &mut Built, spot: &Spot) {
        let pod = &mut built.pod;
        let running = self.running();
        pod.set("live", self.live, spot.source("status"));
        pod.set("running", running.clone(), spot.source("status.phase"));
        pod.set("instances", if self.live { self.instances } else { 0 }, spot.source("metadata.name"));
        pod.set("phases", Value::List(self.phases.values()), spot.source("status.phase"));
        pod.set("nodes", Value::List(self.nodes.values()), spot.source("spec.nodeName"));
        pod.set("claims", Value::List(self.claims.values()), spot.source("spec.volumes"));
        if let Value::List(labels) = pod.value("labels") {
            let labels = labels.iter().cloned().chain(self.own_labels.values()).collect();
            pod.set("labels", Value::List(labels), spot.source("metadata.labels"));
        }
        for container in &mut built.containers {
            let images = self.images.get(&container.name).map(Set::values).unwrap_or_default();
            container.set("live", self.live, spot.source("status"));
            container.set("running", running.clone(), spot.source("status.phase"));
            container.set("image_ids", Value::List(images), spot.source("status.containerStatuses"));
        }
    }
}
