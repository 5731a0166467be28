//! Follows one packet through the rules, keeping every way open that depends on what is not known.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::expression::{Expression, Verdict};
use super::held::{self, Held, compare, find, masked, slot, within};
use super::matching;
use super::packet::{Packet, Tri};
use super::set::{Gives, Set};
use super::wire::{Chain, INET, IPV4, IPV6, NETDEV, Ruleset};

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

/// Where in the rules the walk is.
struct At<'r> {
    chain: &'r Chain,
    /// How many chains have jumped here.
    depth: usize,
    /// The rule, as people name it.
    place: &'r dyn Fn() -> String,
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
            let asked = self.rule(&At { chain, depth, place: &place }, rule, packet);
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

    fn rule(&mut self, at: &At<'_>, rule: &[Expression], packet: &mut Packet<'_>) -> Asked {
        let place = at.place;
        let mut registers: BTreeMap<u32, Held> = BTreeMap::new();
        let mut asked = Asked { matches: Tri::Yes, ends: Ends::default(), goes_on: true, returns: false };
        for expression in rule {
            let matches = match expression {
                Expression::Load(register, load) => {
                    registers.insert(slot(*register), held::load(load, packet));
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
                Expression::Match(of) => matching::matches(of, packet),
                Expression::Lookup { set, register, into, reversed } => {
                    let set = self.set(at.chain, set);
                    let held = registers.get(&slot(*register)).cloned();
                    match into {
                        None => find(set, held.as_ref(), packet).map_or(Tri::Maybe, |found| found.0).flip_if(*reversed),
                        Some(0) => {
                            self.map(set, held.as_ref(), at, packet, &mut asked);
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
                    self.verdict(verdict, at, packet, &mut asked);
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

    fn map(&mut self, set: Option<&Set>, held: Option<&Held>, at: &At<'_>, packet: &mut Packet<'_>, asked: &mut Asked) {
        let place = at.place;
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
                Gives::Verdict(verdict) => self.verdict(verdict, at, packet, &mut each),
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

    fn verdict(&mut self, verdict: &Verdict, at: &At<'_>, packet: &mut Packet<'_>, asked: &mut Asked) {
        let (chain, place) = (at.chain, at.place);
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
                asked.ends = self.chain(next, packet, at.depth + 1);
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
