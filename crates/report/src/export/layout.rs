//! Places for a diagram: each zone a box with its own elements in rows, and below them the zones inside it. The same
//! diagram has the same places, and no two boxes overlap.

/// A box, in pixels from the upper left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Where everything lies.
pub struct Layout {
    pub zones: Vec<Rect>,
    pub nodes: Vec<Rect>,
    pub width: u32,
    pub height: u32,
}

/// From one element to the next, across and down.
const PITCH: (u32, u32) = (220, 140);
/// An element.
const NODE: (u32, u32) = (160, 80);
/// Around what is in a box, and between boxes.
const GAP: u32 = 30;
/// Above what is in a box: its name.
const HEAD: u32 = 40;
/// The most elements of a row.
const ROW: usize = 40;

/// Lays out zones, parents first, and elements by the zone that each lies in.
pub fn layout(parents: &[Option<usize>], zone_of: &[usize]) -> Layout {
    let mut members = vec![Vec::new(); parents.len()];
    for (node, zone) in zone_of.iter().enumerate() {
        members[*zone].push(node);
    }
    let mut inside = vec![Vec::new(); parents.len()];
    for (zone, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            inside[*parent].push(zone);
        }
    }
    let mut zones = vec![Rect::default(); parents.len()];
    // What is inside has its size before what is around it.
    for zone in (0..zones.len()).rev() {
        let (columns, rows) = grid(members[zone].len());
        let children = inside[zone].iter().map(|c| zones[*c]);
        let widest = children.clone().map(|c| c.width).max().unwrap_or(0);
        let below: u32 = children.map(|c| c.height.saturating_add(GAP)).fold(0, u32::saturating_add);
        zones[zone].width = (columns * PITCH.0).max(widest).max(PITCH.0).saturating_add(2 * GAP);
        zones[zone].height = HEAD.saturating_add(rows * PITCH.1).saturating_add(below).saturating_add(GAP);
    }
    let mut nodes = vec![Rect::default(); zone_of.len()];
    let mut right = GAP;
    for zone in 0..zones.len() {
        if parents[zone].is_none() {
            (zones[zone].x, zones[zone].y) = (right, GAP);
            right = right.saturating_add(zones[zone].width).saturating_add(GAP);
        }
        let Rect { x, y, .. } = zones[zone];
        let (columns, rows) = grid(members[zone].len());
        for (place, node) in members[zone].iter().enumerate() {
            // At most a row of 40, and as many rows as there are elements.
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let (column, row) = (place % columns, place / columns);
            nodes[*node] = Rect {
                x: x.saturating_add(GAP + column * PITCH.0),
                y: y.saturating_add(HEAD).saturating_add(row.saturating_mul(PITCH.1)),
                width: NODE.0,
                height: NODE.1,
            };
        }
        let mut top = y.saturating_add(HEAD).saturating_add(rows * PITCH.1);
        for child in &inside[zone] {
            (zones[*child].x, zones[*child].y) = (x.saturating_add(GAP), top);
            top = top.saturating_add(zones[*child].height).saturating_add(GAP);
        }
    }
    let low = zones.iter().map(|z| z.y.saturating_add(z.height)).max().unwrap_or(0);
    Layout { zones, nodes, width: right, height: low.saturating_add(GAP) }
}

/// Columns and rows for so many elements: about a square, and at least one column.
fn grid(number: usize) -> (u32, u32) {
    let columns = (1..ROW).find(|c| c * c >= number).unwrap_or(ROW);
    let rows = number.div_ceil(columns);
    (u32::try_from(columns).unwrap_or(1), u32::try_from(rows).unwrap_or(u32::MAX / PITCH.1 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(a: Rect, b: Rect) -> bool {
        a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    }

    fn holds(outer: Rect, inner: Rect) -> bool {
        outer.x <= inner.x
            && outer.y <= inner.y
            && inner.x + inner.width <= outer.x + outer.width
            && inner.y + inner.height <= outer.y + outer.height
    }

    #[test]
    fn nothing_overlaps_and_all_lies_where_it_belongs() {
        let parents = [None, None, Some(1), Some(2), Some(1)];
        let of: Vec<usize> = (0..300).map(|i| [0, 1, 1, 2, 3, 4, 3, 3][i % 8]).collect();
        let drawn = layout(&parents, &of);
        for (i, zone) in of.iter().enumerate() {
            assert!(holds(drawn.zones[*zone], drawn.nodes[i]));
            assert!((0..i).all(|j| apart(drawn.nodes[i], drawn.nodes[j])));
            let inside = |z: &usize| parents[*z] == Some(*zone);
            assert!((0..parents.len()).filter(inside).all(|z| apart(drawn.nodes[i], drawn.zones[z])));
        }
        for (zone, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                assert!(holds(drawn.zones[*parent], drawn.zones[zone]));
            }
            let siblings = (0..zone).filter(|z| parents[*z] == *parent);
            assert!(siblings.into_iter().all(|z| apart(drawn.zones[z], drawn.zones[zone])));
            assert!(drawn.zones[zone].x + drawn.zones[zone].width <= drawn.width);
            assert!(drawn.zones[zone].y + drawn.zones[zone].height <= drawn.height);
        }
    }

    #[test]
    fn nothing_has_a_page_too() {
        let drawn = layout(&[], &[]);
        assert!(drawn.zones.is_empty() && drawn.nodes.is_empty() && drawn.width > 0 && drawn.height > 0);
    }
}
