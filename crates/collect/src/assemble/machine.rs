//! The machine that an engine runs on, read while the engine is asked.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::host::Host;
use crate::daemon::find::{self, Daemon};
use crate::docker::Read;
use crate::docker::context::{HostView, Running};
use crate::docker::local::LocalHost;
use crate::docker::observed::Observed;
use crate::effect::{self, Lsms};
use crate::host::gap::Gap;
use crate::host::process::Proc;
use crate::host::root::{Root, Unread};
use crate::redact::Redactor;

/// What was read of this machine while the engine was asked.
pub(super) struct Machine {
    pub host: Arc<Host>,
    pub daemon: Result<Daemon, Gap>,
    pub view: LocalHost,
}

/// The machine, once it has been read; those who need it wait for it.
#[derive(Clone)]
pub(super) struct Reading(pub Arc<OnceLock<Result<Machine, Arc<str>>>>);

impl Reading {
    pub fn wait(&self) -> &Result<Machine, Arc<str>> {
        self.0.wait()
    }

    fn view(&self) -> Result<&LocalHost, Arc<str>> {
        self.wait().as_ref().map(|m| &m.view).map_err(Arc::clone)
    }
}

impl HostView for Reading {
    fn observe(&self, running: Running<'_>) -> Read<Observed> {
        self.view()?.observe(running)
    }

    fn resolve(&self, path: &str) -> Option<String> {
        self.view().ok()?.resolve(path)
    }

    fn user_number(&self, layers: &[&str], user: &str) -> Read<u32> {
        self.view()?.user_number(layers, user)
    }

    fn apparmor(&self) -> Option<bool> {
        self.view().ok()?.apparmor()
    }

    fn selinux(&self) -> Option<bool> {
        self.view().ok()?.selinux()
    }

    fn all_capabilities(&self) -> Read<Vec<String>> {
        self.view()?.all_capabilities()
    }
}

/// Reads the machine that the engine runs on.
///
/// # Errors
/// Why it is not known to be that machine, or could not be read.
pub(super) fn machine(
    root: &Path,
    endpoint: Option<find::Endpoint>,
    docker_config: Option<&str>,
    redactor: Arc<Redactor>,
) -> Result<Machine, Arc<str>> {
    let failed = |why: Unread| Arc::from(format!("{}: {why}", root.display()));
    let opened = Root::open(root).map_err(failed)?;
    let proc = Proc::open(&opened).ok();
    let daemon = match (&endpoint, &proc) {
        (Some(endpoint), Some(proc)) => find::find(&opened, proc, endpoint),
        (None, _) => {
            Err(Gap::new("the engine", "it was not reached by a socket of this machine", "the daemon's process"))
        }
        (_, None) => Err(Gap::new("/proc", "no process file system could be read", "the daemon's process")),
    };
    if let (Some(find::Endpoint::Tcp(address)), Err(_)) = (&endpoint, &daemon) {
        return Err(format!(
            "no engine of this machine is seen to hold {address}, so it may be another machine's behind a tunnel; \
             name its socket by --docker unix://PATH, or run Seaworthy as root where it runs"
        )
        .into());
    }
    // The daemon's own process proves whose `/` this is; without it, the marks that engines leave in containers tell.
    let same = daemon.as_ref().is_ok_and(|d| d.own_mounts == Some(true));
    if opened.is_live() && !same && in_container() {
        return Err("Seaworthy runs inside a container: mount the host's / and give it by --root /host".into());
    }
    let host = Arc::new(Host::read(root, docker_config).map_err(failed)?);
    let view = view(&host, daemon.as_ref().ok(), redactor)?;
    Ok(Machine { host, daemon, view })
}

/// What containers need of the host: its processes, and files as the daemon sees them.
fn view(host: &Host, daemon: Option<&Daemon>, redactor: Arc<Redactor>) -> Result<LocalHost, Arc<str>> {
    // Where the kernel's list is not mounted, what the modules show elsewhere proves as much.
    let lsms = Lsms::read(host.root.path());
    let files = daemon.filter(|d| d.own_mounts == Some(false)).and_then(|d| d.view().ok());
    let files = match files {
        Some(files) => Ok(files),
        None => Root::open(host.root.path()),
    };
    let failed = |why: Unread| Arc::from(format!("{}: {why}", host.root.path().display()));
    let proc = effect::Proc::open(host.root.path(), lsms.clone()).map_err(failed)?;
    let view = LocalHost::new(proc, files.map_err(failed)?, lsms, redactor);
    Ok(match daemon {
        Some(daemon) => view.with_daemon(daemon.pid),
        None => view,
    })
}

/// The address of this machine's own that a host string names; none where it is not certainly one.
pub(super) fn own_address(host: &str, port: u16) -> Option<SocketAddr> {
    let ip: IpAddr = host.parse().ok()?;
    ip.is_loopback().then(|| SocketAddr::new(ip, port))
}

/// Whether this program runs inside a container, whose `/` is not the host's.
fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|p| Path::new(p).exists())
}
