//! Worlds to ask about, as the API writes them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::super::Protocol;

#[derive(Clone, Debug, Default)]
pub(super) struct LabelSelector {
    pub match_labels: BTreeMap<String, String>,
    pub match_expressions: Vec<Expression>,
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    DoesNotExist(String),
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub namespace: usize,
    pub labels: BTreeMap<String, String>,
    pub ports: Vec<(String, Protocol, u16)>,
    pub host_network: bool,
    pub node: usize,
    pub address: IpAddr,
}

#[derive(Clone, Debug)]
pub(super) enum NpPeer {
    Block(String, Vec<String>),
    Labels { namespaces: Option<LabelSelector>, pods: Option<LabelSelector> },
}

#[derive(Clone, Debug)]
pub(super) enum PortName {
    Number(u16),
    Name(String),
}

#[derive(Clone, Debug)]
pub(super) struct NpPort {
    pub protocol: Protocol,
    pub port: Option<PortName>,
    pub end: Option<u16>,
}

#[derive(Clone, Debug)]
pub(super) struct RuleOf {
    pub peers: Vec<NpPeer>,
    pub ports: Vec<NpPort>,
}

#[derive(Clone, Debug)]
pub(super) struct Np {
    pub namespace: usize,
    pub pods: LabelSelector,
    /// As written; none is left out.
    pub types: Option<Vec<&'static str>>,
    pub ingress: Vec<RuleOf>,
    pub egress: Vec<RuleOf>,
}

impl Np {
    pub fn isolates_ingress(&self) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&"ingress"))
    }

    pub fn isolates_egress(&self) -> bool {
        self.types.as_ref().map_or(!self.egress.is_empty(), |types| types.contains(&"egress"))
    }
}

/// A policy of the whole cluster.
#[derive(Clone, Debug)]
pub(super) struct Tiered {
    pub priority: i64,
    pub namespaces: LabelSelector,
    pub pods: LabelSelector,
    pub ingress: Vec<(&'static str, RuleOf)>,
    pub egress: Vec<(&'static str, RuleOf)>,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub namespaces: Vec<BTreeMap<String, String>>,
    pub nodes: Vec<IpAddr>,
    pub pods: Vec<Pod>,
    pub policies: Vec<Np>,
    pub admin: Vec<Tiered>,
    pub baseline: Vec<Tiered>,
}

pub(super) const NAMESPACES: [&str; 3] = ["shop", "team", "other"];

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["app", "tier", "a.b/c"]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "y", "z", ""]).prop_map(str::to_owned)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map(key(), value(), 0..4)
}

fn expression() -> impl Strategy<Value = Expression> {
    let values = || prop::collection::vec(value(), 1..3);
    prop_oneof![
        (key(), values()).prop_map(|(k, v)| Expression::In(k, v)),
        (key(), values()).prop_map(|(k, v)| Expression::NotIn(k, v)),
        key().prop_map(Expression::Exists),
        key().prop_map(Expression::DoesNotExist),
    ]
}

fn selector() -> impl Strategy<Value = LabelSelector> {
    prop_oneof![
        2 => Just(LabelSelector::default()),
        3 => (key(), value()).prop_map(|(k, v)| LabelSelector { match_labels: [(k, v)].into(), match_expressions: Vec::new() }),
        2 => (prop::collection::btree_map(key(), value(), 0..2), prop::collection::vec(expression(), 1..3))
            .prop_map(|(match_labels, match_expressions)| LabelSelector { match_labels, match_expressions }),
    ]
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![4 => Just(Protocol::Tcp), 2 => Just(Protocol::Udp), 1 => Just(Protocol::Sctp)]
}

fn number() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![53u16, 80, 443, 8080, 8081, 9000])
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["http", "dns"]).prop_map(str::to_owned)
}

fn port() -> impl Strategy<Value = NpPort> {
    let whole = (protocol(), Just(None), Just(None));
    let single = (protocol(), number().prop_map(|n| Some(PortName::Number(n))), Just(None));
    let range = (protocol(), number(), 0u16..2000)
        .prop_map(|(p, first, more)| (p, Some(PortName::Number(first)), Some(first + more)));
    let named = (protocol(), name().prop_map(|n| Some(PortName::Name(n))), Just(None));
    prop_oneof![whole, single, range, named].prop_map(|(protocol, port, end)| NpPort { protocol, port, end })
}

/// Blocks that hold all pods or none, so that there is one answer though the engine knows no pod's own address.
fn block() -> impl Strategy<Value = NpPeer> {
    let blocks: Vec<(&str, Vec<&str>)> = vec![
        ("0.0.0.0/0", vec![]),
        ("0.0.0.0/0", vec!["169.254.169.254/32"]),
        ("0.0.0.0/0", vec!["10.0.0.0/8", "192.168.0.0/16"]),
        ("0.0.0.0/0", vec!["10.244.0.0/16"]),
        ("10.0.0.0/8", vec![]),
        ("10.1.0.0/16", vec!["10.1.0.2/32"]),
        ("203.0.113.0/24", vec![]),
        ("203.0.113.99/25", vec!["203.0.113.6/31"]),
        ("::/0", vec![]),
        ("::/0", vec!["fd00:ec2::/32"]),
        ("fd00::/8", vec!["fd00:ec2::254/128"]),
        ("2001:db8::/32", vec![]),
    ];
    prop::sample::select(blocks)
        .prop_map(|(cidr, except)| NpPeer::Block(cidr.to_owned(), except.into_iter().map(str::to_owned).collect()))
}

fn chosen() -> impl Strategy<Value = NpPeer> {
    prop_oneof![
        selector().prop_map(|pods| NpPeer::Labels { namespaces: None, pods: Some(pods) }),
        selector().prop_map(|namespaces| NpPeer::Labels { namespaces: Some(namespaces), pods: None }),
        (selector(), selector())
            .prop_map(|(namespaces, pods)| NpPeer::Labels { namespaces: Some(namespaces), pods: Some(pods) }),
    ]
}

fn rule() -> impl Strategy<Value = RuleOf> {
    let peers = prop::collection::vec(prop_oneof![3 => chosen(), 2 => block()], 0..3);
    (peers, prop::collection::vec(port(), 0..3)).prop_map(|(peers, ports)| RuleOf { peers, ports })
}

fn policy() -> impl Strategy<Value = Np> {
    let types = prop_oneof![
        Just(None),
        Just(Some(vec!["ingress"])),
        Just(Some(vec!["egress"])),
        Just(Some(vec!["ingress", "egress"])),
    ];
    let rules = || prop::collection::vec(rule(), 0..3);
    (0..NAMESPACES.len(), selector(), types, rules(), rules())
        .prop_map(|(namespace, pods, types, ingress, egress)| Np { namespace, pods, types, ingress, egress })
}

/// Rules of policies of the whole cluster always name peers.
fn tiered(actions: &'static [&'static str]) -> impl Strategy<Value = Tiered> {
    let peers = prop::collection::vec(chosen(), 1..3);
    let rule = (peers, prop::collection::vec(port(), 0..2)).prop_map(|(peers, ports)| RuleOf { peers, ports });
    let rule = rule.prop_filter("peers choose namespaces", |r| {
        r.peers.iter().all(|p| matches!(p, NpPeer::Labels { namespaces: Some(_), .. }))
    });
    let rules = prop::collection::vec((prop::sample::select(actions), rule), 0..3).boxed();
    (selector(), selector(), rules.clone(), rules).prop_map(|(namespaces, pods, ingress, egress)| Tiered {
        priority: 0,
        namespaces,
        pods,
        ingress,
        egress,
    })
}

fn pod() -> impl Strategy<Value = Pod> {
    let ports = prop::collection::vec((name(), protocol(), number()), 0..3);
    (0..NAMESPACES.len(), labels(), ports, prop::bool::weighted(0.15), 0usize..3).prop_map(
        |(namespace, labels, ports, host_network, node)| Pod {
            namespace,
            labels,
            ports,
            host_network,
            node,
            address: IpAddr::from([10, 244, 0, 0]),
        },
    )
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let admin = prop_oneof![2 => Just(Vec::new()).boxed(), 1 => prop::collection::vec(tiered(&["allow", "deny", "pass"]), 1..3).boxed()];
    let baseline = prop_oneof![2 => Just(Vec::new()).boxed(), 1 => prop::collection::vec(tiered(&["allow", "deny"]), 1..2).boxed()];
    let namespaces = prop::collection::vec(labels(), NAMESPACES.len());
    let pods = prop::collection::vec(pod(), 2..6);
    let policies = prop::collection::vec(policy(), 2..8);
    (namespaces, pods, policies, admin, baseline).prop_map(
        |(mut namespaces, mut pods, policies, mut admin, baseline)| {
            for (name, labels) in NAMESPACES.iter().zip(&mut namespaces) {
                labels.insert("kubernetes.io/metadata.name".into(), (*name).into());
            }
            for (i, pod) in pods.iter_mut().enumerate() {
                pod.address = IpAddr::from([10, 244, 1, u8::try_from(i).unwrap() + 2]);
            }
            for (i, policy) in admin.iter_mut().enumerate() {
                // The later comes first, so that the order of a list is not taken for the order that counts.
                policy.priority = 9 - i64::try_from(i).unwrap();
            }
            let nodes = (1..4).map(|n| IpAddr::from([10, 1, 0, n])).collect();
            World { namespaces, nodes, pods, policies, admin, baseline }
        },
    )
}
