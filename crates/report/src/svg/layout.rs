//! Where things go: the trait that a layout engine fills, and a plain grid for when it gives up.

/// A point of the drawing.
pub type Point = (f64, f64);

/// A rectangle by its corner and size.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub x: f64,
    /// The top edge.
    pub y: f64,
    /// The width.
    pub w: f64,
    /// The height.
    pub h: f64,
}

impl Rect {
    /// The middle.
    pub fn centre(self) -> Point {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Whether a point lies in it.
    pub fn holds(self, (x, y): Point) -> bool {
        x >= self.x && x <= self.x + self.w && y >= self.y && y <= self.y + self.h
    }

    /// The smallest rectangle around both.
    pub fn around(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let (right, bottom) = ((self.x + self.w).max(other.x + other.w), (self.y + self.h).max(other.y + other.h));
        Self { x, y, w: right - x, h: bottom - y }
    }

    fn is_finite(self) -> bool {
        [self.x, self.y, self.w, self.h].iter().all(|n| n.is_finite())
    }
}

/// A box to place.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The width.
    pub w: f64,
    /// The height.
    pub h: f64,
    /// The zone that it lies in.
    pub zone: usize,
    /// Whether its sides are half circles.
    pub round: bool,
}

/// An arrow to route, with room for its label.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The box that it begins at.
    pub from: usize,
    /// The box that it ends at; another one.
    pub to: usize,
    /// The label's width, 0 for none.
    pub w: f64,
    /// How much it should be short.
    pub weight: f64,
}

/// What is to be placed.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// For each zone the one around it; parents first.
    pub zones: Vec<Option<usize>>,
    /// For each zone the width of its label.
    pub titles: Vec<f64>,
    /// The boxes.
    pub boxes: Vec<Size>,
    /// The arrows.
    pub lines: Vec<Line>,
}

/// Where everything is.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// The drawing's size.
    pub size: Point,
    /// The zones; none where one holds nothing.
    pub zones: Vec<Option<Rect>>,
    /// The boxes.
    pub boxes: Vec<Rect>,
    /// The corners of each arrow, from its first end to its last.
    pub lines: Vec<Vec<Point>>,
    /// The middle of each label.
    pub labels: Vec<Point>,
}

/// Something that places a graph.
pub trait Layout {
    /// Places everything; the same graph always alike.
    ///
    /// # Errors
    /// Why it could not, in a sentence.
    fn place(&self, graph: &Graph) -> Result<Placed, String>;
}

/// Room around what lies in a zone.
const PAD: f64 = 14.0;
/// Room for a zone's label.
const TITLE: f64 = 22.0;
/// Room around the drawing.
const MARGIN: f64 = 12.0;

/// Rows of boxes, one row for each zone, and straight lines: plain, and never at a loss.
pub struct Grid;

impl Layout for Grid {
    fn place(&self, graph: &Graph) -> Result<Placed, String> {
        const COLUMNS: usize = 6;
        let mut boxes = vec![Rect::default(); graph.boxes.len()];
        let mut y = 0.0;
        for zone in depth_first(&graph.zones) {
            y += TITLE + PAD;
            let members: Vec<usize> = (0..boxes.len()).filter(|b| graph.boxes[*b].zone == zone).collect();
            for row in members.chunks(COLUMNS) {
                let (mut x, mut height) = (0.0, 0.0f64);
                for i in row {
                    let Size { w, h, .. } = graph.boxes[*i];
                    boxes[*i] = Rect { x, y, w, h };
                    x += w + 48.0;
                    height = height.max(h);
                }
                y += height + 36.0;
            }
        }
        let lines: Vec<Vec<Point>> = graph
            .lines
            .iter()
            .map(|l| {
                let (a, b) = (boxes[l.from], boxes[l.to]);
                vec![border(a, b.centre()), border(b, a.centre())]
            })
            .collect();
        let labels = lines.iter().map(|l| ((l[0].0 + l[1].0) / 2.0, (l[0].1 + l[1].1) / 2.0)).collect();
        finish(graph, Placed { boxes, lines, labels, ..Placed::default() })
    }
}

/// Zones in the order in which a list with indents would show them.
fn depth_first(zones: &[Option<usize>]) -> Vec<usize> {
    let mut paths: Vec<Vec<usize>> = Vec::with_capacity(zones.len());
    for (i, parent) in zones.iter().enumerate() {
        let mut path = parent.and_then(|p| paths.get(p).cloned()).unwrap_or_default();
        path.push(i);
        paths.push(path);
    }
    paths.sort();
    paths.into_iter().filter_map(|p| p.last().copied()).collect()
}

/// Where the line from a rectangle's middle to a point leaves it.
fn border(rect: Rect, to: Point) -> Point {
    let (x, y) = rect.centre();
    let (dx, dy) = (to.0 - x, to.1 - y);
    let scale = |room: f64, way: f64| if way == 0.0 { f64::INFINITY } else { room / way.abs() };
    let t = scale(rect.w / 2.0, dx).min(scale(rect.h / 2.0, dy)).min(1.0);
    (x + dx * t, y + dy * t)
}

/// Draws the zones around what lies in them, moves everything to the corner, and holds the result to its promises.
///
/// # Errors
/// Where a coordinate is no number.
pub fn finish(graph: &Graph, mut placed: Placed) -> Result<Placed, String> {
    let mut zones: Vec<Option<Rect>> = vec![None; graph.zones.len()];
    let grow = |zone: &mut Option<Rect>, by: Rect| *zone = Some(zone.map_or(by, |z| z.around(by)));
    for (size, rect) in graph.boxes.iter().zip(&placed.boxes) {
        grow(&mut zones[size.zone], *rect);
    }
    // Children come after their parents.
    for i in (0..zones.len()).rev() {
        let Some(inner) = zones[i] else { continue };
        let least = graph.titles.get(i).copied().unwrap_or(0.0) + 2.0 * PAD;
        let rect = Rect {
            x: inner.x - PAD,
            y: inner.y - TITLE - PAD / 2.0,
            w: (inner.w + 2.0 * PAD).max(least),
            h: inner.h + TITLE + PAD * 1.5,
        };
        zones[i] = Some(rect);
        if let Some(parent) = graph.zones[i] {
            grow(&mut zones[parent], rect);
        }
    }
    let everything = zones.iter().flatten().chain(&placed.boxes).copied().reduce(Rect::around);
    let mut all = everything.unwrap_or_default();
    for (x, y) in placed.lines.iter().flatten().chain(&placed.labels) {
        all = all.around(Rect { x: *x, y: *y, w: 0.0, h: 0.0 });
    }
    let numbers = placed.lines.iter().flatten().chain(&placed.labels).all(|(x, y)| x.is_finite() && y.is_finite());
    if !numbers || !all.is_finite() || !placed.boxes.iter().all(|b| b.is_finite()) {
        return Err("a coordinate is no number".into());
    }
    let (dx, dy) = (MARGIN - all.x, MARGIN - all.y);
    for rect in zones.iter_mut().flatten().chain(&mut placed.boxes) {
        rect.x += dx;
        rect.y += dy;
    }
    for (x, y) in placed.lines.iter_mut().flatten().chain(&mut placed.labels) {
        *x += dx;
        *y += dy;
    }
    placed.zones = zones;
    placed.size = (all.w + 2.0 * MARGIN, all.h + 2.0 * MARGIN);
    Ok(placed)
}
