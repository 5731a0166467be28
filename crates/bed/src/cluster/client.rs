//! HTTPS to the API server, blocking, over connections that are kept.

use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::pki::Pair;
use crate::http;

type Stream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// Somebody who talks to an API server: with a certificate, a token, or neither. Threads may share one; each request takes
/// a connection of its own and leaves it to the next.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    config: Arc<ClientConfig>,
    headers: String,
    idle: Mutex<Vec<Stream>>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr, authority: &str, pair: Option<&Pair>, token: Option<&str>) -> Self {
        let certificates = |pem: &str| {
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().expect("certificates")
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(authority));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("TLS versions").with_root_certificates(roots);
        let config = match pair {
            Some(pair) => {
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(certificates(&pair.certificate), key).expect("a client's certificate")
            }
            None => builder.with_no_client_auth(),
        };
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let headers = format!("Host: {server}\r\nAccept: application/json\r\n{token}");
        Self { server, config: Arc::new(config), headers, idle: Mutex::default() }
    }

    /// Sends a request and returns status and body: JSON, else text.
    ///
    /// # Panics
    /// Where there is no answer.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let body = body.map(Value::to_string);
        let answer = self.send(method, path, body.as_ref().map(|body| (kind, body.as_bytes())));
        let (status, body) = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        (status, value(body))
    }

    /// As [`Client::request`], with a body of any media type, and the answer's bytes.
    ///
    /// # Errors
    /// Where there is no answer.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> io::Result<(u16, Vec<u8>)> {
        let kept = self.idle().pop();
        // A server may have closed what was kept; what it did not begin to answer it did not do.
        if let Some(mut stream) = kept
            && let Ok(answer) = http::exchange(&mut stream, method, path, &self.headers, body)
        {
            self.idle().push(stream);
            return Ok(answer);
        }
        let mut stream = self.connect()?;
        let answer = http::exchange(&mut stream, method, path, &self.headers, body)?;
        self.idle().push(stream);
        Ok(answer)
    }

    /// Reads an object or a list.
    pub fn get(&self, path: &str) -> (u16, Value) {
        self.request("GET", path, None)
    }

    /// Creates an object.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("POST", path, Some(body))
    }

    /// Replaces an object.
    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("PUT", path, Some(body))
    }

    /// Lays a JSON merge patch over an object.
    pub fn patch(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("PATCH", path, Some(body))
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) -> (u16, Value) {
        self.request("DELETE", path, None)
    }

    /// Whether a path is answered with 200 within a few seconds: of a server that may still be starting.
    pub(crate) fn is_ready(&self, path: &str) -> bool {
        let Ok(mut stream) = self.connect() else { return false };
        let patience = stream.get_ref().sock.set_read_timeout(Some(Duration::from_secs(5)));
        let answer = patience.and_then(|()| http::exchange(&mut stream, "GET", path, &self.headers, None));
        answer.is_ok_and(|(status, _)| status == 200)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Stream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect_timeout(&self.server, Duration::from_secs(10))?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.server.ip().into());
        let connection = ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        Ok(BufReader::with_capacity(64 << 10, StreamOwned::new(connection, stream)))
    }
}

fn value(body: Vec<u8>) -> Value {
    serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()))
}
