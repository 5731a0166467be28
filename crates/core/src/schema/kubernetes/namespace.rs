//! Namespaces, with what bounds and guards them.

use super::{BOOL, INT, META, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

const POLICIES: &str = "pods, namespaces and policies";
const NO_POLICIES: &str = "pods, namespaces or policies are not all known";
const ADMITS: &str = "labels pod-security.kubernetes.io/…, the API server's default, webhooks and policies";
const NOT_ADMITS: &str =
    "the API server's default or a quota was not read, or a webhook or policy is asked whose answer nobody knows";
const PSS: &str = "labels pod-security.kubernetes.io/…";

/// A resource that a quota bounds.
const QUOTA: &[Field] = &[
    field("name", STR, "the ResourceQuota"),
    field("resource", STR, "what it bounds: limits.memory, pods, services.loadbalancers"),
    field("hard", STR, "the bound, as written"),
    field("used", STR, "how much of it is used, as written"),
    field("scoped", BOOL, "whether it is only for some pods"),
];

/// A default or bound of a LimitRange.
const LIMIT: &[Field] = &[
    field("name", STR, "the LimitRange"),
    field("type", STR, "Container, Pod or PersistentVolumeClaim"),
    field("resource", STR, "cpu, memory, ephemeral-storage or storage"),
    field("default_limit", OPT_STR, "the limit of what has none"),
    field("default_request", OPT_STR, "the request of what has none"),
    field("max", OPT_STR, "the most"),
];

/// A PodDisruptionBudget.
const BUDGET: &[Field] = &[
    field("name", STR, "its name"),
    field("selector", OPT_STR, "the pods that it is about; empty for all, null for none"),
    field("min_available", OPT_STR, "how many must be left, by number or percentage"),
    field("max_unavailable", OPT_STR, "how many may be missing, by number or percentage"),
    field("deadlock", BOOL, "whether it never lets a pod go: it asks for as many as there are"),
];

kind! {
    /// A namespace.
    NAMESPACE = "kubernetes.namespace", "a namespace", &[
    fact("name", STR, "its name", META, UNREAD),
    fact("labels", STRINGS, "its labels: team=shop", "metadata.labels", UNREAD),
    fact("terminating", BOOL, "whether it is being removed", "status.phase", UNREAD),
    fact("system", BOOL, "whether it is Kubernetes' own: kube-system, kube-public, kube-node-lease", META, UNREAD),
    fact("enforce", OPT_STR, "the level of Pod Security that its label enforces, as the API server reads it (a level that it does not know is restricted); null where there is no label and the API server's default decides", PSS, UNREAD),
    fact("enforce_version", OPT_STR, "the version of that level: latest or v1.35; null where the API server's default decides", PSS, UNREAD),
    fact("audit", OPT_STR, "the level whose breaches are logged", PSS, UNREAD),
    fact("audit_version", OPT_STR, "its version", PSS, UNREAD),
    fact("warn", OPT_STR, "the level whose breaches are warned of; an enforced level warns by itself where no label says otherwise", PSS, UNREAD),
    fact("warn_version", OPT_STR, "its version", PSS, UNREAD),
    fact("invalid_labels", STRINGS, "labels of Pod Security that the API server cannot read", PSS, UNREAD),
    fact("quotas", Type::List(&Type::Object(QUOTA)), "what its ResourceQuotas bound", "spec.hard of ResourceQuotas", "quotas could not be listed"),
    fact("limit_ranges", Type::List(&Type::Object(LIMIT)), "defaults and bounds that its LimitRanges set", "spec.limits of LimitRanges", "LimitRanges could not be listed"),
    fact("budgets", Type::List(&Type::Object(BUDGET)), "its PodDisruptionBudgets", "PodDisruptionBudgets", "PodDisruptionBudgets could not be listed"),
    fact("pods", INT, "how many pods, or templates of workloads without pods, it holds", "all pods", "pods could not be listed").derived(),
    fact("services", INT, "how many services it holds, the API server's own apart", "all services", "services could not be listed").derived(),
    fact("policies", INT, "how many network policies it holds", "all network policies", "policies could not be listed").derived(),
    fact("default_deny_ingress", BOOL, "whether every pod of it is isolated for ingress by a policy that selects them all", POLICIES, NO_POLICIES).derived(),
    fact("default_deny_egress", BOOL, "whether every pod of it is isolated for egress by a policy that selects them all", POLICIES, NO_POLICIES).derived(),
    fact("pods_without_policy", STRINGS, "pods that no policy isolates for ingress, at most 64; those on the host's network are not among them, as no policy holds there", POLICIES, NO_POLICIES).derived(),
    fact("would_refuse_baseline", STRINGS, "pods, by id, that the level baseline of the cluster's version does not allow, at most 64", "facts of its pods", "a fact that decides is unknown, or pods could not be listed").derived(),
    fact("would_refuse_restricted", STRINGS, "pods, by id, that the level restricted of the cluster's version does not allow, at most 64", "facts of its pods", "a fact that decides is unknown, or pods could not be listed").derived(),
    fact("takes_pods", BOOL, "whether pods can be made in it at all: it is not going away, and no quota lets none in", "its phase and quotas", "these could not be read, or a quota is used up until a pod goes").derived(),
    fact("takes_root_pods", BOOL, "whether a pod that is root on its node can be made in it", ADMITS, NOT_ADMITS).derived(),
    fact("takes_root_pods_unlabelled", BOOL, "the same once its label lets Pod Security take every pod", ADMITS, NOT_ADMITS).derived(),
    fact("takes_root_containers", BOOL, "whether a container that is root on its node can be added to its pods: no quota counts such", ADMITS, NOT_ADMITS).derived(),
    fact("takes_claims", BOOL, "whether claims of volumes can be made in it: it is not going away, no quota or limit stands against it, and nothing is asked that can refuse them", "its phase, quotas and limits; webhooks and policies", "these could not be read, a quota is used up, or something is asked whose answer nobody knows").derived(),
    fact("closed_objects", STRINGS, "workloads, and what is made for pods to come of them, of which a quota lets none be made just now: deployments.apps", "its quotas", "they could not be listed, or how much of one is used is not known").derived(),
    fact("takes_commands", BOOL, "whether nothing is asked about commands in its pods (pods/exec) that can refuse them", "webhooks and policies", "a webhook or policy is asked, and what it refuses nobody knows").derived(),
    fact("takes_changes", BOOL, "whether nothing is asked about changes of its pods, or containers that are added to them, that can refuse them", "webhooks and policies", "a webhook or policy is asked, and what it refuses nobody knows").derived(),
    fact("takes_input", BOOL, "whether nothing is asked about who attaches to its pods (pods/attach) that can refuse it", "webhooks and policies", "a webhook or policy is asked, and what it refuses nobody knows").derived(),
    fact("judged_by_others", BOOL, "whether a policy engine, or a policy of the cluster, is surely asked about its pods and can refuse them", ADMITS, "never: what may be asked is not surely asked").derived(),
    fact("takes_root_users", BOOL, "whether a pod that runs as user 0, without any privilege, can be made in it", ADMITS, NOT_ADMITS).derived(),
    fact("decisive_claims", STRINGS, "its claims that are bound to a path, of whichever node, that decides what runs there as root: a pod that mounts one writes there, and Pod Security does not see it", "volumes and their claims", "volumes could not be listed, or a fact of one is unknown").derived(),
    fact("free_volumes", STRINGS, "volumes that nobody has claimed, or that are kept for a claim of its own, and are such a path: whoever makes a pod there has it bring the claim along, at most 64", "volumes", "volumes could not be listed, a fact of one is unknown, or pods of this version bring no claims along").derived(),
    fact("guarded_by", STRINGS, "what is asked about pods that are made in it and can refuse them: pod-security:baseline, pod-security:restricted, policy engines, and policies of the API server's own; what those refuse is their own affair. Whom the API server exempts from Pod Security counts where its configuration was read; where not, nobody is taken for exempt", "its labels, the API server's defaults, admission", "the API server's default, or what admits, is not all known").derived(),
]
}
