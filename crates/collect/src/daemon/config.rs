//! `daemon.json` as the engine in use reads it: by its version, with Go's decoder and the quirks
//! of dockerd's own merging. Secrets do not outlive the parsing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::argv::Flags;
use super::go;
use super::keys::{self, HIDDEN, Keep, Key, Kind, without_credentials};

/// What the file sets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// The settings in effect if the engine read it now, by name, with their values.
    pub keys: BTreeMap<String, Value>,
    /// Every name that it holds, those without effect (an empty value) too: dockerd refuses to start
    /// when one of them is also a flag.
    pub names: BTreeSet<String>,
    /// Names that dockerd accepts and that change nothing: a flag's name where the file wants
    /// another, or a setting that is nested where it does not count.
    pub ignored: Vec<String>,
    /// True when a proxy's address carries a user part.
    pub proxy_credentials: bool,
}

/// Objects that are values themselves; every other object is flattened for its booleans.
const FLAT: [&str; 7] =
    ["cluster-store-opts", "default-network-opts", "log-opts", "runtimes", "default-ulimits", "features", "builder"];

/// Parses the bytes of a file as an engine of this major version would.
///
/// # Errors
/// The reason for which dockerd would refuse to start with it, without the text of the file.
pub fn parse(bytes: &[u8], major: u32) -> Result<Content, String> {
    let text = decode(bytes, major)?;
    if text.trim().is_empty() {
        // The decoder of the old engines ends in an error at the end of the file.
        return if major >= 23 { Ok(Content::default()) } else { Err("the file is empty".into()) };
    }
    let mut content = Content::default();
    for (name, value) in entries(&text, major)? {
        top_level(&mut content, &name, value)?;
    }
    Ok(content)
}

/// The settings that are both flags and in the file, with which dockerd refuses to start.
pub fn conflicts(content: &Content, flags: &Flags) -> Vec<&'static str> {
    flags.names().filter(|n| *n != "runtimes" && content.names.contains(*n)).collect()
}

fn decode(bytes: &[u8], major: u32) -> Result<String, String> {
    let wide = |convert: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks(2).map(|c| convert([c[0], c.get(1).copied().unwrap_or(0)])).collect();
        String::from_utf16(&units).map_err(|_| "it is not valid UTF-16".to_owned())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if major < 23 => {
            Err("it begins with a byte order mark, which this engine does not read".into())
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ if major >= 23 => utf8(bytes),
        _ => Ok(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|e| format!("byte {} is not valid UTF-8", e.valid_up_to()))
}

/// The entries of the outermost object in their order, equal names kept apart.
fn entries(text: &str, major: u32) -> Result<Vec<(String, Value)>, String> {
    let place = |e: serde_json::Error| match e.line() {
        0 => "it is no JSON object".to_owned(),
        line => format!("it is not valid JSON (line {line}, column {})", e.column()),
    };
    let mut decoder = serde_json::Deserializer::from_str(text);
    let found = decoder.deserialize_any(Entries).map_err(place)?;
    // The old engines stop reading after the first value.
    if major >= 23 {
        decoder.end().map_err(|e| format!("something follows the JSON object (line {})", e.line()))?;
    }
    let mut merged: Vec<(String, Value)> = Vec::new();
    for (name, value) in found {
        match merged.iter_mut().find(|(n, _)| *n == name) {
            // Go decodes a second object into the map that the first one left.
            Some((_, Value::Object(first))) if value.is_object() => {
                if let Value::Object(second) = value {
                    first.extend(second);
                }
            }
            // A null leaves what was decoded, but for booleans, which dockerd sets by their text.
            Some((name, _)) if value.is_null() && !is_boolean(name) => {}
            Some((_, first)) => *first = value,
            None => merged.push((name, value)),
        }
    }
    Ok(merged)
}

fn is_boolean(name: &str) -> bool {
    keys::by_file(name).is_some_and(|k| k.kind == Kind::Bool)
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn top_level(content: &mut Content, name: &str, value: Value) -> Result<(), String> {
    remember(content, name);
    match value {
        Value::Object(inner) if name == "proxies" => {
            for (name, value) in inner {
                remember(content, &name);
                match keys::by_file(&name).filter(|k| k.file.ends_with("-proxy")) {
                    Some(key) => set(content, key, value)?,
                    None => nested(content, &name, &value)?,
                }
            }
            Ok(())
        }
        Value::Object(inner) if !FLAT.contains(&name) && !is_object(name) => {
            if keys::by_file(name).is_some() {
                return Err(format!("the value of {name} is an object"));
            }
            inner.iter().try_for_each(|(name, value)| nested(content, name, value))
        }
        value => match keys::by_file(name) {
            // These count only inside of `proxies`.
            Some(key) if key.file.ends_with("-proxy") && key.kind == Kind::Text => {
                content.ignored.push(name.to_owned());
                Ok(())
            }
            Some(key) => set(content, key, value),
            None if keys::by_flag(name).is_some() => {
                content.ignored.push(name.to_owned());
                Ok(())
            }
            None => Err(format!("{} is no setting that an engine knows", shown(name))),
        },
    }
}

/// Keeps a name that an engine knows; any other may be anything.
fn remember(content: &mut Content, name: &str) {
    if keys::by_file(name).is_some() {
        content.names.insert(name.to_owned());
    }
}

fn is_object(name: &str) -> bool {
    keys::by_file(name).is_some_and(|k| k.kind == Kind::Object)
}

/// A setting inside of an object of any name: booleans count, the others are accepted and lost.
fn nested(content: &mut Content, name: &str, value: &Value) -> Result<(), String> {
    remember(content, name);
    match keys::by_file(name) {
        Some(key) if key.kind == Kind::Bool => {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // What Go refuses to read has been set to false by the attempt.
            let value = Value::Bool(go::boolean(&text).unwrap_or(false));
            content.keys.entry(name.to_owned()).or_insert(value);
            Ok(())
        }
        None if keys::by_flag(name).is_none() => Err(format!("{} is no setting that an engine knows", shown(name))),
        _ => {
            content.ignored.push(name.to_owned());
            Ok(())
        }
    }
}

/// A foreign name may be anything, so only what looks like a name of a setting is repeated.
fn shown(name: &str) -> String {
    let sound = name.len() <= 40 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if sound { format!("\"{name}\"") } else { "a name in it".into() }
}

fn set(content: &mut Content, key: &'static Key, value: Value) -> Result<(), String> {
    let wrong = || Err(format!("the value of {} has the wrong type", key.file));
    let kept = match (key.kind, value) {
        (Kind::Bool, Value::Null) => Value::Bool(false),
        (Kind::Bool, value @ Value::Bool(_)) => value,
        // As if it were not there: what is empty gives way to the default.
        (_, Value::Null) => return Ok(()),
        (Kind::Text, Value::String(text)) if text.is_empty() => return Ok(()),
        (Kind::Text, Value::String(text)) => {
            content.proxy_credentials |= key.file.starts_with("http") && text.contains('@');
            Value::from(without_credentials(&text))
        }
        (Kind::Number, Value::Number(n)) if n.as_i64() == Some(0) => return Ok(()),
        (Kind::Number, value @ Value::Number(_)) => value,
        (Kind::List, Value::Array(items)) => match list(key, items) {
            Some(items) if items.is_empty() => return Ok(()),
            Some(items) => Value::Array(items),
            None => return wrong(),
        },
        (Kind::Map, Value::Object(map)) => match entries_kept(key.file, map) {
            Some(map) => Value::Object(map),
            None => return wrong(),
        },
        (Kind::Object, value) => clean(value),
        (Kind::Ignored, _) => return Ok(()),
        _ => return wrong(),
    };
    let name = if key.file == "graph" { "data-root" } else { key.file };
    content.keys.insert(name.to_owned(), kept);
    Ok(())
}

fn list(key: &Key, items: Vec<Value>) -> Option<Vec<Value>> {
    let keep = |text: String| match (key.keep, text.split_once('=')) {
        (Keep::Names, Some((name, _))) => format!("{name}={HIDDEN}"),
        _ => without_credentials(&text),
    };
    let text = |item| match item {
        Value::String(text) => Some(Value::from(keep(text))),
        Value::Null => Some(Value::from("")),
        _ => None,
    };
    items.into_iter().map(text).collect()
}

/// What is kept of an object; `None` when a value has a type that Go would refuse.
fn entries_kept(name: &str, map: Map<String, Value>) -> Option<Map<String, Value>> {
    let keep = |(option, value): (String, Value)| {
        let value = match (name, value) {
            ("features", value @ Value::Bool(_)) => value,
            ("log-opts", Value::String(text)) => {
                Value::from(keys::log_option(&option, &text).unwrap_or_else(|| HIDDEN.into()))
            }
            ("cluster-store-opts", Value::String(_)) => Value::from(HIDDEN),
            ("runtimes", Value::Object(runtime)) => {
                let kept = runtime.into_iter().map(|(k, v)| {
                    let known = ["path", "runtimeType"].iter().any(|n| k.eq_ignore_ascii_case(n));
                    (k, if known { clean(v) } else { Value::from(HIDDEN) })
                });
                Value::Object(kept.collect())
            }
            ("default-ulimits", value @ Value::Object(_)) => clean(value),
            (_, Value::Null) => Value::Null,
            _ => return None,
        };
        Some((option, value))
    };
    map.into_iter().map(keep).collect()
}

fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::from(without_credentials(&text)),
        Value::Array(items) => items.into_iter().map(clean).collect(),
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, clean(v))).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(text: &str, major: u32) -> Result<Value, String> {
        parse(text.as_bytes(), major).map(|c| json!(c.keys))
    }

    #[test]
    fn what_differs_between_versions() {
        for text in ["\u{feff}{\"icc\":false}", ""] {
            assert!(keys(text, 20).is_err(), "{text:?}");
            assert!(keys(text, 23).is_ok(), "{text:?}");
        }
        let trailing = "{\"icc\":false} garbage";
        assert_eq!(keys(trailing, 20).unwrap(), json!({"icc": false}));
        assert!(keys(trailing, 23).is_err());
        let wide: Vec<u8> = "\u{feff}{\"icc\":false}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse(&wide, 29).unwrap().keys["icc"], false);
        assert!(parse(&wide, 20).is_err());
    }

    #[test]
    fn what_sets_a_boolean_by_surprise() {
        for (text, expected) in [
            (r#"{"x":{"icc":false}}"#, json!({"icc": false})),
            (r#"{"icc":null}"#, json!({"icc": false})),
            (r#"{"x":{"icc":"nonsense"}}"#, json!({"icc": false})),
            (r#"{"x":{"icc":1}}"#, json!({"icc": true})),
            (r#"{"icc":true,"icc":false}"#, json!({"icc": false})),
            (
                r#"{"log-opts":{"max-size":"1m"},"log-opts":{"max-file":"2"}}"#,
                json!({"log-opts": {"max-size": "1m", "max-file": "2"}}),
            ),
            (r#"{"x":{"log-level":"debug"}}"#, json!({})),
            (r#"{"log-level":"","mtu":0,"hosts":[],"bip":null}"#, json!({})),
            (r#"{"insecure-registry":["a"],"http-proxy":"http://p"}"#, json!({})),
            (r#"{"proxies":{"http-proxy":"http://p"}}"#, json!({"http-proxy": "http://p"})),
            ("null", json!({})),
        ] {
            assert_eq!(keys(text, 29).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_dockerd_refuses_is_refused() {
        for text in [
            "{\"icc\":false, // no\n}",
            "{\"icc\":false,}",
            "[]",
            "1",
            r#"{"ICC":false}"#,
            r#"{"icc":"false"}"#,
            r#"{"no-such-thing":1}"#,
            r#"{"x":{"no-such-thing":1}}"#,
            r#"{"log-opts":{"max-file":3}}"#,
            r#"{"hosts":"unix:///s"}"#,
            r#"{"icc":{"icc":true}}"#,
            "{\"icc\"",
        ] {
            assert!(keys(text, 29).is_err(), "{text}");
        }
    }

    #[test]
    fn a_setting_in_both_places_is_a_conflict_but_for_runtimes() {
        let content =
            parse(br#"{"icc":false,"runtimes":{"a":{"path":"/a"}},"labels":["a=b"],"hosts":[]}"#, 29).unwrap();
        let words = ["dockerd", "--icc=true", "--add-runtime=b=/b", "--label=c=d", "-Hfd://"].map(str::to_owned);
        assert_eq!(conflicts(&content, &super::super::argv::parse(&words)), ["hosts", "icc", "labels"]);
    }

    #[test]
    fn no_secret_is_kept_and_none_is_in_a_reason() {
        let text = r#"{"log-opts":{"splunk-token":"S3CRET","splunk-url":"https://u:S3CRET@splunk/S3CRET?t=S3CRET"},"labels":["a=S3CRET"],
            "proxies":{"https-proxy":"http://u:S3CRET@p"},"registry-mirrors":["https://u:S3CRET@m"],
            "runtimes":{"r":{"path":"/r","runtimeArgs":["--token=S3CRET"],"options":{"a":"S3CRET"}}},
            "cluster-store-opts":{"k":"S3CRET"},"default-network-opts":{"bridge":{"a":"http://u:S3CRET@x"}}}"#;
        let content = parse(text.as_bytes(), 29).unwrap();
        assert!(!format!("{content:?}").contains("S3CRET"), "{content:?}");
        assert!(content.proxy_credentials);
        for text in [r#"{"S3CRET here":1}"#, r#"{"icc":"S3CRET"}"#, r#"{"a" "S3CRET"}"#] {
            assert!(!parse(text.as_bytes(), 29).unwrap_err().contains("S3CRET"));
        }
    }
}
