//! Nodes in temporary directories.
