//! Webhooks: each is a component of its own.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::ADMISSION;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::engines::engine_of;
use super::{conditions, rules};
use crate::kubernetes::network::read::{
    Read, Sheet, at, list, number, opt_text, other_type, selector_text, short, shown, text,
};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// The most webhooks of one configuration that are read.
const MOST: usize = 256;

/// The webhooks of a configuration.
pub(super) fn webhooks(object: Object<'_>, mutating: bool, redactor: &Redactor) -> Vec<Component> {
    let hooks = match list(object.json, "webhooks") {
        Ok(hooks) => hooks,
        Err(why) => return vec![unreadable(object, mutating, &why, redactor)],
    };
    let mut out: Vec<Component> =
        hooks.iter().take(MOST).enumerate().map(|(i, hook)| webhook(object, hook, i, mutating, redactor)).collect();
    if hooks.len() > MOST {
        out.push(unreadable(object, mutating, &format!("only its first {MOST} webhooks are read"), redactor));
    }
    out
}

fn called(mutating: bool) -> &'static str {
    if mutating { "MutatingWebhook" } else { "ValidatingWebhook" }
}

/// Stands for webhooks that could not be read.
fn unreadable(object: Object<'_>, mutating: bool, why: &str, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&ADMISSION, called(mutating), object, false, redactor);
    sheet.put("type", "kind", Ok(called(mutating)));
    sheet.put("mutating", "kind", Ok(mutating));
    sheet.component.rest_unknown(&why.into(), &object.place.source("webhooks"));
    sheet.component
}

fn webhook(object: Object<'_>, hook: &Json, i: usize, mutating: bool, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&ADMISSION, called(mutating), object, false, redactor);
    let configuration = sheet.component.name.to_string();
    let name = text(hook, "name").map(|n| n.unwrap_or_default());
    let shown_name = name.clone().map_or_else(|_| i.to_string(), |n| redactor.without_tokens(short(n)).into_owned());
    sheet.component.id = format!("{}/{configuration}/{shown_name}", called(mutating)).into();
    sheet.component.name = format!("{configuration}/{shown_name}").into();
    let field = |path: &str| format!("webhooks[{i}].{path}");
    sheet.put("name", field("name"), name.map(|n| shown(n, redactor)));
    sheet.put("type", "kind", Ok(called(mutating)));
    sheet.put("configuration", "metadata.name", Ok(configuration));
    sheet.put("understood", "kind", Ok(false));
    sheet.put("mutating", "kind", Ok(mutating));
    sheet.put("rules", field("rules"), rules(hook, "rules", redactor));
    sheet.put("excludes", field("rules"), Ok(Value::List(Vec::new())));
    sheet.put("failure_policy", field("failurePolicy"), or(text(hook, "failurePolicy"), "Fail", redactor));
    sheet.put("match_policy", field("matchPolicy"), or(text(hook, "matchPolicy"), "Equivalent", redactor));
    for (fact, path) in [("namespace_selector", "namespaceSelector"), ("object_selector", "objectSelector")] {
        sheet.put(fact, field(path), selector_text(hook, path, redactor).map(Option::unwrap_or_default));
    }
    sheet.put("match_conditions", field("matchConditions"), conditions(hook, "matchConditions", redactor));
    sheet.put("validations", field("clientConfig"), Ok(0));
    sheet.put("param_kind", field("clientConfig"), Ok(Value::Null));
    sheet.put("bindings", field("clientConfig"), Ok(Value::List(Vec::new())));
    sheet.put("enforces", field("clientConfig"), Ok(true));
    sheet.put("timeout", field("timeoutSeconds"), number(hook, "timeoutSeconds").map(|t| t.unwrap_or(10)));
    let url = opt_text(hook, "clientConfig.url", redactor);
    let url = url.map(|u| u.as_str().map_or(Value::Null, |u| redactor.url(u).into()));
    sheet.put("url", field("clientConfig.url"), url);
    let service = service(hook);
    sheet.put("service", field("clientConfig.service"), service.clone().map(|s| s.map(|s| shown(&s, redactor))));
    let port = number(hook, "clientConfig.service.port");
    let port = service.clone().and_then(|s| port.map(|p| if s.is_some() { p.unwrap_or(443) } else { 0 }));
    sheet.put("service_port", field("clientConfig.service.port"), port);
    let bundle = text(hook, "clientConfig.caBundle").map(|b| b.is_some_and(|b| !b.is_empty()));
    sheet.put("ca_bundle", field("clientConfig.caBundle"), bundle);
    sheet.put("side_effects", field("sideEffects"), or(text(hook, "sideEffects"), "Unknown", redactor));
    let service = service.ok().flatten().unwrap_or_default();
    let hints = [sheet.component.name.to_string(), service];
    sheet.put("engine", field("clientConfig"), Ok(engine_of(&hints).map(Value::from).unwrap_or(Value::Null)));
    sheet.component
}

/// A text, or what its absence means.
pub(super) fn or(read: Read<Option<&str>>, default: &str, redactor: &Redactor) -> Read<Value> {
    read.map(|t| shown(t.filter(|t| !t.is_empty()).unwrap_or(default), redactor))
}

fn service(hook: &Json) -> Read<Option<String>> {
    let service = at(hook, "clientConfig.service")?;
    if service.is_null() {
        return Ok(None);
    }
    let part = |field| text(service, field)?.ok_or_else(other_type);
    Ok(Some(format!("{}/{}", part("namespace")?, part("name")?)))
}
