//! Reading an object as the API server does: what is absent and what is null are the same, and have the default; what
//! is of another type than the API's is never trusted.

use std::sync::{Arc, LazyLock};

use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

/// The most elements of one list that are looked at.
pub(super) const MOST_ITEMS: usize = 1024;
/// The most bytes of one text that are kept.
pub(super) const MOST_TEXT: usize = 1024;

/// A value, or why there is none.
pub(super) type Read<T> = Result<T, Arc<str>>;

/// The reason for a field of another type than the API's.
pub(super) fn other_type() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> = LazyLock::new(|| "it holds something of another type than the API's".into());
    Arc::clone(&REASON)
}

/// The reason for what lies beyond the elements that are looked at.
pub(super) fn too_many() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> =
        LazyLock::new(|| format!("only the first {MOST_ITEMS} elements are looked at").into());
    Arc::clone(&REASON)
}

/// A place in an object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    /// It is there and not null.
    Is(&'a Json),
    /// It is absent or null.
    None,
    /// What should hold it is of another type.
    Lost,
}

impl<'a> Node<'a> {
    pub(super) fn of(json: &'a Json) -> Self {
        if json.is_null() { Self::None } else { Self::Is(json) }
    }

    /// A field.
    pub(super) fn get(self, key: &str) -> Self {
        match self {
            Self::Is(Json::Object(map)) => map.get(key).map_or(Self::None, Self::of),
            Self::Is(_) | Self::Lost => Self::Lost,
            Self::None => Self::None,
        }
    }

    /// A field of a field, and so on.
    pub(super) fn at(self, path: &[&str]) -> Self {
        path.iter().fold(self, |node, key| node.get(key))
    }

    /// What the API must have: its absence is no default.
    pub(super) fn required(self) -> Self {
        if matches!(self, Self::None) { Self::Lost } else { self }
    }

    pub(super) fn is_there(self) -> bool {
        matches!(self, Self::Is(_))
    }

    fn known(self) -> Read<Option<&'a Json>> {
        match self {
            Self::Is(json) => Ok(Some(json)),
            Self::None => Ok(None),
            Self::Lost => Err(other_type()),
        }
    }

    fn typed<T>(self, of: impl FnOnce(&'a Json) -> Option<T>) -> Read<Option<T>> {
        self.known()?.map(|json| of(json).ok_or_else(other_type)).transpose()
    }

    pub(super) fn bool(self) -> Read<Option<bool>> {
        self.typed(Json::as_bool)
    }

    pub(super) fn int(self) -> Read<Option<i64>> {
        self.typed(Json::as_i64)
    }

    pub(super) fn text(self) -> Read<Option<&'a str>> {
        self.typed(Json::as_str)
    }

    /// A text whose empty form is the same as none.
    pub(super) fn filled(self) -> Read<Option<&'a str>> {
        Ok(self.text()?.filter(|text| !text.is_empty()))
    }

    pub(super) fn map(self) -> Read<Option<&'a Map<String, Json>>> {
        self.typed(Json::as_object)
    }

    /// A list; none is an empty one.
    pub(super) fn list(self) -> Read<&'a [Json]> {
        Ok(self.typed(Json::as_array)?.map_or(&[], Vec::as_slice))
    }

    /// The elements of a list as values, with an unknown in place of what is beyond bounds.
    pub(super) fn each(self, one: impl FnMut(Node<'a>) -> Value) -> Read<Vec<Value>> {
        let items = self.list()?;
        let mut out: Vec<Value> = items.iter().take(MOST_ITEMS).map(Node::of).map(one).collect();
        if items.len() > MOST_ITEMS {
            out.push(Value::Unknown(too_many()));
        }
        Ok(out)
    }

    /// The texts of a list, one of another type as an unknown.
    pub(super) fn texts(self) -> Read<Vec<Value>> {
        self.each(|item| value(item.required().text().map(|text| text.map(cut))))
    }
}

/// What was read, as a fact's value.
pub(super) fn value<T: Into<Value>>(read: Read<T>) -> Value {
    read.map_or_else(Value::Unknown, Into::into)
}

/// A text cut to what is kept, at a character's boundary.
pub(super) fn cut(text: &str) -> &str {
    cut_to(text, MOST_TEXT)
}

/// A text cut to a number of bytes, at a character's boundary.
pub(super) fn cut_to(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_null_are_one_and_a_wrong_type_is_unknown() {
        let doc = json!({"null": null, "text": "x", "list": [1, "a", null], "map": {"b": false}});
        let doc = Node::of(&doc);
        assert_eq!(doc.get("none").bool(), Ok(None));
        assert_eq!(doc.get("null").bool(), Ok(None));
        assert_eq!(doc.at(&["null", "deeper"]).bool(), Ok(None));
        assert_eq!(doc.at(&["text", "deeper"]).bool(), Err(other_type()));
        assert_eq!(doc.get("text").bool(), Err(other_type()));
        assert_eq!(doc.at(&["map", "b"]).bool(), Ok(Some(false)));
        assert_eq!(doc.get("none").list().map(<[Json]>::len), Ok(0));
        assert_eq!(doc.get("text").list(), Err(other_type()));
        assert_eq!(doc.get("none").required().text(), Err(other_type()));
        let texts = doc.get("list").texts().expect("a list");
        assert!(texts[0].is_unknown() && texts[2].is_unknown() && texts[1] == Value::from("a"));
    }

    #[test]
    fn a_long_list_ends_in_an_unknown() {
        let doc = json!(vec!["x"; MOST_ITEMS + 1]);
        let texts = Node::of(&doc).texts().expect("a list");
        assert_eq!(texts.len(), MOST_ITEMS + 1);
        assert!(texts.last().is_some_and(Value::is_unknown));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(MOST_TEXT)).len(), MOST_TEXT);
        assert_eq!(cut(&format!("x{}", "é".repeat(MOST_TEXT))).len(), MOST_TEXT - 1);
    }
}
