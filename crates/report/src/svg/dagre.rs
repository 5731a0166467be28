//! The layered layout of the crate `dugong`, a port of dagre.

use std::collections::BTreeMap;

use dugong::graphlib::{EdgeKey, Graph as Input, GraphOptions};
use dugong::{EdgeLabel, GraphLabel, LabelPos, NodeLabel, RankDir, WorkControl, WorkError};

use super::layout::{Graph, Layout, Placed, Point, Rect, finish};

/// Work that a layout may cost: a drawing of sixty boxes and a hundred arrows needs a tenth of it. It is counted, not
/// timed, so that the same graph is laid out alike on every machine.
const WORK: usize = 200_000_000;

/// Layered from left to right, zones as boxes in boxes.
pub struct Dagre;

struct Budget(usize);

impl WorkControl for Budget {
    fn charge(&mut self, units: usize) -> Result<(), WorkError> {
        self.0 = self.0.checked_sub(units).ok_or(WorkError::Interrupted)?;
        Ok(())
    }
}

impl Layout for Dagre {
    /// The engine loses its thread on one in a hundred graphs with many zones side by side; half of these it places
    /// when it is given the boxes in the other order.
    fn place(&self, graph: &Graph) -> Result<Placed, String> {
        if graph.boxes.is_empty() {
            return finish(graph, Placed::default());
        }
        attempt(graph, false).or_else(|why| attempt(graph, true).map_err(|_| why))
    }
}

fn attempt(graph: &Graph, backwards: bool) -> Result<Placed, String> {
    let mut input = input(graph, backwards);
    dugong::layout_controlled(&mut input, &mut Budget(WORK)).map_err(|error| error.to_string())?;
    let mut placed = Placed::default();
    for i in 0..graph.boxes.len() {
        let node = input.node(&box_id(i)).ok_or("a box is missing")?;
        let (x, y) = node.x.zip(node.y).ok_or("a box has no place")?;
        placed.boxes.push(Rect { x: x - node.width / 2.0, y: y - node.height / 2.0, w: node.width, h: node.height });
    }
    for (i, line) in graph.lines.iter().enumerate() {
        let edge = input.edge_by_key(&key(graph, i)).ok_or("an arrow is missing")?;
        let points: Vec<Point> = edge.points.iter().map(|p| (p.x, p.y)).collect();
        if points.len() < 2 {
            return Err("an arrow has no way".into());
        }
        let middle = points[points.len() / 2];
        placed.labels.push(if line.w > 0.0 { edge.x.zip(edge.y).unwrap_or(middle) } else { middle });
        placed.lines.push(points);
    }
    if overlap(&placed.boxes) {
        return Err("boxes would lie over each other".into());
    }
    ports(graph, &mut placed);
    finish(graph, placed)
}

fn overlap(boxes: &[Rect]) -> bool {
    let over = |a: &Rect, b: &Rect| a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
    boxes.iter().enumerate().any(|(i, a)| boxes[i + 1..].iter().any(|b| over(a, b)))
}

/// An end of an arrow at a box: the height that it comes from, the arrow, and whether it is its last end.
type End = (f64, usize, bool);

/// Lets arrows leave and enter boxes at their sides, spread over them, and turn only in the gap between two columns: a
/// straight way to a box's middle would run through its neighbours in the column.
fn ports(graph: &Graph, placed: &mut Placed) {
    const GAP: f64 = 12.0;
    let boxes = &placed.boxes;
    let mut sides: BTreeMap<(usize, bool), Vec<End>> = BTreeMap::new();
    for (i, line) in graph.lines.iter().enumerate() {
        let points = &mut placed.lines[i];
        // The ends are on the boxes' borders; what lies between is the way.
        points.remove(0);
        points.pop();
        for (node, is_end) in [(line.from, false), (line.to, true)] {
            let other = if is_end { line.from } else { line.to };
            let next = if is_end { points.last() } else { points.first() };
            let (x, y) = next.copied().unwrap_or_else(|| boxes[other].centre());
            sides.entry((node, x > boxes[node].centre().0)).or_default().push((y, i, is_end));
        }
    }
    for ((node, right), mut ends) in sides {
        ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let rect = boxes[node];
        let (x, y) = rect.centre();
        let column = boxes.iter().filter(|b| (b.centre().0 - x).abs() < 1.0);
        let turn = if right {
            column.map(|b| b.x + b.w).fold(f64::MIN, f64::max) + GAP
        } else {
            column.map(|b| b.x).fold(f64::MAX, f64::min) - GAP
        };
        let step = rect.h * 0.6 / count(ends.len() + 1);
        for (at, (_, line, is_end)) in ends.into_iter().enumerate() {
            let off = step * count(at + 1) - rect.h * 0.3;
            let inset = if graph.boxes[node].round { round_inset(rect.h / 2.0, off) } else { 0.0 };
            let port = (if right { rect.x + rect.w - inset } else { rect.x + inset }, y + off);
            let points = &mut placed.lines[line];
            if is_end {
                points.extend([(turn, port.1), port]);
            } else {
                points.splice(0..0, [port, (turn, port.1)]);
            }
        }
    }
    for points in &mut placed.lines {
        straighten(points);
    }
}

/// Takes out the corners that turn nowhere.
fn straighten(points: &mut Vec<Point>) {
    let mut i = 1;
    while i + 1 < points.len() {
        let (a, b, c) = (points[i - 1], points[i], points[i + 1]);
        let turn = (b.0 - a.0) * (c.1 - b.1) - (b.1 - a.1) * (c.0 - b.0);
        let length = (c.0 - a.0).hypot(c.1 - a.1);
        if turn.abs() < length.max(1.0) * 0.5 {
            points.remove(i);
        } else {
            i += 1;
        }
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

/// How far a half circle's edge lies from the side of its box, off its middle.
fn round_inset(radius: f64, off: f64) -> f64 {
    radius - (radius * radius - off * off).max(0.0).sqrt()
}

// Never digits alone, which the engine would order as numbers.
fn box_id(i: usize) -> String {
    format!("n{i}")
}

fn zone_id(i: usize) -> String {
    format!("z{i}")
}

fn key(graph: &Graph, i: usize) -> EdgeKey {
    let line = &graph.lines[i];
    EdgeKey::new(box_id(line.from), box_id(line.to), Some(format!("e{i}")))
}

fn input(graph: &Graph, backwards: bool) -> Input<NodeLabel, EdgeLabel, GraphLabel> {
    let mut input = Input::new(GraphOptions { multigraph: true, compound: true, directed: true });
    input.set_graph(GraphLabel {
        rankdir: RankDir::LR,
        nodesep: 30.0,
        ranksep: 44.0,
        edgesep: 18.0,
        ..GraphLabel::default()
    });
    // An empty zone would be a box of no size in the way of the others.
    let mut held = vec![false; graph.zones.len()];
    for size in &graph.boxes {
        held[size.zone] = true;
    }
    for i in (0..held.len()).rev() {
        if let (true, Some(parent)) = (held[i], graph.zones[i]) {
            held[parent] = true;
        }
    }
    for i in (0..held.len()).filter(|i| held[*i]) {
        input.set_node(zone_id(i), NodeLabel::default());
    }
    let order = |i: usize| if backwards { graph.boxes.len() - 1 - i } else { i };
    for (i, size) in (0..graph.boxes.len()).map(order).map(|i| (i, &graph.boxes[i])) {
        input.set_node(box_id(i), NodeLabel { width: size.w, height: size.h, ..NodeLabel::default() });
    }
    for (i, parent) in graph.zones.iter().enumerate().filter(|(i, _)| held[*i]) {
        if let Some(parent) = parent {
            input.set_parent(zone_id(i), zone_id(*parent));
        }
    }
    for (i, size) in graph.boxes.iter().enumerate() {
        input.set_parent(box_id(i), zone_id(size.zone));
    }
    for (i, line) in graph.lines.iter().enumerate() {
        let label = EdgeLabel {
            width: line.w,
            height: if line.w > 0.0 { 14.0 } else { 0.0 },
            labelpos: LabelPos::C,
            weight: line.weight,
            ..EdgeLabel::default()
        };
        input.set_edge_key(key(graph, i), label);
    }
    input
}
