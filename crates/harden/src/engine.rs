//! The engine's API for what changes something: one request a connection, over its Unix socket.
//!
//! An engine elsewhere is never hardened without its host, so no other transport is needed here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use crate::{At as _, Failure};

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 20;

/// How long a request may take that does not say otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A container engine behind a Unix socket.
#[derive(Debug)]
pub struct Engine {
    socket: PathBuf,
    runtime: Runtime,
}

/// What the engine answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body: JSON, else text; null where there is none.
    pub body: Value,
}

impl Answer {
    /// Whether it was done: 2xx, or 304 (nothing to do).
    #[must_use]
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status) || self.status == 304
    }

    /// What the engine says was wrong.
    #[must_use]
    pub fn message(&self) -> String {
        match (&self.body["message"], &self.body) {
            (Value::String(message), _) | (_, Value::String(message)) => message.trim().to_owned(),
            _ => format!("status {}", self.status),
        }
    }
}

impl Engine {
    /// The engine behind a socket; nothing is asked yet.
    ///
    /// # Errors
    /// Where the process may not have what a connection needs.
    pub fn at(socket: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.at(|| format!("{}: prepare a connection", socket.display()))?;
        Ok(Self { socket: socket.to_owned(), runtime })
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether it answers now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.send("GET", "/_ping", None, Duration::from_secs(5)).is_ok_and(|a| a.status == 200)
    }

    /// Sends one request and reads the whole answer, whatever its status. Paths are unversioned: the engine's newest API.
    ///
    /// # Errors
    /// The socket's, those of a peer that does not speak HTTP, an answer that is too long, and time running out.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>, limit: Duration) -> Result<Answer, Failure> {
        let body = body.map(|b| ("application/json", Bytes::from(b.to_string())));
        self.ask(method, path, body, limit)
    }

    /// Posts a tar archive and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// As [`Engine::send`].
    pub fn upload(&self, path: &str, tar: Vec<u8>, limit: Duration) -> Result<Answer, Failure> {
        self.ask("POST", path, Some(("application/x-tar", Bytes::from(tar))), limit)
    }

    fn ask(&self, method: &str, path: &str, body: Option<Body>, limit: Duration) -> Result<Answer, Failure> {
        let doing = || format!("{method} {} at {}", path.split('?').next().unwrap_or(path), self.socket.display());
        let asked = async { tokio::time::timeout(limit, exchange(&self.socket, method, path, body)).await };
        match self.runtime.block_on(asked) {
            Ok(answer) => answer.map_err(|why| Failure(format!("{}: {why}", doing()))),
            Err(_) => Err(Failure(format!("{}: no answer within {} s", doing(), limit.as_secs()))),
        }
    }

    /// Reads one path; a refusal is a failure.
    ///
    /// # Errors
    /// As [`Engine::send`], and any status but 2xx.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.done("GET", path, None)
    }

    /// As [`Engine::get`], `None` where there is no such thing (404).
    ///
    /// # Errors
    /// As [`Engine::get`], but for 404.
    pub fn find(&self, path: &str) -> Result<Option<Value>, Failure> {
        let answer = self.send("GET", path, None, PATIENCE)?;
        if answer.status == 404 { Ok(None) } else { good("GET", path, answer).map(Some) }
    }

    /// Has something done; a refusal is a failure with the engine's words.
    ///
    /// # Errors
    /// As [`Engine::send`], and any status but 2xx and 304.
    pub fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        good(method, path, self.send(method, path, body, PATIENCE)?)
    }
}

fn good(method: &str, path: &str, answer: Answer) -> Result<Value, Failure> {
    if answer.is_good() {
        return Ok(answer.body);
    }
    let path = path.split('?').next().unwrap_or(path);
    Err(Failure(format!("the engine refuses {method} {path}: {} ({})", answer.message(), answer.status)))
}

/// A body with its media type.
type Body = (&'static str, Bytes);

async fn exchange(socket: &Path, method: &str, path: &str, body: Option<Body>) -> Result<Answer, String> {
    let text = |e: &dyn std::error::Error| e.to_string();
    let stream = UnixStream::connect(socket).await.map_err(|e| text(&e))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| text(&e))?;
    let driven = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("Host", "docker");
    if let Some((kind, _)) = &body {
        request = request.header("Content-Type", *kind);
    }
    let bytes = body.map(|(_, bytes)| bytes).unwrap_or_default();
    let request = request.body(Full::new(bytes)).map_err(|e| text(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| text(&e))?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|e| e.to_string())?.to_bytes();
    driven.abort();
    let body = match serde_json::from_slice(&body) {
        Ok(value) => value,
        Err(_) if body.is_empty() => Value::Null,
        Err(_) => Value::String(String::from_utf8_lossy(&body).into_owned()),
    };
    Ok(Answer { status, body })
}

/// A name or id as one segment of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
