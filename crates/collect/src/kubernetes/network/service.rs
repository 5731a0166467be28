//! Services.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::SERVICE;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::read::{
    Read, Sheet, annotations, at, each, equalities, list, number, number_or_text, opt_text, other_type, shown, text,
    texts, truth,
};
use crate::kubernetes::object::Object;
use crate::redact::Redactor;

/// Annotations by which providers are asked for a load balancer that only their own network reaches: the name, and
/// the values that mean so; none is any value but `false`.
const INTERNAL: [(&str, &[&str]); 12] = [
    ("service.beta.kubernetes.io/aws-load-balancer-internal", &["true", "0.0.0.0/0"]),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", &["internal"]),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", &["true"]),
    ("cloud.google.com/load-balancer-type", &["internal"]),
    ("networking.gke.io/load-balancer-type", &["internal"]),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", &["true"]),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", &["true"]),
    ("oci-network-load-balancer.oraclecloud.com/internal", &["true"]),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", &["private"]),
    ("service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type", &["intranet"]),
    ("service.kubernetes.io/qcloud-loadbalancer-internal-subnetid", &[]),
    ("service.beta.kubernetes.io/cce-load-balancer-internal-vpc", &["true"]),
];

const RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

/// A service.
pub(super) fn service(object: Object<'_>, redactor: &Redactor) -> Component {
    let mut sheet = Sheet::new(&SERVICE, "Service", object, true, redactor);
    let json = sheet.json();
    let kind = text(json, "spec.type").map(|t| t.filter(|t| !t.is_empty()).unwrap_or("ClusterIP"));
    sheet.put("type", "spec.type", kind.clone().map(|t| shown(t, redactor)));
    sheet.put("selector", "spec.selector", selector(json, kind.as_deref().unwrap_or_default(), redactor));
    sheet.put("headless", "spec.clusterIP", text(json, "spec.clusterIP").map(|ip| ip == Some("None")));
    sheet.put("ports", "spec.ports", each(json, "spec.ports", |p| port(p, redactor)));
    sheet.put("external_ips", "spec.externalIPs", texts(json, "spec.externalIPs", redactor));
    let name = opt_text(json, "spec.externalName", redactor);
    sheet.put("external_name", "spec.externalName", name.map(empty_is_null));
    sheet.put("load_balancer_class", "spec.loadBalancerClass", opt_text(json, "spec.loadBalancerClass", redactor));
    sheet.put("internal", "metadata.annotations", annotations(json).map(|a| is_internal(&a)));
    sheet.put("source_ranges", "spec.loadBalancerSourceRanges", ranges(json, redactor));
    sheet.put("external_traffic_policy", "spec.externalTrafficPolicy", traffic_policy(json, &kind, redactor));
    sheet.put("node_ports", "spec.allocateLoadBalancerNodePorts", kind.clone().and_then(|k| node_ports(json, k)));
    sheet.put("addresses", "status.loadBalancer", addresses(json, redactor));
    sheet.component
}

fn empty_is_null(value: Value) -> Value {
    if value.as_str() == Some("") { Value::Null } else { value }
}

/// An empty selector is none; that of an external name is not looked at.
fn selector(json: &Json, kind: &str, redactor: &Redactor) -> Read<Option<String>> {
    let selector = equalities(json, "spec.selector", redactor)?;
    Ok((!selector.is_empty() && kind != "ExternalName").then(|| selector.to_string()))
}

fn port(json: &Json, redactor: &Redactor) -> Read<Value> {
    let port = number(json, "port")?.ok_or_else(other_type)?;
    let target = number_or_text(json, "targetPort")?.filter(|t| !t.is_empty() && t != "0");
    Ok(Value::Object(vec![
        ("name", empty_is_null(opt_text(json, "name", redactor)?)),
        ("protocol", text(json, "protocol")?.filter(|p| !p.is_empty()).map_or("TCP".into(), |p| shown(p, redactor))),
        ("port", port.into()),
        ("target", target.unwrap_or_else(|| port.to_string()).into()),
        ("node_port", number(json, "nodePort")?.filter(|n| *n != 0).into()),
    ]))
}

fn is_internal(annotations: &[(&str, &str)]) -> bool {
    let asks = |(name, wanted): &(&str, &[&str])| {
        annotations.iter().filter(|(n, _)| n == name).any(|(_, value)| {
            let value = value.to_ascii_lowercase();
            if wanted.is_empty() { !value.is_empty() && value != "false" } else { wanted.contains(&value.as_str()) }
        })
    };
    INTERNAL.iter().any(asks)
}

/// The field, or where it is empty the annotation that was there before it.
fn ranges(json: &Json, redactor: &Redactor) -> Read<Value> {
    if !list(json, "spec.loadBalancerSourceRanges")?.is_empty() {
        return texts(json, "spec.loadBalancerSourceRanges", redactor);
    }
    let annotation = annotations(json)?.into_iter().find(|(name, _)| *name == RANGES);
    let ranges = annotation.iter().flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|r| !r.is_empty());
    Ok(Value::List(ranges.take(1024).map(|r| shown(r, redactor)).collect()))
}

fn traffic_policy(json: &Json, kind: &Read<&str>, redactor: &Redactor) -> Read<Value> {
    if let Some(policy) = text(json, "spec.externalTrafficPolicy")?.filter(|p| !p.is_empty()) {
        return Ok(shown(policy, redactor));
    }
    let kind = kind.clone()?;
    let outside = matches!(kind, "NodePort" | "LoadBalancer")
        || kind == "ClusterIP" && !list(json, "spec.externalIPs")?.is_empty();
    Ok(if outside { "Cluster".into() } else { Value::Null })
}

/// A load balancer's ports on the nodes are kept when allocation is turned off later.
fn node_ports(json: &Json, kind: &str) -> Read<bool> {
    match kind {
        "NodePort" => Ok(true),
        "LoadBalancer" => {
            if truth(json, "spec.allocateLoadBalancerNodePorts")?.unwrap_or(true) {
                return Ok(true);
            }
            for port in list(json, "spec.ports")? {
                if number(port, "nodePort")?.is_some_and(|n| n != 0) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// Addresses, and names where there are none.
pub(super) fn addresses(json: &Json, redactor: &Redactor) -> Read<Value> {
    if at(json, "status")?.is_null() {
        return Ok(Value::List(Vec::new()));
    }
    each(json, "status.loadBalancer.ingress", |one| {
        let address = text(one, "ip")?.filter(|ip| !ip.is_empty());
        let address = if address.is_some() { address } else { text(one, "hostname")? };
        address.map(|a| shown(a, redactor)).ok_or_else(other_type)
    })
}
