//! Names and values that attack their readers, through every format.

use proptest::prelude::*;
use seaworthy_core::component::Component;
use seaworthy_core::fact::Source;
use seaworthy_core::schema::docker;

use crate::clean::is_harmful;
use crate::testing::{World, container, rendered, usual, waiver};
use crate::{Format, Options, Report, View};

/// A world in which every text that comes from outside is `text`.
fn hostile(text: &str) -> World {
    let mut world = usual();
    let mut waiver = waiver("docker/container/unprivileged", "*");
    waiver.reason = format!("r{text}");
    waiver.owner = format!("o{text}");
    world.waivers = vec![waiver];
    let target = &mut world.snapshot.targets[0];
    target.name = text.to_owned();
    target.platform = text.to_owned();
    target.address = text.to_owned();
    target.about = text.to_owned();
    target.gap(text, text, text);
    target.incomplete(&docker::CONTAINER, text);
    target.components.push(container(text, text, Some(true), None));
    let mut other = Component::new(&docker::CONTAINER, text, text);
    other.set("image", text, Source::new(&text.into(), text.to_owned()));
    other.set_unknown("privileged", text, Source::place(text));
    other.set_unknown("memory_limit", text, Source::place(text));
    target.components.push(other);
    world.snapshot.targets.push(world.snapshot.targets[0].clone());
    world
}

fn survives(text: &str) {
    let world = hostile(text);
    let options = Options { all: true, gaps: true, ..Options::default() };
    let audit = |format| rendered(format, View::Audit, &world, &options);

    for format in [Format::Json, Format::Sarif] {
        let told = audit(format);
        assert!(!told.contains(|c| is_harmful(c) && c != '\n'), "{told:?}");
        let value: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert!(value.is_object());
        if format == Format::Json {
            // What is escaped is read back as it was.
            assert_eq!(value["targets"][0]["name"], text);
        }
    }

    let xml = audit(Format::Junit);
    assert!(!xml.contains(|c| (is_harmful(c) && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}')));
    let mut reader = quick_xml::Reader::from_str(&xml);
    reader.config_mut().check_end_names = true;
    let mut cases = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(e) | quick_xml::events::Event::Empty(e) => {
                cases += usize::from(e.name().as_ref() == b"testcase");
                for attribute in e.attributes() {
                    let value = attribute.unwrap().value;
                    quick_xml::escape::unescape(std::str::from_utf8(&value).unwrap()).unwrap();
                }
            }
            _ => {}
        }
    }
    assert!(cases > 20);

    let table = audit(Format::Csv);
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let mut read = 0;
    for row in rows.records() {
        for cell in row.unwrap().iter() {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            assert!(!cell.contains(is_harmful), "{cell:?}");
        }
        read += 1;
    }
    assert_eq!(read, world.audit().findings.len());

    let assess = rendered(Format::Text, View::Assess, &world, &options);
    for text in [audit(Format::Text), assess, audit(Format::Markdown)] {
        assert!(!text.contains(|c| is_harmful(c) && c != '\n'), "{text:?}");
    }
    model_survives(text, &options);
    let benign = structure(&rendered(Format::Markdown, View::Audit, &hostile("benign"), &options));
    assert_eq!(structure(&audit(Format::Markdown)), benign);
}

/// The same of a threat model: views of text, and the written record.
fn model_survives(text: &str, options: &Options) {
    let record = |text: &str| {
        let world = crate::testing_model::hostile(text);
        let audit = world.audit();
        let model = world.assessment(&audit);
        let report = Report { audit: &audit, model: Some(&model), since: Some(&model), narrowed: &[] };
        let of = |format, view| {
            let mut out = Vec::new();
            crate::render(format, view, report, options, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        for view in [View::Assess, View::Threats, View::Paths] {
            let text = of(Format::Text, view);
            assert!(!text.contains(|c| is_harmful(c) && c != '\n'), "{text:?}");
        }
        of(Format::Markdown, View::Assess)
    };
    let told = record(text);
    assert!(!told.contains(|c| is_harmful(c) && c != '\n'), "{told:?}");
    structure(&told);
}

/// What a reader of Markdown sees: headings, tables and lists; the test ends where it sees HTML, a link or an image.
fn structure(markdown: &str) -> (usize, usize, usize) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let (mut headings, mut cells, mut items) = (0, 0, 0);
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => panic!("HTML: {html:?}"),
            // The catalogue's own text may link.
            Event::Start(Tag::Link { dest_url, .. }) if &*dest_url == "https://example.test" => {}
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_) | Tag::HtmlBlock) => {
                panic!("{event:?} in {markdown}")
            }
            Event::Start(Tag::Heading { .. }) => headings += 1,
            Event::Start(Tag::TableCell) => cells += 1,
            Event::Start(Tag::Item) => items += 1,
            _ => {}
        }
    }
    (headings, cells, items)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,40}|(?s:.{0,40})") {
        survives(&text);
    }

    #[test]
    fn text_of_attacks(parts in prop::collection::vec(prop::sample::select(vec![
        "\x1b[2J", "\x1b]0;x\x07", "\u{9b}31m", "\u{202e}", "\u{200b}", "\0", "\r\n", "\t", "=cmd|'/c x'!A1", "+1", "-1",
        "@a", "`", "```", "|", "<script>alert(1)</script>", "]]>", "&amp;", "\"", "'", "[a](javascript:x)", "{0}", "..",
        "/", "%00", "\u{fffe}", "\u{ffff}", "箱", "a", " ", "\\", "<!--", "https://x.test", "# ", "- ", "\u{1f468}\u{200d}",
    ]), 0..8)) {
        survives(&parts.concat());
    }
}

#[test]
fn long_texts_stay_short() {
    let world = hostile(&"x\x1b".repeat(1 << 15));
    let options = Options { all: true, gaps: true, ..Options::default() };
    for format in [Format::Text, Format::Junit, Format::Markdown, Format::Csv, Format::Sarif] {
        let length = rendered(format, View::Audit, &world, &options).len();
        assert!(length < 1 << 20, "{format:?}: {length}");
    }
}

#[test]
fn the_same_audit_gives_the_same_bytes() {
    for (_, format) in Format::ALL.into_iter().filter(|(_, f)| !f.needs_model()) {
        let once = rendered(format, View::Audit, &usual(), &Options::default());
        for _ in 0..8 {
            assert_eq!(once, rendered(format, View::Audit, &usual(), &Options::default()), "{format:?}");
        }
    }
}
