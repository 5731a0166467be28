//! Follows one packet through the rules, keeping every way open that depends on what is not known.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::expression::{Expression, Load, Order, Verdict};
use super::packet::{Device, Packet, Tri, bytes};
use super::set::{Gives, Set};
use super::wire::{Chain, INET, IPV4, IPV6, NETDEV, Ruleset};
use super::xt;

/// How deep chains jump; the kernel refuses more than 16.
const DEPTH: usize = 17;

/// What may become of a packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    pub accepted: bool,
    /// Dropped or refused; with the first place that may do it.
    pub dropped: Option<String>,
    /// No rule of the chain decides.
    pub falls: bool,
    /// It is sent elsewhere: address and port.
    pub sent: Vec<(IpAddr, u16)>,
    /// Where it may be sent is not certain, so that no later hook can be asked.
    pub astray: Option<String>,
    /// A rule that is not understood, or that depends on what is not known.
    pub unsure: Option<String>,
}

impl Ends {
    /// Adds what else may happen, `falls` apart.
    fn take(&mut self, other: &Self) {
        self.accepted |= other.accepted;
        if self.dropped.is_none() {
            self.dropped.clone_from(&other.dropped);
        }
        if self.unsure.is_none() {
            self.unsure.clone_from(&other.unsure);
        }
        for to in &other.sent {
            if !self.sent.contains(to) {
                self.sent.push(*to);
            }
        }
    }
}

/// A walk through the rules, with the steps that it may still take.
pub struct Walk<'a> {
    pub rules: &'a Ruleset,
    pub steps: usize,
}

/// What a register holds.
#[derive(Debug, Clone)]
enum Held {
    /// These bytes, where the mask has ones.
    Bytes(Vec<u8>, Vec<u8>),
    /// The leading bits of the source's address, as many as given, in as many bytes.
    Source {
        bits: u8,
        length: usize,
    },
    /// The name of an interface that is not there yet.
    NewDevice,
    Unknown,
}

impl Held {
    fn known(bytes: Vec<u8>) -> Self {
        let mask = vec![0xff; bytes.len()];
        Self::Bytes(bytes, mask)
    }
}

/// Whether a rule matches, and what it then does.
struct Asked {
    matches: Tri,
    ends: Ends,
    /// Whether the next rule is asked after it.
    goes_on: bool,
    /// Whether the chain ends, and its caller goes on.
    returns: bool,
}

impl<'a> Walk<'a> {
    /// What the base chains of a hook may do with a packet, in their order.
    pub fn hook(&mut self, hook: u32, packet: &mut Packet<'_>) -> Ends {
        let family = if packet.v6 { IPV6 } else { IPV4 };
        let rules = self.rules;
        let mut chains: Vec<&Chain> = rules
            .chains
            .iter()
            .filter(|chain| match (&chain.base, chain.family) {
                // NAT is settled by a connection's first packet.
                (Some(base), _) if packet.answers && base.kind == "nat" => false,
                (Some(base), NETDEV) => hook == 5 && base.hook == 0,
                (Some(base), of) => base.hook == hook && (of == INET || of == family),
                (None, _) => false,
            })
            .collect();
        chains.sort_by_key(|chain| chain.base.as_ref().map(|base| base.priority));
        let mut all = Ends::default();
        for chain in chains {
            let mut ends = self.chain(chain, packet, 0);
            let drops = chain.base.as_ref().is_some_and(|base| base.drops);
            if ends.falls && drops {
                ends.dropped.get_or_insert_with(|| format!("the policy of {}", place(chain)));
            }
            if chain.family == NETDEV && ends.dropped.is_some() {
                // Of one device, which may be another.
                ends.accepted = true;
                ends.unsure.get_or_insert_with(|| place(chain));
            }
            let passes = ends.accepted || (ends.falls && !drops) || !ends.sent.is_empty();
            all.take(&ends);
            if !passes {
                all.accepted = false;
                all.falls = false;
                return all;
            }
            match &ends.sent[..] {
                [] => {}
                // Certainly sent elsewhere, and to one place.
                [to] if !ends.accepted && !ends.falls && ends.dropped.is_none() && !packet.sent_elsewhere => {
                    packet.sent_elsewhere = true;
                    (packet.destination, packet.port) = *to;
                }
                _ => {
                    let why = format!("{} may send it elsewhere", place(chain));
                    all.astray = Some(why);
                    return all;
                }
            }
        }
        all.accepted = true;
        all
    }

    fn chain(&mut self, chain: &Chain, packet: &mut Packet<'_>, depth: usize) -> Ends {
        let mut out = Ends::default();
        let mut returned = false;
        for (at, rule) in chain.rules.iter().enumerate() {
            let place = || format!("rule {} of {}", at + 1, place(chain));
            let Some(steps) = self.steps.checked_sub(1).filter(|_| depth < DEPTH) else {
                out.take(&unknown("there are more rules than are followed".into()));
                out.falls = true;
                return out;
            };
            self.steps = steps;
            let asked = self.rule(chain, rule, packet, depth, &place);
            if asked.matches == Tri::No {
                continue;
            }
            out.take(&asked.ends);
            let decides = asked.ends.accepted || asked.ends.dropped.is_some() || !asked.ends.sent.is_empty();
            if asked.matches == Tri::Maybe && (decides || asked.returns) {
                out.unsure.get_or_insert_with(place);
            }
            returned |= asked.returns;
            if asked.matches == Tri::Yes && !asked.goes_on {
                out.falls = returned;
                return out;
            }
        }
        out.falls = true;
        out
    }

    fn rule(
        &mut self,
        chain: &Chain,
        rule: &[Expression],
        packet: &mut Packet<'_>,
        depth: usize,
        place: &dyn Fn() -> String,
    ) -> Asked {
        let mut registers: BTreeMap<u32, Held> = BTreeMap::new();
        let mut asked = Asked { matches: Tri::Yes, ends: Ends::default(), goes_on: true, returns: false };
        for expression in rule {
            let matches = match expression {
                Expression::Load(register, load) => {
                    registers.insert(slot(*register), self::load(load, packet));
                    continue;
                }
                Expression::Bitwise { from, to, mask, xor } => {
                    let held = masked(registers.get(&slot(*from)), mask, xor);
                    registers.insert(slot(*to), held);
                    continue;
                }
                Expression::Pass => continue,
                Expression::Untracked => {
                    packet.followed = false;
                    continue;
                }
                Expression::Maybe => Tri::Maybe,
                Expression::Compare(register, order, to) => {
                    compare(registers.get(&slot(*register)), *order, to, packet)
                }
                Expression::Range { register, reversed, from, to } => {
                    within(registers.get(&slot(*register)), from, to, packet).flip_if(*reversed)
                }
                Expression::Match(of) => matches(of, packet),
                Expression::Lookup { set, register, into, reversed } => {
                    let set = self.set(chain, set);
                    let held = registers.get(&slot(*register)).cloned();
                    match into {
                        None => find(set, held.as_ref(), packet).map_or(Tri::Maybe, |found| found.0).flip_if(*reversed),
                        Some(0) => {
                            self.map(set, held.as_ref(), chain, packet, depth, place, &mut asked);
                            return asked;
                        }
                        Some(into) => {
                            let found = find(set, held.as_ref(), packet);
                            let value = match found.as_ref().map(|(_, gives)| &gives[..]) {
                                Some([Gives::Value(value)]) => Held::known(value.clone()),
                                _ => Held::Unknown,
                            };
                            registers.insert(slot(*into), value);
                            found.map_or(Tri::Maybe, |found| found.0)
                        }
                    }
                }
                Expression::Verdict(verdict) => {
                    self.verdict(verdict, chain, packet, depth, place, &mut asked);
                    return asked;
                }
                Expression::Destination { address, port } => {
                    let held = |register: &Option<u32>| register.map(|r| registers.get(&slot(r)).cloned());
                    sent(held(address), held(port), packet, place, &mut asked);
                    return asked;
                }
                Expression::DestinationIs(address, port) => {
                    let address = address.clone().map(|bytes| Some(Held::known(bytes)));
                    let port = port.map(|port| Some(Held::known(port.to_be_bytes().to_vec())));
                    sent(address, port, packet, place, &mut asked);
                    return asked;
                }
                Expression::Redirect | Expression::Unknown => {
                    asked.ends = unknown(format!("{} is not understood", place()));
                    asked.returns = true;
                    return asked;
                }
            };
            asked.matches = asked.matches.and(matches);
            if asked.matches == Tri::No {
                return asked;
            }
        }
        asked
    }

    fn set(&self, chain: &Chain, name: &str) -> Option<&'a Set> {
        self.rules.sets.iter().find(|s| s.family == chain.family && s.table == chain.table && s.name == name)
    }

    #[allow(clippy::too_many_arguments, reason = "what surrounds a rule is passed on from one to the next")]
    fn map(
        &mut self,
        set: Option<&Set>,
        held: Option<&Held>,
        chain: &Chain,
        packet: &mut Packet<'_>,
        depth: usize,
        place: &dyn Fn() -> String,
        asked: &mut Asked,
    ) {
        let Some((matches, gives)) = find(set, held, packet) else {
            asked.matches = asked.matches.and(Tri::Maybe);
            asked.ends = unknown(format!("{} is not understood", place()));
            (asked.returns, asked.goes_on) = (true, true);
            return;
        };
        asked.matches = asked.matches.and(matches);
        let (mut ends, mut goes_on, mut returns) = (Ends::default(), false, false);
        let several = gives.len() > 1;
        for one in &gives {
            let mut each = Asked { matches: Tri::Yes, ends: Ends::default(), goes_on: true, returns: false };
            match one {
                Gives::Verdict(verdict) => self.verdict(verdict, chain, packet, depth, place, &mut each),
                _ => each.ends = unknown(format!("{} is not understood", place())),
            }
            ends.take(&each.ends);
            goes_on |= each.goes_on;
            returns |= each.returns;
        }
        if several {
            ends.unsure.get_or_insert_with(place);
        }
        (asked.ends, asked.goes_on, asked.returns) = (ends, goes_on, returns);
    }

    fn verdict(
        &mut self,
        verdict: &Verdict,
        chain: &Chain,
        packet: &mut Packet<'_>,
        depth: usize,
        place: &dyn Fn() -> String,
        asked: &mut Asked,
    ) {
        match verdict {
            Verdict::Accept => (asked.ends.accepted, asked.goes_on) = (true, false),
            Verdict::Drop => (asked.ends.dropped, asked.goes_on) = (Some(place()), false),
            Verdict::Continue => {}
            Verdict::Return => (asked.returns, asked.goes_on) = (true, false),
            Verdict::Unknown => {
                asked.ends = unknown(format!("{} is not understood", place()));
                asked.returns = true;
            }
            Verdict::Jump(name) | Verdict::Goto(name) => {
                let rules = self.rules;
                let its = |c: &&Chain| c.family == chain.family && c.table == chain.table && c.name == *name;
                let Some(next) = rules.chains.iter().find(its) else {
                    asked.ends = unknown(format!("{} leads to a chain that was not read", place()));
                    return;
                };
                asked.ends = self.chain(next, packet, depth + 1);
                let falls = std::mem::take(&mut asked.ends.falls);
                let goes = matches!(verdict, Verdict::Goto(_));
                (asked.goes_on, asked.returns) = (falls && !goes, falls && goes);
            }
        }
    }
}

/// It may be accepted, dropped, or neither.
fn unknown(why: String) -> Ends {
    Ends { accepted: true, dropped: Some(why.clone()), unsure: Some(why), ..Ends::default() }
}

/// A chain as people name it.
fn place(chain: &Chain) -> String {
    let family = match chain.family {
        INET => "inet",
        IPV4 => "ip",
        IPV6 => "ip6",
        _ => "netdev",
    };
    format!("{} in table {family} {}", chain.name, chain.table)
}

/// The kernel has the same register under two numbers: four of 16 bytes, or sixteen of 4.
fn slot(register: u32) -> u32 {
    if (1..=4).contains(&register) { 4 + 4 * register } else { register }
}

fn load(load: &Load, packet: &Packet<'_>) -> Held {
    let word = |number: u32| Held::known(number.to_ne_bytes().to_vec());
    let name = |device: &Device| {
        if device.name.is_empty() {
            return Held::NewDevice;
        }
        let mut bytes = device.name.as_bytes().to_vec();
        bytes.resize(16, 0);
        Held::known(bytes)
    };
    let index = |device: &Device| if device.name.is_empty() { Held::Unknown } else { word(device.index) };
    match load {
        Load::Constant(bytes) => Held::known(bytes.clone()),
        Load::DestinationKind => word(if packet.local && !packet.answers { 2 } else { 1 }),
        Load::Meta(1) => Held::known(if packet.v6 { vec![0x86, 0xdd] } else { vec![8, 0] }),
        Load::Meta(4) => index(&packet.inside),
        Load::Meta(6) => name(&packet.inside),
        Load::Meta(5) => packet.outside.as_ref().map_or(Held::Unknown, index),
        Load::Meta(7) => packet.outside.as_ref().map_or(Held::Unknown, name),
        Load::Meta(15) => Held::known(vec![if packet.v6 { 10 } else { 2 }]),
        Load::Meta(16) => Held::known(vec![packet.protocol]),
        Load::Payload(1, offset, length) => header(packet, *offset, *length),
        // Ports: the source's, then the destination's.
        Load::Payload(2, 0 | 2, 2) if packet.answers != (*load == Load::Payload(2, 2, 2)) => {
            Held::known(packet.port.to_be_bytes().to_vec())
        }
        Load::Payload(2, 0, 4) => {
            let [high, low] = packet.port.to_be_bytes();
            if packet.answers {
                Held::Bytes(vec![high, low, 0, 0], vec![0xff, 0xff, 0, 0])
            } else {
                Held::Bytes(vec![0, 0, high, low], vec![0, 0, 0xff, 0xff])
            }
        }
        Load::Payload(2, 13, 1) if packet.protocol == 6 => Held::known(vec![flags(packet)]),
        Load::Connection(0) if packet.followed => word(if packet.answers { 2 } else { 8 }),
        Load::Connection(1) if packet.followed => Held::known(vec![packet.answers.into()]),
        Load::Connection(2) if packet.followed => {
            let sent = if packet.sent_elsewhere { 0x20 } else { 0 };
            let known = if packet.answers { 0x20 } else { 0x2e };
            Held::Bytes(u32::to_ne_bytes(sent).to_vec(), u32::to_ne_bytes(known).to_vec())
        }
        Load::Connection(9 | 20 | 22) if packet.followed => Held::known(bytes(packet.original.0)),
        Load::Connection(10) if packet.followed => Held::known(vec![packet.protocol]),
        Load::Connection(12) if packet.followed => Held::known(packet.original.1.to_be_bytes().to_vec()),
        _ => Held::Unknown,
    }
}

/// Of TCP: the first packet has SYN alone, the answer ACK as well.
fn flags(packet: &Packet<'_>) -> u8 {
    if packet.answers { 0x12 } else { 2 }
}

fn header(packet: &Packet<'_>, offset: u32, length: u32) -> Held {
    let (protocol, source, destination, width) = match (packet.v6, packet.answers) {
        (true, false) => (6, 8, 24, 16),
        (true, true) => (6, 24, 8, 16),
        (false, false) => (9, 12, 16, 4),
        (false, true) => (9, 16, 12, 4),
    };
    let taken = usize::try_from(length).unwrap_or(usize::MAX);
    match offset {
        at if at == protocol && length == 1 => Held::known(vec![packet.protocol]),
        at if at == source && length <= width => {
            Held::Source { bits: u8::try_from(8 * length).unwrap_or(u8::MAX), length: taken }
        }
        at if at == destination && length <= width => Held::known(bytes(packet.destination)[..taken].to_vec()),
        _ => Held::Unknown,
    }
}

fn masked(held: Option<&Held>, mask: &[u8], xor: &[u8]) -> Held {
    match held {
        Some(Held::Bytes(bytes, known)) if bytes.len() <= mask.len() && mask.len() == xor.len() => {
            let value = bytes.iter().zip(mask).zip(xor).map(|((b, m), x)| b & m ^ x).collect();
            // Where the mask is zero the outcome is known whatever was there.
            let known = known.iter().zip(mask).map(|(k, m)| k | !m).collect();
            Held::Bytes(value, known)
        }
        Some(Held::Source { bits, length }) if *length == mask.len() && xor.iter().all(|x| *x == 0) => {
            let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
            let leading =
                mask.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).take_while(|b| *b == 1);
            match u8::try_from(ones) {
                Ok(ones) if leading.count() == usize::from(ones) => {
                    Held::Source { bits: ones.min(*bits), length: *length }
                }
                _ => Held::Unknown,
            }
        }
        _ => Held::Unknown,
    }
}

/// Whether the register, as long as the constant, stands so to it.
fn compare(held: Option<&Held>, order: Order, to: &[u8], packet: &Packet<'_>) -> Tri {
    match held {
        Some(Held::Bytes(bytes, known)) if bytes.len() >= to.len() => {
            let whole = known[..to.len()].iter().all(|k| *k == 0xff);
            let differs = bytes.iter().zip(known).zip(to).any(|((b, k), t)| (b ^ t) & k != 0);
            let equal = if differs {
                Tri::No
            } else if whole {
                Tri::Yes
            } else {
                Tri::Maybe
            };
            let ordered = bytes[..to.len()].cmp(to);
            match order {
                Order::Equal => equal,
                Order::NotEqual => equal.not(),
                _ if !whole => Tri::Maybe,
                Order::Less => ordered.is_lt().into(),
                Order::LessOrEqual => ordered.is_le().into(),
                Order::Greater => ordered.is_gt().into(),
                Order::GreaterOrEqual => ordered.is_ge().into(),
            }
        }
        Some(Held::Source { bits, length }) if *length == to.len() => {
            let (from, last) = prefix(to, *bits, packet.v6);
            let least = if packet.v6 { u128::MAX } else { u128::from(u32::MAX) };
            let within = |from: u128, to: u128| packet.source.lies_in(packet.v6, from, to);
            match order {
                Order::Equal => within(from, last),
                Order::NotEqual => within(from, last).not(),
                Order::Less if from == 0 => Tri::No,
                Order::Less => within(0, from - 1),
                Order::LessOrEqual => within(0, last),
                Order::Greater if last == least => Tri::No,
                Order::Greater => within(last + 1, least),
                Order::GreaterOrEqual => within(from, least),
            }
        }
        // A name that is taken is another's; a beginning of names may be its own.
        Some(Held::NewDevice) => {
            let end = to.iter().position(|b| *b == 0);
            let taken = end.is_some_and(|end| packet.devices.iter().any(|name| name.as_bytes() == &to[..end]));
            match order {
                Order::Equal if taken => Tri::No,
                Order::NotEqual if taken => Tri::Yes,
                _ => Tri::Maybe,
            }
        }
        _ => Tri::Maybe,
    }
}

/// The first and the last address that begin with so many bits.
fn prefix(lead: &[u8], bits: u8, v6: bool) -> (u128, u128) {
    let width: u8 = if v6 { 128 } else { 32 };
    let mut whole = lead.to_vec();
    whole.resize(usize::from(width / 8), 0);
    let first = whole.iter().fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    let low = 1u128.checked_shl(u32::from(width.saturating_sub(bits))).map_or(u128::MAX, |size| size - 1);
    (first & !low, first | low)
}

fn within(held: Option<&Held>, from: &[u8], to: &[u8], packet: &Packet<'_>) -> Tri {
    match held {
        Some(Held::Source { bits, length }) if *length == from.len() && from.len() == to.len() => {
            let (first, last) = (prefix(from, *bits, packet.v6).0, prefix(to, *bits, packet.v6).1);
            packet.source.lies_in(packet.v6, first, last)
        }
        held if from == to => compare(held, Order::Equal, from, packet),
        held => {
            let above = compare(held, Order::GreaterOrEqual, from, packet);
            above.and(compare(held, Order::LessOrEqual, to, packet))
        }
    }
}

/// Whether a set holds what a register has, and what it may give; none where that is not understood.
fn find<'s>(set: Option<&'s Set>, held: Option<&Held>, packet: &Packet<'_>) -> Option<(Tri, Vec<&'s Gives>)> {
    let (spans, others) = set?.spans()?;
    let (mut matches, mut gives) = (Tri::No, Vec::new());
    for span in &spans {
        let mut one = match held {
            Some(Held::Bytes(bytes, _)) if span.from.len() > bytes.len() => Tri::Maybe,
            held => within(held, &span.from, &span.to, packet),
        };
        if span.conditional {
            one = one.and(Tri::Maybe);
        }
        match one {
            Tri::No => {}
            Tri::Yes => return Some((Tri::Yes, vec![span.gives])),
            Tri::Maybe => {
                matches = Tri::Maybe;
                gives.push(span.gives);
            }
        }
    }
    if let Some(others) = others {
        gives.push(others);
        matches = Tri::Yes;
    }
    Some((matches, gives))
}

/// Sends a packet elsewhere.
fn sent(
    address: Option<Option<Held>>,
    port: Option<Option<Held>>,
    packet: &Packet<'_>,
    place: &dyn Fn() -> String,
    asked: &mut Asked,
) {
    let address = match address {
        None => Some(packet.destination),
        Some(Some(Held::Bytes(bytes, known))) if known.iter().all(|k| *k == 0xff) => ip(&bytes, packet.v6),
        Some(_) => None,
    };
    let port = match port {
        None => Some(packet.port),
        Some(Some(Held::Bytes(bytes, known))) if bytes.len() >= 2 && known.iter().take(2).all(|k| *k == 0xff) => {
            Some(u16::from_be_bytes([bytes[0], bytes[1]]))
        }
        Some(_) => None,
    };
    asked.goes_on = false;
    match address.zip(port) {
        Some(to) => asked.ends.sent.push(to),
        None => asked.ends = unknown(format!("{} sends it to what is not known", place())),
    }
}

fn ip(bytes: &[u8], v6: bool) -> Option<IpAddr> {
    if v6 {
        return Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(..16)?).ok()?).into());
    }
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(..4)?).ok()?).into())
}

fn matches(of: &xt::Match, packet: &Packet<'_>) -> Tri {
    let among = |(low, high): (u16, u16), port: u16| (low..=high).contains(&port);
    match of {
        xt::Match::Always => Tri::Yes,
        xt::Match::Maybe => Tri::Maybe,
        xt::Match::Ports { source, not_source, destination, not_destination, flags } => {
            let (theirs, not_theirs, ours, not_ours) = if packet.answers {
                (destination, not_destination, source, not_source)
            } else {
                (source, not_source, destination, not_destination)
            };
            let theirs = if *theirs == (0, u16::MAX) { Tri::Yes } else { Tri::Maybe }.flip_if(*not_theirs);
            let ours = Tri::from(among(*ours, packet.port) != *not_ours);
            let options = if flags.options { Tri::Maybe } else { Tri::Yes };
            let set = self::flags(packet) & flags.mask == flags.set;
            theirs.and(ours).and(options).and(Tri::from(packet.protocol != 6 || set != flags.reversed))
        }
        xt::Match::Multiport { side, ports, reversed } if *side == u8::from(!packet.answers) => {
            Tri::from(ports.iter().any(|range| among(*range, packet.port)) != *reversed)
        }
        xt::Match::Multiport { side: 2, ports, reversed } if ports.iter().any(|range| among(*range, packet.port)) => {
            Tri::from(!*reversed)
        }
        xt::Match::Multiport { .. } => Tri::Maybe,
        xt::Match::DestinationKind { mask, reversed } => {
            let kind = if packet.local && !packet.answers { 2 } else { 1 };
            Tri::from((mask >> kind & 1 == 1) != *reversed)
        }
        xt::Match::Connection(of) => connection(of, packet),
    }
}

fn connection(of: &xt::Connection, packet: &Packet<'_>) -> Tri {
    if !packet.followed {
        return Tri::Maybe;
    }
    let sent = packet.sent_elsewhere;
    // A new connection, or an established one; its destination was changed.
    let state = if packet.answers { 2 } else { 8 } | if sent { 128 } else { 0 };
    let status = if sent { 32 } else { 0 };
    let original = {
        let (mask, wanted) = (&of.original.1, &of.original.0);
        let mut mine = bytes(packet.original.0);
        mine.resize(16, 0);
        mine.iter().zip(mask).zip(wanted).all(|((b, m), w)| b & m == *w)
    };
    let known = [
        (xt::STATE, of.states & state != 0),
        (xt::PROTOCOL, of.protocol == u16::from(packet.protocol)),
        (xt::ORIGINAL, original),
        (xt::STATUS, of.status & status != 0),
        (xt::ORIGINAL_PORT, (of.original_ports.0..=of.original_ports.1).contains(&packet.original.1)),
        (xt::DIRECTION, !packet.answers),
    ];
    let mut out = Tri::Yes;
    let mut rest = of.asks;
    for (bit, holds) in known {
        if of.asks & bit != 0 {
            rest &= !bit;
            let reversed = of.reversed & bit != 0;
            // Of the status not every bit is certain.
            let certain = if packet.answers { 0x20 } else { 0x2e };
            let one = if bit == xt::STATUS && of.status & !certain != 0 { Tri::Maybe } else { holds.into() };
            out = out.and(one.flip_if(reversed));
        }
    }
    if rest != 0 { out.and(Tri::Maybe) } else { out }
}
