//! Which of the daemon's TCP listeners are no API: without a proxy in user space, engines keep a container's published
//! port from others by listening on it themselves, and nobody accepts there.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

pub(super) fn derive(target: &mut Target) {
    let published = published(target);
    if published.is_empty() {
        return;
    }
    for daemon in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::DAEMON)) {
        let stated = daemon.value("arguments").as_list().unwrap_or_default().to_vec();
        let fact = daemon.fact("listeners").clone();
        let Value::List(listeners) = fact.value else { continue };
        let told = listeners.into_iter().map(|listener| match socket(&listener) {
            Some(at) if published.contains(&at) && !stated.iter().any(|a| names(a, at.port())) => kept(listener),
            _ => listener,
        });
        let told: Vec<Value> = told.collect();
        daemon.set("listeners", Value::List(told), fact.source);
    }
}

/// Where running containers publish ports.
fn published(target: &Target) -> HashSet<SocketAddr> {
    let running = target.of(&docker::CONTAINER).filter(|c| *c.value("running") == Value::Bool(true));
    let ports = running.flat_map(|c| c.value("ports").as_list().unwrap_or_default());
    let address = |port: &Value| {
        let number = u16::try_from(port.field("host_port")?.as_int()?).ok()?;
        let tcp = port.field("protocol")?.as_str()? == "tcp";
        let ip = port.field("host_ip")?.as_str()?;
        let ip = if ip.is_empty() { Ok(Ipv6Addr::UNSPECIFIED.into()) } else { ip.parse() };
        tcp.then_some(same(SocketAddr::new(ip.ok()?, number)))
    };
    ports.filter_map(address).collect()
}

/// Every address of version 4 is one of version 6 to the kernel.
fn same(address: SocketAddr) -> SocketAddr {
    let ip = address.ip().to_canonical();
    let ip = if ip.is_unspecified() { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { ip };
    SocketAddr::new(ip, address.port())
}

/// The address of a TCP listener that would be the API's.
fn socket(listener: &Value) -> Option<SocketAddr> {
    let api = listener.field("serves")?.as_str()? == "api" && listener.field("transport")?.as_str()? == "tcp";
    let address = listener.field("address")?.as_str()?.strip_prefix("tcp://")?;
    api.then(|| address.parse().ok().map(same)).flatten()
}

/// Whether an argument of the daemon speaks of a port.
fn names(argument: &Value, port: u16) -> bool {
    argument.as_str().is_none_or(|argument| argument.contains(&format!(":{port}")))
}

fn kept(listener: Value) -> Value {
    let Value::Object(fields) = listener else { return listener };
    let told = |(name, value): (&'static str, Value)| match name {
        "serves" => (name, "internal".into()),
        "tls" => (name, "none".into()),
        _ => (name, value),
    };
    Value::Object(fields.into_iter().map(told).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Component;
    use crate::fact::Source;

    fn object(fields: &[(&'static str, Value)]) -> Value {
        Value::Object(fields.to_vec())
    }

    fn target(published: &str, listens: &str, arguments: &[&str]) -> Target {
        let mut target = Target::new("local", "docker", "unix:///run/docker.sock");
        let mut daemon = Component::new(&docker::DAEMON, "daemon", "daemon");
        let place = Source::place("test");
        let listener = object(&[
            ("address", listens.into()),
            ("transport", "tcp".into()),
            ("tls", Value::unknown("test")),
            ("loopback", false.into()),
            ("serves", "api".into()),
        ]);
        daemon.set("listeners", Value::List(vec![listener]), place.clone());
        daemon.set("arguments", Value::strings(arguments.iter().copied()), place.clone());
        let mut web = Component::new(&docker::CONTAINER, "web", "web");
        web.set("running", true, place.clone());
        let port = object(&[
            ("host_ip", published.into()),
            ("host_port", Value::Int(8080)),
            ("container_port", Value::Int(80)),
            ("protocol", "tcp".into()),
            ("wildcard", false.into()),
            ("loopback", false.into()),
        ]);
        web.set("ports", Value::List(vec![port]), place);
        target.components.extend([daemon, web]);
        target
    }

    fn serves(mut target: Target) -> String {
        derive(&mut target);
        let Value::List(listeners) = target.components[0].value("listeners") else { return String::new() };
        listeners[0].field("serves").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    #[test]
    fn a_port_that_is_kept_for_a_container_is_no_api() {
        let own = ["dockerd", "-H", "fd://"];
        for (published, listens, arguments, expected) in [
            ("0.0.0.0", "tcp://0.0.0.0:8080", &own[..], "internal"),
            ("0.0.0.0", "tcp://[::]:8080", &own, "internal"),
            ("", "tcp://[::]:8080", &own, "internal"),
            ("127.0.0.1", "tcp://127.0.0.1:8080", &own, "internal"),
            ("127.0.0.1", "tcp://0.0.0.0:8080", &own, "api"),
            ("0.0.0.0", "tcp://127.0.0.1:8080", &own, "api"),
            ("0.0.0.0", "tcp://0.0.0.0:2375", &own, "api"),
            ("0.0.0.0", "tcp://0.0.0.0:8080", &["dockerd", "-H", "tcp://0.0.0.0:8080"], "api"),
        ] {
            assert_eq!(serves(target(published, listens, arguments)), expected, "{published} {listens} {arguments:?}");
        }
    }
}
