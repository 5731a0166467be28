//! The kernel's audit table, read and changed by netlink: no program is needed, and no rule but the one meant is touched.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::AUDIT;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use seaworthy_core::plan::Watch;

use super::KEY;
use crate::Failure;

// Of `linux/netlink.h` and `linux/audit.h`.
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const GET: u16 = 1000;
const SET: u16 = 1001;
const ADD_RULE: u16 = 1011;
const DEL_RULE: u16 = 1012;
const LIST_RULES: u16 = 1013;
const STATUS_ENABLED: u32 = 1;
const FILTER_EXIT: u32 = 4;
const ALWAYS: u32 = 2;
const EQUAL: u32 = 0x4000_0000;
const PATH: u32 = 105;
const PERM: u32 = 106;
const DIR: u32 = 107;
const FILTERKEY: u32 = 210;

const HEADER: usize = 16;
/// Words of `audit_rule_data` before its strings: flags, action, count, mask, three arrays, length of the strings.
const WORDS: usize = 3 + 64 + 3 * 64 + 1;
/// The largest datagram taken; a rule has at most 9 KiB.
const DATAGRAM: usize = 64 << 10;
/// The most rules that are read.
const MOST: usize = 200_000;

/// How auditing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// 0 off, 1 on, 2 on and locked until the next boot.
    pub enabled: u32,
    /// What the kernel does when it loses a record: 0 nothing, 1 a line in its log, 2 it stops the machine.
    pub failure: u32,
    /// The process that takes the records (auditd); 0 for none, and then they go to the kernel's log.
    pub receiver: u32,
}

/// One field of a rule: its number, its operator, and its value as a number or a text.
type Field = (u32, u32, Result<u32, Vec<u8>>);

/// A rule as a set of fields: two rules of one set record the same, in whatever order they were written.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As the kernel lists it; empty for one that was not read.
    raw: Vec<u8>,
    list: u32,
    action: u32,
    /// The system calls; none for all of them.
    calls: Option<Vec<u32>>,
    fields: BTreeSet<Field>,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        (self.list, self.action) == (other.list, other.action)
            && (&self.calls, &self.fields) == (&other.calls, &other.fields)
    }
}

impl Eq for Rule {}

impl Rule {
    /// The rule of a watch, with our key.
    pub fn of(watch: &Watch) -> Self {
        Self {
            raw: Vec::new(),
            list: FILTER_EXIT,
            action: ALWAYS,
            calls: None,
            fields: fields(watch, KEY).into_iter().map(|(f, v)| (f, EQUAL, v)).collect(),
        }
    }

    /// From an `audit_rule_data`; none where its lengths contradict each other.
    fn decode(data: &[u8]) -> Option<Self> {
        let mut strings = data.get(WORDS * 4..)?;
        let word = |index: usize| read_u32(data, index * 4);
        let count = usize::try_from(word(2)).ok().filter(|c| *c <= 64)?;
        let mask: Vec<u32> = (3..67).map(word).collect();
        let all = mask[..63].iter().all(|w| *w == u32::MAX) || mask.iter().all(|w| *w == 0);
        let mut fields = BTreeSet::new();
        for index in 0..count {
            let (field, value, op) = (word(67 + index), word(131 + index), word(195 + index));
            let value = if matches!(field, 13..=17 | 19..=23 | PATH | DIR | 112 | FILTERKEY) {
                let (text, rest) = strings.split_at_checked(value as usize)?;
                strings = rest;
                Err(text.to_vec())
            } else {
                Ok(value)
            };
            fields.insert((field, op, value));
        }
        Some(Self { raw: data.to_vec(), list: word(0) & 0xf, action: word(1), calls: (!all).then_some(mask), fields })
    }
}

/// The fields of a watch's rule in the order in which `auditctl -w` writes them; the kernel compares them in order.
fn fields(watch: &Watch, key: &str) -> [(u32, Result<u32, Vec<u8>>); 3] {
    let bits = watch.permissions.chars().fold(0, |bits, letter| {
        bits | match letter {
            'x' => 1,
            'w' => 2,
            'r' => 4,
            _ => 8,
        }
    });
    [
        (if watch.directory { DIR } else { PATH }, Err(watch.path.clone().into_bytes())),
        (PERM, Ok(bits)),
        (FILTERKEY, Err(key.as_bytes().to_vec())),
    ]
}

fn encode(watch: &Watch, key: &str) -> Vec<u8> {
    let mut words = vec![0u32; WORDS];
    (words[0], words[1]) = (FILTER_EXIT, ALWAYS);
    // As auditctl does it: otherwise neither it nor we could take out what the other loaded.
    words[3..67].fill(u32::MAX);
    let mut strings = Vec::new();
    for (index, (field, value)) in fields(watch, key).into_iter().enumerate() {
        words[2] += 1;
        words[67 + index] = field;
        words[195 + index] = EQUAL;
        words[131 + index] = match value {
            Ok(number) => number,
            Err(text) => {
                strings.extend_from_slice(&text);
                u32::try_from(text.len()).unwrap_or(u32::MAX)
            }
        };
    }
    words[WORDS - 1] = u32::try_from(strings.len()).unwrap_or(u32::MAX);
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
    bytes.extend(strings);
    bytes
}

/// What ends an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The one message asked for.
    Reply,
    /// The acknowledgement.
    Acknowledged,
    /// `NLMSG_DONE` after many.
    Done,
}

/// The kernel's table.
#[derive(Debug)]
pub struct Table {
    fd: OwnedFd,
    sequence: u32,
}

impl Table {
    /// Opens it; the kernel refuses the questions, not this, to those without the right.
    pub fn open() -> Result<Self, Failure> {
        let opened = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(AUDIT))
            .and_then(|fd| set_socket_timeout(&fd, Timeout::Recv, Some(Duration::from_secs(30))).map(|()| fd));
        Ok(Self { fd: opened.map_err(|e| why("open the kernel's audit", e))?, sequence: 0 })
    }

    /// How auditing stands.
    pub fn status(&mut self) -> Result<Status, Failure> {
        let mut status = None;
        let asked = self.ask(GET, &[], End::Reply, |body| {
            status = (body.len() >= 16).then(|| Status {
                enabled: read_u32(body, 4),
                failure: read_u32(body, 8),
                receiver: read_u32(body, 12),
            });
        });
        asked.map_err(|e| why("ask for the kernel's audit state", e))?;
        status.ok_or_else(|| Failure::new("ask for the kernel's audit state: the answer is too short"))
    }

    /// All rules.
    pub fn rules(&mut self) -> Result<Vec<Rule>, Failure> {
        let doing = "list the kernel's audit rules";
        let mut rules = Vec::new();
        self.ask(LIST_RULES, &[], End::Done, |body| rules.push(Rule::decode(body))).map_err(|e| why(doing, e))?;
        rules.into_iter().collect::<Option<_>>().ok_or_else(|| Failure(format!("{doing}: one is not understood")))
    }

    /// Adds the watch's rule behind all others; that it is there already is as good.
    pub fn add(&mut self, watch: &Watch) -> Result<(), Failure> {
        match self.ask(ADD_RULE, &encode(watch, KEY), End::Acknowledged, |_| {}) {
            Err(Errno::EXIST) => Ok(()),
            other => other.map_err(|e| why(&format!("load the audit rule for {}", watch.path), e)),
        }
    }

    /// Takes the watch's rule out, and nothing but it; whether it was there. It goes by the kernel's own words for it, since
    /// the kernel compares fields in their order, and another program may have loaded it since.
    pub fn delete(&mut self, watch: &Watch) -> Result<bool, Failure> {
        let wanted = Rule::of(watch);
        let Some(rule) = self.rules()?.into_iter().find(|rule| *rule == wanted) else { return Ok(false) };
        match self.ask(DEL_RULE, &rule.raw, End::Acknowledged, |_| {}) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(why(&format!("take out the audit rule for {}", watch.path), e)),
        }
    }

    /// Adds or takes out what somebody else would.
    #[cfg(test)]
    pub fn foreign(&mut self, watch: &Watch, key: &str, add: bool) -> Result<(), Errno> {
        self.ask(if add { ADD_RULE } else { DEL_RULE }, &encode(watch, key), End::Acknowledged, |_| {})
    }

    /// Switches recording on or off.
    pub fn enable(&mut self, on: bool) -> Result<(), Failure> {
        let mut words = [0u32; 10];
        (words[0], words[1]) = (STATUS_ENABLED, u32::from(on));
        let body: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let doing = if on { "switch the kernel's audit on" } else { "switch the kernel's audit off" };
        self.ask(SET, &body, End::Acknowledged, |_| {}).map_err(|e| why(doing, e))
    }

    fn ask(&mut self, kind: u16, body: &[u8], end: End, mut each: impl FnMut(&[u8])) -> Result<(), Errno> {
        self.sequence += 1;
        let flags = NLM_F_REQUEST | if end == End::Reply { 0 } else { NLM_F_ACK };
        send(&self.fd, &message(kind, flags, self.sequence, body), SendFlags::empty())?;
        let mut buffer = vec![0u8; DATAGRAM];
        for _ in 0..MOST {
            let (length, real) = recv(&self.fd, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            if real > length || length == 0 {
                return Err(Errno::BADMSG);
            }
            if walk(&buffer[..length], self.sequence, kind, end, &mut each)? {
                return Ok(());
            }
        }
        Err(Errno::BADMSG)
    }
}

/// Hands each message of the kind to `each`; true where the answer has come to its end.
fn walk(datagram: &[u8], sequence: u32, asked: u16, end: End, each: &mut impl FnMut(&[u8])) -> Result<bool, Errno> {
    let mut rest = datagram;
    while rest.len() >= HEADER {
        let length = read_u32(rest, 0) as usize;
        let kind = (read_u32(rest, 4) & 0xffff) as u16;
        let body = rest.get(HEADER..length).ok_or(Errno::BADMSG)?;
        if read_u32(rest, 8) == sequence {
            match kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR if read_u32(body, 0) == 0 && end == End::Acknowledged => return Ok(true),
                // Before many comes an acknowledgement, too.
                NLMSG_ERROR if read_u32(body, 0) == 0 => {}
                NLMSG_ERROR => {
                    let number = (read_u32(body, 0) as i32).checked_neg().filter(|n| (1..4096).contains(n));
                    return Err(number.map_or(Errno::BADMSG, Errno::from_raw_os_error));
                }
                kind if kind == asked => {
                    each(body);
                    if end == End::Reply {
                        return Ok(true);
                    }
                }
                _ => {}
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_ne_bytes([b[0], b[1], b[2], b[3]]))
}

fn why(doing: &str, error: Errno) -> Failure {
    let reason = match error {
        Errno::PERM | Errno::ACCESS => {
            "permission denied; this needs CAP_AUDIT_CONTROL in the machine's first user and PID namespace, and a table \
             that is not locked (auditctl -s: enabled 2)"
        }
        Errno::PROTONOSUPPORT => "this kernel has no audit support",
        Errno::CONNREFUSED => "the kernel answers for its audit in the machine's first user namespace alone",
        Errno::AGAIN => "the kernel did not answer within 30 s",
        Errno::NOENT => "the directory that it lies in is not there",
        other => return Failure(format!("{doing}: {}", std::io::Error::from(other))),
    };
    Failure(format!("{doing}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(path: &str, directory: bool) -> Watch {
        Watch { path: path.into(), directory, permissions: "wa".into(), kernel: true, disk: true }
    }

    #[test]
    fn a_rule_is_the_set_of_its_fields() {
        let data = encode(&watch("/etc/docker", true), KEY);
        assert_eq!(Rule::decode(&data).unwrap(), Rule::of(&watch("/etc/docker", true)));
        assert_ne!(Rule::decode(&data).unwrap(), Rule::of(&watch("/etc/docker", false)));
        assert_ne!(
            Rule::decode(&data).unwrap(),
            Rule::of(&Watch { permissions: "w".into(), ..watch("/etc/docker", true) })
        );
        // The key first and the permissions last: another order in the kernel, the same set.
        let mut words: Vec<u32> = data[..WORDS * 4].chunks(4).map(|c| read_u32(c, 0)).collect();
        for base in [67, 131, 195] {
            words.swap(base, base + 2);
        }
        let mut other: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        other.extend(format!("{KEY}/etc/docker").into_bytes());
        assert_eq!(Rule::decode(&other).unwrap(), Rule::of(&watch("/etc/docker", true)));
    }

    #[test]
    fn lengths_that_contradict_each_other_are_refused() {
        let data = encode(&watch("/etc/docker", true), KEY);
        assert_eq!(Rule::decode(&data[..data.len() - 1]), None);
        assert_eq!(Rule::decode(&data[..100]), None);
        let mut many = data;
        many[8..12].copy_from_slice(&500u32.to_ne_bytes());
        assert_eq!(Rule::decode(&many), None);
        let mut lies = message(LIST_RULES, 0, 1, b"abcd");
        lies[0] = 200;
        assert_eq!(walk(&lies, 1, LIST_RULES, End::Done, &mut |_| {}), Err(Errno::BADMSG));
        lies[0] = 3;
        assert_eq!(walk(&lies, 1, LIST_RULES, End::Done, &mut |_| {}), Err(Errno::BADMSG));
        let refused = message(NLMSG_ERROR, 0, 7, &(-17i32).to_ne_bytes());
        assert_eq!(walk(&refused, 7, ADD_RULE, End::Acknowledged, &mut |_| {}), Err(Errno::EXIST));
        // Not ours: another question's answer.
        assert_eq!(walk(&refused, 8, ADD_RULE, End::Acknowledged, &mut |_| {}), Ok(false));
    }
}
