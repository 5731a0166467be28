//! Remedies of one list, taken in either order: the later must not take back what the former did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cases::{NAMESPACE, workload};
use super::{Bed, PATIENCE, is_open};

/// The commands of all failures of a workload that touch its capabilities, by check.
fn commands(findings: &BTreeMap<(String, String), Value>, name: &str) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let of = |component: &str| component == name || component.starts_with(&format!("{name}/"));
    for ((check, _), finding) in findings.iter().filter(|((_, component), f)| of(component) && is_open(f)) {
        let changes = finding["remedy"]["changes"].as_array().cloned().unwrap_or_default();
        let lines = changes.iter().filter_map(|change| change["command"].as_str());
        let lines: Vec<String> = lines.filter(|line| line.contains("apabilities")).map(str::to_owned).collect();
        if !lines.is_empty() {
            out.entry(check.clone()).or_default().extend(lines);
        }
    }
    out
}

#[test]
fn remedies_of_one_list_hold_in_any_order() {
    let Some(bed) = Bed::start() else { return };
    bed.cluster.create_namespace(NAMESPACE);
    let add = json!(["SYS_ADMIN", "NET_RAW", "NET_ADMIN", "NET_BIND_SERVICE"]);
    let wide = json!({ "securityContext": { "capabilities": { "add": add, "drop": ["MKNOD"] } } });
    let plain = json!({ "securityContext": { "capabilities": { "drop": ["MKNOD"] } } });
    let privileged = json!({ "securityContext": { "privileged": true, "capabilities": { "add": add } } });
    let bad = [("wide", wide), ("plain", plain), ("privileged", privileged)];
    let names: Vec<(String, bool)> =
        bad.iter().flat_map(|(name, _)| [(format!("{name}-first"), false), (format!("{name}-last"), true)]).collect();
    let objects: Vec<Value> = bad
        .iter()
        .flat_map(|(name, app)| ["first", "last"].map(|order| workload(&format!("{name}-{order}"), &json!({}), app)))
        .collect();
    bed.cluster.apply(&objects);
    let began = Instant::now();
    let mut before = bed.findings();
    let full = |name: &String| format!("{NAMESPACE}/{name}");
    while names.iter().any(|(name, _)| commands(&before, &full(name)).is_empty()) && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(500));
        before = bed.findings();
    }
    let mut asked: BTreeSet<(String, String)> = BTreeSet::new();
    for (name, backwards) in &names {
        let by_check = commands(&before, &full(name));
        assert!(by_check.len() >= 2, "{name}: {by_check:?}");
        asked.extend(by_check.keys().map(|check| (check.clone(), full(name))));
        let mut lines: Vec<&String> = by_check.values().flatten().collect();
        if *backwards {
            lines.reverse();
        }
        for line in lines {
            bed.shell(line, false).unwrap_or_else(|why| panic!("{name}: {line}\n    {why}"));
        }
    }
    let began = Instant::now();
    loop {
        let after = bed.findings();
        let left: Vec<String> = asked
            .iter()
            .filter(|(check, name)| {
                let of = |component: &str| component == name || component.starts_with(&format!("{name}/"));
                after.iter().any(|((c, component), f)| c == check && of(component) && is_open(f))
            })
            .map(|(check, name)| format!("{check} on {name}"))
            .collect();
        if left.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "taken back by a later remedy: {left:#?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}
