//! The matches and targets of iptables, as `iptables-nft` hands them to the kernel (`linux/netfilter/xt_….h`).

use super::expression::{Expression, Verdict};
use crate::host::netlink::{read_u16, read_u32};

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// `-p tcp` and `-p udp`: ranges of ports, and the flags of TCP (mask, set).
    Ports { source: (u16, u16), not_source: bool, destination: (u16, u16), not_destination: bool, flags: Flags },
    /// `--dports` and `--sports`: which side (0 source, 1 destination, 2 either), ranges.
    Multiport { side: u8, ports: Vec<(u16, u16)>, reversed: bool },
    /// `-m conntrack`, `-m state`.
    Connection(Box<Connection>),
    /// `-m addrtype` of the destination: a mask of `1 << RTN_…`.
    DestinationKind { mask: u16, reversed: bool },
    /// `-m comment`.
    Always,
    /// May or may not match.
    Maybe,
}

/// The flags of TCP that are looked at, those that must be set, and whether that is reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    pub mask: u8,
    pub set: u8,
    pub reversed: bool,
    /// Options are looked at, which are not known.
    pub options: bool,
}

/// What `-m conntrack` asks; what is not here may or may not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub asks: u16,
    pub reversed: u16,
    pub states: u16,
    pub status: u16,
    pub protocol: u16,
    /// The original destination with its mask.
    pub original: ([u8; 16], [u8; 16]),
    pub original_ports: (u16, u16),
}

/// `XT_CONNTRACK_…`.
pub const STATE: u16 = 1;
pub const PROTOCOL: u16 = 2;
pub const ORIGINAL: u16 = 1 << 3;
pub const STATUS: u16 = 1 << 6;
pub const ORIGINAL_PORT: u16 = 1 << 9;
pub const DIRECTION: u16 = 1 << 12;

impl Match {
    pub(super) fn read(name: &str, revision: u32, info: &[u8]) -> Self {
        Self::known(name, revision, info).unwrap_or(Self::Maybe)
    }

    fn known(name: &str, revision: u32, info: &[u8]) -> Option<Self> {
        let pair = |at| (read_u16(info, at), read_u16(info, at + 2));
        Some(match (name, revision) {
            ("comment", _) => Self::Always,
            ("tcp", 0) if info.len() >= 12 => Self::Ports {
                source: pair(0),
                not_source: info[11] & 1 != 0,
                destination: pair(4),
                not_destination: info[11] & 2 != 0,
                flags: Flags { mask: info[9], set: info[10], reversed: info[11] & 4 != 0, options: info[8] != 0 },
            },
            ("udp", 0) if info.len() >= 9 => Self::Ports {
                source: pair(0),
                not_source: info[8] & 1 != 0,
                destination: pair(4),
                not_destination: info[8] & 2 != 0,
                flags: Flags::default(),
            },
            ("multiport", 1) if info.len() >= 48 => multiport(info),
            ("addrtype", 1) if info.len() >= 8 => {
                let (source, mask, flags) = (read_u16(info, 0), read_u16(info, 2), read_u32(info, 4));
                if source != 0 || flags & !2 != 0 {
                    return None;
                }
                Self::DestinationKind { mask, reversed: flags & 2 != 0 }
            }
            ("conntrack", 2 | 3) if info.len() >= 154 => connection(revision, info)?,
            ("state", 0) if info.len() >= 4 => Self::Connection(Box::new(Connection {
                asks: STATE,
                reversed: 0,
                states: read_u16(info, 0),
                status: 0,
                protocol: 0,
                original: ([0; 16], [0; 16]),
                original_ports: (0, 0),
            })),
            _ => return None,
        })
    }
}

fn multiport(info: &[u8]) -> Match {
    let count = usize::from(info[1]).min(15);
    let port = |at: usize| read_u16(info, 2 + 2 * at);
    let (mut at, mut ports) = (0, Vec::new());
    while at < count {
        let ranged = info[32 + at] != 0 && at + 1 < count;
        ports.push((port(at), port(at + usize::from(ranged))));
        at += 1 + usize::from(ranged);
    }
    Match::Multiport { side: info[0], ports, reversed: info[47] != 0 }
}

fn connection(revision: u32, info: &[u8]) -> Option<Match> {
    let bytes = |at: usize| info.get(at..at + 16).and_then(|b| <[u8; 16]>::try_from(b).ok());
    let ports = match revision {
        // In the network's order, and one alone.
        2 => {
            let port = read_u16(info, 140).swap_bytes();
            (port, port)
        }
        _ if info.len() < 158 => return None,
        _ => (read_u16(info, 140), read_u16(info, 156)),
    };
    Some(Match::Connection(Box::new(Connection {
        asks: read_u16(info, 146),
        reversed: read_u16(info, 148),
        states: read_u16(info, 150),
        status: read_u16(info, 152),
        protocol: read_u16(info, 136),
        original: (bytes(32)?, bytes(48)?),
        original_ports: ports,
    })))
}

/// What a target does.
pub fn target(name: &str, revision: u32, info: &[u8]) -> Expression {
    match name {
        "REJECT" | "DROP" => Expression::Verdict(Verdict::Drop),
        "ACCEPT" | "MASQUERADE" | "SNAT" => Expression::Verdict(Verdict::Accept),
        "REDIRECT" => Expression::Redirect,
        "CT" | "NOTRACK" => Expression::Untracked,
        "DNAT" => destination(revision, info).unwrap_or(Expression::Unknown),
        "LOG" | "NFLOG" | "MARK" | "CONNMARK" | "TCPMSS" | "SET" | "CHECKSUM" | "DSCP" | "TOS" | "CLASSIFY" | "TTL"
        | "HL" | "SECMARK" | "CONNSECMARK" | "AUDIT" | "TRACE" | "LED" | "RATEEST" => Expression::Pass,
        _ => Expression::Unknown,
    }
}

/// Where DNAT sends something: only one address and one port is understood.
fn destination(revision: u32, info: &[u8]) -> Option<Expression> {
    const ADDRESS: u32 = 1;
    const PORT: u32 = 2;
    // Both as ranges: (flags, first address, last address, ports).
    let (flags, first, last, ports) = match revision {
        0 => (read_u32(info, 4), info.get(8..12)?, info.get(12..16)?, 16),
        1 | 2 => (read_u32(info, 0), info.get(4..20)?, info.get(20..36)?, 36),
        _ => return None,
    };
    let port = |at: usize| info.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    let (low, high) = (port(ports)?, port(ports + 2)?);
    if first != last || low != high || flags & !(ADDRESS | PORT) != 0 {
        return None;
    }
    let address = (flags & ADDRESS != 0).then(|| first.to_vec());
    Some(Expression::DestinationIs(address, (flags & PORT != 0).then_some(low)))
}
