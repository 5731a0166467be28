//! Remedies: typed edits that would make a check pass.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How much harm carrying out a remedy can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// Nothing restarts and nothing stops working.
    Safe,
    /// Something restarts, stops or loses a right that it may have used.
    Disruptive,
    /// Described, never done.
    Manual,
}

impl Safety {
    /// The word for it in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Disruptive => "disruptive",
            Self::Manual => "manual",
        }
    }
}

/// A setting's value in an edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Setting {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Setting>),
    /// Settings beneath it.
    Map(BTreeMap<String, Setting>),
}

/// One change that a remedy would make.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// Keys of daemon.json.
    DaemonJson(BTreeMap<String, Setting>),
    /// The mode of the component's file, octal.
    FileMode(String),
    /// The owner of the component's file, `user:group`.
    FileOwner(String),
    /// A watch of the kernel's audit on the component's path, with its permissions.
    AuditWatch(String),
    /// `docker update` of a running container; `proposed` is worked out from what was observed.
    Update(BTreeMap<String, Setting>),
    /// A new run specification for the container.
    Recreate(BTreeMap<String, Setting>),
    /// Settings of the SSH server.
    Sshd(BTreeMap<String, Setting>),
    /// The group that a user leaves.
    GroupRemove(String),
    /// Variables that shells export.
    ProfileEnv(BTreeMap<String, Setting>),
    /// Settings in a drop-in of docker.socket.
    SocketDropIn(BTreeMap<String, Setting>),
    /// Settings of the swarm.
    Swarm(BTreeMap<String, Setting>),
}

/// What would make a check pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// How much harm it can do.
    pub safety: Safety,
    /// The changes; none when it is a person's to do.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// What to do, in words and a command.
    pub fix: String,
    /// Why it is never done by a plan, where that is so: a clause.
    #[serde(default)]
    pub by_hand: Option<String>,
}
