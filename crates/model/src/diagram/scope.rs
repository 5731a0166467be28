//! A target with what is looked up in it again and again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::diagram::{Certainty, FactRef};
use seaworthy_core::identity::{fingerprint, identities};
use seaworthy_core::schema::{Kind, docker};
use seaworthy_core::snapshot::{Snapshot, Target};
use seaworthy_core::value::Value;

use super::zones::Zones;

/// The longest text that a label, a name or an id takes over, in characters.
const LONGEST: usize = 160;

/// The longest chain of joined network namespaces that is followed.
const LONGEST_CHAIN: usize = 32;

/// The most items of one list that become flows of their own; the rest becomes one.
pub(super) const MOST_OF_A_LIST: usize = 64;

/// The actors' elements.
#[derive(Clone, Copy, Default)]
pub(super) struct Actors {
    pub internet: usize,
    pub local_network: usize,
    pub local_user: usize,
    pub engine_group: Option<usize>,
}

/// A target, its components by kind and name, and where each is drawn.
pub(super) struct Scope<'a> {
    pub at: usize,
    pub target: &'a Target,
    /// What ids begin with: the target's name, unique in the snapshot.
    pub prefix: String,
    /// The ids of the components' elements: the target and the identity, which is shortened when it is long.
    pub ids: Vec<String>,
    pub zones: Zones,
    pub actors: Actors,
    /// The element of each component.
    pub element: Vec<usize>,
    pub host: Option<usize>,
    pub daemon: Option<usize>,
    by_kind: HashMap<&'static str, Vec<usize>>,
    by_name: HashMap<(&'static str, &'a str), usize>,
    by_id: HashMap<(&'static str, &'a str), usize>,
}

impl<'a> Scope<'a> {
    /// All targets of a snapshot.
    pub fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let (mut names, mut ids) = (Ids::default(), Ids::default());
        let targets = snapshot.targets.iter().enumerate();
        targets.map(|(at, target)| Self::new(at, target, names.unique(short(&target.name)), &mut ids)).collect()
    }

    fn new(at: usize, target: &'a Target, prefix: String, ids: &mut Ids) -> Self {
        let mut by_kind: HashMap<&'static str, Vec<usize>> = HashMap::new();
        let (mut by_name, mut by_id) = (HashMap::new(), HashMap::new());
        for (i, component) in target.components.iter().enumerate() {
            by_kind.entry(component.kind.name).or_default().push(i);
            by_name.entry((component.kind.name, &*component.name)).or_insert(i);
            by_id.entry((component.kind.name, &*component.id)).or_insert(i);
            if std::ptr::eq(component.kind, &docker::IMAGE) {
                by_name.entry((component.kind.name, &*component.id)).or_insert(i);
            }
        }
        let first = |kind: &Kind| by_kind.get(kind.name).and_then(|all| all.first()).copied();
        Self {
            at,
            target,
            ids: identities(target).iter().map(|i| ids.unique(format!("{prefix}/{}", short(i)))).collect(),
            prefix,
            zones: Zones::default(),
            actors: Actors::default(),
            element: vec![0; target.components.len()],
            host: first(&docker::HOST),
            daemon: first(&docker::DAEMON),
            by_kind,
            by_name,
            by_id,
        }
    }

    /// The positions of a kind's components.
    pub fn all_of(&self, kind: &Kind) -> &[usize] {
        self.by_kind.get(kind.name).map_or(&[], Vec::as_slice)
    }

    /// A component by position.
    pub fn component(&self, at: usize) -> &'a Component {
        &self.target.components[at]
    }

    /// A component by its name, an image by its id too; of equal names the first.
    pub fn named(&self, kind: &'static Kind, name: &str) -> Option<usize> {
        self.by_name.get(&(kind.name, name)).copied()
    }

    /// Whether it is a cluster, or manifests for one.
    pub fn is_cluster(&self) -> bool {
        let of = |platform| self.by_kind.keys().any(|kind| kind.starts_with(platform));
        of("kubernetes.") && self.host.is_none() && self.daemon.is_none()
    }

    /// A component by its id.
    pub fn by_id(&self, kind: &'static Kind, id: &str) -> Option<usize> {
        self.by_id.get(&(kind.name, id)).copied()
    }

    /// A value of a component.
    pub fn value(&self, at: usize, fact: &str) -> &'a Value {
        self.component(at).value(fact)
    }

    /// A fact of a component, to cite.
    pub fn cite(&self, at: usize, fact: &str) -> Option<FactRef> {
        let fact = self.component(at).kind.index(fact)?;
        Some(FactRef { target: self.at, component: at, fact })
    }

    /// A fact of a component that may not be there, to cite.
    pub fn cite_of(&self, at: Option<usize>, fact: &str) -> Option<FactRef> {
        self.cite(at?, fact)
    }

    /// A value of the daemon; why it is unknown where there is none.
    pub fn of_daemon(&self, fact: &str) -> Result<&'a Value, Arc<str>> {
        self.of_only(self.daemon, &docker::DAEMON, fact)
    }

    /// A value of the host; why it is unknown where there is none.
    pub fn of_host(&self, fact: &str) -> Result<&'a Value, Arc<str>> {
        self.of_only(self.host, &docker::HOST, fact)
    }

    fn of_only(&self, at: Option<usize>, kind: &'static Kind, fact: &str) -> Result<&'a Value, Arc<str>> {
        match at.map(|at| self.value(at, fact)) {
            Some(Value::Unknown(reason)) => Err(Arc::clone(reason)),
            Some(value) => Ok(value),
            None => Err(self.unlisted(kind).unwrap_or_else(|| format!("{} was not collected", kind.name).into())),
        }
    }

    /// Why the list of a kind is not complete.
    pub fn unlisted(&self, kind: &'static Kind) -> Option<Arc<str>> {
        self.target.incomplete.get(kind.name).map(|reason| reason.as_str().into())
    }

    /// Whether what a container is configured for is in effect now.
    pub fn in_effect(&self, container: usize) -> Certainty {
        match truth(self.value(container, "running")) {
            Ok(true) => Certainty::Proven,
            Ok(false) => Certainty::Possible(
                format!("{} does not run; it comes with its next start", cut(&self.component(container).name)).into(),
            ),
            Err(reason) => Certainty::Possible(reason),
        }
    }

    /// The container whose network namespace a container is in, itself where it has one of its own.
    pub fn network_of(&self, container: usize) -> usize {
        let mut at = container;
        for _ in 0..LONGEST_CHAIN {
            let joins = self.value(at, "joins").as_list().unwrap_or_default();
            let other = joins.iter().filter_map(Value::as_str).find_map(|join| join.strip_prefix("network:"));
            match other.and_then(|name| self.named(&docker::CONTAINER, name)) {
                Some(next) if next != at => at = next,
                _ => return at,
            }
        }
        container
    }
}

/// Ids that were given: hostile names may look like another's with its ordinal.
#[derive(Default)]
pub(super) struct Ids(HashSet<String>);

impl Ids {
    /// The id, with an ordinal where it was given before.
    pub fn unique(&mut self, id: String) -> String {
        let mut this = id.clone();
        let mut ordinal = 1;
        while !self.0.insert(this.clone()) {
            ordinal += 1;
            this = format!("{id}#{ordinal}");
        }
        this
    }
}

/// A truth value, or why it is not known.
pub(super) fn truth(value: &Value) -> Result<bool, Arc<str>> {
    match value {
        Value::Bool(b) => Ok(*b),
        Value::Unknown(reason) => Err(Arc::clone(reason)),
        _ => Err("it is no truth value".into()),
    }
}

/// The items of a list, or why there are none.
pub(super) fn list(value: &Value) -> Result<&[Value], Arc<str>> {
    match value {
        Value::List(items) => Ok(items),
        Value::Unknown(reason) => Err(Arc::clone(reason)),
        _ => Err("it is no list".into()),
    }
}

/// A text of an object; empty where it is none.
pub(super) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.field(field).and_then(Value::as_str).unwrap_or_default()
}

/// Hostile text, cut to a length that a label can bear.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The same, and still unique: what is cut off leaves its fingerprint.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}~{}", &text[..at], fingerprint(&[text])),
        None => text.to_owned(),
    }
}
