//! Whether a registry's mirror is reached over TLS that is verified.

use std::net::IpAddr;

use seaworthy_core::cidr::{network, within};
use serde_json::Value as Json;

/// Whether a mirror is reached in clear or without verifying, given the registries and networks for which the engine
/// does not verify.
///
/// # Errors
/// Why that is not known: a name may lead into one of the networks.
pub(super) fn unverified(mirror: &str, insecure: &Result<Vec<Json>, String>) -> Result<bool, String> {
    if mirror.starts_with("http://") {
        return Ok(true);
    }
    let insecure = insecure.as_ref().map_err(Clone::clone)?;
    let address = mirror.split("://").nth(1).unwrap_or(mirror);
    let authority = address.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let mut by_network = None;
    for entry in insecure.iter().filter_map(Json::as_str) {
        let Some((network, length)) = network(entry) else {
            if entry == authority {
                return Ok(true);
            }
            continue;
        };
        match host.parse::<IpAddr>() {
            Ok(ip) if within(ip, network, length) => return Ok(true),
            Ok(_) => {}
            Err(_) => by_network = Some(entry),
        }
    }
    match by_network {
        Some(entry) => Err(format!("whether {host} lies in {entry}, where nothing is verified, was not looked up")),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mirror_in_an_insecure_network_is_not_verified() {
        let list = |entries: &[&str]| Ok(entries.iter().map(|e| json!(e)).collect());
        for (mirror, insecure, expected) in [
            ("http://m.example.com/", &[][..], Some(true)),
            ("https://m.example.com/", &[], Some(false)),
            ("https://m.example.com:5000/", &["m.example.com:5000"], Some(true)),
            ("https://10.1.2.3:5000/", &["10.0.0.0/8"], Some(true)),
            ("https://11.1.2.3:5000/", &["10.0.0.0/8"], Some(false)),
            ("https://[fd00::1]/", &["fd00::/8"], Some(true)),
            ("https://10.1.2.3/", &["0.0.0.0/0"], Some(true)),
            ("https://m.example.com/", &["10.0.0.0/8"], None),
        ] {
            assert_eq!(unverified(mirror, &list(insecure)).ok(), expected, "{mirror} {insecure:?}");
        }
        assert!(unverified("https://m/", &Err("not known".into())).is_err());
    }
}
