use unicode_width::UnicodeWidthStr as _;

use crate::testing::{rendered, usual, waiver, world};
use crate::{Format, Options, Report, View};

fn text(view: View, world: &crate::testing::World, options: &Options) -> String {
    rendered(Format::Text, view, world, options)
}

#[test]
fn audit() {
    insta::assert_snapshot!(text(View::Audit, &usual(), &Options::default()));
}

#[test]
fn audit_of_everything() {
    let options = Options { all: true, gaps: true, width: 120, ..Options::default() };
    let mut world = usual();
    world.waivers = vec![waiver("docker/container/unprivileged", "ci"), waiver("docker/container/memory", "nobody")];
    insta::assert_snapshot!(text(View::Audit, &world, &options));
}

#[test]
fn narrow_audit() {
    let text = text(View::Audit, &usual(), &Options { width: 50, ..Options::default() });
    insta::assert_snapshot!(text);
}

/// A view of the small assessment.
fn of_model(view: View, world: &crate::testing_model::World, options: &Options) -> String {
    let audit = world.audit();
    let model = world.assessment(&audit);
    let mut out = Vec::new();
    let report = Report { audit: &audit, model: Some(&model), since: None, narrowed: &[] };
    crate::render(Format::Text, view, report, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn assess() {
    insta::assert_snapshot!(of_model(View::Assess, &crate::testing_model::usual(), &Options::default()));
}

#[test]
fn threats() {
    insta::assert_snapshot!(of_model(View::Threats, &crate::testing_model::usual(), &Options::default()));
}

#[test]
fn paths() {
    insta::assert_snapshot!(of_model(View::Paths, &crate::testing_model::usual(), &Options::default()));
}

#[test]
fn assess_without_a_host() {
    let mut world = usual();
    let target = &mut world.snapshot.targets[0];
    target.components.clear();
    target.gaps.clear();
    target.gap("/var/run/docker.sock", "no such file; is docker installed?", "everything");
    insta::assert_snapshot!(text(View::Assess, &world, &Options::default()));
}

#[test]
fn no_line_is_wider_than_the_page() {
    let world = world(&["a-container-with-quite-a-long-name-1", "箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱", "x"]);
    let model = crate::testing_model::hostile("a-name-that-is-longer-than-most-and-箱箱箱箱箱箱箱箱箱箱");
    for width in [40, 60, 80, 100, 160] {
        for view in [View::Audit, View::Assess, View::Threats, View::Paths] {
            let options = Options { width, all: true, gaps: true, ..Options::default() };
            let text = match view {
                View::Audit => text(view, &world, &options),
                View::Assess | View::Threats | View::Paths => of_model(view, &model, &options),
            };
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line:?} of {}", line.width());
            }
        }
    }
}

#[test]
fn colour_only_where_it_is_asked_for() {
    let plain = text(View::Audit, &usual(), &Options::default());
    let coloured = text(View::Audit, &usual(), &Options { colour: true, ..Options::default() });
    assert!(!plain.contains('\x1b') && coloured.contains('\x1b'));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\x1b') {
        stripped.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    assert_eq!(stripped + rest, plain);
}
