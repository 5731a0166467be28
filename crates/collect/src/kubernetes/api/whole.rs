//! What is known of a cluster from how it was reached and what its API server says of itself.

use seaworthy_core::component::Component;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::access::Access;
use super::client::{Api, JSON};
use super::discovery::Served;
use super::failure::Failure;
use super::source;

/// Leases by which API servers say that they are alive, from 1.26 on.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases?limit=500&labelSelector=apiserver.kubernetes.io%2Fidentity%3Dkube-apiserver";
/// The most that is read of them, in bytes: 4 MiB.
const MOST_LEASES: usize = 4 << 20;

/// Sets what the kubeconfig, the version and discovery tell.
pub(super) fn put(cluster: &mut Component, access: &Access, version: &str, minor: Option<i64>, served: &Served) {
    cluster.set("version", version, source("GET /version"));
    match minor {
        Some(minor) => cluster.set("minor", minor, source("GET /version")),
        None => cluster.set_unknown("minor", "the version has no minor number", source("GET /version")),
    }
    cluster.set("server", access.server.as_str(), source("the kubeconfig"));
    cluster.set(
        "tls_unverified",
        access.config.accept_invalid_certs,
        source("insecure-skip-tls-verify in the kubeconfig"),
    );
    let authority = access
        .config
        .root_cert
        .as_ref()
        .and_then(|certs| certs.first())
        .filter(|_| !access.config.accept_invalid_certs);
    let (print, expires) = match authority {
        None => (Value::Null, Value::Null),
        Some(der) => {
            let print = crate::fingerprint(&[der]);
            let expires = match x509_parser::parse_x509_certificate(der) {
                Ok((_, certificate)) => certificate.validity().not_after.timestamp().into(),
                Err(_) => Value::unknown("the certificate cannot be understood"),
            };
            (print.into(), expires)
        }
    };
    cluster.set("ca_fingerprint", print, source("certificate-authority in the kubeconfig"));
    cluster.set("ca_expires", expires, source("certificate-authority in the kubeconfig"));
    cluster.set("collected_as", access.identity.user.clone(), source(access.identity.source));
    cluster.set("collected_as_masters", access.identity.masters.clone(), source(access.identity.source));
    match served.unread.first() {
        None => cluster.set("api_groups", Value::strings(served.names()), source("GET /api, /apis")),
        Some(why) => cluster.set_unknown("api_groups", why.as_str(), source("GET /api, /apis")),
    }
}

/// Counts the API servers that are alive; the reason where that cannot be done.
pub(super) async fn put_servers(cluster: &mut Component, api: &Api) -> Option<String> {
    let place = "leases in kube-system";
    let told = api.get(LEASES, JSON, MOST_LEASES).await.and_then(|bytes| {
        let json: Json = serde_json::from_slice(&bytes).map_err(|e| Failure::Foreign(e.to_string()))?;
        if json["kind"] != "LeaseList" {
            return Err(Failure::Foreign("no list of leases".into()));
        }
        Ok(json["items"].as_array().map_or(0, Vec::len))
    });
    match told {
        // Before 1.26 there were none, and a managed control plane may hide them.
        Ok(0) => cluster.set("apiservers", Value::Null, source(place)),
        Ok(count) => cluster.set("apiservers", i64::try_from(count).unwrap_or(i64::MAX), source(place)),
        Err(failure) => {
            let why = match failure {
                Failure::Status { code: 403, .. } => {
                    "the right is missing: verb list, resource leases of coordination.k8s.io in namespace kube-system; \
                     `seaworthy access` prints the role that has it"
                        .to_owned()
                }
                other => other.to_string(),
            };
            cluster.set_unknown("apiservers", why.as_str(), source(place));
            return Some(why);
        }
    }
    None
}
