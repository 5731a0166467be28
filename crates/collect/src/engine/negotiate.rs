//! Which version of the engine's API is spoken, and what kind of engine answers.

use std::fmt;

use serde_json::Value;

use super::failure::Failure;
use super::text::sanitize;

/// The oldest API that every fact is known for (Docker 20.10).
pub const OLDEST_API: ApiVersion = ApiVersion { major: 1, minor: 41 };
/// The newest API that this version of Seaworthy knows.
pub const NEWEST_API: ApiVersion = ApiVersion { major: 1, minor: 56 };

/// A version of the engine's API, such as 1.44.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    /// Before the dot; 1 in every engine so far.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl ApiVersion {
    /// Reads `1.44`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        Some(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// What was agreed on with an engine.
#[derive(Debug)]
pub(super) struct Agreed {
    /// The version of every request.
    pub(super) api: ApiVersion,
    /// The newest that the engine speaks.
    pub(super) server: ApiVersion,
    /// What the user should know of it.
    pub(super) caveat: Option<Failure>,
}

/// Agrees on a version as the CLI does: the lower of both newest ones.
///
/// # Errors
/// [`Failure::NotAnEngine`] without a version, [`Failure::ApiTooNew`] where the engine's oldest is
/// over our newest.
pub(super) fn agree(newest: Option<&str>, oldest: Option<&str>, at: &str) -> Result<Agreed, Failure> {
    let foreign = |why: String| Failure::NotAnEngine { at: at.to_owned(), why };
    let newest = newest.ok_or_else(|| foreign("it names no ApiVersion".into()))?;
    let server =
        ApiVersion::parse(newest).ok_or_else(|| foreign(format!("its ApiVersion is {:?}", sanitize(newest, 20))))?;
    // An engine before 1.25 names no oldest version; then its own is taken anyway.
    let min = oldest.and_then(ApiVersion::parse);
    if let Some(min) = min.filter(|min| *min > NEWEST_API) {
        return Err(Failure::ApiTooNew { at: at.to_owned(), min: min.to_string(), ours: NEWEST_API.to_string() });
    }
    let caveat = (server < OLDEST_API).then(|| Failure::ApiTooOld {
        at: at.to_owned(),
        server: server.to_string(),
        oldest: OLDEST_API.to_string(),
    });
    Ok(Agreed { api: server.min(NEWEST_API), server, caveat })
}

/// Whether an answer of `/version` is Podman's.
pub(super) fn is_podman(version: &Value) -> bool {
    version["Components"].as_array().is_some_and(|parts| {
        parts.iter().any(|part| part["Name"].as_str().is_some_and(|name| name.starts_with("Podman")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn takes_the_lower_of_both() {
        assert_eq!(agree(Some("1.44"), Some("1.24"), "x").unwrap().api.to_string(), "1.44");
        assert_eq!(agree(Some("1.99"), Some("1.44"), "x").unwrap().api, NEWEST_API);
        assert_eq!(agree(Some("1.9"), None, "x").unwrap().api.to_string(), "1.9");
    }

    #[test]
    fn says_what_is_out_of_range() {
        let old = agree(Some("1.40"), Some("1.12"), "x").unwrap();
        assert!(old.caveat.unwrap().to_string().contains("older than 1.41"));
        assert!(agree(Some("1.41"), None, "x").unwrap().caveat.is_none());
        assert!(matches!(agree(Some("1.80"), Some("1.57"), "x"), Err(Failure::ApiTooNew { .. })));
        for foreign in [None, Some(""), Some("v1.44"), Some("1"), Some("1.+4"), Some("1.4.4"), Some("1.99999999")] {
            assert!(matches!(agree(foreign, None, "x"), Err(Failure::NotAnEngine { .. })), "{foreign:?}");
        }
    }

    #[test]
    fn knows_podman() {
        assert!(is_podman(&json!({"Components": [{"Name": "Podman Engine"}]})));
        assert!(!is_podman(&json!({"Components": [{"Name": "Engine"}, 3]})));
        assert!(!is_podman(&json!([])));
    }
}
