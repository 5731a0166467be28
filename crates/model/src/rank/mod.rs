//! What to harden first: greedily, each choice by what it gains given those before it ([`board::Gain`] says how gains
//! are compared), and the smallest set of choices that cuts every proven path.

mod board;
mod candidates;
mod cut;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, HashMap, HashSet};

use seaworthy_core::audit::Audit;
use seaworthy_core::diagram::Diagram;
use seaworthy_core::remedy::Safety;
use seaworthy_core::schema::docker;
use seaworthy_core::step::{Cut, Path, Paths, Priority, State};
use seaworthy_core::threat::{Instance, Loss, Status, Threat};

use crate::judge::Judge;
use board::{Beyond, Board, Choice, Line, Pair, TIERS};
use candidates::{Candidate, candidates};

/// Everything that could be done, the most useful first, and the smallest set of it that cuts every proven path.
/// The audit must hold all of its findings; the instances and paths must be of the same audit and diagram.
pub fn rank(
    audit: &Audit<'_>,
    threats: &[Threat],
    instances: &[Instance],
    paths: &Paths,
    diagram: &Diagram,
) -> (Vec<Priority>, Cut) {
    let candidates = candidates(audit, paths, diagram);
    let mut closed_by: HashMap<usize, usize> = HashMap::new();
    for (c, candidate) in candidates.iter().enumerate() {
        closed_by.extend(candidate.closes.iter().map(|finding| (*finding, c)));
    }
    let game = Game::new(paths, diagram, &closed_by);
    let open: Vec<usize> = (0..instances.len()).filter(|i| instances[*i].status == Status::Open).collect();
    let choices = choices(&candidates, instances, &open, &closed_by);
    let judge = Judge::new(audit, threats, diagram);
    let beyond = Host { game: &game, judge, closed_by: &closed_by, threats, instances, open: &open };
    let mut board = Board::new(&game.lines, &game.pairs, &choices, open.len(), &beyond);
    let order = order(&mut board, &candidates);
    let words = words::Words { threats, instances, diagram, paths };
    let mut board = Board::new(&game.lines, &game.pairs, &choices, open.len(), &beyond);
    let mut priorities = Vec::with_capacity(order.len());
    for choice in order {
        let closed = board.closes(choice);
        let cuts: Vec<usize> = board.cuts(choice).collect();
        let answers: Vec<usize> = board.answers(choice).iter().map(|t| open[*t]).collect();
        let pairs: Vec<(State, State, bool)> =
            closed.iter().map(|c| (game.ends[c.pair].0, game.ends[c.pair].1, c.proven)).collect();
        let candidate = &candidates[choice];
        let why = words.why(&pairs, &cuts, &answers, candidate);
        board.take(choice);
        let left = |proven: bool| {
            let lines = game.lines.iter().zip(&board.live);
            lines.filter(|(line, live)| **live && line.proven == proven).count()
        };
        priorities.push(Priority {
            title: candidate.title.clone(),
            closes: candidate.closes.clone(),
            answers,
            cuts,
            safety: candidate.safety,
            breaks: candidate.breaks.clone(),
            why,
            threats_left: board.open.iter().filter(|open| **open).count(),
            paths_left: (left(true), left(false)),
        });
    }
    (priorities, smallest(paths, &game, &candidates))
}

/// The greedy order; what gains nothing comes last, the gravest findings first.
fn order(board: &mut Board<'_>, candidates: &[Candidate]) -> Vec<usize> {
    let mut order = Vec::with_capacity(candidates.len());
    while let Some((choice, gain)) = board.best() {
        if gain.is_nothing() {
            break;
        }
        board.take(choice);
        order.push(choice);
    }
    let mut rest: Vec<usize> = (0..candidates.len()).filter(|c| !board.taken[*c]).collect();
    rest.sort_by_key(|c| {
        let candidate = &candidates[*c];
        (std::cmp::Reverse(candidate.severity), candidate.safety, candidate.size, *c)
    });
    order.extend(rest);
    order
}

fn choices(
    candidates: &[Candidate],
    instances: &[Instance],
    open: &[usize],
    closed_by: &HashMap<usize, usize>,
) -> Vec<Choice> {
    let new = |c: &Candidate| Choice { safety: c.safety, size: c.size, touches: Vec::new() };
    let mut choices: Vec<Choice> = candidates.iter().map(new).collect();
    for (t, instance) in open.iter().enumerate() {
        for finding in &instances[*instance].decided_by {
            if let Some(c) = closed_by.get(finding)
                && choices[*c].touches.last() != Some(&t)
            {
                choices[*c].touches.push(t);
            }
        }
    }
    choices
}

/// The paths as lines, with their pairs.
struct Game<'a> {
    paths: &'a Paths,
    diagram: &'a Diagram,
    lines: Vec<Line>,
    pairs: Vec<Pair>,
    ends: Vec<(State, State)>,
    /// The hops of the graph that begin at a state, with the choices that cut each.
    hops_at: HashMap<State, Vec<(State, bool, Vec<usize>)>>,
}

impl<'a> Game<'a> {
    fn new(paths: &'a Paths, diagram: &'a Diagram, closed_by: &HashMap<usize, usize>) -> Self {
        let cutters = |cut_by: &[usize]| -> Vec<usize> {
            let mut out: Vec<usize> = cut_by.iter().filter_map(|f| closed_by.get(f).copied()).collect();
            out.sort_unstable();
            out.dedup();
            out
        };
        let more: HashSet<(State, State)> = paths.more.iter().map(|(from, to, _)| (*from, *to)).collect();
        let mut ids: BTreeMap<(State, State), usize> = BTreeMap::new();
        let (mut lines, mut pairs, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for path in &paths.list {
            let key = (path.from, path.to);
            let pair = *ids.entry(key).or_insert_with(|| {
                pairs.push(Pair { tier: tier(path, diagram), more: more.contains(&key) });
                ends.push(key);
                pairs.len() - 1
            });
            let all: Vec<usize> = path.hops.iter().flat_map(|h| h.cut_by.iter().copied()).collect();
            let (proven, effort) = (path.certainty.is_proven(), path.effort);
            lines.push(Line { pair, proven, effort, cutters: cutters(&all) });
        }
        let mut hops_at: HashMap<State, Vec<(State, bool, Vec<usize>)>> = HashMap::new();
        for hop in &paths.graph {
            let next = (hop.to, hop.certainty.is_proven(), cutters(&hop.cut_by));
            hops_at.entry(hop.from).or_default().push(next);
        }
        Self { paths, diagram, lines, pairs, ends, hops_at }
    }

    /// Whether a pair is connected over hops that no taken choice cuts. From one of a class to another of it the graph
    /// does not say, and the answer is yes.
    fn connected(&self, pair: usize, taken: &[bool], only_proven: bool) -> bool {
        let (from, to) = self.ends[pair];
        let class = |s: State| self.paths.class_of.get(s.element).copied().unwrap_or(s.element);
        let kind = |s: State| self.diagram.elements.get(s.element).map(|e| e.kind);
        if class(from) == class(to) && kind(from) == kind(to) {
            return true;
        }
        let mut seen = HashSet::from([from]);
        let mut next = vec![from];
        while let Some(state) = next.pop() {
            if state == to {
                return true;
            }
            for (far, proven, cutters) in self.hops_at.get(&state).into_iter().flatten() {
                let there = (*proven || !only_proven) && !cutters.iter().any(|c| taken[*c]);
                if there && seen.insert(*far) {
                    next.push(*far);
                }
            }
        }
        false
    }
}

/// By the jewel's rank, then whether it begins outside: at an actor or a client.
fn tier(path: &Path, diagram: &Diagram) -> usize {
    let kind = diagram.elements.get(path.from.element).map_or("", |e| e.kind);
    let outside = kind.starts_with("actor.") || kind == docker::CLIENT.name;
    let rank = usize::from(path.to.capability().jewel.unwrap_or(u8::MAX));
    (2 * rank + usize::from(!outside)).min(TIERS - 1)
}

/// The host beyond the listed paths.
struct Host<'a> {
    game: &'a Game<'a>,
    judge: Judge<'a>,
    closed_by: &'a HashMap<usize, usize>,
    threats: &'a [Threat],
    instances: &'a [Instance],
    open: &'a [usize],
}

impl Beyond for Host<'_> {
    fn connected(&self, pair: usize, taken: &[bool], only_proven: bool) -> bool {
        self.game.connected(pair, taken, only_proven)
    }

    fn answered(&self, threat: usize, taken: &[bool]) -> bool {
        let closed = |finding: usize| self.closed_by.get(&finding).is_some_and(|c| taken[*c]);
        self.judge.status_if(&self.instances[self.open[threat]], &closed) != Status::Open
    }

    fn weight(&self, threat: usize) -> u64 {
        weight(self.threats[self.instances[self.open[threat]].threat].loses)
    }
}

/// What an answered threat counts, by what is lost.
fn weight(loss: Loss) -> u64 {
    match loss {
        Loss::Host | Loss::Engine => 10,
        Loss::Containers | Loss::Secrets => 6,
        Loss::RegistryCredentials => 5,
        Loss::Images => 4,
        Loss::Availability | Loss::Traceability => 3,
        Loss::Information => 1,
    }
}

/// The fewest candidates that cut every proven path that can be cut; of those the safest.
fn smallest(paths: &Paths, game: &Game<'_>, candidates: &[Candidate]) -> Cut {
    let proven = || game.lines.iter().enumerate().filter(|(_, line)| line.proven);
    let sets: Vec<Vec<usize>> = proven().map(|(_, line)| line.cutters.clone()).collect();
    let cost = |c: &Candidate| {
        let harm = match c.safety {
            Safety::Safe => 0,
            Safety::Disruptive => 1,
            Safety::Manual => 2,
        };
        (1 << 32) + harm
    };
    let cost: Vec<u64> = candidates.iter().map(cost).collect();
    let (chosen, exact) = cut::smallest(&sets, &cost, cut::WORK);
    let proven_pairs: HashSet<usize> = proven().map(|(_, line)| line.pair).collect();
    let whole = paths.unlisted == 0
        && paths.unsearched.is_empty()
        && !game.pairs.iter().enumerate().any(|(i, pair)| pair.more && proven_pairs.contains(&i));
    Cut {
        fixes: chosen.iter().map(|c| (candidates[*c].title.clone(), candidates[*c].closes.clone())).collect(),
        smallest: exact && whole,
        uncut: proven().filter(|(_, line)| line.cutters.is_empty()).map(|(i, _)| i).collect(),
    }
}
