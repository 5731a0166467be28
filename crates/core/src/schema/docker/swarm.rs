//! Swarm: the cluster, its nodes and its services, as a manager sees them.

use super::{BOOL, INT, OPT_INT, SECRETS, STR, STRINGS};
use crate::schema::{Field, Type, fact, field, kind};

const MANAGER: &str = "this engine is not a manager, or it did not answer";

const PORT: &[Field] = &[
    field("published", INT, "the port on every node of the swarm, or on the task's host"),
    field("target", INT, "the port in the container"),
    field("protocol", STR, "tcp, udp or sctp"),
    field("mode", STR, "ingress or host"),
];

kind! {
    /// A swarm, as one of its managers sees it.
    SWARM = "docker.swarm", "The swarm that this engine belongs to; there is one only where swarm is active.", &[
    fact("managers", INT, "managers", "GET /info Swarm.Managers", MANAGER),
    fact("nodes", INT, "nodes", "GET /info Swarm.Nodes", MANAGER),
    fact("services", INT, "services", "GET /services", MANAGER),
    fact("autolock", BOOL, "whether managers start locked", "GET /swarm Spec.EncryptionConfig", MANAGER),
    fact("node_cert_days", INT, "validity of node certificates", "GET /swarm Spec.CAConfig.NodeCertExpiry", MANAGER).unit("days"),
    fact("root_rotated", BOOL, "whether the root certificate was ever rotated", "GET /swarm Spec.CAConfig.ForceRotate", MANAGER),
    fact("root_rotation_running", BOOL, "whether a rotation is under way", "GET /swarm RootRotationInProgress", MANAGER),
    fact("external_ca", BOOL, "whether an external authority signs", "GET /swarm Spec.CAConfig.ExternalCAs", MANAGER),
    fact("listen_addresses", STRINGS, "addresses on which this node listens for swarm", "the daemon's sockets", "the daemon's sockets could not be read"),
    fact("listens_everywhere", BOOL, "whether one of them is every address of the host", "the daemon's sockets", "the daemon's sockets could not be read"),
    fact("advertise_address", STR, "the address that this node tells others", "GET /info Swarm.NodeAddr", "the engine did not answer"),
    fact("data_path_separate", BOOL, "whether data and management traffic use different addresses", "GET /swarm, GET /nodes", MANAGER),
    fact("unencrypted_overlays", STRINGS, "overlay networks whose data is not encrypted, ingress among them", "GET /networks", "the networks could not be listed"),
    fact("secrets", INT, "secrets that it keeps", "GET /secrets", MANAGER),
    fact("configs", INT, "configs that it keeps", "GET /configs", MANAGER),
]}

kind! {
    /// A node of a swarm.
    NODE = "docker.node", "A node of the swarm.", &[
    fact("role", STR, "manager or worker", "GET /nodes", MANAGER),
    fact("availability", STR, "active, pause or drain", "GET /nodes", MANAGER),
    fact("state", STR, "ready, down, unknown or disconnected", "GET /nodes", MANAGER),
    fact("engine_version", STR, "its engine's version", "GET /nodes", MANAGER),
]}

kind! {
    /// A service of a swarm.
    SERVICE = "docker.service", "A service of the swarm.", &[
    fact("image", STR, "its image", "GET /services", MANAGER),
    fact("replicas", OPT_INT, "replicas; null for a global one", "GET /services", MANAGER),
    fact("secrets", STRINGS, "swarm secrets that it uses", "GET /services", MANAGER),
    fact("env_secrets", SECRETS, "secrets in its environment", "GET /services", MANAGER),
    fact("ports", Type::List(&Type::Object(PORT)), "ports that it publishes", "GET /services", MANAGER),
    fact("networks", STRINGS, "networks that it joins", "GET /services", MANAGER),
]}
