//! What the engine's own seccomp profile lets through.

use crate::daemon::file::change_since;
use crate::daemon::find::Daemon;
use crate::effect::security;

/// Whether the profile at a path lets every call through. The daemon read it when it started, so that a file that was
/// edited since says nothing about what is in effect.
///
/// # Errors
/// Why that is not known.
pub(super) fn allows_all(daemon: &Daemon, path: &str) -> Result<bool, String> {
    let path = daemon.absolute(path)?;
    let view = daemon.view().map_err(|why| format!("{path}: {why}"))?;
    if let Some(change) = change_since(&view, &path, daemon.started_at, "dockerd") {
        return Err(format!("which profile is in effect cannot be read: {change}"));
    }
    let text = view.read_text(&path).map_err(|why| format!("{path}: {why}"))?;
    security::allows_all(&text).ok_or_else(|| format!("{path}: not a seccomp profile"))
}
