//! The kernel's nf_tables as they are, read over netlink: chains, their rules, and the elements of sets.

use rustix::io::Errno;
use rustix::net::netlink::NETFILTER;

use super::expression::{Expression, decode};
use super::set::{Element, Set};
use crate::host::netlink::{DUMP, Socket, attributes};

/// `NFNL_SUBSYS_NFTABLES << 8`.
const SUBSYSTEM: u16 = 10 << 8;
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
const GET_CHAIN: u16 = SUBSYSTEM | 4;
const NEW_RULE: u16 = SUBSYSTEM | 6;
const GET_RULE: u16 = SUBSYSTEM | 7;
const NEW_SET: u16 = SUBSYSTEM | 9;
const GET_SET: u16 = SUBSYSTEM | 10;
const NEW_ELEMENTS: u16 = SUBSYSTEM | 12;
const GET_ELEMENTS: u16 = SUBSYSTEM | 13;
/// The most rules kept; with more, nothing is certain.
const MOST_RULES: usize = 50_000;
/// The most sets whose elements are read, and the most elements kept of each.
const MOST_SETS: usize = 512;
const MOST_ELEMENTS: usize = 10_000;

/// The families of tables that an IP packet may meet.
pub const INET: u8 = 1;
pub const IPV4: u8 = 2;
pub const NETDEV: u8 = 5;
pub const IPV6: u8 = 10;

/// Where a base chain is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `NF_INET_…`: 0 prerouting, 1 input, 2 forward, 3 output, 4 postrouting, 5 ingress.
    pub hook: u32,
    /// Lower ones are asked first.
    pub priority: i32,
    /// `filter`, `nat` or `route`.
    pub kind: String,
    /// Whether what falls through is dropped.
    pub drops: bool,
}

/// A chain with its rules in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Of its table.
    pub family: u8,
    /// The table's name.
    pub table: String,
    /// Its name.
    pub name: String,
    /// None for one that is only jumped to.
    pub base: Option<Base>,
    /// What each rule asks and does.
    pub rules: Vec<Vec<Expression>>,
}

/// Everything that nf_tables holds in one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// In the order of the kernel.
    pub chains: Vec<Chain>,
    /// With their elements.
    pub sets: Vec<Set>,
}

/// Reads the rules of this thread's network namespace.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN; `EFBIG` for more rules than are kept; what else the kernel answers.
pub fn read() -> Result<Ruleset, Errno> {
    let mut socket = Socket::open(Some(NETFILTER))?;
    let mut ruleset = Ruleset::default();
    let all = generic(0);
    socket.ask(GET_CHAIN, DUMP, &all, |kind, body| {
        if kind == NEW_CHAIN {
            ruleset.chains.extend(chain(body));
        }
    })?;
    let mut kept = 0;
    socket.ask(GET_RULE, DUMP, &all, |kind, body| {
        if kind == NEW_RULE && kept <= MOST_RULES {
            kept += usize::from(rule(body, &mut ruleset.chains));
        }
    })?;
    if kept > MOST_RULES {
        return Err(Errno::FBIG);
    }
    socket.ask(GET_SET, DUMP, &all, |kind, body| {
        if kind == NEW_SET && ruleset.sets.len() < MOST_SETS {
            ruleset.sets.extend(set(body));
        }
    })?;
    for set in &mut ruleset.sets {
        let mut request = generic(set.family).to_vec();
        request.extend(text(1, &set.table));
        request.extend(text(2, &set.name));
        let mut found = Vec::new();
        socket.ask(GET_ELEMENTS, DUMP, &request, |kind, body| {
            if kind == NEW_ELEMENTS && found.len() <= MOST_ELEMENTS {
                found.extend(elements(body));
            }
        })?;
        set.elements = (found.len() <= MOST_ELEMENTS).then_some(found);
    }
    Ok(ruleset)
}

/// `nfgenmsg`.
fn generic(family: u8) -> [u8; 4] {
    [family, 0, 0, 0]
}

fn text(kind: u16, text: &str) -> Vec<u8> {
    let length = u16::try_from(4 + text.len() + 1).unwrap_or(u16::MAX);
    let mut out = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    out.extend_from_slice(text.as_bytes());
    out.resize(out.len() + 1, 0);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// The attributes of a message or of a nested attribute, by their number.
pub(super) struct Attributes<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Attributes<'a> {
    pub fn of(body: &'a [u8], skip: usize) -> Self {
        Self(attributes(body, skip))
    }

    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(k, _)| *k == kind).map(|(_, value)| *value)
    }

    /// A number in the network's order.
    pub fn number(&self, kind: u16) -> Option<u32> {
        self.get(kind).and_then(|v| v.get(..4)).map(|v| u32::from_be_bytes([v[0], v[1], v[2], v[3]]))
    }

    pub fn text(&self, kind: u16) -> Option<String> {
        let value = self.get(kind)?;
        let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
        Some(String::from_utf8_lossy(&value[..end]).into_owned())
    }

    pub fn nested(&self, kind: u16) -> Option<Attributes<'a>> {
        self.get(kind).map(|value| Attributes::of(value, 0))
    }

    /// The members of a list: attributes of number 1.
    pub fn list(&self, kind: u16) -> Vec<&'a [u8]> {
        let members = self.nested(kind).map(|nested| nested.0).unwrap_or_default();
        members.into_iter().filter(|(k, _)| *k == 1).map(|(_, value)| value).collect()
    }
}

fn chain(body: &[u8]) -> Option<Chain> {
    let family = *body.first()?;
    let all = Attributes::of(body, 4);
    let base = all.nested(4).map(|hook| Base {
        hook: hook.number(1).unwrap_or(u32::MAX),
        priority: hook.number(2).map_or(0, u32::cast_signed),
        kind: all.text(7).unwrap_or_default(),
        drops: all.number(5) == Some(0),
    });
    Some(Chain { family, table: all.text(1)?, name: all.text(3)?, base, rules: Vec::new() })
}

/// Puts a rule into its chain; returns whether there is one.
fn rule(body: &[u8], chains: &mut [Chain]) -> bool {
    let Some(family) = body.first() else { return false };
    let all = Attributes::of(body, 4);
    let (Some(table), Some(name)) = (all.text(1), all.text(2)) else { return false };
    // The rules of a chain come together, so that the last one asked is mostly the right one.
    let its = |chain: &Chain| chain.family == *family && chain.name == name && chain.table == table;
    let Some(chain) = chains.iter_mut().find(|chain| its(chain)) else { return false };
    chain.rules.push(all.list(4).into_iter().map(decode).collect());
    true
}

fn set(body: &[u8]) -> Option<Set> {
    let all = Attributes::of(body, 4);
    Some(Set {
        family: *body.first()?,
        table: all.text(1)?,
        name: all.text(2)?,
        flags: all.number(3).unwrap_or(0),
        elements: None,
    })
}

fn elements(body: &[u8]) -> Vec<Element> {
    let all = Attributes::of(body, 4);
    all.list(3).into_iter().map(Element::read).collect()
}
