//! The catalogue: checks and benchmarks parsed, type-checked and embedded.
