//! Environments: names, references and secrets; never a value.

use seaworthy_core::value::Value;

use super::read::{MOST_ITEMS, Node, Read, cut, other_type, too_many, value};
use super::sheet::Sheet;
use crate::docker::secrets::{Secrets, secret};
use crate::redact::Redactor;

/// What a container's environment names beside its own facts.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) secrets: Vec<Value>,
    pub(super) config_maps: Vec<Value>,
}

/// The facts of an environment.
pub(super) fn fill(sheet: &mut Sheet, json: Node<'_>, redactor: &Redactor) -> Named {
    let mut named = Named::default();
    let variables = variables(json.get("env"), redactor, &mut named);
    let field = |pick: fn(&Variables) -> &Vec<Value>| {
        variables.as_ref().map(|v| Value::List(pick(v).clone())).map_err(Clone::clone)
    };
    sheet.read("env_names", "env", field(|v| &v.names));
    sheet.read("env_duplicates", "env", field(|v| &v.duplicates));
    sheet.read("env_secret_refs", "env", field(|v| &v.secret_refs));
    sheet.read("env_config_refs", "env", field(|v| &v.config_refs));
    sheet.read("env_secrets", "env", field(|v| &v.secrets));
    let sources = json.get("envFrom").each(|source| source_of(source, &mut named));
    sheet.read("env_from", "envFrom", sources.map(Value::List));
    named
}

#[derive(Default)]
struct Variables {
    names: Vec<Value>,
    duplicates: Vec<Value>,
    secret_refs: Vec<Value>,
    config_refs: Vec<Value>,
    secrets: Vec<Value>,
}

impl Variables {
    fn all(&mut self) -> [&mut Vec<Value>; 5] {
        [&mut self.names, &mut self.duplicates, &mut self.secret_refs, &mut self.config_refs, &mut self.secrets]
    }
}

fn variables(env: Node<'_>, redactor: &Redactor, named: &mut Named) -> Read<Variables> {
    let mut out = Variables::default();
    let items = env.list()?;
    let mut secrets = Secrets::default();
    let mut seen = std::collections::HashSet::new();
    for item in items.iter().take(MOST_ITEMS).map(Node::of) {
        let (Ok(Some(name)), Ok(text)) = (item.get("name").text(), item.get("value").text()) else {
            for list in out.all() {
                list.push(Value::Unknown(other_type()));
            }
            continue;
        };
        let variable = redactor.env(&format!("{name}={}", text.unwrap_or_default()));
        if let Some(class) = variable.secret {
            secrets.add(secret(&variable.name, class.name(), variable.length));
        }
        if !seen.insert(name) && !out.duplicates.iter().any(|d| d.as_str() == Some(&variable.name)) {
            out.duplicates.push(variable.name.as_str().into());
        }
        let from = item.get("valueFrom");
        refers(from.get("secretKeyRef"), &variable.name, &mut out.secret_refs, &mut named.secrets);
        refers(from.get("configMapKeyRef"), &variable.name, &mut out.config_refs, &mut named.config_maps);
        out.names.push(variable.name.into());
    }
    if items.len() > MOST_ITEMS {
        for list in out.all() {
            list.push(Value::Unknown(too_many()));
        }
    }
    out.secrets.extend(secrets.into_list());
    Ok(out)
}

fn refers(node: Node<'_>, variable: &str, refs: &mut Vec<Value>, named: &mut Vec<Value>) {
    if matches!(node, Node::None) {
        return;
    }
    let text = |key: &str| value(node.get(key).text().map(|text| cut(text.unwrap_or_default()).to_owned()));
    named.push(text("name"));
    refs.push(Value::Object(vec![("variable", variable.into()), ("name", text("name")), ("key", text("key"))]));
}

fn source_of(source: Node<'_>, named: &mut Named) -> Value {
    let prefix = value(source.get("prefix").text().map(|text| cut(text.unwrap_or_default()).to_owned()));
    let mut of = |kind: &'static str, node: Node<'_>| {
        let name = value(node.get("name").text().map(|text| cut(text.unwrap_or_default()).to_owned()));
        let list = if kind == "Secret" { &mut named.secrets } else { &mut named.config_maps };
        list.push(name.clone());
        Value::Object(vec![("kind", kind.into()), ("name", name), ("prefix", prefix.clone())])
    };
    let (secret, config) = (source.get("secretRef"), source.get("configMapRef"));
    match (secret, config) {
        (Node::None, Node::None) => Value::Unknown(other_type()),
        (Node::None, _) => of("ConfigMap", config),
        _ => of("Secret", secret),
    }
}
