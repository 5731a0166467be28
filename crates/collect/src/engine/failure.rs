//! Why an engine did not answer, each reason as one line: what, where, why, what to do.

use std::time::Duration;

/// Why an engine could not be reached or did not answer as an engine does.
///
/// `Display` is one line for the user. What came from the peer in it is bounded and has its control
/// characters escaped, and no credentials are in it: see [`sanitize`](super::sanitize).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing is at the socket's path.
    #[error("{at}: no socket is there; start the engine, or name another one with --docker HOST or DOCKER_HOST")]
    NoSocket {
        /// The endpoint.
        at: String,
    },
    /// The right to open the socket, or a directory above it, is missing.
    #[error("{at}: permission denied; {why}")]
    Denied {
        /// The endpoint.
        at: String,
        /// Whose it is, and which user or group would have the right.
        why: String,
    },
    /// Something other than a socket is at the path.
    #[error("{at}: {found} is there, not a socket; name the engine's socket with --docker HOST")]
    NotASocket {
        /// The endpoint.
        at: String,
        /// What is there instead.
        found: String,
    },
    /// Nobody listens: a socket that an engine left behind, or a closed port.
    #[error("{at}: connection refused, nobody listens there; start the engine or check the address")]
    DeadSocket {
        /// The endpoint.
        at: String,
    },
    /// The network or the name service has no way to the peer.
    #[error("{at}: cannot connect: {why}; check the address and the network")]
    Unreachable {
        /// The endpoint.
        at: String,
        /// The system's reason.
        why: String,
    },
    /// The peer took longer than the limit.
    #[error("{at}: no answer within {}; the engine hangs or is overloaded (--timeout allows more)", seconds(.after))]
    TimedOut {
        /// The endpoint or request.
        at: String,
        /// The limit that passed.
        after: Duration,
    },
    /// All requests together took longer than their limit.
    #[error("{at}: not asked any more: reading this engine took longer than {} (--timeout allows more)", seconds(.after))]
    Late {
        /// The request that was not made.
        at: String,
        /// The limit that passed.
        after: Duration,
    },
    /// The peer speaks something other than HTTP/1.
    #[error("{at}: the peer speaks no HTTP ({why}); check that this is an engine's address")]
    NotHttp {
        /// The request.
        at: String,
        /// What was wrong with its bytes.
        why: String,
    },
    /// The peer's headers are more than [`Limits::headers`](super::Limits) allows.
    #[error("{at}: the headers of the answer are too large; refused, this is no engine's answer")]
    HeadersTooLarge {
        /// The request.
        at: String,
    },
    /// The body is more than the limit.
    #[error("{at}: the answer is larger than {limit} bytes; refused")]
    BodyTooLarge {
        /// The request.
        at: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The body is not JSON.
    #[error("{at}: the answer is not JSON ({why})")]
    BrokenJson {
        /// The request.
        at: String,
        /// The parser's reason with line and column.
        why: String,
    },
    /// The JSON nests deeper than 128 levels.
    #[error("{at}: the JSON of the answer nests deeper than 128 levels; refused")]
    TooDeep {
        /// The request.
        at: String,
    },
    /// The peer answered with a redirect; these are never followed.
    #[error("{at}: answered with a redirect (status {status}), which is not followed; name the engine's own address")]
    Redirected {
        /// The request.
        at: String,
        /// The HTTP status, 300 to 399.
        status: u16,
    },
    /// The engine refused the request.
    #[error("{at}: status {code}: {message}")]
    Status {
        /// The request.
        at: String,
        /// The HTTP status.
        code: u16,
        /// The engine's own message, bounded and escaped.
        message: String,
    },
    /// TLS could not be set up or the peer was not trusted.
    #[error("{at}: TLS: {why}")]
    Tls {
        /// The endpoint.
        at: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// `ssh` could not be started, or ended.
    #[error("{at}: ssh: {why}")]
    Ssh {
        /// The endpoint.
        at: String,
        /// What `ssh` said, bounded and escaped, or why it could not start.
        why: String,
    },
    /// The peer closed the connection in the midst of an answer.
    #[error("{at}: the connection ended before the answer did; the engine stopped or was restarted")]
    EndedEarly {
        /// The request.
        at: String,
    },
    /// The peer speaks HTTP but is no container engine.
    #[error("{at}: answers HTTP but not as a container engine does: {why}")]
    NotAnEngine {
        /// The endpoint.
        at: String,
        /// What was missing.
        why: String,
    },
    /// The oldest API that the engine still speaks is newer than what we know.
    #[error(
        "{at}: the engine demands API {min} or newer and this version of Seaworthy knows up to {ours}; update Seaworthy"
    )]
    ApiTooNew {
        /// The endpoint.
        at: String,
        /// The engine's oldest API.
        min: String,
        /// Our newest API.
        ours: String,
    },
    /// The engine's newest API is older than what we support. Collecting goes on with it.
    #[error(
        "{at}: the engine's API {server} is older than {oldest}, the oldest that is supported; what it does not report is unknown"
    )]
    ApiTooOld {
        /// The endpoint.
        at: String,
        /// The engine's newest API.
        server: String,
        /// Our oldest API.
        oldest: String,
    },
    /// The endpoint or the request as given makes no sense.
    #[error("{what}: {why}")]
    Usage {
        /// The setting that is wrong, and where it was given.
        what: String,
        /// Why, and what would be right.
        why: String,
    },
}

fn seconds(after: &Duration) -> String {
    if after.subsec_nanos() == 0 { format!("{} s", after.as_secs()) } else { format!("{} ms", after.as_millis()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_one_line() {
        let failure = Failure::TimedOut { at: "GET /info at unix:///x".into(), after: Duration::from_millis(1500) };
        assert!(failure.to_string().contains("within 1500 ms"));
        assert!(!failure.to_string().contains('\n'));
    }
}
