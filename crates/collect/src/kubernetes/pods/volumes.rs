//! Volumes of a pod, and what they name.

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::quantity;
use super::read::{MOST_ITEMS, Node, Read, cut, other_type, too_many, value};
use crate::redact::Redactor;

/// One source of a volume.
#[derive(Debug)]
pub(super) struct Volume {
    pub(super) name: Box<str>,
    /// The field that says what it is.
    pub(super) kind: Box<str>,
    pub(super) read_only: bool,
    pub(super) value: Value,
}

/// The volumes of a pod, and what they name.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    pub(super) list: Vec<Volume>,
    /// Elements that could not be read, and those beyond bounds.
    pub(super) unknown: Vec<Value>,
    pub(super) tokens: Vec<Value>,
    pub(super) secrets: Vec<Value>,
    pub(super) config_maps: Vec<Value>,
    pub(super) claims: Vec<Value>,
    pub(super) drivers: Vec<Value>,
}

/// What the token's volume is called that admission gives a pod, before its random end.
const TOKEN_VOLUME: &str = "kube-api-access";

/// A volume's name without the random end that differs from pod to pod.
pub(super) fn volume_name(name: &str) -> &str {
    match name.strip_prefix(TOKEN_VOLUME).and_then(|rest| rest.strip_prefix('-')) {
        Some(end) if end.len() == 5 && end.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => {
            TOKEN_VOLUME
        }
        _ => cut(name),
    }
}

/// The claim that a StatefulSet makes for each of its pods, with a star for the pod's number: `data-web-*`.
pub(super) fn claim_of_set(claim: &str, volume: &str, pod: &str) -> Option<String> {
    let of_pod = claim.strip_prefix(volume)?.strip_prefix('-')? == pod;
    let (set, number) = pod.rsplit_once('-')?;
    (of_pod && number.bytes().all(|b| b.is_ascii_digit())).then(|| format!("{volume}-{set}-*"))
}

/// Reads the volumes of a pod's specification; `pod` is the pod's name where a StatefulSet made it.
pub(super) fn read(volumes: Node<'_>, pod: Option<&str>, redactor: &Redactor) -> Read<Volumes> {
    let mut out = Volumes::default();
    let items = volumes.list()?;
    for item in items.iter().take(MOST_ITEMS) {
        let node = Node::of(item);
        let (Ok(Some(name)), Ok(Some(fields))) = (node.get("name").text(), node.map()) else {
            out.unknown.push(Value::Unknown(other_type()));
            continue;
        };
        let sources = fields.iter().filter(|(key, source)| *key != "name" && !source.is_null());
        let before = out.list.len();
        for (kind, source) in sources.take(64) {
            add(&mut out, volume_name(name), kind, source, pod, redactor);
        }
        if out.list.len() == before {
            add(&mut out, volume_name(name), "emptyDir", &Json::Null, pod, redactor);
        }
    }
    if items.len() > MOST_ITEMS {
        out.unknown.push(Value::Unknown(too_many()));
    }
    Ok(out)
}

fn add(out: &mut Volumes, name: &str, kind: &str, source: &Json, pod: Option<&str>, redactor: &Redactor) {
    let node = Node::of(source);
    let text =
        |key: &str| value(node.get(key).text().map(|text| redactor.text(cut(text.unwrap_or_default())).into_owned()));
    let mut path_type = Value::from("");
    let mut size_limit = Value::Null;
    let from = match kind {
        "hostPath" => {
            path_type = text("type");
            value(node.get("path").required().text().map(|path| path.map(|path| cut(path).to_owned())))
        }
        "secret" => name_of(node.get("secretName").required(), &mut out.secrets),
        "configMap" => name_of(node.get("name").required(), &mut out.config_maps),
        "projected" => {
            project(out, name, node);
            "".into()
        }
        "persistentVolumeClaim" => {
            let claim = name_of(node.get("claimName").required(), &mut out.claims);
            let of_set = claim.as_str().zip(pod).and_then(|(claim, pod)| claim_of_set(claim, name, pod));
            of_set.map_or(claim, Value::from)
        }
        "csi" => {
            refer(node.at(&["nodePublishSecretRef", "name"]), &mut out.secrets);
            name_of(node.get("driver").required(), &mut out.drivers)
        }
        "emptyDir" => {
            size_limit = value(quantity::whole(node.get("sizeLimit")));
            "".into()
        }
        "nfs" => match (text("server"), text("path")) {
            (Value::Str(server), Value::Str(path)) => format!("{server}:{path}").into(),
            (Value::Unknown(reason), _) | (_, Value::Unknown(reason)) => Value::Unknown(reason),
            _ => "".into(),
        },
        "gitRepo" => value(node.get("repository").text().map(|url| redactor.url(cut(url.unwrap_or_default())))),
        "image" => text("reference"),
        "flexVolume" => {
            refer(node.at(&["secretRef", "name"]), &mut out.secrets);
            text("driver")
        }
        _ => {
            refer(node.at(&["secretRef", "name"]), &mut out.secrets);
            refer(node.get("secretName"), &mut out.secrets);
            "".into()
        }
    };
    let read_only = match kind {
        "secret" | "configMap" | "projected" | "downwardAPI" | "image" => Ok(true),
        "hostPath" | "emptyDir" => Ok(false),
        _ => node.get("readOnly").bool().map(|read_only| read_only.unwrap_or(false)),
    };
    let value = Value::Object(vec![
        ("name", name.into()),
        ("type", cut(kind).into()),
        ("source", from),
        ("path_type", path_type),
        ("read_only", value(read_only.clone())),
        ("size_limit", size_limit),
    ]);
    out.list.push(Volume { name: name.into(), kind: cut(kind).into(), read_only: read_only == Ok(true), value });
}

/// The name that a field holds, which is also one of a list; unknown in both where it is no text.
fn name_of(node: Node<'_>, list: &mut Vec<Value>) -> Value {
    let name = value(node.text().map(|name| name.map(cut)));
    list.push(name.clone());
    name
}

/// As [`name_of`] where there may be none.
pub(super) fn refer(node: Node<'_>, list: &mut Vec<Value>) {
    match node.filled() {
        Ok(None) => {}
        Ok(Some(name)) => list.push(cut(name).into()),
        Err(reason) => list.push(Value::Unknown(reason)),
    }
}

fn project(out: &mut Volumes, volume: &str, node: Node<'_>) {
    let Ok(sources) = node.get("sources").list() else {
        for list in [&mut out.tokens, &mut out.secrets, &mut out.config_maps] {
            list.push(Value::Unknown(other_type()));
        }
        return;
    };
    for source in sources.iter().take(MOST_ITEMS).map(Node::of) {
        refer(source.at(&["secret", "name"]), &mut out.secrets);
        refer(source.at(&["configMap", "name"]), &mut out.config_maps);
        let token = source.get("serviceAccountToken");
        if token.is_there() || source.map().is_err() {
            out.tokens.push(Value::Object(vec![
                ("volume", volume.into()),
                ("audience", value(token.get("audience").filled().map(|audience| audience.map(cut)))),
                ("expires", value(token.get("expirationSeconds").int().map(|seconds| seconds.unwrap_or(3600)))),
                ("path", value(token.get("path").text().map(|path| cut(path.unwrap_or_default()).to_owned()))),
            ]));
        }
    }
    if sources.len() > MOST_ITEMS {
        out.tokens.push(Value::Unknown(too_many()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn volumes(json: Json, pod: Option<&str>) -> Volumes {
        read(Node::of(&json), pod, &Redactor::new()).expect("a list")
    }

    fn shown(values: &[Value]) -> Vec<String> {
        values.iter().map(Value::to_string).collect()
    }

    #[test]
    fn sources_are_named_by_their_field() {
        let out = volumes(
            json!([
                {"name": "a"},
                {"name": "b", "hostPath": {"path": "/var/run", "type": "Directory"}},
                {"name": "c", "secret": {"secretName": "s"}},
                {"name": "d", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "kube-api-access-x7f2k", "projected": {"sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt"}},
                    {"serviceAccountToken": {"audience": "vault", "path": "v"}},
                ]}},
                {"name": "e", "hostPath": {"path": 7}},
                {"name": "f", "hostPath": null, "nfs": {"server": "n", "path": "/x", "readOnly": true}},
                {"hostPath": {}},
            ]),
            None,
        );
        let kinds: Vec<&str> = out.list.iter().map(|v| &*v.kind).collect();
        assert_eq!(kinds, ["emptyDir", "hostPath", "secret", "emptyDir", "projected", "hostPath", "nfs"]);
        assert_eq!(&*out.list[4].name, "kube-api-access");
        assert!(out.list[5].value.field("source").is_some_and(Value::is_unknown));
        assert_eq!(out.list[6].value.field("source"), Some(&"n:/x".into()));
        assert_eq!(out.list[3].value.field("size_limit"), Some(&Value::Int(1 << 30)));
        assert_eq!(out.unknown.len(), 1, "the one without a name");
        assert_eq!(
            shown(&out.tokens),
            [
                "{volume: kube-api-access, audience: none, expires: 3607, path: token}",
                "{volume: kube-api-access, audience: vault, expires: 3600, path: v}"
            ]
        );
        assert_eq!((shown(&out.secrets), shown(&out.config_maps)), (vec!["s".into()], vec!["kube-root-ca.crt".into()]));
    }

    #[test]
    fn claims_of_a_set_differ_by_the_number_of_the_pod_alone() {
        let claim = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-3"}}]);
        let of_set = volumes(claim.clone(), Some("web-3"));
        assert_eq!(of_set.list[0].value.field("source"), Some(&"data-web-*".into()));
        assert_eq!(shown(&of_set.claims), ["data-web-3"]);
        assert_eq!(volumes(claim.clone(), Some("web-4")).list[0].value.field("source"), Some(&"data-web-3".into()));
        assert_eq!(volumes(claim, None).list[0].value.field("source"), Some(&"data-web-3".into()));
    }

    #[test]
    fn only_a_random_end_is_cut_off() {
        assert_eq!(volume_name("kube-api-access-abcde"), "kube-api-access");
        assert_eq!(volume_name("kube-api-access-abcdef"), "kube-api-access-abcdef");
        assert_eq!(volume_name("kube-api-access"), "kube-api-access");
    }
}
