//! Reading small files of `/proc` and of cgroups relative to a directory, into one buffer that is used again.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::host::root::Unread;

/// The most bytes of one file of `/proc`, 4 MiB: a mount table of some twenty thousand mounts.
pub(super) const MOST: usize = 4 << 20;

/// The reason for whatever a process that ended meanwhile did not tell.
pub(super) fn vanished() -> Unread {
    Unread::Other("vanished while it was read".into())
}

/// One datum with where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datum<T> {
    /// The value, or why there is none.
    pub value: Result<T, Unread>,
    /// The path that was read, or that one tried to read.
    pub path: Arc<str>,
}

impl<T> Datum<T> {
    /// A datum with its path.
    pub fn new(value: Result<T, Unread>, path: impl Into<Arc<str>>) -> Self {
        Self { value, path: path.into() }
    }

    /// The value, when it could be read.
    pub fn ok(&self) -> Option<&T> {
        self.value.as_ref().ok()
    }
}

/// A buffer that the readings share.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// The bytes of a file under `dir`, at most `most`; longer ones are refused.
    pub(super) fn read(&mut self, dir: impl AsFd, name: &str, most: usize) -> Result<&[u8], Unread> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(reason)?;
        let mut length = 0;
        loop {
            if self.0.len() < length + 4096 {
                self.0.resize((length + 4096).max(2 * length), 0);
            }
            let read = rustix::io::read(&fd, &mut self.0[length..]).map_err(reason)?;
            if read == 0 {
                return Ok(&self.0[..length]);
            }
            length += read;
            if length > most {
                return Err(Unread::TooLarge(most));
            }
        }
    }

    /// The same as text, bytes that are not UTF-8 refused with the rest of the file.
    pub(super) fn text(&mut self, dir: impl AsFd, name: &str) -> Result<&str, Unread> {
        let bytes = self.read(dir, name, MOST)?;
        std::str::from_utf8(bytes).map_err(|_| Unread::Other("is not UTF-8".into()))
    }

    /// Where a link points, bytes that are not UTF-8 replaced.
    pub(super) fn link(&mut self, dir: impl AsFd, name: &str) -> Result<String, Unread> {
        let target = rustix::fs::readlinkat(dir, name, std::mem::take(&mut self.0)).map_err(reason)?;
        let text = target.to_string_lossy().into_owned();
        self.0 = target.into_bytes_with_nul();
        self.0.resize(self.0.capacity(), 0);
        Ok(text)
    }
}

/// Opens a directory to read below it.
pub(super) fn open_dir(path: &Path) -> Result<OwnedFd, Unread> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(reason)
}

/// Opens a directory below another.
pub(super) fn open_dir_at(dir: impl AsFd, name: &str) -> Result<OwnedFd, Unread> {
    rustix::fs::openat(dir, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(reason)
}

/// The reason of an error number; a process or cgroup that went away has its own.
pub(super) fn reason(errno: Errno) -> Unread {
    match errno {
        Errno::SRCH | Errno::NODEV => vanished(),
        other => other.into(),
    }
}
