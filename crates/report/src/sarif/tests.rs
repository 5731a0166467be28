use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::value::Value as Fact;
use serde_json::Value;

use super::*;
use crate::testing::{rendered, usual, waiver};
use crate::{Format, View};

fn sarif(world: &crate::testing::World, all: bool) -> Value {
    let options = Options { all, ..Options::default() };
    serde_json::from_str(&rendered(Format::Sarif, View::Audit, world, &options)).unwrap()
}

fn conforms(log: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../../tests/data/sarif-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(log).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn conforms_to_the_schema() {
    let mut world = usual();
    world.waivers = vec![waiver("docker/container/unprivileged", "ci"), waiver("docker/container/memory", "nobody")];
    let log = sarif(&world, true);
    conforms(&log);
    let run = &log["runs"][0];
    let kinds: Vec<&str> = run["results"].as_array().unwrap().iter().map(|r| r["kind"].as_str().unwrap()).collect();
    assert!(["fail", "open", "review", "pass"].iter().all(|k| kinds.contains(k)), "{kinds:?}");
    let waived = run["results"].as_array().unwrap().iter().find(|r| r["suppressions"].is_array()).unwrap();
    assert_eq!(waived["suppressions"][0]["kind"], "external");
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap().len(), 2);
}

#[test]
fn results_are_what_github_needs() {
    let log = sarif(&usual(), false);
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let mut fingerprints = std::collections::HashSet::new();
    for result in run["results"].as_array().unwrap() {
        assert_ne!(result["kind"], "pass");
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        assert_eq!(result["level"] == "none", result["kind"] != "fail");
        let location = &result["locations"][0];
        assert!(location["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap().starts_with("docker/local/"));
        assert_eq!(location["physicalLocation"]["region"]["startLine"], 1);
        assert!(fingerprints.insert(result["partialFingerprints"]["primaryLocationLineHash"].to_string()));
    }
    for rule in rules {
        assert!(rule["properties"]["tags"].as_array().unwrap().len() <= TAGS);
        assert!(!rule["help"]["markdown"].as_str().unwrap().is_empty());
    }
    assert_eq!(run["results"][0]["ruleId"], "docker/container/unprivileged");
    assert_eq!(rules[1]["properties"]["security-severity"], "9.5");
}

const TAGS: usize = 20;

#[test]
fn too_many_results_are_cut_and_it_is_said() {
    let world = usual();
    let report = crate::Report { audit: &world.audit(), model: None, since: None, narrowed: &[] };
    let log = serde_json::to_value(Log { report, all: false, most: 3 }).unwrap();
    conforms(&log);
    let run = &log["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 3);
    let said = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(said.contains("13 results are left out, the least grave, since GitHub takes 3"), "{said}");
    assert_eq!(run["results"][0]["ruleId"], "docker/container/unprivileged");
}

#[test]
fn paths_are_relative_and_texts_literal() {
    assert_eq!(segments("/etc/docker/daemon.json"), "etc/docker/daemon.json");
    assert_eq!(segments("../.././a b"), "%2E%2E/%2E%2E/%2E/a%20b");
    assert_eq!(segments(""), "_");
    assert_eq!(segments("\u{202e}\n"), "%E2%80%AE%0A");
    assert_eq!(literal("[a](http://b)"), "\\[a\\](http://b)");
    assert_eq!(literal("{0} [a, b]"), "{{0}} [a, b]");
}

#[test]
fn what_stands_in_a_file_is_shown_there() {
    let mut world = usual();
    let place =
        |line: i64| Fact::Object(vec![("line", line.into()), ("column", Fact::Int(3)), ("text", "ADD . /".into())]);
    let mut file = Component::new(&DOCKERFILE, "app/my Dockerfile", "app/my Dockerfile");
    file.set("adds", vec![place(7), place(9)], Source::place("app/my Dockerfile"));
    file.set("root_user", true, Source::place("app/my Dockerfile"));
    let mut target = Target::new("app", "files", "/app");
    target.components.push(file);
    world.snapshot.targets.push(target);
    let about = "docker.dockerfile";
    for (id, require) in [("docker/dockerfile/copy", "adds.size() == 0"), ("docker/dockerfile/user", "!root_user")] {
        world.checks.push(crate::testing::check(id, about, Severity::Low, "Good", Some(require)));
    }
    let log = sarif(&world, false);
    conforms(&log);
    let results = log["runs"][1]["results"].as_array().unwrap();
    let of = |rule: &str| {
        let result = results.iter().find(|r| r["ruleId"] == rule).unwrap();
        result["locations"][0]["physicalLocation"].to_string()
    };
    let expected = r#"{"artifactLocation":{"uri":"app/my%20Dockerfile"},"region":{"startLine":7,"startColumn":3}}"#;
    assert_eq!(of("docker/dockerfile/copy"), expected);
    let expected = r#"{"artifactLocation":{"uri":"app/my%20Dockerfile"},"region":{"startLine":1}}"#;
    assert_eq!(of("docker/dockerfile/user"), expected);
}
