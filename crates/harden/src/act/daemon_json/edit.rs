//! Edits of JSON text that touch one member and nothing else: what stays is copied byte by byte.

use jsonc_parser::ast::{Object, ObjectProp};
use jsonc_parser::common::{Range, Ranged as _};
use serde_json::Value;

use super::document::{inside, with_root};

/// What a member becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// It gets this value; where it is missing, it is added.
    Set(Vec<String>, Value),
    /// It gets the value that this text is.
    Raw(Vec<String>, String),
    /// It goes.
    Remove(Vec<String>),
}

/// Carries edits out, one after the other.
///
/// # Errors
/// Where a member on the way is missing or no object.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, String> {
    // Asked once: an edit may take away every line's end that there was.
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    edits.iter().try_fold(text.to_owned(), |text, edit| {
        let (path, value) = match edit {
            Edit::Set(path, value) => (path, Some(New::Value(value))),
            Edit::Raw(path, raw) => (path, Some(New::Raw(raw))),
            Edit::Remove(path) => (path, None),
        };
        let (range, new) = with_root(&text, |root| {
            let (last, way) = path.split_last().ok_or("a setting has no name")?;
            let object = inside(root, way).ok_or_else(|| format!("{} is no object there", way.join(".")))?;
            let style = Style::of(&text, root, newline);
            Ok::<_, String>(match value {
                Some(value) => set(&text, object, last, value, &style),
                None => remove(object, last),
            })
        })??;
        Ok([&text[..range.start], &new, &text[range.end..]].concat())
    })
}

#[derive(Clone, Copy)]
enum New<'a> {
    Value(&'a Value),
    Raw(&'a str),
}

/// How the text is written.
struct Style {
    newline: &'static str,
    /// What one level is indented by; none where the outermost object is on one line.
    unit: Option<String>,
    /// What stands between a name and its value.
    colon: String,
    /// What follows a comma on one line.
    space: &'static str,
}

impl Style {
    fn of(text: &str, root: &Object, newline: &'static str) -> Self {
        let first = root.properties.first();
        let colon = first.map_or(": ", |p| colon(text, p)).to_owned();
        let space = if colon.ends_with(char::is_whitespace) { " " } else { "" };
        let unit = match first {
            None => Some("  ".to_owned()),
            Some(first) => text[root.start()..first.start()].rsplit_once('\n').map(|(_, indent)| match indent {
                "" => "  ".to_owned(),
                indent => indent.to_owned(),
            }),
        };
        Self { newline, unit, colon, space }
    }
}

fn colon<'a>(text: &'a str, member: &ObjectProp) -> &'a str {
    let between = &text[member.name.end()..member.value.start()];
    if between.contains('\n') { ": " } else { between }
}

/// The white space that begins the line of a place in the text.
fn indent(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |n| n + 1)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn set(text: &str, object: &Object, name: &str, value: New, style: &Style) -> (Range, String) {
    if let Some(member) = object.get(name) {
        let new = render(value, style, indent(text, member.start()));
        return (member.value.range(), new);
    }
    let name = Value::from(name);
    let member = |indent: &str, colon: &str| format!("{name}{colon}{}", render(value, style, indent));
    let newline = style.newline;
    match &object.properties[..] {
        [] => {
            let inside = Range::new(object.start() + 1, object.end() - 1);
            let base = indent(text, object.start());
            let Some(unit) = &style.unit else { return (inside, member(base, &style.colon)) };
            let deeper = format!("{base}{unit}");
            (inside, format!("{newline}{deeper}{}{newline}{base}", member(&deeper, &style.colon)))
        }
        [.., last] => {
            let gap = gap(text, object);
            let colon = colon(text, last);
            let new = match gap.rsplit_once('\n') {
                Some((_, indent)) => format!(",{newline}{indent}{}", member(indent, colon)),
                None => {
                    let space = if object.properties.len() > 1 { gap } else { style.space };
                    format!(",{space}{}", member(indent(text, last.start()), colon))
                }
            };
            (Range::from_byte_index(last.end()), new)
        }
    }
}

/// The white space before an object's last member.
fn gap<'a>(text: &'a str, object: &Object) -> &'a str {
    match &object.properties[..] {
        [.., before, last] => {
            let between = &text[before.end()..last.start()];
            between.split_once(',').map_or(between, |(_, gap)| gap)
        }
        [last] => &text[object.start() + 1..last.start()],
        [] => "",
    }
}

fn remove(object: &Object, name: &str) -> (Range, String) {
    let members = &object.properties;
    let range = match members.iter().position(|p| p.name.as_str() == name) {
        None => Range::from_byte_index(object.start()),
        Some(0) if members.len() == 1 => Range::new(object.start() + 1, object.end() - 1),
        Some(at) => match members.get(at + 1) {
            Some(next) => Range::new(members[at].start(), next.start()),
            None => Range::new(members[at - 1].end(), members[at].end()),
        },
    };
    (range, String::new())
}

/// A value as the file would write it, on a line that begins with `base`.
fn render(value: New, style: &Style, base: &str) -> String {
    match value {
        New::Raw(raw) => raw.to_owned(),
        New::Value(value) => write(value, style, base),
    }
}

fn write(value: &Value, style: &Style, base: &str) -> String {
    let (open, close, items) = match value {
        Value::Object(map) if !map.is_empty() => {
            let deeper = deeper(style, base);
            let member = |(k, v): (&String, &Value)| {
                format!("{}{}{}", Value::from(k.as_str()), style.colon, write(v, style, &deeper))
            };
            ('{', '}', map.iter().map(member).collect::<Vec<_>>())
        }
        Value::Array(items) if items.iter().any(|i| i.is_object() || i.is_array()) => {
            let deeper = deeper(style, base);
            ('[', ']', items.iter().map(|i| write(i, style, &deeper)).collect())
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            return format!("[{}]", items.join(&format!(",{}", style.space)));
        }
        plain => return plain.to_string(),
    };
    match &style.unit {
        None => format!("{open}{}{close}", items.join(&format!(",{}", style.space))),
        Some(unit) => {
            let newline = style.newline;
            let line = format!("{newline}{base}{unit}");
            format!("{open}{line}{}{newline}{base}{close}", items.join(&format!(",{line}")))
        }
    }
}

fn deeper(style: &Style, base: &str) -> String {
    format!("{base}{}", style.unit.as_deref().unwrap_or_default())
}
