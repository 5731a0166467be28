//! The choosing against exhaustive scans.

use proptest::prelude::*;
use seaworthy_core::remedy::Safety;
use seaworthy_core::step::Basis;

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
    fn connected(&self, pair: usize, taken: &[bool], firm: Basis) -> bool {
        let all = self.lines.iter().chain(&self.hidden);
        all.filter(|l| l.pair == pair && l.basis <= firm).any(|l| !cut_by(l, taken))
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
        let basis = prop::sample::select(Basis::ALL.to_vec());
        (0..PAIRS, basis, 1..12u32, prop::collection::btree_set(0..CHOICES, 0..4)).prop_map(
            |(pair, basis, effort, cutters)| Line { pair, basis, effort, cutters: cutters.into_iter().collect() },
        )
    };
    let safety = prop_oneof![Just(Safety::Safe), Just(Safety::Disruptive), Just(Safety::Manual)];
    (
        prop::collection::vec(line(), 0..14),
        prop::collection::vec(line(), 0..4),
        prop::collection::vec(prop::collection::btree_set(0..CHOICES, 1..3), 0..6),
        prop::collection::vec(0..TIERS, PAIRS),
        prop::collection::vec((safety, 1..4usize, any::<bool>()), CHOICES),
    )
        .prop_map(|(lines, hidden, needs, tiers, choices)| {
            let pairs = tiers.into_iter().enumerate();
            let pairs = pairs.map(|(i, tier)| Pair { tier, more: hidden.iter().any(|l| l.pair == i) }).collect();
            let needs: Vec<Vec<usize>> = needs.into_iter().map(|n| n.into_iter().collect()).collect();
            let touches = |c: usize| (0..needs.len()).filter(|t| needs[*t].contains(&c)).collect();
            let choices = choices.into_iter().enumerate();
            let choice = |(c, (safety, size, decided))| Choice { safety, size, decided, touches: touches(c) };
            let choices = choices.map(choice).collect();
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
        for line in live.iter().filter(|l| counts(l)) {
            // One that nothing cuts, is as cheap and rests on no less; what is only possible counts against nothing.
            let instead = |free: &&Line| match line.basis {
                Basis::Proven => free.basis == Basis::Proven,
                Basis::Assumed | Basis::Possible => free.basis != Basis::Possible,
            };
            let free = world.lines.iter().filter(|l| l.pair == p && l.cutters.is_empty());
            let matters = !free.filter(instead).any(|free| free.effort <= line.effort);
            if matters && line.basis != Basis::Possible && choices[choice].decided {
                gain.risk += risk(pair.tier, line.effort, line.basis);
            }
            match (line.basis, pair.tier == TIERS - 1, matters) {
                (_, false, true) => gain.levels[line.basis as usize].paths[pair.tier] += 1,
                (Basis::Possible, ..) => gain.comfort[6] += 1,
                (_, false, false) => gain.comfort[5] += 1,
                (Basis::Assumed, true, _) => gain.comfort[4] += 1,
                (Basis::Proven, true, _) => gain.comfort[3] += 1,
            }
        }
        for firm in Basis::ALL {
            let mut of: Vec<&&Line> = live.iter().filter(|l| l.basis <= firm).collect();
            let any = !of.is_empty();
            // What counts for it must close it: at least one line of this firmness does.
            of.retain(|l| !counts(l));
            let closed = any && of.is_empty() && !(pair.more && world.connected(p, &after, firm));
            if pair.tier == TIERS - 1 {
                gain.comfort[firm as usize] += u32::from(closed);
            } else {
                gain.levels[firm as usize].pairs[pair.tier] += u32::from(closed);
            }
        }
    }
    let eases = [(Safety::Manual, 1), (Safety::Disruptive, 8), (Safety::Safe, 12)];
    let ease = eases.iter().find(|(s, _)| *s == choices[choice].safety).unwrap().1;
    let newly = (0..world.needs.len()).filter(|t| world.answered(*t, &after) && !world.answered(*t, before));
    gain.threats = newly.map(|t| world.weight(t)).sum::<u64>() * ease;
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
