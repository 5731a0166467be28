//! The API server's settings in effect.

use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::defaults;
use super::process::Part;
use super::sheet::{Found, NONE, Otherwise, Sheet};
use super::structured::{self, Plugin};
use super::{audit, certificates, shared};

/// Sets every fact of an API server.
pub(super) fn decide(part: &mut Part<'_>) {
    authentication(part);
    authorization(part);
    admission(part);
    ports(&mut part.sheet);
    logging(part);
    stores(part);
    encryption(part);
    limits(&mut part.sheet);
}

fn authentication(part: &mut Part<'_>) {
    anonymous(part);
    part.file("token_auth_file", "token-auth-file", "", "token-file");
    part.file("basic_auth_file", "basic-auth-file", "", "token-file");
    part.file("client_ca_file", "client-ca-file", "", "pki-cert");
    part.file("requestheader_client_ca_file", "requestheader-client-ca-file", "", "pki-cert");
    part.file("service_account_signing_key_file", "service-account-signing-key-file", "", "pki-key");
    for path in part.each_path("service-account-key-file") {
        part.uses("pki-cert", &path);
    }
    let sheet = &mut part.sheet;
    let clients = certificates::fingerprints(sheet, "client-ca-file");
    let proxies = certificates::fingerprints(sheet, "requestheader-client-ca-file");
    let shared = match (&clients, &proxies) {
        (Ok((a, source)), Ok((b, _))) => Ok((a.iter().any(|f| b.contains(f)), source.clone())),
        (Err((why, source)), _) | (_, Err((why, source))) => Err((why.clone(), source.clone())),
    };
    sheet.put("client_ca_fingerprints", clients);
    sheet.put("requestheader_ca_fingerprints", proxies);
    sheet.put("requestheader_ca_is_client_ca", shared);
    sheet.list("requestheader_allowed_names", "requestheader-allowed-names", "", Value::List(Vec::new()));
    sheet.boolean("bootstrap_token_auth", "enable-bootstrap-token-auth", "", false);
    let webhook = sheet.path_of("authentication-token-webhook-config-file", "");
    sheet.put("authentication_webhook", webhook.map(|(path, source)| (path.is_some(), source)));
    sheet.boolean("service_account_lookup", "service-account-lookup", "", true);
    sheet.each("service_account_key_files", "service-account-key-file", Value::List(Vec::new()));
    sheet.each("service_account_issuers", "service-account-issuer", Value::List(Vec::new()));
    sheet.list("api_audiences", "api-audiences", "", Value::List(Vec::new()));
    if sheet.c.value("api_audiences").as_list().is_some_and(<[_]>::is_empty) {
        let issuers = sheet.c.fact("service_account_issuers").clone();
        match issuers.value {
            Value::Unknown(why) => sheet.c.set_unknown("api_audiences", why, issuers.source),
            issued => sheet.c.set("api_audiences", issued, issuers.source),
        }
    }
    let extended = "service-account-extend-token-expiration";
    sheet.boolean("service_account_extended_expiration", extended, "", Otherwise::By(defaults::extended_tokens));
    sheet.seconds("service_account_max_token_expiration", "service-account-max-token-expiration", "", 0);
}

/// Anonymous requests and issuers of tokens: by a file, else by flags. What the file says of the former counts from the
/// start on; issuers are read again when it changes.
fn anonymous(part: &mut Part<'_>) {
    part.path("authentication-config", "authentication-config");
    let file = part.sheet.path_of("authentication-config", "");
    let (path, source) = match file {
        Ok((Some(path), _)) => {
            let source = Source::place(path.as_str());
            (path, source)
        }
        Ok((None, _)) => {
            by_flag(&mut part.sheet);
            let issuer = part.sheet.given("oidc-issuer-url", "").map(|g| g.is_some());
            match issuer {
                Ok(false) if part.sheet.run.within.is_none() => {
                    let source = part.sheet.at_flag("oidc-issuer-url");
                    part.sheet.c.set("oidc_issuers", Value::List(Vec::new()), source);
                }
                _ => part.sheet.each("oidc_issuers", "oidc-issuer-url", Value::List(Vec::new())),
            }
            return;
        }
        Err((why, source)) => {
            for fact in ["anonymous_auth", "anonymous_paths", "oidc_issuers"] {
                part.sheet.c.set_unknown(fact, why.as_str(), source.clone());
            }
            // A file that speaks of it beside the flag is refused.
            if part.sheet.given("anonymous-auth", "").is_ok_and(|given| given.is_some()) {
                by_flag(&mut part.sheet);
            }
            return;
        }
    };
    let sheet = &mut part.sheet;
    let read = shared::load(sheet.run, &path).and_then(|json| structured::authentication(&json));
    let read = match read {
        Ok(read) => read,
        Err(why) => {
            let why = format!("{path}: {why}");
            for fact in ["anonymous_auth", "anonymous_paths", "oidc_issuers"] {
                sheet.c.set_unknown(fact, why.as_str(), source.clone());
            }
            return;
        }
    };
    let issuers = sheet.strings(read.issuers);
    sheet.c.set("oidc_issuers", issuers, Source::new(&source.place, "jwt"));
    let at = || Source::new(&source.place, "anonymous");
    match (sheet.run.files.changed(&path), read.anonymous) {
        (Some(why), _) => {
            sheet.c.set_unknown("anonymous_auth", why.as_str(), at());
            sheet.c.set_unknown("anonymous_paths", why, at());
        }
        (None, Some((enabled, paths))) => {
            sheet.c.set("anonymous_auth", enabled, at());
            let paths = paths.map_or(Value::Null, |paths| sheet.strings(paths));
            sheet.c.set("anonymous_paths", paths, at());
        }
        (None, None) => by_flag(sheet),
    }
}

/// By flag. An API server that allows everything lets nobody in without a name (`ApplyAuthorization`).
fn by_flag(sheet: &mut Sheet<'_>) {
    sheet.boolean("anonymous_auth", "anonymous-auth", "", true);
    let source = sheet.at_flag("anonymous-auth");
    sheet.c.set("anonymous_paths", Value::Null, source);
    if sheet.c.value("anonymous_auth").as_bool() == Some(false) {
        return;
    }
    match modes(sheet) {
        Ok((modes, source)) if modes.iter().any(|m| m == "AlwaysAllow") => sheet.c.set("anonymous_auth", false, source),
        Ok(_) => {}
        Err((why, source)) => sheet.c.set_unknown("anonymous_auth", why, source),
    }
}

/// The file of authorizers, which is refused beside flags that name them.
fn authorizers_file(sheet: &Sheet<'_>) -> Found<Option<String>> {
    match sheet.given("authorization-mode", "") {
        Ok(Some((_, source))) => Ok((None, source)),
        _ => sheet.path_of("authorization-config", ""),
    }
}

/// The modes that flags give; empty where a file takes their place.
fn modes(sheet: &Sheet<'_>) -> Found<Vec<String>> {
    let (file, source) = authorizers_file(sheet)?;
    if file.is_some() {
        return Ok((Vec::new(), source));
    }
    sheet.find("authorization-mode", "", super::sheet::strings, |sheet| {
        sheet.otherwise(NONE).map(|_| vec!["AlwaysAllow".to_owned()])
    })
}

fn authorization(part: &mut Part<'_>) {
    part.path("authorization-config", "authorization-config");
    let sheet = &mut part.sheet;
    let webhook = |name: &str, open: bool| Value::Object(vec![("name", name.into()), ("fails_open", open.into())]);
    match authorizers_file(sheet) {
        Ok((Some(path), _)) => {
            let source = Source::new(&path.as_str().into(), "authorizers");
            match shared::load(sheet.run, &path).and_then(|json| structured::authorization(&json)) {
                Ok(read) => {
                    let kinds = sheet.strings(read.iter().map(|(kind, ..)| kind.clone()).collect());
                    sheet.c.set("authorizers", kinds, source.clone());
                    let hooks = read.iter().filter(|(kind, ..)| kind == "Webhook");
                    let hooks = hooks.map(|(_, name, open)| webhook(&sheet.run.redactor.text(name), *open)).collect();
                    sheet.c.set("authorization_webhooks", Value::List(hooks), source);
                }
                Err(why) => {
                    let why = format!("{path}: {why}");
                    sheet.c.set_unknown("authorizers", why.as_str(), source.clone());
                    sheet.c.set_unknown("authorization_webhooks", why, source);
                }
            }
        }
        Ok((None, _)) => {
            let modes = modes(sheet);
            let hooks = modes.as_ref().map(|(modes, source)| {
                // One that is named by flag leaves it to the next authorizer when it fails.
                let hooks = modes.iter().filter(|m| *m == "Webhook").map(|_| webhook("default", true)).collect();
                (Value::List(hooks), source.clone())
            });
            let hooks = hooks.map_err(Clone::clone);
            let modes = modes.map(|(modes, source)| (sheet.strings(modes), source));
            sheet.put("authorizers", modes);
            sheet.put("authorization_webhooks", hooks);
        }
        Err((why, source)) => {
            sheet.c.set_unknown("authorizers", why.as_str(), source.clone());
            sheet.c.set_unknown("authorization_webhooks", why, source);
        }
    }
}

fn admission(part: &mut Part<'_>) {
    let sheet = &mut part.sheet;
    let none = || Otherwise::Is(Value::List(Vec::new()));
    sheet.list("admission_enabled", "enable-admission-plugins", "", none());
    sheet.list("admission_disabled", "disable-admission-plugins", "", none());
    let names = |flag: &str| sheet.find(flag, "", super::sheet::strings, |s| s.otherwise(none()).map(|_| Vec::new()));
    let found = match (names("enable-admission-plugins"), names("disable-admission-plugins")) {
        (Ok((on, source)), Ok((off, _))) => match sheet.run.minor.map(|minor| (minor, defaults::admission(minor))) {
            Some((_, Some(standard))) => {
                let mut plugins: Vec<String> =
                    standard.iter().filter(|p| !off.iter().any(|o| o == *p)).map(|p| (*p).to_owned()).collect();
                // A plugin that is both enabled and disabled is refused at the start.
                plugins.extend(on.iter().filter(|p| !standard.contains(&p.as_str())).cloned());
                Ok((sheet.strings(plugins), source))
            }
            Some((minor, None)) => Err((format!("the plugins of version 1.{minor} are not known here"), source)),
            None => Err(("the version decides which are in effect and is unknown".to_owned(), source)),
        },
        (Err(why), _) | (_, Err(why)) => Err(why),
    };
    sheet.put("admission_plugins", found);
    part.file("admission_config_file", "admission-control-config-file", "", "admission-config");
    let pod_security = plugin(part, "PodSecurity").and_then(|(json, source)| {
        structured::pod_security(json.as_ref()).map(|value| (value, source.clone())).map_err(|why| (why, source))
    });
    part.sheet.put("pod_security_defaults", pod_security);
    images(part);
}

/// ImagePolicyWebhook lets images in that it gets no answer about, unless its configuration says otherwise.
fn images(part: &mut Part<'_>) {
    let fact = "image_policy_fails_open";
    let on = match part.sheet.c.value("admission_enabled").as_list() {
        Some(plugins) => plugins.iter().any(|p| p.as_str() == Some("ImagePolicyWebhook")),
        None => {
            let source = part.sheet.at_flag("enable-admission-plugins");
            part.sheet.c.set_unknown(fact, "the admission plugins are unknown", source);
            return;
        }
    };
    if !on {
        let source = part.sheet.at_flag("enable-admission-plugins");
        part.sheet.c.set(fact, Value::Null, source);
        return;
    }
    let found = plugin(part, "ImagePolicyWebhook").and_then(|(json, source)| match json {
        Some(json) => match &json["imagePolicy"]["defaultAllow"] {
            Json::Null => Ok((false, source)),
            Json::Bool(open) => Ok((*open, source)),
            _ => Err(("its defaultAllow is no truth value".to_owned(), source)),
        },
        None => Err(("it is not configured".to_owned(), source)),
    });
    part.sheet.put(fact, found);
}

/// The configuration of an admission plugin, which is read at the start.
fn plugin(part: &Part<'_>, name: &str) -> Found<Option<Json>> {
    let sheet = &part.sheet;
    let (path, source) = sheet.path_of("admission-control-config-file", "")?;
    let Some(path) = path else { return Ok((None, source)) };
    let source = Source::new(&path.as_str().into(), name.to_owned());
    let read = || -> Result<Option<Json>, String> {
        let json = shared::load_at_start(sheet.run, &path)?;
        match structured::plugin(&json, name)? {
            None => Ok(None),
            Some(Plugin::Here(json)) => Ok(Some(json.clone())),
            Some(Plugin::At(at)) => {
                let at = shared::beside(&path, at);
                shared::load_at_start(sheet.run, &at).map(Some).map_err(|why| format!("{at}: {why}"))
            }
        }
    };
    match read() {
        Ok(json) => Ok((json, source)),
        Err(why) => Err((format!("{path}: {why}"), source)),
    }
}

fn ports(sheet: &mut Sheet<'_>) {
    sheet.text("bind_address", "bind-address", "", "0.0.0.0");
    sheet.optional("advertise_address", "advertise-address", "");
    sheet.number("secure_port", "secure-port", "", 6443);
    if sheet.run.minor.is_some_and(|minor| minor >= 20) {
        // The flag had no effect any more before it went.
        let source = Source::new(&sheet.run.place, "versions from 1.20 on have no such port");
        sheet.c.set("insecure_port", 0, source.clone());
        sheet.c.set("insecure_bind_address", Value::Null, source);
    } else {
        sheet.number("insecure_port", "insecure-port", "", Otherwise::By(defaults::insecure_port));
        sheet.text("insecure_bind_address", "insecure-bind-address", "", Otherwise::By(defaults::insecure_address));
    }
    sheet.boolean("allow_privileged", "allow-privileged", "", false);
    sheet.boolean("profiling", "profiling", "", true);
    sheet.list("cors_allowed_origins", "cors-allowed-origins", "", Value::List(Vec::new()));
}

fn logging(part: &mut Part<'_>) {
    part.log("audit_log_path", "audit-log-path");
    part.sheet.number("audit_log_maxage", "audit-log-maxage", "", 0);
    part.sheet.number("audit_log_maxbackup", "audit-log-maxbackup", "", 0);
    part.sheet.number("audit_log_maxsize", "audit-log-maxsize", "", 100);
    if part.sheet.c.value("audit_log_maxsize").as_int() == Some(0) {
        // Who writes the files takes 0 for 100 (lumberjack).
        let source = part.sheet.at_flag("audit-log-maxsize");
        part.sheet.c.set("audit_log_maxsize", 100, source);
    }
    part.file("audit_webhook_config_file", "audit-webhook-config-file", "", "kubeconfig");
    part.file("audit_policy_file", "audit-policy-file", "", "audit-policy");
    let found = levels(&part.sheet);
    part.sheet.put("audit_levels", found);
}

fn levels(sheet: &Sheet<'_>) -> Found<Value> {
    let (log, _) = sheet.path_of("audit-log-path", "")?;
    let (webhook, _) = sheet.path_of("audit-webhook-config-file", "")?;
    let (policy, source) = sheet.path_of("audit-policy-file", "")?;
    let logged = log.is_some() || webhook.is_some();
    let Some(path) = policy else {
        return audit::levels(None, logged).map(|value| (value, source.clone())).map_err(|why| (why, source));
    };
    let source = Source::new(&path.as_str().into(), "rules");
    let read = shared::load_at_start(sheet.run, &path).and_then(|json| audit::levels(Some(&json), logged));
    read.map(|value| (value, source.clone())).map_err(|why| (format!("{path}: {why}"), source))
}

fn stores(part: &mut Part<'_>) {
    shared::tls(part, "", true);
    part.file("kubelet_client_certificate", "kubelet-client-certificate", "", "pki-cert");
    part.file("kubelet_client_key", "kubelet-client-key", "", "pki-key");
    part.file("kubelet_certificate_authority", "kubelet-certificate-authority", "", "pki-cert");
    part.file("etcd_cafile", "etcd-cafile", "", "pki-cert");
    part.file("etcd_certfile", "etcd-certfile", "", "pki-cert");
    part.file("etcd_keyfile", "etcd-keyfile", "", "pki-key");
    part.path("proxy-client-cert-file", "pki-cert");
    part.path("proxy-client-key-file", "pki-key");
    let sheet = &mut part.sheet;
    sheet.list("etcd_servers", "etcd-servers", "", Value::List(Vec::new()));
    if sheet.run.minor.is_some_and(|minor| minor >= 22) {
        let source = Source::new(&sheet.run.place, "versions from 1.22 on always do");
        sheet.c.set("kubelet_https", true, source);
    } else {
        sheet.boolean("kubelet_https", "kubelet-https", "", true);
    }
}

fn encryption(part: &mut Part<'_>) {
    part.file("encryption_config_file", "encryption-provider-config", "", "encryption-config");
    let sheet = &mut part.sheet;
    sheet.boolean("encryption_reload", "encryption-provider-config-automatic-reload", "", false);
    let (path, source) = match sheet.path_of("encryption-provider-config", "") {
        Ok(found) => found,
        Err((why, source)) => {
            for fact in ["encryption", "secrets_encrypted_by", "config_maps_encrypted_by"] {
                sheet.c.set_unknown(fact, why.as_str(), source.clone());
            }
            return;
        }
    };
    let Some(path) = path else {
        sheet.c.set("encryption", Value::List(Vec::new()), source.clone());
        sheet.c.set("secrets_encrypted_by", "identity", source.clone());
        sheet.c.set("config_maps_encrypted_by", "identity", source);
        return;
    };
    let source = Source::new(&path.as_str().into(), "resources");
    let reloads = sheet.c.value("encryption_reload").as_bool() == Some(true);
    let read = match reloads {
        true => shared::load(sheet.run, &path),
        false => shared::load_at_start(sheet.run, &path),
    };
    match read.and_then(|json| structured::encryption(&json)) {
        Ok(entries) => {
            for (fact, resource) in [("secrets_encrypted_by", "secrets"), ("config_maps_encrypted_by", "configmaps")] {
                sheet.c.set(fact, structured::writer(&entries, resource), source.clone());
            }
            let shown = entries.iter().take(256).map(|entry| {
                Value::Object(vec![
                    ("resource", sheet.shown(&entry.resource)),
                    ("providers", Value::strings(entry.providers.iter().copied())),
                ])
            });
            let shown = Value::List(shown.collect());
            sheet.c.set("encryption", shown, source);
        }
        Err(why) => {
            let why = format!("{path}: {why}");
            for fact in ["encryption", "secrets_encrypted_by", "config_maps_encrypted_by"] {
                sheet.c.set_unknown(fact, why.as_str(), source.clone());
            }
        }
    }
}

fn limits(sheet: &mut Sheet<'_>) {
    sheet.seconds("request_timeout", "request-timeout", "", 60);
    let given = sheet.given("request-timeout", "").map(|g| g.is_some());
    let source = sheet.at_flag("request-timeout");
    sheet.put("request_timeout_given", given.map(|given| (given, source)));
    sheet.number("max_requests_inflight", "max-requests-inflight", "", 400);
    sheet.number("max_mutating_requests_inflight", "max-mutating-requests-inflight", "", 200);
    let gate = sheet.gate("APIPriorityAndFairness", sheet.run.minor.and_then(defaults::fairness));
    sheet.boolean("priority_and_fairness", "enable-priority-and-fairness", "", true);
    match (gate, sheet.c.value("priority_and_fairness").as_bool()) {
        (_, Some(false)) => {}
        (Ok((false, source)), _) => sheet.c.set("priority_and_fairness", false, source),
        (Err((why, source)), _) => sheet.c.set_unknown("priority_and_fairness", why, source),
        (Ok(_), _) => {}
    }
    sheet.seconds("event_ttl", "event-ttl", "", 3600);
    sheet.list("runtime_config", "runtime-config", "", Value::List(Vec::new()));
}
