//! `/proc/PID/mountinfo`: what is mounted in a process's namespace.

use crate::host::root::Unread;

/// The most mounts that are kept of one namespace.
pub const MOST_MOUNTS: usize = 8192;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number, and that of the mount it lies on.
    pub id: u32,
    /// The mount that it lies on.
    pub parent: u32,
    /// Device number `major:minor` as the kernel writes it.
    pub device: String,
    /// The directory of the file system that is mounted.
    pub root: String,
    /// Where, in the process's root.
    pub point: String,
    /// True when this mount is read-only (the file system may be writable elsewhere).
    pub read_only: bool,
    /// True when the file system itself is read-only.
    pub super_read_only: bool,
    /// The peer group that mounts are shared with, if any: `shared:N`.
    pub shared: Option<u32>,
    /// The group that mounts are received from, if any: `master:N`.
    pub master: Option<u32>,
    /// The type of the file system.
    pub fs_type: String,
    /// What is mounted: a device, a name, `server:/path`.
    pub source: String,
    /// For cgroup v1: the controllers; empty otherwise.
    pub controllers: Vec<String>,
}

impl Mount {
    /// True when mounts below it are seen by its peers too: `shared` or `rshared`.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// True when mounts of its master are seen below it: `slave` or `rslave`.
    pub fn is_slave(&self) -> bool {
        self.master.is_some()
    }

    /// Where it lies in the process's root.
    pub fn point(&self) -> &str {
        &self.point
    }

    /// True when nothing can be written through it.
    pub fn effectively_read_only(&self) -> bool {
        self.read_only || self.super_read_only
    }
}

/// Parses the table.
///
/// # Errors
/// [`Unread::Other`] for a malformed line, [`Unread::TooLarge`] for more than [`MOST_MOUNTS`].
pub fn parse(text: &str) -> Result<Vec<Mount>, Unread> {
    let mut out = Vec::with_capacity(32);
    for line in text.lines() {
        if out.len() == MOST_MOUNTS {
            return Err(Unread::TooLarge(MOST_MOUNTS));
        }
        out.push(parse_line(line).ok_or_else(|| Unread::Other("has a malformed line".into()))?);
    }
    Ok(out)
}

fn parse_line(line: &str) -> Option<Mount> {
    let mut words = line.split(' ');
    let id = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let device = words.next()?.to_owned();
    let root = unescape(words.next()?);
    let point = unescape(words.next()?);
    let read_only = has(words.next()?, "ro");
    let (mut shared, mut master) = (None, None);
    loop {
        match words.next()? {
            "-" => break,
            word => match word.split_once(':') {
                Some(("shared", n)) => shared = n.parse().ok(),
                Some(("master", n)) => master = n.parse().ok(),
                _ => {}
            },
        }
    }
    let fs_type = words.next()?.to_owned();
    let source = unescape(words.next()?);
    let options = words.next().unwrap_or("");
    let controllers = if fs_type == "cgroup" {
        options.split(',').filter(|o| *o != "rw" && *o != "ro").map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    Some(Mount {
        id,
        parent,
        device,
        root,
        point,
        read_only,
        super_read_only: has(options, "ro"),
        shared,
        master,
        fs_type,
        source,
        controllers,
    })
}

fn has(options: &str, option: &str) -> bool {
    options.split(',').any(|o| o == option)
}

/// `\040` is a space, as octal escapes are everywhere in the table.
fn unescape(word: &str) -> String {
    if !word.contains('\\') {
        return word.to_owned();
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
    String::from_utf8_lossy(&out).into_owned()
}

/// The mount that is the root of the namespace: the last one on `/`, which hides those before it.
pub fn root_mount(mounts: &[Mount]) -> Option<&Mount> {
    mounts.iter().rev().find(|m| m.point == "/")
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
        assert_eq!(mounts[2].root, "/srv/my data");
        assert_eq!((mounts[2].shared, mounts[2].master), (Some(7), Some(1)));
        assert_eq!(mounts[3].controllers, ["memory"]);
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
