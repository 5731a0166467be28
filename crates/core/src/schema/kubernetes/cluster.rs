//! The cluster itself, its nodes and its namespaces.

use super::{AUDIT_LOG, AUDIT_LOG_SINCE, BOOL, INT, META, OPT_INT, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

const NO_VERSION: &str = "neither was there";
const KUBECONFIG: &str = "it was not read through an API server";
const NODES: &str = "the nodes could not be listed";
const JOINED: &str = "no snapshot of the node and the engine was joined with it";

const RUNTIME_CLASS: &[Field] = &[
    field("name", STR, "what pods name"),
    field("handler", STR, "the container runtime's handler: runc, kata, runsc"),
];

const STORAGE_CLASS: &[Field] = &[
    field("name", STR, "what claims name"),
    field("provisioner", STR, "who makes its volumes: ebs.csi.aws.com, rancher.io/local-path"),
    field("default", BOOL, "whether claims that name none get it"),
    field("reclaim_policy", STR, "Delete or Retain: what becomes of a volume without its claim"),
];

const POLICIES: &str = "pods, namespaces and policies";
const NO_POLICIES: &str = "pods, namespaces or policies are not all known";

kind! {
    /// A cluster, as its API tells of it.
    CLUSTER = "kubernetes.cluster", "a cluster, as its API tells of it", &[
    fact("version", STR, "the API server's version: 1.35.4", "GET /version, or --kubernetes-version", NO_VERSION),
    fact("minor", INT, "the minor version: 35", "GET /version, or --kubernetes-version", NO_VERSION),
    fact("distribution", STR, "kubeadm, k3s, rke2, microk8s, kind, eks, gke, aks, openshift or other", "versions and labels of nodes, the server's version, API groups", "no node was read"),
    fact("managed", BOOL, "whether a provider runs the control plane, so that its processes and files are on no node: eks, gke, aks", "versions and labels of nodes", "no node was read"),
    fact("server", STR, "the API server's address, without credentials", "the kubeconfig", KUBECONFIG),
    fact("uid", STR, "what names the cluster for good: the uid of its namespace kube-system", "GET /api/v1/namespaces/kube-system", "the namespace could not be read"),
    fact("ca_fingerprint", OPT_STR, "the first 16 hexadecimal digits of the SHA-256 of the certificate of the authority that signs for the API server; null where the machine's own authorities are trusted or nothing is verified", "the kubeconfig, or the service account's ca.crt", "no kubeconfig was read"),
    fact("ca_expires", OPT_INT, "when that certificate ends; null where there is none", "the kubeconfig", "no kubeconfig was read").unit("seconds since 1970"),
    fact("tls_unverified", BOOL, "whether the kubeconfig leaves the API server's certificate unverified", "insecure-skip-tls-verify in the kubeconfig", KUBECONFIG),
    fact("collected_as", OPT_STR, "who read it: the user that the credential names; null where no credential was given", "the subject of the client certificate or token", "a plugin or an opaque token names it, and the API server was not asked"),
    fact("collected_as_masters", BOOL, "whether that credential is of group system:masters, which no rule of RBAC can bind", "the subject of the client certificate", "a plugin or a token says who is meant, and the API server was not asked"),
    fact("api_groups", STRINGS, "groups and versions of the API that it serves: v1, apps/v1, metrics.k8s.io/v1beta1", "GET /api, /apis", "discovery was refused, or a group did not answer"),
    fact("removed_apis", STRINGS, "objects of files written for an API that the cluster's version does not serve any more, with the version that took it away and where they stand; none of what an API server lists, at most 64", "apiVersion and kind of the objects", "files do not say the version, or not all of them could be read"),
    fact("custom_resources", STRINGS, "names of custom resource definitions: ciliumnetworkpolicies.cilium.io", "customresourcedefinitions", "they could not be listed"),
    fact("runtime_classes", Type::List(&Type::Object(RUNTIME_CLASS)), "runtimes that pods may choose", "runtimeclasses", "they could not be listed"),
    fact("storage_classes", Type::List(&Type::Object(STORAGE_CLASS)), "classes of storage that claims may choose", "storageclasses", "they could not be listed"),
    fact("nodes", INT, "nodes", "nodes", NODES),
    fact("control_plane_nodes", INT, "nodes that carry the role of a control plane; 0 where a provider runs it elsewhere", "labels of nodes", NODES),
    fact("apiservers", OPT_INT, "API servers that are alive; null where their version does not say", "leases apiserver-… in kube-system", "leases could not be listed"),
    fact("cni", STR, "the network plugin that runs: calico, cilium, antrea, canal, weave, kube-router, ovn-kubernetes, flannel, kindnet, aws-vpc-cni, …; several with + between", "pods that run on every node, by name and image", "none that is known was found, or pods could not be listed").derived(),
    fact("enforces_policies", BOOL, "whether it makes network policies hold", "the network plugin, its version and arguments", "the plugin is not known, or its settings decide").derived(),
    fact("anonymous_requests", BOOL, "whether requests without a credential are let in as system:anonymous, for whatever is granted to that", "a request without a credential; the API server's arguments", "nobody asked"),
    fact("pod_security_default", OPT_STR, "the level of Pod Security that holds where a namespace names none: privileged, baseline or restricted; null where the counts do not tell", "the API server's own counts (GET /metrics)", "they could not be read"),
    fact("allows_everything", BOOL, "whether an API server was seen to have the mode AlwaysAllow, so that nobody is asked", "the API servers' arguments", "never: what was not read was not seen").derived(),
    fact("signs_no_clients", BOOL, "whether it was seen that nobody signs certificates of clients, whoever approves them: EKS, or controller managers without the key", "the server's version; the controller managers' arguments", "never: what was not read was not seen").derived(),
    fact("approves_no_nodes", BOOL, "whether it was seen that nobody approves by itself what those ask for who join as nodes: every controller manager has that controller turned off", "the controller managers' arguments", "never: what was not read was not seen").derived(),
    fact("new_namespaces_open", BOOL, "whether nothing can refuse pods in a namespace that somebody makes, with labels of his choice", "webhooks and policies", "a webhook or policy is asked, and what it refuses nobody knows").derived(),
    fact("own_namespaces", STRINGS, "namespaces that hold workloads and are not Kubernetes' own, at most 64", POLICIES, NO_POLICIES).derived(),
    fact("exposed_services", STRINGS, "services that the outside reaches, with how: shop/web (load-balancer), at most 64", "services and ingresses", "services or ingresses are not all known").derived(),
]
}

const TAINT: &[Field] = &[
    field("key", STR, "its key"),
    field("value", STR, "its value; empty where it has none"),
    field("effect", STR, "NoSchedule, PreferNoSchedule or NoExecute"),
];

const ADDRESS: &[Field] = &[
    field("type", STR, "InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS"),
    field("address", STR, "the address"),
];

kind! {
    /// A node.
    NODE = "kubernetes.node", "a node", &[
    fact("name", STR, "its name", META, UNREAD),
    fact("control_plane", BOOL, "whether it carries the role of a control plane", "label node-role.kubernetes.io/control-plane or …/master", UNREAD),
    fact("labels", STRINGS, "key=value of its labels, sorted, values that may be secrets taken out, at most 64", "metadata.labels", UNREAD),
    fact("taints", Type::List(&Type::Object(TAINT)), "what keeps pods away that do not tolerate it", "spec.taints", UNREAD),
    fact("unschedulable", BOOL, "whether it was cordoned", "spec.unschedulable", UNREAD),
    fact("ready", BOOL, "whether its kubelet says that it is ready, and lately", "status.conditions", UNREAD),
    fact("addresses", Type::List(&Type::Object(ADDRESS)), "its addresses", "status.addresses", UNREAD),
    fact("kubelet_port", INT, "the port of its kubelet; 0 where it tells none", "status.daemonEndpoints", UNREAD),
    fact("pod_cidrs", STRINGS, "ranges of its pods' addresses", "spec.podCIDRs", UNREAD),
    fact("kubelet_version", STR, "its kubelet's version: 1.35.4", "status.nodeInfo", UNREAD),
    fact("kubelet_minor", INT, "the minor version of its kubelet: 35", "status.nodeInfo", UNREAD),
    fact("container_runtime", STR, "the container runtime's name: containerd, cri-o, docker", "status.nodeInfo", UNREAD),
    fact("container_runtime_version", STR, "the container runtime's version: 2.1.4", "status.nodeInfo", UNREAD),
    fact("kernel", STR, "the kernel's release", "status.nodeInfo", UNREAD),
    fact("os", STR, "linux or windows", "status.nodeInfo", UNREAD),
    fact("os_image", STR, "the distribution, as it calls itself", "status.nodeInfo", UNREAD),
    fact("architecture", STR, "amd64, arm64, …", "status.nodeInfo", UNREAD),
    fact("machine", OPT_STR, "a fingerprint of the machine's id, the same as docker.host.machine on that machine; null where it tells none", "status.nodeInfo.machineID", UNREAD),
    fact("provider", OPT_STR, "whose machine it is: aws, gce, azure, kind, k3s; null where nobody says", "the scheme of spec.providerID", UNREAD),
    fact("zone", OPT_STR, "its zone of failure", "label topology.kubernetes.io/zone", UNREAD),
    fact("cpu_allocatable", INT, "processors for pods", "status.allocatable", UNREAD).unit("thousandths of a processor"),
    fact("memory_allocatable", INT, "memory for pods", "status.allocatable", UNREAD).unit("bytes"),
    fact("pods_allocatable", INT, "the most pods that it takes", "status.allocatable", UNREAD),
    fact("control_plane_by", STRINGS, "what of a control plane lies on it, so that whoever is root there may do everything: API servers and members of etcd \
        by id, kubeconfigs of administrators by path", "processes and files of the node, grants", "the node was not read").derived(),
    AUDIT_LOG,
    AUDIT_LOG_SINCE,
    fact("host", OPT_STR, "the target whose engine runs on the same machine; null where it is proven that there is none", "machine ids of the targets of one snapshot", JOINED),
]
}
