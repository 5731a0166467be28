//! SARIF with a threat model.

use std::collections::HashSet;

use seaworthy_core::diagram::Diagram;
use seaworthy_core::threat::{Rating, Status, Subject};
use serde_json::Value;

use super::{Log, RESULTS};
use crate::testing_model::{World, hostile, usual, with_workers};

fn conforms(log: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../../tests/data/sarif-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(log).map(|e| format!("{}: {e:.300}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn log(model: &seaworthy_core::assessment::Assessment<'_>, all: bool, most: usize) -> Value {
    let report = crate::Report { audit: model.audit, model: Some(model), since: None, narrowed: &[] };
    serde_json::to_value(Log { report, all, most }).unwrap()
}

fn sarif(world: &World, all: bool) -> Value {
    let audit = world.audit();
    log(&world.assessment(&audit), all, RESULTS)
}

fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().unwrap()
}

fn of<'v>(log: &'v Value, rules: &str) -> Vec<&'v Value> {
    results(log).iter().filter(|r| r["ruleId"].as_str().unwrap().starts_with(rules)).collect()
}

#[test]
fn threats_and_paths_are_results_and_conform() {
    let world = usual();
    let log = sarif(&world, true);
    conforms(&log);
    let audit = world.audit();
    let model = world.assessment(&audit);
    let threats = of(&log, "threat/");
    assert_eq!(threats.len(), model.threats.len());
    let count = |kind: &str| threats.iter().filter(|r| r["kind"] == kind && r["suppressions"].is_null()).count();
    let with = |status| model.threats.iter().filter(|t| t.status == status).count();
    assert_eq!(count("fail"), with(Status::Open));
    assert_eq!(count("open") + count("review"), with(Status::Undetermined));
    assert_eq!(count("pass"), with(Status::Answered));
    let accepted: Vec<_> = threats.iter().filter(|r| r["suppressions"].is_array()).collect();
    assert_eq!(accepted.len(), with(Status::Accepted));
    assert!(accepted[0]["suppressions"][0]["justification"].as_str().unwrap().contains("accepted by platform"));
    assert_eq!(of(&log, "docker/").len() + threats.len() + of(&log, "path/").len(), results(&log).len());

    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let mut lines = HashSet::new();
    for result in results(&log) {
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        assert_eq!(result["level"] == "none", result["kind"] != "fail");
        let line = result["partialFingerprints"]["primaryLocationLineHash"].to_string();
        assert!(lines.insert((result["ruleId"].to_string(), line)));
    }
    assert!(rules.iter().all(|r| r["properties"]["tags"].as_array().unwrap().len() <= 20));
    assert!(of(&self::sarif(&world, false), "threat/").iter().all(|r| r["kind"] != "pass"));
}

#[test]
fn a_path_is_a_code_flow() {
    let log = sarif(&usual(), false);
    let paths = of(&log, "path/host-root");
    assert_eq!(paths.len(), 2);
    assert_eq!((&paths[0]["kind"], &paths[0]["level"]), (&"fail".into(), &"error".into()));
    assert_eq!((&paths[1]["kind"], &paths[1]["level"]), (&"open".into(), &"none".into()));
    let steps = paths[1]["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
    let told: Vec<&str> = steps.iter().map(|s| s["location"]["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 5);
    assert_eq!(told[0], "anybody on the internet");
    assert!(told[1].starts_with("the internet breaks into web through its published port: gains code in web."));
    assert!(told[1].contains("Only possible: whether the packet filter lets it through was not read."), "{}", told[1]);
    assert!(told[3].contains("runtime_sockets = "), "{}", told[3]);
    assert!(told[4].ends_with("gains root on the host."), "{}", told[4]);
    assert_eq!(steps[1]["taxa"][0]["id"], "T1190");
    let text = paths[1]["message"]["text"].as_str().unwrap();
    assert!(text.contains("it would be proven if this were known: whether the packet filter"), "{text}");
    let said = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(said.contains("there are more ways than the 1 that are listed"), "{said}");
    assert!(said.contains("is orphaned"), "{said}");
}

#[test]
fn the_ways_of_a_pair_are_one_result() {
    let world = usual();
    let audit = world.audit();
    let mut model = world.assessment(&audit);
    let possible = model.paths.list[1].clone();
    model.paths.list.extend((0..5).map(|i| {
        let mut path = possible.clone();
        path.effort += 1 + i;
        if i == 4 {
            path.certainty = seaworthy_core::diagram::Certainty::Proven;
        }
        path
    }));
    let log = log(&model, false, RESULTS);
    conforms(&log);
    let paths = of(&log, "path/");
    assert_eq!(paths.len(), 2);
    let text = paths[1]["message"]["text"].as_str().unwrap();
    assert!(text.starts_with(
        "anybody on the internet: assumed: 6 ways to root on the host. The first: assumed, 4 steps, effort 19; it assumes a flaw in \
         the service behind the port."
    ));
    assert!(text.ends_with("3 of them are shown; a report as JSON has all."), "{text}");
    assert_eq!((&paths[1]["kind"], paths[1]["codeFlows"].as_array().unwrap().len()), (&"fail".into(), 3));
}

fn nodes<'v>(of: &'v Value, out: &mut Vec<&'v str>) {
    for node in of.as_array().into_iter().flatten() {
        out.push(node["id"].as_str().unwrap());
        nodes(&node["children"], out);
    }
}

#[test]
fn the_diagram_is_the_graph() {
    let world = usual();
    let log = sarif(&world, false);
    let audit = world.audit();
    let diagram = world.assessment(&audit).diagram;
    let graph = &log["runs"][0]["graphs"][0];
    let mut all = Vec::new();
    nodes(&graph["nodes"], &mut all);
    let ids: HashSet<&str> = all.iter().copied().collect();
    assert_eq!((all.len(), ids.len()), (diagram.elements.len() + diagram.zones.len(), all.len()));
    let edges = graph["edges"].as_array().unwrap();
    assert_eq!(edges.len(), diagram.flows.len());
    for end in ["sourceNodeId", "targetNodeId"] {
        assert!(edges.iter().all(|e| ids.contains(e[end].as_str().unwrap())));
    }
    assert!(graph["nodes"].to_string().contains("ci (container)"));
}

#[test]
fn every_reference_to_a_taxonomy_leads_into_it() {
    let log = sarif(&usual(), true);
    let run = &log["runs"][0];
    let names: Vec<&Value> = run["taxonomies"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    let known: HashSet<(usize, &str)> = run["taxonomies"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .flat_map(|(i, t)| t["taxa"].as_array().unwrap().iter().map(move |x| (i, x["id"].as_str().unwrap())))
        .collect();
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap().iter();
    let of_rules = rules.flat_map(|r| r["relationships"].as_array().into_iter().flatten()).map(|r| &r["target"]);
    let of_results = results(&log).iter().flat_map(|r| r["taxa"].as_array().into_iter().flatten());
    let mut references = 0;
    for reference in of_rules.chain(of_results) {
        let of = reference["toolComponent"]["index"].as_u64().unwrap() as usize;
        assert_eq!(&reference["toolComponent"]["name"], names[of]);
        assert!(known.contains(&(of, reference["id"].as_str().unwrap())));
        references += 1;
    }
    assert!(references > 20);
}

#[test]
fn too_many_are_cut_the_least_grave_first() {
    let world = with_workers(200);
    let audit = world.audit();
    let model = world.assessment(&audit);
    let open = model.threats.iter().filter(|t| t.status == Status::Open).count();
    let failing = audit.findings.iter().zip(&audit.waived);
    let failing = failing.filter(|(f, w)| f.judgement.verdict == super::Verdict::Fail && w.is_none()).count();
    let most = open + failing + 1;
    let cut = log(&model, true, most);
    assert_eq!(results(&cut).len(), most);
    assert!(results(&cut).iter().all(|r| r["kind"] == "fail"));
    assert_eq!(of(&cut, "path/").len(), 1);
    let said = cut["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(said.contains("results are left out"), "{said}");
}

#[test]
fn hostile_and_empty_models_conform() {
    for text in ["", "\u{1b}[2J\n", "[x](http://evil.test) {0}", "\u{202e}a", "../..", &"long ".repeat(20_000)] {
        let log = sarif(&hostile(text), true);
        conforms(&log);
        assert!(!log.to_string().contains(['\u{202e}', '\u{1b}']));
        assert!(log.to_string().len() < 4 << 20);
    }
    let world = usual();
    let audit = world.audit();
    let mut model = world.assessment(&audit);
    model.diagram = Diagram::default();
    model.paths.list.clear();
    model.paths.more.clear();
    model.threats.iter_mut().for_each(|t| t.subject = Subject::Unlisted(0));
    model.threats.iter_mut().for_each(|t| t.impact = Rating::default());
    let log = log(&model, true, RESULTS);
    conforms(&log);
    let open = of(&log, "threat/").into_iter().filter(|r| r["kind"] == "fail");
    assert!(open.clone().count() > 0 && open.into_iter().all(|r| r["level"] == "warning"));
}
