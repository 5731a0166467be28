//! How far the widest published port of a container is reached.

use std::sync::Arc;

use super::open_ports::Networks;
use super::{Containers, only};
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;
use crate::version::Version;

/// The first engine that keeps ports published on loopback from hosts on the same link (moby issue 45610).
const LOOPBACK_KEPT: u64 = 28;

/// How far, from the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    None,
    Loopback,
    HostLink,
    Address,
    Everywhere,
}

impl Reach {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Loopback => "loopback",
            Self::HostLink => "host-link",
            Self::Address => "address",
            Self::Everywhere => "everywhere",
        }
    }
}

/// Whether hosts on the same link reach ports that are published on loopback: before Engine 28, whose rules for
/// forwarding did not ask where a packet came from.
///
/// # Errors
/// Why that is not known: the version, or whether the engine writes such rules.
pub fn link_reaches_loopback(version: &Value, iptables: &Value) -> Result<bool, Arc<str>> {
    let reason = |value: &Value, else_: &str| value.reason().cloned().unwrap_or_else(|| else_.into());
    let Some(text) = version.as_str() else { return Err(reason(version, "the engine's version is not known")) };
    let parsed =
        Version::parse(text).ok_or_else(|| Arc::from("the engine's version is not one that can be compared"))?;
    if parsed.major() >= LOOPBACK_KEPT {
        return Ok(false);
    }
    iptables.as_bool().ok_or_else(|| reason(iptables, "whether the engine filters is not known"))
}

pub(super) fn derive(target: &mut Target) {
    let loopback =
        link_reaches_loopback(only(target, &docker::DAEMON, "version"), only(target, &docker::DAEMON, "iptables"));
    let exposures: Vec<Value> = {
        let containers = Containers::of(target);
        let networks = Networks::of(target);
        (0..containers.all.len()).map(|at| exposure(&containers, at, &networks, &loopback)).collect()
    };
    let components = target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::CONTAINER));
    for (component, exposure) in components.zip(exposures) {
        component.set(
            "exposure",
            exposure,
            Source::place("its published ports, its networks and the engine's version"),
        );
    }
}

/// How far a network lets others in, whatever was published.
fn direct(networks: &Networks<'_>, name: &str) -> Result<Reach, Arc<str>> {
    let Some(network) = networks.named(name)? else { return Ok(Reach::None) };
    match network.value("driver") {
        Value::Str(driver) => match &**driver {
            "macvlan" | "ipvlan" => match network.value("internal") {
                Value::Bool(true) => Ok(Reach::None),
                Value::Bool(false) => Ok(Reach::Address),
                other => Err(other.reason().cloned().unwrap_or_else(|| "whether it is internal is not known".into())),
            },
            "bridge" => match (networks.routes_in(network)?, networks.unfiltered(network)) {
                (true, _) => Ok(Reach::Address),
                (false, Ok(true)) => Ok(Reach::HostLink),
                // That an engine filters nothing is a finding of its own, and few do.
                (false, _) => Ok(Reach::None),
            },
            _ => Ok(Reach::None),
        },
        Value::Unknown(reason) => Err(Arc::clone(reason)),
        _ => Ok(Reach::None),
    }
}

fn exposure(
    containers: &Containers<'_>,
    at: usize,
    networks: &Networks<'_>,
    loopback: &Result<bool, Arc<str>>,
) -> Value {
    let mut widest = Reach::None;
    let mut unknown: Option<Arc<str>> = None;
    let mut note = |reach: Result<Reach, Arc<str>>| match reach {
        Ok(reach) => widest = widest.max(reach),
        Err(reason) => {
            unknown.get_or_insert(reason);
        }
    };
    match containers.all[at].value("host_network") {
        Value::Bool(false) => {}
        Value::Bool(true) => {
            note(Err("it listens in the host's network, and whose sockets those are is not known".into()))
        }
        other => note(Err(other
            .reason()
            .cloned()
            .unwrap_or_else(|| "whether it is in the host's network is not known".into()))),
    }
    match containers.network_of(at) {
        Ok(end) => {
            items(end.value("ports"), |port| note(port_reach(port, loopback)), "its ports are no list");
            items(
                end.value("networks"),
                |name| note(name.as_str().map_or_else(|| Err(not_known(name)), |name| direct(networks, name))),
                "its networks are no list",
            );
        }
        Err(reason) => note(Err(reason)),
    }
    match unknown {
        Some(reason) if widest < Reach::Everywhere => Value::Unknown(reason),
        _ => widest.word().into(),
    }
}

/// Calls for each item of a list, or once for what stands in its place.
fn items<'v>(list: &'v Value, mut each: impl FnMut(&'v Value), no_list: &str) {
    match list {
        Value::List(items) => items.iter().for_each(each),
        Value::Unknown(_) => each(list),
        _ => {
            debug_assert!(false, "{no_list}");
        }
    }
}

fn not_known(value: &Value) -> Arc<str> {
    value.reason().cloned().unwrap_or_else(|| "it is not known".into())
}

fn port_reach(port: &Value, loopback: &Result<bool, Arc<str>>) -> Result<Reach, Arc<str>> {
    let flag = |field: &str| match port.field(field) {
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(not_known(other)),
        None => Err(not_known(port)),
    };
    if flag("wildcard")? {
        return Ok(Reach::Everywhere);
    }
    if !flag("loopback")? {
        return Ok(Reach::Address);
    }
    match loopback {
        Ok(true) => Ok(Reach::HostLink),
        Ok(false) => Ok(Reach::Loopback),
        Err(reason) => Err(Arc::clone(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{container, daemon, network, strings, target};
    use super::*;

    fn port(ip: &str) -> Value {
        Value::Object(vec![
            ("host_ip", ip.into()),
            ("host_port", Value::Int(80)),
            ("container_port", Value::Int(80)),
            ("protocol", "tcp".into()),
            ("wildcard", (ip == "0.0.0.0").into()),
            ("loopback", (ip == "127.0.0.1").into()),
        ])
    }

    fn of_engine(version: Value, iptables: Value, ports: Value) -> String {
        let engine = daemon(&[("version", version), ("iptables", iptables)]);
        let mut t = target(vec![engine, container("web", &[("ports", ports)])]);
        derive(&mut t);
        t.components[1].value("exposure").to_string()
    }

    fn of(ports: &[&str]) -> String {
        of_engine("29.0.0".into(), true.into(), Value::List(ports.iter().map(|ip| port(ip)).collect()))
    }

    #[test]
    fn the_widest_port_counts() {
        assert_eq!(of(&[]), "none");
        assert_eq!(of(&["127.0.0.1"]), "loopback");
        assert_eq!(of(&["127.0.0.1", "192.0.2.1"]), "address");
        assert_eq!(of(&["0.0.0.0", "127.0.0.1"]), "everywhere");
    }

    #[test]
    fn loopback_reached_further_before_28() {
        let of = |version: Value, iptables: Value| of_engine(version, iptables, Value::List(vec![port("127.0.0.1")]));
        assert_eq!(of("20.10.24+dfsg1".into(), true.into()), "host-link");
        assert_eq!(of("27.5.1".into(), true.into()), "host-link");
        assert_eq!(of("28.0.0".into(), Value::unknown("denied")), "loopback");
        assert_eq!(of("27.5.1".into(), false.into()), "loopback");
        assert_eq!(of("27.5.1".into(), Value::unknown("denied")), "unknown (denied)");
        assert_eq!(of(Value::unknown("denied"), true.into()), "unknown (denied)");
        assert!(of("master".into(), true.into()).starts_with("unknown"));
    }

    #[test]
    fn a_joined_network_exposes_as_its_owner_is_exposed() {
        let mut t = target(vec![
            container("web", &[("ports", Value::List(vec![port("0.0.0.0")]))]),
            container("side", &[("joins", strings(&["network:web"]))]),
            container("lost", &[("joins", strings(&["network:gone"]))]),
            container("host", &[("host_network", true.into())]),
        ]);
        derive(&mut t);
        let exposures: Vec<String> = t.components.iter().map(|c| c.value("exposure").to_string()).collect();
        assert_eq!(exposures[..2], ["everywhere", "everywhere"]);
        assert!(exposures[2..].iter().all(|e| e.starts_with("unknown")), "{exposures:?}");
    }

    #[test]
    fn networks_beside_the_host_need_no_port() {
        let of = |driver: Value, internal: Value| {
            let lan = network("lan", &[("driver", driver), ("internal", internal)]);
            let mut t = target(vec![lan, container("web", &[("networks", strings(&["lan"]))])]);
            derive(&mut t);
            t.components[1].value("exposure").to_string()
        };
        assert_eq!(of("macvlan".into(), false.into()), "address");
        assert_eq!(of("macvlan".into(), true.into()), "none");
        assert_eq!(of("bridge".into(), false.into()), "none");
        assert_eq!(of("ipvlan".into(), Value::unknown("denied")), "unknown (denied)");
        assert_eq!(of(Value::unknown("denied"), false.into()), "unknown (denied)");
    }

    /// Whatever input is unknown, an exposure is never told to be narrower than it is.
    #[test]
    fn an_unknown_never_turns_an_exposure_away() {
        let reach = |word: &str| {
            let all = [Reach::None, Reach::Loopback, Reach::HostLink, Reach::Address, Reach::Everywhere];
            all.into_iter().find(|r| r.word() == word)
        };
        let ips = ["127.0.0.1", "192.0.2.1", "0.0.0.0"];
        for subset in 0..8_usize {
            let ports: Vec<Value> =
                ips.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1).map(|(_, ip)| port(ip)).collect();
            for version in ["27.0.0", "28.0.0"] {
                for direct in ["bridge", "macvlan"] {
                    let make = || {
                        target(vec![
                            daemon(&[("version", version.into()), ("iptables", true.into())]),
                            network("lan", &[("driver", direct.into()), ("internal", false.into())]),
                            container(
                                "owner",
                                &[("ports", Value::List(ports.clone())), ("networks", strings(&["lan"]))],
                            ),
                            container("web", &[("joins", strings(&["network:owner"]))]),
                        ])
                    };
                    let mut known = make();
                    derive(&mut known);
                    for at in 2..4 {
                        let full = reach(known.components[at].value("exposure").as_str().unwrap()).unwrap();
                        for component in 0..4 {
                            for fact in make().components[component].kind.facts.iter().filter(|f| !f.derived) {
                                let mut less = make();
                                less.components[component].set_unknown(fact.name, "hidden", Source::place("test"));
                                derive(&mut less);
                                let told = less.components[at].value("exposure").as_str().and_then(reach);
                                assert!(
                                    told.is_none_or(|told| told == full),
                                    "{} hidden: {told:?}, not {full:?}",
                                    fact.name
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
