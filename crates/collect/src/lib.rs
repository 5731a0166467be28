//! The only reader of the outside: engines, hosts and files turned into facts.
//!
//! Everything here reads and nothing writes. Each function returns what could be read together
//! with what could not (`Unread`, a gap), so that the reason reaches the user.

mod assemble;
pub mod daemon;
pub mod docker;
pub mod effect;
pub mod engine;
pub mod evidence;
pub mod files;
pub mod host;
pub mod kubernetes;
mod packed;
pub mod redact;

pub use assemble::{Options, collect};
pub use packed::{LARGEST, read_snapshot};

/// A fingerprint over bytes, the parts one after the other: 16 hexadecimal digits of SHA-256.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// How many times as long as one request all of a reading may take: 15 minutes unless told otherwise. A hundred thousand
/// objects of a cluster took 10 s, and slow links exist.
const WHOLE: u32 = 90;
