//! Policies of the API server's own, and their bindings.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::ADMISSION;
use seaworthy_core::value::Value;

use super::webhooks::or;
use super::{conditions, count, follow, rules};
use crate::kubernetes::network::read::{Read, Sheet, at, list, opt_text, selector_text, shown, text, texts};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// A ValidatingAdmissionPolicy or MutatingAdmissionPolicy, without its bindings.
pub(super) fn policy(object: Object<'_>, redactor: &Redactor) -> Component {
    let kind = object.kind();
    let mutating = kind.starts_with("Mutating");
    let mut sheet = Sheet::new(&ADMISSION, kind, object, false, redactor);
    let json = sheet.json();
    sheet.put("type", "kind", Ok(kind));
    let name = sheet.component.name.to_string();
    sheet.put("configuration", "metadata.name", Ok(name));
    // Its expressions are not judged here.
    sheet.put("understood", "kind", Ok(false));
    sheet.put("mutating", "kind", Ok(mutating));
    sheet.put("engine", "kind", Ok(Value::Null));
    let constraints = "spec.matchConstraints";
    sheet.put("rules", constraints, rules(json, "spec.matchConstraints.resourceRules", redactor));
    sheet.put("excludes", constraints, rules(json, "spec.matchConstraints.excludeResourceRules", redactor));
    sheet.put("failure_policy", "spec.failurePolicy", or(text(json, "spec.failurePolicy"), "Fail", redactor));
    let policy = text(json, "spec.matchConstraints.matchPolicy");
    sheet.put("match_policy", constraints, or(policy, "Equivalent", redactor));
    for (fact, field) in [
        ("namespace_selector", "spec.matchConstraints.namespaceSelector"),
        ("object_selector", "spec.matchConstraints.objectSelector"),
    ] {
        sheet.put(fact, field, selector_text(json, field, redactor).map(Option::unwrap_or_default));
    }
    sheet.put("match_conditions", "spec.matchConditions", conditions(json, "spec.matchConditions", redactor));
    let field = if mutating { "spec.mutations" } else { "spec.validations" };
    sheet.put("validations", field, count(json, field));
    sheet.put("param_kind", "spec.paramKind", opt_text(json, "spec.paramKind.kind", redactor));
    sheet.put("timeout", "kind", Ok(0));
    sheet.put("url", "kind", Ok(Value::Null));
    sheet.put("service", "kind", Ok(Value::Null));
    sheet.put("service_port", "kind", Ok(0));
    sheet.put("ca_bundle", "kind", Ok(false));
    sheet.put("side_effects", "kind", Ok(""));
    sheet.component
}

/// A binding.
pub(super) fn binding(object: &Object<'_>, redactor: &Redactor) -> Read<Value> {
    let json = object.json;
    let mut param = opt_text(json, "spec.paramRef.name", redactor)?;
    if param == Value::Null && !at(json, "spec.paramRef")?.is_null() {
        let chosen = selector_text(json, "spec.paramRef.selector", redactor)?.unwrap_or_default();
        param = format!("selector {chosen}").into();
    }
    let selector =
        |field: &str| -> Read<Value> { Ok(selector_text(json, field, redactor)?.unwrap_or_default().into()) };
    let narrowed = !list(json, "spec.matchResources.resourceRules")?.is_empty()
        || !list(json, "spec.matchResources.excludeResourceRules")?.is_empty();
    Ok(Value::Object(vec![
        ("name", shown(object.name(), redactor)),
        ("actions", texts(json, "spec.validationActions", redactor)?),
        ("param", param),
        ("namespace_selector", selector("spec.matchResources.namespaceSelector")?),
        ("object_selector", selector("spec.matchResources.objectSelector")?),
        ("narrowed", narrowed.into()),
    ]))
}

/// Gives a policy its bindings: without one it does nothing.
pub(super) fn bind(component: &mut Component, mut bindings: Vec<Value>, unread: Option<Arc<str>>) {
    let mutates = component.value("mutating").as_bool() == Some(true);
    let denies = |binding: &Value| match binding.field("actions") {
        Some(Value::List(actions)) => {
            mutates || actions.iter().any(|a| a.as_str().is_some_and(|a| a.eq_ignore_ascii_case("Deny")))
        }
        _ => false,
    };
    let enforces = if bindings.iter().any(denies) {
        Value::Bool(true)
    } else if let Some(reason) = bindings.iter().find_map(Value::reason).or(unread.as_ref()) {
        Value::Unknown(Arc::clone(reason))
    } else {
        Value::Bool(false)
    };
    follow(component, "enforces", enforces, "bindings of the policy");
    if let Some(reason) = unread {
        bindings.push(Value::Unknown(reason));
    }
    follow(component, "bindings", Value::List(bindings), "bindings of the policy");
}
