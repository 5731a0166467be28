//! Actions: what is done, each with what was there before.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is done, exactly, with what was there before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Owner and mode of a file, directory or socket.
    Rights(Rights),
    /// Settings of daemon.json; what makes them take effect is an [`Action::Activate`] after it.
    DaemonJson(DaemonJson),
    /// Settings in a drop-in of a systemd unit.
    DropIn(DropIn),
    /// Audit rules, in the kernel and on disk.
    Audit(AuditRules),
    /// Settings of the SSH server.
    Sshd(Sshd),
    /// A user leaves a group.
    LeaveGroup(LeaveGroup),
    /// Variables that login shells export.
    ProfileEnv(ProfileEnv),
    /// The engine reads its configuration again, or restarts.
    Activate(Activate),
    /// `docker update` of a running container.
    Update(Update),
    /// A new container from the old one's run specification.
    Recreate(Recreate),
    /// Settings of the swarm.
    Swarm(Swarm),
}

/// Owner and mode before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// The file, links resolved.
    pub path: String,
    /// What it is: `file`, `directory` or `socket`.
    pub what: String,
    /// As it was read.
    pub before: Owned,
    /// As it will be.
    pub after: Owned,
}

/// Owner, group and mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owned {
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The permission bits (07777).
    pub mode: u32,
}

/// Settings of daemon.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonJson {
    /// The file that the daemon really uses.
    pub path: String,
    /// A fingerprint of its content as it was read; none where there was no file.
    pub digest: Option<String>,
    /// The settings, by their top-level keys.
    pub set: Vec<SetKey>,
}

/// One key with its value before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetKey {
    /// The key.
    pub key: String,
    /// What was in effect, where that is known; for people.
    pub before: Option<Value>,
    /// What it becomes; none takes the key away. An object is merged into the one that is there.
    pub after: Option<Value>,
}

/// A drop-in of a systemd unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropIn {
    /// The unit: `docker.socket`.
    pub unit: String,
    /// The section: `Socket`.
    pub section: String,
    /// Names and values, in their order.
    pub set: Vec<(String, String)>,
    /// The socket whose owner and mode change at once, without a restart of the unit, where there is one.
    pub socket: Option<Rights>,
}

/// Audit rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRules {
    /// What is watched.
    pub watches: Vec<Watch>,
    /// Whether recording, which is switched off, is switched on first.
    #[serde(default)]
    pub enable: bool,
}

/// A path that the kernel's audit watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The path.
    pub path: String,
    /// Whether it is a directory, watched with all that lies in it.
    pub directory: bool,
    /// Which accesses are recorded, of `rwxa`.
    pub permissions: String,
    /// Whether the kernel lacks it, as it was read.
    pub kernel: bool,
    /// Whether the rule files lack it, as they were read.
    pub disk: bool,
}

/// Settings of the SSH server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sshd {
    /// Keywords and values, in their order.
    pub set: Vec<(String, String)>,
}

/// A user leaves a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveGroup {
    /// The group.
    pub group: String,
    /// Who leaves it.
    pub user: String,
}

/// Variables that login shells export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileEnv {
    /// Names and values, in their order.
    pub set: Vec<(String, String)>,
}

/// What makes the engine take its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activate {
    /// How.
    pub how: Activation,
    /// Containers that stop and that the engine starts again by itself.
    pub returns: Vec<ContainerRef>,
    /// Containers that stop and that are started again after it, in this order.
    pub started_again: Vec<ContainerRef>,
    /// Whether every container is stopped before the restart: settings of the default bridge do not take effect while
    /// one is kept running (live-restore).
    #[serde(default)]
    pub stop_all: bool,
}

/// How the engine takes new settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// SIGHUP.
    Reload,
    /// Stopped and started.
    Restart,
}

/// A container by what names it now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerRef {
    /// Its id.
    pub id: String,
    /// Its name, without the leading slash. Hostile text.
    pub name: String,
}

/// `docker update` of a running container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Which one.
    pub container: ContainerRef,
    /// Its Compose project and service, where it has them.
    #[serde(default)]
    pub compose: Option<(String, String)>,
    /// The fields.
    pub set: Vec<SetField>,
}

/// A field of a container's limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetField {
    /// By the name of `docker update`'s option: `memory` (bytes, swap with it), `pids-limit`, `cpus` (thousandths of a
    /// CPU), `restart` (`on-failure:5`).
    pub field: String,
    /// What was in effect, as it was read; null is no limit.
    pub before: Value,
    /// What it becomes.
    pub after: Value,
    /// Where the value comes from: the user, or what was observed.
    pub why: String,
}

/// A new container from the old one's run specification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recreate {
    /// Which one.
    pub container: ContainerRef,
    /// Its Compose project and service, where it has them.
    pub compose: Option<(String, String)>,
    /// What is changed, by the names of `docker run`'s options.
    pub set: Vec<SpecChange>,
    /// Whether the user has said yes to losing what was written into the container's own layer, which a new one does not
    /// have.
    #[serde(default)]
    pub accept_lost_changes: bool,
}

/// A change of a run specification: what the option holds is added, what it must no longer hold is taken away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecChange {
    /// The option: `privileged`, `cap-drop`, `volume`, `publish`, …
    pub option: String,
    /// Values of a list that are taken away: a mount by its destination, a port by `HOST_IP:HOST_PORT:PORT/PROTOCOL`, a
    /// variable by its name.
    pub remove: Vec<String>,
    /// Values of a list that are added, or the one value of a setting that has one.
    pub add: Vec<String>,
}

/// Settings of the swarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swarm {
    /// `autolock` (true), `cert-expiry` (nanoseconds), with what was there before.
    pub set: Vec<(String, Value, Value)>,
}

impl Action {
    /// A word for it in every output.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rights(_) => "rights",
            Self::DaemonJson(_) => "daemon.json",
            Self::DropIn(_) => "drop-in",
            Self::Audit(_) => "audit rules",
            Self::Sshd(_) => "sshd",
            Self::LeaveGroup(_) => "group",
            Self::ProfileEnv(_) => "profile",
            Self::Activate(Activate { how: Activation::Reload, .. }) => "reload",
            Self::Activate(Activate { how: Activation::Restart, .. }) => "restart",
            Self::Update(_) => "update",
            Self::Recreate(_) => "re-create",
            Self::Swarm(_) => "swarm",
        }
    }
}
