//! Threats: STRIDE stories about components and flows, answered by checks.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagram::{FactRef, FlowKind};
use crate::predicate::Predicate;
use crate::schema;
use crate::verdict::Severity;

/// A letter of STRIDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stride {
    /// Somebody passes for somebody else.
    Spoofing,
    /// Something is altered.
    Tampering,
    /// What was done cannot be attributed.
    Repudiation,
    /// Something is read.
    InformationDisclosure,
    /// Something stops.
    DenialOfService,
    /// Somebody gains rights.
    ElevationOfPrivilege,
}

impl Stride {
    /// All six, in their order.
    pub const ALL: [Self; 6] = [
        Self::Spoofing,
        Self::Tampering,
        Self::Repudiation,
        Self::InformationDisclosure,
        Self::DenialOfService,
        Self::ElevationOfPrivilege,
    ];

    /// The letter.
    pub fn letter(self) -> char {
        match self {
            Self::Spoofing => 'S',
            Self::Tampering => 'T',
            Self::Repudiation => 'R',
            Self::InformationDisclosure => 'I',
            Self::DenialOfService => 'D',
            Self::ElevationOfPrivilege => 'E',
        }
    }

    /// The word in files and outputs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Spoofing => "spoofing",
            Self::Tampering => "tampering",
            Self::Repudiation => "repudiation",
            Self::InformationDisclosure => "information-disclosure",
            Self::DenialOfService => "denial-of-service",
            Self::ElevationOfPrivilege => "elevation-of-privilege",
        }
    }
}

/// Where an attack begins, as the hand-in document groups threats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    /// The administrator's machine, authorization, Dockerfiles.
    DockerClient,
    /// Isolation, privileges, defaults and settings of the host and its engine.
    DockerHost,
    /// Images, what is inside them, and where they come from.
    DockerRegistry,
    /// The API server, etcd, the controllers, and the objects that they keep.
    ControlPlane,
    /// Kubelets, kube-proxy, and the pods on the nodes.
    NodeRuntime,
    /// What the cloud around a cluster tells and allows.
    CloudProvider,
}

impl Surface {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::DockerClient,
        Self::DockerHost,
        Self::DockerRegistry,
        Self::ControlPlane,
        Self::NodeRuntime,
        Self::CloudProvider,
    ];

    /// The word in files and outputs.
    pub fn word(self) -> &'static str {
        match self {
            Self::DockerClient => "docker-client",
            Self::DockerHost => "docker-host",
            Self::DockerRegistry => "docker-registry",
            Self::ControlPlane => "control-plane",
            Self::NodeRuntime => "node-runtime",
            Self::CloudProvider => "cloud-provider",
        }
    }

    /// The name in prose.
    pub fn title(self) -> &'static str {
        match self {
            Self::DockerClient => "Docker client",
            Self::DockerHost => "Docker host",
            Self::DockerRegistry => "Docker registry",
            Self::ControlPlane => "Kubernetes control plane",
            Self::NodeRuntime => "Kubernetes node",
            Self::CloudProvider => "Cloud provider",
        }
    }
}

/// What is lost when a threat comes true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Root on the host.
    Host,
    /// The engine's API, which is as much.
    Engine,
    /// The data of other containers.
    Containers,
    /// Secrets.
    Secrets,
    /// The credentials of a registry.
    RegistryCredentials,
    /// That what runs is what was built.
    Images,
    /// The host's or a service's availability.
    Availability,
    /// Who did what.
    Traceability,
    /// Knowledge of the host that helps the next step.
    Information,
    /// Every right in the cluster.
    Cluster,
    /// Root on a node, with everything that runs there.
    Node,
    /// The data of other pods.
    Pods,
    /// The cloud's credentials.
    Cloud,
}

impl Loss {
    /// The word in files and outputs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Engine => "engine",
            Self::Containers => "containers",
            Self::Secrets => "secrets",
            Self::RegistryCredentials => "registry-credentials",
            Self::Images => "images",
            Self::Availability => "availability",
            Self::Traceability => "traceability",
            Self::Information => "information",
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::Pods => "pods",
            Self::Cloud => "cloud",
        }
    }

    /// What is lost, in prose.
    pub fn title(self) -> &'static str {
        match self {
            Self::Host => "root on the host",
            Self::Engine => "the engine's API",
            Self::Containers => "other containers' data",
            Self::Secrets => "secrets",
            Self::RegistryCredentials => "the registry's credentials",
            Self::Images => "trust in what runs",
            Self::Availability => "availability",
            Self::Traceability => "the trace of who did what",
            Self::Information => "knowledge of the host",
            Self::Cluster => "every right in the cluster",
            Self::Node => "root on a node",
            Self::Pods => "other pods' data",
            Self::Cloud => "the cloud's credentials",
        }
    }
}

/// Which checks answer a threat, and how together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Formula {
    /// One check.
    Check(String),
    /// Every one of them is needed.
    All(Vec<Formula>),
    /// One of them suffices.
    Any(Vec<Formula>),
}

impl Formula {
    /// The ids of its checks, in order.
    pub fn checks(&self) -> Vec<&str> {
        match self {
            Self::Check(id) => vec![id],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::checks).collect(),
        }
    }
}

/// In words: `a and (b or c)`.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Self::Check(id) => return f.write_str(id),
            Self::All(parts) => (parts, " and "),
            Self::Any(parts) => (parts, " or "),
        };
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                f.write_str(word)?;
            }
            match part {
                Self::All(inner) | Self::Any(inner) if inner.len() > 1 && parts.len() > 1 => write!(f, "({part})")?,
                part => write!(f, "{part}")?,
            }
        }
        Ok(())
    }
}

/// The story of a threat, each part a paragraph of Markdown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// Who attacks.
    pub who: String,
    /// How.
    pub how: String,
    /// What is lost.
    pub lost: String,
    /// What answers it.
    pub answer: String,
    /// What remains when it is answered.
    pub remains: String,
}

/// A threat of the catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Threat {
    /// The path of its file: `docker/container/engine-socket-mounted`.
    pub id: String,
    /// What happens, in a sentence.
    pub title: String,
    /// Its letters.
    pub stride: Vec<Stride>,
    /// The kind of component that it is about; always one of the schema's.
    pub about: String,
    /// The kind on the far side of the boundary that it crosses.
    pub crosses: Option<String>,
    /// Each instance is a flow of this kind that touches a component of the kind, and not the component.
    pub flow: Option<FlowKind>,
    /// Where this is false there is no instance.
    pub when: Option<Predicate>,
    /// What answers it.
    pub answered: Formula,
    /// What is lost.
    pub loses: Loss,
    /// ATT&CK ids.
    pub attack: Vec<String>,
    /// Where the attack begins.
    pub surface: Surface,
    /// The rows of the threat lists that it tells: `DM05`, `D29`.
    pub covers: Vec<String>,
    /// The story.
    pub story: Story,
    /// The file it was read from, relative to the catalogue.
    pub file: String,
}

/// The row of the matrix for who acts from outside.
pub const ACTOR: &str = "actor";
/// The row of the matrix for data flows as such.
pub const FLOW: &str = "flow";

/// The kinds of the matrix, in its order: actors, the schema's kinds, flows.
pub fn matrix_kinds() -> impl Iterator<Item = &'static str> {
    std::iter::once(ACTOR).chain(schema::kinds().iter().map(|k| k.name)).chain([FLOW])
}

/// The cells of the matrix, by kind and letter.
pub fn cells() -> impl Iterator<Item = (&'static str, Stride)> {
    matrix_kinds().flat_map(|kind| Stride::ALL.map(|letter| (kind, letter)))
}

impl Threat {
    /// Whether it stands in a cell of the matrix: under the kind that it is about, and under flows as well where its
    /// instances are flows.
    pub fn fills(&self, kind: &str, letter: Stride) -> bool {
        self.stride.contains(&letter) && (self.about == kind || (kind == FLOW && self.flow.is_some()))
    }
}

/// A row of the lists of threats that the catalogue must tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its id: `DM05`, `D29`.
    pub id: String,
    /// Its letters.
    pub letters: Vec<Stride>,
    /// The surface that it belongs to, where the list says so.
    pub surface: Option<Surface>,
}

/// A cell of the matrix of element kind by letter that has no threat, and why that is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blank {
    /// A kind of the schema, `actor` or `flow`.
    pub kind: String,
    /// The letter.
    pub letter: Stride,
    /// Why there is none.
    pub reason: String,
}

/// A check that answers no threat, and why that is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alone {
    /// The check's id.
    pub check: String,
    /// Why it answers none.
    pub reason: String,
}

/// What becomes of a threat here; ordered as reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A check that must answer it fails.
    Open,
    /// A fact that decides is unknown, or a person must look.
    Undetermined,
    /// What fails was accepted.
    Accepted,
    /// Proven to be answered.
    Answered,
}

impl Status {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Open, Self::Undetermined, Self::Accepted, Self::Answered];

    /// The word for it in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Undetermined => "undetermined",
            Self::Accepted => "accepted",
            Self::Answered => "answered",
        }
    }
}

/// One term of a rating: what was read, in a sentence, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The sentence. Holds hostile names.
    pub text: String,
    /// The facts that it rests on.
    pub facts: Vec<FactRef>,
}

/// A rating that explains itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rating {
    /// The level; none where the terms do not allow one.
    pub level: Option<Severity>,
    /// What it follows from. Many ratings of a large cluster follow from the same.
    pub terms: Arc<Vec<Term>>,
}

impl Rating {
    /// Adds what it follows from as well; others that followed from the same stay as they are.
    pub fn add(&mut self, term: Term) {
        Arc::make_mut(&mut self.terms).push(term);
    }
}

/// What an instance is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// An element, by position in the diagram.
    Element(usize),
    /// A flow, by position in the diagram.
    Flow(usize),
    /// Components of this kind that could not be listed, in the target at this position.
    Unlisted(usize),
}

/// A threat on one component or flow of the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The threat, by position in the catalogue's list.
    pub threat: usize,
    /// What it is about.
    pub subject: Subject,
    /// The target, by position in the snapshot.
    pub target: usize,
    /// What becomes of it.
    pub status: Status,
    /// The findings that decided, by position in the audit; of an open one those that fail, of an answered one those
    /// that pass, of an undetermined one those that are unknown.
    pub decided_by: Vec<usize>,
    /// Facts that decided beside the findings: those of `when`.
    pub facts: Vec<FactRef>,
    /// Why it is undetermined, where no finding says so.
    pub reason: Option<Arc<str>>,
    /// The waiver that accepts it, by position in the audit's list.
    pub waiver: Option<usize>,
    /// How likely it is: from exposure and the cheapest way there.
    pub likelihood: Rating,
    /// How much is lost.
    pub impact: Rating,
    /// The same for the same threat on the same component, also after it was re-created.
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_read_as_words() {
        let check = |id: &str| Formula::Check(id.into());
        let any = Formula::Any(vec![check("b"), check("c")]);
        assert_eq!(Formula::All(vec![check("a"), any.clone()]).to_string(), "a and (b or c)");
        assert_eq!(Formula::All(vec![any]).to_string(), "b or c");
        assert_eq!(check("a").to_string(), "a");
    }

    #[test]
    fn the_matrix_has_every_kind_and_letter() {
        assert_eq!(cells().count(), (schema::kinds().len() + 2) * 6);
        assert_eq!(cells().next(), Some((ACTOR, Stride::Spoofing)));
        assert_eq!(cells().last(), Some((FLOW, Stride::ElevationOfPrivilege)));
    }
}
