//! What is drawn of a diagram: never more than can be read. Above forty elements, what is equal becomes one stacked
//! element with its count, step by step, until few enough are left; so do zones, and parallel flows.

use std::collections::{BTreeMap, BTreeSet};

use seaworthy_core::assessment::Assessment;
use seaworthy_core::diagram::{Certainty, Element, FlowKind, Shape};
use seaworthy_core::step::{Basis, Hop};
use seaworthy_core::threat::{Status, Subject};

pub use super::zones::Area;
use super::zones::areas;
use crate::clean::bounded;
use crate::words;

/// The most elements that are drawn each for itself.
pub const ELEMENTS: usize = 40;

/// The most arrows.
const EDGES: usize = 120;

/// The most elements that keep their place because a drawn path leads over them.
const PINNED: usize = 20;

/// The most characters of a name in the drawing.
const LABEL: usize = 26;

/// One drawn element: an element of the diagram, or several stacked.
#[derive(Clone, Debug)]
pub struct Node {
    /// The name, or the count with the kind.
    pub label: String,
    /// The kind; of stacked ones the first name.
    pub sub: String,
    /// What it is to STRIDE.
    pub shape: Shape,
    /// The area that it lies in, by position.
    pub area: usize,
    /// The elements, by position in the diagram.
    pub members: Vec<usize>,
    /// Why it may not be there; none when one of them surely is.
    pub possible: Option<String>,
    /// How many threats of the catalogue are open on it.
    pub open: usize,
}

/// One drawn arrow: a flow, several alike, or a step of a path that needs no flow.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The node that it begins at.
    pub from: usize,
    /// The node that it ends at.
    pub to: usize,
    /// What flows, in words.
    pub kind: String,
    /// What people call it; of several their count.
    pub label: String,
    /// The flows, by position in the diagram; none for a step alone.
    pub members: Vec<usize>,
    /// Whether it crosses a boundary.
    pub crosses: bool,
    /// Why it may not be there; none when one of them surely is.
    pub possible: Option<String>,
}

/// A path over the drawing.
#[derive(Clone, Debug)]
pub struct Route {
    /// The path, by position in the list.
    pub path: usize,
    /// What it rests on.
    pub basis: Basis,
    /// The arrows in order, each with whether it is walked against its direction.
    pub legs: Vec<(usize, bool)>,
    /// Where it begins, and where it ends.
    pub ends: (usize, usize),
}

/// The drawing without coordinates.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The zones, parents first.
    pub areas: Vec<Area>,
    /// The elements.
    pub nodes: Vec<Node>,
    /// The arrows.
    pub edges: Vec<Edge>,
    /// The cheapest paths.
    pub routes: Vec<Route>,
    /// For each element of the diagram the node that it is drawn in.
    pub node_of: Vec<usize>,
    /// Flows between elements of one stack, which have no arrow.
    pub inside: usize,
    /// Arrows that were left out for want of room.
    pub left_out: usize,
}

/// What decides which elements are stacked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Own(usize),
    Kind(usize, &'a str),
    Class(usize, usize),
    Alike(usize, usize),
    Area(usize, Shape),
}

/// How far elements are stacked, each step further than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Files,
    Equal,
    Alike,
    Kinds,
    Areas,
}

impl Scene {
    /// What is drawn of an assessment, with this many of its paths: the cheapest to each of the dearest jewels.
    pub fn new(assessment: &Assessment<'_>, paths: usize) -> Self {
        let diagram = &assessment.diagram;
        let drawn = telling(assessment, paths);
        let hops = drawn.iter().flat_map(|p| &assessment.paths.list[*p].hops);
        let on_paths = hops.flat_map(|h| [h.from.element, h.to.element]);
        let class = |e: usize| assessment.paths.class_of.get(e).copied().unwrap_or(e);
        let mut pinned = BTreeSet::new();
        for element in on_paths.filter(|e| *e < diagram.elements.len()) {
            if pinned.len() < PINNED {
                pinned.insert(class(element));
            }
        }
        let (areas, area_of) = areas(diagram, &pinned);
        let place = Place { assessment, area_of: &area_of, pinned: &pinned, class: &class };
        let groups = place.groups();
        let mut node_of = vec![0; diagram.elements.len()];
        for (n, members) in groups.iter().enumerate() {
            for member in members {
                node_of[*member] = n;
            }
        }
        let open = open_threats(assessment, &node_of, groups.len());
        let nodes = groups.into_iter().zip(open).map(|(members, open)| place.node(members, open)).collect();
        let mut scene = Self { areas, nodes, node_of, ..Self::default() };
        scene.add_flows(assessment);
        scene.add_routes(assessment, &drawn);
        scene
    }

    /// The arrows: flows of one kind between the same nodes together, then all between the same nodes, then no more
    /// than fit, those that cross a boundary first.
    fn add_flows(&mut self, assessment: &Assessment<'_>) {
        let flows = &assessment.diagram.flows;
        let mut by_kind: BTreeMap<(usize, usize, Option<FlowKind>), Vec<usize>> = BTreeMap::new();
        for (i, flow) in flows.iter().enumerate() {
            let (Some(from), Some(to)) = (self.node_of.get(flow.from), self.node_of.get(flow.to)) else { continue };
            if from == to {
                self.inside += 1;
            } else {
                by_kind.entry((*from, *to, Some(flow.kind))).or_default().push(i);
            }
        }
        if by_kind.len() > EDGES {
            let mut merged: BTreeMap<(usize, usize, Option<FlowKind>), Vec<usize>> = BTreeMap::new();
            for ((from, to, _), mut members) in by_kind {
                merged.entry((from, to, None)).or_default().append(&mut members);
            }
            by_kind = merged;
        }
        self.edges = by_kind.into_iter().map(|((from, to, _), members)| edge(assessment, from, to, members)).collect();
        if self.edges.len() > EDGES {
            self.edges.sort_by_key(|e| !e.crosses);
            self.left_out = self.edges.len() - EDGES;
            self.edges.truncate(EDGES);
        }
    }

    fn add_routes(&mut self, assessment: &Assessment<'_>, paths: &[usize]) {
        let mut by_ends: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (i, edge) in self.edges.iter().enumerate() {
            by_ends.entry((edge.from, edge.to)).or_insert(i);
        }
        let mut by_flow: BTreeMap<usize, usize> = BTreeMap::new();
        for (i, edge) in self.edges.iter().enumerate() {
            by_flow.extend(edge.members.iter().map(|flow| (*flow, i)));
        }
        for (p, path) in paths.iter().map(|p| (*p, &assessment.paths.list[*p])) {
            let legs = path.hops.iter().filter_map(|hop| self.leg(hop, &by_flow, &mut by_ends)).collect();
            let node = |element: usize| self.node_of.get(element).copied();
            let (Some(from), Some(to)) = (node(path.from.element), node(path.to.element)) else { continue };
            self.routes.push(Route { path: p, basis: path.basis(), legs, ends: (from, to) });
        }
    }

    /// The arrow that a hop takes; one is added where no flow is drawn between its ends.
    fn leg(
        &mut self,
        hop: &Hop,
        by_flow: &BTreeMap<usize, usize>,
        by_ends: &mut BTreeMap<(usize, usize), usize>,
    ) -> Option<(usize, bool)> {
        let from = *self.node_of.get(hop.from.element)?;
        let to = *self.node_of.get(hop.to.element)?;
        if from == to {
            return None;
        }
        let of_flow = hop.flow.and_then(|f| by_flow.get(&f)).copied();
        let fits = |e: &usize| {
            let edge = &self.edges[*e];
            (edge.from, edge.to) == (from, to) || (edge.to, edge.from) == (from, to)
        };
        let known =
            of_flow.filter(fits).or_else(|| by_ends.get(&(from, to)).or_else(|| by_ends.get(&(to, from))).copied());
        let edge = known.unwrap_or_else(|| {
            self.edges.push(Edge {
                from,
                to,
                kind: "step".into(),
                label: String::new(),
                members: Vec::new(),
                crosses: self.nodes[from].area != self.nodes[to].area,
                possible: None,
            });
            by_ends.insert((from, to), self.edges.len() - 1);
            self.edges.len() - 1
        });
        Some((edge, self.edges[edge].from != from))
    }
}

/// The cheapest path from each kind of entry to each jewel, the dearest jewels first, the firm before the less so.
fn telling(assessment: &Assessment<'_>, most: usize) -> Vec<usize> {
    let list = &assessment.paths.list;
    let mut seen = BTreeSet::new();
    let ends = |p: &usize| (list[*p].to.capability, list[*p].basis(), list[*p].from.capability);
    let mut cheapest: Vec<usize> = (0..list.len()).filter(|p| seen.insert(ends(p))).collect();
    let mut of_jewel: BTreeMap<usize, usize> = BTreeMap::new();
    let turn = |p: &usize| {
        let turn = of_jewel.entry(list[*p].to.capability).or_default();
        *turn += 1;
        *turn
    };
    cheapest.sort_by_key(|p| list[*p].basis());
    let turns: Vec<usize> = cheapest.iter().map(turn).collect();
    let mut order: Vec<(usize, usize)> = turns.into_iter().zip(cheapest).collect();
    let rank = |p: usize| list[p].to.capability().jewel.unwrap_or(u8::MAX);
    order.sort_by_key(|(turn, p)| (*turn, rank(*p)));
    let mut out: Vec<usize> = order.into_iter().map(|(_, p)| p).take(most).collect();
    out.sort_unstable();
    out
}

/// How many threats of the catalogue are open on each node.
fn open_threats(assessment: &Assessment<'_>, node_of: &[usize], nodes: usize) -> Vec<usize> {
    let mut open: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes];
    for instance in assessment.threats.iter().filter(|t| t.status == Status::Open) {
        if let Subject::Element(e) = instance.subject
            && let Some(node) = node_of.get(e)
        {
            open[*node].insert(instance.threat);
        }
    }
    open.iter().map(BTreeSet::len).collect()
}

fn edge(assessment: &Assessment<'_>, from: usize, to: usize, members: Vec<usize>) -> Edge {
    let flows = &assessment.diagram.flows;
    let kinds: BTreeSet<&str> = members.iter().map(|f| flows[*f].kind.word()).collect();
    let label = match members.as_slice() {
        [one] => bounded(&flows[*one].label, LABEL).into_owned(),
        many => words::many(many.len(), "flow"),
    };
    Edge {
        from,
        to,
        kind: kinds.into_iter().collect::<Vec<_>>().join(", "),
        label,
        crosses: members.iter().any(|f| flows[*f].crosses),
        possible: only_possible(members.iter().map(|f| &flows[*f].certainty)),
        members,
    }
}

/// Why none of them is surely there; none where one is.
fn only_possible<'a>(certainties: impl Iterator<Item = &'a Certainty>) -> Option<String> {
    let mut reason = None;
    for certainty in certainties {
        match certainty {
            Certainty::Proven => return None,
            Certainty::Possible(why) => reason = reason.or_else(|| Some(bounded(why, 200).into_owned())),
        }
    }
    reason
}

/// The flows of an element: kind, whether it begins there, and the other end.
type Ends = BTreeSet<(FlowKind, bool, usize)>;

/// Where elements go.
struct Place<'p, 'a> {
    assessment: &'p Assessment<'a>,
    area_of: &'p [usize],
    pinned: &'p BTreeSet<usize>,
    class: &'p dyn Fn(usize) -> usize,
}

impl Place<'_, '_> {
    /// Elements that are drawn together, in the order of the first of each.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups = Vec::new();
        for level in [Level::Files, Level::Equal, Level::Alike, Level::Kinds, Level::Areas] {
            groups = self.at(level);
            if groups.len() <= ELEMENTS {
                break;
            }
        }
        groups
    }

    fn at(&self, level: Level) -> Vec<Vec<usize>> {
        let elements = &self.assessment.diagram.elements;
        let alike = if level == Level::Alike { self.neighbourhoods() } else { Vec::new() };
        let mut groups: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
        for (i, element) in elements.iter().enumerate() {
            let alike = alike.get(i).copied().unwrap_or(i);
            groups.entry(self.key(level, i, element, alike)).or_default().push(i);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        groups.sort_by_key(|members| members[0]);
        groups
    }

    fn key<'e>(&self, level: Level, i: usize, element: &'e Element, alike: usize) -> Key<'e> {
        let area = self.area_of[element.zone];
        let class = (self.class)(i);
        if self.pinned.contains(&class) {
            return if level == Level::Files { Key::Own(i) } else { Key::Class(area, class) };
        }
        match level {
            _ if level < Level::Areas && element.kind == "docker.file" => Key::Kind(area, element.kind),
            Level::Files => Key::Own(i),
            Level::Equal | Level::Alike if element.kind == "docker.image" => Key::Kind(area, element.kind),
            Level::Equal => Key::Class(area, class),
            Level::Alike => Key::Alike(area, alike),
            Level::Kinds => Key::Kind(area, element.kind),
            Level::Areas => Key::Area(area, element.shape),
        }
    }

    /// For each element the first that is of its kind and has its flows: kinds, directions, and the other ends, where
    /// equal containers count as one.
    fn neighbourhoods(&self) -> Vec<usize> {
        let diagram = &self.assessment.diagram;
        let flows_at = diagram.flows_at();
        let mut first: BTreeMap<(&str, usize, Ends), usize> = BTreeMap::new();
        let mut out = Vec::with_capacity(diagram.elements.len());
        for (i, element) in diagram.elements.iter().enumerate() {
            let ends = flows_at[i].iter().map(|f| {
                let flow = &diagram.flows[*f];
                let other = if flow.from == i { flow.to } else { flow.from };
                (flow.kind, flow.from == i, (self.class)(other))
            });
            // An image's own container tells nothing about what else they share.
            let ends = ends.filter(|(kind, ..)| *kind != FlowKind::Image).collect();
            out.push(*first.entry((element.kind, element.zone, ends)).or_insert(i));
        }
        out
    }

    fn node(&self, members: Vec<usize>, open: usize) -> Node {
        let elements = &self.assessment.diagram.elements;
        let first = &elements[members[0]];
        let name = bounded(&first.name, LABEL).into_owned();
        let kinds: BTreeSet<&str> = members.iter().map(|m| elements[*m].kind).collect();
        let (label, sub) = match (members.len(), kinds.len()) {
            (1, _) => (name, kind_words(first.kind)),
            (n, 1) if first.kind == "docker.file" => (words::many(n, "file"), "of the engine".into()),
            (n, 1) => {
                let short = bounded(&first.name, LABEL - 8).into_owned();
                (words::many(n, words::kind(first.kind)), format!("{short}, …"))
            }
            (n, kinds) => (words::many(n, "element"), format!("of {}", words::many(kinds, "kind"))),
        };
        Node {
            label,
            sub,
            shape: first.shape,
            area: self.area_of[first.zone],
            possible: only_possible(members.iter().map(|m| &elements[*m].certainty)),
            members,
            open,
        }
    }
}

/// A kind in words: `container`, `outside` for an actor there.
pub fn kind_words(kind: &str) -> String {
    words::kind(kind).replace('-', " ")
}
