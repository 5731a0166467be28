//! Derived facts: what follows from several components. Computed from a target before judging; each cites the facts
//! that it rests on and is unknown where one of them decides and is unknown.

mod commanders;
mod exposure;
mod flaws;
mod groups;
mod kubernetes;
mod listeners;
mod mounts;
mod networks;
mod open_ports;
mod registries;
mod registry;
mod root;
mod sharing;

use std::collections::HashMap;
use std::sync::Arc;

use crate::component::Component;
use crate::flaw::FlawTable;
use crate::path::normalise;
use crate::schema::docker;
use crate::snapshot::{Snapshot, Target};
use crate::value::Value;

pub use exposure::link_reaches_loopback;
pub use mounts::{PLUGINS, is_known_place};
pub use registries::registries;

/// Computes every derived fact of a snapshot.
pub fn derive(snapshot: &mut Snapshot, flaws: &FlawTable) {
    let collected_at = snapshot.collected_at;
    for target in &mut snapshot.targets {
        if has_engine(target) {
            listeners::derive(target);
            groups::derive(target);
            registry::derive(target);
            together(target);
            flaws::derive(target, flaws, collected_at);
        }
        kubernetes::derive(target);
    }
}

/// Whether it may have an engine, about which there is something to derive: clusters and files have none.
fn has_engine(target: &Target) -> bool {
    !matches!(target.platform.as_str(), "kubernetes" | "files")
}

/// Computes anew what follows from several components, where facts of a snapshot were changed that was derived already.
/// What only versions, names of images and the daemon's own listeners decide stays, and with it every component's place.
pub fn follow(snapshot: &mut Snapshot) {
    for target in &mut snapshot.targets {
        if has_engine(target) {
            together(target);
        }
        kubernetes::derive(target);
    }
}

/// What follows from several components, in the order in which one needs the other.
fn together(target: &mut Target) {
    mounts::derive(target);
    root::derive(target);
    networks::derive(target);
    sharing::derive(target);
    exposure::derive(target);
    open_ports::derive(target);
    commanders::derive(target);
}

/// The value of a fact of the target's only component of a kind.
fn only<'a>(target: &'a Target, kind: &'static crate::schema::Kind, fact: &str) -> &'a Value {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::unknown("it was not collected"));
    target.of(kind).next().map_or(&NONE, |c| c.value(fact))
}

/// Where the engine keeps its data, and where its layers lie: who writes there decides over every container.
fn engine_directories(target: &Target) -> Vec<String> {
    let host = |fact| only(target, &docker::HOST, fact).as_str().map(|path| normalise(path).into_owned());
    let mut found: Vec<String> = ["data_root", "layers_dir"].into_iter().filter_map(host).collect();
    found.retain(|path| path.len() > 1 && path.starts_with('/'));
    found.dedup();
    found
}

/// The unix sockets of the engine, or the reason why they are not all known.
fn engine_sockets(target: &Target) -> (Vec<String>, Option<Arc<str>>) {
    let mut sockets = Vec::new();
    if let Some(path) = target.address.strip_prefix("unix://") {
        sockets.push(normalise(path).into_owned());
    }
    match only(target, &docker::DAEMON, "listeners") {
        Value::List(listeners) => {
            let addresses = listeners.iter().filter_map(|l| l.field("address").and_then(Value::as_str));
            sockets.extend(addresses.filter_map(|a| a.strip_prefix("unix://")).map(|a| normalise(a).into_owned()));
            (sockets, None)
        }
        Value::Unknown(reason) => (sockets, Some(Arc::clone(reason))),
        _ => (sockets, None),
    }
}

/// The longest chain of joined network namespaces that is followed.
const LONGEST_CHAIN: usize = 32;

/// The most entries of one derived list that are named.
const MOST_NAMED: usize = 64;

/// The containers of a target by name, to follow what they join.
struct Containers<'a> {
    all: Vec<&'a Component>,
    by_name: HashMap<&'a str, usize>,
    /// Why there may be more than these.
    unlisted: Option<Arc<str>>,
}

impl<'a> Containers<'a> {
    fn of(target: &'a Target) -> Self {
        let all: Vec<&Component> = target.of(&docker::CONTAINER).collect();
        let mut by_name = HashMap::with_capacity(all.len());
        for (i, container) in all.iter().enumerate() {
            by_name.entry(&*container.name).or_insert(i);
        }
        let unlisted = target.incomplete.get(docker::CONTAINER.name).map(|reason| reason.as_str().into());
        Self { all, by_name, unlisted }
    }

    /// The container whose network namespace this one is in: itself, or the end of what it joins.
    fn network_of(&self, at: usize) -> Result<&'a Component, Arc<str>> {
        let mut this = self.all[at];
        for _ in 0..LONGEST_CHAIN {
            let joins = match this.value("joins") {
                Value::List(joins) => joins,
                Value::Unknown(reason) => return Err(Arc::clone(reason)),
                _ => return Ok(this),
            };
            if let Some(reason) = joins.iter().find_map(Value::reason) {
                return Err(Arc::clone(reason));
            }
            let joined = joins.iter().filter_map(Value::as_str).find_map(|join| join.strip_prefix("network:"));
            let Some(name) = joined else { return Ok(this) };
            let next = self.by_name.get(name).ok_or_else(|| format!("it joined {name}, which is not there"))?;
            this = self.all[*next];
        }
        Err("the containers that it joined lead in a circle".into())
    }
}

/// A list, to which an unknown belongs when there may be more; unknown as a whole where nothing else is known.
fn open_list(mut known: Vec<Value>, unknown: Option<&Arc<str>>) -> Value {
    match unknown {
        Some(reason) if known.is_empty() => Value::Unknown(Arc::clone(reason)),
        Some(reason) => {
            known.push(Value::Unknown(Arc::clone(reason)));
            Value::List(known)
        }
        None => Value::List(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::Source;
    use crate::schema::Kind;

    pub(super) type Facts<'a> = &'a [(&'static str, Value)];

    pub(super) fn target(components: Vec<Component>) -> Target {
        let mut target = Target::new("t", "docker", "unix:///run/docker.sock");
        target.components = components;
        target
    }

    pub(super) fn strings(items: &[&str]) -> Value {
        Value::strings(items.to_vec())
    }

    pub(super) fn component(kind: &'static Kind, name: &str, facts: Facts<'_>) -> Component {
        let mut c = Component::new(kind, name, name);
        for (fact, value) in facts {
            c.set(fact, value.clone(), Source::place("test"));
        }
        c
    }

    fn with(base: &[(&'static str, Value)], kind: &'static Kind, name: &str, facts: Facts<'_>) -> Component {
        component(kind, name, &[base, facts].concat())
    }

    /// A container that shares nothing and publishes nothing.
    pub(super) fn container(name: &str, facts: Facts<'_>) -> Component {
        let none = || Value::List(vec![]);
        let alone = [
            ("networks", none()),
            ("joins", none()),
            ("mounts", none()),
            ("ports", none()),
            ("sandboxed", false.into()),
            ("host_network", false.into()),
            ("host_pid", false.into()),
            ("host_ipc", false.into()),
            ("host_uts", false.into()),
        ];
        with(&alone, &docker::CONTAINER, name, facts)
    }

    pub(super) fn network(name: &str, facts: Facts<'_>) -> Component {
        let usual = [
            ("driver", "bridge".into()),
            ("default_bridge", false.into()),
            ("internal", false.into()),
            ("icc", true.into()),
            ("ipv6", false.into()),
            ("gateway_mode_ipv4", "nat".into()),
            ("gateway_mode_ipv6", "nat".into()),
        ];
        with(&usual, &docker::NETWORK, name, facts)
    }

    pub(super) fn daemon(facts: Facts<'_>) -> Component {
        component(&docker::DAEMON, "daemon", facts)
    }
}
