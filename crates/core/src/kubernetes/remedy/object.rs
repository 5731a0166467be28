//! The object that a component is, and patches of it.

use serde_json::{Value as Json, json};

use super::{Act, Form, ObjectRef, Proposal, text};
use crate::component::Component;

/// The object of a component that is exactly one; none for those that are made of several or of a part.
pub(super) fn of(component: &Component) -> Option<ObjectRef> {
    let name = text(component, "name")?;
    let namespace = || text(component, "namespace");
    let rbac = "rbac.authorization.k8s.io/v1";
    Some(match component.kind.name {
        "kubernetes.namespace" => ObjectRef::new("v1", "Namespace", "", name),
        "kubernetes.service" => ObjectRef::new("v1", "Service", namespace()?, name),
        "kubernetes.service-account" => ObjectRef::new("v1", "ServiceAccount", namespace()?, name),
        "kubernetes.secret" => ObjectRef::new("v1", "Secret", namespace()?, name),
        "kubernetes.config-map" => ObjectRef::new("v1", "ConfigMap", namespace()?, name),
        "kubernetes.volume" => ObjectRef::new("v1", "PersistentVolume", "", name),
        "kubernetes.node" => ObjectRef::new("v1", "Node", "", name),
        "kubernetes.api-service" => ObjectRef::new("apiregistration.k8s.io/v1", "APIService", "", name),
        "kubernetes.certificate-request" => {
            ObjectRef::new("certificates.k8s.io/v1", "CertificateSigningRequest", "", name)
        }
        "kubernetes.binding" | "kubernetes.role" => ObjectRef::new(rbac, text(component, "kind")?, namespace()?, name),
        "kubernetes.ingress" if text(component, "type") == Some("Ingress") => {
            ObjectRef::new("networking.k8s.io/v1", "Ingress", namespace()?, name)
        }
        "kubernetes.network-policy" if text(component, "type") == Some("NetworkPolicy") => {
            ObjectRef::new("networking.k8s.io/v1", "NetworkPolicy", namespace()?, name)
        }
        "kubernetes.admission" => {
            let kind = match text(component, "type")? {
                "ValidatingWebhook" => "ValidatingWebhookConfiguration",
                "MutatingWebhook" => "MutatingWebhookConfiguration",
                _ => return None,
            };
            ObjectRef::new("admissionregistration.k8s.io/v1", kind, "", text(component, "configuration")?)
        }
        "kubernetes.pod" if is_single(component) => ObjectRef::new("v1", "Pod", namespace()?, name),
        _ => return None,
    })
}

/// Whether a component is one pod that nobody controls.
fn is_single(pod: &Component) -> bool {
    pod.value("naked").as_bool() == Some(true) && pod.value("instances").as_int() == Some(1)
}

/// A patch of the component's object; of a webhook, of its entry in the configuration.
pub(super) fn patched(component: &Component, body: Json) -> Option<Proposal> {
    let object = of(component)?;
    let (form, body) = if component.kind.name == "kubernetes.admission" {
        let mut hook = json!({ "name": text(component, "name")? });
        super::draft::lay(&mut hook, &body);
        (Form::Strategic, json!({ "webhooks": [hook] }))
    } else if component.kind.name == "kubernetes.node" {
        (Form::Strategic, body)
    } else {
        (Form::Merge, body)
    };
    Some(Proposal { object, act: Act::Patch(form, body) })
}

/// A manifest that is added; one that names no namespace of its own lies in the component's.
pub(super) fn applied(component: &Component, mut manifest: Json) -> Option<Proposal> {
    let named = |json: &Json, key: &str| json[key].as_str().map(str::to_owned);
    let (api, kind) = (named(&manifest, "apiVersion")?, named(&manifest, "kind")?);
    // Names of objects that are made of the names of others can become too long, or what they must not be.
    let name = named(&manifest["metadata"], "name")?;
    if name.len() > 253 || name.contains(':') {
        return None;
    }
    const WHOLE_CLUSTER: [&str; 2] = ["PriorityClass", "Namespace"];
    if !WHOLE_CLUSTER.contains(&kind.as_str()) && manifest["metadata"]["namespace"].is_null() {
        let own = if component.kind.name == "kubernetes.namespace" { "name" } else { "namespace" };
        manifest["metadata"]["namespace"] = json!(text(component, own)?);
    }
    let namespace = named(&manifest["metadata"], "namespace").unwrap_or_default();
    Some(Proposal { object: ObjectRef::new(&api, &kind, &namespace, &name), act: Act::Apply(manifest) })
}
