//! Reading an engine's JSON: missing, null and wrong are three things.
//!
//! A field that is not there is unknown unless the API leaves it out when it is empty; null is what Go writes for an
//! empty list or map and for an unset pointer, and means what the reader of the field says; a value of another type
//! is never trusted.

use std::sync::{Arc, LazyLock};

use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

/// The most bytes of one text that are kept.
pub(super) const MOST_TEXT: usize = 4096;
/// The most elements of one list that are looked at.
pub(super) const MOST_ITEMS: usize = 4096;

/// A value, or why there is none.
pub type Read<T> = Result<T, Arc<str>>;

/// The reason for a field that is not there although this API always has it.
pub(super) fn left_out() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> = LazyLock::new(|| "the engine left it out".into());
    Arc::clone(&REASON)
}

/// The reason for a field of another type than the API's.
pub(super) fn other_type() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> = LazyLock::new(|| "the engine gave it another type than its API says".into());
    Arc::clone(&REASON)
}

/// The reason for what Podman's Docker API does not report.
pub(super) fn podman_hides() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> = LazyLock::new(|| "Podman's Docker API does not report it".into());
    Arc::clone(&REASON)
}

/// A place in a document that may not be there.
#[derive(Clone, Copy)]
pub(super) enum Node<'a> {
    /// It is there; it may be null.
    Is(&'a Json),
    /// The object that would hold it is there, without it.
    Absent,
    /// The object that would hold it is not there either, or is no object.
    Lost,
}

impl<'a> Node<'a> {
    /// The document itself.
    pub(super) fn of(json: &'a Json) -> Self {
        Self::Is(json)
    }

    /// A field of an object that the API always has.
    pub(super) fn get(self, key: &str) -> Self {
        match self {
            Self::Is(Json::Object(map)) => map.get(key).map_or(Self::Absent, Self::Is),
            _ => Self::Lost,
        }
    }

    /// A field of an object that the API leaves out, or sets to null, when it is empty.
    pub(super) fn opt(self, key: &str) -> Self {
        if self.is_unset() { Self::Absent } else { self.get(key) }
    }

    /// Whether it is there and null.
    pub(super) fn is_null(self) -> bool {
        matches!(self, Self::Is(Json::Null))
    }

    /// Whether it is null, or absent from an object that is there: an unset pointer, or a field that is left out when
    /// it is empty.
    pub(super) fn is_unset(self) -> bool {
        matches!(self, Self::Is(Json::Null) | Self::Absent)
    }

    fn known(self) -> Read<&'a Json> {
        match self {
            Self::Is(json) => Ok(json),
            Self::Absent | Self::Lost => Err(left_out()),
        }
    }

    /// A truth value.
    pub(super) fn bool(self) -> Read<bool> {
        self.known()?.as_bool().ok_or_else(other_type)
    }

    /// A truth value whose null is an unset pointer.
    pub(super) fn bool_or(self, null: bool) -> Read<bool> {
        if self.is_null() { Ok(null) } else { self.bool() }
    }

    /// A whole number.
    pub(super) fn int(self) -> Read<i64> {
        self.known()?.as_i64().ok_or_else(other_type)
    }

    /// A whole number whose null is an unset pointer.
    pub(super) fn int_or(self, null: i64) -> Read<i64> {
        if self.is_null() { Ok(null) } else { self.int() }
    }

    /// A text.
    pub(super) fn text(self) -> Read<&'a str> {
        self.known()?.as_str().ok_or_else(other_type)
    }

    /// A text that the API leaves out when it is empty.
    pub(super) fn text_or_empty(self) -> Read<&'a str> {
        if self.is_unset() { Ok("") } else { self.text() }
    }

    /// A list; null is an empty one.
    pub(super) fn list(self) -> Read<&'a [Json]> {
        match self.known()? {
            Json::Null => Ok(&[]),
            Json::Array(items) => Ok(&items[..items.len().min(MOST_ITEMS)]),
            _ => Err(other_type()),
        }
    }

    /// A list of the engine's things, however long; null is an empty one.
    pub(super) fn all(self) -> Read<&'a [Json]> {
        match self.known()? {
            Json::Null => Ok(&[]),
            Json::Array(items) => Ok(items),
            _ => Err(other_type()),
        }
    }

    /// A list that the API leaves out when it is empty.
    pub(super) fn list_or_empty(self) -> Read<&'a [Json]> {
        if self.is_unset() { Ok(&[]) } else { self.list() }
    }

    /// An object; null is an empty one.
    pub(super) fn map(self) -> Read<&'a Map<String, Json>> {
        static EMPTY: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);
        match self.known()? {
            Json::Null => Ok(&EMPTY),
            Json::Object(map) => Ok(map),
            _ => Err(other_type()),
        }
    }

    /// An object that the API leaves out when it is empty.
    pub(super) fn map_or_empty(self) -> Read<&'a Map<String, Json>> {
        static EMPTY: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);
        if self.is_unset() { Ok(&EMPTY) } else { self.map() }
    }

    /// The texts of a list; null is an empty list.
    pub(super) fn texts(self) -> Read<Vec<&'a str>> {
        self.list()?.iter().map(|item| item.as_str().ok_or_else(other_type)).collect()
    }

    /// The texts of a list that the API leaves out when it is empty.
    pub(super) fn texts_or_empty(self) -> Read<Vec<&'a str>> {
        if self.is_unset() { Ok(Vec::new()) } else { self.texts() }
    }
}

/// What was read, as a fact's value.
pub(super) fn value<T: Into<Value>>(read: Read<T>) -> Value {
    read.map_or_else(Value::Unknown, Into::into)
}

/// A text cut to what is kept, at a character's boundary.
pub(super) fn cut(text: &str) -> &str {
    if text.len() <= MOST_TEXT {
        return text;
    }
    let mut end = MOST_TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Texts as a fact's value, each cut.
pub(super) fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    Value::strings(texts.into_iter().take(MOST_ITEMS).map(cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn missing_null_and_wrong_are_told_apart() {
        let doc = json!({"a": null, "b": "x", "c": [1], "d": true});
        let doc = Node::of(&doc);
        assert_eq!(doc.get("x").bool(), Err(left_out()));
        assert_eq!(doc.get("a").bool(), Err(other_type()));
        assert_eq!(doc.get("a").bool_or(false), Ok(false));
        assert_eq!(doc.get("b").bool_or(false), Err(other_type()));
        assert_eq!(doc.get("d").bool(), Ok(true));
        assert_eq!(doc.get("a").list().map(<[Json]>::len), Ok(0));
        assert_eq!(doc.get("x").list().map(<[Json]>::len), Err(left_out()));
        assert_eq!(doc.get("x").list_or_empty().map(<[Json]>::len), Ok(0));
        assert_eq!(doc.get("c").texts(), Err(other_type()));
        assert_eq!(doc.get("b").get("deeper").text_or_empty(), Err(left_out()), "a text has no fields");
        assert_eq!(doc.get("x").get("deeper").text_or_empty(), Err(left_out()), "nor has what is not there");
        assert_eq!(doc.get("x").opt("deeper").text_or_empty(), Ok(""), "unless it may be left out");
        assert_eq!(doc.get("b").opt("deeper").text_or_empty(), Err(left_out()));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "é".repeat(MOST_TEXT);
        assert_eq!(cut(&long).len(), MOST_TEXT);
        assert_eq!(cut(&format!("x{long}")).len(), MOST_TEXT - 1);
    }
}
