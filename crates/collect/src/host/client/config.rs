//! `config.json`: where credentials are kept, which context is used, what goes into containers.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::AFFECTS;
use super::url::{has_userinfo, without_userinfo};
use crate::host::gap::Gap;
use crate::host::meta::Meta;
use crate::host::root::Root;

const MOST_ENTRIES: usize = 1_000;

/// What a `config.json` says, without any secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its path, owner and mode.
    pub meta: Meta,
    /// Registries for which a credential stands in the file in plain text (base64 is plain).
    pub plain_registries: Vec<String>,
    /// Registries that are named without a credential beside them.
    pub named_registries: Vec<String>,
    /// The program that keeps credentials (`credsStore`).
    pub creds_store: Option<String>,
    /// The programs that keep those of single registries (`credHelpers`).
    pub cred_helpers: BTreeMap<String, String>,
    /// The context in use; none means the default one.
    pub current_context: Option<String>,
    /// Proxies that hold a user or password, as `default.httpProxy`. They are handed to every
    /// container that this user starts.
    pub proxies_with_credentials: Vec<String>,
    /// The names of the headers that are sent to the engine.
    pub header_names: Vec<String>,
}

/// Reads the file; none when it is absent, could not be read or is no JSON object.
pub(super) fn read(root: &Root, path: &str, gaps: &mut Vec<Gap>) -> Option<Config> {
    let text = match root.read_text(path) {
        Ok(text) => text,
        Err(unread) => {
            gaps.extend(Gap::of(path, &unread, AFFECTS));
            return None;
        }
    };
    let meta = match Meta::read(root, path) {
        Ok(meta) => meta,
        Err(unread) => {
            gaps.push(Gap::new(path, &unread, AFFECTS));
            return None;
        }
    };
    // The error's own text is not used: it could quote the file.
    let reason = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(map)) => return Some(of_json(&map, meta)),
        Ok(_) => "is no JSON object".to_owned(),
        Err(error) => format!("is no JSON (line {}, column {})", error.line(), error.column()),
    };
    gaps.push(Gap::new(path, reason, AFFECTS));
    None
}

/// The fields of a name in any case, as Go reads them.
fn fields<'a>(map: &'a Map<String, Value>, name: &'a str) -> impl Iterator<Item = &'a Value> {
    map.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text(map: &Map<String, Value>, name: &str) -> Option<String> {
    fields(map, name).filter_map(Value::as_str).last().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn entries<'a>(map: &'a Map<String, Value>, name: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    fields(map, name).filter_map(Value::as_object).flatten().take(MOST_ENTRIES)
}

fn of_json(map: &Map<String, Value>, meta: Meta) -> Config {
    let mut config = Config {
        meta,
        plain_registries: Vec::new(),
        named_registries: Vec::new(),
        creds_store: text(map, "credsStore"),
        cred_helpers: BTreeMap::new(),
        current_context: text(map, "currentContext").filter(|name| name != "default"),
        proxies_with_credentials: Vec::new(),
        header_names: Vec::new(),
    };
    for (registry, entry) in entries(map, "auths") {
        let plain = has_userinfo(registry) || entry.as_object().is_some_and(holds_credential);
        let list = if plain { &mut config.plain_registries } else { &mut config.named_registries };
        list.push(without_userinfo(registry));
    }
    for (registry, helper) in entries(map, "credHelpers") {
        let helper = helper.as_str().unwrap_or_default().to_owned();
        config.cred_helpers.insert(without_userinfo(registry), helper);
    }
    for (scope, proxies) in entries(map, "proxies") {
        for (name, value) in proxies.as_object().into_iter().flatten().take(MOST_ENTRIES) {
            let is_proxy = !name.eq_ignore_ascii_case("noProxy");
            if is_proxy && value.as_str().is_some_and(has_userinfo) {
                config.proxies_with_credentials.push(format!("{}.{name}", without_userinfo(scope)));
            }
        }
    }
    config.header_names = entries(map, "HttpHeaders").map(|(name, _)| name.clone()).collect();
    config
}

fn holds_credential(entry: &Map<String, Value>) -> bool {
    let secret = ["auth", "password", "identitytoken", "registrytoken"];
    secret.into_iter().any(|name| fields(entry, name).any(|value| value.as_str().is_some_and(|text| !text.is_empty())))
}
