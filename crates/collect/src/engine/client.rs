//! An engine, asked by `GET` over a small pool of keep-alive connections.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::dial::Dialer;
use super::endpoint::Endpoint;
use super::failure::{Failure, PEER_TEXT_LIMIT, sanitize};
use super::json;
use super::lane::{Broken, Lane};
use super::negotiate::{self, ApiVersion};
use super::tls::PeerCertificate;

/// The most of an error's body that is read, in bytes.
const ERROR_BODY: u64 = 64 << 10;

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
    /// Bytes of one body. Default 64 MiB.
    pub body: u64,
    /// Bytes of a list's body ([`Engine::get_list`]). Default 256 MiB.
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
            body: 64 << 20,
            list: 256 << 20,
            headers: 64 << 10,
            header_lines: 100,
        }
    }
}

/// A container engine. Clones are cheap and share its connections.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    dialer: Dialer,
    limits: Limits,
    permits: Semaphore,
    idle: Mutex<Vec<Lane>>,
    host: HeaderValue,
    /// What stands before every request's path: the endpoint's own path and the API's version.
    prefix: String,
    certificate: OnceLock<PeerCertificate>,
    about: About,
}

/// What the engine said of itself when it was opened.
#[derive(Debug)]
struct About {
    version: Value,
    api: ApiVersion,
    server_api: ApiVersion,
    caveat: Option<Failure>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} API {})", self.endpoint(), self.api())
    }
}

impl Engine {
    /// Opens an engine and agrees on the API's version, from `GET /version`.
    ///
    /// # Errors
    /// Everything that [`Failure`] names: this is where an engine that is absent, forbidden, hung
    /// or none at all shows itself.
    pub async fn connect(endpoint: &Endpoint, limits: Limits) -> Result<Self, Failure> {
        let dialer = Dialer::new(endpoint, &limits)?;
        let at = endpoint.to_string();
        let host = HeaderValue::from_str(&dialer.host_header())
            .map_err(|_| Failure::Usage { what: at.clone(), why: "the host name cannot be sent in a header".into() })?;
        let mut shared = Shared {
            permits: Semaphore::new(limits.lanes.max(1)),
            idle: Mutex::new(Vec::new()),
            prefix: dialer.base().to_owned(),
            certificate: OnceLock::new(),
            // Replaced below, before anybody sees it.
            about: About {
                version: Value::Null,
                api: negotiate::NEWEST_API,
                server_api: negotiate::NEWEST_API,
                caveat: None,
            },
            dialer,
            limits,
            host,
        };
        let (version, agreed) = match shared.json::<Value>("/version", shared.limits.body).await {
            Ok(version) => {
                let text = |key: &str| version[key].as_str();
                let agreed = negotiate::agree(text("ApiVersion"), text("MinAPIVersion"), &at)?;
                (version, agreed)
            }
            // A proxy or an authorization plugin may keep /version back; every engine pings.
            Err(refused @ Failure::Status { code: 401 | 403..=405 | 501, .. }) => match shared.ping().await? {
                Some(api) => (Value::Null, negotiate::agree(Some(&api), None, &at)?),
                None => return Err(refused),
            },
            Err(failure) => return Err(failure),
        };
        let _ = write!(shared.prefix, "/v{}", agreed.api);
        shared.about = About { version, api: agreed.api, server_api: agreed.server, caveat: agreed.caveat };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads one path, such as `/containers/json?all=1`, without the API's version in it.
    ///
    /// # Errors
    /// See [`Failure`]; a refusal of the engine is [`Failure::Status`].
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.get_as(path).await
    }

    /// As [`Engine::get`], into a type of the caller's.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.shared.json(path, self.shared.limits.body).await
    }

    /// As [`Engine::get`], for lists: [`Limits::list`] bounds the body.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn get_list(&self, path: &str) -> Result<Value, Failure> {
        self.shared.json(path, self.shared.limits.list).await
    }

    /// As [`Engine::get`], `None` where the engine says 404: it vanished, or was never there.
    ///
    /// # Errors
    /// As [`Engine::get`], but for 404.
    pub async fn get_optional(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Status { code: 404, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Streams a body (a tar) of at most `limit` bytes to `take`, which may break off. The whole
    /// must come within [`Limits::stream`].
    ///
    /// # Errors
    /// As [`Engine::get`]; what was taken before an error came is incomplete.
    pub async fn get_bytes_with(
        &self,
        path: &str,
        limit: u64,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> Result<(), Failure> {
        let shared = &*self.shared;
        let at = || shared.at(path);
        let _permit = shared.permit().await?;
        let exchange = async {
            let (mut lane, mut body, _) = shared.answer(path).await?;
            let mut finished = true;
            lane.read(&mut body, limit, &at, &mut |chunk| {
                let flow = take(&chunk);
                finished = flow.is_continue();
                flow
            })
            .await?;
            if finished {
                shared.put_back(lane);
            }
            Ok(())
        };
        let after = shared.limits.stream;
        timeout(after, exchange).await.unwrap_or_else(|_| Err(Failure::TimedOut { at: at(), after }))
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.shared.dialer.endpoint()
    }

    /// The API's version in use: the lower of the engine's newest and ours.
    #[must_use]
    pub fn api(&self) -> ApiVersion {
        self.shared.about.api
    }

    /// The newest API that the engine speaks.
    #[must_use]
    pub fn server_api(&self) -> ApiVersion {
        self.shared.about.server_api
    }

    /// The engine's answer to `/version`, so that it need not be asked again; `Null` where it was
    /// refused.
    #[must_use]
    pub fn version(&self) -> &Value {
        &self.shared.about.version
    }

    /// Whether it is Podman.
    #[must_use]
    pub fn is_podman(&self) -> bool {
        negotiate::is_podman(&self.shared.about.version)
    }

    /// What limits everything that it reports: an API older than we support.
    #[must_use]
    pub fn caveat(&self) -> Option<&Failure> {
        self.shared.about.caveat.as_ref()
    }

    /// The certificate that the engine showed, where TLS is used.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&PeerCertificate> {
        self.shared.certificate.get()
    }
}

impl Shared {
    fn at(&self, path: &str) -> String {
        format!("GET {} at {}", sanitize(path, PEER_TEXT_LIMIT), self.dialer.endpoint())
    }

    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
        // The semaphore is never closed; were it, that were the end of the engine.
        self.permits.acquire().await.map_err(|_| Failure::EndedEarly { at: self.dialer.endpoint().to_string() })
    }

    async fn json<T: DeserializeOwned>(&self, path: &str, limit: u64) -> Result<T, Failure> {
        let at = || self.at(path);
        let _permit = self.permit().await?;
        let (mut lane, body, deadline) = self.answer(path).await?;
        let body = self.in_time(path, deadline, lane.read_all(body, limit, &at)).await?;
        self.put_back(lane);
        json::parse(&body, at)
    }

    /// The version that `/_ping` names in its header; `None` where it is refused or names none.
    async fn ping(&self) -> Result<Option<String>, Failure> {
        let _permit = self.permit().await?;
        let (mut lane, response, deadline) = self.exchange("/_ping").await?;
        let api = response.headers().get("api-version").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let found = response.status().is_success();
        let at = || self.at("/_ping");
        self.in_time("/_ping", deadline, lane.read_all(response.into_body(), ERROR_BODY, &at)).await?;
        self.put_back(lane);
        Ok(api.filter(|_| found))
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
        Request::get(format!("{}{path}", self.prefix))
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

/// Makes a name of others fit to be one segment of a path.
#[must_use]
pub fn path_segment(name: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~' | b'.' | b':' | b'@');
    if name != "." && name != ".." && name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        if plain(byte) && byte != b'.' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}
