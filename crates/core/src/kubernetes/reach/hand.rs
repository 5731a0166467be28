//! Cases of the specification by hand, and what the engine says where it cannot know.

use super::{Endpoint, Network, Protocol, Reach};
use crate::component::Component;
use crate::fact::Source;
use crate::schema::Kind;
use crate::schema::kubernetes as k8s;
use crate::snapshot::Target;
use crate::value::Value;

fn component(kind: &'static Kind, id: &str, facts: &[(&'static str, Value)]) -> Component {
    let mut component = Component::new(kind, id, id);
    for (name, value) in facts {
        component.set(name, value.clone(), Source::place("test"));
    }
    component
}

fn strings(list: &[&str]) -> Value {
    Value::strings(list.to_vec())
}

fn text(text: Option<&str>) -> Value {
    text.into()
}

fn pod(name: &str, namespace: &str, labels: &[&str], more: &[(&'static str, Value)]) -> Component {
    let mut pod = component(
        &k8s::POD,
        name,
        &[
            ("namespace", namespace.into()),
            ("labels", strings(labels)),
            ("host_network", false.into()),
            ("nodes", strings(&["one"])),
        ],
    );
    for (fact, value) in more {
        pod.set(fact, value.clone(), Source::place("test"));
    }
    pod
}

/// Pods, namespaces, addresses, and those excepted.
type PeerOf<'a> = (Option<&'a str>, Option<&'a str>, Option<&'a str>, &'a [&'a str]);

/// A rule: its ports as (protocol, port, end).
fn rule(peers: &[PeerOf<'_>], ports: &[(&str, Option<&str>, Option<i64>)]) -> Value {
    let peer = |(pods, namespaces, cidr, except): &PeerOf<'_>| {
        let cidr = text(*cidr);
        Value::Object(vec![
            ("pods", text(*pods)),
            ("namespaces", text(*namespaces)),
            ("cidr", cidr),
            ("except", strings(except)),
        ])
    };
    let port = |(protocol, port, end): &(&str, Option<&str>, Option<i64>)| {
        Value::Object(vec![("protocol", (*protocol).into()), ("port", text(*port)), ("end", (*end).into())])
    };
    Value::Object(vec![
        ("action", "allow".into()),
        ("peers", Value::List(peers.iter().map(peer).collect())),
        ("ports", Value::List(ports.iter().map(port).collect())),
    ])
}

fn policy(name: &str, selector: &str, types: &[&str], ingress: Vec<Value>, egress: Vec<Value>) -> Component {
    component(
        &k8s::NETWORK_POLICY,
        name,
        &[
            ("namespace", "shop".into()),
            ("understood", true.into()),
            ("tier", "namespace".into()),
            ("priority", 0i64.into()),
            ("selector", selector.into()),
            ("namespace_selector", Value::Null),
            ("types", strings(types)),
            ("ingress", Value::List(ingress)),
            ("egress", Value::List(egress)),
        ],
    )
}

struct Bed {
    target: Target,
    network: Network,
}

impl Bed {
    fn new(cni: &str, enforces: Value, policies: Vec<Component>) -> Self {
        let mut target = Target::new("t", "kubernetes", "https://api.test");
        let cluster = component(&k8s::CLUSTER, "cluster", &[("cni", cni.into()), ("enforces_policies", enforces)]);
        let address = |a: &str| Value::Object(vec![("type", "InternalIP".into()), ("address", a.into())]);
        let node = |name: &str, a: &str| component(&k8s::NODE, name, &[("addresses", Value::List(vec![address(a)]))]);
        let space = |name: &str, labels: &[&str]| component(&k8s::NAMESPACE, name, &[("labels", strings(labels))]);
        let port = Value::Object(vec![
            ("name", "http".into()),
            ("container_port", 8080i64.into()),
            ("host_port", 0i64.into()),
            ("host_ip", "".into()),
            ("protocol", "TCP".into()),
        ]);
        let container = |pod: &str, ports: Value| {
            component(
                &k8s::CONTAINER,
                &format!("{pod}/app"),
                &[("pod", pod.into()), ("kind", "regular".into()), ("ports", ports)],
            )
        };
        let host = [("host_network", true.into())];
        let far = [("host_network", true.into()), ("nodes", strings(&["two"]))];
        target.components = vec![
            cluster,
            node("one", "10.1.0.1"),
            node("two", "10.1.0.2"),
            space("shop", &["kubernetes.io/metadata.name=shop", "team=shop"]),
            space("ops", &["kubernetes.io/metadata.name=ops", "team=ops"]),
            pod("web", "shop", &["app=web"], &[]),
            container("web", Value::List(vec![port])),
            pod("db", "shop", &["app=db"], &[]),
            container("db", Value::List(Vec::new())),
            pod("tool", "ops", &["app=web"], &[]),
            pod("agent", "ops", &["app=agent"], &host),
            pod("far-agent", "ops", &["app=agent"], &far),
        ];
        target.components.extend(policies);
        let network = Network::of(&target);
        Self { target, network }
    }

    fn end(&self, name: &str) -> Endpoint {
        if name == "internet" {
            return Endpoint::Internet;
        }
        if let Some(node) = name.strip_prefix("node:") {
            return Endpoint::Node(node.into());
        }
        if let Some(address) = Endpoint::address(name) {
            return address;
        }
        let at = self.target.components.iter().position(|c| &*c.id == name).unwrap();
        Endpoint::Pod(self.network.class_of(at).unwrap())
    }

    fn reach(&self, from: &str, to: &str, port: u16) -> Reach {
        self.network.reaches(&self.end(from), &self.end(to), Protocol::Tcp, port)
    }

    fn asks(&self, from: &str, to: &str, port: u16) -> Option<bool> {
        self.reach(from, to, port).truth
    }
}

fn enforced(policies: Vec<Component>) -> Bed {
    Bed::new("calico", true.into(), policies)
}

#[test]
fn without_policies_everything_passes() {
    let bed = enforced(vec![]);
    for (from, to) in
        [("web", "db"), ("tool", "web"), ("internet", "web"), ("web", "169.254.169.254"), ("node:one", "db")]
    {
        assert_eq!(bed.reach(from, to, 80), Reach { truth: Some(true), policies: vec![] }, "{from} to {to}");
    }
}

#[test]
fn default_deny_leaves_only_the_node() {
    let bed = enforced(vec![policy("deny", "", &["ingress"], vec![], vec![])]);
    assert_eq!(bed.asks("web", "db", 5432), Some(false));
    assert_eq!(bed.asks("tool", "db", 5432), Some(false));
    assert_eq!(bed.asks("internet", "db", 5432), Some(false));
    assert_eq!(bed.asks("node:one", "db", 5432), Some(true), "the kubelet's own node always reaches its pods");
    assert_eq!(bed.asks("agent", "db", 5432), Some(true), "and what is on that node's network");
    assert_eq!(bed.asks("far-agent", "db", 5432), Some(false));
    assert_eq!(bed.asks("web", "tool", 80), Some(true), "what goes out is not isolated");
    assert_eq!(bed.asks("db", "tool", 80), Some(true));
    assert_eq!(bed.reach("web", "db", 5432).policies, vec![12], "the policy that isolates is named");
}

#[test]
fn selectors_in_one_peer_are_both_asked_and_in_two_either() {
    let both = rule(&[(Some("app=web"), Some("team=ops"), None, &[])], &[]);
    let bed = enforced(vec![policy("p", "app=db", &["ingress"], vec![both], vec![])]);
    assert_eq!(bed.asks("tool", "db", 1), Some(true));
    assert_eq!(bed.asks("web", "db", 1), Some(false));
    let either = rule(&[(Some("app=web"), None, None, &[]), (None, Some("team=ops"), None, &[])], &[]);
    let bed = enforced(vec![policy("p", "app=db", &["ingress"], vec![either], vec![])]);
    assert_eq!(bed.asks("tool", "db", 1), Some(true), "all pods of the namespace");
    assert_eq!(bed.asks("web", "db", 1), Some(true), "pods of the policy's own namespace");
    assert_eq!(bed.asks("far-agent", "db", 1), Some(false), "labels do not mean what is on a node's network");
}

#[test]
fn rules_of_several_policies_add_up_and_both_ends_are_asked() {
    let deny = policy("deny", "", &["ingress", "egress"], vec![], vec![]);
    let into = policy(
        "in",
        "app=db",
        &["ingress"],
        vec![rule(&[(Some("app=web"), None, None, &[])], &[("TCP", Some("5432"), None)])],
        vec![],
    );
    let out = policy("out", "app=web", &["egress"], vec![], vec![rule(&[(Some("app=db"), None, None, &[])], &[])]);
    let bed = enforced(vec![deny.clone(), into.clone()]);
    assert_eq!(bed.asks("web", "db", 5432), Some(false), "nothing lets it out");
    let bed = enforced(vec![deny, into, out]);
    assert_eq!(bed.asks("web", "db", 5432), Some(true));
    assert_eq!(bed.asks("web", "db", 5433), Some(false));
    assert_eq!(bed.network.reaches(&bed.end("web"), &bed.end("db"), Protocol::Udp, 5432).truth, Some(false));
}

#[test]
fn names_and_ranges_of_ports_are_those_of_the_destination() {
    let by_name = rule(&[], &[("TCP", Some("http"), None)]);
    let bed = enforced(vec![policy("p", "", &["ingress"], vec![by_name.clone()], vec![])]);
    assert_eq!(bed.asks("tool", "web", 8080), Some(true));
    assert_eq!(bed.asks("tool", "web", 80), Some(false));
    assert_eq!(bed.asks("tool", "db", 8080), Some(false), "its containers name no port so");
    let bed = enforced(vec![policy("p", "app=db", &["egress"], vec![], vec![by_name])]);
    assert_eq!(bed.asks("db", "web", 8080), Some(true), "the name is looked up where it goes to");
    assert_eq!(bed.asks("db", "203.0.113.7", 8080), Some(false), "and outside nothing has names");
    let range = rule(&[], &[("TCP", Some("32000"), Some(32768))]);
    let bed = enforced(vec![policy("p", "app=db", &["ingress"], vec![range], vec![])]);
    assert_eq!(
        [31999, 32000, 32768, 32769].map(|port| bed.asks("web", "db", port)),
        [Some(false), Some(true), Some(true), Some(false)]
    );
}

#[test]
fn blocks_mean_addresses_and_what_they_except_is_not_meant() {
    let world = rule(&[(None, None, Some("0.0.0.0/0"), &["169.254.169.254/32"])], &[]);
    let bed = enforced(vec![policy("p", "app=web", &["egress"], vec![], vec![world.clone()])]);
    assert_eq!(bed.asks("web", "169.254.169.254", 80), Some(false));
    assert_eq!(bed.asks("web", "203.0.113.7", 443), Some(true));
    assert_eq!(bed.asks("web", "fd00:ec2::254", 80), Some(false), "the other family is not meant");
    assert_eq!(bed.asks("web", "internet", 443), Some(true));
    assert_eq!(bed.asks("web", "db", 443), None, "the pod's own address is not known");
    let bed = Bed::new("cilium", true.into(), vec![policy("p", "app=web", &["egress"], vec![], vec![world])]);
    assert_eq!(bed.asks("web", "db", 443), Some(false), "Cilium takes blocks for what is outside");
    let office = rule(&[(None, None, Some("203.0.113.0/24"), &[])], &[]);
    let bed = enforced(vec![policy("p", "app=web", &["ingress"], vec![office], vec![])]);
    assert_eq!(bed.asks("internet", "web", 80), None, "some of the internet");
    let inner = rule(&[(None, None, Some("10.0.0.0/8"), &[])], &[]);
    let bed = enforced(vec![policy("p", "app=web", &["ingress"], vec![inner], vec![])]);
    assert_eq!(bed.asks("internet", "web", 80), Some(false));
    assert_eq!(bed.asks("far-agent", "web", 80), Some(true), "a pod on a node's network has its address");
}

#[test]
fn a_plugin_that_is_not_known_leaves_what_is_denied_open_perhaps() {
    let deny = || vec![policy("deny", "", &["ingress"], vec![], vec![])];
    let unknown = Bed::new("new", Value::unknown("not known"), deny());
    assert_eq!(unknown.asks("web", "db", 1), None);
    assert_eq!(unknown.asks("web", "tool", 1), Some(true), "what is allowed is so with any plugin");
    let flannel = Bed::new("flannel", false.into(), deny());
    assert_eq!(flannel.asks("web", "db", 1), Some(true));
}

#[test]
fn what_is_not_understood_or_not_listed_is_never_ignored() {
    let mut cilium = policy("c", "app=db", &["ingress"], vec![], vec![]);
    cilium.set("understood", false, Source::place("test"));
    let bed = enforced(vec![cilium]);
    assert_eq!(bed.asks("web", "db", 1), None);
    assert_eq!(bed.asks("db", "tool", 1), None);
    assert_eq!(bed.asks("tool", "web", 1), Some(true), "whom it does not select it leaves alone");
    let mut bed = enforced(vec![policy("deny", "", &["ingress"], vec![], vec![])]);
    bed.target.incomplete(&k8s::NETWORK_POLICY, "forbidden");
    bed.network = Network::of(&bed.target);
    assert_eq!(bed.asks("web", "db", 1), None, "another may let it in");
    assert_eq!(bed.asks("tool", "agent", 1), Some(true), "no policy holds for what is on a node's network");
}

#[test]
fn a_pod_on_the_nodes_network_is_not_isolated() {
    let mut everywhere = policy("deny", "", &["ingress", "egress"], vec![], vec![]);
    everywhere.set("namespace", "ops", Source::place("test"));
    let bed = enforced(vec![everywhere]);
    assert_eq!(bed.asks("web", "agent", 22), Some(true));
    assert_eq!(bed.asks("agent", "169.254.169.254", 80), Some(true));
    assert_eq!(bed.asks("web", "tool", 22), Some(false));
}
