//! Differences of moments made by hand, and of snapshots whose containers were renamed or made anew.

use proptest::prelude::*;

use super::*;
use crate::assessment::Assessment;
use crate::audit::Audit;
use crate::benchmark::Benchmark;
use crate::check::Check;
use crate::component::Component as Container;
use crate::diagram::{Certainty, Diagram, Element, Shape, Zone};
use crate::fact::Source;
use crate::identity::{fingerprint, identities};
use crate::predicate::Predicate;
use crate::remedy::{Remedy, Safety};
use crate::schema::docker;
use crate::snapshot::{Snapshot, Target};
use crate::step::{Basis, Cut, Paths};
use crate::threat::{Formula, Instance, Loss, Rating, Story, Stride, Subject, Surface};
use crate::verdict::Severity;

const KINDS: [&str; 2] = ["docker.container", "docker.volume"];

fn kinds(of: &[usize]) -> Kinds {
    of.iter().map(|k| ("local".to_owned(), KINDS[*k].to_owned())).collect()
}

/// A moment from a list of bytes: what each thing is there, and how.
fn moment(bytes: &[u8]) -> Moment {
    let mut out = Moment { collected_at: bytes.len() as i64, ..Moment::default() };
    out.targets.insert("local".into());
    for (i, byte) in bytes.iter().enumerate() {
        let (what, how) = (byte % 6, byte / 6);
        let kind = usize::from(how & 1);
        let id = format!("{}", i % 7);
        let text = || format!("name {byte}");
        match what {
            0 => {
                out.components.insert(id, Component { kind: KINDS[kind].into(), name: text(), target: "local".into() });
            }
            1 => {
                let proven = how & 2 == 0;
                let ends = (text(), text());
                out.flows.insert(id, Flow { kind: "pull".into(), ends, label: text(), proven, kinds: kinds(&[kind]) });
            }
            2 => {
                let status = Status::ALL[usize::from(how / 2 % 4)];
                out.put_threat(id, Threat::test(status, kinds(&[kind])));
            }
            3 => {
                let pair = ("a".to_owned(), KINDS[kind].to_owned());
                let (ends, basis) = ((text(), text()), Basis::ALL[usize::from(how / 2 % 3)]);
                out.paths.insert(id, Path { ends, pair, basis, effort: 1, kinds: kinds(&[kind]) });
            }
            4 => {
                let verdicts =
                    [Verdict::Pass, Verdict::Fail, Verdict::Unknown, Verdict::Manual, Verdict::NotApplicable];
                out.put_finding(
                    id.clone(),
                    Mitigation {
                        check: "c".into(),
                        title: "t".into(),
                        component: text(),
                        kind: KINDS[kind].into(),
                        target: "local".into(),
                        element: (how & 2 == 0).then_some(id),
                        verdict: verdicts[usize::from(how / 4 % 5)],
                    },
                );
            }
            _ if how & 14 == 8 => {
                out.unsearched.insert("a".into());
            }
            _ if how & 14 == 10 => out.full(1),
            _ if how & 6 == 0 => {
                out.incomplete.insert(("local".into(), KINDS[kind].into()), "it vanished".into());
            }
            _ => {
                out.more.insert(("a".into(), KINDS[kind].into()));
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_differs_from_itself(a in prop::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(diff(&moment(&a), &moment(&a)).is_empty());
    }

    #[test]
    fn a_mirrored_difference_is_that_of_the_other_way(
        a in prop::collection::vec(any::<u8>(), 0..40),
        b in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (a, b) = (moment(&a), moment(&b));
        let (there, back) = (diff(&a, &b), diff(&b, &a));
        prop_assert_eq!(there.clone().mirrored(), back.clone());
        let swapped = |way| match way { Way::New => Way::Gone, Way::Gone => Way::New, other => other };
        let of = |changes: &[Change<Component>], way| changes.iter().filter(|c| c.way() == way).count();
        for way in [Way::New, Way::Gone] {
            prop_assert_eq!(of(&there.components, way), of(&back.components, swapped(way)));
        }
        let lost = there.mitigations.iter().filter(|m| m.way() == Way::Lost).count();
        prop_assert_eq!(lost, back.mitigations.iter().filter(|m| m.way() == Way::Won).count());
    }

    /// A threat is told as answered only where it is; where nothing is known of it any more, nothing is won or gone.
    #[test]
    fn unknown_is_never_answered(
        a in prop::collection::vec(any::<u8>(), 0..40),
        b in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (a, b) = (moment(&a), moment(&b));
        for change in diff(&a, &b).threats {
            let now = change.after.there().map(|t| t.status);
            match change.way() {
                Way::Won => prop_assert_eq!(now, Some(Status::Answered)),
                Way::Opened => prop_assert_eq!(now, Some(Status::Open)),
                Way::Gone => {
                    prop_assert!(now.is_none());
                    let kinds = &change.before.there().unwrap().kinds;
                    prop_assert!(kinds.iter().all(|k| !b.incomplete.contains_key(k)));
                }
                Way::Unknown => prop_assert!(now.is_none_or(|s| s == Status::Undetermined)),
                _ => {}
            }
            if now.is_none_or(|s| s == Status::Undetermined) {
                prop_assert!(matches!(change.way(), Way::Unknown | Way::Gone));
            }
        }
    }
}

fn threat(status: Status) -> Threat {
    Threat::test(status, kinds(&[0]))
}

fn with(threats: &[(&str, Status)]) -> Moment {
    let mut out = Moment::default();
    threats.iter().for_each(|(id, status)| out.put_threat((*id).to_owned(), threat(*status)));
    out
}

#[test]
fn a_gate_sees_every_threat_that_is_open_and_was_not() {
    let before = with(&[
        ("still", Status::Open),
        ("reopened", Status::Answered),
        ("expired", Status::Accepted),
        ("decided", Status::Undetermined),
        ("fixed", Status::Open),
        ("hidden", Status::Answered),
        ("removed", Status::Open),
    ]);
    let after = with(&[
        ("still", Status::Open),
        ("reopened", Status::Open),
        ("expired", Status::Open),
        ("decided", Status::Open),
        ("fresh", Status::Open),
        ("fixed", Status::Answered),
        ("hidden", Status::Undetermined),
        ("doubtful", Status::Undetermined),
        ("harmless", Status::Answered),
    ]);
    let diff = diff(&before, &after);
    let ids = |way| diff.threats.iter().filter(|t| t.way() == way).map(|t| t.id.as_str()).collect::<Vec<_>>();
    let new: Vec<&str> = diff.new_threats().map(|t| t.id.as_str()).collect();
    assert_eq!(new, ["decided", "expired", "fresh", "reopened"]);
    assert_eq!(ids(Way::Won), ["fixed"]);
    assert_eq!(ids(Way::Gone), ["removed"]);
    assert_eq!(ids(Way::New), ["harmless"]);
    assert_eq!(diff.undetermined_threats().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["doubtful", "hidden"]);
}

#[test]
fn what_can_no_longer_be_listed_is_not_gone() {
    let mut before = with(&[("t", Status::Open)]);
    let container = Component { kind: KINDS[0].into(), name: "web".into(), target: "local".into() };
    before.components.insert("web".into(), container);
    let path = |pair: (&str, &str)| Path {
        ends: (String::new(), String::new()),
        pair: (pair.0.to_owned(), pair.1.to_owned()),
        basis: Basis::Proven,
        effort: 1,
        kinds: Kinds::new(),
    };
    before.paths.insert("cut".into(), path(("a", "b")));
    before.paths.insert("not looked for".into(), path(("d", "b")));
    before.paths.insert("crowded out".into(), path(("a", "c")));
    let mut after = Moment::default();
    after.incomplete.insert(("local".into(), KINDS[0].into()), "the engine stopped".into());
    after.more.insert(("a".into(), "c".into()));
    after.unsearched.insert("d".into());
    let diff = diff(&before, &after);
    assert_eq!(diff.components[0].after, Seen::Unlisted("the engine stopped".into()));
    assert_eq!(diff.threats[0].way(), Way::Unknown);
    let ways: Vec<(&str, Way)> = diff.paths.iter().map(|p| (p.id.as_str(), p.way())).collect();
    assert_eq!(ways, [("crowded out", Way::Unknown), ("cut", Way::Gone), ("not looked for", Way::Unknown)]);
    after.full(1);
    assert!(super::diff(&before, &after).paths.iter().all(|p| p.way() == Way::Unknown));
    after.full(0);
    assert!(super::diff(&before, &after).paths.iter().any(|p| p.way() == Way::Gone));
}

#[test]
fn a_mitigation_is_lost_only_where_its_component_remains() {
    let finding = |verdict, element: &str| Mitigation {
        check: "c".into(),
        title: "t".into(),
        component: "web".into(),
        kind: KINDS[0].into(),
        target: "local".into(),
        element: Some(element.into()),
        verdict,
    };
    let container = Component { kind: KINDS[0].into(), name: "web".into(), target: "local".into() };
    let (mut before, mut after) = (Moment::default(), Moment::default());
    after.components.insert("here".into(), container);
    for (id, was, now) in [
        ("lost", Verdict::Pass, Some(Verdict::Fail)),
        ("won", Verdict::Fail, Some(Verdict::Pass)),
        ("unknown", Verdict::Pass, Some(Verdict::Unknown)),
        ("worse", Verdict::Unknown, Some(Verdict::Fail)),
        ("not judged", Verdict::Pass, None),
    ] {
        before.put_finding(id.into(), finding(was, "here"));
        now.into_iter().for_each(|v| after.put_finding(id.into(), finding(v, "here")));
    }
    before.put_finding("with its component".into(), finding(Verdict::Pass, "removed"));
    let ways: Vec<(String, Way)> = diff(&before, &after).mitigations.iter().map(|m| (m.id.clone(), m.way())).collect();
    let expected = [("lost", Way::Lost), ("not judged", Way::Unknown), ("unknown", Way::Unknown), ("won", Way::Won)];
    assert_eq!(ways, expected.map(|(id, way)| (id.to_owned(), way)));
}

fn container(id: &str, name: &str, image: &str) -> Container {
    let mut c = Container::new(&docker::CONTAINER, id, name);
    c.set("image", image, Source::place("test"));
    c.set("privileged", true, Source::place("test"));
    c
}

fn composed(mut container: Container, project: &str, service: &str) -> Container {
    container.set("project", project, Source::place("test"));
    container.set("service", service, Source::place("test"));
    container
}

/// The moment of a host with these containers, each an element with one threat and one finding, named as the model
/// names them.
fn of(containers: Vec<Container>) -> Moment {
    let mut target = Target::new("local", "docker", "unix:///x");
    target.components = containers;
    let snapshot = Snapshot { tool: "0".into(), collected_at: 1, targets: vec![target] };
    let target = &snapshot.targets[0];
    let checks = [Check {
        id: "c".into(),
        title: "c".into(),
        about: "docker.container".into(),
        severity: Severity::High,
        select: None,
        when: None,
        require: Some(Predicate::compile("!privileged", &docker::CONTAINER).unwrap()),
        manual: None,
        show: Vec::new(),
        remedy: Remedy {
            safety: Safety::Safe,
            edits: Vec::new(),
            changes: Vec::new(),
            fix: "fix it".into(),
            by_hand: None,
        },
        rationale: String::new(),
        cases: Vec::new(),
        file: String::new(),
    }];
    let benchmarks = [Benchmark {
        id: "b-1".into(),
        title: "B".into(),
        published: String::new(),
        sections: Vec::new(),
        controls: Vec::new(),
        aliases: Vec::new(),
    }];
    let audit = Audit::new(&snapshot, &checks, &benchmarks, &benchmarks[0], &[], |_| true);
    let catalog = [crate::threat::Threat {
        id: "t".into(),
        title: "t".into(),
        stride: vec![Stride::ElevationOfPrivilege],
        about: "docker.container".into(),
        crosses: None,
        flow: None,
        when: None,
        answered: Formula::Check("c".into()),
        loses: Loss::Host,
        attack: Vec::new(),
        surface: Surface::DockerHost,
        covers: Vec::new(),
        story: Story::default(),
        file: String::new(),
    }];
    let zone = Zone {
        id: "local/host".into(),
        name: "host".into(),
        parent: None,
        boundary: String::new(),
        trust: 50,
        facts: Vec::new(),
    };
    let elements: Vec<Element> = identities(target)
        .into_iter()
        .enumerate()
        .map(|(i, identity)| Element {
            id: format!("local/{identity}"),
            name: target.components[i].name.to_string(),
            kind: "docker.container",
            shape: Shape::Process,
            target: 0,
            component: Some(i),
            zone: 0,
            certainty: Certainty::Proven,
            facts: Vec::new(),
        })
        .collect();
    let threats = elements.iter().enumerate().map(|(i, element)| Instance {
        threat: 0,
        subject: Subject::Element(i),
        target: 0,
        status: Status::Open,
        decided_by: vec![i],
        facts: Vec::new(),
        reason: None,
        waiver: None,
        likelihood: Rating::default(),
        impact: Rating::default(),
        fingerprint: fingerprint(&["t", "local", &element.id]),
    });
    let threats: Vec<Instance> = threats.collect();
    Moment::of(&Assessment {
        audit: &audit,
        catalog: &catalog,
        steps: &[],
        blanks: &[],
        diagram: Diagram { zones: vec![zone], elements, flows: Vec::new() },
        threats,
        paths: Paths::default(),
        priorities: Vec::new(),
        cut: Cut::default(),
        forecast: None,
        waiver_problems: Vec::new(),
    })
}

#[test]
fn a_container_made_anew_under_another_name_is_no_difference() {
    let before = of(vec![container("1", "web", "registry:5000/web:1"), container("2", "db", "db:1")]);
    let after = of(vec![container("8", "db-1", "db:2"), container("9", "eager_gauss", "registry:5000/web:1")]);
    assert_eq!((before.threats.len(), before.findings.len()), (2, 2));
    let same = diff(&before, &after);
    assert!(same.is_empty(), "{same:#?}");
}

#[test]
fn a_service_under_another_name_is_no_difference() {
    let before = of(vec![composed(container("1", "shop-web-1", "web:1"), "shop", "web")]);
    let after = of(vec![composed(container("9", "shop_web_run_7", "other:2"), "shop", "web")]);
    assert!(diff(&before, &after).is_empty());
    let other = of(vec![composed(container("9", "shop-web-1", "web:1"), "shop", "api")]);
    let ways: Vec<Way> = diff(&before, &other).components.iter().map(Change::way).collect();
    assert_eq!(ways, [Way::New, Way::Gone]);
}
