//! What rules load into registers, and how that compares.

use super::expression::{Load, Order};
use super::packet::{Device, Packet, Tri, bytes};
use super::set::{Gives, Set};

/// What a register holds.
#[derive(Debug, Clone)]
pub(super) enum Held {
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
    pub(super) fn known(bytes: Vec<u8>) -> Self {
        let mask = vec![0xff; bytes.len()];
        Self::Bytes(bytes, mask)
    }
}

/// The kernel has the same register under two numbers: four of 16 bytes, or sixteen of 4.
pub(super) fn slot(register: u32) -> u32 {
    if (1..=4).contains(&register) { 4 + 4 * register } else { register }
}

pub(super) fn load(load: &Load, packet: &Packet<'_>) -> Held {
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
pub(super) fn flags(packet: &Packet<'_>) -> u8 {
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

pub(super) fn masked(held: Option<&Held>, mask: &[u8], xor: &[u8]) -> Held {
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
pub(super) fn compare(held: Option<&Held>, order: Order, to: &[u8], packet: &Packet<'_>) -> Tri {
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

pub(super) fn within(held: Option<&Held>, from: &[u8], to: &[u8], packet: &Packet<'_>) -> Tri {
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
pub(super) fn find<'s>(
    set: Option<&'s Set>,
    held: Option<&Held>,
    packet: &Packet<'_>,
) -> Option<(Tri, Vec<&'s Gives>)> {
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
