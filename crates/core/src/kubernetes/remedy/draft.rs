//! What is to become of a pod's specification, collected piece by piece and then put where its workload has it.

use serde_json::{Map, Value as Json, json};

use super::{Act, Form, ObjectRef, Proposal, text};
use crate::component::Component;

/// Why something is not patched where it is.
const NAKED: &str = "a pod that nobody controls cannot be changed while it runs: change its manifest, delete it and \
                     create it anew, best by a Deployment";
const OF_A_JOB: &str = "the template of a Job cannot be changed: change its manifest, delete it and create it anew";
const STATIC: &str = "the kubelet of its node makes it of a file: change that, and it is made anew";
const OF_ANOTHER: &str = "its controller is none of Kubernetes' own: change what that makes it of";

/// Where a workload's kind has its pods' specification, by its group and version.
const TEMPLATES: [(&str, &str, &[&str]); 7] = [
    ("Deployment", "apps/v1", &["spec", "template"]),
    ("StatefulSet", "apps/v1", &["spec", "template"]),
    ("DaemonSet", "apps/v1", &["spec", "template"]),
    ("ReplicaSet", "apps/v1", &["spec", "template"]),
    ("ReplicationController", "v1", &["spec", "template"]),
    ("CronJob", "batch/v1", &["spec", "jobTemplate", "spec", "template"]),
    ("PodTemplate", "v1", &["template"]),
];

/// Changes of one pod.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) of: &'a Component,
    pub(super) containers: Vec<&'a Component>,
    workload: Json,
    job: Json,
    meta: Json,
    spec: Json,
    /// Containers by their list and name.
    pieces: Vec<(&'static str, &'a str, Json)>,
    /// Operations below the specification.
    operations: Vec<(&'static str, String, Json)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(of: &'a Component, containers: Vec<&'a Component>) -> Self {
        let empty = || Json::Object(Map::new());
        Self {
            of,
            containers,
            workload: empty(),
            job: empty(),
            meta: empty(),
            spec: empty(),
            pieces: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// Lays something over the workload itself.
    pub(super) fn workload(&mut self, over: &Json) {
        lay(&mut self.workload, over);
    }

    /// Lays something over the specification of the Job.
    pub(super) fn job(&mut self, over: &Json) {
        lay(&mut self.job, over);
    }

    /// Lays something over the metadata of the template.
    pub(super) fn meta(&mut self, over: &Json) {
        lay(&mut self.meta, over);
    }

    /// Lays something over the pod's specification.
    pub(super) fn pod(&mut self, over: &Json) {
        lay(&mut self.spec, over);
    }

    /// Lays something over a container. One that was added while the pod ran cannot be changed.
    pub(super) fn container(&mut self, container: &'a Component, over: &Json) {
        let Some(name) = text(container, "name") else { return };
        let list = match text(container, "kind") {
            Some("regular") => "containers",
            Some("init" | "sidecar") => "initContainers",
            _ => return,
        };
        match self.pieces.iter_mut().find(|(_, other, _)| *other == name) {
            Some((_, _, piece)) => lay(piece, over),
            None => {
                let mut piece = json!({ "name": name });
                lay(&mut piece, over);
                self.pieces.push((list, name, piece));
            }
        }
    }

    /// Adds an operation on something below the pod's specification: `/tolerations/0`.
    pub(super) fn operation(&mut self, op: &'static str, path: String, value: Json) {
        self.operations.push((op, path, value));
    }

    /// The container of a name.
    pub(super) fn named(&self, name: &str) -> Option<&'a Component> {
        self.containers.iter().copied().find(|container| text(container, "name") == Some(name))
    }

    /// Where all that goes.
    pub(super) fn finish(mut self) -> Vec<Proposal> {
        for (list, _, piece) in std::mem::take(&mut self.pieces) {
            lay(&mut self.spec, &json!({ list: [piece] }));
        }
        let Some(namespace) = text(self.of, "namespace") else { return Vec::new() };
        let known = text(self.of, "workload").zip(text(self.of, "workload_kind"));
        // As long as it is not known who is at the top, whatever is patched may be put back.
        let Some((workload, kind)) = known else { return Vec::new() };
        let Some((_, name)) = workload.rsplit_once('/') else { return Vec::new() };
        let mut out = Vec::new();
        let template = self.template();
        let Some((_, api, path)) = TEMPLATES.iter().find(|(of, _, _)| *of == kind) else {
            return self.pinned(namespace, kind, name, template);
        };
        let object = ObjectRef::new(api, kind, namespace, name);
        let mut body = within(path, template);
        if !is_empty(&self.job) && kind == "CronJob" {
            lay(&mut body, &within(&["spec", "jobTemplate", "spec"], self.job));
        }
        lay(&mut body, &self.workload);
        if !is_empty(&body) {
            out.push(Proposal { object: object.clone(), act: Act::Patch(Form::Strategic, body) });
        }
        if !self.operations.is_empty() {
            let above = format!("/{}/spec", path.join("/"));
            let operations = self.operations.into_iter().map(|(op, path, value)| operation(op, &above, &path, value));
            out.push(Proposal { object, act: Act::Patch(Form::Operations, Json::Array(operations.collect())) });
        }
        out
    }

    /// The template's part of a patch.
    fn template(&mut self) -> Json {
        let mut template = Json::Object(Map::new());
        for (key, of) in [("metadata", &mut self.meta), ("spec", &mut self.spec)] {
            if !is_empty(of) {
                template[key] = of.take();
            }
        }
        template
    }

    /// What is changed where it is written down, not in the cluster.
    fn pinned(self, namespace: &str, kind: &str, name: &str, template: Json) -> Vec<Proposal> {
        let (api, why) = match kind {
            "Job" => ("batch/v1", OF_A_JOB),
            "Pod" | "Node" if self.of.value("static_pod").as_bool() == Some(true) || kind == "Node" => ("v1", STATIC),
            "Pod" => ("v1", NAKED),
            _ => ("", OF_ANOTHER),
        };
        let mut out = Vec::new();
        // The pod's own name tells more than its node's.
        let (kind, name) = if kind == "Node" { ("Pod", text(self.of, "name").unwrap_or(name)) } else { (kind, name) };
        let object = ObjectRef::new(api, kind, namespace, name);
        if kind == "Job" && !is_empty(&self.job) {
            let body = json!({ "spec": self.job });
            out.push(Proposal { object: object.clone(), act: Act::Patch(Form::Strategic, body) });
        }
        if !is_empty(&template) {
            let piece = if kind == "Job" { json!({ "spec": { "template": template } }) } else { template };
            out.push(Proposal { object, act: Act::Piece(piece, why) });
        }
        out
    }
}

fn operation(op: &str, above: &str, path: &str, value: Json) -> Json {
    let path = format!("{above}{path}");
    if op == "remove" { json!({ "op": op, "path": path }) } else { json!({ "op": op, "path": path, "value": value }) }
}

fn is_empty(json: &Json) -> bool {
    json.as_object().is_none_or(Map::is_empty)
}

/// Something within fields; nothing where there is nothing.
fn within(path: &[&str], inner: Json) -> Json {
    if is_empty(&inner) {
        return Json::Object(Map::new());
    }
    path.iter().rev().fold(inner, |inner, key| json!({ *key: inner }))
}

/// Lays one patch over another: fields beside fields, elements behind elements.
pub(super) fn lay(base: &mut Json, over: &Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(known) if key.starts_with("$deleteFromPrimitiveList/") => join(known, value),
                    Some(known) => lay(known, value),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Json::Array(base), Json::Array(over)) if over.iter().all(Json::is_object) => {
            base.extend(over.iter().filter(|item| !base.contains(item)).cloned().collect::<Vec<_>>());
        }
        (base, over) => *base = over.clone(),
    }
}

/// Puts the elements of a list behind those of another.
fn join(base: &mut Json, over: &Json) {
    if let (Json::Array(base), Json::Array(over)) = (base, over) {
        base.extend(over.iter().filter(|item| !base.contains(item)).cloned().collect::<Vec<_>>());
    }
}
