//! The command of a pod's container as it runs: its variables put in, where the API tells them.

use serde_json::Value as Json;

use super::field::{list, text};

/// The most arguments, and the most variables, of one container that are read.
const MOST: usize = 512;

/// What a container runs.
pub(super) struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its variables, as far as the pod tells their values.
    pub variables: Vec<(String, String)>,
}

/// A container that runs.
pub(super) struct Running<'a> {
    /// Its image, as the pod names it.
    pub image: &'a str,
    /// The user that the pod says that it runs as.
    pub uid: Option<i64>,
    /// Since when, as the API writes it.
    pub since: &'a Json,
}

/// A container of a pod, where it runs.
pub(super) fn running<'a>(pod: &'a Json, container: &'a Json) -> Option<Running<'a>> {
    let name = text(container, "name").ok().flatten()?;
    let statuses = list(pod, "status.containerStatuses").ok()?;
    let status = statuses.iter().find(|s| s["name"] == name && s["state"]["running"].is_object())?;
    Some(Running {
        image: text(container, "image").ok().flatten().unwrap_or_default(),
        uid: [container, &pod["spec"]].into_iter().find_map(|of| of["securityContext"]["runAsUser"].as_i64()),
        since: &status["state"]["running"]["startedAt"],
    })
}

/// The command of a container; none where the pod does not tell all of it.
pub(super) fn of(pod: &Json, container: &Json) -> Option<Command> {
    let mut told: Vec<(String, Option<String>)> = Vec::new();
    for variable in list(container, "env").ok()?.iter().take(MOST) {
        let Some(name) = variable["name"].as_str() else { continue };
        let value = match &variable["value"] {
            Json::String(value) => expanded(value, &told, false),
            _ if variable["valueFrom"].is_null() => Some(String::new()),
            _ => field_of(pod, variable),
        };
        told.push((name.to_owned(), value));
    }
    let others = !list(container, "envFrom").ok()?.is_empty();
    let part = |field: &str| -> Option<Vec<String>> {
        let words = list(container, field).ok()?;
        words.iter().take(MOST).map(|word| expanded(word.as_str()?, &told, others)).collect()
    };
    let argv = [part("command")?, part("args")?].concat();
    let variables = told.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect();
    Some(Command { argv, variables })
}

/// What a variable takes from the pod itself.
fn field_of(pod: &Json, variable: &Json) -> Option<String> {
    let path = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str()?;
    let known = ["metadata.name", "metadata.namespace", "spec.nodeName", "status.hostIP", "status.podIP"];
    known.contains(&path).then(|| text(pod, path).ok().flatten().map(str::to_owned))?
}

/// A word with `$(NAME)` put in and `$$` for `$`, as the kubelet does; what names no variable stays. None where a value that it
/// names is not told.
fn expanded(word: &str, told: &[(String, Option<String>)], others: bool) -> Option<String> {
    let (mut out, mut rest) = (String::new(), word);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
            match told.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => out.push_str(value.as_deref()?),
                None if others => return None,
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_are_put_in_or_the_command_is_not_known() {
        let pod = json!({"spec": {"nodeName": "n1"}});
        let argv = |container: Json| of(&pod, &container).map(|command| command.argv);
        let env = json!([
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "MODE", "value": "Node,RBAC"},
            {"name": "ALL", "value": "$(MODE),Webhook"},
            {"name": "FAR", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
        ]);
        let of_words =
            |words: Json, from: Json| argv(json!({"command": ["x"], "args": words, "env": env, "envFrom": from}));
        let words = |list: &[&str]| Some(list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            of_words(json!(["--n=$(NODE)", "--m=$(ALL)", "$$(NODE)", "$(NONE)", "a$", "$x"]), Json::Null),
            words(&["x", "--n=n1", "--m=Node,RBAC,Webhook", "$(NODE)", "$(NONE)", "a$", "$x"])
        );
        assert_eq!(of_words(json!(["--m=$(FAR)"]), Json::Null), None);
        assert_eq!(of_words(json!(["--m=$(NONE)"]), json!([{"configMapRef": {"name": "m"}}])), None);
        assert_eq!(of_words(json!([7]), Json::Null), None);
    }
}
