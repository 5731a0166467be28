//! A small pool of keep-alive connections to one engine, with the bounds on every exchange.

use std::ops::ControlFlow;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::dial::Dialer;
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::json;
use super::lane::{Broken, Lane};
use super::negotiate::ApiVersion;
use super::text::{PEER_TEXT_LIMIT, sanitize};
use super::tls::PeerCertificate;

/// The most of an error's body that is read, in bytes.
const ERROR_BODY: u64 = 64 << 10;

/// What tells which versions of the API there are; as [`PING`] it is asked for without one before it.
pub(super) const VERSION: &str = "/version";
/// What tells the newest version of the API by a header.
const PING: &str = "/_ping";

/// What an engine may cost at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open, and so requests under way, at once. Default 4; at least 1.
    pub lanes: usize,
    /// Time for one request, from sending to the body's last byte. Default 10 s.
    pub request: Duration,
    /// Time to open a connection (TLS included). Default 10 s. `ssh` has its own, 30 s.
    pub connect: Duration,
    /// Time for one streamed body. Default 120 s.
    pub stream: Duration,
    /// Time from opening the engine after which no request begins. Default 900 s.
    pub whole: Duration,
    /// Bytes of one body. Default 64 MiB.
    pub body: u64,
    /// Bytes of a list's body ([`Engine::get_list`](super::Engine::get_list)). Default 256 MiB.
    pub list: u64,
    /// Bytes of an answer's headers. Default 64 KiB.
    pub headers: usize,
    /// Lines of an answer's headers. Default 100.
    pub header_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lanes: 4,
            request: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            stream: Duration::from_secs(120),
            whole: Duration::from_secs(900),
            body: 64 << 20,
            list: 256 << 20,
            headers: 64 << 10,
            header_lines: 100,
        }
    }
}

/// The connections to one engine.
pub(super) struct Pool {
    dialer: Dialer,
    limits: Limits,
    opened: Instant,
    permits: Semaphore,
    idle: Mutex<Vec<Lane>>,
    host: HeaderValue,
    /// What stands before every request's path: the endpoint's own path and the API's version.
    prefix: String,
    certificate: OnceLock<PeerCertificate>,
}

impl Pool {
    /// Opens nothing yet, but reads the TLS material.
    pub(super) fn new(endpoint: &Endpoint, limits: Limits) -> Result<Self, Failure> {
        let dialer = Dialer::new(endpoint)?;
        let host = HeaderValue::from_str(&dialer.host_header()).map_err(|_| Failure::Usage {
            what: endpoint.to_string(),
            why: "the host name cannot be sent in a header".into(),
        })?;
        Ok(Self {
            permits: Semaphore::new(limits.lanes.max(1)),
            idle: Mutex::new(Vec::new()),
            prefix: dialer.base().to_owned(),
            certificate: OnceLock::new(),
            dialer,
            limits,
            opened: Instant::now(),
            host,
        })
    }

    /// Puts the API's version before every path from now on.
    pub(super) fn speak(&mut self, api: ApiVersion) {
        self.prefix = format!("{}/v{api}", self.dialer.base());
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        self.dialer.endpoint()
    }

    /// The certificate that the engine showed, where TLS is used.
    pub(super) fn certificate(&self) -> Option<&PeerCertificate> {
        self.certificate.get()
    }

    fn at(&self, path: &str) -> String {
        format!("GET {} at {}", sanitize(path, PEER_TEXT_LIMIT), self.dialer.endpoint())
    }

    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
        // The semaphore is never closed; were it, that were the end of the engine.
        self.permits.acquire().await.map_err(|_| Failure::EndedEarly { at: self.dialer.endpoint().to_string() })
    }

    /// Reads and parses one path.
    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str, limit: u64) -> Result<T, Failure> {
        let at = || self.at(path);
        let permit = self.permit().await?;
        let (mut lane, body, deadline) = self.answer(path).await?;
        let body = self.in_time(path, deadline, lane.read_all(body, limit, &at)).await?;
        self.put_back(lane);
        // The lane is free for the next request while this answer is parsed.
        drop(permit);
        json::parse(&body, at)
    }

    /// As [`Pool::json`], for an answer of several values in a row.
    pub(super) async fn values(&self, path: &str, limit: u64) -> Result<Vec<serde_json::Value>, Failure> {
        let at = || self.at(path);
        let _permit = self.permit().await?;
        let (mut lane, body, deadline) = self.answer(path).await?;
        let body = self.in_time(path, deadline, lane.read_all(body, limit, &at)).await?;
        self.put_back(lane);
        body.split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(|line| json::parse(line, at))
            .collect()
    }

    /// The version that `/_ping` names in its header; `None` where it is refused or names none.
    pub(super) async fn ping(&self) -> Result<Option<String>, Failure> {
        let _permit = self.permit().await?;
        let (mut lane, response, deadline) = self.exchange(PING).await?;
        let api = response.headers().get("api-version").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let found = response.status().is_success();
        let at = || self.at(PING);
        self.in_time(PING, deadline, lane.read_all(response.into_body(), ERROR_BODY, &at)).await?;
        self.put_back(lane);
        Ok(api.filter(|_| found))
    }

    /// Hands the chunks of a body to `take`, see [`Engine::get_bytes_with`](super::Engine).
    pub(super) async fn stream(
        &self,
        path: &str,
        limit: u64,
        take: &mut (dyn FnMut(&[u8]) -> ControlFlow<()> + Send),
    ) -> Result<(), Failure> {
        let at = || self.at(path);
        let _permit = self.permit().await?;
        let exchange = async {
            let (mut lane, mut body, _) = self.answer(path).await?;
            let mut finished = true;
            lane.read(&mut body, limit, &at, &mut |chunk| {
                let flow = take(&chunk);
                finished = flow.is_continue();
                flow
            })
            .await?;
            // What was broken off leaves the rest of its body on the connection.
            if finished {
                self.put_back(lane);
            }
            Ok(())
        };
        let after = self.limits.stream;
        timeout(after, exchange).await.unwrap_or_else(|_| Err(Failure::TimedOut { at: at(), after }))
    }

    async fn in_time<T>(
        &self,
        path: &str,
        deadline: Instant,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let after = self.limits.request;
        timeout_at(deadline, work).await.unwrap_or_else(|_| Err(Failure::TimedOut { at: self.at(path), after }))
    }

    /// Sends a request; the answer's body if it is a success.
    async fn answer(&self, path: &str) -> Result<(Lane, Incoming, Instant), Failure> {
        let (mut lane, response, deadline) = self.exchange(path).await?;
        let status = response.status();
        if status.is_success() {
            return Ok((lane, response.into_body(), deadline));
        }
        let at = self.at(path);
        if status.is_redirection() {
            return Err(Failure::Redirected { at, status: status.as_u16() });
        }
        let body = response.into_body();
        let told = self.in_time(path, deadline, lane.read_all(body, ERROR_BODY, &|| self.at(path))).await;
        let message = match &told {
            Ok(body) => refusal(body),
            Err(_) => "(no reason given)".into(),
        };
        if told.is_ok() {
            self.put_back(lane);
        }
        Err(Failure::Status { at, code: status.as_u16(), message })
    }

    /// Sends a request on an idle connection, or a new one; once again on a new one where the peer
    /// had closed the idle one meanwhile.
    async fn exchange(&self, path: &str) -> Result<(Lane, Response<Incoming>, Instant), Failure> {
        let at = || self.at(path);
        if self.opened.elapsed() >= self.limits.whole {
            return Err(Failure::Late { at: at(), after: self.limits.whole });
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lane = match idle {
            Some(lane) => lane,
            None => self.open().await?,
        };
        loop {
            let request = self.request(path)?;
            let after = self.limits.request + if lane.used { Duration::ZERO } else { self.dialer.grace() };
            let deadline = Instant::now() + after;
            let sent = timeout_at(deadline, lane.send(request, &at)).await;
            match sent {
                Ok(Ok(response)) => {
                    lane.used = true;
                    return Ok((lane, response, deadline));
                }
                Ok(Err(Broken::Closed(_))) if lane.used => lane = self.open().await?,
                Ok(Err(broken)) => return Err(broken.into()),
                Err(_) => return Err(Failure::TimedOut { at: at(), after }),
            }
        }
    }

    async fn open(&self) -> Result<Lane, Failure> {
        let after = self.limits.connect;
        let at = self.dialer.endpoint().to_string();
        let mut dialled = timeout(after, self.dialer.open())
            .await
            .unwrap_or_else(|_| Err(Failure::TimedOut { at: at.clone(), after }))?;
        if let Some(certificate) = dialled.certificate.take() {
            let _ = self.certificate.set(certificate);
        }
        Lane::new(dialled, &self.limits, &at).await
    }

    fn put_back(&self, lane: Lane) {
        if lane.is_open() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        }
    }

    fn request(&self, path: &str) -> Result<Request<Empty<Bytes>>, Failure> {
        let prefix = if matches!(path, VERSION | PING) { self.dialer.base() } else { &self.prefix };
        Request::get(format!("{prefix}{path}"))
            .header(HOST, self.host.clone())
            .header(USER_AGENT, const { HeaderValue::from_static(concat!("seaworthy/", env!("CARGO_PKG_VERSION"))) })
            .header(ACCEPT, const { HeaderValue::from_static("*/*") })
            .body(Empty::new())
            .map_err(|_| Failure::Usage { what: self.at(path), why: "is no path that can be asked for".into() })
    }
}

/// The engine's own words from the body of an error.
fn refusal(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    let text = match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let text = sanitize(&text, PEER_TEXT_LIMIT);
    if text.contains("HTTP request to an HTTPS server") {
        return "the engine wants TLS; set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or use a context with TLS".into();
    }
    if text.is_empty() { "(no reason given)".into() } else { text }
}
