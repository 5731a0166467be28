//! Listening sockets, who made them, and who holds them.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::netlink::{DUMP, Socket, attributes, read_u32};
use super::process::Proc;
use super::root::{Root, Unread};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The most bytes taken of one table of `/proc/PID/net`.
const TABLE: usize = 16 << 20;

/// A listening unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListener {
    /// The number by which a process holds it.
    pub inode: u64,
    /// Its path as given to `bind`, or its abstract name after `@`; `None` for one without a name.
    pub path: Option<String>,
    /// Inode and device (major, minor) of its file, where the kernel told them.
    pub file: Option<(u32, u32, u32)>,
}

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpListener {
    /// The number by which a process holds it.
    pub inode: u64,
    /// Its address and port.
    pub address: SocketAddr,
}

/// Who called `listen` on the socket that a connection reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The process, 0 when it is outside our process namespace.
    pub pid: u32,
    /// Its effective user id.
    pub uid: u32,
}

/// Connects to a unix socket (a path, or an abstract name after `@`), asks who listens there, and
/// hangs up.
///
/// # Errors
/// [`Unread`] with the reason for which it could not be reached.
pub fn peer(path: &Path) -> Result<Peer, Unread> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let name = path.as_os_str().as_encoded_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new(path)?,
    };
    match connect(&fd, &address) {
        Ok(()) => {}
        Err(Errno::AGAIN) => return Err(Unread::Other("its queue of connections is full".into())),
        Err(Errno::CONNREFUSED) => return Err(Unread::Other("nobody listens on it".into())),
        Err(errno) => return Err(errno.into()),
    }
    credentials(&fd)
}

#[allow(unsafe_code, reason = "rustix takes the process number for non-zero, but it is 0 outside our namespace")]
fn credentials(fd: &OwnedFd) -> Result<Peer, Unread> {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `fd` is open for the whole call, `peer` and `length` are valid for writes, `length`
    // is the size of `peer`, and any bytes are a valid `ucred`.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut peer).cast(), &raw mut length)
    };
    if result != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(Peer { pid: u32::try_from(peer.pid).unwrap_or(0), uid: peer.uid })
}

/// True when the kernel has this part already: asking for one that it has not would load a module,
/// and reading a host must not change it.
pub(super) fn present(module: &str) -> bool {
    if Path::new("/sys/module").join(module).exists() || !Path::new("/proc/modules").exists() {
        return true;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let built_in = format!("/lib/modules/{}/modules.builtin", release.trim());
    let list = Root::open(Path::new("/")).and_then(|r| r.read_text(built_in)).unwrap_or_default();
    list.contains(&format!("/{module}.ko"))
}

/// The listening unix sockets of our own network namespace with the files that they lie at.
///
/// # Errors
/// The kernel's refusal; `EOPNOTSUPP` where the kernel would have to load a module to answer.
pub fn unix_listeners() -> Result<Vec<UnixListener>, Errno> {
    if !present("unix_diag") {
        return Err(Errno::OPNOTSUPP);
    }
    const LISTEN: u32 = 1 << 10;
    const SHOW_NAME_AND_FILE: u32 = 1 | 2;
    let mut request = vec![libc::AF_UNIX as u8, 0, 0, 0];
    for word in [LISTEN, 0, SHOW_NAME_AND_FILE, u32::MAX, u32::MAX] {
        request.extend_from_slice(&word.to_ne_bytes());
    }
    let mut found = Vec::new();
    Socket::open(Some(SOCK_DIAG))?.ask(SOCK_DIAG_BY_FAMILY, DUMP, &request, |kind, body| {
        if kind == SOCK_DIAG_BY_FAMILY && body.len() >= 16 {
            found.push(decode(body));
        }
    })?;
    Ok(found)
}

/// Decodes one message about a unix socket (`unix_diag_msg` with its attributes).
pub fn decode(body: &[u8]) -> UnixListener {
    let mut listener = UnixListener { inode: u64::from(read_u32(body, 4)), path: None, file: None };
    for (kind, value) in attributes(body, 16) {
        match kind {
            0 => listener.path = socket_name(value),
            1 if value.len() >= 8 => {
                let device = read_u32(value, 4);
                // The kernel's own encoding: 12 bits of major, 20 of minor number.
                listener.file = Some((read_u32(value, 0), device >> 20, device & 0xf_ffff));
            }
            _ => {}
        }
    }
    listener
}

/// The listening TCP sockets of our own network namespace, of both versions. On a machine with much
/// memory this takes a hundredth of the time of the tables in `/proc`.
///
/// # Errors
/// As [`unix_listeners`].
pub fn tcp_listeners() -> Result<Vec<TcpListener>, Errno> {
    const LISTEN: u32 = 1 << 10;
    if !present("tcp_diag") {
        return Err(Errno::OPNOTSUPP);
    }
    let mut socket = Socket::open(Some(SOCK_DIAG))?;
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut request = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
        request.extend_from_slice(&LISTEN.to_ne_bytes());
        request.resize(8 + 48, 0);
        socket.ask(SOCK_DIAG_BY_FAMILY, DUMP, &request, |kind, body| {
            if kind == SOCK_DIAG_BY_FAMILY {
                found.extend(decode_tcp(body));
            }
        })?;
    }
    Ok(found)
}

/// Decodes one message about a TCP socket (`inet_diag_msg`); none where it is cut short or of another family.
pub fn decode_tcp(body: &[u8]) -> Option<TcpListener> {
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let ip = match i32::from(*body.first()?) {
        libc::AF_INET => IpAddr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?),
        libc::AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?),
        _ => return None,
    };
    body.get(68..72)?;
    Some(TcpListener { inode: u64::from(read_u32(body, 68)), address: SocketAddr::new(ip, port) })
}

/// The listening sockets among those that a process holds (their numbers), in its own network
/// namespace and in ours. The tables of TCP are asked only when a socket is of no other kind, as they cost
/// milliseconds; `ours` says that the namespace is that of this process.
///
/// # Errors
/// [`Unread`] with the reason.
pub fn held(proc: &Proc, pid: u32, held: &[u64], ours: bool) -> Result<(Vec<UnixListener>, Vec<TcpListener>), Unread> {
    let text = proc.read(pid, "net/unix", TABLE)?;
    let text = String::from_utf8_lossy(&text);
    let mut unix = parse_unix(&text);
    unix.retain(|l| held.contains(&l.inode));
    // Whoever started it may have handed sockets of another namespace to it, as systemd does to a service with a network
    // of its own.
    let handed = if ours { Vec::new() } else { unix_table(proc, std::process::id()).unwrap_or_default() };
    unix.extend(handed.into_iter().filter(|l| held.contains(&l.inode)));
    let netlink = proc.read(pid, "net/netlink", TABLE).unwrap_or_default();
    let netlink = String::from_utf8_lossy(&netlink);
    let ends: HashSet<u64> = netlink.lines().filter_map(|l| l.split_whitespace().last()?.parse().ok()).collect();
    let unixes: HashSet<u64> = text.lines().filter_map(|l| l.split_whitespace().nth(6)?.parse().ok()).collect();
    if held.iter().all(|s| unixes.contains(s) || ends.contains(s)) {
        return Ok((unix, Vec::new()));
    }
    let listeners = if ours { tcp_listeners() } else { in_network_of(proc, pid, tcp_listeners) };
    let mut tcp = match listeners {
        Ok(listeners) => listeners,
        Err(_) => tcp_table(proc, pid)?,
    };
    if !ours {
        tcp.extend(tcp_listeners().or_else(|_| tcp_table(proc, std::process::id())).unwrap_or_default());
    }
    tcp.retain(|l| held.contains(&l.inode));
    Ok((unix, tcp))
}

/// Asks in the network namespace of a process, by a thread that enters it and ends.
///
/// # Errors
/// The kernel's refusal to enter (it needs CAP_SYS_ADMIN), or what `ask` answers.
pub fn in_network_of<T: Send>(
    proc: &Proc,
    pid: u32,
    ask: impl FnOnce() -> Result<T, Errno> + Send,
) -> Result<T, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(proc.entry(pid, "ns/net"), flags, Mode::empty())?;
    let enter = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        ask()
    };
    std::thread::scope(|scope| scope.spawn(enter).join()).unwrap_or(Err(Errno::CANCELED))
}

fn socket_name(bytes: &[u8]) -> Option<String> {
    match bytes {
        [] => None,
        [0, name @ ..] => Some(format!("@{}", String::from_utf8_lossy(name))),
        name => {
            let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
            Some(String::from_utf8_lossy(&name[..end]).into_owned())
        }
    }
}

/// The listening unix sockets of a process's network namespace, by its table in `/proc`.
///
/// # Errors
/// [`Unread`] with the reason.
pub fn unix_table(proc: &Proc, pid: u32) -> Result<Vec<UnixListener>, Unread> {
    let bytes = proc.read(pid, "net/unix", TABLE)?;
    Ok(parse_unix(&String::from_utf8_lossy(&bytes)))
}

/// Parses `/proc/PID/net/unix`; lines that are no listener are passed over.
pub fn parse_unix(text: &str) -> Vec<UnixListener> {
    const ACCEPTS: u32 = 0x1_0000;
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let mut rest = line;
        let mut fields = [""; 7];
        for field in &mut fields {
            rest = rest.trim_start();
            let end = rest.find(' ').unwrap_or(rest.len());
            (*field, rest) = rest.split_at(end);
        }
        let flags = u32::from_str_radix(fields[3], 16).unwrap_or(0);
        let (true, Ok(inode)) = (flags & ACCEPTS != 0, fields[6].parse()) else { continue };
        let path = rest.strip_prefix(' ').filter(|p| !p.is_empty()).map(str::to_owned);
        found.push(UnixListener { inode, path, file: None });
    }
    found
}

/// The listening TCP sockets of a process's network namespace, of both versions.
///
/// # Errors
/// [`Unread`] with the reason; a kernel without IPv6 has no second table.
pub fn tcp_table(proc: &Proc, pid: u32) -> Result<Vec<TcpListener>, Unread> {
    let mut found = parse_tcp(&String::from_utf8_lossy(&proc.read(pid, "net/tcp", TABLE)?));
    match proc.read(pid, "net/tcp6", TABLE) {
        Ok(bytes) => found.extend(parse_tcp(&String::from_utf8_lossy(&bytes))),
        Err(Unread::Absent) => {}
        Err(why) => return Err(why),
    }
    Ok(found)
}

/// Parses `/proc/PID/net/tcp` or `tcp6`; lines that are no listener are passed over.
pub fn parse_tcp(text: &str) -> Vec<TcpListener> {
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().take(10).collect();
        if fields.get(3) != Some(&"0A") {
            continue;
        }
        let address = fields.get(1).and_then(|a| parse_address(a));
        if let (Some(address), Some(Ok(inode))) = (address, fields.get(9).map(|i| i.parse())) {
            found.push(TcpListener { inode, address });
        }
    }
    found
}

/// Parses `0100007F:1F90`: words of the address in the machine's order, the port in hexadecimal.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0u8; 16];
            for index in 0..4 {
                bytes[index * 4..][..4].copy_from_slice(&word(index * 8)?.to_ne_bytes());
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_proc_are_read() {
        let unix = "Num RefCount Protocol Flags Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 23541 /run/with space/docker.sock\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 7 @abstract\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 8 /run/connected\n\
            rubbish\n";
        let found = parse_unix(unix);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].path.as_deref(), Some("/run/with space/docker.sock"));
        assert_eq!((found[1].inode, found[1].path.as_deref()), (7, Some("@abstract")));
        if cfg!(target_endian = "little") {
            let tcp = "  sl  local_address rem_address   st\n\
                0: 0100007F:0947 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 33 1\n\
                1: 0100007F:0948 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 34 1\n\
                2: 00000000000000000000000001000000:0050 0:0 0A 0:0 00:0 0 0 0 35\n";
            let found: Vec<String> = parse_tcp(tcp).iter().map(|l| format!("{} {}", l.address, l.inode)).collect();
            assert_eq!(found, ["127.0.0.1:2375 33", "[::1]:80 35"]);
        }
    }

    #[test]
    fn own_sockets_are_found_exactly_and_their_maker_too() {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let _held = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = peer(&path).unwrap();
        assert_eq!(peer.pid, std::process::id());
        let proc = Proc::open(&Root::open(Path::new("/")).unwrap()).unwrap();
        let held = proc.sockets(peer.pid).unwrap();
        let address = tcp.local_addr().unwrap();
        let table = tcp_table(&proc, peer.pid).unwrap();
        assert!(table.iter().any(|l| l.address == address && held.contains(&l.inode)));
        let table = unix_table(&proc, peer.pid).unwrap();
        assert!(table.iter().any(|l| l.path.as_deref() == path.to_str() && held.contains(&l.inode)));
        let (unix, listening) = super::held(&proc, peer.pid, &held, true).unwrap();
        assert!(unix.iter().any(|l| l.path.as_deref() == path.to_str()));
        assert!(listening.iter().any(|l| l.address == address), "{listening:?}");
        if let Ok(listeners) = tcp_listeners() {
            assert!(listeners.iter().any(|l| l.address == address && held.contains(&l.inode)));
        }
        if let Ok(listeners) = unix_listeners() {
            let found = listeners.iter().find(|l| l.path.as_deref() == path.to_str()).unwrap();
            let stat = std::fs::metadata(&path).unwrap();
            let (inode, major, minor) = found.file.unwrap();
            assert_eq!(inode, stat.ino() as u32);
            assert_eq!((major, minor), (rustix::fs::major(stat.dev()), rustix::fs::minor(stat.dev())));
            assert!(held.contains(&found.inode));
        }
    }

    #[test]
    fn sockets_that_were_handed_into_another_network_are_found() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut command = std::process::Command::new("unshare");
        command.args(["-n", "sleep", "60"]).stdin(OwnedFd::from(tcp)).stdout(OwnedFd::from(unix));
        let Ok(mut child) = command.stderr(std::process::Stdio::null()).spawn() else { return };
        let proc = Proc::open(&Root::open(Path::new("/")).unwrap()).unwrap();
        let own = proc.namespace(std::process::id(), "net");
        // Until it is there; who is not root is refused.
        while proc.namespace(child.id(), "net") == own && child.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let sockets = proc.sockets(child.id()).unwrap_or_default();
        let found = super::held(&proc, child.id(), &sockets, false);
        let ended = child.try_wait().unwrap().is_some();
        let _ended = child.kill().and_then(|()| child.wait());
        if ended {
            return;
        }
        let (unix, tcp) = found.unwrap();
        assert!(tcp.iter().any(|l| l.address == address), "{tcp:?}");
        assert!(unix.iter().any(|l| l.path.as_deref() == path.to_str()), "{unix:?}");
    }

    #[test]
    fn nobody_nothing_and_no_socket_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join("dead");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        assert_eq!(peer(&dead), Err(Unread::Other("nobody listens on it".into())));
        assert_eq!(peer(&dir.path().join("none")), Err(Unread::Absent));
        assert!(peer(Path::new(&"x".repeat(300))).is_err());
    }
}
