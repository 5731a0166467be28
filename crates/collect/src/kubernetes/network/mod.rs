//! What reaches what: policies, services, ingresses and gateways.

mod foreign;
mod gateway;
mod ingress;
mod policy;
pub(in crate::kubernetes) mod read;
mod service;
mod slices;
mod tiered;

#[cfg(test)]
pub(in crate::kubernetes) mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::kubernetes::is_not_asked_for;
use seaworthy_core::schema::Kind;
use seaworthy_core::schema::kubernetes::{INGRESS, NETWORK_POLICY, SERVICE};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;

use self::foreign::{Choose, Foreign};
use super::gather::{Gather, Resource};
use super::object::Object;
use crate::redact::Redactor;

const fn resource(
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
) -> Resource {
    Resource { group, versions, plural, kind, namespaced, optional: true }
}

const fn required(mut resource: Resource) -> Resource {
    resource.optional = false;
    resource
}

const NETWORKING: &str = "networking.k8s.io";
const ADMIN: &str = "policy.networking.k8s.io";
const CILIUM: &str = "cilium.io";
const CALICO: &str = "projectcalico.org";
const CALICO_STORE: &str = "crd.projectcalico.org";
const ANTREA: &str = "crd.antrea.io";
const OVN: &str = "k8s.ovn.org";
const GATEWAY: &str = "gateway.networking.k8s.io";

static RESOURCES: [Resource; 24] = [
    required(resource("", &["v1"], "services", "Service", true)),
    required(resource("discovery.k8s.io", &["v1"], "endpointslices", "EndpointSlice", true)),
    required(resource(NETWORKING, &["v1"], "networkpolicies", "NetworkPolicy", true)),
    required(resource(NETWORKING, &["v1"], "ingresses", "Ingress", true)),
    required(resource(NETWORKING, &["v1"], "ingressclasses", "IngressClass", false)),
    resource(ADMIN, &["v1alpha1"], "adminnetworkpolicies", "AdminNetworkPolicy", false),
    resource(ADMIN, &["v1alpha1"], "baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy", false),
    resource(ADMIN, &["v1beta1", "v1alpha2"], "clusternetworkpolicies", "ClusterNetworkPolicy", false),
    resource(CILIUM, &["v2"], "ciliumnetworkpolicies", "CiliumNetworkPolicy", true),
    resource(CILIUM, &["v2"], "ciliumclusterwidenetworkpolicies", "CiliumClusterwideNetworkPolicy", false),
    resource(CALICO, &["v3"], "networkpolicies", "NetworkPolicy", true),
    resource(CALICO, &["v3"], "globalnetworkpolicies", "GlobalNetworkPolicy", false),
    resource(CALICO_STORE, &["v1"], "networkpolicies", "NetworkPolicy", true),
    resource(CALICO_STORE, &["v1"], "globalnetworkpolicies", "GlobalNetworkPolicy", false),
    resource(ANTREA, &["v1beta1", "v1alpha1"], "networkpolicies", "NetworkPolicy", true),
    resource(ANTREA, &["v1beta1", "v1alpha1"], "clusternetworkpolicies", "ClusterNetworkPolicy", false),
    resource(OVN, &["v1"], "egressfirewalls", "EgressFirewall", true),
    resource(GATEWAY, &["v1", "v1beta1"], "gatewayclasses", "GatewayClass", false),
    resource(GATEWAY, &["v1", "v1beta1"], "gateways", "Gateway", true),
    resource(GATEWAY, &["v1", "v1beta1"], "httproutes", "HTTPRoute", true),
    resource(GATEWAY, &["v1", "v1alpha2"], "grpcroutes", "GRPCRoute", true),
    resource(GATEWAY, &["v1", "v1alpha3", "v1alpha2"], "tlsroutes", "TLSRoute", true),
    resource(GATEWAY, &["v1alpha2"], "tcproutes", "TCPRoute", true),
    resource(GATEWAY, &["v1alpha2"], "udproutes", "UDPRoute", true),
];

/// Gathers policies, services and ingresses.
#[derive(Default)]
pub(super) struct NetworkGatherer {
    components: Vec<Component>,
    /// Controllers by the class that they serve: `Ingress` or `Gateway` before its name.
    controllers: BTreeMap<String, Value>,
    /// The classes that an ingress has which names none.
    default_classes: Vec<String>,
    unread: Vec<(&'static str, &'static str, Arc<str>)>,
    slices: slices::Slices,
}

impl Gather for NetworkGatherer {
    fn resources(&self) -> &'static [Resource] {
        &RESOURCES
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        let foreign =
            |called, namespaced, choose| foreign::policy(object, &Foreign { called, namespaced, choose }, redactor);
        let component = match (object.group(), object.kind()) {
            ("discovery.k8s.io", "EndpointSlice") => return self.slices.add(object),
            ("", "Service") => service::service(object, redactor),
            (NETWORKING, "NetworkPolicy") => policy::policy(object, redactor),
            (NETWORKING, "Ingress") => ingress::ingress(object, redactor),
            (NETWORKING, "IngressClass") => return self.class("Ingress", "spec.controller", &object, redactor),
            (GATEWAY, "GatewayClass") => return self.class("Gateway", "spec.controllerName", &object, redactor),
            (GATEWAY, "Gateway") => gateway::gateway(object, redactor),
            (GATEWAY, _) => gateway::route(object, redactor),
            (ADMIN, _) => tiered::policy(object, redactor),
            (CILIUM, "CiliumNetworkPolicy") => foreign("CiliumNetworkPolicy", true, Choose::Cilium),
            (CILIUM, _) => foreign("CiliumClusterwideNetworkPolicy", false, Choose::Cilium),
            (CALICO | CALICO_STORE, "NetworkPolicy") => foreign("CalicoNetworkPolicy", true, Choose::Calico),
            (CALICO | CALICO_STORE, _) => foreign("CalicoGlobalNetworkPolicy", false, Choose::Calico),
            (ANTREA, "NetworkPolicy") => foreign("AntreaNetworkPolicy", true, Choose::All),
            (ANTREA, _) => foreign("AntreaClusterNetworkPolicy", false, Choose::All),
            (OVN, _) => foreign("EgressFirewall", true, Choose::All),
            _ => return,
        };
        self.components.push(component);
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        self.unread.push((resource.kind, resource.plural, reason.into()));
    }

    fn finish(mut self: Box<Self>, target: &mut Target) {
        self.controllers(target.platform == "files");
        self.endpoints();
        // Calico's own API and the store beneath it hold the same policies.
        let mut seen = HashSet::new();
        self.components.retain(|c| !c.id.starts_with("Calico") || seen.insert(c.id.clone()));
        target.components.append(&mut self.components);
        for (kind, plural, reason) in &self.unread {
            if let Some(incomplete) = part(kind) {
                target.incomplete(incomplete, format!("{plural}: {reason}"));
            }
        }
    }
}

/// The kind of components that objects of a kind become; none of classes, which become a fact.
fn part(kind: &str) -> Option<&'static Kind> {
    match kind {
        "Service" => Some(&SERVICE),
        "IngressClass" | "GatewayClass" | "EndpointSlice" => None,
        "Ingress" | "Gateway" => Some(&INGRESS),
        route if route.ends_with("Route") => Some(&INGRESS),
        _ => Some(&NETWORK_POLICY),
    }
}

impl NetworkGatherer {
    fn class(&mut self, of: &str, field: &str, object: &Object<'_>, redactor: &Redactor) {
        let controller = read::value(read::opt_text(object.json, field, redactor));
        let name = format!("{of}/{}", read::short(object.name()));
        let is_default = read::annotations(object.json)
            .is_ok_and(|all| all.contains(&("ingressclass.kubernetes.io/is-default-class", "true")));
        if is_default {
            self.default_classes.push(name.clone());
        }
        self.controllers.insert(name, controller);
    }

    /// Says of each service where it leads beside its pods.
    fn endpoints(&mut self) {
        let unread = self.unread.iter().find(|(kind, ..)| *kind == "EndpointSlice").map(|(.., reason)| reason);
        // Slices lie beside their services: those of other namespaces lead nowhere from here.
        let unread = unread.filter(|reason| !is_not_asked_for(reason));
        for service in self.components.iter_mut().filter(|c| std::ptr::eq(c.kind, &SERVICE)) {
            let found = self.slices.of(&service.name);
            let value = match (unread, &found) {
                (Some(reason), Value::List(items)) => {
                    // What was read before the list broke off counts.
                    let more = std::iter::once(Value::Unknown(Arc::clone(reason)));
                    if items.is_empty() {
                        Value::Unknown(Arc::clone(reason))
                    } else {
                        Value::List(items.iter().cloned().chain(more).collect())
                    }
                }
                _ => found,
            };
            service.set("foreign_endpoints", value, Source::place("endpointslices"));
        }
    }

    /// Looks up who serves each ingress and gateway.
    fn controllers(&mut self, files: bool) {
        for component in &mut self.components {
            let of = match component.value("type").as_str() {
                Some("Ingress") if component.kind.index("controller").is_some() => "Ingress",
                Some("Gateway") => "Gateway",
                _ => continue,
            };
            let classes = if of == "Ingress" { "IngressClass" } else { "GatewayClass" };
            let unread = self.unread.iter().find(|(kind, ..)| *kind == classes).map(|(.., reason)| Arc::clone(reason));
            let absent = || match (&unread, files) {
                (Some(reason), _) => Value::Unknown(Arc::clone(reason)),
                (None, true) => Value::unknown("its class is not among the files"),
                (None, false) => Value::Null,
            };
            let controller = match component.value("class") {
                Value::Unknown(reason) => Value::Unknown(Arc::clone(reason)),
                Value::Str(class) => self.controllers.get(&format!("{of}/{class}")).cloned().unwrap_or_else(absent),
                // One that names none is given the default class when it is made.
                _ => match self.default_classes.as_slice() {
                    [one] => self.controllers.get(one).cloned().unwrap_or_else(absent),
                    _ => absent(),
                },
            };
            let nginx = controller.as_str() == Some("k8s.io/ingress-nginx");
            component.set("controller", controller, Source::place("classes of ingresses and gateways"));
            // ingress-nginx redirects wherever there is TLS, unless it is told not to.
            let has_tls = component.value("tls_secrets").as_list().is_some_and(|s| !s.is_empty());
            if nginx && has_tls && component.value("redirects_to_tls").is_unknown() {
                component.set("redirects_to_tls", true, Source::place("default of ingress-nginx"));
            }
        }
    }
}
