//! What a rule is made of, decoded from the kernel's attributes (`linux/netfilter/nf_tables.h`).

use super::wire::Attributes;
use super::xt;

/// What is loaded into a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// Of what surrounds the packet: `NFT_META_…`.
    Meta(u32),
    /// Bytes of its headers: base (1 network, 2 transport), offset, length.
    Payload(u32, u32, u32),
    /// Of its connection: `NFT_CT_…`.
    Connection(u32),
    /// Whether its destination is this machine's (`RTN_…`).
    DestinationKind,
    /// A constant.
    Constant(Vec<u8>),
    /// What is not understood.
    Other,
}

/// How a comparison ends a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a rule does with what matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The packet goes on to the next base chain.
    Accept,
    /// It ends here, with or without an answer.
    Drop,
    /// The next rule is asked.
    Continue,
    /// The calling chain goes on.
    Return,
    /// Another chain is asked, and then this one goes on.
    Jump(String),
    /// Another chain is asked instead of this one.
    Goto(String),
    /// It may be any of these.
    Unknown,
}

/// One part of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Loads a register.
    Load(u32, Load),
    /// `destination = source & mask ^ xor`.
    Bitwise { from: u32, to: u32, mask: Vec<u8>, xor: Vec<u8> },
    /// Ends the rule unless the register stands so to the constant.
    Compare(u32, Order, Vec<u8>),
    /// Ends the rule unless the register lies in a range (or, reversed, outside it).
    Range { register: u32, reversed: bool, from: Vec<u8>, to: Vec<u8> },
    /// Ends the rule unless the register is in a set; of a map, loads its value or is its verdict (register 0).
    Lookup { set: String, register: u32, into: Option<u32>, reversed: bool },
    /// A match of iptables.
    Match(xt::Match),
    /// The verdict.
    Verdict(Verdict),
    /// The destination becomes what two registers (address, port) hold.
    Destination { address: Option<u32>, port: Option<u32> },
    /// The destination becomes this address and port, or where not said stays.
    DestinationIs(Option<Vec<u8>>, Option<u16>),
    /// The destination becomes this machine.
    Redirect,
    /// Its connection is not followed: what is known of its state no longer holds.
    Untracked,
    /// Says something, counts, marks: the packet is the same to what is asked here.
    Pass,
    /// May or may not match.
    Maybe,
    /// Is not understood: may match, and may end in anything.
    Unknown,
}

/// Decodes one member of a rule's list.
pub fn decode(body: &[u8]) -> Expression {
    let all = Attributes::of(body, 0);
    let name = all.text(1).unwrap_or_default();
    let empty: &[u8] = &[];
    let data = Attributes::of(all.get(2).unwrap_or(empty), 0);
    known(&name, &data).unwrap_or(Expression::Unknown)
}

fn known(name: &str, data: &Attributes<'_>) -> Option<Expression> {
    Some(match name {
        "immediate" => immediate(data)?,
        // What sets something of the packet (3, or 5 for its bytes) may change what is asked later.
        "meta" => match data.number(3) {
            None => Expression::Load(data.number(1)?, Load::Meta(data.number(2)?)),
            Some(_) => Expression::Pass,
        },
        "payload" if data.number(5).is_some() => Expression::Unknown,
        "payload" => {
            Expression::Load(data.number(1)?, Load::Payload(data.number(2)?, data.number(3)?, data.number(4)?))
        }
        "ct" => match data.number(4) {
            None => Expression::Load(data.number(1)?, Load::Connection(data.number(2)?)),
            Some(_) => Expression::Pass,
        },
        "bitwise" => bitwise(data)?,
        "cmp" => Expression::Compare(data.number(1)?, order(data.number(2)?)?, value(data, 3)?),
        "range" => Expression::Range {
            register: data.number(1)?,
            reversed: data.number(2)? == 1,
            from: value(data, 3)?,
            to: value(data, 4)?,
        },
        "lookup" => Expression::Lookup {
            set: data.text(1)?,
            register: data.number(2)?,
            into: data.number(3),
            reversed: data.number(5).unwrap_or(0) & 1 == 1,
        },
        "match" => Expression::Match(xt::Match::read(&data.text(1)?, data.number(2)?, data.get(3)?)),
        "target" => xt::target(&data.text(1)?, data.number(2)?, data.get(3)?),
        "reject" => Expression::Verdict(Verdict::Drop),
        "nat" if data.number(1)? == 1 => Expression::Destination { address: data.number(3), port: data.number(5) },
        // The source becomes another, after everything that is asked here.
        "nat" | "masq" => Expression::Verdict(Verdict::Accept),
        "redir" => Expression::Redirect,
        "notrack" => Expression::Untracked,
        "counter" | "log" | "last" => Expression::Pass,
        // A full set and an object that limits end a rule, too.
        "limit" | "quota" | "connlimit" | "objref" | "dynset" => Expression::Maybe,
        // The kind (3) of the destination (2) alone.
        "fib" if (data.number(2), data.number(3)) == (Some(3), Some(2)) => {
            Expression::Load(data.number(1)?, Load::DestinationKind)
        }
        // The size of segments is set.
        "exthdr" if data.number(7).is_some() => Expression::Pass,
        // Each loads a register with what is not known here.
        "fib" | "rt" | "numgen" | "osf" | "xfrm" | "exthdr" => Expression::Load(data.number(1)?, Load::Other),
        "socket" | "hash" | "tunnel" | "byteorder" => Expression::Load(data.number(2)?, Load::Other),
        _ => return None,
    })
}

/// The bytes of a nested value.
fn value(data: &Attributes<'_>, kind: u16) -> Option<Vec<u8>> {
    data.nested(kind)?.get(1).map(<[u8]>::to_vec)
}

fn immediate(data: &Attributes<'_>) -> Option<Expression> {
    let content = data.nested(2)?;
    Some(match content.nested(2) {
        Some(what) => Expression::Verdict(verdict(&what)),
        None => Expression::Load(data.number(1)?, Load::Constant(content.get(1)?.to_vec())),
    })
}

/// A verdict by its code and chain.
pub(super) fn verdict(what: &Attributes<'_>) -> Verdict {
    let chain = || what.text(2).unwrap_or_default();
    match what.number(1).map(u32::cast_signed) {
        Some(0) => Verdict::Drop,
        Some(1) => Verdict::Accept,
        Some(-1) => Verdict::Continue,
        Some(-3) => Verdict::Jump(chain()),
        Some(-4) => Verdict::Goto(chain()),
        Some(-5) => Verdict::Return,
        _ => Verdict::Unknown,
    }
}

fn bitwise(data: &Attributes<'_>) -> Option<Expression> {
    let (from, to) = (data.number(1)?, data.number(2)?);
    // Shifts, and operations of two registers.
    if data.number(6).unwrap_or(0) != 0 {
        return Some(Expression::Load(to, Load::Other));
    }
    Some(Expression::Bitwise { from, to, mask: value(data, 4)?, xor: value(data, 5)? })
}

fn order(number: u32) -> Option<Order> {
    use Order::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual].get(number as usize).copied()
}
