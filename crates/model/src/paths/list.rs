//! Which paths are listed: the cheapest of each pair of entry and jewel, the dearest jewels first.

use std::cell::OnceCell;

use seaworthy_core::diagram::Certainty;
use seaworthy_core::identity;
use seaworthy_core::step::{CAPABILITIES, Hop, Path, Paths, State};

use super::build::{Built, Node, Rules, build};
use super::classes::{Arcs, Classes};
use super::graph::{Cost, Edge, Listing, Reached, proven};
use super::ground::Ground;
use super::hop::Hops;
use super::{Limits, outside, state};

/// What a search needs.
pub(super) struct Search<'a> {
    pub(super) ground: &'a Ground<'a>,
    pub(super) rules: &'a Rules,
    pub(super) classes: &'a Classes,
    pub(super) arcs: &'a Arcs,
    pub(super) limits: Limits,
    /// For each class the least id of its members.
    pub(super) ids: Vec<OnceCell<&'a str>>,
}

/// An entry and a jewel that it reaches.
struct Pair {
    /// By position among the entries.
    entry: usize,
    jewel: Node,
    cost: Cost,
    /// The jewel is at another member of the class in which the entry is.
    twin: bool,
    /// No path is there whose facts are all known.
    unsure: bool,
}

/// What is reached from an entry: by any step, by those whose facts are known, and by those of them that assume nothing.
struct Ways {
    any: Reached,
    known: Reached,
    sure: Reached,
}

/// What must hold of each step of a path.
type Holds = fn(&Edge) -> bool;

fn known(edge: &Edge) -> bool {
    edge.proven
}

fn sure(edge: &Edge) -> bool {
    edge.proven && !edge.assumes
}

impl Ways {
    fn new(built: &Built, start: u32) -> Self {
        let edges = built.graph.edges();
        Self {
            any: built.graph.reach(&[start], |_| true),
            known: built.graph.reach(&[start], |edge| known(&edges[edge as usize])),
            sure: built.graph.reach(&[start], |edge| sure(&edges[edge as usize])),
        }
    }
}

/// Whether a path comes to a capability that another includes which it had there before.
fn returns(built: &Built, path: &[u32]) -> bool {
    let edges = built.graph.edges();
    path.iter().enumerate().any(|(at, edge)| {
        let (capability, class) = built.nodes[edges[*edge as usize].to as usize];
        CAPABILITIES[capability].within.is_some_and(|whole| {
            let had = |before: &u32| {
                let (held, place) = built.nodes[edges[*before as usize].to as usize];
                place == class && CAPABILITIES[held].name == whole
            };
            path[..at].iter().any(had)
        })
    })
}

impl<'a> Search<'a> {
    pub(super) fn run(&self, entries: &[Node], built: &Built, hops: &mut Hops<'_>) -> Paths {
        let mut out = Paths::default();
        let searched = entries.len().min(self.limits.cells / built.graph.nodes().max(1));
        out.unsearched = entries[searched..].iter().map(|e| state(self.classes, *e)).collect();
        let ways: Vec<Ways> = entries[..searched]
            .iter()
            .map(|entry| Ways::new(built, built.number(*entry).unwrap_or_default()))
            .collect();
        let mut pairs = self.pairs(&entries[..searched], built, &ways);
        pairs.sort_by_key(|p| {
            let (capability, class) = p.jewel;
            let entry = entries[p.entry];
            let rank = CAPABILITIES[capability].jewel;
            // The list is bounded: what only may be there takes no place from what is.
            (p.unsure, rank, !outside(entry.0), p.cost, p.entry, capability, self.classes.first(class))
        });
        for (i, pair) in pairs.iter().enumerate() {
            let left = self.limits.listed.saturating_sub(out.list.len());
            let share = (left / (pairs.len() - i)).clamp(1, self.limits.of_pair.max(1));
            if left == 0 {
                out.unlisted += 1;
            } else if pair.twin {
                self.twins(entries[pair.entry], pair.jewel, share, hops, &mut out);
            } else {
                let ends = (entries[pair.entry], pair.jewel);
                let found = self.listing(built, self.classes, &ways[pair.entry], ends, share);
                self.add(built, self.classes, found, hops, &mut out);
            }
        }
        self.sort(&mut out);
        out
    }

    fn pairs(&self, entries: &[Node], built: &Built, ways: &[Ways]) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (i, (entry, ways)) in entries.iter().zip(ways).enumerate() {
            for (node, jewel) in built.nodes.iter().enumerate() {
                let Some(cost) = ways.any.cost[node].filter(|_| CAPABILITIES[jewel.0].jewel.is_some()) else {
                    continue;
                };
                let (begin, end) = (self.classes.first(entry.1), self.classes.first(jewel.1));
                if !self.ground.is_asked(true, entry.0, begin) || !self.ground.is_asked(false, jewel.0, end) {
                    continue;
                }
                let twin = jewel.1 == entry.1;
                if !twin || self.classes.members(entry.1).len() > 1 {
                    let unsure = ways.known.cost[node].is_none();
                    pairs.push(Pair { entry: i, jewel: *jewel, cost, twin, unsure });
                }
            }
        }
        pairs
    }

    /// The paths of a pair: the cheapest, and in any case the cheapest of those whose facts are known and of those that
    /// assume nothing besides. Who was in a container and comes back to it from outside has gained nothing there that he had
    /// not: no path leaves its jewel's own element. A cluster, a namespace and a node are no such places: much of what leads to
    /// every right in a cluster is held over the cluster itself.
    fn listing(
        &self,
        built: &Built,
        classes: &Classes,
        ways: &Ways,
        (entry, jewel): (Node, Node),
        share: usize,
    ) -> Listing {
        let (Some(from), Some(to)) = (built.number(entry), built.number(jewel)) else { return Listing::default() };
        let edges = built.graph.edges();
        let inside = !self.ground.diagram.elements[classes.first(jewel.1)].kind.starts_with("kubernetes.");
        let alone = inside && classes.members(jewel.1).len() == 1;
        let own = |node: u32| alone && built.nodes[node as usize].1 == jewel.1;
        let stays = |edge: u32| !own(edges[edge as usize].from) || own(edges[edge as usize].to);
        let bounds = (share, self.limits.work);
        let mut found = built.graph.cheapest(&ways.any, (from, to), bounds, stays);
        let kinds: [(&Reached, Holds); 2] = [(&ways.sure, sure), (&ways.known, known)];
        let mut firm: Vec<Vec<u32>> = Vec::new();
        for (reached, holds) in kinds {
            let all_hold = |path: &Vec<u32>| path.iter().all(|e| holds(&edges[*e as usize]));
            if reached.cost[to as usize].is_none() || found.paths.iter().chain(&firm).any(all_hold) {
                continue;
            }
            let reached = built.graph.reach(&[from], |edge| holds(&edges[edge as usize]) && stays(edge));
            firm.extend(built.graph.way(&reached, to));
        }
        // They take the place of the dearest that are less firm, of which one stays.
        while !firm.is_empty() && found.paths.len() > 1 && found.paths.len() + firm.len() > share {
            let possible = |path: &Vec<u32>| path.iter().any(|e| !known(&edges[*e as usize]));
            let dearest = found.paths.iter().rposition(possible).unwrap_or(found.paths.len() - 1);
            found.paths.remove(dearest);
            found.more = true;
        }
        found.paths.append(&mut firm);
        found.paths.retain(|path| !returns(built, path));
        found
    }

    /// From an element to another of its equals: the first is taken apart from the others for it.
    fn twins(&self, entry: Node, jewel: Node, share: usize, hops: &mut Hops<'_>, out: &mut Paths) {
        let first = self.classes.first(entry.1);
        let apart = self.classes.single_out(first, self.arcs);
        let entry: Node = (entry.0, apart.of(first));
        let built = build(self.ground, self.rules, &apart, &[entry]);
        let Some(start) = built.number(entry) else { return };
        let ways = Ways::new(&built, start);
        let mut others: Vec<(Cost, Node)> = Vec::new();
        for (node, (capability, class)) in built.nodes.iter().enumerate() {
            let equal = self.classes.of(apart.first(*class)) == jewel.1;
            if let (true, Some(cost)) = (equal && *capability == jewel.0 && *class != entry.1, ways.any.cost[node]) {
                others.push((cost, (*capability, *class)));
            }
        }
        // The members need not all be as near; the nearest stand for the class.
        others.sort_unstable();
        if let Some((_, nearest)) = others.first() {
            let found = self.listing(&built, &apart, &ways, (entry, *nearest), share);
            self.add(&built, &apart, found, hops, out);
        }
    }

    fn add(&self, built: &Built, classes: &Classes, found: Listing, hops: &mut Hops<'_>, out: &mut Paths) {
        let count = found.paths.len();
        let mut pair = None;
        for edges in found.paths {
            if let Some(path) = self.path(built, classes, &edges, hops) {
                pair = Some((path.from, path.to));
                out.list.push(path);
            }
        }
        if let (true, Some((from, to))) = (found.more, pair) {
            out.more.push((from, to, count));
        }
    }

    fn path(&self, built: &Built, classes: &Classes, edges: &[u32], hops: &mut Hops<'_>) -> Option<Path> {
        let taken: Vec<_> = edges.iter().map(|edge| hops.hop(classes, built, *edge)).collect();
        let (from, to) = (taken.first()?.from, taken.last()?.to);
        let cost: Cost = edges.iter().map(|edge| built.graph.edges()[*edge as usize].cost()).sum();
        let certainty = match proven(cost) {
            true => Certainty::Proven,
            false => taken.iter().fold(Certainty::Proven, |all, hop| all.and(&hop.certainty)),
        };
        // The beginning stands for its equals also where it was taken apart from them.
        let of = |classes: &Classes, s: State| classes.members(classes.of(s.element)).len();
        let stands_for = (of(self.classes, from), of(classes, to));
        let fingerprint = self.fingerprint(&taken);
        Some(Path { from, to, certainty, effort: super::graph::effort(cost), hops: taken, stands_for, fingerprint })
    }

    fn fingerprint(&self, hops: &[Hop]) -> String {
        let mut parts: Vec<&str> = Vec::with_capacity(3 * hops.len() + 1);
        for hop in hops {
            parts.extend([self.ground.steps[hop.step].id.as_str(), self.id(hop.from), self.id(hop.to)]);
        }
        identity::fingerprint(&parts)
    }

    /// Of equal elements the least id, which does not depend on the order in which they were read.
    fn id(&self, state: State) -> &'a str {
        let class = self.classes.of(state.element);
        let elements = &self.ground.diagram.elements;
        self.ids[class].get_or_init(|| {
            let members = self.classes.members(class).iter();
            members.map(|m| elements[*m as usize].id.as_str()).min().unwrap_or_default()
        })
    }

    fn sort(&self, out: &mut Paths) {
        out.list.sort_by(|a, b| {
            let key = |p: &Path| {
                let rank = CAPABILITIES[p.to.capability].jewel;
                (p.effort, p.basis(), rank, p.hops.len(), !outside(p.from.capability), p.from, p.to)
            };
            let hops = |p: &Path| p.hops.iter().map(|h| (h.step, h.to, h.flow)).collect::<Vec<_>>();
            key(a).cmp(&key(b)).then_with(|| hops(a).cmp(&hops(b)))
        });
        out.more.sort_unstable();
    }
}
