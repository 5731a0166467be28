//! Volumes.

use seaworthy_core::component::Component;
use seaworthy_core::schema::docker::VOLUME;
use seaworthy_core::value::Value;
use serde_json::{Map, Value as Json};

use super::context::VolumeSource;
use super::json::{Node, Read, cut};
use super::secrets::Secrets;
use super::sheet::Sheet;
use crate::redact::Redactor;
use seaworthy_core::path::normalise;

/// A volume from an element of `Volumes` of `GET /volumes`, and where its files are; none for an element without a
/// name.
pub fn volume(listed: &Json, redactor: &Redactor) -> (Component, Option<(Box<str>, VolumeSource)>) {
    let doc = Node::of(listed);
    let name = doc.get("Name").text().unwrap_or("");
    let mut sheet = Sheet::new(&VOLUME, name, cut(name), "GET /volumes".into());
    let driver = doc.get("Driver").text();
    let options = doc.get("Options").map_or_empty();
    let bound = options.clone().and_then(|options| Ok(bound(driver.clone()?, options)));
    sheet.read("driver", "Driver", driver.map(cut));
    sheet.read("mountpoint", "Mountpoint", doc.get("Mountpoint").text_or_empty().map(cut));
    sheet.read("binds", "Options", bound.clone());
    sheet.read("options", "Options", options.clone().map(|options| shown(options, redactor)));
    sheet.read("option_secrets", "Options", options.map(|options| secrets(options, redactor)));
    let source = match bound {
        Ok(binds) if !name.is_empty() => Some((name.into(), VolumeSource { binds: binds.map(Into::into) })),
        _ => None,
    };
    (sheet.component, source)
}

/// The directory that the local driver's options bind: `o` has `bind` or `rbind` in it, as `mount -o` reads it. The
/// type says nothing: the kernel ignores it for a bind.
fn bound(driver: &str, options: &Map<String, Json>) -> Option<String> {
    let option = |name: &str| options.get(name).and_then(Json::as_str).unwrap_or("");
    let binds = option("o").split(',').any(|word| matches!(word.trim(), "bind" | "rbind"));
    let device = option("device");
    (driver == "local" && binds && device.starts_with('/')).then(|| normalise(cut(device)).into_owned())
}

fn shown(options: &Map<String, Json>, redactor: &Redactor) -> Value {
    let one = |(name, value): (&String, &Json)| {
        format!("{}={}", redactor.text(name), redactor.option(name, value.as_str().unwrap_or("?")))
    };
    Value::strings(options.iter().take(64).map(one))
}

/// Secrets under the options' names, and those within a list such as `username=x,password=y`.
fn secrets(options: &Map<String, Json>, redactor: &Redactor) -> Value {
    let mut found = Secrets::default();
    for (name, value) in options.iter().take(64) {
        let Some(value) = value.as_str() else { continue };
        if value.contains('=') {
            for part in value.split(',') {
                found.variable(redactor, name, part);
            }
        } else {
            found.variable(redactor, "option", &format!("{name}={value}"));
        }
    }
    found.into_value()
}

/// The volumes of `GET /volumes`.
///
/// # Errors
/// Why the answer is none.
pub(super) fn listed(answer: &Json) -> Read<&[Json]> {
    Node::of(answer).get("Volumes").all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recorded_volumes_are_read_alike_on_both_engines() {
        for text in [
            include_str!("../../fixtures/engine-20.10/volumes.json"),
            include_str!("../../fixtures/engine-29/volumes.json"),
        ] {
            let answer: Json = serde_json::from_str(text).expect("a fixture");
            let read: Vec<_> = listed(&answer).expect("volumes").iter().map(|v| volume(v, &Redactor::new())).collect();
            let (component, source) = read.iter().find(|(c, _)| &*c.name == "bindvol").expect("the volume");
            assert_eq!(component.value("binds").as_str(), Some("/etc"));
            assert_eq!(source.as_ref().expect("a source").1.binds.as_deref(), Some("/etc"));
            let (plain, _) = read.iter().find(|(c, _)| &*c.name == "plain").expect("the volume");
            assert_eq!(plain.value("binds"), &Value::Null);
            assert_eq!(plain.value("mountpoint").as_str(), Some("/var/lib/docker/volumes/plain/_data"));
        }
    }

    #[test]
    fn bound_directories_and_secrets_of_options() {
        let of =
            |options: Json| volume(&json!({"Name": "v", "Driver": "local", "Options": options}), &Redactor::new()).0;
        let binds = |options| of(options).value("binds").to_string();
        assert_eq!(binds(json!({"type": "none", "o": "rw,rbind", "device": "/var/run/../run/x"})), "/run/x");
        assert_eq!(binds(json!({"type": "ext4", "device": "/dev/sda1"})), "none");
        assert_eq!(binds(json!({"type": "nfs", "o": "addr=192.0.2.1", "device": ":/x"})), "none");
        assert!(binds(json!([])).contains("unknown"));
        let cifs = of(json!({"type": "cifs", "o": "username=u,password=hunter2secret", "device": "//h/s"}));
        let secrets = cifs.value("option_secrets").to_string();
        assert!(secrets.contains("o: password"), "{secrets}");
        assert!(!format!("{cifs:?}").contains("hunter2"), "{cifs:?}");
    }
}
