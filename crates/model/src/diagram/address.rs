//! Addresses that something is bound to: where they are reached from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use seaworthy_core::cidr::{self, is_global};
use seaworthy_core::diagram::Certainty;

/// An address and a port; without an address it is a name that was not resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub ip: Option<IpAddr>,
    pub port: i64,
}

impl Bound {
    /// From an address as an engine writes it: empty and `*` are every address.
    pub fn new(address: &str, port: i64) -> Self {
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        let ip = match bare {
            "" | "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            _ => bare.split('%').next().and_then(|ip| ip.parse().ok()).map(|ip: IpAddr| ip.to_canonical()),
        };
        Self { ip, port }
    }

    /// From `tcp://0.0.0.0:2375`, `[::]:22`, `localhost:1`, `:2375`; none without a port.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.split('/').next().unwrap_or_default();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self { ip: Some(address.ip().to_canonical()), port: i64::from(address.port()) });
        }
        let (host, port) = text.rsplit_once(':')?;
        Some(Self::new(host, i64::from(port.parse::<u16>().ok()?)))
    }

    /// Whether it is every address of the host.
    pub fn is_wildcard(&self) -> bool {
        self.ip.is_some_and(|ip| ip.is_unspecified())
    }

    /// Whether only the machine itself has it.
    pub fn is_loopback(&self) -> bool {
        self.ip.is_some_and(|ip| ip.is_loopback())
    }

    /// Whether the internet routes to it: none when the address is not routed there, else what is not known.
    pub fn internet(&self) -> Option<Certainty> {
        match self.ip {
            Some(ip) if ip.is_unspecified() => Some(possible("whether an address of the host is globally routed")),
            Some(ip) => is_global(ip).then_some(Certainty::Proven),
            None => Some(possible("which address its name stands for was not looked up")),
        }
    }

    /// Whether it lies in a network, given as `172.17.0.0/16`.
    pub fn lies_in(&self, network: &str) -> bool {
        let Some((ip, (address, length))) = self.ip.zip(cidr::network(network)) else { return false };
        cidr::within(ip, address, length)
    }
}

fn possible(reason: &str) -> Certainty {
    Certainty::Possible(reason.into())
}

/// A declared address with its protocol, if it names one.
pub(super) fn declared(text: &str) -> Option<(Bound, Option<&str>)> {
    let (address, protocol) = match text.split_once('/') {
        Some((address, protocol)) => (address, Some(protocol)),
        None => (text, None),
    };
    if let Ok(port) = address.parse::<u16>() {
        return Some((Bound::new("", i64::from(port)), protocol));
    }
    Some((Bound::parse(address)?, protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for (text, wildcard, loopback, port) in [
            ("tcp://0.0.0.0:2375", true, false, 2375),
            ("tcp://[::]:2376", true, false, 2376),
            ("[::ffff:127.0.0.1]:1", false, true, 1),
            (":2375", true, false, 2375),
            ("localhost:80", false, true, 80),
            ("192.0.2.1:80", false, false, 80),
        ] {
            let bound = Bound::parse(text).unwrap();
            assert_eq!((bound.is_wildcard(), bound.is_loopback(), bound.port), (wildcard, loopback, port), "{text}");
        }
        assert_eq!(Bound::parse("unix:///run/docker.sock"), None);
        assert_eq!(Bound::parse("0.0.0.0"), None);
    }

    #[test]
    fn only_what_is_routed_there_may_be_reached_from_the_internet() {
        for (ip, maybe) in [
            ("0.0.0.0", true),
            ("::", true),
            ("8.8.8.8", true),
            ("2a00::1", true),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("172.31.0.1", false),
            ("192.168.0.1", false),
            ("169.254.0.1", false),
            ("127.0.0.1", false),
            ("224.0.0.1", false),
            ("fe80::1%eth0", false),
            ("fd00::1", false),
            ("2001:db8::1", false),
            ("some.name", true),
        ] {
            let certainty = Bound::new(ip, 1).internet();
            assert_eq!(certainty.is_some(), maybe, "{ip}");
            // A single address is certain; which ones a wildcard stands for is told by the host's own.
            let single = Bound::new(ip, 1).ip.is_some_and(|ip| !ip.is_unspecified());
            assert_eq!(certainty.is_some_and(|c| c.is_proven()), maybe && single, "{ip}");
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let inside = |ip: &str, network: &str| Bound::new(ip, 1).lies_in(network);
        assert!(inside("172.17.0.1", "172.17.0.0/16") && inside("fd00::1", "fd00::/64"));
        assert!(!inside("172.18.0.1", "172.17.0.0/16") && !inside("0.0.0.0", "172.17.0.0/16"));
        assert!(!inside("172.17.0.1", "nonsense") && !inside("172.17.0.1", "172.17.0.0/99"));
    }
}
