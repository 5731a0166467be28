//! Attack paths: from each entry to each jewel, over steps that the facts prove or do not rule out.
//!
//! Steps are rules over capabilities at elements, taken forward from the entries until nothing new is reached, so that
//! only what is reached exists. Equal elements are one ([`classes`]). Over the graph that comes of it, the cheapest
//! paths of each pair are listed best first ([`graph`]), within [`Limits`]; what was left out is said.

mod beside;
mod build;
mod classes;
mod graph;
mod ground;
mod hop;
mod list;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::HashSet;

use seaworthy_core::assume::Place;
use seaworthy_core::audit::Audit;
use seaworthy_core::diagram::{Certainty, Diagram};
use seaworthy_core::schema::docker;
use seaworthy_core::step::{CAPABILITIES, Exposure, Paths, State, Step};

use build::{Built, Node, Rules, begins, build};
use classes::Classes;
use ground::{Ground, Tri};
use hop::Hops;

/// How much is searched and listed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Paths listed of one pair of entry and jewel.
    pub of_pair: usize,
    /// Paths listed of all pairs together. Where there are more pairs, the dearest jewels come first, then entries
    /// from outside, and each pair gets an equal share.
    pub listed: usize,
    /// Beginnings of paths looked at for one pair.
    pub work: usize,
    /// Entries times nodes of the graph: bounds the memory and the time of the search. Entries beyond it are named as
    /// unsearched, code in containers first.
    pub cells: usize,
    /// Whether equal elements are taken as one.
    pub collapse: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { of_pair: 100, listed: 4000, work: 4000, cells: 2_000_000, collapse: true }
    }
}

/// The paths of an audited snapshot, within the ordinary limits.
pub fn paths(audit: &Audit<'_>, diagram: &Diagram, steps: &[Step]) -> Paths {
    paths_within(audit, diagram, steps, Limits::default())
}

/// Which paths somebody asks for: names of entries and of jewels, of capabilities or of elements. None of either: all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Where they begin.
    pub from: &'a [&'a str],
    /// What they reach.
    pub to: &'a [&'a str],
}

/// Only the paths that somebody asks for, of which more are listed than of all together, and none of another element that
/// is equal to the one that was named.
pub fn paths_asked(audit: &Audit<'_>, diagram: &Diagram, steps: &[Step], asked: Asked<'_>) -> Paths {
    let mut ground = Ground::new(audit, diagram, steps, &HashSet::new());
    ground.ask(asked);
    searched(&ground, Limits::default())
}

/// The same where findings at some places are taken for passing, whatever the facts say: no step is taken that one of them
/// would cut.
pub fn paths_without(audit: &Audit<'_>, diagram: &Diagram, steps: &[Step], passing: &HashSet<Place>) -> Paths {
    searched(&Ground::new(audit, diagram, steps, passing), Limits::default())
}

/// The paths of an audited snapshot, within other limits.
pub fn paths_within(audit: &Audit<'_>, diagram: &Diagram, steps: &[Step], limits: Limits) -> Paths {
    searched(&Ground::new(audit, diagram, steps, &HashSet::new()), limits)
}

fn searched(ground: &Ground<'_>, limits: Limits) -> Paths {
    let (diagram, steps) = (ground.diagram, ground.steps);
    let arcs = ground.arcs();
    let classes = match limits.collapse {
        true => Classes::new(&ground.colours(), &arcs),
        false => Classes::alone(diagram.elements.len()),
    };
    let rules = Rules::new(steps);
    let entries = entries(ground, &classes);
    let built = build(ground, &rules, &classes, &entries);
    let mut hops = Hops::new(ground);
    let ids = vec![OnceCell::new(); classes.len()];
    let search = list::Search { ground, rules: &rules, classes: &classes, arcs: &arcs, limits, ids };
    let mut out = search.run(&entries, &built, &mut hops);
    out.entries = entries.iter().map(|e| state(&classes, *e)).collect();
    out.exposure = exposure(ground, &classes, &entries, &built, &mut hops);
    out.graph = (0..built.taken.len() as u32).map(|edge| hops.hop(&classes, &built, edge)).collect();
    out.class_of = (0..diagram.elements.len()).map(|e| classes.first(classes.of(e))).collect();
    out
}

fn state(classes: &Classes, (capability, class): Node) -> State {
    State { capability, element: classes.first(class) }
}

/// Where attackers can begin: outside first, then by class.
fn entries(ground: &Ground<'_>, classes: &Classes) -> Vec<Node> {
    let mut found: Vec<Node> = Vec::new();
    for class in 0..classes.len() {
        let element = classes.first(class);
        found.extend((0..CAPABILITIES.len()).filter(|c| begins(ground, *c, element)).map(|c| (c, class)));
    }
    found.sort_by_key(|(capability, class)| (!outside(*capability), *capability, classes.first(*class)));
    found
}

/// Whether an entry lies outside: an actor or a client.
fn outside(capability: usize) -> bool {
    let about = CAPABILITIES[capability].about;
    CAPABILITIES[capability].entry && (about.starts_with("actor.") || about == docker::CLIENT.name)
}

/// How each element is reached from outside.
fn exposure(
    ground: &Ground<'_>,
    classes: &Classes,
    entries: &[Node],
    built: &Built,
    hops: &mut Hops<'_>,
) -> Vec<Option<Exposure>> {
    let starts: Vec<u32> =
        entries.iter().filter(|(c, _)| outside(*c)).filter_map(|entry| built.number(*entry)).collect();
    let reached = built.graph.reach(&starts, |_| true);
    let mut cheapest: Vec<Option<(graph::Cost, u32)>> = vec![None; classes.len()];
    for (node, (_, class)) in built.nodes.iter().enumerate() {
        if let Some(cost) = reached.cost[node] {
            let here = (cost, node as u32);
            cheapest[*class] = Some(cheapest[*class].map_or(here, |c| c.min(here)));
        }
    }
    let of_class: Vec<Option<Exposure>> = cheapest
        .into_iter()
        .map(|found| {
            let (cost, node) = found?;
            let way = built.graph.way(&reached, node)?;
            let begin = way.first().map_or(node, |edge| built.graph.edges()[*edge as usize].from);
            let taken: Vec<_> = way.iter().map(|edge| hops.hop(classes, built, *edge)).collect();
            let assumes = taken.iter().any(|hop| hop.assumes);
            let doubtful = taken.into_iter().map(|hop| hop.certainty).find(|c| !c.is_proven());
            let certainty = doubtful.unwrap_or(Certainty::Proven);
            let entry = state(classes, built.nodes[begin as usize]);
            Some(Exposure { entry, effort: graph::effort(cost), certainty, assumes, steps: graph::steps(cost) })
        })
        .collect();
    (0..ground.diagram.elements.len()).map(|e| of_class[classes.of(e)].clone()).collect()
}
