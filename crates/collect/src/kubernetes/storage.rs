//! What holds data: ConfigMaps, whose values are judged and let go, and persistent volumes.

use seaworthy_core::component::Component;
use seaworthy_core::path::normalise;
use seaworthy_core::schema::kubernetes::{CONFIG_MAP, VOLUME};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::field::{MOST, Read, at, other_type, put, shown, text, texts, truth};
use super::gather::{CONFIG_MAPS, Gather, OneByOne, Resource};
use super::object::Object;
use crate::docker::secrets::secret;
use crate::redact::{LengthBucket, Redactor};

const VOLUMES: Resource = Resource {
    group: "",
    versions: &["v1"],
    plural: "persistentvolumes",
    kind: "PersistentVolume",
    namespaced: false,
    optional: false,
};

/// Gathers ConfigMaps and persistent volumes.
#[derive(Default)]
pub(super) struct Storage(OneByOne);

impl Gather for Storage {
    fn resources(&self) -> &'static [Resource] {
        &[CONFIG_MAPS, VOLUMES]
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        match object.kind() {
            "ConfigMap" => self.0.push(config_map(object, redactor)),
            "PersistentVolume" => self.0.push(volume(object, redactor)),
            _ => {}
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        self.0.unread(if resource.kind == "ConfigMap" { &CONFIG_MAP } else { &VOLUME }, reason);
    }

    fn finish(self: Box<Self>, target: &mut Target) {
        self.0.finish(target);
    }
}

fn config_map(object: Object<'_>, redactor: &Redactor) -> Component {
    let (json, place) = (object.json, object.place);
    let (namespace, name) = (namespace(&object), object.name());
    let mut c = Component::new(&CONFIG_MAP, format!("ConfigMap/{namespace}/{name}"), format!("{namespace}/{name}"));
    c.set("namespace", namespace, place.source("metadata.namespace"));
    c.set("name", name, place.source("metadata.name"));
    put(&mut c, "entries", entries(json), place, "data");
    put(&mut c, "immutable", truth(json, "immutable", false), place, "immutable");
    put(&mut c, "secrets", secrets(json, redactor), place, "data");
    c
}

/// The namespace of a namespaced object; in a file one that is left out means default.
fn namespace<'a>(object: &Object<'a>) -> &'a str {
    match object.namespace() {
        "" => "default",
        namespace => namespace,
    }
}

fn entries(json: &Json) -> Read<i64> {
    let count = |path: &str| match at(json, path)? {
        Json::Null => Ok(0),
        Json::Object(map) => Ok(map.len()),
        _ => Err(other_type()),
    };
    Ok(i64::try_from(count("data")? + count("binaryData")?).unwrap_or(i64::MAX))
}

/// What surely is a secret: a value under its key's name, or something inside a value that is a file.
fn secrets(json: &Json, redactor: &Redactor) -> Read<Value> {
    let mut found = Vec::new();
    for field in ["data", "binaryData"] {
        let data = match at(json, field)? {
            Json::Null => continue,
            Json::Object(data) => data,
            _ => return Err(other_type()),
        };
        for (key, value) in data {
            if found.len() >= MOST {
                break;
            }
            match value.as_str() {
                None => found.push(Value::Unknown(other_type())),
                Some(value) if field == "data" => entry(key, value, redactor, &mut found),
                // Bytes that are no text hold nothing that is known by its look.
                Some(value) => {
                    if let Some(text) = decoded(value) {
                        entry(key, &text, redactor, &mut found);
                    }
                }
            }
        }
    }
    Ok(Value::List(found))
}

fn decoded(value: &str) -> Option<String> {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?).ok()
}

fn entry(key: &str, value: &str, redactor: &Redactor, found: &mut Vec<Value>) {
    let shown = redactor.text(key).into_owned();
    let is_line = !value.trim().contains('\n');
    match redactor.classify(key, value).filter(|_| is_line) {
        Some(class) => found.push(secret(&shown, class.name(), LengthBucket::of(value.len()))),
        None => {
            for hit in redactor.secrets_in(value).into_iter().take(MOST - found.len()) {
                let name = hit.name.map_or_else(|| shown.clone(), |name| format!("{shown}: {name}"));
                found.push(secret(&name, hit.class.name(), hit.length));
            }
        }
    }
}

/// Fields of a volume's specification that say what holds it.
const HOLDERS: &[&str] = &[
    "hostPath",
    "local",
    "nfs",
    "csi",
    "iscsi",
    "fc",
    "flexVolume",
    "rbd",
    "cephfs",
    "glusterfs",
    "cinder",
    "flocker",
    "awsElasticBlockStore",
    "gcePersistentDisk",
    "azureDisk",
    "azureFile",
    "vsphereVolume",
    "portworxVolume",
    "scaleIO",
    "storageos",
    "quobyte",
    "photonPersistentDisk",
];

fn volume(object: Object<'_>, redactor: &Redactor) -> Component {
    let (json, place) = (object.json, object.place);
    let name = object.name();
    let mut c = Component::new(&VOLUME, format!("PersistentVolume/{name}"), name);
    c.set("name", name, place.source("metadata.name"));
    let holder = holder(json);
    put(&mut c, "type", holder.clone().map(Value::from), place, "spec");
    // Where nobody knows what holds it, nobody knows what else is told of it.
    let of = |kinds: &[(&str, &str)]| {
        let holder = holder.clone()?;
        match kinds.iter().find(|(kind, _)| *kind == holder) {
            Some((_, field)) => text(json, &format!("spec.{holder}.{field}")),
            None => Ok(None),
        }
    };
    let optional = |read: Read<Option<&str>>| read.map(|text| text.map_or(Value::Null, |text| shown(text, redactor)));
    let field = holder.as_ref().map_or_else(|_| "spec".to_owned(), |holder| format!("spec.{holder}"));
    put(&mut c, "driver", optional(of(&[("csi", "driver"), ("flexVolume", "driver")])), place, field.clone());
    let path = of(&[("hostPath", "path"), ("local", "path")]);
    let path = path.map(|path| path.map_or(Value::Null, |path| shown(&normalise(path), redactor)));
    put(&mut c, "path", path, place, field.clone());
    let server = of(&[("nfs", "server"), ("glusterfs", "endpoints"), ("iscsi", "targetPortal")]);
    put(&mut c, "server", optional(server), place, field);
    put(&mut c, "claim", claim(json), place, "spec.claimRef");
    let phase = text(json, "status.phase").and_then(|p| p.ok_or_else(|| "the API server has not told it yet".into()));
    put(&mut c, "phase", phase.map(|p| shown(p, redactor)), place, "status.phase");
    let bound = at(json, "spec.nodeAffinity").map(|affinity| Value::Bool(!affinity.is_null()));
    put(&mut c, "bound_to_nodes", bound, place, "spec.nodeAffinity");
    let mode = text(json, "spec.volumeMode").map(|mode| shown(mode.unwrap_or("Filesystem"), redactor));
    put(&mut c, "mode", mode, place, "spec.volumeMode");
    put(&mut c, "access_modes", texts(json, "spec.accessModes", redactor), place, "spec.accessModes");
    let policy = text(json, "spec.persistentVolumeReclaimPolicy").map(|p| shown(p.unwrap_or("Retain"), redactor));
    put(&mut c, "reclaim_policy", policy, place, "spec.persistentVolumeReclaimPolicy");
    put(&mut c, "storage_class", optional(text(json, "spec.storageClassName")), place, "spec.storageClassName");
    put(&mut c, "mount_options", texts(json, "spec.mountOptions", redactor), place, "spec.mountOptions");
    c
}

/// What holds it.
fn holder(json: &Json) -> Read<&'static str> {
    match at(json, "spec")? {
        Json::Object(spec) => HOLDERS
            .iter()
            .copied()
            .find(|field| spec.get(*field).is_some_and(|holder| !holder.is_null()))
            .ok_or_else(|| "nothing that is known holds it".into()),
        Json::Null => Err("nothing holds it".into()),
        _ => Err(other_type()),
    }
}

fn claim(json: &Json) -> Read<Value> {
    if at(json, "spec.claimRef")?.is_null() {
        return Ok(Value::Null);
    }
    match (text(json, "spec.claimRef.namespace")?, text(json, "spec.claimRef.name")?) {
        (Some(namespace), Some(name)) => Ok(format!("{namespace}/{name}").into()),
        _ => Err("its claim has no name".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::object::Place;

    #[test]
    fn a_secret_in_a_config_map_is_named_and_let_go() {
        let json = serde_json::json!({"metadata": {"namespace": "shop", "name": "settings"}, "data": {
            "DB_PASSWORD": "hunter2-Correct-9",
            "app.properties": "color=blue\ndb.password=hunter2-Correct-9\n",
            "ok": "blue",
        }, "binaryData": {"api-password": "aHVudGVyMi1Db3JyZWN0LTk=", "logo.png": "iVBORw0KGgo="}});
        let c =
            config_map(Object { json: &json, place: &Place::of_server("configmap shop/settings") }, &Redactor::new());
        let names: Vec<&str> =
            c.value("secrets").as_list().unwrap().iter().filter_map(|s| s.field("name")?.as_str()).collect();
        assert_eq!(names, ["DB_PASSWORD", "app.properties: db.password", "api-password"]);
        assert!(!format!("{c:?}").contains("hunter2"));
        assert_eq!(c.value("entries"), &Value::Int(5));
    }

    #[test]
    fn a_volume_of_the_nodes_files_tells_its_path() {
        let json = serde_json::json!({"metadata": {"name": "v"}, "spec": {
            "hostPath": {"path": "/var/../etc//kubernetes"}, "claimRef": {"namespace": "shop", "name": "data"},
        }, "status": {"phase": "Bound"}});
        let c = volume(Object { json: &json, place: &Place::of_server("persistentvolume v") }, &Redactor::new());
        assert_eq!(c.value("type").as_str(), Some("hostPath"));
        assert_eq!(c.value("path").as_str(), Some("/etc/kubernetes"));
        assert_eq!(c.value("claim").as_str(), Some("shop/data"));
        assert_eq!(c.value("driver"), &Value::Null);
        let json = serde_json::json!({"metadata": {"name": "v"}, "spec": {"hostPath": {"path": 7}, "claimRef": "x"}});
        let c = volume(Object { json: &json, place: &Place::of_server("persistentvolume v") }, &Redactor::new());
        assert!(c.value("path").is_unknown() && c.value("claim").is_unknown() && c.value("phase").is_unknown());
        let json = serde_json::json!({"metadata": {"name": "v"}, "spec": {"novel": {"path": "/"}}});
        let c = volume(Object { json: &json, place: &Place::of_server("persistentvolume v") }, &Redactor::new());
        assert!(c.value("type").is_unknown() && c.value("path").is_unknown() && c.value("driver").is_unknown());
    }
}
