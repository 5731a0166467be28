//! Why an engine did not answer, each reason as one line: what, where, why, what to do.

use std::fmt::Write as _;
use std::time::Duration;

/// The most characters of a peer's own words that an error repeats.
pub const PEER_TEXT_LIMIT: usize = 200;

/// Why an engine could not be reached or did not answer as an engine does.
///
/// `Display` is one line for the user. What came from the peer in it is bounded and has its control
/// characters escaped, and no credentials are in it: see [`sanitize`].
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

/// Makes foreign text fit for one line of an error: at most `limit` characters of it (then `…`),
/// control and direction-changing characters escaped, and the userinfo of URLs taken out.
#[must_use]
pub fn sanitize(text: &str, limit: usize) -> String {
    // Enough for `limit` characters of four bytes and then some, so that a megabyte costs little.
    let (cleaned, whole) = strip_userinfo(text, limit.saturating_mul(8));
    let mut out = String::new();
    for (count, c) in cleaned.trim().chars().enumerate() {
        if count == limit {
            out.push('…');
            return out;
        }
        if is_unprintable(c) {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    if !whole {
        out.push('…');
    }
    out
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Takes `user:password@` out of every URL in the text.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    strip_userinfo(text, usize::MAX).0
}

/// The text without userinfo, at most about `enough` bytes of it, and whether that is all of it.
fn strip_userinfo(text: &str, enough: usize) -> (String, bool) {
    let mut out = String::new();
    let mut rest = text;
    while out.len() < enough {
        let Some(start) = rest.find("://") else {
            let mut end = rest.len().min(enough);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            out.push_str(&rest[..end]);
            return (out, end == rest.len());
        };
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        // The authority ends where a path, query, quote or blank begins. A password may itself
        // hold an unescaped '/', so an '@' before the next blank or quote counts too.
        let word =
            after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>')).unwrap_or(after.len());
        let authority = after[..word].find(['/', '?', '#']).unwrap_or(word);
        let cut = match after[..authority].rfind('@') {
            Some(position) => position + 1,
            None => match after[..word].find('@') {
                Some(position) if holds_password(&after[..position]) => position + 1,
                _ => 0,
            },
        };
        rest = &after[cut..];
    }
    (out, rest.is_empty())
}

/// Whether what stands before an `@` behind the first `/` is `user:pass/word` and not `host:port/path`.
fn holds_password(before: &str) -> bool {
    let first = before.split('/').next().unwrap_or_default();
    first.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        assert_eq!(sanitize("a\x1b[31mb\nc\u{202e}d", 100), "a\\u{1b}[31mb\\nc\\u{202e}d");
    }

    #[test]
    fn bounds_long_text() {
        let cut = sanitize(&"x".repeat(1 << 20), 10);
        assert_eq!(cut, "xxxxxxxxxx…");
        assert_eq!(sanitize("éééé", 4), "éééé");
        assert_eq!(sanitize(&"é".repeat(1000), 3), "ééé…");
    }

    #[test]
    fn takes_credentials_out_of_urls() {
        assert_eq!(
            sanitize("proxy http://me:s3cret@proxy:3128/ and tcp://x@y, tcp://a:1/b@c", 200),
            "proxy http://proxy:3128/ and tcp://y, tcp://a:1/b@c"
        );
        let long = format!("http://u:{}@h/", "hunter2".repeat(10_000));
        assert_eq!(sanitize(&long, 20), "http://h/");
        assert!(!sanitize(&"://".repeat(300_000), 20).contains("@"));
        assert_eq!(without_userinfo("https://u:pa/ss@h/x"), "https://h/x");
        assert_eq!(without_userinfo("https://h/x@y"), "https://h/x@y");
        assert_eq!(without_userinfo("://"), "://");
    }

    #[test]
    fn every_failure_is_one_line() {
        let failure = Failure::TimedOut { at: "GET /info at unix:///x".into(), after: Duration::from_millis(1500) };
        assert!(failure.to_string().contains("within 1500 ms"));
        assert!(!failure.to_string().contains('\n'));
    }
}
