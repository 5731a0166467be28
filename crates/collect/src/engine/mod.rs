//! How Seaworthy talks to a container engine: raw JSON over HTTP/1.1 on keep-alive connections.
//!
//! [`resolve`] says which engine the docker CLI would talk to, [`Engine::connect`] opens it, and
//! [`Engine::get`] reads one path. Nothing here sends anything but `GET`.
//!
//! Where it is not as the docker CLI: `DOCKER_API_VERSION` is not obeyed (an older version hides
//! facts), `ssh` may not ask for anything (`BatchMode`), proxies are not taken (which
//! [`Resolved::notes`] says), and the `HttpHeaders` of `config.json` are not sent.

mod client;
mod context;
mod dial;
mod endpoint;
mod failure;
mod json;
mod lane;
mod negotiate;
mod pool;
mod sockets;
pub(crate) mod ssh;
mod text;
mod tls;

pub use client::{Engine, path_segment};
pub use context::{Environment, Resolved, Wanted, resolve};
pub use endpoint::{Endpoint, Ssh, TlsFiles, Transport};
pub use failure::Failure;
pub use json::parse as parse_body;
pub use negotiate::{ApiVersion, NEWEST_API, OLDEST_API};
pub use pool::Limits;
pub use sockets::{OtherSocket, other_sockets};
pub use text::{PEER_TEXT_LIMIT, sanitize, without_userinfo};
pub use tls::PeerCertificate;

#[cfg(test)]
mod tests;
