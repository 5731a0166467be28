//! `/proc/PID/mountinfo`: what is mounted in a process's namespace.

use std::borrow::Cow;

use crate::host::root::Unread;

/// The most mounts that are kept of one namespace.
pub const MOST_MOUNTS: usize = 8192;

/// One mount, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, in the process's root.
    pub point: Box<str>,
    /// True when this mount is read-only (the file system may be writable elsewhere).
    pub read_only: bool,
    /// True when the file system itself is read-only.
    pub super_read_only: bool,
    /// The peer group that mounts are shared with, if any: `shared:N`.
    pub shared: Option<u32>,
    /// The group that mounts are received from, if any: `master:N`.
    pub master: Option<u32>,
    /// Whether it shows control groups, of either version.
    pub control_groups: bool,
}

impl Mount {
    /// True when nothing can be written through it.
    pub fn effectively_read_only(&self) -> bool {
        self.read_only || self.super_read_only
    }
}

impl From<Line<'_>> for Mount {
    fn from(line: Line<'_>) -> Self {
        let Line { read_only, super_read_only, shared, master, fs_type, .. } = line;
        let control_groups = matches!(fs_type, "cgroup" | "cgroup2");
        Self { point: line.point.into(), read_only, super_read_only, shared, master, control_groups }
    }
}

/// A line of the table. What is mounted (a device, a name, a URL that may hold a password) is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'t> {
    /// The directory of the file system that is mounted.
    pub root: Cow<'t, str>,
    /// Where, in the process's root.
    pub point: Cow<'t, str>,
    read_only: bool,
    super_read_only: bool,
    shared: Option<u32>,
    master: Option<u32>,
    /// The type of the file system.
    pub fs_type: &'t str,
    options: &'t str,
}

impl<'t> Line<'t> {
    /// For cgroup v1: the controllers; none otherwise.
    pub fn controllers(&self) -> impl Iterator<Item = &'t str> {
        let options = if self.fs_type == "cgroup" { self.options } else { "" };
        options.split(',').filter(|o| !matches!(*o, "" | "rw" | "ro"))
    }
}

/// The lines of a table, of which each may be an error.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Result<Line<'_>, Unread>> {
    text.lines().enumerate().map(|(count, line)| {
        if count >= MOST_MOUNTS {
            return Err(Unread::TooLarge(MOST_MOUNTS));
        }
        parse_line(line).ok_or_else(|| Unread::Other("has a malformed line".into()))
    })
}

/// Parses the table.
///
/// # Errors
/// [`Unread::Other`] for a malformed line, [`Unread::TooLarge`] for more than [`MOST_MOUNTS`].
pub fn parse(text: &str) -> Result<Vec<Mount>, Unread> {
    lines(text).map(|line| line.map(Mount::from)).collect()
}

fn parse_line(line: &str) -> Option<Line<'_>> {
    let mut words = line.split(' ');
    let number = |word: &str| word.parse::<u32>().ok();
    // Its number and that of the mount it lies on, and its device.
    number(words.next()?)?;
    number(words.next()?)?;
    words.next()?;
    let root = unescape(words.next()?);
    let point = unescape(words.next()?);
    let read_only = has(words.next()?, "ro");
    let (mut shared, mut master) = (None, None);
    loop {
        match words.next()? {
            "-" => break,
            word => match word.split_once(':') {
                Some(("shared", n)) => shared = number(n),
                Some(("master", n)) => master = number(n),
                _ => {}
            },
        }
    }
    let fs_type = words.next()?;
    words.next()?;
    let options = words.next().unwrap_or("");
    Some(Line { root, point, read_only, super_read_only: has(options, "ro"), shared, master, fs_type, options })
}

fn has(options: &str, option: &str) -> bool {
    options.split(',').any(|o| o == option)
}

/// `\040` is a space, as octal escapes are everywhere in the table.
fn unescape(word: &str) -> Cow<'_, str> {
    if !word.contains('\\') {
        return word.into();
    }
    let bytes = word.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let code = bytes
            .get(i + 1..i + 4)
            .filter(|_| bytes[i] == b'\\')
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 8).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                i += 4;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

/// Whether control groups can be written to through one of them.
pub fn writable_control_groups(mounts: &[Mount]) -> bool {
    mounts.iter().any(|m| m.control_groups && !m.effectively_read_only())
}

/// The mount that is the root of the namespace: the last one on `/`, which hides those before it.
pub fn root_mount(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().rev().find(|m| &*m.point == "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = "612 545 0:57 / / ro,relatime master:229 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c,workdir=/d\n613 612 0:60 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n620 612 254:0 /srv/my\\040data /data rw,relatime shared:7 master:1 - ext4 /dev/vda rw,discard\n31 23 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

    #[test]
    fn recorded_mounts_are_read() {
        let mounts = parse(RECORDED).unwrap();
        let root = root_mount(&mounts).unwrap();
        assert!(root.effectively_read_only() && root.read_only && !root.super_read_only);
        assert_eq!((root.shared, root.master), (None, Some(229)));
        let all: Vec<Line<'_>> = lines(RECORDED).map(Result::unwrap).collect();
        assert_eq!((&*all[2].root, all[2].controllers().count()), ("/srv/my data", 0));
        assert_eq!((mounts[2].shared, mounts[2].master), (Some(7), Some(1)));
        assert_eq!(all[3].controllers().collect::<Vec<_>>(), ["memory"]);
        assert!(writable_control_groups(&mounts) && !writable_control_groups(&mounts[..3]));
        let read_only = parse("31 23 0:32 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n").unwrap();
        assert!(read_only[0].control_groups && !writable_control_groups(&read_only));
    }

    #[test]
    fn malformed_lines_are_an_error() {
        assert!(parse("1 2 3").is_err());
        assert!(parse("x").is_err());
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(unescape("a\\04"), "a\\04");
        assert_eq!(unescape("\\777"), "\\777");
    }
}
