//! A snapshot as JSON, and back. Places are kept once; values are read back by the schema's types, so that a file
//! that was damaged or made up is refused and never half understood.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;

use serde::Serialize;

use crate::snapshot::{SCHEMA, Snapshot, Target};
use crate::value::Value;

mod read;

pub use read::read;

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::component::Component;
    use crate::fact::Source;
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
    fn the_order_of_what_is_written_does_not_matter() {
        let mut bytes = Vec::new();
        write(&snapshot(), &mut bytes).unwrap();
        // Maps of this program keep the order of insertion, others sort.
        fn sorted(json: &serde_json::Value) -> serde_json::Value {
            match json {
                serde_json::Value::Object(map) => {
                    let sorted: std::collections::BTreeMap<_, _> = map.iter().map(|(k, v)| (k, sorted(v))).collect();
                    sorted.into_iter().map(|(k, v)| (k.clone(), v)).collect()
                }
                serde_json::Value::Array(items) => items.iter().map(sorted).collect(),
                other => other.clone(),
            }
        }
        let other = sorted(&serde_json::from_slice(&bytes).unwrap()).to_string();
        assert!(other.find("\"facts\"") < other.find("\"kind\""), "{other}");
        let mut again = Vec::new();
        write(&read(other.as_bytes()).unwrap(), &mut again).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(again).unwrap());
    }

    #[test]
    fn another_version_is_told_whatever_it_looks_like() {
        let told = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert!(told(r#"{"schema":99,"targets":{"a":1}}"#).contains("a newer Seaworthy"));
        assert!(told(r#"{"schema":0,"tool":"0","collected_at":1,"targets":[]}"#).contains("an older Seaworthy"));
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
            good.replace("\"privileged\"", "\"nope\\n\""),
            good.replace("\"privileged\":[false,0,", "\"privileged\":[false,9,"),
            good.replace("\"length\":", "\"breadth\":"),
            good.replace("{\"unknown\":\"denied\"}", "{\"unknown\":7}"),
            good.replace("{\"unknown\":\"denied\"}", "{\"unknown\":\"denied\",\"why\":1}"),
            good.replace("docker.container", "docker.boat"),
            "[".repeat(100_000),
        ] {
            let error = read(bad.as_bytes()).unwrap_err().to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
