//! What a kustomization says about the files beside it.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::kubernetes::yaml;

/// A kustomization's file, by name.
pub(super) fn is_named_so(name: &str) -> bool {
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// What it does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kustomization {
    /// Every text in it that is not a resource: where such a file lies beside it, it is a patch or the like.
    pub named: HashSet<String>,
    /// Whether it changes the objects that it names.
    pub changes: bool,
    /// Whether it makes objects of its own, or fetches some.
    pub makes: bool,
}

/// Fields that change nothing.
const PLAIN: [&str; 6] = ["apiVersion", "kind", "metadata", "resources", "bases", "openapi"];

/// Fields that make objects.
const MAKERS: [&str; 6] =
    ["generators", "configMapGenerator", "secretGenerator", "helmCharts", "helmChartInflationGenerator", "components"];

/// Reads one; none where it cannot be read.
pub(super) fn read(bytes: &[u8]) -> Option<Kustomization> {
    let mut found = Kustomization::default();
    let mut is_broken = false;
    let done = yaml::documents(bytes, |read| match read {
        Ok(document) => found.add(&document.json),
        Err(_) => is_broken = true,
    });
    (done.is_ok() && !is_broken).then_some(found)
}

impl Kustomization {
    fn add(&mut self, json: &Json) {
        let Some(fields) = json.as_object() else { return };
        for (field, value) in fields {
            if MAKERS.contains(&field.as_str()) {
                self.makes = true;
            } else if !PLAIN.contains(&field.as_str()) {
                self.changes = true;
            }
            if !PLAIN.contains(&field.as_str()) {
                self.texts(value);
            } else if matches!(field.as_str(), "resources" | "bases") {
                let is_remote = |text: &Json| {
                    text.as_str().is_some_and(|t| t.contains("://") || t.contains('?') || t.starts_with("git@"))
                };
                self.makes |= value.as_array().is_some_and(|all| all.iter().any(is_remote));
            }
        }
    }

    fn texts(&mut self, value: &Json) {
        match value {
            Json::String(text) => {
                self.named.insert(text.strip_prefix("./").unwrap_or(text).to_owned());
            }
            Json::Array(items) => items.iter().for_each(|item| self.texts(item)),
            Json::Object(fields) => fields.values().for_each(|value| self.texts(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}
