//! API services and requests for certificates.

use seaworthy_core::component::Component;
use seaworthy_core::schema::kubernetes::{API_SERVICE, CERTIFICATE_REQUEST};
use seaworthy_core::snapshot::Target;
use seaworthy_core::value::Value;
use serde_json::Value as Json;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509CertificationRequest};

use super::field::{Read, at, bounded, list, other_type, put, shown, text, texts, truth};
use super::gather::{Gather, OneByOne, Resource};
use super::object::Object;
use crate::redact::Redactor;

const API_SERVICES: Resource = Resource {
    group: "apiregistration.k8s.io",
    versions: &["v1"],
    plural: "apiservices",
    kind: "APIService",
    namespaced: false,
    optional: false,
};

const REQUESTS: Resource = Resource {
    group: "certificates.k8s.io",
    versions: &["v1"],
    plural: "certificatesigningrequests",
    kind: "CertificateSigningRequest",
    namespaced: false,
    optional: false,
};

/// The most that is read of a request or certificate, in bytes of base64: 256 KiB.
const MOST_PEM: usize = 256 << 10;

/// Gathers API services and requests for certificates.
#[derive(Default)]
pub(super) struct Extension(OneByOne);

impl Gather for Extension {
    fn resources(&self) -> &'static [Resource] {
        &[API_SERVICES, REQUESTS]
    }

    fn add(&mut self, object: Object<'_>, redactor: &Redactor) {
        match object.kind() {
            "APIService" => self.0.push(api_service(object, redactor)),
            "CertificateSigningRequest" => self.0.push(request(object, redactor)),
            _ => {}
        }
    }

    fn unread(&mut self, resource: &Resource, reason: &str) {
        self.0.unread(if resource.kind == "APIService" { &API_SERVICE } else { &CERTIFICATE_REQUEST }, reason);
    }

    fn finish(self: Box<Self>, target: &mut Target) {
        self.0.finish(target);
    }
}

fn api_service(object: Object<'_>, redactor: &Redactor) -> Component {
    let (json, place) = (object.json, object.place);
    let name = object.name();
    let mut c = Component::new(&API_SERVICE, format!("APIService/{name}"), name);
    c.set("name", name, place.source("metadata.name"));
    put(&mut c, "group", text(json, "spec.group").map(|g| g.unwrap_or_default()), place, "spec.group");
    put(&mut c, "version", text(json, "spec.version").map(|v| v.unwrap_or_default()), place, "spec.version");
    let service = at(json, "spec.service").and_then(|service| match service {
        Json::Null => Ok(Value::Null),
        _ => match (text(json, "spec.service.namespace")?, text(json, "spec.service.name")?) {
            (Some(namespace), Some(name)) => Ok(format!("{namespace}/{name}").into()),
            _ => Err("the service has no name".into()),
        },
    });
    put(&mut c, "service", service, place, "spec.service");
    put(&mut c, "insecure", truth(json, "spec.insecureSkipTLSVerify", false), place, "spec.insecureSkipTLSVerify");
    put(&mut c, "ca", text(json, "spec.caBundle").map(|ca| ca.is_some()), place, "spec.caBundle");
    let available = list(json, "status.conditions").and_then(|conditions| {
        conditions.iter().find(|c| c["type"] == "Available").ok_or_else(|| "the API server has not told it yet".into())
    });
    let truth = available.clone().and_then(|c| match c["status"].as_str() {
        Some("True") => Ok(true),
        Some("False" | "Unknown") => Ok(false),
        _ => Err(other_type()),
    });
    let reason = match (&truth, available) {
        (Ok(true), _) => Ok(Value::Null),
        (Ok(false), Ok(condition)) => text(condition, "reason").map(|r| shown(r.unwrap_or_default(), redactor)),
        (Err(why), _) => Err(why.clone()),
        (_, Err(why)) => Err(why),
    };
    put(&mut c, "available", truth, place, "status.conditions");
    put(&mut c, "reason", reason, place, "status.conditions");
    c
}

fn request(object: Object<'_>, redactor: &Redactor) -> Component {
    let (json, place) = (object.json, object.place);
    let name = object.name();
    let mut c = Component::new(&CERTIFICATE_REQUEST, format!("CertificateSigningRequest/{name}"), name);
    c.set("name", name, place.source("metadata.name"));
    let said = |path: &str| text(json, path).map(|t| shown(t.unwrap_or_default(), redactor));
    put(&mut c, "signer", said("spec.signerName"), place, "spec.signerName");
    put(&mut c, "requester", said("spec.username"), place, "spec.username");
    put(&mut c, "requester_groups", texts(json, "spec.groups", redactor), place, "spec.groups");
    put(&mut c, "usages", texts(json, "spec.usages", redactor), place, "spec.usages");
    let asked = subject(json, redactor);
    let part = |pick: fn(&Subject) -> Value| asked.as_ref().map(pick).map_err(Clone::clone);
    put(&mut c, "common_name", part(|s| s.name.clone()), place, "spec.request");
    put(&mut c, "organizations", part(|s| s.groups.clone()), place, "spec.request");
    put(&mut c, "names", part(|s| s.hosts.clone()), place, "spec.request");
    put(&mut c, "state", state(json), place, "status.conditions");
    let certificate = text(json, "status.certificate");
    put(&mut c, "issued", certificate.clone().map(|c| c.is_some()), place, "status.certificate");
    let validity = certificate.and_then(|c| c.map(validity).transpose());
    let expires = validity.clone().map(|v| v.map(|(_, until)| until));
    put(&mut c, "expires", expires, place, "status.certificate");
    put(
        &mut c,
        "valid_days",
        validity.map(|v| v.map(|(from, until)| (until - from) / 86_400)),
        place,
        "status.certificate",
    );
    c
}

/// For whom a request speaks.
struct Subject {
    name: Value,
    groups: Value,
    hosts: Value,
}

fn pem(base64: &str) -> Read<Vec<u8>> {
    use base64::Engine as _;
    if base64.len() > MOST_PEM {
        return Err("it is larger than any request".into());
    }
    let pem = base64::engine::general_purpose::STANDARD.decode(base64).map_err(|_| "it is no base64")?;
    let (_, block) = x509_parser::pem::parse_x509_pem(&pem).map_err(|_| "it is no PEM")?;
    Ok(block.contents)
}

fn subject(json: &Json, redactor: &Redactor) -> Read<Subject> {
    let der = pem(text(json, "spec.request")?.ok_or("there is none")?)?;
    let (_, request) = X509CertificationRequest::from_der(&der).map_err(|_| "it is no request")?;
    let info = &request.certification_request_info;
    let read = |value: Result<&str, _>| match value {
        Ok(text) => shown(text, redactor),
        Err(_) => Value::unknown("it is written in an encoding that is not read"),
    };
    // Go takes the last of several.
    let name = info.subject.iter_common_name().last().map_or(Value::Null, |n| read(n.as_str().map_err(drop)));
    let groups = bounded(info.subject.iter_organization().map(|o| read(o.as_str().map_err(drop))));
    let mut hosts = Vec::new();
    for extension in request.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(names) = extension else { continue };
        hosts.extend(names.general_names.iter().map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                shown(name, redactor)
            }
            GeneralName::IPAddress(bytes) => {
                address(bytes).map_or_else(|| Value::unknown("it is no address"), Value::from)
            }
            _ => Value::unknown("a name of a kind that is not read"),
        }));
    }
    Ok(Subject { name, groups, hosts: bounded(hosts.into_iter()) })
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => Some(std::net::Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string()),
        16 => Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        _ => None,
    }
}

fn state(json: &Json) -> Read<&'static str> {
    let conditions = list(json, "status.conditions")?;
    // A condition without a status is from before there was one, and means true.
    let has = |kind: &str| conditions.iter().any(|c| c["type"] == kind && c["status"] != "False");
    if conditions.iter().any(|c| !c["type"].is_string()) {
        return Err(other_type());
    }
    Ok(match (has("Denied"), has("Failed"), has("Approved")) {
        (true, ..) => "denied",
        (_, true, _) => "failed",
        (_, _, true) => "approved",
        _ => "pending",
    })
}

fn validity(certificate: &str) -> Read<(i64, i64)> {
    let der = pem(certificate)?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|_| "it is no certificate")?;
    let validity = certificate.validity();
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::kubernetes::object::Place;

    #[test]
    fn a_request_says_for_whom_it_speaks() {
        let mut params = rcgen::CertificateParams::new(vec!["api.example".to_owned(), "10.0.0.1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "mallory");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "system:masters");
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.serialize_request(&key).unwrap().pem().unwrap();
        let issued = params.self_signed(&key).unwrap().pem();
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let json = serde_json::json!({"metadata": {"name": "r"}, "spec": {
            "request": encode(&pem), "signerName": "kubernetes.io/kube-apiserver-client", "username": "mallory", "groups": null,
        }, "status": {"conditions": [{"type": "Approved", "status": "True"}], "certificate": encode(&issued)}});
        let c = request(Object { json: &json, place: &Place::of_server("r") }, &Redactor::new());
        assert_eq!(c.value("common_name").as_str(), Some("mallory"));
        assert_eq!(c.value("organizations"), &Value::strings(["system:masters"]));
        assert_eq!(c.value("names"), &Value::strings(["api.example", "10.0.0.1"]));
        assert_eq!(c.value("state").as_str(), Some("approved"));
        assert!(c.value("expires").as_int().is_some());
        let json = serde_json::json!({"metadata": {"name": "r"}, "spec": {"request": "%%%"}, "status": {}});
        let c = request(Object { json: &json, place: &Place::of_server("r") }, &Redactor::new());
        assert!(c.value("organizations").is_unknown());
        assert_eq!((c.value("state").as_str(), c.value("expires")), (Some("pending"), &Value::Null));
    }

    #[test]
    fn an_api_service_that_is_down_says_why() {
        let json = serde_json::json!({"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": {
            "group": "metrics.k8s.io", "version": "v1beta1", "insecureSkipTLSVerify": true,
            "service": {"namespace": "kube-system", "name": "metrics-server"},
        }, "status": {"conditions": [{"type": "Available", "status": "False", "reason": "ServiceNotFound"}]}});
        let c = api_service(Object { json: &json, place: &Place::of_server("a") }, &Redactor::new());
        assert_eq!(c.value("insecure"), &Value::Bool(true));
        assert_eq!(c.value("reason").as_str(), Some("ServiceNotFound"));
        assert_eq!(c.value("service").as_str(), Some("kube-system/metrics-server"));
    }
}
