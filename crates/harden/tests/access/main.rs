//! Who comes in, and as what: changes on a copy of this machine, seen by its own programs.

mod booted;
mod machine;
mod names;
mod server;
