//! Reading fields as the API server does: absent and null are the same, of another type is unknown.

use std::sync::{Arc, LazyLock};

use seaworthy_core::component::Component;
use seaworthy_core::fact::Field;
use seaworthy_core::kubernetes::selector::{MOST_REQUIREMENTS, Requirement, Selector};
use seaworthy_core::schema::Kind;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// The most elements of one list that are kept; the API takes no object with so many.
const MOST_ITEMS: usize = 1024;
/// The most bytes of one text that are kept.
const MOST_TEXT: usize = 1024;

/// A value, or why there is none.
pub(in crate::kubernetes) type Read<T> = Result<T, Arc<str>>;

/// The reason for a field of another type than the API's.
pub(in crate::kubernetes) fn other_type() -> Arc<str> {
    static REASON: LazyLock<Arc<str>> = LazyLock::new(|| "it holds something of another type than the API's".into());
    Arc::clone(&REASON)
}

/// What lies on a path of fields (`spec.podSelector`); null where one of them is absent or null.
pub(in crate::kubernetes) fn at<'a>(json: &'a Json, path: &str) -> Read<&'a Json> {
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

/// A text; none where it is absent or null.
pub(in crate::kubernetes) fn text<'a>(json: &'a Json, path: &str) -> Read<Option<&'a str>> {
    match at(json, path)? {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        _ => Err(other_type()),
    }
}

/// A whole number; none where it is absent or null.
pub(in crate::kubernetes) fn number(json: &Json, path: &str) -> Read<Option<i64>> {
    match at(json, path)? {
        Json::Null => Ok(None),
        Json::Number(number) => number.as_i64().map(Some).ok_or_else(other_type),
        _ => Err(other_type()),
    }
}

/// A truth value; none where it is absent or null.
pub(in crate::kubernetes) fn truth(json: &Json, path: &str) -> Read<Option<bool>> {
    match at(json, path)? {
        Json::Null => Ok(None),
        Json::Bool(truth) => Ok(Some(*truth)),
        _ => Err(other_type()),
    }
}

/// A list; null is an empty one.
pub(in crate::kubernetes) fn list<'a>(json: &'a Json, path: &str) -> Read<&'a [Json]> {
    match at(json, path)? {
        Json::Null => Ok(&[]),
        Json::Array(items) => Ok(items),
        _ => Err(other_type()),
    }
}

/// Each element of a list as a value, and an unknown one for those beyond what is kept.
pub(in crate::kubernetes) fn each(json: &Json, path: &str, mut one: impl FnMut(&Json) -> Read<Value>) -> Read<Value> {
    let items = list(json, path)?;
    let mut kept: Vec<Value> = items.iter().take(MOST_ITEMS).map(|item| value(one(item))).collect();
    if items.len() > MOST_ITEMS {
        kept.push(Value::unknown(format!("only the first {MOST_ITEMS} of {} are kept", items.len())));
    }
    Ok(Value::List(kept))
}

/// A list of texts.
pub(in crate::kubernetes) fn texts(json: &Json, path: &str, redactor: &Redactor) -> Read<Value> {
    each(json, path, |item| item.as_str().map(|t| shown(t, redactor)).ok_or_else(other_type))
}

/// What was read, or an unknown with the reason.
pub(in crate::kubernetes) fn value<V: Into<Value>>(read: Read<V>) -> Value {
    read.map_or_else(Value::Unknown, Into::into)
}

/// A text that is kept: bounded, and without what is surely a token.
pub(in crate::kubernetes) fn shown(text: &str, redactor: &Redactor) -> Value {
    Value::from(short(&redactor.without_tokens(text)))
}

/// At most so many bytes of a text as are kept.
pub(in crate::kubernetes) fn short(text: &str) -> &str {
    if text.len() <= MOST_TEXT {
        return text;
    }
    let end = (0..=MOST_TEXT).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

/// An optional text that is kept.
pub(in crate::kubernetes) fn opt_text(json: &Json, path: &str, redactor: &Redactor) -> Read<Value> {
    Ok(text(json, path)?.map_or(Value::Null, |t| shown(t, redactor)))
}

/// A number or a text, as `targetPort` and `minAvailable` are; none where it is absent.
pub(in crate::kubernetes) fn number_or_text(json: &Json, path: &str) -> Read<Option<String>> {
    match at(json, path)? {
        Json::Null => Ok(None),
        Json::Number(number) => number.as_i64().map(|n| Some(n.to_string())).ok_or_else(other_type),
        Json::String(text) => Ok(Some(short(text).to_owned())),
        _ => Err(other_type()),
    }
}

fn pairs<'a>(json: &'a Json, path: &str) -> Read<Vec<(&'a str, &'a str)>> {
    let map = match at(json, path)? {
        Json::Null => return Ok(Vec::new()),
        Json::Object(map) => map,
        _ => return Err(other_type()),
    };
    let mut pairs = Vec::with_capacity(map.len().min(MOST_ITEMS));
    for (name, value) in map {
        pairs.push((name.as_str(), value.as_str().ok_or_else(other_type)?));
    }
    pairs.sort_unstable();
    Ok(pairs)
}

/// Annotations, by their names.
pub(in crate::kubernetes) fn annotations(json: &Json) -> Read<Vec<(&str, &str)>> {
    pairs(json, "metadata.annotations")
}

/// Labels as `name=value`.
pub(in crate::kubernetes) fn labels(json: &Json, redactor: &Redactor) -> Read<Vec<String>> {
    let labels = pairs(json, "metadata.labels")?;
    if labels.len() > MOST_ITEMS {
        return Err(format!("it has {} labels, of which no more than {MOST_ITEMS} are read", labels.len()).into());
    }
    Ok(labels
        .into_iter()
        .map(|(name, value)| format!("{}={}", short(name), redactor.without_tokens(short(value))))
        .collect())
}

/// A map of labels that must all be there, as a service's selector is one.
pub(in crate::kubernetes) fn equalities(json: &Json, path: &str, redactor: &Redactor) -> Read<Selector> {
    let pairs = pairs(json, path)?;
    let equal = |(name, value): (&str, &str)| Requirement::In(name.into(), vec![redactor.without_tokens(value).into()]);
    checked(Selector { requirements: pairs.into_iter().map(equal).collect() })
}

/// A selector as the API writes it; none where it is absent.
pub(in crate::kubernetes) fn selector(json: &Json, path: &str, redactor: &Redactor) -> Read<Option<Selector>> {
    let json = at(json, path)?;
    if json.is_null() {
        return Ok(None);
    }
    let mut selector = equalities(json, "matchLabels", redactor)?;
    for expression in list(json, "matchExpressions")? {
        let key: Box<str> = text(expression, "key")?.ok_or_else(other_type)?.into();
        let mut values = Vec::new();
        for value in list(expression, "values")?.iter().take(MOST_ITEMS) {
            values.push(redactor.without_tokens(value.as_str().ok_or_else(other_type)?).into());
        }
        selector.requirements.push(match text(expression, "operator")? {
            Some("In") if !values.is_empty() => Requirement::In(key, values),
            Some("NotIn") if !values.is_empty() => Requirement::NotIn(key, values),
            Some("Exists") if values.is_empty() => Requirement::Exists(key),
            Some("DoesNotExist") if values.is_empty() => Requirement::Absent(key),
            _ => return Err("its selector is none that the API takes".into()),
        });
    }
    checked(selector).map(Some)
}

/// The selector, where it is read back as it is written; labels that the API refuses could be taken for others.
fn checked(selector: Selector) -> Read<Selector> {
    let plain =
        |values: &Vec<Box<str>>| values.iter().all(|v| !v.contains([',', '(', ')', '=', '!']) && v.len() <= MOST_TEXT);
    let fits = selector.requirements.len() <= MOST_REQUIREMENTS
        && selector.requirements.iter().all(|r| match r {
            Requirement::In(_, values) | Requirement::NotIn(_, values) => plain(values),
            Requirement::Exists(_) | Requirement::Absent(_) => true,
        })
        && Selector::parse(&selector.to_string()).as_ref() == Some(&selector);
    if fits { Ok(selector) } else { Err("its selector names labels that the API does not take".into()) }
}

/// A selector's text; null where there is none.
pub(in crate::kubernetes) fn selector_text(json: &Json, path: &str, redactor: &Redactor) -> Read<Option<String>> {
    Ok(selector(json, path, redactor)?.map(|s| s.to_string()))
}

/// The namespace of a namespaced object: what a file leaves out is `default`.
pub(in crate::kubernetes) fn namespace_of(object: &Object<'_>) -> String {
    let namespace = object.namespace();
    short(if namespace.is_empty() { "default" } else { namespace }).to_owned()
}

/// A component that is being filled from an object.
pub(in crate::kubernetes) struct Sheet<'a> {
    pub component: Component,
    pub object: Object<'a>,
    pub redactor: &'a Redactor,
}

impl<'a> Sheet<'a> {
    /// A component of an object, named as its kind is called; `namespaced` or of the whole cluster.
    pub fn new(
        kind: &'static Kind,
        called: &str,
        object: Object<'a>,
        namespaced: bool,
        redactor: &'a Redactor,
    ) -> Self {
        let name = redactor.without_tokens(short(object.name())).into_owned();
        let namespace = if namespaced { namespace_of(&object) } else { String::new() };
        let full = if namespaced { format!("{namespace}/{name}") } else { name.clone() };
        let component = Component::new(kind, format!("{called}/{full}"), full);
        let mut sheet = Self { component, object, redactor };
        if kind.index("namespace").is_some() {
            sheet.put("namespace", "metadata.namespace", Ok(namespace));
        }
        sheet.put("name", "metadata.name", Ok(name));
        sheet
    }

    /// The object.
    pub fn json(&self) -> &'a Json {
        self.object.json
    }

    /// Sets a fact that was read from a field.
    pub fn put<V: Into<Value>>(&mut self, fact: &str, field: impl Into<Field>, read: Read<V>) {
        let source = self.object.place.source(field);
        self.component.set(fact, value(read), source);
    }
}
