//! Objects as the API writes them, through the gatherers to what follows from them.

use seaworthy_core::component::Component;
use seaworthy_core::derive::follow;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::Kind;
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::value::Value;
use serde_json::{Value as Json, json};

use crate::kubernetes::admission::AdmissionGatherer;
use crate::kubernetes::gather::Gather;
use crate::kubernetes::namespaces::NamespaceGatherer;
use crate::kubernetes::network::NetworkGatherer;
use crate::kubernetes::object::{Object, Place};
use crate::redact::Redactor;

/// A target of these objects and components, with what follows from them.
pub(in crate::kubernetes) struct Bed(Target);

impl Bed {
    pub fn new(objects: &[Json], components: Vec<Component>) -> Self {
        Self::of("kubernetes", objects, components, &[])
    }

    /// `unread` are plurals that could not be listed.
    pub fn of(platform: &str, objects: &[Json], components: Vec<Component>, unread: &[&str]) -> Self {
        let redactor = Redactor::new();
        let mut target = Target::new("t", platform, "");
        if !components.iter().any(|component| std::ptr::eq(component.kind, &k8s::CLUSTER)) {
            target.components.push(Component::new(&k8s::CLUSTER, "cluster", "cluster"));
        }
        target.components.extend(components);
        let gatherers: Vec<Box<dyn Gather>> = vec![
            Box::<NamespaceGatherer>::default(),
            Box::<NetworkGatherer>::default(),
            Box::<AdmissionGatherer>::default(),
        ];
        for mut gatherer in gatherers {
            for object in objects {
                let place = Place::of_server("object");
                let object = Object { json: object, place: &place };
                let wants = |r: &&super::Resource| r.group == object.group() && r.kind == object.kind();
                if gatherer.resources().iter().any(|r| wants(&r)) {
                    gatherer.add(object, &redactor);
                }
            }
            let missing: Vec<_> = gatherer.resources().iter().filter(|r| unread.contains(&r.plural)).collect();
            for resource in missing {
                gatherer.unread(resource, "forbidden");
            }
            gatherer.finish(&mut target);
        }
        let mut snapshot = Snapshot { tool: String::new(), collected_at: 0, targets: vec![target] };
        follow(&mut snapshot);
        Self(snapshot.targets.remove(0))
    }

    pub fn fact(&self, id: &str, fact: &str) -> &Value {
        let found = self.0.components.iter().find(|c| &*c.id == id);
        found.unwrap_or_else(|| panic!("no {id} among {:?}", self.ids())).value(fact)
    }

    pub fn shows(&self, id: &str, fact: &str) -> String {
        self.fact(id, fact).to_string()
    }

    fn ids(&self) -> Vec<&str> {
        self.0.components.iter().map(|c| &*c.id).collect()
    }
}

pub(in crate::kubernetes) fn component(kind: &'static Kind, id: &str, facts: &[(&'static str, Value)]) -> Component {
    let mut component = Component::new(kind, id, id.split_once('/').map_or(id, |(_, name)| name));
    for (name, value) in facts {
        component.set(name, value.clone(), Source::place("test"));
    }
    component
}

pub(in crate::kubernetes) fn pod(id: &str, labels: &[&str], more: &[(&'static str, Value)]) -> Component {
    let mut pod = component(
        &k8s::POD,
        id,
        &[
            ("namespace", id.split('/').nth(1).unwrap_or_default().into()),
            ("labels", Value::strings(labels.to_vec())),
            ("host_network", false.into()),
            ("containers", Value::List(Vec::new())),
            ("nodes", Value::strings(["one"])),
        ],
    );
    for (fact, value) in more {
        pod.set(fact, value.clone(), Source::place("test"));
    }
    pod
}

/// A running container by which a network plugin is known.
fn plugin(image: &str, args: &[&str]) -> Component {
    let facts = [
        ("pod", "DaemonSet/kube-system/plugin".into()),
        ("kind", "regular".into()),
        ("running", true.into()),
        ("image_repository", image.into()),
        ("command", Value::List(Vec::new())),
        ("args", Value::strings(args.to_vec())),
        ("ports", Value::List(Vec::new())),
    ];
    component(&k8s::CONTAINER, &format!("DaemonSet/kube-system/plugin/{image}"), &facts)
}

fn namespace(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}})
}

fn policy(name: &str, spec: Json) -> Json {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

fn service(name: &str, spec: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

#[test]
fn a_policy_is_read_with_the_defaults_of_the_api_server() {
    let bed = Bed::new(
        &[
            policy("deny", json!({"podSelector": {}})),
            policy("null", json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": null, "egress": [{}]})),
            policy(
                "rules",
                json!({"podSelector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a", "b"]}]},
                    "policyTypes": ["Egress"],
                    "egress": [{"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}},
                        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                        "ports": [{"port": "http"}, {"port": 32000, "endPort": 32768, "protocol": "UDP"}, {}]}]}),
            ),
        ],
        vec![],
    );
    assert_eq!(bed.shows("NetworkPolicy/shop/deny", "types"), "[ingress]");
    assert_eq!(bed.shows("NetworkPolicy/shop/deny", "selector"), "\"\"");
    assert_eq!(bed.fact("NetworkPolicy/shop/deny", "default_deny_ingress"), &true.into());
    assert_eq!(bed.fact("NetworkPolicy/shop/deny", "default_deny_egress"), &false.into());
    assert_eq!(bed.shows("NetworkPolicy/shop/null", "types"), "[ingress, egress]");
    assert_eq!(bed.fact("NetworkPolicy/shop/null", "allows_all_egress"), &true.into());
    assert_eq!(bed.fact("NetworkPolicy/shop/null", "allows_all_ingress"), &false.into());
    assert_eq!(bed.shows("NetworkPolicy/shop/rules", "selector"), "tier notin (a,b)");
    assert_eq!(
        bed.shows("NetworkPolicy/shop/rules", "egress"),
        "[{action: allow, peers: [{pods: app=db, namespaces: \"\", cidr: none, except: []}, \
         {pods: none, namespaces: none, cidr: 10.0.0.0/8, except: [10.1.0.0/16]}], \
         ports: [{protocol: TCP, port: http, end: none}, {protocol: UDP, port: 32000, end: 32768}, \
         {protocol: TCP, port: none, end: none}]}]"
    );
    assert_eq!(bed.fact("NetworkPolicy/shop/rules", "default_deny_egress"), &false.into());
}

#[test]
fn everybody_is_everybody_however_it_is_written() {
    let block = |cidr: &str| json!({"ipBlock": {"cidr": cidr}});
    let ports = |protocols: &[&str]| protocols.iter().map(|p| json!({"protocol": p})).collect::<Vec<_>>();
    for (rule, open) in [
        (json!({"from": [block("10.1.2.3/0")]}), true),
        (json!({"from": [block("0.0.0.0/1"), block("128.0.0.0/1")]}), true),
        (json!({"from": [block("::/1"), block("8000::/1")]}), true),
        (json!({"from": [block("0.0.0.0/1"), block("8000::/1")]}), false),
        (json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}), false),
        (json!({"ports": ports(&["TCP", "UDP", "SCTP"])}), true),
        (json!({"ports": ports(&["TCP", "UDP", "TCP"])}), false),
    ] {
        let bed = Bed::new(&[policy("p", json!({"podSelector": {}, "ingress": [rule]}))], vec![]);
        assert_eq!(bed.fact("NetworkPolicy/shop/p", "allows_all_ingress"), &open.into(), "{rule}");
    }
}

#[test]
fn what_the_api_server_would_refuse_is_unknown_and_never_something_else() {
    let rule = |rule: Json| policy("p", json!({"podSelector": {}, "ingress": [rule]}));
    for wrong in [
        json!({"from": [{}]}),
        json!({"from": [{"ipBlock": {"cidr": 7}}]}),
        json!({"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}),
        json!({"from": [{"podSelector": {"matchLabels": {"a": "b,c=d"}}}]}),
        json!({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}}]}),
        json!({"ports": [{"port": "80"}]}),
        json!({"ports": [{"port": "http", "endPort": 90}]}),
        json!({"ports": [{"port": 90, "endPort": 80}]}),
        json!({"ports": [{"protocol": "ICMP"}]}),
        json!({"from": "everybody"}),
        json!("everybody"),
    ] {
        let bed = Bed::new(&[rule(wrong.clone())], vec![]);
        assert!(bed.shows("NetworkPolicy/shop/p", "ingress").contains("unknown ("), "{wrong}");
        let opens = bed.fact("NetworkPolicy/shop/p", "allows_all_ingress").as_bool();
        assert_eq!(opens, if wrong.get("ports").is_some() { Some(false) } else { None }, "{wrong}");
    }
    for wrong in [json!({"podSelector": 3}), json!({"podSelector": {}, "policyTypes": ["ingress"]})] {
        let bed = Bed::new(&[policy("p", wrong)], vec![]);
        assert!(bed.fact("NetworkPolicy/shop/p", "default_deny_ingress").is_unknown());
    }
}

#[test]
fn pods_are_isolated_where_the_plugin_enforces() {
    let objects = [
        namespace("shop"),
        namespace("open"),
        policy("deny", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})),
    ];
    let pods = |image: &str, args: &[&str]| {
        let mut host = pod("DaemonSet/shop/agent", &[], &[]);
        host.set("host_network", true, Source::place("test"));
        vec![
            pod("Deployment/shop/web", &["app=web"], &[]),
            host,
            pod("Deployment/open/web", &[], &[]),
            plugin(image, args),
        ]
    };
    let bed = Bed::new(&objects, pods("docker.io/calico/node", &[]));
    assert_eq!(bed.shows("cluster", "cni"), "calico");
    assert_eq!(bed.fact("cluster", "enforces_policies"), &true.into());
    for (id, isolated, metadata) in [
        ("Deployment/shop/web", true, false),
        ("DaemonSet/shop/agent", false, true),
        ("Deployment/open/web", false, true),
    ] {
        assert_eq!(bed.fact(id, "isolated_ingress"), &isolated.into(), "{id}");
        assert_eq!(bed.fact(id, "reaches_metadata"), &metadata.into(), "{id}");
    }
    assert_eq!(
        bed.shows("Namespace/shop", "pods_without_policy"),
        "[]",
        "policies hold for no pod on the node's network"
    );
    assert_eq!(bed.shows("Namespace/open", "pods_without_policy"), "[Deployment/open/web]");
    assert_eq!(bed.fact("Namespace/shop", "default_deny_egress"), &true.into());
    assert_eq!(bed.fact("Namespace/open", "default_deny_ingress"), &false.into());
    assert_eq!(bed.shows("cluster", "own_namespaces"), "[shop, open]");
    let bed = Bed::new(&objects, pods("ghcr.io/flannel-io/flannel", &[]));
    assert_eq!(bed.fact("cluster", "enforces_policies"), &false.into());
    assert_eq!(bed.fact("Deployment/shop/web", "reaches_metadata"), &true.into());
    for (image, args, enforces) in [
        ("docker.io/cloudnativelabs/kube-router", &["--run-router=true"][..], Some(true)),
        ("docker.io/cloudnativelabs/kube-router", &["--run-firewall=false"], Some(false)),
        ("docker.io/kindest/kindnetd", &[], None),
        ("registry.test/nothing", &[], None),
        ("registry.test/not-cilium", &[], None),
        ("registry.test/amazon/aws-network-policy-agent", &["--enable-network-policy=true"], Some(true)),
    ] {
        let bed = Bed::new(&objects, pods(image, args));
        assert_eq!(bed.fact("cluster", "enforces_policies").as_bool(), enforces, "{image} {args:?}");
        if enforces.is_none() {
            assert!(bed.fact("Deployment/shop/web", "isolated_ingress").is_unknown());
            assert_eq!(
                bed.fact("Deployment/open/web", "isolated_ingress"),
                &false.into(),
                "no plugin isolates without a policy"
            );
        }
    }
}

#[test]
fn a_policy_that_matches_nobody_is_found_unless_pods_are_missing() {
    let gone = policy(
        "gone",
        json!({"podSelector": {"matchLabels": {"app": "gone"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}, {"podSelector": {"matchLabels": {"app": "typo"}}}]}]}),
    );
    let pods = || vec![pod("Deployment/shop/web", &["app=web"], &[])];
    let bed = Bed::new(&[namespace("shop"), gone.clone()], pods());
    assert_eq!(bed.fact("NetworkPolicy/shop/gone", "selects_nothing"), &true.into());
    assert_eq!(bed.shows("NetworkPolicy/shop/gone", "peers_nobody"), "[ingress [app=typo]]");
    let bed = Bed::of("files", &[namespace("shop"), gone], pods(), &[]);
    assert!(bed.fact("NetworkPolicy/shop/gone", "selects_nothing").is_unknown());
    assert!(bed.fact("Namespace/shop", "policies").is_unknown());
}

#[test]
fn policies_that_are_not_modelled_leave_their_pods_unknown() {
    let web = || {
        vec![
            pod("Deployment/shop/web", &["app=web"], &[]),
            pod("Deployment/shop/db", &["app=db"], &[]),
            plugin("quay.io/cilium/cilium", &[]),
        ]
    };
    let cilium = |selector: Json| {
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "c", "namespace": "shop"}, "spec": {"endpointSelector": selector, "ingress": [{}]}})
    };
    let bed = Bed::new(&[namespace("shop"), cilium(json!({"matchLabels": {"app": "web"}}))], web());
    assert!(bed.fact("Deployment/shop/web", "isolated_ingress").is_unknown());
    assert_eq!(bed.fact("Deployment/shop/db", "isolated_ingress"), &false.into());
    assert!(bed.shows("Namespace/shop", "pods_without_policy").contains("unknown"));
    let bed = Bed::new(&[namespace("shop"), cilium(json!({"matchLabels": {"k8s:app": "web"}}))], web());
    assert!(bed.fact("Deployment/shop/db", "isolated_ingress").is_unknown(), "Cilium's own labels may mean any pod");
    let calico = |group: &str, name: &str, selector: &str| {
        json!({"apiVersion": format!("{group}/v3"), "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": selector}})
    };
    let both = [
        namespace("shop"),
        calico("projectcalico.org", "p", "app == 'web'"),
        calico("crd.projectcalico.org", "default.p", "app == 'web'"),
        calico("projectcalico.org", "q", "projectcalico.org/namespace == 'shop'"),
    ];
    let bed = Bed::new(&both[..3], web());
    assert_eq!(bed.ids().iter().filter(|id| id.starts_with("Calico")).count(), 1, "{:?}", bed.ids());
    assert_eq!(bed.fact("Deployment/shop/db", "isolated_ingress"), &false.into());
    let bed = Bed::new(&both, web());
    assert!(bed.fact("Deployment/shop/db", "isolated_ingress").is_unknown());
    let admin = json!({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy", "metadata": {"name": "a"},
        "spec": {"priority": 5, "subject": {"namespaces": {}}, "egress": [{"action": "Deny",
            "to": [{"networks": ["169.254.169.254/32"]}], "ports": [{"portNumber": {"port": 80}}]}]}});
    let bed = Bed::new(&[namespace("shop"), admin], web());
    assert!(bed.fact("Deployment/shop/db", "reaches_metadata").as_bool() == Some(true), "IPv6 is not denied");
    assert_eq!(bed.fact("AdminNetworkPolicy/a", "types").to_string(), "[egress]");
}

#[test]
fn a_list_that_could_not_be_read_is_never_an_empty_one() {
    let pods = || vec![pod("Deployment/shop/web", &["app=web"], &[]), plugin("docker.io/calico/node", &[])];
    let bed = Bed::of(
        "kubernetes",
        &[namespace("shop")],
        pods(),
        &["networkpolicies", "services", "ingresses", "resourcequotas"],
    );
    assert!(bed.fact("Namespace/shop", "default_deny_ingress").is_unknown());
    assert!(bed.fact("Namespace/shop", "quotas").is_unknown());
    assert!(bed.fact("Deployment/shop/web", "isolated_ingress").is_unknown());
    assert!(bed.fact("Deployment/shop/web", "exposed").is_unknown());
    assert!(bed.fact("cluster", "exposed_services").is_unknown());
}

#[test]
fn services_say_how_they_are_reached() {
    let pods = vec![pod("Deployment/shop/web", &["app=web"], &[])];
    let annotated = |name: &str, annotations: Json, spec: Json| {
        let mut service = service(name, spec);
        service["metadata"]["annotations"] = annotations;
        service
    };
    let selector = json!({"app": "web"});
    let bed = Bed::new(
        &[
            service("plain", json!({"selector": selector, "ports": [{"port": 80}]})),
            service(
                "lb",
                json!({"type": "LoadBalancer", "selector": selector, "ports": [{"port": 80, "targetPort": "http"}]}),
            ),
            service(
                "lb-only",
                json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "selector": selector, "loadBalancerSourceRanges": ["203.0.113.0/24"]}),
            ),
            annotated(
                "inner",
                json!({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal", "service.beta.kubernetes.io/load-balancer-source-ranges": "10.0.0.0/8, 192.0.2.0/24"}),
                json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false}),
            ),
            annotated(
                "faked",
                json!({"service.beta.kubernetes.io/aws-load-balancer-internal": "false"}),
                json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false}),
            ),
            service("node", json!({"type": "NodePort", "selector": {"app": "gone"}, "externalIPs": ["203.0.113.9"]})),
            service("name", json!({"type": "ExternalName", "externalName": "db.example.test", "selector": selector})),
            service("odd", json!({"type": 7})),
        ],
        pods,
    );
    for (name, ways) in [
        ("plain", "[]"),
        ("lb", "[load-balancer, node-port]"),
        ("lb-only", "[load-balancer]"),
        ("inner", "[internal-load-balancer]"),
        ("faked", "[load-balancer]"),
        ("node", "[node-port, external-ip]"),
        ("name", "[]"),
    ] {
        assert_eq!(bed.shows(&format!("Service/shop/{name}"), "exposed_by"), ways, "{name}");
    }
    assert!(bed.fact("Service/shop/odd", "exposed_by").is_unknown());
    assert_eq!(bed.shows("Service/shop/inner", "source_ranges"), "[10.0.0.0/8, 192.0.2.0/24]");
    assert_eq!(
        bed.shows("Service/shop/lb", "ports"),
        "[{name: none, protocol: TCP, port: 80, target: http, node_port: none}]"
    );
    assert_eq!(bed.fact("Service/shop/node", "selects_nothing"), &true.into());
    assert_eq!(bed.fact("Service/shop/name", "selects_nothing"), &false.into());
    assert_eq!(bed.shows("Service/shop/plain", "pods"), "[Deployment/shop/web]");
    assert!(
        bed.shows("Deployment/shop/web", "exposed")
            .starts_with("[load-balancer shop/lb, node-port shop/lb, load-balancer shop/lb-only")
    );
}

#[test]
fn ingresses_say_where_they_lead_and_what_is_in_clear() {
    let ingress = |namespace: &str, name: &str, annotations: Json, spec: Json| json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": namespace, "annotations": annotations}, "spec": spec});
    let backend = |service: &str, port: i64| json!({"service": {"name": service, "port": {"number": port}}});
    let rule = |host: &str, path: &str, backend: Json| json!({"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]}});
    let class = json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx",
        "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}, "spec": {"controller": "k8s.io/ingress-nginx"}});
    let bed = Bed::new(
        &[
            class,
            service("web", json!({"ports": [{"port": 80, "name": "http"}]})),
            ingress(
                "shop",
                "a",
                json!({"nginx.ingress.kubernetes.io/configuration-snippet": "more_set_headers x;"}),
                json!({
                "tls": [{"hosts": ["*.shop.test"], "secretName": "cert"}],
                "rules": [rule("A.shop.test", "/", backend("web", 80)), rule("plain.test", "/", backend("web", 81)), rule("b.c.shop.test", "/x", backend("gone", 80))]}),
            ),
            ingress(
                "other",
                "b",
                json!({"kubernetes.io/ingress.class": "nginx"}),
                json!({"rules": [rule("a.shop.test", "/", backend("x", 1))]}),
            ),
            ingress("shop", "c", json!({}), json!({"defaultBackend": backend("web", 80), "tls": [{}]})),
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "g", "namespace": "shop"},
                "spec": {"gatewayClassName": "x", "listeners": [
                    {"name": "a", "protocol": "HTTP", "port": 80, "hostname": "a.test"}, {"name": "b", "protocol": "HTTPS", "port": 443, "hostname": "a.test",
                    "tls": {"certificateRefs": [{"name": "cert"}]}}, {"name": "c", "protocol": "HTTP", "port": 81}]}}),
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "shop"},
                "spec": {"parentRefs": [{"name": "g"}], "hostnames": ["a.test"], "rules": [{"backendRefs": [{"name": "web", "port": 80}, {"name": "web", "namespace": "far", "port": 80}]}]}}),
        ],
        vec![],
    );
    assert_eq!(
        bed.shows("Ingress/shop/a", "plain_hosts"),
        "[b.c.shop.test, plain.test]",
        "a wildcard covers one label"
    );
    assert_eq!(bed.shows("Ingress/shop/a", "controller"), "k8s.io/ingress-nginx", "by the default class");
    assert_eq!(bed.shows("Ingress/shop/a", "tls_secrets"), "[shop/cert]");
    assert_eq!(bed.shows("Ingress/shop/a", "snippets"), "[nginx.ingress.kubernetes.io/configuration-snippet]");
    assert_eq!(bed.shows("Ingress/shop/a", "dangling"), "[shop/web:81, shop/gone:80]");
    assert_eq!(bed.shows("Ingress/shop/a", "contested_hosts"), "[]", "another class is another controller");
    assert_eq!(bed.shows("Ingress/shop/c", "hosts"), "[*]");
    assert_eq!(bed.shows("Ingress/shop/c", "plain_hosts"), "[]");
    assert_eq!(bed.shows("Gateway/shop/g", "plain_hosts"), "[*]");
    assert_eq!(bed.shows("Gateway/shop/g", "tls_secrets"), "[shop/cert]");
    assert_eq!(bed.shows("HTTPRoute/shop/r", "dangling"), "[far/web:80]");
    assert_eq!(bed.shows("HTTPRoute/shop/r", "parents"), "[shop/g]");
    assert_eq!(bed.shows("Service/shop/web", "exposed_by"), "[ingress]");
}

#[test]
fn services_that_lead_to_nodes_are_told() {
    let service = |name: &str| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}});
    let slice = |service: &str, by: &str, endpoints: Json| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": format!("{service}-1"), "namespace": "shop",
            "labels": {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": by}}, "endpoints": endpoints})
    };
    let pod = |address: &str| json!({"addresses": [address], "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web-1"}});
    let own = "endpointslice-controller.k8s.io";
    let objects = [
        service("web"),
        service("hand"),
        service("posed"),
        service("cloud"),
        slice("web", own, json!([pod("10.244.0.7"), pod("10.0.0.5")])),
        slice("hand", "endpointslicemirroring-controller.k8s.io", json!([{"addresses": ["10.0.0.5", "192.0.2.1"]}])),
        slice("posed", "somebody", json!([pod("10.0.0.5")])),
        slice("cloud", own, json!([pod("169.254.169.254")])),
    ];
    let mut node = Component::new(&k8s::NODE, "Node/n1", "n1");
    let address = Value::Object(vec![("type", "InternalIP".into()), ("address", "10.0.0.5".into())]);
    node.set("addresses", Value::List(vec![address]), Source::place("test"));
    let bed = Bed::new(&objects, vec![node.clone()]);
    let told = |bed: &Bed, name: &str| bed.fact(&format!("Service/shop/{name}"), "decisive_endpoints").to_string();
    // A pod on its node's network has its address, and the controller put it there.
    assert_eq!(told(&bed, "web"), "[]");
    assert_eq!(told(&bed, "hand"), "[10.0.0.5 (node n1)]");
    assert_eq!(told(&bed, "posed"), "[10.0.0.5 (node n1)]", "anybody can write that it is a pod");
    assert!(told(&bed, "cloud").starts_with("[169.254.169.254 ("), "{}", told(&bed, "cloud"));
    assert_eq!(bed.fact("Service/shop/hand", "foreign_endpoints").as_list().unwrap().len(), 2);
    let bed = Bed::of("kubernetes", &objects[..4], vec![node], &["endpointslices"]);
    assert!(bed.fact("Service/shop/web", "decisive_endpoints").is_unknown());
}
