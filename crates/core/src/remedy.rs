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

/// A change of objects of a cluster that would make a check of it pass: told to a person as the patch or manifest that the
/// API server takes, never done. Texts are JSON; `{name}`, `{namespace}` and `{workload}` in its texts stand for the
/// component's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Laid over the specification of the pod, in its workload's template; null takes away.
    Pod(String),
    /// Laid over the container.
    Container(String),
    /// Laid over the workload itself.
    Workload(String),
    /// Laid over the specification of the Job, or of the Jobs that a CronJob makes.
    Job(String),
    /// Laid over the component's own object.
    Object(String),
    /// An object that is added.
    Apply(String),
    /// The component's own object goes.
    Delete(bool),
    /// What a fact lists as violations of Pod Security is mended: the fact, and the control where only one is meant.
    Violations(Vec<String>),
    /// The subject leaves the bindings that give it one of these powers.
    Unbind(Vec<String>),
    /// Subjects that a fact lists, or those named after it, leave the binding; an empty fact lists all.
    Subjects(Vec<String>),
    /// Host paths that a fact lists are mounted no more.
    Unmount(String),
    /// Worked out from the facts, by the rule of this name.
    Worked(String),
}

/// What would make a check pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// How much harm it can do.
    pub safety: Safety,
    /// The changes; none when it is a person's to do.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// What of a cluster's objects would have to change.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// What to do, in words and a command.
    pub fix: String,
    /// Why it is never done by a plan, where that is so: a clause.
    #[serde(default)]
    pub by_hand: Option<String>,
}
