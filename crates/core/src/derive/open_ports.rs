//! Containers that are reached past publishing: whatever listens in them is open to others than their host.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Containers, only};
use crate::component::Component;
use crate::fact::Source;
use crate::schema::docker;
use crate::snapshot::Target;
use crate::value::Value;
use crate::version::Version;

/// True, false, or why it is not known.
type Truth = Result<bool, Arc<str>>;

pub(super) fn derive(target: &mut Target) {
    let open: Vec<Value> = {
        let (containers, networks) = (Containers::of(target), Networks::of(target));
        (0..containers.all.len()).map(|at| open(&containers, at, &networks)).collect()
    };
    let components = target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::CONTAINER));
    for (component, open) in components.zip(open) {
        component.set("all_ports_open", open, Source::place("its networks, and whether the engine filters"));
    }
}

fn open(containers: &Containers<'_>, at: usize, networks: &Networks<'_>) -> Value {
    let names = match containers.network_of(at).map(|end| end.value("networks")) {
        Ok(Value::List(names)) => names,
        Ok(other) => return Value::Unknown(reason(other, "its networks are no list")),
        Err(reason) => return Value::Unknown(reason),
    };
    let each = names.iter().map(|name| match name.as_str() {
        Some(name) => networks.opens(name),
        None => Err(reason(name, "one of its networks is not known")),
    });
    each.fold(Ok(false), or).map_or_else(Value::Unknown, Value::from)
}

/// The networks of a target, with what decides over them all.
pub(super) struct Networks<'a> {
    by_name: HashMap<&'a str, &'a Component>,
    unlisted: Option<Arc<str>>,
    podman: bool,
    rootless: Truth,
    major: Result<u64, Arc<str>>,
    iptables: Truth,
    ip6tables: Truth,
}

impl<'a> Networks<'a> {
    pub(super) fn of(target: &'a Target) -> Self {
        let daemon = |fact| only(target, &docker::DAEMON, fact);
        let version = daemon("version").as_str().and_then(Version::parse).map(|version| version.major());
        Self {
            by_name: target.of(&docker::NETWORK).map(|n| (&*n.name, n)).collect(),
            unlisted: target.incomplete.get(docker::NETWORK.name).map(|reason| reason.as_str().into()),
            podman: daemon("engine").as_str() == Some("podman"),
            rootless: truth(daemon("rootless")),
            major: version.ok_or_else(|| reason(daemon("version"), "the engine's version cannot be compared")),
            iptables: truth(daemon("iptables")),
            ip6tables: truth(daemon("ip6tables")),
        }
    }

    pub(super) fn named(&self, name: &str) -> Result<Option<&'a Component>, Arc<str>> {
        match (self.by_name.get(name), &self.unlisted) {
            (Some(network), _) => Ok(Some(network)),
            (None, Some(reason)) => Err(Arc::clone(reason)),
            (None, None) => Ok(None),
        }
    }

    fn opens(&self, name: &str) -> Truth {
        let Some(network) = self.named(name)? else { return Ok(false) };
        match network.value("driver") {
            Value::Str(driver) => match &**driver {
                "macvlan" | "ipvlan" => not(truth(network.value("internal"))),
                "bridge" => or(self.routes_in(network), self.unfiltered(network)),
                "host" | "none" | "overlay" => Ok(false),
                other => Err(format!("what the driver {other} opens is not known").into()),
            },
            other => Err(reason(other, "its driver is not known")),
        }
    }

    /// Whether all ports on a bridge are reached by whoever routes to it: it keeps nobody out, or nothing filters IPv6.
    pub(super) fn routes_in(&self, network: &Component) -> Truth {
        if self.podman {
            return Ok(false);
        }
        let unprotected = |fact| match network.value(fact) {
            Value::Str(mode) => Ok(&**mode == "nat-unprotected"),
            other => Err(reason(other, "what it does with ports is not known")),
        };
        let (internal, ipv6) = (truth(network.value("internal")), truth(network.value("ipv6")));
        // Engines before 28 do not know the mode, and take no notice of it.
        let knows = self.major.clone().map(|major| major >= 28);
        let by_mode = or(unprotected("gateway_mode_ipv4"), and(ipv6.clone(), unprotected("gateway_mode_ipv6")));
        let by_mode = and(and(by_mode, knows), not(internal.clone()));
        let unfiltered = and(ipv6, not(self.ip6tables.clone()));
        and(or(by_mode, and(unfiltered, not(self.shut(internal)))), not(self.rootless.clone()))
    }

    /// Whether an internal network keeps others from its addresses of IPv6 without any rule: it does since it has no
    /// gateway there, which 20.10 gave it.
    fn shut(&self, internal: Truth) -> Truth {
        let without_gateway = match &self.major {
            Ok(..=20) => Ok(false),
            Ok(28..) => Ok(true),
            Ok(_) => Err("whether this engine's internal networks have a gateway for IPv6 is not known".into()),
            Err(reason) => Err(Arc::clone(reason)),
        };
        and(internal, without_gateway)
    }

    /// Whether neighbours of the host reach all ports on a bridge, since the engine filters nothing.
    pub(super) fn unfiltered(&self, network: &Component) -> Truth {
        if self.podman {
            return Ok(false);
        }
        let off = and(not(self.iptables.clone()), not(truth(network.value("internal"))));
        and(off, not(self.rootless.clone()))
    }
}

fn truth(value: &Value) -> Truth {
    value.as_bool().ok_or_else(|| reason(value, "it is not known"))
}

fn reason(value: &Value, else_: &str) -> Arc<str> {
    value.reason().cloned().unwrap_or_else(|| else_.into())
}

fn not(a: Truth) -> Truth {
    a.map(|a| !a)
}

/// Kleene's logic: what is certain needs no more.
fn and(a: Truth, b: Truth) -> Truth {
    match (a, b) {
        (Ok(false), _) | (_, Ok(false)) => Ok(false),
        (Ok(true), Ok(true)) => Ok(true),
        (Err(reason), _) | (_, Err(reason)) => Err(reason),
    }
}

fn or(a: Truth, b: Truth) -> Truth {
    not(and(not(a), not(b)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Facts, container, daemon, network, strings, target};
    use super::*;

    const FILTERS: &[(&str, bool)] = &[("iptables", true), ("ip6tables", true), ("rootless", false)];

    fn of(version: &str, engine: Facts<'_>, facts: Facts<'_>) -> String {
        let mut base: Vec<(&'static str, Value)> = vec![("version", version.into())];
        base.extend(FILTERS.iter().map(|(fact, on)| (*fact, Value::from(*on))));
        base.extend(engine.iter().cloned());
        let mut t = target(vec![
            daemon(&base),
            network("n", facts),
            container("owner", &[("networks", strings(&["n"]))]),
            container("web", &[("joins", strings(&["network:owner"]))]),
        ]);
        derive(&mut t);
        t.components[3].value("all_ports_open").to_string()
    }

    #[test]
    fn ports_are_open_where_nothing_keeps_others_out() {
        let mode = |mode: &str| ("gateway_mode_ipv4", Value::from(mode));
        let mode6 = |mode: &str| ("gateway_mode_ipv6", Value::from(mode));
        let (ipv6, internal) = (("ipv6", Value::from(true)), ("internal", Value::from(true)));
        let none = || ("ip6tables", Value::from(false));
        let unknown = |fact| (fact, Value::unknown("denied"));
        for (version, engine, facts, expected) in [
            ("29.1.0", vec![], vec![], "false"),
            ("29.1.0", vec![], vec![("driver", "macvlan".into())], "true"),
            ("29.1.0", vec![], vec![("driver", "odd".into())], "unknown (what the driver odd opens is not known)"),
            ("29.1.0", vec![], vec![mode("routed")], "false"),
            ("29.1.0", vec![], vec![mode("nat-unprotected")], "true"),
            ("20.10.24", vec![], vec![mode("nat-unprotected")], "false"),
            ("29.1.0", vec![], vec![mode("nat-unprotected"), internal.clone()], "false"),
            ("29.1.0", vec![("rootless", true.into())], vec![mode("nat-unprotected")], "false"),
            ("29.1.0", vec![], vec![mode6("nat-unprotected")], "false"),
            ("29.1.0", vec![], vec![mode6("nat-unprotected"), ipv6.clone()], "true"),
            ("29.1.0", vec![none()], vec![], "false"),
            ("29.1.0", vec![none()], vec![ipv6.clone()], "true"),
            ("29.1.0", vec![none()], vec![ipv6.clone(), internal.clone()], "false"),
            ("20.10.24", vec![none()], vec![ipv6.clone(), internal.clone()], "true"),
            ("29.1.0", vec![("iptables", false.into())], vec![], "true"),
            ("29.1.0", vec![("iptables", false.into())], vec![internal], "false"),
            ("29.1.0", vec![("iptables", false.into()), ("engine", "podman".into())], vec![], "false"),
            ("29.1.0", vec![unknown("iptables")], vec![], "unknown (denied)"),
            ("29.1.0", vec![unknown("ip6tables")], vec![], "false"),
            ("29.1.0", vec![unknown("ip6tables")], vec![ipv6], "unknown (denied)"),
            ("29.1.0", vec![], vec![unknown("gateway_mode_ipv4")], "unknown (denied)"),
        ] {
            assert_eq!(of(version, &engine, &facts), expected, "{version} {engine:?} {facts:?}");
        }
    }
}
