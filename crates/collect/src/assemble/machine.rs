//! The machine that an engine runs on, read while the engine is asked: first the daemon's process, which containers and
//! settings wait for, then the rest of the host.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

use super::host::Host;
use super::same;
use crate::daemon::find::{self, Daemon};
use crate::docker::Read;
use crate::docker::context::{Beneath, DeviceNumber, HostView, Running};
use crate::docker::local::LocalHost;
use crate::docker::observed::Observed;
use crate::effect::{self, Lsms};
use crate::host::audit::watched::Watched;
use crate::host::gap::Gap;
use crate::host::mounts::{self, Mount};
use crate::host::packages::Owner;
use crate::host::process::Proc;
use crate::host::root::{Root, Unread};

/// What was read of this machine while the engine was asked.
pub(super) struct Machine {
    /// The daemon's process, or why it is not known.
    pub daemon: Result<Daemon, Gap>,
    /// What this process sees mounted, where this is the running machine.
    mounts: Option<Arc<[Mount]>>,
    /// What containers need of it, or why there is no looking at them.
    view: Result<LocalHost, Arc<str>>,
    /// The rest, which takes longer.
    rest: OnceLock<Result<Rest, Arc<str>>>,
}

/// What is read of a machine after the daemon was found.
pub(super) struct Rest {
    /// The host.
    pub host: Host,
    /// The version of the package that owns the daemon's executable; none when no package does.
    pub package: Result<Option<String>, String>,
}

impl Machine {
    /// The host, once it was read.
    ///
    /// # Errors
    /// Why it could not be.
    pub fn rest(&self) -> Result<&Rest, Arc<str>> {
        self.rest.wait().as_ref().map_err(Arc::clone)
    }

    fn read_rest(&self, root: &Path, docker_config: Option<&str>) -> Result<Rest, Arc<str>> {
        let watched = self.daemon.as_ref().map(watched).unwrap_or_default();
        let host = Host::read(root, docker_config, self.mounts.clone(), &watched);
        let host = host.map_err(|why| Arc::from(format!("{}: {why}", root.display())))?;
        let package = match &self.daemon {
            Ok(daemon) => package_version(&host, daemon),
            Err(gap) => Err(gap.reason.clone()),
        };
        Ok(Rest { host, package })
    }
}

/// The machine, once it has been read; those who need it wait for it.
#[derive(Clone, Default)]
pub(super) struct Reading {
    machine: Arc<OnceLock<Result<Machine, Arc<str>>>>,
    /// Why it is not the engine's machine, where that turned out once the engine had told of its own.
    elsewhere: Arc<OnceLock<Arc<str>>>,
}

impl Reading {
    /// Starts reading it on a thread of its own.
    pub fn start(root: std::path::PathBuf, endpoint: Option<find::Endpoint>, docker_config: Option<String>) -> Self {
        let reading = Self::default();
        let cell = Arc::clone(&reading.machine);
        std::thread::spawn(move || {
            let guarded = std::panic::AssertUnwindSafe(|| machine(&root, endpoint));
            let found = std::panic::catch_unwind(guarded).unwrap_or_else(|_| Err("reading the host failed".into()));
            // Nobody else sets it, nor the rest.
            drop(cell.set(found));
            if let Some(Ok(machine)) = cell.get() {
                let guarded = std::panic::AssertUnwindSafe(|| machine.read_rest(&root, docker_config.as_deref()));
                let rest = std::panic::catch_unwind(guarded);
                drop(machine.rest.set(rest.unwrap_or_else(|_| Err("reading the host failed".into()))));
            }
        });
        reading
    }

    /// The machine, once its daemon was looked for.
    ///
    /// # Errors
    /// Why it is not the engine's, or could not be read.
    pub fn wait(&self) -> Result<&Machine, Arc<str>> {
        match (self.machine.wait(), self.elsewhere.get()) {
            (Ok(_), Some(why)) => Err(Arc::clone(why)),
            (read, _) => read.as_ref().map_err(Arc::clone),
        }
    }

    /// Holds what the engine says of its machine against this one.
    pub fn prove(&self, info: &Read<Json>) {
        if let Ok(machine) = self.machine.wait()
            && let Some(why) = same::elsewhere(info, machine)
        {
            // Nobody else sets it.
            drop(self.elsewhere.set(why));
        }
    }

    fn view(&self) -> Result<&LocalHost, Arc<str>> {
        self.wait()?.view.as_ref().map_err(Arc::clone)
    }
}

impl HostView for Reading {
    fn observe(&self, running: Running<'_>) -> Read<Observed> {
        self.view()?.observe(running)
    }

    /// The daemon's own process proves whose machine this is.
    fn is_certain(&self) -> bool {
        matches!(self.machine.get(), Some(Ok(machine)) if machine.daemon.is_ok())
    }

    fn resolve(&self, path: &str) -> Option<String> {
        self.view().ok()?.resolve(path)
    }

    fn known_as(&self, path: &str) -> Option<String> {
        self.view().ok()?.known_as(path)
    }

    fn mounted_below(&self, directory: &str) -> Vec<Beneath> {
        self.view().map(|view| view.mounted_below(directory)).unwrap_or_default()
    }

    fn sockets_below(&self, directory: &str) -> Read<Vec<Beneath>> {
        self.view().map_or_else(|_| Ok(Vec::new()), |view| view.sockets_below(directory))
    }

    fn mounted_at(&self, disk: &str) -> Option<String> {
        self.view().ok()?.mounted_at(disk)
    }

    fn devices(&self, path: &str) -> Vec<DeviceNumber> {
        self.view().map_or_else(|_| Vec::new(), |view| view.devices(path))
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

fn machine(root: &Path, endpoint: Option<find::Endpoint>) -> Result<Machine, Arc<str>> {
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
    let same = daemon.as_ref().is_ok_and(|d| d.own_mounts == Some(true) || d.own_root == Some(true));
    if opened.is_live() && !same && in_container() {
        return Err("Seaworthy runs inside a container: mount the host's / and give it by --root /host".into());
    }
    let table = proc.as_ref().filter(|_| opened.is_live());
    let table = table.and_then(|proc| mounts::own_table(proc).ok());
    let own = table.as_deref().map(|table| Arc::from(mounts::parse_all(table)));
    let theirs = match (&daemon, &proc) {
        (Ok(d), _) if own.is_some() && d.own_mounts == Some(true) && d.own_root == Some(true) => own.clone(),
        (Ok(d), Some(proc)) => theirs_or(mounts::read(proc, d.pid).ok().map(Arc::from), own.clone(), d.own_mounts),
        _ => own.clone(),
    };
    let view = view(root, table.as_deref(), theirs.unwrap_or_default(), daemon.as_ref().ok());
    Ok(Machine { daemon, mounts: own, view, rest: OnceLock::new() })
}

/// What the daemon sees mounted: its own table, and where that may not be read the one of this process, which is looked
/// at for files as well then; not where the two are known to differ.
fn theirs_or(theirs: Option<Arc<[Mount]>>, own: Option<Arc<[Mount]>>, same: Option<bool>) -> Option<Arc<[Mount]>> {
    theirs.or_else(|| own.filter(|_| same != Some(false)))
}

/// What containers need of the host: its processes, and files and mounts as the daemon sees them. `table` is what this
/// process sees mounted, where that was read.
fn view(
    root: &Path,
    table: Option<&[u8]>,
    mounts: Arc<[Mount]>,
    daemon: Option<&Daemon>,
) -> Result<LocalHost, Arc<str>> {
    // Where the kernel's list is not mounted, what the modules show elsewhere proves as much.
    let lsms = Lsms::read(root);
    let files = daemon.filter(|d| d.own_mounts == Some(false)).and_then(|d| d.view().ok());
    let files = match files {
        Some(files) => Ok(files),
        None => Root::open(root),
    };
    let failed = |why: Unread| Arc::from(format!("{}: {why}", root.display()));
    let proc = effect::Proc::open(root, lsms.clone(), table).map_err(failed)?;
    let view = LocalHost::new(proc, files.map_err(failed)?, lsms).with_mounts(mounts);
    let view = view.with_sockets(&daemon.map(sockets).unwrap_or_default());
    Ok(match daemon {
        Some(daemon) => view.with_daemon(daemon.pid),
        None => view,
    })
}

/// Where a daemon listens, and where the containerd that it was given does.
fn sockets(daemon: &Daemon) -> Vec<String> {
    let given = daemon.flags.value("containerd");
    let given = given.as_ref().and_then(Json::as_str).map(|path| path.trim_start_matches("unix://"));
    let own = daemon.listeners.iter().flat_map(|listeners| &listeners.unix);
    own.map(String::as_str).chain(given).filter_map(|path| daemon.absolute(path).ok()).collect()
}

/// Whether this program runs inside a container, whose `/` is not the host's.
fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|p| Path::new(p).exists())
}

/// The daemon's own files, wherever they are.
fn watched(daemon: &Daemon) -> Watched {
    let named = ["tlscacert", "tlscert", "tlskey"].map(|flag| daemon.flags.value(flag));
    let named = named.iter().flatten().filter_map(|value| daemon.absolute(value.as_str()?).ok());
    Watched { more: daemon.exe.iter().chain(daemon.config_path.as_ref().ok()).cloned().chain(named).collect() }
}

fn package_version(host: &Host, daemon: &Daemon) -> Result<Option<String>, String> {
    let exe = daemon.exe.as_deref().ok_or("the daemon's executable may not be read")?;
    match host.packages.owners(&host.root, &[exe]).pop() {
        Some(Owner::Package { version, .. }) => {
            version.map(Some).ok_or_else(|| format!("the version of the package of {exe} could not be read"))
        }
        Some(Owner::Nobody) => Ok(None),
        Some(Owner::Unknown(why)) => Err(why),
        None => Err("no package database could be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_seen_from_here_where_the_daemons_may_not_be_read() {
        let table = |text: &[u8]| Some(Arc::<[Mount]>::from(mounts::parse_all(text)));
        let here = table(b"1 1 8:1 / / rw - ext4 /dev/x rw\n");
        let theirs = table(b"1 1 8:1 / / rw - ext4 /dev/x rw\n2 1 8:1 /etc /srv/etc rw - ext4 /dev/x rw\n");
        let count =
            |same, theirs: &Option<Arc<[Mount]>>| theirs_or(theirs.clone(), here.clone(), same).map(|t| t.len());
        assert_eq!((count(Some(false), &theirs), count(None, &theirs)), (Some(2), Some(2)));
        assert_eq!((count(None, &None), count(Some(true), &None), count(Some(false), &None)), (Some(1), Some(1), None));
    }
}
