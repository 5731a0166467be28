//! A small directed graph and the searches over it; knows nothing of hosts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Where it begins.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// What it costs, at least 1.
    pub effort: u32,
    /// Whether its facts are known.
    pub proven: bool,
    /// Whether it assumes something besides.
    pub assumes: bool,
}

impl Edge {
    /// Effort first, then how much of it is only possible, then how much it assumes, then how many steps: one number,
    /// so that sums of it sort paths as they are listed.
    pub(crate) fn cost(&self) -> Cost {
        let (possible, assumed) = (u128::from(!self.proven), u128::from(self.assumes));
        (u128::from(self.effort) << 96) | (possible << 64) | (assumed << 32) | 1
    }
}

/// The cost of a path: see [`Edge::cost`].
pub(crate) type Cost = u128;

/// The effort of a cost.
pub(crate) fn effort(cost: Cost) -> u32 {
    (cost >> 96) as u32
}

/// How many steps a cost stands for.
pub(crate) fn steps(cost: Cost) -> usize {
    (cost as u32) as usize
}

/// Whether the facts of every step of a cost are known.
pub(crate) fn proven(cost: Cost) -> bool {
    (cost >> 64) as u32 == 0
}

/// Nodes by number, edges by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    edges: Vec<Edge>,
    out: Vec<Vec<u32>>,
    into: Vec<Vec<u32>>,
}

/// The cheapest costs from some nodes, and the edge by which each node is reached at it.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    /// By node.
    pub cost: Vec<Option<Cost>>,
    /// By node: the last edge; none at a beginning.
    pub by: Vec<Option<u32>>,
}

/// Paths between two nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Each the edges from the beginning to the end, the cheapest first.
    pub paths: Vec<Vec<u32>>,
    /// Whether there are more, or may be because the search was cut short.
    pub more: bool,
}

impl Graph {
    /// A node more; its number.
    pub(crate) fn node(&mut self) -> u32 {
        self.out.push(Vec::new());
        self.into.push(Vec::new());
        (self.out.len() - 1) as u32
    }

    /// How many nodes there are.
    pub(crate) fn nodes(&self) -> usize {
        self.out.len()
    }

    /// An edge more; both ends must be there.
    pub(crate) fn edge(&mut self, edge: Edge) -> u32 {
        let i = self.edges.len() as u32;
        self.edges.push(edge);
        self.out[edge.from as usize].push(i);
        self.into[edge.to as usize].push(i);
        i
    }

    /// The edges.
    pub(crate) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The cheapest costs from `starts` over the edges that `keep` lets through.
    pub(crate) fn reach(&self, starts: &[u32], keep: impl Fn(u32) -> bool) -> Reached {
        let mut out = Reached { cost: vec![None; self.nodes()], by: vec![None; self.nodes()] };
        let mut heap = BinaryHeap::new();
        for start in starts {
            out.cost[*start as usize] = Some(0);
            heap.push(Reverse((0, *start)));
        }
        while let Some(Reverse((cost, node))) = heap.pop() {
            if out.cost[node as usize].is_some_and(|c| c < cost) {
                continue;
            }
            for i in &self.out[node as usize] {
                let edge = self.edges[*i as usize];
                let next = cost + edge.cost();
                if keep(*i) && out.cost[edge.to as usize].is_none_or(|c| next < c) {
                    out.cost[edge.to as usize] = Some(next);
                    out.by[edge.to as usize] = Some(*i);
                    heap.push(Reverse((next, edge.to)));
                }
            }
        }
        out
    }

    /// The cheapest way to a node that was reached; none where it was not.
    pub(crate) fn way(&self, reached: &Reached, to: u32) -> Option<Vec<u32>> {
        reached.cost[to as usize]?;
        let mut way = Vec::new();
        let mut at = to;
        while let Some(by) = reached.by[at as usize] {
            way.push(by);
            at = self.edges[by as usize].from;
        }
        way.reverse();
        Some(way)
    }

    /// The cheapest paths from one node to another that pass no node twice, at most `most`.
    ///
    /// Best first from the end, with the exact cost of the rest (`reached`, from `from` alone) for a guide, so that the
    /// first path costs no detour. Only over the edges that `keep` lets through. Looks at no more than `work` ends
    /// of paths; then it stops and says `more`.
    pub(crate) fn cheapest(
        &self,
        reached: &Reached,
        (from, to): (u32, u32),
        (most, work): (usize, usize),
        keep: impl Fn(u32) -> bool,
    ) -> Listing {
        let mut listing = Listing::default();
        let Some(whole) = reached.cost[to as usize] else { return listing };
        // A tail of a path: the edge that it begins with, and the tail after that.
        let mut tails: Vec<(u32, u32)> = Vec::new();
        let mut heap = BinaryHeap::from([Reverse((whole, NONE, to))]);
        let mut looked = 0;
        while let Some(Reverse((total, tail, node))) = heap.pop() {
            if node == from {
                if listing.paths.len() == most {
                    listing.more = true;
                    break;
                }
                listing.paths.push(unwind(&tails, tail));
                continue;
            }
            looked += 1;
            if looked > work {
                listing.more = true;
                break;
            }
            let spent = total - reached.cost[node as usize].unwrap_or_default();
            for i in &self.into[node as usize] {
                let edge = self.edges[*i as usize];
                let Some(rest) = reached.cost[edge.from as usize] else { continue };
                if !keep(*i) || edge.from == to || self.passes(&tails, tail, edge.from) {
                    continue;
                }
                tails.push((*i, tail));
                heap.push(Reverse((spent + edge.cost() + rest, (tails.len() - 1) as u32, edge.from)));
            }
        }
        listing
    }

    fn passes(&self, tails: &[(u32, u32)], mut tail: u32, node: u32) -> bool {
        while tail != NONE {
            let (edge, next) = tails[tail as usize];
            if self.edges[edge as usize].from == node {
                return true;
            }
            tail = next;
        }
        false
    }
}

const NONE: u32 = u32::MAX;

fn unwind(tails: &[(u32, u32)], mut tail: u32) -> Vec<u32> {
    let mut path = Vec::new();
    while tail != NONE {
        let (edge, next) = tails[tail as usize];
        path.push(edge);
        tail = next;
    }
    path
}
