//! Addresses of this machine's network namespace.

use std::net::IpAddr;

use rustix::io::Errno;
use seaworthy_core::cidr;

use super::gap::Gap;
use super::netlink::{DUMP, Socket, attributes, read_u32};

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// True when it is up.
    pub up: bool,
    /// True for a loopback interface.
    pub loopback: bool,
    /// True for a port of a bridge or a part of a bond: what comes in there comes in at that.
    pub part: bool,
    /// Its addresses with the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// The network of this process's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// By their numbers.
    pub interfaces: Vec<Interface>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl Network {
    /// The interfaces at which the machine is reached from elsewhere: up, with addresses, and none of `inner`, which are
    /// the networks of its containers.
    pub fn outside<'n>(&'n self, inner: &'n [(IpAddr, u8)]) -> impl Iterator<Item = &'n Interface> {
        let is_inner = |ip: IpAddr| inner.iter().any(|(net, length)| cidr::within(ip, *net, u32::from(*length)));
        self.interfaces.iter().filter(move |interface| {
            let addresses = &interface.addresses;
            let usable = interface.up && !interface.loopback && !interface.part && !addresses.is_empty();
            usable && !addresses.iter().any(|(ip, _)| is_inner(*ip))
        })
    }
}

/// Reads interfaces and addresses.
pub fn read() -> Network {
    let mut network = Network::default();
    if let Err(errno) = fill(&mut network) {
        let reason = std::io::Error::from(errno).to_string();
        network.gaps.push(Gap { source: "rtnetlink".into(), reason, affects: "addresses".into() });
    }
    network
}

fn fill(network: &mut Network) -> Result<(), Errno> {
    let mut socket = Socket::open(None)?;
    socket.ask(GET_LINK, DUMP, &[0u8; 16], |kind, body| {
        if kind == NEW_LINK && body.len() >= 16 {
            network.interfaces.push(interface(body));
        }
    })?;
    let mut addresses = Vec::new();
    socket.ask(GET_ADDRESS, DUMP, &[0u8; 8], |kind, body| {
        if kind == NEW_ADDRESS {
            addresses.extend(address(body));
        }
    })?;
    for (index, ip, length) in addresses {
        if let Some(interface) = network.interfaces.iter_mut().find(|i| i.index == index) {
            interface.addresses.push((ip, length));
        }
    }
    network.interfaces.sort_by_key(|i| i.index);
    Ok(())
}

/// Decodes one message about an interface (`ifinfomsg` with its attributes).
pub fn interface(body: &[u8]) -> Interface {
    let flags = read_u32(body, 8);
    let mut found = Interface {
        index: read_u32(body, 4),
        name: String::new(),
        up: flags & 1 != 0,
        loopback: flags & 8 != 0,
        part: false,
        addresses: Vec::new(),
    };
    const NAME: u16 = 3;
    const MASTER: u16 = 10;
    for (kind, value) in attributes(body, 16) {
        match kind {
            NAME => {
                let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
                found.name = String::from_utf8_lossy(&value[..end]).into_owned();
            }
            MASTER => found.part = read_u32(value, 0) != 0,
            _ => {}
        }
    }
    found
}

/// Decodes one message about an address: the number of its interface, the address, the length of its prefix.
pub fn address(body: &[u8]) -> Option<(u32, IpAddr, u8)> {
    let length = *body.get(1)?;
    let attributes = attributes(body, 8);
    // On a link between two points the first attribute is the peer's address, the second our own.
    let value = attributes.iter().find(|(k, _)| *k == 2).or_else(|| attributes.iter().find(|(k, _)| *k == 1))?;
    Some((read_u32(body, 4), ip(value.1)?, length))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

/// True for an address that only this machine itself can reach.
pub fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address() {
        let network = read();
        let loopback = network.interfaces.iter().find(|i| i.loopback).unwrap();
        assert_eq!(loopback.name, "lo");
        if loopback.up {
            assert!(loopback.addresses.iter().any(|(ip, _)| is_loopback(*ip)));
        }
        assert_eq!(network.gaps, []);
    }

    #[test]
    fn messages_that_are_cut_short_are_nothing() {
        for length in 0..12 {
            assert_eq!(address(&vec![2u8; length]), None);
        }
        assert!(is_loopback("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_loopback("0.0.0.0".parse().unwrap()));
    }
}
