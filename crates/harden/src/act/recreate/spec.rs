//! A container's run specification: what `POST /containers/create` has to be told to get such a container again.
//!
//! It is taken from `inspect` as raw JSON, so that fields which this build has never heard of survive. Taken away is what
//! the engine fills in by itself and refuses, or would freeze, when it is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::{Object, field, id_of, is_empty, object, strings, text};
use super::mounts;
use super::seen::{ALL_NETWORKS_AT_CREATE, Seen, first_network};

/// What a container is created from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spec {
    /// The top level of the body.
    pub config: Object,
    /// `HostConfig`.
    pub host: Object,
    /// `EndpointsConfig`, by network.
    pub endpoints: BTreeMap<String, Object>,
}

/// What an endpoint shows of its running, not of its configuration.
const OPERATIONAL: [&str; 11] = [
    "EndpointID",
    "NetworkID",
    "Gateway",
    "IPAddress",
    "IPPrefixLen",
    "IPv6Gateway",
    "GlobalIPv6Address",
    "GlobalIPv6PrefixLen",
    "GlobalIPv6PrefixLength",
    "DNSNames",
    "MacAddress",
];

/// What the engine decides where it is not told, and then shows.
const FILLED_IN: [&str; 6] = ["Runtime", "ShmSize", "IpcMode", "CgroupnsMode", "LogConfig", "ConsoleSize"];

impl Spec {
    /// The specification of a container that is there.
    pub fn of(seen: &Seen) -> Self {
        let host = host(&seen.inspect);
        let mut spec = Self { config: config(seen, &host), endpoints: endpoints(seen, &host), host };
        spec.start_where_it_is(&seen.inspect);
        mounts::by_name(&mut spec, &seen.inspect);
        if seen.lost_source {
            mounts::resolve_volumes_from(&mut spec, &seen.inspect);
        }
        spec
    }

    /// How it is told which network it starts in.
    pub fn mode(&self) -> &str {
        field(&self.host, "NetworkMode")
    }

    /// Whether it has a network stack of its own that networks are connected to.
    pub fn has_networks(&self) -> bool {
        !matches!(self.mode(), "host" | "none") && !self.mode().starts_with("container:")
    }

    /// A container may have left the network that it was created in, or name it by its id: the new one starts in one that
    /// the old one is in.
    fn start_where_it_is(&mut self, inspect: &Value) {
        let mode = self.mode().to_owned();
        if !self.has_networks() || self.endpoints.contains_key(first_network(&mode)) {
            return;
        }
        let networks = object(inspect, "/NetworkSettings/Networks");
        let by_id = networks.iter().find(|(_, e)| mode.len() >= 12 && text(e, "/NetworkID").starts_with(&mode));
        let place = by_id.map(|(name, _)| name).or_else(|| self.endpoints.keys().next()).cloned();
        if let Some(place) = place {
            self.host.insert("NetworkMode".into(), place.into());
        }
    }

    /// The body of `POST /containers/create`, and the networks that have to be connected after it, since the engine takes
    /// only one with it. `marker` is how the container is known again.
    pub fn body(&self, marker: &str, api: (u32, u32)) -> (Value, Vec<(String, Value)>) {
        let mut host = self.host.clone();
        host.insert("ContainerIDFile".into(), marker.into());
        let first = first_network(self.mode());
        let all = api >= ALL_NETWORKS_AT_CREATE;
        let is_at_once = |name: &str| all || name == first;
        let at_once: Object = (self.endpoints.iter().filter(|(name, _)| is_at_once(name)))
            .map(|(name, endpoint)| (name.clone(), endpoint.clone().into()))
            .collect();
        let later = (self.endpoints.iter().filter(|(name, _)| !is_at_once(name)))
            .map(|(name, endpoint)| (name.clone(), endpoint.clone().into()))
            .collect();
        let mut body = self.config.clone();
        body.insert("HostConfig".into(), host.into());
        body.insert("NetworkingConfig".into(), json!({ "EndpointsConfig": at_once }));
        (body.into(), later)
    }

    /// Where another specification says something else, by the fields' names: no value, since values may be secret.
    pub fn differences(&self, is: &Self) -> Vec<String> {
        let mut found = Vec::new();
        compare(&self.config, &is.config, "Config", &mut found);
        compare(&self.host, &is.host, "HostConfig", &mut found);
        let networks: std::collections::BTreeSet<_> = self.endpoints.keys().chain(is.endpoints.keys()).collect();
        for name in networks {
            match (self.endpoints.get(name), is.endpoints.get(name)) {
                (Some(a), Some(b)) => compare(a, b, &format!("network {name:?}"), &mut found),
                _ => found.push(format!("network {name:?}")),
            }
        }
        found
    }
}

fn host(inspect: &Value) -> Object {
    let mut host = object(inspect, "/HostConfig");
    host.remove("ContainerIDFile");
    let links: Vec<Value> = strings(host.get("Links")).iter().map(|l| link(l).into()).collect();
    if !links.is_empty() {
        host.insert("Links".into(), links.into());
    }
    host
}

/// `inspect` shows `/db:/web/alias`; it is given as `db:alias`.
pub(super) fn link(shown: &str) -> String {
    let (target, alias) = shown.split_once(':').unwrap_or((shown, shown));
    let alias = alias.rsplit('/').next().unwrap_or(alias);
    format!("{}:{alias}", target.trim_start_matches('/'))
}

fn config(seen: &Seen, host: &Object) -> Object {
    let mut config = object(&seen.inspect, "/Config");
    let mode = field(host, "NetworkMode");
    let hostname = field(&config, "Hostname").to_owned();
    let joins = mode.starts_with("container:");
    let made_up = id_of(&seen.inspect).get(..12) == Some(hostname.as_str())
        || (mode == "host" && hostname == seen.host_name)
        || field(host, "UTSMode") == "host"
        || joins;
    if made_up {
        config.remove("Hostname");
    }
    if joins {
        // The image's, which the engine refuses when told and takes by itself.
        config.remove("ExposedPorts");
    }
    if !seen.macs.is_empty() {
        config.remove("MacAddress");
    }
    if config.get("Entrypoint").is_none_or(Value::is_null) {
        // The engine takes null for "as the image has it", and an empty program for none at all, which it then shows as null.
        config.insert("Entrypoint".into(), json!([""]));
    }
    if !seen.by_reference {
        config.insert("Image".into(), text(&seen.inspect, "/Image").into());
    }
    config
}

fn endpoints(seen: &Seen, host: &Object) -> BTreeMap<String, Object> {
    let mode = field(host, "NetworkMode");
    if matches!(mode, "host" | "none") || mode.starts_with("container:") {
        return BTreeMap::new();
    }
    let short = id_of(&seen.inspect).get(..12).unwrap_or_default();
    let mut endpoints = BTreeMap::new();
    for (name, endpoint) in object(&seen.inspect, "/NetworkSettings/Networks") {
        let Value::Object(mut endpoint) = endpoint else { continue };
        for key in OPERATIONAL {
            endpoint.remove(key);
        }
        endpoint.retain(|_, value| !is_empty(value));
        let aliases = strings(endpoint.get("Aliases"));
        let own: Vec<Value> = aliases.into_iter().filter(|a| a != short).map(Value::from).collect();
        endpoint.remove("Aliases");
        if !own.is_empty() {
            endpoint.insert("Aliases".into(), own.into());
        }
        if let Some(mac) = seen.macs.get(&name) {
            endpoint.insert("MacAddress".into(), mac.as_str().into());
        }
        endpoints.insert(name, endpoint);
    }
    endpoints
}

fn compare(want: &Object, is: &Object, place: &str, found: &mut Vec<String>) {
    let keys: std::collections::BTreeSet<_> = want.keys().chain(is.keys()).collect();
    for key in keys {
        let (a, b) = (want.get(key).unwrap_or(&Value::Null), is.get(key).unwrap_or(&Value::Null));
        let same = match key.as_str() {
            // An empty list asks for none, null for the engine's own.
            "MaskedPaths" | "ReadonlyPaths" => a.is_null() || a == b,
            key if is_empty(a) && FILLED_IN.contains(&key) => true,
            // In these the order means something.
            "Cmd" | "Entrypoint" | "Healthcheck" => (is_empty(a) && is_empty(b)) || a == b,
            "CapAdd" | "CapDrop" => capabilities(a) == capabilities(b),
            _ => settled(a) == settled(b),
        };
        if !same {
            found.push(format!("{place}.{key}"));
        }
    }
}

fn capabilities(list: &Value) -> Vec<String> {
    let mut names: Vec<String> = strings(Some(list)).iter().map(|n| super::caps::bare(n)).collect();
    names.sort();
    names
}

/// A value without what says nothing, and with its lists in one order.
fn settled(value: &Value) -> Value {
    match value {
        v if is_empty(v) => Value::Null,
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(settled).collect();
            list.sort_by_key(Value::to_string);
            list.into()
        }
        Value::Object(o) => {
            let kept = o.iter().filter(|(_, v)| !is_empty(v)).map(|(k, v)| (k.clone(), settled(v)));
            // Lists are put in order by their items' text, which must not depend on the order of fields.
            Value::Object(kept.collect::<BTreeMap<_, _>>().into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::recreate::options::merge;
    use proptest::prelude::*;
    use seaworthy_core::plan::SpecChange;

    fn seen(inspect: Value, api: (u32, u32)) -> Seen {
        let (image, macs) = (Value::Null, BTreeMap::new());
        Seen { inspect, image, by_reference: true, api, host_name: "host".into(), macs, lost_source: true }
    }

    /// Any JSON, made of the fields that an engine answers with.
    fn anything() -> impl Strategy<Value = Value> {
        let names = "Id|Name|Config|HostConfig|NetworkSettings|Networks|Mounts|Env|Labels|Links|Binds|Aliases|NetworkMode|\
                     PortBindings|80/tcp|Type|Destination|volume|container:x|SecurityOpt|VolumesFrom|Volumes|Ports";
        let text = prop::sample::select(names.split('|').collect::<Vec<_>>());
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            let fields = prop::collection::vec((text.clone(), inner.clone()), 0..8);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                fields.prop_map(|f| Value::Object(f.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_of_an_engine_makes_it_panic(inspect in anything(), value in "[a-z0-9:/=.\\[\\]-]{0,12}", new: bool) {
            let seen = seen(inspect, if new { (1, 52) } else { (1, 41) });
            let spec = Spec::of(&seen);
            prop_assert!(spec.differences(&spec).is_empty());
            for option in [
                "cap-drop", "security-opt", "volume", "publish", "env", "label", "network", "link", "device", "tmpfs",
                "log-opt", "user", "memory", "cpus", "restart", "pid", "health-cmd", "group-add",
            ] {
                let list = vec![value.clone()];
                let change = SpecChange { option: option.into(), remove: list.clone(), add: list };
                let only_added = SpecChange { remove: Vec::new(), ..change.clone() };
                for change in [change, only_added] {
                    let _ = merge(&spec, &[change], &seen).map(|s| s.body("mark", seen.api));
                }
            }
        }
    }

    #[test]
    fn what_the_engine_fills_in_is_not_told_to_it() {
        let id = "0123456789ab".repeat(6);
        let inspect = json!({
            "Id": id,
            "Config": { "Hostname": "0123456789ab", "Entrypoint": null, "Cmd": ["x"], "Image": "a:b" },
            "HostConfig": { "NetworkMode": "default", "Links": ["/db:/web/database"], "Newer": { "Field": 1 } },
            "NetworkSettings": { "Networks": { "bridge": {
                "IPAMConfig": null, "Aliases": ["0123456789ab", "own"], "IPAddress": "172.17.0.2", "MacAddress": "02:42::",
                "EndpointID": "e", "DriverOpts": { "a": "b" },
            } } },
        });
        let (body, later) = Spec::of(&seen(inspect, (1, 41))).body("mark", (1, 41));
        let want = json!({
            "Entrypoint": [""], "Cmd": ["x"], "Image": "a:b",
            "HostConfig": {
                "NetworkMode": "default", "Links": ["db:database"], "Newer": { "Field": 1 }, "ContainerIDFile": "mark",
            },
            "NetworkingConfig": { "EndpointsConfig": { "bridge": { "DriverOpts": { "a": "b" }, "Aliases": ["own"] } } },
        });
        assert_eq!((body, later), (want, Vec::new()));
    }
}
