use seaworthy_core::schema::docker;
use serde_json::Value;

use crate::testing::{World, rendered, usual, waiver};
use crate::{Format, Options, View};

fn report(world: &World) -> Value {
    serde_json::from_str(&rendered(Format::Json, View::Audit, world, &Options::default())).unwrap()
}

fn errors(report: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(include_str!("../../../../schemas/report-2.json")).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    validator.iter_errors(report).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn reports_conform_to_the_published_schema() {
    let mut world = usual();
    world.waivers = vec![waiver("docker/container/unprivileged", "ci"), waiver("docker/container/memory", "nobody")];
    world.snapshot.targets[0].incomplete(&docker::CONTAINER, "the engine stopped half-way");
    let report = report(&world);
    assert_eq!(errors(&report), Vec::<String>::new());
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(findings.len(), world.audit().findings.len());
    let unlisted = findings.iter().find(|f| f["component"]["id"] == "*").unwrap();
    assert_eq!((&unlisted["component"]["name"], &unlisted["verdict"]), (&"(not listed)".into(), &"unknown".into()));
    let ci = findings.iter().find(|f| f["waiver"].is_object()).unwrap();
    assert_eq!(ci["controls"][0], "cis-docker-1.8.0/5.5");
    assert_eq!(ci["facts"][0]["value"], true);
    assert_eq!(report["summary"]["benchmark"]["counts"]["fail"], 2);
    assert_eq!(report["summary"]["waived"], 1);
    let vanished = findings.iter().find(|f| f["facts"][0]["value"]["unknown"].is_string()).unwrap();
    assert_eq!(vanished["facts"][0]["value"]["unknown"], "the container vanished");
}

#[test]
fn reports_with_a_threat_model_conform() {
    for world in [crate::testing_model::usual(), crate::testing_model::hostile("<b>\u{202e}\u{1b}[2J\0")] {
        let audit = world.audit();
        let model = world.assessment(&audit);
        let mut out = Vec::new();
        super::render(crate::Report { audit: &audit, model: Some(&model), since: None, narrowed: &[] }, &mut out)
            .unwrap();
        let report: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(errors(&report), Vec::<String>::new());
        assert_eq!(report["threats"].as_array().unwrap().len(), model.threats.len());
        let steps = report["steps"].as_array().unwrap();
        for path in report["paths"].as_array().unwrap() {
            for step in path["steps"].as_array().unwrap() {
                let taken = usize::try_from(step["taken"].as_u64().unwrap()).unwrap();
                assert_eq!(steps[taken]["step"], step["step"]);
            }
        }
    }
}

#[test]
fn an_empty_report_conforms() {
    let mut world = usual();
    world.snapshot.targets.clear();
    assert_eq!(errors(&report(&world)), Vec::<String>::new());
}

#[test]
fn the_schema_refuses_other_shapes() {
    let good = report(&usual());
    let broken: [fn(&mut Value); 5] = [
        |r| r["schema"] = 1.into(),
        |r| r["findings"][0]["verdict"] = "passed".into(),
        |r| r["findings"][0]["extra"] = 1.into(),
        |r| r["collected_at"] = "yesterday".into(),
        |r| {
            r.as_object_mut().unwrap().remove("coverage");
        },
    ];
    for (i, breaks) in broken.iter().enumerate() {
        let mut report = good.clone();
        breaks(&mut report);
        assert!(!errors(&report).is_empty(), "{i}");
    }
}

#[test]
fn each_finding_is_a_line_and_the_baseline_reads_it() {
    let world = usual();
    let text = rendered(Format::Json, View::Audit, &world, &Options::default());
    let audit = world.audit();
    assert_eq!(text.lines().filter(|l| l.starts_with("  {\"check\":")).count(), audit.findings.len());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let known = crate::baseline(file.path()).unwrap();
    let mut left = world.audit();
    left.retain(|audit, f| !known.contains(&audit.fingerprint(f)));
    assert!(!left.findings.is_empty());
    assert!(left.findings.iter().all(|f| f.judgement.verdict.word() == "pass"));
}
