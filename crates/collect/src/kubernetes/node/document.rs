//! Documents of configuration, YAML or JSON, as the components' own reader takes them.

use serde_json::Value as Json;

use crate::kubernetes::yaml;

/// The first document of a file; components read no other.
///
/// # Errors
/// Why it could not be read, in one line.
pub(super) fn parse(bytes: &[u8]) -> Result<Json, String> {
    let mut first = None;
    yaml::documents(bytes, |document| {
        first.get_or_insert(document);
    })?;
    match first {
        Some(Ok(document)) => Ok(document.json),
        Some(Err(broken)) => Err(format!("it cannot be read: line {}: {}", broken.line, broken.reason)),
        None => Err("it is empty".to_owned()),
    }
}
