//! Roles, bindings and service accounts, and the users and groups that bindings name.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::kubernetes::rbac::who::everybody;
use seaworthy_core::schema::Kind;
use seaworthy_core::schema::kubernetes::{BINDING, ROLE, SERVICE_ACCOUNT, SUBJECT};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::gather::{Gather, Resource};
use super::object::Object;
use crate::redact::Redactor;

const GROUP: &str = "rbac.authorization.k8s.io";

const fn rbac(plural: &'static str, kind: &'static str, namespaced: bool) -> Resource {
    Resource { group: GROUP, versions: &["v1"], plural, kind, namespaced, optional: false }
}

static RESOURCES: [Resource; 5] = [
    rbac("roles", "Role", true),
    rbac("clusterroles", "ClusterRole", false),
    rbac("rolebindings", "RoleBinding", true),
    rbac("clusterrolebindings", "ClusterRoleBinding", false),
    Resource {
        group: "",
        versions: &["v1"],
        plural: "serviceaccounts",
        kind: "ServiceAccount",
        namespaced: true,
        optional: false,
    },
];

/// The most rules of a role, and the most words in one list of a rule.
const MOST: usize = 4096;

/// The longest text that is kept, in bytes; names are at most 253.
const LONGEST: usize = 1024;

const OTHER_TYPE: &str = "it holds something of another type than the API has there";

/// Gathers roles, bindings and service accounts.
#[derive(Default)]
pub(super) struct Rbac {
    components: Vec<Component>,
    /// Users and groups that bindings name.
    subjects: BTreeSet<(&'static str, String)>,
    unread: Vec<(&'static Kind, String)>,
}

impl Gather for Rbac {
    fn resources(&self) -> &'static [Resource] {
        &RESOURCES
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        let component = match (object.group(), object.kind()) {
            (GROUP, "Role" | "ClusterRole") => role(&object, redactor),
            (GROUP, "RoleBinding" | "ClusterRoleBinding") => self.binding(&object, redactor),
            ("", "ServiceAccount") => account(&object, redactor),
            _ => return,
        };
        self.components.push(component);
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        match resource.kind {
            "Role" | "ClusterRole" => self.unread.push((&ROLE, reason.to_owned())),
            "ServiceAccount" => self.unread.push((&SERVICE_ACCOUNT, reason.to_owned())),
            _ => self.unread.extend([(&BINDING, reason.to_owned()), (&SUBJECT, reason.to_owned())]),
        }
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        self.components.sort_by(|a, b| a.id.cmp(&b.id));
        target.components.append(&mut self.components);
        let place = Source::place("subjects of bindings");
        for (kind, name) in &self.subjects {
            let mut subject = Component::new(&SUBJECT, format!("{kind}/{name}"), name.as_str());
            subject.set("kind", *kind, place.clone());
            subject.set("name", name.as_str(), place.clone());
            subject.set("everybody", everybody(kind, name), place.clone());
            target.components.push(subject);
        }
        for (kind, reason) in self.unread {
            target.incomplete(kind, reason);
        }
    }
}

impl Rbac {
    fn binding(&mut self, object: &Object<'_>, redactor: &Redactor) -> Component {
        let mut component = begin(&BINDING, object);
        put(&mut component, object, "kind", "kind", object.kind().into());
        put(&mut component, object, "labels", "metadata.labels", labels(&object.json["metadata"]["labels"], redactor));
        let reference = &object.json["roleRef"];
        let role = match reference {
            Json::Object(_) => {
                Value::Object(vec![("kind", text(&reference["kind"])), ("name", text(&reference["name"]))])
            }
            _ => Value::unknown(OTHER_TYPE),
        };
        put(&mut component, object, "role", "roleRef", role);
        let subjects = list(&object.json["subjects"], |subject| self.subject(subject));
        if let Some(reason) = subjects.reason().or_else(|| subjects.as_list()?.iter().find_map(Value::reason)) {
            self.unread.push((&SUBJECT, format!("{}: {reason}", object.place.name)));
        }
        put(&mut component, object, "subjects", "subjects", subjects);
        component
    }

    fn subject(&mut self, subject: &Json) -> Value {
        let Json::Object(_) = subject else { return Value::unknown(OTHER_TYPE) };
        let (kind, name) = (text(&subject["kind"]), text(&subject["name"]));
        let namespace = match &subject["namespace"] {
            Json::Null => "".into(),
            other => text(other),
        };
        if let (Value::Str(kind), Value::Str(name)) = (&kind, &name) {
            match &**kind {
                "User" => _ = self.subjects.insert(("User", name.to_string())),
                "Group" => _ = self.subjects.insert(("Group", name.to_string())),
                _ => {}
            }
        }
        let unknown = [&kind, &name, &namespace].into_iter().find_map(Value::reason).map(Arc::clone);
        match unknown {
            Some(reason) => Value::Unknown(reason),
            None => Value::Object(vec![("kind", kind), ("name", name), ("namespace", namespace)]),
        }
    }
}

/// A component with what all objects have: in a file, an object of a namespace that names none lies in `default`.
fn begin(kind: &'static Kind, object: &Object<'_>) -> Component {
    let namespace = match (object.kind(), object.namespace()) {
        (kind, _) if kind.starts_with("Cluster") => "",
        (_, "") => "default",
        (_, namespace) => namespace,
    };
    let name = object.name();
    let path = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    let mut component = Component::new(kind, format!("{}/{path}", object.kind()), path);
    put(&mut component, object, "namespace", "metadata.namespace", namespace.into());
    put(&mut component, object, "name", "metadata.name", name.into());
    component
}

fn put(component: &mut Component, object: &Object<'_>, fact: &str, field: &'static str, value: Value) {
    component.set(fact, value, object.place.source(field));
}

fn role(object: &Object<'_>, redactor: &Redactor) -> Component {
    let mut component = begin(&ROLE, object);
    put(&mut component, object, "kind", "kind", object.kind().into());
    put(&mut component, object, "labels", "metadata.labels", labels(&object.json["metadata"]["labels"], redactor));
    put(&mut component, object, "rules", "rules", list(&object.json["rules"], |json| rule(json, redactor)));
    let aggregation = &object.json["aggregationRule"];
    let selectors = match aggregation {
        Json::Null => Value::List(Vec::new()),
        Json::Object(_) => list(&aggregation["clusterRoleSelectors"], |json| selector(json, redactor)),
        _ => Value::unknown(OTHER_TYPE),
    };
    put(&mut component, object, "aggregates", "aggregationRule.clusterRoleSelectors", selectors);
    component
}

fn rule(json: &Json, redactor: &Redactor) -> Value {
    let Json::Object(_) = json else { return Value::unknown(OTHER_TYPE) };
    let names = |json: &Json| match text(json) {
        Value::Str(name) => Value::from(&*redactor.without_tokens(&name)),
        other => other,
    };
    Value::Object(vec![
        ("verbs", list(&json["verbs"], text)),
        ("api_groups", list(&json["apiGroups"], text)),
        ("resources", list(&json["resources"], text)),
        ("resource_names", list(&json["resourceNames"], names)),
        ("non_resource_urls", list(&json["nonResourceURLs"], text)),
    ])
}

fn selector(json: &Json, redactor: &Redactor) -> Value {
    let Json::Object(_) = json else { return Value::unknown(OTHER_TYPE) };
    let expression = |json: &Json| match json {
        Json::Object(_) => Value::Object(vec![
            ("key", text(&json["key"])),
            ("operator", text(&json["operator"])),
            ("values", list(&json["values"], text)),
        ]),
        _ => Value::unknown(OTHER_TYPE),
    };
    Value::Object(vec![
        ("labels", labels(&json["matchLabels"], redactor)),
        ("expressions", list(&json["matchExpressions"], expression)),
    ])
}

fn account(object: &Object<'_>, redactor: &Redactor) -> Component {
    let mut component = begin(&SERVICE_ACCOUNT, object);
    let automount = match &object.json["automountServiceAccountToken"] {
        Json::Null => Value::Null,
        Json::Bool(automount) => Value::Bool(*automount),
        _ => Value::unknown(OTHER_TYPE),
    };
    put(&mut component, object, "automount", "automountServiceAccountToken", automount);
    let named = |json: &Json| match json {
        Json::Object(_) => text(&json["name"]),
        _ => Value::unknown(OTHER_TYPE),
    };
    put(&mut component, object, "secrets", "secrets", list(&object.json["secrets"], named));
    put(
        &mut component,
        object,
        "image_pull_secrets",
        "imagePullSecrets",
        list(&object.json["imagePullSecrets"], named),
    );
    let identities = cloud_identities(&object.json["metadata"]["annotations"], redactor);
    put(&mut component, object, "cloud_identities", "metadata.annotations", identities);
    component
}

/// Annotations by which a pod of an account takes an identity of a cloud.
const IDENTITIES: [(&str, &str); 3] = [
    ("aws", "eks.amazonaws.com/role-arn"),
    ("gcp", "iam.gke.io/gcp-service-account"),
    ("azure", "azure.workload.identity/client-id"),
];

fn cloud_identities(annotations: &Json, redactor: &Redactor) -> Value {
    let annotations = match annotations {
        Json::Null => return Value::List(Vec::new()),
        Json::Object(annotations) => annotations,
        _ => return Value::unknown(OTHER_TYPE),
    };
    let found = IDENTITIES.iter().filter_map(|(provider, name)| {
        let identity = match text(annotations.get(*name)?) {
            Value::Str(identity) if identity.is_empty() => return None,
            Value::Str(identity) => Value::from(&*redactor.without_tokens(&identity)),
            other => other,
        };
        Some(Value::Object(vec![("provider", (*provider).into()), ("identity", identity)]))
    });
    Value::List(found.collect())
}

fn labels(json: &Json, redactor: &Redactor) -> Value {
    match json {
        Json::Null => Value::List(Vec::new()),
        Json::Object(labels) => {
            let one = |(key, value): (&String, &Json)| {
                let value = match text(value) {
                    Value::Str(value) => Value::from(&*redactor.without_tokens(&value)),
                    other => other,
                };
                Value::Object(vec![("key", bounded(key)), ("value", value)])
            };
            let mut kept: Vec<Value> = labels.iter().take(MOST).map(one).collect();
            if labels.len() > MOST {
                kept.push(Value::unknown(format!("it has more than {MOST} labels")));
            }
            Value::List(kept)
        }
        _ => Value::unknown(OTHER_TYPE),
    }
}

fn text(json: &Json) -> Value {
    json.as_str().map_or_else(|| Value::unknown(OTHER_TYPE), bounded)
}

fn bounded(text: &str) -> Value {
    if text.len() > LONGEST { Value::unknown(format!("it is longer than {LONGEST} bytes")) } else { text.into() }
}

/// A list; null and absent are an empty one, as the API server reads them.
fn list(json: &Json, mut one: impl FnMut(&Json) -> Value) -> Value {
    match json {
        Json::Null => Value::List(Vec::new()),
        Json::Array(items) => {
            let mut kept: Vec<Value> = items.iter().take(MOST).map(&mut one).collect();
            if items.len() > MOST {
                kept.push(Value::unknown(format!("it has more than {MOST} elements")));
            }
            Value::List(kept)
        }
        _ => Value::unknown(OTHER_TYPE),
    }
}
