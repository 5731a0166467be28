//! A snapshot as JSON, and back. Places are kept once; values are read back by the schema's types, so that a file
//! that was damaged or made up is refused and never half understood.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use crate::component::Component;
use crate::fact::Source;
use crate::schema::{self, Type};
use crate::snapshot::{Gap, SCHEMA, Snapshot, Target};
use crate::value::Value;

/// The most values that are read: about what 10,000 containers have.
const MOST_VALUES: usize = 16_000_000;

/// Why a snapshot could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotError(pub String);

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SnapshotError {}

#[derive(Serialize)]
struct FactOut<'a>(&'a Value, usize, &'a str);

/// Writes a snapshot, one component a line. The same snapshot gives the same bytes.
///
/// # Errors
/// When the writer fails.
pub fn write(snapshot: &Snapshot, mut out: impl Write) -> std::io::Result<()> {
    write!(
        out,
        "{{\"schema\":{SCHEMA},\"tool\":{},\"collected_at\":{},\"targets\":[",
        text(&snapshot.tool)?,
        snapshot.collected_at
    )?;
    for (i, target) in snapshot.targets.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        write_target(target, &mut out)?;
    }
    out.write_all(b"]}\n")
}

fn text(s: &str) -> std::io::Result<String> {
    Ok(serde_json::to_string(s)?)
}

fn write_target(target: &Target, out: &mut impl Write) -> std::io::Result<()> {
    write!(out, "{{\"name\":{},\"platform\":{},", text(&target.name)?, text(&target.platform)?)?;
    write!(
        out,
        "\"address\":{},\"about\":{},\"took_ms\":{},",
        text(&target.address)?,
        text(&target.about)?,
        target.took_ms
    )?;
    write!(out, "\"incomplete\":{},", serde_json::to_string(&target.incomplete)?)?;
    write!(out, "\"gaps\":{},\"components\":[", serde_json::to_string(&target.gaps)?)?;
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    for (i, component) in target.components.iter().enumerate() {
        out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
        write!(
            out,
            "{{\"kind\":{},\"id\":{},\"name\":{},\"facts\":{{",
            text(component.kind.name)?,
            text(&component.id)?,
            text(&component.name)?
        )?;
        for (n, (name, fact)) in component.facts().enumerate() {
            let place: &str = &fact.source.place;
            let index = *places.entry(place).or_insert_with(|| {
                order.push(place);
                order.len() - 1
            });
            write!(out, "{}\"{name}\":", if n == 0 { "" } else { "," })?;
            serde_json::to_writer(&mut *out, &FactOut(&fact.value, index, &fact.source.field))?;
        }
        out.write_all(b"}}")?;
    }
    write!(out, "],\n\"places\":{}}}", serde_json::to_string(&order)?)
}

/// Reads a snapshot back.
///
/// # Errors
/// In one line: another schema, or what in it is not as the schema says.
pub fn read(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    // A value takes far more memory than the two bytes that it may have here.
    if bytes.iter().filter(|b| matches!(b, b',' | b'[' | b'{')).count() > MOST_VALUES {
        return Err(SnapshotError(format!("not a snapshot: it holds more than {MOST_VALUES} values")));
    }
    let json: Json = serde_json::from_slice(bytes).map_err(|e| SnapshotError(format!("not a snapshot: {e}")))?;
    let version = json.get("schema").and_then(Json::as_u64).ok_or_else(|| missing("schema"))?;
    if version != u64::from(SCHEMA) {
        let newer = if version > u64::from(SCHEMA) { "a newer" } else { "an older" };
        return Err(SnapshotError(format!(
            "it was written by {newer} Seaworthy (snapshot schema {version}, this one reads {SCHEMA}); collect again"
        )));
    }
    let targets = array(&json, "targets")?.iter().map(read_target).collect::<Result<_, _>>()?;
    Ok(Snapshot {
        tool: string(&json, "tool")?,
        collected_at: json.get("collected_at").and_then(Json::as_i64).ok_or_else(|| missing("collected_at"))?,
        targets,
    })
}

fn missing(what: &str) -> SnapshotError {
    SnapshotError(format!("not a snapshot: `{what}` is missing or of another type"))
}

fn string(json: &Json, name: &str) -> Result<String, SnapshotError> {
    json.get(name).and_then(Json::as_str).map(str::to_owned).ok_or_else(|| missing(name))
}

fn array<'a>(json: &'a Json, name: &str) -> Result<&'a Vec<Json>, SnapshotError> {
    json.get(name).and_then(Json::as_array).ok_or_else(|| missing(name))
}

fn read_target(json: &Json) -> Result<Target, SnapshotError> {
    let mut target = Target::new(string(json, "name")?, string(json, "platform")?, string(json, "address")?);
    target.about = string(json, "about")?;
    target.took_ms = json.get("took_ms").and_then(Json::as_u64).ok_or_else(|| missing("took_ms"))?;
    for gap in array(json, "gaps")? {
        target.gaps.push(Gap {
            source: string(gap, "source")?,
            reason: string(gap, "reason")?,
            affects: string(gap, "affects")?,
        });
    }
    let incomplete = json.get("incomplete").and_then(Json::as_object).ok_or_else(|| missing("incomplete"))?;
    for (kind, reason) in incomplete {
        let kind = schema::kind_named(kind).ok_or_else(|| missing("incomplete"))?;
        target.incomplete.insert(kind.name, reason.as_str().ok_or_else(|| missing("incomplete"))?.to_owned());
    }
    let places: Vec<Arc<str>> = array(json, "places")?
        .iter()
        .map(|p| p.as_str().map(Arc::from).ok_or_else(|| missing("places")))
        .collect::<Result<_, _>>()?;
    for component in array(json, "components")? {
        target.components.push(read_component(component, &places)?);
    }
    Ok(target)
}

fn read_component(json: &Json, places: &[Arc<str>]) -> Result<Component, SnapshotError> {
    let name = string(json, "kind")?;
    let kind = schema::kind_named(&name).ok_or_else(|| SnapshotError(format!("there is no kind `{name}`")))?;
    let mut component = Component::new(kind, string(json, "id")?, string(json, "name")?);
    let facts = json.get("facts").and_then(Json::as_object).ok_or_else(|| missing("facts"))?;
    for (name, fact) in facts {
        let spec = kind.fact(name).ok_or_else(|| SnapshotError(format!("{} has no fact `{name}`", kind.name)))?;
        let parts = fact.as_array().map(Vec::as_slice);
        let Some([value, place, field]) = parts else { return Err(missing(name)) };
        let value = read_value(value, &spec.ty).map_err(|why| SnapshotError(format!("{}.{name}: {why}", kind.name)))?;
        let place =
            place.as_u64().and_then(|i| places.get(usize::try_from(i).ok()?)).ok_or_else(|| missing("places"))?;
        let field = field.as_str().ok_or_else(|| missing(name))?;
        component.set(name, value, Source { place: Arc::clone(place), field: Cow::Owned(field.to_owned()) });
    }
    Ok(component)
}

fn read_value(json: &Json, ty: &Type) -> Result<Value, String> {
    if let Some(reason) =
        json.as_object().filter(|o| o.len() == 1).and_then(|o| o.get("unknown")).and_then(Json::as_str)
    {
        return Ok(Value::unknown(reason));
    }
    match (ty, json) {
        (Type::Optional(_), Json::Null) => Ok(Value::Null),
        (Type::Optional(inner), json) => read_value(json, inner),
        (Type::Bool, Json::Bool(b)) => Ok(Value::Bool(*b)),
        (Type::Int, Json::Number(n)) => n.as_i64().map(Value::Int).ok_or_else(|| "the number is too large".into()),
        (Type::Str, Json::String(s)) => Ok(s.as_str().into()),
        (Type::List(inner), Json::Array(items)) => {
            Ok(Value::List(items.iter().map(|i| read_value(i, inner)).collect::<Result<_, _>>()?))
        }
        (Type::Object(fields), Json::Object(map)) if fields.len() == map.len() => {
            let field = |f: &schema::Field| {
                let value = map.get(f.name).ok_or_else(|| format!("`{}` is missing", f.name))?;
                Ok((f.name, read_value(value, &f.ty)?))
            };
            Ok(Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?))
        }
        (expected, _) => Err(format!("expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::docker::{CONTAINER, HOST};

    fn snapshot() -> Snapshot {
        let place: Arc<str> = "inspect web".into();
        let mut c = Component::new(&CONTAINER, "1", "web\u{1b}[31m\"");
        c.set("privileged", false, Source::new(&place, "HostConfig.Privileged"));
        c.set("memory_limit", Value::Null, Source::new(&place, "HostConfig.Memory"));
        c.set_unknown("capabilities", "denied", Source::place("/proc/1/status"));
        let env =
            Value::Object(vec![("name", "A".into()), ("class", "token".into()), ("length", Value::unknown("cut"))]);
        c.set("env_secrets", Value::List(vec![env]), Source::new(&place, "Config.Env"));
        let mut target = Target::new("local", "docker", "unix:///run/docker.sock");
        target.components.push(c);
        target.incomplete(&HOST, "remote");
        target.gap("a", "b", "c");
        Snapshot { tool: "0".into(), collected_at: 7, targets: vec![target] }
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let mut first = Vec::new();
        write(&snapshot(), &mut first).unwrap();
        let back = read(&first).unwrap();
        let mut second = Vec::new();
        write(&back, &mut second).unwrap();
        assert_eq!(String::from_utf8(first).unwrap(), String::from_utf8(second).unwrap());
        assert_eq!(back.targets[0].components[0].value("capabilities"), &Value::unknown("denied"));
    }

    #[test]
    fn damage_is_refused_in_one_line() {
        let mut bytes = Vec::new();
        write(&snapshot(), &mut bytes).unwrap();
        let good = String::from_utf8(bytes).unwrap();
        for bad in [
            "".to_owned(),
            "{}".to_owned(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"schema\":1", "\"schema\":99"),
            good.replace("\"privileged\":[false", "\"privileged\":[\"no\""),
            good.replace("\"privileged\"", "\"nope\""),
            good.replace("docker.container", "docker.boat"),
            "[".repeat(100_000),
        ] {
            let error = read(bad.as_bytes()).unwrap_err().to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
