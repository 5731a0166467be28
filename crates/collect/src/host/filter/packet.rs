//! The packet that is followed through the rules: the first one of a connection from elsewhere, and the answer to it.

use std::net::IpAddr;

/// Yes, no, or it depends on what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tri {
    Yes,
    No,
    Maybe,
}

impl Tri {
    pub fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
        }
    }

    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }

    pub fn flip_if(self, reversed: bool) -> Self {
        if reversed { self.not() } else { self }
    }
}

impl From<bool> for Tri {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Anybody with an address that the internet routes.
    Internet,
    /// Anybody on these networks (address and length of the prefix).
    Networks(Vec<(IpAddr, u8)>),
}

/// Networks of IPv4 that the internet does not route, by the registry of special addresses of IANA.
const SPECIAL: [(u32, u8); 15] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc000_0000, 24),
    (0xc000_0200, 24),
    (0xc058_6300, 24),
    (0xc0a8_0000, 16),
    (0xc612_0000, 15),
    (0xc633_6400, 24),
    (0xcb00_7100, 24),
    (0xe000_0000, 4),
    (0xf000_0000, 4),
];

impl Source {
    /// Whether its addresses lie in a range, both ends in it.
    pub fn lies_in(&self, v6: bool, from: u128, to: u128) -> Tri {
        let most = if v6 { u128::MAX } else { u128::from(u32::MAX) };
        if from == 0 && to == most {
            return Tri::Yes;
        }
        match self {
            Self::Internet if v6 => {
                // What is given out is 2000::/3.
                let (first, last) = span(0x2000 << 112, 3, 128);
                if to < first || from > last { Tri::No } else { Tri::Maybe }
            }
            Self::Internet => {
                let within = |(base, length): (u32, u8)| {
                    let (first, last) = span(u128::from(base), length, 32);
                    first <= from && to <= last
                };
                if SPECIAL.into_iter().any(within) { Tri::No } else { Tri::Maybe }
            }
            Self::Networks(networks) => {
                let mut seen = [false; 2];
                for (ip, length) in networks.iter().filter(|(ip, _)| ip.is_ipv6() == v6) {
                    let (first, last) = span(number(*ip), *length, if v6 { 128 } else { 32 });
                    if from <= first && last <= to {
                        seen[1] = true;
                    } else if to < first || from > last {
                        seen[0] = true;
                    } else {
                        return Tri::Maybe;
                    }
                }
                match seen {
                    [false, true] => Tri::Yes,
                    [true, false] => Tri::No,
                    _ => Tri::Maybe,
                }
            }
        }
    }
}

/// An address as a number.
pub fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// Its bytes.
pub fn bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The first and the last address of a network.
fn span(ip: u128, length: u8, width: u8) -> (u128, u128) {
    let host = u32::from(width.saturating_sub(length));
    let low = 1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
    (ip & !low, ip | low)
}

/// An interface; without a name it is one that is not there yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    pub index: u32,
    pub name: String,
}

/// The first packet of a connection, or the answer to it.
#[derive(Debug, Clone)]
pub struct Packet<'a> {
    pub v6: bool,
    /// 6 is TCP, 17 UDP.
    pub protocol: u8,
    /// The names of the interfaces that are there.
    pub devices: &'a [String],
    pub source: &'a Source,
    pub destination: IpAddr,
    pub port: u16,
    /// Whether the destination is this machine's.
    pub local: bool,
    /// Where it comes in.
    pub inside: Device,
    /// Where it goes out, once that is known.
    pub outside: Option<Device>,
    /// Where it was sent to before rules of NAT sent it elsewhere.
    pub original: (IpAddr, u16),
    /// Rules of NAT have sent it elsewhere.
    pub sent_elsewhere: bool,
    /// Whether the state of its connection is known: new, or of an answer established.
    pub followed: bool,
    /// It is the answer: what is called its source is where it goes, its destination and port where it comes from.
    pub answers: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_lie_where_all_or_none_of_their_addresses_do() {
        let range = |text: &str| {
            let (ip, length) = text.split_once('/').unwrap();
            span(number(ip.parse().unwrap()), length.parse().unwrap(), 32)
        };
        let of = |source: &Source, text: &str| source.lies_in(false, range(text).0, range(text).1);
        for (network, expected) in [
            ("0.0.0.0/0", Tri::Yes),
            ("10.1.0.0/16", Tri::No),
            ("192.168.0.0/15", Tri::Maybe),
            ("0.0.0.0/1", Tri::Maybe),
            ("8.8.8.8/32", Tri::Maybe),
        ] {
            assert_eq!(of(&Source::Internet, network), expected, "{network}");
        }
        let local = Source::Networks(vec![("192.168.7.9".parse().unwrap(), 24)]);
        for (network, expected) in [
            ("192.168.0.0/16", Tri::Yes),
            ("192.168.7.0/24", Tri::Yes),
            ("192.168.7.0/25", Tri::Maybe),
            ("192.168.8.0/24", Tri::No),
        ] {
            assert_eq!(of(&local, network), expected, "{network}");
        }
        assert_eq!(of(&Source::Networks(vec![]), "10.0.0.0/8"), Tri::Maybe);
    }
}
