//! The little of netlink that reading a host needs: a request, and its answers as bytes.
//!
//! Reading only: nothing here sends a message that sets anything.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// `NLM_F_REQUEST`, as in `linux/netlink.h`.
pub const REQUEST: u16 = 1;
/// `NLM_F_ACK`.
pub const ACK: u16 = 4;
/// `NLM_F_ROOT | NLM_F_MATCH`: all entries.
pub const DUMP: u16 = 0x300;

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_MULTI: u16 = 2;
/// The largest datagram taken: the kernel's own dumps stay at or below 32 KiB; an audit rule at 9 KiB.
const DATAGRAM: usize = 64 << 10;
/// The most messages taken from one answer.
const MOST: usize = 200_000;

/// One answered message: its type and its payload.
pub type Message = (u16, Vec<u8>);

/// A netlink socket to the kernel.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens a socket of one netlink protocol (`None`: of routing, whose number is 0), with a limit of two seconds on every answer.
    ///
    /// # Errors
    /// The kernel's refusal, such as `EPROTONOSUPPORT` where the protocol is not built in.
    pub fn open(protocol: Option<Protocol>) -> Result<Self, Errno> {
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        set_socket_timeout(&fd, Timeout::Recv, Some(Duration::from_secs(2)))?;
        Ok(Self { fd, sequence: 0 })
    }

    /// Sends one request and hands every message of the answer to `each` (type, payload), until
    /// the answer is complete.
    ///
    /// # Errors
    /// The error that the kernel answered, or `EBADMSG` for an answer that breaks its own lengths.
    pub fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        payload: &[u8],
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), Errno> {
        self.sequence += 1;
        let request = encode(kind, flags | REQUEST, self.sequence, payload);
        send(&self.fd, &request, SendFlags::empty())?;
        let mut buffer = vec![0u8; DATAGRAM];
        let mut seen = 0usize;
        loop {
            let (length, real) = recv(&self.fd, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            if real > length || length == 0 {
                return Err(Errno::BADMSG);
            }
            match walk(&buffer[..length], self.sequence, flags, &mut each, &mut seen)? {
                State::More => {}
                State::Complete => return Ok(()),
            }
            if seen > MOST {
                return Err(Errno::BADMSG);
            }
        }
    }
}

/// Whether an answer has come to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// More datagrams follow.
    More,
    /// That was all.
    Complete,
}

/// Hands every message of a datagram that answers request number `sequence` to `each` (type, payload), and counts
/// all of them in `seen`.
///
/// # Errors
/// As [`Socket::ask`].
pub fn walk(
    datagram: &[u8],
    sequence: u32,
    flags: u16,
    each: &mut impl FnMut(u16, &[u8]),
    seen: &mut usize,
) -> Result<State, Errno> {
    let mut rest = datagram;
    while rest.len() >= HEADER {
        let length = read_u32(rest, 0) as usize;
        let kind = read_u16(rest, 4);
        let its_flags = read_u16(rest, 6);
        let its_sequence = read_u32(rest, 8);
        if length < HEADER || length > rest.len() {
            return Err(Errno::BADMSG);
        }
        let body = &rest[HEADER..length];
        *seen += 1;
        if its_sequence == sequence {
            match kind {
                NLMSG_DONE => return Ok(State::Complete),
                NLMSG_ERROR => {
                    let code = body.get(..4).map_or(0, |b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
                    if code != 0 {
                        // The kernel's numbers end at 4095; others are no errors, and rustix panics on them.
                        let known = code.checked_neg().filter(|number| (1..4096).contains(number));
                        return Err(known.map_or(Errno::BADMSG, Errno::from_raw_os_error));
                    }
                    // The bare acknowledgement of a dump comes before its entries.
                }
                _ => {
                    each(kind, body);
                    if its_flags & NLM_F_MULTI == 0 && flags & (ACK | DUMP) == 0 {
                        return Ok(State::Complete);
                    }
                }
            }
        }
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    Ok(State::More)
}

fn encode(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The 16 bits at `at` in the machine's order; 0 where the bytes end before.
pub fn read_u16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_ne_bytes([b[0], b[1]]))
}

/// The 32 bits at `at` in the machine's order; 0 where the bytes end before.
pub fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
}

/// The attributes (type, value) that follow a fixed header of `skip` bytes; a broken one ends them.
pub fn attributes(payload: &[u8], skip: usize) -> Vec<(u16, &[u8])> {
    let mut out = Vec::new();
    let mut rest = payload.get(skip..).unwrap_or_default();
    while rest.len() >= 4 {
        let length = usize::from(read_u16(rest, 0));
        if length < 4 || length > rest.len() {
            break;
        }
        out.push((read_u16(rest, 2) & 0x3fff, &rest[4..length]));
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_lies_about_its_length_is_refused() {
        let mut seen = 0;
        let mut bytes = encode(1013, 0, 1, &[1, 2, 3, 4]);
        bytes[0] = 200;
        assert_eq!(walk(&bytes, 1, ACK, &mut |_, _| {}, &mut seen), Err(Errno::BADMSG));
        bytes[0] = 3;
        assert_eq!(walk(&bytes, 1, ACK, &mut |_, _| {}, &mut seen), Err(Errno::BADMSG));
    }

    #[test]
    fn a_refusal_is_an_error_and_done_ends_the_answer() {
        let mut seen = 0;
        let refused = encode(NLMSG_ERROR, 0, 7, &(-1i32).to_ne_bytes());
        assert_eq!(walk(&refused, 7, 0, &mut |_, _| {}, &mut seen), Err(Errno::PERM));
        let mut all = encode(20, NLM_F_MULTI, 7, b"abcd");
        all.extend(encode(NLMSG_DONE, NLM_F_MULTI, 7, &0u32.to_ne_bytes()));
        let mut got = Vec::new();
        assert_eq!(
            walk(&all, 7, DUMP, &mut |kind, body| got.push((kind, body.to_vec())), &mut seen),
            Ok(State::Complete)
        );
        assert_eq!(got, [(20, b"abcd".to_vec())]);
    }

    #[test]
    fn attributes_end_where_they_break() {
        let mut bytes = vec![0u8; 8];
        bytes.extend([5u16.to_ne_bytes(), 1u16.to_ne_bytes()].concat());
        bytes.extend([b'x', 0, 0, 0]);
        bytes.extend([200u16.to_ne_bytes(), 2u16.to_ne_bytes()].concat());
        assert_eq!(attributes(&bytes, 8), [(1, &b"x"[..])]);
        assert!(attributes(&bytes, 400).is_empty());
    }
}
