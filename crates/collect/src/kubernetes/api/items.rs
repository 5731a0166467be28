//! The items of a list, one after the other: a whole page as a tree takes ten times its text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::failure::Failure;

/// Hands each item of a list to `take` as soon as it is parsed, and returns how to go on, where there is more. Items
/// that come before the list has said what it is wait until it has; an API server in Go lets none come so early.
///
/// # Errors
/// For what is no list in JSON. What stands before the error was handed on.
pub(super) fn each(bytes: &[u8], mut take: impl FnMut(Json)) -> Result<Option<String>, Failure> {
    let (mut next, mut has_items) = (None, false);
    let list = List { next: &mut next, has_items: &mut has_items, take: &mut take };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = json.deserialize_any(list).and_then(|is_list| json.end().map(|()| is_list));
    match read {
        Ok(true) => Ok(next),
        Ok(false) => Err(Failure::Foreign("no list".into())),
        // Well-formed, and of another shape.
        Err(e) if e.is_data() && has_items => Err(Failure::Foreign("a list whose items are none".into())),
        Err(e) if e.is_data() => Err(Failure::Foreign("no list".into())),
        Err(e) => Err(Failure::Foreign(format!("no JSON ({})", crate::engine::sanitize(&e.to_string(), 100)))),
    }
}

/// How to go on after a page, by the list's metadata.
pub(super) fn way_on(meta: &Json) -> Option<String> {
    meta["continue"].as_str().filter(|next| !next.is_empty()).map(str::to_owned)
}

struct List<'a, T> {
    next: &'a mut Option<String>,
    has_items: &'a mut bool,
    take: &'a mut T,
}

impl<'de, T: FnMut(Json)> Visitor<'de> for List<'_, T> {
    /// Whether it says that it is a list.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let (mut is_list, mut early) = (false, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => is_list = map.next_value::<Json>()?.as_str().is_some_and(|kind| kind.ends_with("List")),
                "metadata" => *self.next = way_on(&map.next_value()?),
                "items" => {
                    *self.has_items = true;
                    if is_list {
                        map.next_value_seed(Items(&mut *self.take))?;
                    } else {
                        map.next_value_seed(Items(&mut |item| early.push(item)))?;
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if is_list {
            early.into_iter().for_each(self.take);
        }
        Ok(is_list)
    }
}

/// What stands under `items`: an array, or null where there are none.
struct Items<'a, T>(&'a mut T);

impl<'de, T: FnMut(Json)> DeserializeSeed<'de> for Items<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T: FnMut(Json)> Visitor<'de> for Items<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array, or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Json>, Result<Option<String>, String>) {
        let mut items = Vec::new();
        let next = each(text.as_bytes(), |item| items.push(item));
        (items, next.map_err(|failure| failure.to_string()))
    }

    #[test]
    fn items_are_handed_on_in_whatever_order_the_list_is_written() {
        for text in [
            r#"{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"abc"},"items":[{"a":1},{"a":2}]}"#,
            r#"{"items":[{"a":1},{"a":2}],"metadata":{"continue":"abc"},"kind":"PodList"}"#,
        ] {
            let (items, next) = read(text);
            assert_eq!((items.len(), next), (2, Ok(Some("abc".to_owned()))), "{text}");
        }
        assert_eq!(read(r#"{"kind":"PodList","metadata":{"continue":""},"items":null}"#), (Vec::new(), Ok(None)));
        assert_eq!(read(r#"{"kind":"PodList"}"#), (Vec::new(), Ok(None)));
    }

    #[test]
    fn what_is_no_list_hands_on_nothing_and_what_is_cut_short_is_an_error() {
        for (text, why) in [
            (r#"{"items":[{"a":1}],"kind":"Status"}"#, "no list"),
            (r#"{"items":[{"a":1}]}"#, "no list"),
            ("[1]", "no list"),
            (r#"{"kind":"PodList","items":7}"#, "a list whose items are none"),
            (r#"{"kind":"PodList","items":{"a":1}}"#, "a list whose items are none"),
            ("", "no JSON"),
        ] {
            let (items, next) = read(text);
            assert!(items.is_empty() && next.as_ref().is_err_and(|e| e.contains(why)), "{text}: {next:?}");
        }
        let (items, next) = read(r#"{"kind":"PodList","items":[{"a":1},{"a""#);
        assert!(items.len() == 1 && next.as_ref().is_err_and(|e| e.contains("no JSON")), "{next:?}");
        let deep = format!(r#"{{"kind":"PodList","items":[{}1{}]}}"#, "[".repeat(1000), "]".repeat(1000));
        assert!(read(&deep).1.is_err());
        assert!(read(r#"{"kind":"PodList","items":[]}{}"#).1.is_err());
    }
}
