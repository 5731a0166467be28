//! etcd.

use super::{BOOL, FLAGS, INT, OPT_INT, OPT_STR, STR, STRINGS, process};
use crate::schema::fact;

/// etcd reads its configuration file alone where one is given, else flags over its environment.
const ETCD_FLAGS: &str =
    "--config-file, else its arguments, else its ETCD_ variables, else the defaults of its version";
const EFFECT: &str = "its arguments, environment or configuration file could not be read or make no sense, the file changed after it started, or its version decides and is unknown";

process! {
    /// An etcd.
    ETCD = "kubernetes.etcd", "An etcd, with its settings in effect.", [
        fact("cert_file", OPT_STR, "its serving certificate; null where there is none", ETCD_FLAGS, EFFECT),
        fact("key_file", OPT_STR, "the key of that certificate; null where there is none", ETCD_FLAGS, EFFECT),
        fact("client_cert_auth", BOOL, "whether clients must show a certificate, be it by --client-cert-auth or because authorities are given", ETCD_FLAGS, EFFECT),
        fact("trusted_ca_file", OPT_STR, "the authorities of clients; null where there is none", ETCD_FLAGS, EFFECT),
        fact("client_ca_fingerprints", STRINGS, "fingerprints of these authorities", "--trusted-ca-file", "the file could not be read"),
        fact("auto_tls", BOOL, "whether it makes its serving certificate itself, so that nobody can verify it", ETCD_FLAGS, EFFECT),
        fact("peer_cert_file", OPT_STR, "the certificate that it shows to other members; null where there is none", ETCD_FLAGS, EFFECT),
        fact("peer_key_file", OPT_STR, "the key of that certificate; null where there is none", ETCD_FLAGS, EFFECT),
        fact("peer_client_cert_auth", BOOL, "whether other members must show a certificate", ETCD_FLAGS, EFFECT),
        fact("peer_trusted_ca_file", OPT_STR, "the authorities of members; null where there is none", ETCD_FLAGS, EFFECT),
        fact("peer_ca_fingerprints", STRINGS, "fingerprints of these authorities", "--peer-trusted-ca-file", "the file could not be read"),
        fact("peer_auto_tls", BOOL, "whether it makes its certificate for members itself", ETCD_FLAGS, EFFECT),
        fact("listen_client_urls", STRINGS, "where it listens for clients", ETCD_FLAGS, EFFECT),
        fact("listen_peer_urls", STRINGS, "where it listens for members", ETCD_FLAGS, EFFECT),
        fact("listen_metrics_urls", STRINGS, "where it gives measurements apart from clients", ETCD_FLAGS, EFFECT),
        fact("members", STRINGS, "members that the cluster was to begin with, by name", ETCD_FLAGS, EFFECT),
        fact("data_dir", STR, "where it stores", ETCD_FLAGS, EFFECT),
        fact("cipher_suites", STRINGS, "cipher suites that were given; empty for those of the Go that it was built with", ETCD_FLAGS, EFFECT),
        fact("tls_min_version", STR, "the lowest version of TLS: TLS1.2", ETCD_FLAGS, EFFECT),
        fact("pprof", BOOL, "whether profiles can be asked for at its client addresses", ETCD_FLAGS, EFFECT),
        fact("shares_cluster_ca", BOOL, "whether an authority of its clients is one that the API server takes of its clients, so that certificates of the cluster open the store", "fingerprints of both", "the fingerprints of one of them are unknown, or no API server was read").derived(),
    ]
}
