//! A component under construction, whose facts come from one document.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::Kind;
use seaworthy_core::value::Value;

use super::json::{Read, value};

/// A component and the document that its facts are read from.
pub(super) struct Sheet {
    pub(super) component: Component,
    place: Arc<str>,
}

impl Sheet {
    /// An empty component, read from `place`.
    pub(super) fn new(kind: &'static Kind, id: &str, name: &str, place: String) -> Self {
        Self { component: Component::new(kind, id, name), place: place.into() }
    }

    /// The document.
    pub(super) fn place(&self) -> &Arc<str> {
        &self.place
    }

    /// Sets a fact that stands in `field` of the document.
    pub(super) fn set(&mut self, name: &'static str, field: &'static str, value: impl Into<Value>) {
        self.component.set(name, value, Source::new(&self.place, field));
    }

    /// Sets a fact, or says why it is unknown.
    pub(super) fn read<T: Into<Value>>(&mut self, name: &'static str, field: &'static str, read: Read<T>) {
        self.set(name, field, value(read));
    }

    /// Sets a fact that was seen at another place.
    pub(super) fn seen<T: Into<Value>>(
        &mut self,
        name: &'static str,
        place: &Arc<str>,
        field: &'static str,
        read: Read<T>,
    ) {
        self.component.set(name, value(read), Source::new(place, field));
    }
}
