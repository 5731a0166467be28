//! The only writer: plans, their application and the way back.
//!
//! A plan ([`seaworthy_core::plan`]) is a list of actions. Each kind of action knows how to check that it still may be
//! done, what undo needs, how to do it, how to see it in effect, and how to undo it ([`act::Act`]).

pub mod act;
#[cfg(test)]
mod bench;
pub mod engine;
pub mod export;
pub mod files;
pub mod flags;
pub mod host;
pub mod plan;
pub mod process;
pub mod program;
mod rehearse;
pub mod shadow;
pub mod transaction;

pub use host::Host;

/// A failure, in one line: what, where, why, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// A failure from its line.
    pub fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

/// `1 path`, `2 paths`, `2 processes`.
pub(crate) fn count<N: std::fmt::Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let end = match number == N::from(1) {
        true => "",
        false if noun.ends_with('s') => "es",
        false => "s",
    };
    format!("{number} {noun}{end}")
}

/// Gives an error the place where it happened.
pub(crate) trait At<T> {
    /// With what was being done: `read /etc/docker/daemon.json`.
    fn at(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> At<T> for Result<T, E> {
    fn at(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure(format!("{}: {error}", doing())))
    }
}
