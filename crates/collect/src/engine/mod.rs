//! How Seaworthy talks to a container engine: raw JSON over HTTP/1.1 on keep-alive connections.
//!
//! [`resolve`] says which engine the docker CLI would talk to, [`Engine::connect`] opens it, and
//! [`Engine::get`] reads one path. Nothing here sends anything but `GET`.

mod client;
mod context;
mod dial;
mod endpoint;
mod failure;
mod json;
mod lane;
mod negotiate;
mod ssh;
mod tls;

pub use client::{Engine, Limits, path_segment};
pub use context::{Environment, OtherSocket, Resolved, Wanted, other_sockets, resolve};
pub use endpoint::{Endpoint, Ssh, TlsFiles, Transport};
pub use failure::{Failure, PEER_TEXT_LIMIT, sanitize, without_userinfo};
pub use negotiate::{ApiVersion, NEWEST_API, OLDEST_API};
pub use tls::PeerCertificate;

#[cfg(test)]
mod tests;
