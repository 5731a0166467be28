//! What the daemon's own host tells of swarm, and its API does not: where it listens, and where its data goes.

use std::net::{IpAddr, SocketAddr};

use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value;
use serde_json::Value as Json;

use super::daemon::bounded;
use crate::daemon::find::Daemon;

/// The largest state file that is read: 1 MiB.
const LIMIT: usize = 1 << 20;

/// Completes the swarm's component by the daemon's sockets and by the state that it keeps on disk.
pub(super) fn complete(swarm: &mut Component, engine: &Component, daemon: Result<&Daemon, &str>, data_root: &str) {
    let path = format!("{data_root}/swarm/docker-state.json");
    let state = state(daemon, &path);
    let (listens, place) = match engine.value("swarm_listen") {
        Value::List(found) if !found.is_empty() => (Ok(Value::List(found.clone())), "the daemon's sockets"),
        other => {
            let stated = state.clone().and_then(|state| match state.get("ListenAddr").and_then(Json::as_str) {
                Some(address) if !address.is_empty() => Ok(Value::List(vec![bounded(&format!("tcp://{address}"))])),
                _ => Err("its state names no address".to_owned()),
            });
            (stated.map_err(|why| other.reason().map_or(why, ToString::to_string)), path.as_str())
        }
    };
    let everywhere = listens.as_ref().map_err(Clone::clone).map(|all| {
        let mut addresses = all.as_list().unwrap_or_default().iter().filter_map(Value::as_str);
        addresses.any(is_everywhere)
    });
    let separate = state.and_then(|state| separate(&state, swarm.value("advertise_address").as_str()));
    let mut put = |fact: &str, value: Result<Value, String>, place: &str| match value {
        Ok(value) => swarm.set(fact, value, Source::place(place)),
        Err(why) => swarm.set_unknown(fact, why, Source::place(place)),
    };
    put("listen_addresses", listens, place);
    put("listens_everywhere", everywhere.map(Value::Bool), place);
    put("data_path_separate", separate.map(Value::Bool), &path);
}

/// The daemon's own record of how it takes part.
fn state(daemon: Result<&Daemon, &str>, path: &str) -> Result<Json, String> {
    let bytes = daemon.map_err(str::to_owned)?.view().and_then(|root| root.read(path, LIMIT));
    let bytes = bytes.map_err(|why| format!("{path}: {why}"))?;
    serde_json::from_slice(&bytes).map_err(|_| format!("{path}: it is no JSON"))
}

fn is_everywhere(address: &str) -> bool {
    let address = address.strip_prefix("tcp://").unwrap_or(address);
    address.parse::<SocketAddr>().is_ok_and(|a| a.ip().to_canonical().is_unspecified())
}

/// Whether data has an address of its own beside the one by which the node is managed.
fn separate(state: &Json, advertised: Option<&str>) -> Result<bool, String> {
    let text = |name: &str| state.get(name).and_then(Json::as_str).unwrap_or_default();
    let data = text("DataPathAddr");
    if data.is_empty() {
        return Ok(false);
    }
    let stated = text("AdvertiseAddr").rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
    let managed = stated.filter(|a| !a.is_empty()).or(advertised).ok_or("the address of management is not known")?;
    match (data.parse::<IpAddr>(), managed.parse::<IpAddr>()) {
        (Ok(data), Ok(managed)) => Ok(data.to_canonical() != managed.to_canonical()),
        _ => Err("its state holds no address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn data_is_separate_by_its_address() {
        for (state, expected) in [
            (json!({"DataPathAddr": "", "AdvertiseAddr": "10.0.0.1:2377"}), Some(false)),
            (json!({"DataPathAddr": "10.0.0.1", "AdvertiseAddr": "10.0.0.1:2377"}), Some(false)),
            (json!({"DataPathAddr": "10.1.0.1", "AdvertiseAddr": "10.0.0.1:2377"}), Some(true)),
            (json!({"DataPathAddr": "10.1.0.1", "AdvertiseAddr": ""}), Some(true)),
            (json!({"DataPathAddr": "eth0", "AdvertiseAddr": "10.0.0.1:2377"}), None),
        ] {
            assert_eq!(separate(&state, Some("10.0.0.1")).ok(), expected, "{state}");
        }
        assert!(is_everywhere("tcp://[::]:2377") && is_everywhere("tcp://0.0.0.0:7946"));
        assert!(!is_everywhere("tcp://127.0.0.1:2377"));
    }
}
