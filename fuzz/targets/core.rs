//! What the core reads: expressions, snapshots, versions, waivers.

use std::cmp::Ordering;
use std::sync::LazyLock;

use seaworthy_core::component::Component;
use seaworthy_core::derive::{derive, registries};
use seaworthy_core::fact::Source;
use seaworthy_core::flaw::FlawTable;
use seaworthy_core::predicate::{Predicate, Truth, path_is_under};
use seaworthy_core::schema::{Kind, Type, kinds};
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::value::Value;
use seaworthy_core::version::{Debian, Version, compare_debian};
use seaworthy_core::{identity, snapshot_json, waiver};

/// A target's name, and what is fed.
type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub const ALL: &[Target] =
    &[("expression", expression), ("snapshot", snapshot), ("version", version), ("waiver", patterns)];

/// A component with a value for every fact. `number` is every number and decides over the rest; of `rest` each list has
/// one more element.
fn component(kind: &'static Kind, number: i64, rest: &[Value]) -> Component {
    fn value(ty: &Type, number: i64, rest: &[Value]) -> Value {
        match ty {
            Type::Bool => Value::Bool(number > 0),
            Type::Int => Value::Int(number),
            Type::Str => if number > 0 { "/var/run/docker.sock" } else { "" }.into(),
            Type::List(inner) => {
                let known = (number != 0).then(|| value(inner, number, rest));
                let more = rest.iter().map(|v| if v.is_unknown() { v.clone() } else { value(inner, 7, &[]) });
                Value::List(known.into_iter().chain(more).collect())
            }
            Type::Object(fields) => {
                Value::Object(fields.iter().map(|f| (f.name, value(&f.ty, number, rest))).collect())
            }
            Type::Optional(_) if number < 0 => Value::Null,
            Type::Optional(inner) => value(inner, number, rest),
        }
    }
    let mut component = Component::new(kind, "id", "name");
    for fact in kind.facts {
        component.set(fact.name, value(&fact.ty, number, rest), Source::place("made up"));
    }
    component
}

/// A component that knows less, and others that know the same and more.
type Levels = (Component, Vec<Component>);

fn levels(kind: &'static Kind) -> Vec<Levels> {
    let lost = [Value::unknown("lost")];
    let numbers = [i64::MAX, 1, 0, -1, i64::MIN];
    let mut all = vec![(Component::new(kind, "id", "name"), Vec::new())];
    for number in numbers {
        let less = component(kind, number, &lost);
        let more = [0, 1, 2].map(|n| component(kind, number, &vec![Value::Null; n])).to_vec();
        all[0].1.extend(more.iter().cloned().chain([less.clone()]));
        all.push((less, more));
    }
    all
}

/// An expression over the facts of a container: it compiles or is refused; and what it answers while facts are unknown
/// it answers still when they are known, whatever they are.
fn expression(data: &[u8]) {
    static KINDS: LazyLock<Vec<(&'static Kind, Vec<Levels>)>> = LazyLock::new(|| {
        let wanted = ["docker.container", "docker.daemon", "docker.host"];
        kinds().iter().filter(|k| wanted.contains(&k.name)).map(|k| (*k, levels(k))).collect()
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    for (kind, levels) in KINDS.iter() {
        let predicate = match Predicate::compile(text, kind) {
            Ok(predicate) => predicate,
            Err(error) => {
                assert!(!error.message.is_empty() && error.offset <= text.len(), "{error:?}");
                continue;
            }
        };
        predicate.facts();
        for (less, more) in levels {
            let answer = predicate.evaluate(less);
            if matches!(answer.truth, Truth::Unknown(_)) {
                continue;
            }
            for more in more {
                assert_eq!(answer.truth, predicate.evaluate(more).truth, "{text} was decided by less");
            }
        }
    }
}

fn written(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    snapshot_json::write(snapshot, &mut bytes).expect("a vector takes everything");
    bytes
}

/// A snapshot file: what is read is written so that it is read as the same again, and survives deriving.
fn snapshot(data: &[u8]) {
    let mut snapshot = match snapshot_json::read(data) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains('\n') && error.len() < 8192, "{error}");
            return;
        }
    };
    let once = written(&snapshot);
    let again = snapshot_json::read(&once).expect("what was written is read");
    assert_eq!(once, written(&again));
    registries(&mut snapshot, Some(&["docker.io".to_owned(), "*.example.com".to_owned()]));
    derive(&mut snapshot, &FlawTable::default());
    for target in &snapshot.targets {
        assert_eq!(identity::identities(target).len(), target.components.len());
    }
    let derived = written(&snapshot);
    let again = snapshot_json::read(&derived).expect("what was derived is read");
    assert_eq!(derived, written(&again));
}

/// Two versions, a line each: their order is an order.
fn version(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (a, b, c) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    assert_eq!(compare_debian(a, a), Ordering::Equal);
    assert_eq!(compare_debian(a, b), compare_debian(b, a).reverse());
    if compare_debian(a, b).is_le() && compare_debian(b, c).is_le() {
        assert!(compare_debian(a, c).is_le());
    }
    Debian::split(a);
    for text in [a, b] {
        if let Some(version) = Version::parse(text) {
            version.is_candidate();
            version.major();
            version.minor();
        }
    }
    for read in [Version::parse, Version::of_package] {
        if let (Some(a), Some(b)) = (read(a), read(b)) {
            assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if let Some(c) = read(c).filter(|c| a <= b && b <= *c) {
                assert!(a <= c);
            }
        }
    }
}

/// A pattern and a text, a line each: it fits as a plain matcher says.
fn patterns(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or((text, ""));
    let fits = waiver::matches(pattern, text);
    if pattern.len() * text.len() < 1 << 16 {
        assert_eq!(fits, plainly(pattern, text));
    }
    let _ = waiver::end_of_day(pattern);
    let _: bool = path_is_under(pattern, text);
    identity::repository(pattern);
    identity::fingerprint(&[pattern, text]);
}

/// Whether a text fits a pattern, by the table of all their beginnings.
fn plainly(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    for p in pattern.chars() {
        let before = fits.clone();
        for at in 0..=text.len() {
            fits[at] = match (p, at) {
                ('*', 0) => before[0],
                ('*', _) => before[at] || fits[at - 1],
                (_, 0) => false,
                (p, _) => before[at - 1] && text[at - 1] == p,
            };
        }
    }
    fits[text.len()]
}
