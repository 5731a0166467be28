//! What a container's inspect alone does not say: the engine, its volumes and networks, and what the host shows.

use std::collections::HashMap;
use std::sync::Arc;

use super::json::{Read, left_out};
use super::observed::Observed;
use crate::redact::Redactor;

/// What is known beside the document that is being read.
pub struct Context<'a> {
    /// Takes secrets out.
    pub redactor: &'a Redactor,
    /// Facts about the engine that its containers follow.
    pub engine: &'a EngineFacts,
    /// The volumes by name; the reason where they could not be listed.
    pub volumes: Read<&'a HashMap<Box<str>, VolumeSource>>,
    /// What networks make of published ports, by the network's name; those that do what is usual are left out.
    pub bindings: &'a HashMap<Box<str>, Binding>,
    /// What the host around the engine can add.
    pub host: &'a dyn HostView,
    /// When it is collected, in seconds since 1970-01-01 UTC.
    pub collected_at: i64,
}

/// A container that has processes, as the engine names it.
#[derive(Debug, Clone, Copy)]
pub struct Running<'a> {
    /// Its full id.
    pub id: &'a str,
    /// Its first process.
    pub pid: u32,
    /// When it was started, in seconds since 1970-01-01 UTC.
    pub started_at: Option<i64>,
}

/// What a network makes of the ports that its containers publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binding {
    /// The address for those that name none, where that is not every one of the host.
    pub address: Option<Box<str>>,
    /// Whether ports of IPv4 are opened at the container's own address, and on none of the host.
    pub routed_ipv4: bool,
    /// The same for IPv6.
    pub routed_ipv6: bool,
    /// Whether none is published at all.
    pub internal: bool,
}

/// Something beneath a directory that is known by another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beneath {
    /// Its path from the directory on: `dev/pts`.
    pub path: String,
    /// The name that everybody knows of it.
    pub name: String,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// A device by its numbers, which are what it is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceNumber {
    /// Whether it is a block device, and not a character device.
    pub block: bool,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
}

/// What the host that the engine runs on can add; [`NoHost`] where it is another machine.
pub trait HostView: Sync {
    /// What is in effect for a container's process; the reason where it cannot be seen.
    ///
    /// # Errors
    /// Why nothing of it can be seen.
    fn observe(&self, running: Running<'_>) -> Read<Observed>;

    /// Whether processes may be looked at already, before the engine has told of itself: it is certain that they are
    /// the engine's, and looking waits for nothing.
    fn is_certain(&self) -> bool {
        false
    }

    /// A path of the host with its links resolved; of several names of the same directory the one that everybody
    /// knows. None where that could not be seen.
    fn resolve(&self, path: &str) -> Option<String>;

    /// The name that everybody knows of what is mounted at a path, where it has one.
    fn known_as(&self, path: &str) -> Option<String>;

    /// What is mounted beneath a directory and is known by another name, such as a host's `/proc` in the root of a chroot.
    fn mounted_below(&self, _directory: &str) -> Vec<Beneath> {
        Vec::new()
    }

    /// Second names, beneath a directory, of sockets by which an engine is commanded.
    ///
    /// # Errors
    /// Why there may be one that was not found.
    fn sockets_below(&self, _directory: &str) -> Read<Vec<Beneath>> {
        Ok(Vec::new())
    }

    /// Where the host has a disk mounted, of several places the one that everybody knows; none where it has not, or where
    /// that could not be seen.
    fn mounted_at(&self, _disk: &str) -> Option<String> {
        None
    }

    /// The devices that a path of the host leads to: itself, or those in a directory; empty where none can be seen.
    fn devices(&self, path: &str) -> Vec<DeviceNumber>;

    /// The number of a user of a container that does not run, from the layers of its root file system.
    ///
    /// # Errors
    /// Why the name has no number here.
    fn user_number(&self, layers: &[&str], user: &str) -> Read<u32>;

    /// Whether the running kernel has AppArmor enabled; none where that is not known.
    fn apparmor(&self) -> Option<bool>;

    /// Whether the running kernel has SELinux enabled; none where that is not known.
    fn selinux(&self) -> Option<bool>;

    /// The capabilities that a privileged container gets, without `CAP_`.
    ///
    /// # Errors
    /// Why they are not known.
    fn all_capabilities(&self) -> Read<Vec<String>>;
}

/// A host that cannot be seen: the engine is on another machine.
#[derive(Debug, Clone)]
pub struct NoHost {
    reason: Arc<str>,
}

impl NoHost {
    /// A host that cannot be seen, and why.
    pub fn new(reason: impl Into<Arc<str>>) -> Self {
        Self { reason: reason.into() }
    }
}

impl HostView for NoHost {
    fn observe(&self, _running: Running<'_>) -> Read<Observed> {
        Err(Arc::clone(&self.reason))
    }

    fn resolve(&self, _path: &str) -> Option<String> {
        None
    }

    fn known_as(&self, _path: &str) -> Option<String> {
        None
    }

    fn devices(&self, _path: &str) -> Vec<DeviceNumber> {
        Vec::new()
    }

    fn user_number(&self, _layers: &[&str], _user: &str) -> Read<u32> {
        Err(Arc::clone(&self.reason))
    }

    fn apparmor(&self) -> Option<bool> {
        None
    }

    fn selinux(&self) -> Option<bool> {
        None
    }

    fn all_capabilities(&self) -> Read<Vec<String>> {
        Err(Arc::clone(&self.reason))
    }
}

/// The profile that containers get which name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seccomp {
    /// The engine's own.
    Default,
    /// Another that holds something back.
    Custom,
    /// None, or one that lets every call through.
    Unconfined,
}

impl Seccomp {
    /// As the fact has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Custom => "custom",
            Self::Unconfined => "unconfined",
        }
    }
}

/// Facts about the engine that decide over its containers.
#[derive(Debug, Clone)]
pub struct EngineFacts {
    /// Whether it is Podman.
    pub podman: bool,
    /// The API in use, as major and minor number.
    pub api: (u32, u32),
    /// Whether it runs without root's rights.
    pub rootless: Read<bool>,
    /// Whether it maps containers' users away from the host's.
    pub userns: Read<bool>,
    /// Whether it uses AppArmor.
    pub apparmor: Read<bool>,
    /// Whether it labels for SELinux.
    pub selinux: Read<bool>,
    /// Whether containers that say nothing about it get no-new-privileges.
    pub no_new_privileges: Read<bool>,
    /// The profile of containers that name none.
    pub seccomp: Read<Seccomp>,
    /// Since when the daemon has had these defaults, in seconds since 1970-01-01 UTC; none when that is not known.
    pub since: Option<i64>,
    /// The runtime of containers that name none.
    pub default_runtime: Read<Box<str>>,
    /// The executable or the type of each runtime, by its name.
    pub runtimes: HashMap<Box<str>, Box<str>>,
    /// Processors of the host.
    pub cpus: Option<i64>,
    /// Bytes of the host's memory.
    pub memory: Option<i64>,
    /// The host's architecture as its kernel calls it: `x86_64`.
    pub architecture: Option<Box<str>>,
    /// The release of the host's kernel.
    pub kernel: Option<Box<str>>,
}

impl EngineFacts {
    /// An engine that has said nothing about itself yet.
    pub fn unknown(reason: &Arc<str>) -> Self {
        Self {
            podman: false,
            api: (0, 0),
            rootless: Err(Arc::clone(reason)),
            userns: Err(Arc::clone(reason)),
            apparmor: Err(Arc::clone(reason)),
            selinux: Err(Arc::clone(reason)),
            no_new_privileges: Err(Arc::clone(reason)),
            seccomp: Err(Arc::clone(reason)),
            since: None,
            default_runtime: Err(Arc::clone(reason)),
            runtimes: HashMap::new(),
            cpus: None,
            memory: None,
            architecture: None,
            kernel: None,
        }
    }
}

impl Default for EngineFacts {
    fn default() -> Self {
        Self::unknown(&left_out())
    }
}

/// What of the host a volume's options show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeSource {
    /// Nothing but a directory of the engine's own.
    Own,
    /// A directory that they bind, without what is mounted beneath it.
    Binds(Box<str>),
    /// A directory that they bind with all that is mounted beneath it.
    BindsAll(Box<str>),
    /// Directories that lie over each other, one at least, the uppermost first; whether writing reaches each.
    Layers(Vec<(Box<str>, bool)>),
    /// A disk.
    Disk(Box<str>),
}

impl VolumeSource {
    /// The directory of the host that is seen first of all; none for a disk or an ordinary volume.
    pub fn directory(&self) -> Option<&str> {
        match self {
            Self::Own | Self::Disk(_) => None,
            Self::Binds(path) | Self::BindsAll(path) => Some(path),
            // What is written to lies on top, and begins empty mostly; what was there before is below.
            Self::Layers(layers) => {
                let below = layers.iter().find(|(_, rw)| !rw).or(layers.first());
                below.map(|(path, _)| &**path)
            }
        }
    }
}
