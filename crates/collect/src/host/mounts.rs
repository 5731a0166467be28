//! Mounts, and whether a directory lies on a file system of its own.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::process::Proc;
use super::root::{Root, Unread};

/// The most bytes of a mount table taken: with a thousand containers it is about 1 MiB.
const TABLE: usize = 64 << 20;

/// One line of `/proc/PID/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number.
    pub id: u32,
    /// The number of the mount that it lies on.
    pub parent: u32,
    /// The device of its file system: major and minor number.
    pub device: (u32, u32),
    /// The directory of the file system that is mounted.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The options of the mount, such as `nosuid`.
    pub options: Vec<String>,
    /// `shared:N`, `master:N` and the like; none for a private mount.
    pub propagation: Vec<String>,
    /// The type of the file system.
    pub kind: String,
    /// What is mounted: a device, or any name.
    pub source: String,
    /// The options of the file system.
    pub super_options: Vec<String>,
}

/// Reads the mounts that a process sees, in the order in which they were made.
///
/// # Errors
/// [`Unread`] with the reason.
pub fn read(proc: &Proc, pid: u32) -> Result<Vec<Mount>, Unread> {
    Ok(parse_all(&proc.read(pid, "mountinfo", TABLE)?))
}

/// The table of this process itself, for those who need it more than once.
///
/// # Errors
/// [`Unread`] with the reason.
pub fn own_table(proc: &Proc) -> Result<Vec<u8>, Unread> {
    proc.read_entry("self/mountinfo", TABLE)
}

/// The mounts of a table.
pub fn parse_all(table: &[u8]) -> Vec<Mount> {
    table.split(|b| *b == b'\n').filter_map(parse).collect()
}

/// Parses one line of the table; none where it is not of the form that the kernel writes.
pub fn parse(line: &[u8]) -> Option<Mount> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(&unescape(bytes)).into_owned();
    let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(unescape(bytes)));
    let list = |bytes: &[u8]| text(bytes).split(',').map(str::to_owned).collect::<Vec<_>>();
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<u32>().ok();
    let mut fields = line.split(|b| *b == b' ');
    let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
    let device = fields.next()?;
    let colon = device.iter().position(|b| *b == b':')?;
    let device = (number(&device[..colon])?, number(&device[colon + 1..])?);
    let (root, point, options) = (path(fields.next()?), path(fields.next()?), list(fields.next()?));
    let propagation = fields.by_ref().take_while(|f| *f != b"-").map(text).collect();
    let (kind, source) = (text(fields.next()?), text(fields.next()?));
    let super_options = fields.next().map(list).unwrap_or_default();
    Some(Mount { id, parent, device, root, point, options, propagation, kind, source, super_options })
}

/// The kernel writes blanks, tabs, line ends and backslashes as three octal digits.
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) = (*first, tail) {
            out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

/// The mount that a path, which must be free of links, lies on: the last made of the deepest.
pub fn holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    // Of two that hold the same path the longer one lies deeper.
    mounts.iter().filter(|m| holds(&m.point, path)).max_by_key(|m| m.point.as_os_str().len())
}

/// As [`Path::starts_with`], for paths that the kernel has written: a host with many containers has many mounts.
fn holds(point: &Path, path: &Path) -> bool {
    let point = point.as_os_str().as_bytes();
    let rest = path.as_os_str().as_bytes().strip_prefix(point);
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || point.ends_with(b"/"))
}

/// The other names under which the same directory or file can be reached: where its file system, or the part of it
/// that holds it, is mounted at a second place. `path` must be free of links.
pub fn other_names(mounts: &[Mount], path: &Path) -> Vec<PathBuf> {
    let Some(held) = holding(mounts, path) else { return Vec::new() };
    let within = |mount: &Mount| mount.device == held.device && mount.id != held.id;
    if !mounts.iter().any(within) {
        return Vec::new();
    }
    let Ok(rest) = path.strip_prefix(&held.point) else { return Vec::new() };
    let inside = below(&held.root, rest);
    let name = |mount: &Mount| {
        let name = below(&mount.point, inside.strip_prefix(&mount.root).ok()?);
        // What something else was mounted over is not to be seen there.
        (name != path && holding(mounts, &name).is_some_and(|top| top.id == mount.id)).then_some(name)
    };
    mounts.iter().filter(|m| within(m)).filter_map(name).take(64).collect()
}

/// A path beneath another; the other itself where it is empty, without a slash behind it.
pub fn below(path: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { path.to_owned() } else { path.join(rest) }
}

/// Whether a directory has a file system of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Separate {
    /// It has: its device is not that of the directory above.
    Yes {
        /// The type of the file system, where it is known.
        kind: Option<String>,
        /// What is mounted, where it is known.
        source: Option<String>,
    },
    /// It lies on the file system of the directory above, perhaps mounted onto itself.
    No {
        /// True when it is a mount point all the same.
        mounted: bool,
    },
}

/// Decides whether `directory` is on a file system of its own by the devices of it and of the
/// directory above. A bind mount of the same file system onto itself does not make it so, a
/// subvolume of btrfs does not either: it shares the space.
///
/// # Errors
/// [`Unread::Absent`] when it is not there; any other reason for which it could not be read.
pub fn separate(root: &Root, mounts: Option<&[Mount]>, directory: &Path) -> Result<Separate, Unread> {
    let real = root.canonical(directory)?;
    let own = root.stat(&real)?;
    let Some(above) = real.parent() else {
        return Ok(Separate::No { mounted: true });
    };
    let mount = mounts.and_then(|m| holding(m, &real)).filter(|_| root.is_live());
    let mounted = mount.is_some_and(|m| m.point == real);
    if own.st_dev == root.stat(above)?.st_dev {
        return Ok(Separate::No { mounted });
    }
    let outer = mounts.and_then(|m| holding(m, above)).filter(|_| root.is_live());
    if let (Some(inner), Some(outer)) = (mount, outer)
        && inner.source == outer.source
        && inner.kind == outer.kind
        && inner.source.starts_with('/')
    {
        return Ok(Separate::No { mounted });
    }
    Ok(Separate::Yes { kind: mount.map(|m| m.kind.clone()), source: mount.map(|m| m.source.clone()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue";

    #[test]
    fn a_line_is_read_with_its_optional_fields_and_escapes() {
        let mount = parse(LINE).unwrap();
        assert_eq!((mount.id, mount.parent, mount.device), (36, 35, (98, 0)));
        assert_eq!(mount.point, Path::new("/mnt 2"));
        assert_eq!(mount.propagation, ["master:1", "shared:2"]);
        assert_eq!((mount.kind.as_str(), mount.source.as_str()), ("ext3", "/dev/root"));
        assert_eq!(parse(b"36 35 98:0 / /x rw - ext4").map(|m| m.kind), None);
        assert_eq!(parse(b"rubbish"), None);
    }

    #[test]
    fn the_last_of_the_deepest_mounts_holds_a_path() {
        let mount = |point: &str, id| Mount { id, point: point.into(), ..parse(LINE).unwrap() };
        let mounts =
            [mount("/", 1), mount("/var/lib", 2), mount("/var", 3), mount("/var/lib", 4), mount("/var/library", 5)];
        assert_eq!(holding(&mounts, Path::new("/var/lib/docker")).unwrap().id, 4);
        assert_eq!(holding(&mounts, Path::new("/var/log")).unwrap().id, 3);
        assert_eq!(holding(&mounts, Path::new("/etc")).unwrap().id, 1);
    }

    #[test]
    fn a_directory_that_is_mounted_twice_has_both_names() {
        let mount = |id, device, root: &str, point: &str| Mount {
            id,
            device: (8, device),
            root: root.into(),
            point: point.into(),
            ..parse(LINE).unwrap()
        };
        let mounts = [
            mount(1, 1, "/", "/"),
            mount(2, 2, "/", "/data"),
            mount(3, 1, "/etc", "/srv/conf"),
            mount(4, 2, "/docker", "/var/lib/docker"),
            mount(5, 3, "/", "/var/log"),
            // A second mount of the disk of `/`, and one that hides what is beneath.
            mount(6, 1, "/", "/mnt/root"),
            mount(7, 4, "/", "/mnt/root/opt"),
        ];
        let names = |path: &str| {
            other_names(&mounts, Path::new(path)).iter().map(|p| p.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names("/srv/conf"), ["/etc", "/mnt/root/etc"]);
        assert_eq!(names("/srv/conf/ssh"), ["/etc/ssh", "/mnt/root/etc/ssh"]);
        assert_eq!(names("/mnt/root/root/.ssh"), ["/root/.ssh"]);
        assert_eq!(names("/mnt/root"), ["/"]);
        assert_eq!(names("/data/docker/volumes"), ["/var/lib/docker/volumes"]);
        assert_eq!(names("/data/other"), [""; 0]);
        assert_eq!(names("/var/log"), [""; 0]);
        // Neither what is beneath `/var/log` on the first disk, nor `/opt` by its second name, is to be seen there.
        assert_eq!(names("/mnt/root/var/log"), [""; 0]);
        assert_eq!(names("/opt"), [""; 0]);
    }

    #[test]
    fn proc_is_a_file_system_of_its_own_and_a_plain_directory_is_not() {
        let root = Root::open(Path::new("/")).unwrap();
        let proc = Proc::open(&root).unwrap();
        let mounts = read(&proc, std::process::id()).unwrap();
        let kind = separate(&root, Some(&mounts), Path::new("/proc")).unwrap();
        assert!(matches!(kind, Separate::Yes { kind: Some(kind), .. } if kind == "proc"));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        assert_eq!(separate(&root, Some(&mounts), &dir.path().join("d")), Ok(Separate::No { mounted: false }));
        assert_eq!(separate(&root, None, &dir.path().join("none")), Err(Unread::Absent));
    }
}
