//! Reading a snapshot: twice over its bytes, first for what components refer to, then component by component, so that
//! nothing is held but what is kept. Texts that many facts have are kept once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::SnapshotError;
use crate::component::Component;
use crate::schema::{self, Kind};
use crate::snapshot::{Gap, SCHEMA, Snapshot, Target};

/// Asks for what a visitor takes.
macro_rules! seed {
    ($name:ident, $value:ty, $ask:ident) => {
        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.$ask(self)
            }
        }
    };
}

mod value;

use value::{OneFact, Shared};

/// The most values that are read: 100,000 pods that all differ were measured at 68 million, in some 3 GB of memory.
const MOST_VALUES: usize = 96_000_000;

/// The longest name that an error repeats.
const LONGEST_NAME: usize = 64;

/// Reads a snapshot back.
///
/// # Errors
/// In one line: another schema, or what in it is not as the schema says.
pub fn read(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    // A value takes far more memory than the two bytes that it may have here.
    if bytes.iter().filter(|b| matches!(b, b',' | b'[' | b'{')).count() > MOST_VALUES {
        return Err(SnapshotError(format!("not a snapshot: it holds more than {MOST_VALUES} values")));
    }
    let head = serde_json::from_slice::<Head>(bytes).map_err(|error| {
        // One of another version may look otherwise altogether.
        let version = serde_json::from_slice::<Version>(bytes).ok().map(|version| version.schema);
        version.and_then(|version| version.refused()).unwrap_or_else(|| not(&error))
    })?;
    if let Some(refused) = head.schema.refused() {
        return Err(refused);
    }
    let places: Vec<&[Arc<str>]> = head.targets.iter().map(|t| t.places.as_slice()).collect();
    let shared = Shared::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let components = Whole { places: &places, shared: &shared }.deserialize(&mut parser).map_err(|e| not(&e))?;
    let targets = head.targets.into_iter().zip(components).map(|(head, components)| head.target(components));
    let targets = targets.collect::<Result<_, _>>()?;
    Ok(Snapshot { tool: head.tool, collected_at: head.collected_at, targets })
}

fn not(error: &serde_json::Error) -> SnapshotError {
    SnapshotError(format!("not a snapshot: {error}"))
}

/// A hostile name as part of an error.
fn shown(name: &str) -> String {
    name.chars().take(LONGEST_NAME).flat_map(char::escape_debug).collect()
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Schema(Json);

#[derive(Deserialize)]
struct Version {
    schema: Schema,
}

impl Schema {
    /// Why a version is not read; none where it is.
    fn refused(&self) -> Option<SnapshotError> {
        let Some(version) = self.0.as_u64() else {
            return Some(SnapshotError("not a snapshot: `schema` is no number".into()));
        };
        let newer = match version.cmp(&u64::from(SCHEMA)) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => "a newer",
            std::cmp::Ordering::Less => "an older",
        };
        Some(SnapshotError(format!(
            "it was written by {newer} Seaworthy (snapshot schema {version}, this one reads {SCHEMA}); collect again"
        )))
    }
}

/// Everything but the components.
#[derive(Deserialize)]
struct Head {
    schema: Schema,
    tool: String,
    collected_at: i64,
    targets: Vec<TargetHead>,
}

#[derive(Deserialize)]
struct TargetHead {
    name: String,
    platform: String,
    address: String,
    about: String,
    took_ms: u64,
    incomplete: BTreeMap<String, String>,
    gaps: Vec<Gap>,
    places: Vec<Arc<str>>,
    #[serde(rename = "components")]
    _components: IgnoredAny,
}

impl TargetHead {
    fn target(self, components: Vec<Component>) -> Result<Target, SnapshotError> {
        let mut target = Target::new(self.name, self.platform, self.address);
        (target.about, target.took_ms, target.gaps, target.components) =
            (self.about, self.took_ms, self.gaps, components);
        for (kind, reason) in self.incomplete {
            let known = schema::kind_named(&kind);
            let known = known.ok_or_else(|| SnapshotError(format!("there is no kind `{}`", shown(&kind))))?;
            target.incomplete.insert(known.name, reason);
        }
        Ok(target)
    }
}

/// The components of all targets.
#[derive(Clone, Copy)]
struct Whole<'s> {
    places: &'s [&'s [Arc<str>]],
    shared: &'s Shared,
}

seed!(Whole, Vec<Vec<Component>>, deserialize_map);

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Vec<Vec<Component>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "targets" => out = map.next_value_seed(Targets(self))?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(out)
    }
}

struct Targets<'s>(Whole<'s>);

seed!(Targets, Vec<Vec<Component>>, deserialize_seq);

impl<'de> Visitor<'de> for Targets<'_> {
    type Value = Vec<Vec<Component>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("targets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(places) = self.0.places.get(out.len()) {
            match seq.next_element_seed(One { places, shared: self.0.shared })? {
                Some(components) => out.push(components),
                None => break,
            }
        }
        // As many as the first reading saw; the end of the list is still to be read.
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(out)
    }
}

/// One target; also what reads its components needs.
#[derive(Clone, Copy)]
struct One<'s> {
    places: &'s [Arc<str>],
    shared: &'s Shared,
}

seed!(One, Vec<Component>, deserialize_map);

impl<'de> Visitor<'de> for One<'_> {
    type Value = Vec<Component>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "components" => out = map.next_value_seed(Components(self))?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(out)
    }
}

struct Components<'s>(One<'s>);

seed!(Components, Vec<Component>, deserialize_seq);

impl<'de> Visitor<'de> for Components<'_> {
    type Value = Vec<Component>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("components")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut out = Vec::new();
        while let Some(component) = seq.next_element_seed(OneComponent(self.0))? {
            out.push(component);
        }
        Ok(out)
    }
}

struct OneComponent<'s>(One<'s>);

seed!(OneComponent, Component, deserialize_map);

impl<'de> Visitor<'de> for OneComponent<'_> {
    type Value = Component;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a component")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut id, mut name): (Option<Box<str>>, Option<Box<str>>) = (None, None);
        let mut component: Option<Component> = None;
        // Facts of a kind that is told only after them, as by whoever sorted the file.
        let mut early: Option<Json> = None;
        let mut has_facts = false;
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), &mut component) {
                ("kind", _) => {
                    let name: String = map.next_value()?;
                    let kind = schema::kind_named(&name);
                    let kind = kind.ok_or_else(|| A::Error::custom(format!("there is no kind `{}`", shown(&name))))?;
                    component = Some(Component::new(kind, "", ""));
                }
                ("id", _) => id = Some(map.next_value()?),
                ("name", _) => name = Some(map.next_value()?),
                ("facts", Some(component)) => {
                    map.next_value_seed(Facts { of: self.0, component })?;
                    has_facts = true;
                }
                ("facts", None) => early = Some(map.next_value()?),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let mut component = component.ok_or_else(|| A::Error::missing_field("kind"))?;
        match early {
            Some(facts) => {
                Facts { of: self.0, component: &mut component }.deserialize(facts).map_err(A::Error::custom)?
            }
            None if !has_facts => return Err(A::Error::missing_field("facts")),
            None => {}
        }
        component.id = id.ok_or_else(|| A::Error::missing_field("id"))?;
        component.name = name.ok_or_else(|| A::Error::missing_field("name"))?;
        Ok(component)
    }
}

/// The facts of a component, into it.
struct Facts<'s> {
    of: One<'s>,
    component: &'s mut Component,
}

seed!(Facts, (), deserialize_map);

impl<'de> Visitor<'de> for Facts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("facts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let kind = self.component.kind;
        while let Some(at) = map.next_key_seed(Name(kind))? {
            let (value, source) = map.next_value_seed(OneFact { of: self.of, kind, at })?;
            self.component.set(kind.facts[at].name, value, source);
        }
        Ok(())
    }
}

/// The name of a fact: its position.
struct Name<'s>(&'s Kind);

seed!(Name, usize, deserialize_str);

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a fact")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        self.0.index(name).ok_or_else(|| E::custom(format!("{} has no fact `{}`", self.0.name, shown(name))))
    }
}
