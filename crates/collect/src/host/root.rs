//! Reading files of a host, under `/` or under a directory given by `--root`.
//!
//! Every path is resolved by the kernel inside the root (`openat2` with `RESOLVE_IN_ROOT`), so an
//! absolute link or `..` in a mounted host never leads outside it. Files are opened without
//! blocking and must be regular, so a FIFO or a device where a file is expected is an answer and
//! not a hang.

use std::fmt;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// The most bytes that [`Root::read`] takes from one file unless told otherwise: 4 MiB.
pub const DEFAULT_LIMIT: usize = 4 << 20;

/// Why something could not be read. `Display` is the reason that a user sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Nothing is there: a proven absence, which is a fact and not a gap.
    Absent,
    /// The right to read it is missing.
    Denied,
    /// Something other than what was expected is there (a FIFO, a device, a directory).
    WrongType(&'static str),
    /// It holds more bytes than the limit, in bytes.
    TooLarge(usize),
    /// Its links lead in a circle.
    Loop,
    /// Any other refusal of the system.
    Other(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("not there"),
            Self::Denied => f.write_str("permission denied"),
            Self::WrongType(what) => write!(f, "is {what}, not a file"),
            Self::TooLarge(limit) => write!(f, "larger than {limit} bytes"),
            Self::Loop => f.write_str("its links lead in a circle"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unread {}

impl From<Errno> for Unread {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::Absent,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::LOOP => Self::Loop,
            other => Self::Other(std::io::Error::from(other).to_string()),
        }
    }
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Errno::from_raw_os_error(code).into(),
            None => Self::Other(error.to_string()),
        }
    }
}

/// The root of the host that is read.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    path: PathBuf,
}

impl Root {
    /// Opens the root; `/` for the machine itself.
    ///
    /// # Errors
    /// When the directory is not there, is no directory, or may not be read.
    pub fn open(path: &Path) -> Result<Self, Unread> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { dir, path: path.to_owned() })
    }

    /// True when this is the running machine's own `/`, whose `/proc` describes its processes.
    pub fn is_live(&self) -> bool {
        self.path == Path::new("/")
    }

    /// The directory that was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn openat(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Unread> {
        let relative = path.strip_prefix("/").unwrap_or(path);
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let flags = flags | OFlags::CLOEXEC;
        if self.is_live() {
            // The running machine's links may lead through `/proc` (magic links), which
            // RESOLVE_IN_ROOT refuses, and `/` cannot be left anyway.
            return Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?);
        }
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&self.dir, relative, flags, Mode::empty(), resolve)?)
    }

    /// The bytes of a regular file (or a file of `/proc` or `/sys`), at most `limit` of them.
    ///
    /// # Errors
    /// [`Unread`] with the reason; a file over the limit is refused, not cut.
    pub fn read(&self, path: impl AsRef<Path>, limit: usize) -> Result<Vec<u8>, Unread> {
        let file = self.open_file(path)?;
        let size = usize::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
        if size > limit {
            return Err(Unread::TooLarge(limit));
        }
        let mut bytes = Vec::with_capacity(size.saturating_add(1).min(limit).max(512));
        let read = file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if read > limit {
            return Err(Unread::TooLarge(limit));
        }
        Ok(bytes)
    }

    /// Opens a regular file inside the root for reading parts of it.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn open_file(&self, path: impl AsRef<Path>) -> Result<std::fs::File, Unread> {
        let fd = self.openat(path.as_ref(), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::RegularFile => Ok(fd.into()),
            other => Err(Unread::WrongType(kind_name(other))),
        }
    }

    /// Like [`Root::read`] with [`DEFAULT_LIMIT`], bytes that are not UTF-8 replaced.
    ///
    /// # Errors
    /// As [`Root::read`].
    pub fn read_text(&self, path: impl AsRef<Path>) -> Result<String, Unread> {
        let bytes = self.read(path, DEFAULT_LIMIT)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Metadata of what a path leads to, links followed inside the root.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn stat(&self, path: impl AsRef<Path>) -> Result<Stat, Unread> {
        let fd = self.openat(path.as_ref(), OFlags::PATH)?;
        Ok(rustix::fs::fstat(&fd)?)
    }

    /// Metadata of the path itself: a link is not followed in its last component.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn lstat(&self, path: impl AsRef<Path>) -> Result<Stat, Unread> {
        let fd = self.openat(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW)?;
        Ok(rustix::fs::statat(&fd, "", AtFlags::EMPTY_PATH)?)
    }

    /// Whether something is mounted at a path, which must be free of links; none where the kernel does not tell.
    pub fn is_mount_point(&self, path: impl AsRef<Path>) -> Option<bool> {
        let fd = self.openat(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        let about = rustix::fs::statx(&fd, "", AtFlags::EMPTY_PATH, rustix::fs::StatxFlags::empty()).ok()?;
        let mounted = rustix::fs::StatxAttributes::MOUNT_ROOT;
        about.stx_attributes_mask.contains(mounted).then(|| about.stx_attributes.contains(mounted))
    }

    /// Where a link points, as written in it.
    ///
    /// # Errors
    /// [`Unread`] with the reason; [`Unread::Other`] when it is no link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> Result<PathBuf, Unread> {
        let fd = self.openat(path.as_ref(), OFlags::PATH | OFlags::NOFOLLOW)?;
        let target = rustix::fs::readlinkat(&fd, "", Vec::new())?;
        Ok(PathBuf::from(std::ffi::OsString::from(target.to_string_lossy().into_owned())))
    }

    /// The names in a directory, sorted, without `.` and `..`; at most `most` of them.
    ///
    /// # Errors
    /// [`Unread`] with the reason; [`Unread::TooLarge`] when there are more than `most`.
    pub fn list(&self, path: impl AsRef<Path>, most: usize) -> Result<Vec<std::ffi::OsString>, Unread> {
        use std::os::unix::ffi::OsStrExt as _;
        let fd = self.openat(path.as_ref(), OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == most {
                return Err(Unread::TooLarge(most));
            }
            names.push(std::ffi::OsStr::from_bytes(name).to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The absolute path inside the root that `path` leads to once every link is resolved.
    ///
    /// # Errors
    /// [`Unread`] with the reason.
    pub fn canonical(&self, path: impl AsRef<Path>) -> Result<PathBuf, Unread> {
        use std::os::fd::AsRawFd as _;
        let fd = self.openat(path.as_ref(), OFlags::PATH)?;
        let resolved = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
        if self.is_live() {
            return Ok(resolved);
        }
        let base = std::fs::canonicalize(&self.path)?;
        let inside = resolved.strip_prefix(&base).map_err(|_| Unread::Other("leads outside the root".into()))?;
        Ok(Path::new("/").join(inside))
    }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_do_not_lead_outside_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root_dir = dir.path().join("root");
        std::fs::create_dir(&root_dir).unwrap();
        std::fs::write(dir.path().join("secret"), "outside").unwrap();
        std::os::unix::fs::symlink("/secret", root_dir.join("absolute")).unwrap();
        std::os::unix::fs::symlink("../secret", root_dir.join("relative")).unwrap();
        std::os::unix::fs::symlink("loop", root_dir.join("loop")).unwrap();
        let root = Root::open(&root_dir).unwrap();
        assert_eq!(root.read_text("/absolute"), Err(Unread::Absent));
        assert_eq!(root.read_text("/relative"), Err(Unread::Absent));
        assert_eq!(root.read_text("/loop"), Err(Unread::Loop));
        std::fs::write(root_dir.join("secret"), "inside").unwrap();
        assert_eq!(root.read_text("/absolute").unwrap(), "inside");
        assert_eq!(root.canonical("/absolute").unwrap(), Path::new("/secret"));
    }

    #[test]
    fn what_is_no_file_is_said_and_limits_hold() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        rustix::fs::mknodat(CWD, dir.path().join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(root.read_text("/fifo"), Err(Unread::WrongType("a FIFO")));
        std::fs::write(dir.path().join("big"), [0u8; 100]).unwrap();
        assert_eq!(root.read("/big", 99), Err(Unread::TooLarge(99)));
        assert_eq!(root.read("/big", 100).unwrap().len(), 100);
        assert_eq!(root.read_text("/none"), Err(Unread::Absent));
        assert_eq!(root.list("/", 1), Err(Unread::TooLarge(1)));
        assert_eq!(root.list("/", 2).unwrap(), ["big", "fifo"]);
    }
}
