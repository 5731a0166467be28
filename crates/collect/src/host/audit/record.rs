//! Records of the audit log: a line each, of a type, a time and a serial number, with fields behind them.
//!
//! What is behind the separator byte was added by auditd to be read by people, and repeats what is before it.

/// The longest text of a field that is taken, in bytes: what a path can have.
const LONGEST: usize = 4096;
/// Between a record's own fields and those that auditd adds.
const SEPARATOR: u8 = 0x1d;

/// Which event a record belongs to: records of one event have the same. Numbers begin again with each boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Stamp {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The serial number.
    pub serial: u64,
}

/// A record of the kernel that tells of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who called, with which result.
    Syscall,
    /// Where he was.
    Cwd,
    /// A path that the call was about.
    Path,
    /// How a file was opened, where the call's arguments do not say.
    OpenHow,
}

/// Splits `type=PATH msg=audit(1700000000.123:45): FIELDS`, perhaps behind the name of a node; none for every other type.
pub fn head(line: &[u8]) -> Option<(Kind, Stamp, &[u8])> {
    let (kind, rest) = kind(line)?;
    let (stamp, fields) = stamp(rest)?;
    Some((kind, stamp, fields))
}

/// When the event of a record was, of whatever type that is.
pub fn time(line: &[u8]) -> Option<i64> {
    let rest = typed(line)?;
    let blank = rest.iter().position(|b| *b == b' ')?;
    stamp(&rest[blank + 1..]).map(|(stamp, _)| stamp.at)
}

/// What is behind `type=`, where the line begins with it or with the name of a node.
fn typed(line: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = line.strip_prefix(b"type=") {
        return Some(rest);
    }
    let node = line.strip_prefix(b"node=")?;
    let blank = node.iter().position(|b| *b == b' ')?;
    node[blank + 1..].strip_prefix(b"type=")
}

fn kind(line: &[u8]) -> Option<(Kind, &[u8])> {
    let rest = typed(line)?;
    for (name, kind) in
        [(&b"SYSCALL "[..], Kind::Syscall), (b"CWD ", Kind::Cwd), (b"PATH ", Kind::Path), (b"OPENAT2 ", Kind::OpenHow)]
    {
        if let Some(rest) = rest.strip_prefix(name) {
            return Some((kind, rest));
        }
    }
    None
}

fn stamp(rest: &[u8]) -> Option<(Stamp, &[u8])> {
    let rest = rest.strip_prefix(b"msg=audit(")?;
    let (seconds, rest) = number(rest)?;
    let (thousandths, rest) = number(rest.strip_prefix(b".")?)?;
    let (serial, rest) = number(rest.strip_prefix(b":")?)?;
    let at = i64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(i64::try_from(thousandths).ok()?)?;
    Some((Stamp { at, serial }, rest.strip_prefix(b"):")?))
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let digits = std::str::from_utf8(&text[..end]).ok()?;
    Some((digits.parse().ok()?, &text[end..]))
}

/// The fields of a record, in their order.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The record's own fields.
    pub fn own(text: &'a [u8]) -> Self {
        let end = text.iter().position(|b| *b == SEPARATOR).unwrap_or(text.len());
        Self { rest: &text[..end] }
    }

    /// Those that auditd added.
    pub fn added(text: &'a [u8]) -> Self {
        let at = text.iter().position(|b| *b == SEPARATOR).map_or(text.len(), |at| at + 1);
        Self { rest: &text[at..] }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_ascii_start();
        let equals = rest.iter().position(|b| *b == b'=')?;
        let (name, tail) = (&rest[..equals], &rest[equals + 1..]);
        let end = match tail.strip_prefix(b"\"") {
            Some(quoted) => quoted.iter().position(|b| *b == b'"').map_or(tail.len(), |at| at + 2),
            None => tail.iter().position(|b| *b == b' ').unwrap_or(tail.len()),
        };
        self.rest = &tail[end..];
        Some((name, &tail[..end]))
    }
}

/// A text that others chose: in quotes, or in hexadecimal where it holds blanks, quotes or worse. None where there is
/// none, where it is longer than any path, and where it is no UTF-8, since no path that is told here could be meant.
pub fn text(value: &[u8]) -> Option<String> {
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let inner = quoted.strip_suffix(b"\"").unwrap_or(quoted);
        return (inner.len() <= LONGEST).then(|| String::from_utf8(inner.to_vec()).ok()).flatten();
    }
    let pairs = value.chunks_exact(2);
    if value.is_empty() || value.len() > 2 * LONGEST || !pairs.remainder().is_empty() {
        return None;
    }
    let digit = |d: u8| (d as char).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let bytes: Option<Vec<u8>> = pairs.map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect();
    String::from_utf8(bytes?).ok().filter(|text| !text.contains('\0'))
}

/// A number as it stands there.
pub fn int(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A number in hexadecimal.
pub fn hexadecimal(value: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(value).ok()?, 16).ok()
}

/// A device, as `fd:00`: its two numbers.
pub fn device(value: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some((u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_split_and_nothing_else_is_taken_for_one() {
        let stamp = Stamp { at: 1_700_000_000_123, serial: 45 };
        let line = b"type=PATH msg=audit(1700000000.123:45): item=0";
        assert_eq!(head(line), Some((Kind::Path, stamp, &b" item=0"[..])));
        let line = b"node=h type=CWD msg=audit(1700000000.123:45): cwd=\"/\"";
        assert_eq!(head(line).map(|h| h.0), Some(Kind::Cwd));
        assert_eq!(time(b"type=DAEMON_START msg=audit(1700000000.123:45): op=start"), Some(stamp.at));
        for bad in [
            "rubbish",
            "type=EXECVE msg=audit(1.0:9): a0=\"x\"",
            "type=PATH msg=audit(17.0:9",
            "type=PATH msg=audit(99999999999999999999.0:9): ",
            "type=PATH msg=audit(9223372036854775807.0:9): ",
            "x type=PATH msg=audit(17.0:9): ",
            "type=USER_CMD msg=audit(1.0:9): msg='type=PATH msg=audit(17.0:9): '",
        ] {
            assert_eq!(head(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn texts_of_others_are_decoded_within_bounds() {
        assert_eq!(text(b"\"/etc/docker\"").as_deref(), Some("/etc/docker"));
        assert_eq!(text(b"2F746D702F6120").as_deref(), Some("/tmp/a "));
        for none in [&b"(null)"[..], b"", b"2F7", b"FF", b"2F00", b"zz"] {
            assert_eq!(text(none), None, "{none:?}");
        }
        assert_eq!(text("41".repeat(4097).as_bytes()), None);
        assert_eq!(text(format!("\"{}\"", "a".repeat(4097)).as_bytes()), None);
        assert_eq!(device(b"fd:0a"), Some((253, 10)));
    }

    #[test]
    fn what_auditd_added_is_apart() {
        let line = b"auid=1000 exe=\"/a = b\" key=(null)\x1dARCH=x86_64 AUID=\"alice\"";
        let own: Vec<_> = Fields::own(line).collect();
        assert_eq!(own, [(&b"auid"[..], &b"1000"[..]), (b"exe", b"\"/a = b\""), (b"key", b"(null)")]);
        assert_eq!(Fields::added(line).next(), Some((&b"ARCH"[..], &b"x86_64"[..])));
    }
}
