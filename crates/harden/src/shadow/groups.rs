//! Control groups of the shadow's containers: the one thing that does not end with its namespaces.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::process::Process;

/// Names begin so; our process's number and a counter follow.
const PREFIX: &str = "seaworthy-shadow-";

/// A control group for one rehearsal, removed when it is dropped.
pub(super) struct Group {
    path: String,
}

impl Group {
    /// One that is named after us; the shadow's engine makes it.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { path: format!("/{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Its path in every hierarchy.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for root in roots() {
            clear(&root.join(self.path.trim_start_matches('/')));
        }
    }
}

/// Removes what rehearsals left that were killed.
pub(super) fn sweep() {
    for root in roots() {
        for entry in fs::read_dir(&root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
            if owner.is_some_and(|pid| Process::of(pid).is_none()) {
                clear(&entry.path());
            }
        }
    }
}

/// Removes a group with those in it. The kernel empties one a moment after its last process.
fn clear(group: &Path) {
    for _ in 0..100 {
        remove(group, 0);
        if !group.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn remove(group: &Path, depth: usize) {
    if depth > 8 {
        return;
    }
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove(&entry.path(), depth + 1);
        }
    }
    let _ = fs::remove_dir(group);
}

/// The unified hierarchy, or each controller's.
fn roots() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root).into_iter().flatten().flatten();
    let controllers = controllers.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path());
    std::iter::once(root.to_path_buf()).chain(controllers).collect()
}
