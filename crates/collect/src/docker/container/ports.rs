//! Ports that a container publishes on the host.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

use super::super::context::Binding;
use super::super::json::{MOST_ITEMS, Node, Read, cut, other_type, value};
use super::super::sheet::Sheet;
use super::{Mapped, Reading};

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    match &c.running {
        Ok(true) => sheet.read("ports", "NetworkSettings.Ports", in_effect(c)),
        Ok(false) => sheet.read("ports", "HostConfig.PortBindings, PublishAllPorts", configured(c)),
        Err(reason) => sheet.read("ports", "State", Err::<Value, _>(Arc::clone(reason))),
    }
}

fn in_effect(c: &Reading<'_>) -> Read<Value> {
    let mut ports = Vec::new();
    bindings(c.doc.get("NetworkSettings").get("Ports").map()?, &mut ports, |port, address, number| {
        // What has an address and no port is opened at the container's own address, whatever it asked for.
        match number {
            "" if !c.podman() && !address.is_empty() => routed(port, own_address(c, address)),
            number => published(port, address, host_port(number)),
        }
    })?;
    Ok(Value::List(ports))
}

/// The address of the container itself that is of the same version of IP as another; empty where it shows none.
fn own_address<'a>(c: &Reading<'a>, like: &str) -> &'a str {
    let key = if like.contains(':') { "GlobalIPv6Address" } else { "IPAddress" };
    let networks = c.doc.get("NetworkSettings").get("Networks").map_or_empty();
    let addresses = networks.iter().flat_map(|networks| networks.values()).filter_map(|n| n.get(key)?.as_str());
    addresses.into_iter().find(|address| !address.is_empty()).unwrap_or_default()
}

/// What would be published at the next start. A container in another network namespace than its own publishes
/// nothing, whatever is configured, nor does one on an internal network.
fn configured(c: &Reading<'_>) -> Read<Value> {
    let mode = c.host.get("NetworkMode").text()?;
    if matches!(mode, "host" | "none") || mode.starts_with("container:") {
        return Ok(Value::List(Vec::new()));
    }
    let network = if matches!(mode, "" | "default") { "bridge" } else { mode };
    let default = c.ctx.bindings.get(network).and_then(|n| n.address.as_deref()).unwrap_or_default();
    // Of several networks one publishes, which may be any.
    let attached = c.doc.get("NetworkSettings").get("Networks").map_or_empty()?;
    let attached: Vec<&str> =
        if attached.is_empty() { vec![network] } else { attached.keys().map(String::as_str).collect() };
    let all =
        |is: fn(&Binding) -> bool| !c.podman() && attached.iter().all(|name| c.ctx.bindings.get(*name).is_some_and(is));
    if all(|n| n.internal) {
        return Ok(Value::List(Vec::new()));
    }
    // Engine 27 is the first that knows networks which are routed to.
    let knows = c.ctx.engine.api >= (1, 46);
    let (routed_ipv4, routed_ipv6) = (knows && all(|n| n.routed_ipv4), knows && all(|n| n.routed_ipv6));
    let one = |port: &str, address: &str, number: &str| {
        let address = if address.is_empty() { default } else { address };
        // Where none was named, the port is published for both versions of IP.
        let is_routed = match address {
            "" => routed_ipv4 && routed_ipv6,
            address if address.contains(':') => routed_ipv6,
            _ => routed_ipv4,
        };
        if is_routed { routed(port, "") } else { published(port, address, host_port(number)) }
    };
    let mut ports = Vec::new();
    let bound = c.host.get("PortBindings").map()?;
    bindings(bound, &mut ports, one)?;
    if c.host.get("PublishAllPorts").bool()? {
        for exposed in c.config.get("ExposedPorts").map_or_empty()?.keys() {
            if !bound.contains_key(exposed) && ports.len() < MOST_ITEMS {
                ports.push(one(exposed, "", ""));
            }
        }
    }
    Ok(Value::List(ports))
}

/// `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "443/tcp": null}`; a port without bindings is only exposed.
fn bindings(map: &Map<String, Json>, out: &mut Vec<Value>, one: impl Fn(&str, &str, &str) -> Value) -> Read<()> {
    for (container_port, bindings) in map {
        for binding in Node::of(bindings).list()? {
            if out.len() >= MOST_ITEMS {
                return Ok(());
            }
            let binding = Node::of(binding);
            let (address, number) = (binding.get("HostIp").text_or_empty()?, binding.get("HostPort").text_or_empty()?);
            out.push(one(container_port, address, number));
        }
    }
    Ok(())
}

/// The port, the first of a range, or 0 where the engine chooses.
fn host_port(text: &str) -> Read<i64> {
    let first = text.split('-').next().unwrap_or("");
    if first.is_empty() {
        return Ok(0);
    }
    first.trim().parse::<u16>().map(i64::from).map_err(|_| other_type())
}

fn published(container_port: &str, address: &str, host_port: Read<i64>) -> Value {
    port(container_port, address, host_port, reach(address))
}

/// A port that is opened at the container's own address, and on none of the host.
fn routed(container_port: &str, address: &str) -> Value {
    port(container_port, address, Ok(0), (Ok(false), Ok(false)))
}

fn port(
    container_port: &str,
    address: &str,
    host_port: Read<i64>,
    (wildcard, loopback): (Read<bool>, Read<bool>),
) -> Value {
    let (number, protocol) = container_port.split_once('/').unwrap_or((container_port, "tcp"));
    Value::Object(vec![
        ("host_ip", cut(address).into()),
        ("host_port", value(host_port)),
        ("container_port", value(number.parse::<u16>().map(i64::from).map_err(|_| other_type()))),
        ("protocol", cut(protocol).into()),
        ("wildcard", value(wildcard)),
        ("loopback", value(loopback)),
    ])
}

/// Whether an address is every one of the host, and whether it is loopback. None given is every one.
fn reach(address: &str) -> (Read<bool>, Read<bool>) {
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if bare.is_empty() || bare == "*" {
        return (Ok(true), Ok(false));
    }
    match bare.parse::<IpAddr>() {
        Ok(ip) => {
            let ip = ip.to_canonical();
            (Ok(ip.is_unspecified()), Ok(ip.is_loopback()))
        }
        Err(_) => (Err(other_type()), Err(other_type())),
    }
}

/// Ports that each swarm service publishes on every node, by the service's name: published port, port in the
/// container, protocol.
pub type ServicePorts = HashMap<Box<str>, Vec<(i64, i64, Box<str>)>>;

/// Adds to the tasks of swarm services the ports that swarm's ingress publishes for them, which no inspect of a
/// container shows; what cannot be known makes the list unknown.
pub fn add_service_ports(containers: &mut [Mapped], services: &Read<ServicePorts>) {
    for mapped in containers {
        let Some(service) = &mapped.swarm_service else { continue };
        // Swarm replaces a task that has ended and never starts it again.
        if mapped.component.value("running").as_bool() == Some(false) {
            continue;
        }
        let added: Vec<Value> = match services {
            Ok(services) => match services.get(service) {
                Some(ports) => ports.iter().map(ingress).collect(),
                None => vec![Value::unknown("its swarm service was not listed")],
            },
            Err(reason) => vec![Value::unknown(format!("ports of its swarm service: {reason}"))],
        };
        let fact = mapped.component.fact("ports");
        let Value::List(mut ports) = fact.value.clone() else { continue };
        let place = Arc::clone(&fact.source.place);
        ports.extend(added);
        mapped.component.set("ports", Value::List(ports), Source::new(&place, "NetworkSettings.Ports; GET /services"));
    }
}

fn ingress((published, target, protocol): &(i64, i64, Box<str>)) -> Value {
    Value::Object(vec![
        ("host_ip", "0.0.0.0".into()),
        ("host_port", (*published).into()),
        ("container_port", (*target).into()),
        ("protocol", protocol.as_ref().into()),
        ("wildcard", true.into()),
        ("loopback", false.into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_by_their_reach() {
        for (address, wildcard, loopback) in [
            ("", true, false),
            ("0.0.0.0", true, false),
            ("::", true, false),
            ("[::]", true, false),
            ("::ffff:0.0.0.0", true, false),
            ("127.0.0.1", false, true),
            ("127.8.9.1", false, true),
            ("::1", false, true),
            ("192.0.2.1", false, false),
        ] {
            assert_eq!(reach(address), (Ok(wildcard), Ok(loopback)), "{address}");
        }
        assert!(reach("localhost").0.is_err());
    }

    #[test]
    fn a_port_is_the_first_of_its_range() {
        assert_eq!(host_port("8000-8010"), Ok(8000));
        assert_eq!(host_port(""), Ok(0));
        assert_eq!(host_port("80"), Ok(80));
        assert!(host_port("70000").is_err());
    }
}
