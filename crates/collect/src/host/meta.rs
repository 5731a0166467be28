//! Owner, mode and kind of one path, its links resolved.

use super::root::{Root, Unread};
use rustix::fs::FileType;

/// What is known of one path without reading its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The path that was asked for.
    pub path: String,
    /// Where it leads, when that differs from `path`.
    pub resolved: Option<String>,
    /// The owner's user id.
    pub uid: u32,
    /// The owning group's id.
    pub gid: u32,
    /// Permission bits with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// What it is once links are resolved.
    pub kind: Kind,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A FIFO, a device, or whatever else.
    Other,
}

impl Meta {
    /// Reads it, links followed inside the root.
    ///
    /// # Errors
    /// [`Unread`] with the reason; a link that leads nowhere is absent.
    pub fn read(root: &Root, path: &str) -> Result<Self, Unread> {
        let stat = root.stat(path)?;
        let resolved = root.canonical(path)?.to_string_lossy().into_owned();
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Socket => Kind::Socket,
            _ => Kind::Other,
        };
        Ok(Self {
            path: path.to_owned(),
            resolved: (resolved != path).then_some(resolved),
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o7777,
            kind,
        })
    }
}
