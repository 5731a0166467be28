//! The page in a real browser: it asks for nothing, complains about nothing, filters, unfolds, and needs no mouse.

#[path = "../src/testing_model.rs"]
mod testing_model;

use std::path::{Path, PathBuf};

use seaworthy_bed::Browser;
use seaworthy_core::fact::Source;
use seaworthy_report::html;
use serde_json::{Value, json};
use testing_model::{World, usual, with_workers};

struct Shown {
    browser: Browser,
    page: PathBuf,
    _folder: tempfile::TempDir,
}

/// A page in a browser; none where there is no browser.
fn shown(world: &World) -> Option<Shown> {
    let browser = Browser::require()?;
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    write(world, &page);
    browser.open(&page).unwrap();
    Some(Shown { browser, page, _folder: folder })
}

fn write(world: &World, page: &Path) {
    let audit = world.audit();
    let mut out = Vec::new();
    html::render(&world.assessment(&audit), None, &html::Options::default(), &mut out).unwrap();
    std::fs::write(page, out).unwrap();
}

impl Shown {
    fn get(&self, expression: &str) -> Value {
        self.browser.evaluate(expression).unwrap()
    }

    fn number(&self, expression: &str) -> u64 {
        self.get(expression).as_u64().unwrap_or_else(|| panic!("{expression} is no number"))
    }

    /// Waits until something holds; the page filters a moment after the last key.
    fn until(&self, expression: &str) {
        let wait = format!(
            "new Promise(function (done, fail) {{ var n = 0; (function look() {{ if ({expression}) {{ done(true); }} \
             else if (n++ > 3000) {{ fail('never: ' + {}); }} else {{ setTimeout(look, 10); }} }}()); }})",
            json!(expression)
        );
        self.get(&wait);
    }

    fn holds_the_peace(&self) {
        assert_eq!(self.browser.complaints(), Vec::<String>::new());
        let page = format!("file://{}", self.page.display());
        let others: Vec<String> =
            self.browser.requests().into_iter().filter(|r| *r != page && !r.starts_with("data:")).collect();
        assert_eq!(others, Vec::<String>::new());
    }
}

#[test]
fn nothing_is_asked_for_and_nothing_complains() {
    let mut different = with_workers(1000);
    for (i, component) in different.snapshot.targets[0].components.iter_mut().enumerate() {
        if component.kind.name == "docker.container" {
            for fact in ["readonly_rootfs", "memory_limit", "privileged"] {
                component.set_unknown(fact, format!("reason {i}"), Source::place("/proc"));
            }
        }
    }
    for world in [usual(), with_workers(1000), different] {
        let Some(shown) = shown(&world) else { return };
        let took = shown.get("performance.getEntriesByType('navigation')[0].loadEventEnd");
        eprintln!("loaded in {took} ms, {} bytes", std::fs::metadata(&shown.page).unwrap().len());
        shown.get("document.querySelectorAll('details').forEach(function (d) { d.open = true; })");
        shown.holds_the_peace();
        let nodes = shown.number("document.querySelectorAll('*').length");
        assert!(nodes < 100_000, "{nodes}");
        let wide = shown.number("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide, 0, "the page itself must not scroll sideways");
    }
}

#[test]
fn typing_filters_and_says_how_many_are_left() {
    let Some(shown) = shown(&usual()) else { return };
    let left = "document.querySelectorAll('#threat-list .row:not([hidden])').length";
    let said = "document.querySelector('[data-for=threat-list] output').textContent";
    let all = shown.number(left);
    shown.get("document.querySelector('[data-for=threat-list] input').focus()");
    shown.browser.type_text("MEMORY takes").unwrap();
    shown.until(&format!("{left} === 1"));
    assert_eq!(shown.get(said), json!(format!("1 of {all} shown")));
    let headings = "Array.from(document.querySelectorAll('#threat-list h3')).filter(function (h) { return h.offsetParent; }).length";
    assert_eq!(shown.number(headings), 1, "headings without a threat left go too");
    shown.browser.press("Escape").unwrap();
    shown.until(&format!("{left} === {all}"));
    assert_eq!(shown.get(said), json!(""));
    shown.get(
        "var s = document.querySelector('[data-for=threat-list] select'); s.value = 'accepted'; \
         s.dispatchEvent(new Event('change'))",
    );
    shown.until(&format!("{left} === 1"));
    // A link to what is filtered away brings it back.
    shown.get("location.hash = '#t-3'");
    shown.until("document.activeElement.id === 't-3'");
    assert_eq!(shown.number(left), all);
    shown.holds_the_peace();
}

#[test]
fn an_element_of_the_diagram_opens_its_evidence() {
    let Some(shown) = shown(&usual()) else { return };
    assert_eq!(shown.get("document.getElementById('e-11').checkVisibility()"), json!(false));
    let link = "document.querySelector('.canvas a[href=\"#e-11\"]')";
    shown.get(&format!("{link}.dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))"));
    shown.until("document.activeElement.id === 'e-11'");
    assert_eq!(shown.get("document.getElementById('e-11').checkVisibility()"), json!(true));
    let text = shown.get("document.getElementById('e-11').textContent");
    assert!(text.as_str().unwrap().contains("A container drives the engine"), "{text}");
    assert!(text.as_str().unwrap().contains("runtime_sockets"), "{text}");
    // The same link again, after it was folded.
    shown.get("document.getElementById('e-11').closest('details').open = false");
    shown.get(&format!("{link}.dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))"));
    shown.until("document.getElementById('e-11').checkVisibility()");
    shown.holds_the_peace();
}

#[test]
fn the_keyboard_is_enough() {
    let Some(shown) = shown(&usual()) else { return };
    // Nothing that a key does is done when the key's event is answered: a loaded machine moves the focus, unfolds and
    // styles a moment later.
    shown.browser.press("Tab").unwrap();
    shown.until("document.activeElement.className === 'skip'");
    // The skip link shows when it has the focus.
    shown.until("document.activeElement.getBoundingClientRect().left >= 0");
    shown.browser.press("Enter").unwrap();
    shown.until("location.hash === '#harden' && document.activeElement.id === 'harden'");
    shown.browser.press("Tab").unwrap();
    shown.until("document.activeElement.tagName === 'SUMMARY'");
    // The focus is visible.
    shown.until("getComputedStyle(document.activeElement).outlineStyle === 'solid'");
    for open in [true, false] {
        shown.browser.press(if open { "Enter" } else { " " }).unwrap();
        shown.until(&format!("document.activeElement.parentElement.open === {open}"));
    }
    // Every threat can be reached by Tab alone, and no focus is ever lost.
    let mut reached = 0;
    for _ in 0..200 {
        shown.browser.press("Tab").unwrap();
        let at =
            shown.get("document.activeElement.parentElement ? document.activeElement.parentElement.className : ''");
        reached += usize::from(at == json!("row threat"));
    }
    assert!(reached >= 10, "{reached}");
    shown.holds_the_peace();
}

#[test]
fn a_screen_reader_hears_names_and_headers() {
    let Some(shown) = shown(&usual()) else { return };
    shown.get("document.querySelectorAll('details').forEach(function (d) { d.open = true; })");
    let tree = shown.browser.call("Accessibility.getFullAXTree", json!({})).unwrap();
    let nodes = tree["nodes"].as_array().unwrap();
    let role = |n: &Value| n["role"]["value"].as_str().unwrap_or_default().to_owned();
    let name = |n: &Value| n["name"]["value"].as_str().unwrap_or_default().to_owned();
    for wanted in ["banner", "navigation", "main", "contentinfo"] {
        assert_eq!(nodes.iter().filter(|n| role(n) == wanted).count(), 1, "{wanted}");
    }
    for node in nodes.iter().filter(|n| n["ignored"] != json!(true)) {
        if ["link", "button", "searchbox", "textbox", "combobox", "image", "heading"].contains(&role(node).as_str()) {
            assert!(!name(node).trim().is_empty(), "a {} has no name: {node}", role(node));
        }
    }
    let levels =
        shown.get("Array.from(document.querySelectorAll('h1,h2,h3,h4')).map(function (h) { return +h.tagName[1]; })");
    let levels: Vec<u64> = levels.as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!(levels[0], 1);
    assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "no level of headings is skipped: {levels:?}");
    assert_eq!(shown.number("document.querySelectorAll('table:not(:has(th[scope]))').length"), 0);
}

#[test]
fn without_its_script_the_page_still_tells() {
    let Some(shown) = shown(&usual()) else { return };
    shown.browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).unwrap();
    shown.browser.open(&shown.page).unwrap();
    assert_eq!(shown.number("document.querySelectorAll('.tools:not([hidden])').length"), 0, "no dead controls");
    shown.get("document.querySelector('.threat > summary').focus()");
    shown.browser.press("Enter").unwrap();
    assert_eq!(shown.get("document.querySelector('.threat').open"), json!(true));
}

#[test]
fn narrow_dark_and_printed_it_holds_its_shape() {
    let Some(shown) = shown(&usual()) else { return };
    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let paper = "getComputedStyle(document.documentElement).backgroundColor";
    shown.browser.show_as(360, 800, "", "light").unwrap();
    shown.get("document.querySelectorAll('details').forEach(function (d) { d.open = true; })");
    assert_eq!(shown.number(overflow), 0);
    let light = shown.get(paper);
    shown.browser.show_as(1280, 900, "", "dark").unwrap();
    assert_ne!(shown.get(paper), light);
    shown.browser.open(&shown.page).unwrap();
    shown.browser.show_as(800, 1100, "print", "dark").unwrap();
    assert_eq!(shown.get(paper), light, "paper is white");
    let told = "document.querySelector('.story').getBoundingClientRect().height > 0";
    assert_eq!(shown.get(told), json!(true), "what is folded is printed");
    assert_eq!(shown.get("getComputedStyle(document.querySelector('nav')).display"), json!("none"));
}

/// Writes the fixture's page and pictures of it into the folder that `SEAWORTHY_PICTURES` names, to be looked at.
#[test]
fn pictures_can_be_taken() {
    let Some(shown) = shown(&usual()) else { return };
    let folder = std::env::var_os("SEAWORTHY_PICTURES").map(PathBuf::from);
    if let Some(folder) = &folder {
        write(&usual(), &folder.join("usual.html"));
        write(&with_workers(1000), &folder.join("thousand.html"));
    }
    for (name, width, media, scheme) in [
        ("wide", 1280, "", "light"),
        ("narrow", 390, "", "light"),
        ("dark", 1280, "", "dark"),
        ("print", 800, "print", "light"),
    ] {
        shown.browser.show_as(width, 900, media, scheme).unwrap();
        let picture = shown.browser.screenshot(true).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{name}: {}", picture.len());
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        }
    }
    shown.browser.show_as(1280, 900, "", "light").unwrap();
    for place in ["t-3", "e-11", "p-1", "matrix"] {
        shown.get(&format!("location.hash = '#{place}'"));
        shown.until(&format!("location.hash === '#{place}' && document.getElementById('{place}').checkVisibility()"));
        let picture = shown.browser.screenshot(false).unwrap();
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{place}.png")), picture).unwrap();
        }
    }
}
