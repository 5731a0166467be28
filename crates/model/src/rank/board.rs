//! The greedy choice, apart from what is chosen between: paths with those who cut them, pairs, threats.

use seaworthy_core::remedy::Safety;
use seaworthy_core::step::Basis;

/// Tiers of pairs: by the jewel's rank, from outside before from inside; the last is the host's availability.
pub(super) const TIERS: usize = 9;

/// A path.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its pair.
    pub pair: usize,
    pub basis: Basis,
    pub effort: u32,
    /// The options each of which cuts it.
    pub cutters: Vec<usize>,
}

/// An entry and a jewel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    /// From 0, the dearest.
    pub tier: usize,
    /// There are paths that are not among the lines.
    pub more: bool,
}

/// Something that could be done.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub safety: Safety,
    /// How many components it touches.
    pub size: usize,
    /// Whether a check says that it is wanted; else a person has to decide that first.
    pub decided: bool,
    /// The threats that it may answer.
    pub touches: Vec<usize>,
}

/// What is known beyond the lines.
pub(super) trait Beyond {
    /// Whether a pair is connected still, by what is at least so firm, when some choices are taken; asked only of pairs
    /// with more paths than lines.
    fn connected(&self, pair: usize, taken: &[bool], firm: Basis) -> bool;
    /// Whether a choice cuts something beyond the lines.
    fn cuts_more(&self, choice: usize) -> bool;
    /// Whether a threat is no longer open when some choices are taken.
    fn answered(&self, threat: usize, taken: &[bool]) -> bool;
    /// What a threat weighs.
    fn weight(&self, threat: usize) -> u64;
}

/// What a choice gains, given those before it. The first difference decides:
///
/// 1. the risk of the paths that it cuts and whose facts are known ([`risk`]), of those that matter: one matters when
///    no path of its pair that nothing cuts is as cheap and as firm, for then the attacker has to work harder;
/// 2. pairs of entry and jewel of which no proven path is left, by tier, then how many proven paths that matter;
/// 3. the same over paths whose facts are known, those that assume something among them;
/// 4. pairs of which no path at all is left, then possible paths that matter, by tier;
/// 5. threats that are no longer open, each with the weight of what is lost, times twelve if the remedy is safe, times
///    eight if it is disruptive: limits go before another data directory for the engine;
/// 6. the host's availability, as 2 to 4, and paths that do not matter.
///
/// A remedy that is described and not done counts only for paths that no other cuts. One of which a person has to decide
/// whether it is wanted at all (a volume that two share by design) has no risk to show: it comes after what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gain {
    pub risk: u64,
    /// By [`Basis`].
    pub levels: [Level; 3],
    pub threats: u64,
    pub comfort: [u32; 7],
}

/// What is gained over paths that are at least so firm, by tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Level {
    /// Pairs of which none is left.
    pub pairs: [u32; TIERS - 1],
    /// Paths of just this firmness that matter.
    pub paths: [u32; TIERS - 1],
}

/// What a path whose facts are known weighs: what it reaches (root and the engine 4, data and credentials 1), four times
/// that where it begins outside, halved by each unit of its effort, and once more where it assumes something that nobody
/// read. A way that everybody knows thus goes before many that want a flaw to be found. An assumption alone does not send
/// a path behind all that assume nothing: from a container in which a flaw must be found first the socket of the engine is
/// still nearer than a password in the environment of another. In units of 2^-32; availability weighs nothing here.
pub(super) fn risk(tier: usize, effort: u32, basis: Basis) -> u64 {
    let reached: u64 = match tier / 2 {
        0 | 1 => 4,
        2 | 3 => 1,
        _ => 0,
    };
    let begins = if tier.is_multiple_of(2) { 4 } else { 1 };
    let halved = match basis {
        Basis::Proven => effort,
        Basis::Assumed => effort.saturating_add(1),
        Basis::Possible => return 0,
    };
    ((reached * begins) << 32) >> halved.min(40)
}

impl Gain {
    /// Whether there is none.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The state of the choosing.
pub(super) struct Board<'a> {
    lines: &'a [Line],
    pairs: &'a [Pair],
    choices: &'a [Choice],
    beyond: &'a dyn Beyond,
    /// For each choice the lines that it cuts.
    cuts: Vec<Vec<usize>>,
    /// For each choice the threats that it would answer now.
    answers: Vec<Vec<usize>>,
    /// For each threat the choices that touch it.
    touched_by: Vec<Vec<usize>>,
    /// For each line whether it matters, and whether a choice that is done cuts it.
    matters: Vec<bool>,
    done_by_edit: Vec<bool>,
    pub(super) taken: Vec<bool>,
    pub(super) live: Vec<bool>,
    pub(super) open: Vec<bool>,
    /// For each pair its live lines that are at least so firm.
    left: Vec<[u32; 3]>,
    /// Gains that nothing has changed since they were worked out.
    known: Vec<Option<Gain>>,
    /// For each choice whether its gain rests on what is connected beyond the lines.
    asked: Vec<bool>,
}

/// A pair of which a choice would cut every path that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub pair: usize,
    /// Every one that is at least so firm, by [`Basis`].
    pub gone: [bool; 3],
}

/// The cheapest of the lines of a pair that nothing cuts: proven ones, and those whose facts are known.
#[derive(Clone, Copy, Debug, Default)]
struct Free {
    proven: Option<u32>,
    known: Option<u32>,
}

impl Free {
    fn add(&mut self, line: &Line) {
        let cheaper = |known: Option<u32>| Some(known.map_or(line.effort, |e| e.min(line.effort)));
        if line.basis == Basis::Proven {
            self.proven = cheaper(self.proven);
        }
        if line.basis.facts_known() {
            self.known = cheaper(self.known);
        }
    }

    /// Whether cutting a line makes the attacker work harder, or with less to rely on.
    fn matters(self, line: &Line) -> bool {
        let free = if line.basis == Basis::Proven { self.proven } else { self.known };
        free.is_none_or(|effort| line.effort < effort)
    }
}

impl<'a> Board<'a> {
    pub(super) fn new(
        lines: &'a [Line],
        pairs: &'a [Pair],
        choices: &'a [Choice],
        threats: usize,
        beyond: &'a dyn Beyond,
    ) -> Self {
        let mut cuts = vec![Vec::new(); choices.len()];
        let mut left = vec![[0; 3]; pairs.len()];
        let mut free = vec![Free::default(); pairs.len()];
        for (i, line) in lines.iter().enumerate() {
            line.cutters.iter().for_each(|c| cuts[*c].push(i));
            left[line.pair][line.basis as usize..].iter_mut().for_each(|n| *n += 1);
            if line.cutters.is_empty() {
                free[line.pair].add(line);
            }
        }
        let mut board = Self {
            lines,
            pairs,
            choices,
            beyond,
            cuts,
            answers: vec![Vec::new(); choices.len()],
            touched_by: vec![Vec::new(); threats],
            matters: lines.iter().map(|l| free[l.pair].matters(l)).collect(),
            done_by_edit: lines
                .iter()
                .map(|l| l.cutters.iter().any(|c| choices[*c].safety != Safety::Manual))
                .collect(),
            taken: vec![false; choices.len()],
            live: vec![true; lines.len()],
            open: vec![true; threats],
            left,
            known: vec![None; choices.len()],
            asked: vec![false; choices.len()],
        };
        for (c, choice) in choices.iter().enumerate() {
            for threat in &choice.touches {
                board.touched_by[*threat].push(c);
                board.consider(c, *threat);
            }
        }
        board
    }

    /// The lines that a choice would cut now.
    pub(super) fn cuts(&self, choice: usize) -> impl Iterator<Item = usize> {
        self.cuts[choice].iter().copied().filter(|l| self.live[*l])
    }

    /// The threats that a choice would answer now.
    pub(super) fn answers(&self, choice: usize) -> &[usize] {
        &self.answers[choice]
    }

    /// Notes it if a choice would answer a threat now. What it would answer once it will, whatever else is taken.
    fn consider(&mut self, choice: usize, threat: usize) {
        let Err(place) = self.answers[choice].binary_search(&threat) else { return };
        let was = std::mem::replace(&mut self.taken[choice], true);
        if self.beyond.answered(threat, &self.taken) {
            self.answers[choice].insert(place, threat);
            self.known[choice] = None;
        }
        self.taken[choice] = was;
    }

    /// The live lines that a choice would cut and that count for it.
    fn counted(&self, choice: usize) -> impl Iterator<Item = usize> {
        let manual = self.choices[choice].safety == Safety::Manual;
        self.cuts(choice).filter(move |line| !(manual && self.done_by_edit[*line]))
    }

    /// The pairs that a choice would close now, by the lines that count for it.
    pub(super) fn closes(&mut self, choice: usize) -> Vec<Closed> {
        let mut lines: Vec<(usize, Basis)> =
            self.counted(choice).map(|l| (self.lines[l].pair, self.lines[l].basis)).collect();
        lines.sort_unstable();
        let was = std::mem::replace(&mut self.taken[choice], true);
        let mut out = Vec::new();
        let mut asked = false;
        for of_pair in lines.chunk_by(|a, b| a.0 == b.0) {
            let pair = of_pair[0].0;
            let gone = Basis::ALL.map(|firm| {
                let cut = of_pair.iter().filter(|l| l.1 <= firm).count() as u32;
                if cut == 0 || cut != self.left[pair][firm as usize] {
                    return false;
                }
                asked |= self.pairs[pair].more;
                !self.pairs[pair].more || !self.beyond.connected(pair, &self.taken, firm)
            });
            if gone.contains(&true) {
                out.push(Closed { pair, gone });
            }
        }
        self.taken[choice] = was;
        self.asked[choice] = asked;
        out
    }

    /// What a choice would gain now.
    pub(super) fn gain(&mut self, choice: usize) -> Gain {
        let mut gain = Gain::default();
        for line in self.counted(choice) {
            let Line { pair, basis, effort, .. } = self.lines[line];
            let tier = self.pairs[pair].tier;
            if self.matters[line] && self.choices[choice].decided {
                gain.risk += risk(tier, effort, basis);
            }
            match (basis, tier == TIERS - 1, self.matters[line]) {
                (_, false, true) => gain.levels[basis as usize].paths[tier] += 1,
                (Basis::Proven, true, _) => gain.comfort[3] += 1,
                (Basis::Assumed, true, _) => gain.comfort[4] += 1,
                (Basis::Proven | Basis::Assumed, false, false) => gain.comfort[5] += 1,
                (Basis::Possible, ..) => gain.comfort[6] += 1,
            }
        }
        for Closed { pair, gone } in self.closes(choice) {
            let tier = self.pairs[pair].tier;
            for (level, gone) in gone.into_iter().enumerate() {
                match tier == TIERS - 1 {
                    true => gain.comfort[level] += u32::from(gone),
                    false => gain.levels[level].pairs[tier] += u32::from(gone),
                }
            }
        }
        let ease = match self.choices[choice].safety {
            Safety::Safe => 12,
            Safety::Disruptive => 8,
            Safety::Manual => 1,
        };
        gain.threats = self.answers[choice].iter().map(|t| self.beyond.weight(*t)).sum::<u64>() * ease;
        gain
    }

    /// The best choice that is not taken: the most gain, then the safest, the one that touches the fewest components,
    /// the first. None when nothing is left that gains.
    pub(super) fn best(&mut self) -> Option<(usize, Gain)> {
        for choice in 0..self.choices.len() {
            if !self.taken[choice] && self.known[choice].is_none() {
                self.known[choice] = Some(self.gain(choice));
            }
        }
        let ease = |c: usize| (self.choices[c].safety, self.choices[c].size, c);
        let open = self.known.iter().enumerate().filter(|(c, _)| !self.taken[*c]);
        let known = open.filter_map(|(c, gain)| Some((c, gain.as_ref()?)));
        let best = known.max_by(|(a, x), (b, y)| x.cmp(y).then_with(|| ease(*b).cmp(&ease(*a))));
        best.map(|(choice, gain)| (choice, gain.clone()))
    }

    /// Takes a choice.
    pub(super) fn take(&mut self, choice: usize) {
        self.taken[choice] = true;
        let cut: Vec<usize> = self.cuts(choice).collect();
        let mut touched_pairs = vec![false; self.pairs.len()];
        for line in &cut {
            self.live[*line] = false;
            let Line { pair, basis, .. } = self.lines[*line];
            self.left[pair][basis as usize..].iter_mut().for_each(|n| *n -= 1);
            touched_pairs[pair] = true;
        }
        for line in self.lines.iter().filter(|l| touched_pairs[l.pair]) {
            line.cutters.iter().for_each(|c| self.known[*c] = None);
        }
        if self.beyond.cuts_more(choice) {
            let asked = self.known.iter_mut().zip(&self.asked).filter(|(_, asked)| **asked);
            asked.for_each(|(known, _)| *known = None);
        }
        for threat in std::mem::take(&mut self.answers[choice]) {
            self.open[threat] = false;
            for other in &self.touched_by[threat] {
                if let Ok(place) = self.answers[*other].binary_search(&threat) {
                    self.answers[*other].remove(place);
                    self.known[*other] = None;
                }
            }
        }
        // What it touched and did not answer may now be answered by others.
        for threat in self.choices[choice].touches.iter().copied() {
            for i in 0..self.touched_by[threat].len() {
                let other = self.touched_by[threat][i];
                if self.open[threat] && !self.taken[other] {
                    self.consider(other, threat);
                }
            }
        }
    }
}
