//! Plans: what hardening would change, in its order, with everything that it rests on. Inert: a plan does nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::remedy::Safety;

/// The version of the plan's shape that this build writes and reads.
pub const SCHEMA: u32 = 1;

/// What would be changed on one host, and what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The shape's version.
    pub schema: u32,
    /// The version of the program that planned.
    pub tool: String,
    /// Names the plan by its content: 16 hexadecimal digits over everything else in it.
    pub id: String,
    /// When the facts were read that it rests on, in seconds since 1970-01-01 UTC.
    pub made_at: i64,
    /// Where it belongs.
    pub target: Place,
    /// What is changed, in the order in which it is carried out.
    pub changes: Vec<Change>,
    /// What a person has to do: described, never done.
    pub by_hand: Vec<ByHand>,
    /// What was asked for and is not in it, with the reason.
    pub left_out: Vec<LeftOut>,
    /// Checks that must pass in effect when it has been carried out.
    pub expects: Vec<Expected>,
    /// What stands still meanwhile.
    pub interruption: Interruption,
    /// What may break and for whom, and which combinations were looked at, in sentences.
    pub warnings: Vec<String>,
    /// What will be left to do, where the threat model was at hand.
    pub forecast: Option<Forecast>,
}

/// The host and engine that a plan is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// What the user called the target.
    pub name: String,
    /// The engine's address, without credentials.
    pub address: String,
    /// The host, by a fingerprint of its machine id; none where it could not be read, and then the plan is not applied.
    pub host: Option<String>,
    /// The engine, by a fingerprint of its own id and its data directory; none where it could not be read.
    pub engine: Option<String>,
    /// Whether the facts are the demonstration's.
    pub demo: bool,
}

/// One change with what it closes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What it does, in a sentence. Holds hostile names.
    pub title: String,
    /// How much harm it can do.
    pub safety: Safety,
    /// What is done.
    pub action: Action,
    /// The findings that it closes.
    pub closes: Vec<Closed>,
    /// What may break, in sentences.
    pub breaks: Vec<String>,
    /// What cannot be undone, in sentences.
    pub lasting: Vec<String>,
}

/// A finding that a change closes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// The check.
    pub check: String,
    /// The component's kind.
    pub kind: String,
    /// The component's name. Hostile text.
    pub component: String,
    /// The finding's fingerprint, which survives re-creation.
    pub fingerprint: String,
}

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

/// Something that a person has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// The finding.
    pub finding: Closed,
    /// What to do and why it is not done here. Holds hostile names.
    pub what: String,
    /// The exact command as arguments, where there is one.
    pub command: Vec<String>,
}

/// Something that was asked for and is not in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The finding.
    pub finding: Closed,
    /// Why.
    pub why: String,
}

/// A check that must pass afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The finding.
    pub finding: Closed,
    /// What it waits for, where it cannot pass at once.
    pub pending: Option<Pending>,
}

/// What a check waits for that cannot pass at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// The next start of the machine.
    Reboot,
    /// The next login.
    Login,
    /// The container's re-creation: settings of the daemon hold for new containers alone.
    Recreation,
}

/// What stands still while the plan is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interruption {
    /// What restarts: `dockerd`, `sshd`.
    pub restarts: Vec<String>,
    /// Containers that stop.
    pub stops: Vec<ContainerRef>,
    /// For about how long, in seconds, and where the number comes from.
    pub seconds: Option<(u64, String)>,
}

/// Before and after, by counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// Open threats.
    pub threats_open: (usize, usize),
    /// Proven paths among those listed.
    pub paths_proven: (usize, usize),
    /// Possible paths among those listed.
    pub paths_possible: (usize, usize),
    /// Failing controls of the benchmark.
    pub controls_failing: (usize, usize),
}

impl Plan {
    /// The id that its content asks for.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut bare = self.clone();
        bare.id = String::new();
        let text = serde_json::to_string(&bare).unwrap_or_default();
        hex(&Sha256::digest(text.as_bytes())[..8])
    }

    /// The plan named by its content.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.id = self.digest();
        self
    }

    /// Reads a plan back.
    ///
    /// # Errors
    /// One line: it is no plan, of another version, or was changed after it was made.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
        }
        let head: Head = serde_json::from_slice(text).map_err(|e| format!("it is no plan: {e}"))?;
        if head.schema != SCHEMA {
            let schema = head.schema;
            return Err(format!("it has shape {schema} and this program reads shape {SCHEMA}: plan again"));
        }
        let plan: Self = serde_json::from_slice(text).map_err(|e| format!("it is damaged: {e}"))?;
        if plan.id != plan.digest() {
            return Err("it was changed after it was made: plan again".into());
        }
        Ok(plan)
    }

    /// The gravest safety of its changes.
    #[must_use]
    pub fn safety(&self) -> Safety {
        self.changes.iter().map(|c| c.safety).max().unwrap_or(Safety::Safe)
    }
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            schema: SCHEMA,
            tool: "0".into(),
            id: String::new(),
            made_at: 1,
            target: Place {
                name: "local".into(),
                address: "unix:///run/docker.sock".into(),
                host: None,
                engine: None,
                demo: false,
            },
            changes: vec![Change {
                title: "icc off".into(),
                safety: Safety::Disruptive,
                action: Action::DaemonJson(DaemonJson {
                    path: "/etc/docker/daemon.json".into(),
                    digest: None,
                    set: vec![SetKey { key: "icc".into(), before: Some(true.into()), after: Some(false.into()) }],
                }),
                closes: Vec::new(),
                breaks: Vec::new(),
                lasting: Vec::new(),
            }],
            by_hand: Vec::new(),
            left_out: Vec::new(),
            expects: Vec::new(),
            interruption: Interruption::default(),
            warnings: Vec::new(),
            forecast: None,
        }
        .sealed()
    }

    #[test]
    fn a_plan_reads_back_as_it_was_and_not_when_it_was_edited() {
        let plan = plan();
        let text = serde_json::to_string_pretty(&plan).unwrap();
        assert_eq!(Plan::parse(text.as_bytes()).unwrap(), plan);
        let edited = text.replace("false", "true");
        assert!(Plan::parse(edited.as_bytes()).unwrap_err().contains("changed after"));
        let newer = text.replace("\"schema\": 1", "\"schema\": 9");
        assert!(Plan::parse(newer.as_bytes()).unwrap_err().contains("shape 9"));
        assert!(Plan::parse(&text.as_bytes()[..40]).unwrap_err().contains("no plan"));
        let more = text.replacen("\"tool\"", "\"spell\": 1, \"tool\"", 1);
        assert!(Plan::parse(more.as_bytes()).unwrap_err().contains("damaged"));
    }
}
