//! The exports of the threat model against the schemas in `data`, with usual, hostile and empty hosts.

#[path = "../src/testing_model.rs"]
mod testing_model;

use std::collections::HashSet;

use proptest::prelude::*;
use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::step::{Cut, Paths};
use seaworthy_core::threat::{Rating, Status, Subject};
use seaworthy_report::{Format, Options, Report, View, render};
use serde_json::Value;
use testing_model::{World, hostile, usual, with_workers};

const FORMATS: [Format; 4] = [Format::Otm, Format::ThreatDragon, Format::TmBom, Format::Navigator];

fn bytes(format: Format, model: &Assessment<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let report = Report { audit: model.audit, model: Some(model), since: None, narrowed: &[] };
    render(format, View::Assess, report, &Options::default(), &mut out).unwrap();
    out
}

fn parsed(format: Format, model: &Assessment<'_>) -> Value {
    serde_json::from_slice(&bytes(format, model)).unwrap()
}

fn export(format: Format, world: &World) -> Value {
    let audit = world.audit();
    parsed(format, &world.assessment(&audit))
}

fn schema(format: Format) -> &'static jsonschema::Validator {
    static SCHEMAS: std::sync::LazyLock<Vec<jsonschema::Validator>> = std::sync::LazyLock::new(|| {
        let texts = [
            include_str!("data/otm-0.2.0.json"),
            include_str!("data/threat-dragon-2.json"),
            include_str!("data/tm-bom-1.0.2.json"),
            include_str!("data/navigator-4.5.json"),
        ];
        let schema = |text| serde_json::from_str::<Value>(text).unwrap();
        texts.into_iter().map(|t| jsonschema::draft202012::new(&schema(t)).unwrap()).collect()
    });
    &SCHEMAS[FORMATS.iter().position(|f| *f == format).unwrap()]
}

fn conforms(format: Format, document: &Value) {
    let errors = schema(format).iter_errors(document).take(5);
    let errors: Vec<String> = errors.map(|e| format!("{}: {e:.300}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{format:?}: {errors:#?}");
}

fn texts<'v>(list: &'v Value, field: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

/// The ids of a list, each of which is there once.
fn ids<'v>(list: &'v Value, field: &str) -> HashSet<&'v str> {
    let all = texts(list, field);
    let ids: HashSet<&str> = all.iter().copied().collect();
    assert_eq!(ids.len(), all.len(), "an id is there twice");
    ids
}

fn cells(document: &Value) -> &Vec<Value> {
    document["detail"]["diagrams"][0]["cells"].as_array().unwrap()
}

/// What a schema cannot hold: that ids are unique and every reference leads somewhere.
fn hangs_together(format: Format, document: &Value) {
    match format {
        Format::Otm => {
            let zones = ids(&document["trustZones"], "id");
            let components = ids(&document["components"], "id");
            let threats = ids(&document["threats"], "id");
            let mitigations = ids(&document["mitigations"], "id");
            assert!(zones.is_disjoint(&components));
            for zone in document["trustZones"].as_array().unwrap() {
                assert!(zone["parent"].is_null() || zones.contains(zone["parent"]["trustZone"].as_str().unwrap()));
            }
            ids(&document["dataflows"], "id");
            for flow in document["dataflows"].as_array().unwrap() {
                assert!(components.contains(flow["source"].as_str().unwrap()));
                assert!(components.contains(flow["destination"].as_str().unwrap()));
            }
            let on = ["components", "dataflows"].map(|l| document[l].as_array().unwrap());
            for item in on.into_iter().flatten() {
                assert!(item["parent"].is_null() || zones.contains(item["parent"]["trustZone"].as_str().unwrap()));
                for instance in item["threats"].as_array().unwrap() {
                    let threat = instance["threat"].as_str().unwrap();
                    assert!(threats.contains(threat));
                    assert!(!item["attributes"][threat].as_str().unwrap().is_empty());
                    assert!(texts(&instance["mitigations"], "mitigation").iter().all(|m| mitigations.contains(m)));
                }
            }
        }
        Format::ThreatDragon => {
            let cells = cells(document);
            let all = ids(&document["detail"]["diagrams"][0]["cells"], "id");
            let mut numbers = HashSet::new();
            let mut threat_ids = HashSet::new();
            for cell in cells {
                for end in ["source", "target"] {
                    assert!(cell[end].is_null() || all.contains(cell[end]["cell"].as_str().unwrap()));
                }
                let threats = cell["data"]["threats"].as_array().map_or(&[][..], Vec::as_slice);
                let open = threats.iter().any(|t| t["status"] == "Open");
                assert_eq!(cell["data"]["hasOpenThreats"], open);
                for threat in threats {
                    assert!(numbers.insert(threat["number"].as_u64().unwrap()));
                    assert!(threat_ids.insert(threat["id"].as_str().unwrap()));
                }
            }
            let top = document["detail"]["threatTop"].as_u64().unwrap();
            assert_eq!((numbers.len() as u64, numbers.iter().max().copied().unwrap_or(0)), (top, top));
        }
        Format::TmBom => {
            let zones = ids(&document["trust_zones"], "symbolic_name");
            let [actors, components, stores, threats, personas] =
                ["actors", "components", "data_stores", "threats", "threat_personas"]
                    .map(|list| ids(&document[list], "symbolic_name"));
            for list in ["actors", "components", "data_stores"] {
                assert!(texts(&document[list], "trust_zone").iter().all(|z| zones.contains(z)));
            }
            for end in ["trust_zone_a", "trust_zone_b"] {
                assert!(texts(&document["trust_boundaries"], end).iter().all(|z| zones.contains(z)));
            }
            for flow in document["data_flows"].as_array().unwrap() {
                for end in [&flow["source"], &flow["destination"]] {
                    let pool = match end["type"].as_str().unwrap() {
                        "actor" => &actors,
                        "component" => &components,
                        _ => &stores,
                    };
                    assert!(pool.contains(end["object"].as_str().unwrap()));
                }
            }
            for threat in document["threats"].as_array().unwrap() {
                assert!(personas.contains(threat["threat_persona"].as_str().unwrap()));
                for affected in threat["components_affected"].as_array().unwrap() {
                    let affected = affected.as_str().unwrap();
                    assert!(components.contains(affected) || stores.contains(affected));
                }
            }
            for list in ["controls", "risks"] {
                ids(&document[list], "symbolic_name");
                for item in document[list].as_array().unwrap() {
                    assert!(item["threats"].as_array().unwrap().iter().all(|t| threats.contains(t.as_str().unwrap())));
                }
            }
        }
        _ => {
            ids(&document["techniques"], "techniqueID");
        }
    }
}

#[test]
fn exports_conform_and_hang_together() {
    for format in FORMATS {
        let document = export(format, &usual());
        conforms(format, &document);
        hangs_together(format, &document);
    }
}

#[test]
fn a_schema_refuses_what_is_missing() {
    for (format, part) in FORMATS.iter().zip(["project", "detail", "scope", "versions"]) {
        let mut document = export(*format, &usual());
        document.as_object_mut().unwrap().remove(part);
        assert!(!schema(*format).is_valid(&document), "{format:?}");
    }
}

/// An assessment of nothing at all, and one whose every element is gone while its threats are not.
#[test]
fn empty_diagrams_conform() {
    let mut world = usual();
    world.snapshot = Snapshot { tool: "0".into(), collected_at: 0, targets: Vec::new() };
    let audit = Audit::new(&world.snapshot, &world.checks, &world.benchmarks, &world.benchmarks[0], &[], |_| true);
    let nothing = Assessment {
        audit: &audit,
        catalog: &world.catalog,
        steps: &world.steps,
        blanks: &world.blanks,
        diagram: Diagram::default(),
        threats: Vec::new(),
        paths: Paths::default(),
        priorities: Vec::new(),
        cut: Cut::default(),
        forecast: None,
        waiver_problems: Vec::new(),
    };
    let full = usual();
    let full_audit = full.audit();
    let mut bare = full.assessment(&full_audit);
    bare.diagram = Diagram::default();
    bare.paths = Paths::default();
    bare.threats.iter_mut().for_each(|t| t.subject = Subject::Unlisted(0));
    for format in FORMATS {
        for model in [&nothing, &bare] {
            let document = parsed(format, model);
            conforms(format, &document);
            hangs_together(format, &document);
        }
        let told = bytes(format, &bare);
        assert!(format == Format::Navigator || String::from_utf8(told).unwrap().contains("(not listed)"));
    }
}

#[test]
fn what_is_not_answered_is_never_told_as_mitigated() {
    let world = usual();
    let audit = world.audit();
    let mut model = world.assessment(&audit);
    for status in Status::ALL {
        model.threats.iter_mut().for_each(|t| t.status = status);
        let answered = status == Status::Answered;
        let otm = parsed(Format::Otm, &model);
        let lists = ["components", "dataflows"].map(|l| otm[l].as_array().unwrap());
        let mut states = lists.into_iter().flatten().flat_map(|c| c["threats"].as_array().unwrap());
        assert!(states.all(|t| (t["state"] == "mitigated") == answered));
        let dragon = parsed(Format::ThreatDragon, &model);
        let mut threats = cells(&dragon).iter().filter_map(|c| c["data"]["threats"].as_array()).flatten();
        assert!(threats.all(|t| (t["status"] == "Mitigated") == answered));
        let layer = parsed(Format::Navigator, &model);
        let by_paths = ["T1610", "T1611", "T1190", "T1210"];
        let scores = layer["techniques"].as_array().unwrap();
        assert!(scores.iter().all(|t| by_paths.contains(&t["techniqueID"].as_str().unwrap())), "{scores:?}");
    }
}

#[test]
fn a_rating_that_is_not_known_makes_no_risk() {
    let world = usual();
    let audit = world.audit();
    let mut model = world.assessment(&audit);
    assert!(!parsed(Format::TmBom, &model)["risks"].as_array().unwrap().is_empty());
    model.threats.iter_mut().for_each(|t| t.likelihood = Rating::default());
    assert!(parsed(Format::TmBom, &model)["risks"].as_array().unwrap().is_empty());
    let otm = parsed(Format::Otm, &model);
    assert!(otm["threats"].as_array().unwrap().iter().all(|t| t["risk"]["likelihood"].is_null()));
    model.threats.iter_mut().for_each(|t| t.impact = Rating::default());
    let otm = parsed(Format::Otm, &model);
    assert!(otm["threats"].as_array().unwrap().iter().all(|t| t["risk"]["impact"] == 100));
    let dragon = parsed(Format::ThreatDragon, &model);
    let mut threats = cells(&dragon).iter().filter_map(|c| c["data"]["threats"].as_array()).flatten();
    assert!(threats.all(|t| t["severity"] == "TBD"));
}

#[test]
fn the_navigator_scores_the_worst() {
    let layer = export(Format::Navigator, &usual());
    let technique = |id: &str| {
        let mut all = layer["techniques"].as_array().unwrap().iter();
        all.find(|t| t["techniqueID"] == id).unwrap()
    };
    assert_eq!((&technique("T1611")["score"], &technique("T1190")["score"]), (&100.into(), &50.into()));
    let comment = technique("T1611")["comment"].as_str().unwrap();
    assert!(comment.contains("A container drives the engine (ci)"), "{comment}");
    assert!(comment.contains("proven path: code in ci to root on the host"), "{comment}");
}

#[test]
fn a_format_without_its_model_is_refused_in_one_line() {
    let world = usual();
    let audit = world.audit();
    for (name, format) in Format::ALL {
        let mut out = Vec::new();
        let report = Report { audit: &audit, model: None, since: None, narrowed: &[] };
        let result = render(format, View::Audit, report, &Options::default(), &mut out);
        assert_eq!(result.is_err(), format.needs_model(), "{name}");
        if let Err(error) = result {
            assert!(out.is_empty() && error.to_string().starts_with(&format!("`{name}` tells the threat model")));
            assert!(!error.to_string().contains('\n'));
        }
    }
}

/// A thousand containers: still conforming, bounded, and the same bytes each time.
#[test]
fn large_hosts_stay_bounded() {
    let world = with_workers(1000);
    let audit = world.audit();
    let model = world.assessment(&audit);
    for format in FORMATS {
        let first = bytes(format, &model);
        assert_eq!(first, bytes(format, &model));
        assert!(first.len() < 16 << 20, "{format:?}: {} bytes", first.len());
        let document: Value = serde_json::from_slice(&first).unwrap();
        hangs_together(format, &document);
        if format != Format::ThreatDragon {
            conforms(format, &document);
        }
    }
}

/// Whether a text could command a terminal, or reorder or hide what is around it.
fn harmful(text: &str) -> bool {
    text.chars()
        .any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'))
}

fn strings<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|v| strings(v, out)),
        Value::Object(map) => map.iter().for_each(|(key, v)| {
            out.push(key);
            strings(v, out);
        }),
        _ => {}
    }
}

fn survives(text: &str) {
    let world = hostile(text);
    for format in FORMATS {
        let document = export(format, &world);
        conforms(format, &document);
        hangs_together(format, &document);
        let mut all = Vec::new();
        strings(&document, &mut all);
        for told in all {
            assert!(!harmful(told), "{format:?}: {told:?}");
            assert!(told.chars().count() < 100_000, "{format:?}: {}", told.chars().count());
        }
    }
}

#[test]
fn names_that_attack_stay_names() {
    for text in [
        "",
        " ",
        "\u{1b}[2J\u{9b}31m",
        "a\nb\r\tc\0",
        "\u{202e}gnp.exe\u{200b}",
        "\"},{\"threats\":[{\"status\":\"Mitigated\"}",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "![x](javascript:alert(1)) [y](https://evil.test) `code`",
        "../../etc/passwd",
        "{{constructor.constructor('alert(1)')()}} ${7*7}",
    ] {
        survives(text);
    }
    survives(&"long ".repeat(20_000));
}

/// The one place where an export takes Markdown from a name: the comments of OTM's ratings.
#[test]
fn no_name_becomes_markdown() {
    let otm = export(Format::Otm, &hostile("![x](https://evil.test)<b>"));
    for threat in otm["threats"].as_array().unwrap() {
        let comment = threat["risk"]["likelihoodComment"].as_str().unwrap();
        assert!(!comment.contains("![x](https://") && !comment.contains("<b>"), "{comment}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_name_survives(text in ".{0,40}") {
        survives(&text);
    }
}
