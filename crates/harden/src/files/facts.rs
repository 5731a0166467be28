//! What the kernel says of files, and of why it refuses.

use std::ffi::OsStr;
use std::io;

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, RawMode, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;

/// What something in a file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A Unix socket.
    Socket,
    /// A symbolic link.
    Link,
    /// A FIFO, a device.
    Other,
}

impl Kind {
    /// In words: `a link`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Socket => "a socket",
            Self::Link => "a link",
            Self::Other => "a FIFO or a device",
        }
    }
}

/// What the kernel says of something in a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is.
    pub kind: Kind,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The permission bits (07777).
    pub mode: u32,
    /// How many names it has.
    pub links: u32,
    /// The device (major, minor) and the number in it: which one it is.
    pub identity: (u32, u32, u64),
    /// Whether it may not be changed at all (`chattr +i`).
    pub immutable: bool,
    /// Whether it may only grow (`chattr +a`).
    pub append_only: bool,
    /// Whether something is mounted on it.
    pub mount: bool,
}

/// What the kernel says of what a descriptor stands for.
///
/// # Errors
/// The kernel's.
pub fn facts(fd: impl AsFd) -> Result<Facts, Errno> {
    facts_at(fd, OsStr::new(""), AtFlags::EMPTY_PATH)
}

pub(super) fn facts_at(fd: impl AsFd, name: &OsStr, flags: AtFlags) -> Result<Facts, Errno> {
    let is = statx(fd, name, flags | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::BASIC_STATS)?;
    let mode = RawMode::from(is.stx_mode);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Socket => Kind::Socket,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    Ok(Facts {
        kind,
        uid: is.stx_uid,
        gid: is.stx_gid,
        mode: mode & 0o7777,
        links: is.stx_nlink,
        identity: (is.stx_dev_major, is.stx_dev_minor, is.stx_ino),
        immutable: is.stx_attributes.contains(StatxAttributes::IMMUTABLE),
        append_only: is.stx_attributes.contains(StatxAttributes::APPEND),
        mount: is.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}

/// Why a system call failed, with what to do where that is known.
pub fn why(error: impl Into<io::Error>) -> String {
    let error: io::Error = error.into();
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => "its links lead in a circle, or a link is where none may be".into(),
        Some(Errno::ROFS) => "its file system is read-only".into(),
        Some(Errno::NOSPC | Errno::DQUOT) => "no space is left on its file system: make room and try again".into(),
        Some(Errno::BUSY) => "it is in use as a mount point: change it where it is mounted from".into(),
        Some(Errno::ACCESS) => "this process has no right to it: run it as root".into(),
        Some(Errno::PERM) => "the kernel does not permit it (immutable, or no right to it)".into(),
        _ => error.to_string(),
    }
}

/// Why a file may not be replaced by a rename.
pub(super) fn refusal(facts: &Facts) -> Option<String> {
    if facts.mount {
        return Some("it is mounted there by itself (a bind mount): change it where it is mounted from".into());
    }
    if facts.immutable || facts.append_only {
        let letter = if facts.immutable { 'i' } else { 'a' };
        return Some(format!("it may not be changed (chattr +{letter}); lift that first (chattr -{letter})"));
    }
    (facts.links > 1).then(|| {
        let links = facts.links;
        format!("it has {links} names (hard links), and the others would keep the old content; part them first")
    })
}
