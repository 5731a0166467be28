//! Reading small files of `/proc` and of cgroups relative to a directory, into one buffer that is used again.

use std::borrow::Cow;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

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
    directory: Arc<str>,
    file: &'static str,
}

impl<T> Datum<T> {
    /// A datum with the file that was read, or that one tried to read, and the directory it is in.
    pub fn new(value: Result<T, Unread>, directory: &Arc<str>, file: &'static str) -> Self {
        Self { value, directory: Arc::clone(directory), file }
    }

    /// The value, when it could be read.
    pub fn ok(&self) -> Option<&T> {
        self.value.as_ref().ok()
    }

    /// The path that was read, or that one tried to read.
    pub fn path(&self) -> String {
        format!("{}/{}", self.directory, self.file)
    }
}

/// The most bytes that the kernel writes as the target of a link of `/proc`: a page, on most machines this one.
const PAGE: usize = 4096;

/// A buffer that the readings share.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

thread_local! {
    static BUFFER: RefCell<Buffer> = RefCell::default();
}

impl Buffer {
    /// Lends the one of this thread: a new one for each container would have to be cleared and to grow anew.
    pub(super) fn of_thread<T>(with: impl FnOnce(&mut Self) -> T) -> T {
        BUFFER.with_borrow_mut(with)
    }

    /// The bytes of a file under `dir`, at most `most`; longer ones are refused.
    pub(super) fn read(&mut self, dir: impl AsFd, name: &str, most: usize) -> Result<&[u8], Unread> {
        self.fill(dir, name, most, false)
    }

    /// The bytes of a file that the kernel hands out in one piece (`single_open`, or a plain copy), so that less than
    /// what was asked for is all of it and the read that would find its end can be spared.
    pub(super) fn record(&mut self, dir: impl AsFd, name: &str) -> Result<&[u8], Unread> {
        self.fill(dir, name, MOST, true)
    }

    fn fill(&mut self, dir: impl AsFd, name: &str, most: usize, one_piece: bool) -> Result<&[u8], Unread> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(reason)?;
        let mut length = 0;
        loop {
            if self.0.len() < length + 2 * PAGE {
                self.0.resize((length + 4 * PAGE).max(2 * length), 0);
            }
            let room = self.0.len() - length;
            let read = rustix::io::read(&fd, &mut self.0[length..]).map_err(reason)?;
            length += read;
            if length > most {
                return Err(Unread::TooLarge(most));
            }
            if read == 0 || (one_piece && read < room) {
                return Ok(&self.0[..length]);
            }
        }
    }

    /// The same as text, bytes that are not UTF-8 refused with the rest of the file.
    pub(super) fn text(&mut self, dir: impl AsFd, name: &str) -> Result<&str, Unread> {
        utf8(self.read(dir, name, MOST)?)
    }

    /// [`Buffer::record`] as text, bytes that are not UTF-8 refused with the rest of the file.
    pub(super) fn record_text(&mut self, dir: impl AsFd, name: &str) -> Result<&str, Unread> {
        utf8(self.record(dir, name)?)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Unread> {
    std::str::from_utf8(bytes).map_err(|_| Unread::Other("is not UTF-8".into()))
}

/// As text, bytes that are not UTF-8 replaced; most have none, and are not copied.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Hands where a link points to `with`, as it is.
pub(super) fn link<T>(dir: impl AsFd, name: impl Arg, with: impl FnOnce(&[u8]) -> T) -> Result<T, Unread> {
    let mut target = [MaybeUninit::<u8>::uninit(); PAGE];
    let (target, room) = rustix::fs::readlinkat_raw(dir, name, &mut target).map_err(reason)?;
    // What fills the buffer may have been cut.
    if room.is_empty() { Err(Unread::TooLarge(PAGE)) } else { Ok(with(target)) }
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
