//! The requests that change a container.

use std::time::Duration;

use serde_json::{Value, json};

use super::json::{field, id_of, object, text};
use crate::Failure;
use crate::engine::{Answer, Engine, segment};

/// How long creating, starting, renaming and removing may take.
const LIMIT: Duration = Duration::from_secs(180);

/// The longest that a container is waited for to stop, whatever it asks for.
const LONGEST_STOP: u64 = 3600;

/// Seconds that the engine gives a container to stop where it does not say.
const USUAL_STOP: i64 = 10;

fn send(engine: &Engine, doing: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    let answer = engine.send(method, path, body, LIMIT)?;
    good(doing, answer)
}

fn good(doing: &str, answer: Answer) -> Result<Value, Failure> {
    if answer.is_good() {
        return Ok(answer.body);
    }
    // It repeats names, which are others', and some of its answers have several lines.
    let said = answer.message().replace(|c: char| c.is_control(), " ");
    Err(Failure(format!("the engine refuses to {doing}: {said} ({})", answer.status)))
}

/// Creates a container; its id.
pub(super) fn create(engine: &Engine, name: &str, body: &Value, platform: &str) -> Result<String, Failure> {
    let platform = if platform.is_empty() { String::new() } else { format!("&platform={}", segment(platform)) };
    let path = format!("/containers/create?name={}{platform}", segment(name));
    let answer = send(engine, &format!("create {name}"), "POST", &path, Some(body));
    let answer = answer.map_err(|failure| Failure(without_secrets(&failure.0, body)))?;
    match id_of(&answer) {
        "" => Err(Failure(format!("the engine created {name} and does not say its id"))),
        id => Ok(id.to_owned()),
    }
}

/// Whether a name is free: a container is made under it and removed again. The engine reserves a name when it begins to
/// create, and shows the container only when it is done.
pub(super) fn is_free(engine: &Engine, name: &str, image: &str, mark: &str) -> Result<bool, Failure> {
    let body = json!({ "Image": image, "HostConfig": { "NetworkMode": "none", "ContainerIDFile": mark } });
    let path = format!("/containers/create?name={}", segment(name));
    let answer = engine.send("POST", &path, Some(&body), LIMIT)?;
    if answer.is_good() {
        let path = format!("/containers/{}?v=true", segment(id_of(&answer.body)));
        send(engine, &format!("remove {name}"), "DELETE", &path, None)?;
    }
    Ok(answer.status != 409)
}

/// Connects a container to a network.
pub(super) fn connect(engine: &Engine, id: &str, network: &str, endpoint: &Value) -> Result<(), Failure> {
    let body = json!({ "Container": id, "EndpointConfig": endpoint });
    let path = format!("/networks/{}/connect", segment(network));
    send(engine, &format!("connect the new container to {network:?}"), "POST", &path, Some(&body)).map(drop)
}

/// How often a container that ended while it was updated is asked about again.
const RETRIES: u32 = 150;

/// What the engine, or its containerd, says of one that it takes for running and that is between two starts: it ends, is
/// taken away, is not there yet.
const ENDED: [&str; 7] = [
    "not running",
    "cannot update a stopped container",
    "cannot update a deleted process",
    "container not created",
    "no running task",
    "task not found",
    "ttrpc: closed",
];

/// How long is waited in between.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(200);

/// Sets a restart policy, and limits.
pub(super) fn update(engine: &Engine, id: &str, body: &Value) -> Result<(), Failure> {
    let path = format!("/containers/{}/update", segment(id));
    let mut tries = 0;
    loop {
        match send(engine, &format!("update {}", short(id)), "POST", &path, Some(body)) {
            // It ended in this moment, and the engine has not noticed: a moment later it takes the same for one that does not run.
            Err(failure) if tries < RETRIES && is_between_starts(&failure) => {
                tries += 1;
                std::thread::sleep(MOMENT);
            }
            other => return other.map(drop),
        }
    }
}

fn is_between_starts(failure: &Failure) -> bool {
    ENDED.iter().any(|said| failure.0.contains(said))
}

/// The restart policy of a container.
pub(super) fn policy(inspect: &Value) -> Value {
    object(inspect, "/HostConfig/RestartPolicy").into()
}

/// Sets a restart policy.
pub(super) fn set_policy(engine: &Engine, id: &str, policy: &Value) -> Result<(), Failure> {
    update(engine, id, &json!({ "RestartPolicy": policy }))
}

/// Holds a container's restart policy, where it has one.
pub(super) fn hold(engine: &Engine, inspect: &Value) -> Result<(), Failure> {
    if same_policy(&policy(inspect), &held()) { Ok(()) } else { set_policy(engine, id_of(inspect), &held()) }
}

/// Whether two policies mean the same; none and an empty one are `no`.
pub(super) fn same_policy(a: &Value, b: &Value) -> bool {
    let settled = |policy: &Value| {
        let name = text(policy, "/Name").to_owned();
        let name = if name.is_empty() { "no".to_owned() } else { name };
        let count = policy["MaximumRetryCount"].as_i64().unwrap_or_default();
        (name.clone(), if name == "on-failure" { count } else { 0 })
    };
    settled(a) == settled(b)
}

/// The policy of a container that no start of the daemon brings back.
pub(super) fn held() -> Value {
    json!({ "Name": "no", "MaximumRetryCount": 0 })
}

/// Renames a container.
pub(super) fn rename(engine: &Engine, id: &str, name: &str) -> Result<(), Failure> {
    let path = format!("/containers/{}/rename?name={}", segment(id), segment(name));
    send(engine, &format!("rename {} to {name}", short(id)), "POST", &path, None).map(drop)
}

/// Stops a container with its own signal and within its own time; one that is stopped is left.
pub(super) fn stop(engine: &Engine, inspect: &Value) -> Result<(), Failure> {
    let id = id_of(inspect);
    if text(inspect, "/State/Status") == "paused" {
        let path = format!("/containers/{}/unpause", segment(id));
        send(engine, &format!("unpause {}", short(id)), "POST", &path, None)?;
    }
    let own = object(inspect, "/Config").get("StopTimeout").and_then(Value::as_i64).unwrap_or(USUAL_STOP);
    let own = u64::try_from(own).unwrap_or(LONGEST_STOP).min(LONGEST_STOP);
    let path = format!("/containers/{}/stop", segment(id));
    let answer = engine.send("POST", &path, None, Duration::from_secs(own + 60))?;
    good(&format!("stop {}", short(id)), answer).map(drop)
}

/// Starts a container; one that runs is left.
pub(super) fn start(engine: &Engine, inspect: &Value) -> Result<(), Failure> {
    let id = id_of(inspect);
    let path = format!("/containers/{}/start", segment(id));
    let doing = format!("start {}", text(inspect, "/Name").trim_start_matches('/'));
    let answer = send(engine, &doing, "POST", &path, None);
    answer.map(drop).map_err(|failure| Failure(without_secrets(&failure.0, &inspect["Config"])))
}

/// Removes a container that does not run, without its volumes; one that is gone is gone.
pub(super) fn remove(engine: &Engine, id: &str) -> Result<(), Failure> {
    let answer = engine.send("DELETE", &format!("/containers/{}?v=false&force=false", segment(id)), None, LIMIT)?;
    let is_going = answer.status == 409 && answer.message().contains("in progress");
    if answer.status == 404 || is_going {
        return Ok(());
    }
    good(&format!("remove {}", short(id)), answer).map(drop)
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A line of the engine's without the values that the container's environment and labels hold: they may be secrets.
fn without_secrets(line: &str, config: &Value) -> String {
    let config = config.as_object().cloned().unwrap_or_default();
    let env = super::json::strings(config.get("Env"));
    let labels = super::json::inner(&config, "Labels");
    let values = env.iter().filter_map(|e| e.split_once('=')).map(|(_, value)| value.to_owned());
    let labels = labels.keys().map(|key| field(&labels, key).to_owned());
    values.chain(labels).filter(|v| v.len() >= 4).fold(line.to_owned(), |line, value| line.replace(&value, "…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_holds_no_value_of_the_environment() {
        let config = json!({ "Env": ["PASSWORD=hunter2 $x", "A=b"], "Labels": { "token": "abcd1234" } });
        let line = without_secrets("invalid: hunter2 $x at b with abcd1234", &config);
        assert_eq!(line, "invalid: … at b with …");
    }

    #[test]
    fn what_ends_and_starts_again_is_asked_once_more_and_what_is_refused_is_not() {
        let said =
            |words: &str| is_between_starts(&Failure(format!("the engine refuses to update 89e2: {words} (500)")));
        // As engine 29 said it of a container that a restart policy started again and again.
        assert!(said("Cannot update container 89e2: cannot update a deleted process: unknown"));
        assert!(said("Cannot update container 89e2: cannot update a stopped container: unknown"));
        assert!(said("Container 89e2 is not running"));
        for words in ["container is marked for removal and cannot be \"update\"", "No such container: 89e2"] {
            assert!(!said(words), "{words}");
        }
    }

    #[test]
    fn policies_that_mean_the_same_are_the_same() {
        assert!(same_policy(&json!({}), &held()));
        assert!(same_policy(&json!({ "Name": "always", "MaximumRetryCount": 3 }), &json!({ "Name": "always" })));
        assert!(!same_policy(
            &json!({ "Name": "on-failure", "MaximumRetryCount": 3 }),
            &json!({ "Name": "on-failure" })
        ));
    }
}
