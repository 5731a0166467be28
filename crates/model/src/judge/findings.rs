//! Findings by check and component, and what they say of a threat.

use std::collections::BTreeMap;
use std::sync::Arc;

use seaworthy_core::audit::Audit;
use seaworthy_core::threat::Status;
use seaworthy_core::verdict::Verdict;

/// Findings, by position in the audit, in any order and with repeats. Most parts are decided by one, which needs no
/// memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decided {
    One(usize),
    Many(Vec<usize>),
}

impl Decided {
    fn append(&mut self, more: Self) {
        let mut all = match std::mem::replace(self, Self::Many(Vec::new())) {
            Self::One(finding) => {
                let mut all = Vec::with_capacity(4);
                all.push(finding);
                all
            }
            Self::Many(findings) => findings,
        };
        match more {
            Self::One(finding) => all.push(finding),
            Self::Many(mut findings) => all.append(&mut findings),
        }
        *self = Self::Many(all);
    }

    /// Each once, ascending.
    pub fn sorted(self) -> Vec<usize> {
        match self {
            Self::One(finding) => vec![finding],
            Self::Many(mut findings) => {
                findings.sort_unstable();
                findings.dedup();
                findings
            }
        }
    }
}

/// What a part of a formula comes to, with what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub status: Status,
    pub decided_by: Decided,
    /// Why it is undetermined, where no finding says so.
    pub reason: Option<Arc<str>>,
}

impl Outcome {
    /// Undetermined for a reason that no finding tells.
    pub fn unknown(reason: Arc<str>) -> Self {
        Self { status: Status::Undetermined, decided_by: Decided::Many(Vec::new()), reason: Some(reason) }
    }

    /// Every part is needed: open, else undetermined, else accepted, else answered; without parts nothing.
    pub fn all(parts: impl Iterator<Item = Self>) -> Option<Self> {
        Self::first(parts, |status| match status {
            Status::Open => 0,
            Status::Undetermined => 1,
            Status::Accepted => 2,
            Status::Answered => 3,
        })
    }

    /// One part suffices: answered, else undetermined, else accepted, else open; without parts nothing.
    pub fn any(parts: impl Iterator<Item = Self>) -> Option<Self> {
        Self::first(parts, |status| match status {
            Status::Answered => 0,
            Status::Undetermined => 1,
            Status::Accepted => 2,
            Status::Open => 3,
        })
    }

    /// The parts whose status comes first, taken together.
    fn first(parts: impl Iterator<Item = Self>, rank: impl Fn(Status) -> u8) -> Option<Self> {
        let mut found: Option<Self> = None;
        for part in parts {
            match &mut found {
                Some(best) if rank(part.status) > rank(best.status) => {}
                Some(best) if part.status == best.status => {
                    best.decided_by.append(part.decided_by);
                    best.reason = best.reason.take().or(part.reason);
                }
                _ => found = Some(part),
            }
        }
        found
    }
}

/// A finding with what it says of a threat, so that the audit need not be asked again.
#[derive(Clone, Copy)]
struct Cell {
    finding: u32,
    status: Status,
}

/// The findings of an audit by check and component.
pub(super) struct Findings<'a> {
    pub audit: &'a Audit<'a>,
    /// For each check its column: its position among the checks of its kind.
    column: Vec<usize>,
    /// For each target and component where its row begins in the table.
    rows: Vec<Vec<usize>>,
    /// By row and column.
    table: Vec<Option<Cell>>,
    /// Those about what could not be listed, by target and check.
    unlisted: BTreeMap<(usize, usize), usize>,
}

impl<'a> Findings<'a> {
    pub fn new(audit: &'a Audit<'a>) -> Self {
        let mut width: BTreeMap<&str, usize> = BTreeMap::new();
        let mut column = Vec::with_capacity(audit.checks.len());
        for check in audit.checks {
            let next = width.entry(&check.about).or_default();
            column.push(*next);
            *next += 1;
        }
        let mut cells = 0;
        let mut rows = Vec::with_capacity(audit.snapshot.targets.len());
        for target in &audit.snapshot.targets {
            let begin = target.components.iter().map(|component| {
                let begin = cells;
                cells += width.get(component.kind.name).copied().unwrap_or_default();
                begin
            });
            rows.push(begin.collect::<Vec<usize>>());
        }
        let mut table = vec![None; cells];
        let mut unlisted = BTreeMap::new();
        for (i, finding) in audit.findings.iter().enumerate() {
            match finding.component {
                Some(component) => {
                    let cell = rows[finding.target][component] + column[finding.check];
                    let found = |status| Some(Cell { finding: u32::try_from(i).ok()?, status });
                    table[cell] = status(audit, i).and_then(found);
                }
                None => {
                    unlisted.insert((finding.target, finding.check), i);
                }
            }
        }
        Self { audit, column, rows, table, unlisted }
    }

    /// What a check says of a component of its kind; none where it does not speak of it.
    pub fn of(&self, target: usize, check: usize, component: usize, closed: &dyn Fn(usize) -> bool) -> Option<Outcome> {
        let begin = self.rows.get(target)?.get(component)?;
        let cell = self.table.get(begin + self.column.get(check)?).copied().flatten()?;
        let finding = usize::try_from(cell.finding).ok()?;
        let status = if closed(finding) { Status::Answered } else { cell.status };
        Some(Outcome { status, decided_by: Decided::One(finding), reason: None })
    }

    /// What a check says of the components of its kind that could not be listed; none where all were.
    pub fn of_unlisted(&self, target: usize, check: usize) -> Option<Outcome> {
        let finding = *self.unlisted.get(&(target, check))?;
        Some(Outcome { status: Status::Undetermined, decided_by: Decided::One(finding), reason: None })
    }
}

/// What a finding says of a threat; none where its check does not apply.
fn status(audit: &Audit<'_>, finding: usize) -> Option<Status> {
    let waived = audit.waived.get(finding).copied().flatten().is_some();
    match audit.findings[finding].judgement.verdict {
        Verdict::Fail | Verdict::Manual if waived => Some(Status::Accepted),
        Verdict::Fail => Some(Status::Open),
        Verdict::Unknown | Verdict::Manual => Some(Status::Undetermined),
        Verdict::Pass => Some(Status::Answered),
        Verdict::NotApplicable => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(status: Status, finding: usize) -> Outcome {
        Outcome { status, decided_by: Decided::One(finding), reason: None }
    }

    #[test]
    fn all_and_any_follow_their_orders() {
        let every = Status::ALL;
        for (i, a) in every.into_iter().enumerate() {
            for (j, b) in every.into_iter().enumerate() {
                let parts = || [part(a, 0), part(b, 1)].into_iter();
                let all = Outcome::all(parts()).unwrap();
                assert_eq!(all.status, every[i.min(j)]);
                let any = Outcome::any(parts()).unwrap().status;
                let has = |status| a == status || b == status;
                let expected = [Status::Answered, Status::Undetermined, Status::Accepted, Status::Open];
                assert_eq!(Some(any), expected.into_iter().find(|s| has(*s)));
                let decided: Vec<usize> =
                    [(a, 0), (b, 1)].into_iter().filter(|(s, _)| *s == all.status).map(|(_, f)| f).collect();
                assert_eq!(all.decided_by.sorted(), decided);
            }
        }
        assert_eq!(Outcome::all(std::iter::empty()), None);
        assert_eq!(Outcome::any(std::iter::empty()), None);
    }
}
