//! A component under construction, with where in its object its facts stand.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::Kind;
use seaworthy_core::value::Value;

use super::super::object::Place;
use super::read::{Read, value};

/// A part of an object: the whole, a pod template, a container.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    place: Place,
    /// `spec.template`; empty for the whole.
    prefix: Arc<str>,
    /// Of what has no lines: place and prefix together, so that the facts share them and their fields are static.
    shared: Option<Arc<str>>,
}

impl Spot {
    pub(super) fn new(place: &Place, prefix: &str) -> Self {
        let shared = place.positions.is_none().then(|| {
            if prefix.is_empty() { Arc::clone(&place.name) } else { format!("{}, {prefix}", place.name).into() }
        });
        Self { place: place.clone(), prefix: prefix.into(), shared }
    }

    /// A part of this part.
    pub(super) fn within(&self, part: &str) -> Self {
        Self::new(&self.place, &self.path(part))
    }

    fn path(&self, field: &str) -> String {
        match (&*self.prefix, field) {
            ("", field) => field.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, field) => format!("{prefix}.{field}"),
        }
    }

    /// The source of what stands in a field of this part.
    pub(super) fn source(&self, field: &'static str) -> Source {
        match &self.shared {
            Some(place) => Source::new(place, field),
            None => self.place.source(self.path(field)),
        }
    }
}

/// A component and where its facts stand.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) component: Component,
    pub(super) spot: Spot,
}

impl Sheet {
    pub(super) fn new(kind: &'static Kind, spot: Spot) -> Self {
        Self { component: Component::new(kind, "", ""), spot }
    }

    /// Sets a fact that stands in a field.
    pub(super) fn set(&mut self, name: &'static str, field: &'static str, value: impl Into<Value>) {
        let source = self.spot.source(field);
        self.component.set(name, value, source);
    }

    /// Sets a fact, or says why it is unknown.
    pub(super) fn read<T: Into<Value>>(&mut self, name: &'static str, field: &'static str, read: Read<T>) {
        self.set(name, field, value(read));
    }
}
