//! The powers: what rights let somebody do that matters to an attacker, and which rights each really needs.

use super::way::{Over, Power, Right, Wildcard, all, create, on, power, rule_with, same, until, with_claims};

/// Ways of one right each.
macro_rules! any {
    ($($right:expr),* $(,)?) => { &[$(all(&[$right])),*] };
}

const RBAC: &str = "rbac.authorization.k8s.io";
const CERTS: &str = "certificates.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
/// Verbs that change what is there.
const CHANGE: &[&str] = &["update", "patch"];
/// Verbs that change or take away what is there by name.
const SPOIL: &[&str] = &["update", "patch", "delete"];
/// Verbs that show an object: the answer to a patch is the object, also where the patch is empty, and so is that to a deletion
/// in the foreground, also where it is only tried (`propagationPolicy=Foreground&dryRun=All`).
const SHOW: &[&str] = &["get", "list", "watch", "patch", "delete"];
/// Verbs that show all: the answer to a deletion of all is what was deleted.
const SHOW_ALL: &[&str] = &["list", "watch", "deletecollection"];
/// Any verb that an HTTP method becomes.
const ANY_METHOD: &[&str] = &["get", "create", "update", "patch", "delete"];
/// The verbs by which a kubelet is told to run something: its API takes commands by GET and POST alone.
const COMMANDS: &[&str] = &["get", "create"];
/// Signers whose certificates the API server takes for anybody, and those that it takes for a kubelet.
const OF_CLIENTS: &[&str] = &["kubernetes.io/kube-apiserver-client", "kubernetes.io/*"];
const OF_KUBELETS: &[&str] =
    &["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kube-apiserver-client", "kubernetes.io/*"];

const BIND_CLUSTER: Right = on(&["bind"], RBAC, "clusterroles");
const USERS: Right = on(&["impersonate"], "", "users").cluster();
const ACCOUNTS: Right = on(&["impersonate"], "", "serviceaccounts");
const READ_SECRETS: Right = on(SHOW, "", "secrets");
const APPROVE: Right = on(CHANGE, CERTS, "certificatesigningrequests/approval").cluster();
const ASK_FOR_CERTIFICATES: Right = create(CERTS, "certificatesigningrequests").cluster();
const CREATE_PODS: Right = create("", "pods");
const CREATE_CLAIMS: Right = create("", "persistentvolumeclaims");
const CREATE_VOLUMES: Right = create("", "persistentvolumes").cluster();
const CHANGE_VOLUMES: Right = on(CHANGE, "", "persistentvolumes").cluster();
const CHANGE_NAMESPACES: Right = on(CHANGE, "", "namespaces");
/// Both take changed labels along, and Pod Security looks at neither.
const CHANGE_NAMESPACE_STATUS: Right = on(CHANGE, "", "namespaces/status");
const FINALIZE_NAMESPACES: Right = on(&["update"], "", "namespaces/finalize");
const CREATE_NAMESPACES: Right = create("", "namespaces").cluster();

/// Of each group of other rights a way for pods and one for each workload that becomes pods: the right to create it, with
/// these others.
macro_rules! by_pods {
    ($($way:ident [$($other:expr),* $(,)?]),+ $(,)?) => {
        &[$(
            $way(&[CREATE_PODS $(, $other)*]),
            $way(&[create("apps", "deployments") $(, $other)*]),
            $way(&[create("apps", "daemonsets") $(, $other)*]),
            $way(&[create("apps", "statefulsets") $(, $other)*]),
            $way(&[create("apps", "replicasets") $(, $other)*]),
            $way(&[create("", "replicationcontrollers") $(, $other)*]),
            $way(&[create("batch", "jobs") $(, $other)*]),
            $way(&[create("batch", "cronjobs") $(, $other)*]),
        )+]
    };
}

/// What can be created, changed and taken away.
macro_rules! edit {
    ($group:expr, $($resource:literal),* $(,)?) => {
        &[$(
            all(&[create($group, $resource)]),
            all(&[on(SPOIL, $group, $resource)]),
            all(&[on(&["deletecollection"], $group, $resource).unnamed()]),
        )*]
    };
}

/// The same, of what lies in no namespace.
macro_rules! edit_cluster {
    ($group:expr, $($resource:literal),* $(,)?) => {
        &[$(
            all(&[create($group, $resource).cluster()]),
            all(&[on(SPOIL, $group, $resource).cluster()]),
            all(&[on(&["deletecollection"], $group, $resource).unnamed().cluster()]),
        )*]
    };
}

/// Every power, the gravest first.
pub static POWERS: &[Power] = &[
    power(
        "everything",
        "do everything with every resource: cluster-admin, in a namespace all of it",
        &[all(&[Right {
            verbs: &["*"],
            group: "*",
            resource: "*",
            over: Over::Unnamed,
            cluster: false,
            wildcard: Wildcard::No,
        }])],
    ),
    power(
        "impersonate-groups",
        "act as any of the groups; a user must be impersonated along with it",
        &[
            all(&[on(&["impersonate"], "", "groups").cluster(), USERS]),
            all(&[on(&["impersonate"], "", "groups").cluster(), ACCOUNTS]),
        ],
    ),
    power("impersonate-users", "act as any of the users", any![USERS]),
    power("impersonate-service-accounts", "act as any of the service accounts", any![ACCOUNTS]),
    power(
        "impersonate-uids",
        "act with any of the user ids; a user must be impersonated along with it",
        &[
            all(&[on(&["impersonate"], "authentication.k8s.io", "uids").cluster(), USERS]),
            all(&[on(&["impersonate"], "authentication.k8s.io", "uids").cluster(), ACCOUNTS]),
        ],
    ),
    power(
        "escalate-cluster-wide",
        "write rights that it does not have into ClusterRoles",
        &[
            same(&[on(&["escalate"], RBAC, "clusterroles").cluster(), on(CHANGE, RBAC, "clusterroles").cluster()]),
            same(&[
                on(&["escalate"], RBAC, "clusterroles").unnamed().cluster(),
                create(RBAC, "clusterroles").cluster(),
            ]),
        ],
    ),
    power(
        "escalate",
        "write rights that it does not have into Roles",
        &[
            same(&[on(&["escalate"], RBAC, "roles"), on(CHANGE, RBAC, "roles")]),
            same(&[on(&["escalate"], RBAC, "roles").unnamed(), create(RBAC, "roles")]),
        ],
    ),
    power(
        "bind-cluster-wide",
        "give anybody the ClusterRoles in the whole cluster, rights that it does not have included",
        &[
            all(&[BIND_CLUSTER.cluster(), create(RBAC, "clusterrolebindings").cluster()]),
            all(&[BIND_CLUSTER.cluster(), on(CHANGE, RBAC, "clusterrolebindings").cluster()]),
        ],
    ),
    power(
        "bind",
        "give anybody the roles in a namespace, rights that it does not have included",
        &[
            all(&[BIND_CLUSTER, create(RBAC, "rolebindings")]),
            all(&[BIND_CLUSTER, on(CHANGE, RBAC, "rolebindings")]),
            all(&[on(&["bind"], RBAC, "roles"), create(RBAC, "rolebindings")]),
            all(&[on(&["bind"], RBAC, "roles"), on(CHANGE, RBAC, "rolebindings")]),
        ],
    ),
    power(
        "mint-tokens",
        "get a token of any of the service accounts",
        any![on(&["create"], "", "serviceaccounts/token")],
    ),
    power(
        "create-legacy-tokens",
        "have a lasting token of any service account written into a secret, and read it",
        &[all(&[READ_SECRETS, create("", "secrets")])],
    ),
    power(
        "approve-certificates",
        "approve requests for certificates of the signers",
        &[all(&[
            on(&["approve"], CERTS, "signers").cluster(),
            on(CHANGE, CERTS, "certificatesigningrequests/approval").cluster(),
        ])],
    ),
    power(
        "sign-certificates",
        "issue certificates in the name of the signers",
        &[all(&[
            on(&["sign"], CERTS, "signers").cluster(),
            on(CHANGE, CERTS, "certificatesigningrequests/status").cluster(),
        ])],
    ),
    power(
        "issue-certificates",
        "have certificates issued in any name: ask for them and approve them",
        &[all(&[on(&["approve"], CERTS, "signers").these("", OF_CLIENTS).cluster(), APPROVE, ASK_FOR_CERTIFICATES])],
    ),
    power(
        "issue-node-certificates",
        "have certificates issued in the name of any node: ask for them and approve them",
        &[all(&[on(&["approve"], CERTS, "signers").these("", OF_KUBELETS).cluster(), APPROVE, ASK_FOR_CERTIFICATES])],
    ),
    power(
        "join-nodes",
        "have certificates issued in the name of any node that nobody has to approve",
        &[all(&[create(CERTS, "certificatesigningrequests/nodeclient").cluster(), ASK_FOR_CERTIFICATES])],
    ),
    power(
        "create-bootstrap-tokens",
        "make a token by which nodes join, of any group of such tokens",
        any![on(&["create"], "", "secrets").over(Over::UnnamedIn("kube-system"))],
    ),
    power(
        "change-bootstrap-tokens",
        "change a token by which nodes join: when it ends, and of which groups it is",
        any![on(CHANGE, "", "secrets").over(Over::NamedIn("kube-system"))],
    ),
    power(
        "nodes-proxy",
        "reach the kubelets' own API, whose get is enough to run commands in pods, past admission and audit",
        any![on(COMMANDS, "", "nodes/proxy").cluster(),],
    ),
    power(
        "edit-webhooks",
        "see, change or let through whatever is written, by admission webhooks",
        edit_cluster!(ADMISSION, "mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    ),
    power(
        "edit-admission-policies",
        "change what is admitted, by policies",
        edit_cluster!(
            ADMISSION,
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings"
        ),
    ),
    power(
        "edit-api-services",
        "answer for a group of the API in the API server's place",
        edit_cluster!("apiregistration.k8s.io", "apiservices"),
    ),
    power(
        "edit-crds",
        "change or delete custom resources, with all objects of theirs, or convert them on the way",
        edit_cluster!("apiextensions.k8s.io", "customresourcedefinitions"),
    ),
    power("read-secrets", "read secrets", &[all(&[READ_SECRETS]), all(&[on(SHOW_ALL, "", "secrets").unnamed()])]),
    power("list-secrets", "read all secrets without knowing a name", any![on(SHOW_ALL, "", "secrets").unnamed()]),
    power("write-secrets", "write secrets", &[all(&[create("", "secrets")]), all(&[on(CHANGE, "", "secrets")])]),
    power(
        "exec",
        "run commands in containers",
        &[all(&[on(&["create"], "", "pods/exec")]), until(34, &[on(&["get"], "", "pods/exec")])],
    ),
    power(
        "attach",
        "speak to the processes of containers",
        &[all(&[on(&["create"], "", "pods/attach")]), until(34, &[on(&["get"], "", "pods/attach")])],
    ),
    power(
        "add-ephemeral-containers",
        "put containers into pods that run",
        any![on(CHANGE, "", "pods/ephemeralcontainers")],
    ),
    power(
        "create-pods",
        "start pods, with any service account, secret and volume of the namespace",
        any![create("", "pods")],
    ),
    power(
        "create-workloads",
        "start pods by way of a controller",
        any![
            create("apps", "deployments"),
            create("apps", "daemonsets"),
            create("apps", "statefulsets"),
            create("apps", "replicasets"),
            create("", "replicationcontrollers"),
            create("batch", "jobs"),
            create("batch", "cronjobs"),
        ],
    ),
    power(
        "change-workloads",
        "change what the pods of workloads are",
        any![
            on(CHANGE, "apps", "deployments"),
            on(CHANGE, "apps", "daemonsets"),
            on(CHANGE, "apps", "statefulsets"),
            on(CHANGE, "apps", "replicasets"),
            on(CHANGE, "", "replicationcontrollers"),
            on(CHANGE, "batch", "cronjobs"),
        ],
    ),
    power("change-pods", "run other images in pods that are there", any![on(CHANGE, "", "pods")]),
    power(
        "open-and-create-pods",
        "change which level of Pod Security a namespace enforces, and start pods there",
        by_pods!(all[CHANGE_NAMESPACES], all[CHANGE_NAMESPACE_STATUS], all[FINALIZE_NAMESPACES]),
    ),
    power(
        "create-namespaces-and-pods",
        "make a namespace without Pod Security, and start pods there",
        &[
            all(&[CREATE_PODS.cluster(), CREATE_NAMESPACES]),
            all(&[create("apps", "deployments").cluster(), CREATE_NAMESPACES]),
            all(&[create("apps", "daemonsets").cluster(), CREATE_NAMESPACES]),
            all(&[create("apps", "statefulsets").cluster(), CREATE_NAMESPACES]),
            all(&[create("apps", "replicasets").cluster(), CREATE_NAMESPACES]),
            all(&[create("", "replicationcontrollers").cluster(), CREATE_NAMESPACES]),
            all(&[create("batch", "jobs").cluster(), CREATE_NAMESPACES]),
            all(&[create("batch", "cronjobs").cluster(), CREATE_NAMESPACES]),
        ],
    ),
    power(
        "mount-node-volumes",
        "make any path of a node a volume, claim it, and start pods that mount the claim",
        by_pods!(all[CREATE_CLAIMS, CREATE_VOLUMES], with_claims[CREATE_VOLUMES]),
    ),
    power(
        "take-volumes",
        "take volumes that are there from those for whom they are kept, claim them, and start pods that mount the claim",
        by_pods!(all[CREATE_CLAIMS, CHANGE_VOLUMES], with_claims[CHANGE_VOLUMES]),
    ),
    power("create-persistent-volumes", "make any path of a node a volume", any![CREATE_VOLUMES]),
    power(
        "write-nodes",
        "change labels, taints and names of nodes, or add nodes",
        &[all(&[create("", "nodes").cluster()]), all(&[on(CHANGE, "", "nodes").cluster()])],
    ),
    power(
        "write-node-status",
        "say at which address a kubelet is, to which the API server then sends what is meant for it",
        any![on(CHANGE, "", "nodes/status").cluster()],
    ),
    power(
        "delete-nodes",
        "take nodes away, so that their pods move",
        any![on(&["delete"], "", "nodes").cluster(), on(&["deletecollection"], "", "nodes").unnamed().cluster(),],
    ),
    power(
        "label-namespaces",
        "change which level of Pod Security a namespace enforces",
        any![CHANGE_NAMESPACES, CHANGE_NAMESPACE_STATUS, FINALIZE_NAMESPACES],
    ),
    power("create-namespaces", "make namespaces without Pod Security", any![CREATE_NAMESPACES]),
    power(
        "edit-cluster-dns",
        "change where every pod's names lead",
        any![on(CHANGE, "", "configmaps").these("kube-system", &["coredns", "coredns-custom"]),],
    ),
    power(
        "edit-aws-auth",
        "make any identity of the cloud an administrator",
        any![on(CHANGE, "", "configmaps").these("kube-system", &["aws-auth"]),],
    ),
    power(
        "write-config-maps",
        "write config maps",
        &[all(&[create("", "configmaps")]), all(&[on(CHANGE, "", "configmaps")])],
    ),
    power(
        "edit-service-accounts",
        "change service accounts, also which identity of a cloud their pods take",
        &[all(&[create("", "serviceaccounts")]), all(&[on(CHANGE, "", "serviceaccounts")])],
    ),
    power(
        "edit-services",
        "lead the traffic of services elsewhere, also by external addresses",
        &[all(&[create("", "services")]), all(&[on(CHANGE, "", "services")])],
    ),
    power(
        "write-service-status",
        "take an address for a service, and with it what others send there",
        any![on(CHANGE, "", "services/status")],
    ),
    power(
        "edit-endpoints",
        "lead the traffic of services elsewhere by their endpoints",
        &[
            all(&[create("", "endpoints")]),
            all(&[on(CHANGE, "", "endpoints")]),
            all(&[create("discovery.k8s.io", "endpointslices")]),
            all(&[on(CHANGE, "discovery.k8s.io", "endpointslices")]),
        ],
    ),
    power("edit-network-policies", "open what network policies close", edit!("networking.k8s.io", "networkpolicies")),
    power("edit-ingresses", "lead what comes from outside elsewhere", edit!("networking.k8s.io", "ingresses")),
    power(
        "share-rights",
        "give the rights that it has itself to anybody else",
        &[
            all(&[create(RBAC, "clusterrolebindings").cluster()]),
            all(&[on(CHANGE, RBAC, "clusterrolebindings").cluster()]),
            all(&[create(RBAC, "rolebindings")]),
            all(&[on(CHANGE, RBAC, "rolebindings")]),
        ],
    ),
    power(
        "create-certificate-requests",
        "ask for certificates",
        any![create(CERTS, "certificatesigningrequests").cluster()],
    ),
    power(
        "delete-pods",
        "end pods",
        any![on(&["delete"], "", "pods"), on(&["deletecollection"], "", "pods").unnamed()],
    ),
    power("evict-pods", "end pods by eviction", any![on(&["create"], "", "pods/eviction")]),
    power(
        "delete-events",
        "take away the traces that events are",
        any![
            on(&["delete"], "", "events"),
            on(&["deletecollection"], "", "events").unnamed(),
            on(&["delete"], "events.k8s.io", "events"),
            on(&["deletecollection"], "events.k8s.io", "events").unnamed(),
        ],
    ),
    power(
        "port-forward",
        "reach ports of pods, their loopback included",
        &[all(&[on(&["create"], "", "pods/portforward")]), until(34, &[on(&["get"], "", "pods/portforward")])],
    ),
    power(
        "proxy",
        "reach ports of pods and services through the API server",
        any![on(ANY_METHOD, "", "pods/proxy"), on(ANY_METHOD, "", "services/proxy"),],
    ),
    power("read-logs", "read what containers print", any![on(&["get"], "", "pods/log")]),
    power("read-config-maps", "read config maps", any![on(SHOW, "", "configmaps")]),
    power(
        "all-verbs",
        "do everything with some resource, by a rule with * for its verbs",
        any![rule_with(Wildcard::Verbs)],
    ),
    power(
        "all-resources",
        "do something with every resource of a group, those to come included",
        any![rule_with(Wildcard::Resources)],
    ),
    power(
        "all-groups",
        "do something with resources of every group, those to come included",
        any![rule_with(Wildcard::Groups)],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_have_names_of_their_own_and_fit_into_a_fact() {
        let names: std::collections::BTreeSet<_> = POWERS.iter().map(|power| power.name).collect();
        assert_eq!(names.len(), POWERS.len());
        assert!(POWERS.len() <= 64, "each is named at least once");
        for power in POWERS {
            assert!(!power.means.is_empty() && power.ways.iter().all(|way| !way.rights.is_empty()), "{}", power.name);
        }
    }
}
