//! Facts: one effective property of a component, with where it was read.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::value::Value;

/// Where a fact was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The document or place: `inspect web`, `/proc/2211/status`, `GET /info`. Shared by the facts of one reading.
    pub place: Arc<str>,
    /// What in it: `HostConfig.Privileged`, `NoNewPrivs`, line 12; empty when the place says all.
    pub field: Field,
}

/// A text that the program has anyway, or one that those who say the same share: a fact has one of its own seldom, and
/// there are millions of facts.
#[derive(Clone)]
pub enum Field {
    /// Of the program.
    Known(&'static str),
    /// Read or made. Boxed, so that a field takes no more than a text of the program.
    Shared(Arc<Box<str>>),
}

impl Deref for Field {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Field {}

impl PartialEq<&str> for Field {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl From<&'static str> for Field {
    fn from(text: &'static str) -> Self {
        Self::Known(text)
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Shared(Arc::new(text.into()))
    }
}

impl From<Cow<'static, str>> for Field {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Known(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl Source {
    /// A place and what was read in it.
    pub fn new(place: &Arc<str>, field: impl Into<Field>) -> Self {
        Self { place: Arc::clone(place), field: field.into() }
    }

    /// A place that says all.
    pub fn place(place: impl Into<Arc<str>>) -> Self {
        Self { place: place.into(), field: Field::Known("") }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_small() {
        // There are millions of them: whoever makes one larger should mean it.
        assert!(size_of::<Option<Fact>>() <= 64, "{}", size_of::<Option<Fact>>());
        assert_eq!(size_of::<Field>(), 16);
        let field = Field::from("spec.hostNetwork".to_owned());
        assert_eq!(field, Field::from("spec.hostNetwork"));
    }
}
