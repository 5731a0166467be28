//! Services that lead to what no service should lead to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::super::open_list;
use super::{MOST, Settings, View};
use crate::component::Component;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

pub(super) fn facts(view: &View<'_>) -> Settings {
    let mut nodes = BTreeMap::new();
    for node in view.of(&k8s::NODE) {
        for address in node.value("addresses").as_list().unwrap_or_default() {
            if let Some(ip) = address.field("address").and_then(Value::as_str).and_then(parsed) {
                nodes.insert(ip, &*node.name);
            }
        }
    }
    let unlisted = view.partial(&k8s::NODE);
    let services = view.positions(&k8s::SERVICE);
    services.map(|(at, service)| (at, "decisive_endpoints", decisive(service, &nodes, unlisted.as_ref()))).collect()
}

fn parsed(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn decisive(service: &Component, nodes: &BTreeMap<IpAddr, &str>, unlisted: Option<&std::sync::Arc<str>>) -> Value {
    let endpoints = match service.value("foreign_endpoints") {
        Value::List(endpoints) => endpoints,
        Value::Unknown(reason) => return Value::Unknown(std::sync::Arc::clone(reason)),
        _ => return Value::unknown("it was not collected"),
    };
    // The API server's own service leads to the nodes that it runs on, and it keeps that itself.
    let own = &*service.id == "Service/default/kubernetes";
    let (mut found, mut unknown) = (Vec::new(), None);
    for endpoint in endpoints {
        let Some(address) = endpoint.field("address").and_then(Value::as_str) else {
            unknown =
                unknown.or_else(|| endpoint.reason().or(endpoint.field("address").and_then(Value::reason)).cloned());
            continue;
        };
        let Some(ip) = parsed(address) else { continue };
        let what = match ip {
            IpAddr::V4(ip) if ip.is_loopback() => Some("loopback".to_owned()),
            IpAddr::V4(ip) if ip.is_link_local() => Some("of the link, where clouds have their metadata".to_owned()),
            IpAddr::V6(ip) if ip.is_loopback() => Some("loopback".to_owned()),
            IpAddr::V6(ip) if ip.is_unicast_link_local() || is_metadata(ip) => {
                Some("of the link, where clouds have their metadata".to_owned())
            }
            _ if own => None,
            _ => nodes.get(&ip).map(|node| format!("node {node}")),
        };
        match what {
            Some(what) if found.len() < MOST => found.push(format!("{address} ({what})").into()),
            Some(_) => {}
            // Whether it is a node's nobody can say who does not know them all.
            None if !own => unknown = unknown.or_else(|| unlisted.cloned()),
            None => {}
        }
    }
    open_list(found, unknown.as_ref())
}

/// The address of metadata that one provider has outside of the link.
fn is_metadata(ip: std::net::Ipv6Addr) -> bool {
    ip == std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Source;

    fn service(id: &str, addresses: &[&str]) -> Component {
        let mut out = Component::new(&k8s::SERVICE, id, id);
        let endpoint = |address: &&str| {
            Value::Object(vec![("address", (*address).into()), ("object", Value::Null), ("slice", "s".into())])
        };
        let list = Value::List(addresses.iter().map(endpoint).collect());
        out.set("foreign_endpoints", list, Source::place("test"));
        out
    }

    #[test]
    fn nodes_and_metadata_are_told_from_other_machines() {
        let nodes = BTreeMap::from([("10.0.0.5".parse().unwrap(), "n1")]);
        let told = |id: &str, addresses: &[&str], why: Option<&str>| {
            let why = why.map(std::sync::Arc::from);
            decisive(&service(id, addresses), &nodes, why.as_ref())
        };
        let of = "Service/shop/db";
        assert_eq!(told(of, &["192.0.2.1", "db.example.test"], None), Value::List(Vec::new()));
        assert_eq!(told(of, &["10.0.0.5"], None).to_string(), "[10.0.0.5 (node n1)]");
        assert_eq!(told(of, &["::ffff:10.0.0.5"], None).as_list().unwrap().len(), 1);
        for address in ["169.254.169.254", "127.0.0.1", "::1", "fd00:ec2::254", "fe80::1"] {
            assert_eq!(told(of, &[address], None).as_list().unwrap().len(), 1, "{address}");
        }
        assert_eq!(told("Service/default/kubernetes", &["10.0.0.5"], None), Value::List(Vec::new()));
        let unsure = told(of, &["192.0.2.1"], Some("denied"));
        assert!(unsure.is_unknown() || unsure.as_list().unwrap().iter().any(Value::is_unknown), "{unsure}");
        let unread = decisive(&Component::new(&k8s::SERVICE, of, of), &nodes, None);
        assert!(unread.is_unknown());
    }
}
