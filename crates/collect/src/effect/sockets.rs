//! Listening TCP sockets of a network namespace, and which of them a process holds.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::read::{Buffer, MOST, open_dir_at, reason};
use crate::host::root::Unread;

/// A listening TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The address that it is bound to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// The listening sockets of a namespace by inode.
pub(super) type Table = Arc<BTreeMap<u64, Listener>>;

/// The most file descriptors of one process that are looked at.
const MOST_FDS: usize = 4096;

/// Reads both tables of a process's network namespace.
pub(super) fn table(process: impl AsFd, buffer: &mut Buffer) -> Result<Table, Unread> {
    let mut out = BTreeMap::new();
    parse(buffer.text(process.as_fd(), "net/tcp")?, &mut out)?;
    match buffer.text(process.as_fd(), "net/tcp6") {
        Ok(text) => parse(text, &mut out)?,
        // A kernel without IPv6 has no such file.
        Err(Unread::Absent) => {}
        Err(gap) => return Err(gap),
    }
    Ok(Arc::new(out))
}

fn parse(text: &str, out: &mut BTreeMap<u64, Listener>) -> Result<(), Unread> {
    debug_assert!(text.len() <= MOST);
    for line in text.lines().skip(1) {
        let malformed = || Unread::Other("has a malformed line".into());
        let mut words = line.split_ascii_whitespace();
        let local = words.nth(1).ok_or_else(malformed)?;
        let state = words.nth(1).ok_or_else(malformed)?;
        // 0A is LISTEN.
        if state != "0A" {
            continue;
        }
        let inode = words.nth(5).and_then(|i| i.parse().ok()).ok_or_else(malformed)?;
        let listener = parse_address(local).ok_or_else(malformed)?;
        out.insert(inode, listener);
    }
    Ok(())
}

/// `0100007F:0016`: words of 32 bits as the machine's order has them, then the port.
fn parse_address(text: &str) -> Option<Listener> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0u8; 16];
            for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(i * 8)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(Listener { address, port })
}

/// The inodes of the sockets that a process holds.
pub(super) fn inodes(process: impl AsFd, buffer: &mut Buffer) -> Result<Vec<u64>, Unread> {
    let dir = open_dir_at(process, "fd")?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let list = rustix::fs::openat(&dir, ".", flags, Mode::empty()).map_err(reason)?;
    let mut out = Vec::new();
    for (count, entry) in rustix::fs::Dir::new(list).map_err(reason)?.enumerate() {
        if count > MOST_FDS {
            return Err(Unread::TooLarge(MOST_FDS));
        }
        let entry = entry.map_err(reason)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !name.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let link = match buffer.link(&dir, name) {
            Ok(link) => link,
            // Closed meanwhile.
            Err(Unread::Absent) => continue,
            Err(gap) => return Err(gap),
        };
        out.extend(link.strip_prefix("socket:[").and_then(|l| l.strip_suffix(']')).and_then(|l| l.parse::<u64>().ok()));
    }
    Ok(out)
}

/// Those of a table that are among the sockets held.
pub(super) fn held(inodes: &[u64], table: &Table) -> Vec<Listener> {
    let mut out: Vec<Listener> = inodes.iter().filter_map(|i| table.get(i).copied()).collect();
    out.sort_unstable();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_tables_are_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 548 1 000000008e87bc16 100 0 0 10 0\n   1: 020200C0:97D2 507100CB:01BB 06 00000000:00000000 03:00000E4A 00000000     0        0 0 3 00000000853adc04\n";
        let mut out = BTreeMap::new();
        parse(text, &mut out).unwrap();
        assert_eq!(out.len(), 1);
        assert_eq!(out[&548], Listener { address: "0.0.0.0".parse().unwrap(), port: 22 });
        assert!(parse("header\nshort\n", &mut out).is_err());
        if cfg!(target_endian = "little") {
            assert_eq!(parse_address("0100007F:1F90").unwrap().address, IpAddr::from([127, 0, 0, 1]));
            assert_eq!(
                parse_address("00000000000000000000000001000000:0050").unwrap().address,
                "::1".parse::<IpAddr>().unwrap()
            );
        }
        assert_eq!(parse_address("zz:1"), None);
    }
}
