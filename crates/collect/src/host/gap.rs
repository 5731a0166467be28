//! What could not be read, so that the reason reaches the user.

/// Something that could not be read or understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What was to be read: a path, a request, a table of the kernel.
    pub source: String,
    /// Why it could not be, in words that say what would help.
    pub reason: String,
    /// What is unknown without it.
    pub affects: String,
}
