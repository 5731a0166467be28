//! What could not be read, and where something was read.

use std::fmt;

use super::root::Unread;

/// Something that could not be read or understood, so that what rests on it stays unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What was to be read: a path, with its line where one line is meant.
    pub source: String,
    /// Why it could not be read.
    pub reason: String,
    /// What is not known because of it.
    pub affects: String,
}

impl Gap {
    /// A gap from its three parts.
    pub fn new(source: impl Into<String>, reason: impl fmt::Display, affects: impl Into<String>) -> Self {
        Self { source: source.into(), reason: reason.to_string(), affects: affects.into() }
    }

    /// A gap for a file that was refused; none when it is only absent, which is a fact.
    pub fn of(source: impl Into<String>, unread: &Unread, affects: impl Into<String>) -> Option<Self> {
        (*unread != Unread::Absent).then(|| Self::new(source, unread, affects))
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (affects {})", self.source, self.reason, self.affects)
    }
}

/// Where a datum was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The path inside the root.
    pub path: String,
    /// The line, from 1; 0 means the file as a whole.
    pub line: u32,
}

impl Place {
    /// A line of a file.
    pub fn new(path: impl Into<String>, line: usize) -> Self {
        Self { path: path.into(), line: u32::try_from(line).unwrap_or(u32::MAX) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.path),
            line => write!(f, "{}:{line}", self.path),
        }
    }
}
