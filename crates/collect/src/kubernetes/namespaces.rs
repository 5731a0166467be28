//! Namespaces with their labels, quotas, limits and disruption budgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes::NAMESPACE;
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::gather::{Gather, Resource};
use super::network::read::{
    Read, Sheet, at, labels, list, namespace_of, number, number_or_text, opt_text, other_type, selector, short, shown,
    text, value,
};
use super::object::Object;
use crate::redact::Redactor;

const fn core(plural: &'static str, kind: &'static str, namespaced: bool) -> Resource {
    Resource { group: "", versions: &["v1"], plural, kind, namespaced, optional: false }
}

static RESOURCES: [Resource; 4] = [
    core("namespaces", "Namespace", false),
    core("resourcequotas", "ResourceQuota", true),
    core("limitranges", "LimitRange", true),
    Resource {
        group: "policy",
        versions: &["v1"],
        plural: "poddisruptionbudgets",
        kind: "PodDisruptionBudget",
        namespaced: true,
        optional: false,
    },
];

/// The most entries of a kind that one namespace keeps.
const MOST: usize = 256;

/// The fact that objects of a kind become.
fn fact_of(kind: &str) -> Option<&'static str> {
    match kind {
        "ResourceQuota" => Some("quotas"),
        "LimitRange" => Some("limit_ranges"),
        "PodDisruptionBudget" => Some("budgets"),
        _ => None,
    }
}

/// Gathers namespaces.
#[derive(Default)]
pub(super) struct NamespaceGatherer {
    namespaces: Vec<Component>,
    /// By namespace and fact.
    held: BTreeMap<(String, &'static str), Vec<Value>>,
    unread: Vec<(&'static str, Arc<str>)>,
}

impl Gather for NamespaceGatherer {
    fn resources(&self) -> &'static [Resource] {
        &RESOURCES
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        match object.kind() {
            "Namespace" => self.namespaces.push(namespace(object, redactor)),
            "ResourceQuota" => self.hold(&object, "quotas", quotas(&object, redactor)),
            "LimitRange" => self.hold(&object, "limit_ranges", limits(&object, redactor)),
            "PodDisruptionBudget" => self.hold(&object, "budgets", budget(&object, redactor).map(|b| vec![b])),
            _ => {}
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        self.unread.push((resource.kind, reason.into()));
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        let in_files = target.platform == "files";
        for namespace in &mut self.namespaces {
            for (kind, place) in [
                ("ResourceQuota", "resourcequotas"),
                ("LimitRange", "limitranges"),
                ("PodDisruptionBudget", "poddisruptionbudgets"),
            ] {
                let Some(fact) = fact_of(kind) else { continue };
                let mut held = self.held.remove(&(namespace.name.to_string(), fact)).unwrap_or_default();
                let unread = self.unread.iter().find(|(k, _)| *k == kind).map(|(_, reason)| Arc::clone(reason));
                // What a folder holds need not be all that its namespace will hold.
                let unread = unread.or_else(|| in_files.then(|| "the files may not hold all of them".into()));
                let value = match unread {
                    Some(reason) if held.is_empty() => Value::Unknown(reason),
                    Some(reason) => {
                        held.push(Value::Unknown(reason));
                        Value::List(held)
                    }
                    None => Value::List(held),
                };
                namespace.set(fact, value, Source::place(format!("{place} in {}", namespace.name)));
            }
        }
        target.components.append(&mut self.namespaces);
        if let Some((_, reason)) = self.unread.iter().find(|(kind, _)| *kind == "Namespace") {
            target.incomplete(&NAMESPACE, format!("namespaces: {reason}"));
        }
    }
}

impl NamespaceGatherer {
    fn hold(&mut self, object: &Object<'_>, fact: &'static str, read: Read<Vec<Value>>) {
        let held = self.held.entry((namespace_of(object), fact)).or_default();
        match read {
            Ok(values) => held.extend(values.into_iter().take(MOST.saturating_sub(held.len()))),
            Err(reason) => held.push(Value::Unknown(reason)),
        }
        if held.len() == MOST {
            held.push(Value::unknown(format!("no more than {MOST} are kept")));
        }
    }
}

fn namespace(object: Object<'_>, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&NAMESPACE, "Namespace", object, false, redactor);
    let json = sheet.json();
    let name = short(object.name()).to_owned();
    let labels = labels(json, redactor).map(|mut labels| {
        // The API server gives each namespace this one.
        if !labels.iter().any(|l| l.starts_with("kubernetes.io/metadata.name=")) {
            labels.push(format!("kubernetes.io/metadata.name={name}"));
        }
        Value::strings(labels)
    });
    sheet.put("labels", "metadata.labels", labels);
    let ending = text(json, "status.phase").map(|phase| phase == Some("Terminating"));
    sheet.put("terminating", "status.phase", ending);
    let system = matches!(name.as_str(), "kube-system" | "kube-public" | "kube-node-lease");
    sheet.put("system", "metadata.name", Ok(system));
    pod_security(&mut sheet);
    sheet.component
}

const PREFIX: &str = "pod-security.kubernetes.io/";

/// The labels of Pod Security as the API server reads them: a level to enforce that it does not know is `restricted`, one
/// to audit or to warn of is `privileged`, a version that it does not know is `latest`; what is to be enforced is warned
/// of as well.
fn pod_security(sheet: &mut Sheet<'_>) {
    let json = sheet.json();
    let label = |name: &str| -> Read<Option<&str>> {
        let labels = at(json, "metadata.labels")?;
        match labels.as_object().and_then(|l| l.get(&format!("{PREFIX}{name}"))) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(other_type()),
        }
    };
    let mut invalid = Vec::new();
    let mut level = |mode: &str, wrong: &'static str| -> Read<Option<(&'static str, bool)>> {
        let Some(text) = label(mode)? else { return Ok(None) };
        match ["privileged", "baseline", "restricted"].into_iter().find(|known| *known == text) {
            Some(known) => Ok(Some((known, true))),
            None => {
                invalid.push(format!("{PREFIX}{mode}={}", short(text)));
                Ok(Some((wrong, false)))
            }
        }
    };
    let (enforce, audit) = (level("enforce", "restricted"), level("audit", "privileged"));
    let mut warn = level("warn", "privileged");
    let mut version = |mode: &str| -> Read<Option<String>> {
        let Some(text) = label(&format!("{mode}-version"))? else { return Ok(None) };
        if is_version(text) {
            return Ok(Some(text.to_owned()));
        }
        invalid.push(format!("{PREFIX}{mode}-version={}", short(text)));
        Ok(Some("latest".to_owned()))
    };
    let (enforce_version, audit_version) = (version("enforce"), version("audit"));
    let mut warn_version = version("warn");
    // Where no label says what to warn of, what is enforced is, if it is stricter than the API server's default.
    match (&warn, &enforce) {
        (Ok(None), Ok(Some(("restricted", true)))) => {
            warn = Ok(Some(("restricted", true)));
            if warn_version == Ok(None) {
                warn_version.clone_from(&enforce_version);
            }
        }
        (Ok(None), Ok(Some(("baseline", true)))) => {
            warn = Err("baseline, or the API server's default where that is restricted".into());
        }
        _ => {}
    }
    let name = |read: Read<Option<(&'static str, bool)>>| read.map(|level| level.map(|(name, _)| name));
    for (fact, label, read) in [("enforce", "enforce", enforce), ("audit", "audit", audit), ("warn", "warn", warn)] {
        sheet.put(fact, format!("metadata.labels[\"{PREFIX}{label}\"]"), name(read));
    }
    let versions =
        [("enforce_version", enforce_version), ("audit_version", audit_version), ("warn_version", warn_version)];
    for (fact, read) in versions {
        sheet.put(fact, format!("metadata.labels[\"{PREFIX}{}\"]", fact.replace('_', "-")), read);
    }
    let redactor = sheet.redactor;
    let invalid =
        at(json, "metadata.labels").map(|_| Value::List(invalid.iter().map(|l| shown(l, redactor)).collect()));
    sheet.put("invalid_labels", "metadata.labels", invalid);
}

/// `latest`, or `v1.` and a number without leading noughts.
fn is_version(text: &str) -> bool {
    text == "latest"
        || text.strip_prefix("v1.").is_some_and(|minor| {
            !minor.is_empty()
                && minor.bytes().all(|b| b.is_ascii_digit())
                && (minor == "0" || !minor.starts_with('0'))
                && minor.parse::<i64>().is_ok()
        })
}

fn quotas(object: &Object<'_>, redactor: &Redactor) -> Read<Vec<Value>> {
    let json = object.json;
    let hard = match at(json, "spec.hard")? {
        Json::Null => return Ok(Vec::new()),
        Json::Object(map) => map,
        _ => return Err(other_type()),
    };
    let scoped = !list(json, "spec.scopes")?.is_empty() || !at(json, "spec.scopeSelector")?.is_null();
    let used = at(json, "status.used")?;
    let amount = |amount: &Json| match amount {
        Json::String(text) => shown(text, redactor),
        Json::Number(number) => number.to_string().into(),
        Json::Null => Value::unknown("the API server has not told it yet"),
        _ => Value::Unknown(other_type()),
    };
    let one = |(resource, bound): (&String, &Json)| {
        let bound = if bound.is_null() { Value::Unknown(other_type()) } else { amount(bound) };
        Value::Object(vec![
            ("name", shown(object.name(), redactor)),
            ("resource", shown(resource, redactor)),
            ("hard", bound),
            ("used", amount(used.get(resource).unwrap_or(&Json::Null))),
            ("scoped", scoped.into()),
        ])
    };
    Ok(hard.iter().take(MOST).map(one).collect())
}

fn limits(object: &Object<'_>, redactor: &Redactor) -> Read<Vec<Value>> {
    let mut out = Vec::new();
    for limit in list(object.json, "spec.limits")?.iter().take(64) {
        let kind = text(limit, "type")?.ok_or_else(other_type)?;
        let mut resources = Vec::new();
        for part in ["default", "defaultRequest", "max", "min"] {
            match at(limit, part)? {
                Json::Null => {}
                Json::Object(map) => resources.extend(map.keys().take(64)),
                _ => return Err(other_type()),
            }
        }
        resources.sort_unstable();
        resources.dedup();
        for resource in resources {
            let bound = |part: &str| match limit.get(part).and_then(|p| p.get(resource)) {
                None | Some(Json::Null) => Value::Null,
                Some(Json::String(text)) => shown(text, redactor),
                Some(Json::Number(number)) => number.to_string().into(),
                Some(_) => Value::Unknown(other_type()),
            };
            // A maximum is the limit of what has none, a limit the request of what has none, and then a minimum.
            let max = bound("max");
            let default = or_else(bound("default"), &max);
            let request = or_else(or_else(bound("defaultRequest"), &default), &bound("min"));
            let defaults = kind == "Container";
            out.push(Value::Object(vec![
                ("name", shown(object.name(), redactor)),
                ("type", shown(kind, redactor)),
                ("resource", shown(resource, redactor)),
                ("default_limit", if defaults { default } else { Value::Null }),
                ("default_request", if defaults { request } else { Value::Null }),
                ("max", max),
            ]));
        }
    }
    Ok(out)
}

fn or_else(value: Value, other: &Value) -> Value {
    if value == Value::Null { other.clone() } else { value }
}

fn budget(object: &Object<'_>, redactor: &Redactor) -> Read<Value> {
    let json = object.json;
    let selector = value(selector(json, "spec.selector", redactor).map(|s| s.map(|s| s.to_string())));
    let least = number_or_text(json, "spec.minAvailable");
    let most = number_or_text(json, "spec.maxUnavailable");
    let deadlock = value(least.clone().and_then(|l| deadlock(json, l.as_deref(), most.clone()?.as_deref())));
    Ok(Value::Object(vec![
        ("name", opt_text(json, "metadata.name", redactor)?),
        ("selector", selector),
        ("min_available", value(least)),
        ("max_unavailable", value(most)),
        ("deadlock", deadlock),
    ]))
}

/// Whether it never lets a pod go: by its own words, or because it asks for as many as its controller knows of. Where a
/// pod is down just now it may let one go later, so that what it allows at the moment does not count.
fn deadlock(json: &Json, least: Option<&str>, most: Option<&str>) -> Read<bool> {
    let percent = |text: &str| text.strip_suffix('%').and_then(|p| p.parse::<i64>().ok());
    if most.is_some_and(|m| m == "0" || percent(m) == Some(0)) || least.and_then(percent).is_some_and(|p| p >= 100) {
        return Ok(true);
    }
    let Some(least) = least.filter(|l| *l != "0" && percent(l) != Some(0)) else { return Ok(false) };
    let expected = match number(json, "status.expectedPods")? {
        Some(expected) => expected,
        None if at(json, "status")?.is_null() => return Err("how many pods it is about is not known".into()),
        None => 0,
    };
    if expected == 0 {
        return Ok(false);
    }
    // Percentages are rounded up, as the API server does.
    let asked = match percent(least) {
        Some(percent) => Some(expected.saturating_mul(percent).saturating_add(99) / 100),
        None => least.parse::<i64>().ok(),
    };
    asked.map(|asked| asked >= expected).ok_or_else(other_type)
}

#[cfg(test)]
mod tests;
