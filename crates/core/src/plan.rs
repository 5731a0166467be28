//! Plans: what hardening would change, in its order, with everything that it rests on. Inert: a plan does nothing.

mod action;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use action::{
    Action, Activate, Activation, AuditRules, ContainerRef, DaemonJson, DropIn, LeaveGroup, Owned, ProfileEnv,
    Recreate, Rights, SetField, SetKey, SpecChange, Sshd, Swarm, Update, Watch,
};

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
