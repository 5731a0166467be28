//! Whether the default log driver takes logs off the host.

use std::net::IpAddr;

use serde_json::Value as Json;

use crate::daemon::keys;

/// Drivers that come with the engine and send nothing away: to files of its own, or to the journal of the host.
const LOCAL: [&str; 5] = ["json-file", "local", "none", "journald", "etwlogs"];
/// Drivers whose service is elsewhere by its nature.
const REMOTE: [&str; 3] = ["awslogs", "gcplogs", "logentries"];

/// Whether a driver with these options sends logs off the host: a socket or an address of the host itself, or of a
/// container on it, does not. `is_here` says that of an address that is not loopback.
///
/// # Errors
/// Why that is not known: options or the host's addresses that are not known, or a plugin, which may do anything.
pub(super) fn leave_host(
    driver: &str,
    options: Result<&Json, String>,
    is_here: impl Fn(IpAddr) -> Result<bool, String>,
) -> Result<bool, String> {
    let option = match driver {
        _ if LOCAL.contains(&driver) => return Ok(false),
        _ if REMOTE.contains(&driver) => return Ok(true),
        "syslog" => "syslog-address",
        "fluentd" => "fluentd-address",
        "gelf" => "gelf-address",
        "splunk" => "splunk-url",
        _ => return Err("where this plugin sends logs is not known".to_owned()),
    };
    // Without an address syslog and fluentd take the host's own; the others would not start containers.
    match options?.get(option).and_then(Json::as_str) {
        None | Some(keys::THIS_HOST) => Ok(false),
        Some(address) => address.parse().map_or(Ok(true), |ip| is_here(ip).map(|here| !here)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_relay_on_the_host_is_not_central() {
        let is_here = |ip: IpAddr| {
            if ip.is_ipv6() { Err("denied".to_owned()) } else { Ok(ip == IpAddr::from([10, 0, 0, 5])) }
        };
        for (driver, options, expected) in [
            ("json-file", json!({}), Ok(false)),
            ("none", json!({}), Ok(false)),
            ("journald", json!({}), Ok(false)),
            ("syslog", json!({}), Ok(false)),
            ("syslog", json!({"syslog-address": "unix:///dev/log"}), Ok(false)),
            ("syslog", json!({"syslog-address": "unixgram:///dev/log"}), Ok(false)),
            ("syslog", json!({"syslog-address": "udp://127.0.0.1:514"}), Ok(false)),
            ("syslog", json!({"syslog-address": "tcp://[::1]:514"}), Ok(false)),
            ("syslog", json!({"syslog-address": "tcp://localhost"}), Ok(false)),
            ("syslog", json!({"syslog-address": "udp://:514"}), Ok(false)),
            ("syslog", json!({"syslog-address": "tcp+tls://logs.example.com:6514"}), Ok(true)),
            ("fluentd", json!({"fluentd-address": "10.0.0.9:24224"}), Ok(true)),
            ("fluentd", json!({"fluentd-address": "localhost:24224"}), Ok(false)),
            ("gelf", json!({"gelf-address": "udp://192.0.2.9:12201"}), Ok(true)),
            ("gelf", json!({"gelf-address": "udp://10.0.0.5:12201"}), Ok(false)),
            ("splunk", json!({"splunk-url": "https://user:word@10.0.0.5:8088/x"}), Ok(false)),
            ("splunk", json!({"splunk-url": "https://user:word@127.0.0.1"}), Ok(false)),
            ("syslog", json!({"syslog-address": "tcp://[::ffff:10.0.0.5]:514"}), Ok(false)),
            ("syslog", json!({"syslog-address": "tcp://[2001:db8::1]:514"}), Err("denied".to_owned())),
            ("awslogs", json!({}), Ok(true)),
        ] {
            let kept = options.as_object().unwrap().iter().map(|(name, value)| {
                let kept = keys::log_option(name, value.as_str().unwrap());
                (name.clone(), json!(kept.unwrap_or_else(|| keys::HIDDEN.to_owned())))
            });
            let kept = Json::Object(kept.collect());
            assert_eq!(leave_host(driver, Ok(&kept), is_here), expected, "{driver} {options}");
        }
        assert!(leave_host("loki", Ok(&json!({})), is_here).is_err());
        assert!(leave_host("syslog", Err("the file changed".into()), is_here).is_err());
        assert_eq!(leave_host("local", Err("the file changed".into()), is_here), Ok(false));
    }
}
