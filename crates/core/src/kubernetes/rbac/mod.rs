//! RBAC: what roles and bindings grant, to whom, and which of it matters to an attacker.

pub mod aggregate;
#[cfg(test)]
mod brute;
mod catalogue;
pub mod gains;
pub mod grants;
mod holding;
pub mod powers;
pub mod rule;
pub mod shipped;
mod way;
pub mod who;

pub use catalogue::POWERS;
pub use grants::{Grants, Permission};
pub use powers::{Held, Judge, Powers};
pub use rule::{Request, Rule};
pub use way::Power;
pub use who::Who;
