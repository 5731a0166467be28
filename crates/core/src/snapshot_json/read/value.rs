//! A fact of a snapshot: its value by its type, and its source. Texts that many facts have are kept once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::One;
use crate::fact::{Field, Source};
use crate::schema::{Kind, Type};
use crate::value::Value;

/// Texts that many facts have.
#[derive(Default)]
pub(super) struct Shared {
    fields: RefCell<HashMap<Box<str>, Field>>,
    reasons: RefCell<HashMap<Box<str>, Arc<str>>>,
}

impl Shared {
    fn field(&self, text: &str) -> Field {
        if text.is_empty() {
            return Field::Known("");
        }
        let mut known = self.fields.borrow_mut();
        if let Some(field) = known.get(text) {
            return field.clone();
        }
        let field = Field::from(text.to_owned());
        known.insert(text.into(), field.clone());
        field
    }

    fn reason(&self, text: &str) -> Arc<str> {
        let mut known = self.reasons.borrow_mut();
        if let Some(reason) = known.get(text) {
            return Arc::clone(reason);
        }
        let reason: Arc<str> = text.into();
        known.insert(text.into(), Arc::clone(&reason));
        reason
    }
}

/// One fact: value, place, field.
#[derive(Clone, Copy)]
pub(super) struct OneFact<'s> {
    pub of: One<'s>,
    pub kind: &'static Kind,
    pub at: usize,
}

seed!(OneFact, (Value, Source), deserialize_seq);

impl<'de> Visitor<'de> for OneFact<'_> {
    type Value = (Value, Source);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "value, place and field of {}.{}", self.kind.name, self.kind.facts[self.at].name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let short = |n| A::Error::invalid_length(n, &self);
        let ty = &self.kind.facts[self.at].ty;
        let value = seq.next_element_seed(OneValue { fact: self, ty })?.ok_or_else(|| short(0))?;
        let place: usize = seq.next_element()?.ok_or_else(|| short(1))?;
        let place = self.of.places.get(place).ok_or_else(|| A::Error::custom("a fact's place is not there"))?;
        let field = seq.next_element_seed(Text(self.of.shared, Shared::field))?.ok_or_else(|| short(2))?;
        if seq.next_element::<IgnoredAny>()?.is_some() {
            return Err(A::Error::invalid_length(4, &self));
        }
        Ok((value, Source { place: Arc::clone(place), field }))
    }
}

/// A text that others have too, and how it is kept once.
struct Text<'s, T>(&'s Shared, fn(&'s Shared, &str) -> T);

impl<'de, T> DeserializeSeed<'de> for Text<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T> Visitor<'_> for Text<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(self.1(self.0, text))
    }
}

/// A value of a type, or an unknown.
#[derive(Clone, Copy)]
struct OneValue<'s> {
    fact: OneFact<'s>,
    ty: &'s Type,
}

seed!(OneValue, Value, deserialize_any);

impl OneValue<'_> {
    /// The type without its being optional.
    fn inner(&self) -> &Type {
        match self.ty {
            Type::Optional(inner) => inner,
            other => other,
        }
    }

    fn of<T, E: Error>(&self, fits: bool, value: T, made: impl FnOnce(T) -> Value) -> Result<Value, E> {
        if fits { Ok(made(value)) } else { Err(E::custom(format!("expected {self}"))) }
    }
}

impl fmt::Display for OneValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OneFact { kind, at, .. } = self.fact;
        write!(f, "{} in {}.{}", self.ty, kind.name, kind.facts[at].name)
    }
}

impl<'de> Visitor<'de> for OneValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.of(matches!(self.ty, Type::Optional(_)), (), |()| Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.of(*self.inner() == Type::Bool, value, Value::Bool)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.of(*self.inner() == Type::Int, value, Value::Int)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        let value = i64::try_from(value).map_err(|_| E::custom(format!("a number is too large for {self}")))?;
        self.visit_i64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.of(*self.inner() == Type::Str, value, Value::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Type::List(inner) = *self.inner() else { return Err(A::Error::custom(format!("expected {self}"))) };
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(OneValue { fact: self.fact, ty: inner })? {
            items.push(item);
        }
        // It stays as long as it is.
        items.shrink_to_fit();
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let fields = match *self.inner() {
            Type::Object(fields) => fields,
            _ => &[],
        };
        let mut found: Vec<Option<Value>> = vec![None; fields.len()];
        let mut is_first = true;
        while let Some(name) = map.next_key::<String>()? {
            let at = fields.iter().position(|field| field.name == name);
            match at {
                Some(at) => {
                    let ty = &fields[at].ty;
                    found[at] = Some(map.next_value_seed(OneValue { fact: self.fact, ty })?);
                }
                None if is_first && name == "unknown" => {
                    let reason = map.next_value_seed(Text(self.fact.of.shared, Shared::reason))?;
                    return match map.next_key::<IgnoredAny>()? {
                        None => Ok(Value::Unknown(reason)),
                        Some(_) => Err(A::Error::custom(format!("expected {self}"))),
                    };
                }
                None => return Err(A::Error::custom(format!("expected {self}"))),
            }
            is_first = false;
        }
        if !matches!(self.inner(), Type::Object(_)) {
            return Err(A::Error::custom(format!("expected {self}")));
        }
        let named = fields.iter().zip(found).map(|(field, value)| {
            let missing = || A::Error::custom(format!("`{}` is missing: expected {self}", field.name));
            Ok((field.name, value.ok_or_else(missing)?))
        });
        Ok(Value::Object(named.collect::<Result<_, A::Error>>()?))
    }
}
