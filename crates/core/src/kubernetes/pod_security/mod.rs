//! Pod Security: whether a level takes a pod, from the facts of the pod and its containers, as the admission plug-in of
//! an API server of each version decides it.
//!
//! The controls, the versions since which they ask what they ask, and which control of restricted stands in for which of
//! baseline are facts of Kubernetes' pod-security-admission, whose 4,537 published pods the tests judge.

mod baseline;
mod labels;
mod reading;
mod restricted;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::component::Component;
use crate::value::Value;

pub(crate) use baseline::ALLOWED as CAPABILITIES;
pub use labels::{level_named, minor_in_force, minor_named};
use reading::Found;
pub(crate) use restricted::ALLOWED as VOLUMES;

/// The newest minor version whose policy is known.
pub const NEWEST: u32 = 37;

/// A level that refuses something; `privileged` refuses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No known way to more rights than the pod was given.
    Baseline,
    /// What hardened pods do.
    Restricted,
}

/// What a level does not allow, or what cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The control.
    pub control: &'static str,
    /// The container; none where the pod itself.
    pub container: Option<Box<str>>,
    /// The fact that decides, of the container or the pod.
    pub fact: &'static str,
    /// What it sets, or what it should and does not.
    pub what: String,
    /// The reason where the fact is unknown, and with it whether the control refuses.
    pub undecided: Option<Arc<str>>,
}

impl Violation {
    /// As an element of a fact.
    pub fn value(&self) -> Value {
        Value::Object(vec![
            ("control", self.control.into()),
            ("container", self.container.as_deref().unwrap_or_default().into()),
            ("fact", self.fact.into()),
            ("what", self.what.as_str().into()),
            ("refused", self.undecided.clone().map_or(Value::Bool(true), Value::Unknown)),
        ])
    }
}

/// A pod and its containers.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// The pod.
    pub pod: &'a Component,
    /// Its containers of every kind.
    pub containers: &'a [&'a Component],
}

/// What a control asks from a version on.
struct Revision {
    since: u32,
    judge: fn(&Pod<'_>, &mut Found),
}

/// A control of one of the levels.
struct Control {
    name: &'static str,
    level: Level,
    /// Oldest first.
    revisions: &'static [Revision],
    /// The control of baseline that need not be asked where this one is.
    instead_of: Option<&'static str>,
}

impl Control {
    fn at(&self, minor: u32) -> Option<&Revision> {
        self.revisions.iter().rev().find(|revision| revision.since <= minor)
    }
}

fn controls() -> impl Iterator<Item = &'static Control> {
    baseline::CONTROLS.iter().chain(restricted::CONTROLS)
}

/// The names of the controls that a level of a version asks, those of baseline first.
pub fn names(level: Level, minor: u32) -> Vec<&'static str> {
    asked(level, minor).map(|(control, _)| control.name).collect()
}

fn asked(level: Level, minor: u32) -> impl Iterator<Item = (&'static Control, &'static Revision)> {
    let minor = minor.min(NEWEST);
    let replaced: Vec<&str> = controls()
        .filter(|control| level == Level::Restricted && control.level == level && control.at(minor).is_some())
        .filter_map(|control| control.instead_of)
        .collect();
    let in_force = controls().filter(move |c| c.level <= level && !replaced.contains(&c.name));
    in_force.filter_map(move |control| control.at(minor).map(|revision| (control, revision)))
}

/// What a level of a version has against a pod, in the order of the controls; empty where it takes the pod. Where every
/// entry is undecided, so is whether it takes it.
pub fn violations(level: Level, minor: u32, pod: &Pod<'_>) -> Vec<Violation> {
    let mut out = Vec::new();
    for (control, revision) in asked(level, minor) {
        let mut found = Found::new(control.name);
        (revision.judge)(pod, &mut found);
        out.extend(found.into_violations());
    }
    out
}
