//! Secrets as facts: name, class and length bucket, never a value.

use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

use super::json::{MOST_ITEMS, Node, Read, other_type};
use crate::redact::{LengthBucket, Redactor};

/// The most secrets that one fact lists.
const MOST: usize = 64;

/// One secret, without its value.
pub(crate) fn secret(name: &str, class: &str, length: LengthBucket) -> Value {
    Value::Object(vec![("name", name.into()), ("class", class.into()), ("length", length.name().into())])
}

/// Secrets as they are found; at most 64 are kept.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Vec<Value>);

impl Secrets {
    pub(crate) fn add(&mut self, found: Value) {
        if self.0.len() < MOST {
            self.0.push(found);
        }
    }

    /// Those in a text that `place` names, under their own names where they have one.
    pub(super) fn text(&mut self, redactor: &Redactor, place: &str, text: &str) {
        for hit in redactor.secrets_in(text) {
            let name = hit.name.map_or_else(|| place.to_owned(), |name| format!("{place}: {name}"));
            self.add(secret(&name, hit.class.name(), hit.length));
        }
    }

    /// Those in a command's arguments.
    pub(crate) fn arguments(&mut self, redactor: &Redactor, place: &str, arguments: &[&str]) {
        match arguments {
            [] => {}
            [only] => self.text(redactor, place, only),
            many => self.text(redactor, place, &many.join(" ")),
        }
    }

    /// Those among named values: labels, options.
    pub(crate) fn named(&mut self, redactor: &Redactor, place: &str, values: &Map<String, Json>) {
        for (name, value) in values.iter().take(MOST_ITEMS) {
            let Some(value) = value.as_str() else { continue };
            if let Some(class) = redactor.classify(name, value) {
                let name = format!("{place}: {}", redactor.text(name));
                self.add(secret(&name, class.name(), LengthBucket::of(value.len())));
            }
        }
    }

    /// The one in a `NAME=value` of the kind that `place` names.
    pub(crate) fn variable(&mut self, redactor: &Redactor, place: &str, entry: &str) {
        let variable = redactor.env(entry);
        if let Some(class) = variable.secret {
            self.add(secret(&format!("{place}: {}", variable.name), class.name(), variable.length));
        }
    }

    /// One by one.
    pub(crate) fn into_list(self) -> Vec<Value> {
        self.0
    }

    /// As a fact's value.
    pub(crate) fn into_value(self) -> Value {
        Value::List(self.0)
    }
}

/// The names of an environment, and the secrets in it.
pub(super) fn environment(redactor: &Redactor, env: Node<'_>) -> Read<(Value, Value)> {
    let entries = env.list_or_empty()?;
    let mut names = Vec::with_capacity(entries.len());
    let mut secrets = Secrets::default();
    for entry in entries {
        let variable = redactor.env(entry.as_str().ok_or_else(other_type)?);
        if let Some(class) = variable.secret {
            secrets.add(secret(&variable.name, class.name(), variable.length));
        }
        names.push(Value::from(variable.name));
    }
    Ok((Value::List(names), secrets.into_value()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_environment_leaves_names_only() {
        let env = json!(["DB_PASSWORD=hunter2secret", "PATH=/bin", "EMPTY"]);
        let (names, secrets) = environment(&Redactor::new(), Node::of(&env)).expect("read");
        assert_eq!(names.to_string(), "[DB_PASSWORD, PATH, EMPTY]");
        assert_eq!(secrets.to_string(), "[{name: DB_PASSWORD, class: password, length: 8-15}]");
        let broken = json!([1]);
        assert!(environment(&Redactor::new(), Node::of(&broken)).is_err());
    }

    #[test]
    fn options_and_commands_name_their_place() {
        let redactor = Redactor::new();
        let mut secrets = Secrets::default();
        let options = json!({"splunk-token": "0a1b2c3d-0a1b-2c3d-4e5f-001122334455", "max-size": "10m"});
        secrets.named(&redactor, "log option", options.as_object().expect("an object"));
        secrets.arguments(&redactor, "command", &["mysqld", "--password=hunter2secret"]);
        let text = secrets.into_value().to_string();
        assert!(text.contains("log option: splunk-token") && text.contains("command"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("001122334455"), "{text}");
    }
}
