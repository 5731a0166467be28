//! `daemon.json` as text and as values, refused where engines differ in how they read it.

use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

/// Objects that are settings by themselves. Out of any other, engines take what it holds for settings of their own
/// (`configValuesSet` in moby).
const FLAT: [&str; 7] =
    ["builder", "cluster-store-opts", "default-network-opts", "default-ulimits", "features", "log-opts", "runtimes"];

/// The one other object that engines know, and what it may hold.
const PROXIES: (&str, [&str; 3]) = ("proxies", ["http-proxy", "https-proxy", "no-proxy"]);

/// A `daemon.json` that every engine reads alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its text.
    pub text: String,
    /// What it says.
    pub values: Map<String, Value>,
}

impl Document {
    /// Reads it.
    ///
    /// # Errors
    /// The reason for which it is not edited, without any value of it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if matches!(bytes, [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err("it begins with a byte order mark, which engines before 23.0 refuse: save it without".into());
        }
        let text = std::str::from_utf8(bytes).map_err(|e| format!("byte {} is not valid UTF-8", e.valid_up_to()))?;
        if text.trim().is_empty() {
            return Err("it is empty, which engines before 23.0 refuse: write {} into it, or remove it".into());
        }
        let values = match strictly(text)? {
            Value::Object(values) => values,
            _ => return Err("it holds no JSON object".into()),
        };
        with_root(text, |root| look_for_doubles(text, root))??;
        look_for_hidden(&values)?;
        Ok(Self { text: text.to_owned(), values })
    }

    /// The text of a value in it.
    pub fn raw(&self, path: &[String]) -> Option<String> {
        let find = |root: &Object| {
            let (last, way) = path.split_last()?;
            Some(inside(root, way)?.get(last)?.value.text(&self.text).to_owned())
        };
        with_root(&self.text, find).ok().flatten()
    }
}

/// JSON as its standard has it, as engines read it: no comments, no trailing commas.
fn strictly(text: &str) -> Result<Value, String> {
    let mut decoder = serde_json::Deserializer::from_str(text);
    let value = serde::Deserialize::deserialize(&mut decoder).map_err(|e: serde_json::Error| {
        let (line, column) = (e.line(), e.column());
        let at = text.lines().nth(line.saturating_sub(1)).unwrap_or_default().get(column.saturating_sub(1)..);
        let comment = at.is_some_and(|rest| rest.starts_with('/') || rest.starts_with('#'));
        let hint = if comment { ": comments are no JSON, and engines refuse them" } else { "" };
        format!("it is not valid JSON (line {line}, column {column}){hint}")
    })?;
    match decoder.end() {
        Ok(()) => Ok(value),
        Err(e) => Err(format!("something follows its JSON (line {}), which engines from 23.0 on refuse", e.line())),
    }
}

/// Does something with the outermost object and its places in the text.
pub fn with_root<T>(text: &str, look: impl FnOnce(&Object) -> T) -> Result<T, String> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &strict);
    // The error's text may hold what the file holds.
    let parsed = parsed.map_err(|e| format!("it is not valid JSON (byte {})", e.range().start))?;
    let root = parsed.value.as_ref().and_then(Node::as_object).ok_or("it holds no JSON object")?;
    Ok(look(root))
}

/// The object at the end of a way of names.
pub fn inside<'a, 'b>(root: &'b Object<'a>, way: &[String]) -> Option<&'b Object<'a>> {
    way.iter().try_fold(root, |object, key| object.get(key)?.value.as_object())
}

fn look_for_doubles(text: &str, object: &Object) -> Result<(), String> {
    let mut names: Vec<&str> = object.properties.iter().map(|p| p.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
        let second = object.properties.iter().rfind(|p| p.name.as_str() == *name).map_or(0, |p| p.start());
        let line = text.get(..second).unwrap_or_default().matches('\n').count() + 1;
        return Err(format!("it holds {} twice (line {line}): take one away", shown(name)));
    }
    object.properties.iter().try_for_each(|p| look_into(text, &p.value))
}

fn look_into(text: &str, value: &Node) -> Result<(), String> {
    match value {
        Node::Object(object) => look_for_doubles(text, object),
        Node::Array(array) => array.elements.iter().try_for_each(|e| look_into(text, e)),
        _ => Ok(()),
    }
}

fn look_for_hidden(values: &Map<String, Value>) -> Result<(), String> {
    for (name, value) in values {
        let Value::Object(inner) = value else { continue };
        if FLAT.contains(&name.as_str()) {
            continue;
        }
        let hidden = inner.keys().find(|key| name != PROXIES.0 || !PROXIES.1.contains(&key.as_str()));
        if let Some(key) = hidden {
            let (name, key) = (shown(name), shown(key));
            return Err(format!("it holds {key} inside of {name}, where engines take it for a setting: take it out"));
        }
    }
    Ok(())
}

/// A name out of the file may be anything, so only what looks like a name of a setting is repeated.
pub fn shown(name: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.len() <= 40 && name.chars().all(sound) { format!("\"{name}\"") } else { "a strange name".into() }
}
