//! Where an engine is: the host strings that the docker CLI accepts, parsed as it parses them.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::text::{PEER_TEXT_LIMIT, sanitize};

/// The socket that the docker CLI opens when nothing else is named.
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Docker's registered port without TLS; the CLI takes it for any `tcp://` host without a port.
const DEFAULT_PORT: u16 = 2375;

/// An engine's address with what is needed to open it. It holds paths of keys, never keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How it is reached.
    pub transport: Transport,
    /// The TLS material, where TLS is used. Ignored for sockets and `ssh`, as the CLI does.
    pub tls: Option<TlsFiles>,
}

/// How an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket. A path that begins with `@` is an abstract one.
    Unix(PathBuf),
    /// TCP, with TLS where the endpoint has it.
    Tcp {
        /// Name or address, without the brackets of IPv6.
        host: String,
        /// The port.
        port: u16,
        /// A path before every request's, empty or beginning with `/`.
        base: String,
    },
    /// The system's `ssh`, with `docker system dial-stdio` at the other end.
    Ssh(Ssh),
}

/// An `ssh://` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The `ssh` program found in `PATH`; `None` if there is none.
    pub program: Option<PathBuf>,
    /// The user, where one is named.
    pub user: Option<String>,
    /// The host, without the brackets of IPv6; never begins with `-`.
    pub host: String,
    /// The port, where one is named.
    pub port: Option<u16>,
    /// The engine's socket over there, where one is named.
    pub socket: Option<String>,
}

/// Where TLS material lies. Files are read when connecting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities to trust (PEM); `None` means the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate (PEM).
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// Whether the server's certificate is left unverified: a fact worth a finding.
    pub skip_verify: bool,
}

impl fmt::Display for Endpoint {
    /// The address as a URL, without user or password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            Transport::Unix(path) => {
                write!(f, "unix://{}", sanitize(&path.to_string_lossy(), PEER_TEXT_LIMIT))
            }
            Transport::Tcp { host, port, base } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}{base}")
            }
            Transport::Tcp { host, port, base } => write!(f, "tcp://{host}:{port}{base}"),
            Transport::Ssh(ssh) => {
                if ssh.host.contains(':') {
                    write!(f, "ssh://[{}]", ssh.host)?;
                } else {
                    write!(f, "ssh://{}", ssh.host)?;
                }
                if let Some(port) = ssh.port {
                    write!(f, ":{port}")?;
                }
                match &ssh.socket {
                    Some(socket) => f.write_str(&sanitize(socket, PEER_TEXT_LIMIT)),
                    None => Ok(()),
                }
            }
        }
    }
}

impl Endpoint {
    /// Parses a host string. `tls` is the material that the environment or the context gives;
    /// `given` says where the string comes from, for the error.
    ///
    /// # Errors
    /// [`Failure::Usage`] for what the CLI would refuse, and for `npipe://` and `fd://`.
    pub(super) fn parse(text: &str, tls: Option<TlsFiles>, given: &str) -> Result<Self, Failure> {
        let text = text.trim();
        let wrong = |why: &str| Failure::Usage {
            what: format!("{given} ({})", sanitize(&without_user(text), PEER_TEXT_LIMIT)),
            why: why.to_owned(),
        };
        if text.contains('\0') {
            return Err(wrong("holds a zero byte"));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(parts) => parts,
            None if text.is_empty() || text.starts_with('/') || text.starts_with("./") => ("unix", text),
            None => ("tcp", text),
        };
        let transport = match scheme {
            "unix" if rest.contains("://") => return Err(wrong("is no path of a socket")),
            "unix" if rest.is_empty() => Transport::Unix(DEFAULT_SOCKET.into()),
            "unix" => Transport::Unix(rest.into()),
            "tcp" => tcp(rest, DEFAULT_PORT).map_err(|why| wrong(&why))?,
            "http" => tcp(rest, 80).map_err(|why| wrong(&why))?,
            "https" => tcp(rest, 443).map_err(|why| wrong(&why))?,
            "ssh" => Transport::Ssh(ssh(rest).map_err(|why| wrong(&why))?),
            "npipe" => return Err(wrong("named pipes exist on Windows only; use unix://, tcp:// or ssh://")),
            "fd" => {
                return Err(wrong(
                    "fd:// is where an engine listens, not where a client connects; use unix:// with the path of its socket",
                ));
            }
            _ => return Err(wrong("unknown kind of address; use unix://, tcp://, http(s):// or ssh://")),
        };
        let tls = match (&transport, scheme) {
            (Transport::Tcp { .. }, "https") => Some(tls.unwrap_or_default()),
            (Transport::Tcp { .. }, "tcp") => tls,
            _ => None,
        };
        Ok(Self { transport, tls })
    }

    /// The path of the unix socket, where it is one that has a path.
    #[must_use]
    pub fn socket_path(&self) -> Option<&Path> {
        match &self.transport {
            Transport::Unix(path) => {
                Some(path).filter(|path| !path.as_os_str().as_bytes().starts_with(b"@")).map(PathBuf::as_path)
            }
            _ => None,
        }
    }

    /// Whether it is a socket of this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.transport, Transport::Unix(_))
    }
}

/// A host string without all that may be a user and a password, even where it is malformed.
fn without_user(text: &str) -> String {
    let (scheme, rest) = text.split_at(text.find("://").map_or(0, |start| start + 3));
    match rest.rsplit_once('@') {
        Some((user, host)) if !user.is_empty() => format!("{scheme}{host}"),
        _ => text.to_owned(),
    }
}

fn tcp(rest: &str, default_port: u16) -> Result<Transport, String> {
    if rest.contains("://") {
        return Err("is no host and port".into());
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if path.contains(['?', '#']) {
        return Err("has a query or fragment, which an engine's address cannot have".into());
    }
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = host_and_port(authority)?;
    let host = if host.is_empty() { "localhost" } else { host };
    if !host.bytes().all(is_host_byte) {
        return Err("has a host name with characters that no host has".into());
    }
    let base = path.trim_end_matches('/');
    if !base.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("has a path with characters that a URL cannot have".into());
    }
    Ok(Transport::Tcp { host: host.to_owned(), port: port.unwrap_or(default_port), base: base.to_owned() })
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(inner) = authority.strip_prefix('[') {
        let (host, after) = inner.split_once(']').ok_or("has '[' without ']'")?;
        match after.strip_prefix(':') {
            Some(port) => (host, port),
            None if after.is_empty() => (host, ""),
            None => return Err("has something other than a port after ']'".into()),
        }
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("has too many colons; write an IPv6 address in brackets".into());
            }
            Some((host, port)) => (host, port),
            None => (authority, ""),
        }
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    match port.parse::<u16>() {
        Ok(number) if number != 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok((host, Some(number))),
        _ => Err("has a port that is no number from 1 to 65535".into()),
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%')
}

fn ssh(rest: &str) -> Result<Ssh, String> {
    if rest.contains(['?', '#']) {
        return Err("has a query or fragment, which an ssh:// address cannot have".into());
    }
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, authority) = match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => {
            return Err("holds a password, which ssh does not take from an address; use a key".into());
        }
        Some((user, host)) => (Some(percent_decode(user)?), host),
        None => (None, authority),
    };
    let (host, port) = host_and_port(authority)?;
    if host.is_empty() {
        return Err("names no host".into());
    }
    // ssh's own configuration may put host and user into shell commands (ProxyCommand), so only
    // what needs no quoting is passed on; and a leading '-' would be read as an option.
    if host.starts_with('-') || !host.bytes().all(is_host_byte) {
        return Err("has a host name that begins with '-' or has characters that no host has".into());
    }
    let user = user.filter(|name| !name.is_empty());
    if user.as_deref().is_some_and(|name| name.starts_with('-') || !name.bytes().all(is_user_byte)) {
        return Err("has a user name that begins with '-' or has characters that a shell would read".into());
    }
    let path = percent_decode(path)?;
    if path.chars().any(char::is_control) {
        return Err("has a path with control characters".into());
    }
    let socket = (!path.trim_matches('/').is_empty()).then_some(path);
    Ok(Ssh { program: None, user, host: host.to_owned(), port, socket })
}

fn is_user_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'@') || byte >= 0x80
}

fn percent_decode(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (digit(bytes.next()), digit(bytes.next())) {
            (Some(high), Some(low)) => out.push((high * 16 + low) as u8),
            _ => return Err("has a '%' without two hexadecimal digits after it".into()),
        }
    }
    String::from_utf8(out).map_err(|_| "is not UTF-8 once decoded".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Endpoint::parse(text, Some(TlsFiles::default()), "test") {
            Ok(endpoint) if endpoint.tls.is_some() => format!("{endpoint} tls"),
            Ok(endpoint) => endpoint.to_string(),
            Err(failure) => format!("error: {failure}"),
        }
    }

    #[test]
    fn takes_the_forms_of_the_cli() {
        for (text, expected) in [
            ("", "unix:///var/run/docker.sock"),
            ("unix://", "unix:///var/run/docker.sock"),
            ("unix:///run/x.sock", "unix:///run/x.sock"),
            ("/run/x.sock", "unix:///run/x.sock"),
            ("./x.sock", "unix://./x.sock"),
            ("unix://@hidden", "unix://@hidden"),
            ("tcp://", "tcp://localhost:2375 tls"),
            (":2375", "tcp://localhost:2375 tls"),
            ("example.org", "tcp://example.org:2375 tls"),
            (" tcp://example.org:1234/base/ ", "tcp://example.org:1234/base tls"),
            ("tcp://user:secret@example.org", "tcp://example.org:2375 tls"),
            ("[::1]:5555", "tcp://[::1]:5555 tls"),
            ("tcp://[::1]", "tcp://[::1]:2375 tls"),
            ("tcp://[::1]:", "tcp://[::1]:2375 tls"),
            ("http://h", "tcp://h:80"),
            ("https://h", "tcp://h:443 tls"),
            ("ssh://me@h:22/run/d.sock", "ssh://h:22/run/d.sock"),
            ("ssh://h/", "ssh://h"),
            ("ssh://[fe80::1%25eth0]:22", "ssh://[fe80::1%25eth0]:22"),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_in_one_line_without_secrets() {
        for (text, part) in [
            ("npipe:////./pipe/docker_engine", "Windows"),
            ("fd://", "listens"),
            ("gopher://x", "unknown kind"),
            ("tcp://h:0", "port"),
            ("tcp://h:99999", "port"),
            ("tcp://h:+5", "port"),
            ("tcp://::1:5", "brackets"),
            ("tcp://[::1", "without ']'"),
            ("tcp://h x:5", "characters"),
            ("tcp://h\n:5", "characters"),
            ("tcp://unix:///x", "host and port"),
            ("unix://tcp://x", "no path"),
            ("ssh://-oProxyCommand=x", "begins with '-'"),
            ("ssh://-x@h", "begins with '-'"),
            ("ssh://a$(id)@h", "shell"),
            ("ssh://h;id", "characters"),
            ("ssh://me:pa55@h", "password"),
            ("ssh://me:pa55/22@h", "port"),
            ("me:pa55@h:port", "port"),
            ("me:1/pa55@h:x y?", "query"),
            ("ssh://", "no host"),
            ("ssh://h?x", "query"),
            ("ssh://h/%0a", "control"),
            ("ssh://h/%zz", "hexadecimal"),
        ] {
            let line = parsed(text);
            assert!(line.starts_with("error: test (") && line.contains(part), "{text}: {line}");
            assert!(!line.contains('\n') && !line.contains("pa55"), "{line}");
        }
    }

    #[test]
    fn keeps_what_ssh_needs() {
        let endpoint = Endpoint::parse("ssh://me%2ex@h:2222/a%20b", None, "test").unwrap();
        let Transport::Ssh(ssh) = endpoint.transport else { panic!("no ssh") };
        assert_eq!(ssh.user.as_deref(), Some("me.x"));
        assert_eq!((ssh.host.as_str(), ssh.port), ("h", Some(2222)));
        assert_eq!(ssh.socket.as_deref(), Some("/a b"));
    }
}
