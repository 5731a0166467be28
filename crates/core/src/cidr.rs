//! Networks as an address with the length of its prefix: `10.0.0.0/8`, `fd00::/8`.

use std::net::IpAddr;

/// A network's address and the length of its prefix; none where the text is none.
pub fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok()?))
}

/// Whether an address lies in a network; never across the two versions of IP.
pub fn within(ip: IpAddr, network: IpAddr, length: u32) -> bool {
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)) << 96, 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let ((ip, width), (network, other)) = (bits(ip), bits(network));
    let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
    width == other && length <= width && ip & mask == network & mask
}
