//! Keys that let somebody in by ssh without further conditions.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::people::User;
use crate::{Host, files};

/// Where sshd looks where nothing else is set.
pub(super) const USUAL: &str = ".ssh/authorized_keys .ssh/authorized_keys2";

/// Kinds that sshd takes since 7.0 without being told so.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// How many keys let the user in for a shell, by the value of `AuthorizedKeysFile`. A key with an option that may hold
/// him back (`command`, `from`, `expiry-time`, …) does not count, nor does a file that `StrictModes` would not take.
pub(super) fn of(host: &Host, user: &User, patterns: &str) -> usize {
    let home = if user.home.is_empty() { "/" } else { user.home.trim_end_matches('/') };
    let paths = patterns.split(' ').filter(|pattern| !pattern.is_empty() && *pattern != "none").map(|pattern| {
        let path = expanded(pattern, user, home);
        if path.starts_with('/') { path } else { format!("{home}/{path}") }
    });
    paths.map(|path| in_file(host, user, home, &path)).sum()
}

fn expanded(pattern: &str, user: &User, home: &str) -> String {
    let (mut path, mut chars) = (String::new(), pattern.chars());
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('h')) => path.push_str(home),
            ('%', Some('u')) => path.push_str(&user.name),
            ('%', Some('U')) => path.push_str(&user.uid.to_string()),
            ('%', Some('%')) => path.push('%'),
            ('%', other) => path.extend(other),
            (c, _) => path.push(c),
        }
    }
    path
}

fn in_file(host: &Host, user: &User, home: &str, path: &str) -> usize {
    // sshd follows links, and judges where they lead.
    let Ok(real) = std::fs::canonicalize(host.path(path)) else { return 0 };
    let Ok(home) = std::fs::canonicalize(host.path(home)) else { return 0 };
    let mut ways = real.ancestors().take_while(|way| **way != host.root && **way != *Path::new("/"));
    let trusted = |way: &Path| {
        let Ok(meta) = way.metadata() else { return false };
        // In a test's own root its files are root's.
        let own = [0, user.uid, rustix::process::geteuid().as_raw()];
        meta.mode() & 0o022 == 0 && own.contains(&meta.uid())
    };
    // Up to the home, or to the root where it lies elsewhere.
    let mut before_home = true;
    let all = ways.all(|way| {
        let judged = !before_home || trusted(way);
        before_home &= way != home;
        judged
    });
    match files::read(&real) {
        Ok(Some(content)) if all => String::from_utf8_lossy(&content.bytes).lines().filter(|l| is_free(l)).count(),
        _ => 0,
    }
}

/// Whether a line is a key without a condition.
fn is_free(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with('#') {
        return false;
    }
    let mut words = line.split_whitespace();
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    if KINDS.contains(&first) {
        return is_key(first, second);
    }
    let harmless = ["no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc"];
    let is_harmless = first.split(',').all(|option| harmless.contains(&option.to_ascii_lowercase().as_str()));
    is_harmless && KINDS.contains(&second) && words.next().is_some_and(|key| is_key(second, key))
}

/// Whether the base64 is a key of its kind: it begins with the kind's length and name.
fn is_key(kind: &str, base64: &str) -> bool {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0);
    for c in base64.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return false,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    let length = kind.len();
    bytes.len() > 4 + length + 4
        && bytes[..4] == (length as u32).to_be_bytes()
        && bytes[4..4 + length] == *kind.as_bytes()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::act::people::tests::root;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8o0jFLlxRvcVjmJfI4MKkOMJcTQbX0FTEtKTOYyG5x ann@laptop";

    fn ann() -> User {
        User { name: "ann".into(), uid: 1000, gid: 1000, home: "/home/ann".into(), shell: "/bin/sh".into() }
    }

    #[test]
    fn only_keys_without_conditions_count() {
        let rsa = KEY.replace("ssh-ed25519", "ssh-rsa");
        for (line, free) in [
            (KEY.to_owned(), true),
            (format!("no-port-forwarding,no-X11-forwarding {KEY}"), true),
            (format!("command=\"/bin/true\" {KEY}"), false),
            (format!("from=\"10.0.0.0/8\",no-pty {KEY}"), false),
            (format!("cert-authority {KEY}"), false),
            (format!("# {KEY}"), false),
            (rsa, false),
            ("ssh-ed25519 AAAA".into(), false),
            ("ssh-ed25519".into(), false),
            ("rubbish \u{0} é".into(), false),
        ] {
            assert_eq!(is_free(&line), free, "{line}");
        }
    }

    #[test]
    fn files_are_found_as_sshd_finds_them_and_loose_ones_do_not_count() {
        let (_dir, host) =
            root(&[("/home/ann/.ssh/authorized_keys", &format!("{KEY}\n{KEY}\n")), ("/etc/keys/ann-1000", KEY)]);
        assert_eq!(of(&host, &ann(), USUAL), 2);
        assert_eq!(of(&host, &ann(), "%h/.ssh/authorized_keys /etc/keys/%u-%U"), 3);
        assert_eq!(of(&host, &ann(), "none"), 0);
        let ssh = host.path("/home/ann/.ssh");
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o775)).unwrap();
        assert_eq!(of(&host, &ann(), USUAL), 0);
    }
}
