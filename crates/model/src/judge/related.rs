//! Which components a check is looked up on, for a threat about another kind: the container's image, the networks
//! that it is on, the volumes that it mounts, and back; else everything of the kind in the target.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

const CONTAINER: &str = "docker.container";
const IMAGE: &str = "docker.image";
const NETWORK: &str = "docker.network";
const VOLUME: &str = "docker.volume";
const REGISTRY: &str = "docker.registry";

/// The kinds that components are tied to.
const TIED: [&str; 17] = [
    CONTAINER,
    IMAGE,
    NETWORK,
    VOLUME,
    REGISTRY,
    "kubernetes.node",
    "kubernetes.kubelet",
    "kubernetes.namespace",
    "kubernetes.pod",
    "kubernetes.container",
    "kubernetes.service-account",
    "kubernetes.service",
    "kubernetes.network-policy",
    "kubernetes.secret",
    "kubernetes.config-map",
    "kubernetes.ingress",
    "kubernetes.volume",
];

/// How a component of a cluster names another: its kind, the other's, the fact, and what the name lacks to be the other's
/// id or name.
const OF_CLUSTERS: &[(&str, &str, &str, Form)] = &[
    ("kubernetes.container", "kubernetes.pod", "pod", Form::Whole),
    ("kubernetes.container", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.container", "kubernetes.service-account", "service_account", Form::OfNamespace),
    ("kubernetes.pod", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.pod", "kubernetes.service-account", "service_account", Form::OfNamespace),
    ("kubernetes.pod", "kubernetes.node", "nodes", Form::Whole),
    ("kubernetes.service-account", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.service", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.service", "kubernetes.pod", "pods", Form::Whole),
    ("kubernetes.network-policy", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.secret", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.config-map", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.ingress", "kubernetes.namespace", "namespace", Form::Whole),
    ("kubernetes.kubelet", "kubernetes.node", "node", Form::Whole),
];

/// What the text of a fact is to the component that it names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Its name or id.
    Whole,
    /// Its name without the namespace, which is the one that the component itself lies in.
    OfNamespace,
}

/// How components of one kind name those of another.
fn naming(from: &str, to: &str) -> Option<(&'static str, Form)> {
    OF_CLUSTERS.iter().find(|(f, t, ..)| *f == from && *t == to).map(|(_, _, fact, form)| (*fact, *form))
}

/// Components of one kind that stand in a relation to another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Related {
    /// By position in the target, ascending.
    pub components: Vec<usize>,
    /// Why there may be others.
    pub unknown: Option<Arc<str>>,
}

/// How a component names the ones that it belongs to.
struct Names<'a> {
    /// The names, in the form by which [`Links::named`] knows components.
    names: Vec<Cow<'a, str>>,
    unknown: Option<Arc<str>>,
}

/// The components of a target by the names that others use for them.
pub(super) struct Links<'a> {
    target: &'a Target,
    /// By kind and name.
    named: HashMap<(&'static str, &'a str), Vec<usize>>,
    /// For each kind its components.
    of_kind: HashMap<&'static str, Vec<usize>>,
    /// By the kind that is named and the kind that names it.
    back: HashMap<(&'static str, &'static str), Back>,
    /// For each component and each of [`TIED`] what was found: many checks ask for the same.
    found: Vec<[OnceCell<Option<Related>>; TIED.len()]>,
}

/// A relation read backwards.
#[derive(Default)]
struct Back {
    /// For each component, by position, those that name it.
    by: HashMap<usize, Vec<usize>>,
    /// Why others may.
    unknown: Option<Arc<str>>,
}

impl<'a> Links<'a> {
    pub fn new(target: &'a Target) -> Self {
        let mut named: HashMap<(&'static str, &'a str), Vec<usize>> = HashMap::new();
        let mut of_kind: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (i, component) in target.components.iter().enumerate() {
            let kind = component.kind.name;
            let name = if kind == IMAGE { bare(&component.id) } else { &component.name };
            named.entry((kind, name)).or_default().push(i);
            if kind == "kubernetes.pod" && name != &*component.id {
                named.entry((kind, &component.id)).or_default().push(i);
            }
            of_kind.entry(kind).or_default().push(i);
        }
        let found = target.components.iter().map(|_| Default::default()).collect();
        let mut links = Self { target, named, of_kind, back: HashMap::new(), found };
        let of_engines = [(CONTAINER, IMAGE), (CONTAINER, NETWORK), (CONTAINER, VOLUME), (IMAGE, REGISTRY)];
        for (from, to) in of_engines.into_iter().chain(OF_CLUSTERS.iter().map(|(from, to, ..)| (*from, *to))) {
            let back = links.backwards(from, to);
            links.back.insert((to, from), back);
        }
        links
    }

    /// Everything of a kind that was listed.
    pub fn all(&self, kind: &str) -> &[usize] {
        self.of_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The components of a kind that belong to one; none where the two kinds are not tied, so that all of the kind
    /// stand for them.
    pub fn of(&self, component: usize, kind: &str) -> Option<&Related> {
        let at = TIED.iter().position(|tied| *tied == kind)?;
        self.found.get(component)?[at].get_or_init(|| self.find(component, kind)).as_ref()
    }

    fn find(&self, component: usize, kind: &str) -> Option<Related> {
        let own = self.target.components.get(component)?;
        match (own.kind.name, kind) {
            (CONTAINER, IMAGE | NETWORK | VOLUME) | (IMAGE, REGISTRY) => Some(self.forwards(own, kind)),
            (IMAGE | NETWORK | VOLUME, CONTAINER) | (REGISTRY, IMAGE) => {
                let back: &HashMap<(&str, &str), Back> = &self.back;
                let back = back.get(&(own.kind.name, kind))?;
                let components = back.by.get(&component).cloned().unwrap_or_default();
                Some(Related { components, unknown: back.unknown.clone() })
            }
            (CONTAINER, REGISTRY) => {
                let images = self.forwards(own, IMAGE);
                let mut found = Related { components: Vec::new(), unknown: images.unknown };
                for image in images.components {
                    let through = self.forwards(&self.target.components[image], REGISTRY);
                    found.components.extend(through.components);
                    found.unknown = found.unknown.or(through.unknown);
                }
                found.components.sort_unstable();
                found.components.dedup();
                Some(found)
            }
            (from, to) if naming(from, to).is_some() => Some(self.forwards(own, kind)),
            (from, to) if naming(to, from).is_some() => {
                let back: &HashMap<(&str, &str), Back> = &self.back;
                let back = back.get(&(from, to))?;
                let components = back.by.get(&component).cloned().unwrap_or_default();
                Some(Related { components, unknown: back.unknown.clone() })
            }
            _ => None,
        }
    }

    /// Whether components of the first kind are tied to some of the second alone.
    pub fn tied(from: &str, to: &str) -> bool {
        matches!(
            (from, to),
            (CONTAINER, IMAGE | NETWORK | VOLUME | REGISTRY)
                | (IMAGE, CONTAINER | REGISTRY)
                | (NETWORK | VOLUME, CONTAINER)
                | (REGISTRY, IMAGE)
        ) || naming(from, to).is_some()
            || naming(to, from).is_some()
    }

    fn forwards(&self, from: &'a Component, kind: &str) -> Related {
        let Names { names, mut unknown } = names(from, kind);
        let mut components = Vec::new();
        for name in names {
            match self.named(kind, &name) {
                Some(found) => components.extend_from_slice(found),
                None => {
                    let what = kind.rsplit('.').next().unwrap_or(kind);
                    let why = self.target.incomplete.get(kind).map_or("it is not among those that were listed", |r| r);
                    unknown.get_or_insert_with(|| format!("the {what} `{name}` could not be looked at: {why}").into());
                }
            }
        }
        components.sort_unstable();
        components.dedup();
        Related { components, unknown }
    }

    fn backwards(&self, from: &'static str, to: &'static str) -> Back {
        let mut back = Back::default();
        if let Some(reason) = self.target.incomplete.get(from) {
            let what = from.rsplit('.').next().unwrap_or(from);
            back.unknown = Some(format!("not every {what} could be listed: {reason}").into());
        }
        for &i in self.all(from) {
            let Names { names, unknown } = names(&self.target.components[i], to);
            back.unknown = back.unknown.take().or(unknown);
            for name in names {
                for &named in self.named(to, &name).into_iter().flatten() {
                    let by = back.by.entry(named).or_default();
                    if by.last() != Some(&i) {
                        by.push(i);
                    }
                }
            }
        }
        back
    }

    fn named<'s>(&'s self, kind: &'s str, name: &'s str) -> Option<&'s Vec<usize>> {
        // Shortens the lifetime of the keys to that of the names asked for.
        let named: &HashMap<(&'s str, &'s str), Vec<usize>> = &self.named;
        named.get(&(kind, name))
    }
}

/// The names of components of a kind that a component's facts hold.
fn names<'a>(from: &'a Component, kind: &str) -> Names<'a> {
    match (from.kind.name, kind) {
        (CONTAINER, IMAGE) => {
            texts(from, "image_id", std::slice::from_ref(from.value("image_id")), |v| v.as_str().map(bare))
        }
        (CONTAINER, NETWORK) => listed(from, "networks", Value::as_str),
        (CONTAINER, VOLUME) => listed(from, "mounts", |mount| mount.field("volume").and_then(Value::as_str)),
        (IMAGE, REGISTRY) => listed(from, "registries", Value::as_str),
        (of, kind) => match naming(of, kind) {
            Some((fact, form)) => of_cluster(from, fact, form),
            None => Names { names: Vec::new(), unknown: None },
        },
    }
}

fn of_cluster<'a>(from: &'a Component, fact: &'static str, form: Form) -> Names<'a> {
    let mut found = match from.value(fact) {
        Value::List(items) => texts(from, fact, items, Value::as_str),
        other => texts(from, fact, std::slice::from_ref(other), Value::as_str),
    };
    if form == Form::OfNamespace {
        match from.value("namespace").as_str() {
            Some(namespace) => {
                found.names.iter_mut().for_each(|name| *name = format!("{namespace}/{name}").into());
            }
            None => found = Names { names: Vec::new(), unknown: Some(why(from, "namespace", from.value("namespace"))) },
        }
    }
    found
}

fn listed<'a>(from: &'a Component, fact: &'static str, name: impl Fn(&'a Value) -> Option<&'a str>) -> Names<'a> {
    match from.value(fact) {
        Value::List(items) => texts(from, fact, items, name),
        other => Names { names: Vec::new(), unknown: Some(why(from, fact, other)) },
    }
}

fn texts<'a>(
    from: &Component,
    fact: &'static str,
    items: &'a [Value],
    name: impl Fn(&'a Value) -> Option<&'a str>,
) -> Names<'a> {
    let mut found = Names { names: Vec::with_capacity(items.len()), unknown: None };
    for item in items {
        match name(item) {
            // A mount that is no volume.
            Some("") => {}
            Some(name) => found.names.push(name.into()),
            None => {
                found.unknown.get_or_insert_with(|| why(from, fact, item));
            }
        }
    }
    found
}

fn why(from: &Component, fact: &str, value: &Value) -> Arc<str> {
    let field = value.field("volume").and_then(Value::reason);
    let reason = value.reason().or(field).map_or("it was not collected", |r| r);
    format!("`{fact}` of {} is unknown: {reason}", from.name).into()
}

/// An image's id without its algorithm, which some engines leave out.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}
