//! The facts that a plan rests on, each known or with the reason why it is not.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::component::Component;
use seaworthy_core::identity::aside;
use seaworthy_core::plan::ContainerRef;
use seaworthy_core::schema::{Kind, docker};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use super::Unplanned;

/// A fact, or why it is unknown: a sentence for what is left out.
pub(super) type Known<T> = Result<T, String>;

/// The one target of a plan.
pub(super) struct World<'a> {
    pub assessment: &'a Assessment<'a>,
    pub index: usize,
    pub target: &'a Target,
    pub host: Option<&'a Component>,
    pub daemon: Option<&'a Component>,
    /// By position in the target.
    pub containers: BTreeMap<usize, &'a Component>,
}

impl<'a> World<'a> {
    /// The only Docker target of an assessment.
    pub fn new(assessment: &'a Assessment<'a>) -> Result<Self, Unplanned> {
        let targets = &assessment.audit.snapshot.targets;
        let engines: Vec<usize> =
            (0..targets.len()).filter(|i| targets[*i].of(&docker::DAEMON).next().is_some()).collect();
        let index = match engines.as_slice() {
            [one] => *one,
            [] => return Err(Unplanned::Refused("there is no Docker engine in it to plan for".into())),
            _ => {
                let names: Vec<&str> = engines.iter().take(5).map(|i| targets[*i].name.as_str()).collect();
                let line = format!("a plan is for one host, and there are several: {}; name one", names.join(", "));
                return Err(Unplanned::Usage(line));
            }
        };
        let target = &targets[index];
        let first = |kind: &'static Kind| target.of(kind).next();
        let containers = target.components.iter().enumerate();
        Ok(Self {
            assessment,
            index,
            target,
            host: first(&docker::HOST),
            daemon: first(&docker::DAEMON),
            containers: containers.filter(|(_, c)| std::ptr::eq(c.kind, &docker::CONTAINER)).collect(),
        })
    }

    /// The host, or why nothing may be done to it.
    pub fn host(&self) -> Known<&'a Component> {
        self.host.ok_or_else(|| "the host was not read".to_owned())
    }

    /// The daemon.
    pub fn daemon(&self) -> Known<&'a Component> {
        self.daemon.ok_or_else(|| "the engine was not read".to_owned())
    }

    /// A container by its name.
    pub fn container(&self, name: &str) -> Option<(usize, &'a Component)> {
        self.containers.iter().find(|(_, c)| *c.name == *name).map(|(i, c)| (*i, *c))
    }

    /// Why a component is left alone: it is a container that a transaction keeps, stopped, for its way back.
    pub fn kept(&self, component: &Component) -> Known<()> {
        let names: BTreeSet<&str> = self.containers.values().map(|c| &*c.name).collect();
        let is_container = std::ptr::eq(component.kind, &docker::CONTAINER);
        match aside(&component.name, &names).filter(|_| is_container && truth(component, "running") == Ok(false)) {
            None => Ok(()),
            Some(transaction) => Err(format!(
                "{} is kept for the way back of transaction {transaction}, and goes with it: seaworthy harden history \
                 --prune {transaction}",
                component.name
            )),
        }
    }

    /// Why nothing on this host is changed by a plan, where that is so: the host is elsewhere, or the engine is none that
    /// edits of it mean anything to.
    pub fn unfit(&self) -> Known<()> {
        let (host, daemon) = (self.host()?, self.daemon()?);
        match text(daemon, "engine")? {
            "docker" => {}
            other => {
                return Err(format!("the engine is {other}, whose settings lie elsewhere; only Docker is hardened"));
            }
        }
        if truth(daemon, "rootless")? {
            return Err("the engine is rootless: its settings belong to its user, and are changed by him".into());
        }
        if text(host, "os").is_ok_and(|os| os.contains("Docker Desktop")) {
            return Err("Docker Desktop makes its host anew at each start; change it in its own settings".into());
        }
        if let Err(why) = text(host, "machine") {
            return Err(format!("the host beneath the engine is not at hand ({why}); plan on it, as root"));
        }
        text(daemon, "engine_id").map(drop)
    }
}

/// What names a container now.
pub(super) fn named(container: &Component) -> ContainerRef {
    ContainerRef { id: container.id.to_string(), name: container.name.to_string() }
}

/// A fact, whatever its type.
pub(super) fn known<'c>(component: &'c Component, fact: &str) -> Known<&'c Value> {
    match component.value(fact) {
        Value::Unknown(why) => Err(format!("{fact} of {} is unknown: {why}", component.name)),
        value => Ok(value),
    }
}

fn typed<'c, T>(component: &'c Component, fact: &str, read: impl Fn(&'c Value) -> Option<T>) -> Known<T> {
    let value = known(component, fact)?;
    read(value).ok_or_else(|| format!("{fact} of {} is {value}", component.name))
}

/// A truth value.
pub(super) fn truth(component: &Component, fact: &str) -> Known<bool> {
    typed(component, fact, Value::as_bool)
}

/// A text.
pub(super) fn text<'c>(component: &'c Component, fact: &str) -> Known<&'c str> {
    typed(component, fact, Value::as_str)
}

/// A number.
pub(super) fn number(component: &Component, fact: &str) -> Known<i64> {
    typed(component, fact, Value::as_int)
}

/// A number that may be proven absent.
pub(super) fn maybe(component: &Component, fact: &str) -> Known<Option<i64>> {
    typed(component, fact, |v| if *v == Value::Null { Some(None) } else { v.as_int().map(Some) })
}

/// A list, each element known.
pub(super) fn list<'c>(component: &'c Component, fact: &str) -> Known<&'c [Value]> {
    let items = typed(component, fact, Value::as_list)?;
    match items.iter().find_map(Value::reason) {
        Some(why) => Err(format!("{fact} of {} is not wholly known: {why}", component.name)),
        None => Ok(items),
    }
}

/// A list of texts.
pub(super) fn texts<'c>(component: &'c Component, fact: &str) -> Known<Vec<&'c str>> {
    Ok(list(component, fact)?.iter().filter_map(Value::as_str).collect())
}

/// A field of an object that is a text; empty where it is none.
pub(super) fn part<'v>(object: &'v Value, field: &str) -> &'v str {
    object.field(field).and_then(Value::as_str).unwrap_or_default()
}
