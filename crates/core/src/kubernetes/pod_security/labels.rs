//! Levels and versions by the names that labels of namespaces give them.

use super::{Level, NEWEST};

/// A level by its name; none where it is privileged, which refuses nothing, or no level.
pub fn level_named(name: &str) -> Option<Level> {
    match name {
        "baseline" => Some(Level::Baseline),
        "restricted" => Some(Level::Restricted),
        _ => None,
    }
}

/// The minor version of `v1.35`; none of `latest`, and of whatever else the API server takes for it.
pub fn minor_named(name: &str) -> Option<u32> {
    let minor = name.strip_prefix("v1.")?;
    let plain = minor.bytes().all(|b| b.is_ascii_digit()) && (minor == "0" || !minor.starts_with('0'));
    if plain { minor.parse().ok() } else { None }
}

/// The version whose policy an API server of a version applies: none that is newer than itself.
pub fn minor_in_force(asked: Option<u32>, server: Option<u32>) -> u32 {
    let server = server.unwrap_or(NEWEST).min(NEWEST);
    asked.map_or(server, |asked| asked.min(server))
}
