//! The catalogue: checks and benchmarks parsed, type-checked and embedded.
//!
//! The program's own catalogue is loaded when the program is built (`build.rs`) and stored compiled; a user's
//! directory is loaded by the same code at run time.

mod load;
mod lookup;

use std::path::Path;

pub use load::{
    Catalog, LoadError, case_component, directory, parse_benchmarks, parse_check, parse_step, parse_threat, whole,
};
pub use lookup::{ControlRef, LookupError};
use seaworthy_core::check::Case;

/// What the same version of the same types wrote when the program was built.
fn unpacked<T: serde::de::DeserializeOwned>(bytes: &'static [u8]) -> T {
    postcard::from_bytes(bytes).expect("the embedded catalogue is readable")
}

impl Catalog {
    /// The catalogue inside the program.
    pub fn embedded() -> Self {
        static REST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rest.postcard"));
        let (cases, rest): (Vec<Vec<Case>>, Self) = unpacked(REST);
        let Self { mut checks, benchmarks, flaws, .. } = Self::for_judging();
        checks.iter_mut().zip(cases).for_each(|(check, cases)| check.cases = cases);
        Self { checks, benchmarks, flaws, ..rest }
    }

    /// What judging needs of the catalogue inside the program: the checks without their cases, benchmarks and flaws. It
    /// has no threats and no steps, and takes a third of the time.
    pub fn for_judging() -> Self {
        static JUDGING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/judging.postcard"));
        unpacked(JUDGING)
    }

    /// Adds a user's directory; its checks stand beside the embedded ones.
    ///
    /// # Errors
    /// Every error of every file, and ids that are there already.
    pub fn extend(&mut self, dir: &Path) -> Result<(), Vec<LoadError>> {
        let more = directory(dir, self)?;
        let again = |file: &str, what: &str, id: &str| LoadError {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: format!("the catalogue has a {what} `{id}` already; give it another name"),
        };
        let mut twice = Vec::new();
        let checks = more.checks.iter().filter(|c| self.check(&c.id).is_some());
        twice.extend(checks.map(|c| again(&c.file, "check", &c.id)));
        let threats = more.threats.iter().filter(|t| self.threat(&t.id).is_some());
        twice.extend(threats.map(|t| again(&t.file, "threat", &t.id)));
        let steps = more.steps.iter().filter(|s| self.step(&s.id).is_some());
        twice.extend(steps.map(|s| again(&s.file, "step", &s.id)));
        let rows = more.rows.iter().filter(|r| self.row(&r.id).is_some());
        twice.extend(rows.map(|r| again("rows.toml", "row", &r.id)));
        if !twice.is_empty() {
            return Err(twice);
        }
        self.threats.extend(more.threats);
        self.threats.sort_by(|a, b| a.id.cmp(&b.id));
        self.steps.extend(more.steps);
        self.steps.sort_by(|a, b| a.id.cmp(&b.id));
        self.blanks.extend(more.blanks);
        self.alone.extend(more.alone);
        self.rows.extend(more.rows);
        self.checks.extend(more.checks);
        self.checks.sort_by(|a, b| a.id.cmp(&b.id));
        self.benchmarks.extend(more.benchmarks);
        Ok(())
    }
}
