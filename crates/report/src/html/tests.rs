use proptest::prelude::*;

use super::*;
use crate::clean::is_harmful;
use crate::testing_model::{World, hostile, usual, with_workers};

fn page(world: &World) -> String {
    let audit = world.audit();
    let mut out = Vec::new();
    render(&world.assessment(&audit), None, &Options::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn before_and_after_are_told_of_findings_and_threats() {
    let (was, is) = (usual(), with_workers(3));
    let (was, is) = (was.audit(), is.audit());
    let audits = [&was, &is];
    let worlds = [usual(), with_workers(3)];
    let (before, after) = (worlds[0].assessment(audits[0]), worlds[1].assessment(audits[1]));
    let rendered = |since: Option<&Assessment<'_>>| {
        let mut out = Vec::new();
        render(&after, since, &Options::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let html = rendered(Some(&before));
    assert!(html.contains("Before and after</h2>") && html.contains("href=\"#changed\""), "{html}");
    assert!(html.contains("was not there</span>") && html.contains("Paths assumed</th>"), "{html}");
    assert!(!rendered(None).contains("#changed"));
    let same = rendered(Some(&after));
    assert!(same.contains("No threat changed.") && same.contains("No finding changed."), "{same}");
}

/// The tags of a page, in order: what a browser would see of names that broke out of their place.
fn tags(html: &str) -> Vec<&str> {
    let body = html.split_once("</style>").unwrap().1;
    let body = body.split_once("<script>").unwrap().0;
    let mut out = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').unwrap() + at;
        out.push(&rest[at..=end]);
        rest = &rest[end + 1..];
    }
    out
}

/// The tags with the names of their attributes and without their values; those that the drawing's geometry may add are
/// left out.
fn skeleton(html: &str) -> Vec<String> {
    let names = |tag: &&str| {
        let parts: Vec<&str> = tag.split('"').step_by(2).collect();
        parts.concat()
    };
    tags(html).iter().filter(|t| !t.contains("class=\"boundary\"")).map(names).collect()
}

#[test]
fn the_first_screen_answers_what_to_do() {
    let html = page(&usual());
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    let order = [
        "Threat model of local",
        "2 sources could not be read",
        "Harden first</h2>",
        "ci mounts the engine&#39;s socket",
        "Cuts 2 of 2 attack paths and answers 1 open threat instance (E).",
        "re-creates ci",
        "seaworthy explain docker/container/no-runtime-socket",
        "After these 3",
        "class=\"dfd\"",
        "Threats</h2>",
        "Docker client</h3>",
        "Docker host</h3>",
        "Docker registry</h3>",
        "Matrix of elements",
        "Attack paths</h2>",
        "CIS Docker 1.8.0</h2>",
        "What could not be read</h2>",
        "kernel audit rules",
        "is orphaned",
    ];
    let places: Vec<usize> = order.map(place).into();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_link_within_the_page_leads_somewhere_and_no_id_is_twice() {
    for world in [usual(), with_workers(300)] {
        let html = page(&world);
        let mut ids: Vec<&str> = html.split(" id=\"").skip(1).map(|r| r.split('"').next().unwrap()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
        for link in html.split("href=\"#").skip(1).map(|r| r.split('"').next().unwrap()) {
            assert!(ids.binary_search(&link).is_ok(), "#{link}");
        }
    }
}

#[test]
fn nothing_is_asked_of_a_network() {
    let html = page(&usual());
    assert!(html.contains("default-src 'none'; style-src 'sha256-"));
    for tag in tags(&html) {
        assert!(!tag.contains(" src=") && !tag.contains(" style=") && !tag.contains(" on"), "{tag}");
        assert!(!tag.starts_with("<link") && !tag.starts_with("<img") && !tag.starts_with("<form"), "{tag}");
    }
    assert_eq!(html.matches("<link ").count(), 1);
    assert!(!html.contains("url(http") && !html.contains("@import"));
}

#[test]
fn a_thousand_containers_fit() {
    for workers in [1000, 5000] {
        let html = page(&with_workers(workers));
        assert!(html.len() < 5 << 20, "{}", html.len());
        assert!(html.matches('<').count() < 60_000);
        assert!(html.contains("more, which the JSON report names"));
        // A story is told once, however many instances there are.
        assert_eq!(html.matches("Whoever would profit from this: <em>One container takes all memory</em>").count(), 1);
    }
}

#[test]
fn evidence_that_differs_everywhere_is_bounded() {
    let mut world = with_workers(1000);
    for (i, component) in world.snapshot.targets[0].components.iter_mut().enumerate() {
        if component.kind.name == "docker.container" {
            let reason = format!("reason number {i}");
            component.set_unknown("readonly_rootfs", reason, seaworthy_core::fact::Source::place("/proc"));
        }
    }
    let html = page(&world);
    assert!(html.len() < 5 << 20, "{}", html.len());
    assert!(html.contains("more, with other evidence, are in the JSON report"));
}

#[test]
fn an_empty_host_is_no_clean_bill() {
    let mut world = usual();
    world.snapshot.targets[0].components.clear();
    let audit = world.audit();
    let world2 = usual();
    let audit2 = world2.audit();
    let mut assessment = world2.assessment(&audit2);
    assessment.audit = &audit;
    assessment.diagram = seaworthy_core::diagram::Diagram::default();
    assessment.threats.clear();
    assessment.priorities.clear();
    assessment.paths = seaworthy_core::step::Paths::default();
    assessment.cut = seaworthy_core::step::Cut::default();
    let mut out = Vec::new();
    render(&assessment, None, &Options::default(), &mut out).unwrap();
    let html = String::from_utf8(out).unwrap();
    assert!(html.contains("Nothing could be collected, so nothing was judged."));
}

#[test]
fn the_same_assessment_gives_the_same_bytes() {
    let once = page(&with_workers(40));
    for _ in 0..3 {
        assert_eq!(once, page(&with_workers(40)));
    }
}

fn survives(text: &str, benign: &[String]) {
    let html = page(&hostile(text));
    let body = html.split_once("</style>").unwrap().1.split_once("<script>").unwrap().0;
    assert!(!body.contains(|c| is_harmful(c) && c != '\n'), "{text:?}");
    let found = skeleton(&html);
    let differs = found.iter().zip(benign).find(|(a, b)| a != b);
    assert!(differs.is_none() && found.len() == benign.len(), "{text:?}: {differs:?}");
}

#[test]
fn hostile_names_change_no_tag() {
    let benign = skeleton(&page(&hostile("benign")));
    for text in [
        "</details><script>alert(1)</script>",
        "\" autofocus onfocus=\"alert(1)",
        "' x='",
        "{{ 7 }}{% raw %}",
        "<!--",
        "]]>",
        "&lt;",
        "\u{202e}\u{0}\u{1b}[2J",
        "箱",
    ] {
        survives(text, &benign);
    }
    assert!(page(&hostile(&"x\u{202e}".repeat(1 << 15))).len() < 1 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_changes_no_tag(text in "\\PC{1,30}|(?s:.{1,30})") {
        survives(&format!("x{text}"), &skeleton(&page(&hostile("benign"))));
    }
}

/// The relative luminance of `#rgb` or `#rrggbb`, as WCAG defines it.
fn luminance(colour: &str) -> f64 {
    let hex: Vec<u32> = colour.chars().filter_map(|c| c.to_digit(16)).collect();
    let channels = if hex.len() == 3 {
        [hex[0] * 17, hex[1] * 17, hex[2] * 17]
    } else {
        [hex[0] * 16 + hex[1], hex[2] * 16 + hex[3], hex[4] * 16 + hex[5]]
    };
    let linear = channels.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[test]
fn every_text_colour_can_be_read_on_every_ground() {
    let mut schemes = 0;
    for scheme in svg::COLOURS.lines() {
        let colour = |name: &str| {
            let (_, rest) = scheme.split_once(&format!("--{name}:")).unwrap_or_else(|| panic!("{name} in {scheme}"));
            luminance(rest.split([';', '}']).next().unwrap())
        };
        for ground in ["paper", "wash"] {
            for text in ["ink", "quiet", "accent", "maybe", "held", "good", "link"] {
                let (a, b) = (colour(ground), colour(text));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2} in {scheme}");
            }
        }
        schemes += 1;
    }
    assert_eq!(schemes, 3);
}
