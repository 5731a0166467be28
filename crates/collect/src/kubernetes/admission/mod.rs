//! What admits or changes objects: webhooks, the API server's own policies, and policies of engines.

mod engines;
mod policies;
mod webhooks;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes::ADMISSION;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::gather::{Gather, Resource};
use super::network::read::{Read, each, list, other_type, shown, text, texts, value};
use super::object::Object;
use crate::redact::Redactor;

const REGISTRATION: &str = "admissionregistration.k8s.io";

const fn registered(versions: &'static [&'static str], plural: &'static str, kind: &'static str) -> Resource {
    Resource { group: REGISTRATION, versions, plural, kind, namespaced: false, optional: false }
}

const fn newer(mut resource: Resource) -> Resource {
    resource.optional = true;
    resource
}

const fn custom(
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
) -> Resource {
    Resource { group, versions, plural, kind, namespaced, optional: true }
}

const KYVERNO: &str = "kyverno.io";
const KYVERNO_CEL: &str = "policies.kyverno.io";
const GATEKEEPER: &str = "templates.gatekeeper.sh";

static RESOURCES: [Resource; 12] = [
    registered(&["v1"], "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    registered(&["v1"], "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    newer(registered(&["v1", "v1beta1"], "validatingadmissionpolicies", "ValidatingAdmissionPolicy")),
    newer(registered(&["v1", "v1beta1"], "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding")),
    newer(registered(&["v1", "v1beta1", "v1alpha1"], "mutatingadmissionpolicies", "MutatingAdmissionPolicy")),
    newer(registered(
        &["v1", "v1beta1", "v1alpha1"],
        "mutatingadmissionpolicybindings",
        "MutatingAdmissionPolicyBinding",
    )),
    custom(KYVERNO, &["v1", "v2beta1"], "clusterpolicies", "ClusterPolicy", false),
    custom(KYVERNO, &["v1", "v2beta1"], "policies", "Policy", true),
    custom(KYVERNO_CEL, &["v1", "v1beta1", "v1alpha1"], "validatingpolicies", "ValidatingPolicy", false),
    custom(KYVERNO_CEL, &["v1", "v1beta1", "v1alpha1"], "mutatingpolicies", "MutatingPolicy", false),
    custom(KYVERNO_CEL, &["v1", "v1beta1", "v1alpha1"], "imagevalidatingpolicies", "ImageValidatingPolicy", false),
    custom(GATEKEEPER, &["v1", "v1beta1"], "constrainttemplates", "ConstraintTemplate", false),
];

/// Gathers what admits or changes objects.
#[derive(Default)]
pub(super) struct AdmissionGatherer {
    components: Vec<Component>,
    /// By the policy's component id.
    bindings: BTreeMap<String, Vec<Value>>,
    unread: Vec<(&'static str, &'static str, Arc<str>)>,
}

impl Gather for AdmissionGatherer {
    fn resources(&self) -> &'static [Resource] {
        &RESOURCES
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        match (object.group(), object.kind()) {
            (REGISTRATION, kind @ ("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration")) => {
                let mutating = kind.starts_with("Mutating");
                self.components.extend(webhooks::webhooks(object, mutating, redactor));
            }
            (REGISTRATION, "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy") => {
                self.components.push(policies::policy(object, redactor));
            }
            (REGISTRATION, kind) => {
                let of = kind.strip_suffix("Binding").unwrap_or(kind);
                let name = text(object.json, "spec.policyName").ok().flatten().unwrap_or_default();
                let held = self.bindings.entry(format!("{of}/{}", redactor.without_tokens(name))).or_default();
                if held.len() < 256 {
                    held.push(value(policies::binding(&object, redactor)));
                }
            }
            (KYVERNO | KYVERNO_CEL, _) => self.components.push(engines::kyverno(object, redactor)),
            (GATEKEEPER, _) => self.components.push(engines::gatekeeper(object, redactor)),
            _ => {}
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        self.unread.push((resource.kind, resource.plural, reason.into()));
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        let in_files = target.platform == "files";
        for component in &mut self.components {
            let of = match component.value("type").as_str() {
                Some(of @ ("ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy")) => of,
                _ => continue,
            };
            let bindings = self.bindings.remove(&*component.id).unwrap_or_default();
            let wanted = format!("{of}Binding");
            let unread = self.unread.iter().find(|(kind, ..)| *kind == wanted).map(|(.., reason)| Arc::clone(reason));
            let unread = unread.or_else(|| in_files.then(|| "the files may not hold all of its bindings".into()));
            policies::bind(component, bindings, unread);
        }
        target.components.append(&mut self.components);
        for (kind, plural, reason) in &self.unread {
            if !kind.ends_with("Binding") {
                target.incomplete(&ADMISSION, format!("{plural}: {reason}"));
            }
        }
    }
}

/// Rules that say which requests are shown, at a path of the object.
fn rules(json: &Json, path: &str, redactor: &Redactor) -> Read<Value> {
    each(json, path, |rule| {
        if !rule.is_object() {
            return Err(other_type());
        }
        let scope = text(rule, "scope")?.filter(|s| !s.is_empty()).unwrap_or("*");
        Ok(Value::Object(vec![
            ("groups", value(texts(rule, "apiGroups", redactor))),
            ("versions", value(texts(rule, "apiVersions", redactor))),
            ("resources", value(texts(rule, "resources", redactor))),
            ("operations", value(texts(rule, "operations", redactor))),
            ("scope", shown(scope, redactor)),
            ("names", value(texts(rule, "resourceNames", redactor))),
        ]))
    })
}

/// Names of conditions; one without is none that the API takes.
fn conditions(json: &Json, path: &str, redactor: &Redactor) -> Read<Value> {
    each(json, path, |one| text(one, "name")?.map(|n| shown(n, redactor)).ok_or_else(other_type))
}

/// How many elements a list has.
fn count(json: &Json, path: &str) -> Read<i64> {
    Ok(i64::try_from(list(json, path)?.len()).unwrap_or(i64::MAX))
}

/// A fact that is derived of others here.
fn follow(component: &mut Component, fact: &str, value: Value, from: &'static str) {
    component.set(fact, value, Source::place(from));
}
