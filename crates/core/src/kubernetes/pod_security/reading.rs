//! Reading facts for a control: what is known decides, what is unknown leaves it undecided.

use std::sync::Arc;

use super::{Pod, Violation};
use crate::component::Component;
use crate::value::Value;

/// What a control has against a pod so far.
pub(super) struct Found {
    control: &'static str,
    violations: Vec<Violation>,
}

/// The pod itself or one of its containers.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    component: &'a Component,
    container: bool,
}

impl<'a> Part<'a> {
    pub(super) fn value(self, fact: &str) -> &'a Value {
        self.component.value(fact)
    }
}

/// The pod itself.
pub(super) fn itself<'a>(pod: &Pod<'a>) -> Part<'a> {
    Part { component: pod.pod, container: false }
}

impl Found {
    pub(super) fn new(control: &'static str) -> Self {
        Self { control, violations: Vec::new() }
    }

    pub(super) fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    fn add(&mut self, part: Part<'_>, fact: &'static str, what: String, undecided: Option<Arc<str>>) {
        let name = part.component.value("name").as_str();
        let container = part.container.then(|| name.unwrap_or(&part.component.name).into());
        self.violations.push(Violation { control: self.control, container, fact, what, undecided });
    }

    /// The part is refused for what its fact is.
    pub(super) fn refuse(&mut self, part: Part<'_>, fact: &'static str, what: impl Into<String>) {
        self.add(part, fact, what.into(), None);
    }

    /// Whether the part is refused cannot be told.
    pub(super) fn undecided(&mut self, part: Part<'_>, fact: &'static str, reason: &Arc<str>) {
        self.add(part, fact, format!("{fact} is unknown"), Some(Arc::clone(reason)));
    }

    /// Refuses the part where `wrong` has something against the value of a fact.
    pub(super) fn forbid(&mut self, part: Part<'_>, fact: &'static str, wrong: impl FnOnce(&Value) -> Option<String>) {
        match part.value(fact) {
            Value::Unknown(reason) => self.undecided(part, fact, reason),
            value => {
                if let Some(what) = wrong(value) {
                    self.refuse(part, fact, what);
                }
            }
        }
    }

    /// The same for the elements of a list: one that is wrong refuses, else one that is unknown leaves it undecided.
    pub(super) fn forbid_any(
        &mut self,
        part: Part<'_>,
        fact: &'static str,
        mut wrong: impl FnMut(&Value) -> Result<Option<String>, Arc<str>>,
    ) {
        let items = match part.value(fact) {
            Value::Unknown(reason) => return self.undecided(part, fact, reason),
            Value::List(items) => items,
            _ => return,
        };
        let mut unknown = None;
        let mut bad = Vec::new();
        for item in items {
            let judged = item.reason().map_or_else(|| wrong(item), |reason| Err(Arc::clone(reason)));
            match judged {
                Ok(what) => bad.extend(what),
                Err(reason) => {
                    unknown.get_or_insert(reason);
                }
            }
        }
        bad.dedup();
        match unknown {
            _ if !bad.is_empty() => self.refuse(part, fact, bad.join(", ")),
            Some(reason) => self.undecided(part, fact, &reason),
            None => {}
        }
    }

    /// Asks every container, whatever its kind; containers that could not be read leave it undecided.
    pub(super) fn each<'a>(&mut self, pod: &Pod<'a>, mut ask: impl FnMut(&mut Self, Part<'a>)) {
        for &component in pod.containers {
            ask(self, Part { component, container: true });
        }
        let names = pod.pod.value("containers");
        let lost = names.reason().or_else(|| names.as_list().and_then(|l| l.iter().find_map(Value::reason)));
        if let Some(reason) = lost {
            self.undecided(itself(pod), "containers", reason);
        }
    }

    /// Asks only where a fact of the pod has not the value that exempts it; where that is unknown, what would refuse
    /// is undecided.
    pub(super) fn unless(
        &mut self,
        pod: &Pod<'_>,
        fact: &'static str,
        exempts: &Value,
        ask: impl FnOnce(&Pod<'_>, &mut Self),
    ) {
        let value = pod.pod.value(fact);
        if value == exempts {
            return;
        }
        let before = self.violations.len();
        ask(pod, self);
        if let Value::Unknown(reason) = value {
            for violation in &mut self.violations[before..] {
                violation.undecided.get_or_insert_with(|| Arc::clone(reason));
            }
        }
    }
}

/// The text of a field of an object; the reason where it is unknown.
pub(super) fn text<'a>(item: &'a Value, field: &str) -> Result<&'a str, Arc<str>> {
    match item.field(field) {
        Some(Value::Str(text)) => Ok(text),
        Some(Value::Unknown(reason)) => Err(Arc::clone(reason)),
        _ => Ok(""),
    }
}
