//! The sockets of other engines on this machine.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::context::Environment;
use super::endpoint::{DEFAULT_SOCKET, Endpoint, Transport};

/// The most entries of one directory that are looked through for sockets.
const LISTING_LIMIT: usize = 1000;

/// A runtime's socket that exists here besides the one in use: a gap of the report unless asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherSocket {
    /// Where it is.
    pub path: PathBuf,
    /// Whose socket it is by its place: `docker`, `rootless docker`, `podman`, …
    pub kind: &'static str,
}

/// Finds the sockets of other engines at the places where runtimes put them, without opening them.
/// One socket under several paths is named once; directories of other users that may not be entered
/// are passed over.
#[must_use]
pub fn other_sockets(environment: &Environment, in_use: &Endpoint) -> Vec<OtherSocket> {
    let mut seen: Vec<(u64, u64)> = Vec::new();
    if let Transport::Unix(path) = &in_use.transport {
        seen.extend(fs::metadata(path).ok().map(|m| (m.dev(), m.ino())));
    }
    let mut found = Vec::new();
    for (path, kind) in candidates(environment) {
        let Ok(meta) = fs::metadata(&path) else { continue };
        let identity = (meta.dev(), meta.ino());
        if meta.file_type().is_socket() && !seen.contains(&identity) {
            seen.push(identity);
            found.push(OtherSocket { path, kind });
        }
    }
    found
}

fn candidates(environment: &Environment) -> Vec<(PathBuf, &'static str)> {
    let under_root = |path: &str| environment.root.join(path.trim_start_matches('/'));
    let mut all = vec![
        (under_root(DEFAULT_SOCKET), "docker"),
        (under_root("/run/docker.sock"), "docker"),
        (under_root("/run/podman/podman.sock"), "podman"),
    ];
    let mut users = listing(&under_root("/run/user"));
    users.extend(environment.runtime_dir.clone());
    for dir in users {
        all.push((dir.join("docker.sock"), "rootless docker"));
        all.push((dir.join("podman/podman.sock"), "rootless podman"));
    }
    if let Some(home) = &environment.home {
        for (path, kind) in [
            (".docker/run/docker.sock", "docker desktop"),
            (".docker/desktop/docker.sock", "docker desktop"),
            (".colima/docker.sock", "colima"),
            (".rd/docker.sock", "rancher desktop"),
            (".orbstack/run/docker.sock", "orbstack"),
        ] {
            all.push((home.join(path), kind));
        }
        for profile in listing(&home.join(".colima")) {
            all.push((profile.join("docker.sock"), "colima"));
        }
    }
    all
}

fn listing(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(LISTING_LIMIT);
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}
