//! One keep-alive HTTP/1.1 connection.
//!
//! The task that asks also drives the connection, so a request costs no hand-over between tasks
//! and an idle connection costs nothing.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::dial::Dialled;
use super::failure::Failure;
use super::pool::Limits;
use super::ssh::Complaints;
use super::text::{PEER_TEXT_LIMIT, sanitize};
use super::tls;

/// What a connection runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The most that is set aside on the word of a `Content-Length`, in bytes; more grows as it comes.
const TRUSTED_LENGTH: u64 = 4 << 20;

/// The most that is read at once, in bytes; hyper starts small and grows to it.
const READ_BUFFER: usize = 256 << 10;

/// hyper's documented words for it; the method that asks for it comes with its server only.
const HEAD_TOO_LARGE: &str = "message head is too large";

type Http = Connection<TokioIo<Box<dyn Stream>>, Empty<Bytes>>;

/// One connection and its HTTP state.
pub(super) struct Lane {
    sender: SendRequest<Empty<Bytes>>,
    connection: Option<Http>,
    /// What `ssh` said on its standard error, where the stream is one.
    complaints: Option<Complaints>,
    /// Whether no certificate of ours was shown.
    anonymous: bool,
    /// Whether it has answered before: then a failure may only mean that the peer had closed it.
    pub(super) used: bool,
}

/// Why an exchange failed: before anything was answered (so that it may be asked again), or later.
pub(super) enum Broken {
    /// The peer closed before the first byte of an answer.
    Closed(Failure),
    /// Anything else.
    Failed(Failure),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Closed(failure) | Broken::Failed(failure) => failure,
        }
    }
}

impl Lane {
    /// Sets HTTP up on a stream; sends nothing yet.
    pub(super) async fn new(dialled: Dialled, limits: &Limits, at: &str) -> Result<Self, Failure> {
        let (complaints, anonymous) = (dialled.complaints, dialled.anonymous);
        let handshake = http1::Builder::new()
            .max_buf_size(READ_BUFFER.max(limits.headers))
            .max_header_size(limits.headers)
            .max_headers(limits.header_lines)
            .handshake(TokioIo::new(dialled.stream))
            .await;
        match handshake {
            Ok((sender, connection)) => {
                Ok(Self { sender, connection: Some(connection), complaints, anonymous, used: false })
            }
            Err(error) => Err(explain(&error, at, anonymous)),
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Empty<Bytes>>,
        at: &(dyn Fn() -> String + Sync),
    ) -> Result<Response<Incoming>, Broken> {
        let ready = drive(&mut self.connection, self.sender.ready()).await;
        let answer = match ready {
            Some(Ok(())) => drive(&mut self.connection, self.sender.send_request(request)).await,
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        match answer {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => {
                let closed =
                    error.is_closed() || error.is_canceled() || error.is_incomplete_message() || is_reset(&error);
                let failure = self.blame_ssh(explain(&error, &at(), self.anonymous), &at).await;
                Err(if closed { Broken::Closed(failure) } else { Broken::Failed(failure) })
            }
            None => Err(Broken::Closed(self.blame_ssh(Failure::EndedEarly { at: at() }, &at).await)),
        }
    }

    /// Hands the body's chunks to `take` until it ends, or `take` breaks off.
    pub(super) async fn read(
        &mut self,
        body: &mut Incoming,
        limit: u64,
        at: &(dyn Fn() -> String + Sync),
        take: &mut (dyn FnMut(Bytes) -> ControlFlow<()> + Send),
    ) -> Result<(), Failure> {
        let mut total = 0u64;
        loop {
            let frame = match drive(&mut self.connection, body.frame()).await {
                Some(None) => return Ok(()),
                Some(Some(Ok(frame))) => frame,
                Some(Some(Err(error))) => {
                    let failure = explain(&error, &at(), self.anonymous);
                    return Err(self.blame_ssh(failure, at).await);
                }
                None => return Err(self.blame_ssh(Failure::EndedEarly { at: at() }, at).await),
            };
            // Trailers carry nothing that an engine says.
            let Ok(chunk) = frame.into_data() else { continue };
            total += chunk.len() as u64;
            if total > limit {
                return Err(Failure::BodyTooLarge { at: at(), limit });
            }
            if take(chunk).is_break() {
                return Ok(());
            }
        }
    }

    /// Reads a whole body into one buffer; a body of one chunk is not copied.
    pub(super) async fn read_all(
        &mut self,
        mut body: Incoming,
        limit: u64,
        at: &(dyn Fn() -> String + Sync),
    ) -> Result<Bytes, Failure> {
        let hint = body.size_hint();
        if hint.lower() > limit {
            return Err(Failure::BodyTooLarge { at: at(), limit });
        }
        let expected = hint.exact().unwrap_or(0).min(TRUSTED_LENGTH) as usize;
        let mut first: Option<Bytes> = None;
        let mut buffer: Vec<u8> = Vec::new();
        self.read(&mut body, limit, at, &mut |chunk| {
            match first.take() {
                None if buffer.is_empty() => first = Some(chunk),
                None => buffer.extend_from_slice(&chunk),
                Some(head) => {
                    buffer.reserve(expected.max((head.len() + chunk.len()) * 2));
                    buffer.extend_from_slice(&head);
                    buffer.extend_from_slice(&chunk);
                }
            }
            ControlFlow::Continue(())
        })
        .await?;
        Ok(first.unwrap_or_else(|| buffer.into()))
    }

    /// Whether another request may be sent on it.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some() && !self.sender.is_closed()
    }

    /// Where `ssh` carried the stream and complained, its words are the reason.
    async fn blame_ssh(&mut self, failure: Failure, at: &(dyn Fn() -> String + Sync)) -> Failure {
        let Some(complaints) = &mut self.complaints else { return failure };
        // The end of the stream is what ends ssh; only then has it said all.
        self.connection = None;
        match complaints.reason().await {
            Some(why) => Failure::Ssh { at: at(), why },
            None => failure,
        }
    }
}

/// Runs `work` while driving the connection that it depends on. `None`: the connection ended and
/// left the work without an answer.
async fn drive<F: Future>(connection: &mut Option<Http>, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let ended = match connection.as_mut() {
            // Its own error reaches the work as well, which is where it is told.
            Some(connection) => Pin::new(connection).poll(cx).is_ready(),
            None => true,
        };
        if ended {
            *connection = None;
        }
        match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn io_cause(error: &hyper::Error) -> Option<&std::io::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        source = cause.source();
    }
    None
}

fn is_reset(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    io_cause(error).is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}

/// Tells what an error of the HTTP layer means.
fn explain(error: &hyper::Error, at: &str, anonymous: bool) -> Failure {
    let at = at.to_owned();
    if error.to_string() == HEAD_TOO_LARGE {
        return Failure::HeadersTooLarge { at };
    }
    if let Some(io) = io_cause(error) {
        if let Some(why) = tls::explain_io(io, anonymous) {
            return Failure::Tls { at, why };
        }
        if is_reset(error) || io.kind() == std::io::ErrorKind::UnexpectedEof {
            return Failure::EndedEarly { at };
        }
    }
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return Failure::EndedEarly { at };
    }
    let mut why = error.to_string();
    if let Some(source) = error.source() {
        why = format!("{why}: {source}");
    }
    Failure::NotHttp { at, why: sanitize(&why, PEER_TEXT_LIMIT) }
}
