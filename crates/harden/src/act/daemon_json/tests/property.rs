//! Random documents, random settings, random edits by others.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::super::document::with_root;
use super::super::*;
use super::key;

use jsonc_parser::ast::Object;
use jsonc_parser::common::Ranged as _;

/// How a document is written.
#[derive(Clone, Debug)]
struct Style {
    newline: &'static str,
    indent: &'static str,
    lines: bool,
    before_colon: &'static str,
    after_colon: &'static str,
    after_comma: &'static str,
    around: (&'static str, &'static str),
}

fn style() -> impl Strategy<Value = Style> {
    let text = |of: &'static [&'static str]| select(of);
    (
        text(&["\n", "\r\n", "\n\n"]),
        text(&["", " ", "  ", "    ", "\t"]),
        any::<bool>(),
        text(&["", " "]),
        text(&["", " ", "  ", "\n  "]),
        text(&["", " ", "  "]),
        (text(&["", " ", "\n"]), text(&["", "\n", "\r\n", " \n\n"])),
    )
        .prop_map(|(newline, indent, lines, before_colon, after_colon, after_comma, around)| Style {
            newline,
            indent,
            lines,
            before_colon,
            after_colon,
            after_comma,
            around,
        })
}

impl Style {
    fn document(&self, value: &Value) -> String {
        format!("{}{}{}", self.around.0, self.write(value, 0), self.around.1)
    }

    fn write(&self, value: &Value, depth: usize) -> String {
        let items: Vec<String> = match value {
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| {
                    let (before, after) = (self.before_colon, self.after_colon);
                    format!("{}{before}:{after}{}", Value::from(k.as_str()), self.write(v, depth + 1))
                })
                .collect(),
            Value::Array(items) => items.iter().map(|i| self.write(i, depth + 1)).collect(),
            plain => return plain.to_string(),
        };
        let (open, close) = if value.is_object() { ('{', '}') } else { ('[', ']') };
        if !self.lines {
            return format!("{open}{}{close}", items.join(&format!(",{}", self.after_comma)));
        }
        let line = format!("{}{}", self.newline, self.indent.repeat(depth + 1));
        let last = format!("{}{}", self.newline, self.indent.repeat(depth));
        let empty = items.is_empty();
        let inner = if empty { String::new() } else { format!("{line}{}", items.join(&format!(",{line}"))) };
        format!("{open}{inner}{last}{close}")
    }
}

const PLAIN: [&str; 7] = ["icc", "mtu", "labels", "log-level", "dns", "ünïcode \"\\", "\u{1f433}"];
const OBJECTS: [&str; 4] = ["log-opts", "default-ulimits", "features", "builder"];

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i16>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "[ -~äß\u{1f433}\n]{0,8}".prop_map(Value::from),
        prop::collection::vec("[a-z=]{0,4}", 0..3).prop_map(Value::from),
    ]
}

fn object(deep: u32) -> BoxedStrategy<Value> {
    let name = select(vec!["a", "b", "c", "max-size"]).prop_map(str::to_owned);
    let value =
        if deep == 0 { plain().boxed() } else { prop_oneof![3 => plain().boxed(), 1 => object(deep - 1)].boxed() };
    prop::collection::btree_map(name, value, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())).boxed()
}

fn member() -> impl Strategy<Value = (String, Value)> {
    let name = |of: &'static [&'static str]| select(of).prop_map(str::to_owned);
    prop_oneof![
        3 => (name(&PLAIN), prop_oneof![8 => plain(), 1 => Just(Value::Null)]),
        2 => (name(&OBJECTS), object(2)),
    ]
}

fn members(most: usize) -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec(member(), 0..most).prop_map(|all| {
        let mut seen = std::collections::BTreeSet::new();
        all.into_iter().filter(|(name, _)| seen.insert(name.clone())).collect()
    })
}

fn document() -> impl Strategy<Value = String> {
    (members(6), style()).prop_map(|(members, style)| style.document(&Value::Object(members.into_iter().collect())))
}

/// Settings: what a plan may ask for, some of them taken away.
fn settings() -> impl Strategy<Value = Vec<SetKey>> {
    let one = (members(4), any::<u8>());
    one.prop_map(|(members, away)| {
        let value = |at: usize, value: Value| if away >> at & 3 == 3 { Value::Null } else { value };
        members.into_iter().enumerate().map(|(at, (name, new))| key(&name, value(at, new))).collect()
    })
}

/// What settings should make of values, said once more in the plainest way.
fn oracle(mut values: Map<String, Value>, set: &[SetKey]) -> Map<String, Value> {
    fn merge(now: Option<Value>, after: Value) -> Value {
        match (now, after) {
            (Some(Value::Object(mut now)), Value::Object(after)) => {
                for (key, after) in after {
                    let merged = merge(now.get(&key).cloned(), after);
                    now.insert(key, merged);
                }
                Value::Object(now)
            }
            (_, after) => after,
        }
    }
    for SetKey { key, after, .. } in set {
        let now = values.shift_remove(key);
        if let Some(after) = after {
            values.insert(key.clone(), merge(now, after.clone()));
        }
    }
    values
}

/// Values by their ways; objects have no value of their own, so that an empty one counts as none.
fn leaves(values: &Map<String, Value>) -> BTreeMap<Vec<String>, Value> {
    fn walk(values: &Map<String, Value>, way: &mut Vec<String>, out: &mut BTreeMap<Vec<String>, Value>) {
        for (key, value) in values {
            way.push(key.clone());
            match value {
                Value::Object(inner) => walk(inner, way, out),
                value => drop(out.insert(way.clone(), value.clone())),
            }
            way.pop();
        }
    }
    let mut out = BTreeMap::new();
    walk(values, &mut Vec::new(), &mut out);
    out
}

/// The members that settings do not reach, each by its way, with their text and the text between neighbours.
fn untouched(text: &str, set: &[SetKey]) -> Vec<(Vec<String>, String)> {
    fn walk(
        text: &str,
        object: &Object,
        reach: &dyn Fn(&str) -> Option<Option<Value>>,
        way: &mut Vec<String>,
    ) -> Vec<(Vec<String>, String)> {
        let mut out = Vec::new();
        let mut before: Option<usize> = None;
        for member in &object.properties {
            let name = member.name.as_str();
            way.push(name.to_owned());
            match reach(name) {
                None => {
                    // With what parts it from a neighbour that is not touched either.
                    let from = before.unwrap_or(member.start());
                    out.push((way.clone(), text[from..member.end()].to_owned()));
                    before = Some(member.end());
                }
                Some(Some(Value::Object(after))) if member.value.as_object().is_some() => {
                    let inner = member.value.as_object().unwrap();
                    out.extend(walk(text, inner, &|name| after.get(name).map(|v| Some(v.clone())), way));
                    before = None;
                }
                Some(_) => before = None,
            }
            way.pop();
        }
        out
    }
    let reach = |name: &str| set.iter().find(|s| s.key == name).map(|s| s.after.clone());
    with_root(text, |root| walk(text, root, &reach, &mut Vec::new())).unwrap()
}

/// Applies settings; none where they must not be (an object into what is none).
fn made(document: &Document, set: &[SetKey]) -> Option<Document> {
    let (edits, values) = merge::forward(&document.values, set).ok()?;
    Some(Document::parse(edited(document, &edits, &values).unwrap().as_bytes()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn settings_say_what_they_should_and_touch_nothing_else(text in document(), set in settings()) {
        let old = Document::parse(text.as_bytes()).unwrap();
        let Some(new) = made(&old, &set) else { return Ok(()) };
        prop_assert_eq!(&new.values, &oracle(old.values.clone(), &set));
        // What is not touched is there in the same order and the same words; what stood around the whole, too.
        let mut at = 0;
        for (way, words) in untouched(&text, &set) {
            let found = new.text[at..].find(&words);
            prop_assert!(found.is_some(), "{:?} {:?} in {:?}", way, words, &new.text[at..]);
            at += found.unwrap() + words.len();
        }
        let (head, tail) = (text.find('{').unwrap(), text.rfind('}').unwrap());
        prop_assert!(new.text.starts_with(&text[..=head]) && new.text.ends_with(&text[tail..]));
        let bare = |text: &str| text.matches('\n').count() - text.matches("\r\n").count();
        prop_assert!(!text.contains("\r\n") || bare(&new.text) <= bare(&text));
        // Once done, there is nothing to do.
        prop_assert_eq!(made(&new, &set).unwrap().text, new.text);
    }

    #[test]
    fn taking_back_leaves_what_others_did(text in document(), set in settings(), theirs in settings(), again in style()) {
        let old = Document::parse(text.as_bytes()).unwrap();
        let Some(new) = made(&old, &set) else { return Ok(()) };
        let Some(now) = made(&new, &theirs) else { return Ok(()) };
        // They may write the file anew, too.
        let now = Document::parse(again.document(&Value::Object(now.values)).as_bytes()).unwrap();
        let back = taken_back(Some(&old), &now, &set).unwrap();
        let after = Document::parse(back.text.as_deref().unwrap_or(&now.text).as_bytes()).unwrap();

        let [old, new, now, after] = [&old, &new, &now, &after].map(|d| leaves(&d.values));
        let ways: std::collections::BTreeSet<_> = [&old, &new, &now, &after].into_iter().flat_map(|m| m.keys()).collect();
        for way in ways {
            let [old, new, now, after] = [&old, &new, &now, &after].map(|m| m.get(way));
            let name = way.join(".");
            let said = back.drifted.iter().any(|d| name == *d || name.starts_with(&format!("{d}.")) || d.starts_with(&format!("{name}.")));
            if old == new {
                // Not ours, unless an object of theirs took its place as a whole.
                prop_assert!(after == now || said || old == after, "{}: {:?} {:?}", name, now, after);
            } else if now == new {
                prop_assert!(after == old || said, "{}: {:?} {:?}", name, old, after);
            } else if now == old {
                prop_assert_eq!(after, old);
            } else {
                prop_assert!(after == now && said, "{}: {:?}", name, back.drifted);
            }
        }
        // Once more, there is nothing to do but to say the same.
        let once = Document::parse(back.text.as_deref().unwrap_or(&text).as_bytes()).unwrap();
        if back.text.is_some() {
            let twice = taken_back(Some(&Document::parse(text.as_bytes()).unwrap()), &once, &set).unwrap();
            prop_assert_eq!(twice.text, None);
            prop_assert_eq!(twice.drifted, back.drifted);
        }
    }

    #[test]
    fn without_others_everything_comes_back(text in document(), a in settings(), b in settings()) {
        let old = Document::parse(text.as_bytes()).unwrap();
        // Two changes of different settings, undone in the order in which they were made.
        let b: Vec<SetKey> = b.into_iter().filter(|s| a.iter().all(|a| a.key != s.key)).collect();
        let Some(one) = made(&old, &a) else { return Ok(()) };
        let Some(two) = made(&one, &b) else { return Ok(()) };
        let text = |back: TakenBack, now: &Document| back.text.unwrap_or_else(|| now.text.clone());
        let first = Document::parse(text(taken_back(Some(&old), &two, &a).unwrap(), &two).as_bytes()).unwrap();
        prop_assert_eq!(&first.values, &oracle(old.values.clone(), &b));
        let back = taken_back(Some(&one), &first, &b).unwrap();
        prop_assert_eq!(&back.drifted, &Vec::<String>::new());
        let second = Document::parse(text(back, &first).as_bytes()).unwrap();
        prop_assert_eq!(&second.values, &old.values);
    }

    #[test]
    fn nothing_that_is_read_ends_in_a_panic(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        r#"[\{\}\[\]:," a0-9\\u#/\r\n\.eé-]{0,64}"#.prop_map(String::into_bytes),
    ], set in settings()) {
        if let Ok(document) = Document::parse(&bytes) {
            let _ = made(&document, &set);
        }
    }
}
