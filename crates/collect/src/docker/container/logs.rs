//! Where a container's output goes, and whether that ends.

use serde_json::{Map, Value as Json};

use super::super::json::{Read, cut, podman_hides};
use super::super::sheet::Sheet;
use super::Reading;

pub(super) fn fill(sheet: &mut Sheet, c: &Reading<'_>) {
    let config = c.host.get("LogConfig");
    let driver = config.get("Type").text();
    let bounded = driver.clone().and_then(|driver| log_bounded(driver, config.get("Config").map()?, c.podman()));
    sheet.read("log_bounded", "HostConfig.LogConfig", bounded);
    sheet.read("log_driver", "HostConfig.LogConfig.Type", driver.map(cut));
}

/// Whether a driver's files are bounded, or it sends elsewhere what it is given. What others keep is theirs.
pub(in super::super) fn log_bounded(driver: &str, options: &Map<String, Json>, podman: bool) -> Read<bool> {
    match driver {
        "json-file" | "k8s-file" if podman => Err(podman_hides()),
        "json-file" => Ok(options.get("max-size").and_then(Json::as_str).is_some_and(is_size)),
        // 100 MB where nothing is said.
        "local" => Ok(true),
        "none" | "passthrough" | "journald" | "syslog" | "gelf" | "fluentd" | "awslogs" | "splunk" | "gcplogs"
        | "logentries" | "etwlogs" => Ok(true),
        "" => Err("the engine does not say which log driver it uses".into()),
        other => Err(format!("whether the log driver {} keeps files, and how many, is not known", cut(other)).into()),
    }
}

/// Whether a size such as `10m` is more than nothing; `-1` is no bound.
fn is_size(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    digits.parse::<f64>().is_ok_and(|size| size > 0.0 && size.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_needs_a_size() {
        let bounded = |driver, options: Json| log_bounded(driver, options.as_object().expect("options"), false);
        assert_eq!(bounded("json-file", json!({})), Ok(false));
        assert_eq!(bounded("json-file", json!({"max-file": "3"})), Ok(false));
        assert_eq!(bounded("json-file", json!({"max-size": "10m"})), Ok(true));
        assert_eq!(bounded("json-file", json!({"max-size": "-1"})), Ok(false));
        assert_eq!(bounded("local", json!({})), Ok(true));
        assert_eq!(bounded("none", json!({})), Ok(true));
        assert!(bounded("vendor/driver:1", json!({})).is_err());
    }
}
