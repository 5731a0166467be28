//! Networks and volumes.

use super::{BOOL, OPT_STR, SECRETS, STR, STRINGS};
use crate::schema::{fact, kind};

const GONE: &str = "it vanished, or the engine did not answer";

kind! {
    /// A network of the engine.
    NETWORK = "docker.network", "A network of the engine.", &[
    fact("driver", STR, "bridge, host, none, overlay, macvlan, ipvlan or a plugin", "GET /networks", GONE),
    fact("scope", STR, "local or swarm", "GET /networks", GONE),
    fact("default_bridge", BOOL, "whether it is the default bridge", "GET /networks Options", GONE),
    fact("internal", BOOL, "whether it has no way out", "GET /networks", GONE),
    fact("attachable", BOOL, "whether containers outside a service may join", "GET /networks", GONE),
    fact("ingress", BOOL, "whether it is swarm's ingress network", "GET /networks", GONE),
    fact("encrypted", BOOL, "whether an overlay encrypts its data", "GET /networks Options", GONE),
    fact("icc", BOOL, "whether its containers reach each other", "GET /networks Options", GONE),
    fact("ipv6", BOOL, "whether its containers get addresses of IPv6", "GET /networks EnableIPv6", GONE),
    fact("gateway_mode_ipv4", STR, "what a bridge does with ports: nat, nat-unprotected, routed or isolated; none for other drivers", "GET /networks Options", GONE),
    fact("gateway_mode_ipv6", STR, "the same for IPv6", "GET /networks Options", GONE),
    fact("subnets", STRINGS, "its subnets", "GET /networks IPAM", GONE),
    fact("containers", STRINGS, "containers attached to it", "GET /networks/ID Containers", GONE),
    fact("members", STRINGS, "containers on it, running or not: attached, or in the network namespace of one that is", "networks and joins of all containers", "a container's networks or what it joined are unknown").derived(),
    fact("reachable", BOOL, "whether its members reach each other, legacy links apart: they do where nothing filters between them in effect", "its driver and icc, the daemon's iptables, the bridge's sysctl", "what its driver lets through, or whether the engine filters, is not known").derived(),
]}

kind! {
    /// A volume.
    VOLUME = "docker.volume", "A volume of the engine.", &[
    fact("driver", STR, "its driver", "GET /volumes", GONE),
    fact("mountpoint", STR, "where it lies on the host", "GET /volumes", GONE),
    fact("binds", OPT_STR, "the directory of the host that its options bind, or the uppermost that an overlay shows unchanged; null for none", "GET /volumes Options", GONE),
    fact("options", STRINGS, "its options, secrets taken out", "GET /volumes Options", GONE),
    fact("option_secrets", SECRETS, "secrets in its options", "GET /volumes Options", GONE),
    fact("used_by", STRINGS, "containers that mount it, with how: web (rw)", "mounts of all containers", "a container's mounts are unknown").derived(),
]}
