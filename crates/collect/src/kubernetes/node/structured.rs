//! Files that the API server's flags name: who is authenticated and authorized, how data is encrypted, what admission
//! plugins do. Of keys and credentials in them nothing is kept.

use seaworthy_core::value::Value;
use serde_json::Value as Json;

/// The most entries that are read of one list.
const MOST: usize = 4_096;

fn kind_is(json: &Json, kind: &str) -> Result<(), String> {
    match json.get("kind").and_then(Json::as_str) {
        Some(found) if found == kind => Ok(()),
        _ => Err(format!("it is no {kind}")),
    }
}

fn list<'j>(json: &'j Json, name: &str) -> Result<&'j [Json], String> {
    match &json[name] {
        Json::Null => Ok(&[]),
        Json::Array(items) if items.len() <= MOST => Ok(items),
        Json::Array(_) => Err(format!("it has more than {MOST} {name}")),
        _ => Err(format!("its {name} is no list")),
    }
}

/// What an `AuthenticationConfiguration` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authentication {
    /// Whether anonymous requests are let in, and the only paths for which they are; none where the file is silent.
    pub anonymous: Option<(bool, Option<Vec<String>>)>,
    /// Issuers of tokens.
    pub issuers: Vec<String>,
}

/// Reads an `AuthenticationConfiguration`.
///
/// # Errors
/// Why it is none.
pub(super) fn authentication(json: &Json) -> Result<Authentication, String> {
    kind_is(json, "AuthenticationConfiguration")?;
    let anonymous = match &json["anonymous"] {
        Json::Null => None,
        anonymous => {
            let enabled = anonymous["enabled"].as_bool().unwrap_or(false);
            let paths: Result<Vec<String>, String> = list(anonymous, "conditions")?
                .iter()
                .map(|c| c["path"].as_str().map(str::to_owned).ok_or_else(|| "a condition has no path".to_owned()))
                .collect();
            let paths = paths?;
            Some((enabled, (!paths.is_empty()).then_some(paths)))
        }
    };
    let issuers = list(json, "jwt")?
        .iter()
        .map(|jwt| jwt["issuer"]["url"].as_str().map(str::to_owned).ok_or_else(|| "an issuer has no url".to_owned()))
        .collect::<Result<_, _>>()?;
    Ok(Authentication { anonymous, issuers })
}

/// An authorizer: its type, its name, and whether the next is asked when it fails.
pub(super) type Authorizer = (String, String, bool);

/// Reads an `AuthorizationConfiguration`.
///
/// # Errors
/// Why it is none.
pub(super) fn authorization(json: &Json) -> Result<Vec<Authorizer>, String> {
    kind_is(json, "AuthorizationConfiguration")?;
    let entries = list(json, "authorizers")?;
    if entries.is_empty() {
        return Err("it names no authorizer".to_owned());
    }
    entries
        .iter()
        .map(|entry| {
            let kind = entry["type"].as_str().ok_or("an authorizer has no type")?.to_owned();
            let name = entry["name"].as_str().unwrap_or_default().to_owned();
            let open = match entry["webhook"]["failurePolicy"].as_str() {
                Some("NoOpinion") => true,
                Some("Deny") => false,
                _ if kind != "Webhook" => false,
                _ => return Err("a webhook says nothing of its failure".to_owned()),
            };
            Ok((kind, name, open))
        })
        .collect()
}

/// An entry of an `EncryptionConfiguration`: resources and their providers in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Encryption {
    /// The resource as the file names it.
    pub resource: String,
    /// Its providers.
    pub providers: Vec<&'static str>,
}

/// Reads an `EncryptionConfiguration` without its keys.
///
/// # Errors
/// Why it is none.
pub(super) fn encryption(json: &Json) -> Result<Vec<Encryption>, String> {
    kind_is(json, "EncryptionConfiguration").or_else(|why| {
        // Its name until 1.13, which is still read.
        kind_is(json, "EncryptionConfig").map_err(|_| why)
    })?;
    let mut entries = Vec::new();
    for entry in list(json, "resources")? {
        let providers: Vec<&'static str> = list(entry, "providers")?.iter().map(provider).collect::<Result<_, _>>()?;
        if providers.is_empty() {
            return Err("resources have no provider".to_owned());
        }
        for resource in list(entry, "resources")? {
            let resource = resource.as_str().ok_or("a resource is no text")?.to_owned();
            entries.push(Encryption { resource, providers: providers.clone() });
        }
        if entries.len() > MOST {
            return Err(format!("it names more than {MOST} resources"));
        }
    }
    if entries.is_empty() {
        return Err("it names no resource".to_owned());
    }
    Ok(entries)
}

fn provider(json: &Json) -> Result<&'static str, String> {
    let Json::Object(map) = json else { return Err("a provider is no object".to_owned()) };
    let mut names = map.iter().filter(|(_, value)| !value.is_null());
    match (names.next(), names.next()) {
        (Some((name, value)), None) => match name.as_str() {
            "identity" => Ok("identity"),
            "aescbc" => Ok("aescbc"),
            "aesgcm" => Ok("aesgcm"),
            "secretbox" => Ok("secretbox"),
            "kms" if value["apiVersion"].as_str() == Some("v2") => Ok("kms"),
            "kms" => Ok("kms-v1"),
            _ => Err("a provider is not known".to_owned()),
        },
        _ => Err("a provider is none, or more than one".to_owned()),
    }
}

/// The provider that writes a resource of the core; identity where no entry fits.
pub(super) fn writer(entries: &[Encryption], resource: &str) -> &'static str {
    let fits = |entry: &&Encryption| {
        let name = entry.resource.strip_suffix('.').filter(|n| *n != "*").unwrap_or(&entry.resource);
        name == resource || name == "*." || name == "*.*"
    };
    entries.iter().find(fits).and_then(|entry| entry.providers.first().copied()).unwrap_or("identity")
}

/// The configuration of one plugin in an `AdmissionConfiguration`: itself, or the path at which it lies.
///
/// # Errors
/// Why the file is none.
pub(super) fn plugin<'j>(json: &'j Json, name: &str) -> Result<Option<Plugin<'j>>, String> {
    kind_is(json, "AdmissionConfiguration")?;
    let Some(entry) = list(json, "plugins")?.iter().find(|p| p["name"].as_str() == Some(name)) else { return Ok(None) };
    if !entry["configuration"].is_null() {
        return Ok(Some(Plugin::Here(&entry["configuration"])));
    }
    Ok(entry["path"].as_str().filter(|p| !p.is_empty()).map(Plugin::At))
}

/// Where a plugin is configured.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plugin<'j> {
    /// In the file itself.
    Here(&'j Json),
    /// In a file of its own, whose path is relative to the first.
    At(&'j str),
}

/// What Pod Security does by default, by a `PodSecurityConfiguration`; without one, the built-in defaults.
///
/// # Errors
/// Why it is none.
pub(super) fn pod_security(json: Option<&Json>) -> Result<Value, String> {
    let nothing = Json::Null;
    let json = json.unwrap_or(&nothing);
    if !json.is_null() {
        kind_is(json, "PodSecurityConfiguration")?;
    }
    let text = |name: &str, otherwise: &str| match &json["defaults"][name] {
        Json::Null => Ok(Value::from(otherwise)),
        Json::String(text) if text.is_empty() => Ok(Value::from(otherwise)),
        Json::String(text) => Ok(Value::from(text.as_str())),
        _ => Err(format!("its {name} is no text")),
    };
    let exempt = |name: &str| {
        let items = list(&json["exemptions"], name)?;
        let texts: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
        texts.map(Value::strings).ok_or_else(|| format!("its {name} hold something else than text"))
    };
    Ok(Value::Object(vec![
        ("enforce", text("enforce", "privileged")?),
        ("enforce_version", text("enforce-version", "latest")?),
        ("warn", text("warn", "privileged")?),
        ("audit", text("audit", "privileged")?),
        ("exempt_namespaces", exempt("namespaces")?),
        ("exempt_users", exempt("usernames")?),
        ("exempt_runtime_classes", exempt("runtimeClasses")?),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn anonymous_requests_may_be_limited_to_paths() {
        let file = json!({ "kind": "AuthenticationConfiguration",
            "anonymous": { "enabled": true, "conditions": [{ "path": "/livez" }, { "path": "/readyz" }] },
            "jwt": [{ "issuer": { "url": "https://issuer.example" } }] });
        let read = authentication(&file).unwrap();
        assert_eq!(read.anonymous, Some((true, Some(vec!["/livez".into(), "/readyz".into()]))));
        assert_eq!(read.issuers, ["https://issuer.example"]);
        assert_eq!(authentication(&json!({ "kind": "AuthenticationConfiguration" })).unwrap().anonymous, None);
        assert!(authentication(&json!({ "kind": "Other" })).is_err());
    }

    #[test]
    fn authorizers_keep_their_order_and_say_what_their_failure_means() {
        let file = json!({ "kind": "AuthorizationConfiguration", "authorizers": [
            { "type": "Webhook", "name": "opa", "webhook": { "failurePolicy": "NoOpinion" } },
            { "type": "Node", "name": "node" }, { "type": "RBAC", "name": "rbac" }] });
        let read = authorization(&file).unwrap();
        assert_eq!(read[0], ("Webhook".into(), "opa".into(), true));
        assert_eq!(read[2].0, "RBAC");
        let silent =
            json!({ "kind": "AuthorizationConfiguration", "authorizers": [{ "type": "Webhook", "webhook": {} }] });
        assert!(authorization(&silent).is_err());
    }

    #[test]
    fn the_first_entry_and_its_first_provider_write() {
        let file = json!({ "kind": "EncryptionConfiguration", "resources": [
            { "resources": ["events"], "providers": [{ "identity": {} }] },
            { "resources": ["secrets"], "providers": [{ "identity": {} }, { "aescbc": { "keys": [{ "secret": "S3CRET" }] } }] },
            { "resources": ["*.*"], "providers": [{ "kms": { "apiVersion": "v2", "name": "k" } }] }] });
        let entries = encryption(&file).unwrap();
        assert_eq!(writer(&entries, "secrets"), "identity");
        assert_eq!(writer(&entries, "configmaps"), "kms");
        assert!(!format!("{entries:?}").contains("S3CRET"));
        let core = json!({ "kind": "EncryptionConfiguration",
            "resources": [{ "resources": ["*."], "providers": [{ "secretbox": {} }, { "identity": {} }] }] });
        assert_eq!(writer(&encryption(&core).unwrap(), "secrets"), "secretbox");
        let apps = json!({ "kind": "EncryptionConfiguration",
            "resources": [{ "resources": ["*.apps"], "providers": [{ "kms": { "name": "k" } }] }] });
        assert_eq!(writer(&encryption(&apps).unwrap(), "secrets"), "identity");
    }

    #[test]
    fn broken_encryption_is_no_answer() {
        for file in [
            json!({ "kind": "EncryptionConfiguration" }),
            json!({ "kind": "EncryptionConfiguration", "resources": [{ "resources": ["secrets"], "providers": [] }] }),
            json!({ "kind": "EncryptionConfiguration", "resources": [{ "resources": ["secrets"], "providers": [{ "rot13": {} }] }] }),
            json!({ "kind": "Secret" }),
        ] {
            assert!(encryption(&file).is_err(), "{file}");
        }
    }

    #[test]
    fn pod_security_has_defaults() {
        let built_in = pod_security(None).unwrap();
        assert_eq!(built_in.field("enforce").unwrap().as_str(), Some("privileged"));
        let file = json!({ "kind": "PodSecurityConfiguration", "defaults": { "enforce": "baseline" },
            "exemptions": { "namespaces": ["kube-system"] } });
        let read = pod_security(Some(&file)).unwrap();
        assert_eq!(read.field("enforce").unwrap().as_str(), Some("baseline"));
        assert_eq!(read.field("exempt_namespaces").unwrap().to_string(), "[kube-system]");
    }

    #[test]
    fn a_plugin_is_configured_in_the_file_or_beside_it() {
        let file = json!({ "kind": "AdmissionConfiguration", "plugins": [
            { "name": "PodSecurity", "configuration": { "kind": "PodSecurityConfiguration" } },
            { "name": "EventRateLimit", "path": "limits.yaml" }] });
        assert!(matches!(plugin(&file, "PodSecurity"), Ok(Some(Plugin::Here(_)))));
        assert_eq!(plugin(&file, "EventRateLimit"), Ok(Some(Plugin::At("limits.yaml"))));
        assert_eq!(plugin(&file, "ImagePolicyWebhook"), Ok(None));
    }
}
