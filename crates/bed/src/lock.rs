//! Locks between test processes.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Waits for the kernel's audit table, which is one for the whole machine; dropping the file gives it back.
///
/// # Panics
/// Where the lock's file in `/tmp` cannot be opened.
#[must_use]
pub fn audit_table() -> File {
    // In /tmp, not under target/: two checkouts on one machine share the table as well.
    let file = open(Path::new("/tmp/seaworthy-audit.lock"));
    flock(&file, FlockOperation::LockExclusive).expect("lock the audit table");
    file
}

/// Waits until no other test runs a whole machine: one is as much as two processors carry.
pub(crate) fn machine() -> File {
    let file = open(Path::new("/tmp/seaworthy-machine.lock"));
    flock(&file, FlockOperation::LockExclusive).expect("lock the machine");
    file
}

/// The file in a bed's folder that whoever uses the bed holds locked.
pub(crate) const OWN: &str = "bed.lock";

/// Takes the lock that says the bed in `dir` is in use; none where another process holds it.
pub(crate) fn own(dir: &Path) -> Option<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(OWN)).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

fn open(path: &Path) -> File {
    try_open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn try_open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

const IN_USE: &str = "/tmp/seaworthy-beds.lock";

/// Says that an engine of ours runs on this machine, as long as the file is held.
pub(crate) fn shared() -> File {
    let file = open(Path::new(IN_USE));
    flock(&file, FlockOperation::LockShared).expect("lock the beds");
    file
}

/// Held while no other bed is in use; none where one is, and for whoever may not take it from its owner.
pub(crate) fn alone() -> Option<File> {
    let file = try_open(Path::new(IN_USE)).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}
