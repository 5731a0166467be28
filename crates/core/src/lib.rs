//! The nouns of Seaworthy and the pure functions over them.

pub mod version;
