//! A cluster's pods in classes, its policies, and whom each rule means among them.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use super::address::{Block, Cidr};
use super::policy::{Chooser, Direction, Peer, Policy, Tier};
use super::{Allowed, ClassId, Endpoint, NamedPort, Peers, PodClass, Protocol, Reach};
use crate::component::Component;
use crate::kubernetes::selector::{Labels, and, any};
use crate::schema::kubernetes as k8s;
use crate::snapshot::Target;
use crate::value::Value;

/// What of the network plugin decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether it enforces network policies.
    pub enforced: Option<bool>,
    /// Whether it knows policies of the whole cluster (AdminNetworkPolicy and its kin).
    pub admin_enforced: Option<bool>,
    /// Whether an `ipBlock` means pods as well, by their addresses; plugins differ.
    pub blocks_mean_pods: Option<bool>,
    /// Ranges from which pods have their addresses; empty where they are not known.
    pub pod_ranges: Vec<Cidr>,
}

/// A cluster's pods and policies, made ready to be asked.
#[derive(Debug)]
pub struct Network {
    pub(super) settings: Settings,
    pub(super) classes: Vec<PodClass>,
    pub(super) policies: Vec<Policy>,
    /// By class: the policies that select it, or may.
    pub(super) selecting: Vec<Vec<(usize, Option<bool>)>>,
    peers: Vec<Peer>,
    /// By peer: whether it means a class; worked out when it is first asked.
    means: Vec<OnceLock<Box<[Option<bool>]>>>,
    namespaces: HashMap<Box<str>, Labels>,
    nodes: BTreeMap<Box<str>, Vec<Cidr>>,
    /// By the position of its component in the target.
    class_of: HashMap<usize, ClassId>,
}

impl Network {
    /// From the facts of a target.
    pub fn of(target: &Target) -> Self {
        let mut peers = Peers::default();
        let mut policies = Vec::new();
        for (at, component) in target.components.iter().enumerate() {
            if std::ptr::eq(component.kind, &k8s::NETWORK_POLICY) {
                policies.push(Policy::of(component, at, &mut peers));
            }
        }
        if target.incomplete.contains_key(k8s::NETWORK_POLICY.name) {
            policies.push(Policy::unread());
        }
        let namespaces = target.of(&k8s::NAMESPACE).map(|n| (n.name.clone(), Labels::of(n.value("labels")))).collect();
        let nodes = target.of(&k8s::NODE).map(|n| (n.name.clone(), addresses(n))).collect();
        let (classes, class_of) = classes(target);
        Self::new(settings(target), classes, namespaces, nodes, policies, peers).with_components(class_of)
    }

    /// From its parts.
    pub fn new(
        settings: Settings,
        classes: Vec<PodClass>,
        namespaces: HashMap<Box<str>, Labels>,
        nodes: BTreeMap<Box<str>, Vec<Cidr>>,
        policies: Vec<Policy>,
        peers: Peers,
    ) -> Self {
        let means = peers.all.iter().map(|_| OnceLock::new()).collect();
        let mut network = Self {
            settings,
            classes,
            policies,
            selecting: Vec::new(),
            peers: peers.all,
            means,
            namespaces,
            nodes,
            class_of: HashMap::new(),
        };
        network.selecting = network.selecting();
        network
    }

    fn with_components(mut self, class_of: HashMap<usize, ClassId>) -> Self {
        self.class_of = class_of;
        self
    }

    /// The class of a pod, by the position of its component in the target.
    pub fn class_of(&self, component: usize) -> Option<ClassId> {
        self.class_of.get(&component).copied()
    }

    /// The classes of its pods.
    pub fn classes(&self) -> &[PodClass] {
        &self.classes
    }

    /// The policies that it knows.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Whether traffic to a port passes. Services are asked by the pods behind them, at the port of the pod.
    pub fn reaches(&self, from: &Endpoint, to: &Endpoint, protocol: Protocol, port: u16) -> Reach {
        let out = self.leaves(from, to);
        let into = self.enters(from, to);
        let truth = out.intersection(&into).at(protocol, port);
        let decides = |side: &Allowed| side.at(protocol, port) == truth;
        let mut policies = Vec::new();
        if let Endpoint::Pod(class) = from
            && decides(&out)
        {
            self.deciding(Direction::Egress, *class, to, &mut policies);
        }
        if let Endpoint::Pod(class) = to
            && decides(&into)
        {
            self.deciding(Direction::Ingress, *class, from, &mut policies);
        }
        policies.sort_unstable();
        policies.dedup();
        Reach { truth, policies }
    }

    /// All ports at which traffic passes.
    pub fn open(&self, from: &Endpoint, to: &Endpoint) -> Allowed {
        self.leaves(from, to).intersection(&self.enters(from, to))
    }

    /// What the source's policies let out.
    pub fn leaves(&self, from: &Endpoint, to: &Endpoint) -> Allowed {
        match from {
            Endpoint::Pod(class) => self.side(Direction::Egress, *class, to),
            _ => Allowed::all(),
        }
    }

    /// What the destination's policies let in.
    pub fn enters(&self, from: &Endpoint, to: &Endpoint) -> Allowed {
        match to {
            Endpoint::Pod(class) => self.side(Direction::Ingress, *class, from),
            _ => Allowed::all(),
        }
    }

    /// Whether a policy isolates a class of pods, and the plugin enforces it; never those on their node's network.
    pub fn isolated(&self, class: ClassId, direction: Direction) -> Option<bool> {
        and(self.selected(class, direction), self.settings.enforced)
    }

    /// Whether a policy isolates a class of pods, were it enforced; never those on their node's network.
    pub fn selected(&self, class: ClassId, direction: Direction) -> Option<bool> {
        let by_policies = any(self.selecting[class].iter().map(|(at, selected)| {
            let policy = &self.policies[*at];
            let isolates = match policy.tier {
                Tier::Namespace if policy.understood => policy.side(direction).isolates,
                // Those of the whole cluster deny by rules; they isolate nothing.
                Tier::Admin | Tier::Baseline if policy.understood => Some(false),
                _ => None,
            };
            and(*selected, isolates)
        }));
        match self.classes[class].host_network {
            Some(true) => Some(false),
            Some(false) => by_policies,
            None => and(by_policies, None),
        }
    }

    /// Whether a policy selects a class of pods.
    pub fn selects(&self, policy: usize, class: ClassId) -> Option<bool> {
        self.selecting[class].iter().find(|(at, _)| *at == policy).map_or(Some(false), |(_, selected)| *selected)
    }

    /// Whether a rule's peer, by its place, means a class of pods.
    pub fn means(&self, peer: usize, class: ClassId) -> Option<bool> {
        let all = self.means[peer].get_or_init(|| {
            let of_class = |class| self.peer_means(&self.peers[peer], class);
            self.classes.iter().map(of_class).collect()
        });
        all[class]
    }

    /// A rule's peer by its place.
    pub fn peer(&self, peer: usize) -> &Peer {
        &self.peers[peer]
    }

    fn namespace(&self, name: &str, selector: &Chooser) -> Option<bool> {
        let selector = selector.as_ref()?;
        match self.namespaces.get(name) {
            Some(labels) => selector.matches(labels),
            None => {
                let mut labels = Labels::unknown();
                labels.add("kubernetes.io/metadata.name", name);
                selector.matches(&labels)
            }
        }
    }

    fn chosen(&self, namespaces: &Result<Box<str>, Chooser>, class: &PodClass) -> Option<bool> {
        match namespaces {
            Ok(name) => Some(*name == class.namespace),
            Err(selector) => self.namespace(&class.namespace, selector),
        }
    }

    fn selecting(&self) -> Vec<Vec<(usize, Option<bool>)>> {
        let mut by_namespace: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut everywhere = Vec::new();
        for (at, policy) in self.policies.iter().enumerate() {
            match &policy.namespaces {
                Ok(name) => by_namespace.entry(name).or_default().push(at),
                Err(_) => everywhere.push(at),
            }
        }
        let of_class = |class: &PodClass| {
            let local = by_namespace.get(&*class.namespace).into_iter().flatten();
            let mut all: Vec<_> = local
                .chain(&everywhere)
                .map(|at| {
                    let policy = &self.policies[*at];
                    let pods = policy.pods.as_ref().and_then(|s| s.matches(&class.labels));
                    (*at, and(self.chosen(&policy.namespaces, class), pods))
                })
                .filter(|(_, selected)| *selected != Some(false))
                .collect();
            all.sort_unstable_by_key(|(at, _)| *at);
            all
        };
        self.classes.iter().map(of_class).collect()
    }

    /// Whether one of the peers means the other end; no peers are everybody.
    pub(super) fn peers_match(&self, peers: &[usize], end: &Endpoint) -> Option<bool> {
        if peers.is_empty() {
            return Some(true);
        }
        any(peers.iter().map(|peer| self.peer_matches(*peer, end)))
    }

    fn peer_matches(&self, peer: usize, end: &Endpoint) -> Option<bool> {
        match (end, &self.peers[peer]) {
            (_, Peer::Unknown) => None,
            (Endpoint::Pod(class), _) => self.means(peer, *class),
            (_, Peer::Pods { .. }) => Some(false),
            (Endpoint::Node(name), Peer::Block(block)) => block.holds(self.nodes.get(name).map_or(&[], Vec::as_slice)),
            (Endpoint::Address(ranges), Peer::Block(block)) => block.holds(ranges),
            (Endpoint::Internet, Peer::Block(block)) => block.holds_internet(),
        }
    }

    fn peer_means(&self, peer: &Peer, class: &PodClass) -> Option<bool> {
        match (class.host_network, peer) {
            (_, Peer::Unknown) | (None, _) => None,
            (Some(true), Peer::Pods { .. }) => Some(false),
            (Some(true), Peer::Block(block)) => self.block_means_nodes(block, class),
            (Some(false), Peer::Pods { namespaces, pods }) => {
                let pods = pods.as_ref().and_then(|s| s.matches(&class.labels));
                and(self.chosen(namespaces, class), pods)
            }
            (Some(false), Peer::Block(block)) => {
                and(self.settings.blocks_mean_pods, block.holds(&self.settings.pod_ranges))
            }
        }
    }

    /// A pod on its node's network has the node's addresses.
    fn block_means_nodes(&self, block: &Block, class: &PodClass) -> Option<bool> {
        let addresses: Option<Vec<&Vec<Cidr>>> = class.nodes.iter().map(|n| self.nodes.get(n)).collect();
        let addresses: Vec<Cidr> = addresses?.into_iter().flatten().copied().collect();
        block.holds(&addresses)
    }

    /// Whether the other end is the node that a pod of the class runs on, or a pod on that node's network.
    pub(super) fn shares_node(&self, class: &PodClass, end: &Endpoint) -> Option<bool> {
        let shared = |names: &[Box<str>]| {
            if names.iter().any(|n| class.nodes.contains(n)) {
                return Some(true);
            }
            if class.nodes.is_empty() || names.is_empty() { None } else { Some(false) }
        };
        match end {
            Endpoint::Node(name) => shared(std::slice::from_ref(name)),
            Endpoint::Pod(other) => {
                let other = &self.classes[*other];
                match other.host_network {
                    Some(true) => shared(&other.nodes),
                    Some(false) => Some(false),
                    None => None,
                }
            }
            Endpoint::Address(_) | Endpoint::Internet => Some(false),
        }
    }
}

/// A node's addresses.
fn addresses(node: &Component) -> Vec<Cidr> {
    let list = node.value("addresses").as_list().unwrap_or_default();
    list.iter().filter_map(|a| a.field("address").and_then(Value::as_str).and_then(Cidr::parse)).collect()
}

fn settings(target: &Target) -> Settings {
    let cluster = target.of(&k8s::CLUSTER).next();
    let enforced = cluster.and_then(|c| c.value("enforces_policies").as_bool());
    let cni = cluster.and_then(|c| c.value("cni").as_str()).unwrap_or_default();
    let mut pod_ranges = Vec::new();
    let complete = !target.incomplete.contains_key(k8s::NODE.name);
    for node in target.of(&k8s::NODE).filter(|_| complete) {
        let ranges = node.value("pod_cidrs").as_list().unwrap_or_default();
        let read: Vec<_> = ranges.iter().filter_map(|r| r.as_str().and_then(Cidr::parse)).collect();
        if read.is_empty() {
            pod_ranges.clear();
            break;
        }
        pod_ranges.extend(read);
    }
    // Plugins that hand out addresses of their own do not keep to the ranges of the nodes.
    if cni != "flannel" && cni != "canal" && cni != "kindnet" && cni != "kube-router" {
        pod_ranges.clear();
    }
    let blocks_mean_pods = match cni {
        "" => None,
        "cilium" => Some(false),
        _ => Some(true),
    };
    Settings { enforced, admin_enforced: None, blocks_mean_pods, pod_ranges }
}

/// The classes of the pods of a target, and which pod is of which.
fn classes(target: &Target) -> (Vec<PodClass>, HashMap<usize, ClassId>) {
    let mut ports: HashMap<&str, (Vec<NamedPort>, bool)> = HashMap::new();
    for container in target.of(&k8s::CONTAINER) {
        let Some(pod) = container.value("pod").as_str() else { continue };
        named_ports(container, ports.entry(pod).or_default());
    }
    let containers_missing = target.incomplete.contains_key(k8s::CONTAINER.name);
    let (mut classes, mut places, mut class_of) = (Vec::new(), HashMap::new(), HashMap::new());
    for (at, pod) in target.components.iter().enumerate() {
        if !std::ptr::eq(pod.kind, &k8s::POD) {
            continue;
        }
        let (named, open) = ports.remove(&*pod.id).unwrap_or_default();
        let class = class(pod, named, open || containers_missing);
        let place = *places.entry(class).or_insert_with_key(|class| {
            classes.push(class.clone());
            classes.len() - 1
        });
        class_of.insert(at, place);
    }
    (classes, class_of)
}

fn class(pod: &Component, mut ports: Vec<NamedPort>, ports_open: bool) -> PodClass {
    ports.sort_unstable();
    ports.dedup();
    let nodes = pod.value("nodes").as_list().unwrap_or_default();
    let host_network = pod.value("host_network").as_bool();
    PodClass {
        namespace: pod.value("namespace").as_str().unwrap_or_default().into(),
        labels: Labels::of(pod.value("labels")),
        ports,
        ports_open,
        host_network,
        nodes: nodes.iter().filter_map(|n| n.as_str().map(Into::into)).collect(),
    }
}

/// The ports that a container names. Those of init containers that end count for nobody.
fn named_ports(container: &Component, out: &mut (Vec<NamedPort>, bool)) {
    match container.value("kind").as_str() {
        Some("init" | "ephemeral") => return,
        Some(_) => {}
        None => out.1 = true,
    }
    let Some(list) = container.value("ports").as_list() else {
        out.1 = true;
        return;
    };
    for port in list {
        let text = |field| port.field(field).and_then(Value::as_str);
        let number = port.field("container_port").and_then(Value::as_int).and_then(|n| u16::try_from(n).ok());
        match (text("name"), text("protocol").and_then(Protocol::named), number) {
            (Some(""), ..) => {}
            (Some(name), Some(protocol), Some(number)) => out.0.push(NamedPort { name: name.into(), protocol, number }),
            _ => out.1 = true,
        }
    }
}
