//! The kubelet and kube-proxy.

use super::{BOOL, EFFECT, FLAGS, INT, OPT_INT, OPT_STR, STR, STRINGS, process};
use crate::schema::{Field, Type, fact, field};

const PARAMETER: &[Field] = &[
    field(
        "name",
        STR,
        "vm.overcommit_memory, vm.panic_on_oom, kernel.panic, kernel.panic_on_oops, kernel.keys.root_maxkeys or kernel.keys.root_maxbytes",
    ),
    field("value", STR, "what the kernel has"),
    field("wanted", STR, "what the kubelet wants"),
];

process! {
    /// A kubelet.
    KUBELET = "kubernetes.kubelet", "A kubelet, with its settings in effect.", [
        fact("anonymous_auth", BOOL, "whether requests without credentials are let in as system:anonymous", FLAGS, EFFECT),
        fact("webhook_authentication", BOOL, "whether it asks the API server whose a token is", FLAGS, EFFECT),
        fact("authorization_mode", STR, "Webhook (the API server is asked) or AlwaysAllow", FLAGS, EFFECT),
        fact("client_ca_file", OPT_STR, "the authorities whose certificates clients may show; null where they may show none", FLAGS, EFFECT),
        fact("address", STR, "the address that it listens on", FLAGS, EFFECT),
        fact("port", INT, "the port with TLS", FLAGS, EFFECT),
        fact("read_only_port", INT, "the port in clear without any authentication; 0 where there is none", FLAGS, EFFECT),
        fact("healthz_bind_address", STR, "the address at which it tells whether it is well", FLAGS, EFFECT),
        fact("healthz_port", INT, "the port of that; 0 where there is none", FLAGS, EFFECT),
        fact("streaming_idle_timeout", INT, "after what time an idle connection into a container is closed; 0 for never", FLAGS, EFFECT).unit("seconds"),
        fact("protect_kernel_defaults", BOOL, "whether it ends rather than change kernel parameters", FLAGS, EFFECT),
        fact("kernel_parameters", Type::List(&Type::Object(PARAMETER)), "kernel parameters that it wants", "/proc/sys", "the node was not read"),
        fact("make_iptables_util_chains", BOOL, "whether it keeps the chains of the packet filter that kube-proxy and others rest on", FLAGS, EFFECT),
        fact("hostname_override", OPT_STR, "the name that it calls the node; null where it takes the host's", FLAGS, EFFECT),
        fact("event_record_qps", INT, "how many events it records in a second; 0 for any number", FLAGS, EFFECT),
        fact("event_burst", INT, "how many more for a moment", FLAGS, EFFECT),
        fact("tls_cert_file", OPT_STR, "its serving certificate; null where it makes one itself or asks for one", FLAGS, EFFECT),
        fact("tls_private_key_file", OPT_STR, "the key of that certificate; null where it makes one itself or asks for one", FLAGS, EFFECT),
        fact("server_tls_bootstrap", BOOL, "whether it asks the cluster for its serving certificate, and for a new one in time", FLAGS, EFFECT),
        fact("rotate_certificates", BOOL, "whether it asks for a new client certificate in time", FLAGS, EFFECT),
        fact("rotate_server_certificates", BOOL, "whether the feature gate RotateKubeletServerCertificate is on", FLAGS, EFFECT),
        fact("tls_min_version", STR, "the lowest version of TLS: VersionTLS12", FLAGS, EFFECT),
        fact("tls_cipher_suites", STRINGS, "the cipher suites that it takes by the names of IANA, those of TLS 1.3 included: the ones given, else those of the Go that it was built with", FLAGS, EFFECT),
        fact("tls_cipher_suites_given", BOOL, "whether cipher suites were given", FLAGS, EFFECT),
        fact("pod_pids_limit", INT, "the most processes of a pod; -1 for what the node allows", FLAGS, EFFECT),
        fact("seccomp_default", BOOL, "whether containers that do not say otherwise get the runtime's seccomp profile", FLAGS, EFFECT),
        fact("enable_server", BOOL, "whether it listens at all", FLAGS, EFFECT),
        fact("debugging_handlers", BOOL, "whether it runs commands in containers and gives logs for whoever may ask it", FLAGS, EFFECT),
        fact("profiling_handler", BOOL, "whether profiles can be asked for at /debug/pprof", FLAGS, EFFECT),
        fact("system_log_handler", BOOL, "whether it gives out the node's /var/log", FLAGS, EFFECT),
        fact("static_pod_path", OPT_STR, "where manifests of static pods lie; null where there is no such place", FLAGS, EFFECT),
        fact("static_pod_url", OPT_STR, "from where manifests of static pods are fetched; null where they are not", FLAGS, EFFECT),
        fact("allowed_unsafe_sysctls", STRINGS, "kernel parameters that pods may set although they are not kept apart", FLAGS, EFFECT),
        fact("kubeconfig", OPT_STR, "how it reaches the API server; null where it does not", FLAGS, EFFECT),
        fact("bootstrap_kubeconfig", OPT_STR, "what it asks with for its first certificate; null where it has no need", FLAGS, EFFECT),
        fact("root_dir", STR, "where it keeps what belongs to pods", FLAGS, EFFECT),
        fact("config_dir", OPT_STR, "the directory of its drop-ins; null where there is none", FLAGS, EFFECT),
        fact("container_runtime_endpoint", OPT_STR, "the socket of the container runtime; null where it is not told", FLAGS, EFFECT),
        fact("container_runtime", STR, "the container runtime on the node: containerd, cri-o, dockerd (by cri-dockerd)", "processes of the node, the socket's name", "it was not found"),
        fact("ip_address_deny", Type::Optional(&STRINGS), "addresses that its unit may not be reached from (IPAddressDeny); null where its unit denies none", "systemd's units", "its unit was not found or could not be read"),
        fact("ip_address_allow", STRINGS, "addresses that its unit may be reached from all the same (IPAddressAllow)", "systemd's units", "its unit was not found or could not be read"),
    ]
}

process! {
    /// A kube-proxy.
    PROXY = "kubernetes.proxy", "A kube-proxy, or a kubelet's process that does its work, with its settings in effect.", [
        fact("metrics_bind_address", STR, "address and port at which it gives measurements; empty where it gives none", FLAGS, EFFECT),
        fact("metrics_loopback", BOOL, "whether only the node itself reaches that address, or nobody", FLAGS, EFFECT),
        fact("healthz_bind_address", STR, "address and port at which it tells whether it is well; empty where it does not", FLAGS, EFFECT),
        fact("bind_address", STR, "the address that it takes for the node's", FLAGS, EFFECT),
        fact("mode", STR, "iptables, ipvs, nftables, kernelspace; empty for what the platform has", FLAGS, EFFECT),
        fact("profiling", BOOL, "whether profiles can be asked for at its metrics address", FLAGS, EFFECT),
        fact("hostname_override", OPT_STR, "the name that it calls the node; null where it takes the host's", FLAGS, EFFECT),
        fact("kubeconfig", OPT_STR, "how it reaches the API server; null where it is in a pod and uses that pod's own account", FLAGS, EFFECT),
        fact("node_port_addresses", STRINGS, "addresses of the node at which node ports are served; empty for all", FLAGS, EFFECT),
    ]
}
