//! The engine against a second reading of the specification: one question at a time, one pod at a time, over objects
//! as they are written, without classes, sets of ports or tables.

mod facts;
mod world;

use std::collections::BTreeMap;
use std::net::IpAddr;

use proptest::prelude::*;

use super::{Endpoint, Network, Protocol, Settings};
use facts::{Hidden, target};
use world::{Expression, LabelSelector, Np, NpPeer, NpPort, Pod, PortName, RuleOf, Tiered, World, worlds};

/// An end of traffic in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Pod(usize),
    Node(usize),
    Outside(IpAddr),
}

/// A port of a destination.
#[derive(Clone, Copy, Debug)]
struct At {
    to: End,
    protocol: Protocol,
    port: u16,
}

type LabelMap = BTreeMap<String, String>;

fn selects(selector: &LabelSelector, labels: &LabelMap) -> bool {
    for (key, value) in &selector.match_labels {
        if labels.get(key) != Some(value) {
            return false;
        }
    }
    selector.match_expressions.iter().all(|expression| match expression {
        Expression::In(key, values) => labels.get(key).is_some_and(|v| values.contains(v)),
        Expression::NotIn(key, values) => !labels.get(key).is_some_and(|v| values.contains(v)),
        Expression::Exists(key) => labels.contains_key(key),
        Expression::DoesNotExist(key) => !labels.contains_key(key),
    })
}

fn in_range(range: &str, address: IpAddr) -> bool {
    let (base, bits) = range.split_once('/').unwrap();
    let bits: usize = bits.parse().unwrap();
    let digits = |address: IpAddr| -> String {
        match address {
            IpAddr::V4(a) => a.octets().iter().map(|o| format!("{o:08b}")).collect(),
            IpAddr::V6(a) => a.octets().iter().map(|o| format!("{o:08b}")).collect(),
        }
    };
    let base: IpAddr = base.parse().unwrap();
    base.is_ipv4() == address.is_ipv4() && digits(base)[..bits] == digits(address)[..bits]
}

impl World {
    fn address(&self, end: End) -> IpAddr {
        match end {
            End::Pod(p) if self.pods[p].host_network => self.nodes[self.pods[p].node],
            End::Pod(p) => self.pods[p].address,
            End::Node(n) => self.nodes[n],
            End::Outside(address) => address,
        }
    }

    /// A pod that policies can hold for.
    fn own_network(&self, end: End) -> Option<&Pod> {
        match end {
            End::Pod(p) if !self.pods[p].host_network => Some(&self.pods[p]),
            _ => None,
        }
    }

    fn peer(&self, policy_namespace: usize, peer: &NpPeer, end: End) -> bool {
        match peer {
            NpPeer::Block(cidr, except) => {
                let address = self.address(end);
                in_range(cidr, address) && !except.iter().any(|e| in_range(e, address))
            }
            NpPeer::Labels { namespaces, pods } => self.own_network(end).is_some_and(|pod| {
                let right_namespace = match namespaces {
                    None => pod.namespace == policy_namespace,
                    Some(selector) => selects(selector, &self.namespaces[pod.namespace]),
                };
                right_namespace && pods.as_ref().is_none_or(|selector| selects(selector, &pod.labels))
            }),
        }
    }

    fn port(&self, rule: &NpPort, At { to, protocol, port }: At) -> bool {
        rule.protocol == protocol
            && match &rule.port {
                None => true,
                Some(PortName::Number(first)) => rule.end.map_or(port == *first, |end| *first <= port && port <= end),
                Some(PortName::Name(name)) => self.own_network(to).is_some_and(|pod| {
                    pod.ports.iter().any(|(n, p, number)| n == name && *p == protocol && *number == port)
                }),
            }
    }

    fn rule(&self, namespace: usize, rule: &RuleOf, other: End, at: At) -> bool {
        let from_whom = rule.peers.is_empty() || rule.peers.iter().any(|peer| self.peer(namespace, peer, other));
        let which_port = rule.ports.is_empty() || rule.ports.iter().any(|p| self.port(p, at));
        from_whom && which_port
    }

    /// Whether policies let traffic pass at one of its ends: `pod` is that end, `other` the far one.
    fn passes(&self, ingress: bool, pod: usize, other: End, at: At) -> bool {
        let this = &self.pods[pod];
        let on_its_node = match other {
            End::Pod(p) => self.pods[p].host_network && self.pods[p].node == this.node,
            End::Node(n) => n == this.node,
            End::Outside(_) => false,
        };
        if this.host_network || on_its_node {
            return true;
        }
        let side = |np: &Np| {
            if ingress {
                (np.isolates_ingress(), np.ingress.clone())
            } else {
                (np.isolates_egress(), np.egress.clone())
            }
        };
        let tiered = |tier: &[Tiered]| {
            let mut of_pod: Vec<&Tiered> = tier
                .iter()
                .filter(|a| selects(&a.namespaces, &self.namespaces[this.namespace]) && selects(&a.pods, &this.labels))
                .collect();
            of_pod.sort_by_key(|a| a.priority);
            of_pod
                .into_iter()
                .flat_map(|a| if ingress { &a.ingress } else { &a.egress })
                .find_map(|(action, rule)| self.rule(this.namespace, rule, other, at).then_some(*action))
        };
        match tiered(&self.admin) {
            Some("allow") => return true,
            Some("deny") => return false,
            _ => {}
        }
        let mine: Vec<&Np> = self
            .policies
            .iter()
            .filter(|np| np.namespace == this.namespace && selects(&np.pods, &this.labels) && side(np).0)
            .collect();
        if mine.is_empty() {
            return tiered(&self.baseline) != Some("deny");
        }
        mine.iter().any(|np| side(np).1.iter().any(|r| self.rule(np.namespace, r, other, at)))
    }

    fn connects(&self, from: End, to: End, protocol: Protocol, port: u16) -> bool {
        let at = At { to, protocol, port };
        let leaves = match from {
            End::Pod(p) => self.passes(false, p, to, at),
            _ => true,
        };
        let enters = match to {
            End::Pod(p) => self.passes(true, p, from, at),
            _ => true,
        };
        leaves && enters
    }
}

fn settings() -> Settings {
    Settings {
        enforced: Some(true),
        admin_enforced: Some(true),
        blocks_mean_pods: Some(true),
        pod_ranges: super::Cidr::parse("10.244.0.0/16").into_iter().collect(),
    }
}

fn network(world: &World, hidden: &Hidden) -> (Network, Vec<usize>) {
    let (target, pods) = target(world, hidden);
    let mut network = Network::of(&target);
    network.settings = settings();
    // What a peer means was not asked yet, so the settings still count.
    let classes = pods.iter().map(|at| network.class_of(*at).unwrap()).collect();
    (network, classes)
}

fn endpoint(end: End, classes: &[usize]) -> Endpoint {
    match end {
        End::Pod(p) => Endpoint::Pod(classes[p]),
        End::Node(n) => Endpoint::Node(format!("node-{n}").into()),
        End::Outside(address) => Endpoint::Address(vec![super::Cidr::one(address)]),
    }
}

/// The number of a question among all that a world holds.
type Pick = (prop::sample::Index, prop::sample::Index, prop::sample::Index, prop::sample::Index);

fn questions() -> impl Strategy<Value = Vec<Pick>> {
    prop::collection::vec(any::<Pick>(), 12)
}

fn question(world: &World, pick: &Pick) -> Option<(End, End, Protocol, u16)> {
    let mut ends: Vec<End> = (0..world.pods.len()).map(End::Pod).collect();
    ends.extend((0..world.nodes.len()).map(End::Node));
    for outside in ["203.0.113.7", "192.168.4.4", "169.254.169.254", "2001:db8::7", "fd00:ec2::254"] {
        ends.push(End::Outside(outside.parse().unwrap()));
    }
    let (from, to) = (ends[pick.0.index(ends.len())], ends[pick.1.index(ends.len())]);
    let protocol = Protocol::ALL[pick.2.index(3)];
    let port = [53, 80, 443, 8080, 8081, 9000][pick.3.index(6)];
    (from != to).then_some((from, to, protocol, port))
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Twelve questions of each of 1,500 worlds, a few of which ask a pod about itself and are left out: every answer is
/// the same, none is unknown.
#[test]
fn the_engine_answers_as_the_specification_reads() {
    let counted = std::cell::Cell::new([0usize; 2]);
    let mut runner = proptest::test_runner::TestRunner::new(config(1500));
    let result = runner.run(&(worlds(), questions()), |(world, picks)| {
        let (network, classes) = network(&world, &Hidden::default());
        for pick in &picks {
            let Some((from, to, protocol, port)) = question(&world, pick) else { continue };
            let expected = world.connects(from, to, protocol, port);
            let found = network.reaches(&endpoint(from, &classes), &endpoint(to, &classes), protocol, port);
            prop_assert_eq!(found.truth, Some(expected), "{:?} to {:?}, {:?} {}", from, to, protocol, port);
            let mut counts = counted.get();
            counts[usize::from(expected)] += 1;
            counted.set(counts);
        }
        Ok(())
    });
    result.unwrap();
    let [closed, open] = counted.get();
    println!("{} questions, {open} open and {closed} closed, no difference", open + closed);
    assert!(open + closed >= 10_000 && closed >= 1_000 && open >= 1_000, "{open} open, {closed} closed");
}

/// With facts taken away at random, what is still said is still true.
#[test]
fn what_is_said_with_facts_missing_is_true() {
    let counted = std::cell::Cell::new([0usize; 2]);
    let mut runner = proptest::test_runner::TestRunner::new(config(800));
    let result = runner.run(&(worlds(), questions(), facts::hidden()), |(world, picks, hidden)| {
        let (network, classes) = network(&world, &hidden);
        for pick in &picks {
            let Some((from, to, protocol, port)) = question(&world, pick) else { continue };
            let expected = world.connects(from, to, protocol, port);
            let found = network.reaches(&endpoint(from, &classes), &endpoint(to, &classes), protocol, port);
            prop_assert!(
                found.truth.is_none_or(|t| t == expected),
                "{:?}: {:?} to {:?}, {:?} {}",
                hidden,
                from,
                to,
                protocol,
                port
            );
            let mut counts = counted.get();
            counts[usize::from(found.truth.is_some())] += 1;
            counted.set(counts);
        }
        Ok(())
    });
    result.unwrap();
    let [unknown, known] = counted.get();
    println!("{known} answers with facts missing, all true; {unknown} unknown");
    assert!(known >= 1_000 && unknown >= 1_000, "{known} known, {unknown} unknown");
}
