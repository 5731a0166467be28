//! What the engine's own seccomp profile lets through.

use crate::daemon::file::{change_since, mounted_over};
use crate::daemon::find::Daemon;
use crate::docker::container::privileges::DEFAULTS;
use crate::effect::security::{self, Confined};

/// Whether the profile at a path lets every call through to containers of ordinary capabilities. The daemon read it when it started, so that a file that was
/// edited since says nothing about what is in effect.
///
/// # Errors
/// Why that is not known.
pub(super) fn allows_all(daemon: &Daemon, path: &str) -> Result<bool, String> {
    let path = daemon.absolute(path)?;
    let view = daemon.view().map_err(|why| format!("{path}: {why}"))?;
    let changed = change_since(&view, &path, daemon.started_at, "dockerd");
    if let Some(change) = changed.or_else(|| mounted_over(daemon, &view, &path)) {
        return Err(format!("which profile is in effect cannot be read: {change}"));
    }
    let text = view.read_text(&path).map_err(|why| format!("{path}: {why}"))?;
    // It is the profile of containers that ask for nothing.
    let kernel = view.read_text("/proc/sys/kernel/osrelease").ok();
    let kernel = kernel.as_deref().map(str::trim);
    let usual = Confined { capabilities: &DEFAULTS, architecture: Some(std::env::consts::ARCH), kernel };
    security::allows_all(&text, &usual)
        .ok_or_else(|| format!("{path}: not a seccomp profile, or what it holds back depends on what is not known"))
}
