//! Whether containers have a token of their account for the API server.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Pods, more_containers};
use crate::component::Component;
use crate::fact::Source;
use crate::path::normalise;
use crate::schema::kubernetes;
use crate::snapshot::Target;
use crate::value::Value;

/// Where programs look for it; `/var/run` is `/run` once normalised.
const PLACE: &str = "/run/secrets/kubernetes.io/serviceaccount";

/// The same as admission writes it.
const ADMISSION_PLACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) fn derive(target: &mut Target, pods: &Pods) {
    let mut facts: Vec<(usize, Value, &'static str)> = Vec::new();
    let accounts = accounts(target);
    let audiences = audiences(target);
    for &at in &pods.all {
        let pod = &target.components[at];
        let (of_pod, by) = by_default(pod, &accounts);
        let mut any = more_containers(pod).map_or(Value::Bool(false), Value::Unknown);
        for &i in pods.containers_of(pod) {
            let container = &target.components[i];
            let (value, source) = match mounted(container, pod, audiences.as_deref()) {
                // Admission gives none to what is added later, and what runs shows what it was given.
                Value::Bool(false)
                    if pod.value("live") == &Value::Bool(false)
                        && !is_ephemeral(container)
                        && !has_another(container) =>
                {
                    (of_pod.clone(), by)
                }
                value => (value, "mounts and volumes"),
            };
            any = match (&any, &value) {
                (Value::Bool(true), _) | (_, Value::Bool(true)) => Value::Bool(true),
                (Value::Unknown(_), _) => any,
                _ => value.clone(),
            };
            facts.push((i, value, source));
        }
        facts.push((at, any, by));
    }
    for (i, value, source) in facts {
        target.components[i].set("token_mounted", value, Source::place(source));
    }
}

fn is_ephemeral(container: &Component) -> bool {
    container.value("kind").as_str() == Some("ephemeral")
}

/// Whether it mounts something of its own where the token would be: admission then leaves it as it is. It compares the texts.
fn has_another(container: &Component) -> bool {
    let there = |mount: &Value| mount.field("path").and_then(Value::as_str) == Some(ADMISSION_PLACE);
    container.value("mounts").as_list().is_some_and(|mounts| mounts.iter().any(there))
}

/// What the accounts say themselves, by namespace and name.
fn accounts(target: &Target) -> HashMap<(String, String), Value> {
    let text = |account: &Component, fact: &str| account.value(fact).as_str().unwrap_or_default().to_owned();
    let of =
        |account: &Component| ((text(account, "namespace"), text(account, "name")), account.value("automount").clone());
    target.of(&kubernetes::SERVICE_ACCOUNT).map(of).collect()
}

/// Whether admission mounts the token into the pods of a template.
fn by_default(pod: &Component, accounts: &HashMap<(String, String), Value>) -> (Value, &'static str) {
    let own = "automountServiceAccountToken of the pod";
    match pod.value("automount") {
        Value::Bool(automount) => return (Value::Bool(*automount), own),
        Value::Unknown(reason) => return (Value::Unknown(Arc::clone(reason)), own),
        _ => {}
    }
    let (Some(namespace), Some(name)) = (pod.value("namespace").as_str(), pod.value("service_account").as_str()) else {
        return (Value::unknown("its service account is not known"), own);
    };
    let by = "automountServiceAccountToken of the service account";
    let value = match accounts.get(&(namespace.to_owned(), name.to_owned())) {
        None => Value::unknown(format!("the service account {namespace}/{name} is not among what was read")),
        Some(Value::Null) => Value::Bool(true),
        Some(value) => value.clone(),
    };
    (value, by)
}

/// What the API server's own issuer is called where nobody gave it another name.
const USUAL: &str = "https://kubernetes.default.svc";

/// Whom tokens must be meant for to be taken by an API server; none where that is not known of each.
fn audiences(target: &Target) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut servers = target.of(&kubernetes::APISERVER).peekable();
    servers.peek()?;
    for server in servers {
        for audience in server.value("api_audiences").as_list()? {
            out.push(audience.as_str()?.to_owned());
        }
    }
    Some(out)
}

/// Whether a token that is meant for somebody by name is one for the API server.
fn is_for_server(audience: &str, audiences: Option<&[String]>) -> Value {
    match audiences {
        Some(all) => Value::Bool(all.iter().any(|one| one == audience)),
        None if audience.starts_with(USUAL) => {
            Value::unknown("whom the API server takes tokens for is not known, and one is meant for its usual name")
        }
        None => Value::Bool(false),
    }
}

/// Whether a volume with a token for the API server is mounted into a container.
fn mounted(container: &Component, pod: &Component, audiences: Option<&[String]>) -> Value {
    let (mounts, tokens) = match (container.value("mounts"), pod.value("tokens")) {
        (Value::List(mounts), Value::List(tokens)) => (mounts, tokens),
        (Value::Unknown(reason), _) | (_, Value::Unknown(reason)) => return Value::Unknown(Arc::clone(reason)),
        _ => return Value::Bool(false),
    };
    let text = |value: &Value, field: &str| value.field(field).and_then(Value::as_str).map(str::to_owned);
    let named = |token: &Value| match token.field("audience") {
        Some(Value::Str(audience)) => is_for_server(audience, audiences),
        Some(Value::Null | Value::Unknown(_)) => Value::Bool(true),
        _ => Value::Bool(false),
    };
    let for_server = |token: &&Value| named(token) == Value::Bool(true);
    let of_server: Vec<String> = tokens.iter().filter(for_server).filter_map(|token| text(token, "volume")).collect();
    let perhaps = tokens.iter().find_map(|token| {
        let Value::Unknown(why) = named(token) else { return None };
        let volume = text(token, "volume")?;
        mounts.iter().any(|mount| text(mount, "volume").as_ref() == Some(&volume)).then_some(why)
    });
    let has = |mount: &Value| {
        let volume = text(mount, "volume").unwrap_or_default();
        let at = text(mount, "path").unwrap_or_default();
        // What is projected there for others only is not for the server.
        let of_old = normalise(&at) == PLACE && text(mount, "type").as_deref() == Some("secret");
        of_server.contains(&volume) || of_old
    };
    let unknown = mounts.iter().chain(tokens).find_map(Value::reason).or(perhaps.as_ref());
    match (mounts.iter().any(has), unknown) {
        (true, _) => Value::Bool(true),
        (false, Some(reason)) => Value::Unknown(Arc::clone(reason)),
        (false, None) => Value::Bool(false),
    }
}
