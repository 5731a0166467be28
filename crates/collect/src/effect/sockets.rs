//! Listening TCP sockets of a network namespace, and which of them a process holds.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;
use rustix::net::netlink::SOCK_DIAG;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::read::{Buffer, MOST, link, reason};
use crate::host::netlink::{DUMP, Socket};
use crate::host::root::Unread;

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The address that it is bound to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl Listener {
    /// The port.
    pub fn port(self) -> u16 {
        self.port
    }
}

/// The listening sockets of a namespace by inode.
pub(super) type Table = Arc<BTreeMap<u64, Listener>>;

/// The most file descriptors of one process that are looked at.
const MOST_FDS: usize = 4096;

/// The listening sockets of a process's network namespace, in one of two ways: the kernel's `sock_diag` walks only those
/// that listen (0.1 ms), while the tables of `/proc/PID/net` walk every connection of the machine, whatever the
/// namespace (3 ms each with 24 GiB of memory). They stand in where `sock_diag` may not be used.
pub(super) fn table(process: impl AsFd, buffer: &mut Buffer) -> Result<Table, Unread> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let namespace = rustix::fs::openat(process.as_fd(), "ns/net", flags, Mode::empty());
    match namespace.and_then(|n| ask_kernel(&n)) {
        Ok(found) => Ok(Arc::new(found)),
        Err(_) => read_tables(process, buffer),
    }
}

/// Asks from a thread of its own that enters the namespace and ends with the answer: a namespace belongs to a thread,
/// and no other thread of ours may ever be in it. Nothing is run there; the thread only opens a socket.
fn ask_kernel(namespace: &OwnedFd) -> Result<BTreeMap<u64, Listener>, Errno> {
    let ask = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let mut out = BTreeMap::new();
        let request = listening_request();
        Socket::open(Some(SOCK_DIAG))?.ask(TCPDIAG_GETSOCK, DUMP, &request, |_, body| {
            if let Some((inode, listener)) = parse_answer(body) {
                out.insert(inode, listener);
            }
        })?;
        Ok(out)
    };
    std::thread::scope(|scope| {
        let thread =
            std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, ask).map_err(|_| Errno::AGAIN)?;
        thread.join().unwrap_or(Err(Errno::CANCELED))
    })
}

/// The older request of `linux/inet_diag.h`, which answers for IPv4 and IPv6 at once.
const TCPDIAG_GETSOCK: u16 = 18;

/// `struct inet_diag_req`: 4 bytes of family and lengths, 48 of addresses, then the states that are wanted as bits.
fn listening_request() -> [u8; 60] {
    /// `TCP_LISTEN` is state 10.
    const LISTENING: u32 = 1 << 10;
    let mut request = [0u8; 60];
    request[52..56].copy_from_slice(&LISTENING.to_ne_bytes());
    request
}

/// `struct inet_diag_msg`: family, state, two timers, the port at 4 and the address at 8 as they are on the wire, the
/// inode at 68. None where it is cut short or of another family.
pub fn parse_answer(body: &[u8]) -> Option<(u64, Listener)> {
    /// `AF_INET` and `AF_INET6`.
    const FAMILIES: (u8, u8) = (2, 10);
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let address = match *body.first()? {
        f if f == FAMILIES.0 => IpAddr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?),
        f if f == FAMILIES.1 => IpAddr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?),
        _ => return None,
    };
    let inode = u32::from_ne_bytes(body.get(68..72)?.try_into().ok()?);
    Some((u64::from(inode), Listener { address, port }))
}

/// Reads both tables of a process's network namespace.
fn read_tables(process: impl AsFd, buffer: &mut Buffer) -> Result<Table, Unread> {
    let mut out = BTreeMap::new();
    parse(buffer.text(process.as_fd(), "net/tcp")?, &mut out)?;
    match buffer.text(process.as_fd(), "net/tcp6") {
        Ok(text) => parse(text, &mut out)?,
        // A kernel without IPv6 has no such file.
        Err(Unread::Absent) => {}
        Err(gap) => return Err(gap),
    }
    Ok(Arc::new(out))
}

/// Adds the listening sockets in the text of `net/tcp` or `net/tcp6`.
///
/// # Errors
/// [`Unread::Other`] for a malformed line.
pub fn parse(text: &str, out: &mut BTreeMap<u64, Listener>) -> Result<(), Unread> {
    debug_assert!(text.len() <= MOST);
    for line in text.lines().skip(1) {
        let malformed = || Unread::Other("has a malformed line".into());
        let mut words = line.split_ascii_whitespace();
        let local = words.nth(1).ok_or_else(malformed)?;
        let state = words.nth(1).ok_or_else(malformed)?;
        // 0A is LISTEN.
        if state != "0A" {
            continue;
        }
        let inode = words.nth(5).and_then(|i| i.parse().ok()).ok_or_else(malformed)?;
        let listener = parse_address(local).ok_or_else(malformed)?;
        out.insert(inode, listener);
    }
    Ok(())
}

/// `0100007F:0016`: words of 32 bits as the machine's order has them, then the port.
fn parse_address(text: &str) -> Option<Listener> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0u8; 16];
            for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(i * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(Listener { address, port })
}

/// The inodes of the sockets that a process holds.
pub(super) fn inodes(process: impl AsFd) -> Result<Vec<u64>, Unread> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(process, "fd", flags, Mode::empty()).map_err(reason)?;
    let mut names = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(&dir, &mut names);
    let mut out = Vec::new();
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(reason)?;
        if !entry.file_name().to_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        count += 1;
        if count > MOST_FDS {
            return Err(Unread::TooLarge(MOST_FDS));
        }
        match link(&dir, entry.file_name(), socket) {
            Ok(inode) => out.extend(inode),
            // Closed meanwhile.
            Err(Unread::Absent) => {}
            Err(gap) => return Err(gap),
        }
    }
    Ok(out)
}

/// The inode in `socket:[548]`.
fn socket(target: &[u8]) -> Option<u64> {
    std::str::from_utf8(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?).ok()?.parse().ok()
}

/// Those of a table that are among the sockets held.
pub(super) fn held(inodes: &[u64], table: &Table) -> Vec<Listener> {
    let mut out: Vec<Listener> = inodes.iter().filter_map(|i| table.get(i).copied()).collect();
    out.sort_unstable();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_answer_is_read_and_short_ones_are_not() {
        let mut body = [0u8; 72];
        body[0] = 2;
        body[4..6].copy_from_slice(&22u16.to_be_bytes());
        body[8..12].copy_from_slice(&[127, 0, 0, 1]);
        body[68..72].copy_from_slice(&548u32.to_ne_bytes());
        assert_eq!(parse_answer(&body), Some((548, Listener { address: [127, 0, 0, 1].into(), port: 22 })));
        for length in 0..72 {
            assert_eq!(parse_answer(&body[..length]), None);
        }
        body[0] = 1;
        assert_eq!(parse_answer(&body), None);
    }

    #[test]
    fn recorded_tables_are_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 548 1 000000008e87bc16 100 0 0 10 0\n   1: 020200C0:97D2 507100CB:01BB 06 00000000:00000000 03:00000E4A 00000000     0        0 0 3 00000000853adc04\n";
        let mut out = BTreeMap::new();
        parse(text, &mut out).unwrap();
        assert_eq!(out.len(), 1);
        assert_eq!(out[&548], Listener { address: "0.0.0.0".parse().unwrap(), port: 22 });
        assert!(parse("header\nshort\n", &mut out).is_err());
        if cfg!(target_endian = "little") {
            assert_eq!(parse_address("0100007F:1F90").unwrap().address, IpAddr::from([127, 0, 0, 1]));
            assert_eq!(
                parse_address("00000000000000000000000001000000:0050").unwrap().address,
                "::1".parse::<IpAddr>().unwrap()
            );
        }
        assert_eq!(parse_address("zz:1"), None);
    }
}
