//! A world as facts, some of which may be hidden.

use proptest::prelude::*;

use super::super::Protocol;
use super::world::{Expression, LabelSelector, NAMESPACES, NpPeer, NpPort, PortName, RuleOf, Tiered, World};
use crate::component::Component;
use crate::fact::Source;
use crate::kubernetes::selector::{Requirement, Selector};
use crate::schema::Kind;
use crate::schema::kubernetes as k8s;
use crate::snapshot::Target;
use crate::value::Value;

/// Which facts are hidden: of the kinds below, by a number that picks which of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Hidden(Vec<(&'static str, usize)>);

const HIDEABLE: [&str; 11] = [
    "pod.labels",
    "pod.host_network",
    "pod.nodes",
    "container.ports",
    "namespace.labels",
    "namespace",
    "policy.selector",
    "policy.types",
    "policy.rules",
    "policy.rule",
    "policies",
];

pub(super) fn hidden() -> impl Strategy<Value = Hidden> {
    let one = (prop::sample::select(HIDEABLE.to_vec()), 0usize..5);
    prop::collection::vec(one, 2..8).prop_map(Hidden)
}

impl Hidden {
    fn has(&self, what: &str, which: usize) -> bool {
        self.0.iter().any(|(kind, at)| *kind == what && *at == which)
    }

    fn over(&self, what: &str, which: usize, value: Value) -> Value {
        if self.has(what, which) { Value::unknown("hidden") } else { value }
    }
}

pub(super) fn text(selector: &LabelSelector) -> String {
    let equal = |(k, v): (&String, &String)| Requirement::In(k.as_str().into(), vec![v.as_str().into()]);
    let boxed = |v: &[String]| v.iter().map(|v| v.as_str().into()).collect();
    let mut requirements: Vec<_> = selector.match_labels.iter().map(equal).collect();
    requirements.extend(selector.match_expressions.iter().map(|e| match e {
        Expression::In(k, v) => Requirement::In(k.as_str().into(), boxed(v)),
        Expression::NotIn(k, v) => Requirement::NotIn(k.as_str().into(), boxed(v)),
        Expression::Exists(k) => Requirement::Exists(k.as_str().into()),
        Expression::DoesNotExist(k) => Requirement::Absent(k.as_str().into()),
    }));
    Selector { requirements }.to_string()
}

fn protocol(protocol: Protocol) -> Value {
    match protocol {
        Protocol::Tcp => "TCP".into(),
        Protocol::Udp => "UDP".into(),
        Protocol::Sctp => "SCTP".into(),
    }
}

fn component(kind: &'static Kind, id: &str, facts: Vec<(&str, Value)>) -> Component {
    let mut component = Component::new(kind, id, id);
    for (name, value) in facts {
        component.set(name, value, Source::place("test"));
    }
    component
}

fn peer(peer: &NpPeer) -> Value {
    let (pods, namespaces, cidr, except) = match peer {
        NpPeer::Block(cidr, except) => (Value::Null, Value::Null, cidr.as_str().into(), except.clone()),
        NpPeer::Labels { namespaces, pods } => {
            (pods.as_ref().map(text).into(), namespaces.as_ref().map(text).into(), Value::Null, Vec::new())
        }
    };
    Value::Object(vec![("pods", pods), ("namespaces", namespaces), ("cidr", cidr), ("except", Value::strings(except))])
}

fn port(port: &NpPort) -> Value {
    let name = port.port.as_ref().map(|p| match p {
        PortName::Number(n) => n.to_string(),
        PortName::Name(n) => n.clone(),
    });
    Value::Object(vec![
        ("protocol", protocol(port.protocol)),
        ("port", name.into()),
        ("end", port.end.map(i64::from).into()),
    ])
}

fn rule(action: &str, rule: &RuleOf) -> Value {
    let peers = rule.peers.iter().map(peer).collect();
    let ports = rule.ports.iter().map(port).collect();
    Value::Object(vec![("action", action.into()), ("peers", Value::List(peers)), ("ports", Value::List(ports))])
}

/// The target, and where its pods are in it.
pub(super) fn target(world: &World, hidden: &Hidden) -> (Target, Vec<usize>) {
    let mut target = Target::new("t", "kubernetes", "https://api.test");
    if hidden.has("policies", 0) {
        target.incomplete(&k8s::NETWORK_POLICY, "hidden");
    }
    for (i, labels) in world.namespaces.iter().enumerate().filter(|(i, _)| !hidden.has("namespace", *i)) {
        let labels = Value::strings(labels.iter().map(|(k, v)| format!("{k}={v}")));
        let labels = hidden.over("namespace.labels", i, labels);
        target.components.push(component(&k8s::NAMESPACE, NAMESPACES[i], vec![("labels", labels)]));
    }
    for (i, address) in world.nodes.iter().enumerate() {
        let address = Value::Object(vec![("type", "InternalIP".into()), ("address", address.to_string().into())]);
        let facts = vec![("addresses", Value::List(vec![address]))];
        target.components.push(component(&k8s::NODE, &format!("node-{i}"), facts));
    }
    policies(world, hidden, &mut target);
    let pods = pods(world, hidden, &mut target);
    (target, pods)
}

fn pods(world: &World, hidden: &Hidden, target: &mut Target) -> Vec<usize> {
    let mut places = Vec::new();
    for (i, pod) in world.pods.iter().enumerate() {
        let id = format!("Pod/{}/{i}", NAMESPACES[pod.namespace]);
        let labels = Value::strings(pod.labels.iter().map(|(k, v)| format!("{k}={v}")));
        let nodes = Value::strings([format!("node-{}", pod.node)]);
        let facts = vec![
            ("namespace", NAMESPACES[pod.namespace].into()),
            ("labels", hidden.over("pod.labels", i, labels)),
            ("host_network", hidden.over("pod.host_network", i, pod.host_network.into())),
            ("nodes", hidden.over("pod.nodes", i, nodes)),
        ];
        places.push(target.components.len());
        target.components.push(component(&k8s::POD, &id, facts));
        let ports = pod.ports.iter().map(|(name, p, number)| {
            Value::Object(vec![
                ("name", name.as_str().into()),
                ("container_port", i64::from(*number).into()),
                ("host_port", 0i64.into()),
                ("host_ip", "".into()),
                ("protocol", protocol(*p)),
            ])
        });
        let ports = hidden.over("container.ports", i, Value::List(ports.collect()));
        let facts = vec![("pod", id.as_str().into()), ("kind", "regular".into()), ("ports", ports)];
        target.components.push(component(&k8s::CONTAINER, &format!("{id}/c"), facts));
    }
    places
}

fn policies(world: &World, hidden: &Hidden, target: &mut Target) {
    let rules = |i: usize, rules: Vec<Value>| {
        let list = rules.into_iter().enumerate();
        let list = list.map(|(at, rule)| if at == 0 { hidden.over("policy.rule", i, rule) } else { rule }).collect();
        hidden.over("policy.rules", i, Value::List(list))
    };
    for (i, np) in world.policies.iter().enumerate() {
        let mut types = Vec::new();
        types.extend(np.isolates_ingress().then_some("ingress"));
        types.extend(np.isolates_egress().then_some("egress"));
        let facts = vec![
            ("namespace", NAMESPACES[np.namespace].into()),
            ("understood", true.into()),
            ("tier", "namespace".into()),
            ("priority", 0i64.into()),
            ("selector", hidden.over("policy.selector", i, text(&np.pods).into())),
            ("namespace_selector", Value::Null),
            ("types", hidden.over("policy.types", i, Value::strings(types))),
            ("ingress", rules(i, np.ingress.iter().map(|r| rule("allow", r)).collect())),
            ("egress", rules(i, np.egress.iter().map(|r| rule("allow", r)).collect())),
        ];
        target.components.push(component(&k8s::NETWORK_POLICY, &format!("NetworkPolicy/{i}"), facts));
    }
    for (tier, list) in [("admin", &world.admin), ("baseline", &world.baseline)] {
        for (i, policy) in list.iter().enumerate() {
            target.components.push(tiered(tier, i, policy, hidden));
        }
    }
}

fn tiered(tier: &str, i: usize, policy: &Tiered, hidden: &Hidden) -> Component {
    let rules = |list: &[(&str, RuleOf)]| {
        let rules = list.iter().map(|(action, r)| hidden.over("policy.rule", i, rule(action, r))).collect();
        hidden.over("policy.rules", i, Value::List(rules))
    };
    let facts = vec![
        ("namespace", "".into()),
        ("understood", true.into()),
        ("tier", tier.into()),
        ("priority", policy.priority.into()),
        ("selector", hidden.over("policy.selector", i, text(&policy.pods).into())),
        ("namespace_selector", text(&policy.namespaces).into()),
        ("types", Value::strings(["ingress", "egress"])),
        ("ingress", rules(&policy.ingress)),
        ("egress", rules(&policy.egress)),
    ];
    component(&k8s::NETWORK_POLICY, &format!("{tier}/{i}"), facts)
}
