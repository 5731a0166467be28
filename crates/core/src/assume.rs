//! What if findings passed: the snapshot with the facts that would then be others, and the audit over it. What a forecast
//! is computed from; nobody has read it.

use std::collections::HashSet;

use crate::audit::Audit;
use crate::component::Component;
use crate::derive;
use crate::fact::Source;
use crate::path::normalise;
use crate::predicate::Predicate;
use crate::schema::docker;
use crate::snapshot::{Snapshot, Target};
use crate::value::Value;

/// Where a finding stands: its check, its target, its component, each by position.
pub type Place = (usize, usize, usize);

/// What the engine gives a container that asks for nothing: its default capabilities.
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The places of findings. Those that are on no component have none: nothing would make them pass.
pub fn places(audit: &Audit<'_>, findings: &[usize]) -> HashSet<Place> {
    let of = findings.iter().filter_map(|i| audit.findings.get(*i));
    of.filter_map(|f| Some((f.check, f.target, f.component?))).collect()
}

/// The snapshot as it would be if findings passed: each of their components with the least change of facts by which its
/// check passes ([`Predicate::mend`]), what that brings with it, and everything that follows from several components.
/// Where no change is plain the facts stay, and only the finding itself can be taken for passing.
pub fn snapshot(audit: &Audit<'_>, findings: &[usize]) -> Snapshot {
    let mut out = audit.snapshot.clone();
    // Derived facts that were changed themselves: nothing that they follow from was.
    let mut held: Vec<(usize, usize, usize, Value)> = Vec::new();
    let mut places: Vec<Place> = places(audit, findings).into_iter().collect();
    places.sort_unstable();
    for (check, target, component) in places {
        let Some(require) = &audit.checks[check].require else { continue };
        let Some(target_of) = out.targets.get_mut(target) else { continue };
        let before = target_of.components[component].clone();
        if require.mend(&mut target_of.components[component]) {
            bring_along(target_of, component, &before);
            hold(require, &target_of.components[component], (target, component), &mut held);
        }
    }
    derive::follow(&mut out);
    for (target, component, fact, value) in held {
        let component = &mut out.targets[target].components[component];
        if component.fact_at(fact).value != value {
            component.set(component.kind.facts[fact].name, value, Source::place("forecast"));
        }
    }
    out
}

/// Notes the derived facts that a predicate names, as they are now; those of mounts follow from the mounts that went.
fn hold(
    require: &Predicate,
    component: &Component,
    (target, at): (usize, usize),
    held: &mut Vec<(usize, usize, usize, Value)>,
) {
    for fact in require.facts().iter() {
        let spec = &component.kind.facts[fact];
        if spec.derived && !["runtime_sockets", "sensitive_mounts"].contains(&spec.name) {
            held.push((target, at, fact, component.fact_at(fact).value.clone()));
        }
    }
}

/// What changes with a fact of a component, because the engine decides over both.
fn bring_along(target: &mut Target, at: usize, before: &Component) {
    let now = target.components[at].clone();
    let came = |fact: &str, value: bool| {
        now.kind.index(fact).is_some()
            && *now.value(fact) == Value::Bool(value)
            && before.value(fact) != now.value(fact)
    };
    if std::ptr::eq(now.kind, &docker::CONTAINER) {
        let component = &mut target.components[at];
        unmount(component, before);
        if *before.value("memory_limit") == Value::Null && *now.value("memory_limit") != Value::Null {
            // A limit of memory is set with one of memory and swap together.
            let both = component.value("memory_swap_limit");
            let both = if *both == Value::Null { now.value("memory_limit").clone() } else { both.clone() };
            set(component, "memory_swap_limit", both);
        }
        if came("privileged", false) {
            unprivileged(component);
        }
        if came("default_bridge", false) {
            leave_default_bridge(target, at);
        }
    }
    if std::ptr::eq(now.kind, &docker::FILE) && came("audited", true) {
        // A rule that is added is added to the file of rules, so that it stays.
        set(&mut target.components[at], "audit_on_disk", true.into());
    }
    if std::ptr::eq(now.kind, &docker::DAEMON) && came("icc", false) {
        let bridges = target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::NETWORK));
        for bridge in bridges.filter(|c| *c.value("default_bridge") == Value::Bool(true)) {
            set(bridge, "icc", false.into());
        }
    }
}

fn set(component: &mut Component, fact: &str, value: Value) {
    component.set(fact, value, Source::place("forecast"));
}

/// Takes away the mounts whose reach is gone.
fn unmount(component: &mut Component, before: &Component) {
    let sources = |c: &Component, fact: &str| -> HashSet<String> {
        let all = c.value(fact).as_list().unwrap_or_default().iter();
        all.filter_map(|m| m.field("source").and_then(Value::as_str)).map(str::to_owned).collect()
    };
    let mut gone: HashSet<String> = HashSet::new();
    for fact in ["runtime_sockets", "sensitive_mounts"] {
        let now = sources(component, fact);
        gone.extend(sources(before, fact).into_iter().filter(|source| !now.contains(source)));
    }
    if gone.is_empty() {
        return;
    }
    let Value::List(mounts) = component.value("mounts") else { return };
    let stays = |m: &&Value| {
        m.field("source").and_then(Value::as_str).is_none_or(|source| !gone.contains(normalise(source).as_ref()))
    };
    let mounts = mounts.iter().filter(stays).cloned().collect();
    set(component, "mounts", Value::List(mounts));
}

/// Without --privileged the engine gives its defaults again: capabilities, devices, seccomp, AppArmor, masks.
fn unprivileged(component: &mut Component) {
    set(component, "capabilities", Value::strings(DEFAULT_CAPABILITIES));
    set(component, "capabilities_added", Value::List(Vec::new()));
    set(component, "all_devices", false.into());
    set(component, "masked_paths", true.into());
    if component.value("seccomp").as_str() == Some("unconfined") {
        set(component, "seccomp", "default".into());
    }
    if component.value("apparmor").as_str() == Some("unconfined") {
        set(component, "apparmor", "docker-default".into());
    }
}

fn leave_default_bridge(target: &mut Target, at: usize) {
    let bridges: HashSet<Box<str>> = target
        .of(&docker::NETWORK)
        .filter(|n| *n.value("default_bridge") == Value::Bool(true))
        .map(|n| n.name.clone())
        .collect();
    let name = target.components[at].name.clone();
    let without = |list: &Value, gone: &dyn Fn(&str) -> bool| {
        let items = list.as_list()?.iter().filter(|v| !v.as_str().is_some_and(gone)).cloned().collect();
        Some(Value::List(items))
    };
    if let Some(networks) = without(target.components[at].value("networks"), &|n| bridges.contains(n)) {
        set(&mut target.components[at], "networks", networks);
    }
    for network in target.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &docker::NETWORK)) {
        if bridges.contains(&network.name)
            && let Some(containers) = without(network.value("containers"), &|c| *c == *name)
        {
            set(network, "containers", containers);
        }
    }
}
