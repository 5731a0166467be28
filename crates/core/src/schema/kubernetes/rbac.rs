//! Who may do what.

use super::{BOOL, META, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

/// Why what follows from roles and bindings may be unknown.
const UNLISTED: &str = "roles, bindings or service accounts could not all be listed, or a rule holds something of another type; \
                        from files: a role that is in none of them";

/// Where it follows from.
const GRANTS: &str = "roles, bindings and service accounts";

const OPT_BOOL: Type = Type::Optional(&Type::Bool);

const LABEL: &[Field] = &[field("key", STR, "its key"), field("value", STR, "its value")];

const RULE: &[Field] = &[
    field("verbs", STRINGS, "verbs; * is each"),
    field("api_groups", STRINGS, "groups of the API; empty text is the core, * is each"),
    field("resources", STRINGS, "resources; * is each with its subresources, */x the subresource x of each"),
    field("resource_names", STRINGS, "objects by name; none is each"),
    field("non_resource_urls", STRINGS, "paths that are no resources; a * at the end is whatever follows"),
];

const EXPRESSION: &[Field] = &[
    field("key", STR, "the label's key"),
    field("operator", STR, "In, NotIn, Exists or DoesNotExist"),
    field("values", STRINGS, "the values of In and NotIn"),
];

const SELECTOR: &[Field] = &[
    field("labels", Type::List(&Type::Object(LABEL)), "labels that a role must have"),
    field("expressions", Type::List(&Type::Object(EXPRESSION)), "further demands on its labels"),
];

const ROLE_REF: &[Field] = &[field("kind", STR, "Role or ClusterRole"), field("name", STR, "its name")];

const BOUND: &[Field] = &[
    field("kind", STR, "User, Group or ServiceAccount"),
    field("name", STR, "its name"),
    field("namespace", STR, "the namespace of a service account; empty for others"),
];

const THROUGH: &[Field] = &[
    field("subject", STR, "who is bound: itself, or a group that it is in, as an id: Group/system:authenticated"),
    field("binding", STR, "by what: an id; empty where the API server asks no binding (system:masters)"),
    field("role", STR, "to what: an id; empty as above"),
    field("shipped", BOOL, "whether binding and role are those that Kubernetes or its distribution creates"),
];

/// A power: what somebody can do that matters to an attacker, as far as RBAC decides it.
pub(super) const POWER: &[Field] = &[
    field("power", STR, "its name: create-pods, read-secrets, bind, …"),
    field("resources", STRINGS, "the resources by which it is held: deployments.apps, pods/exec"),
    field("cluster_wide", BOOL, "whether it holds in every namespace, or over what lies in none"),
    field("namespace", STR, "the only namespace in which it holds; empty where cluster_wide"),
    field("names", STRINGS, "the only objects over which it holds; none is all of them"),
    field("through", Type::List(&Type::Object(THROUGH)), "by which grants; eight at most"),
];

const POWERS: Type = Type::List(&Type::Object(POWER));
const POWERS_MEAN: &str = "what it can do that matters to an attacker, by power and place; 512 at most, each power at least once, then an \
                           unknown in place of the rest";
const GAINS_MEAN: &str = "powers that it has not and can give itself, by binding itself to the roles that are named or by writing rights \
                          into them; 512 at most, the gravest first";
const NAMES_MEAN: &str = "the names of all its powers, anywhere and over anything";
const CLUSTER_MEAN: &str = "the names of its powers that hold in every namespace and over every object";
const GRANTED_MEAN: &str =
    "the names of its powers that come from more than what Kubernetes or its distribution creates";

kind! {
    /// A service account.
    SERVICE_ACCOUNT = "kubernetes.service-account", "a service account", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("automount", OPT_BOOL, "whether pods that do not say get its token; null where it does not say, which means that they do",
        "automountServiceAccountToken", UNREAD),
    fact("secrets", STRINGS, "secrets that it refers to, of old also those that hold its tokens", "secrets", UNREAD),
    fact("image_pull_secrets", STRINGS, "secrets by which its pods pull images", "imagePullSecrets", UNREAD),
    fact("cloud_identities", Type::List(&Type::Object(CLOUD)), "identities of a cloud that its pods can take", "metadata.annotations", UNREAD),
    fact("used_by", STRINGS, "pods that run as it, by id; 64 at most, then how many more", "pods", "pods could not all be listed").derived(),
    fact("mounted_by", STRINGS, "those of them that have its token", "pods", "pods could not all be listed, or one does not tell").derived(),
    fact("groups", STRINGS, "groups that it is in and that a binding names, by id", GRANTS, UNLISTED).derived(),
    fact("bindings", STRINGS, "bindings that name it itself, by id", GRANTS, UNLISTED).derived(),
    fact("powers", POWERS, POWERS_MEAN, GRANTS, UNLISTED).derived(),
    fact("power_names", STRINGS, NAMES_MEAN, GRANTS, UNLISTED).derived(),
    fact("cluster_powers", STRINGS, CLUSTER_MEAN, GRANTS, UNLISTED).derived(),
    fact("granted_powers", STRINGS, GRANTED_MEAN, GRANTS, UNLISTED).derived(),
    fact("gains", POWERS, GAINS_MEAN, GRANTS, UNLISTED).derived(),
    fact("usable_by", STRINGS, "subjects who can start pods as it, since they can create pods or workloads in its namespace, by id; \
        without those whom Kubernetes ships so or who can do everything; 64 at most, then that there are more", GRANTS, UNLISTED).derived(),
]
}

const CLOUD: &[Field] =
    &[field("provider", STR, "aws, gcp or azure"), field("identity", STR, "the role, account or client by name")];

kind! {
    /// A Role or ClusterRole.
    ROLE = "kubernetes.role", "a Role or ClusterRole", &[
    fact("kind", STR, "Role or ClusterRole", "kind of the object", UNREAD),
    fact("namespace", STR, "the namespace that it lies in; empty for a ClusterRole", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("labels", Type::List(&Type::Object(LABEL)), "its labels", META, UNREAD),
    fact("rules", Type::List(&Type::Object(RULE)), "its rules as they are stored", "rules", UNREAD),
    fact("aggregates", Type::List(&Type::Object(SELECTOR)), "which ClusterRoles' rules it gathers: those that one of these selects", "aggregationRule", UNREAD),
    fact("effective_rules", Type::List(&Type::Object(RULE)), "its rules in effect: in a cluster those that are stored, which a controller \
        gathers there; from files those that it would gather", "rules of this and other roles", UNLISTED).derived(),
    fact("wildcards", STRINGS, "for what its rules in effect have a *: verbs, resources, api-groups", "rules in effect", UNLISTED).derived(),
    fact("power_names", STRINGS, "the powers that it gives whoever is bound to it", "rules in effect", UNLISTED).derived(),
    fact("bound_by", STRINGS, "bindings to it, by id; 64 at most, then how many more", GRANTS, UNLISTED).derived(),
    fact("shipped", BOOL, "whether Kubernetes or its distribution creates it, and it allows nothing beyond what theirs allows", "name and rules in effect", UNLISTED).derived(),
]
}

kind! {
    /// A RoleBinding or ClusterRoleBinding.
    BINDING = "kubernetes.binding", "a RoleBinding or ClusterRoleBinding", &[
    fact("kind", STR, "RoleBinding or ClusterRoleBinding", "kind of the object", UNREAD),
    fact("namespace", STR, "the namespace that it lies in, in which alone it grants; empty for a ClusterRoleBinding", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("labels", Type::List(&Type::Object(LABEL)), "its labels", META, UNREAD),
    fact("role", Type::Object(ROLE_REF), "the role that it grants", "roleRef", UNREAD),
    fact("subjects", Type::List(&Type::Object(BOUND)), "to whom", "subjects", UNREAD),
    fact("role_missing", BOOL, "whether there is no such role: whoever creates one by its name gives it to them", GRANTS, UNLISTED).derived(),
    fact("missing_subjects", STRINGS, "service accounts among the subjects that are not there, by id: whoever creates one gets the role", GRANTS, UNLISTED).derived(),
    fact("everybody", STRINGS, "groups and users among the subjects that stand for everybody: system:anonymous, system:unauthenticated, \
        system:authenticated, system:serviceaccounts, system:serviceaccounts:NAMESPACE", "subjects", UNREAD).derived(),
    fact("default_accounts", STRINGS, "service accounts named default among the subjects, by id", "subjects", UNREAD).derived(),
    fact("foreign_subjects", STRINGS, "service accounts of other namespaces among the subjects of a RoleBinding, by id", "subjects", UNREAD).derived(),
    fact("powers", POWERS, "what it gives its subjects that matters to an attacker; as on a subject", GRANTS, UNLISTED).derived(),
    fact("power_names", STRINGS, NAMES_MEAN, GRANTS, UNLISTED).derived(),
    fact("shipped", BOOL, "whether Kubernetes or its distribution creates it, with this role and no further subject", GRANTS, UNLISTED).derived(),
]
}

kind! {
    /// A user or group that a binding names.
    SUBJECT = "kubernetes.subject", "a user or group that a binding names", &[
    fact("kind", STR, "User or Group", "subjects of bindings", "never: it is here because a binding names it"),
    fact("name", STR, "its name", "subjects of bindings", "never: it is here because a binding names it"),
    fact("everybody", BOOL, "whether it stands for everybody: system:anonymous, system:unauthenticated, system:authenticated, \
        system:serviceaccounts, system:serviceaccounts:NAMESPACE", "its name", "never: it is here because a binding names it"),
    fact("groups", STRINGS, "groups that whoever it is is in as well and that a binding names, by id; those that only its credentials \
        tell are not known to a cluster", GRANTS, UNLISTED).derived(),
    fact("bindings", STRINGS, "bindings that name it itself, by id", GRANTS, UNLISTED).derived(),
    fact("powers", POWERS, POWERS_MEAN, GRANTS, UNLISTED).derived(),
    fact("power_names", STRINGS, NAMES_MEAN, GRANTS, UNLISTED).derived(),
    fact("cluster_powers", STRINGS, CLUSTER_MEAN, GRANTS, UNLISTED).derived(),
    fact("granted_powers", STRINGS, GRANTED_MEAN, GRANTS, UNLISTED).derived(),
    fact("gains", POWERS, GAINS_MEAN, GRANTS, UNLISTED).derived(),
]
}
