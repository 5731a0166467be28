//! What reaches what.
//!
//! Selectors are kept as `kubectl` writes them: `app=web,tier in (a,b),!old`. Empty, they match everything; null is no
//! selector, which matches nothing unless the fact says otherwise.

use super::{BOOL, INT, META, OPT_INT, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

/// Whom a rule of a policy lets in, or lets one speak to.
const PEER: &[Field] = &[
    field(
        "pods",
        OPT_STR,
        "pods by their labels; null where the rule does not choose by them, which is all where namespaces are chosen",
    ),
    field("namespaces", OPT_STR, "namespaces by their labels; null is the policy's own"),
    field("cidr", OPT_STR, "addresses"),
    field("except", STRINGS, "addresses in it that it does not mean"),
];

/// A port of a rule.
const POLICY_PORT: &[Field] = &[
    field("protocol", STR, "TCP, UDP or SCTP"),
    field("port", OPT_STR, "a number, or the name of a container's port; null is every port"),
    field("end", OPT_INT, "the last port of a range"),
];

/// A rule of a policy.
const RULE: &[Field] = &[
    field("action", STR, "allow, deny or pass"),
    field("peers", Type::List(&Type::Object(PEER)), "whom it means; an empty list means everybody"),
    field("ports", Type::List(&Type::Object(POLICY_PORT)), "the ports; an empty list means all"),
];

const POLICY_SPEC: &str = "spec of the policy";
const NOT_MODELLED: &str =
    "the object could not be read, or its meaning is not modelled (a policy of Cilium or Calico)";

kind! {
    /// A policy over the traffic of pods.
    NETWORK_POLICY = "kubernetes.network-policy", "a policy over the traffic of pods", &[
    fact("namespace", STR, "the namespace that it lies in; empty where it is of the whole cluster", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("type", STR, "NetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, CiliumNetworkPolicy, CiliumClusterwideNetworkPolicy, CalicoNetworkPolicy, CalicoGlobalNetworkPolicy, AntreaNetworkPolicy, AntreaClusterNetworkPolicy or EgressFirewall", "kind and apiVersion of the object", UNREAD),
    fact("understood", BOOL, "whether all that it says is in these facts; what one that is not may let through or deny is unknown, for every pod that it may select", POLICY_SPEC, UNREAD),
    fact("tier", STR, "when it is asked: admin (before those of namespaces), namespace, or baseline (where no other selects)", "kind of the object, spec.tier", NOT_MODELLED),
    fact("priority", INT, "its place in its tier, the lowest first; 0 where there is no order", "spec.priority", NOT_MODELLED),
    fact("selector", OPT_STR, "the pods that it is about, by their labels; null where it takes every pod of the namespaces", "spec.podSelector, spec.subject, spec.endpointSelector, spec.selector", NOT_MODELLED),
    fact("namespace_selector", OPT_STR, "the namespaces that it is about, of a policy of the whole cluster; null is its own", "spec.subject", NOT_MODELLED),
    fact("types", STRINGS, "the directions that it isolates: ingress, egress; one that names none isolates ingress, and egress where it has rules for it", "spec.policyTypes, spec.ingress, spec.egress", NOT_MODELLED),
    fact("ingress", Type::List(&Type::Object(RULE)), "its rules for what comes in", "spec.ingress", NOT_MODELLED),
    fact("egress", Type::List(&Type::Object(RULE)), "its rules for what goes out", "spec.egress", NOT_MODELLED),
    fact("default_deny_ingress", BOOL, "whether it isolates every pod of its namespace for ingress and lets nothing in", "selector, types, ingress", NOT_MODELLED).derived(),
    fact("default_deny_egress", BOOL, "whether it isolates every pod of its namespace for egress and lets nothing out", "selector, types, egress", NOT_MODELLED).derived(),
    fact("allows_all_ingress", BOOL, "whether one of its rules lets everybody in, to every port", "types, ingress", NOT_MODELLED).derived(),
    fact("allows_all_egress", BOOL, "whether one of its rules lets its pods speak to everybody, on every port", "types, egress", NOT_MODELLED).derived(),
    fact("selects_nothing", BOOL, "whether there is no pod, and no template of a workload, that it is about", "selector and labels of all pods", "pods, namespaces or its selector are not all known").derived(),
    fact("peers_nobody", STRINGS, "peers of its rules whom no pod matches, as direction and selectors: ingress app=gone", "rules and labels of all pods and namespaces", "pods, namespaces or its rules are not all known").derived(),
]
}

/// A port of a service.
const SERVICE_PORT: &[Field] = &[
    field("name", OPT_STR, "its name"),
    field("protocol", STR, "TCP, UDP or SCTP"),
    field("port", INT, "the port of the service"),
    field("target", STR, "the port of the pods: a number, or a name"),
    field("node_port", OPT_INT, "the port on every node"),
];

/// An address behind a service that is no pod's.
const ENDPOINT: &[Field] = &[
    field("address", STR, "the address, or a name"),
    field("object", OPT_STR, "what it says that it is: Pod/shop/web-1, Node/n1; null where it says nothing"),
    field("slice", STR, "the EndpointSlice, or one that mirrors Endpoints of the service's name"),
];

const SERVICE_SPEC: &str = "spec of the service";

kind! {
    /// A service.
    SERVICE = "kubernetes.service", "a service", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("type", STR, "ClusterIP, NodePort, LoadBalancer or ExternalName", "spec.type", UNREAD),
    fact("selector", OPT_STR, "the pods behind it, by their labels; null where its endpoints are made by somebody else", "spec.selector", UNREAD),
    fact("headless", BOOL, "whether it has no address of its own", "spec.clusterIP", UNREAD),
    fact("ports", Type::List(&Type::Object(SERVICE_PORT)), "its ports", "spec.ports", UNREAD),
    fact("external_ips", STRINGS, "addresses of others that every node takes for it", "spec.externalIPs", UNREAD),
    fact("external_name", OPT_STR, "the name outside that it stands for", "spec.externalName", UNREAD),
    fact("load_balancer_class", OPT_STR, "who makes its load balancer; null is the cloud provider", "spec.loadBalancerClass", UNREAD),
    fact("internal", BOOL, "whether annotations ask the provider for a load balancer that only its own network reaches", "metadata.annotations", UNREAD),
    fact("source_ranges", STRINGS, "addresses that its load balancer takes traffic from; empty is everybody", "spec.loadBalancerSourceRanges, and the annotation of that name", UNREAD),
    fact("external_traffic_policy", OPT_STR, "Cluster (pods see a node's address) or Local (they see the client's); null where nothing outside is let in", "spec.externalTrafficPolicy", UNREAD),
    fact("node_ports", BOOL, "whether it opens ports on every node: as a NodePort, or as its load balancer's way in", "spec.allocateLoadBalancerNodePorts, spec.ports", UNREAD),
    fact("addresses", STRINGS, "addresses and names that its load balancer was given", "status.loadBalancer", UNREAD),
    fact("foreign_endpoints", Type::List(&Type::Object(ENDPOINT)), "addresses behind it that Kubernetes' own controller did not put there for a pod; at most 64", "endpointslices", "EndpointSlices could not be listed"),
    fact("decisive_endpoints", STRINGS, "those of them that are a node's, its loopback or a cloud's metadata: whoever reaches the service reaches that by the node's or the API server's own way", "foreign_endpoints, addresses of nodes", "EndpointSlices or nodes could not be listed").derived(),
    fact("exposed_by", STRINGS, "how it is reached from outside the cluster: node-port, load-balancer, internal-load-balancer, external-ip, ingress", SERVICE_SPEC, "one of these facts is unknown, or not every route of an ingress is known").derived(),
    fact("pods", STRINGS, "the pods behind it, by their ids, at most 64", "selector and labels of all pods", "pods or its selector are not all known").derived(),
    fact("selects_nothing", BOOL, "whether it has a selector that no pod and no template of a workload matches", "selector and labels of all pods", "pods or its selector are not all known").derived(),
]
}

/// Where an ingress leads.
const ROUTE: &[Field] = &[
    field("host", STR, "the host; * for every one"),
    field("path", STR, "the path; empty for every one"),
    field("service", STR, "the service, as namespace/name; empty where it leads to something else"),
    field("port", STR, "the service's port, by number or name"),
];

const INGRESS_SPEC: &str = "spec of the object";
const ANNOTATIONS: &str = "metadata.annotations";

kind! {
    /// An Ingress, a Gateway or a route of one, by which the outside reaches services.
    INGRESS = "kubernetes.ingress", "an Ingress, a Gateway or a route of one, by which the outside reaches services", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("type", STR, "Ingress, Gateway, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute", "kind of the object", UNREAD),
    fact("class", OPT_STR, "the class that it asks for; null where the cluster's default decides, and of a route", "spec.ingressClassName, kubernetes.io/ingress.class, spec.gatewayClassName", UNREAD),
    fact("controller", OPT_STR, "who serves that class: k8s.io/ingress-nginx; null where no such class is there", "spec.controller of the class", "classes could not be listed, or it names none"),
    fact("parents", STRINGS, "the gateways of a route, as namespace/name", "spec.parentRefs", UNREAD),
    fact("hosts", STRINGS, "the hosts that it answers to; * for every one", INGRESS_SPEC, UNREAD),
    fact("plain_hosts", STRINGS, "those that it serves without TLS; of a route none, since its gateways say so", "spec.tls, spec.rules; spec.listeners", UNREAD),
    fact("tls_secrets", STRINGS, "secrets of its certificates, as namespace/name", "spec.tls, spec.listeners", UNREAD),
    fact("redirects_to_tls", BOOL, "whether its controller sends plain requests on to TLS; ingress-nginx does so by itself wherever there is TLS", ANNOTATIONS, "no annotation says so, and its controller decides"),
    fact("routes", Type::List(&Type::Object(ROUTE)), "where it leads", INGRESS_SPEC, UNREAD),
    fact("snippets", STRINGS, "annotations that put raw configuration into its controller", ANNOTATIONS, UNREAD),
    fact("source_ranges", STRINGS, "addresses that it takes requests from; empty is everybody", ANNOTATIONS, UNREAD),
    fact("authentication", STRINGS, "annotations that make its controller ask who it is", ANNOTATIONS, UNREAD),
    fact("addresses", STRINGS, "addresses and names under which it is served", "status", UNREAD),
    fact("dangling", STRINGS, "services that it leads to and that are not there, or have no such port", "its routes, all services", "services, or where it leads, are not all known").derived(),
    fact("contested_hosts", STRINGS, "hosts and paths that another namespace's ingress claims as well: shop.test/pay (other/web)", "hosts of all ingresses", "another ingress could not be read").derived(),
]
}
