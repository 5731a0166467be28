//! One pod, or a template of pods, with its containers: everything but what differs from instance to instance.

use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::POD;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::container::{self, OfPod};
use super::quantity::{self, bound};
use super::read::{MOST_ITEMS, Node, Read, cut, other_type, too_many, value};
use super::security;
use super::sheet::{Sheet, Spot};
use super::volumes::{self, Volumes};
use crate::docker::secrets::Secrets;
use crate::redact::Redactor;

/// A pod with its containers, without names and what the instances say.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) pod: Component,
    pub(super) containers: Vec<Component>,
    /// Why there may be more containers than these.
    pub(super) cut: Option<Arc<str>>,
}

/// What is known of a pod besides its own text.
pub(super) struct Given<'a> {
    pub(super) namespace: &'a str,
    /// The pod's name, where a StatefulSet made it.
    pub(super) of_set: Option<&'a str>,
    pub(super) redactor: &'a Redactor,
}

/// The lists of containers, in the order in which the kubelet starts them.
pub(super) const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// Reads a pod or template: an object with `metadata` and `spec`.
pub(super) fn read(json: Node<'_>, spot: &Spot, given: &Given<'_>) -> Built {
    let spec = json.get("spec").required();
    let annotations = json.at(&["metadata", "annotations"]);
    let mut sheet = Sheet::new(&POD, spot.clone());
    sheet.set("namespace", "metadata.namespace", given.namespace);
    let system = matches!(given.namespace, "kube-system" | "kube-public" | "kube-node-lease");
    sheet.set("in_system_namespace", "metadata.namespace", system);
    metadata(&mut sheet, json, given.redactor);
    scheduling(&mut sheet, spec);
    namespaces(&mut sheet, spec);
    let context = security::of_pod(&mut sheet, spec, annotations, security::is_windows(spec));
    limits(&mut sheet, spec);
    let volumes = volumes::read(spec.get("volumes"), given.of_set, given.redactor);
    let (mut secrets, mut config_maps) = (Vec::new(), Vec::new());
    if let Ok(volumes) = &volumes {
        secrets.extend(volumes.secrets.iter().cloned());
        config_maps.extend(volumes.config_maps.iter().cloned());
    }
    volume_facts(&mut sheet, &volumes);
    let (mut containers, mut cut) = (Vec::new(), None);
    let pod = sheet.component;
    let of = OfPod {
        pod: &pod,
        spec,
        context: &context,
        volumes: &volumes,
        host_network: pod.value("host_network") == &Value::Bool(true),
        redactor: given.redactor,
    };
    for list in LISTS {
        let items = spec.get(list).list();
        for (i, item) in items.iter().flat_map(|items| items.iter()).enumerate().take(MOST_ITEMS) {
            let container =
                container::read(Node::of(item).required(), list, spot.within(&format!("spec.{list}[{i}]")), &of);
            secrets.extend(container.named.secrets);
            config_maps.extend(container.named.config_maps);
            containers.push(container.component);
        }
        match items {
            Err(reason) => cut = Some(reason),
            Ok(items) if items.len() > MOST_ITEMS => cut = Some(too_many()),
            Ok(_) => {}
        }
    }
    let mut built = Built { pod, containers, cut };
    lists_of_names(&mut built, spot, &volumes, secrets, config_maps);
    built
}

fn metadata(sheet: &mut Sheet, json: Node<'_>, redactor: &Redactor) {
    let meta = json.get("metadata");
    let (labels, annotations) = (meta.get("labels").map(), meta.get("annotations").map());
    let mut secrets = Secrets::default();
    for (place, map) in [("label", &labels), ("annotation", &annotations)] {
        if let Ok(Some(map)) = map {
            secrets.named(redactor, place, map);
        }
    }
    let unknown = labels.as_ref().err().or(annotations.as_ref().err()).cloned();
    let secrets = unknown.map_or_else(|| secrets.into_value(), Value::Unknown);
    sheet.set("config_secrets", "metadata.annotations, metadata.labels", secrets);
    let mirror = annotations.map(|map| map.is_some_and(|map| map.contains_key("kubernetes.io/config.mirror")));
    sheet.read("static_pod", "metadata.annotations", mirror);
}

fn scheduling(sheet: &mut Sheet, spec: Node<'_>) {
    let account = spec.get("serviceAccountName").filled().and_then(|name| match name {
        Some(name) => Ok(cut(name)),
        None => Ok(spec.get("serviceAccount").filled()?.map_or("default", cut)),
    });
    sheet.read("service_account", "spec.serviceAccountName", account);
    sheet.read("automount", "spec.automountServiceAccountToken", spec.get("automountServiceAccountToken").bool());
    let secrets =
        spec.get("imagePullSecrets").each(|secret| value(secret.get("name").required().text().map(|n| n.map(cut))));
    sheet.read("image_pull_secrets", "spec.imagePullSecrets", secrets.map(Value::List));
    sheet.read("node_selector", "spec.nodeSelector", pairs(spec.get("nodeSelector")));
    let tolerations = spec.get("tolerations").each(toleration);
    sheet.read("tolerates_control_plane", "spec.tolerations", tolerates(spec));
    sheet.read("tolerations", "spec.tolerations", tolerations.map(Value::List));
    sheet.read("selects_control_plane", "spec.nodeSelector, spec.affinity", selects(spec));
    sheet.read("spread", "spec.affinity.podAntiAffinity, spec.topologySpreadConstraints", spread(spec));
    let text = |key: &str| spec.get(key).filled().map(|text| text.map(cut));
    sheet.read("os", "spec.os.name", spec.at(&["os", "name"]).filled().map(|text| text.map(cut)));
    sheet.read("runtime_class", "spec.runtimeClassName", text("runtimeClassName"));
    sheet.read("priority_class", "spec.priorityClassName", text("priorityClassName"));
    sheet.read("priority", "spec.priority", spec.get("priority").int());
    sheet.read("restart_policy", "spec.restartPolicy", text("restartPolicy").map(|p| p.unwrap_or("Always")));
    sheet.read("dns_policy", "spec.dnsPolicy", text("dnsPolicy").map(|p| p.unwrap_or("ClusterFirst")));
    sheet.read("host_aliases", "spec.hostAliases", aliases(spec.get("hostAliases")));
}

/// A map as `name=value` each.
pub(super) fn pairs(node: Node<'_>) -> Read<Value> {
    let Some(map) = node.map()? else { return Ok(Value::List(Vec::new())) };
    let pair = |(key, text): (&String, &Json)| match Node::of(text).text() {
        Ok(text) => Value::from(format!("{}={}", cut(key), cut(text.unwrap_or_default()))),
        Err(reason) => Value::Unknown(reason),
    };
    let mut out: Vec<Value> = map.iter().take(MOST_ITEMS).map(pair).collect();
    if map.len() > MOST_ITEMS {
        out.push(Value::Unknown(too_many()));
    }
    Ok(Value::List(out))
}

fn toleration(node: Node<'_>) -> Value {
    let text = |key: &str, empty: &str| value(node.get(key).filled().map(|text| cut(text.unwrap_or(empty)).to_owned()));
    Value::Object(vec![
        ("key", text("key", "")),
        ("operator", text("operator", "Equal")),
        ("value", text("value", "")),
        ("effect", text("effect", "")),
    ])
}

/// Keys of the taint that control-plane nodes have, of now and of clusters before 1.24.
const TAINTS: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Labels that only control-plane nodes have.
const ROLES: [&str; 5] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/controlplane",
    "node-role.kubernetes.io/etcd",
    "kubernetes.io/role",
];

fn tolerates(spec: Node<'_>) -> Read<bool> {
    for item in spec.get("tolerations").list()?.iter().map(Node::of) {
        let text = |key: &str| item.get(key).text().map(Option::unwrap_or_default);
        let (key, operator, given, effect) = (text("key")?, text("operator")?, text("value")?, text("effect")?);
        let keyed = TAINTS.contains(&key) || (key.is_empty() && operator == "Exists");
        let valued = operator == "Exists" || given.is_empty();
        if keyed && valued && matches!(effect, "" | "NoSchedule") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn selects(spec: Node<'_>) -> Read<bool> {
    let role = |key: &str, of: &str| ROLES.contains(&key) && (key != "kubernetes.io/role" || of == "master");
    if let Some(map) = spec.get("nodeSelector").map()?
        && map.iter().any(|(key, of)| role(key, of.as_str().unwrap_or_default()))
    {
        return Ok(true);
    }
    let affinity = spec.at(&["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
    for term in affinity.get("nodeSelectorTerms").list()? {
        for expression in Node::of(term).get("matchExpressions").list()?.iter().map(Node::of) {
            let operator = expression.get("operator").text()?;
            let key = expression.get("key").text()?.unwrap_or_default();
            if matches!(operator, Some("In" | "Exists")) && role(key, "") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn spread(spec: Node<'_>) -> Read<bool> {
    if !spec.get("topologySpreadConstraints").list()?.is_empty() {
        return Ok(true);
    }
    let apart = spec.at(&["affinity", "podAntiAffinity"]);
    let rules = ["requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"];
    for rule in rules {
        if !apart.get(rule).list()?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn aliases(node: Node<'_>) -> Read<Value> {
    let mut out = Vec::new();
    for alias in node.list()?.iter().take(MOST_ITEMS).map(Node::of) {
        let address = cut(alias.get("ip").text()?.unwrap_or_default()).to_owned();
        for name in alias.get("hostnames").texts()? {
            out.push(name.as_str().map(|name| Value::from(format!("{address}={name}"))).unwrap_or(name));
        }
    }
    Ok(Value::List(out))
}

fn namespaces(sheet: &mut Sheet, spec: Node<'_>) {
    let flag = |key: &str| spec.get(key).bool().map(|on| on.unwrap_or(false));
    sheet.read("host_network", "spec.hostNetwork", flag("hostNetwork"));
    sheet.read("host_pid", "spec.hostPID", flag("hostPID"));
    sheet.read("host_ipc", "spec.hostIPC", flag("hostIPC"));
    sheet.read("host_users", "spec.hostUsers", spec.get("hostUsers").bool());
    sheet.read("share_process_namespace", "spec.shareProcessNamespace", flag("shareProcessNamespace"));
}

fn limits(sheet: &mut Sheet, spec: Node<'_>) {
    let limits = spec.at(&["resources", "limits"]);
    sheet.read("cpu_limit", "spec.resources.limits.cpu", bound(quantity::thousandths(limits.get("cpu"))));
    sheet.read("memory_limit", "spec.resources.limits.memory", bound(quantity::whole(limits.get("memory"))));
}

fn volume_facts(sheet: &mut Sheet, volumes: &Read<Volumes>) {
    let of = |pick: &dyn Fn(&Volumes) -> Vec<Value>| {
        let list = volumes.as_ref().map(|volumes| {
            let mut list = pick(volumes);
            list.extend(volumes.unknown.iter().cloned());
            Value::List(list)
        });
        list.map_err(Clone::clone)
    };
    sheet.read("volumes", "spec.volumes", of(&|v| v.list.iter().map(|volume| volume.value.clone()).collect()));
    sheet.read("tokens", "spec.volumes", of(&|v| v.tokens.clone()));
    sheet.read("csi_drivers", "spec.volumes", of(&|v| v.drivers.clone()));
}

/// What volumes and containers name, once each, and the containers' names.
fn lists_of_names(built: &mut Built, spot: &Spot, volumes: &Read<Volumes>, secrets: Vec<Value>, maps: Vec<Value>) {
    let unknown: Vec<Value> = match volumes {
        Ok(volumes) => volumes.unknown.clone(),
        Err(reason) => vec![Value::Unknown(reason.clone())],
    };
    let cut = built.cut.clone().map(Value::Unknown);
    for (fact, names) in [("secrets", secrets), ("config_maps", maps)] {
        let names = once(names.into_iter().chain(unknown.iter().cloned()).chain(cut.clone()));
        built.pod.set(fact, names, spot.source("spec"));
    }
    let of_kind = |ephemeral: bool| {
        let chosen = built
            .containers
            .iter()
            .filter(move |container| !ephemeral || container.value("kind").as_str() == Some("ephemeral"));
        let names: Vec<Value> = chosen.map(|container| container.value("name").clone()).chain(cut.clone()).collect();
        Value::List(names)
    };
    let (all, ephemeral) = (of_kind(false), of_kind(true));
    built.pod.set("containers", all, spot.source("spec.containers"));
    built.pod.set("ephemeral_containers", ephemeral, spot.source("spec.ephemeralContainers"));
}

/// Sorted, once each; at most so many as are looked at.
pub(super) fn once(values: impl Iterator<Item = Value>) -> Value {
    let mut known = std::collections::BTreeSet::new();
    let mut unknown = None;
    for value in values {
        match value {
            Value::Str(text) => {
                known.insert(text);
            }
            Value::Unknown(reason) => {
                unknown.get_or_insert(reason);
            }
            _ => {
                unknown.get_or_insert_with(other_type);
            }
        }
    }
    if known.len() > MOST_ITEMS {
        unknown.get_or_insert_with(too_many);
    }
    let mut out: Vec<Value> = known.into_iter().take(MOST_ITEMS).map(Value::Str).collect();
    out.extend(unknown.map(Value::Unknown));
    Value::List(out)
}
