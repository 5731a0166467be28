//! TLS to an engine: material from files, verification, and what to say when it fails.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::endpoint::TlsFiles;
use super::text::{PEER_TEXT_LIMIT, sanitize};

/// The most that is read of a file with certificates or keys, in bytes: 4 MiB.
const FILE_LIMIT: u64 = 4 << 20;

/// Where systems keep the authorities that they trust, in the order in which Go looks.
const SYSTEM_ROOTS: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The certificate that an engine showed: evidence for checks on listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The chain as sent, the server's own first, in DER.
    pub chain: Vec<Vec<u8>>,
    /// Whom it names, bounded and escaped.
    pub subject: String,
    /// Who signed it, bounded and escaped.
    pub issuer: String,
    /// Valid from, in seconds since 1970.
    pub not_before: i64,
    /// Valid until, in seconds since 1970.
    pub not_after: i64,
    /// Whether it was verified; false with `SkipTLSVerify` or without `DOCKER_TLS_VERIFY`.
    pub verified: bool,
    /// Whether we showed a certificate of our own.
    pub ours_shown: bool,
}

impl PeerCertificate {
    /// Reads the server's own certificate of a chain; `None` without one that can be read.
    pub(super) fn of(chain: &[CertificateDer<'_>], files: &TlsFiles) -> Option<Self> {
        let (_, leaf) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
        Some(Self {
            subject: sanitize(&leaf.subject().to_string(), PEER_TEXT_LIMIT),
            issuer: sanitize(&leaf.issuer().to_string(), PEER_TEXT_LIMIT),
            not_before: leaf.validity().not_before.timestamp(),
            not_after: leaf.validity().not_after.timestamp(),
            verified: !files.skip_verify,
            ours_shown: files.cert.is_some() && files.key.is_some(),
            chain: chain.iter().map(|der| der.to_vec()).collect(),
        })
    }
}

/// Builds the client's side; the error is the reason with what to do.
pub(super) fn client_config(files: &TlsFiles) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if files.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
    } else {
        builder.with_root_certificates(roots(files.ca.as_deref())?)
    };
    let mut config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let bytes = read(key)?;
            let secret = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| no_key(key, &bytes))?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(|error| format!("{} and {} do not fit together: {error}", cert.display(), key.display()))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), None) => return Err(format!("{} has no key.pem beside it", cert.display())),
        (None, Some(key)) => return Err(format!("{} has no cert.pem beside it", key.display())),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn no_key(path: &Path, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("ENCRYPTED") {
        format!("{} is encrypted, which is not supported (nor is it by the docker CLI); decrypt it", path.display())
    } else {
        format!("{} holds no private key in PEM", path.display())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |error: io::Error| format!("cannot read {}: {error}", path.display());
    // A FIFO or a device would hang or never end.
    if !std::fs::metadata(path).map_err(told)?.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut bytes)).map_err(told)?;
    Ok(bytes)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(format!("{} holds no certificate in PEM", path.display())),
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if let Some(path) = ca {
        let (added, _) = store.add_parsable_certificates(certificates(path)?);
        if added == 0 {
            return Err(format!("{} holds no certificate of an authority", path.display()));
        }
        return Ok(store);
    }
    let Some(path) = SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.is_file()) else {
        return Err("the system has no list of trusted authorities; give a ca.pem (DOCKER_CERT_PATH)".into());
    };
    store.add_parsable_certificates(certificates(path)?);
    Ok(store)
}

/// Takes any certificate, as `InsecureSkipVerify` does; that the peer holds its key is proven still.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The reason, where an error of a stream is one of TLS. `anonymous`: we showed no certificate.
pub(super) fn explain_io(error: &io::Error, anonymous: bool) -> Option<String> {
    let inner = error.get_ref()?;
    if let Some(error) = inner.downcast_ref::<rustls::Error>() {
        return Some(explain(error, anonymous));
    }
    // An io::Error may wrap another one.
    inner.downcast_ref::<io::Error>().and_then(|error| explain_io(error, anonymous))
}

fn explain(error: &rustls::Error, anonymous: bool) -> String {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the engine's certificate has expired (or this machine's clock is wrong); renew it".into()
            }
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "the engine's certificate is not valid yet; check the clocks of both machines".into()
            }
            Bad::UnknownIssuer => {
                "the engine's certificate is signed by an authority that is not trusted here; give its ca.pem (DOCKER_CERT_PATH or the context)".into()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "the engine's certificate is not for this host's name or address; use a name that it holds".into()
            }
            Bad::Revoked => "the engine's certificate is revoked".into(),
            other => format!("the engine's certificate is not accepted: {}", sanitize(&other.to_string(), PEER_TEXT_LIMIT)),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            // Engines built with an older Go say "bad certificate" when there is none.
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate if anonymous => {
                "the engine demands a client certificate; give cert.pem and key.pem (DOCKER_CERT_PATH or the context)".into()
            }
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => {
                format!("the engine does not accept our client certificate ({alert:?}); check cert.pem and key.pem")
            }
            AlertDescription::CertificateExpired => {
                "the engine says that our client certificate has expired; renew cert.pem".into()
            }
            other => format!("the engine broke off with {other:?}; it may demand a client certificate or another version of TLS"),
        },
        rustls::Error::InvalidMessage(_) => {
            "the peer speaks no TLS; unset DOCKER_TLS_VERIFY and DOCKER_TLS if it is meant so".into()
        }
        rustls::Error::PeerIncompatible(why) => {
            format!("the peer's TLS is too old or too unlike ours (at least 1.2 is needed): {why:?}")
        }
        other => sanitize(&other.to_string(), PEER_TEXT_LIMIT),
    }
}
