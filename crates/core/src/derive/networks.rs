//! Networks: who is on them, and whether members reach each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Containers, only, open_list};
use crate::component::Component;
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;

/// The kernel setting without which no filter sees what a bridge passes on.
const BRIDGE_FILTER: &str = "net.bridge.bridge-nf-call-iptables";

pub(super) fn derive(target: &mut Target) {
    let (members, unknown) = members(target);
    let iptables = only(target, &docker::DAEMON, "iptables").clone();
    let unfiltered = bridges_unfiltered(only(target, &docker::HOST, "sysctls"));
    for network in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::NETWORK)) {
        let names = members.get(&*network.name).cloned().unwrap_or_default();
        let names = names.into_iter().map(Value::from).collect();
        let source = Source::place("networks and joins of all containers");
        network.set("members", open_list(names, unknown.as_ref()), source);
        let reachable = reachable(network, &iptables, unfiltered);
        network.set("reachable", reachable, Source::place("its driver and icc, and whether the engine filters"));
    }
}

/// Containers by the network that they are on.
type Members = BTreeMap<Box<str>, Vec<String>>;

/// The names of the containers on each network, sorted, and why there may be more.
fn members(target: &Target) -> (Members, Option<Arc<str>>) {
    let containers = Containers::of(target);
    let mut unknown = containers.unlisted.clone();
    let mut out = Members::new();
    for (at, container) in containers.all.iter().enumerate() {
        let networks = match containers.network_of(at).map(|end| end.value("networks")) {
            Ok(Value::List(networks)) => networks,
            Ok(other) => {
                let reason = other.reason().cloned().unwrap_or_else(|| "its networks are not a list".into());
                unknown.get_or_insert(reason);
                continue;
            }
            Err(reason) => {
                unknown.get_or_insert(reason);
                continue;
            }
        };
        for network in networks {
            match network {
                Value::Str(network) => out.entry(network.clone()).or_default().push(container.name.to_string()),
                Value::Unknown(reason) => {
                    unknown.get_or_insert_with(|| Arc::clone(reason));
                }
                _ => {}
            }
        }
    }
    for names in out.values_mut() {
        names.sort_unstable();
        names.dedup();
    }
    (out, unknown)
}

/// Whether it is known that what passes a bridge is not filtered.
fn bridges_unfiltered(sysctls: &Value) -> bool {
    let settings = sysctls.as_list().unwrap_or_default();
    let text = |setting: &Value, field: &str| setting.field(field).and_then(Value::as_str).map(str::to_owned);
    settings
        .iter()
        .any(|s| text(s, "name").as_deref() == Some(BRIDGE_FILTER) && text(s, "value").as_deref() == Some("0"))
}

/// A network with `icc` off is filtered by the engine's own rules: they hold only while the engine writes them and the
/// kernel asks them. An engine that does not write them refuses to start with the default bridge so configured.
fn reachable(network: &Component, iptables: &Value, unfiltered: bool) -> Value {
    let bridge = network.value("driver").as_str() == Some("bridge");
    match network.value("icc") {
        Value::Bool(true) => true.into(),
        Value::Bool(false) if !bridge => false.into(),
        Value::Bool(false) if unfiltered => true.into(),
        Value::Bool(false) if network.value("default_bridge").as_bool() == Some(true) => false.into(),
        Value::Bool(false) => match iptables {
            Value::Bool(filters) => (!filters).into(),
            other => Value::unknown(other.reason().map_or("whether the engine filters is not known", |r| r)),
        },
        other => Value::unknown(other.reason().map_or("whether its containers reach each other is not known", |r| r)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{container, daemon, network, strings, target};
    use super::*;

    fn fact(target: &Target, name: &str, fact: &str) -> String {
        target.of(&docker::NETWORK).find(|c| &*c.name == name).unwrap().value(fact).to_string()
    }

    #[test]
    fn members_are_those_attached_and_those_who_joined_them() {
        let mut t = target(vec![
            network("shop", &[]),
            network("back", &[]),
            container("web", &[("networks", strings(&["shop", "back"]))]),
            container("side", &[("joins", strings(&["network:web"]))]),
            container("pid", &[("joins", strings(&["pid:web"])), ("networks", strings(&["back"]))]),
        ]);
        derive(&mut t);
        assert_eq!(fact(&t, "shop", "members"), "[side, web]");
        assert_eq!(fact(&t, "back", "members"), "[pid, side, web]");
        t.components[2].set_unknown("networks", "denied", Source::place("test"));
        derive(&mut t);
        assert_eq!(fact(&t, "shop", "members"), "unknown (denied)");
        assert_eq!(fact(&t, "back", "members"), "[pid, unknown (denied)]");
        let mut t = target(vec![network("shop", &[])]);
        t.incomplete(&docker::CONTAINER, "not listed");
        derive(&mut t);
        assert_eq!(fact(&t, "shop", "members"), "unknown (not listed)");
    }

    #[test]
    fn icc_holds_only_while_something_filters() {
        let of = |icc: Value, iptables: Value, facts: &[(&'static str, Value)]| {
            let mut n = network("n", facts);
            n.set("icc", icc, Source::place("test"));
            let mut t = target(vec![n, daemon(&[("iptables", iptables)])]);
            derive(&mut t);
            fact(&t, "n", "reachable")
        };
        let default = [("default_bridge", true.into())];
        assert_eq!(of(true.into(), true.into(), &[]), "true");
        assert_eq!(of(false.into(), true.into(), &[]), "false");
        assert_eq!(of(false.into(), false.into(), &[]), "true");
        assert_eq!(of(false.into(), Value::unknown("denied"), &[]), "unknown (denied)");
        assert_eq!(of(false.into(), Value::unknown("denied"), &default), "false");
        assert_eq!(of(Value::unknown("denied"), true.into(), &[]), "unknown (denied)");
        assert_eq!(of(false.into(), Value::unknown("denied"), &[("driver", "none".into())]), "false");
    }

    #[test]
    fn a_kernel_that_asks_no_filter_filters_nothing() {
        let setting = Value::Object(vec![("name", BRIDGE_FILTER.into()), ("value", "0".into())]);
        let mut host = Component::new(&docker::HOST, "host", "host");
        host.set("sysctls", Value::List(vec![setting]), Source::place("test"));
        let mut t = target(vec![network("n", &[("icc", false.into())]), daemon(&[("iptables", true.into())]), host]);
        derive(&mut t);
        assert_eq!(fact(&t, "n", "reachable"), "true");
    }
}
