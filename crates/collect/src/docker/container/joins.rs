//! Namespaces that containers share with each other: who joins whom, and whether that ends at the host, or on the
//! default bridge.

use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;

use super::super::json::{Node, Read, cut, value};
use super::Mapped;

/// Whose namespace a container is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// One of its own, or of the engine's making.
    Own,
    /// The host's.
    Host,
    /// Another container's, by its id or name.
    Container(Box<str>),
    /// Not known, and why.
    Unknown(Arc<str>),
}

impl Mode {
    pub(super) fn read(node: Node<'_>) -> Self {
        match node.text() {
            Ok("host") => Self::Host,
            Ok(text) => match text.strip_prefix("container:") {
                Some(other) => Self::Container(cut(other).into()),
                None => Self::Own,
            },
            Err(reason) => Self::Unknown(reason),
        }
    }

    /// Whether it is the host's, as far as the mode itself tells.
    pub(super) fn host(&self) -> Read<bool> {
        match self {
            Self::Own => Ok(false),
            Self::Host => Ok(true),
            Self::Container(_) => Err("it is another container's, which has not been read".into()),
            Self::Unknown(reason) => Err(Arc::clone(reason)),
        }
    }
}

/// The namespaces of a container that may be another's.
#[derive(Debug, Clone)]
pub struct Modes {
    id: Box<str>,
    name: Box<str>,
    of: [Mode; 3],
}

/// Kind in `joins`, fact, and field, in the order of [`Modes::of`].
const KINDS: [(&str, &str, &str); 3] = [
    ("network", "host_network", "HostConfig.NetworkMode"),
    ("pid", "host_pid", "HostConfig.PidMode"),
    ("ipc", "host_ipc", "HostConfig.IpcMode"),
];

/// Networks come first in [`KINDS`].
const NETWORK: usize = 0;

/// The longest chain of containers that is followed.
const LONGEST: usize = 32;

impl Modes {
    pub(super) fn of(id: &str, name: &str, host: Node<'_>) -> Self {
        let read = |key| Mode::read(host.get(key));
        Self { id: id.into(), name: name.into(), of: [read("NetworkMode"), read("PidMode"), read("IpcMode")] }
    }

    /// A container of which nothing but id and name is known.
    pub(super) fn unknown(id: &str, name: &str, reason: &Arc<str>) -> Self {
        let unknown = || Mode::Unknown(Arc::clone(reason));
        Self { id: id.into(), name: name.into(), of: [unknown(), unknown(), unknown()] }
    }
}

/// Finishes `joins` and the host's namespaces of containers that are in another's.
pub fn resolve_joins(containers: &mut [Mapped]) {
    let index = Index::of(containers);
    let mut found = Vec::new();
    for (at, mapped) in containers.iter().enumerate() {
        if !mapped.modes.of.iter().any(|mode| matches!(mode, Mode::Container(_))) {
            continue;
        }
        let mut joins = Vec::new();
        let mut host = [None, None, None];
        let mut bridge = None;
        for (kind, mode) in mapped.modes.of.iter().enumerate() {
            let Mode::Container(other) = mode else { continue };
            let name = index.find(other).map_or(other.as_ref(), |i| containers[i].modes.name.as_ref());
            joins.push(Value::from(format!("{}:{name}", KINDS[kind].0)));
            let end = end_of(containers, &index, at, kind);
            if kind == NETWORK {
                bridge = Some(end.clone().map(|end| containers[end].component.value("default_bridge").clone()));
            }
            host[kind] = Some(end.and_then(|end| is_host(containers, end, kind)));
        }
        found.push((at, joins, host, bridge));
    }
    for (at, joins, host, bridge) in found {
        let component = &mut containers[at].component;
        let place = Arc::clone(&component.fact("joins").source.place);
        component.set("joins", Value::List(joins), Source::new(&place, "HostConfig.NetworkMode, PidMode, IpcMode"));
        if let Some(bridge) = bridge {
            let bridge = bridge.unwrap_or_else(Value::Unknown);
            component.set("default_bridge", bridge, Source::new(&place, "HostConfig.NetworkMode"));
        }
        for (kind, read) in host.into_iter().enumerate() {
            let Some(read) = read else { continue };
            let (_, fact, field) = KINDS[kind];
            // What the kernel showed stands, save that the engine's own namespace is the host's to its containers.
            if component.value(fact).is_unknown() || read == Ok(true) {
                component.set(fact, value(read), Source::new(&place, field));
            }
        }
    }
}

/// Follows a container's namespace to the container whose own it is, or that names the host's.
fn end_of(containers: &[Mapped], index: &Index, start: usize, kind: usize) -> Read<usize> {
    let mut at = start;
    for _ in 0..LONGEST {
        match &containers[at].modes.of[kind] {
            Mode::Container(other) => match index.find(other) {
                Some(next) => at = next,
                None => return Err(format!("it joined container {other}, which is not there").into()),
            },
            _ => return Ok(at),
        }
    }
    Err("the containers that it joined lead in a circle".into())
}

/// Whether a namespace that is no other container's is the host's; the kernel may have shown it.
fn is_host(containers: &[Mapped], at: usize, kind: usize) -> Read<bool> {
    let shown = containers[at].component.value(KINDS[kind].1).as_bool();
    shown.map_or_else(|| containers[at].modes.of[kind].host(), Ok)
}

/// Containers by id, name and short id.
struct Index {
    exact: HashMap<Box<str>, usize>,
    ids: Vec<(Box<str>, usize)>,
}

impl Index {
    fn of(containers: &[Mapped]) -> Self {
        let mut exact = HashMap::with_capacity(containers.len() * 2);
        let mut ids = Vec::with_capacity(containers.len());
        for (at, mapped) in containers.iter().enumerate() {
            // An id wins over another's name, as in the engine.
            exact.entry(mapped.modes.name.clone()).or_insert(at);
            ids.push((mapped.modes.id.clone(), at));
        }
        for (id, at) in &ids {
            exact.insert(id.clone(), *at);
        }
        ids.sort_unstable();
        Self { exact, ids }
    }

    fn find(&self, reference: &str) -> Option<usize> {
        let reference = reference.trim_start_matches('/');
        if let Some(at) = self.exact.get(reference) {
            return Some(*at);
        }
        let from = self.ids.partition_point(|(id, _)| id.as_ref() < reference);
        let mut hits = self.ids[from..].iter().take_while(|(id, _)| id.starts_with(reference));
        match (hits.next(), hits.next()) {
            (Some((_, at)), None) if !reference.is_empty() => Some(*at),
            _ => None,
        }
    }
}
