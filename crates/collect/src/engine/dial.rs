//! Opening a stream of bytes to an engine.

use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::endpoint::{Endpoint, TlsFiles, Transport};
use super::failure::Failure;
use super::lane::Stream;
use super::ssh::{self, Complaints};
use super::text::{PEER_TEXT_LIMIT, sanitize};
use super::tls::{self, PeerCertificate};

/// Opens connections to one endpoint.
pub(super) struct Dialer {
    endpoint: Endpoint,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
    files: TlsFiles,
}

/// An open stream.
pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    pub(super) complaints: Option<Complaints>,
    pub(super) certificate: Option<PeerCertificate>,
    /// Whether no certificate of ours was shown.
    pub(super) anonymous: bool,
}

impl Dialled {
    fn plain(stream: Box<dyn Stream>) -> Self {
        Self { stream, complaints: None, certificate: None, anonymous: true }
    }
}

impl Dialer {
    /// Reads the TLS material, so that its faults show before anything is opened.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, Failure> {
        let tls = match (&endpoint.transport, &endpoint.tls) {
            (Transport::Tcp { host, .. }, Some(files)) => {
                let failed = |why: String| Failure::Tls { at: endpoint.to_string(), why };
                let config = tls::client_config(files).map_err(failed)?;
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| failed("the host's name cannot stand in a certificate".into()))?;
                Some(Tls { connector: TlsConnector::from(Arc::new(config)), name, files: files.clone() })
            }
            _ => None,
        };
        Ok(Self { endpoint: endpoint.clone(), tls })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The path before every request's.
    pub(super) fn base(&self) -> &str {
        match &self.endpoint.transport {
            Transport::Tcp { base, .. } => base,
            _ => "",
        }
    }

    /// The `Host` header.
    pub(super) fn host_header(&self) -> String {
        match &self.endpoint.transport {
            Transport::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Transport::Tcp { host, port, .. } => format!("{host}:{port}"),
            // Any name will do; the CLI's engine-less one.
            _ => "api.moby.localhost".into(),
        }
    }

    /// What the first request on a connection may take over its limit: with `ssh` it waits for
    /// the login.
    pub(super) fn grace(&self) -> Duration {
        match self.endpoint.transport {
            Transport::Ssh(_) => ssh::CONNECT,
            _ => Duration::ZERO,
        }
    }

    /// Opens one connection. The caller bounds the time.
    pub(super) async fn open(&self) -> Result<Dialled, Failure> {
        let at = || self.endpoint.to_string();
        match &self.endpoint.transport {
            Transport::Unix(path) => {
                let stream = unix(path).await.map_err(|error| explain_unix(path, &error, at()))?;
                Ok(Dialled::plain(Box::new(stream)))
            }
            Transport::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port))
                    .await
                    .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
                    .map_err(|error| explain_tcp(&error, at()))?;
                match &self.tls {
                    Some(tls) => secure(tls, stream).await.map_err(|why| Failure::Tls { at: at(), why }),
                    None => Ok(Dialled::plain(Box::new(stream))),
                }
            }
            Transport::Ssh(address) => {
                let (pipe, complaints) = ssh::open(address, &at())?;
                Ok(Dialled { complaints: Some(complaints), ..Dialled::plain(Box::new(pipe)) })
            }
        }
    }
}

async fn secure(tls: &Tls, stream: TcpStream) -> Result<Dialled, String> {
    let stream = tls.connector.connect(tls.name.clone(), stream).await.map_err(|error| {
        tls::explain_io(&error, tls.files.cert.is_none()).unwrap_or_else(|| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
                "the peer closed the connection during the handshake; it may speak no TLS".into()
            }
            _ => format!("the handshake failed: {error}"),
        })
    })?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = PeerCertificate::of(chain, &tls.files);
    Ok(Dialled { certificate, anonymous: tls.files.cert.is_none(), ..Dialled::plain(Box::new(stream)) })
}

/// Opens a unix socket. A full queue of an engine that does not accept is `EAGAIN`, which is
/// waited out; the caller bounds the time.
async fn unix(path: &Path) -> io::Result<UnixStream> {
    let bytes = path.as_os_str().as_bytes();
    let abstract_name = bytes.first() == Some(&b'@');
    let mut name = bytes.to_vec();
    if abstract_name {
        name[0] = 0;
    }
    let path = Path::new(std::ffi::OsStr::from_bytes(&name));
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

fn explain_unix(path: &Path, error: &io::Error, at: String) -> Failure {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::NoSocket { at },
        // What is no socket refuses as a dead or a forbidden socket does.
        refusal @ (ErrorKind::PermissionDenied | ErrorKind::ConnectionRefused) => match std::fs::metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                Failure::NotASocket { at, found: kind_of(&found).to_owned() }
            }
            _ if refusal == ErrorKind::PermissionDenied => Failure::Denied { at, why: who_may(path) },
            _ => Failure::DeadSocket { at },
        },
        _ if error.raw_os_error() == Some(rustix::io::Errno::PROTOTYPE.raw_os_error()) => {
            Failure::NotASocket { at, found: "a socket of another kind (not a stream)".into() }
        }
        _ => Failure::Unreachable { at, why: sanitize(&error.to_string(), PEER_TEXT_LIMIT) },
    }
}

fn kind_of(found: &std::fs::Metadata) -> &'static str {
    let kind = found.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "a regular file"
    }
}

fn explain_tcp(error: &io::Error, at: String) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::DeadSocket { at },
        _ => Failure::Unreachable { at, why: sanitize(&error.to_string(), PEER_TEXT_LIMIT) },
    }
}

/// Says whose the socket is and who could open it, for one to whom it was refused.
fn who_may(path: &Path) -> String {
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(_) => {
            let closed = path.ancestors().skip(1).find(|above| std::fs::metadata(above).is_ok());
            let name = closed.unwrap_or(Path::new("/"));
            return format!(
                "the directory {} cannot be entered by this user; run as its owner or root",
                sanitize(&name.to_string_lossy(), PEER_TEXT_LIMIT)
            );
        }
    };
    invitation(&found, rustix::process::geteuid().as_raw())
}

/// Says who may open a socket, to the user `me` to whom it was refused.
fn invitation(found: &std::fs::Metadata, me: u32) -> String {
    let owner = name_of("/etc/passwd", found.uid());
    let group = name_of("/etc/group", found.gid());
    let mode = found.mode() & 0o7777;
    if me == 0 || mode & 0o002 != 0 || (me == found.uid() && mode & 0o200 != 0) {
        return format!(
            "it is {owner}:{group} {mode:04o}, which this user may open: a security module (AppArmor, SELinux) or a sandbox forbids it"
        );
    }
    let mut who = vec![format!("user {owner}")];
    if mode & 0o020 != 0 {
        who.push(format!("a member of group {group} (which is as good as root)"));
    }
    if found.uid() != 0 {
        who.push("root".into());
    }
    format!("it is {owner}:{group} {mode:04o}: run as {}", who.join(" or "))
}

/// The name of an id in `/etc/passwd` or `/etc/group`, else the number.
fn name_of(file: &str, id: u32) -> String {
    let wanted = id.to_string();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == wanted).then(|| sanitize(name, 64))
        })
        .unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn denied_names_who_would_have_the_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let owner = name_of("/etc/passwd", fs::metadata(&path).unwrap().uid());
        let group = name_of("/etc/group", fs::metadata(&path).unwrap().gid());
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        for (mode, expected) in [(0o460, true), (0o400, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let line = explain_unix(&path, &denied, "unix:///s".into()).to_string();
            assert!(line.starts_with("unix:///s: permission denied; it is "), "{line}");
            let found = fs::metadata(&path).unwrap();
            let line = invitation(&found, 4711);
            assert!(line.contains(&format!("{owner}:{group} {mode:04o}: run as user {owner}")), "{line}");
            assert_eq!(line.contains(&format!("a member of group {group}")), expected, "{line}");
            assert!(invitation(&found, 0).contains("security module"), "root is not sent to itself");
        }
    }

    #[test]
    fn a_forbidden_file_is_still_no_socket() {
        let denied = io::Error::from(ErrorKind::PermissionDenied);
        let failure = explain_unix(Path::new("/etc/passwd"), &denied, "x".into());
        assert!(matches!(&failure, Failure::NotASocket { found, .. } if found == "a regular file"), "{failure}");
    }

    #[test]
    fn denied_names_the_directory_where_that_is_closed() {
        let line = who_may(Path::new("/proc/1/no-such/docker.sock"));
        assert!(line.contains("the directory /proc/1 "), "{line}");
    }

    #[test]
    fn ids_without_a_name_stay_numbers() {
        assert_eq!(name_of("/etc/passwd", 0), "root");
        assert_eq!(name_of("/etc/group", 4_123_456_789), "4123456789");
        assert_eq!(name_of("/no/such/file", 7), "7");
    }
}
