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
use seaworthy_core::threat::{Formula, Instance, Loss, Status, Threat};

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
    let beyond = Host { audit, game: &game, judge, closed_by: &closed_by, threats, instances, open: &open };
    let mut board = Board::new(&game.lines, &game.pairs, &choices, open.len(), &beyond);
    let words = words::Words { threats, instances, diagram, paths };
    let mut priorities = Vec::with_capacity(candidates.len());
    let mut idle = idle(&candidates).into_iter();
    let mut gains = true;
    loop {
        let best = if gains { board.best().filter(|(_, gain)| !gain.is_nothing()) } else { None };
        gains = best.is_some();
        let next = best.map(|(choice, _)| choice).or_else(|| idle.find(|c| !board.taken[*c]));
        let Some(choice) = next else { break };
        let pairs: Vec<(State, State, bool)> =
            board.closes(choice).iter().map(|c| (game.ends[c.pair].0, game.ends[c.pair].1, c.proven)).collect();
        let cuts: Vec<usize> = board.cuts(choice).collect();
        let answers: Vec<usize> = board.answers(choice).iter().map(|t| open[*t]).collect();
        let candidate = &candidates[choice];
        let why = words.why(&pairs, &cuts, &answers, candidate);
        board.take(choice);
        priorities.push(Priority {
            title: candidate.title.clone(),
            closes: candidate.closes.clone(),
            answers,
            cuts,
            safety: candidate.safety,
            breaks: candidate.breaks.clone(),
            why,
            threats_left: board.open.iter().filter(|open| **open).count(),
            paths_left: left(&game.lines, &board.live),
        });
    }
    let mut cut = smallest(paths, &game, &candidates);
    let place = |closes: &[usize]| priorities.iter().position(|p| p.closes == closes);
    cut.fixes.sort_by_key(|(_, closes)| place(closes));
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

/// Proven and possible lines that are not cut.
fn left(lines: &[Line], live: &[bool]) -> (usize, usize) {
    let live: Vec<&Line> = lines.iter().zip(live).filter(|(_, live)| **live).map(|(line, _)| line).collect();
    let proven = live.iter().filter(|line| line.proven).count();
    (proven, live.len() - proven)
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
    /// The states of the graph by number.
    states: HashMap<State, usize>,
    /// The hops of the graph that begin at each state.
    hops_at: Vec<Vec<Onward>>,
    /// The choices that cut some hop of the graph.
    cutters: HashSet<usize>,
}

/// A hop of the graph: where it leads, whether it is proven, and the choices that cut it.
struct Onward {
    to: usize,
    proven: bool,
    cutters: Vec<usize>,
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
        let mut states: HashMap<State, usize> = HashMap::new();
        let mut hops_at: Vec<Vec<Onward>> = Vec::new();
        for hop in &paths.graph {
            let mut number = |state: State| {
                let next = states.len();
                *states.entry(state).or_insert(next)
            };
            let (from, to) = (number(hop.from), number(hop.to));
            hops_at.resize_with(states.len().max(hops_at.len()), Vec::new);
            let onward = Onward { to, proven: hop.certainty.is_proven(), cutters: cutters(&hop.cut_by) };
            hops_at[from].push(onward);
        }
        let all = hops_at.iter().flatten().flat_map(|h| h.cutters.iter().copied()).collect();
        Self { paths, diagram, lines, pairs, ends, states, hops_at, cutters: all }
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
        let (Some(from), Some(to)) = (self.states.get(&from), self.states.get(&to)) else { return false };
        let mut seen = vec![false; self.hops_at.len()];
        let mut next = vec![*from];
        while let Some(state) = next.pop() {
            if state == *to {
                return true;
            }
            for hop in &self.hops_at[state] {
                let there = (hop.proven || !only_proven) && !hop.cutters.iter().any(|c| taken[*c]);
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

/// The host beyond the listed paths.
struct Host<'a> {
    audit: &'a Audit<'a>,
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

    fn cuts_more(&self, choice: usize) -> bool {
        self.game.cutters.contains(&choice)
    }

    fn answered(&self, threat: usize, taken: &[bool]) -> bool {
        let closed = |finding: usize| self.closed_by.get(&finding).is_some_and(|c| taken[*c]);
        let instance = &self.instances[self.open[threat]];
        // Of an open one every failure is named, so that mostly no judge need be asked.
        let stays = |part: &Formula| {
            let checks = part.checks();
            let failing = instance.decided_by.iter().filter(|f| {
                let check = self.audit.check(&self.audit.findings[**f]);
                checks.contains(&check.id.as_str())
            });
            let mut any = false;
            let open = failing.inspect(|_| any = true).any(|f| !closed(*f));
            (any, open)
        };
        let formula = &self.threats[instance.threat].answered;
        let still_open = match formula {
            Formula::Any(parts) if parts.iter().all(|p| !chooses(p)) => {
                parts.iter().map(stays).filter(|(any, _)| *any).all(|(_, open)| open)
            }
            _ => !chooses(formula) && !instance.decided_by.iter().all(|f| closed(*f)),
        };
        if still_open {
            return false;
        }
        self.judge.status_if(instance, &closed) != Status::Open
    }

    fn weight(&self, threat: usize) -> u64 {
        weight(self.threats[self.instances[self.open[threat]].threat].loses)
    }
}

/// Whether one of several checks suffices somewhere in a formula.
fn chooses(formula: &Formula) -> bool {
    match formula {
        Formula::Check(_) => false,
        Formula::All(parts) => parts.iter().any(chooses),
        Formula::Any(_) => true,
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
