//! The controller manager and the scheduler.

use super::{BOOL, EFFECT, FLAGS, INT, OPT_INT, OPT_STR, STR, STRINGS, process};
use crate::schema::fact;

process! {
    /// A kube-controller-manager.
    CONTROLLER_MANAGER = "kubernetes.controller-manager", "A kube-controller-manager, with its settings in effect.", [
        fact("bind_address", STR, "the address that it listens on", FLAGS, EFFECT),
        fact("secure_port", INT, "the port with TLS; 0 where there is none", FLAGS, EFFECT),
        fact("insecure_port", INT, "the port in clear, before 1.24; 0 where there is none", FLAGS, EFFECT),
        fact("profiling", BOOL, "whether profiles can be asked for at /debug/pprof", FLAGS, EFFECT),
        fact("use_service_account_credentials", BOOL, "whether each controller has credentials of its own", FLAGS, EFFECT),
        fact("service_account_private_key_file", OPT_STR, "the key that signs tokens of service accounts; null where there is none", FLAGS, EFFECT),
        fact("root_ca_file", OPT_STR, "the authorities that are put into tokens of service accounts; null where there are none", FLAGS, EFFECT),
        fact("terminated_pod_gc_threshold", INT, "how many ended pods may lie around; 0 or less for any number", FLAGS, EFFECT),
        fact("terminated_pod_gc_threshold_given", BOOL, "whether that was set", FLAGS, EFFECT),
        fact("rotate_kubelet_server_certificate", BOOL, "whether the feature gate RotateKubeletServerCertificate is on", FLAGS, EFFECT),
        fact("cluster_signing_cert_file", OPT_STR, "the authority that signs certificates for whoever was approved; null where none does", FLAGS, EFFECT),
        fact("cluster_signing_key_file", OPT_STR, "the key of that authority; null where there is none", FLAGS, EFFECT),
        fact("signs_clients", BOOL, "whether it signs certificates of clients of the API server once they are approved", FLAGS, EFFECT),
        fact("cluster_signing_duration", INT, "the longest validity of such certificates", FLAGS, EFFECT).unit("seconds"),
        fact("controllers", STRINGS, "the controllers that were asked for: *, -nodeipam, bootstrapsigner", FLAGS, EFFECT),
        fact("hostpath_provisioner", BOOL, "whether claims of volumes are served with directories of the node", FLAGS, EFFECT),
        fact("kubeconfig", OPT_STR, "how it reaches the API server; null where it is in the same process or pod", FLAGS, EFFECT),
        fact("delegates_authorization", BOOL, "whether it asks the API server who may read its address; without it only its own client authorities are let in", FLAGS, EFFECT),
        fact("tls_cert_file", OPT_STR, "its serving certificate; null where it makes one itself", FLAGS, EFFECT),
        fact("tls_private_key_file", OPT_STR, "the key of that certificate; null where it makes one itself", FLAGS, EFFECT),
        fact("tls_min_version", STR, "the lowest version of TLS: VersionTLS12", FLAGS, EFFECT),
        fact("tls_cipher_suites", STRINGS, "the cipher suites that it takes by the names of IANA, those of TLS 1.3 included", FLAGS, EFFECT),
    ]
}

process! {
    /// A kube-scheduler.
    SCHEDULER = "kubernetes.scheduler", "A kube-scheduler, with its settings in effect.", [
        fact("bind_address", STR, "the address that it listens on", FLAGS, EFFECT),
        fact("secure_port", INT, "the port with TLS; 0 where there is none", FLAGS, EFFECT),
        fact("insecure_port", INT, "the port in clear, before 1.23; 0 where there is none", FLAGS, EFFECT),
        fact("profiling", BOOL, "whether profiles can be asked for at /debug/pprof", FLAGS, EFFECT),
        fact("kubeconfig", OPT_STR, "how it reaches the API server; null where it is in the same process or pod", FLAGS, EFFECT),
        fact("delegates_authorization", BOOL, "whether it asks the API server who may read its address; without it only its own client authorities are let in", FLAGS, EFFECT),
        fact("tls_cert_file", OPT_STR, "its serving certificate; null where it makes one itself", FLAGS, EFFECT),
        fact("tls_private_key_file", OPT_STR, "the key of that certificate; null where it makes one itself", FLAGS, EFFECT),
        fact("tls_min_version", STR, "the lowest version of TLS: VersionTLS12", FLAGS, EFFECT),
        fact("tls_cipher_suites", STRINGS, "the cipher suites that it takes by the names of IANA, those of TLS 1.3 included", FLAGS, EFFECT),
    ]
}
