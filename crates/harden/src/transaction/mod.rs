//! Transactions: a plan carried out as a whole, or taken back as a whole.
//!
//! What a change needs to be undone stands in the journal, on disk, before it is made. Whoever finds a transaction that is
//! neither confirmed nor taken back, and nobody at work on it, takes it back: the guard, the units that run at boot, the
//! next command.

mod apply;
mod event;
mod guard;
mod journal;
mod proof;
mod record;
mod settle;
mod store;
mod undo;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use seaworthy_core::snapshot::Target;
use seaworthy_core::verdict::Verdict;

pub use apply::{Apply, Outcome, apply};
pub use event::{Event, Line};
pub use guard::{EARLY_UNIT, LATE_UNIT, watch};
pub use proof::Findings;
pub use record::{Phase, Record, is_open};
pub use settle::{confirm, prune, recover, rollback};
pub use store::{DEFAULT, Decision, Lock, Place, Store};

/// How the host is seen: collected and judged by whoever may know collectors and checks.
pub trait Eyes {
    /// Collects the target and judges it.
    ///
    /// # Errors
    /// Where nothing of it could be read.
    fn look(&self) -> Result<Look, String>;
}

/// Where transactions are kept, which host they are about, and how it is seen.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Where transactions are kept.
    pub store: &'a Store,
    /// The root of the host's file system; `/` but in tests.
    pub root: &'a Path,
    /// How the host is seen; none early at boot.
    pub eyes: Option<&'a dyn Eyes>,
}

impl Site<'_> {
    fn look(&self) -> Option<Look> {
        self.eyes.and_then(|eyes| eyes.look().ok())
    }
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Look {
    /// The facts, with those that follow from them.
    pub target: Target,
    /// The findings.
    pub findings: Vec<Seen>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The check.
    pub check: String,
    /// The component's kind.
    pub kind: String,
    /// The component's name. Hostile text.
    pub component: String,
    /// Its fingerprint, which survives re-creation.
    pub fingerprint: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is unknown, or what decided, in a line. Hostile text.
    pub reason: String,
}

/// Whoever is told what happens.
pub trait Tell {
    /// Something happened.
    fn tell(&mut self, event: &Event);
    /// Something is being done that takes a while.
    fn busy(&mut self, change: usize, what: &str) {
        let _ = (change, what);
    }
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Tell for Silent {
    fn tell(&mut self, _: &Event) {}
}

/// Milliseconds since 1970-01-01 UTC by the host's clock.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Seconds on the clock that counts from the boot, also while the machine sleeps, and that nobody can set.
#[must_use]
pub fn boottime() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or_default()
}

/// Names the boot; empty where the kernel does not tell.
#[must_use]
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
