//! Derived facts: what follows from several components. Computed from a target before judging; each cites the facts
//! that it rests on and is unknown where one of them decides and is unknown.

mod flaws;
mod mounts;
mod registries;
mod registry;
mod root;

use std::sync::Arc;

use crate::flaw::FlawTable;
use crate::path::normalise;
use crate::schema::docker;
use crate::snapshot::{Snapshot, Target};
use crate::value::Value;

pub use registries::registries;

/// Computes every derived fact of a snapshot.
pub fn derive(snapshot: &mut Snapshot, flaws: &FlawTable) {
    let collected_at = snapshot.collected_at;
    for target in &mut snapshot.targets {
        registry::derive(target);
        mounts::derive(target);
        root::derive(target);
        flaws::derive(target, flaws, collected_at);
    }
}

/// The value of a fact of the target's only component of a kind.
fn only<'a>(target: &'a Target, kind: &'static crate::schema::Kind, fact: &str) -> &'a Value {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::unknown("it was not collected"));
    target.of(kind).next().map_or(&NONE, |c| c.value(fact))
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
