//! Powers as values of facts.

use std::sync::Arc;

use super::{MOST_NAMED, Powers, open_list};
use crate::kubernetes::rbac::gains::Gain;
use crate::kubernetes::rbac::grants::{Bound, Grants};
use crate::kubernetes::rbac::powers::{Held, masters};
use crate::predicate::Truth;
use crate::value::Value;

/// The most grants that one power names.
const MOST_THROUGH: usize = 8;

/// The most powers that one fact holds, each place counted: enough for a dozen powers in forty namespaces.
pub(super) const MOST_POWERS: usize = 512;

/// What powers are described by.
pub(super) struct Described<'g, 'a> {
    pub grants: &'g Grants<'a>,
    /// Whether each binding is shipped, by position.
    pub shipped: &'g [Truth],
}

/// The names of powers, each once, with an unknown where there may be others.
pub(super) fn names(powers: &Powers, which: impl Fn(&Held) -> bool) -> Value {
    let mut names: Vec<&str> = powers.held.iter().filter(|held| which(held)).map(Held::name).collect();
    names.dedup();
    open_list(names.into_iter().map(Value::from).collect(), powers.maybe.as_ref())
}

/// Texts, 64 at most, then how many more.
pub(super) fn named(mut all: Vec<String>) -> Vec<Value> {
    let more = all.len().saturating_sub(MOST_NAMED);
    all.truncate(MOST_NAMED);
    let more = (more > 0).then(|| Value::from(format!("and {more} more")));
    all.into_iter().map(Value::from).chain(more).collect()
}

pub(super) fn truth_value(truth: Truth) -> Value {
    match truth {
        Truth::True => Value::Bool(true),
        Truth::False => Value::Bool(false),
        Truth::Unknown(why) => Value::Unknown(why),
    }
}

impl Described<'_, '_> {
    /// Powers as a list of objects; `who` says who is bound by a binding, by position.
    pub fn powers(&self, powers: &Powers, who: &dyn Fn(usize) -> Vec<String>) -> Value {
        let (chosen, left) = choose(&powers.held);
        let list: Vec<Value> = chosen.into_iter().map(|held| self.power(held, who)).collect();
        let rest = (left > 0).then(|| format!("and {left} more, of the same names elsewhere").into());
        open_list(list, rest.as_ref().or(powers.maybe.as_ref()))
    }

    fn power(&self, held: &Held, who: &dyn Fn(usize) -> Vec<String>) -> Value {
        let names = held.names.iter().map(|name| Value::from(name.as_str())).take(MOST_NAMED);
        let rest: Option<Arc<str>> = (held.names.len() > MOST_NAMED).then(|| "and more".into());
        let through: Vec<Value> = if held.through.is_empty() {
            vec![through(masters(), "", "", Value::Bool(true))]
        } else {
            held.through.iter().take(MOST_THROUGH).flat_map(|at| self.through(*at, who)).collect()
        };
        Value::Object(vec![
            ("power", held.name().into()),
            ("resources", Value::strings(held.resources.iter().map(String::as_str))),
            ("cluster_wide", held.namespace.is_none().into()),
            ("namespace", held.namespace.as_deref().unwrap_or_default().into()),
            ("names", open_list(names.collect(), rest.as_ref())),
            ("through", Value::List(through)),
        ])
    }

    fn through(&self, at: usize, who: &dyn Fn(usize) -> Vec<String>) -> Vec<Value> {
        let binding = &self.grants.bindings[at];
        let role = match binding.role {
            Bound::Role(role) => self.grants.roles[role].id,
            Bound::Missing | Bound::Unknown(_) => "",
        };
        let shipped = || truth_value(self.shipped[at].clone());
        let subjects = who(at);
        let one = |subject| through(subject, &binding.component.id, role, shipped());
        if subjects.is_empty() { vec![one(String::new())] } else { subjects.into_iter().map(one).collect() }
    }

    /// What somebody can give himself, as powers that hold through the roles by which.
    pub fn gains(gains: &[Gain], maybe: Option<&Arc<str>>) -> Value {
        let gain = |gain: &Gain| {
            let held = &gain.held;
            let by = gain.by.iter().map(|role| through(String::new(), "", role, Value::Bool(false)));
            Value::Object(vec![
                ("power", held.name().into()),
                ("resources", Value::strings(held.resources.iter().map(String::as_str))),
                ("cluster_wide", held.namespace.is_none().into()),
                ("namespace", held.namespace.as_deref().unwrap_or_default().into()),
                ("names", Value::strings(held.names.iter().map(String::as_str).take(MOST_NAMED))),
                ("through", Value::List(by.collect())),
            ])
        };
        open_list(gains.iter().take(MOST_POWERS).map(gain).collect(), maybe)
    }

    /// The names of powers to which more than what is shipped contributes.
    pub fn granted(&self, powers: &Powers) -> Value {
        let mut unknown = powers.maybe.clone();
        let mut names: Vec<&str> = Vec::new();
        for held in &powers.held {
            for at in &held.through {
                match &self.shipped[*at] {
                    Truth::False if names.last() != Some(&held.name()) => names.push(held.name()),
                    Truth::Unknown(why) => unknown = unknown.or_else(|| Some(Arc::clone(why))),
                    Truth::True | Truth::False => {}
                }
            }
        }
        open_list(names.into_iter().map(Value::from).collect(), unknown.as_ref())
    }
}

fn through(subject: String, binding: &str, role: &str, shipped: Value) -> Value {
    Value::Object(vec![
        ("subject", subject.into()),
        ("binding", binding.into()),
        ("role", role.into()),
        ("shipped", shipped),
    ])
}

/// Which powers are named: each once, then as many as there is room for, in their order; and how many are not.
fn choose(held: &[Held]) -> (Vec<&Held>, usize) {
    if held.len() <= MOST_POWERS {
        return (held.iter().collect(), 0);
    }
    let first = |at: usize| at == 0 || held[at].power != held[at - 1].power;
    let mut room = MOST_POWERS.saturating_sub((0..held.len()).filter(|at| first(*at)).count());
    let mut chosen = Vec::with_capacity(MOST_POWERS);
    for (at, one) in held.iter().enumerate() {
        if first(at) {
            chosen.push(one);
        } else if room > 0 {
            room -= 1;
            chosen.push(one);
        }
    }
    let left = held.len() - chosen.len();
    (chosen, left)
}
