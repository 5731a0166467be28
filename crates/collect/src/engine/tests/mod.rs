//! The client against peers of every kind, on real sockets.

mod any;
mod choice;
mod hostile;
mod open;
mod ssh;
mod tls;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;

/// A peer on a socket of its own; it ends with the test's runtime.
pub(super) struct Peer {
    _dir: TempDir,
    path: PathBuf,
    /// How many connections it has taken.
    taken: Arc<AtomicUsize>,
}

impl Peer {
    fn endpoint(&self) -> Endpoint {
        at(&self.path)
    }

    async fn connect(&self) -> Result<Engine, Failure> {
        Engine::connect(&self.endpoint(), small()).await
    }
}

fn at(path: &Path) -> Endpoint {
    Endpoint { transport: Transport::Unix(path.to_owned()), tls: None }
}

/// Small bounds on bodies, and time enough for a busy machine.
fn small() -> Limits {
    Limits { request: Duration::from_secs(60), body: 1 << 20, list: 2 << 20, ..Limits::default() }
}

/// Little time, for peers that would take for ever.
fn impatient() -> Limits {
    Limits { request: Duration::from_millis(300), ..small() }
}

/// How asking a peer fails for one without patience, be it at once or at the first request.
async fn impatient_failure(peer: &Peer) -> Failure {
    match Engine::connect(&peer.endpoint(), impatient()).await {
        Ok(engine) => engine.get("/info").await.unwrap_err(),
        Err(failure) => failure,
    }
}

/// Serves every connection with `serve`.
fn peer<F, Fut>(serve: F) -> Peer
where
    F: Fn(tokio::net::UnixStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    Peer { _dir: dir, path, taken }
}

/// Reads one request's head; its path, or `None` at the end of the connection.
pub(super) async fn asked<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("GET "), "{head}");
    assert!(head.to_lowercase().contains("\r\nhost: "), "{head}");
    Some(head.split(' ').nth(1).unwrap().to_owned())
}

fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let mut all = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    all.extend_from_slice(body);
    all
}

pub(super) fn version_answer() -> Vec<u8> {
    response("200 OK", br#"{"ApiVersion":"1.44","MinAPIVersion":"1.24","Components":[{"Name":"Engine"}]}"#)
}

/// An engine that answers `/version` well and every other path with `bytes`, then goes on.
async fn well_but<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, bytes: &[u8]) {
    while let Some(path) = asked(&mut stream).await {
        let answer = if path == "/version" { version_answer() } else { bytes.to_vec() };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// What `GET path` gives when the engine answers it with these bytes.
async fn answered_with(bytes: Vec<u8>) -> Result<Value, Failure> {
    let bytes = Arc::new(bytes);
    let peer = peer(move |stream| {
        let bytes = Arc::clone(&bytes);
        async move { well_but(stream, &bytes).await }
    });
    peer.connect().await.unwrap().get("/info").await
}

#[tokio::test]
async fn reads_json_from_a_socket_on_one_connection() {
    let peer = peer(|mut stream| async move {
        while let Some(path) = asked(&mut stream).await {
            let answer = match path.as_str() {
                "/version" => version_answer(),
                "/v1.44/containers/json?all=1" => response("200 OK", br#"[{"Id":"a"}]"#),
                other => response("404 Not Found", format!("{{\"message\":\"no {other}\"}}").as_bytes()),
            };
            stream.write_all(&answer).await.unwrap();
        }
    });
    let engine = peer.connect().await.unwrap();
    assert_eq!(engine.api().to_string(), "1.44");
    assert_eq!(engine.version()["MinAPIVersion"], "1.24");
    assert_eq!(engine.get("/containers/json?all=1").await.unwrap(), json!([{"Id": "a"}]));
    assert_eq!(engine.get_optional("/containers/b/json").await.unwrap(), None);
    let Err(Failure::Status { code: 404, message, .. }) = engine.get("/x").await else { panic!("no 404") };
    assert_eq!(message, "no /v1.44/x");
    assert_eq!(peer.taken.load(Ordering::SeqCst), 1, "connections");
}
