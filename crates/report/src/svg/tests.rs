use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;
use seaworthy_core::diagram::{Certainty, Zone};

use super::layout::{Graph, Grid, Layout, Line, Placed, Rect, Size};
use super::scene::{ELEMENTS, Scene};
use super::*;
use crate::clean::is_harmful;
use crate::testing_model::{World, hostile, usual, with_workers};

fn drawn(world: &World, options: &Options) -> String {
    diagram(&world.assessment(&world.audit()), options)
}

/// The elements of an XML text with their attributes; the test ends where it is not well-formed.
fn elements(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut out = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => return out,
            Event::Start(e) | Event::Empty(e) => {
                let attributes = e.attributes().map(|a| {
                    let a = a.unwrap();
                    let value =
                        quick_xml::escape::unescape(std::str::from_utf8(&a.value).unwrap()).unwrap().into_owned();
                    (String::from_utf8_lossy(a.key.as_ref()).into_owned(), value)
                });
                out.push((String::from_utf8_lossy(e.name().as_ref()).into_owned(), attributes.collect()));
            }
            _ => {}
        }
    }
}

#[test]
fn shapes_paths_and_titles_are_there() {
    let svg = drawn(&usual(), &Options::default());
    let all = elements(&svg);
    let of_class = |class: &str| {
        all.iter().filter(|(_, a)| a.iter().any(|(k, v)| k == "class" && v.split(' ').any(|c| c == class))).count()
    };
    assert_eq!((of_class("zone"), of_class("actor"), of_class("store")), (4, 2, 4));
    assert_eq!(of_class("flow"), 12);
    assert_eq!(of_class("route"), 2);
    assert!(svg.contains("Path 1, proven: code in ci → root on the host"), "{svg}");
    assert!(svg.contains("Path 2, possible: anybody on the internet → root on the host"));
    assert!(svg.contains("possible: whether the packet filter lets it through was not read"));
    // Nothing that a strict policy would refuse, and nothing from outside.
    for (name, attributes) in &all {
        assert!(name != "script" && name != "image" && name != "foreignObject", "{name}");
        assert!(!attributes.iter().any(|(k, _)| k == "style" || k.starts_with("on")), "{attributes:?}");
        let links = attributes.iter().filter(|(k, _)| k.ends_with("href"));
        assert_eq!(links.count(), 0);
    }
}

#[test]
fn links_lead_to_every_element_and_flow() {
    let svg = drawn(&usual(), &Options { links: true, ..Options::default() });
    let links: Vec<String> = elements(&svg)
        .into_iter()
        .filter(|(name, _)| name == "a")
        .map(|(_, a)| a.into_iter().find(|(k, _)| k == "href").unwrap().1)
        .collect();
    assert!((0..13).all(|i| links.contains(&format!("#e-{i}"))), "{links:?}");
    assert!(links.contains(&"#f-0".to_owned()));
}

#[test]
fn a_thousand_containers_stay_readable() {
    for workers in [30, 300, 1000] {
        let world = with_workers(workers);
        let audit = world.audit();
        let assessment = world.assessment(&audit);
        let scene = Scene::new(&assessment, 3);
        assert!(scene.nodes.len() <= ELEMENTS, "{}", scene.nodes.len());
        let drawn: usize = scene.nodes.iter().map(|n| n.members.len()).sum();
        assert_eq!(drawn, assessment.diagram.elements.len(), "every element is drawn in one node");
        let flows: usize = scene.edges.iter().map(|e| e.members.len()).sum();
        assert_eq!(flows + scene.inside, assessment.diagram.flows.len(), "every flow is drawn or counted");
        // What the paths lead over keeps its own place.
        assert!(scene.nodes.iter().any(|n| n.label == "ci" && n.members.len() == 1));
        assert!(diagram(&assessment, &Options::default()).len() < 64 << 10);
    }
}

#[test]
fn many_zones_are_folded_and_none_is_lost() {
    let world = with_workers(200);
    let audit = world.audit();
    let mut assessment = world.assessment(&audit);
    let first = assessment.diagram.zones.len();
    for i in 0..200 {
        let parent = if i % 3 == 0 { 2 } else { first + i - 1 };
        assessment.diagram.zones.push(Zone {
            id: format!("local/z{i}"),
            name: format!("zone {i}"),
            parent: Some(parent),
            boundary: "its own".into(),
            trust: 20,
            facts: Vec::new(),
        });
    }
    let elements = assessment.diagram.elements.len();
    for i in 0..200 {
        assessment.diagram.elements[elements - 200 + i].zone = first + i;
    }
    let scene = Scene::new(&assessment, 3);
    assert!(scene.areas.len() <= 24, "{}", scene.areas.len());
    let zones: usize = scene.areas.iter().map(|a| a.members.len()).sum();
    assert_eq!(zones, assessment.diagram.zones.len());
    assert!(scene.areas.iter().enumerate().all(|(i, a)| a.parent.is_none_or(|p| p < i)), "parents come first");
    let drawn: usize = scene.nodes.iter().map(|n| n.members.len()).sum();
    assert_eq!(drawn, assessment.diagram.elements.len());
    assert!(Scene::new(&assessment, 3).nodes.len() <= 80);
}

#[test]
fn a_stack_is_possible_only_when_all_of_it_is() {
    let world = with_workers(60);
    let audit = world.audit();
    let mut assessment = world.assessment(&audit);
    let count = assessment.diagram.elements.len();
    for element in &mut assessment.diagram.elements[count - 60..] {
        element.certainty = Certainty::Possible("it was not read".into());
    }
    let possible = |a: &Assessment<'_>| Scene::new(a, 3).nodes.iter().filter(|n| n.possible.is_some()).count();
    assert_eq!(possible(&assessment), 4);
    assessment.diagram.elements[count - 60].certainty = Certainty::Proven;
    assert_eq!(possible(&assessment), 3);
}

#[test]
fn an_empty_host_is_a_drawing_too() {
    let world = usual();
    let audit = world.audit();
    let mut assessment = world.assessment(&audit);
    assessment.diagram = seaworthy_core::diagram::Diagram::default();
    assessment.threats.clear();
    assessment.paths = seaworthy_core::step::Paths::default();
    let svg = diagram(&assessment, &Options::default());
    assert_eq!(elements(&svg)[0].0, "svg");
}

#[test]
fn an_engine_that_gives_up_is_named_and_replaced() {
    struct Refuses;
    impl Layout for Refuses {
        fn place(&self, _: &Graph) -> Result<Placed, String> {
            Err("it was told to".into())
        }
    }
    let world = usual();
    let audit = world.audit();
    let assessment = world.assessment(&audit);
    let scene = Scene::new(&assessment, 3);
    let svg = draw(&assessment, &scene, &Options::default(), &Refuses);
    assert!(svg.contains("the layout engine gave up: it was told to"), "{svg}");
    let usual = elements(&draw(&assessment, &scene, &Options::default(), &dagre::Dagre)).len();
    assert!(elements(&svg).len() > usual * 9 / 10);
}

#[test]
fn the_same_assessment_gives_the_same_bytes() {
    let once = drawn(&with_workers(50), &Options::default());
    for _ in 0..4 {
        assert_eq!(once, drawn(&with_workers(50), &Options::default()));
    }
}

#[test]
fn hostile_names_change_no_element() {
    let names = |text: &str| -> Vec<String> {
        let svg = drawn(&hostile(text), &Options { links: true, ..Options::default() });
        assert!(
            !svg.contains(|c| is_harmful(c) || matches!(c, '\u{fffe}' | '\u{ffff}')) || svg.contains('\n'),
            "{svg:?}"
        );
        elements(&svg).into_iter().map(|(name, _)| name).collect()
    };
    let benign = names("benign");
    for text in [
        "</title><script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "]]>",
        "<!--",
        "&bogus;",
        "\0\x1b[2J",
        "\u{202e}gnp.exe",
        "\u{ffff}\u{fffe}",
        "箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱箱",
        "\u{1f468}\u{200d}\u{1f469}",
    ] {
        assert_eq!(names(text), benign, "{text:?}");
    }
    let long = drawn(&hostile(&"x\u{202e}".repeat(1 << 15)), &Options::default());
    assert!(long.len() < 64 << 10, "{}", long.len());
}

/// A strange graph: zones in zones, lines of all kinds, also doubled and in circles.
fn graphs() -> impl Strategy<Value = Graph> {
    let zones = prop::collection::vec(prop::option::of(0usize..30), 1..30);
    let boxes = prop::collection::vec((84.0f64..260.0, 0usize..30, any::<bool>()), 1..60);
    let lines = prop::collection::vec((0usize..60, 0usize..60, prop_oneof![Just(0.0), 10.0f64..160.0]), 0..150);
    (zones, boxes, lines).prop_map(|(zones, boxes, lines)| {
        let count = zones.len();
        let parents = zones.iter().enumerate().map(|(i, p)| p.filter(|p| *p < i)).collect();
        let boxes: Vec<Size> = boxes
            .into_iter()
            .map(|(w, zone, round)| Size { w: w.round(), h: 46.0, zone: zone % count, round })
            .collect();
        let lines = lines.into_iter().map(|(a, b, w)| (a % boxes.len(), b % boxes.len(), w)).filter(|(a, b, _)| a != b);
        let lines = lines.map(|(from, to, w)| Line { from, to, w, weight: 1.0 }).collect();
        Graph { zones: parents, titles: vec![60.0; count], boxes, lines }
    })
}

fn holds(graph: &Graph, placed: &Placed, apart: bool) {
    let inside = |outer: Rect, inner: Rect| {
        let corners = [(inner.x, inner.y), (inner.x + inner.w, inner.y + inner.h)];
        corners.iter().all(|(x, y)| {
            outer.x <= x + 0.5 && outer.y <= y + 0.5 && *x <= outer.x + outer.w + 0.5 && *y <= outer.y + outer.h + 0.5
        })
    };
    let page = Rect { x: 0.0, y: 0.0, w: placed.size.0, h: placed.size.1 };
    for (size, rect) in graph.boxes.iter().zip(&placed.boxes) {
        assert!(inside(page, *rect));
        assert!(inside(placed.zones[size.zone].unwrap(), *rect));
    }
    for (zone, parent) in graph.zones.iter().enumerate() {
        if let (Some(rect), Some(parent)) = (placed.zones[zone], parent) {
            assert!(inside(placed.zones[*parent].unwrap(), rect));
        }
    }
    assert!(placed.lines.iter().all(|l| l.len() >= 2));
    if apart {
        for (i, a) in placed.boxes.iter().enumerate() {
            for b in &placed.boxes[i + 1..] {
                let overlap = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
                assert!(!overlap, "{a:?} {b:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The release build aborts where the engine panics, so it must not, whatever the drawing; an error is allowed.
    #[test]
    fn strange_graphs_are_placed(graph in graphs()) {
        if let Ok(placed) = dagre::Dagre.place(&graph) {
            holds(&graph, &placed, true);
        }
        holds(&graph, &Grid.place(&graph).unwrap(), true);
    }

    #[test]
    fn any_name_is_drawn(text in "\\PC{0,40}|(?s:.{0,40})") {
        elements(&drawn(&hostile(&text), &Options { links: true, ..Options::default() }));
    }
}
