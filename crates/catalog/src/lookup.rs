//! Finding checks, controls, threats and steps by what people type.

use std::fmt;

use seaworthy_core::benchmark::{Benchmark, Control};
use seaworthy_core::check::Check;
use seaworthy_core::step::Step;
use seaworthy_core::threat::{Row, Threat};

use crate::Catalog;

/// A control of a benchmark.
#[derive(Clone, Copy, Debug)]
pub struct ControlRef<'a> {
    /// The benchmark.
    pub benchmark: &'a Benchmark,
    /// The control.
    pub control: &'a Control,
}

/// Nothing of that name is in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError {
    /// What was asked for.
    pub name: String,
    /// The nearest names.
    pub nearest: Vec<String>,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing in the catalogue is called `{}`", self.name)?;
        match self.nearest.as_slice() {
            [] => f.write_str("; `seaworthy list checks` shows the names, as do `list threats` and `list steps`"),
            [one] => write!(f, "; did you mean `{one}`?"),
            many => write!(f, "; did you mean one of {}?", many.join(", ")),
        }
    }
}

impl std::error::Error for LookupError {}

impl Catalog {
    /// A check by its id.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.binary_search_by(|c| c.id.as_str().cmp(id)).ok().map(|i| &self.checks[i])
    }

    /// A benchmark by its id; `cis-docker` alone is its newest version.
    pub fn benchmark(&self, id: &str) -> Option<&Benchmark> {
        self.benchmarks.iter().find(|b| b.id == id || b.family() == id)
    }

    /// The newest benchmark of a platform.
    pub fn newest(&self, family: &str) -> Option<&Benchmark> {
        self.benchmarks.iter().find(|b| b.family() == family)
    }

    /// Controls by id: `5.4` (the newest version that has it), `5.31@1.2.0`, `cis-docker-1.6.0/5.4`, `2.17b`.
    /// The first is the answer; the others are what the same id meant in other versions.
    pub fn controls(&self, id: &str) -> Vec<ControlRef<'_>> {
        let (wanted, id) = match (id.split_once('/'), id.split_once('@')) {
            (Some((benchmark, id)), _) => (Some(benchmark), id),
            (None, Some((id, version))) => (Some(version), id),
            (None, None) => (None, id),
        };
        let fits = |b: &&Benchmark| wanted.is_none_or(|w| b.id == w || b.version() == w || b.family() == w);
        let found = |b| Benchmark::control(b, id).map(|control| ControlRef { benchmark: b, control });
        self.benchmarks.iter().filter(fits).filter_map(found).collect()
    }

    /// The controls of a benchmark that a check answers.
    pub fn answered_by<'a>(&'a self, check: &'a str) -> impl Iterator<Item = ControlRef<'a>> {
        self.benchmarks.iter().flat_map(move |benchmark| {
            let answers = move |c: &&Control| c.checks.iter().any(|id| id == check);
            benchmark.controls.iter().filter(answers).map(move |control| ControlRef { benchmark, control })
        })
    }

    /// Checks by what a person types: an id, the last parts of one (`icc-off`, `daemon/icc-off`), a benchmark's id, or
    /// a folder (`docker/daemon`).
    ///
    /// # Errors
    /// With the nearest names.
    pub fn find(&self, name: &str) -> Result<Vec<&Check>, LookupError> {
        if let Some(check) = self.check(name) {
            return Ok(vec![check]);
        }
        if let Some(control) = self.controls(name).first() {
            return Ok(control.control.checks.iter().filter_map(|id| self.check(id)).collect());
        }
        let beneath = format!("{}/", name.trim_end_matches('/'));
        let ends = format!("/{name}");
        let found: Vec<&Check> =
            self.checks.iter().filter(|c| c.id.starts_with(&beneath) || c.id.ends_with(&ends)).collect();
        if found.is_empty() { Err(self.nearest(name)) } else { Ok(found) }
    }

    /// A threat by its id.
    pub fn threat(&self, id: &str) -> Option<&Threat> {
        self.threats.binary_search_by(|t| t.id.as_str().cmp(id)).ok().map(|i| &self.threats[i])
    }

    /// A step by its id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.binary_search_by(|s| s.id.as_str().cmp(id)).ok().map(|i| &self.steps[i])
    }

    /// A row of the lists of threats by its id, in either case.
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.id.eq_ignore_ascii_case(id))
    }

    /// Threats by what a person types: an id, the last parts of one (`engine-socket-mounted`), a row that they cover
    /// (`DM13`), or a folder (`docker/daemon`).
    ///
    /// # Errors
    /// With the nearest names.
    pub fn find_threats(&self, name: &str) -> Result<Vec<&Threat>, LookupError> {
        if let Some(threat) = self.threat(name) {
            return Ok(vec![threat]);
        }
        let found: Vec<&Threat> = match self.row(name) {
            Some(row) => self.threats.iter().filter(|t| t.covers.contains(&row.id)).collect(),
            None => {
                let (beneath, ends) = (format!("{}/", name.trim_end_matches('/')), format!("/{name}"));
                let fits = |t: &&Threat| t.id.starts_with(&beneath) || t.id.ends_with(&ends);
                self.threats.iter().filter(fits).collect()
            }
        };
        if found.is_empty() { Err(self.nearest(name)) } else { Ok(found) }
    }

    /// The threats that a check answers, alone or with others.
    pub fn threats_of<'a>(&'a self, check: &'a str) -> impl Iterator<Item = &'a Threat> {
        self.threats.iter().filter(move |t| t.answered.checks().contains(&check))
    }

    fn nearest(&self, name: &str) -> LookupError {
        // The distance costs the product of both lengths, and this name may come from a file.
        let name: String = name.chars().take(80).collect();
        let distance = |id: &str| {
            let last = id.rsplit('/').next().unwrap_or(id);
            strsim::damerau_levenshtein(last, &name).min(strsim::damerau_levenshtein(id, &name))
        };
        let checks = self.checks.iter().map(|c| c.id.as_str());
        let threats = self.threats.iter().map(|t| t.id.as_str());
        let ids = checks.chain(threats).chain(self.steps.iter().map(|s| s.id.as_str()));
        let mut near: Vec<(usize, &str)> = ids.map(|id| (distance(id), id)).collect();
        near.sort_unstable();
        let limit = (name.chars().count() / 3).clamp(1, 6);
        let nearest = near.into_iter().filter(|(d, _)| *d <= limit).take(3).map(|(_, id)| id.to_owned()).collect();
        LookupError { name, nearest }
    }
}
