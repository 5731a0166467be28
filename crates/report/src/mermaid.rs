//! The data-flow diagram as Mermaid text, for places that draw it themselves: merge requests, wikis. It shows what the
//! SVG shows, clustered alike.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::Shape;
use seaworthy_core::step::Basis;

use crate::clean::clean;
use crate::svg::scene::{Edge, Node, Scene};

/// How many of the cheapest paths are marked.
const PATHS: usize = 3;

/// Writes the diagram as a Mermaid flowchart.
///
/// # Errors
/// Those of the writer.
pub fn render(assessment: &Assessment<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(diagram(assessment).as_bytes())
}

/// The diagram as a Mermaid flowchart.
pub fn diagram(assessment: &Assessment<'_>) -> String {
    let scene = Scene::new(assessment, PATHS);
    let mut out = String::from("flowchart LR\n  accTitle: Data-flow diagram\n");
    // A String takes every write.
    let _ = write(&scene, &mut out);
    out
}

fn write(scene: &Scene, out: &mut String) -> std::fmt::Result {
    for root in (0..scene.areas.len()).filter(|a| scene.areas[*a].parent.is_none()) {
        area(scene, root, 1, out)?;
    }
    for edge in &scene.edges {
        writeln!(out, "  n{} {} n{}", edge.from, arrow(edge), edge.to)?;
    }
    out.push_str("  classDef possible stroke-dasharray:4 3\n  classDef stack stroke-width:3px\n");
    classes(scene, "possible", |n| n.possible.is_some(), out)?;
    classes(scene, "stack", |n| n.members.len() > 1, out)?;
    let mut drawn: BTreeSet<usize> = BTreeSet::new();
    for (basis, style) in [
        (Basis::Proven, "stroke:#b4450f,stroke-width:3px"),
        (Basis::Assumed, "stroke:#b4450f,stroke-width:2px,stroke-dasharray:16 4"),
        (Basis::Possible, "stroke:#b4450f,stroke-width:2px,stroke-dasharray:7 5"),
    ] {
        let routes = scene.routes.iter().filter(|r| r.basis == basis);
        let legs: BTreeSet<usize> = routes.flat_map(|r| &r.legs).map(|(leg, _)| *leg).collect();
        links(legs.difference(&drawn).copied(), style, out)?;
        drawn.extend(legs);
    }
    Ok(())
}

/// A zone with what lies in it. Zones without anything are left out: Mermaid draws an empty one as an element.
fn area(scene: &Scene, at: usize, depth: usize, out: &mut String) -> std::fmt::Result {
    if !holds(scene, at) {
        return Ok(());
    }
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}subgraph z{at}[\"{}\"]", label(&scene.areas[at].label))?;
    for (i, node) in scene.nodes.iter().enumerate().filter(|(_, n)| n.area == at) {
        let (open, close) = match node.shape {
            Shape::Actor => ("[", "]"),
            Shape::Process => ("([", "])"),
            Shape::Store => ("[(", ")]"),
        };
        let (name, sub) = (label(&node.label), label(&node.sub));
        writeln!(out, "{indent}  n{i}{open}\"{name}<br/>{sub}\"{close}")?;
    }
    for inner in (at + 1..scene.areas.len()).filter(|a| scene.areas[*a].parent == Some(at)) {
        area(scene, inner, depth + 1, out)?;
    }
    writeln!(out, "{indent}end")
}

fn holds(scene: &Scene, at: usize) -> bool {
    scene.nodes.iter().any(|n| n.area == at)
        || (at + 1..scene.areas.len()).any(|a| scene.areas[a].parent == Some(at) && holds(scene, a))
}

fn arrow(edge: &Edge) -> String {
    let line = if edge.possible.is_some() || edge.members.is_empty() { "-.->" } else { "-->" };
    let text = if edge.label.is_empty() || !edge.crosses {
        edge.kind.clone()
    } else {
        format!("{}: {}", edge.kind, edge.label)
    };
    format!("{line}|\"{}\"|", label(&text))
}

fn classes(scene: &Scene, class: &str, is: impl Fn(&Node) -> bool, out: &mut String) -> std::fmt::Result {
    let ids: Vec<String> = (0..scene.nodes.len()).filter(|n| is(&scene.nodes[*n])).map(|n| format!("n{n}")).collect();
    if ids.is_empty() { Ok(()) } else { writeln!(out, "  class {} {class}", ids.join(",")) }
}

fn links(legs: impl Iterator<Item = usize>, style: &str, out: &mut String) -> std::fmt::Result {
    let legs: Vec<String> = legs.map(|l| l.to_string()).collect();
    if legs.is_empty() { Ok(()) } else { writeln!(out, "  linkStyle {} {style}", legs.join(",")) }
}

/// Text between quotes: everything that Mermaid, Markdown or HTML could take for its own becomes a character code.
fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut digits_only = true;
    for (i, c) in clean(text).chars().enumerate() {
        // A label that begins like an item of a list is taken for one.
        let plain = match c {
            '.' => !digits_only || i == 0,
            '-' | '+' => i > 0,
            ' ' | '_' | '/' | ',' | ':' | '@' | '=' => true,
            c if c.is_ascii() => c.is_ascii_alphanumeric(),
            '\u{fffe}' | '\u{ffff}' => false,
            _ => true,
        };
        digits_only &= c.is_ascii_digit();
        if plain {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    if out.trim().is_empty() { "#32;".into() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing_model;

    fn drawn(world: &testing_model::World) -> String {
        diagram(&world.assessment(&world.audit()))
    }

    #[test]
    fn the_usual_host_as_text() {
        insta::assert_snapshot!(drawn(&testing_model::usual()));
    }

    #[test]
    fn labels_are_inert() {
        assert_eq!(label("a\"];x[\"%%{init}%%"), "a#34;#93;#59;x#91;#34;#37;#37;#123;init#125;#37;#37;");
        assert_eq!(label("1. first"), "1#46; first");
        assert_eq!(label("registry.test/web-1:2"), "registry.test/web-1:2");
        assert_eq!(label("- x"), "#45; x");
        assert_eq!(label(""), "#32;");
    }

    #[test]
    fn a_thousand_containers_stay_readable() {
        let text = drawn(&testing_model::with_workers(1000));
        assert!(text.lines().count() < 100, "{}", text.lines().count());
        assert!(text.contains("containers"));
    }

    /// Whatever the names are, there are as many lines, and each is one of those that this module writes.
    #[test]
    fn hostile_names_change_no_line() {
        let lines = |text: &str| drawn(&testing_model::hostile(text)).lines().count();
        let benign = lines("benign");
        for text in ["\"]\nend\n", "`x`", "<script>", "%%{init: {}}%%", "end", "#quot;", "\u{202e}x", "a --> b", "]]"] {
            assert_eq!(lines(text), benign, "{text:?}");
            let drawing = drawn(&testing_model::hostile(text));
            assert!(drawing.lines().all(is_ours), "{drawing}");
        }
    }

    fn is_ours(line: &str) -> bool {
        let line = line.trim_start();
        let quoted = line.matches('"').count();
        let node = line.starts_with(['n', 'z']) && quoted == 2;
        let zone = line.starts_with("subgraph z") && quoted == 2;
        node || zone
            || line == "end"
            || ["flowchart ", "accTitle", "classDef ", "class n", "linkStyle "].iter().any(|s| line.starts_with(s))
    }
}
