use proptest::prelude::*;
use seaworthy_core::assessment::Assessment;
use seaworthy_core::audit::Audit;
use seaworthy_core::diff::{Moment, diff};
use seaworthy_core::identity::fingerprint;
use seaworthy_core::threat::{Status, Subject};

use super::*;
use crate::clean::is_harmful;
use crate::testing_model::{World, at, hostile, usual, with_workers};
use crate::{Report, View};

/// The assessment, with fingerprints of threats as the model makes them.
fn assessment<'a>(world: &'a World, audit: &'a Audit<'a>) -> Assessment<'a> {
    let mut model = world.assessment(audit);
    for i in 0..model.threats.len() {
        let instance = &model.threats[i];
        let subject = match instance.subject {
            Subject::Element(e) => model.diagram.elements[e].id.as_str(),
            Subject::Flow(f) => model.diagram.flows[f].id.as_str(),
            Subject::Unlisted(_) => "*",
        };
        model.threats[i].fingerprint = fingerprint(&[&model.threat(instance).id, "local", subject]);
    }
    model.paths.unlisted = 2;
    model.paths.unsearched = vec![model.paths.list[0].from];
    model
}

fn of(world: &World) -> Moment {
    let audit = world.audit();
    Moment::of(&assessment(world, &audit))
}

fn report(world: &World) -> Vec<u8> {
    let audit = world.audit();
    let model = assessment(world, &audit);
    let mut out = Vec::new();
    let report = Report { audit: &audit, model: Some(&model), since: None, narrowed: &[] };
    crate::render(Format::Json, View::Assess, report, &Options::default(), &mut out).unwrap();
    out
}

fn rendered(format: Format, diff: &Diff, options: &Options) -> String {
    let mut out = Vec::new();
    render_diff(format, diff, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The usual host, and the same with the socket gone from `ci`, `db` no longer readable, and a container more.
fn changed() -> (Moment, Moment) {
    let before = usual();
    let mut after = with_workers(1);
    after.snapshot.collected_at += 3600;
    let components = &mut after.snapshot.targets[0].components;
    let source = || seaworthy_core::fact::Source::place("inspect");
    components[at::CI].set("privileged", false, source());
    components[at::DB].set_unknown("memory_limit", "the container vanished", source());
    components[at::WEB].set("readonly_rootfs", false, source());
    (of(&before), of(&after))
}

#[test]
fn a_report_tells_the_same_moment_as_its_assessment() {
    for world in [usual(), with_workers(30), hostile("\u{202e}\"x\n")] {
        let read = moment(&report(&world)).unwrap().unwrap();
        let own = of(&world);
        assert_eq!(read, own);
        assert!(!own.components.is_empty() && !own.flows.is_empty() && !own.more.is_empty());
        assert!(own.findings.values().any(|f| f.element.is_some()) && own.threats.values().any(|t| t.reason.is_some()));
        assert!(diff(&read, &own).is_empty());
    }
}

#[test]
fn text_and_markdown() {
    let (before, after) = changed();
    let change = diff(&before, &after);
    let text = rendered(Format::Text, &change, &Options::default());
    for said in [
        "opened        web: What runs is altered after it was built",
        "answered      ci: A privileged container takes the host",
        "undetermined  db: One container takes all memory",
        "new           container worker-0000",
        "lost          web: Root file systems are read-only",
        "won           ci: Containers are not privileged",
        "2026-09-21T14:13:20Z → 2026-09-21T15:13:20Z",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|l| crate::layout::width(l) <= 100), "{text}");
    let page = rendered(Format::Markdown, &change, &Options::default());
    assert!(page.contains("| lost | web: Root file systems are read-only | pass → fail; docker/container/read-only |"));
    let nothing = diff(&before, &before);
    assert!(rendered(Format::Text, &nothing, &Options::default()).contains("Nothing changed."));
    assert!(rendered(Format::Markdown, &nothing, &Options::default()).contains("Nothing changed."));
}

fn errors(document: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(include_str!("../../../../schemas/diff-1.json")).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let value: Value = serde_json::from_str(document).unwrap();
    validator.iter_errors(&value).map(|e| format!("{}: {e:.300}", e.instance_path())).collect()
}

#[test]
fn json_conforms_to_the_published_schema() {
    let (before, after) = changed();
    let mut unread = Moment { targets: before.targets.clone(), ..Moment::default() };
    let kind = ("local".to_owned(), "docker.container".to_owned());
    unread.incomplete.insert(kind, "the engine stopped\n".to_owned());
    for change in [diff(&before, &after), diff(&after, &before), diff(&before, &unread), diff(&before, &before)] {
        let document = rendered(Format::Json, &change, &Options::default());
        assert_eq!(errors(&document), Vec::<String>::new());
        let value: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value["threats"].as_array().unwrap().len(), change.threats.len());
        let opened = change.new_threats().count();
        assert_eq!(value["summary"]["threats"]["opened"].as_u64().unwrap_or(0), opened as u64);
    }
    let document = rendered(Format::Json, &diff(&before, &unread), &Options::default());
    assert!(document.contains(r#"{"unlisted":"the engine stopped\\n"}"#), "{document}");
    assert!(!errors("{}").is_empty());
}

#[test]
fn other_formats_are_refused_and_other_targets_warned_of() {
    let (before, mut after) = changed();
    let error = render_diff(Format::Sarif, &diff(&before, &after), &Options::default(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "`sarif` tells one moment; what changed is told as text, json or markdown");
    after.targets = ["else\u{1b}where".to_owned()].into();
    let text = rendered(Format::Text, &diff(&before, &after), &Options { width: 200, ..Options::default() });
    assert!(text.contains("The targets are not the same (local; else\\u{1b}where)"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_refused_in_one_line() {
    let whole = String::from_utf8(report(&usual())).unwrap();
    for no_report in ["", "{", "[]", "{}", r#"{"schema":1,"tool":"0","collected_at":0,"targets":[]}"#] {
        assert_eq!(moment(no_report.as_bytes()), Ok(None), "{no_report}");
    }
    assert_eq!(moment("[".repeat(1 << 20).as_bytes()), Ok(None));
    let audit = usual();
    let audit = audit.audit();
    let mut alone = Vec::new();
    let alone_report = Report { audit: &audit, model: None, since: None, narrowed: &[] };
    crate::render(Format::Json, View::Audit, alone_report, &Options::default(), &mut alone).unwrap();
    let refused = [
        (String::from_utf8(alone).unwrap(), "it holds no threat model"),
        (whole.replacen("\"schema\":2", "\"schema\":\"\\u001b\"", 1), "it has the schema"),
        (whole.replacen("\"status\":\"open\"", "\"status\":\"\\u001b\\n\"", 1), "it is a damaged report"),
        (whole.replacen("\"taken\":0", "\"taken\":99", 1), "it is a damaged report (a path takes a step"),
        (whole.replacen("2026-", "20x6-", 1), "its `collected_at` is no time"),
        (
            whole.replacen("\"targets\":", "\"narrowed\":[\"--check\",\"\\u001b\"],\"targets\":", 1),
            "it was narrowed by --check, ",
        ),
    ];
    for (bad, why) in refused {
        let error = moment(bad.as_bytes()).unwrap_err();
        assert!(error.starts_with(why) && !error.contains(is_harmful), "{error}");
    }
}

#[test]
fn long_lists_are_bounded() {
    let change = diff(&of(&usual()), &of(&with_workers(300)));
    let text = rendered(Format::Text, &change, &Options::default());
    assert!(text.contains("and 280 more; --all shows them"), "{text}");
    assert!(text.lines().count() < 200);
    let all = rendered(Format::Text, &change, &Options { all: true, ..Options::default() });
    assert!(all.lines().count() > 300);
    assert_eq!(change.threats.iter().filter(|t| t.after.there().is_some_and(|t| t.status == Status::Open)).count(), 30);
}

fn survives(text: &str) {
    let (quiet, loud) = (of(&usual()), of(&hostile(text)));
    for change in [diff(&quiet, &loud), diff(&loud, &quiet)] {
        for width in [40, 100] {
            let told = rendered(Format::Text, &change, &Options { width, all: true, ..Options::default() });
            assert!(!told.contains(|c| is_harmful(c) && c != '\n'), "{told:?}");
        }
        let page = rendered(Format::Markdown, &change, &Options::default());
        assert!(!page.contains(|c| is_harmful(c) && c != '\n'), "{page:?}");
        let columns = page.lines().filter(|l| l.starts_with('|')).map(|l| l.replace("\\|", "").matches('|').count());
        assert!(columns.into_iter().all(|c| c == 3 || c == 4), "{page}");
        let document = rendered(Format::Json, &change, &Options::default());
        assert_eq!(errors(&document), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_survives(text in ".{0,40}") {
        survives(&text);
    }

    /// Whatever is broken in a report, reading it ends in an answer.
    #[test]
    fn any_damage_survives(at in 0.0f64..1.0, with in prop::collection::vec(any::<u8>(), 0..4)) {
        let mut bytes = report(&usual());
        let at = (bytes.len() as f64 * at) as usize;
        let end = (at + 2).min(bytes.len());
        bytes.splice(at..end, with);
        if let Err(why) = moment(&bytes) {
            prop_assert!(!why.contains(is_harmful));
        }
    }
}

#[test]
fn names_that_attack_stay_names() {
    for text in ["", "a|b\n| c", "<script>", "![x](http://evil.test)", "\u{202e}\u{1b}[2J", &"long ".repeat(5000)] {
        survives(text);
    }
}
