//! Whether matches of iptables hold for a packet.

use super::held::flags;
use super::packet::{Packet, Tri, bytes};
use super::xt;

pub(super) fn matches(of: &xt::Match, packet: &Packet<'_>) -> Tri {
    let among = |(low, high): (u16, u16), port: u16| (low..=high).contains(&port);
    match of {
        xt::Match::Always => Tri::Yes,
        xt::Match::Maybe => Tri::Maybe,
        xt::Match::Ports { source, not_source, destination, not_destination, flags: wanted } => {
            let (theirs, not_theirs, ours, not_ours) = if packet.answers {
                (destination, not_destination, source, not_source)
            } else {
                (source, not_source, destination, not_destination)
            };
            let theirs = if *theirs == (0, u16::MAX) { Tri::Yes } else { Tri::Maybe }.flip_if(*not_theirs);
            let ours = Tri::from(among(*ours, packet.port) != *not_ours);
            let options = if wanted.options { Tri::Maybe } else { Tri::Yes };
            let set = flags(packet) & wanted.mask == wanted.set;
            theirs.and(ours).and(options).and(Tri::from(packet.protocol != 6 || set != wanted.reversed))
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
