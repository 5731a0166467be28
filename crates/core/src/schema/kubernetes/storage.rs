//! What holds data, and other objects of the API.

use super::{META, STR, UNREAD};
use crate::schema::{fact, kind};

kind! {
    /// A secret, by its metadata alone.
    SECRET = "kubernetes.secret", "a secret, by its metadata alone", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A ConfigMap, without its values.
    CONFIG_MAP = "kubernetes.config-map", "a ConfigMap, without its values", &[
    fact("namespace", STR, "the namespace that it lies in", META, UNREAD),
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A persistent volume.
    VOLUME = "kubernetes.volume", "a persistent volume", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// An API service.
    API_SERVICE = "kubernetes.api-service", "an API service", &[
    fact("name", STR, "its name", META, UNREAD),
]
}

kind! {
    /// A request for a certificate.
    CERTIFICATE_REQUEST = "kubernetes.certificate-request", "a request for a certificate", &[
    fact("name", STR, "its name", META, UNREAD),
]
}
