//! Policies of network plugins: whom they are about is read where it is plain; what they let through is unknown.

use seaworthy_core::component::Component;
use seaworthy_core::kubernetes::selector::{Requirement, Selector};
use seaworthy_core::schema::kubernetes::NETWORK_POLICY;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{Read, Sheet, at, list, selector, text};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// How a policy of a plugin is called, and how it chooses.
pub(super) struct Foreign {
    pub called: &'static str,
    pub namespaced: bool,
    pub choose: Choose,
}

/// How a plugin's policy says which pods it is about.
#[derive(Clone, Copy)]
pub(super) enum Choose {
    /// `spec.endpointSelector` or each of `specs`.
    Cilium,
    /// An expression in `spec.selector`.
    Calico,
    /// It is not looked at: all of the namespace, or of the cluster.
    All,
}

/// A policy of a plugin.
pub(super) fn policy(object: Object<'_>, foreign: &Foreign, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&NETWORK_POLICY, foreign.called, object, foreign.namespaced, redactor);
    let json = sheet.json();
    if let Some(plain) = sheet.component.value("name").as_str().and_then(|n| n.strip_prefix("default."))
        && object.group() == "crd.projectcalico.org"
    {
        // Calico stores them under another name than it shows them.
        let (plain, namespace) = (plain.to_owned(), sheet.component.value("namespace").clone());
        let namespace = namespace.as_str().unwrap_or_default();
        let full = if namespace.is_empty() { plain.clone() } else { format!("{namespace}/{plain}") };
        sheet.component.id = format!("{}/{full}", foreign.called).into();
        sheet.component.name = full.into();
        sheet.put("name", "metadata.name", Ok(plain));
    }
    sheet.put("type", "kind", Ok(foreign.called));
    sheet.put("understood", "spec", Ok(false));
    sheet.put("tier", "spec.tier", Ok("namespace"));
    sheet.put("priority", "spec.order", Ok(0));
    let chosen = match foreign.choose {
        Choose::Cilium => cilium(json, redactor),
        Choose::Calico => calico(json),
        Choose::All => Ok(None),
    };
    sheet.put("selector", "spec", chosen.map(|c| c.map(|s| s.to_string())));
    // Clusterwide policies may choose namespaces inside the selector of pods.
    sheet.put("namespace_selector", "spec", Ok(Value::Null));
    for fact in ["types", "ingress", "egress"] {
        sheet.put::<Value>(fact, "spec", Err("what policies of network plugins say is not modelled".into()));
    }
    sheet.component
}

/// Plain labels alone: Cilium's own prefixes (`k8s:`, `any:`, `reserved:`) and labels of the namespace are not.
fn cilium(json: &Json, redactor: &Redactor) -> Read<Option<Selector>> {
    if !list(json, "specs")?.is_empty() {
        return Err("it holds several specifications, whose selectors are not modelled".into());
    }
    let chosen = selector(json, "spec.endpointSelector", redactor)?;
    if chosen.is_none() && at(json, "spec.endpointSelector")?.is_null() {
        return Err("it is about something else than pods".into());
    }
    let plain = |requirement: &Requirement| {
        let (Requirement::In(name, _)
        | Requirement::NotIn(name, _)
        | Requirement::Exists(name)
        | Requirement::Absent(name)) = requirement;
        !name.starts_with("io.kubernetes.") && !name.starts_with("io.cilium.")
    };
    match chosen {
        Some(selector) if selector.requirements.iter().all(plain) => Ok(Some(selector)),
        _ => Err("its selector is of Cilium's own kind".into()),
    }
}

/// `all()`, nothing, or equalities joined by `&&`.
fn calico(json: &Json) -> Read<Option<Selector>> {
    for other in ["spec.namespaceSelector", "spec.serviceAccountSelector"] {
        if text(json, other)?.is_some_and(|s| !s.is_empty()) {
            // It narrows further; without it, it would be about more.
            return calico_text(text(json, "spec.selector")?.unwrap_or_default());
        }
    }
    calico_text(text(json, "spec.selector")?.unwrap_or_default())
}

fn calico_text(text: &str) -> Read<Option<Selector>> {
    let not_modelled = || "its selector is of Calico's own kind".into();
    if text.len() > 1024 {
        return Err(not_modelled());
    }
    let mut requirements = Vec::new();
    for part in text.split("&&").map(str::trim).filter(|p| !p.is_empty() && *p != "all()") {
        let (name, wanted) = part.split_once("==").ok_or_else(not_modelled)?;
        let wanted = wanted.trim();
        let inner = |quote: char| wanted.strip_prefix(quote).and_then(|w| w.strip_suffix(quote));
        let wanted = inner('\'').or_else(|| inner('"')).ok_or_else(not_modelled)?;
        // Labels that Calico makes of the namespace and the service account.
        let name = name.trim();
        if ["projectcalico.org/", "pcns.", "pcsa."].iter().any(|prefix| name.starts_with(prefix)) {
            return Err(not_modelled());
        }
        requirements.push(Requirement::In(name.into(), vec![wanted.into()]));
    }
    let selector = Selector { requirements };
    let read = Selector::parse(&selector.to_string());
    if read.as_ref() == Some(&selector) { Ok(Some(selector)) } else { Err(not_modelled()) }
}
