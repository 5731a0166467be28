//! Images: from inspect and history to facts.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker::IMAGE;
use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

use super::container::{layers, user_number};
use super::context::HostView;
use super::history::history;
use super::json::{Node, Read, cut, left_out, other_type, strings, value};
use super::secrets::{Secrets, environment};
use super::sheet::Sheet;
use crate::redact::Redactor;

/// Labels that say where an image comes from.
const PROVENANCE: [&str; 8] = [
    "org.opencontainers.image.source",
    "org.opencontainers.image.revision",
    "org.opencontainers.image.url",
    "org.opencontainers.image.version",
    "org.opencontainers.image.vendor",
    "org.opencontainers.image.created",
    "org.label-schema.vcs-url",
    "org.label-schema.vcs-ref",
];

/// An image from `GET /images/ID/json` and `GET /images/ID/history`. The containers that use it are added by
/// [`set_used_by`].
pub fn image(
    inspect: &Json,
    steps: &Read<Json>,
    redactor: &Redactor,
    host: &dyn HostView,
    collected_at: i64,
) -> Component {
    let doc = Node::of(inspect);
    let id = doc.get("Id").text().unwrap_or("");
    let tags = names(doc, "RepoTags");
    let digests = names(doc, "RepoDigests");
    let name = cut(display_name(&tags, &digests, id));
    let mut sheet = Sheet::new(&IMAGE, id, name, format!("inspect {name}"));
    sheet.read("registries", "RepoTags, RepoDigests", registries(&tags, &digests));
    sheet.read("tags", "RepoTags", tags.map(strings));
    sheet.read("digests", "RepoDigests", digests.map(strings));
    sheet.read("created_days", "Created", created_days(doc.get("Created"), collected_at));
    sheet.read("platform", "Os, Architecture", platform(doc));
    sheet.read("size", "Size", doc.get("Size").int());
    configuration(&mut sheet, doc.get("Config"), redactor);
    sheet.read("root_user", "Config.User", root_user(doc, host));
    sheet.set("setuid_files", "", Value::Null);
    build_steps(&mut sheet, steps, &started(doc.get("Config"), redactor), redactor);
    crate::evidence::none(&mut sheet.component);
    sheet.component
}

/// An image that could not be inspected: what the list says of it, and the rest unknown.
pub fn vanished(listed: &Json, reason: &Arc<str>) -> Component {
    let doc = Node::of(listed);
    let id = doc.get("Id").text().unwrap_or("");
    let (tags, digests) = (names(doc, "RepoTags"), names(doc, "RepoDigests"));
    let mut sheet = Sheet::new(&IMAGE, id, cut(display_name(&tags, &digests, id)), "GET /images/json".into());
    sheet.read("registries", "RepoTags, RepoDigests", registries(&tags, &digests));
    sheet.read("tags", "RepoTags", tags.map(strings));
    sheet.read("digests", "RepoDigests", digests.map(strings));
    crate::evidence::none(&mut sheet.component);
    let source = Source::new(sheet.place(), "");
    sheet.component.rest_unknown(reason, &source);
    sheet.component
}

/// Says which containers were made from an image: pairs of container name and image id, or why they are not known.
pub fn set_used_by(image: &mut Component, containers: &Read<Vec<(Box<str>, Box<str>)>>) {
    let used = containers.as_ref().map_err(Arc::clone).map(|containers| {
        let of = |(_, id): &&(Box<str>, Box<str>)| **id == *image.id;
        strings(containers.iter().filter(of).map(|(name, _)| name.as_ref()))
    });
    image.set("used_by", value(used), Source::place("GET /containers/json"));
}

/// Names without the engine's `<none>`.
fn names<'a>(doc: Node<'a>, key: &str) -> Read<Vec<&'a str>> {
    Ok(doc.get(key).texts_or_empty()?.into_iter().filter(|name| !name.contains("<none>")).collect())
}

fn display_name<'a>(tags: &Read<Vec<&'a str>>, digests: &Read<Vec<&'a str>>, id: &'a str) -> &'a str {
    let first = |names: &Read<Vec<&'a str>>| names.as_ref().ok().and_then(|names| names.first().copied());
    first(tags).or_else(|| first(digests)).unwrap_or_else(|| short_id(id))
}

fn short_id(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

/// The registries of names; a digest alone names one too, but a locally built image has a digest in containerd's
/// store that no registry gave.
fn registries(tags: &Read<Vec<&str>>, digests: &Read<Vec<&str>>) -> Read<Value> {
    let (tags, digests) = (tags.as_ref().map_err(Arc::clone)?, digests.as_ref().map_err(Arc::clone)?);
    let mut found: Vec<&str> = tags.iter().chain(digests).map(|name| registry(name)).collect();
    found.sort_unstable();
    found.dedup();
    Ok(strings(found))
}

/// The registry of a name: its first part where that looks like a host, else Docker Hub.
pub fn registry(name: &str) -> &str {
    match name.split_once('/') {
        Some((first, _)) if first == "localhost" || first.contains(['.', ':']) => match first {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        },
        _ => "docker.io",
    }
}

/// Age in whole days; none for an image that carries no date (or the zero of Go or Unix, which builders write to
/// make builds reproducible).
fn created_days(created: Node<'_>, now: i64) -> Read<Option<i64>> {
    let text = created.text_or_empty()?;
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with("0001-01-01") {
        return Ok(None);
    }
    let created: jiff::Timestamp = text.parse().map_err(|_| other_type())?;
    let seconds = created.as_second();
    // Reproducible builds date themselves at Unix' beginning, or ZIP's in 1980.
    if seconds <= 315_619_200 { Ok(None) } else { Ok(Some((now - seconds).div_euclid(86_400).max(0))) }
}

fn platform(doc: Node<'_>) -> Read<String> {
    let (os, architecture) = (doc.get("Os").text()?, doc.get("Architecture").text()?);
    Ok(format!("{}/{}", cut(os), cut(architecture)))
}

fn configuration(sheet: &mut Sheet, config: Node<'_>, redactor: &Redactor) {
    // From API 1.50 on the engine leaves out what is empty in here.
    let user = config.get("User").text_or_empty();
    sheet.read("user", "Config.User", user.map(cut));
    let test = config.get("Healthcheck").opt("Test").texts_or_empty();
    let test = if matches!(config, Node::Is(Json::Object(_))) { test } else { Err(left_out()) };
    sheet.read(
        "healthcheck",
        "Config.Healthcheck",
        test.map(|test| matches!(test.as_slice(), ["CMD" | "CMD-SHELL", command, ..] if !command.is_empty())),
    );
    let keys = |map: Read<&Map<String, Json>>| map.map(|map| strings(map.keys().map(String::as_str)));
    sheet.read("exposed_ports", "Config.ExposedPorts", keys(config.get("ExposedPorts").map_or_empty()));
    sheet.read("volumes", "Config.Volumes", keys(config.get("Volumes").map_or_empty()));
    sheet.read("env_secrets", "Config.Env", environment(redactor, config.get("Env")).map(|(_, secrets)| secrets));
    let labels = config.get("Labels").map_or_empty();
    sheet.read("label_secrets", "Config.Labels", labels.clone().map(|labels| label_secrets(labels, redactor)));
    sheet.read("provenance", "Config.Labels", labels.clone().map(|labels| provenance(labels, redactor)));
    sheet.read("base", "Config.Labels", labels.map(|labels| base(labels, redactor)));
}

/// Whether it starts as user 0: by number, or by the passwd of its layers where they can be seen.
fn root_user(doc: Node<'_>, host: &dyn HostView) -> Read<bool> {
    let user = doc.get("Config").get("User").text_or_empty()?;
    if let Some(number) = user_number(user) {
        return Ok(number == 0);
    }
    let name = user.split(':').next().unwrap_or("");
    host.user_number(&layers(doc), name)
        .map(|number| number == 0)
        .map_err(|why| format!("the user {} is a name without a number: {why}", cut(name)).into())
}

/// Secrets in what the image starts. An image that was committed or imported with changes has them in no build step.
fn started(config: Node<'_>, redactor: &Redactor) -> Read<Vec<Value>> {
    let mut secrets = Secrets::default();
    for (place, key) in [("command", "Cmd"), ("entry point", "Entrypoint")] {
        secrets.arguments(redactor, place, &config.get(key).texts_or_empty()?);
    }
    let test = config.get("Healthcheck").opt("Test").texts_or_empty()?;
    secrets.arguments(redactor, "health check", test.get(1..).unwrap_or_default());
    Ok(secrets.into_list())
}

/// Secrets of build steps with those of what the image starts, which its steps mostly tell too, under other names.
fn all_secrets(of_steps: Value, started: &Read<Vec<Value>>) -> Value {
    let mut all = match of_steps {
        Value::List(secrets) => secrets,
        unknown => vec![unknown],
    };
    let alike = |a: &Value, b: &Value| ["class", "length"].iter().all(|field| a.field(field) == b.field(field));
    match started {
        Ok(started) => {
            let new: Vec<Value> = started.iter().filter(|one| !all.iter().any(|s| alike(s, one))).cloned().collect();
            all.extend(new);
        }
        Err(reason) => all.push(Value::Unknown(Arc::clone(reason))),
    }
    match all.as_slice() {
        [Value::Unknown(reason)] => Value::Unknown(Arc::clone(reason)),
        _ => Value::List(all),
    }
}

fn label_secrets(labels: &Map<String, Json>, redactor: &Redactor) -> Value {
    let mut secrets = Secrets::default();
    secrets.named(redactor, "label", labels);
    secrets.into_value()
}

fn provenance(labels: &Map<String, Json>, redactor: &Redactor) -> Value {
    let shown = PROVENANCE.iter().filter_map(|name| {
        let text = labels.get(*name).and_then(Json::as_str).filter(|text| !text.is_empty())?;
        Some(format!("{name}={}", redactor.url(text)))
    });
    Value::strings(shown)
}

fn base(labels: &Map<String, Json>, redactor: &Redactor) -> Option<String> {
    let name = labels.get("org.opencontainers.image.base.name").and_then(Json::as_str);
    name.filter(|name| !name.is_empty()).map(|name| redactor.text(name).into_owned())
}

fn build_steps(sheet: &mut Sheet, steps: &Read<Json>, started: &Read<Vec<Value>>, redactor: &Redactor) {
    let place: Arc<str> = "GET /images/ID/history".into();
    const SECRETS: &str = "CreatedBy; inspect Config";
    let facts = ["adds", "remote_adds", "updates_alone", "unverified_fetches"];
    match steps.as_ref().map_err(Arc::clone).and_then(|steps| history(steps, redactor)) {
        // What no step records, no step can answer for.
        Ok(found) if !found.complete && found.steps.as_list().is_some_and(<[Value]>::is_empty) => {
            sheet.seen("history_complete", &place, "", Ok(false));
            sheet.seen("history", &place, "", Ok(found.steps));
            let unknown = || Value::unknown("no build steps are recorded");
            for fact in facts {
                sheet.seen(fact, &place, "", Ok(unknown()));
            }
            sheet.seen("history_secrets", &place, SECRETS, Ok(all_secrets(unknown(), started)));
        }
        Ok(found) => {
            sheet.seen("history_complete", &place, "", Ok(found.complete));
            sheet.seen("history", &place, "", Ok(found.steps));
            let values = [found.adds, found.remote_adds, found.updates_alone, found.unverified_fetches];
            for (fact, value) in facts.into_iter().zip(values) {
                sheet.seen(fact, &place, "", Ok(value));
            }
            sheet.seen("history_secrets", &place, SECRETS, Ok(all_secrets(found.secrets, started)));
        }
        Err(reason) => {
            for fact in facts.into_iter().chain(["history", "history_complete"]) {
                sheet.seen(fact, &place, "", Err::<Value, _>(Arc::clone(&reason)));
            }
            sheet.seen("history_secrets", &place, SECRETS, Ok(all_secrets(Value::Unknown(reason), started)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::context::NoHost;
    use serde_json::json;

    const NOW: i64 = 1_795_256_100;

    fn recorded(version: &str) -> Vec<Component> {
        let (inspects, histories) = match version {
            "20.10" => (
                include_str!("../../fixtures/engine-20.10/image-inspects.json"),
                include_str!("../../fixtures/engine-20.10/histories.json"),
            ),
            _ => (
                include_str!("../../fixtures/engine-29/image-inspects.json"),
                include_str!("../../fixtures/engine-29/histories.json"),
            ),
        };
        let inspects: Vec<Json> = serde_json::from_str(inspects).expect("a fixture");
        let histories: Vec<Json> = serde_json::from_str(histories).expect("a fixture");
        inspects
            .iter()
            .zip(histories)
            .map(|(i, h)| image(i, &Ok(h), &Redactor::new(), &NoHost::new("not seen"), NOW))
            .collect()
    }

    #[test]
    fn recorded_images_are_read_alike_on_both_engines() {
        for version in ["20.10", "29"] {
            let mut images = recorded(version);
            let used = vec![("web".into(), images[0].id.clone()), ("x".into(), "other".into())];
            set_used_by(&mut images[0], &Ok(used));
            for (fact, expected) in [
                ("tags", "[foo:1]"),
                ("registries", "[docker.io]"),
                ("used_by", "[web]"),
                ("user", "app"),
                ("healthcheck", "true"),
                ("exposed_ports", "[443/tcp, 80/tcp]"),
                ("volumes", "[/data]"),
                ("created_days", "0"),
                ("history_complete", "true"),
                ("updates_alone", "[]"),
                ("provenance", "[org.opencontainers.image.source=https://example.org/x]"),
                ("base", "none"),
                ("label_secrets", "[]"),
            ] {
                assert_eq!(images[0].value(fact).to_string(), expected, "{version}: {fact}");
            }
            assert!(images[0].value("root_user").is_unknown());
            assert!(images[0].value("env_secrets").to_string().contains("DB_PASSWORD"));
            assert_eq!(images[1].value("root_user").as_bool(), Some(true), "{version}");
            assert_eq!(images[1].value("healthcheck").as_bool(), Some(false), "{version}");
            assert_eq!(images[1].value("history_complete").as_bool(), Some(false), "{version}");
            assert!(images[1].value("adds").is_unknown(), "{version}");
            assert!(!format!("{images:?}").contains("hunter2"), "{version}");
            let set: Vec<_> = images[0].facts().map(|(name, _)| name).collect();
            for fact in IMAGE.facts.iter().filter(|fact| !fact.derived) {
                assert!(set.contains(&fact.name), "{version}: {}", fact.name);
            }
        }
    }

    #[test]
    fn registries_are_those_of_the_names() {
        for (name, expected) in [
            ("nginx:1", "docker.io"),
            ("library/nginx", "docker.io"),
            ("ghcr.io/a/b:1", "ghcr.io"),
            ("localhost:5000/x", "localhost:5000"),
            ("localhost/x", "localhost"),
            ("index.docker.io/library/x", "docker.io"),
        ] {
            assert_eq!(registry(name), expected, "{name}");
        }
    }

    #[test]
    fn a_date_that_says_nothing_is_none() {
        let days = |text: Json| created_days(Node::of(&text), NOW);
        assert_eq!(days(json!("0001-01-01T00:00:00Z")), Ok(None));
        assert_eq!(days(json!("1970-01-01T00:00:00Z")), Ok(None));
        assert_eq!(days(json!("1980-01-01T00:00:01Z")), Ok(None));
        assert_eq!(days(json!("2026-11-11T10:00:00.123456789+02:00")), Ok(Some(10)));
        assert_eq!(days(json!("2027-11-11T10:00:00Z")), Ok(Some(0)));
        assert!(days(json!("yesterday")).is_err());
        assert!(days(json!(5)).is_err());
    }

    #[test]
    fn what_an_image_starts_is_searched_too() {
        let secrets = |config: Json, steps: Read<Json>| {
            let inspect = json!({"Id": "sha256:abc", "Config": config});
            let image = image(&inspect, &steps, &Redactor::new(), &NoHost::new("not seen"), NOW);
            image.value("history_secrets").to_string()
        };
        let step = |text: &str| Ok(json!([{"CreatedBy": text, "Comment": "", "Size": 7}]));
        let config = json!({"Cmd": ["mysqld", "--password=hunter2secret"]});
        // As `docker commit --change` leaves it.
        let committed = secrets(config.clone(), step("sleep 3600"));
        assert!(committed.contains("command") && committed.matches("class").count() == 1, "{committed}");
        let built = secrets(config.clone(), step("CMD [\"mysqld\" \"--password=hunter2secret\"]"));
        assert_eq!(built.matches("class").count(), 1, "{built}");
        let imported = secrets(config, step(""));
        assert!(imported.contains("command") && imported.contains("no build steps"), "{imported}");
        let checked = json!({"Healthcheck": {"Test": ["CMD", "curl", "http://user:hunter2secret@127.0.0.1/"]}});
        assert!(secrets(checked, step("sleep 3600")).contains("health check"));
        assert_eq!(secrets(json!({"Cmd": ["sleep"], "Entrypoint": null}), step("sleep")), "[]");
        assert!(secrets(json!({}), Err("it vanished".into())).starts_with("unknown"));
    }

    #[test]
    fn an_image_without_configuration_is_unknown() {
        let image = image(
            &json!({"Id": "sha256:abc"}),
            &Err("it vanished".into()),
            &Redactor::new(),
            &NoHost::new("not seen"),
            NOW,
        );
        for fact in
            ["user", "root_user", "healthcheck", "env_secrets", "history", "history_complete", "size", "volumes"]
        {
            assert!(image.value(fact).is_unknown(), "{fact}: {}", image.value(fact));
        }
    }
}
