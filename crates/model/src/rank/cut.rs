//! The smallest set of choices that meets every set: exact within a bound of work.

/// The most sets of choices that are looked at.
pub(super) const WORK: usize = 200_000;

/// The cheapest choices that meet every set, `cost` of each being at least 1, and whether they are proven to be it.
/// Empty sets, which nothing meets, are left out.
pub(super) fn smallest(sets: &[Vec<usize>], cost: &[u64], work: usize) -> (Vec<usize>, bool) {
    let sets = needed(sets);
    let mut search = Search { sets: &sets, cost, best: greedy(&sets, cost), work, looked: 0 };
    search.branch(&mut Vec::new(), &mut vec![false; cost.len()], 0);
    let exact = search.looked <= work;
    let mut best = search.best;
    best.sort_unstable();
    (best, exact)
}

/// Without empty sets, repetitions, and sets that hold another: whoever meets the smaller meets them.
fn needed(sets: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut sorted: Vec<Vec<usize>> = sets.iter().filter(|s| !s.is_empty()).cloned().collect();
    for set in &mut sorted {
        set.sort_unstable();
        set.dedup();
    }
    sorted.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    sorted.dedup();
    let mut out: Vec<Vec<usize>> = Vec::new();
    for set in sorted {
        if !out.iter().any(|small| small.iter().all(|c| set.binary_search(c).is_ok())) {
            out.push(set);
        }
    }
    out
}

fn greedy(sets: &[Vec<usize>], cost: &[u64]) -> Vec<usize> {
    let mut left: Vec<&Vec<usize>> = sets.iter().collect();
    let mut out = Vec::new();
    while !left.is_empty() {
        let mut met = vec![0u64; cost.len()];
        left.iter().flat_map(|s| s.iter()).for_each(|c| met[*c] += 1);
        // The most met for its cost; the first among equals.
        let best = (0..cost.len()).filter(|c| met[*c] > 0).max_by(|a, b| {
            let (x, y) = (u128::from(met[*a]) * u128::from(cost[*b]), u128::from(met[*b]) * u128::from(cost[*a]));
            x.cmp(&y).then(b.cmp(a))
        });
        let Some(best) = best else { break };
        left.retain(|s| s.binary_search(&best).is_err());
        out.push(best);
    }
    out
}

struct Search<'a> {
    sets: &'a [Vec<usize>],
    cost: &'a [u64],
    best: Vec<usize>,
    work: usize,
    looked: usize,
}

impl Search<'_> {
    fn total(&self, choices: &[usize]) -> u64 {
        choices.iter().map(|c| self.cost[*c]).sum()
    }

    /// Extends `chosen` by each choice of a set that it does not meet; `barred` were tried in its place before.
    fn branch(&mut self, chosen: &mut Vec<usize>, barred: &mut Vec<bool>, spent: u64) {
        self.looked += 1;
        if self.looked > self.work {
            return;
        }
        let mut open: Option<(usize, Vec<usize>)> = None;
        let mut apart: Vec<bool> = vec![false; self.cost.len()];
        let mut least = 0;
        for set in self.sets.iter().filter(|s| !s.iter().any(|c| chosen.contains(c))) {
            let free: Vec<usize> = set.iter().copied().filter(|c| !barred[*c]).collect();
            // Sets that share no choice need one each.
            if free.iter().all(|c| !apart[*c]) {
                free.iter().for_each(|c| apart[*c] = true);
                let cheapest = free.iter().map(|c| self.cost[*c]).min();
                least = cheapest.map_or(u64::MAX, |c| c.saturating_add(least));
            }
            if open.as_ref().is_none_or(|(count, _)| free.len() < *count) {
                open = Some((free.len(), free));
            }
        }
        if spent.saturating_add(least) >= self.total(&self.best) {
            return;
        }
        let Some((_, free)) = open else {
            self.best = chosen.clone();
            return;
        };
        for choice in &free {
            chosen.push(*choice);
            self.branch(chosen, barred, spent + self.cost[*choice]);
            chosen.pop();
            barred[*choice] = true;
        }
        free.iter().for_each(|c| barred[*c] = false);
    }
}
