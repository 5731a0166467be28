//! Volumes.

use std::sync::Arc;

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
    let shows = options.clone().and_then(|options| Ok(shows(driver.clone()?, options)));
    sheet.read("driver", "Driver", driver.map(cut));
    sheet.read("mountpoint", "Mountpoint", doc.get("Mountpoint").text_or_empty().map(cut));
    sheet.read("binds", "Options", shows.as_ref().map(|s| s.directory().map(str::to_owned)).map_err(Arc::clone));
    sheet.read("options", "Options", options.clone().map(|options| shown(options, redactor)));
    sheet.read("option_secrets", "Options", options.map(|options| secrets(options, redactor)));
    let source = shows.ok().filter(|_| !name.is_empty()).map(|shows| (name.into(), shows));
    (sheet.component, source)
}

/// What the local driver's options show, as `mount -o` reads them: with `bind` or `rbind` among them a directory, whatever
/// the type says, which the kernel then ignores; of the type overlay its layers; of the kernel's own types what it shows
/// everywhere; else the device, where it is a file.
fn shows(driver: &str, options: &Map<String, Json>) -> VolumeSource {
    if driver != "local" {
        return VolumeSource::Own;
    }
    let option = |name: &str| options.get(name).and_then(Json::as_str).unwrap_or("");
    let (words, device) = (option("o"), option("device"));
    let path = |path: &str| Box::<str>::from(normalise(cut(path)).into_owned());
    let says = |name: &str| words.split(',').any(|word| word.trim() == name);
    if says("bind") || says("rbind") {
        return match device.starts_with('/') {
            true if says("rbind") => VolumeSource::BindsAll(path(device)),
            true => VolumeSource::Binds(path(device)),
            false => VolumeSource::Own,
        };
    }
    if option("type") == "overlay" {
        let named = |name: &str| words.split(',').filter_map(move |word| word.trim().strip_prefix(name)).next_back();
        let upper = named("upperdir=").map(|upper| (path(upper), true));
        let lower = named("lowerdir=").into_iter().flat_map(lower_layers);
        let layers = upper.into_iter().chain(lower.map(|lower| (path(&lower), false)));
        let layers: Vec<_> = layers.filter(|(path, _)| path.starts_with('/')).take(MOST_LAYERS).collect();
        return if layers.is_empty() { VolumeSource::Own } else { VolumeSource::Layers(layers) };
    }
    if let Some(place) = of_the_kernel(option("type")) {
        return VolumeSource::Binds(place.into());
    }
    if device.starts_with('/') { VolumeSource::Disk(path(device)) } else { VolumeSource::Own }
}

/// Where hosts have what the kernel shows under a type of file system: mounted anew, whatever the device, it shows the same.
fn of_the_kernel(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "proc" => "/proc",
        "sysfs" => "/sys",
        "devtmpfs" => "/dev",
        "mqueue" => "/dev/mqueue",
        "cgroup" | "cgroup2" => "/sys/fs/cgroup",
        "pstore" => "/sys/fs/pstore",
        "selinuxfs" => "/sys/fs/selinux",
        "debugfs" => "/sys/kernel/debug",
        "tracefs" => "/sys/kernel/tracing",
        "securityfs" => "/sys/kernel/security",
        "configfs" => "/sys/kernel/config",
        "efivarfs" => "/sys/firmware/efi/efivars",
        "binfmt_misc" => "/proc/sys/fs/binfmt_misc",
        _ => return None,
    })
}

/// The most layers of one volume that are told; the kernel takes 500.
const MOST_LAYERS: usize = 512;

/// The layers of a `lowerdir`: between colons, of which those that a backslash stands before are part of a name.
fn lower_layers(list: &str) -> Vec<String> {
    let mut layers = vec![String::new()];
    let mut letters = list.chars();
    while let Some(letter) = letters.next() {
        match (letter, layers.last_mut()) {
            (':', _) => layers.push(String::new()),
            ('\\', Some(layer)) => layer.extend(letters.next()),
            (letter, Some(layer)) => layer.push(letter),
            (_, None) => {}
        }
    }
    layers
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
            assert_eq!(source.as_ref().expect("a source").1, VolumeSource::Binds("/etc".into()));
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
        let overlay = "lowerdir=/srv/a\\:b:/etc/../etc:rel,upperdir=/srv/up,workdir=/srv/work";
        assert_eq!(binds(json!({"type": "overlay", "o": overlay, "device": "overlay"})), "/srv/a:b");
        assert!(binds(json!([])).contains("unknown"));
        let shows = |options: Json| {
            volume(&json!({"Name": "v", "Driver": "local", "Options": options}), &Redactor::new())
                .1
                .expect("a source")
                .1
        };
        let layers = [("/srv/up", true), ("/srv/a:b", false), ("/etc", false)].map(|(path, rw)| (path.into(), rw));
        let of_overlay = shows(json!({"type": "overlay", "o": overlay, "device": "overlay"}));
        assert_eq!(of_overlay, VolumeSource::Layers(layers.into()));
        assert_eq!(shows(json!({"type": "ext4", "device": "/dev/sda1"})), VolumeSource::Disk("/dev/sda1".into()));
        let bound = |how: &str| shows(json!({"type": "none", "o": how, "device": "/srv"}));
        assert_eq!(bound("ro,bind"), VolumeSource::Binds("/srv".into()));
        assert_eq!(bound("rbind"), VolumeSource::BindsAll("/srv".into()));
        assert_eq!(shows(json!({"type": "proc", "device": "/srv/x"})), VolumeSource::Binds("/proc".into()));
        assert_eq!(shows(json!({"type": "sysfs", "device": "s"})), VolumeSource::Binds("/sys".into()));
        assert_eq!(shows(json!({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})), VolumeSource::Own);
        let cifs = of(json!({"type": "cifs", "o": "username=u,password=hunter2secret", "device": "//h/s"}));
        let secrets = cifs.value("option_secrets").to_string();
        assert!(secrets.contains("o: password"), "{secrets}");
        assert!(!format!("{cifs:?}").contains("hunter2"), "{cifs:?}");
    }
}
