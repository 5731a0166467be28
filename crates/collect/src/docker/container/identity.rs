//! Who a container is: state, image, owner, command, user.

use super::super::json::{Node, Read, cut};
use super::super::sheet::Sheet;
use super::Reading;

/// Whether it has processes. A container between two restarts has none, whatever `Running` says.
pub(super) fn running(state: Node<'_>) -> Read<bool> {
    let status = state.get("Status");
    let by_flags = || Ok(state.get("Running").bool()? && state.get("Pid").int()? > 0);
    match status.text() {
        Ok("running" | "paused") => Ok(true),
        Ok("created" | "configured" | "initialized" | "exited" | "dead" | "stopped") => Ok(false),
        _ => by_flags(),
    }
}

/// What it starts: `Path` and `Args`.
pub(super) fn command(doc: Node<'_>) -> Read<Vec<&str>> {
    let mut words = vec![doc.get("Path").text()?];
    words.extend(doc.get("Args").texts()?);
    if words[0].is_empty() {
        words.remove(0);
    }
    Ok(words)
}

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    sheet.read("status", "State.Status", c.doc.get("State").get("Status").text().map(status));
    sheet.read("running", "State", c.running.clone());
    let image = c.config.get("Image").text();
    let id = c.doc.get("Image").text();
    let reference = image.clone().map(|image| image_reference(image, id.as_deref().unwrap_or("")));
    sheet.read("image", "Config.Image", image.map(|image| c.ctx.redactor.text(cut(image)).into_owned()));
    sheet.read("image_id", "Image", id.map(cut));
    sheet.read("image_reference", "Config.Image", reference);
    let labels = c.config.get("Labels").map();
    for (fact, names) in [("project", PROJECT), ("service", SERVICE)] {
        let owner = labels.clone().map(|labels| owner(labels, names));
        sheet.read(fact, "Config.Labels", owner);
    }
    let task = labels.map(|labels| labels.contains_key("com.docker.swarm.task.id"));
    sheet.read("swarm_task", "Config.Labels", task);
    let wait = c.config.get("StopTimeout");
    sheet.read("stop_timeout", "Config.StopTimeout", if wait.is_unset() { Ok(None) } else { wait.int().map(Some) });
    sheet.read("command", "Path, Args", command(c.doc).map(|words| c.ctx.redactor.argv(&words)));
    sheet.read("restarts", "RestartCount", c.doc.get("RestartCount").int());
    sheet.read("auto_remove", "HostConfig.AutoRemove", c.host.get("AutoRemove").bool());
    let user = c.config.get("User").text();
    c.effect(sheet, "root_user", ("Uid, uid_map", |o| &o.root_user), ("Config.User", || root_user(c, user.clone())));
    sheet.read("user", "Config.User", user.map(cut));
    let policy = c.host.get("RestartPolicy");
    let name = if policy.is_null() { Ok("") } else { policy.get("Name").text() };
    let name = name.map(|name| if name.is_empty() { "no" } else { cut(name) });
    let most = if policy.is_null() { Ok(0) } else { policy.get("MaximumRetryCount").int() };
    sheet.read("restart_policy", "HostConfig.RestartPolicy", name);
    sheet.read("restart_max", "HostConfig.RestartPolicy", most);
}

/// The engine's own words; Podman's are put into Docker's.
fn status(status: &str) -> &str {
    match status {
        "configured" | "initialized" => "created",
        "stopped" => "exited",
        "stopping" => "running",
        other => cut(other),
    }
}

pub(super) const PROJECT: &[&str] = &["com.docker.compose.project", "io.podman.compose.project"];
pub(super) const SERVICE: &[&str] =
    &["com.docker.compose.service", "com.docker.swarm.service.name", "io.podman.compose.service"];

pub(super) fn owner(labels: &serde_json::Map<String, serde_json::Value>, names: &[&str]) -> Option<String> {
    let label = |name: &&str| labels.get(*name).and_then(|label| label.as_str()).filter(|label| !label.is_empty());
    names.iter().find_map(label).map(|label| cut(label).to_owned())
}

/// Whether its first process would be user 0: by number, by the name root, or by the container's own passwd.
fn root_user(c: &Reading<'_>, user: Read<&str>) -> Read<bool> {
    let user = user?;
    if let Some(number) = user_number(user) {
        return Ok(number == 0);
    }
    if c.running == Ok(true) {
        // What it started as may have changed since in its passwd; only its process tells.
        return Err(match &c.observed {
            Err(reason) => format!("the user is a name, and its process could not be seen: {reason}").into(),
            Ok(_) => "the user is a name, and its process does not show its number".into(),
        });
    }
    let name = user.split(':').next().unwrap_or("");
    c.ctx.host.user_number(&layers(c.doc), name).map(|number| number == 0)
}

/// The directories of its root file system, topmost first, as a graph driver names them.
pub(in super::super) fn layers(doc: Node<'_>) -> Vec<&str> {
    let data = doc.get("GraphDriver").get("Data");
    let upper = data.get("UpperDir").text();
    let lower = data.get("LowerDir").text().unwrap_or("");
    upper.into_iter().chain(lower.split(':').filter(|dir| !dir.is_empty())).take(256).collect()
}

/// The number that a configured user has whatever passwd says: `""` and `root` are 0, numbers are themselves. The
/// group after a colon decides nothing.
pub fn user_number(user: &str) -> Option<u32> {
    match user.split(':').next().unwrap_or("") {
        "" | "root" => Some(0),
        // Go reads +0, -0 and 00 as zero too.
        text => text.parse::<i64>().ok().and_then(|number| u32::try_from(number).ok()),
    }
}

/// How an image was asked for: by digest, by tag, as latest (also without a tag), or by its id.
pub(crate) fn image_reference(image: &str, id: &str) -> &'static str {
    let hex = |text: &str| text.len() >= 6 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    if image.contains('@') {
        return "digest";
    }
    if let Some(bare) = image.strip_prefix("sha256:").or((!image.contains([':', '/'])).then_some(image))
        && hex(bare)
        && (id.starts_with(bare) || bare.len() == 64)
    {
        return "id";
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        Some((_, tag)) if tag != "latest" => "tag",
        _ => "latest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_user_is_root_by_number_or_name() {
        for user in ["", "0", "0:0", "root", "root:app", "+0", "00", ":5"] {
            assert_eq!(user_number(user), Some(0), "{user}");
        }
        assert_eq!(user_number("1000:0"), Some(1000));
        assert_eq!(user_number("app"), None);
        assert_eq!(user_number("99999999999"), None);
    }

    #[test]
    fn image_references_are_told_apart() {
        let id = "sha256:f071684b8d1fe59d7284bad39f09943ef77c6fa12df08f273ea05f3c89d323bb";
        for (image, kind) in [
            ("nginx", "latest"),
            ("nginx:latest", "latest"),
            ("nginx:1.27", "tag"),
            ("localhost:5000/nginx", "latest"),
            ("localhost:5000/nginx:1", "tag"),
            ("nginx:latest@sha256:abc", "digest"),
            ("f071684b8d1f", "id"),
            (id, "id"),
            ("deadbeef", "latest"),
        ] {
            assert_eq!(image_reference(image, id), kind, "{image}");
        }
    }

    #[test]
    fn a_container_between_restarts_has_no_processes() {
        let state = |status: &str, running: bool, pid: i64| json!({"Status": status, "Running": running, "Pid": pid});
        for (state, expected) in [
            (state("restarting", true, 0), false),
            (state("restarting", true, 7), true),
            (state("paused", true, 7), true),
            (state("exited", false, 0), false),
            (state("stopping", true, 9), true),
        ] {
            assert_eq!(running(Node::of(&state)), Ok(expected), "{state}");
        }
        assert!(running(Node::of(&json!({}))).is_err());
    }
}
