//! The sets and maps that rules look something up in.

use super::expression::{Verdict, verdict};
use super::wire::Attributes;

/// `NFT_SET_INTERVAL`.
const INTERVAL: u32 = 4;
/// `NFT_SET_CONCAT`.
const CONCATENATED: u32 = 0x80;

/// A set or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Of its table.
    pub family: u8,
    /// The table's name.
    pub table: String,
    /// Its name.
    pub name: String,
    /// `NFT_SET_…`.
    pub flags: u32,
    /// None where there are more than are kept.
    pub elements: Option<Vec<Element>>,
}

/// What an element gives, in a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gives {
    Nothing,
    Verdict(Verdict),
    Value(Vec<u8>),
}

/// An element as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// None for the one that catches all others.
    pub key: Option<Vec<u8>>,
    /// The last key, in a set of concatenated ranges.
    pub end: Option<Vec<u8>>,
    /// It only says where the range before it ends.
    pub ends: bool,
    /// What it gives.
    pub gives: Gives,
    /// It matches only under a condition, such as a limit.
    pub conditional: bool,
}

impl Element {
    pub(super) fn read(body: &[u8]) -> Self {
        let all = Attributes::of(body, 0);
        let value = |kind| all.nested(kind).and_then(|data| data.get(1)).map(<[u8]>::to_vec);
        let flags = all.number(3).unwrap_or(0);
        let gives = match all.nested(2) {
            None => Gives::Nothing,
            Some(data) => match data.nested(2) {
                Some(what) => Gives::Verdict(verdict(&what)),
                None => Gives::Value(data.get(1).unwrap_or_default().to_vec()),
            },
        };
        Self {
            key: value(1),
            end: value(10),
            ends: flags & 1 != 0,
            gives,
            // Expressions of an element, an object, several expressions.
            conditional: [7, 9, 11].iter().any(|kind| all.get(*kind).is_some()),
        }
    }
}

/// A range of keys, both ends in it, and what it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<'a> {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
    pub gives: &'a Gives,
    pub conditional: bool,
}

impl Set {
    /// The ranges of keys that it holds, and what is given to all others; none where that is not understood.
    pub fn spans(&self) -> Option<(Vec<Span<'_>>, Option<&Gives>)> {
        let elements = self.elements.as_ref()?;
        let mut others = None;
        let mut spans = Vec::new();
        let intervals = self.flags & INTERVAL != 0;
        if intervals && self.flags & CONCATENATED != 0 {
            return None;
        }
        // Intervals are told by their starts and, apart, the first key beyond each, in any order.
        let mut sorted: Vec<&Element> = Vec::new();
        for element in elements {
            match &element.key {
                None => others = Some(&element.gives),
                Some(_) => sorted.push(element),
            }
        }
        sorted.sort_by(|a, b| (&a.key, !a.ends).cmp(&(&b.key, !b.ends)));
        for (at, element) in sorted.iter().enumerate() {
            let (Some(key), false) = (&element.key, element.ends) else { continue };
            let to = if intervals {
                match sorted.get(at + 1).and_then(|next| next.key.as_ref()) {
                    Some(next) => before(next),
                    None => vec![0xff; key.len()],
                }
            } else {
                key.clone()
            };
            let (gives, conditional) = (&element.gives, element.conditional);
            spans.push(Span { from: key.clone(), to, gives, conditional });
        }
        Some((spans, others))
    }
}

/// The number before, of the same length.
fn before(key: &[u8]) -> Vec<u8> {
    let mut out = key.to_vec();
    for byte in out.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte != 0xff {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_before_the_next_mark() {
        assert_eq!(before(&[1, 0]), [0, 255]);
        let element = |key: u8, ends| Element {
            key: Some(vec![key]),
            end: None,
            ends,
            gives: Gives::Nothing,
            conditional: false,
        };
        let set = Set {
            family: 1,
            table: "t".into(),
            name: "s".into(),
            flags: INTERVAL,
            elements: Some(vec![element(10, false), element(20, true), element(200, false), element(0, true)]),
        };
        let (spans, others) = set.spans().unwrap();
        let spans: Vec<_> = spans.iter().map(|s| (s.from[0], s.to[0])).collect();
        assert_eq!((spans, others), (vec![(10, 19), (200, 255)], None));
    }
}
