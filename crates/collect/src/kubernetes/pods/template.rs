//! Templates of workloads, kept as text until it is known whether pods of them exist.

use serde_json::{Value as Json, json};

use super::super::object::{Object, Place};
use super::read::{Node, Read, cut};

/// A workload with its template.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) place: Place,
    /// Where in the object it stands.
    pub(super) prefix: &'static str,
    pub(super) api: Box<str>,
    /// Whether the object says which namespace it lies in, or where it was read does.
    pub(super) namespaced: bool,
    text: Vec<u8>,
    /// How many pods it asks for.
    pub(super) replicas: Read<Option<i64>>,
    /// Whether it names a node.
    pub(super) pinned: Read<bool>,
    /// How long a Job may run, and is kept after its end.
    pub(super) deadline: Read<Option<i64>>,
    pub(super) ttl: Read<Option<i64>>,
}

impl Template {
    /// The template of an object of one of the workloads' kinds.
    pub(super) fn of(object: Object<'_>) -> Self {
        let json = Node::of(object.json);
        let prefix = match object.kind() {
            "CronJob" => "spec.jobTemplate.spec.template",
            "PodTemplate" => "template",
            _ => "spec.template",
        };
        let template = json.at(&prefix.split('.').collect::<Vec<_>>());
        let job = match object.kind() {
            "Job" => json.get("spec"),
            "CronJob" => json.at(&["spec", "jobTemplate", "spec"]),
            _ => Node::None,
        };
        let counted = |field: &str| json.get("spec").get(field).int().map(|n| Some(n.unwrap_or(1)));
        let replicas = match object.kind() {
            "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" => counted("replicas"),
            "Job" => counted("parallelism"),
            _ => Ok(None),
        };
        Self {
            place: object.place.clone(),
            prefix,
            api: cut(object.api_version()).into(),
            namespaced: !object.namespace().is_empty() || object.place.positions.is_none(),
            text: text_of(template),
            replicas,
            pinned: template.at(&["spec", "nodeName"]).filled().map(|name| name.is_some()),
            deadline: job.get("activeDeadlineSeconds").int(),
            ttl: job.get("ttlSecondsAfterFinished").int(),
        }
    }

    /// The template's own text.
    pub(super) fn json(&self) -> Json {
        serde_json::from_slice(&self.text).unwrap_or(Json::Null)
    }
}

/// What is read of a template; of one of another type nothing is left, and all of it is unknown.
fn text_of(template: Node<'_>) -> Vec<u8> {
    let Node::Is(json) = template else { return b"{}".to_vec() };
    let meta = &json["metadata"];
    let kept = json!({
        "metadata": {"labels": meta["labels"], "annotations": meta["annotations"]},
        "spec": json["spec"],
    });
    kept.to_string().into_bytes()
}
