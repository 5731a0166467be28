//! Reading the engine's JSON without believing its shape.

use serde_json::{Map, Value};

/// An object of the engine's.
pub(super) type Object = Map<String, Value>;

/// The text at a pointer; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The truth at a pointer; false where there is none.
pub(super) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The object at a pointer; empty where there is none.
pub(super) fn object(value: &Value, pointer: &str) -> Object {
    value.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The items of a list; none where it is none.
pub(super) fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    items(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The text of a field; empty where there is none.
pub(super) fn field<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The object in a field; empty where there is none.
pub(super) fn inner(object: &Object, name: &str) -> Object {
    object.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Whether it says nothing: null, false, zero, or empty.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(is_empty),
    }
}

/// A container's name without the slash that the engine puts before it.
pub(super) fn name_of(inspect: &Value) -> &str {
    text(inspect, "/Name").trim_start_matches('/')
}

/// A container's id.
pub(super) fn id_of(inspect: &Value) -> &str {
    text(inspect, "/Id")
}

/// Whether it runs, also where it is paused or between two starts.
pub(super) fn is_running(inspect: &Value) -> bool {
    flag(inspect, "/State/Running") || flag(inspect, "/State/Restarting")
}
