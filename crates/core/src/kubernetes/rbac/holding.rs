//! Which of the rights that powers need a role gives, found once a role and joined over bindings.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use super::catalogue::POWERS;
use super::grants::Role;
use super::rule::{Rule, both};
use super::way::{Over, Right, Way, Wildcard};
use crate::predicate::Truth;

/// Every right of every way of every power, numbered.
pub(super) static RIGHTS: LazyLock<Vec<&'static Right>> =
    LazyLock::new(|| POWERS.iter().flat_map(|power| power.ways).flat_map(|way| way.rights).collect());

/// A way with the number of its first right.
pub(super) struct Numbered {
    /// The power, by its position.
    pub power: usize,
    /// The way.
    pub way: &'static Way,
    /// The number of its first right; the others follow.
    pub first: usize,
}

/// Every way of every power.
pub(super) static WAYS: LazyLock<Vec<Numbered>> = LazyLock::new(|| {
    let ways = POWERS.iter().enumerate().flat_map(|(power, p)| p.ways.iter().map(move |way| (power, way)));
    let mut next = 0;
    ways.map(|(power, way)| {
        let first = next;
        next += way.rights.len();
        Numbered { power, way, first }
    })
    .collect()
});

/// Over which objects something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Names<'a> {
    /// All.
    All,
    /// These.
    These(BTreeSet<&'a str>),
}

impl<'a> Names<'a> {
    /// Takes others in; whether that made it more.
    pub fn join(&mut self, other: &Self) -> bool {
        match (&mut *self, other) {
            (Self::All, _) => false,
            (_, Self::All) => {
                *self = Self::All;
                true
            }
            (Self::These(mine), Self::These(others)) => {
                let before = mine.len();
                mine.extend(others);
                mine.len() > before
            }
        }
    }

    /// Those of both; none where nothing is left.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::All, names) | (names, Self::All) => Some(names.clone()),
            (Self::These(a), Self::These(b)) => {
                let both: BTreeSet<&str> = a.intersection(b).copied().collect();
                (!both.is_empty()).then_some(Self::These(both))
            }
        }
    }
}

/// The rights that a role gives.
#[derive(Debug, Default)]
pub(super) struct Holding<'a> {
    /// Number of the right and over what, ascending.
    pub rights: Vec<(usize, Names<'a>)>,
    /// Why it may give others as well.
    pub maybe: Option<Arc<str>>,
}

/// What a role gives.
pub(super) fn holding<'a>(role: &Role<'a>) -> Holding<'a> {
    let mut all: Vec<Option<Names<'a>>> = vec![None; RIGHTS.len()];
    let mut maybe = role.more.cloned();
    for rule in &role.rules {
        if rule.resources.is_empty() {
            continue;
        }
        for (right, held) in RIGHTS.iter().zip(&mut all) {
            match gives(rule, right) {
                Truth::False => {}
                Truth::Unknown(why) => maybe = maybe.or(Some(why)),
                Truth::True => match over(rule, right.over) {
                    Ok(Some(names)) => {
                        if names != Names::All {
                            maybe = maybe.or_else(|| rule.names.more.cloned());
                        }
                        match held {
                            Some(held) => _ = held.join(&names),
                            None => *held = Some(names),
                        }
                    }
                    Ok(None) => {}
                    Err(why) => maybe = maybe.or(Some(why)),
                },
            }
        }
    }
    let rights = all.into_iter().enumerate().filter_map(|(at, names)| Some((at, names?))).collect();
    Holding { rights, maybe }
}

/// Whether a rule has a right's verbs, group and resource.
fn gives(rule: &Rule<'_>, right: &Right) -> Truth {
    let star = |word: &str| word == "*";
    match right.wildcard {
        Wildcard::Verbs => return rule.verbs.any(star),
        Wildcard::Resources => return rule.resources.any(star),
        Wildcard::Groups => return rule.groups.any(star),
        Wildcard::No => {}
    }
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    let resource = rule.resource(resource, subresource);
    if resource == Truth::False {
        return Truth::False;
    }
    let verb = rule.verbs.any(|verb| verb == "*" || right.verbs.contains(&verb));
    both(both(resource, rule.groups.any(|group| group == "*" || group == right.group)), verb)
}

/// Over what a rule gives it; none where over nothing.
fn over<'a>(rule: &Rule<'a>, over: Over) -> Result<Option<Names<'a>>, Arc<str>> {
    if rule.names.is_empty() {
        return Ok(Some(Names::All));
    }
    let named = |names: BTreeSet<&'a str>| (!names.is_empty()).then_some(Names::These(names));
    let known = || rule.names.known.iter().copied().filter(|name| !name.is_empty());
    match (over, rule.names.more) {
        // The empty name is that of a request without one.
        (Over::Unnamed | Over::UnnamedIn(_), _) if rule.names.known.contains(&"") => Ok(Some(Names::All)),
        (Over::Named | Over::NamedIn(_), _) if !rule.names.known.is_empty() => Ok(named(known().collect())),
        (Over::These(_, names), _) if known().any(|name| names.contains(&name)) => Ok(Some(Names::All)),
        (Over::Unnamed | Over::UnnamedIn(_), Some(why)) if rule.names.known.is_empty() => Err(Arc::clone(why)),
        (Over::Named | Over::NamedIn(_) | Over::These(..), Some(why)) => Err(Arc::clone(why)),
        (_, _) => Ok(None),
    }
}
