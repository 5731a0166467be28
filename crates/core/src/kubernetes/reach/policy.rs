//! Policies as the engine asks them, from their facts.

use super::address::{Block, Cidr};
use super::ports::{Ports, Protocol};
use super::{Allowed, PodClass};
use crate::component::Component;
use crate::kubernetes::selector::Selector;
use crate::value::Value;

/// The direction of traffic, as the pod that a policy is about sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What comes in.
    Ingress,
    /// What goes out.
    Egress,
}

impl Direction {
    /// Its name in facts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// When a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Before those of namespaces.
    Admin,
    /// Of a namespace.
    Namespace,
    /// Where none of a namespace isolates.
    Baseline,
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Lets it through.
    Allow,
    /// Stops it.
    Deny,
    /// Leaves it to the policies of the namespace.
    Pass,
    /// It could not be read.
    Unknown,
}

/// What chooses by labels; none where it could not be read.
pub type Chooser = Option<Selector>;

/// Whom a rule means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// Pods by their labels and their namespaces'.
    Pods {
        /// The policy's namespace, where only its pods are meant; else namespaces by their labels.
        namespaces: Result<Box<str>, Chooser>,
        /// The pods.
        pods: Chooser,
    },
    /// Addresses.
    Block(Block),
    /// It could not be read.
    Unknown,
}

/// A port of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRule {
    /// Every port of a protocol.
    Whole(Protocol),
    /// A range of one.
    Range(Protocol, u16, u16),
    /// What a container calls so.
    Named(Protocol, Box<str>),
    /// It could not be read.
    Unknown,
}

/// A rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it does.
    pub action: Action,
    /// Whom it means, by their places among all peers; none at all is everybody.
    pub peers: Vec<usize>,
    /// The ports; none at all is every one.
    pub ports: Vec<PortRule>,
}

impl Rule {
    /// The ports that it surely and perhaps means at a destination.
    pub fn ports_at(&self, destination: Option<&PodClass>) -> Allowed {
        if self.ports.is_empty() {
            return Allowed::all();
        }
        let mut out = Allowed::none();
        for port in &self.ports {
            out = out.union(&match port {
                PortRule::Whole(protocol) => Allowed::surely(Ports::whole(*protocol)),
                PortRule::Range(protocol, first, last) => Allowed::surely(Ports::range(*protocol, *first, *last)),
                PortRule::Named(protocol, name) => named(*protocol, name, destination),
                PortRule::Unknown => Allowed::unknown(),
            });
        }
        out
    }
}

/// The ports that the containers of the destination call so; what is no pod calls nothing anything.
fn named(protocol: Protocol, name: &str, destination: Option<&PodClass>) -> Allowed {
    let Some(pod) = destination else { return Allowed::none() };
    let declared = pod.ports.iter().filter(|p| p.protocol == protocol && *p.name == *name);
    let surely = declared.fold(Ports::none(), |set, p| set.union(&Ports::range(protocol, p.number, p.number)));
    let may = if pod.ports_open { Ports::whole(protocol) } else { surely.clone() };
    Allowed { yes: surely, may }
}

/// What a policy says of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Whether it isolates its pods.
    pub isolates: Option<bool>,
    /// Its rules, in their order.
    pub rules: Vec<Rule>,
    /// Whether there may be more rules than these.
    pub open: bool,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its component, by the position in the target; none stands for those that could not be listed.
    pub component: Option<usize>,
    /// When it is asked.
    pub tier: Tier,
    /// Its place in its tier, the lowest first.
    pub priority: i64,
    /// Whether all that it says is known.
    pub understood: bool,
    /// The namespace that it is about, or namespaces by their labels.
    pub namespaces: Result<Box<str>, Chooser>,
    /// The pods that it is about.
    pub pods: Chooser,
    /// What it says of what comes in.
    pub ingress: Side,
    /// What it says of what goes out.
    pub egress: Side,
}

impl Policy {
    /// What it says of a direction.
    pub fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// From its facts; `peers` takes in those of its rules.
    pub fn of(component: &Component, at: usize, peers: &mut super::Peers) -> Self {
        let namespace = component.value("namespace").as_str().unwrap_or_default();
        let whole_cluster = namespace.is_empty();
        let tier = match component.value("tier").as_str() {
            Some("admin") => Some(Tier::Admin),
            Some("namespace") => Some(Tier::Namespace),
            Some("baseline") => Some(Tier::Baseline),
            _ => None,
        };
        let mut side = |direction: Direction| Side {
            isolates: names(component.value("types"), direction.name()),
            rules: rules(component.value(direction.name()), namespace, peers),
            open: component.value(direction.name()).is_unknown(),
        };
        let (ingress, egress) = (side(Direction::Ingress), side(Direction::Egress));
        Self {
            component: Some(at),
            tier: tier.unwrap_or(Tier::Namespace),
            priority: component.value("priority").as_int().unwrap_or_default(),
            understood: component.value("understood").as_bool() == Some(true) && tier.is_some(),
            namespaces: if whole_cluster {
                Err(chooser(component.value("namespace_selector")))
            } else {
                Ok(namespace.into())
            },
            pods: chooser(component.value("selector")),
            ingress,
            egress,
        }
    }

    /// Stands for policies that could not be listed: whatever they say, of whatever pod.
    pub fn unread() -> Self {
        let side = Side { isolates: None, rules: Vec::new(), open: true };
        Self {
            component: None,
            tier: Tier::Namespace,
            priority: 0,
            understood: false,
            namespaces: Err(None),
            pods: None,
            ingress: side.clone(),
            egress: side,
        }
    }
}

/// Whether a list of texts names one.
fn names(list: &Value, wanted: &str) -> Option<bool> {
    let items = list.as_list()?;
    if items.iter().any(|item| item.as_str() == Some(wanted)) {
        return Some(true);
    }
    if items.iter().any(Value::is_unknown) { None } else { Some(false) }
}

/// Null takes everything here.
fn chooser(value: &Value) -> Chooser {
    match value {
        Value::Null => Some(Selector::default()),
        Value::Str(text) => Selector::parse(text),
        _ => None,
    }
}

fn rules(list: &Value, namespace: &str, peers: &mut super::Peers) -> Vec<Rule> {
    let unknown = |peers: &mut super::Peers| Rule {
        action: Action::Unknown,
        peers: vec![peers.place(Peer::Unknown)],
        ports: Vec::new(),
    };
    let items = list.as_list().unwrap_or_default();
    items.iter().map(|item| rule(item, namespace, peers).unwrap_or_else(|| unknown(peers))).collect()
}

/// None where its action is not known, or it is not known at all.
fn rule(value: &Value, namespace: &str, peers: &mut super::Peers) -> Option<Rule> {
    let action = match value.field("action")?.as_str()? {
        "allow" => Action::Allow,
        "deny" => Action::Deny,
        "pass" => Action::Pass,
        _ => return None,
    };
    let named = match value.field("peers")? {
        Value::List(items) => items.iter().map(|p| peers.place(peer(p, namespace).unwrap_or(Peer::Unknown))).collect(),
        _ => vec![peers.place(Peer::Unknown)],
    };
    let ports = match value.field("ports")? {
        Value::List(items) => items.iter().map(|p| port(p).unwrap_or(PortRule::Unknown)).collect(),
        _ => vec![PortRule::Unknown],
    };
    Some(Rule { action, peers: named, ports })
}

fn peer(value: &Value, namespace: &str) -> Option<Peer> {
    match value.field("cidr")? {
        Value::Str(text) => {
            let cidr = Cidr::parse(text)?;
            let except = value.field("except")?.as_list()?;
            let except = except.iter().map(|e| e.as_str().and_then(Cidr::parse)).collect::<Option<_>>()?;
            Some(Peer::Block(Block { cidr, except }))
        }
        Value::Null => {
            let namespaces = match value.field("namespaces")? {
                Value::Null => Ok(namespace.into()),
                text => Err(chooser(text)),
            };
            Some(Peer::Pods { namespaces, pods: chooser(value.field("pods")?) })
        }
        _ => None,
    }
}

fn port(value: &Value) -> Option<PortRule> {
    let protocol = Protocol::named(value.field("protocol")?.as_str()?)?;
    let text = match value.field("port")? {
        Value::Null => return Some(PortRule::Whole(protocol)),
        text => text.as_str()?,
    };
    let Ok(first) = text.parse::<u16>() else {
        return text.bytes().any(|b| b.is_ascii_alphabetic()).then(|| PortRule::Named(protocol, text.into()));
    };
    match value.field("end")? {
        Value::Null => Some(PortRule::Range(protocol, first, first)),
        end => Some(PortRule::Range(protocol, first, u16::try_from(end.as_int()?).ok()?)),
    }
}
