//! The elements: actors outside, and every component.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::diagram::{Certainty, Element, FactRef, Shape, actor};
use seaworthy_core::schema::{docker, kubernetes};
use seaworthy_core::value::Value;

use super::scope::{Scope, cut, truth};
use super::sockets::group;

/// Adds the actors of a target. The first three are always there, since every host has them before it; whether they
/// reach anything is what flows say.
pub(super) fn actors(scope: &mut Scope<'_>, elements: &mut Vec<Element>) {
    let (internet, local, users) = (scope.zones.internet, scope.zones.local_network, scope.zones.users);
    let mut add = |kind: &'static str, name: &str, zone: usize, certainty: Certainty, facts: Vec<FactRef>| {
        elements.push(Element {
            id: format!("{}/{kind}", scope.prefix),
            name: name.to_owned(),
            kind,
            shape: Shape::Actor,
            target: scope.at,
            component: None,
            zone,
            certainty,
            facts,
        });
        elements.len() - 1
    };
    scope.actors.internet = add(actor::INTERNET, "Anybody on the internet", internet, Certainty::Proven, vec![]);
    scope.actors.local_network =
        add(actor::LOCAL_NETWORK, "Anybody on the local network", local, Certainty::Proven, vec![]);
    if scope.is_cluster() {
        return;
    }
    scope.actors.local_user = add(actor::LOCAL_USER, "A user of the host", users, Certainty::Proven, vec![]);
    scope.actors.engine_group = group(scope).map(|group| {
        let facts = group.facts.into_iter().flatten().collect();
        add(actor::ENGINE_GROUP, &group.name, users, group.certainty, facts)
    });
}

/// Adds an element for every component of a target.
pub(super) fn components(scope: &mut Scope<'_>, elements: &mut Vec<Element>) {
    for (at, component) in scope.target.components.iter().enumerate() {
        let (certainty, facts) = presence(scope, at, component);
        scope.element[at] = elements.len();
        elements.push(Element {
            id: scope.ids[at].clone(),
            name: cut(&component.name),
            kind: component.kind.name,
            shape: shape(component),
            target: scope.at,
            component: Some(at),
            zone: scope.zones.of[at],
            certainty,
            facts,
        });
    }
}

fn shape(component: &Component) -> Shape {
    let stores = [
        &docker::FILE,
        &docker::IMAGE,
        &docker::NETWORK,
        &docker::VOLUME,
        &kubernetes::FILE,
        &kubernetes::ROLE,
        &kubernetes::BINDING,
        &kubernetes::NETWORK_POLICY,
        &kubernetes::SECRET,
        &kubernetes::CONFIG_MAP,
        &kubernetes::VOLUME,
        &kubernetes::CERTIFICATE_REQUEST,
    ];
    if std::ptr::eq(component.kind, &kubernetes::SUBJECT) {
        return Shape::Actor;
    }
    if stores.into_iter().any(|kind| std::ptr::eq(kind, component.kind)) { Shape::Store } else { Shape::Process }
}

/// Whether a component is there: it is, since it was listed, save for files that were only looked for.
fn presence(scope: &Scope<'_>, at: usize, component: &Component) -> (Certainty, Vec<FactRef>) {
    let fact = if std::ptr::eq(component.kind, &docker::FILE) {
        "exists"
    } else if std::ptr::eq(component.kind, &docker::CONTAINER) {
        "status"
    } else {
        return (Certainty::Proven, vec![]);
    };
    let certainty = match (fact, component.value(fact)) {
        ("exists", value) => match truth(value) {
            Ok(true) => Certainty::Proven,
            Ok(false) => Certainty::Possible("it was looked for and is not there".into()),
            Err(reason) => Certainty::Possible(reason),
        },
        (_, Value::Unknown(reason)) => Certainty::Possible(Arc::clone(reason)),
        _ => Certainty::Proven,
    };
    (certainty, scope.cite(at, fact).into_iter().collect())
}
