//! One container of a pod.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::CONTAINER;
use seaworthy_core::value::Value;

use super::env::{self, Named};
use super::image::{self, Image};
use super::quantity::{self, bound};
use super::read::{MOST_ITEMS, Node, Read, cut, other_type, too_many, value};
use super::security::{self, PodContext};
use super::sheet::{Sheet, Spot};
use super::volumes::{Volumes, volume_name};
use super::{probes, words};
use crate::docker::secrets::Secrets;
use crate::redact::Redactor;

/// What a container has of its pod.
pub(super) struct OfPod<'a> {
    /// The pod's facts that are its containers' too, by name: in the pod's schema, in the container's.
    pub(super) pod: &'a Component,
    /// The pod's specification.
    pub(super) spec: Node<'a>,
    pub(super) context: &'a PodContext,
    pub(super) volumes: &'a Read<Volumes>,
    pub(super) host_network: bool,
    pub(super) redactor: &'a Redactor,
}

/// A container that was read.
pub(super) struct Container {
    pub(super) component: Component,
    pub(super) named: Named,
}

/// Reads one; `list` is the field that it stands in.
pub(super) fn read(json: Node<'_>, list: &str, spot: Spot, of: &OfPod<'_>) -> Container {
    let mut sheet = Sheet::new(&CONTAINER, spot);
    let name = json.get("name").required().text().map(|name| cut(name.unwrap_or_default()).to_owned());
    let plain = name.as_deref().unwrap_or_default().to_owned();
    sheet.component.name = plain.as_str().into();
    sheet.read("name", "name", name);
    sheet.read("kind", "restartPolicy", kind(json, list));
    let target = json.get("targetContainerName").filled().map(|target| target.map(cut));
    sheet.read("target", "targetContainerName", target);
    inherit(&mut sheet, of.pod);
    let reference = json.get("image").text().map(|image| of.redactor.text(cut(image.unwrap_or_default())).into_owned());
    let parsed = reference.as_deref().ok().map(image::parse);
    image_facts(&mut sheet, json, &reference, parsed.as_ref());
    security::of_container(&mut sheet, json, &plain, of.context);
    sheet.read("ports", "ports", ports(json, of.host_network));
    let named = env::fill(&mut sheet, json, of.redactor);
    let mut secrets = Secrets::default();
    words::fill(&mut sheet, json, parsed.as_ref(), of.redactor, &mut secrets);
    probes::fill(&mut sheet, json, of.redactor, &mut secrets);
    sheet.set("config_secrets", "command, args, probes, lifecycle", secrets.into_value());
    sheet.read("mounts", "volumeMounts", mounts(json, of.volumes));
    let devices =
        json.get("volumeDevices").each(|device| value(device.get("name").required().text().map(|n| n.map(cut))));
    sheet.read("volume_devices", "volumeDevices", devices.map(Value::List));
    resources(&mut sheet, json, of);
    sheet.read("stdin", "stdin", json.get("stdin").bool().map(|b| b.unwrap_or(false)));
    sheet.read("tty", "tty", json.get("tty").bool().map(|b| b.unwrap_or(false)));
    Container { component: sheet.component, named }
}

fn kind(json: Node<'_>, list: &str) -> Read<&'static str> {
    Ok(match list {
        "initContainers" if json.get("restartPolicy").text()? == Some("Always") => "sidecar",
        "initContainers" => "init",
        "ephemeralContainers" => "ephemeral",
        _ => "regular",
    })
}

fn inherit(sheet: &mut Sheet, pod: &Component) {
    for fact in
        ["namespace", "service_account", "static_pod", "os", "host_network", "host_pid", "host_ipc", "runtime_class"]
    {
        let of_pod = pod.fact(fact).clone();
        sheet.component.set(fact, of_pod.value, of_pod.source);
    }
    let users = pod.fact("host_users");
    let mapped = match &users.value {
        Value::Bool(host) => Value::Bool(!host),
        Value::Unknown(reason) => Value::Unknown(reason.clone()),
        _ => Value::Bool(false),
    };
    sheet.component.set("user_namespace", mapped, users.source.clone());
}

/// Why an image is not known that only the cluster's own manifest will name: `registry.example/app:${TAG}`.
const UNFILLED: &str = "it is a placeholder that somebody fills in before it is applied";

fn image_facts(sheet: &mut Sheet, json: Node<'_>, reference: &Read<String>, parsed: Option<&Image<'_>>) {
    sheet.read("image", "image", reference.clone());
    if let Some(image) = parsed {
        sheet.set("image_registry", "image", image.registry);
        sheet.set("image_repository", "image", image.repository.as_str());
        sheet.set("image_tag", "image", image.tag);
        sheet.set("image_digest", "image", image.digest);
        let unfilled = image.reference == "invalid" && reference.as_deref().is_ok_and(|text| text.contains('$'));
        let how = if unfilled { Value::unknown(UNFILLED) } else { image.reference.into() };
        sheet.set("image_reference", "image", how);
    } else {
        for fact in ["image_registry", "image_repository", "image_tag", "image_digest", "image_reference"] {
            sheet.set(fact, "image", Value::Unknown(other_type()));
        }
    }
    let policy = match (json.get("imagePullPolicy").filled(), parsed) {
        (Ok(Some(policy)), _) => Ok(cut(policy)),
        (Ok(None), Some(image)) => Ok(image::default_pull_policy(image)),
        (Ok(None), None) => Err(other_type()),
        (Err(reason), _) => Err(reason),
    };
    sheet.read("pull_policy", "imagePullPolicy", policy);
}

fn ports(json: Node<'_>, host_network: bool) -> Read<Value> {
    let ports = json.get("ports").each(|port| {
        let container = port.get("containerPort").required().int().map(|p| p.unwrap_or(0));
        let host = port.get("hostPort").int().map(|p| p.unwrap_or(0));
        // With the node's network the API server fills it in.
        let host = if host_network && host == Ok(0) { container.clone() } else { host };
        let text = |key: &str, empty: &str| value(port.get(key).filled().map(|t| cut(t.unwrap_or(empty)).to_owned()));
        Value::Object(vec![
            ("name", text("name", "")),
            ("container_port", value(container)),
            ("host_port", value(host)),
            ("host_ip", text("hostIP", "")),
            ("protocol", text("protocol", "TCP")),
        ])
    });
    ports.map(Value::List)
}

fn mounts(json: Node<'_>, volumes: &Read<Volumes>) -> Read<Value> {
    let of = |name: &str| match volumes {
        Ok(volumes) => Ok(volumes.list.iter().find(|volume| &*volume.name == name)),
        Err(reason) => Err(reason.clone()),
    };
    let mounts = json.get("volumeMounts").each(|mount| {
        let Ok(Some(name)) = mount.get("name").text() else { return Value::Unknown(other_type()) };
        let name = volume_name(name);
        let volume = of(name);
        let read_only = mount.get("readOnly").bool();
        let rw = match (&volume, read_only) {
            (_, Err(reason)) => Err(reason),
            (_, Ok(Some(true))) => Ok(false),
            (Ok(Some(volume)), _) => Ok(!volume.read_only),
            (Ok(None), _) => Ok(true),
            (Err(reason), _) => Err(reason.clone()),
        };
        let text = |key: &str| mount.get(key).text().map(|t| cut(t.unwrap_or_default()).to_owned());
        let sub = text("subPath").and_then(|sub| if sub.is_empty() { expanded(text("subPathExpr")?) } else { Ok(sub) });
        let propagation = mount.get("mountPropagation").filled().map(|p| cut(p.unwrap_or("None")).to_owned());
        Value::Object(vec![
            ("volume", name.into()),
            ("type", value(volume.map(|volume| volume.map_or("", |volume| &*volume.kind)))),
            ("path", value(text("mountPath"))),
            ("rw", value(rw)),
            ("sub_path", value(sub)),
            ("propagation", value(propagation)),
        ])
    });
    mounts.map(Value::List)
}

/// What a subPathExpr names, where its text alone says so: the kubelet puts in values of variables as it starts the container.
fn expanded(expression: String) -> Read<String> {
    match expression.contains("$(") {
        true => Err(format!("the variables in {expression:?} decide what is mounted").into()),
        false => Ok(expression),
    }
}

fn resources(sheet: &mut Sheet, json: Node<'_>, of: &OfPod<'_>) {
    let (limits, requests) = (json.at(&["resources", "limits"]), json.at(&["resources", "requests"]));
    let of_pod = of.spec.at(&["resources", "requests"]);
    // What has a limit and no request is reserved at the limit; what says nothing of its own shares its pod's.
    let request = |key: &str, read: fn(Node<'_>) -> Read<Option<i64>>, whole: &Value| {
        for said in [requests, limits, of_pod] {
            match read(said.get(key)) {
                Ok(None) => {}
                said => return value(bound(said)),
            }
        }
        whole.clone()
    };
    let cpu = request("cpu", quantity::thousandths, of.pod.value("cpu_limit"));
    sheet.set("cpu_request", "resources.requests.cpu", cpu);
    let memory = request("memory", quantity::whole, of.pod.value("memory_limit"));
    sheet.set("memory_request", "resources.requests.memory", memory);
    let storage = "ephemeral-storage";
    let disk = request(storage, quantity::whole, &Value::Null);
    sheet.set("ephemeral_storage_request", "resources.requests.ephemeral-storage", disk);
    let disk = bound(quantity::whole(limits.get(storage)));
    sheet.read("ephemeral_storage_limit", "resources.limits.ephemeral-storage", disk);
    let limit = |fact: &str, own: Read<Option<i64>>| match bound(own) {
        Ok(None) => of.pod.value(fact).clone(),
        own => value(own),
    };
    let cpu = limit("cpu_limit", quantity::thousandths(limits.get("cpu")));
    sheet.set("cpu_limit", "resources.limits.cpu", cpu);
    let memory = limit("memory_limit", quantity::whole(limits.get("memory")));
    sheet.set("memory_limit", "resources.limits.memory", memory);
    sheet.read("extended_resources", "resources", extended(json, limits, requests));
}

fn extended(json: Node<'_>, limits: Node<'_>, requests: Node<'_>) -> Read<Value> {
    let mut names: Vec<&str> = Vec::new();
    for map in [limits.map()?, requests.map()?].into_iter().flatten() {
        let own = |name: &&str| !matches!(*name, "cpu" | "memory" | "ephemeral-storage" | "storage");
        names.extend(map.keys().map(|name| cut(name)).filter(own).filter(|name| !name.starts_with("hugepages-")));
    }
    names.sort_unstable();
    names.dedup();
    let mut out: Vec<Value> = names.iter().take(MOST_ITEMS).map(|&name| name.into()).collect();
    if names.len() > MOST_ITEMS {
        out.push(Value::Unknown(too_many()));
    }
    let claims = json.at(&["resources", "claims"]);
    out.extend(claims.each(|claim| value(claim.get("name").required().text().map(|name| name.map(cut))))?);
    Ok(Value::List(out))
}
