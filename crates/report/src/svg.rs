//! The data-flow diagram as SVG: zones as boxes in boxes, elements by their STRIDE shape, flows as arrows, and the
//! cheapest attack paths to the dearest jewels on top. No script, no style attribute, no reference to anything outside the drawing.

pub(crate) mod dagre;
pub(crate) mod layout;
pub(crate) mod scene;
mod zones;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io;

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::Shape;
use unicode_width::UnicodeWidthStr as _;

use crate::clean::{bounded, clean};
use crate::words;
use layout::{Graph, Grid, Layout, Line, Placed, Point, Rect, Size};
use scene::{Edge, Node, Scene};

/// The drawing's style, for a page that holds the drawing inline. Colours are the custom properties of [`COLOURS`].
pub const STYLE: &str = include_str!("svg/style.css");

/// The colours of the drawing, light, dark and printed, for a drawing that stands alone.
pub(crate) const COLOURS: &str = include_str!("svg/colours.css");

/// How a diagram is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many paths are drawn on it: the cheapest to each of the dearest jewels.
    pub paths: usize,
    /// Whether elements and arrows link to `#e-N` and `#f-N`, their places in the page.
    pub links: bool,
    /// Whether it brings its own style and colours.
    pub standalone: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { paths: 3, links: false, standalone: true }
    }
}

/// Writes the diagram as an SVG file.
///
/// # Errors
/// Those of the writer.
pub fn render(assessment: &Assessment<'_>, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(diagram(assessment, options).as_bytes())?;
    out.write_all(b"\n")
}

/// The diagram as an SVG element.
pub fn diagram(assessment: &Assessment<'_>, options: &Options) -> String {
    draw(assessment, &Scene::new(assessment, options.paths), options, &dagre::Dagre)
}

/// A scene as an SVG element, placed by an engine; where the engine gives up, plainly and saying so.
pub(crate) fn draw(assessment: &Assessment<'_>, scene: &Scene, options: &Options, engine: &dyn Layout) -> String {
    let graph = graph(scene);
    let (placed, gave_up) = match engine.place(&graph) {
        Ok(placed) => (placed, None),
        Err(why) => (Grid.place(&graph).unwrap_or_default(), Some(why)),
    };
    let mut out = String::new();
    let drawing = Drawing { assessment, scene, placed: &placed, options };
    // A String takes every write.
    let _ = drawing.write(&mut out, gave_up.as_deref());
    out
}

/// Text for SVG and HTML: harmless, escaped, and without what XML forbids.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

const HEIGHT: f64 = 46.0;

fn width_of(text: &str, per_column: f64) -> f64 {
    // Labels are bounded, so this is a small number.
    u16::try_from(text.width()).map_or(400.0, f64::from) * per_column
}

fn graph(scene: &Scene) -> Graph {
    let size = |node: &Node| {
        let w = width_of(&node.label, 7.4).max(width_of(&sub_line(node), 6.2)) + 28.0;
        Size { w: w.clamp(84.0, 260.0).round(), h: HEIGHT, zone: node.area, round: node.shape == Shape::Process }
    };
    let on_route: Vec<usize> = scene.routes.iter().flat_map(|r| &r.legs).map(|(e, _)| *e).collect();
    let line = |(i, edge): (usize, &Edge)| Line {
        from: edge.from,
        to: edge.to,
        w: if shows_label(edge) { width_of(&edge.label, 5.8) + 8.0 } else { 0.0 },
        weight: if on_route.contains(&i) { 4.0 } else { f64::from(2 - u8::from(is_plain(edge))) },
    };
    Graph {
        zones: scene.areas.iter().map(|a| a.parent).collect(),
        titles: scene.areas.iter().map(|a| width_of(&a.label, 6.6)).collect(),
        boxes: scene.nodes.iter().map(size).collect(),
        lines: scene.edges.iter().enumerate().map(line).collect(),
    }
}

/// Labels where something crosses a boundary or several flows are one; what is within a zone says enough by its ends.
fn shows_label(edge: &Edge) -> bool {
    edge.crosses && !edge.label.is_empty() && !is_plain(edge)
}

/// What nearly every container has: drawn lightly, so that what tells them apart stands out.
fn is_plain(edge: &Edge) -> bool {
    matches!(edge.kind.as_str(), "image" | "container-network" | "log")
}

fn sub_line(node: &Node) -> String {
    if node.open == 0 { node.sub.clone() } else { format!("{} · {} open", node.sub, node.open) }
}

struct Drawing<'d, 'a> {
    assessment: &'d Assessment<'a>,
    scene: &'d Scene,
    placed: &'d Placed,
    options: &'d Options,
}

impl Drawing<'_, '_> {
    fn write(&self, out: &mut String, gave_up: Option<&str>) -> std::fmt::Result {
        let (w, h) = self.placed.size;
        // What is in an image cannot be reached; a drawing with links is a group of them.
        let role = if self.options.links { "group" } else { "img" };
        write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dfd\" role=\"{role}\" aria-labelledby=\"dfd-title dfd-desc\" \
             viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\">"
        )?;
        let target = self.assessment.audit.snapshot.targets.first().map_or("", |t| t.name.as_str());
        write!(out, "<title id=\"dfd-title\">Data-flow diagram of {}</title>", escape(&bounded(target, 80)))?;
        write!(out, "<desc id=\"dfd-desc\">{}</desc>", escape(&self.description(gave_up)))?;
        if self.options.standalone {
            write!(out, "<style>{COLOURS}{STYLE}</style>")?;
        }
        out.push_str(
            "<defs><marker id=\"dfd-tip\" class=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\"/></marker>\
             <marker id=\"dfd-hot\" class=\"hot\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"5\" \
             markerHeight=\"5\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>",
        );
        self.zones(out)?;
        self.flows(out)?;
        self.routes(out)?;
        self.nodes(out)?;
        self.labels(out)?;
        out.push_str("</svg>");
        Ok(())
    }

    /// The drawing in a sentence, for who does not see it.
    fn description(&self, gave_up: Option<&str>) -> String {
        let (scene, diagram) = (self.scene, &self.assessment.diagram);
        let mut text = format!(
            "{} in {}, {}; {} drawn.",
            words::many(diagram.elements.len(), "element"),
            words::many(diagram.zones.len(), "zone"),
            words::many(diagram.flows.len(), "flow"),
            words::many(scene.routes.len(), "attack path"),
        );
        if scene.left_out > 0 {
            let _ = write!(text, " {} left out for want of room.", words::many(scene.left_out, "arrow"));
        }
        if let Some(why) = gave_up {
            let _ = write!(text, " Laid out plainly, since the layout engine gave up: {why}.");
        }
        text
    }

    fn zones(&self, out: &mut String) -> std::fmt::Result {
        for (i, (area, rect)) in self.scene.areas.iter().zip(&self.placed.zones).enumerate() {
            let Some(Rect { x, y, w, h }) = rect else { continue };
            write!(
                out,
                "<g class=\"zone\" id=\"dfd-z{i}\"><title>Zone {}: {}</title><rect x=\"{x:.0}\" y=\"{y:.0}\" \
                 width=\"{w:.0}\" height=\"{h:.0}\" rx=\"6\"/><text x=\"{:.0}\" y=\"{:.0}\">{}</text></g>",
                escape(&area.label),
                escape(&area.boundary),
                x + 10.0,
                y + 16.0,
                escape(&area.label),
            )?;
        }
        Ok(())
    }

    fn flows(&self, out: &mut String) -> std::fmt::Result {
        for (i, (edge, points)) in self.scene.edges.iter().zip(&self.placed.lines).enumerate() {
            if edge.members.is_empty() {
                // Drawn by the path that takes it.
                continue;
            }
            let possible = if edge.possible.is_some() { " possible" } else { "" };
            let inner = if edge.crosses && !is_plain(edge) { "" } else { " within" };
            self.open_link(out, "f", i, &self.flow_title(edge))?;
            write!(
                out,
                "<g class=\"flow{possible}{inner}\" id=\"dfd-f{i}\"><title>{}</title><path class=\"hit\" d=\"{}\"/>\
                 <path d=\"{}\" marker-end=\"url(#dfd-tip)\"/>",
                escape(&self.flow_title(edge)),
                way(points, false),
                way(points, false),
            )?;
            if let Some((at, across)) = self.boundary(edge, points).filter(|_| edge.crosses) {
                let (dx, dy) = (across.0 * 9.0, across.1 * 9.0);
                write!(
                    out,
                    "<path class=\"boundary\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
                    at.0 - dx,
                    at.1 - dy,
                    at.0 + dx,
                    at.1 + dy,
                )?;
            }
            out.push_str("</g>");
            self.close_link(out);
        }
        Ok(())
    }

    /// The arrows' labels, over everything that could hide them.
    fn labels(&self, out: &mut String) -> std::fmt::Result {
        for (edge, (x, y)) in self.scene.edges.iter().zip(&self.placed.labels).filter(|(e, _)| shows_label(e)) {
            write!(out, "<text class=\"label\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>", y + 3.5, escape(&edge.label))?;
        }
        Ok(())
    }

    fn flow_title(&self, edge: &Edge) -> String {
        let name = |n: usize| self.scene.nodes[n].label.as_str();
        let mut text = format!("{}: {} → {}", edge.kind, name(edge.from), name(edge.to));
        if !edge.label.is_empty() {
            let _ = write!(text, ", {}", edge.label);
        }
        if edge.crosses {
            text.push_str(" (crosses a boundary)");
        }
        if let Some(why) = &edge.possible {
            let _ = write!(text, "; possible: {why}");
        }
        text
    }

    /// Where an arrow crosses the border of the zone that it enters or leaves, and the direction across it.
    fn boundary(&self, edge: &Edge, points: &[Point]) -> Option<(Point, Point)> {
        let rect = |node: usize| self.placed.zones[self.scene.nodes[node].area];
        let inside = |rect: Rect, node: usize| rect.holds(self.placed.boxes[node].centre());
        let of_to = rect(edge.to).filter(|r| !inside(*r, edge.from));
        let rect = of_to.or_else(|| rect(edge.from).filter(|r| !inside(*r, edge.to)))?;
        let pair = points.windows(2).find(|p| rect.holds(p[0]) != rect.holds(p[1]))?;
        let (mut a, mut b) = (pair[0], pair[1]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx.hypot(dy).max(1.0);
        for _ in 0..16 {
            let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
            if rect.holds(middle) == rect.holds(a) {
                a = middle;
            } else {
                b = middle;
            }
        }
        Some((a, (-dy / length, dx / length)))
    }

    fn routes(&self, out: &mut String) -> std::fmt::Result {
        // The cheapest on top, and what is firm over what is less so.
        let mut order: Vec<usize> = (0..self.scene.routes.len()).rev().collect();
        order.sort_by_key(|r| std::cmp::Reverse(self.scene.routes[*r].basis));
        for r in order {
            let route = &self.scene.routes[r];
            let path = &self.assessment.paths.list[route.path];
            let (word, from) = (path.basis().word(), self.assessment.state(path.from));
            let title = format!(
                "Path {}, {word}: {} → {}",
                route.path + 1,
                bounded(&from, 80),
                bounded(&self.assessment.state(path.to), 80),
            );
            write!(out, "<g class=\"route {word}\" id=\"dfd-p{}\"><title>{}</title>", route.path, escape(&title))?;
            for (leg, against) in &route.legs {
                let way = way(&self.placed.lines[*leg], *against);
                write!(out, "<path d=\"{way}\" marker-end=\"url(#dfd-hot)\"/>")?;
            }
            out.push_str("</g>");
        }
        Ok(())
    }

    fn nodes(&self, out: &mut String) -> std::fmt::Result {
        for (i, (node, rect)) in self.scene.nodes.iter().zip(&self.placed.boxes).enumerate() {
            let mut class = format!("node {}", node.shape.word());
            if node.possible.is_some() {
                class.push_str(" possible");
            }
            if self.scene.routes.iter().any(|r| r.ends.1 == i) {
                class.push_str(" jewel");
            }
            self.open_link(out, "e", i, &node_title(node))?;
            write!(out, "<g class=\"{class}\" id=\"dfd-e{i}\"><title>{}</title>", escape(&node_title(node)))?;
            shape(out, node, *rect)?;
            let (x, y) = rect.centre();
            write!(
                out,
                "<text x=\"{x:.0}\" y=\"{:.0}\">{}</text><text class=\"sub\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>",
                y - 2.0,
                escape(&node.label),
                y + 13.0,
                escape(&sub_line(node)),
            )?;
            out.push_str("</g>");
            self.close_link(out);
        }
        self.entries(out)
    }

    /// The paths' numbers, where each begins.
    fn entries(&self, out: &mut String) -> std::fmt::Result {
        let mut at: Vec<usize> = vec![0; self.scene.nodes.len()];
        for route in &self.scene.routes {
            let rect = self.placed.boxes[route.ends.0];
            let shift = u16::try_from(at[route.ends.0]).map_or(0.0, f64::from) * 19.0;
            at[route.ends.0] += 1;
            let (x, y) = (rect.x + 4.0 + shift, rect.y);
            let word = route.basis.word();
            write!(
                out,
                "<g class=\"entry {word}\"><circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"8.5\"/><text x=\"{x:.0}\" \
                 y=\"{:.0}\">{}</text></g>",
                y + 3.5,
                route.path + 1,
            )?;
        }
        Ok(())
    }

    /// Elements are reached by the keyboard; flows, of which there are many, by the list below the drawing.
    fn open_link(&self, out: &mut String, what: &str, i: usize, label: &str) -> std::fmt::Result {
        if !self.options.links {
            return Ok(());
        }
        let skipped = if what == "f" { " tabindex=\"-1\"" } else { "" };
        write!(out, "<a href=\"#{what}-{i}\" aria-label=\"{}\"{skipped}>", escape(label))
    }

    fn close_link(&self, out: &mut String) {
        if self.options.links {
            out.push_str("</a>");
        }
    }
}

fn node_title(node: &Node) -> String {
    let mut text = format!("{}, {} ({})", node.label, node.sub, node.shape.word());
    if node.open > 0 {
        let _ = write!(text, "; {} open", words::many(node.open, "threat"));
    }
    if let Some(why) = &node.possible {
        let _ = write!(text, "; possible: {why}");
    }
    text
}

/// An actor is a rectangle, a process round, a store open at its sides; several are stacked.
fn shape(out: &mut String, node: &Node, Rect { x, y, w, h }: Rect) -> std::fmt::Result {
    let round = match node.shape {
        Shape::Process => h / 2.0,
        Shape::Actor | Shape::Store => 0.0,
    };
    if node.members.len() > 1 {
        write!(
            out,
            "<rect class=\"body\" x=\"{:.0}\" y=\"{:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" rx=\"{round:.0}\"/>",
            x + 4.0,
            y + 4.0,
        )?;
    }
    write!(
        out,
        "<rect class=\"body\" x=\"{x:.0}\" y=\"{y:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" rx=\"{round:.0}\"/>"
    )?;
    if node.shape == Shape::Store {
        let (right, bottom) = (x + w, y + h);
        write!(out, "<path class=\"edge\" d=\"M{x:.0} {y:.0}H{right:.0}M{x:.0} {bottom:.0}H{right:.0}\"/>")?;
    }
    Ok(())
}

/// A line through an arrow's corners, which are rounded but not cut: what lies beside them stays free.
fn way(points: &[Point], against: bool) -> String {
    const ROUND: f64 = 16.0;
    let mut points = points.to_vec();
    if against {
        points.reverse();
    }
    let mut out = String::new();
    let (Some((x, y)), Some(last)) = (points.first(), points.last()) else { return out };
    let _ = write!(out, "M{x:.1} {y:.1}");
    let towards = |from: Point, to: Point| {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let part = if length > 0.0 { (ROUND / length).min(0.5) } else { 0.0 };
        (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part)
    };
    for corner in points.windows(3) {
        let (into, out_of) = (towards(corner[1], corner[0]), towards(corner[1], corner[2]));
        let _ = write!(
            out,
            "L{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}",
            into.0, into.1, corner[1].0, corner[1].1, out_of.0, out_of.1,
        );
    }
    let _ = write!(out, "L{:.1} {:.1}", last.0, last.1);
    out
}
