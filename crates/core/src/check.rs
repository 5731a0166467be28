//! Checks: a demand on one kind of component, with its reasons, its remedy and its Cases.

use serde::{Deserialize, Serialize};

use crate::predicate::Predicate;
use crate::remedy::Remedy;
use crate::schema::{self, Kind};
use crate::verdict::{Severity, Verdict};

/// A demand on one kind of component.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// The path of its file: `docker/daemon/icc-off`.
    pub id: String,
    /// The good state in a sentence.
    pub title: String,
    /// The kind of component; always one of the schema's.
    pub about: String,
    /// How much a failure matters.
    pub severity: Severity,
    /// Of which components of the kind it speaks; none: of all.
    pub select: Option<Predicate>,
    /// Where this is false it is not applicable.
    pub when: Option<Predicate>,
    /// What must hold; none: always for a person to judge.
    pub require: Option<Predicate>,
    /// What a person must look at when `require` is false; without it that is a failure.
    pub manual: Option<String>,
    /// Facts to show beside those that decided, by name.
    pub show: Vec<String>,
    /// What would make it pass.
    pub remedy: Remedy,
    /// Why it matters, what breaks when it is fixed, when a failure may be accepted; Markdown.
    pub rationale: String,
    /// Its own tests.
    pub cases: Vec<Case>,
    /// The file it was read from, relative to the catalogue.
    pub file: String,
}

impl Check {
    /// The kind of component that it speaks of.
    ///
    /// # Panics
    /// Never for a check that the catalogue loaded: the kind was looked up there.
    pub fn kind(&self) -> &'static Kind {
        schema::kind_named(&self.about).unwrap_or(&schema::docker::HOST)
    }
}

/// A small component with the verdict that the check must give on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The verdict.
    pub verdict: Verdict,
    /// The facts, as TOML text; those left out are unknown.
    pub facts: String,
    /// The line of the file where it begins, from 1.
    pub line: usize,
}
