//! Changes of pods and containers that must be worked out from what is there.

use serde_json::{Value as Json, json};

use super::draft::Draft;
use super::{field, list, text};
use crate::component::Component;
use crate::value::Value;

/// The user that a remedy proposes: beyond those that distributions give to anybody.
pub(super) const USER: i64 = 10001;

/// A volume of the token that admission gives a pod; no template has it.
const TOKEN_VOLUME: &str = "kube-api-access";

/// Out of the node's network; the ports that it declared there were set to the node's by the API server.
pub(super) fn own_network(draft: &mut Draft<'_>) {
    draft.pod(&json!({ "hostNetwork": null }));
    for container in draft.containers.clone() {
        no_host_ports(container, draft);
    }
}

/// Takes the node's ports from a container.
pub(super) fn no_host_ports<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    let ports = list(container, "ports");
    let number = |port: &Value, name: &str| port.field(name).and_then(Value::as_int);
    let open: Vec<&Value> = ports.iter().filter(|port| number(port, "host_port").is_some_and(|n| n != 0)).collect();
    if open.is_empty() {
        return;
    }
    // Ports are merged by their number alone; where two protocols share one, the list is written anew.
    let mut numbers: Vec<i64> = ports.iter().filter_map(|port| number(port, "container_port")).collect();
    numbers.sort_unstable();
    let twice = numbers.windows(2).any(|pair| pair[0] == pair[1]);
    if twice {
        let anew = ports.iter().map(|port| {
            let mut out =
                json!({ "containerPort": number(port, "container_port"), "protocol": field(port, "protocol") });
            if !field(port, "name").is_empty() {
                out["name"] = json!(field(port, "name"));
            }
            out
        });
        let mut items: Vec<Json> = anew.collect();
        items.push(json!({ "$patch": "replace" }));
        draft.container(container, &json!({ "ports": items }));
        return;
    }
    let closed: Vec<Json> = open
        .iter()
        .filter_map(|port| {
            Some(json!({ "containerPort": number(port, "container_port")?, "hostPort": null, "hostIP": null }))
        })
        .collect();
    draft.container(container, &json!({ "ports": closed }));
}

/// Volumes of some types become empty directories, which the claim of a person may take the place of.
pub(super) fn volumes_of(draft: &mut Draft<'_>, is_meant: impl Fn(&str) -> bool) {
    for volume in list(draft.of, "volumes") {
        let name = field(volume, "name");
        if is_meant(field(volume, "type")) && name != TOKEN_VOLUME {
            // Without the list of what is kept, two sources would stand beside each other.
            let empty = json!({ "name": name, "$retainKeys": ["name", "emptyDir"], "emptyDir": {} });
            draft.pod(&json!({ "volumes": [empty] }));
        }
    }
}

/// Takes the host paths that a fact of a container lists out of it, and out of the pod where nobody else mounts them.
pub(super) fn unmount<'a>(fact: &str, container: &'a Component, draft: &mut Draft<'a>) {
    let meant: Vec<&str> = list(container, fact).iter().map(|path| field(path, "volume")).collect();
    let mounts = list(container, "mounts").iter().filter(|mount| meant.contains(&field(mount, "volume")));
    let gone: Vec<Json> =
        mounts.map(|mount| json!({ "mountPath": field(mount, "path"), "$patch": "delete" })).collect();
    if gone.is_empty() {
        return;
    }
    draft.container(container, &json!({ "volumeMounts": gone }));
    let mut volumes: Vec<&str> = meant;
    volumes.sort_unstable();
    volumes.dedup();
    for volume in volumes {
        let others = draft.containers.iter().filter(|other| !std::ptr::eq(**other, container));
        let elsewhere = others.flat_map(|other| {
            let devices = list(other, "volume_devices").iter().filter_map(Value::as_str);
            list(other, "mounts").iter().map(|mount| field(mount, "volume")).chain(devices)
        });
        let is_used = elsewhere.into_iter().any(|other| other == volume);
        if !is_used {
            draft.pod(&json!({ "volumes": [{ "name": volume, "$patch": "delete" }] }));
        }
    }
}

/// Mounts of host paths become read-only.
pub(super) fn read_only_mounts<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    for mount in list(container, "mounts") {
        if field(mount, "type") == "hostPath" && mount.field("rw").and_then(Value::as_bool) != Some(false) {
            let mount = json!({ "mountPath": field(mount, "path"), "readOnly": true });
            draft.container(container, &json!({ "volumeMounts": [mount] }));
        }
    }
}

/// Mounts show nothing back to the node.
pub(super) fn no_propagation<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    for mount in list(container, "mounts").iter().filter(|mount| field(mount, "propagation") == "Bidirectional") {
        let mount = json!({ "mountPath": field(mount, "path"), "mountPropagation": null });
        draft.container(container, &json!({ "volumeMounts": [mount] }));
    }
}

/// Hosts that probes and hooks name instead of the pod go.
pub(super) fn no_probe_hosts<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    for host in list(container, "probe_hosts").iter().filter_map(Value::as_str) {
        let Some((path, _)) = host.split_once('=') else { continue };
        let over = path.rsplit('.').fold(Json::Null, |inner, key| json!({ key: inner }));
        draft.container(container, &over);
    }
}

/// Containers whose annotation takes AppArmor off get the runtime's profile by it.
pub(super) fn confined_by_annotation(draft: &mut Draft<'_>) {
    for annotation in list(draft.of, "apparmor_annotations") {
        let profile = field(annotation, "profile");
        if !profile.is_empty() && profile != "runtime/default" && !profile.starts_with("localhost/") {
            let key = format!("container.apparmor.security.beta.kubernetes.io/{}", field(annotation, "container"));
            draft.meta(&json!({ "annotations": { key: "runtime/default" } }));
        }
    }
}

/// Annotations that took seccomp off before there was a field go.
pub(super) fn no_seccomp_annotations(draft: &mut Draft<'_>) {
    for annotation in list(draft.of, "seccomp_annotations") {
        let key = match field(annotation, "container") {
            "" => "seccomp.security.alpha.kubernetes.io/pod".to_owned(),
            container => format!("container.seccomp.security.alpha.kubernetes.io/{container}"),
        };
        draft.meta(&json!({ "annotations": { key: null } }));
    }
}

/// Off the control plane's nodes: tolerations by their places, each held against what was read.
pub(super) fn off_control_plane(draft: &mut Draft<'_>) {
    const ROLES: [&str; 4] = [
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/controlplane",
        "node-role.kubernetes.io/etcd",
    ];
    let keep = |toleration: &Value| {
        let key = field(toleration, "key");
        let keyed = ROLES.contains(&key) || (key.is_empty() && field(toleration, "operator") == "Exists");
        !keyed || !matches!(field(toleration, "effect"), "" | "NoSchedule")
    };
    let tolerations = list(draft.of, "tolerations");
    // From the last on, so that the places of the others stay.
    for (i, toleration) in tolerations.iter().enumerate().rev().filter(|(_, toleration)| !keep(toleration)) {
        let (part, is) = match field(toleration, "key") {
            "" => ("operator", "Exists"),
            key => ("key", key),
        };
        draft.operation("test", format!("/tolerations/{i}/{part}"), json!(is));
        draft.operation("remove", format!("/tolerations/{i}"), Json::Null);
    }
    for label in list(draft.of, "node_selector").iter().filter_map(Value::as_str) {
        let Some((key, value)) = label.split_once('=') else { continue };
        if ROLES.contains(&key) || (key == "kubernetes.io/role" && value == "master") {
            draft.pod(&json!({ "nodeSelector": { key: null } }));
        }
    }
}

/// Of variables that stand twice only the last stays, which is the one that counts.
pub(super) fn once<'a>(container: &'a Component, draft: &mut Draft<'a>) {
    // Lists are not told apart by names that stand in them twice: by their places, each held against what was read.
    let place = container.fact("env_names").source.to_string();
    let Some(at) = place.find("ontainers[") else { return };
    let at = if place[..at].ends_with("initC") { at - 5 } else { at.saturating_sub(1) };
    let Some((list_name, rest)) = place[at..].split_once('[') else { return };
    let Some((position, _)) = rest.split_once(']') else { return };
    let Some(name) = text(container, "name") else { return };
    if position.parse::<usize>().is_err() {
        return;
    }
    let above = format!("/{list_name}/{position}");
    let names: Vec<&str> = list(container, "env_names").iter().map(|name| name.as_str().unwrap_or_default()).collect();
    draft.operation("test", format!("{above}/name"), json!(name));
    for (i, name) in names.iter().enumerate().rev() {
        if !name.is_empty() && names[i + 1..].contains(name) {
            draft.operation("test", format!("{above}/env/{i}/name"), json!(name));
            draft.operation("remove", format!("{above}/env/{i}"), Json::Null);
        }
    }
}

/// Labels by which the pods of a workload are found, without those of an instance or revision.
pub(super) fn labels(pod: &Component) -> Option<Json> {
    const OF_INSTANCE: [&str; 6] =
        ["hash", "generation", "pod-name", "pod-index", "controller-uid", "job-completion-index"];
    let mut out = serde_json::Map::new();
    let mut twice = Vec::new();
    for label in list(pod, "labels").iter().filter_map(Value::as_str) {
        let (key, value) = label.split_once('=')?;
        if OF_INSTANCE.iter().any(|end| key.ends_with(end)) {
            continue;
        }
        if out.insert(key.to_owned(), json!(value)).is_some() {
            twice.push(key.to_owned());
        }
    }
    twice.iter().for_each(|key| drop(out.remove(key)));
    (!out.is_empty()).then_some(Json::Object(out))
}
