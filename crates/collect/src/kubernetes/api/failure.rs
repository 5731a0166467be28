//! Why an API server did not answer: the reason with what to do, for a line that begins with what was asked.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use crate::engine::{PEER_TEXT_LIMIT, sanitize};

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The server refused it, or failed.
    #[error("status {code}: {message}")]
    Status {
        /// The HTTP status.
        code: u16,
        /// The server's own words, bounded and escaped.
        message: String,
    },
    /// No answer in time.
    #[error("no answer within {} s; the API server hangs or is overloaded (--timeout allows more)", .0.as_secs())]
    TimedOut(Duration),
    /// The connection ended first.
    #[error("the connection ended before the answer did; the API server stopped or was restarted")]
    EndedEarly,
    /// No way to it.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// TLS could not be set up, or the server was not trusted.
    #[error("TLS: {0}")]
    Tls(String),
    /// The answer is more than the limit in bytes.
    #[error("the answer is larger than {0} bytes; refused")]
    TooLarge(usize),
    /// The answer is not what the API says.
    #[error("the answer is not the API's: {0}")]
    Foreign(String),
    /// A redirect.
    #[error("answered with a redirect (status {0}), which is not followed; name the API server's own address")]
    Redirected(u16),
    /// The time for all of it is over.
    #[error("the {} s for the whole cluster were over", .0.as_secs())]
    Late(Duration),
    /// It did not answer others before, and is not asked any more.
    #[error("not asked any more: the API server stopped answering")]
    Given,
    /// Nothing that can be said better.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Whether another try may go better.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { code, .. } => matches!(code, 429 | 500 | 502 | 503 | 504),
            Self::EndedEarly => true,
            _ => false,
        }
    }

    /// Whether it says that the server itself is not there any more.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::EndedEarly | Self::Unreachable(_) | Self::Tls(_))
    }
}

/// What an error of the transport means.
pub(super) fn of(error: &(dyn StdError + 'static)) -> Failure {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    let mut last = String::new();
    // A chain of errors is short; a circle in one would be a defect of a library.
    for _ in 0..32 {
        let Some(this) = at else { break };
        if let Some(failure) = known(this) {
            return failure;
        }
        last = this.to_string();
        at = this.source();
    }
    if last.contains("lookup address") {
        return Failure::Unreachable("the server's name is not known here; check the kubeconfig's server".into());
    }
    Failure::Other(sanitize(&last, PEER_TEXT_LIMIT))
}

fn known(error: &(dyn StdError + 'static)) -> Option<Failure> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(Failure::Tls(tls(error)));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        if error.is_parse() {
            return Some(Failure::Foreign("it speaks no HTTP/1; check the kubeconfig's server".into()));
        }
        if error.is_incomplete_message() || error.is_body_write_aborted() || error.is_closed() {
            return Some(Failure::EndedEarly);
        }
    }
    let error = error.downcast_ref::<io::Error>()?;
    if let Some(inner) = error.get_ref() {
        let inner: &(dyn StdError + 'static) = inner;
        if let Some(failure) = known(inner) {
            return Some(failure);
        }
    }
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Unreachable(
            "connection refused, nobody listens there; start the cluster or check the kubeconfig's server".into(),
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Failure::Unreachable(format!("{}; check the address and the network", kind(error)))
        }
        io::ErrorKind::TimedOut => {
            Failure::Unreachable("no answer to the connection in time; check the address and the network".into())
        }
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Failure::EndedEarly,
        _ => return None,
    })
}

fn kind(error: &io::Error) -> String {
    sanitize(&error.to_string(), PEER_TEXT_LIMIT)
}

fn tls(error: &rustls::Error) -> String {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the API server's certificate has expired (or this machine's clock is wrong); renew it".into()
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the API server's certificate is not valid yet; check the clocks of both machines".into()
            }
            Bad::UnknownIssuer | Bad::BadSignature => {
                "the API server's certificate is not signed by the authority that the kubeconfig names (certificate-authority); \
                 take the cluster's own ca.crt"
                    .into()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the API server's certificate is not for this name or address; use one that it holds, or tls-server-name".into()
            }
            Bad::Revoked => "the API server's certificate is revoked".into(),
            other => format!("the API server's certificate is not accepted: {}", sanitize(&other.to_string(), PEER_TEXT_LIMIT)),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => {
                "the API server says that the client certificate has expired; renew it".into()
            }
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => {
                format!("the API server does not accept the client certificate ({alert:?}); check the kubeconfig's user")
            }
            other => format!("the API server broke off with {other:?}"),
        },
        rustls::Error::InvalidMessage(_) => "the peer speaks no TLS; check the kubeconfig's server".into(),
        rustls::Error::PeerIncompatible(why) => format!("the peer's TLS is too unlike ours (at least 1.2 is needed): {why:?}"),
        other => sanitize(&other.to_string(), PEER_TEXT_LIMIT),
    }
}
