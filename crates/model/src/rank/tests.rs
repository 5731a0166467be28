//! The choosing against exhaustive scans.

use proptest::prelude::*;
use seaworthy_core::remedy::Safety;

use super::board::{Beyond, Board, Choice, Gain, Line, Pair, TIERS, risk};
use super::cut;

const CHOICES: usize = 6;
const PAIRS: usize = 5;

/// Paths that are not listed, and what each threat needs.
#[derive(Debug)]
struct World {
    hidden: Vec<Line>,
    lines: Vec<Line>,
    needs: Vec<Vec<usize>>,
}

fn cut_by(line: &Line, taken: &[bool]) -> bool {
    line.cutters.iter().any(|c| taken[*c])
}

impl Beyond for World {
    fn connected(&self, pair: usize, taken: &[bool], only_proven: bool) -> bool {
        let all = self.lines.iter().chain(&self.hidden);
        all.filter(|l| l.pair == pair && (l.proven || !only_proven)).any(|l| !cut_by(l, taken))
    }

    fn cuts_more(&self, choice: usize) -> bool {
        self.hidden.iter().any(|l| l.cutters.contains(&choice))
    }

    fn answered(&self, threat: usize, taken: &[bool]) -> bool {
        self.needs[threat].iter().all(|c| taken[*c])
    }

    fn weight(&self, threat: usize) -> u64 {
        threat as u64 % 3 + 1
    }
}

#[derive(Debug)]
struct Setting {
    world: World,
    pairs: Vec<Pair>,
    choices: Vec<Choice>,
}

fn settings() -> impl Strategy<Value = Setting> {
    let line = || {
        (0..PAIRS, any::<bool>(), 1..12u32, prop::collection::btree_set(0..CHOICES, 0..4)).prop_map(
            |(pair, proven, effort, cutters)| Line { pair, proven, effort, cutters: cutters.into_iter().collect() },
        )
    };
    let safety = prop_oneof![Just(Safety::Safe), Just(Safety::Disruptive), Just(Safety::Manual)];
    (
        prop::collection::vec(line(), 0..14),
        prop::collection::vec(line(), 0..4),
        prop::collection::vec(prop::collection::btree_set(0..CHOICES, 1..3), 0..6),
        prop::collection::vec(0..TIERS, PAIRS),
        prop::collection::vec((safety, 1..4usize), CHOICES),
    )
        .prop_map(|(lines, hidden, needs, tiers, choices)| {
            let pairs = tiers.into_iter().enumerate();
            let pairs = pairs.map(|(i, tier)| Pair { tier, more: hidden.iter().any(|l| l.pair == i) }).collect();
            let needs: Vec<Vec<usize>> = needs.into_iter().map(|n| n.into_iter().collect()).collect();
            let touches = |c: usize| (0..needs.len()).filter(|t| needs[*t].contains(&c)).collect();
            let choices = choices.into_iter().enumerate();
            let choices = choices.map(|(c, (safety, size))| Choice { safety, size, touches: touches(c) }).collect();
            Setting { world: World { hidden, lines, needs }, pairs, choices }
        })
}

/// The gain by its definition, from nothing but what is taken.
fn by_definition(setting: &Setting, before: &[bool], choice: usize) -> Gain {
    let Setting { world, pairs, choices } = setting;
    let mut after = before.to_vec();
    after[choice] = true;
    let manual = choices[choice].safety == Safety::Manual;
    let by_edit = |l: &Line| l.cutters.iter().any(|c| choices[*c].safety != Safety::Manual);
    let counts = |l: &Line| l.cutters.contains(&choice) && !(manual && by_edit(l));
    let mut gain = Gain::default();
    for (p, pair) in pairs.iter().enumerate() {
        let live: Vec<&Line> = world.lines.iter().filter(|l| l.pair == p && !cut_by(l, before)).collect();
        let free = world.lines.iter().filter(|l| l.pair == p && l.proven && l.cutters.is_empty());
        let free = free.map(|l| l.effort).min().unwrap_or(u32::MAX);
        for line in live.iter().filter(|l| counts(l)) {
            if line.proven && line.effort < free {
                gain.risk += risk(pair.tier, line.effort);
            }
            match (line.proven, pair.tier == TIERS - 1, line.effort < free) {
                (true, false, true) => gain.proven_paths[pair.tier] += 1,
                (false, false, true) => gain.possible_paths[pair.tier] += 1,
                (true, true, _) => gain.comfort[2] += 1,
                (true, false, false) => gain.comfort[3] += 1,
                (false, ..) => gain.comfort[4] += 1,
            }
        }
        let closed = |only: bool| {
            let mut of: Vec<&&Line> = live.iter().filter(|l| l.proven || !only).collect();
            let any = !of.is_empty();
            of.retain(|l| !counts(l));
            any && of.is_empty() && !(pair.more && world.connected(p, &after, only))
        };
        let (proven, all) = (u32::from(closed(true)), u32::from(closed(false)));
        if pair.tier == TIERS - 1 {
            gain.comfort[0] += proven;
            gain.comfort[1] += all;
        } else {
            gain.proven_pairs[pair.tier] += proven;
            gain.pairs[pair.tier] += all;
        }
    }
    let ease = [Safety::Manual, Safety::Disruptive, Safety::Safe].iter().position(|s| *s == choices[choice].safety);
    let newly = (0..world.needs.len()).filter(|t| world.answered(*t, &after) && !world.answered(*t, before));
    gain.threats = newly.map(|t| world.weight(t)).sum::<u64>() * (ease.unwrap() as u64 + 1);
    gain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn each_pick_is_the_best_of_an_exhaustive_scan(setting in settings()) {
        let Setting { world, pairs, choices } = &setting;
        let mut board = Board::new(&world.lines, pairs, choices, world.needs.len(), world);
        let mut taken = vec![false; CHOICES];
        for _ in 0..CHOICES {
            let scan = (0..CHOICES).filter(|c| !taken[*c]).map(|c| {
                let ease = std::cmp::Reverse((choices[c].safety, choices[c].size, c));
                (by_definition(&setting, &taken, c), ease)
            });
            let best = scan.max().map(|(gain, ease)| (ease.0.2, gain));
            let found = board.best();
            prop_assert_eq!(&found, &best);
            let (choice, _) = found.unwrap();
            board.take(choice);
            taken[choice] = true;
            for (i, line) in world.lines.iter().enumerate() {
                prop_assert_eq!(board.live[i], !cut_by(line, &taken));
            }
            for (t, open) in board.open.iter().enumerate() {
                prop_assert_eq!(*open, !world.answered(t, &taken));
            }
        }
    }

    #[test]
    fn the_smallest_cut_is_that_of_an_exhaustive_choice(
        sets in prop::collection::vec(prop::collection::vec(0..8usize, 0..4), 0..12),
        cost in prop::collection::vec(1..5u64, 8),
    ) {
        let (found, exact) = cut::smallest(&sets, &cost, cut::WORK);
        let meets = |chosen: &dyn Fn(usize) -> bool| {
            sets.iter().filter(|s| !s.is_empty()).all(|s| s.iter().any(|c| chosen(*c)))
        };
        let total = |mask: u32| (0..8).filter(|c| mask & (1 << c) != 0).map(|c| cost[c]).sum::<u64>();
        let best = (0..256u32).filter(|mask| meets(&|c| mask & (1 << c) != 0)).map(total).min();
        prop_assert!(exact);
        prop_assert!(meets(&|c| found.contains(&c)));
        prop_assert_eq!(Some(found.iter().map(|c| cost[*c]).sum::<u64>()), best);
    }

    #[test]
    fn beyond_its_work_a_cut_still_cuts_and_says_that_it_may_not_be_the_smallest(
        sets in prop::collection::vec(prop::collection::vec(0..8usize, 1..4), 1..12),
    ) {
        let (found, exact) = cut::smallest(&sets, &[1; 8], 0);
        prop_assert!(!exact);
        prop_assert!(sets.iter().all(|s| s.iter().any(|c| found.contains(c))));
    }
}
