//! What holds data, and other objects of the API.

use super::{BOOL, INT, META, OPT_INT, OPT_STR, STR, STRINGS, UNREAD};
use crate::schema::{Field, Type, fact, field, kind};

const TABLE: &str = "secrets were not asked for, because the right to list them reads their values; --secrets asks";

kind! {
    /// A secret, by its metadata alone.
    SECRET = "kubernetes.secret", "a secret, by its metadata alone: its data is never asked for", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("type", STR, "its type: Opaque, kubernetes.io/service-account-token, bootstrap.kubernetes.io/token, helm.sh/release.v1", "secrets as a table without objects", TABLE),
    fact("entries", INT, "how many entries its data has", "secrets as a table without objects", TABLE),
    fact("age_days", INT, "how old it is, in whole days, rounded down", "secrets as a table without objects", TABLE).unit("days"),
]
}

const SECRET_AT: &[Field] = &[
    field("name", STR, "the key that holds it, with the name inside it where the value is a file of several"),
    field("class", STR, "what kind of secret it looks like"),
    field("length", STR, "bucket of its length in characters"),
];

kind! {
    /// A ConfigMap, without its values.
    CONFIG_MAP = "kubernetes.config-map", "a ConfigMap, without its values", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
    fact("entries", INT, "how many keys it has, data and binaryData", "data, binaryData", UNREAD),
    fact("immutable", BOOL, "whether nobody can change it but by deleting it", "immutable", UNREAD),
    fact("secrets", Type::List(&Type::Object(SECRET_AT)), "what surely is a secret in its values, at most 64", "data, judged and let go", UNREAD),
]
}

kind! {
    /// A persistent volume.
    VOLUME = "kubernetes.volume", "a persistent volume", &[
    fact("name", STR, "its name", META, UNREAD),
    fact("type", STR, "what holds it: hostPath, local, nfs, csi, … by the field of its specification", "spec", UNREAD),
    fact("driver", OPT_STR, "the driver, where it is csi or flexVolume", "spec.csi.driver", UNREAD),
    fact("path", OPT_STR, "the path on the node, normalised, where it is hostPath or local", "spec.hostPath.path, spec.local.path", UNREAD),
    fact("server", OPT_STR, "where it lies, where it is nfs, glusterfs or iscsi", "spec.nfs.server, …", UNREAD),
    fact("claim", OPT_STR, "namespace/name of the claim that it is bound to or kept for; null where there is none", "spec.claimRef", UNREAD),
    fact("phase", STR, "Available, Bound, Released, Failed or Pending", "status.phase", UNREAD),
    fact("bound_to_nodes", BOOL, "whether it can be used on certain nodes only", "spec.nodeAffinity", UNREAD),
    fact("mode", STR, "whether pods have it as files or as a device: Filesystem or Block", "spec.volumeMode", UNREAD),
    fact("access_modes", STRINGS, "ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod", "spec.accessModes", UNREAD),
    fact("reclaim_policy", STR, "Delete, Retain or Recycle: what becomes of it without its claim", "spec.persistentVolumeReclaimPolicy", UNREAD),
    fact("storage_class", OPT_STR, "its class", "spec.storageClassName", UNREAD),
    fact("mount_options", STRINGS, "options of its mount", "spec.mountOptions", UNREAD),
    fact("decisive", BOOL, "whether it is a path, of whichever node, that decides what runs there as root, and can be mounted", "type, path, mode, bound_to_nodes, mount_options", "one of these is unknown").derived(),
]
}

kind! {
    /// An API service.
    API_SERVICE = "kubernetes.api-service", "an API service: who answers for a group and version of the API", &[
    fact("name", STR, "its name: v1beta1.metrics.k8s.io", META, UNREAD),
    fact("group", STR, "the group; empty for the core", "spec.group", UNREAD),
    fact("version", STR, "the version", "spec.version", UNREAD),
    fact("service", OPT_STR, "namespace/name of the service that answers; null where the API server itself does", "spec.service", UNREAD),
    fact("insecure", BOOL, "whether the service's certificate is not verified", "spec.insecureSkipTLSVerify", UNREAD),
    fact("ca", BOOL, "whether it names the authority that the service's certificate must be signed by", "spec.caBundle", UNREAD),
    fact("available", BOOL, "whether it answers", "status.conditions", UNREAD),
    fact("reason", OPT_STR, "why it does not: ServiceNotFound, MissingEndpoints, FailedDiscoveryCheck; null where it does", "status.conditions", UNREAD),
    fact("service_missing", BOOL, "whether the service that must answer is not there, so that whoever may create one of its name answers for the API", "services", "services could not be listed").derived(),
]
}

kind! {
    /// A request for a certificate.
    CERTIFICATE_REQUEST = "kubernetes.certificate-request", "a request for a certificate", &[
    fact("name", STR, "its name", META, UNREAD),
    fact("signer", STR, "whose signature is asked for: kubernetes.io/kube-apiserver-client", "spec.signerName", UNREAD),
    fact("requester", STR, "who asks", "spec.username", UNREAD),
    fact("requester_groups", STRINGS, "the groups of who asks", "spec.groups", UNREAD),
    fact("usages", STRINGS, "what the certificate may be used for", "spec.usages", UNREAD),
    fact("common_name", OPT_STR, "the name that it would speak for", "spec.request", "the request could not be understood"),
    fact("organizations", STRINGS, "the groups that it would speak for", "spec.request", "the request could not be understood"),
    fact("names", STRINGS, "the hosts and addresses that it would answer as", "spec.request", "the request could not be understood"),
    fact("state", STR, "pending, approved, denied or failed", "status.conditions", UNREAD),
    fact("issued", BOOL, "whether the certificate was handed out", "status.certificate", UNREAD),
    fact("expires", OPT_INT, "when the certificate ends; null where none was handed out", "status.certificate", "the certificate could not be understood").unit("seconds since 1970"),
    fact("valid_days", OPT_INT, "how long the certificate is valid, in whole days; null where none was handed out", "status.certificate", "the certificate could not be understood").unit("days"),
]
}
