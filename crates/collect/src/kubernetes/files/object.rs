//! Which documents are objects that somebody reads, and what is asked of them before they are handed on.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::removed;
use crate::docker::history::within;
use crate::kubernetes::gather::{Resource, gatherers};

/// The longest name that the API server takes.
const LONGEST_NAME: usize = 253;

/// Fields in which braces are the application's own.
const FREE: [&str; 8] = ["annotations", "labels", "args", "command", "env", "data", "stringData", "status"];

/// Kinds that hold texts of applications.
const TEXTS: [&str; 2] = ["ConfigMap", "Secret"];

/// Every kind that a gatherer reads, by group and kind.
static WANTED: LazyLock<HashMap<(&'static str, &'static str), Resource>> = LazyLock::new(|| {
    let all = gatherers();
    let resources = all.iter().flat_map(|gatherer| gatherer.resources());
    resources.map(|resource| ((resource.group, resource.kind), *resource)).collect()
});

/// Why a document is not handed on.
pub(super) enum Refused {
    /// It is no object of Kubernetes.
    NoObject,
    /// It is of a kind that nothing reads.
    OtherKind(String),
    /// It is an object that cannot be read.
    Wrong((&'static str, &'static str), String),
}

/// What an object is; one of a namespace that names none is of `default`.
pub(super) fn accept(json: &mut Json) -> Result<Resource, Refused> {
    let (Some(api_version), Some(kind)) = (json["apiVersion"].as_str(), json["kind"].as_str()) else {
        return Err(Refused::NoObject);
    };
    if api_version.is_empty() || kind.is_empty() {
        return Err(Refused::NoObject);
    }
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let all: &HashMap<(&str, &str), Resource> = &WANTED;
    let Some(resource) = all.get(&(group, kind)).copied() else {
        // Objects of tools that run before a cluster.
        if matches!(group, "kustomize.config.k8s.io" | "skaffold" | "helm.toolkit.fluxcd.io") {
            return Err(Refused::NoObject);
        }
        return Err(older(api_version, kind));
    };
    let wrong = |why: String| Err(Refused::Wrong((resource.group, resource.kind), why));
    if !resource.versions.contains(&version) {
        return wrong(format!(
            "{kind} of version {} is not read, only of {}",
            within(version, 40),
            resource.versions.join(", ")
        ));
    }
    if !TEXTS.contains(&kind) && is_template(json) {
        return wrong(format!("it is a template that nobody rendered; {}", super::RENDER));
    }
    let meta = &json["metadata"];
    let name = meta["name"].as_str().filter(|name| !name.is_empty()).or_else(|| meta["generateName"].as_str());
    match name {
        None | Some("") => return wrong(format!("a {kind} without a name, which no API server takes")),
        Some(name) if name.len() > LONGEST_NAME => {
            return wrong(format!(
                "a {kind} whose name is longer than {LONGEST_NAME} characters, which no API server takes"
            ));
        }
        Some(_) => {}
    }
    match &meta["namespace"] {
        Json::String(namespace) if namespace.len() > LONGEST_NAME => {
            return wrong(format!("a {kind} whose namespace is longer than {LONGEST_NAME} characters"));
        }
        Json::String(namespace) if !namespace.is_empty() || !resource.namespaced => {}
        Json::String(_) | Json::Null if resource.namespaced => {
            if let Some(meta) = json["metadata"].as_object_mut() {
                meta.insert("namespace".to_owned(), Json::from("default"));
            }
        }
        Json::Null => {}
        _ => return wrong(format!("a {kind} whose namespace is no text")),
    }
    Ok(resource)
}

/// An object of a kind that nothing reads under this name: that of an API that was taken away may stand for one that is
/// read, so that it is missing there.
fn older(api_version: &str, kind: &str) -> Refused {
    let successor = removed::of(api_version, kind).and_then(|removed| {
        let group = removed.instead.rsplit_once('/').map_or("", |(group, _)| group);
        let all: &HashMap<(&str, &str), Resource> = &WANTED;
        Some((all.get(&(group, kind)).filter(|_| !removed.instead.is_empty())?, removed))
    });
    match successor {
        Some((resource, removed)) => Refused::Wrong(
            (resource.group, resource.kind),
            format!(
                "{kind} of {api_version} is not served since 1.{}; write it for {}",
                removed.since, removed.instead
            ),
        ),
        None => Refused::OtherKind(within(kind, 64).to_owned()),
    }
}

/// Whether a text where the API wants its own words is a variable of a template.
fn is_template(json: &Json) -> bool {
    match json {
        Json::String(text) => text.contains("{{") || text.contains("{%") || text.contains("${"),
        Json::Array(items) => items.iter().any(is_template),
        Json::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains("{{") || (!FREE.contains(&key.as_str()) && is_template(value))),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// What an object is told apart by.
pub(super) struct Identity {
    pub resource: Resource,
    /// None of those whose names the API server makes.
    pub name: Option<(String, String)>,
    /// Of its content.
    pub hash: u64,
}

impl Identity {
    pub fn shown(&self) -> String {
        let name = self.name.as_ref().map_or("", |(_, name)| name);
        format!("{} {name}", self.resource.kind)
    }
}

pub(super) fn identity(resource: Resource, json: &Json) -> Identity {
    let meta = &json["metadata"];
    let text = |field: &str| meta[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let name = text("name").map(|name| (text("namespace").unwrap_or_default(), name));
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    Identity { resource, name, hash: hasher.finish() }
}
