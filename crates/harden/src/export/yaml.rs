//! YAML as other tools read it: block style, every text double-quoted, every character that is not plain written out.

use std::fmt::Write as _;

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    /// A text.
    Text(String),
    /// A text that is a template of ours: kept from `!unsafe`.
    Template(String),
    /// A number, a truth value or null, as it is.
    Plain(String),
    /// With a tag: `!reset null`.
    Tagged(&'static str, Box<Yaml>),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
    /// A comment before what follows, cleaned.
    Comment(String, Box<Yaml>),
}

/// How texts are kept from being code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// Jinja templates are marked `!unsafe`.
    Ansible,
    /// `$` is doubled.
    Compose,
}

impl Yaml {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    pub fn texts<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(items.into_iter().map(Self::text).collect())
    }

    /// A value of JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(text) => Self::text(text.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::json).collect()),
            serde_json::Value::Object(map) => Self::map(map.iter().map(|(k, v)| (k.clone(), Self::json(v)))),
            plain => Self::Plain(plain.to_string()),
        }
    }

    /// As a document.
    pub fn document(&self, to: For) -> String {
        let mut out = String::new();
        self.write(&mut out, 0, to);
        out
    }

    /// On one line, in flow style.
    pub fn flow(&self, to: For) -> String {
        match self {
            Self::List(items) => {
                format!("[{}]", items.iter().map(|i| i.flow(to)).collect::<Vec<_>>().join(", "))
            }
            Self::Map(entries) => {
                let pairs: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{}: {}", key_of(key), value.flow(to))).collect();
                format!("{{{}}}", pairs.join(", "))
            }
            Self::Tagged(tag, inner) => format!("{tag} {}", inner.flow(to)),
            Self::Comment(_, inner) => inner.flow(to),
            scalar => scalar.scalar(to),
        }
    }

    fn is_scalar(&self) -> bool {
        match self {
            Self::Text(_) | Self::Template(_) | Self::Plain(_) => true,
            Self::Tagged(_, inner) => inner.is_scalar(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Comment(..) => false,
        }
    }

    fn scalar(&self, to: For) -> String {
        match self {
            Self::Text(text) if to == For::Ansible && ["{{", "{%", "{#"].iter().any(|t| text.contains(t)) => {
                format!("!unsafe {}", quoted(text))
            }
            Self::Text(text) if to == For::Compose => quoted(&text.replace('$', "$$")),
            Self::Text(text) | Self::Template(text) => quoted(text),
            Self::Plain(text) => text.clone(),
            Self::Tagged(tag, inner) => format!("{tag} {}", inner.scalar(to)),
            Self::List(_) => "[]".to_owned(),
            Self::Map(_) | Self::Comment(..) => "{}".to_owned(),
        }
    }

    /// Writes a node that begins on a line of its own.
    fn write(&self, out: &mut String, indent: usize, to: For) {
        let space = " ".repeat(indent);
        match self {
            Self::Comment(text, inner) => {
                for line in text.lines() {
                    let _ = writeln!(out, "{space}# {}", super::comment(line));
                }
                inner.write(out, indent, to);
            }
            Self::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    value.entry(out, indent, &key_of(key), to);
                }
            }
            Self::List(items) if !items.is_empty() => {
                for item in items {
                    item.item(out, indent, to);
                }
            }
            scalar => {
                let _ = writeln!(out, "{space}{}", scalar.scalar(to));
            }
        }
    }

    fn entry(&self, out: &mut String, indent: usize, key: &str, to: For) {
        let space = " ".repeat(indent);
        match self {
            Self::Comment(text, inner) => {
                for line in text.lines() {
                    let _ = writeln!(out, "{space}# {}", super::comment(line));
                }
                inner.entry(out, indent, key, to);
            }
            value if value.is_scalar() => {
                let _ = writeln!(out, "{space}{key}: {}", value.scalar(to));
            }
            Self::Tagged(tag, inner) => {
                let _ = writeln!(out, "{space}{key}: {tag}");
                inner.write(out, indent + 2, to);
            }
            value => {
                let _ = writeln!(out, "{space}{key}:");
                value.write(out, indent + 2, to);
            }
        }
    }

    fn item(&self, out: &mut String, indent: usize, to: For) {
        let space = " ".repeat(indent);
        match self {
            Self::Comment(text, inner) => {
                for line in text.lines() {
                    let _ = writeln!(out, "{space}# {}", super::comment(line));
                }
                inner.item(out, indent, to);
            }
            value if value.is_scalar() => {
                let _ = writeln!(out, "{space}- {}", value.scalar(to));
            }
            value => {
                let mut inner = String::new();
                value.write(&mut inner, indent + 2, to);
                let _ = write!(out, "{space}- {}", inner.trim_start_matches(' '));
            }
        }
    }
}

/// A key: plain where it cannot be taken for anything else.
fn key_of(key: &str) -> String {
    let plain = !key.is_empty()
        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&key.to_ascii_lowercase().as_str());
    if plain { key.to_owned() } else { quoted(key) }
}

/// A double-quoted text.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || super::is_invisible(c)
                || u32::from(c) > 0xffff
                || matches!(u32::from(c), 0xfff9..=0xffff) =>
            {
                let code = u32::from(c);
                let _ = if code > 0xffff { write!(out, "\\U{code:08x}") } else { write!(out, "\\u{code:04x}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
