//! What may answer no to a request.

use super::{BOOL, INT, META, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

/// Which requests are shown to it.
const RULE: &[Field] = &[
    field("groups", STRINGS, "API groups; * is every one, empty the core"),
    field("versions", STRINGS, "their versions"),
    field("resources", STRINGS, "resources, with subresources: pods, pods/exec, */*"),
    field("operations", STRINGS, "CREATE, UPDATE, DELETE, CONNECT or *"),
    field("scope", STR, "Namespaced, Cluster or *"),
    field("names", STRINGS, "only objects of these names; empty for all"),
];

/// A binding that puts a policy into force.
const BINDING: &[Field] = &[
    field("name", STR, "its name"),
    field("actions", STRINGS, "what becomes of what does not pass: Deny, Warn, Audit; of a mutating policy none"),
    field("param", OPT_STR, "the parameters that it hands over, by name or selector"),
    field("namespace_selector", OPT_STR, "the namespaces that it is for; empty for all"),
    field("object_selector", OPT_STR, "the objects that it is for; empty for all"),
    field("narrowed", BOOL, "whether resource rules of its own narrow it further"),
];

const HOOK: &str = "the webhook's configuration";
const NOT_MODELLED: &str =
    "the object could not be read, or its meaning is not modelled (a policy of Kyverno or Gatekeeper)";

kind! {
    /// A webhook or policy that admits or changes objects.
    ADMISSION = "kubernetes.admission", "a webhook or policy that admits or changes objects", &[
    fact("namespace", STR, "the namespace that it lies in; empty where it is of the whole cluster", META, UNREAD),
    fact("name", STR, "its name; of a webhook its own, not the configuration's", META, UNREAD),
    fact("type", STR, "ValidatingWebhook, MutatingWebhook, ValidatingAdmissionPolicy, MutatingAdmissionPolicy, KyvernoPolicy or GatekeeperTemplate", "kind of the object", UNREAD),
    fact("configuration", STR, "the object that holds it", META, UNREAD),
    fact("understood", BOOL, "whether what it refuses is in these facts; never for a webhook, which decides elsewhere", "kind of the object", UNREAD),
    fact("mutating", BOOL, "whether it changes objects", "kind of the object", UNREAD),
    fact("engine", OPT_STR, "the policy engine that it belongs to: gatekeeper, kyverno, kubewarden, …; null for the API server's own and others", "names and labels of the object, its service", UNREAD),
    fact("rules", Type::List(&Type::Object(RULE)), "which requests are shown to it", "rules, spec.matchConstraints.resourceRules", NOT_MODELLED),
    fact("excludes", Type::List(&Type::Object(RULE)), "which of them are not", "spec.matchConstraints.excludeResourceRules", NOT_MODELLED),
    fact("failure_policy", STR, "Fail or Ignore: what becomes of a request when it cannot answer", "failurePolicy", NOT_MODELLED),
    fact("match_policy", STR, "Equivalent (also by another version of the API) or Exact", "matchPolicy", NOT_MODELLED),
    fact("namespace_selector", OPT_STR, "the namespaces whose requests it is shown, by their labels; empty for all", "namespaceSelector", NOT_MODELLED),
    fact("object_selector", OPT_STR, "the objects that it is shown, by their labels; empty for all", "objectSelector", NOT_MODELLED),
    fact("match_conditions", STRINGS, "names of further conditions (CEL) that a request must meet to be shown to it", "matchConditions", NOT_MODELLED),
    fact("validations", INT, "how many expressions validate", "spec.validations", NOT_MODELLED),
    fact("param_kind", OPT_STR, "the kind of its parameters", "spec.paramKind", NOT_MODELLED),
    fact("bindings", Type::List(&Type::Object(BINDING)), "the bindings that put it into force; of a webhook none", "bindings of that policy", "bindings could not be listed"),
    fact("enforces", BOOL, "whether it can refuse or change a request now: a webhook, or a policy that is bound with Deny or mutates", "kind, bindings, validationFailureAction", NOT_MODELLED),
    fact("timeout", INT, "how long the API server waits for it", "timeoutSeconds", NOT_MODELLED).unit("seconds"),
    fact("url", OPT_STR, "the address that it is called at, secrets taken out; null where a service is", "clientConfig.url", HOOK),
    fact("service", OPT_STR, "the service that it is called at, as namespace/name", "clientConfig.service", HOOK),
    fact("service_port", INT, "that service's port; 0 where there is none", "clientConfig.service", HOOK),
    fact("ca_bundle", BOOL, "whether the certificate's authority is pinned, not any that the API server's machine trusts", "clientConfig.caBundle", HOOK),
    fact("side_effects", STR, "None, NoneOnDryRun, Some or Unknown; empty for a policy", "sideEffects", NOT_MODELLED),
    fact("exempt_namespaces", STRINGS, "namespaces that its selectors leave out, at most 64", "namespace_selector, bindings, labels of all namespaces", "namespaces or the selector are not all known").derived(),
    fact("sees", STRINGS, "what it is shown the making of: pods, workloads, exec, service-accounts, rbac, secrets, namespaces, network-policies", "rules", NOT_MODELLED).derived(),
    fact("guards", BOOL, "whether it guards security: it belongs to a policy engine, or validates pods, workloads, commands in containers, rights, secrets or namespaces", "engine, sees, enforces", NOT_MODELLED).derived(),
    fact("dangling", BOOL, "whether its service, or the port of it, is not there", "service, all services", "services could not be listed").derived(),
    fact("self_guarding", BOOL, "whether it fails closed over the very pods that serve it, so that a cluster cannot heal by itself", "rules, selectors, service, labels of the namespace", "one of these is unknown").derived(),
]
}
