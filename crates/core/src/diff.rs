//! What changed between two moments, by meaning: things are told apart by what survives re-creation, so that a container
//! that was renamed or made anew is no difference. What can no longer be seen is not gone, and what is unknown now was
//! not answered.

mod moment;

use std::collections::{BTreeMap, BTreeSet};

pub use moment::{Component, Flow, Kinds, Mitigation, Moment, Path, Threat};

use crate::threat::Status;
use crate::verdict::Verdict;

/// What a moment says of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// It was there, and so.
    There(T),
    /// It was not there, and everything of its kind was listed.
    Absent,
    /// Whether it was there is not known, and why.
    Unlisted(String),
}

impl<T> Seen<T> {
    /// What was there.
    pub fn there(&self) -> Option<&T> {
        match self {
            Self::There(it) => Some(it),
            Self::Absent | Self::Unlisted(_) => None,
        }
    }
}

/// A thing that is not the same at both moments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// What it is known by at both: an id of the diagram, or a fingerprint.
    pub id: String,
    /// At the first.
    pub before: Seen<T>,
    /// At the second.
    pub after: Seen<T>,
}

/// In which way something is not the same; ordered as reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// A threat is open that was not.
    Opened,
    /// A mitigation fails that held.
    Lost,
    /// It was not there.
    New,
    /// It was only possible and is proven now.
    Proven,
    /// A fact that decides is unknown now, or it can no longer be listed.
    Unknown,
    /// A threat that was open or undetermined was accepted.
    Accepted,
    /// It is there no longer; of a path, that it is cut.
    Gone,
    /// A threat is answered that was not, or a mitigation holds that did not.
    Won,
    /// It is known now and was not.
    Known,
    /// Otherwise: a mitigation no longer applies, or applies now.
    Other,
}

impl Way {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Opened,
        Self::Lost,
        Self::New,
        Self::Proven,
        Self::Unknown,
        Self::Accepted,
        Self::Gone,
        Self::Won,
        Self::Known,
        Self::Other,
    ];
}

impl<T: Kind> Change<T> {
    /// In which way.
    pub fn way(&self) -> Way {
        match (&self.before, &self.after) {
            (Seen::There(before), Seen::There(after)) => T::turned(before, after),
            (_, Seen::There(after)) => after.came(matches!(self.before, Seen::Absent)),
            (Seen::There(_), Seen::Absent) => Way::Gone,
            (_, Seen::Unlisted(_)) => Way::Unknown,
            (Seen::Absent | Seen::Unlisted(_), Seen::Absent) => Way::Other,
        }
    }

    /// What it is now, or was last.
    pub fn last(&self) -> Option<&T> {
        self.after.there().or_else(|| self.before.there())
    }

    fn mirrored(self) -> Self {
        Self { id: self.id, before: self.after, after: self.before }
    }
}

/// What changes can be of.
pub trait Kind: Clone + PartialEq {
    /// Whether two that are there at both moments are the same: names, titles and costs may differ.
    fn same(&self, other: &Self) -> bool;

    /// In which way one that is there at both moments changed.
    fn turned(before: &Self, after: &Self) -> Way;

    /// In which way one came that was not there, or of which that is not known.
    fn came(&self, was_absent: bool) -> Way {
        if was_absent { Way::New } else { Way::Known }
    }
}

impl Kind for Component {
    fn same(&self, _: &Self) -> bool {
        true
    }

    fn turned(_: &Self, _: &Self) -> Way {
        Way::Other
    }
}

fn certainty(before: bool, after: bool) -> Way {
    match (before, after) {
        (false, true) => Way::Proven,
        (true, false) => Way::Unknown,
        (true, true) | (false, false) => Way::Other,
    }
}

impl Kind for Flow {
    fn same(&self, other: &Self) -> bool {
        self.proven == other.proven
    }

    fn turned(before: &Self, after: &Self) -> Way {
        certainty(before.proven, after.proven)
    }
}

impl Kind for Path {
    fn same(&self, other: &Self) -> bool {
        self.basis == other.basis
    }

    fn turned(before: &Self, after: &Self) -> Way {
        certainty(before.basis.facts_known(), after.basis.facts_known())
    }
}

impl Kind for Threat {
    fn same(&self, other: &Self) -> bool {
        self.status == other.status
    }

    fn turned(_: &Self, after: &Self) -> Way {
        match after.status {
            Status::Open => Way::Opened,
            Status::Undetermined => Way::Unknown,
            Status::Accepted => Way::Accepted,
            Status::Answered => Way::Won,
        }
    }

    fn came(&self, was_absent: bool) -> Way {
        match self.status {
            Status::Open => Way::Opened,
            Status::Undetermined => Way::Unknown,
            // Nothing is won where nothing was lost.
            Status::Accepted | Status::Answered if was_absent => Way::New,
            Status::Accepted | Status::Answered => Way::Known,
        }
    }
}

impl Kind for Mitigation {
    fn same(&self, other: &Self) -> bool {
        self.verdict == other.verdict
    }

    fn turned(before: &Self, after: &Self) -> Way {
        match (before.verdict, after.verdict) {
            (Verdict::Pass, Verdict::Fail) => Way::Lost,
            (Verdict::Pass, Verdict::Unknown | Verdict::Manual) => Way::Unknown,
            (Verdict::Fail, Verdict::Pass) => Way::Won,
            (Verdict::Unknown | Verdict::Manual, Verdict::Pass) => Way::Known,
            _ => Way::Other,
        }
    }
}

/// What is not the same at two moments, each list by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// When the facts of the first were read, in seconds since 1970, and the names of its targets.
    pub before: (i64, BTreeSet<String>),
    /// The same of the second.
    pub after: (i64, BTreeSet<String>),
    /// Components of the diagram that came or went.
    pub components: Vec<Change<Component>>,
    /// Flows over a boundary that came, went, or are no longer or newly certain.
    pub flows: Vec<Change<Flow>>,
    /// Instances of threats of another status.
    pub threats: Vec<Change<Threat>>,
    /// Attack paths that came, were cut, or are no longer or newly certain.
    pub paths: Vec<Change<Path>>,
    /// Findings that passed at one of the two and not at the other, on components that are there at both.
    pub mitigations: Vec<Change<Mitigation>>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
            && self.flows.is_empty()
            && self.threats.is_empty()
            && self.paths.is_empty()
            && self.mitigations.is_empty()
    }

    /// The threats that are open now and were not: what `--fail-on new-threats` asks for.
    pub fn new_threats(&self) -> impl Iterator<Item = &Change<Threat>> {
        self.threats.iter().filter(|t| t.way() == Way::Opened)
    }

    /// The threats of which it is not known whether they are open now, though it was, or though they are new: a gate
    /// on new threats must not pass over them in silence.
    pub fn undetermined_threats(&self) -> impl Iterator<Item = &Change<Threat>> {
        self.threats.iter().filter(|t| t.way() == Way::Unknown)
    }

    /// The same from the second moment to the first.
    #[must_use]
    pub fn mirrored(self) -> Self {
        fn all<T: Kind>(changes: Vec<Change<T>>) -> Vec<Change<T>> {
            changes.into_iter().map(Change::mirrored).collect()
        }
        Self {
            before: self.after,
            after: self.before,
            components: all(self.components),
            flows: all(self.flows),
            threats: all(self.threats),
            paths: all(self.paths),
            mitigations: all(self.mitigations),
        }
    }
}

/// What is not the same at two moments.
pub fn diff(before: &Moment, after: &Moment) -> Diff {
    let unlisted = |moment: &Moment, kinds: &Kinds| moment.unlisted(kinds);
    Diff {
        before: (before.collected_at, before.targets.clone()),
        after: (after.collected_at, after.targets.clone()),
        components: changes(&before.components, &after.components, (before, after), |m, c| {
            unlisted(m, &BTreeSet::from([(c.target.clone(), c.kind.clone())]))
        }),
        flows: changes(&before.flows, &after.flows, (before, after), |m, f| unlisted(m, &f.kinds)),
        threats: changes(&before.threats, &after.threats, (before, after), |m, t| unlisted(m, &t.kinds)),
        paths: changes(&before.paths, &after.paths, (before, after), |m, p| {
            m.unlisted(&p.kinds).or_else(|| m.cut_off(p))
        }),
        mitigations: mitigations(before, after),
    }
}

/// The changes between two maps; `unlisted` says of a moment why something may be there all the same.
fn changes<T: Kind>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    moments: (&Moment, &Moment),
    unlisted: impl Fn(&Moment, &T) -> Option<String>,
) -> Vec<Change<T>> {
    let ids: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let seen = |of: &BTreeMap<String, T>, other: &BTreeMap<String, T>, moment: &Moment, id: &String| {
        if let Some(it) = of.get(id) {
            return Seen::There(it.clone());
        }
        let why = other.get(id).and_then(|it| unlisted(moment, it));
        why.map_or(Seen::Absent, Seen::Unlisted)
    };
    let mut out = Vec::new();
    for id in ids {
        let change = Change {
            id: id.clone(),
            before: seen(before, after, moments.0, id),
            after: seen(after, before, moments.1, id),
        };
        // One that is there at both is the same whatever it is called.
        let same = match (&change.before, &change.after) {
            (Seen::There(before), Seen::There(after)) => before.same(after),
            _ => false,
        };
        if !same {
            out.push(change);
        }
    }
    out
}

/// The findings that pass at one moment and not at the other. What came or went with its component is no loss and no
/// gain; what was judged of a component once and not the other time is not known.
fn mitigations(before: &Moment, after: &Moment) -> Vec<Change<Mitigation>> {
    let not_judged = |m: &Moment, it: &Mitigation| {
        let kinds = BTreeSet::from([(it.target.clone(), it.kind.clone())]);
        let still = it.element.as_ref().is_some_and(|e| m.components.contains_key(e));
        m.unlisted(&kinds).or_else(|| still.then(|| "it was not judged".to_owned()))
    };
    let mut all = changes(&before.findings, &after.findings, (before, after), not_judged);
    all.retain(|change| {
        let passes = |seen: &Seen<Mitigation>| seen.there().is_some_and(|m| m.verdict == Verdict::Pass);
        let absent = matches!(change.before, Seen::Absent) || matches!(change.after, Seen::Absent);
        !absent && passes(&change.before) != passes(&change.after)
    });
    all
}

#[cfg(test)]
mod tests;
