//! Networks.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker::NETWORK;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::container::Mapped;
use super::context::Binding;
use super::json::{Node, Read, cut, left_out, strings, value};
use super::sheet::Sheet;

/// Options of the bridge driver.
const BRIDGE: &str = "com.docker.network.bridge.";

/// A network from an element of `GET /networks`. Its containers are added by [`set_containers`].
pub fn network(listed: &Json, podman: bool) -> Component {
    let doc = Node::of(listed);
    let id = doc.get("Id").text().unwrap_or("");
    let name = doc.get("Name").text().unwrap_or(id);
    let mut sheet = Sheet::new(&NETWORK, id, cut(name), "GET /networks".into());
    let driver = doc.get("Driver").text();
    let options = doc.get("Options").map();
    let option = |key: &str| options.clone().map(|options| options.get(key).and_then(Json::as_str));
    let bridge = |key: &str| option(&format!("{BRIDGE}{key}"));
    sheet.read("scope", "Scope", doc.get("Scope").text().map(cut));
    let default = bridge("default_bridge").map(|set| set.is_some_and(is_true));
    let default = if podman { Ok(name == "podman") } else { default };
    sheet.read("default_bridge", "Options", default);
    for (fact, key) in [("internal", "Internal"), ("attachable", "Attachable"), ("ingress", "Ingress")] {
        sheet.read(fact, key, doc.get(key).bool());
    }
    // Swarm's record of the option is its presence: `--opt encrypted` has an empty value. Only overlays have it.
    let encrypted = match driver.as_deref() {
        Ok("overlay") => {
            option("encrypted").map(|set| set.is_some_and(|text| !matches!(text, "false" | "0" | "f" | "F")))
        }
        Ok(_) => Ok(false),
        Err(reason) => Err(Arc::clone(reason)),
    };
    sheet.read("encrypted", "Options", encrypted);
    let icc = match driver.as_deref() {
        Ok("bridge") if podman => Ok(true),
        Ok("bridge") => bridge("enable_icc").map(|set| set.is_none_or(is_true)),
        // No container joins these with an address of its own.
        Ok("null" | "none") => Ok(false),
        Ok("host") => Ok(true),
        Ok("overlay" | "macvlan" | "ipvlan") => Ok(true),
        Ok(other) => Err(format!("what the driver {} lets through is not known", cut(other)).into()),
        Err(reason) => Err(Arc::clone(reason)),
    };
    sheet.read("icc", "Options", icc);
    sheet.read("ipv6", "EnableIPv6", doc.get("EnableIPv6").bool());
    for (fact, version) in [("gateway_mode_ipv4", "ipv4"), ("gateway_mode_ipv6", "ipv6")] {
        let mode = match driver.as_deref() {
            Ok("bridge") => mode(doc, version).map(cut),
            Ok(_) => Ok("none"),
            Err(reason) => Err(Arc::clone(reason)),
        };
        sheet.read(fact, "Options", mode);
    }
    sheet.read("driver", "Driver", driver.map(|driver| if driver == "null" { "none" } else { cut(driver) }));
    sheet.read("subnets", "IPAM.Config", subnets(doc.get("IPAM")));
    sheet.component
}

/// Booleans of network options as Go reads them; anything else is false, as for the engine.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn subnets(ipam: Node<'_>) -> Read<Value> {
    if matches!(ipam, Node::Absent | Node::Lost) {
        return Err(left_out());
    }
    let configs = ipam.opt("Config").list_or_empty()?;
    Ok(strings(
        configs.iter().filter_map(|config| Node::of(config).get("Subnet").text().ok()).filter(|s| !s.is_empty()),
    ))
}

/// What a bridge does with ports, for one version of IP.
fn mode<'a>(doc: Node<'a>, version: &str) -> Read<&'a str> {
    let options = doc.get("Options").map()?;
    let mode = options.get(&format!("{BRIDGE}gateway_mode_{version}")).and_then(Json::as_str).unwrap_or("");
    Ok(if mode.is_empty() { "nat" } else { mode })
}

/// What a network makes of published ports, where that is anything but what is usual.
pub(super) fn binding(listed: &Json) -> Option<(Box<str>, Binding)> {
    let doc = Node::of(listed);
    let name = doc.get("Name").text().ok()?;
    let address = doc.get("Options").opt(&format!("{BRIDGE}host_binding_ipv4")).text().unwrap_or("");
    let wildcard = address.is_empty() || address == "0.0.0.0";
    let routed = |version| doc.get("Driver").text() == Ok("bridge") && mode(doc, version) == Ok("routed");
    let binding = Binding {
        address: (!wildcard).then(|| cut(address).into()),
        routed_ipv4: routed("ipv4"),
        routed_ipv6: routed("ipv6"),
        internal: doc.get("Internal").bool().unwrap_or(false),
    };
    (binding != Binding::default()).then(|| (name.into(), binding))
}

/// Says which containers are attached to each network, from the containers' own settings; unknown where those could
/// not all be read, since the rest may be attached too.
pub fn set_containers(networks: &mut [Component], containers: &[Mapped], listed: &Read<()>) {
    let mut attached: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut unread = None;
    for container in containers {
        match container.component.value("networks") {
            Value::List(names) => {
                for name in names.iter().filter_map(Value::as_str) {
                    attached.entry(name).or_default().push(&container.component.name);
                }
            }
            Value::Unknown(reason) => unread = unread.or_else(|| Some(Arc::clone(reason))),
            _ => {}
        }
    }
    for network in networks {
        let read = match (listed, &unread) {
            (Err(reason), _) | (Ok(()), Some(reason)) => Err(Arc::clone(reason)),
            (Ok(()), None) => {
                let mut names = attached.get(network.name.as_ref()).cloned().unwrap_or_default();
                names.sort_unstable();
                Ok(strings(names))
            }
        };
        network.set("containers", value(read), Source::place("inspect NetworkSettings.Networks of every container"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recorded_networks_are_read_alike_on_both_engines() {
        for text in [
            include_str!("../../fixtures/engine-20.10/networks.json"),
            include_str!("../../fixtures/engine-29/networks.json"),
        ] {
            let listed: Vec<Json> = serde_json::from_str(text).expect("a fixture");
            let mut networks: Vec<Component> = listed.iter().map(|item| network(item, false)).collect();
            set_containers(&mut networks, &[], &Ok(()));
            let of = |name: &str| networks.iter().find(|n| &*n.name == name).expect("the network");
            for (name, fact, expected) in [
                ("bridge", "default_bridge", "true"),
                ("bridge", "icc", "true"),
                ("bridge", "driver", "bridge"),
                ("bridge", "subnets", "[172.17.0.0/16]"),
                ("net1", "icc", "false"),
                ("net1", "default_bridge", "false"),
                ("none", "driver", "none"),
                ("none", "icc", "false"),
                ("host", "encrypted", "false"),
                ("host", "subnets", "[]"),
                ("host", "containers", "[]"),
            ] {
                assert_eq!(of(name).value(fact).to_string(), expected, "{name}: {fact}");
            }
            for fact in NETWORK.facts.iter().filter(|f| !f.derived) {
                assert!(of("bridge").facts().any(|(name, _)| name == fact.name), "{}", fact.name);
            }
            assert!(listed.iter().all(|item| binding(item).is_none_or(|(_, b)| b.address.is_none() && !b.routed_ipv4)));
        }
    }

    #[test]
    fn an_overlay_is_encrypted_by_the_options_presence() {
        let encrypted = |options: Json| {
            let listed = json!({"Id": "1", "Name": "o", "Driver": "overlay", "Options": options});
            network(&listed, false).value("encrypted").to_string()
        };
        assert_eq!(encrypted(json!({"encrypted": ""})), "true");
        assert_eq!(encrypted(json!({"encrypted": "true"})), "true");
        assert_eq!(encrypted(json!({"encrypted": "false"})), "false");
        assert_eq!(encrypted(json!({})), "false");
        assert_eq!(encrypted(json!(null)), "false");
        assert!(encrypted(json!(5)).contains("unknown"));
    }

    #[test]
    fn a_binding_of_the_network_is_found() {
        let listed = json!({"Name": "bridge", "Options": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}});
        let bound = Binding { address: Some("127.0.0.1".into()), ..Binding::default() };
        assert_eq!(binding(&listed), Some(("bridge".into(), bound)));
    }

    #[test]
    fn gateway_modes_are_those_of_bridges() {
        let listed = |driver: &str, mode: &str| {
            json!({"Id": "1", "Name": "n", "Driver": driver, "EnableIPv6": true, "Internal": false,
                   "Options": {"com.docker.network.bridge.gateway_mode_ipv6": mode}})
        };
        let modes = |driver: &str, mode: &str| {
            let network = network(&listed(driver, mode), false);
            ["ipv6", "gateway_mode_ipv4", "gateway_mode_ipv6"].map(|fact| network.value(fact).to_string())
        };
        assert_eq!(modes("bridge", "nat-unprotected"), ["true", "nat", "nat-unprotected"]);
        assert_eq!(modes("bridge", ""), ["true", "nat", "nat"]);
        assert_eq!(modes("macvlan", "routed"), ["true", "none", "none"]);
        let routed = binding(&listed("bridge", "routed")).map(|(_, binding)| binding);
        assert_eq!(routed, Some(Binding { routed_ipv6: true, ..Binding::default() }));
        assert_eq!(binding(&listed("overlay", "routed")), None);
    }
}
