//! What to harden first: greedily, each choice by what it gains given those before it ([`board::Gain`] says how gains
//! are compared), and the smallest set of choices that cuts every proven path.

mod alike;
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
use seaworthy_core::step::{Basis, Counted, Cut, Path, Paths, Priority, State};
use seaworthy_core::threat::{Instance, Threat};

use crate::judge::Judge;
use alike::Alike;
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
    rank_by(&Judge::new(audit, threats, diagram), audit, threats, instances, paths, diagram)
}

/// The same where there is a judge of the audit already.
pub fn rank_by(
    judge: &Judge<'_>,
    audit: &Audit<'_>,
    threats: &[Threat],
    instances: &[Instance],
    paths: &Paths,
    diagram: &Diagram,
) -> (Vec<Priority>, Cut) {
    let candidates = candidates(audit, paths, diagram);
    let mut closed_by: Vec<Option<usize>> = vec![None; audit.findings.len()];
    for (c, candidate) in candidates.iter().enumerate() {
        candidate.closes.iter().for_each(|finding| closed_by[*finding] = Some(c));
    }
    let game = Game::new(paths, diagram, &closed_by);
    let alike = Alike::new(judge, threats, instances, &closed_by);
    let choices = choices(&candidates, &alike);
    let beyond = Host { game: &game, alike: &alike };
    let mut board = Board::new(&game.lines, &game.pairs, &choices, alike.len(), &beyond);
    let words = words::Words::new(threats, instances, diagram, audit.snapshot, paths);
    let mut priorities = Vec::with_capacity(candidates.len());
    let mut idle = idle(&candidates).into_iter();
    let mut gains = true;
    let mut threats_left = alike.members(0..alike.len()).len();
    let mut paths_left = count(&game.lines, 0..game.lines.len());
    loop {
        let best = if gains { board.best().filter(|(_, gain)| !gain.is_nothing()) } else { None };
        gains = best.is_some();
        let next = best.map(|(choice, _)| choice).or_else(|| idle.find(|c| !board.taken[*c]));
        let Some(choice) = next else { break };
        let closed = board.closes(choice).into_iter().filter_map(|c| {
            let firmest = Basis::ALL.into_iter().rev().find(|b| c.gone[*b as usize])?;
            Some((game.ends[c.pair].0, game.ends[c.pair].1, firmest))
        });
        let pairs: Vec<(State, State, Basis)> = closed.collect();
        let cuts: Vec<usize> = board.cuts(choice).collect();
        let answers = alike.members(board.answers(choice).iter().copied());
        let candidate = &candidates[choice];
        let why = words.why(&pairs, &cuts, &answers, candidate);
        board.take(choice);
        threats_left -= answers.len();
        let gone = count(&game.lines, cuts.iter().copied());
        paths_left = Counted {
            proven: paths_left.proven - gone.proven,
            assumed: paths_left.assumed - gone.assumed,
            possible: paths_left.possible - gone.possible,
        };
        priorities.push(Priority {
            title: candidate.title.clone(),
            closes: candidate.closes.clone(),
            answers,
            cuts,
            safety: candidate.safety,
            breaks: candidate.breaks.clone(),
            why,
            threats_left,
            paths_left: (paths_left.proven + paths_left.assumed, paths_left.possible),
            assumed_left: paths_left.assumed,
        });
    }
    let mut cut = smallest(paths, &game, &candidates);
    let place: HashMap<&[usize], usize> = priorities.iter().enumerate().map(|(i, p)| (&*p.closes, i)).collect();
    cut.fixes.sort_by_key(|(_, closes)| place.get(closes.as_slice()));
    (priorities, cut)
}

/// The order of what gains nothing: the gravest findings first.
fn idle(candidates: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|c| {
        let candidate = &candidates[*c];
        (std::cmp::Reverse(candidate.severity), candidate.safety, candidate.size, *c)
    });
    order
}

fn count(lines: &[Line], of: impl Iterator<Item = usize>) -> Counted {
    of.map(|line| lines[line].basis).collect()
}

fn choices(candidates: &[Candidate], alike: &Alike) -> Vec<Choice> {
    let new = |c: &Candidate| Choice { safety: c.safety, size: c.size, decided: c.decided, touches: Vec::new() };
    let mut choices: Vec<Choice> = candidates.iter().map(new).collect();
    for class in 0..alike.len() {
        alike.choices(class).iter().for_each(|c| choices[*c].touches.push(class));
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
    /// The states of the graph by number.
    states: HashMap<State, usize>,
    /// The hops of the graph that begin at each state.
    hops_at: Vec<Vec<Onward>>,
    /// The choices that cut some hop of the graph.
    cutters: HashSet<usize>,
}

/// A hop of the graph: where it leads, what it rests on, and the choices that cut it.
struct Onward {
    to: usize,
    basis: Basis,
    cutters: Vec<usize>,
}

impl<'a> Game<'a> {
    fn new(paths: &'a Paths, diagram: &'a Diagram, closed_by: &[Option<usize>]) -> Self {
        let cutters = |cut_by: &[usize]| -> Vec<usize> {
            let mut out: Vec<usize> = cut_by.iter().filter_map(|f| closed_by.get(*f).copied().flatten()).collect();
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
            let (basis, effort) = (path.basis(), path.effort);
            lines.push(Line { pair, basis, effort, cutters: cutters(&all) });
        }
        let mut states: HashMap<State, usize> = HashMap::new();
        let mut hops_at: Vec<Vec<Onward>> = Vec::new();
        for hop in &paths.graph {
            let mut number = |state: State| {
                let next = states.len();
                *states.entry(state).or_insert(next)
            };
            let (from, to) = (number(hop.from), number(hop.to));
            hops_at.resize_with(states.len().max(hops_at.len()), Vec::new);
            let onward = Onward { to, basis: hop.basis(), cutters: cutters(&hop.cut_by) };
            hops_at[from].push(onward);
        }
        let all = hops_at.iter().flatten().flat_map(|h| h.cutters.iter().copied()).collect();
        Self { paths, diagram, lines, pairs, ends, states, hops_at, cutters: all }
    }

    /// Whether a pair is connected over hops that no taken choice cuts. From one of a class to another of it the graph
    /// does not say, and the answer is yes.
    fn connected(&self, pair: usize, taken: &[bool], firm: Basis) -> bool {
        let (from, to) = self.ends[pair];
        let class = |s: State| self.paths.class_of.get(s.element).copied().unwrap_or(s.element);
        let kind = |s: State| self.diagram.elements.get(s.element).map(|e| e.kind);
        if class(from) == class(to) && kind(from) == kind(to) {
            return true;
        }
        let (Some(from), Some(to)) = (self.states.get(&from), self.states.get(&to)) else { return false };
        let mut seen = vec![false; self.hops_at.len()];
        let mut next = vec![*from];
        while let Some(state) = next.pop() {
            if state == *to {
                return true;
            }
            for hop in &self.hops_at[state] {
                let there = hop.basis <= firm && !hop.cutters.iter().any(|c| taken[*c]);
                if there && !std::mem::replace(&mut seen[hop.to], true) {
                    next.push(hop.to);
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

/// The host beyond the listed paths, its threats by classes.
struct Host<'a> {
    game: &'a Game<'a>,
    alike: &'a Alike,
}

impl Beyond for Host<'_> {
    fn connected(&self, pair: usize, taken: &[bool], firm: Basis) -> bool {
        self.game.connected(pair, taken, firm)
    }

    fn cuts_more(&self, choice: usize) -> bool {
        self.game.cutters.contains(&choice)
    }

    fn answered(&self, threat: usize, taken: &[bool]) -> bool {
        self.alike.answered(threat, taken)
    }

    fn weight(&self, threat: usize) -> u64 {
        self.alike.weight(threat)
    }
}

/// The fewest candidates that cut every path that can be cut and whose facts are known; of those the safest.
fn smallest(paths: &Paths, game: &Game<'_>, candidates: &[Candidate]) -> Cut {
    let proven = || game.lines.iter().enumerate().filter(|(_, line)| line.basis.facts_known());
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
