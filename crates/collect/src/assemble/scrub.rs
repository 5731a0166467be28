//! The last look at what was collected: a token by its form is taken out of whatever text still holds one.
//!
//! Texts that people fill with secrets were redacted where they were read. This is for those that are names (of
//! containers, tags, volumes), which must stay as they are to be of use, and for reasons that repeat them.

use std::borrow::Cow;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::{Field, Source};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use crate::redact::Redactor;

/// Takes tokens out of everything that a target says.
pub(crate) fn scrub(target: &mut Target, redactor: &Redactor) {
    for component in &mut target.components {
        self::component(component, redactor);
    }
    for gap in &mut target.gaps {
        for text in [&mut gap.source, &mut gap.reason, &mut gap.affects] {
            string(text, redactor);
        }
    }
    for reason in target.incomplete.values_mut() {
        string(reason, redactor);
    }
    for text in [&mut target.name, &mut target.address, &mut target.about] {
        string(text, redactor);
    }
}

fn string(text: &mut String, redactor: &Redactor) {
    if let Cow::Owned(clean) = redactor.without_tokens(text) {
        *text = clean;
    }
}

fn component(component: &mut Component, redactor: &Redactor) {
    for text in [&mut component.name, &mut component.id] {
        if let Cow::Owned(clean) = redactor.without_tokens(text) {
            *text = clean.into();
        }
    }
    let mut changed = Vec::new();
    // Facts of one reading share their place.
    let mut last: Option<(Arc<str>, Option<Arc<str>>)> = None;
    for (name, fact) in component.facts() {
        let place = match &last {
            Some((known, clean)) if Arc::ptr_eq(known, &fact.source.place) => clean.clone(),
            _ => {
                let clean = owned(redactor.without_tokens(&fact.source.place)).map(Arc::from);
                last = Some((Arc::clone(&fact.source.place), clean.clone()));
                clean
            }
        };
        let field = match &fact.source.field {
            Field::Known(_) => None,
            Field::Shared(field) => owned(redactor.without_tokens(field)),
        };
        let value = value(&fact.value, redactor);
        if place.is_some() || field.is_some() || value.is_some() {
            let source = Source {
                place: place.unwrap_or_else(|| Arc::clone(&fact.source.place)),
                field: field.map_or_else(|| fact.source.field.clone(), Field::from),
            };
            changed.push((name, value.unwrap_or_else(|| fact.value.clone()), source));
        }
    }
    for (name, value, source) in changed {
        component.set(name, value, source);
    }
}

fn owned(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Owned(clean) => Some(clean),
        Cow::Borrowed(_) => None,
    }
}

/// The value without tokens; none where it had none.
fn value(of: &Value, redactor: &Redactor) -> Option<Value> {
    match of {
        Value::Null | Value::Bool(_) | Value::Int(_) => None,
        Value::Str(text) => owned(redactor.without_tokens(text)).map(|clean| Value::Str(clean.into())),
        Value::Unknown(reason) => owned(redactor.without_tokens(reason)).map(Value::unknown),
        Value::List(items) => {
            let clean: Vec<Option<Value>> = items.iter().map(|item| value(item, redactor)).collect();
            let changed = clean.iter().any(Option::is_some);
            changed.then(|| {
                Value::List(clean.into_iter().zip(items).map(|(c, i)| c.unwrap_or_else(|| i.clone())).collect())
            })
        }
        Value::Object(fields) => {
            let clean: Vec<Option<Value>> = fields.iter().map(|(_, field)| value(field, redactor)).collect();
            let changed = clean.iter().any(Option::is_some);
            let one = |(clean, (name, old)): (Option<Value>, &(&'static str, Value))| {
                (*name, clean.unwrap_or_else(|| old.clone()))
            };
            changed.then(|| Value::Object(clean.into_iter().zip(fields).map(one).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use seaworthy_core::schema::docker::CONTAINER;

    use super::*;

    #[test]
    fn a_token_in_a_name_leaves_every_place_that_repeats_it() {
        let token = "ghp_Zq81Yx72Wv63Ut54Sr45Qp36On27Ml18Kj09";
        let mut container = Component::new(&CONTAINER, "1", format!("web-{token}"));
        let place: Arc<str> = format!("inspect web-{token}").into();
        container.set("running", true, Source::new(&place, "State"));
        container.set_unknown("privileged", format!("{token} vanished"), Source::new(&place, "HostConfig"));
        let mut target = Target::new("local", "docker", "unix:///x");
        target.components.push(container);
        target.gap("inspect", format!("no {token}"), token);
        target.incomplete(&CONTAINER, token);
        scrub(&mut target, &Redactor::new());
        assert!(!format!("{target:?}").contains("Zq81"), "{target:?}");
        let container = &target.components[0];
        assert_eq!(&*container.name, "web-[redacted github-token]");
        assert_eq!(container.value("running"), &Value::Bool(true));
    }
}
