//! The rights that reading a cluster needs: no more than the gatherers list.

use crate::kubernetes::gather::{Resource, gatherers};

/// A right, why it is asked for, and what is lost without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource: `pods`, `nodes/configz`.
    pub resource: &'static str,
    /// The verb: `list`, or `get` for what is no list.
    pub verb: &'static str,
    /// What it is for.
    pub reason: &'static str,
    /// What is unknown without it.
    pub lost: &'static str,
    /// Whether only some clusters have the resource.
    pub optional: bool,
}

/// Every right that collecting uses; with `secrets` also the one to list secrets, which reads their values.
///
/// `nodes/proxy` is never among them: its `get` lets one run commands in pods.
pub fn rights(secrets: bool) -> Vec<Right> {
    let mut all: Vec<Right> = Vec::new();
    for resource in gatherers().iter().flat_map(|gatherer| gatherer.resources()) {
        let is_secrets = resource.group.is_empty() && resource.plural == "secrets";
        let right = of(resource);
        match all.iter_mut().find(|known| (known.group, known.resource) == (right.group, right.resource)) {
            Some(known) => known.optional &= right.optional,
            None if !is_secrets => all.push(right),
            None => {}
        }
    }
    all.push(Right {
        group: "coordination.k8s.io",
        resource: "leases",
        verb: "list",
        reason: "how many API servers are alive",
        lost: "whether the settings of every API server were seen",
        optional: false,
    });
    all.push(Right {
        group: "",
        resource: "nodes/configz",
        verb: "get",
        reason: "the kubelets' settings in effect, asked of each kubelet itself where its certificate is the cluster's",
        lost: "the settings of kubelets",
        optional: false,
    });
    if secrets {
        all.push(Right {
            group: "",
            resource: "secrets",
            verb: "list",
            reason: "names, types and ages of secrets, as a table without data; the right itself reads values too",
            lost: "which secrets there are: old service account tokens, bootstrap tokens",
            optional: false,
        });
    }
    all.sort_by(|a, b| (a.group, a.resource).cmp(&(b.group, b.resource)));
    all
}

fn of(resource: &Resource) -> Right {
    let (reason, lost) = TOLD
        .iter()
        .find(|(group, plural, ..)| (*group, *plural) == (resource.group, resource.plural))
        .map_or((OTHER.0, OTHER.1), |(_, _, reason, lost)| (*reason, *lost));
    Right { group: resource.group, resource: resource.plural, verb: "list", reason, lost, optional: resource.optional }
}

/// For what has no words of its own.
const OTHER: (&str, &str) = ("policies and objects of this kind that are in force", "what these objects decide");

const WORKLOAD: (&str, &str) = (
    "whose pods they are, and templates of which no pod runs",
    "which workload a pod belongs to, and pods that may run tomorrow",
);
const RBAC: (&str, &str) = ("who may do what", "every answer to who may do what");
const ADMISSION: (&str, &str) =
    ("what may refuse or change objects, and what it leaves open", "whether something refuses what checks find");

/// Group, resource, reason and loss.
const TOLD: &[(&str, &str, &str, &str)] = &[
    (
        "",
        "pods",
        "what runs, with which privileges, images and mounts",
        "everything about pods and containers, and most attack paths",
    ),
    ("", "nodes", "versions, addresses, taints and labels of nodes", "everything about nodes, and the distribution"),
    ("", "namespaces", "levels of Pod Security, and the cluster's identity", "what Pod Security enforces where"),
    (
        "",
        "configmaps",
        "secrets that lie in them, judged here and let go",
        "secrets in ConfigMaps, settings of kube-proxy",
    ),
    ("", "services", "what is published to whom", "what is reached from outside, and by which name"),
    (
        "discovery.k8s.io",
        "endpointslices",
        "whom services lead to",
        "services that lead to nodes or to a cloud's metadata",
    ),
    ("", "serviceaccounts", "who pods act as", "tokens that are mounted without need"),
    (
        "",
        "persistentvolumes",
        "volumes that are directories of nodes",
        "node directories that pods reach through claims",
    ),
    ("", "persistentvolumeclaims", "which volume a pod mounts", "node directories that pods reach through claims"),
    ("", "replicationcontrollers", WORKLOAD.0, WORKLOAD.1),
    ("", "limitranges", "limits that pods get without asking", "whether a pod without limits has some"),
    ("", "resourcequotas", "what a namespace may use up", "whether one namespace can starve others"),
    ("", "podtemplates", WORKLOAD.0, WORKLOAD.1),
    ("apps", "deployments", WORKLOAD.0, WORKLOAD.1),
    ("apps", "daemonsets", WORKLOAD.0, WORKLOAD.1),
    ("apps", "statefulsets", WORKLOAD.0, WORKLOAD.1),
    ("apps", "replicasets", WORKLOAD.0, WORKLOAD.1),
    ("batch", "jobs", WORKLOAD.0, WORKLOAD.1),
    ("batch", "cronjobs", WORKLOAD.0, WORKLOAD.1),
    (
        "policy",
        "poddisruptionbudgets",
        "how many pods may be taken away at once",
        "whether an eviction stops a service",
    ),
    ("rbac.authorization.k8s.io", "roles", RBAC.0, RBAC.1),
    ("rbac.authorization.k8s.io", "rolebindings", RBAC.0, RBAC.1),
    ("rbac.authorization.k8s.io", "clusterroles", RBAC.0, RBAC.1),
    ("rbac.authorization.k8s.io", "clusterrolebindings", RBAC.0, RBAC.1),
    ("networking.k8s.io", "networkpolicies", "what reaches what", "every answer to what reaches what"),
    ("networking.k8s.io", "ingresses", "what is published to whom", "what is reached from outside"),
    ("networking.k8s.io", "ingressclasses", "which controller serves an ingress", "who serves ingresses"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", ADMISSION.0, ADMISSION.1),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", ADMISSION.0, ADMISSION.1),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", ADMISSION.0, ADMISSION.1),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", ADMISSION.0, ADMISSION.1),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies", ADMISSION.0, ADMISSION.1),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", ADMISSION.0, ADMISSION.1),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "names of custom resources: which controllers there are",
        "which policies and stores of secrets the cluster adds",
    ),
    (
        "apiregistration.k8s.io",
        "apiservices",
        "who answers for which part of the API",
        "API services that are unverified or dangling",
    ),
    (
        "certificates.k8s.io",
        "certificatesigningrequests",
        "certificates that were asked for and handed out",
        "certificates that outlive their right",
    ),
    ("node.k8s.io", "runtimeclasses", "runtimes that pods may choose", "which pods are in a sandbox"),
    ("storage.k8s.io", "storageclasses", "who makes volumes", "classes whose volumes are directories of nodes"),
    ("scheduling.k8s.io", "priorityclasses", "which pods push others away", "who can starve others"),
];

/// The rights as a ClusterRole, with each right's reason and loss as comments.
pub fn cluster_role(secrets: bool) -> String {
    use std::fmt::Write as _;
    let mut out = String::from(
        "# The least that reading a cluster needs; everything is only read. Bind it to who collects:\n\
         #   seaworthy access | kubectl apply -f -\n\
         #   kubectl create clusterrolebinding seaworthy --clusterrole=seaworthy --user=NAME\n\
         # Each right can be left out: what is lost then is unknown, and the report says so.\n\
         apiVersion: rbac.authorization.k8s.io/v1\n\
         kind: ClusterRole\n\
         metadata:\n\
         \x20 name: seaworthy\n\
         rules:\n\
         # The version and what is served. Everybody who signed in has it, unless it was taken away.\n\
         - nonResourceURLs: [/version, /api, /apis]\n\
         \x20 verbs: [get]\n\
         # For the level of Pod Security that holds where a namespace names none, by the API server's own counts. Without it: \
         whether such namespaces take pods that are root, unless the API server's arguments are read.\n\
         - nonResourceURLs: [/metrics]\n\
         \x20 verbs: [get]\n",
    );
    let all = rights(secrets);
    let mut rest = all.as_slice();
    while let Some(first) = rest.first() {
        // Rights of one group with one reason are one rule.
        let same = |r: &&Right| {
            (r.group, r.verb, r.reason, r.lost, r.optional)
                == (first.group, first.verb, first.reason, first.lost, first.optional)
        };
        let count = rest.iter().take_while(same).count();
        let (rule, others) = rest.split_at(count);
        rest = others;
        let only = if first.optional { " Only where the cluster has it." } else { "" };
        let _ = writeln!(out, "# For {}.{only} Without it: {}.", first.reason, first.lost);
        let names: Vec<&str> = rule.iter().map(|r| r.resource).collect();
        let _ = writeln!(
            out,
            "- apiGroups: [\"{}\"]\n  resources: [{}]\n  verbs: [{}]",
            first.group,
            names.join(", "),
            first.verb
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_only_reads_and_never_what_is_too_much() {
        for secrets in [false, true] {
            let all = rights(secrets);
            assert!(all.iter().all(|r| r.verb == "list" || (r.verb == "get" && r.resource == "nodes/configz")));
            assert!(!all.iter().any(|r| r.resource.contains("proxy") || r.resource.contains('*')));
            assert_eq!(all.iter().any(|r| r.resource == "secrets"), secrets);
        }
        let role = cluster_role(false);
        assert!(!role.contains("secrets]") && role.contains("resources: [nodes/configz]"), "{role}");
    }

    #[test]
    fn every_right_of_kubernetes_itself_has_its_own_reason() {
        for right in rights(true).iter().filter(|r| !r.optional) {
            assert_ne!(right.reason, OTHER.0, "{} of {:?}", right.resource, right.group);
        }
    }
}
