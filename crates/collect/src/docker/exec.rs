//! Exec instances: commands that were started in a container after it.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::container::user_number;
use super::json::{Node, Read, cut, value};
use crate::redact::Redactor;

/// An exec instance from `GET /exec/ID/json`, for the list of its container, whose own user it runs as where it names
/// none.
pub fn exec(inspect: &Json, container: &Component, redactor: &Redactor) -> Value {
    let doc = Node::of(inspect);
    let process = doc.get("ProcessConfig");
    let user = process.get("user").text_or_empty();
    let root = match user.clone().map(|user| (user, user_number(user))) {
        Ok(("", _)) => container.value("root_user").clone(),
        Ok((_, Some(number))) => Value::Bool(number == 0),
        // The engine says the container's user where the exec names none.
        Ok((user, None)) if container.value("user").as_str() == Some(user) => container.value("root_user").clone(),
        Ok((_, None)) => of_process(doc.get("Pid"), container),
        Err(reason) => Value::Unknown(reason),
    };
    let privileged = process.get("privileged");
    let privileged = if privileged.is_unset() { Ok(false) } else { privileged.bool() };
    Value::Object(vec![
        ("id", value(doc.get("ID").text().map(cut))),
        ("command", value(command(process, redactor))),
        ("privileged", value(privileged)),
        ("user", value(user.map(cut))),
        ("root", root),
        ("running", value(doc.get("Running").bool())),
    ])
}

/// Whether the process of an exec whose user is a name runs as root, as the host shows it.
fn of_process(pid: Node<'_>, container: &Component) -> Value {
    let processes = container.value("processes").as_list().unwrap_or_default();
    let is_it = |process: &&Value| pid.int().is_ok_and(|pid| process.field("pid").and_then(Value::as_int) == Some(pid));
    let uid = processes.iter().find(is_it).and_then(|process| process.field("uid")).and_then(Value::as_int);
    match (uid, container.value("root_on_host").as_bool()) {
        (Some(uid), Some(true)) => Value::Bool(uid == 0),
        _ => Value::unknown("its user is a name, and its process could not be seen"),
    }
}

fn command(process: Node<'_>, redactor: &Redactor) -> Read<String> {
    let mut words = vec![process.get("entrypoint").text()?];
    words.extend(process.get("arguments").texts()?);
    let line = redactor.argv(&words).join(" ");
    Ok(cut(&line).to_owned())
}

/// Sets the execs of a container: those that were read, and an unknown one for each that could not be.
pub fn set_execs(container: &mut Component, execs: Vec<Value>, lost: Option<&Arc<str>>) {
    let mut execs = execs;
    execs.extend(lost.map(|reason| Value::Unknown(Arc::clone(reason))));
    let place = Arc::clone(&container.fact("execs").source.place);
    container.set("execs", Value::List(execs), Source::new(&place, "ExecIDs; GET /exec/ID/json"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use seaworthy_core::schema::docker::CONTAINER;
    use serde_json::json;

    fn container(root: bool, user: &str) -> Component {
        let mut container = Component::new(&CONTAINER, "1", "web");
        container.set("root_user", root, Source::place("test"));
        container.set("user", user, Source::place("test"));
        container
    }

    #[test]
    fn recorded_execs_are_read_alike_on_both_engines() {
        for text in
            [include_str!("../../fixtures/engine-20.10/exec.json"), include_str!("../../fixtures/engine-29/exec.json")]
        {
            let answer: Json = serde_json::from_str(text).expect("a fixture");
            let value = exec(&answer, &container(false, "app"), &Redactor::new()).to_string();
            assert!(
                value.contains("command: /bin/sleep 500, privileged: false, user: app, root: false, running: true"),
                "{value}"
            );
        }
    }

    #[test]
    fn root_follows_the_user_or_the_container() {
        let root = |user: Json, of: &Component| {
            let process = json!({"entrypoint": "sh", "arguments": ["-c", "x --password=hunter2secret"], "user": user, "privileged": true});
            let value =
                exec(&json!({"ID": "1", "Running": true, "Pid": 7, "ProcessConfig": process}), of, &Redactor::new());
            assert!(!value.to_string().contains("hunter2"), "{value}");
            value.field("root").cloned()
        };
        assert_eq!(root(json!("0:0"), &container(false, "app")), Some(Value::Bool(true)));
        assert_eq!(root(json!(""), &container(true, "")), Some(Value::Bool(true)));
        assert_eq!(root(json!(null), &container(false, "5")), Some(Value::Bool(false)));
        assert!(root(json!("other"), &container(false, "app")).is_some_and(|value| value.is_unknown()));
        let mut seen = container(false, "5");
        let process = Value::Object(vec![("pid", 7.into()), ("executable", "/bin/sh".into()), ("uid", 0.into())]);
        seen.set("processes", Value::List(vec![process]), Source::place("test"));
        assert!(root(json!("toor"), &seen).is_some_and(|value| value.is_unknown()), "its map is not known");
        seen.set("root_on_host", true, Source::place("test"));
        assert_eq!(root(json!("toor"), &seen), Some(Value::Bool(true)));
    }
}
