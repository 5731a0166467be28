//! EndpointSlices: where services really lead. Of the many that lead to pods nothing is kept.

use std::collections::BTreeMap;

use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{Read, list, other_type, short, text};
use crate::kubernetes::object::Object;

/// Who makes the slices of services with selectors, and takes back what others write into them.
const CONTROLLER: &str = "endpointslice-controller.k8s.io";

/// The most addresses of one service that are kept.
const MOST: usize = 64;

/// Addresses behind services that are no pods', by namespace/name.
#[derive(Debug, Default)]
pub(super) struct Slices {
    foreign: BTreeMap<String, Vec<Value>>,
}

impl Slices {
    /// Takes what a slice holds beside pods of the controller's own.
    pub(super) fn add(&mut self, object: Object<'_>) {
        let labels = &object.json["metadata"]["labels"];
        // One of no service leads nowhere.
        let Some(service) = labels["kubernetes.io/service-name"].as_str() else { return };
        let own = labels["endpointslice.kubernetes.io/managed-by"].as_str() == Some(CONTROLLER);
        let of = self.foreign.entry(format!("{}/{}", object.namespace(), short(service))).or_default();
        match endpoints(object.json, own, short(object.name())) {
            Ok(found) => of.extend(found.into_iter().take((MOST + 1).saturating_sub(of.len()))),
            Err(reason) => of.push(Value::Unknown(reason)),
        }
    }

    /// What was found of a service.
    pub(super) fn of(&mut self, service: &str) -> Value {
        let mut found = self.foreign.remove(service).unwrap_or_default();
        if found.len() > MOST {
            found.truncate(MOST);
            found.push(Value::unknown("there are more than are kept"));
        }
        Value::List(found)
    }
}

fn endpoints(json: &Json, own: bool, slice: &str) -> Read<Vec<Value>> {
    let mut out = Vec::new();
    for endpoint in list(json, "endpoints")?.iter().take(1024) {
        let target = &endpoint["targetRef"];
        let object = text(target, "kind")?.map(|kind| {
            let part = |name: &str| target[name].as_str().unwrap_or_default();
            let (namespace, name) = (part("namespace"), part("name"));
            let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
            format!("{}/{place}{}", short(kind), short(name))
        });
        for address in list(endpoint, "addresses")?.iter().take(128) {
            let address = address.as_str().ok_or_else(other_type)?;
            // A pod has none of these addresses, whoever says so.
            if own && object.as_deref().is_some_and(|object| object.starts_with("Pod/")) && !is_own(address) {
                continue;
            }
            out.push(Value::Object(vec![
                ("address", short(address).into()),
                ("object", object.clone().into()),
                ("slice", slice.into()),
            ]));
        }
    }
    Ok(out)
}

/// Whether an address is a machine's own to itself: loopback, or of the link, where clouds put their metadata.
fn is_own(address: &str) -> bool {
    match address.parse::<std::net::IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unicast_link_local(),
        Err(_) => false,
    }
}
