//! Labels and what selects by them, as the API server reads them; three-valued, since a label may be unknown.
//!
//! A truth value is `Some(true)`, `Some(false)`, or none where what decides is unknown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::value::Value;

/// Both hold.
pub fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// One of them holds.
pub fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    not(and(not(a), not(b)))
}

/// All of them hold.
pub fn all(items: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for item in items {
        result = and(result, item);
        if result == Some(false) {
            break;
        }
    }
    result
}

/// One of them holds at least.
pub fn any(items: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    not(all(items.into_iter().map(not)))
}

/// It does not hold.
pub fn not(a: Option<bool>) -> Option<bool> {
    a.map(|a| !a)
}

/// What the redactor leaves where a value was taken out; no label holds it, as brackets are not allowed there.
const TAKEN_OUT: &str = "[redacted";

/// The labels of an object, or of several that are taken as one: then a label may have several values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels {
    values: BTreeMap<Box<str>, Vec<Box<str>>>,
    /// Whether there may be others than these.
    open: bool,
}

impl Labels {
    /// From a fact: a list of `name=value`.
    pub fn of(fact: &Value) -> Self {
        let mut labels = Self::default();
        let Some(list) = fact.as_list() else { return Self::unknown() };
        for label in list {
            match label.as_str().map(|text| text.split_once('=').unwrap_or((text, ""))) {
                Some((name, value)) => labels.add(name, value),
                None => labels.open = true,
            }
        }
        labels
    }

    /// Of which nothing is known.
    pub fn unknown() -> Self {
        Self { values: BTreeMap::new(), open: true }
    }

    /// Adds a label, or a further value of one.
    pub fn add(&mut self, name: &str, value: &str) {
        let values = self.values.entry(name.into()).or_default();
        if let Err(at) = values.binary_search_by(|v| (**v).cmp(value)) {
            values.insert(at, value.into());
        }
    }

    /// Whether a label is there.
    fn has(&self, name: &str) -> Option<bool> {
        if self.values.contains_key(name) {
            return Some(true);
        }
        if self.open { None } else { Some(false) }
    }

    /// Whether a label is there with one of these values.
    fn is_one_of(&self, name: &str, wanted: &[Box<str>]) -> Option<bool> {
        let Some(values) = self.values.get(name) else { return self.has(name) };
        if values.iter().chain(wanted).any(|v| v.contains(TAKEN_OUT)) {
            return None;
        }
        let hits = values.iter().filter(|v| wanted.contains(v)).count();
        match hits {
            0 => Some(false),
            all if all == values.len() => Some(true),
            _ => None,
        }
    }
}

/// One demand of a selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Requirement {
    /// The label has one of these values.
    In(Box<str>, Vec<Box<str>>),
    /// It has none of them, or is not there.
    NotIn(Box<str>, Vec<Box<str>>),
    /// It is there.
    Exists(Box<str>),
    /// It is not there.
    Absent(Box<str>),
}

impl Requirement {
    fn matches(&self, labels: &Labels) -> Option<bool> {
        match self {
            Self::In(name, values) => labels.is_one_of(name, values),
            Self::NotIn(name, values) => not(labels.is_one_of(name, values)),
            Self::Exists(name) => labels.has(name),
            Self::Absent(name) => not(labels.has(name)),
        }
    }
}

/// A selector: all of its demands must hold; without any it takes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    /// What it demands.
    pub requirements: Vec<Requirement>,
}

/// The most demands of one selector that are read; a longer one is not understood.
pub const MOST_REQUIREMENTS: usize = 256;

impl Selector {
    /// From the text that `Display` writes and `kubectl` takes: `app=web,tier in (a,b),!old,owner`. None where it is
    /// not such a text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut requirements = Vec::new();
        for part in split(text)? {
            if requirements.len() == MOST_REQUIREMENTS {
                return None;
            }
            requirements.push(requirement(part)?);
        }
        Some(Self { requirements })
    }

    /// Whether it takes everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether an object of these labels is taken.
    pub fn matches(&self, labels: &Labels) -> Option<bool> {
        all(self.requirements.iter().map(|r| r.matches(labels)))
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_char(',')?;
            }
            match requirement {
                Requirement::In(name, values) if values.len() == 1 => write!(f, "{name}={}", values[0])?,
                Requirement::In(name, values) => write!(f, "{name} in ({})", values.join(","))?,
                Requirement::NotIn(name, values) => write!(f, "{name} notin ({})", values.join(","))?,
                Requirement::Exists(name) => f.write_str(name)?,
                Requirement::Absent(name) => write!(f, "!{name}")?,
            }
        }
        Ok(())
    }
}

/// The parts between commas that stand in no brackets.
fn split(text: &str) -> Option<Vec<&str>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'(' if inside => return None,
            b')' if !inside => return None,
            b'(' => inside = true,
            b')' => inside = false,
            b',' if !inside => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!inside).then_some(parts)
}

fn requirement(part: &str) -> Option<Requirement> {
    if let Some(rest) = part.strip_suffix(')') {
        let (head, values) = rest.split_once('(')?;
        let values = values.split(',').map(Into::into).collect();
        return match head.strip_suffix(" in ") {
            Some(name) => Some(Requirement::In(key(name)?, values)),
            None => Some(Requirement::NotIn(key(head.strip_suffix(" notin ")?)?, values)),
        };
    }
    if let Some(name) = part.strip_prefix('!') {
        return Some(Requirement::Absent(key(name)?));
    }
    match part.split_once('=') {
        Some((name, value)) => Some(Requirement::In(key(name)?, vec![value.into()])),
        None => Some(Requirement::Exists(key(part)?)),
    }
}

/// A label's name as the API server takes it, loosely.
fn key(name: &str) -> Option<Box<str>> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    (!name.is_empty() && name.bytes().all(allowed)).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(list: &[&str]) -> Labels {
        Labels::of(&Value::strings(list.to_vec()))
    }

    fn matches(selector: &str, list: &[&str]) -> Option<bool> {
        Selector::parse(selector).unwrap().matches(&labels(list))
    }

    #[test]
    fn a_selector_is_read_back_as_it_is_written() {
        for text in ["", "app=web", "app=web,tier in (a,b),!old,owner", "a.b/c notin (x)", "app=", "app in (,b)"] {
            assert_eq!(Selector::parse(text).unwrap().to_string(), text);
        }
        for text in ["a b", ",", "a in (b", "a)b(", "a in ((b))", "!", "=x"] {
            assert_eq!(Selector::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_absent_is_not_in_and_matches_not_in() {
        assert_eq!(matches("app in (a,b)", &["app=b"]), Some(true));
        assert_eq!(matches("app in (a,b)", &["tier=b"]), Some(false));
        assert_eq!(matches("app notin (a,b)", &["tier=b"]), Some(true));
        assert_eq!(matches("app notin (a,b)", &["app=a"]), Some(false));
        assert_eq!(matches("!app", &["tier=b"]), Some(true));
        assert_eq!(matches("app", &["app="]), Some(true));
        assert_eq!(matches("app=", &["app=x"]), Some(false));
        assert_eq!(matches("", &[]), Some(true));
    }

    #[test]
    fn what_is_not_known_of_labels_stays_unknown() {
        assert_eq!(Selector::parse("app=web").unwrap().matches(&Labels::unknown()), None);
        assert_eq!(Selector::parse("").unwrap().matches(&Labels::unknown()), Some(true));
        assert_eq!(matches("index=1", &["index=1", "index=2"]), None, "instances differ");
        assert_eq!(matches("index in (1,2)", &["index=1", "index=2"]), Some(true));
        assert_eq!(matches("app=x", &["app=[redacted token]"]), None);
        assert_eq!(matches("app=x,tier=a", &["app=[redacted token]", "tier=b"]), Some(false));
    }
}
