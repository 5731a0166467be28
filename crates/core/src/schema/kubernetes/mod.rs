//! Kinds of a Kubernetes cluster and its nodes.

mod admission;
mod cluster;
mod container;
mod machine;
mod namespace;
mod network;
mod pod;
mod rbac;
mod storage;

pub use admission::ADMISSION;
pub use cluster::{CLUSTER, NODE};
pub use container::CONTAINER;
pub use machine::{APISERVER, CONTROLLER_MANAGER, ETCD, FILE, KUBELET, PROXY, SCHEDULER};
pub use namespace::NAMESPACE;
pub use network::{INGRESS, NETWORK_POLICY, SERVICE};
pub use pod::POD;
pub use rbac::{BINDING, ROLE, SERVICE_ACCOUNT, SUBJECT};
pub use storage::{API_SERVICE, CERTIFICATE_REQUEST, CONFIG_MAP, SECRET, VOLUME};

#[allow(unused_imports, reason = "the kinds share these types; each takes what it needs")]
use super::{AUDIT_LOG, AUDIT_LOG_SINCE, BOOL, INT, OPT_BOOL, OPT_INT, OPT_STR, STR, STRINGS};

/// Where names stand.
const META: &str = "metadata of the object";
/// Why an object's field may be unknown.
const UNREAD: &str = "the object could not be read, or holds something of another type there";
