//! Capabilities by their names.

use rustix::thread::CapabilitySet;

/// The name without `CAP_`, in capitals.
pub(super) fn bare(name: &str) -> String {
    let name = name.trim().to_ascii_uppercase();
    name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)
}

/// The bit of a name; none where it is no capability's.
pub(super) fn bit(name: &str) -> Option<u64> {
    CapabilitySet::from_name(&bare(name)).map(|set| set.bits())
}
