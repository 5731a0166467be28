//! Published ports.

use seaworthy_core::plan::SpecChange;
use serde_json::{Value, json};

use super::{Merge, refused, stale};
use crate::act::Refusal;
use crate::act::recreate::json::{Object, inner, items, object, text};

/// A published port: `HOST_IP:HOST_PORT:PORT/PROTOCOL`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Published {
    /// The host's address, without brackets; empty for all.
    ip: String,
    /// The host's port; empty for one of the engine's choice.
    port: String,
    /// The container's port with its protocol.
    inside: String,
}

impl Published {
    fn parse(text: &str) -> Option<Self> {
        let (rest, inside) = text.rsplit_once(':')?;
        let (ip, port) = rest.rsplit_once(':')?;
        let (number, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        number.parse::<u16>().ok()?;
        let is_port = port.is_empty() || port.parse::<u16>().is_ok();
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        let is_ip = ip.is_empty() || ip.parse::<std::net::IpAddr>().is_ok();
        let known = matches!(protocol, "tcp" | "udp" | "sctp");
        (is_port && is_ip && known).then(|| Self {
            ip: ip.into(),
            port: if port == "0" { String::new() } else { port.into() },
            inside: format!("{number}/{protocol}"),
        })
    }

    /// Whether a binding of the configuration is this one. One without a port is by the port that it got; `got` says which.
    fn is(&self, binding: &Value, got: &[Value]) -> bool {
        let (ip, port) = (text(binding, "/HostIp"), text(binding, "/HostPort"));
        let same_ip = ip == self.ip || (is_all(ip) && is_all(&self.ip));
        let range = port.split_once('-').and_then(|(a, b)| Some(a.parse::<u16>().ok()?..=b.parse::<u16>().ok()?));
        let within = self.port.parse::<u16>().is_ok_and(|p| range.is_some_and(|r| r.contains(&p)));
        let got_it = self.port.is_empty() || got.iter().any(|g| text(g, "/HostPort") == self.port);
        same_ip && (port == self.port || within || (matches!(port, "" | "0") && got_it))
    }
}

fn is_all(ip: &str) -> bool {
    matches!(ip, "" | "0.0.0.0" | "::")
}

impl Merge<'_> {
    pub(super) fn publish(&mut self, change: &SpecChange) -> Result<(), Refusal> {
        let parse = |text: &String| {
            let bad = || refused(change, &format!("{text:?} is not HOST_IP:HOST_PORT:PORT/PROTOCOL"));
            Published::parse(text).ok_or_else(bad)
        };
        let gone = change.remove.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let added = change.add.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let effective = object(&self.seen.inspect, "/NetworkSettings/Ports");
        let was = bindings(&self.was.host, &effective);
        let mut now = inner(&self.spec.host, "PortBindings");
        if !gone.is_empty() && self.spec.host.get("PublishAllPorts") == Some(&true.into()) {
            // All ports at once cannot be taken away one by one: they are published by name from now on.
            now = bindings(&self.spec.host, &effective);
            self.spec.host.insert("PublishAllPorts".into(), false.into());
        }
        for (gone, said) in gone.iter().zip(&change.remove) {
            let got = items(effective.get(&gone.inside));
            if !items(was.get(&gone.inside)).iter().any(|b| gone.is(b, got)) {
                return Err(stale(change, said));
            }
            if let Some(Value::Array(list)) = now.get_mut(&gone.inside) {
                list.retain(|b| !gone.is(b, got));
            }
        }
        now.retain(|_, list| !items(Some(list)).is_empty());
        let mut exposed = inner(&self.spec.config, "ExposedPorts");
        for port in added {
            let binding = json!({ "HostIp": port.ip, "HostPort": port.port });
            exposed.entry(port.inside.clone()).or_insert_with(|| json!({}));
            match now.get_mut(&port.inside) {
                Some(Value::Array(list)) if list.contains(&binding) => {}
                Some(Value::Array(list)) => list.push(binding),
                _ => drop(now.insert(port.inside, json!([binding]))),
            }
        }
        self.spec.config.insert("ExposedPorts".into(), exposed.into());
        self.spec.host.insert("PortBindings".into(), now.into());
        Ok(())
    }
}

/// What is published by name, and what is published because all is, as it is in effect.
fn bindings(host: &Object, effective: &Object) -> Object {
    let mut named = inner(host, "PortBindings");
    if host.get("PublishAllPorts") == Some(&true.into()) {
        for (inside, got) in effective {
            if let (false, Some(first)) = (named.contains_key(inside), items(Some(got)).first()) {
                let binding = json!({ "HostIp": "", "HostPort": text(first, "/HostPort") });
                named.insert(inside.clone(), json!([binding]));
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_with_every_kind_of_address() {
        let port = |ip: &str, port: &str, inside: &str| {
            Some(Published { ip: ip.into(), port: port.into(), inside: inside.into() })
        };
        assert_eq!(Published::parse("127.0.0.1:8080:80/tcp"), port("127.0.0.1", "8080", "80/tcp"));
        assert_eq!(Published::parse("[::1]:53:53/udp"), port("::1", "53", "53/udp"));
        assert_eq!(Published::parse(":::8080:80"), port("::", "8080", "80/tcp"));
        assert_eq!(Published::parse("0.0.0.0::80/tcp"), port("0.0.0.0", "", "80/tcp"));
        assert_eq!(Published::parse("::80/tcp"), port("", "", "80/tcp"));
        for bad in ["", "80", "8080:80", "host:1:80/tcp", "1.2.3.4:99999:80/tcp", "1.2.3.4:1:80/icmp", ":a:80"] {
            assert_eq!(Published::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_binding_is_found_by_the_port_that_it_got() {
        let port = Published::parse("0.0.0.0:49153:80/tcp").unwrap();
        let got = [json!({ "HostIp": "0.0.0.0", "HostPort": "49153" })];
        assert!(port.is(&json!({ "HostIp": "", "HostPort": "" }), &got));
        assert!(port.is(&json!({ "HostIp": "::", "HostPort": "49000-49999" }), &[]));
        assert!(!port.is(&json!({ "HostIp": "127.0.0.1", "HostPort": "49153" }), &got));
        assert!(!port.is(&json!({ "HostIp": "", "HostPort": "8080" }), &got));
    }
}
