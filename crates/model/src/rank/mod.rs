//! What to harden first.
