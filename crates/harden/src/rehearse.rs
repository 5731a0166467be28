//! The rehearsal of a plan: what can be tried without touching the host is tried before anything is changed.

use seaworthy_core::plan::{Action, Plan};

use crate::Host;
use crate::act::daemon_json::candidate;
use crate::shadow::{self, Rehearsal};
use crate::transaction::Event;

/// Tries the engine's new configuration in a shadow of the engine; none where the plan does not change it. A reload is
/// tried as a start, too: what a reload accepts may be refused by the next start.
///
/// # Errors
/// The line that says what the engine would not do with it.
pub(crate) fn rehearse(plan: &Plan, host: &Host) -> Option<Result<Event, String>> {
    let settings = plan.changes.iter().find_map(|c| match &c.action {
        Action::DaemonJson(settings) => Some(settings),
        _ => None,
    })?;
    let candidate = match candidate(settings, host) {
        Ok(candidate) => candidate,
        Err(failure) => return Some(Err(failure.0)),
    };
    Some(match shadow::rehearse(host, &candidate) {
        Rehearsal::Passed { took, without } => {
            let without = match without.as_slice() {
                [] => String::new(),
                keys => format!("; without {}, which cannot be tried", keys.join(", ")),
            };
            let took = took.as_secs_f64();
            let line = format!("dockerd boots with the new daemon.json, a container runs in it ({took:.1} s){without}");
            Ok(Event::Rehearsed { tried: true, line })
        }
        Rehearsal::Skipped(line) => Ok(Event::Rehearsed { tried: false, line }),
        Rehearsal::Failed(why) => Err(why),
    })
}
