//! Verdicts and severities.

use serde::{Deserialize, Serialize};

/// What a check says of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The demand holds, proven by facts.
    Pass,
    /// The demand does not hold, proven by facts.
    Fail,
    /// A fact that decides could not be read.
    Unknown,
    /// The demand does not speak about this component, proven by facts.
    NotApplicable,
    /// Facts are shown; a person must decide.
    Manual,
}

impl Verdict {
    /// All of them, in the order in which counts and groups are shown.
    pub const ALL: [Self; 5] = [Self::Pass, Self::Fail, Self::Unknown, Self::Manual, Self::NotApplicable];

    /// The word for it in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::NotApplicable => "not-applicable",
            Self::Manual => "manual",
        }
    }

    /// What a benchmark's control says over the verdicts of its checks and components: fail, else unknown, else
    /// manual, else pass; with none of these, not applicable.
    pub fn over(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let rank = |v: Self| match v {
            Self::Fail => 4,
            Self::Unknown => 3,
            Self::Manual => 2,
            Self::Pass => 1,
            Self::NotApplicable => 0,
        };
        verdicts.into_iter().max_by_key(|v| rank(*v)).unwrap_or(Self::NotApplicable)
    }
}

/// How much a failure matters; ordered, low first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to have.
    Low,
    /// Weakens a defence.
    Medium,
    /// Opens a way that needs one more step.
    High,
    /// Opens the host.
    Critical,
}

impl Severity {
    /// The word for it in every output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
