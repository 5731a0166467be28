//! Why something stands where it does, in words.

use std::collections::BTreeMap;

use seaworthy_core::diagram::Diagram;
use seaworthy_core::remedy::Safety;
use seaworthy_core::snapshot::Snapshot;
use seaworthy_core::step::{Basis, Paths, State};
use seaworthy_core::threat::{Instance, Loss, Threat};

use super::candidates::{Candidate, listed};

/// What words are made of.
pub(super) struct Words<'a> {
    threats: &'a [Threat],
    instances: &'a [Instance],
    diagram: &'a Diagram,
    snapshot: &'a Snapshot,
    paths: &'a Paths,
    /// How many paths there are to each goal, by what they rest on.
    totals: [Goals; 3],
}

/// Numbers of paths by the capability that they lead to.
type Goals = BTreeMap<usize, usize>;

fn by_goal(paths: &Paths, of: impl Iterator<Item = usize>, basis: Basis) -> Goals {
    let mut by = Goals::new();
    let wanted = of.map(|i| &paths.list[i]).filter(|path| path.basis() == basis);
    wanted.for_each(|path| *by.entry(path.to.capability).or_default() += 1);
    by
}

impl<'a> Words<'a> {
    pub(super) fn new(
        threats: &'a [Threat],
        instances: &'a [Instance],
        diagram: &'a Diagram,
        snapshot: &'a Snapshot,
        paths: &'a Paths,
    ) -> Self {
        let totals = Basis::ALL.map(|basis| by_goal(paths, 0..paths.list.len(), basis));
        Self { threats, instances, diagram, snapshot, paths, totals }
    }
}

impl Words<'_> {
    /// The terms of a rank, the one that weighs most first. Holds hostile names.
    pub(super) fn why(
        &self,
        closed: &[(State, State, Basis)],
        cuts: &[usize],
        answers: &[usize],
        candidate: &Candidate,
    ) -> Vec<String> {
        let mut out = Vec::new();
        self.closed(closed, &mut out);
        self.cut(cuts, &mut out);
        self.answered(answers, &mut out);
        if out.is_empty() {
            let gravest = candidate.severity.word();
            out.push(format!("cuts no path and answers no threat by itself; {gravest} by its check"));
        }
        out.push(match candidate.safety {
            Safety::Safe => "safe: nothing stops working".to_owned(),
            Safety::Disruptive => "disruptive: something restarts, or loses a right that it may use".to_owned(),
            Safety::Manual => "described, to be done by hand".to_owned(),
        });
        out
    }

    fn state(&self, state: State) -> String {
        state.words(self.diagram, self.snapshot)
    }

    /// Pairs of which nothing so firm is left, by jewel.
    fn closed(&self, closed: &[(State, State, Basis)], out: &mut Vec<String>) {
        for basis in Basis::ALL {
            let mut by_jewel: BTreeMap<(Option<u8>, State), Vec<State>> = BTreeMap::new();
            for (from, to, _) in closed.iter().filter(|(.., of)| *of == basis) {
                by_jewel.entry((to.capability().jewel, *to)).or_default().push(*from);
            }
            let word = match basis {
                Basis::Proven => "proven path",
                Basis::Assumed => "proven or assumed path",
                Basis::Possible => "path",
            };
            let total = by_jewel.len();
            for ((_, jewel), from) in by_jewel.into_iter().take(2) {
                let names: Vec<String> = from.iter().take(4).map(|s| self.state(*s)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let (who, to) = (listed(&names, from.len()), self.state(jewel));
                out.push(format!("leaves no {word} to {to} from {who}"));
            }
            if total > 2 {
                out.push(format!("leaves no {word} to {} more goals", total - 2));
            }
        }
    }

    fn cut(&self, cuts: &[usize], out: &mut Vec<String>) {
        for (basis, all) in Basis::ALL.into_iter().zip(&self.totals) {
            let word = basis.word();
            let cut = by_goal(self.paths, cuts.iter().copied(), basis);
            for (capability, number) in cut {
                let goal = match seaworthy_core::step::CAPABILITIES[capability].name {
                    "host-root" => "root on the host",
                    "engine" => "the engine's API",
                    "data" => "data and secrets of containers",
                    "credentials" => "credentials for registries",
                    "availability" => "the host's availability",
                    "node-root" => "root on nodes",
                    "cluster-admin" => "every right in the cluster",
                    "secrets" => "secrets of namespaces",
                    "cloud-credentials" => "the cloud's credentials",
                    "node-availability" => "the availability of nodes",
                    other => other,
                };
                let total = all.get(&capability).copied().unwrap_or(number);
                out.push(format!("cuts {number} of {total} {word} paths to {goal}"));
            }
        }
    }

    fn answered(&self, answers: &[usize], out: &mut Vec<String>) {
        let mut by: BTreeMap<Loss, usize> = BTreeMap::new();
        for instance in answers {
            *by.entry(self.threats[self.instances[*instance].threat].loses).or_default() += 1;
        }
        for (loss, count) in by {
            let threats = if count == 1 { "1 threat".to_owned() } else { format!("{count} threats") };
            out.push(format!("answers {threats} to {}", loss.title()));
        }
    }
}
