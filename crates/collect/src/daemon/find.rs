//! Which process is the daemon behind an engine's socket: by who listens on it, who holds it, and
//! the pid file, never by a name alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::argv::{self, Flags};
use super::environment::{Environment, config_path, environment};
use crate::host::gap::Gap;
use crate::host::process::{Owner, Proc, Process, started_at};
use crate::host::root::{Root, Unread};
use crate::host::sockets;

/// Where an engine was reached on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket: a path as this process sees it, or an abstract name after `@`.
    Unix(PathBuf),
    /// An address of this machine.
    Tcp(SocketAddr),
}

/// What kind of program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Docker's daemon.
    Dockerd,
    /// Podman's service.
    Podman,
}

/// How the process was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It called `listen` on the socket.
    Peer,
    /// It holds the socket that another process (systemd) made.
    Holder,
    /// A pid file names it, and it holds the socket.
    PidFile(String),
}

/// What a daemon listens on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listeners {
    /// Paths (or abstract names after `@`) of its unix sockets, those of its own use included.
    pub unix: Vec<String>,
    /// Its TCP addresses, those for metrics and for swarm included.
    pub tcp: Vec<SocketAddr>,
}

/// A daemon as it runs.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Its number.
    pub pid: u32,
    /// Its executable; `None` where that may not be read.
    pub exe: Option<String>,
    /// True when the executable was replaced or removed since it was started.
    pub exe_deleted: bool,
    /// What it is.
    pub program: Program,
    /// Who it runs as.
    pub owner: Owner,
    /// Its flags, with a command line that may be shown.
    pub flags: Flags,
    /// When it was started, in nanoseconds since 1970.
    pub started_at: i64,
    /// Its working directory.
    pub cwd: Option<String>,
    /// Its network namespace (inode), where that may be read.
    pub network_namespace: Option<u64>,
    /// True when it shares our network namespace.
    pub own_network: Option<bool>,
    /// Whether the kernel hands to the packet filter of its network namespace what passes a bridge; none where that may
    /// not be read.
    pub bridges_filtered: Option<bool>,
    /// True when it shares our mount namespace.
    pub own_mounts: Option<bool>,
    /// True when its root directory is ours, whatever else is mounted in its namespace.
    pub own_root: Option<bool>,
    /// How it was found.
    pub found: Found,
    /// Its environment; `None` where that may not be read.
    pub environment: Option<Environment>,
    /// Whether it runs without root's rights on the host.
    pub rootless: Option<bool>,
    /// The path of its `daemon.json` as it sees it, or why that is not known.
    pub config_path: Result<String, String>,
    /// What it listens on; `None` where that may not be read.
    pub listeners: Option<Listeners>,
    /// What could not be read about it.
    pub gaps: Vec<Gap>,
    /// The directory that is its root directory, as we see it; `None` where that is not known.
    root: Option<PathBuf>,
}

impl Daemon {
    /// The file system as the daemon sees it.
    ///
    /// # Errors
    /// When it may not be entered.
    pub fn view(&self) -> Result<Root, Unread> {
        Root::open(self.root.as_deref().ok_or(Unread::Denied)?)
    }

    /// A path as the daemon takes it: a relative one from its working directory.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn absolute(&self, path: &str) -> Result<String, String> {
        match &self.cwd {
            _ if path.starts_with('/') => Ok(path.to_owned()),
            Some(cwd) => Ok(format!("{}/{path}", cwd.trim_end_matches('/'))),
            None => Err(format!("{path} is relative, and the daemon's working directory may not be read")),
        }
    }

    /// A daemon of which only what decides settings is set.
    #[cfg(test)]
    pub(super) fn for_test(flags: Flags, environment: Option<Environment>, found: Found, owner: Owner) -> Self {
        Self {
            pid: 1,
            exe: Some("/usr/bin/dockerd".into()),
            exe_deleted: false,
            program: Program::Dockerd,
            owner,
            flags,
            started_at: 0,
            cwd: None,
            network_namespace: None,
            own_network: None,
            bridges_filtered: None,
            own_mounts: None,
            own_root: None,
            found,
            rootless: environment.as_ref().map(|e| e.rootlesskit),
            environment,
            config_path: Ok("/etc/docker/daemon.json".into()),
            listeners: None,
            gaps: Vec::new(),
            root: None,
        }
    }
}

/// Finds the daemon behind an endpoint.
///
/// # Errors
/// A gap that says why it is not known: a proxy in between, another process namespace, no right.
pub fn find(root: &Root, proc: &Proc, endpoint: &Endpoint) -> Result<Daemon, Gap> {
    let (process, found) = identify(proc, endpoint).map_err(|reason| gap(endpoint, reason))?;
    describe(root, proc, process, found).map_err(|reason| gap(endpoint, reason))
}

fn gap(endpoint: &Endpoint, reason: String) -> Gap {
    let source = match endpoint {
        Endpoint::Unix(path) => path.display().to_string(),
        Endpoint::Tcp(address) => address.to_string(),
    };
    let affects = "the daemon's process: its command line, its daemon.json, its listeners".into();
    Gap { source, reason, affects }
}

fn identify(proc: &Proc, endpoint: &Endpoint) -> Result<(Process, Found), String> {
    let mut missing = Missing { reason: "no engine's process was found that holds it".to_owned(), between: false };
    let mut maker = None;
    if let Endpoint::Unix(path) = endpoint {
        let peer = sockets::peer(path).map_err(|why| format!("who listens there cannot be asked: {why}"))?;
        maker = (peer.pid != 0 && proc.numbers_are_ours()).then_some(peer.pid);
        match by_peer(proc, peer) {
            Ok(process) => return Ok((process, Found::Peer)),
            Err(why) => missing = why,
        }
    }
    let inodes = inodes(proc, endpoint, maker);
    let processes = proc.list();
    for process in processes.all.iter().filter(|p| program(p).is_some()) {
        if proc.sockets(process.pid).is_ok_and(|held| held.iter().any(|s| inodes.contains(s))) {
            return Ok((process.clone(), Found::Holder));
        }
    }
    if let (Endpoint::Unix(path), false) = (endpoint, missing.between)
        && let Some((process, file)) = by_pid_file(proc, path)
    {
        return Ok((process, Found::PidFile(file)));
    }
    match processes.gaps.into_iter().next() {
        Some(gap) if !missing.between => Err(format!("{}; {}", missing.reason, gap.reason)),
        _ => Err(missing.reason),
    }
}

/// Why the peer is not the daemon.
struct Missing {
    reason: String,
    /// It is another program that stands in between, behind which any daemon may be.
    between: bool,
}

fn by_peer(proc: &Proc, peer: sockets::Peer) -> Result<Process, Missing> {
    let missing = |reason: String| Err(Missing { reason, between: false });
    if peer.pid == 0 {
        return missing("it listens in another process namespace".into());
    }
    if !proc.numbers_are_ours() {
        return missing("the process file system that was read is of another process namespace".into());
    }
    let Ok((process, denied)) = proc.process(peer.pid) else {
        return missing(format!("process {}, which listened there, is gone or hidden", peer.pid));
    };
    // Where the executable is denied: a process of root that is called so and made the socket that
    // answers; nobody but root could make it look so.
    if program(&process).is_some() || (denied && peer.uid == 0 && process.name == "dockerd") {
        return Ok(process);
    }
    if denied {
        return missing(format!(
            "the executable of process {} may not be read: it needs root or CAP_SYS_PTRACE",
            peer.pid
        ));
    }
    if peer.pid == 1 || process.program() == Some("systemd") {
        return missing(format!("process {} made the socket, and no engine's process holds it", peer.pid));
    }
    let program = process.program().unwrap_or("a thread of the kernel");
    let reason = format!(
        "process {} ({program}) listens there, which is no container engine: what lies behind it is not known",
        peer.pid
    );
    Err(Missing { reason, between: true })
}

/// What a process is by its executable. `None` for everything that is no daemon.
fn program(process: &Process) -> Option<Program> {
    let name = process.program()?;
    let is = |program: &str| {
        name.strip_prefix(program).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_']))
    };
    if is("dockerd") && !name.starts_with("dockerd-rootless") {
        Some(Program::Dockerd)
    } else if is("podman") {
        Some(Program::Podman)
    } else {
        None
    }
}

/// The sockets at the endpoint, in our network namespace or in that of the process that made it.
fn inodes(proc: &Proc, endpoint: &Endpoint, maker: Option<u32>) -> Vec<u64> {
    let own = std::process::id();
    match endpoint {
        Endpoint::Unix(path) => {
            let stat = rustix::fs::stat(path).ok();
            let file = stat.map(|s| (s.st_ino as u32, rustix::fs::major(s.st_dev), rustix::fs::minor(s.st_dev)));
            let here = |l: &&sockets::UnixListener| match (file, l.file) {
                (Some(file), Some(other)) => file == other,
                _ => l.path.as_deref().map(Path::new) == Some(path),
            };
            let foreign = maker.filter(|pid| same(proc.namespace(*pid, "net"), own_namespace("net")) == Some(false));
            let listeners = match foreign {
                Some(pid) => sockets::in_network_of(proc, pid, sockets::unix_listeners),
                None => sockets::unix_listeners(),
            };
            match listeners {
                Ok(listeners) => listeners.iter().filter(here).map(|l| l.inode).collect(),
                Err(_) if proc.numbers_are_ours() => {
                    let table = sockets::unix_table(proc, foreign.unwrap_or(own)).unwrap_or_default();
                    let found: Vec<u64> = table.iter().filter(here).map(|l| l.inode).collect();
                    // The table has names only, and two of one name cannot be told apart.
                    if found.len() == 1 { found } else { Vec::new() }
                }
                Err(_) => Vec::new(),
            }
        }
        Endpoint::Tcp(address) if proc.numbers_are_ours() => {
            let listeners = sockets::tcp_listeners().or_else(|_| sockets::tcp_table(proc, own)).unwrap_or_default();
            // The kernel gives a connection to the listener of the very address before that of all addresses.
            let at = |wanted: &dyn Fn(&SocketAddr) -> bool| -> Vec<u64> {
                let here = |l: &&sockets::TcpListener| l.address.port() == address.port() && wanted(&l.address);
                listeners.iter().filter(here).map(|l| l.inode).collect()
            };
            let exact = at(&|l| l.ip() == address.ip());
            if exact.is_empty() { at(&|l| l.ip().is_unspecified()) } else { exact }
        }
        Endpoint::Tcp(_) => Vec::new(),
    }
}

/// A pid file at a usual place, believed only when the process that it names is a daemon that
/// listens at the path.
fn by_pid_file(proc: &Proc, socket: &Path) -> Option<(Process, String)> {
    let beside = socket.parent().map(|d| d.join("docker.pid"));
    let places = [Some(PathBuf::from("/run/docker.pid")), Some(PathBuf::from("/var/run/docker.pid")), beside];
    let real = std::fs::canonicalize(socket).ok();
    for place in places.into_iter().flatten() {
        let Ok(text) = Root::open(Path::new("/")).and_then(|r| r.read(&place, 64)) else { continue };
        let Some(pid) = std::str::from_utf8(&text).ok().and_then(|t| t.trim().parse().ok()) else { continue };
        let Ok((process, _)) = proc.process(pid) else { continue };
        if program(&process).is_none() {
            continue;
        }
        let Ok(held) = proc.sockets(pid) else { continue };
        let listens = sockets::unix_table(proc, pid).unwrap_or_default().into_iter().any(|l| {
            let at = l.path.as_deref().map(Path::new);
            held.contains(&l.inode)
                && at.is_some_and(|at| at == socket || (real.is_some() && std::fs::canonicalize(at).ok() == real))
        });
        if listens {
            return Some((process, place.display().to_string()));
        }
    }
    None
}

fn describe(root: &Root, proc: &Proc, process: Process, found: Found) -> Result<Daemon, String> {
    let pid = process.pid;
    let gone = |what: &str, why: Unread| format!("{what} of process {pid} cannot be read: {why}");
    let owner = proc.owner(pid).map_err(|why| gone("the owner", why))?;
    let arguments = proc.arguments(pid).map_err(|why| gone("the command line", why))?;
    let flags = argv::parse(&arguments);
    drop(arguments);
    let mut gaps = Vec::new();
    let environment = match environment(proc, pid) {
        Ok(environment) => Some(environment),
        Err(why) => {
            let reason = format!("{why}: it needs root or CAP_SYS_PTRACE");
            let affects = "what the daemon takes from its environment".to_owned();
            gaps.push(Gap { source: proc.entry(pid, "environ").display().to_string(), reason, affects });
            None
        }
    };
    let network_namespace = proc.namespace(pid, "net");
    let own_network = same(network_namespace, own_namespace("net"));
    let listeners = match listeners(proc, pid, own_network == Some(true)) {
        Ok(listeners) => Some(listeners),
        Err(why) => {
            let reason = format!("{why}: it needs root or CAP_SYS_PTRACE");
            let affects = "what the daemon listens on".to_owned();
            gaps.push(Gap { source: proc.entry(pid, "fd").display().to_string(), reason, affects });
            None
        }
    };
    let cwd = proc.link(pid, "cwd").ok();
    let program = program(&process).unwrap_or(Program::Dockerd);
    let own_mounts = same(proc.namespace(pid, "mnt"), own_namespace("mnt"));
    let rootless = environment.as_ref().map(|e| e.rootlesskit || owner.uid != 0);
    let config_path = config_path(program, &flags, environment.as_ref(), owner, cwd.as_deref());
    let plain = root.is_live() && own_mounts == Some(true) && proc.link(pid, "root").is_ok_and(|r| r == "/");
    let entered = proc.entry(pid, "root");
    let theirs = rustix::fs::stat(&entered).ok();
    let own_root = theirs.as_ref().zip(rustix::fs::stat("/").ok()).map(|(a, b)| same_file(a, &b));
    let inside = theirs.is_some().then_some(entered);
    Ok(Daemon {
        pid,
        exe: process.exe,
        exe_deleted: process.exe_deleted,
        program,
        owner,
        flags,
        started_at: started_at(process.start_ticks),
        cwd,
        network_namespace,
        own_network,
        bridges_filtered: bridges_filtered(proc, pid, own_network),
        own_mounts,
        own_root,
        found,
        environment,
        rootless,
        config_path,
        listeners,
        gaps,
        root: if plain { Some(PathBuf::from("/")) } else { inside },
    })
}

fn same(theirs: Option<u64>, ours: Option<u64>) -> Option<bool> {
    Some(theirs? == ours?)
}

fn same_file(a: &rustix::fs::Stat, b: &rustix::fs::Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

fn own_namespace(kind: &str) -> Option<u64> {
    let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).ok()?;
    link.to_str()?.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// What `net.bridge.bridge-nf-call-iptables` says there; without its module, which brings it, nothing is handed on.
fn bridges_filtered(proc: &Proc, pid: u32, own_network: Option<bool>) -> Option<bool> {
    const SETTING: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    let read = || match std::fs::read_to_string(SETTING) {
        Ok(text) => Ok(text.trim() != "0"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && Path::new("/proc/sys/net/ipv4").exists() => {
            Ok(false)
        }
        Err(_) => Err(rustix::io::Errno::ACCESS),
    };
    match own_network? {
        true => read().ok(),
        false => sockets::in_network_of(proc, pid, read).ok(),
    }
}

fn listeners(proc: &Proc, pid: u32, own_network: bool) -> Result<Listeners, Unread> {
    let held = proc.sockets(pid)?;
    let (unix, tcp) = sockets::held(proc, pid, &held, own_network)?;
    Ok(Listeners {
        unix: unix.into_iter().filter_map(|l| l.path).collect(),
        tcp: tcp.into_iter().map(|l| l.address).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(exe: &str) -> Process {
        Process { pid: 1, parent: 0, name: "dockerd".into(), exe: Some(exe.into()), exe_deleted: false, start_ticks: 0 }
    }

    #[test]
    fn a_daemon_is_known_by_its_executable_and_not_by_its_name() {
        assert_eq!(program(&process("/usr/sbin/dockerd")), Some(Program::Dockerd));
        assert_eq!(program(&process("/opt/dockerd-20.10.24")), Some(Program::Dockerd));
        assert_eq!(program(&process("/usr/bin/podman")), Some(Program::Podman));
        for exe in ["/usr/bin/python3", "/tmp/dockerdx", "/usr/bin/dockerd-rootless.sh", "/usr/bin/docker"] {
            assert_eq!(program(&process(exe)), None, "{exe}");
        }
    }

    #[test]
    fn a_proxy_before_an_engine_is_said_and_nothing_is_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let _held = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let root = Root::open(Path::new("/")).unwrap();
        let proc = Proc::open(&root).unwrap();
        let gap = find(&root, &proc, &Endpoint::Unix(path.clone())).unwrap_err();
        assert!(gap.reason.contains("no container engine"), "{gap:?}");
        assert_eq!(gap.source, path.display().to_string());
    }
}
