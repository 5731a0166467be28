//! Facts: one effective property of a component, with where it was read.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::value::Value;

/// Where a fact was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The document or place: `inspect web`, `/proc/2211/status`, `GET /info`. Shared by the facts of one reading.
    pub place: Arc<str>,
    /// What in it: `HostConfig.Privileged`, `NoNewPrivs`, line 12; empty when the place says all.
    pub field: Cow<'static, str>,
}

impl Source {
    /// A place and what was read in it.
    pub fn new(place: &Arc<str>, field: impl Into<Cow<'static, str>>) -> Self {
        Self { place: Arc::clone(place), field: field.into() }
    }

    /// A place that says all.
    pub fn place(place: impl Into<Arc<str>>) -> Self {
        Self { place: place.into(), field: Cow::Borrowed("") }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        Ok(())
    }
}

/// One property of a component: its value (or the reason why it is unknown) and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The value; `Value::Unknown` carries the reason.
    pub value: Value,
    /// Where it was read, or where one tried to read it.
    pub source: Source,
}
