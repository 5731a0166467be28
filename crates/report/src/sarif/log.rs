//! The parts of a SARIF log that are written.

use std::borrow::Cow;

use serde::Serialize;

#[derive(Serialize)]
pub struct Message {
    pub text: String,
}

#[derive(Serialize)]
pub struct Automation {
    pub id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    pub execution_successful: bool,
    pub end_time_utc: String,
    pub tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
pub struct Notification {
    pub descriptor: Descriptor,
    pub level: &'static str,
    pub message: Message,
}

#[derive(Serialize)]
pub struct Descriptor {
    pub id: &'static str,
}

impl Notification {
    pub fn new(id: &'static str, level: &'static str, text: &str) -> Self {
        Self { descriptor: Descriptor { id }, level, message: Message { text: super::literal(text) } }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultOut<'r> {
    pub rule_id: Cow<'r, str>,
    pub rule_index: usize,
    pub kind: &'static str,
    pub level: &'static str,
    pub message: Message,
    pub locations: [Location<'r>; 1],
    pub partial_fingerprints: Fingerprints,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressions: Option<Vec<Suppression>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taxa: Vec<Reference<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_flows: Vec<CodeFlow<'r>>,
}

/// What is meant in a taxonomy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference<'r> {
    pub id: &'r str,
    pub tool_component: Named,
}

/// A taxonomy by its name and place.
#[derive(Clone, Copy, Serialize)]
pub struct Named {
    pub name: &'static str,
    pub index: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeFlow<'r> {
    pub message: Message,
    pub thread_flows: [ThreadFlow<'r>; 1],
}

#[derive(Serialize)]
pub struct ThreadFlow<'r> {
    pub locations: Vec<Step<'r>>,
}

/// A place on a path.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step<'r> {
    pub location: Location<'r>,
    pub execution_order: usize,
    pub importance: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taxa: Vec<Reference<'r>>,
}

#[derive(Serialize)]
pub struct Fingerprints {
    /// What GitHub tells results apart by.
    #[serde(rename = "primaryLocationLineHash")]
    pub line: String,
    /// The same as in the JSON report.
    #[serde(rename = "seaworthy/v1")]
    pub own: String,
}

#[derive(Serialize)]
pub struct Suppression {
    pub kind: &'static str,
    pub status: &'static str,
    pub justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Location<'r> {
    pub physical_location: Physical,
    pub logical_locations: [LogicalLocation<'r>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Physical {
    pub artifact_location: Artifact,
    pub region: Region,
}

#[derive(Serialize)]
pub struct Artifact {
    pub uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Region {
    pub start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogicalLocation<'r> {
    pub name: String,
    pub kind: &'r str,
    pub fully_qualified_name: String,
}
