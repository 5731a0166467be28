//! The containerd that the engine uses: its socket, and where it keeps its data.

use crate::daemon::effective::{Effective, Settings};
use crate::daemon::find::Daemon;
use crate::host::containerd::{self, Containerd, Stated};
use crate::host::root::Root;
use crate::host::sockets;

use super::host::Host;

/// The socket of the containerd that the engine uses: the one it was given, its own, else the host's.
pub(super) fn socket(settings: &Settings, host: &Host, view: &Root) -> String {
    let stated = |name: &str| match settings.get(name).map(|s| &s.value) {
        Some(Effective::Known(v)) => v.as_str().filter(|p| !p.is_empty()).map(str::to_owned),
        _ => None,
    };
    if let Some(given) = stated("containerd") {
        return given.trim_start_matches("unix://").to_owned();
    }
    let own = format!("{}/containerd/containerd.sock", stated("exec-root").unwrap_or_else(|| "/run/docker".into()));
    // An engine that started its own containerd has a socket under its own directory.
    if view.stat(&own).is_ok() { own } else { host.containerd.address.value.clone() }
}

/// The root directory of the containerd that answers at the engine's socket, by its process and the file that this was
/// started with.
///
/// # Errors
/// Why it is not known: the file of the packages' service says nothing about another containerd.
pub(super) fn root(host: &Host, settings: &Settings, daemon: Result<&Daemon, &str>) -> Result<String, String> {
    let view = daemon?.view().map_err(|why| format!("the daemon's file system cannot be entered: {why}"))?;
    let proc = host.proc.as_ref().filter(|p| p.numbers_are_ours()).ok_or("containerd's process cannot be looked at")?;
    let socket = socket(settings, host, &view);
    let peer = sockets::peer(&view.path().join(socket.trim_start_matches('/')));
    let peer = peer.map_err(|why| format!("who answers at {socket} cannot be asked: {why}"))?;
    let (process, _) =
        proc.process(peer.pid).map_err(|why| format!("process {}, which answers at {socket}: {why}", peer.pid))?;
    if process.program() != Some("containerd") {
        return Err(format!("process {}, which answers at {socket}, is no containerd that is known", peer.pid));
    }
    let gone = |why| format!("the command line of process {}: {why}", peer.pid);
    let stated = Stated::of(&proc.arguments(peer.pid).map_err(gone)?);
    if let Some(root) = stated.root {
        return Ok(root);
    }
    let config = stated.config.unwrap_or_else(|| containerd::PATH.to_owned());
    if !config.starts_with('/') {
        return Err(format!("{config}: containerd's file is named relative to where it was started"));
    }
    let found = Containerd::read_at(&view, &config);
    match found.unread {
        Some(why) => Err(why),
        None => Ok(found.root.value),
    }
}
