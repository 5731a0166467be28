//! Pods: whether policies isolate them, whether they reach a cloud's metadata, and how the outside reaches them.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::super::open_list;
use super::{MOST, Settings, View, truth};
use crate::component::Component;
use crate::kubernetes::reach::{ClassId, Direction, Endpoint, Protocol};
use crate::kubernetes::selector::any;
use crate::schema::kubernetes as k8s;
use crate::value::Value;

/// Where clouds tell a machine who it is.
const METADATA: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
/// Where one of them does so instead, by the provider of its nodes.
const ELSEWHERE: (&str, &str) = ("alicloud", "100.100.100.200");

const UNENFORCED: &str = "the network plugin is not known to enforce policies, or one of them is not understood";

pub(super) fn facts(view: &View<'_>) -> Settings {
    let mut out = Vec::new();
    let ways = ways(view);
    let mut metadata: HashMap<ClassId, Option<bool>> = HashMap::new();
    let places = metadata_places(view);
    for (at, pod) in view.positions(&k8s::POD) {
        let Some(class) = view.class(at) else { continue };
        for (direction, fact) in [(Direction::Ingress, "isolated_ingress"), (Direction::Egress, "isolated_egress")] {
            out.push((at, fact, truth(view.network.isolated(class, direction), UNENFORCED)));
        }
        let reaches = *metadata.entry(class).or_insert_with(|| reaches_metadata(view, &places, class));
        out.push((at, "reaches_metadata", truth(reaches, UNENFORCED)));
        out.push((at, "exposed", exposed(view, pod, class, ways.by_pod.get(&at), &ways)));
    }
    out
}

/// Where the clouds of these nodes tell a machine who it is.
fn metadata_places(view: &View<'_>) -> Vec<Endpoint> {
    let mut providers = view.of(&k8s::NODE).filter_map(|node| node.value("provider").as_str());
    let elsewhere = providers.any(|provider| provider == ELSEWHERE.0).then_some(ELSEWHERE.1);
    METADATA.iter().copied().chain(elsewhere).filter_map(Endpoint::address).collect()
}

fn reaches_metadata(view: &View<'_>, places: &[Endpoint], class: ClassId) -> Option<bool> {
    any(places.iter().map(|place| view.network.reaches(&Endpoint::Pod(class), place, Protocol::Tcp, 80).truth))
}

/// How services lead from the outside to pods.
struct Ways {
    /// By the pod's position: `load-balancer shop/web`.
    by_pod: HashMap<usize, Vec<String>>,
    /// Why others may lead to any pod.
    unknown: Option<Arc<str>>,
}

fn ways(view: &View<'_>) -> Ways {
    let mut out = Ways { by_pod: HashMap::new(), unknown: view.partial(&k8s::SERVICE) };
    for service in view.of(&k8s::SERVICE) {
        let Some(exposed) = service.value("exposed_by").as_list() else {
            out.unknown = out.unknown.or_else(|| service.value("exposed_by").reason().cloned());
            continue;
        };
        out.unknown = out.unknown.or_else(|| exposed.iter().find_map(Value::reason).cloned());
        let known: Vec<&str> = exposed.iter().filter_map(Value::as_str).collect();
        if known.is_empty() {
            continue;
        }
        let selector = match super::services::selector(service) {
            Ok(Some(selector)) => selector,
            Ok(None) => continue,
            Err(reason) => {
                out.unknown.get_or_insert(reason);
                continue;
            }
        };
        let namespace = service.value("namespace").as_str().unwrap_or_default();
        let (pods, perhaps) = view.selected(namespace, &selector);
        if perhaps {
            out.unknown.get_or_insert_with(|| "labels of pods could not all be read".into());
        }
        for pod in pods {
            let open: Vec<_> = known.iter().filter(|way| !is_shut(view, service, pod, way)).collect();
            let list = out.by_pod.entry(pod).or_default();
            list.extend(open.into_iter().take(MOST).map(|way| format!("{way} {}", service.name)));
        }
    }
    out
}

/// Whether policies surely stop what comes this way. Where nodes put their own address in place of the client's, a policy
/// sees the node, and a node always reaches its own pods; only a service that keeps the client's is held to the policies.
/// Who an ingress's controller is, nobody knows here.
fn is_shut(view: &View<'_>, service: &Component, pod: usize, way: &str) -> bool {
    let keeps = service.value("external_traffic_policy").as_str() == Some("Local");
    if way == "ingress" || !keeps {
        return false;
    }
    let Some(class) = view.class(pod) else { return false };
    let open = view.network.enters(&Endpoint::Internet, &Endpoint::Pod(class));
    let inside = view.network.enters(&Endpoint::Address(Vec::new()), &Endpoint::Pod(class));
    open.any() == Some(false) && inside.any() == Some(false)
}

fn exposed(view: &View<'_>, pod: &Component, class: ClassId, services: Option<&Vec<String>>, ways: &Ways) -> Value {
    let mut out: Vec<Value> = services.into_iter().flatten().take(MOST).map(|w| w.as_str().into()).collect();
    let mut unknown = ways.unknown.clone();
    match pod.value("host_network") {
        Value::Bool(true) => out.push("host-network".into()),
        Value::Unknown(reason) => unknown = unknown.or_else(|| Some(Arc::clone(reason))),
        _ => host_ports(view, pod, class, &mut out, &mut unknown),
    }
    open_list(out, unknown.as_ref())
}

/// Ports of its containers that its node opens.
fn host_ports(view: &View<'_>, pod: &Component, class: ClassId, out: &mut Vec<Value>, unknown: &mut Option<Arc<str>>) {
    let names = pod.value("containers").as_list().unwrap_or_default();
    let mut unsure = |reason: Option<&Arc<str>>| {
        unknown.get_or_insert_with(|| reason.map_or_else(|| "its ports could not be read".into(), Arc::clone));
    };
    if let Some(reason) = pod.value("containers").reason() {
        unsure(Some(reason));
    }
    for name in names.iter().filter_map(Value::as_str) {
        let Some(container) = view.container(&pod.id, name) else {
            unsure(None);
            continue;
        };
        let Some(ports) = container.value("ports").as_list() else {
            unsure(container.value("ports").reason());
            continue;
        };
        for port in ports {
            let number = |field: &str| port.field(field).and_then(Value::as_int);
            let (Some(host), Some(own)) = (number("host_port"), number("container_port")) else {
                unsure(port.reason());
                continue;
            };
            let loopback = port.field("host_ip").and_then(Value::as_str).is_some_and(|ip| ip.starts_with("127."));
            let protocol = port.field("protocol").and_then(Value::as_str).and_then(Protocol::named);
            if host == 0 || loopback || out.len() >= MOST {
                continue;
            }
            let shut = protocol.zip(u16::try_from(own).ok()).is_some_and(|(protocol, own)| {
                let from = |end| view.network.enters(&end, &Endpoint::Pod(class)).at(protocol, own) == Some(false);
                from(Endpoint::Internet) && from(Endpoint::Address(Vec::new()))
            });
            if !shut {
                out.push(format!("host-port {host}").into());
            }
        }
    }
}
