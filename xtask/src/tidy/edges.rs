//! Which crate may know which: `core <- {catalog, collect, model, harden, report} <- seaworthy`; siblings never meet.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

const PREFIX: &str = "seaworthy-";
const BED: &str = "seaworthy-bed";

/// Each crate of the workspace with those that it may depend on. Any may use the bed in its tests.
const EDGES: [(&str, &[&str]); 9] = [
    ("seaworthy-core", &[]),
    ("seaworthy-catalog", &["core"]),
    ("seaworthy-collect", &["core"]),
    ("seaworthy-model", &["core"]),
    ("seaworthy-harden", &["core"]),
    ("seaworthy-report", &["core"]),
    ("seaworthy", &["core", "catalog", "collect", "model", "harden", "report"]),
    ("seaworthy-bed", &[]),
    // The chores start engines to measure on, time the model and its renderings, and derive pages from the catalogue.
    ("xtask", &["bed", "core", "catalog", "model", "report"]),
];

/// Complaints about edges that are not on the list.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(root);
    let output = command.output().context("cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    Ok(complaints(&metadata))
}

fn complaints(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = EDGES.iter().find(|(crate_name, _)| *crate_name == name) else {
            complaints.push(format!("crate {name} is not on the list of crates in xtask/src/tidy/edges.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            if !EDGES.iter().any(|(crate_name, _)| *crate_name == on) {
                continue;
            }
            let in_tests = dependency["kind"] == "dev" && on == BED;
            if !in_tests && !on.strip_prefix(PREFIX).is_some_and(|short| allowed.contains(&short)) {
                complaints.push(format!("crate {name} must not know {on} (it may know: {})", allowed.join(", ")));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn one(name: &str, on: &str, kind: Value) -> usize {
        let package =
            json!({ "name": name, "dependencies": [{ "name": on, "kind": kind }, { "name": "serde", "kind": null }] });
        super::complaints(&json!({ "packages": [package] })).len()
    }

    #[test]
    fn siblings_never_meet() {
        assert_eq!(one("seaworthy-report", "seaworthy-core", Value::Null), 0);
        assert_eq!(one("seaworthy", "seaworthy-report", Value::Null), 0);
        assert_eq!(one("seaworthy-report", "seaworthy-collect", Value::Null), 1);
        assert_eq!(one("seaworthy-report", "seaworthy-collect", json!("dev")), 1);
        assert_eq!(one("seaworthy-core", "seaworthy", Value::Null), 1);
        assert_eq!(one("newcomer", "serde", Value::Null), 1);
    }

    #[test]
    fn the_bed_is_for_tests_alone() {
        assert_eq!(one("seaworthy-collect", "seaworthy-bed", json!("dev")), 0);
        assert_eq!(one("seaworthy-collect", "seaworthy-bed", Value::Null), 1);
        assert_eq!(one("seaworthy-collect", "xtask", json!("dev")), 1);
    }
}
