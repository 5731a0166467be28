//! Components: the things that can be attacked or hardened, each with its facts.

use std::sync::{Arc, LazyLock};

use crate::fact::{Fact, Source};
use crate::schema::Kind;
use crate::value::Value;

/// A thing that can be attacked or hardened.
#[derive(Clone, Debug)]
pub struct Component {
    /// What kind of thing it is; its schema.
    pub kind: &'static Kind,
    /// Identifies it in its target: a container's id, a path, a name.
    pub id: Box<str>,
    /// What people call it.
    pub name: Box<str>,
    /// By the position in the kind's schema. Copies of a component share them until one of the two is changed: a
    /// forecast copies a snapshot and changes little of it.
    facts: Arc<[Option<Fact>]>,
}

static NOT_COLLECTED: LazyLock<Fact> =
    LazyLock::new(|| Fact { value: Value::unknown("it was not collected"), source: Source::place("not collected") });

impl Component {
    /// A component without facts: all of them are unknown until they are set.
    pub fn new(kind: &'static Kind, id: impl Into<Box<str>>, name: impl Into<Box<str>>) -> Self {
        Self { kind, id: id.into(), name: name.into(), facts: std::iter::repeat_n(None, kind.facts.len()).collect() }
    }

    /// Sets a fact.
    ///
    /// # Panics
    /// In debug builds, when the schema has no such fact or another type for it. In release builds a fact that
    /// the schema does not have is dropped and one of another type becomes unknown: a defect of a collector must
    /// not become a verdict.
    pub fn set(&mut self, name: &str, value: impl Into<Value>, source: Source) {
        let value = value.into();
        let Some(index) = self.kind.index(name) else {
            debug_assert!(false, "{} has no fact `{name}`", self.kind.name);
            return;
        };
        let value = match self.kind.facts[index].ty.conforms(&value) {
            Ok(()) => value,
            Err(why) => {
                debug_assert!(false, "{}.{name}: {why}", self.kind.name);
                Value::unknown(format!("the collector gave a value of another type: {why}"))
            }
        };
        let fact = Some(Fact { value, source });
        // What is derived anew mostly comes out as it was: then there is nothing to copy.
        if let Some(facts) = Arc::get_mut(&mut self.facts) {
            facts[index] = fact;
        } else if self.facts[index] != fact {
            Arc::make_mut(&mut self.facts)[index] = fact;
        }
    }

    /// Says why a fact is unknown.
    pub fn set_unknown(&mut self, name: &str, reason: impl Into<Arc<str>>, source: Source) {
        self.set(name, Value::Unknown(reason.into()), source);
    }

    /// Says for every fact that is not set yet why it is unknown.
    pub fn rest_unknown(&mut self, reason: &Arc<str>, source: &Source) {
        for fact in Arc::make_mut(&mut self.facts).iter_mut().filter(|f| f.is_none()) {
            *fact = Some(Fact { value: Value::Unknown(Arc::clone(reason)), source: source.clone() });
        }
    }

    /// Whether this is a copy of another component, or the other of this, and neither was changed since.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.facts, &other.facts)
    }

    /// A fact by name; unknown when it was never set or the schema has none of that name.
    pub fn fact(&self, name: &str) -> &Fact {
        self.kind.index(name).map_or(&NOT_COLLECTED, |i| self.fact_at(i))
    }

    /// A fact by its position in the kind's schema.
    pub fn fact_at(&self, index: usize) -> &Fact {
        self.facts.get(index).and_then(Option::as_ref).unwrap_or(&NOT_COLLECTED)
    }

    /// The value of a fact by name.
    pub fn value(&self, name: &str) -> &Value {
        &self.fact(name).value
    }

    /// The facts that were set, with their names, in the schema's order.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &Fact)> {
        self.kind.facts.iter().zip(&*self.facts).filter_map(|(spec, fact)| fact.as_ref().map(|f| (spec.name, f)))
    }
}
