//! Sets of ports by protocol, as sorted intervals that do not touch.

/// A protocol that policies know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// By the name that the API gives it.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }
}

/// A set of ports of each protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports([Vec<(u16, u16)>; 3]);

/// Port 0 is never asked for; it belongs to none of the sets.
const WHOLE: (u16, u16) = (1, u16::MAX);

impl Ports {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every port of every protocol.
    pub fn all() -> Self {
        Self([vec![WHOLE], vec![WHOLE], vec![WHOLE]])
    }

    /// Every port of one protocol.
    pub fn whole(protocol: Protocol) -> Self {
        Self::range(protocol, WHOLE.0, WHOLE.1)
    }

    /// A range of one protocol; none where it ends before it begins.
    pub fn range(protocol: Protocol, first: u16, last: u16) -> Self {
        let mut ports = Self::default();
        let first = first.max(1);
        if first <= last {
            ports.0[protocol as usize].push((first, last));
        }
        ports
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// Whether a port is among them.
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.0[protocol as usize].iter().any(|(first, last)| (*first..=*last).contains(&port))
    }

    /// The intervals of a protocol, ascending.
    pub fn of(&self, protocol: Protocol) -> &[(u16, u16)] {
        &self.0[protocol as usize]
    }

    /// Those of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut out = Self::default();
        for (i, set) in out.0.iter_mut().enumerate() {
            let mut all: Vec<_> = self.0[i].iter().chain(&other.0[i]).copied().collect();
            all.sort_unstable();
            for (first, last) in all {
                match set.last_mut() {
                    Some((_, end)) if u32::from(first) <= u32::from(*end) + 1 => *end = (*end).max(last),
                    _ => set.push((first, last)),
                }
            }
        }
        out
    }

    /// Those of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut out = Self::default();
        for (i, set) in out.0.iter_mut().enumerate() {
            for (a, b) in &self.0[i] {
                let shared =
                    other.0[i].iter().map(|(c, d)| (*a.max(c), *b.min(d))).filter(|(first, last)| first <= last);
                set.extend(shared);
            }
        }
        out
    }

    /// Those of this one that are not of the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    fn complement(&self) -> Self {
        let mut out = Self::default();
        for (i, set) in out.0.iter_mut().enumerate() {
            let mut next = u32::from(WHOLE.0);
            for (first, last) in &self.0[i] {
                if next < u32::from(*first) {
                    set.push((u16::try_from(next).unwrap_or(u16::MAX), first - 1));
                }
                next = u32::from(*last) + 1;
            }
            if let Ok(next) = u16::try_from(next) {
                set.push((next, WHOLE.1));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ports() -> impl Strategy<Value = Ports> {
        let range = (0usize..3, 0u16..40, 0u16..40);
        prop::collection::vec(range, 0..6).prop_map(|ranges| {
            ranges.into_iter().fold(Ports::none(), |set, (p, first, last)| {
                // Some reach to the end, where arithmetic could overflow.
                let (first, last) = if first > 35 { (u16::MAX - (first - 35), u16::MAX) } else { (first, last) };
                set.union(&Ports::range(Protocol::ALL[p], first, last))
            })
        })
    }

    proptest! {
        #[test]
        fn sets_hold_what_sets_should(a in ports(), b in ports()) {
            let probes = (1u16..=42).chain(u16::MAX - 6..=u16::MAX);
            for port in probes {
                for protocol in Protocol::ALL {
                    let (x, y) = (a.contains(protocol, port), b.contains(protocol, port));
                    prop_assert_eq!(a.union(&b).contains(protocol, port), x || y);
                    prop_assert_eq!(a.intersection(&b).contains(protocol, port), x && y);
                    prop_assert_eq!(a.without(&b).contains(protocol, port), x && !y);
                }
            }
            prop_assert_eq!(a.without(&a), Ports::none());
            prop_assert_eq!(Ports::all().without(&a).union(&a), Ports::all());
        }
    }
}
