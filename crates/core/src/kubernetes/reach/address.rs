//! Ranges of addresses.

use std::net::IpAddr;

/// A range of addresses, as `10.0.0.0/8` writes it; bits beyond the prefix do not matter, as in Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads one; also an address alone, which is a range of one. None where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => longest,
        };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// One address.
    pub fn one(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether it is every address of its family.
    pub fn is_everything(self) -> bool {
        self.prefix == 0
    }

    /// Whether all of the other lies in it.
    pub fn contains(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.agrees(other, self.prefix)
    }

    /// Whether they share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.agrees(other, self.prefix.min(other.prefix))
    }

    /// Whether they are of one family and equal in the first bits.
    fn agrees(self, other: Self, bits: u8) -> bool {
        let top = |value: u128, width: u32| {
            let shift = width - u32::from(bits).min(width);
            if shift == width { 0 } else { value >> shift }
        };
        match (self.address, other.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => top(a.to_bits().into(), 32) == top(b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => top(a.to_bits(), 128) == top(b.to_bits(), 128),
            _ => false,
        }
    }

    /// Whether no address of the internet lies in it: private, shared, link-local, loopback, unique local, multicast.
    pub fn is_private(self) -> bool {
        const PRIVATE: [&str; 12] = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "0.0.0.0/8",
            "224.0.0.0/3",
            "fc00::/7",
            "fe80::/10",
            "::1/128",
            "ff00::/8",
        ];
        PRIVATE.iter().filter_map(|text| Self::parse(text)).any(|range| range.contains(self))
    }
}

/// Addresses with exceptions, as a policy's `ipBlock` has them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Block {
    /// The addresses.
    pub cidr: Cidr,
    /// Those in it that are not meant.
    pub except: Vec<Cidr>,
}

impl Block {
    /// Whether an address that lies somewhere in these ranges is meant; no range at all is anywhere.
    pub fn holds(&self, ranges: &[Cidr]) -> Option<bool> {
        if ranges.is_empty() {
            return None;
        }
        let one = |range: Cidr| {
            if !self.cidr.overlaps(range) || self.except.iter().any(|e| e.contains(range)) {
                return Some(false);
            }
            (self.cidr.contains(range) && !self.except.iter().any(|e| e.overlaps(range))).then_some(true)
        };
        let first = one(ranges[0]);
        ranges.iter().all(|range| one(*range) == first).then_some(first).flatten()
    }

    /// Whether anybody in the internet is meant: true where only private ranges are left out, unknown where some are.
    pub fn holds_internet(&self) -> Option<bool> {
        if self.cidr.is_private() || self.except.iter().any(|e| e.contains(self.cidr)) {
            return Some(false);
        }
        (self.cidr.is_everything() && self.except.iter().all(|e| e.is_private())).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn ranges_are_read_as_go_reads_them() {
        assert!(cidr("10.1.2.3/8").contains(cidr("10.255.0.0/16")));
        assert!(cidr("0.0.0.0/0").contains(cidr("255.255.255.255")));
        assert!(!cidr("0.0.0.0/0").contains(cidr("::1")), "the families are apart");
        assert!(cidr("::/0").contains(cidr("fd00:ec2::254")));
        assert!(cidr("10.0.0.0/16").overlaps(cidr("10.0.0.0/8")) && !cidr("10.0.0.0/16").contains(cidr("10.0.0.0/8")));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/+8", "::/129", "10.0.0.0/", "web"] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_block_holds_what_is_in_it_and_not_excepted() {
        let block = Block { cidr: cidr("172.17.0.0/16"), except: vec![cidr("172.17.1.0/24")] };
        assert_eq!(block.holds(&[cidr("172.17.2.9")]), Some(true));
        assert_eq!(block.holds(&[cidr("172.17.1.9")]), Some(false));
        assert_eq!(block.holds(&[cidr("172.18.0.1")]), Some(false));
        assert_eq!(block.holds(&[cidr("172.17.0.0/23")]), None, "half of it is excepted");
        assert_eq!(block.holds(&[cidr("172.17.2.9"), cidr("172.17.1.9")]), None);
        assert_eq!(block.holds(&[]), None);
        let outside = Block { cidr: cidr("0.0.0.0/0"), except: vec![cidr("10.0.0.0/8"), cidr("169.254.169.254/32")] };
        assert_eq!(outside.holds_internet(), Some(true));
        assert_eq!(block.holds_internet(), Some(false));
        assert_eq!(Block { cidr: cidr("203.0.113.0/24"), except: vec![] }.holds_internet(), None);
    }
}
