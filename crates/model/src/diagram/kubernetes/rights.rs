//! What accounts, users and groups may do, as far as it matters to an attacker: one flow for each power and place, never
//! for each object.

use seaworthy_core::component::Component;
use seaworthy_core::diagram::FlowKind;
use seaworthy_core::schema::kubernetes as k8s;
use seaworthy_core::value::Value;

use super::super::draft::{Draft, Drafts};
use super::super::scope::{Scope, list, text};
use super::cluster;

/// Draws the grants of a cluster, and which account lies in which namespace.
pub(super) fn draw(scope: &Scope<'_>, drafts: &mut Drafts) {
    for kind in [&k8s::SERVICE_ACCOUNT, &k8s::SUBJECT] {
        for at in scope.all_of(kind).iter().copied() {
            grants(scope, at, drafts);
        }
    }
    for at in scope.all_of(&k8s::SERVICE_ACCOUNT).iter().copied() {
        let Some(namespace) = namespace(scope, scope.component(at)) else { continue };
        let draft = Draft::new(FlowKind::Membership, scope.element[at], namespace, "an account of the namespace");
        drafts.add(draft.key("account").facts([scope.cite(at, "namespace")]));
    }
}

/// The element of the namespace that a component lies in.
pub(super) fn namespace(scope: &Scope<'_>, component: &Component) -> Option<usize> {
    let name = component.value("namespace").as_str()?;
    scope.named(&k8s::NAMESPACE, name).map(|at| scope.element[at])
}

/// The only objects over which a power holds.
fn names(power: &Value) -> Vec<&str> {
    power.field("names").and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

/// Where a power holds: everywhere, or the namespace.
fn place(power: &Value) -> (bool, &str) {
    (power.field("cluster_wide").and_then(Value::as_bool) == Some(true), text(power, "namespace"))
}

fn grants(scope: &Scope<'_>, at: usize, drafts: &mut Drafts) {
    let from = scope.element[at];
    let cite = || [scope.cite(at, "powers")];
    let powers = match list(scope.value(at, "powers")) {
        Ok(powers) => powers,
        Err(reason) => {
            if let Some(cluster) = cluster(scope) {
                let draft = Draft::new(FlowKind::Grant, from, cluster, "cluster-admin").key("unknown").facts(cite());
                drafts.add(draft.maybe(&reason));
            }
            return;
        }
    };
    // Whoever may do everything somewhere may do each of the rest there: one flow says it.
    let is_all = |power: &&Value| text(power, "power") == "everything" && names(power).is_empty();
    let places: Vec<(bool, &str)> = powers.iter().filter(is_all).map(place).collect();
    let covered = |power: &Value| {
        let (wide, namespace) = place(power);
        text(power, "power") != "everything" && places.iter().any(|(w, n)| *w || !wide && *n == namespace)
    };
    for power in powers.iter().filter(|power| !covered(power)) {
        if let Value::Unknown(reason) = power {
            if let Some(cluster) = cluster(scope) {
                let draft = Draft::new(FlowKind::Grant, from, cluster, "cluster-admin").key("more").facts(cite());
                drafts.add(draft.maybe(reason));
            }
            continue;
        }
        let names = names(power);
        let name = text(power, "power");
        let label = match names.as_slice() {
            [] => name.to_owned(),
            names => format!("{name}/named: {}", names.join(", ")),
        };
        let to = match power.field("cluster_wide").and_then(Value::as_bool) {
            Some(true) => cluster(scope),
            _ => scope.named(&k8s::NAMESPACE, text(power, "namespace")).map(|at| scope.element[at]),
        };
        if let Some(to) = to {
            let key = label.clone();
            drafts.add(Draft::new(FlowKind::Grant, from, to, label).key(key).facts(cite()));
        }
    }
}
