//! Open threats that the same choices answer, as one: a thousand equal containers ask as much as a single one.

use std::collections::HashMap;

use seaworthy_core::threat::{Instance, Loss, Status, Threat};

use crate::judge::{Judge, Stays};

/// What has to be taken for a threat to be no longer open.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Needs {
    /// Nothing suffices: a failure that no choice closes keeps it open.
    Nothing,
    /// Each of these choices.
    Choices(Vec<usize>),
    /// What every part needs.
    Every(Vec<Needs>),
    /// What one of the parts needs.
    One(Vec<Needs>),
}

impl Needs {
    fn new(stays: &Stays, closed_by: &[Option<usize>]) -> Self {
        let parts = |parts: &[Stays]| parts.iter().map(|p| Self::new(p, closed_by)).collect();
        match stays {
            Stays::Findings(findings) => {
                let choices: Option<Vec<usize>> =
                    findings.iter().map(|f| closed_by.get(*f).copied().flatten()).collect();
                choices.map_or(Self::Nothing, |mut choices| {
                    choices.sort_unstable();
                    choices.dedup();
                    Self::Choices(choices)
                })
            }
            Stays::One(of) => Self::Every(parts(of)),
            Stays::Every(of) => Self::One(parts(of)),
        }
    }

    fn are_met(&self, taken: &[bool]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Choices(choices) => choices.iter().all(|c| taken[*c]),
            Self::Every(parts) => parts.iter().all(|p| p.are_met(taken)),
            Self::One(parts) => parts.iter().any(|p| p.are_met(taken)),
        }
    }

    fn choices(&self, out: &mut Vec<usize>) {
        match self {
            Self::Nothing => {}
            Self::Choices(choices) => out.extend(choices),
            Self::Every(parts) | Self::One(parts) => parts.iter().for_each(|p| p.choices(out)),
        }
    }
}

/// Instances of one threat that the same choices answer.
struct Class {
    needs: Needs,
    /// The choices that may answer them, ascending.
    choices: Vec<usize>,
    /// By position among the instances, ascending.
    members: Vec<usize>,
    weight: u64,
}

/// The open instances of an assessment by classes.
pub(super) struct Alike {
    classes: Vec<Class>,
}

impl Alike {
    /// `closed_by` holds for each finding the choice that closes it.
    pub(super) fn new(
        judge: &Judge<'_>,
        threats: &[Threat],
        instances: &[Instance],
        closed_by: &[Option<usize>],
    ) -> Self {
        let mut known: HashMap<(usize, Needs), usize> = HashMap::new();
        let mut classes: Vec<Class> = Vec::new();
        for (i, instance) in instances.iter().enumerate().filter(|(_, i)| i.status == Status::Open) {
            let needs = Needs::new(&judge.stays(instance), closed_by);
            let key = (instance.threat, needs);
            let class = known.get(&key).copied().unwrap_or_else(|| {
                let mut choices = Vec::new();
                key.1.choices(&mut choices);
                choices.sort_unstable();
                choices.dedup();
                let weight = weight(threats[instance.threat].loses);
                classes.push(Class { needs: key.1.clone(), choices, members: Vec::new(), weight });
                known.insert(key, classes.len() - 1);
                classes.len() - 1
            });
            classes[class].members.push(i);
        }
        Self { classes }
    }

    /// How many classes there are.
    pub(super) fn len(&self) -> usize {
        self.classes.len()
    }

    /// The instances of some classes, by position, ascending.
    pub(super) fn members(&self, classes: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut out: Vec<usize> = classes.flat_map(|class| self.classes[class].members.iter().copied()).collect();
        out.sort_unstable();
        out
    }

    /// The choices that may answer a class.
    pub(super) fn choices(&self, class: usize) -> &[usize] {
        &self.classes[class].choices
    }

    /// Whether the instances of a class are no longer open when some choices are taken.
    pub(super) fn answered(&self, class: usize, taken: &[bool]) -> bool {
        self.classes[class].needs.are_met(taken)
    }

    /// What the instances of a class weigh together.
    pub(super) fn weight(&self, class: usize) -> u64 {
        self.classes[class].weight * self.classes[class].members.len() as u64
    }
}

/// What an answered threat counts, by what is lost.
fn weight(loss: Loss) -> u64 {
    match loss {
        Loss::Host | Loss::Engine | Loss::Cluster | Loss::Node => 10,
        Loss::Containers | Loss::Pods | Loss::Secrets => 6,
        Loss::RegistryCredentials | Loss::Cloud => 5,
        Loss::Images => 4,
        Loss::Availability | Loss::Traceability => 3,
        Loss::Information => 1,
    }
}
