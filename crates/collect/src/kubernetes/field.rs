//! Fields of the API's objects as facts: absent, null, empty and of another type are told apart.

use std::sync::{Arc, LazyLock};

use seaworthy_core::component::Component;
use seaworthy_core::fact::Field;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::object::Place;
use crate::redact::Redactor;

/// The most entries of one list that are kept.
pub(super) const MOST: usize = 64;

/// A value, or why there is none.
pub(super) type Read<T> = Result<T, Arc<str>>;

/// The reason for a field of another type than the API's.
pub(super) fn other_type() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> = LazyLock::new(|| "it holds something of another type than the API's".into());
    Arc::clone(&REASON)
}

/// What lies on a path of fields; null where one of them is absent or null.
pub(super) fn at<'a>(json: &'a Json, path: &str) -> Read<&'a Json> {
    let mut here = json;
    for name in path.split('.') {
        here = match here {
            Json::Object(map) => map.get(name).unwrap_or(&Json::Null),
            Json::Null => return Ok(&Json::Null),
            _ => return Err(other_type()),
        };
    }
    Ok(here)
}

/// A text; none where it is absent, null or empty, which the API does not tell apart.
pub(super) fn text<'a>(json: &'a Json, path: &str) -> Read<Option<&'a str>> {
    match at(json, path)? {
        Json::Null => Ok(None),
        Json::String(text) if text.is_empty() => Ok(None),
        Json::String(text) => Ok(Some(text)),
        _ => Err(other_type()),
    }
}

/// A truth value; `absent` where there is none.
pub(super) fn truth(json: &Json, path: &str, absent: bool) -> Read<bool> {
    match at(json, path)? {
        Json::Null => Ok(absent),
        Json::Bool(truth) => Ok(*truth),
        _ => Err(other_type()),
    }
}

/// A list; null is an empty one.
pub(super) fn list<'a>(json: &'a Json, path: &str) -> Read<&'a [Json]> {
    match at(json, path)? {
        Json::Null => Ok(&[]),
        Json::Array(items) => Ok(items),
        _ => Err(other_type()),
    }
}

/// A list of texts, at most [`MOST`] of them; an element of another type is unknown.
pub(super) fn texts(json: &Json, path: &str, redactor: &Redactor) -> Read<Value> {
    let items = list(json, path)?.iter().map(|item| match item.as_str() {
        Some(text) => Value::from(&*redactor.text(text)),
        None => Value::Unknown(other_type()),
    });
    Ok(bounded(items))
}

/// At most [`MOST`] elements; that there were more is said by an unknown one.
pub(super) fn bounded(items: impl Iterator<Item = Value>) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if kept.len() == MOST {
            kept.push(Value::unknown(format!("there are more than {MOST}")));
            break;
        }
        kept.push(item);
    }
    Value::List(kept)
}

/// A text that is shown, secrets taken out.
pub(super) fn shown(text: &str, redactor: &Redactor) -> Value {
    Value::from(&*redactor.text(text))
}

/// Sets a fact that was read from a field.
pub(super) fn put<V: Into<Value>>(
    component: &mut Component,
    fact: &str,
    value: Read<V>,
    place: &Place,
    field: impl Into<Field>,
) {
    let source = place.source(field);
    match value {
        Ok(value) => component.set(fact, value, source),
        Err(why) => component.set_unknown(fact, why, source),
    }
}

/// A quantity of the API in thousandths: `100m` is 100, `2` is 2000, `1Ki` is 1024000.
pub(super) fn thousandths(text: &str) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let power = |base: i128, exponent: u32| base.checked_pow(exponent);
    let (scale, divisor): (i128, i128) = match suffix {
        "n" => (1, 1_000_000),
        "u" => (1, 1_000),
        "m" => (1, 1),
        "" => (1000, 1),
        "k" => (1000 * power(1000, 1)?, 1),
        "M" => (1000 * power(1000, 2)?, 1),
        "G" => (1000 * power(1000, 3)?, 1),
        "T" => (1000 * power(1000, 4)?, 1),
        "P" => (1000 * power(1000, 5)?, 1),
        "E" => (1000 * power(1000, 6)?, 1),
        "Ki" => (1000 * power(1024, 1)?, 1),
        "Mi" => (1000 * power(1024, 2)?, 1),
        "Gi" => (1000 * power(1024, 3)?, 1),
        "Ti" => (1000 * power(1024, 4)?, 1),
        "Pi" => (1000 * power(1024, 5)?, 1),
        "Ei" => (1000 * power(1024, 6)?, 1),
        _ => {
            let exponent: u32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (1000 * power(10, exponent)?, 1)
        }
    };
    if part.len() > 18 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: i128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let below = power(10, u32::try_from(part.len()).ok()?)?;
    let is_negative = whole.starts_with('-');
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = whole.checked_mul(below)?.checked_add(if is_negative { -fraction } else { fraction })?;
    // Rounded up, as the API does.
    let scaled = digits.checked_mul(scale)?;
    let by = below.checked_mul(divisor)?;
    let up = scaled.div_euclid(by) + i128::from(scaled.rem_euclid(by) != 0);
    i64::try_from(up).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_the_api_reads_them() {
        let known: [(&str, Option<i64>); 9] = [
            ("100m", Some(100)),
            ("2", Some(2000)),
            ("0.5", Some(500)),
            ("1Ki", Some(1_024_000)),
            ("1e3", Some(1_000_000)),
            ("1500u", Some(2)),
            ("16326064Ki", Some(16_717_889_536_000)),
            // More than fits.
            ("1E", None),
            ("-1", Some(-1000)),
        ];
        for (text, value) in known {
            assert_eq!(thousandths(text), value, "{text}");
        }
        for text in ["x", "1Zi", "1e99", "1.2.3", "-"] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_no_absent_one() {
        let json = serde_json::json!({"spec": {"a": "x", "b": null, "c": 3, "d": []}});
        assert_eq!(text(&json, "spec.a"), Ok(Some("x")));
        assert_eq!(text(&json, "spec.b"), Ok(None));
        assert_eq!(text(&json, "none.at.all"), Ok(None));
        assert!(text(&json, "spec.c").is_err() && text(&json, "spec.a.x").is_err());
        assert_eq!(list(&json, "spec.b").map(<[Json]>::len), Ok(0));
        assert!(list(&json, "spec.c").is_err());
    }
}
