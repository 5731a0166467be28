//! Secrets as a table without objects: the one form of the list that carries neither data nor annotations, in which a
//! value may lie. Such a table names no namespace, so that each is asked for alone.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::kubernetes::{NAMESPACE, SECRET};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::Options;
use super::client::Api;
use super::failure::Failure;
use super::list::escape;
use crate::redact::Redactor;

/// The form; a server that does not know it must refuse, never answer with the objects.
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
/// Secrets a page.
const PAGE: usize = 500;
/// The most pages of one namespace.
const MOST_PAGES: usize = 400;
/// The most bytes of a page: 4 MiB; 500 rows are 64 KiB.
const MOST_BYTES: usize = 4 << 20;

/// Puts secrets into the target, where they were asked for.
pub(super) async fn put(options: &Options, api: &Arc<Api>, target: &mut Target, redactor: &Arc<Redactor>) {
    if !options.secrets {
        let why = "they were not asked for, because the right to list them reads their values; --secrets lists names, types and ages";
        target.incomplete(&SECRET, why);
        return;
    }
    let names: Vec<String> = match options.namespaces.as_slice() {
        [] => target.of(&NAMESPACE).filter_map(|n| n.value("name").as_str()).map(str::to_owned).collect(),
        some => some.to_vec(),
    };
    if let Some(why) = target.incomplete.get(NAMESPACE.name).cloned() {
        target.incomplete(&SECRET, format!("the namespaces are not all known: {why}"));
    }
    if names.is_empty() {
        target.incomplete(&SECRET, "no namespace was listed, and every cluster has some");
    }
    let tasks: Vec<_> = names
        .into_iter()
        .map(|namespace| {
            let (api, redactor) = (Arc::clone(api), Arc::clone(redactor));
            tokio::spawn(async move { of_namespace(&api, &namespace, &redactor).await.map_err(|why| (namespace, why)) })
        })
        .collect();
    for task in tasks {
        match task.await {
            Ok(Ok(mut secrets)) => target.components.append(&mut secrets),
            Ok(Err((namespace, failure))) => {
                let why = match failure {
                    Failure::Status { code: 403, .. } => format!(
                        "the right is missing: verb list, resource secrets of the core group in namespace {namespace}; it reads values too"
                    ),
                    other => other.to_string(),
                };
                target.gap(format!("secrets in namespace {namespace}"), why.as_str(), "objects of kind Secret");
                target.incomplete(&SECRET, why);
            }
            Err(panic) => target.incomplete(&SECRET, format!("reading them failed: {panic}")),
        }
    }
}

async fn of_namespace(api: &Api, namespace: &str, redactor: &Redactor) -> Result<Vec<Component>, Failure> {
    let base = format!("/api/v1/namespaces/{}/secrets?includeObject=None&limit={PAGE}", escape(namespace));
    let place: Arc<str> = format!("secrets in namespace {namespace}").into();
    let mut found: Vec<Component> = Vec::new();
    let mut token = String::new();
    for _ in 0..MOST_PAGES {
        let path = if token.is_empty() { base.clone() } else { format!("{base}&continue={}", escape(&token)) };
        let bytes = match api.get(&path, TABLE, MOST_BYTES).await {
            // What was read stays true; the list is begun anew, and names are kept once.
            Err(Failure::Status { code: 410, .. }) if !token.is_empty() => {
                token.clear();
                continue;
            }
            other => other?,
        };
        let json: Json = serde_json::from_slice(&bytes).map_err(|_| Failure::Foreign("no JSON".into()))?;
        drop(bytes);
        let before = found.len();
        rows(&json, namespace, &place, redactor, &mut found)?;
        match json["metadata"]["continue"].as_str().filter(|next| !next.is_empty()) {
            None => {
                found.sort_by(|a, b| a.id.cmp(&b.id));
                found.dedup_by(|a, b| a.id == b.id);
                return Ok(found);
            }
            Some(next) if next == token || found.len() == before => {
                return Err(Failure::Foreign("pages without end".into()));
            }
            Some(next) => token = next.to_owned(),
        }
    }
    Err(Failure::Foreign(format!("pages without end: more than {MOST_PAGES}")))
}

fn rows(
    json: &Json,
    namespace: &str,
    place: &Arc<str>,
    redactor: &Redactor,
    found: &mut Vec<Component>,
) -> Result<(), Failure> {
    if json["kind"] != "Table" {
        return Err(Failure::Foreign("no table, though nothing else was asked for; nothing of it is kept".into()));
    }
    let columns: Vec<&str> = json["columnDefinitions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|c| c["name"].as_str().unwrap_or_default())
        .collect();
    let column = |name: &str| columns.iter().position(|column| column.eq_ignore_ascii_case(name));
    let Some(name_at) = column("Name") else { return Err(Failure::Foreign("a table of secrets without names".into())) };
    for row in json["rows"].as_array().into_iter().flatten() {
        let cell = |at: Option<usize>| at.map_or(&Json::Null, |at| &row["cells"][at]);
        let Some(name) = cell(Some(name_at)).as_str() else {
            return Err(Failure::Foreign("a secret without a name".into()));
        };
        let mut c = Component::new(&SECRET, format!("Secret/{namespace}/{name}"), format!("{namespace}/{name}"));
        let source = |field: &'static str| Source::new(place, field);
        c.set("namespace", namespace, source("Name"));
        c.set("name", name, source("Name"));
        let of_type = cell(column("Type")).as_str().map(|t| Value::from(&*redactor.text(t)));
        c.set("type", of_type.unwrap_or_else(|| Value::unknown("the table does not say")), source("Type"));
        let entries = cell(column("Data"));
        let entries = entries.as_i64().or_else(|| entries.as_str()?.parse().ok());
        c.set("entries", entries.map_or_else(|| Value::unknown("the table does not say"), Value::from), source("Data"));
        let age = cell(column("Age")).as_str().and_then(days);
        c.set("age_days", age.map_or_else(|| Value::unknown("the table does not say"), Value::from), source("Age"));
        found.push(c);
    }
    Ok(())
}

/// Whole days of an age as the API server writes it for people: `45s`, `12m`, `5h30m`, `6d4h`, `30d`, `3y20d`.
fn days(age: &str) -> Option<i64> {
    let mut days = 0i64;
    let mut number = String::new();
    let mut parts = 0;
    for c in age.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let count: i64 = number.parse().ok()?;
        number.clear();
        parts += 1;
        days += match c {
            'y' => count.checked_mul(365)?,
            'd' => count,
            'h' => count / 24,
            'm' | 's' => 0,
            _ => return None,
        };
    }
    (number.is_empty() && parts > 0).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_for_people_are_read() {
        for (age, expected) in [
            ("45s", Some(0)),
            ("23h", Some(0)),
            ("47h", Some(1)),
            ("6d4h", Some(6)),
            ("3y20d", Some(1115)),
            ("<unknown>", None),
            ("", None),
            ("5", None),
        ] {
            assert_eq!(days(age), expected, "{age}");
        }
    }

    #[test]
    fn only_a_table_is_taken() {
        let mut found = Vec::new();
        let list = serde_json::json!({"kind": "SecretList", "items": [{"metadata": {"name": "x"}, "data": {"a": "aHVudGVyMg=="}}]});
        assert!(rows(&list, "shop", &"p".into(), &Redactor::new(), &mut found).is_err() && found.is_empty());
        let table = serde_json::json!({"kind": "Table", "columnDefinitions": [{"name": "Name"}, {"name": "Type"}, {"name": "Data"}, {"name": "Age"}],
            "rows": [{"cells": ["db", "Opaque", 2, "6d4h"], "object": null}]});
        rows(&table, "shop", &"p".into(), &Redactor::new(), &mut found).unwrap();
        assert_eq!(&*found[0].id, "Secret/shop/db");
        assert_eq!(found[0].value("age_days"), &Value::Int(6));
        assert_eq!(found[0].value("entries"), &Value::Int(2));
    }
}
