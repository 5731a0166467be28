//! Policy engines: whose webhook it is, and policies that are theirs. What they refuse is not modelled.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::ADMISSION;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use crate::kubernetes::network::read::{Read, Sheet, at, list, text, truth};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// Words in names of webhooks and services by which engines that guard security are known.
const ENGINES: [(&str, &str); 22] = [
    ("gatekeeper", "gatekeeper"),
    ("kyverno", "kyverno"),
    ("kubewarden", "kubewarden"),
    ("policy-controller", "sigstore-policy-controller"),
    ("policy.sigstore.dev", "sigstore-policy-controller"),
    ("cosigned", "sigstore-policy-controller"),
    ("connaisseur", "connaisseur"),
    ("ratify", "ratify"),
    ("portieris", "portieris"),
    ("jspolicy", "jspolicy"),
    ("k-rail", "k-rail"),
    ("polaris", "polaris"),
    ("datree", "datree"),
    ("opa", "opa"),
    ("openpolicyagent", "opa"),
    ("falcon", "falcon"),
    ("neuvector", "neuvector"),
    ("stackrox", "stackrox"),
    ("twistlock", "prisma-cloud"),
    ("aqua", "aqua"),
    ("sysdig", "sysdig"),
    ("pod-security-webhook", "pod-security-webhook"),
];

/// The engine that names tell of: a word of them, not a part of one.
pub(super) fn engine_of(names: &[String]) -> Option<&'static str> {
    let has = |word: &str| {
        names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            name.match_indices(word).any(|(at, _)| {
                let edge = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric());
                edge(at.checked_sub(1).and_then(|i| name.as_bytes().get(i)))
                    && edge(name.as_bytes().get(at + word.len()))
            })
        })
    };
    ENGINES.iter().find(|(word, _)| has(word)).map(|(_, engine)| *engine)
}

/// A policy of Kyverno.
pub(super) fn kyverno(object: Object<'_>, redactor: &Redactor) -> Component {
    let namespaced = object.kind() == "Policy";
    let called = format!("Kyverno{}", object.kind());
    let mut sheet = begin(object, &called, "KyvernoPolicy", "kyverno", namespaced, redactor);
    let json = sheet.json();
    let mutating = match object.kind() {
        "MutatingPolicy" => Ok(true),
        "ValidatingPolicy" | "ImageValidatingPolicy" => Ok(false),
        _ => has_rule(json, "mutate"),
    };
    sheet.put("mutating", "spec.rules", mutating);
    let enforces = if object.group() == "kyverno.io" { enforces(json) } else { cel_enforces(json) };
    sheet.put("enforces", "spec.validationFailureAction", enforces);
    rest(sheet, "what policies of Kyverno refuse is not modelled")
}

fn has_rule(json: &Json, part: &str) -> Read<bool> {
    for rule in list(json, "spec.rules")? {
        if !at(rule, part)?.is_null() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `Enforce`, of the policy or of a rule; it audits by default, and admits nothing where `admission` is off.
fn enforces(json: &Json) -> Read<bool> {
    if truth(json, "spec.admission")? == Some(false) {
        return Ok(false);
    }
    if has_rule(json, "mutate")? || has_rule(json, "generate")? {
        return Ok(true);
    }
    let is_enforce = |action: Option<&str>| action.is_some_and(|a| a.eq_ignore_ascii_case("enforce"));
    let of_policy = is_enforce(text(json, "spec.validationFailureAction")?);
    let rules = list(json, "spec.rules")?;
    let mut any = false;
    for rule in rules {
        let of_rule = match text(rule, "validate.failureAction")? {
            None => text(rule, "verifyImages.failureAction").unwrap_or(None),
            action => action,
        };
        any |= if of_rule.is_some() { is_enforce(of_rule) } else { of_policy };
    }
    Ok(any)
}

/// `Deny` among its actions, which is the default.
fn cel_enforces(json: &Json) -> Read<bool> {
    if truth(json, "spec.evaluation.admission.enabled")? == Some(false) {
        return Ok(false);
    }
    let actions = list(json, "spec.validationActions")?;
    Ok(actions.is_empty() || actions.iter().any(|a| a.as_str() == Some("Deny")))
}

/// A template of Gatekeeper: its constraints, which are of kinds of their own, say where and whether it is enforced.
pub(super) fn gatekeeper(object: Object<'_>, redactor: &Redactor) -> Component {
    let mut sheet = begin(object, "GatekeeperTemplate", "GatekeeperTemplate", "gatekeeper", false, redactor);
    sheet.put("mutating", "kind", Ok(false));
    sheet.put::<Value>(
        "enforces",
        "kind",
        Err("its constraints, which are of a kind of their own, are not read".into()),
    );
    rest(sheet, "what templates of Gatekeeper refuse is not modelled")
}

fn begin<'a>(
    object: Object<'a>,
    called: &str,
    kind: &'static str,
    engine: &'static str,
    namespaced: bool,
    redactor: &'a Redactor,
) -> Sheet<'a> {
    let mut sheet = Sheet::new(&ADMISSION, called, object, namespaced, redactor);
    sheet.put("type", "kind", Ok(kind));
    let name = sheet.component.name.to_string();
    sheet.put("configuration", "metadata.name", Ok(name));
    sheet.put("understood", "kind", Ok(false));
    sheet.put("engine", "kind", Ok(engine));
    // It is the engine's webhook that is called, and that has a component of its own.
    sheet.put("timeout", "kind", Ok(0));
    sheet.put("url", "kind", Ok(Value::Null));
    sheet.put("service", "kind", Ok(Value::Null));
    sheet.put("service_port", "kind", Ok(0));
    sheet.put("ca_bundle", "kind", Ok(false));
    sheet.put("side_effects", "kind", Ok(""));
    sheet.put("param_kind", "kind", Ok(Value::Null));
    sheet.put("bindings", "kind", Ok(Value::List(Vec::new())));
    sheet
}

fn rest(mut sheet: Sheet<'_>, why: &str) -> Component {
    let source = sheet.object.place.source("spec");
    sheet.component.rest_unknown(&why.into(), &source);
    sheet.component
}
