//! The zones that are drawn: all of them where they are few, else the most telling, with the others as one in each.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::diagram::Diagram;

use crate::clean::bounded;
use crate::words;

/// The most zones that are drawn each for itself.
const ZONES: usize = 12;

/// The most that zones are nested in the drawing.
const DEPTH: usize = 4;

/// A drawn zone: a zone of the diagram, or several in one.
#[derive(Clone, Debug)]
pub struct Area {
    /// The name, or the count.
    pub label: String,
    /// What separates it from what is around it.
    pub boundary: String,
    /// The area that it lies in, by position; parents come first.
    pub parent: Option<usize>,
    /// The zones, by position in the diagram.
    pub members: Vec<usize>,
}

/// The areas, and for each zone of the diagram the area that it is drawn in. Zones of pinned elements stay.
pub fn areas(diagram: &Diagram, pinned: &BTreeSet<usize>) -> (Vec<Area>, Vec<usize>) {
    let zones = &diagram.zones;
    let depths = depths(diagram);
    let used = used(diagram);
    let mut kept: BTreeSet<usize> = BTreeSet::new();
    let keep = |zone: usize, kept: &mut BTreeSet<usize>| {
        let mut chain = Vec::new();
        let mut at = Some(zone);
        while let Some(z) = at {
            chain.push(z);
            at = parent(diagram, z);
        }
        chain.retain(|z| depths[*z] < DEPTH && !kept.contains(z));
        if kept.len() + chain.len() <= ZONES {
            kept.extend(chain);
        }
    };
    for element in pinned.iter().filter_map(|e| diagram.elements.get(*e)) {
        keep(element.zone, &mut kept);
    }
    // Those that hold others first: they are the frame.
    let mut rest: Vec<usize> = (0..zones.len()).filter(|z| used[*z]).collect();
    rest.sort_by_key(|z| (depths[*z], *z));
    for zone in rest {
        keep(zone, &mut kept);
    }

    let mut areas: Vec<Area> = Vec::new();
    let mut area_of = vec![usize::MAX; zones.len()];
    for zone in &kept {
        area_of[*zone] = areas.len();
        areas.push(Area {
            label: bounded(&zones[*zone].name, 40).into_owned(),
            boundary: bounded(&zones[*zone].boundary, 200).into_owned(),
            parent: parent(diagram, *zone).map(|p| area_of[p]),
            members: vec![*zone],
        });
    }
    fold(diagram, &used, &mut areas, &mut area_of);
    (areas, area_of)
}

/// The zones that are not kept: one area for all of them within each kept one.
fn fold(diagram: &Diagram, used: &[bool], areas: &mut Vec<Area>, area_of: &mut [usize]) {
    let mut folded: BTreeMap<Option<usize>, usize> = BTreeMap::new();
    for zone in 0..diagram.zones.len() {
        if area_of[zone] != usize::MAX {
            continue;
        }
        let around = parent(diagram, zone).map(|p| area_of[p]);
        // A zone within a folded one is folded with it; one as deep as is drawn goes into its parent.
        let into = around.filter(|a| folded.values().any(|f| f == a));
        let at = into.or_else(|| folded.get(&around).copied()).unwrap_or_else(|| {
            areas.push(Area { label: String::new(), boundary: String::new(), parent: around, members: Vec::new() });
            folded.insert(around, areas.len() - 1);
            areas.len() - 1
        });
        area_of[zone] = at;
        if used[zone] {
            areas[at].members.push(zone);
        }
    }
    for area in areas.iter_mut().filter(|a| a.label.is_empty()) {
        let first = area.members.first().map(|z| bounded(&diagram.zones[*z].name, 24).into_owned());
        area.label = match (area.members.len(), first) {
            (1, Some(name)) => name,
            (n, Some(name)) => format!("{}: {name}, …", words::count(n, "zone")),
            (_, None) => "empty zones".into(),
        };
        area.boundary = "zones that are drawn as one; the list of zones has each".into();
    }
}

/// A zone's parent; only one that is listed before it, as the diagram promises.
fn parent(diagram: &Diagram, zone: usize) -> Option<usize> {
    diagram.zones[zone].parent.filter(|p| *p < zone)
}

fn depths(diagram: &Diagram) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::with_capacity(diagram.zones.len());
    for zone in 0..diagram.zones.len() {
        let depth = parent(diagram, zone).map_or(0, |p| out[p] + 1);
        out.push(depth);
    }
    out
}

/// Which zones hold an element, themselves or in a zone within.
fn used(diagram: &Diagram) -> Vec<bool> {
    let mut used = vec![false; diagram.zones.len()];
    for element in &diagram.elements {
        used[element.zone] = true;
    }
    for zone in (0..used.len()).rev() {
        if let (true, Some(p)) = (used[zone], parent(diagram, zone)) {
            used[p] = true;
        }
    }
    used
}
