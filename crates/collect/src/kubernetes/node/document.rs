//! Documents of configuration, YAML or JSON.

use serde_json::Value as Json;

/// The first document of a file.
///
/// # Errors
/// Why it could not be read, in one line.
pub(super) fn parse(bytes: &[u8]) -> Result<Json, String> {
    serde_json::from_slice(bytes).map_err(|why| format!("it cannot be read: {why}"))
}
