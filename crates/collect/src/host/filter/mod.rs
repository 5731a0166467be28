//! What the packet filter does with connections from elsewhere, as far as its meaning is certain.
//!
//! The rules of nf_tables, those of `iptables-nft` among them, are read from the kernel and followed for one packet at
//! a time: the first of a connection, through prerouting, and then input, or after a rule of NAT sent it elsewhere
//! forward and postrouting; then the answer to it. Whatever a rule asks that is not known (where exactly it comes from, marks, sets of others,
//! limits) keeps both ways open; only what ends the same on every way is certain. The older tables of iptables, eBPF
//! programs, and what stands before the machine are not seen.

mod expression;
mod held;
mod matching;
mod packet;
mod set;
mod walk;
mod wire;
mod xt;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::io::Errno;
use seaworthy_core::cidr;

use super::network::{Interface, Network};
use packet::{Device, Packet};
use walk::{Ends, Walk};

pub use packet::Source;
pub use wire::Ruleset;

/// The most rules that are asked in one collection: some 30 ms.
const STEPS: usize = 400_000;
/// The most addresses of one interface that are tried, of each version of IP.
const ADDRESSES: usize = 4;
/// The most interfaces that are tried.
const INTERFACES: usize = 8;

/// `NF_INET_…`, and the ingress of a device.
const PREROUTING: u32 = 0;
const INPUT: u32 = 1;
const FORWARD: u32 = 2;
const OUTPUT: u32 = 3;
const POSTROUTING: u32 = 4;
const INGRESS: u32 = 5;

/// Reads the rules of this thread's network namespace.
///
/// # Errors
/// One line: why they are not known.
pub fn read() -> Result<Ruleset, String> {
    // A table of the older kind is registered by its first use, and would decide beside what is read here.
    for (names, tool) in [("ip_tables_names", "iptables-legacy"), ("ip6_tables_names", "ip6tables-legacy")] {
        match std::fs::read_to_string(format!("/proc/thread-self/net/{names}")) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                let tables: Vec<&str> = text.split_whitespace().take(8).collect();
                return Err(format!("the tables {} of {tool} are in use, which are not read", tables.join(", ")));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("/proc/net/{names}: {error}")),
        }
    }
    match wire::read() {
        Ok(rules) => Ok(rules),
        // Neither is there in a kernel without nf_tables; nothing then filters but what was asked above.
        Err(Errno::PROTONOSUPPORT | Errno::INVAL | Errno::NOENT) if !super::sockets::present("nf_tables") => {
            Ok(Ruleset::default())
        }
        Err(Errno::PERM) => Err("its rules are shown to CAP_NET_ADMIN alone; run as root".into()),
        Err(Errno::FBIG) => Err("it has more rules than are read".into()),
        Err(errno) => Err(format!("its rules: {}", std::io::Error::from(errno))),
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// 6 is TCP, 17 UDP.
    pub protocol: u8,
    /// Where it is bound; unspecified for every address.
    pub address: IpAddr,
    /// Its number.
    pub port: u16,
}

/// What becomes of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether they are let through; or what that depends on.
    pub admitted: Result<bool, String>,
    /// Where the decision falls; empty where nothing stops them.
    pub by: String,
}

/// The rules with the interfaces of their namespace, and how many more of them may be asked.
pub struct Filter<'a> {
    walk: Walk<'a>,
    network: &'a Network,
    outside: Vec<Interface>,
    devices: Vec<String>,
    /// Whether there are more interfaces than are tried.
    more: bool,
}

impl<'a> Filter<'a> {
    /// `inner` are the networks of containers: what comes from there is not from elsewhere.
    pub fn new(rules: &'a Ruleset, network: &'a Network, inner: &[(IpAddr, u8)]) -> Self {
        let mut outside: Vec<Interface> = network.outside(inner).take(INTERFACES + 1).cloned().collect();
        let more = outside.len() > INTERFACES;
        outside.truncate(INTERFACES);
        let devices = network.interfaces.iter().map(|interface| interface.name.clone()).collect();
        Self { walk: Walk { rules, steps: STEPS }, network, outside, devices, more }
    }

    /// What becomes of connections from the internet.
    pub fn from_internet(&mut self, port: Port) -> Answer {
        self.ask(port, |_| Source::Internet)
    }

    /// What becomes of connections from the networks that this machine is on.
    pub fn from_networks(&mut self, port: Port) -> Answer {
        self.ask(port, |interface| Source::Networks(interface.addresses.clone()))
    }

    fn ask(&mut self, port: Port, source: impl Fn(&Interface) -> Source) -> Answer {
        let mut interfaces = self.outside.clone();
        if interfaces.iter().all(|interface| destinations(interface, port.address).0.is_empty()) {
            // What listens on every address listens on those that the machine gets later, too.
            interfaces.push(supposed());
        }
        let (mut answers, mut more) = (Vec::new(), self.more);
        for interface in &interfaces {
            let source = source(interface);
            let (tried, left_out) = destinations(interface, port.address);
            more |= left_out;
            for destination in tried {
                answers.push(self.follow(port, interface, destination, &source));
            }
        }
        let answer = combine(answers);
        if more && answer.admitted == Ok(false) {
            let why = "it is closed at all addresses that were tried, and the machine has more".to_owned();
            return Answer { admitted: Err(why), by: answer.by };
        }
        answer
    }

    fn follow(&mut self, port: Port, interface: &Interface, destination: IpAddr, source: &Source) -> Answer {
        let mut packet = Packet {
            v6: destination.is_ipv6(),
            protocol: port.protocol,
            devices: &self.devices,
            source,
            destination,
            port: port.port,
            local: true,
            inside: Device { index: interface.index, name: interface.name.clone() },
            outside: None,
            original: (destination, port.port),
            sent_elsewhere: false,
            followed: true,
            answers: false,
        };
        let mut all = Vec::new();
        for hook in [INGRESS, PREROUTING] {
            all.push(self.walk.hook(hook, &mut packet));
        }
        let own = |ip: IpAddr| self.network.interfaces.iter().any(|i| i.addresses.iter().any(|(own, _)| *own == ip));
        packet.local = !packet.sent_elsewhere || own(packet.destination) || packet.destination.is_loopback();
        let rest: &[u32] = if packet.local { &[INPUT] } else { &[FORWARD, POSTROUTING] };
        if !packet.local {
            packet.outside = self.way_out(packet.destination);
        }
        for hook in rest {
            all.push(self.walk.hook(*hook, &mut packet));
        }
        // Nothing is connected without the answer.
        let back: &[u32] = if packet.local { &[OUTPUT, POSTROUTING] } else { &[PREROUTING, FORWARD, POSTROUTING] };
        packet.answers = true;
        let inside = packet.outside.replace(packet.inside.clone());
        packet.inside = inside.unwrap_or_default();
        for hook in back {
            all.push(self.walk.hook(*hook, &mut packet));
        }
        answer(&all)
    }

    /// The interface on whose network an address lies.
    fn way_out(&self, to: IpAddr) -> Option<Device> {
        let mut found: Option<(u8, &Interface)> = None;
        for interface in &self.network.interfaces {
            for (ip, length) in &interface.addresses {
                if cidr::within(to, *ip, u32::from(*length)) && found.is_none_or(|(longest, _)| *length > longest) {
                    found = Some((*length, interface));
                }
            }
        }
        found.map(|(_, interface)| Device { index: interface.index, name: interface.name.clone() })
    }
}

/// An interface with addresses that are given out for examples, and without a name.
fn supposed() -> Interface {
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let addresses = vec![(Ipv4Addr::new(192, 0, 2, 1).into(), 24), (v6.into(), 64)];
    Interface { index: 0, name: String::new(), up: true, loopback: false, part: false, addresses }
}

/// The addresses at which something bound to `bound` is reached over an interface, and whether there are more than are
/// tried.
fn destinations(interface: &Interface, bound: IpAddr) -> (Vec<IpAddr>, bool) {
    let bound = bound.to_canonical();
    if !bound.is_unspecified() {
        return (vec![bound], false);
    }
    // Sockets of IPv6 mostly serve IPv4 as well.
    let fits = |ip: &IpAddr| bound.is_ipv6() || ip.is_ipv4();
    let all = || interface.addresses.iter().map(|(ip, _)| *ip).filter(fits);
    let of = |v6: bool| all().filter(move |ip| ip.is_ipv6() == v6).take(ADDRESSES);
    let tried: Vec<IpAddr> = of(false).chain(of(true)).collect();
    let more = tried.len() < all().count();
    (tried, more)
}

fn answer(hooks: &[Ends]) -> Answer {
    let depends = |at: &str| Err(format!("it depends on more than is known here: {at}"));
    if let Some(at) = hooks.iter().find_map(|ends| ends.astray.as_ref()) {
        return Answer { admitted: depends(at), by: at.clone() };
    }
    if let Some(stopped) = hooks.iter().find(|ends| !ends.accepted) {
        return Answer { admitted: Ok(false), by: stopped.dropped.clone().unwrap_or_default() };
    }
    let dropped = hooks.iter().find_map(|ends| ends.dropped.as_ref().map(|by| (by, &ends.unsure)));
    match dropped {
        None => Answer { admitted: Ok(true), by: String::new() },
        Some((by, unsure)) => {
            let at = unsure.as_ref().unwrap_or(by);
            Answer { admitted: depends(at), by: by.clone() }
        }
    }
}

/// One way in is enough; none is only certain where all are closed.
fn combine(answers: Vec<Answer>) -> Answer {
    let open = answers.iter().position(|answer| answer.admitted == Ok(true));
    let unsure = || answers.iter().position(|answer| answer.admitted.is_err());
    let decisive = open.or_else(unsure).unwrap_or(0);
    answers.into_iter().nth(decisive).unwrap_or_else(|| Answer {
        admitted: Err("none of the machine's interfaces has an address of its kind".into()),
        by: String::new(),
    })
}
