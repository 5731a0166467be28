//! Requests to an API server: read only, bounded in time, size and number, tried again where it says so.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::{Body, ClientBuilder};
use tokio::sync::Semaphore;

use super::access::Access;
use super::failure::{self, Failure};
use crate::WHOLE;
use crate::engine::{PEER_TEXT_LIMIT, sanitize};

/// Requests at once: few, so that nobody else is kept waiting by a reading.
pub(super) const AT_ONCE: usize = 6;
/// The most tries of one request.
const TRIES: u32 = 4;
/// The longest that a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Requests in a row without an answer, after their tries, before the server is given up.
const GIVEN_UP: u32 = 4;
/// The most that is read of an answer that says why not, in bytes.
const MOST_REFUSAL: usize = 64 << 10;
/// What lists and objects are asked for as.
pub(super) const JSON: &str = "application/json";

/// An API server, or a kubelet.
pub(super) struct Api {
    client: kube::Client,
    timeout: Duration,
    until: Instant,
    permits: Semaphore,
    silent: AtomicU32,
}

impl Api {
    /// Prepares the client; nothing is sent yet.
    pub(super) fn new(access: &Access, timeout: Duration) -> Result<Self, Failure> {
        let mut config = access.config.clone();
        config.connect_timeout = Some(timeout);
        // Each request has a limit of its own, which holds for the whole of it.
        config.read_timeout = None;
        config.write_timeout = None;
        let builder = ClientBuilder::try_from(config).map_err(|e| match failure::of(&e) {
            Failure::Other(why) => {
                Failure::Other(format!("the kubeconfig's credential or proxy cannot be used: {why}"))
            }
            known => known,
        })?;
        Ok(Self {
            client: builder.build(),
            timeout,
            until: Instant::now() + timeout * WHOLE,
            permits: Semaphore::new(AT_ONCE),
            silent: AtomicU32::new(0),
        })
    }

    /// A GET. At most `most` bytes of answer.
    pub(super) async fn get(&self, path: &str, accept: &str, most: usize) -> Result<Bytes, Failure> {
        let mut tried = 0;
        let answer = loop {
            let permit = self.permits.acquire().await.map_err(|e| Failure::Other(e.to_string()))?;
            // Others may have waited in vain since this one stood in line.
            if self.silent.load(Ordering::Relaxed) >= GIVEN_UP {
                return Err(Failure::Given);
            }
            let (failure, wait) = match self.once(path, accept, most).await {
                Ok(bytes) => break Ok(bytes),
                Err(failed) => failed,
            };
            drop(permit);
            tried += 1;
            if tried >= TRIES || !failure.is_passing() {
                break Err(failure);
            }
            let wait = wait.unwrap_or(Duration::from_millis(100) * 3u32.pow(tried - 1)).min(LONGEST_WAIT);
            if Instant::now() + wait > self.until {
                break Err(Failure::Late(self.timeout * WHOLE));
            }
            tokio::time::sleep(wait).await;
        };
        match &answer {
            Err(failure) if failure.is_of_server() => {
                self.silent.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.silent.store(0, Ordering::Relaxed),
        }
        answer
    }

    /// One try: the answer, or why not and how long the server asks to wait.
    async fn once(&self, path: &str, accept: &str, most: usize) -> Result<Bytes, (Failure, Option<Duration>)> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err((Failure::Late(self.timeout * WHOLE), None));
        }
        let limit = self.timeout.min(left);
        match tokio::time::timeout(limit, self.exchange(path, accept, most)).await {
            Ok(answer) => answer,
            Err(_) if limit < self.timeout => Err((Failure::Late(self.timeout * WHOLE), None)),
            Err(_) => Err((Failure::TimedOut(limit), None)),
        }
    }

    /// A GET of text, handed on line by line, so that only one line is kept; one try. At most `most` bytes of answer.
    pub(super) async fn lines(&self, path: &str, most: usize, take: impl FnMut(&[u8])) -> Result<(), Failure> {
        let _permit = self.permits.acquire().await.map_err(|e| Failure::Other(e.to_string()))?;
        let limit = self.timeout.min(self.until.saturating_duration_since(Instant::now()));
        let all = async {
            let answer = self.client.send(get(path, "text/plain")?).await.map_err(|e| failure::of(&e))?;
            let status = answer.status();
            if status != StatusCode::OK {
                let told = whole(answer.into_body(), MOST_REFUSAL).await.unwrap_or_default();
                return Err(Failure::Status { code: status.as_u16(), message: words(status, &told) });
            }
            each_line(answer.into_body(), most, take).await
        };
        tokio::time::timeout(limit, all).await.unwrap_or(Err(Failure::TimedOut(limit)))
    }

    async fn exchange(&self, path: &str, accept: &str, most: usize) -> Result<Bytes, (Failure, Option<Duration>)> {
        let request = get(path, accept).map_err(|failure| (failure, None))?;
        let answer = self.client.send(request).await.map_err(|e| (failure::of(&e), None))?;
        let status = answer.status();
        let wait = answer.headers().get(http::header::RETRY_AFTER);
        let wait = wait.and_then(|v| v.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
        if status.is_redirection() {
            return Err((Failure::Redirected(status.as_u16()), None));
        }
        let body = answer.into_body();
        if status == StatusCode::OK {
            return whole(body, most).await.map_err(|failure| (failure, None));
        }
        let told = whole(body, MOST_REFUSAL).await.unwrap_or_default();
        Err((Failure::Status { code: status.as_u16(), message: words(status, &told) }, wait))
    }
}

fn get(path: &str, accept: &str) -> Result<Request<Body>, Failure> {
    let request = Request::get(path).header(http::header::ACCEPT, accept).body(Body::empty());
    request.map_err(|e| Failure::Other(sanitize(&e.to_string(), PEER_TEXT_LIMIT)))
}

/// The longest line that is looked at, in bytes; what is longer is no line of text.
const LONGEST_LINE: usize = 64 << 10;

async fn each_line(mut body: Body, most: usize, mut take: impl FnMut(&[u8])) -> Result<(), Failure> {
    let (mut line, mut read): (Vec<u8>, usize) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|e| failure::of(&e))?.into_data() else { continue };
        read += data.len();
        if read > most {
            return Err(Failure::TooLarge(most));
        }
        let mut rest = &data[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (this, after) = rest.split_at(end);
            if line.is_empty() {
                take(this);
            } else {
                line.extend_from_slice(this);
                take(&line);
                line.clear();
            }
            rest = &after[1..];
        }
        if line.len() + rest.len() > LONGEST_LINE {
            return Err(Failure::TooLarge(LONGEST_LINE));
        }
        line.extend_from_slice(rest);
    }
    take(&line);
    Ok(())
}

async fn whole(mut body: Body, most: usize) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| failure::of(&e))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(Failure::TooLarge(most));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// The server's own words for why not.
fn words(status: StatusCode, body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json["message"].as_str()).map(str::to_owned);
    let message = message.unwrap_or_else(|| match std::str::from_utf8(body) {
        Ok(text) if !text.trim().is_empty() => text.lines().next().unwrap_or_default().to_owned(),
        _ => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    });
    sanitize(&message, PEER_TEXT_LIMIT)
}
