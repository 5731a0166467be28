//! What somebody can do that matters to an attacker: the powers of a subject, joined from all that it is granted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalogue::POWERS;
use super::grants::{Bound, Grants};
use super::holding::{Holding, Names, Numbered, RIGHTS, WAYS, holding};
use super::who::{MASTERS, Who};

/// One power, in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The power, by its position in [`POWERS`].
    pub power: usize,
    /// The namespace in which alone it holds; none where in every one, or over what lies in none.
    pub namespace: Option<String>,
    /// The only objects over which it holds; empty where over all.
    pub names: BTreeSet<String>,
    /// The resources by which it is held.
    pub resources: BTreeSet<String>,
    /// The bindings by which, by position; empty where the API server asks none.
    pub through: BTreeSet<usize>,
}

impl Held {
    /// The power's name.
    pub fn name(&self) -> &'static str {
        POWERS[self.power].name
    }
}

/// The powers of somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Powers {
    /// Those that are known, the gravest first.
    pub held: Vec<Held>,
    /// Why there may be others.
    pub maybe: Option<Arc<str>>,
}

/// Answers which powers bindings give, for many subjects of one cluster.
pub struct Judge<'g, 'a> {
    grants: &'g Grants<'a>,
    holdings: Vec<Holding<'a>>,
    /// The cluster's minor version.
    minor: Result<i64, Arc<str>>,
}

/// A right held in one place.
#[derive(Clone, Debug)]
struct Have<'a> {
    names: Names<'a>,
    through: BTreeSet<usize>,
}

/// The rights held in one place, by number.
type Rights<'a> = Vec<Option<Have<'a>>>;

impl<'g, 'a> Judge<'g, 'a> {
    /// For what a cluster of a minor version grants; where that is not known, what depends on it is not either.
    pub fn new(grants: &'g Grants<'a>, minor: Result<i64, Arc<str>>) -> Self {
        Self { grants, holdings: grants.roles.iter().map(holding).collect(), minor }
    }

    /// The powers of somebody, by all bindings that bind them.
    pub fn powers_of(&self, who: &Who) -> Powers {
        if who.is_master() {
            return Powers { held: (0..POWERS.len()).map(master).collect(), maybe: None };
        }
        let mut powers = self.powers_by(&self.grants.bindings_of(who));
        for at in self.grants.open() {
            if self.gives_any(*at) {
                powers.maybe = powers.maybe.or_else(|| self.grants.bindings[*at].more.cloned());
            }
        }
        powers.maybe = powers.maybe.or_else(|| self.grants.unlisted.clone());
        if powers.held.iter().any(|held| held.power == 0 && held.namespace.is_none()) {
            powers.maybe = None;
        }
        powers
    }

    /// Whether a binding gives, or may give, a power or a part of one.
    fn gives_any(&self, at: usize) -> bool {
        match self.grants.bindings[at].role {
            Bound::Role(role) => self.role_gives_any(role),
            Bound::Missing => false,
            Bound::Unknown(_) => true,
        }
    }

    /// The powers that some bindings give together.
    pub fn powers_by(&self, bindings: &[usize]) -> Powers {
        let mut cluster: Rights<'a> = Vec::new();
        let mut spaces: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
        let mut maybe = None;
        for at in bindings.iter().copied().filter(|at| self.gives_any(*at)) {
            maybe = maybe.or_else(|| self.maybe_of(at));
            match self.grants.bindings[at].namespace {
                Some(namespace) => spaces.entry(namespace).or_default().push(at),
                None => self.join(&mut cluster, at),
            }
        }
        let mut found = Found::default();
        self.find(&cluster, None, &mut found, &mut maybe);
        for (namespace, bindings) in spaces {
            let mut rights = cluster.clone();
            bindings.iter().for_each(|at| self.join(&mut rights, *at));
            self.find(&rights, Some(namespace), &mut found, &mut maybe);
        }
        Powers { held: found.finish(), maybe }
    }

    /// The powers that a role gives whoever is bound to it: in the whole cluster, or where it lies.
    pub fn powers_of_role(&self, at: usize) -> Powers {
        self.powers_of_roles(&[at], self.grants.roles[at].namespace())
    }

    /// The powers that roles give together whoever is bound to all of them: in a namespace, or in the whole cluster.
    pub(super) fn powers_of_roles(&self, roles: &[usize], namespace: Option<&str>) -> Powers {
        let mut rights: Rights<'a> = Vec::new();
        let mut maybe = None;
        for at in roles {
            join(&mut rights, &self.holdings[*at], usize::MAX, |right| namespace.is_none() || !RIGHTS[right].cluster);
            maybe = maybe.or_else(|| self.holdings[*at].maybe.clone());
        }
        let mut found = Found::default();
        self.find(&rights, namespace, &mut found, &mut maybe);
        Powers { held: found.finish(), maybe }
    }

    /// What is granted, which this judges.
    pub(super) fn grants(&self) -> &'g Grants<'a> {
        self.grants
    }

    /// Whether a role gives, or may give, a power or a part of one.
    pub(super) fn role_gives_any(&self, role: usize) -> bool {
        !self.holdings[role].rights.is_empty() || self.holdings[role].maybe.is_some()
    }

    fn maybe_of(&self, at: usize) -> Option<Arc<str>> {
        match &self.grants.bindings[at].role {
            Bound::Role(role) => self.holdings[*role].maybe.clone(),
            Bound::Missing => None,
            Bound::Unknown(why) => Some(Arc::clone(why)),
        }
    }

    /// Adds what a binding gives; in a namespace not what lies in none.
    fn join(&self, rights: &mut Rights<'a>, at: usize) {
        let binding = &self.grants.bindings[at];
        if let Bound::Role(role) = binding.role {
            join(rights, &self.holdings[role], at, |right| binding.namespace.is_none() || !RIGHTS[right].cluster);
        }
    }

    /// Finds the powers that rights make in one place.
    fn find(&self, rights: &Rights<'a>, namespace: Option<&str>, found: &mut Found<'a>, maybe: &mut Option<Arc<str>>) {
        if rights.is_empty() {
            return;
        }
        for numbered in &*WAYS {
            let Some(have) = taken(rights, numbered, namespace, self.grants) else { continue };
            match &self.minor {
                Ok(minor) if *minor > numbered.way.until || *minor < numbered.way.since => continue,
                Err(why) if numbered.way.until != i64::MAX || numbered.way.since != 0 => {
                    if !found.has(numbered.power, namespace) {
                        maybe.get_or_insert_with(|| Arc::clone(why));
                    }
                    continue;
                }
                _ => {}
            }
            found.take(numbered, have, namespace);
        }
    }
}

fn join<'a>(rights: &mut Rights<'a>, holding: &Holding<'a>, at: usize, takes: impl Fn(usize) -> bool) {
    if rights.is_empty() {
        rights.resize_with(RIGHTS.len(), || None);
    }
    for (right, names) in holding.rights.iter().filter(|(right, _)| takes(*right)) {
        match &mut rights[*right] {
            Some(have) => {
                have.names.join(names);
                have.through.insert(at);
            }
            empty => *empty = Some(Have { names: names.clone(), through: BTreeSet::from([at]) }),
        }
    }
}

/// A power that a way gives.
struct Taken<'a> {
    names: Names<'a>,
    /// Names of what another right than the first is limited to, with its resource.
    also: BTreeSet<String>,
    through: BTreeSet<usize>,
}

/// What a way gives with these rights; none where one of its rights is missing, or where it lies elsewhere.
fn taken<'a>(rights: &Rights<'a>, way: &Numbered, namespace: Option<&str>, grants: &Grants<'_>) -> Option<Taken<'a>> {
    let (first, others) = way.way.rights.split_first()?;
    if first.over.only().is_some_and(|only| namespace.is_some_and(|namespace| namespace != only)) {
        return None;
    }
    let have = rights.get(way.first)?.as_ref()?;
    let mut taken = Taken { names: have.names.clone(), also: BTreeSet::new(), through: have.through.clone() };
    for (i, right) in others.iter().enumerate() {
        let have = rights[way.first + 1 + i].as_ref()?;
        if way.way.same {
            taken.names = taken.names.meet(&have.names)?;
        } else if let Names::These(names) = &have.names {
            taken.also.extend(names.iter().map(|name| format!("{}/{name}", right.resource)));
        }
        taken.through.extend(&have.through);
    }
    // In a namespace only what a binding of the namespace has a part in: the rest holds in the whole cluster.
    let here = |at: &usize| grants.bindings.get(*at).is_none_or(|binding| binding.namespace.is_some());
    (namespace.is_none() || taken.through.iter().any(here)).then_some(taken)
}

/// Powers as they are found, joined by place.
#[derive(Default)]
struct Found<'a> {
    all: BTreeMap<(usize, Option<String>), Joined<'a>>,
}

struct Joined<'a> {
    names: Names<'a>,
    also: BTreeSet<String>,
    /// Whether some way is limited to no object at all.
    whole: bool,
    resources: BTreeSet<String>,
    through: BTreeSet<usize>,
}

impl<'a> Found<'a> {
    fn has(&self, power: usize, namespace: Option<&str>) -> bool {
        let whole = |place: Option<String>| self.all.get(&(power, place)).is_some_and(|joined| joined.whole);
        whole(None) || whole(namespace.map(str::to_owned))
    }

    fn take(&mut self, numbered: &Numbered, taken: Taken<'a>, namespace: Option<&str>) {
        let place = namespace.filter(|_| !numbered.way.rights[0].cluster).map(str::to_owned);
        let whole = taken.names == Names::All && taken.also.is_empty();
        if place.is_some() && self.covers(numbered.power, &taken) {
            return;
        }
        let joined = self.all.entry((numbered.power, place)).or_insert_with(|| Joined {
            names: Names::These(BTreeSet::new()),
            also: BTreeSet::new(),
            whole: false,
            resources: BTreeSet::new(),
            through: BTreeSet::new(),
        });
        joined.whole |= whole;
        match taken.names {
            Names::All if !taken.also.is_empty() => joined.also.extend(taken.also),
            names => _ = joined.names.join(&names),
        }
        joined.resources.extend(numbered.way.rights.iter().map(resource));
        joined.through.extend(taken.through);
    }

    /// Whether the power holds over the same in the whole cluster.
    fn covers(&self, power: usize, taken: &Taken<'a>) -> bool {
        let Some(joined) = self.all.get(&(power, None)) else { return false };
        joined.whole || taken.also.is_empty() && !joined.names.clone().join(&taken.names)
    }

    fn finish(self) -> Vec<Held> {
        let held = self.all.into_iter().map(|((power, namespace), joined)| {
            let names = match joined.names {
                Names::These(names) if !joined.whole => {
                    names.into_iter().map(str::to_owned).chain(joined.also).collect()
                }
                _ => BTreeSet::new(),
            };
            Held { power, namespace, names, resources: joined.resources, through: joined.through }
        });
        let mut held: Vec<Held> = held.collect();
        held.sort_by(|a, b| {
            let key = |h: &Held| (h.power, h.namespace.is_some(), !h.names.is_empty());
            key(a).cmp(&key(b)).then_with(|| a.namespace.cmp(&b.namespace))
        });
        held
    }
}

/// A resource as kubectl writes it.
fn resource(right: &super::way::Right) -> String {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    let mut text = resource.to_owned();
    if !right.group.is_empty() {
        text = format!("{text}.{}", right.group);
    }
    if !subresource.is_empty() {
        text = format!("{text}/{subresource}");
    }
    text
}

/// A power of whoever is in `system:masters`.
fn master(power: usize) -> Held {
    let rights = POWERS[power].ways.iter().flat_map(|way| way.rights);
    let (names, through) = (BTreeSet::new(), BTreeSet::new());
    Held { power, namespace: None, names, resources: rights.map(resource).collect(), through }
}

/// Through whom a binding binds somebody: the ids of itself and of its groups, in the order in which they are asked.
pub fn subject_of(grants: &Grants<'_>, who: &Who, own: &str, binding: usize) -> String {
    let itself = who.user.iter().any(|user| grants.bindings_of_user(user).contains(&binding));
    let group = || who.groups.iter().find(|group| grants.bindings_of_group(group).contains(&binding));
    if itself { own.to_owned() } else { group().map_or_else(|| own.to_owned(), |group| format!("Group/{group}")) }
}

/// The id of the group whose members need no binding.
pub fn masters() -> String {
    format!("Group/{MASTERS}")
}
