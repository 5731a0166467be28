//! Whom a credential names, as far as it says so itself: nobody is asked.

use std::sync::Arc;

use kube::Config;
use seaworthy_core::value::Value;

use super::access::{self, bounded};
use crate::engine::{PEER_TEXT_LIMIT, sanitize};

/// The group that no rule binds.
const MASTERS: &str = "system:masters";

/// Whom a credential names, and until when it holds.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The user; null without a credential.
    pub user: Value,
    /// Whether it is of system:masters.
    pub masters: Value,
    /// Until when, in seconds since 1970, where it says so.
    pub until: Option<i64>,
    /// What it is: `client certificate`, `token`; empty without one.
    pub what: &'static str,
    /// Where it stands: `subject of the client certificate`.
    pub source: &'static str,
}

/// Reads whom the credential of a configuration names. An error where a certificate or key cannot be read.
pub(super) fn of(config: &Config) -> Result<Identity, String> {
    let mut identity = of_credential(config)?;
    if let Some(user) = &config.auth_info.impersonate {
        let groups = config.auth_info.impersonate_groups.iter().flatten();
        identity.masters = groups.clone().any(|group| group == MASTERS).into();
        identity.user = Value::Str(sanitize(user, PEER_TEXT_LIMIT).into());
        identity.source = "as in the kubeconfig";
    }
    Ok(identity)
}

fn of_credential(config: &Config) -> Result<Identity, String> {
    let auth = &config.auth_info;
    if let Some(pem) = certificate(config)? {
        return of_certificate(&pem);
    }
    let unknown = |why: &str| Value::unknown(Arc::from(why));
    if let Some(token) = access::token(config) {
        let claims = claims(token);
        let until = claims.as_ref().and_then(|claims| claims["exp"].as_i64());
        let account = claims.as_ref().and_then(|claims| claims["sub"].as_str());
        let (user, masters) = match account.filter(|sub| sub.starts_with("system:serviceaccount:")) {
            Some(account) => (Value::Str(sanitize(account, PEER_TEXT_LIMIT).into()), false.into()),
            None => (
                unknown("the token does not say whom the API server takes it for"),
                unknown("the token does not say in which groups the API server puts its user"),
            ),
        };
        return Ok(Identity { user, masters, until, what: "token", source: "the token's claims" });
    }
    if let Some(user) = &auth.username {
        let masters = unknown("a password does not say in which groups its user is");
        let user = Value::Str(sanitize(user, PEER_TEXT_LIMIT).into());
        return Ok(Identity { user, masters, until: None, what: "password", source: "username in the kubeconfig" });
    }
    Ok(Identity { user: Value::Null, masters: false.into(), until: None, what: "", source: "the kubeconfig" })
}

/// The client certificate in PEM.
fn certificate(config: &Config) -> Result<Option<Vec<u8>>, String> {
    use base64::Engine as _;
    let auth = &config.auth_info;
    if let Some(data) = auth.client_certificate_data.as_ref().filter(|data| !data.is_empty()) {
        let pem = base64::engine::general_purpose::STANDARD.decode(data.trim());
        return pem.map(Some).map_err(|_| "client-certificate-data is no base64".to_owned());
    }
    match &auth.client_certificate {
        Some(path) if !path.is_empty() => bounded(std::path::Path::new(path)).map(Some),
        _ => Ok(None),
    }
}

fn of_certificate(pem: &[u8]) -> Result<Identity, String> {
    let broken = || "the client certificate is no certificate in PEM".to_owned();
    let (_, block) = x509_parser::pem::parse_x509_pem(pem).map_err(|_| broken())?;
    let certificate = block.parse_x509().map_err(|_| broken())?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().last().and_then(|name| name.as_str().ok());
    let masters = subject.iter_organization().any(|group| group.as_str().is_ok_and(|group| group == MASTERS));
    Ok(Identity {
        user: name.map_or(Value::unknown("the certificate names nobody"), |name| {
            Value::Str(sanitize(name, PEER_TEXT_LIMIT).into())
        }),
        masters: masters.into(),
        until: Some(certificate.validity().not_after.timestamp()),
        what: "client certificate",
        source: "the subject of the client certificate",
    })
}

/// The claims of a token that is a JWT. Nothing is verified: they are told to who holds the token.
fn claims(token: &str) -> Option<serde_json::Value> {
    use base64::Engine as _;
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_accounts_token_says_who_it_is() {
        use base64::Engine as _;
        let payload = br#"{"sub":"system:serviceaccount:shop:ci","exp":1700000000}"#;
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload);
        let mut config = Config::new("https://127.0.0.1:6443".parse().unwrap());
        config.auth_info.token = Some(format!("e30.{payload}.c2ln").into());
        let identity = of(&config).unwrap();
        assert_eq!(identity.user, Value::from("system:serviceaccount:shop:ci"));
        assert_eq!((identity.masters, identity.until), (Value::Bool(false), Some(1_700_000_000)));
        config.auth_info.token = Some("opaque".to_owned().into());
        assert!(of(&config).unwrap().masters.is_unknown());
    }

    #[test]
    fn a_certificate_of_masters_is_seen() {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "kubernetes-admin");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, MASTERS);
        let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let identity = of_certificate(certificate.pem().as_bytes()).unwrap();
        assert_eq!((identity.user, identity.masters), ("kubernetes-admin".into(), true.into()));
    }
}
