//! The kernel's messages and its files in `/proc`.

use std::collections::BTreeMap;
use std::path::Path;

use seaworthy_collect::effect::{self, cgroup, status as statuses};
use seaworthy_collect::host::netlink::{ACK, DUMP, attributes, walk};
use seaworthy_collect::host::{audit, mounts as tables, network, paths, process, sockets as listeners};

/// One rule of the kernel's audit table.
pub fn audit_message(data: &[u8]) {
    if let Some(rule) = audit::netlink::decode(data) {
        assert!(!audit::rules::describe(&rule).is_empty());
        assert!(rule.same_meaning(&rule));
    }
}

/// A datagram of netlink, and each of its messages as everything that we ask for.
pub fn netlink(data: &[u8]) {
    let decode = |body: &[u8]| {
        attributes(body, 16);
        network::interface(body);
        network::address(body);
        listeners::decode(body);
        listeners::decode_tcp(body);
        effect::sockets::parse_answer(body);
        audit::netlink::decode(body);
    };
    decode(data);
    for flags in [0, ACK, DUMP] {
        let mut seen = 0;
        let _ = walk(data, 1, flags, &mut |_, body| decode(body), &mut seen);
        assert!(seen <= data.len() / 16);
    }
}

/// The attribute that holds a POSIX access list.
pub fn access_list(data: &[u8]) {
    for entry in paths::parse(data).unwrap_or_default() {
        assert!(entry.grants != 0 && entry.grants < 8);
    }
}

/// A table of mounts, read in both ways, and a process's cgroups in what it mounts.
pub fn mounts(data: &[u8]) {
    let [table, groups] = super::pieces(data);
    let mounts: Vec<_> = table.split(|b| *b == b'\n').filter_map(tables::parse).collect();
    tables::holding(&mounts, Path::new("/var/lib/docker"));
    let (Ok(table), Ok(groups)) = (std::str::from_utf8(table), std::str::from_utf8(groups)) else { return };
    let Ok(mounts) = effect::mounts::parse(table) else { return };
    effect::mounts::root_mount(&mounts);
    let Ok(hierarchies) = cgroup::Hierarchies::parse(table, Path::new("/")) else { return };
    hierarchies.version();
    if let Ok(memberships) = cgroup::memberships(groups, &hierarchies) {
        for version in [cgroup::Version::V1, cgroup::Version::V2] {
            cgroup::for_controller(&memberships, "memory", version);
        }
    }
}

/// `/proc/PID/status`, `stat` and `uid_map`.
pub fn status(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = statuses::Status::parse(&text);
    process::parse_owner(&text);
    process::parse_stat(&text);
    if let Ok(map) = statuses::parse_id_map(&text) {
        for id in [0, 1, u32::MAX] {
            statuses::outside_id(&map, id);
        }
    }
}

/// The tables of sockets in `/proc/PID/net`.
pub fn sockets(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    listeners::parse_unix(&text);
    let one = listeners::parse_tcp(&text);
    let mut other = BTreeMap::new();
    // The two part words alike where the kernel's own separators stand between them.
    let plain = text.bytes().all(|b| b == b' ' || b == b'\n' || b.is_ascii_graphic());
    if effect::sockets::parse(&text, &mut other).is_ok() && plain {
        // Both readers must find the same sockets; of one inode that is told twice the second keeps one.
        for (inode, found) in &other {
            let same = |l: &listeners::TcpListener| {
                (l.inode, l.address.ip(), l.address.port()) == (*inode, found.address, found.port)
            };
            assert!(one.iter().any(same), "{inode}");
        }
    }
}

/// A seccomp profile; capabilities and device paths, a line each.
pub fn seccomp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.lines().collect();
    for architecture in [Some("x86_64"), None] {
        effect::allows_all(
            text,
            &effect::security::Confined { capabilities: &lines, architecture, kernel: lines.first().copied() },
        );
    }
    effect::configured_capabilities(false, &lines, &lines, u64::MAX >> 23);
    for line in lines.iter().take(8) {
        effect::device_class(line);
        seaworthy_core::path::normalise(line);
        seaworthy_collect::docker::container::user_number(line);
    }
}
