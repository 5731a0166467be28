//! The rehearsal of a plan: what can be tried without touching the host is tried before anything is changed.

use std::path::Path;

use seaworthy_core::plan::Plan;

use crate::Host;
use crate::transaction::Event;

/// Tries the engine's new configuration in a shadow of the engine; none where the plan does not change it.
///
/// # Errors
/// The line that says what the engine would not do with it.
pub(crate) fn rehearse(_plan: &Plan, _host: &Host, _state: &Path) -> Option<Result<Event, String>> {
    None
}
