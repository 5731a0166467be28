//! The API server.

use super::{BOOL, EFFECT, FLAGS, INT, OPT_INT, OPT_STR, STR, STRINGS, process};
use crate::schema::{Field, Type, fact, field};

const LISTS: Type = Type::Optional(&STRINGS);

const ENCRYPTION: &[Field] = &[
    field("resource", STR, "the resource as the file names it: secrets, *.apps, *.*"),
    field(
        "providers",
        STRINGS,
        "its providers in order, the first of which writes: identity, aescbc, aesgcm, secretbox, kms (its version 2) or kms-v1",
    ),
];

const AUDIT: &[Field] = &[
    field(
        "request",
        STR,
        "secrets, configmaps, tokenreviews, pods, deployments, roles (with bindings), pods/exec, pods/attach, pods/portforward, pods/proxy, services/proxy, nodes/proxy, pods/ephemeralcontainers or serviceaccounts/token",
    ),
    field(
        "lowest",
        STR,
        "the least that is logged of any such request, whoever asks for whatever with whichever verb: None, Metadata, Request or RequestResponse",
    ),
    field("changes", STR, "the least that is logged of any such request that changes something or opens a connection"),
    field("highest", STR, "the most that is logged of any such request"),
];

const WEBHOOK: &[Field] = &[
    field("name", STR, "its name"),
    field("fails_open", BOOL, "whether the next authorizer is asked when it does not answer"),
];

const POD_SECURITY: &[Field] = &[
    field(
        "enforce",
        STR,
        "the level that is enforced where a namespace says nothing: privileged, baseline or restricted",
    ),
    field("enforce_version", STR, "the version of that level: latest, v1.31"),
    field("warn", STR, "the level that is warned of"),
    field("audit", STR, "the level that is noted in the audit log"),
    field("exempt_namespaces", STRINGS, "namespaces that no level holds for"),
    field("exempt_users", STRINGS, "users that no level holds for"),
    field("exempt_runtime_classes", STRINGS, "runtime classes that no level holds for"),
];

process! {
    /// A kube-apiserver.
    APISERVER = "kubernetes.apiserver", "A kube-apiserver, with its settings in effect.", [
        fact("anonymous_auth", BOOL, "whether requests without credentials are let in as system:anonymous, if only for some paths", "--anonymous-auth, --authentication-config, --authorization-mode", EFFECT),
        fact("anonymous_paths", LISTS, "the only paths for which they are; null where no path is told apart", "--authentication-config anonymous.conditions", EFFECT),
        fact("token_auth_file", OPT_STR, "a file of static tokens; null where there is none", FLAGS, EFFECT),
        fact("basic_auth_file", OPT_STR, "a file of static passwords, before 1.19; null where there is none", FLAGS, EFFECT),
        fact("client_ca_file", OPT_STR, "the authorities whose certificates clients may show; null where they may show none", FLAGS, EFFECT),
        fact("client_ca_fingerprints", STRINGS, "fingerprints of these authorities", "--client-ca-file", "the file could not be read"),
        fact("requestheader_client_ca_file", OPT_STR, "the authorities of proxies in front, which may name any user; null where there is none", FLAGS, EFFECT),
        fact("requestheader_ca_fingerprints", STRINGS, "fingerprints of these authorities", "--requestheader-client-ca-file", "the file could not be read"),
        fact("requestheader_allowed_names", STRINGS, "the common names that such proxies may have; empty for any", FLAGS, EFFECT),
        fact("requestheader_ca_is_client_ca", BOOL, "whether an authority of clients is one of proxies in front as well", "fingerprints of both files", "one of the files could not be read"),
        fact("bootstrap_token_auth", BOOL, "whether bootstrap tokens are taken", FLAGS, EFFECT),
        fact("oidc_issuers", STRINGS, "issuers whose tokens are taken, service accounts' apart", "--oidc-issuer-url, --authentication-config jwt", EFFECT),
        fact("authentication_webhook", BOOL, "whether a webhook is asked about tokens", FLAGS, EFFECT),
        fact("service_account_lookup", BOOL, "whether a token counts only as long as its service account and object are there", FLAGS, EFFECT),
        fact("service_account_key_files", STRINGS, "the keys by which tokens of service accounts are verified", FLAGS, EFFECT),
        fact("service_account_signing_key_file", OPT_STR, "the key that signs them; null where there is none", FLAGS, EFFECT),
        fact("api_audiences", STRINGS, "whom tokens must be meant for to be taken: what was given, else the issuers", FLAGS, EFFECT),
        fact("service_account_issuers", STRINGS, "the issuers that such tokens may name", FLAGS, EFFECT),
        fact("service_account_extended_expiration", BOOL, "whether tokens that are put into pods live a year although they are meant for an hour", FLAGS, EFFECT),
        fact("service_account_max_token_expiration", INT, "the longest that a token may be asked for; 0 where there is no limit", FLAGS, EFFECT).unit("seconds"),
        fact("authorizers", STRINGS, "who is asked whether a request is allowed, in order: Node, RBAC, ABAC, Webhook, AlwaysAllow, AlwaysDeny", "--authorization-mode, --authorization-config", EFFECT),
        fact("authorization_webhooks", Type::List(&Type::Object(WEBHOOK)), "webhooks that are asked", "--authorization-webhook-config-file, --authorization-config", EFFECT),
        fact("admission_plugins", STRINGS, "admission plugins in effect: the version's own, those that are enabled, without those that are disabled", "--enable-admission-plugins, --disable-admission-plugins, the defaults of its version", EFFECT),
        fact("admission_enabled", STRINGS, "admission plugins that were enabled", FLAGS, EFFECT),
        fact("admission_disabled", STRINGS, "admission plugins that were disabled", FLAGS, EFFECT),
        fact("admission_config_file", OPT_STR, "the configuration of admission plugins; null where there is none", FLAGS, EFFECT),
        fact("pod_security_defaults", Type::Object(POD_SECURITY), "what Pod Security does where a namespace says nothing, and whom it exempts", "--admission-control-config-file, the built-in defaults", "the configuration could not be read or understood"),
        fact("image_policy_fails_open", Type::Optional(&BOOL), "whether images are let in when the webhook of ImagePolicyWebhook does not answer; null where that plugin is not in effect", "--admission-control-config-file", EFFECT),
        fact("bind_address", STR, "the address that it listens on", FLAGS, EFFECT),
        fact("advertise_address", OPT_STR, "the address that it gives to others; null where it finds one itself", FLAGS, EFFECT),
        fact("secure_port", INT, "the port with TLS; 0 where there is none", FLAGS, EFFECT),
        fact("insecure_port", INT, "the port in clear, at which everything is allowed; 0 where there is none, as always from 1.20 on", FLAGS, EFFECT),
        fact("insecure_bind_address", OPT_STR, "the address of that port; null where there is none", FLAGS, EFFECT),
        fact("allow_privileged", BOOL, "whether privileged containers are taken at all", FLAGS, EFFECT),
        fact("profiling", BOOL, "whether profiles can be asked for at /debug/pprof", FLAGS, EFFECT),
        fact("cors_allowed_origins", STRINGS, "web pages of which origins may send requests", FLAGS, EFFECT),
        fact("audit_log_path", OPT_STR, "where the audit log is written, - for its output; null where none is", FLAGS, EFFECT),
        fact("audit_log_maxage", INT, "for how many days old audit logs are kept; 0 for ever", FLAGS, EFFECT).unit("days"),
        fact("audit_log_maxbackup", INT, "how many old audit logs are kept; 0 for all", FLAGS, EFFECT),
        fact("audit_log_maxsize", INT, "the size at which the audit log is rotated; where none is given, 100", FLAGS, EFFECT).unit("MB"),
        fact("audit_webhook_config_file", OPT_STR, "where audit events are sent; null where they are not", FLAGS, EFFECT),
        fact("audit_policy_file", OPT_STR, "the audit policy; null where there is none, and then nothing is logged", FLAGS, EFFECT),
        fact("audit_levels", Type::List(&Type::Object(AUDIT)), "what is logged of requests that matter, by the first rule that fits; None for all without a policy or without a log", "--audit-policy-file", "the policy could not be read or understood"),
        fact("tls_cert_file", OPT_STR, "its serving certificate; null where it makes one itself", FLAGS, EFFECT),
        fact("tls_private_key_file", OPT_STR, "the key of that certificate; null where it makes one itself", FLAGS, EFFECT),
        fact("tls_min_version", STR, "the lowest version of TLS: VersionTLS12", FLAGS, EFFECT),
        fact("tls_cipher_suites", STRINGS, "the cipher suites that it takes by the names of IANA, those of TLS 1.3 included: the ones given, else those of the Go that it was built with", FLAGS, EFFECT),
        fact("tls_cipher_suites_given", BOOL, "whether cipher suites were given", FLAGS, EFFECT),
        fact("kubelet_client_certificate", OPT_STR, "the certificate that it shows to kubelets; null where it shows none", FLAGS, EFFECT),
        fact("kubelet_client_key", OPT_STR, "the key of that certificate; null where there is none", FLAGS, EFFECT),
        fact("kubelet_certificate_authority", OPT_STR, "the authorities by which it verifies kubelets; null where it verifies none", FLAGS, EFFECT),
        fact("kubelet_https", BOOL, "whether it speaks TLS with kubelets, as always from 1.22 on", FLAGS, EFFECT),
        fact("etcd_servers", STRINGS, "the etcd that it stores in", FLAGS, EFFECT),
        fact("etcd_cafile", OPT_STR, "the authorities by which it verifies etcd; null where it verifies nothing", FLAGS, EFFECT),
        fact("etcd_certfile", OPT_STR, "the certificate that it shows to etcd; null where it shows none", FLAGS, EFFECT),
        fact("etcd_keyfile", OPT_STR, "the key of that certificate; null where there is none", FLAGS, EFFECT),
        fact("encryption_config_file", OPT_STR, "how it encrypts what it stores; null where it does not", FLAGS, EFFECT),
        fact("encryption", Type::List(&Type::Object(ENCRYPTION)), "the file's entries in order: the first that fits a resource counts", "--encryption-provider-config", "the file could not be read or understood, or changed after the start without being read again"),
        fact("secrets_encrypted_by", STR, "the provider that writes secrets: identity for none", "--encryption-provider-config", "the file could not be read or understood, or changed after the start without being read again"),
        fact("config_maps_encrypted_by", STR, "the provider that writes ConfigMaps: identity for none", "--encryption-provider-config", "the file could not be read or understood, or changed after the start without being read again"),
        fact("encryption_reload", BOOL, "whether the file is read again when it changes", FLAGS, EFFECT),
        fact("request_timeout", INT, "how long a request may take", FLAGS, EFFECT).unit("seconds"),
        fact("request_timeout_given", BOOL, "whether that was set", FLAGS, EFFECT),
        fact("max_requests_inflight", INT, "how many reading requests it serves at a time; 0 for any number", FLAGS, EFFECT),
        fact("max_mutating_requests_inflight", INT, "how many changing requests it serves at a time; 0 for any number", FLAGS, EFFECT),
        fact("priority_and_fairness", BOOL, "whether requests are queued by who sends them, so that one cannot crowd out the others", FLAGS, EFFECT),
        fact("event_ttl", INT, "how long events are kept", FLAGS, EFFECT).unit("seconds"),
        fact("runtime_config", STRINGS, "versions of the API that were switched on or off: api/all=true", FLAGS, EFFECT),
    ]
}
