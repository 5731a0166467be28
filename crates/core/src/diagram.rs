//! The data-flow diagram: elements in trust zones, and the flows between them. The model derives it from a snapshot;
//! every part names the facts that it rests on, and what only may exist says so.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::fact::Fact;
use crate::snapshot::Snapshot;

/// A fact of a component, by its place in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactRef {
    /// The target's position in the snapshot.
    pub target: usize,
    /// The component's position in the target.
    pub component: usize,
    /// The fact's position in the schema of the component's kind.
    pub fact: usize,
}

impl FactRef {
    /// The component that it belongs to.
    pub fn component(self, snapshot: &Snapshot) -> Option<&Component> {
        snapshot.targets.get(self.target)?.components.get(self.component)
    }

    /// The fact with its name.
    pub fn resolve(self, snapshot: &Snapshot) -> Option<(&'static str, &Fact)> {
        let component = self.component(snapshot)?;
        let spec = component.kind.facts.get(self.fact)?;
        Some((spec.name, component.fact_at(self.fact)))
    }
}

/// Whether something is there, or may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// Every fact that it needs was read.
    Proven,
    /// A fact that it needs is unknown; the reason.
    Possible(Arc<str>),
}

impl Certainty {
    /// The word for it in every output.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Possible(_) => "possible",
        }
    }

    /// Whether it is proven.
    pub fn is_proven(&self) -> bool {
        matches!(self, Self::Proven)
    }

    /// Both must be there: possible as soon as one is only possible.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if self.is_proven() { other.clone() } else { self.clone() }
    }
}

/// What an element is to STRIDE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// An external entity.
    Actor,
    /// A process.
    Process,
    /// A data store.
    Store,
}

impl Shape {
    /// The word for it in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Process => "process",
            Self::Store => "store",
        }
    }
}

/// Kinds of elements that are no components: the actors outside.
pub mod actor {
    /// Anybody on the internet.
    pub const INTERNET: &str = "actor.internet";
    /// Anybody on a network that the host is attached to.
    pub const LOCAL_NETWORK: &str = "actor.local-network";
    /// A user of the host without rights over the engine.
    pub const LOCAL_USER: &str = "actor.local-user";
    /// The members of a group that may command the engine.
    pub const ENGINE_GROUP: &str = "actor.engine-group";
    /// All of them.
    pub const ALL: [&str; 4] = [INTERNET, LOCAL_NETWORK, LOCAL_USER, ENGINE_GROUP];
}

/// Where elements are trusted alike: what separates them in effect, not what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Stable across collections: `target/host`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The zone that it lies in, by position; zones of a diagram are listed parents first.
    pub parent: Option<usize>,
    /// What separates it from the zone around it, in a sentence.
    pub boundary: String,
    /// How much what is in it is trusted: 0 is not at all, 100 is wholly. By kind of zone: the model has the
    /// list.
    pub trust: u8,
    /// The facts that the boundary rests on.
    pub facts: Vec<FactRef>,
}

/// A thing in the diagram: a component, or an actor outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Stable across collections and re-creation, unique in the diagram: the target's name and the identity.
    pub id: String,
    /// What people call it. Hostile text.
    pub name: String,
    /// A kind of the schema, or one of [`actor`].
    pub kind: &'static str,
    /// What it is to STRIDE.
    pub shape: Shape,
    /// The target that it belongs to, by position in the snapshot.
    pub target: usize,
    /// The component that it is, by position in the target; none for actors.
    pub component: Option<usize>,
    /// The zone that it lies in, by position.
    pub zone: usize,
    /// Whether it is there.
    pub certainty: Certainty,
    /// The facts that say so.
    pub facts: Vec<FactRef>,
}

/// What kind of thing flows. The first end and the second are named in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowKind {
    /// A user of the host, a group or a client, over a unix socket, to the daemon.
    ApiLocal,
    /// A network actor or a client, over a TCP listener, to the daemon.
    ApiRemote,
    /// A network actor, by SSH, to the host.
    Ssh,
    /// A registry to the daemon that pulls from it.
    Pull,
    /// A client with kept credentials to a registry.
    Login,
    /// A network actor to a container with a published port.
    PublishedPort,
    /// A container to a network that it is attached to.
    ContainerNetwork,
    /// A container to the host in whose network namespace it is.
    HostNetwork,
    /// A container to the host whose path it mounts.
    BindMount,
    /// A container to a volume.
    VolumeMount,
    /// A container to the daemon whose socket it mounts.
    SocketMount,
    /// A container to the container or host whose pid, IPC or UTS namespace it shares, or to the container whose network
    /// namespace it joined.
    Namespace,
    /// A container to the daemon that keeps or forwards its log.
    Log,
    /// A network actor to the daemon's metrics listener.
    Metrics,
    /// A network actor to the daemon's swarm listener.
    Swarm,
    /// An image to a container made from it.
    Image,
    /// The daemon to the host that it runs on, a kubelet to its node.
    Control,
    /// A network actor or a container of a pod to the API server of a cluster.
    ApiServer,
    /// A container of a pod to the service account whose token it holds.
    Token,
    /// Whoever may do something to the cluster or namespace in which he may; labelled with the power.
    Grant,
    /// A container or service account to the namespace that it lies in.
    Membership,
    /// A container of a pod to the node that it runs on.
    Scheduled,
    /// The network of all pods, or another container, to a container that takes packets from there.
    PodNetwork,
    /// A container of a pod to the network of all pods, where nothing keeps its packets.
    PodEgress,
    /// A network actor, the API server or a container to a kubelet's port.
    Kubelet,
    /// The API server, a network actor or a container to etcd.
    Etcd,
    /// A container or node to what the cloud tells those who ask from there.
    CloudMetadata,
    /// A secret, ConfigMap or persistent volume to a container that mounts or names it.
    Mounted,
    /// The API server to what may answer no or change objects.
    Admission,
    /// A Docker host and a node that are one machine.
    SameMachine,
}

impl FlowKind {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::ApiLocal,
        Self::ApiRemote,
        Self::Ssh,
        Self::Pull,
        Self::Login,
        Self::PublishedPort,
        Self::ContainerNetwork,
        Self::HostNetwork,
        Self::BindMount,
        Self::VolumeMount,
        Self::SocketMount,
        Self::Namespace,
        Self::Log,
        Self::Metrics,
        Self::Swarm,
        Self::Image,
        Self::Control,
        Self::ApiServer,
        Self::Token,
        Self::Grant,
        Self::Membership,
        Self::Scheduled,
        Self::PodNetwork,
        Self::PodEgress,
        Self::Kubelet,
        Self::Etcd,
        Self::CloudMetadata,
        Self::Mounted,
        Self::Admission,
        Self::SameMachine,
    ];

    /// The word for it in files and every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::ApiLocal => "api-local",
            Self::ApiRemote => "api-remote",
            Self::Ssh => "ssh",
            Self::Pull => "pull",
            Self::Login => "login",
            Self::PublishedPort => "published-port",
            Self::ContainerNetwork => "container-network",
            Self::HostNetwork => "host-network",
            Self::BindMount => "bind-mount",
            Self::VolumeMount => "volume-mount",
            Self::SocketMount => "socket-mount",
            Self::Namespace => "namespace",
            Self::Log => "log",
            Self::Metrics => "metrics",
            Self::Swarm => "swarm",
            Self::Image => "image",
            Self::Control => "control",
            Self::ApiServer => "api-server",
            Self::Token => "token",
            Self::Grant => "grant",
            Self::Membership => "membership",
            Self::Scheduled => "scheduled",
            Self::PodNetwork => "pod-network",
            Self::PodEgress => "pod-egress",
            Self::Kubelet => "kubelet",
            Self::Etcd => "etcd",
            Self::CloudMetadata => "cloud-metadata",
            Self::Mounted => "mounted",
            Self::Admission => "admission",
            Self::SameMachine => "same-machine",
        }
    }

    /// Whether a step goes over it only the way it points: who may do something to whom, and which packets are let through.
    pub fn one_way(self) -> bool {
        matches!(self, Self::Grant | Self::PodNetwork | Self::PodEgress)
    }

    /// A kind by its word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.word() == word)
    }
}

impl fmt::Display for FlowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Data that moves between two elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Stable across collections and re-creation, unique in the diagram.
    pub id: String,
    /// What flows.
    pub kind: FlowKind,
    /// The first end, by position in the diagram's elements.
    pub from: usize,
    /// The second end.
    pub to: usize,
    /// What people call it: `0.0.0.0:8080 → 80/tcp`, `/run/docker.sock (read-only)`. Hostile text.
    pub label: String,
    /// Whether its ends lie in different zones.
    pub crosses: bool,
    /// Whether it is there.
    pub certainty: Certainty,
    /// The facts that say so.
    pub facts: Vec<FactRef>,
}

impl Flow {
    /// The power that a grant gives, with `/named` behind it where it holds over some objects alone, and `/gained` where
    /// whoever has the grant can give it to himself; of other flows nothing.
    pub fn power(&self) -> &str {
        match self.kind {
            FlowKind::Grant => self.label.split([':', ' ']).next().unwrap_or_default(),
            _ => "",
        }
    }

    /// Tells powers apart: 0 for what is no grant.
    pub fn power_number(&self) -> u32 {
        let powers = crate::kubernetes::rbac::POWERS;
        let (name, named) = match self.power().split_once('/') {
            Some((name, "gained")) => (name, 2 * powers.len() as u32),
            Some((name, "exempt")) => (name, 3 * powers.len() as u32),
            Some((name, _)) => (name, powers.len() as u32),
            None => (self.power(), 0),
        };
        powers.iter().position(|power| power.name == name).map_or(0, |at| at as u32 + 1 + named)
    }
}

/// The data-flow diagram of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagram {
    /// The zones, parents first.
    pub zones: Vec<Zone>,
    /// The elements: actors first, then components in the snapshot's order.
    pub elements: Vec<Element>,
    /// The flows, by kind and ends.
    pub flows: Vec<Flow>,
}

impl Diagram {
    /// The element of a component.
    pub fn element_of(&self, target: usize, component: usize) -> Option<usize> {
        self.elements.iter().position(|e| e.target == target && e.component == Some(component))
    }

    /// The flows at each element, by position; for walking without a search.
    pub fn flows_at(&self) -> Vec<Vec<usize>> {
        let mut at = vec![Vec::new(); self.elements.len()];
        for (i, flow) in self.flows.iter().enumerate() {
            at[flow.from].push(i);
            if flow.to != flow.from {
                at[flow.to].push(i);
            }
        }
        at
    }

    /// The elements by the component that they are.
    pub fn by_component(&self) -> BTreeMap<(usize, usize), usize> {
        self.elements.iter().enumerate().filter_map(|(i, e)| e.component.map(|c| ((e.target, c), i))).collect()
    }
}
